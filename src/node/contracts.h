/* contracts.h - the contracts of one running Kan: files read, hosts of
 * entities, views and sagas opened on the store that is for actors, and newer
 * texts put in place of older ones while it runs.
 *
 * A reload is whole or not at all: a text that is wrong, that gives a version
 * another meaning, or that lacks a type which is in service leaves the old one
 * running, and says why. */

#ifndef NODE_CONTRACTS_H
#define NODE_CONTRACTS_H

#include <kan/base.h>

#include "base/log.h"
#include "block/entity/entity.h"
#include "block/saga/saga.h"
#include "block/view/view.h"
#include "node/actors.h"
#include "node/contract_set.h"
#include "node/settings.h"
#include "node/stores.h"

struct contracts
{
    struct env *env;
    struct log *log;
    const struct settings_list *paths; /* borrowed */
    const struct actors *actors;       /* borrowed: names that are taken */
    struct contract_set set;           /* in place */
    struct entity_host *entities;      /* NULL: no contract was named */
    struct view_host *views;
    struct saga_host *sagas;
    struct serve_contracts shown; /* for serve */

    /* The start, until the kept programs were read. */
    bool ready;
    enum kan_err err;
    struct buffer *why;

    /* Newer texts. */
    struct env_lane *lane;
    struct env_work work;
    struct env_timer timer;
    struct contract_set next;    /* what the lane reads; then what is put in
                                * place */
    struct contract_set before;  /* what it read last time: a text is taken when
                                 * it has been the same twice */
    struct contract_set refused; /* so that it is refused once */
    struct buffer faults;        /* of next */
    struct buffer error;         /* shown.reload_error */
    enum kan_err next_err;
    bool busy;  /* the lane or the host is at it */
    bool hurry; /* now, without waiting for a second look */
    bool again; /* asked for while busy */

    bool closing;

    struct env_task task;
    void *close_data;
    env_close_cb *close_cb;
};

/* Read, check and serve the contract files that settings name. Blocking: the
 * loop runs until the kept programs were read. KAN_INVALID, KAN_NOTFOUND, ...
 * with one line in why, or several, each with its newline. The struct is zeroed
 * but for env and log before, and given to contracts_close() in any case. */
KAN_MUST_USE enum kan_err contracts_open(struct contracts *contracts,
                                         const struct settings *settings,
                                         const struct stores *stores,
                                         const struct actors *actors,
                                         struct buffer *why);

/* Read the files again, now; what comes of it is logged. */
void contracts_reload(struct contracts *contracts);

/* Append "; types: account, cart". */
void contracts_say(const struct contracts *contracts, struct buffer *out);

/* Append a call that a user can try, as "/v1.0/actors/... -d '{...}'". Nothing
 * when there is no step that a new entity takes. */
void contracts_try(const struct contracts *contracts, struct buffer *out);

/* Close everything; cb runs once the hosts are gone, never within. Before
 * actors and stores. */
void contracts_close(struct contracts *contracts, void *data, env_close_cb *cb);

#endif /* NODE_CONTRACTS_H */
