/* wrap.h - what engines that wrap another share: each request of the outer
 * engine becomes one of the inner engine, and the answer comes back.
 *
 * A wrapper gives a table of hooks, and decides in them when a request is
 * forwarded, held or answered. Cancels, deadlines and closing are done here: a
 * request that ended early leaves its operation behind, which is freed when the
 * inner engine answers. */

#ifndef ENGINE_WRAP_H
#define ENGINE_WRAP_H

#include <kan/base.h>

#include "base/list.h"
#include "engine/engine.h"

struct wrap;
struct wrap_op;

struct wrap_hooks
{
    /* A request arrived, within the caller's call. Forward or refuse it, now or
     * after wrap_hold(). */
    void (*begin)(struct wrap_op *op);

    /* The inner engine answered: wrap_answer(), now, or (commits only) later
     * after wrap_hold(). What reads point to is borrowed from the inner
     * engine. */
    void (*answered)(struct wrap_op *op, enum kan_err err);

    /* The inner engine reports to a watch: true to pass it on. When false, the
     * watch has been answered. */
    bool (*report)(struct wrap_op *op, uint64_t revision,
                   const struct engine_change *changes, uint32_t change_count);

    /* The request ends with this answer, which its owner is about to get; also
     * when it was canceled. */
    void (*ended)(struct wrap_op *op, enum kan_err err);

    /* Free what is the wrapper's own; the struct itself is freed by wrap. */
    void (*fini)(struct wrap *wrap);

    /* Add to what the inner engine tells. */
    void (*stats)(struct wrap *wrap, struct engine_stats *stats);
};

/* A wrapper's struct begins with this; allocated with mem_zalloc(). */
struct wrap
{
    struct engine engine;
    struct engine_ops ops;
    const struct wrap_hooks *hooks;
    struct engine *inner;
    struct list waiting; /* not forwarded yet, or answer held */
    struct list open;    /* the inner engine's turn */
    uint64_t count;      /* requests so far */
    void *close_data;
    env_close_cb *close_cb;
};

enum wrap_state
{
    WRAP_WAITING, /* not forwarded */
    WRAP_OPEN,    /* the inner engine has it */
    WRAP_HELD     /* answered by it; the answer waits */
};

/* One request on its way. */
struct wrap_op
{
    struct wrap *wrap;
    struct list link;
    enum wrap_state state;
    struct engine_request *outer; /* NULL: nobody waits any more */
    uint64_t number;              /* of the request, from 1 */
    enum kan_err err;             /* the answer that is held */
    int plan;                     /* the wrapper's */
    void *copy;                   /* what the request points to, when held */
    struct env_timer timer;       /* for wrap_hold() */
    struct env_task task;         /* for wrap_answer_later() */
    union
    {
        struct engine_request request;
        struct engine_commit commit;
        struct engine_get get;
        struct engine_scan scan;
        struct engine_watch watch;
    } inner;
};

/* Make wrap an engine named name around inner, which is given. */
void wrap_init(struct wrap *wrap, const char *name,
               const struct wrap_hooks *hooks, struct env *env,
               struct engine *inner);

/* Let the inner engine have it. What it refuses is answered later. */
void wrap_forward(struct wrap_op *op);

/* Keep the request or its answer (err) and call then() at due_ns, unless it
 * ends before. What the request points to is copied. KAN_NOMEM leaves it as it
 * was. */
KAN_MUST_USE enum kan_err wrap_hold(struct wrap_op *op, uint64_t due_ns,
                                    enum kan_err err, env_timer_cb *then);

/* End the request; the op is gone. Not within begin. */
void wrap_answer(struct wrap_op *op, enum kan_err err);

/* End the request soon. For begin. */
void wrap_answer_later(struct wrap_op *op, enum kan_err err);

/* End the request now, though the inner engine has it. */
void wrap_abandon(struct wrap_op *op, enum kan_err err);

static inline enum engine_request_kind wrap_kind(const struct wrap_op *op)
{
    return (enum engine_request_kind)op->outer->kind;
}

#endif /* ENGINE_WRAP_H */
