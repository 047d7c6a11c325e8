/* entity.h - what the handlers of entities, their events and views share. */

#ifndef SERVE_HTTP_ENTITY_H
#define SERVE_HTTP_ENTITY_H

#include "serve/http/call.h"

/* The contract in place has a type of that name. */
bool entity_type_served(const struct serve *serve, struct kan_slice type);

/* The host of entities; NULL: answered, there is no contract here. */
struct entity_host *entity_host_find(struct call *call);

/* The version that the caller speaks (header kan-version, or the query's
 * version); 0: the newest. false: answered. */
bool entity_version_take(struct call *call, uint32_t *ret_version);

/* The parameter of the query as a number of least..most; *number stays as it is
 * when there is none. false: answered. */
bool entity_number_take(struct call *call, const char *name, uint64_t least,
                        uint64_t most, bool *ret_given, uint64_t *number);

/* Answer with what went wrong. text may be empty; err belongs to FAILED, and
 * the call's context is what that is then called. For outcomes other than
 * TAKEN, REFUSED and STALE. */
void entity_fail(struct call *call, enum entity_outcome outcome,
                 enum kan_err err, struct kan_slice text);

/* The header, as http_request_header(). false: answered, there are two, and
 * nobody knows which of them is meant. */
bool entity_header_take(struct call *call, const char *name,
                        struct kan_slice *ret_value);

/* The outcomes left out there. */
void entity_fail_refused(struct call *call, const struct entity_call *step);
void entity_fail_stale(struct call *call, uint64_t n);
/* REFUSED, because the entity cannot be carried to the version `unfit`. step
 * may be empty; values too. */
void entity_fail_unfit(struct call *call, struct kan_slice step, uint32_t unfit,
                       const struct program_refusal *refusal,
                       struct kan_slice values, struct kan_slice text);

/* A problem document without members of its own; text may be empty. */
void entity_fail_problem(struct call *call, enum error_name name,
                         const char *kind, const char *title,
                         struct kan_slice text);

/* A step of an entity: /v1.0/actors/{type}/{id}/method/{step}. */
void entity_step_call(struct call *call);

/* Append, for metrics, how far views over all are behind; then call done, at
 * once or later. */
void entity_view_lags(struct call *call, void (*done)(struct call *call));

/* Steps asked for over HTTP, by type and outcome; for metrics. */
void entity_counts_write(struct buffer *out, const struct serve *serve);
void entity_counts_free(struct serve *serve);

#endif /* SERVE_HTTP_ENTITY_H */
