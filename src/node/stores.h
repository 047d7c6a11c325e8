/* stores.h - the stores of one running Kan: components become engines, and
 * state and lock stores on them. Two components on one file share its engine.
 */

#ifndef NODE_STORES_H
#define NODE_STORES_H

#include <kan/base.h>

#include "base/bytes.h"
#include "node/resource.h"
#include "serve/http/serve.h"

struct store
{
    const struct component *component; /* borrowed */
    struct engine *engine;
    bool owner;                /* the first on its engine, which closes it */
    struct state_store *state; /* of a state component */
    struct lock_store *lock;   /* of a lock component */
    struct buffer path;        /* of its file; empty in memory */
};

struct stores
{
    struct env *env;
    struct store stores[COMPONENTS_MAX];
    uint32_t count;
    struct serve_store states[COMPONENTS_MAX]; /* the same, for serve */
    uint32_t state_count;
    struct serve_lock locks[COMPONENTS_MAX];
    uint32_t lock_count;
    uint32_t closing; /* lock stores, then engines, still open */
    struct env_task task;
    void *close_data;
    env_close_cb *close_cb;
};

/* Open one store for each component; relative files without a directory of
 * their own lie in data_dir, which is made. Blocking. Statuses: KAN_HELD (why
 * names the holder), KAN_INVALID, KAN_IO, ... with one line in why. The struct
 * is zeroed before, and given to stores_close() in any case. */
KAN_MUST_USE enum kan_err stores_open(struct stores *stores,
                                      const struct component_set *set,
                                      const struct component_scope *scope,
                                      const char *data_dir, struct buffer *why);

/* The engine of the one store that is for actors and entities. KAN_INVALID, and
 * one line in why, when there is none, or more than one; what is what needs
 * it, for that line. */
KAN_MUST_USE enum kan_err stores_actor_engine(const struct stores *stores,
                                              const char *what,
                                              struct engine **ret_engine,
                                              struct buffer *why);

/* Tell whoever finds a file locked how to reach us. */
void stores_note(struct stores *stores, const char *text);

/* Close everything; cb runs once all engines are gone, never within. */
void stores_close(struct stores *stores, void *data, env_close_cb *cb);

#endif /* NODE_STORES_H */
