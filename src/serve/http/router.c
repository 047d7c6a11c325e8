/* router.c - the table of routes, and the search in it.
 *
 * Every route of the public API has a row, also where this version does not
 * serve its block: a client then learns which block is missing. There is no
 * 405: what matches no row is taken for an invocation, as Dapr does. */

#include "serve/http/call.h"

#define POST_PUT (VERB_POST | VERB_PUT)
#define ALPHAS   (ALPHA1 | ALPHA2)
#define WORKFLOW (V1 | ALPHA1 | BETA1)

/* The most frequent come first. */
const struct route routes[] = {
    {.name = "state_get",
     .pattern = "state/{store}/{key}",
     .verbs = VERB_GET,
     .versions = V1,
     .handler = state_get_call},
    {.name = "state_save",
     .pattern = "state/{store}",
     .verbs = POST_PUT,
     .versions = V1,
     .handler = state_save_call},
    {.name = "state_delete",
     .pattern = "state/{store}/{key}",
     .verbs = VERB_DELETE,
     .versions = V1,
     .handler = state_delete_call},
    {.name = "state_bulk_get",
     .pattern = "state/{store}/bulk",
     .verbs = POST_PUT,
     .versions = V1,
     .handler = state_bulk_call},
    {.name = "state_transaction",
     .pattern = "state/{store}/transaction",
     .verbs = POST_PUT,
     .versions = V1,
     .handler = state_transaction_call},
    {.name = "state_query",
     .pattern = "state/{store}/query",
     .verbs = POST_PUT,
     .versions = ALPHA1,
     .handler = state_query_call},
    {.name = "state_list",
     .pattern = "state/{store}",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .handler = list_call},
    {.name = "lock",
     .pattern = "lock/{store}",
     .verbs = VERB_POST,
     .versions = ALPHA1,
     .handler = lock_try_call},
    {.name = "unlock",
     .pattern = "unlock/{store}",
     .verbs = VERB_POST,
     .versions = ALPHA1,
     .handler = lock_unlock_call},
    {.name = "lock_acquire",
     .pattern = "lock/{store}",
     .verbs = VERB_POST,
     .versions = KAN_V1,
     .handler = lock_acquire_call},
    {.name = "lock_renew",
     .pattern = "renew/{store}",
     .verbs = VERB_POST,
     .versions = KAN_V1,
     .handler = lock_renew_call},
    {.name = "lock_release",
     .pattern = "unlock/{store}",
     .verbs = VERB_POST,
     .versions = KAN_V1,
     .handler = lock_release_call},
    {.name = "lock_watch",
     .pattern = "lock/{store}/{resource}",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .handler = lock_watch_call},
    {.name = "actor_method",
     .pattern = "actors/{type}/{id}/method/{method}",
     .verbs = VERB_GET | POST_PUT | VERB_DELETE,
     .versions = V1,
     .missing = ERROR_ACTORS,
     .handler = actor_method_call},
    {.name = "actor_look",
     .pattern = "actors/{type}/{id}",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .missing = ERROR_ACTORS,
     .handler = actor_look_call},
    {.name = "actor_parked",
     .pattern = "parked",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .missing = ERROR_ACTORS,
     .handler = actor_parked_call},
    {.name = "entity_get",
     .pattern = "entities/{type}/{id}",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .handler = entity_get_call},
    {.name = "entity_events",
     .pattern = "entities/{type}/{id}/events",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .handler = entity_events_call},
    {.name = "entity_view",
     .pattern = "entities/{type}/{id}/views/{view}",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .handler = entity_view_call},
    {.name = "entity_list",
     .pattern = "entities/{type}",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .handler = entity_list_call},
    {.name = "entity_delete",
     .pattern = "entities/{type}/{id}",
     .verbs = VERB_DELETE,
     .versions = KAN_V1,
     .handler = entity_delete_call},
    {.name = "entity_upgrade",
     .pattern = "entities/{type}/{id}/upgrade",
     .verbs = VERB_POST,
     .versions = KAN_V1,
     .handler = entity_upgrade_call},
    {.name = "view",
     .pattern = "views/{type}/{view}",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .handler = view_call},
    {.name = "saga",
     .pattern = "sagas/{saga}",
     .verbs = VERB_POST,
     .versions = KAN_V1,
     .handler = saga_begin_call},
    {.name = "saga_get",
     .pattern = "sagas/{saga}/{id}",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .handler = saga_get_call},
    {.name = "contracts",
     .pattern = "contracts",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .handler = contracts_call},
    {.name = "healthz",
     .pattern = "healthz",
     .verbs = VERB_GET,
     .versions = V1,
     .flags = ROUTE_OPEN | ROUTE_PUBLIC,
     .handler = health_call},
    {.name = "healthz_outbound",
     .pattern = "healthz/outbound",
     .verbs = VERB_GET,
     .versions = V1,
     .flags = ROUTE_OPEN | ROUTE_PUBLIC,
     .handler = health_outbound_call},
    {.name = "metadata_get",
     .pattern = "metadata",
     .verbs = VERB_GET,
     .versions = V1,
     .flags = ROUTE_PUBLIC,
     .handler = metadata_get_call},
    {.name = "metadata_put",
     .pattern = "metadata/{key}",
     .verbs = VERB_PUT,
     .versions = V1,
     .handler = metadata_put_call},
    {.name = "shutdown",
     .pattern = "shutdown",
     .verbs = VERB_POST,
     .versions = V1,
     .handler = shutdown_call},
    {.name = "metrics",
     .pattern = "metrics",
     .verbs = VERB_GET,
     .versions = NO_VERSION,
     .flags = ROUTE_METRICS,
     .handler = metrics_call},
    {.name = "log_level_get",
     .pattern = "log-level",
     .verbs = VERB_GET,
     .versions = KAN_V1,
     .handler = level_get_call},
    {.name = "log_level_put",
     .pattern = "log-level",
     .verbs = VERB_PUT,
     .versions = KAN_V1,
     .handler = level_put_call},

    /* What this version does not serve. */
    {.name = "invoke",
     .pattern = "invoke/{appid}/method/{path...}",
     .verbs = VERB_ANY,
     .versions = V1,
     .missing = ERROR_DIRECT_INVOKE,
     .handler = missing_call},
    {.name = "secrets",
     .pattern = "secrets/{store}/{key}",
     .verbs = VERB_GET,
     .versions = V1,
     .missing = ERROR_SECRETS,
     .handler = missing_call},
    {.name = "publish_bulk",
     .pattern = "publish/bulk/{pubsub}/{topic...}",
     .verbs = POST_PUT,
     .versions = V1 | ALPHA1,
     .missing = ERROR_PUBSUB,
     .handler = missing_call},
    {.name = "publish",
     .pattern = "publish/{pubsub}/{topic...}",
     .verbs = POST_PUT,
     .versions = V1,
     .missing = ERROR_PUBSUB,
     .handler = missing_call},
    {.name = "bindings",
     .pattern = "bindings/{name}",
     .verbs = POST_PUT,
     .versions = V1,
     .missing = ERROR_BINDING,
     .handler = missing_call},
    {.name = "configuration",
     .pattern = "configuration/{store}",
     .verbs = VERB_GET,
     .versions = V1 | ALPHA1,
     .missing = ERROR_CONFIGURATION,
     .handler = missing_call},
    {.name = "configuration",
     .pattern = "configuration/{store}/subscribe",
     .verbs = VERB_GET,
     .versions = V1 | ALPHA1,
     .missing = ERROR_CONFIGURATION,
     .handler = missing_call},
    {.name = "configuration",
     .pattern = "configuration/{store}/{id}/unsubscribe",
     .verbs = VERB_GET,
     .versions = V1 | ALPHA1,
     .missing = ERROR_CONFIGURATION,
     .handler = missing_call},
    {.name = "actors",
     .pattern = "actors/{type}/{id}/state",
     .verbs = POST_PUT,
     .versions = V1,
     .missing = ERROR_ACTORS,
     .handler = missing_call},
    {.name = "actors",
     .pattern = "actors/{type}/{id}/state/{key}",
     .verbs = VERB_GET,
     .versions = V1,
     .missing = ERROR_ACTORS,
     .handler = missing_call},
    {.name = "actors",
     .pattern = "actors/{type}/{id}/reminders/{name}",
     .verbs = VERB_GET | POST_PUT | VERB_DELETE,
     .versions = V1,
     .missing = ERROR_ACTORS,
     .handler = missing_call},
    {.name = "actors",
     .pattern = "actors/{type}/{id}/timers/{name}",
     .verbs = POST_PUT | VERB_DELETE,
     .versions = V1,
     .missing = ERROR_ACTORS,
     .handler = missing_call},
    {.name = "jobs",
     .pattern = "jobs/{name}",
     .verbs = VERB_GET | VERB_POST | VERB_DELETE,
     .versions = V1 | ALPHA1,
     .missing = ERROR_UNIMPLEMENTED,
     .handler = missing_call},
    {.name = "workflows",
     .pattern = "workflows/{component}/{instance}",
     .verbs = VERB_GET,
     .versions = WORKFLOW,
     .missing = ERROR_UNIMPLEMENTED,
     .handler = missing_call},
    {.name = "workflows",
     .pattern = "workflows/{component}/{instance}/{verb...}",
     .verbs = VERB_POST,
     .versions = WORKFLOW,
     .missing = ERROR_UNIMPLEMENTED,
     .handler = missing_call},
    {.name = "crypto",
     .pattern = "crypto/{name}/encrypt",
     .verbs = VERB_PUT,
     .versions = ALPHA1,
     .missing = ERROR_CRYPTO,
     .handler = missing_call},
    {.name = "crypto",
     .pattern = "crypto/{name}/decrypt",
     .verbs = VERB_PUT,
     .versions = ALPHA1,
     .missing = ERROR_CRYPTO,
     .handler = missing_call},
    {.name = "subtlecrypto",
     .pattern = "subtlecrypto/{name}/{verb}",
     .verbs = VERB_POST,
     .versions = ALPHA1,
     .missing = ERROR_UNIMPLEMENTED,
     .handler = missing_call},
    {.name = "conversation",
     .pattern = "conversation/{name}/converse",
     .verbs = VERB_POST,
     .versions = ALPHAS,
     .missing = ERROR_CONVERSATION,
     .handler = missing_call},

    /* The metrics side also answers at its root. */
    {.name = "metrics",
     .pattern = "",
     .verbs = VERB_GET,
     .versions = NO_VERSION,
     .flags = ROUTE_METRICS,
     .handler = metrics_call},

    {.name = "none", .handler = nowhere_call},
};

const uint32_t route_count = sizeof(routes) / sizeof(routes[0]);

uint32_t route_index(const struct route *route)
{
    return (uint32_t)(route - routes);
}

/* --- paths ---------------------------------------------------------------- */

void route_path_cut(struct kan_slice path, struct route_path *ret_path)
{
    uint32_t count = 0;
    while (path.size) {
        struct kan_slice segment;
        slice_cut(&path, '/', &segment);
        if (!segment.size || slice_equal(segment, SLICE(".")))
            continue;
        if (slice_equal(segment, SLICE(".."))) {
            count -= count ? 1 : 0;
            continue;
        }
        if (count < ROUTE_SEGMENTS_MAX)
            ret_path->segments[count] = segment;
        count++;
    }
    ret_path->count = count;
}

/* Which version the path begins with, and how many segments name it. */
static enum route_version path_version(const struct route_path *path,
                                       uint32_t *ret_skip)
{
    static const struct
    {
        const char *text;
        enum route_version version;
    } names[] = {{"v1.0", V1},
                 {"v1.0-alpha1", ALPHA1},
                 {"v1.0-alpha2", ALPHA2},
                 {"v1.0-beta1", BETA1}};
    const struct kan_slice *first = path->segments;
    *ret_skip = 1;
    for (size_t i = 0; path->count && i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal(first[0], kan_text(names[i].text)))
            return names[i].version;
    *ret_skip = 2;
    if (path->count >= 2 && slice_equal(first[0], SLICE("kan")) &&
        slice_equal(first[1], SLICE("v1")))
        return KAN_V1;
    *ret_skip = 0;
    return NO_VERSION;
}

static enum route_verb verb_of(struct kan_slice method)
{
    static const struct
    {
        const char *text;
        enum route_verb verb;
    } names[] = {{"GET", VERB_GET},
                 {"POST", VERB_POST},
                 {"PUT", VERB_PUT},
                 {"DELETE", VERB_DELETE}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal(method, kan_text(names[i].text)))
            return names[i].verb;
    return VERB_OTHER;
}

/* Whether the pattern fits the segments from skip on. */
static bool pattern_fits(const char *text, const struct route_path *path,
                         uint32_t skip, struct kan_slice *params)
{
    struct kan_slice pattern = kan_text(text);
    uint32_t param = 0;
    uint32_t at = skip;
    while (pattern.size) {
        struct kan_slice part;
        slice_cut(&pattern, '/', &part);
        if (at >= path->count || at >= ROUTE_SEGMENTS_MAX)
            return false;
        bool taken = slice_at(part, 0) == '{';
        if (taken && slice_find(part, SLICE("...")) != SIZE_MAX)
            return true;
        if (taken)
            params[param++] = path->segments[at];
        else if (!slice_equal(part, path->segments[at]))
            return false;
        at++;
    }
    return at == path->count;
}

const struct route *route_find(struct kan_slice method,
                               const struct route_path *path,
                               struct kan_slice *params)
{
    uint32_t skip;
    enum route_version version = path_version(path, &skip);
    enum route_verb verb = verb_of(method);
    const struct route *last = &routes[route_count - 1];
    for (const struct route *route = routes; route < last; route++)
        if ((route->verbs & verb) && (route->versions & version) &&
            pattern_fits(route->pattern, path, skip, params))
            return route;
    return last;
}

/* --- what is not served --------------------------------------------------- */

void missing_call(struct call *call)
{
    struct kan_slice name = call->params[0];
    enum error_name missing = call->route->missing;
    struct error_report report = {.name = missing};
    const struct serve_options *options = &call->serve->options;
    switch (missing) {
    case ERROR_DIRECT_INVOKE:
        report.status = 500;
        call_fail(call, &report,
                  "failed to invoke, id: %.*s, err: this version of Kan does "
                  "not serve service invocation",
                  SLICE_ARG(name));
        break;
    case ERROR_SECRETS:
        call_fail(call, &report, "secret store is not configured");
        break;
    case ERROR_PUBSUB:
        report.pairs[0] =
            (struct error_pair){"appID", kan_text(options->app_id)};
        call_fail(call, &report, "pubsub %.*s is not configured",
                  SLICE_ARG(name));
        break;
    case ERROR_BINDING:
        call_fail(call, &report,
                  "error invoking output binding %.*s: couldn't find output "
                  "binding %.*s",
                  SLICE_ARG(name), SLICE_ARG(name));
        break;
    case ERROR_CONFIGURATION:
        call_fail(call, &report, "configuration stores not configured");
        break;
    case ERROR_ACTORS:
        call_fail(call, &report, "placement service is not configured");
        break;
    case ERROR_CRYPTO:
        call_fail(call, &report, "crypto providers not configured");
        break;
    case ERROR_CONVERSATION:
        call_fail(call, &report, "failed finding conversation component %.*s",
                  SLICE_ARG(name));
        break;
    default:
        call_fail(call, &report, "this API is currently not implemented");
        break;
    }
}

void nowhere_call(struct call *call)
{
    struct kan_slice app = http_request_header(call->request, "dapr-app-id");
    struct error_report report = {.name = ERROR_DIRECT_INVOKE};
    if (app.size) {
        report.status = 500;
        call_fail(call, &report,
                  "failed to invoke, id: %.*s, err: this version of Kan does "
                  "not serve service invocation",
                  SLICE_ARG(app));
        return;
    }
    call_fail(call, &report,
              "failed getting app id either from the URL path or the header "
              "dapr-app-id");
}
