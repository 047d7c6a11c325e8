/* item.h - what a request to the state API says, as ops of the state block.
 *
 * Names are matched case aside and unknown ones ignored, as Dapr's decoder
 * does; a value of a wrong type is malformed. */

#ifndef SERVE_HTTP_ITEM_H
#define SERVE_HTTP_ITEM_H

#include "serve/http/call.h"

/* What Kan reads of a map of metadata; bytes NULL: it is not there. */
struct item_metadata
{
    struct kan_slice ttl;   /* ttlInSeconds */
    struct kan_slice fence; /* fence: see fence.h */
};

/* Options that hold for a whole request. */
struct item_scope
{
    struct call *call;
    const char *noun;           /* "item": how messages call one */
    struct item_metadata query; /* metadata.* of the query: wins */
    struct item_metadata body;  /* of the request's own metadata: loses */
    struct kan_slice fence;     /* of the items read so far */
    bool refused;               /* an option was refused; call->text says why */
};

/* What reading a part of the body found. */
enum item_result
{
    ITEM_OK,
    ITEM_MALFORMED /* call->text says what is wrong */
};

/* Read the texts of options: "" is the default. A text that is none of the
 * known ones marks the scope as refused, and its message is kept. */
void item_consistency(struct item_scope *scope, struct kan_slice text,
                      enum state_consistency *ret_consistency);
void item_concurrency(struct item_scope *scope, struct kan_slice text,
                      enum state_concurrency *ret_concurrency);

/* Take one item (key, value, etag, metadata, options) apart. node may be null,
 * which is an item without members. number is for messages, from 0. */
enum item_result item_read(struct item_scope *scope,
                           const struct json_node *node, uint32_t number,
                           struct state_op *ret_op);

/* The text of a member that is a string; empty when it is absent or null. */
enum item_result item_text(struct call *call, const struct json_node *object,
                           const char *name, struct kan_slice *ret_text);

/* Read the metadata of an object: a map of texts, absent or null. */
enum item_result item_metadata(struct call *call,
                               const struct json_node *object,
                               struct item_metadata *ret_metadata);

/* The same of the query. KAN_INVALID, KAN_NOMEM as call_query(). */
KAN_MUST_USE enum kan_err item_query(struct call *call,
                                     struct item_metadata *ret_metadata);

/* The fence of a request whose items have been read; empty: none. */
struct kan_slice item_fence(const struct item_scope *scope);

/* A message for ITEM_MALFORMED. */
__attribute__((format(printf, 2, 3))) enum item_result item_malformed(
    struct call *call, const char *format, ...);

#endif /* SERVE_HTTP_ITEM_H */
