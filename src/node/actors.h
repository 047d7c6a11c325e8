/* actors.h - the actors of one running Kan: modules opened, a host for them on
 * the store that is for actors, and a record of what they took in. */

#ifndef NODE_ACTORS_H
#define NODE_ACTORS_H

#include <kan/base.h>

#include "block/actor/actor.h"
#include "block/actor/module.h"
#include "node/recording.h"
#include "node/settings.h"
#include "node/stores.h"

struct actors
{
    struct env *env;
    struct log *log;
    struct module *modules[SETTINGS_LIST_MAX];
    const struct kan_module *exports[SETTINGS_LIST_MAX];
    uint32_t count;
    struct actor_host *host; /* NULL: no module was named */
    struct recording *recording;
    struct env_task task;
    void *close_data;
    env_close_cb *close_cb;
};

/* Open the modules that settings name, and serve their actors on the state
 * store that has actorStateStore. Blocking. KAN_INVALID, KAN_NOTFOUND, ... with
 * one line in why. The struct is zeroed but for env and log before, and given
 * to actors_close() in any case. */
KAN_MUST_USE enum kan_err actors_open(struct actors *actors,
                                      const struct settings *settings,
                                      const struct stores *stores,
                                      struct buffer *why);

/* Close everything; cb runs once the host is gone, never within. Before the
 * stores. */
void actors_close(struct actors *actors, void *data, env_close_cb *cb);

#endif /* NODE_ACTORS_H */
