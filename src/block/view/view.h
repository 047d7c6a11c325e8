/* view.h - views over all entities of a type: totals that follow the change
 * feed.
 *
 * view_core.c folds events into totals; view.c follows the feed of a type's
 * events, and keeps totals, index and cursor together in one commit, so that
 * after a restart it goes on where it was. Columns of min and max have an
 * ordered index behind them, in the engine. A view whose meaning changed is
 * computed again from all events, beside the old one. A view is never ahead of
 * the events it is made of (K-ENTITY). */

#ifndef BLOCK_VIEW_VIEW_H
#define BLOCK_VIEW_VIEW_H

#include "block/entity/entity.h"

struct view_host;

/* The least that views over all need of an engine, beside what entities do. */
extern const struct engine_promises view_needs;

struct view_options
{
    struct env *env;
    struct engine *engine;
    struct entity_host *entities; /* borrowed until the host is closed; ready */
    struct kan_slice prefix;      /* copied: "view||kan||" */
    uint64_t keep_ms;             /* how often totals are kept; 0 means 100 */
    void *data;
    entity_trouble_cb *trouble; /* or NULL */
};

KAN_MUST_USE enum kan_err view_host_new(const struct view_options *options,
                                        struct view_host **ret_host,
                                        struct buffer *why);
void view_host_close(struct view_host *host, void *data, env_close_cb *cb);

/* The entity host has another contract in place: views whose meaning changed
 * are computed again. */
void view_host_reloaded(struct view_host *host);

struct view_read;
typedef void view_read_cb(struct view_read *read);

/* Read a view over all, not before at_least. */
struct view_read
{
    void *data;
    struct kan_slice type;
    struct kan_slice view;
    uint64_t at_least;    /* a revision; 0: as it is */
    uint64_t deadline_ns; /* 0 means 30 s */

    enum kan_err err;      /* out: NOTFOUND: no such type or view over all;
                            * TIMEOUT: at_least was not reached */
    struct kan_slice json; /* out: {"accounts":1,...}; borrowed until cb
                            * returns */
    uint64_t as_of;        /* out: the revision up to which all is counted */

    struct view_host *host; /* from here on: the block's */
    view_read_cb *cb;
    struct list link;
    struct env_task task;
    struct env_timer timer;
    void *part;
};
KAN_MUST_USE enum kan_err view_read(struct view_host *host,
                                    struct view_read *read, view_read_cb *cb);
void view_read_cancel(struct view_read *read);

#endif /* BLOCK_VIEW_VIEW_H */
