/* guard.h - run foreign code so that a crash or an endless loop in it is an
 * answer, and not the end of the process.
 *
 * The code runs on the caller's thread; SIGSEGV, SIGBUS, SIGFPE, SIGILL,
 * SIGABRT and a timer of the thread's own jump out of it. That is sound for
 * code that holds no lock and touches only scratch memory, as handlers do; what
 * it wrote elsewhere before it crashed stays written, and cannot be noticed. */

#ifndef BLOCK_ACTOR_GUARD_H
#define BLOCK_ACTOR_GUARD_H

#include <kan/base.h>

enum guard_end
{
    GUARD_DONE,
    GUARD_LEFT, /* guard_leave() */
    GUARD_CRASHED,
    GUARD_OVERRUN
};

struct guard_report
{
    enum guard_end end;
    int signal;          /* CRASHED */
    const void *address; /* CRASHED: what was touched, when the signal tells */
};

/* Take over the signals of the process; handlers that were there before get
 * every signal that is not ours. From any thread and as often as one likes: it
 * does something only when somebody else has taken them since, as test
 * frameworks do for each test. KAN_NOMEM; KAN_BUSY when the system refuses. */
KAN_MUST_USE enum kan_err guard_install(void);

/* Run call(data); guard_install() came before. The limit is CPU time of the
 * thread, in ms, and kept to within twice itself and a tick of the system (1 to
 * 10 ms); 0 means none, and there is none when the system has no timer left.
 * Not within itself. */
struct guard_report guard_run(void (*call)(void *data), void *data,
                              uint32_t limit_ms);

/* End the call that guard_run() runs on this thread, from inside of it, at
 * once: no function in between returns. */
_Noreturn void guard_leave(void);

/* Around code within the call that is not foreign, and may allocate or lock: a
 * crash in it is not caught, and an overrun waits for guard_resume(). */
void guard_pause(void);
void guard_resume(void);

#endif /* BLOCK_ACTOR_GUARD_H */
