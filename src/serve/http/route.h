/* route.h - which handler a request is for: a static table, searched by verb,
 * version and path (router.c). */

#ifndef SERVE_HTTP_ROUTE_H
#define SERVE_HTTP_ROUTE_H

#include <kan/base.h>

#include "serve/http/error.h"

struct call;

typedef void route_handler(struct call *call);

enum route_verb
{
    VERB_GET = 1 << 0,
    VERB_POST = 1 << 1,
    VERB_PUT = 1 << 2,
    VERB_DELETE = 1 << 3,
    VERB_OTHER = 1 << 4,
    VERB_ANY = VERB_GET | VERB_POST | VERB_PUT | VERB_DELETE | VERB_OTHER
};

enum route_version
{
    V1 = 1 << 0,        /* v1.0 */
    ALPHA1 = 1 << 1,    /* v1.0-alpha1 */
    ALPHA2 = 1 << 2,    /* v1.0-alpha2 */
    BETA1 = 1 << 3,     /* v1.0-beta1 */
    KAN_V1 = 1 << 4,    /* kan/v1 */
    NO_VERSION = 1 << 5 /* the pattern is the whole path */
};

enum route_flag
{
    ROUTE_OPEN = 1 << 0,   /* served without the token */
    ROUTE_PUBLIC = 1 << 1, /* on the public side too */
    ROUTE_METRICS = 1 << 2 /* on the metrics side too, there without token */
};

struct route
{
    const char *name;    /* its label in metrics and logs */
    const char *pattern; /* behind the version; "{x}" is a parameter, "{x...}"
                          * the rest of the path */
    unsigned verbs;
    unsigned versions;
    unsigned flags;
    enum error_name missing; /* for what this version does not serve */
    route_handler *handler;
};

/* The table, and rows behind it for what matches none. */
extern const struct route routes[];
extern const uint32_t route_count;
uint32_t route_index(const struct route *route);

enum
{
    ROUTE_SEGMENTS_MAX = 16
};

/* A path cut into segments: empty ones and "." dropped, ".." resolved. Only
 * the first ROUTE_SEGMENTS_MAX are kept, yet all are counted. */
struct route_path
{
    struct kan_slice segments[ROUTE_SEGMENTS_MAX];
    uint32_t count;
};

void route_path_cut(struct kan_slice path, struct route_path *ret_path);

/* The route of a request, and its parameters, not yet decoded, in params (room
 * for 3). Never NULL: what matches nothing is for the last row. */
const struct route *route_find(struct kan_slice method,
                               const struct route_path *path,
                               struct kan_slice *params);

/* --- the handlers --------------------------------------------------------- */

route_handler state_get_call;
route_handler state_save_call;
route_handler state_delete_call;
route_handler state_bulk_call;
route_handler state_transaction_call;
route_handler state_query_call;
route_handler list_call;
route_handler lock_try_call;
route_handler lock_unlock_call;
route_handler lock_acquire_call;
route_handler lock_renew_call;
route_handler lock_release_call;
route_handler lock_watch_call;
route_handler actor_method_call;
route_handler actor_look_call;
route_handler actor_parked_call;
route_handler entity_list_call;
route_handler entity_get_call;
route_handler entity_delete_call;
route_handler entity_upgrade_call;
route_handler entity_events_call;
route_handler entity_view_call;
route_handler view_call;
route_handler saga_begin_call;
route_handler saga_get_call;
route_handler contracts_call;
route_handler health_call;
route_handler health_outbound_call;
route_handler metadata_get_call;
route_handler metadata_put_call;
route_handler shutdown_call;
route_handler metrics_call;
route_handler level_get_call;
route_handler level_put_call;
route_handler missing_call; /* a block that this version does not serve */
route_handler nowhere_call; /* no route */

#endif /* SERVE_HTTP_ROUTE_H */
