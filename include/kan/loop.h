/* kan/loop.h - the loop that carries out what a program waits for.
 *
 * A loop belongs to the thread that runs it; every store opened on it does too.
 * Only kan_loop_post() may be called from another thread. A program that makes
 * blocking calls alone needs no loop: a store opened without one makes its own.
 *
 * A loop can live inside another one: wait until kan_loop_fd() is readable, at
 * most kan_loop_timeout_ms(), then call kan_loop_run() with KAN_LOOP_NOWAIT.
 *
 * The contract of every call that takes a callback:
 *   - you own the request's memory, and keep it in place, until cb;
 *   - when the call returns anything but KAN_OK, cb never runs;
 *   - when it returns KAN_OK, cb runs exactly once, on the loop, and never
 *     inside the call that submitted it;
 *   - within cb everything is allowed but to block: no blocking call of a
 *     store, and no kan_loop_run(). */

#ifndef KAN_LOOP_H
#define KAN_LOOP_H

#include <kan/base.h>

KAN_BEGIN_DECLS

typedef struct kan_loop kan_loop;

/* --- life cycle ----------------------------------------------------------- */

/* A loop with nothing to do. KAN_NOMEM; KAN_BUSY when the process may open no
 * more descriptors. SIGPIPE and SIGXFSZ are ignored from then on, where they
 * have their default action: a file that outgrows its limit is a status here,
 * not the end of the process. Yours: kan_loop_free(). */
KAN_API KAN_MUST_USE enum kan_err kan_loop_new(kan_loop **ret_loop);

/* Free the loop. Every store on it must be closed and every post have run.
 * NULL is ignored; returns NULL, so that loop = kan_loop_free(loop) clears it.
 * Not within a callback. */
KAN_API kan_loop *kan_loop_free(kan_loop *loop);

/* --- running -------------------------------------------------------------- */

/* How long kan_loop_run() goes on. */
enum kan_loop_mode
{
    KAN_LOOP_UNTIL_STOPPED, /* until kan_loop_stop(), or nothing is awaited */
    KAN_LOOP_ONCE,          /* wait for one round of events, and run it */
    KAN_LOOP_NOWAIT         /* run what is ready, and do not wait */
};

/* Run callbacks. Returns whether anything is left to wait for. Not within a
 * callback: that is a programmer error, and asserts. */
KAN_API bool kan_loop_run(kan_loop *loop, enum kan_loop_mode mode);

/* Make kan_loop_run() return once the current callback has. */
KAN_API void kan_loop_stop(kan_loop *loop);

/* --- inside another loop -------------------------------------------------- */

/* A descriptor that is readable when there is something to run. It stays the
 * loop's: wait for it with poll(2), epoll(7) and the like, do not read it. */
KAN_API int kan_loop_fd(kan_loop *loop);

/* Milliseconds until something is to be run even though nothing arrives; 0:
 * now; -1: nothing is due. */
KAN_API int kan_loop_timeout_ms(kan_loop *loop);

/* --- from another thread -------------------------------------------------- */

struct kan_post;
typedef void kan_post_cb(struct kan_post *post);

/* One call handed to the loop. Zero it before its first use. */
struct kan_post
{
    void *data;           /* in: yours */
    uint64_t reserved[6]; /* the library's */
};

/* Run cb on the loop, as soon as it runs. Safe from any thread. The post stays
 * in place until cb, and may be used again from then on. Never fails. */
KAN_API void kan_loop_post(kan_loop *loop, struct kan_post *post,
                           kan_post_cb *cb);

KAN_END_DECLS

#endif /* KAN_LOOP_H */
