/* error.h - every error that the HTTP API can word, in one table, and how one
 * is written as JSON.
 *
 * A basic error has a code and a message; a rich one has details as well, in
 * the form of google.rpc (dapr's 1.0.5): it is rich when its row has a reason.
 */

#ifndef SERVE_HTTP_ERROR_H
#define SERVE_HTTP_ERROR_H

#include <kan/base.h>

#include "base/bytes.h"

/* Name, errorCode, ErrorInfo.reason (NULL: basic), status. The last group is
 * Kan's own; docs/api.md lists it. */
#define ERROR_MAP(XX)                                                          \
    XX(STATE_NOT_CONFIGURED, "ERR_STATE_STORE_NOT_CONFIGURED",                 \
       "DAPR_STATE_NOT_CONFIGURED", 500)                                       \
    XX(STATE_NOT_FOUND, "ERR_STATE_STORE_NOT_FOUND", "DAPR_STATE_NOT_FOUND",   \
       400)                                                                    \
    XX(STATE_ILLEGAL_KEY, "ERR_MALFORMED_REQUEST", "DAPR_STATE_ILLEGAL_KEY",   \
       400)                                                                    \
    XX(STATE_NO_TRANSACTIONS, "ERR_STATE_STORE_NOT_SUPPORTED",                 \
       "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED", 500)                           \
    XX(STATE_NO_QUERIES, "ERR_STATE_STORE_NOT_SUPPORTED",                      \
       "DAPR_STATE_QUERYING_NOT_SUPPORTED", 500)                               \
    XX(STATE_TOO_MANY, "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS",                \
       "DAPR_STATE_TOO_MANY_TRANSACTIONS", 400)                                \
    XX(STATE_OPERATION, "ERR_NOT_SUPPORTED_STATE_OPERATION", NULL, 400)        \
    XX(STATE_GET, "ERR_STATE_GET", NULL, 500)                                  \
    XX(STATE_SAVE, "ERR_STATE_SAVE", NULL, 500)                                \
    XX(STATE_DELETE, "ERR_STATE_DELETE", NULL, 500)                            \
    XX(STATE_BULK_GET, "ERR_STATE_BULK_GET", NULL, 500)                        \
    XX(STATE_TRANSACTION, "ERR_STATE_TRANSACTION", NULL, 500)                  \
    XX(MALFORMED, "ERR_MALFORMED_REQUEST", NULL, 400)                          \
    XX(BAD_REQUEST, "ERR_BAD_REQUEST", NULL, 400)                              \
    XX(BODY_READ, "ERR_BODY_READ", NULL, 400)                                  \
    XX(UNIMPLEMENTED, "ERR_API_UNIMPLEMENTED", NULL, 501)                      \
    XX(DIRECT_INVOKE, "ERR_DIRECT_INVOKE", NULL, 404)                          \
    XX(HEALTH, "ERR_HEALTH_NOT_READY", NULL, 500)                              \
    XX(HEALTH_APP_ID, "ERR_HEALTH_APPID_NOT_MATCH", NULL, 500)                 \
    XX(HEALTH_OUTBOUND, "ERR_OUTBOUND_HEALTH_NOT_READY", NULL, 500)            \
    XX(SECRETS, "ERR_SECRET_STORES_NOT_CONFIGURED", NULL, 500)                 \
    XX(PUBSUB, "ERR_PUBSUB_NOT_CONFIGURED", "DAPR_PUBSUB_NOT_CONFIGURED", 400) \
    XX(BINDING, "ERR_INVOKE_OUTPUT_BINDING", NULL, 500)                        \
    XX(CONFIGURATION, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", NULL, 500)     \
    XX(ACTORS, "ERR_ACTOR_NO_PLACEMENT", NULL, 400)                            \
    XX(LOCK, "ERR_LOCK_STORE_NOT_CONFIGURED", NULL, 500)                       \
    XX(LOCK_NOT_FOUND, "ERR_LOCK_STORE_NOT_FOUND", NULL, 400)                  \
    XX(TRY_LOCK, "ERR_TRY_LOCK", NULL, 500)                                    \
    XX(UNLOCK, "ERR_UNLOCK", NULL, 500)                                        \
    XX(ACTOR_INVOKE, "ERR_ACTOR_INVOKE_METHOD", NULL, 500)                     \
    XX(ACTOR_NO_ADDRESS, "ERR_ACTOR_NO_ADDRESS", NULL, 404)                    \
    XX(ACTOR_CLOSED, "ERR_ACTOR_RUNTIME_CLOSED", NULL, 503)                    \
    XX(ACTOR_STATE, "ERR_ACTOR_STATE_GET", NULL, 500)                          \
    XX(CRYPTO, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", NULL, 500)               \
    XX(CONVERSATION, "ERR_CONVERSATION_NOT_FOUND", NULL, 400)                  \
    XX(NOT_STRONG, "ERR_STATE_STORE_NOT_STRONG", NULL, 400)                    \
    XX(STATE_LIST, "ERR_STATE_LIST", NULL, 500)                                \
    XX(RENEW_LOCK, "ERR_RENEW_LOCK", NULL, 500)                                \
    XX(WATCH_LOCK, "ERR_WATCH_LOCK", NULL, 500)                                \
    XX(ACTOR_PARKED, "ERR_ACTOR_PARKED", NULL, 500)                            \
    XX(CONTRACT_NONE, "ERR_CONTRACT_NOT_SERVED", NULL, 404)                    \
    XX(ENTITY_NO_TYPE, "ERR_ENTITY_NO_TYPE", NULL, 404)                        \
    XX(ENTITY_NO_STEP, "ERR_ENTITY_NO_STEP", NULL, 404)                        \
    XX(ENTITY_NO_VERSION, "ERR_ENTITY_NO_VERSION", NULL, 404)                  \
    XX(ENTITY_NOT_FOUND, "ERR_ENTITY_NOT_FOUND", NULL, 404)                    \
    XX(ENTITY_REFUSED, "ERR_ENTITY_REFUSED", NULL, 409)                        \
    XX(ENTITY_GONE, "ERR_ENTITY_GONE", NULL, 410)                              \
    XX(ENTITY_STALE, "ERR_ENTITY_STALE", NULL, 412)                            \
    XX(KEY_REUSED, "ERR_IDEMPOTENCY_KEY_REUSED", NULL, 422)                    \
    XX(ENTITY_STEP, "ERR_ENTITY_STEP", NULL, 500)                              \
    XX(ENTITY_READ, "ERR_ENTITY_READ", NULL, 500)                              \
    XX(ENTITY_CLOSED, "ERR_ENTITY_CLOSED", NULL, 503)                          \
    XX(EVENTS_SLOW, "ERR_EVENTS_SLOW_READER", NULL, 500)                       \
    XX(VIEW_NOT_FOUND, "ERR_VIEW_NOT_FOUND", NULL, 404)                        \
    XX(VIEW_READ, "ERR_VIEW_READ", NULL, 500)                                  \
    XX(VIEW_BEHIND, "ERR_VIEW_BEHIND", NULL, 504)                              \
    XX(SAGA_NONE, "ERR_SAGA_NOT_SERVED", NULL, 404)                            \
    XX(SAGA_NOT_FOUND, "ERR_SAGA_NOT_FOUND", NULL, 404)                        \
    XX(SAGA_UNDONE, "ERR_SAGA_UNDONE", NULL, 409)                              \
    XX(SAGA_REFUSED, "ERR_SAGA_REFUSED", NULL, 409)                            \
    XX(SAGA_FAILED, "ERR_SAGA", NULL, 500)                                     \
    XX(OVERLOADED, "ERR_OVERLOADED", NULL, 503)

enum error_name
{
#define ERROR_ENUM(name, code, reason, status) ERROR_##name,
    ERROR_MAP(ERROR_ENUM)
#undef ERROR_ENUM
        ERROR_COUNT
};

/* One entry of ErrorInfo's metadata. */
struct error_pair
{
    const char *name;
    struct kan_slice value;
};

/* What is known of an error, besides its message. Members that are zero are
 * left out; all but the name matter to rich errors alone, and status. */
struct error_report
{
    enum error_name name;
    int status;                 /* 0: the table's */
    const char *help;           /* Help: an address to read more */
    struct kan_slice field;     /* BadRequest: the field at fault */
    const char *resource;       /* ResourceInfo: "state" */
    struct kan_slice owner;     /* ResourceInfo: its name */
    struct error_pair pairs[3]; /* ErrorInfo.metadata; none: null */
};

const char *error_code(enum error_name name);
int error_status(const struct error_report *report);

/* Append the body of an error. Whether it fits is told by buffer_failed(). */
void error_write(struct buffer *body, const struct error_report *report,
                 struct kan_slice message);

#endif /* SERVE_HTTP_ERROR_H */
