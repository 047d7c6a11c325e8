/* guard.c - signals that jump out of foreign code.
 *
 * What a signal handler needs is in one struct per thread, in memory that is
 * there from the thread's start: it neither allocates nor locks. A run costs a
 * sigsetjmp() without the signal mask; the handler itself puts the mask back.
 *
 * The limit costs no system call per run either. The thread's timer is armed
 * by a run that finds it unarmed, and left alone when the run ends; when it
 * fires, it ends the run that armed it, or gives the one that it finds a full
 * limit more, or stays unarmed when there is none. */

#include "block/actor/guard.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/assert.h"

enum
{
    /* A frame with all vector registers, and a sanitizer that reports what is
     * not ours, have room in this. */
    GUARD_STACK_SIZE = 64 * 1024,
    GUARD_STACK_MIN = 16 * 1024,
    GUARD_TIMER_SIGNAL = SIGVTALRM
};

static const int guard_signals[] = {SIGSEGV, SIGBUS,  SIGFPE,
                                    SIGILL,  SIGABRT, GUARD_TIMER_SIGNAL};

#define GUARD_SIGNALS (sizeof(guard_signals) / sizeof(guard_signals[0]))

/* Volatile members are read by a handler that interrupts their writer. */
struct guard_thread
{
    sigjmp_buf jump;
    volatile sig_atomic_t active;
    volatile sig_atomic_t paused;
    volatile sig_atomic_t late; /* an overrun while paused */
    volatile sig_atomic_t armed;
    volatile uint32_t call;       /* number of the run */
    volatile uint32_t armed_call; /* the one that armed the timer */
    volatile uint32_t limit_ms;   /* of the run */
    volatile uint32_t armed_ms;
    struct guard_report report;
    bool ready;
    bool timed;
    timer_t timer;
    void *stack; /* ours, or NULL */
};

static _Thread_local struct guard_thread guard_thread
    __attribute__((tls_model("initial-exec")));

static atomic_flag guard_busy = ATOMIC_FLAG_INIT;
static struct sigaction guard_before[GUARD_SIGNALS];
static pthread_key_t guard_key;
static atomic_bool guard_installed;

/* --- signals -------------------------------------------------------------- */

/* Jump out of the run, with the mask that the signal found. */
static _Noreturn void guard_jump(struct guard_thread *thread,
                                 enum guard_end end, const ucontext_t *context)
{
    thread->report.end = end;
    thread->active = 0;
    (void)pthread_sigmask(SIG_SETMASK, &context->uc_sigmask, NULL);
    siglongjmp(thread->jump, 1);
}

static void guard_arm(struct guard_thread *thread, uint32_t limit_ms)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = limit_ms / 1000,
                     .tv_nsec = (long)(limit_ms % 1000) * 1000000}};

    thread->armed = 1;
    thread->armed_call = thread->call;
    thread->armed_ms = limit_ms;
    (void)timer_settime(thread->timer, 0, &when, NULL);
}

/* The thread's timer fired. */
static void guard_tick(struct guard_thread *thread, const ucontext_t *context)
{
    thread->armed = 0;
    if (!thread->active || thread->limit_ms == 0)
        return;
    if (thread->call != thread->armed_call) {
        guard_arm(thread, thread->limit_ms);
        return;
    }
    if (thread->paused) {
        thread->late = 1;
        return;
    }
    guard_jump(thread, GUARD_OVERRUN, context);
}

/* Hand a signal that is not ours to whoever had it before. */
static void guard_forward(int number, siginfo_t *info, void *context)
{
    struct sigaction gone = {.sa_handler = SIG_DFL};
    const struct sigaction *before = NULL;

    for (size_t i = 0; i < GUARD_SIGNALS; i++)
        if (guard_signals[i] == number)
            before = &guard_before[i];
    kan_assert(before != NULL);
    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(number, info, context);
    } else if (before->sa_handler == SIG_DFL ||
               (before->sa_handler == SIG_IGN && info->si_code > 0)) {
        /* A fault strikes again by itself, and its core shows the place. */
        (void)sigaction(number, &gone, NULL);
        if (info->si_code <= 0)
            (void)raise(number);
    } else if (before->sa_handler != SIG_IGN) {
        before->sa_handler(number);
    }
}

static void guard_signal(int number, siginfo_t *info, void *context)
{
    struct guard_thread *thread = &guard_thread;

    if (number == GUARD_TIMER_SIGNAL && info->si_code == SI_TIMER &&
        info->si_value.sival_ptr == thread) {
        guard_tick(thread, context);
        return;
    }
    /* The kernel's own, or an abort(): what kill() sent is somebody else's. */
    bool fault = number == SIGABRT ||
                 (number != GUARD_TIMER_SIGNAL && info->si_code > 0);
    if (!thread->active || thread->paused || !fault) {
        guard_forward(number, info, context);
        return;
    }
    thread->report.signal = number;
    thread->report.address = number == SIGABRT ? NULL : info->si_addr;
    guard_jump(thread, GUARD_CRASHED, context);
}

/* --- taking over ---------------------------------------------------------- */

/* What a thread made for itself goes with it. */
static void guard_thread_end(void *data)
{
    struct guard_thread *thread = data;
    stack_t none = {.ss_flags = SS_DISABLE};

    if (thread->timed)
        (void)timer_delete(thread->timer);
    if (thread->stack) {
        (void)sigaltstack(&none, NULL);
        (void)munmap(thread->stack, GUARD_STACK_SIZE);
    }
    thread->timed = false;
    thread->stack = NULL;
    thread->ready = false;
}

static enum kan_err guard_take(size_t at)
{
    struct sigaction ours = {
        .sa_sigaction = guard_signal,
        .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART};
    struct sigaction now;
    int number = guard_signals[at];

    (void)sigemptyset(&ours.sa_mask);
    if (sigaction(number, NULL, &now) != 0)
        return KAN_BUSY;
    bool known = now.sa_sigaction == guard_signal;
    if (known && (now.sa_flags & SA_SIGINFO) && (now.sa_flags & SA_ONSTACK))
        return KAN_OK;
    /* Known, but with other flags: signal() has put us back, from a copy that
     * kept only our address. */
    if (!known)
        guard_before[at] = now;
    return sigaction(number, &ours, NULL) == 0 ? KAN_OK : KAN_BUSY;
}

enum kan_err guard_install(void)
{
    enum kan_err err = KAN_OK;

    /* Held for a few system calls. */
    while (atomic_flag_test_and_set(&guard_busy))
        continue;
    if (!atomic_load(&guard_installed) &&
        pthread_key_create(&guard_key, guard_thread_end) != 0)
        err = KAN_NOMEM;
    else
        atomic_store(&guard_installed, true);
    for (size_t i = 0; err == KAN_OK && i < GUARD_SIGNALS; i++)
        err = guard_take(i);
    atomic_flag_clear(&guard_busy);
    return err;
}

/* A stack for signals, so that a handler that used up its own can be left. A
 * sanitizer may have given the thread one; without any, such a handler ends the
 * process, as it would have without a guard. */
static void guard_thread_stack(struct guard_thread *thread)
{
    stack_t stack;

    if (sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE) &&
        stack.ss_size >= GUARD_STACK_MIN)
        return;
    void *bytes = mmap(NULL, GUARD_STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (bytes == MAP_FAILED)
        return;
    stack = (stack_t){.ss_sp = bytes, .ss_size = GUARD_STACK_SIZE};
    if (sigaltstack(&stack, NULL) == 0)
        thread->stack = bytes;
    else
        (void)munmap(bytes, GUARD_STACK_SIZE);
}

static void guard_thread_start(struct guard_thread *thread)
{
    kan_assert(atomic_load(&guard_installed));
    thread->ready = true;
    (void)pthread_setspecific(guard_key, thread);
    guard_thread_stack(thread);
}

/* --- runs ----------------------------------------------------------------- */

/* The thread's timer, made at its first run with a limit. */
static bool guard_timer(struct guard_thread *thread)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
                             .sigev_signo = GUARD_TIMER_SIGNAL,
                             .sigev_value = {.sival_ptr = thread}};

    if (thread->timed)
        return true;
    event._sigev_un._tid = gettid();
    thread->timed =
        timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &thread->timer) == 0;
    return thread->timed;
}

struct guard_report guard_run(void (*call)(void *data), void *data,
                              uint32_t limit_ms)
{
    struct guard_thread *thread = &guard_thread;

    kan_assert(!thread->active);
    if (!thread->ready)
        guard_thread_start(thread);
    thread->report = (struct guard_report){.end = GUARD_DONE};
    thread->paused = 0;
    thread->late = 0;
    thread->call++;
    thread->limit_ms = limit_ms;
    if (sigsetjmp(thread->jump, 0) == 0) {
        thread->active = 1;
        if (limit_ms > 0 && guard_timer(thread) &&
            (!thread->armed || thread->armed_ms != limit_ms))
            guard_arm(thread, limit_ms);
        call(data);
    }
    thread->active = 0;
    return thread->report;
}

_Noreturn void guard_leave(void)
{
    struct guard_thread *thread = &guard_thread;

    kan_assert(thread->active);
    thread->report.end = GUARD_LEFT;
    thread->active = 0;
    siglongjmp(thread->jump, 1);
}

void guard_pause(void)
{
    kan_assert(guard_thread.active);
    guard_thread.paused = 1;
}

void guard_resume(void)
{
    struct guard_thread *thread = &guard_thread;

    thread->paused = 0;
    if (!thread->late)
        return;
    thread->report.end = GUARD_OVERRUN;
    thread->active = 0;
    siglongjmp(thread->jump, 1);
}
