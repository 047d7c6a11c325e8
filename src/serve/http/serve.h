/* serve.h - the HTTP API: requests in, answers out, no rules of its own.
 *
 * It speaks the public Dapr HTTP API for what this version serves (state,
 * locks, actors, metadata, health, shutdown), answers every other Dapr route
 * with the error that Dapr has for "not configured", and adds Kan's own routes:
 * a list of keys, locks that are waited for and watched, a look at actors,
 * entities of contracts with their events, views and sagas, metrics and the log
 * level. docs/api.md lists them all, and the few places
 * where an answer departs from Dapr's. */

#ifndef SERVE_HTTP_SERVE_H
#define SERVE_HTTP_SERVE_H

#include <kan/base.h>

#include "base/log.h"
#include "block/actor/actor.h"
#include "block/entity/entity.h"
#include "block/lock/lock.h"
#include "block/saga/saga.h"
#include "block/state/state.h"
#include "block/view/view.h"
#include "env/env.h"
#include "wire/http.h"

struct serve;

/* A state store under its component name. Texts and the store are borrowed
 * until the serve is closed. Capabilities follow from the promises of the
 * store's engine (serve_capabilities). */
struct serve_store
{
    const char *name;    /* "statestore": printable, without a slash */
    const char *type;    /* "state.sqlite" */
    const char *version; /* "v1" */
    struct state_store *state;
};

/* A lock store under its component name; the same. */
struct serve_lock
{
    const char *name;    /* "lockstore": at most FENCE_STORE_MAX bytes */
    const char *type;    /* "lock.sqlite" */
    const char *version; /* "v1" */
    struct lock_store *lock;
};

/* What a state store can, as shown by metadata. */
enum serve_capability
{
    SERVE_ETAG = 1 << 0,
    SERVE_TRANSACTIONAL = 1 << 1,
    SERVE_TTL = 1 << 2,
    SERVE_ACTOR = 1 << 3 /* ETAG and TRANSACTIONAL */
};

/* A contract's file, for the list of contracts. */
struct serve_source
{
    const char *name;                /* as given to `kan run` */
    const struct contract *contract; /* of this file alone */
};

/* What contracts bring: entities, views and sagas. Borrowed, and read at each
 * request: whoever made it may change it between callbacks, as a reload does.
 */
struct serve_contracts
{
    struct entity_host *entities;
    struct view_host *views; /* NULL: none over all */
    struct saga_host *sagas; /* NULL: none */
    struct engine *engine;   /* that they are kept in; NULL: no view lag */
    const struct serve_source *sources;
    uint32_t source_count;
    uint64_t loaded_ms;            /* since 1970: when they were last read */
    struct kan_slice reload_error; /* why a newer text is not in place; or
                                    * empty */
    uint64_t reload_ms;            /* when that was */
};

/* A component that was found and not loaded, for metadata. */
struct serve_skipped
{
    const char *name;
    const char *type;
};

/* How the app is reached, for metadata; port 0: there is none. */
struct serve_app
{
    uint32_t port;
    const char *protocol; /* NULL: "http" */
    const char *address;  /* NULL: "127.0.0.1" */
    int32_t max_concurrency;
    bool health_check; /* the next four are shown only when it is set */
    const char *health_path;
    uint32_t health_interval_ms;
    uint32_t health_timeout_ms;
    uint32_t health_threshold;
};

/* What must be ready before the health routes say so. */
enum serve_part
{
    SERVE_OUTBOUND,    /* stores are open and listeners up */
    SERVE_APPLICATION, /* the app answers, or there is none to wait for */
    SERVE_PARTS
};

/* A client asked for shutdown; its answer is being sent. force: at once and
 * with exit code 1. */
typedef void serve_shutdown_cb(void *data, bool force);

/* A client changed options.log->level, which is done already. */
typedef void serve_level_cb(void *data, enum log_level level);

/* Everything pointed to is borrowed until the serve is closed. Zero means the
 * default in parentheses. */
struct serve_options
{
    struct env *env;
    struct http_limits limits;
    const char *app_id;          /* ("kan") */
    const char *app_namespace;   /* (none), shown by metadata's extended */
    const char *api_token;       /* NULL or "": no check */
    const char *version;         /* (kan_version()) */
    const char *allowed_origins; /* "" or NULL: no CORS; "*"; or a comma list */
    bool metrics_off;            /* /metrics is no route, on no side */
    bool api_logging;            /* one line of LOG_INFO for each request */
    struct log *log;             /* NULL: silent, and no log level to change */

    const struct serve_store *stores; /* at most 256 */
    uint32_t store_count;
    const struct serve_lock *locks; /* at most 256 */
    uint32_t lock_count;
    struct actor_host *actors;               /* NULL: none */
    const struct kan_module *const *modules; /* those that it serves */
    uint32_t module_count;
    const struct serve_contracts *contracts; /* NULL: none */
    const struct serve_skipped *skipped;
    uint32_t skipped_count;
    struct serve_app app;

    uint64_t answer_max; /* bytes of values in one bulk answer (16 MiB) */

    void *data;
    serve_shutdown_cb *shutdown; /* NULL: the route answers 501 */
    serve_level_cb *level;       /* may be NULL */
};

/* KAN_NOMEM; KAN_INVALID when an option is outside its documented range. */
KAN_MUST_USE enum kan_err serve_new(const struct serve_options *options,
                                    struct serve **ret_serve);

/* What a listener serves. */
enum serve_side
{
    SERVE_API,    /* everything, behind the token */
    SERVE_PUBLIC, /* GET metadata and the health routes, as dapr-public-port */
    SERVE_METRICS /* GET /metrics and / alone, without a token */
};

/* Listen; at most 16 times. Statuses and why as env_listen(), and KAN_BUSY for
 * one listener too many. ret_number is for serve_address(). */
KAN_MUST_USE enum kan_err serve_listen(struct serve *serve,
                                       enum serve_side side,
                                       const char *address,
                                       const struct env_listen_options *options,
                                       char *why, size_t why_size,
                                       uint32_t *ret_number);
const char *serve_address(const struct serve *serve, uint32_t number);

/* Nothing is ready at first. May be called at any time. */
void serve_set_ready(struct serve *serve, enum serve_part part, bool ready);

/* Put text into the map that metadata shows as "extended", as a client does
 * by PUT /v1.0/metadata/{key}. Both are copied. KAN_BUSY when 64 are held,
 * KAN_INVALID when key (1 to 256 bytes) or value (at most 8,192) is too long.
 */
KAN_MUST_USE enum kan_err serve_set_extended(struct serve *serve,
                                             struct kan_slice key,
                                             struct kan_slice value);

struct http_stats serve_http_stats(const struct serve *serve);

/* A mask of enum serve_capability. */
unsigned serve_capabilities(const struct state_store *store);

/* Stop accepting, let requests under way end within drain_ms, cut off the
 * rest and wait for what they began in a store, then free all and call cb. Who
 * waits for a lock, or for its loss, is answered at once. Stores and actors
 * must stay open until cb. */
void serve_close(struct serve *serve, uint32_t drain_ms, void *data,
                 env_close_cb *cb);

/* While it closes: cut off what is under way now, whatever drain_ms was. */
void serve_hurry(struct serve *serve);

#endif /* SERVE_HTTP_SERVE_H */
