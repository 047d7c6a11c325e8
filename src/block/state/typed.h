/* typed.h - what is behind the handles of kan/state.h: an engine, the state
 * block on it, and the loop that both belong to.
 *
 * The levels share all of it; they differ in how they read, and in what the
 * public header lets one ask for. */

#ifndef BLOCK_STATE_TYPED_H
#define BLOCK_STATE_TYPED_H

#include <kan/state.h>

#include "base/bytes.h"
#include "block/state/state.h"
#include "env/env.h"

enum typed_level
{
    TYPED_STRONG,
    TYPED_CAUSAL,
    TYPED_EVENTUAL
};

struct kan_store
{
    unsigned magic;
    kan_loop *loop;
    bool own_loop; /* made with the store, and freed with it */
    bool closing;
    uint32_t timeout_ms;
    struct env *env;
    struct engine *engine;
    struct state_store *state;
    uint64_t seen;         /* the newest revision that came by */
    struct buffer message; /* of the last failure */
    struct env_task closed;
    void *close_data;
    kan_store_close_cb *close_cb;
};

/* --- life cycle ----------------------------------------------------------- */

/* Open, as kan_strong_open() says. */
KAN_MUST_USE enum kan_err typed_open(kan_loop *loop,
                                     const struct kan_store_options *options,
                                     enum typed_level level, char *why,
                                     size_t why_size,
                                     struct kan_store **ret_store);

/* A store on an engine that is open already, and on its loop; for tests too,
 * which bring engines of their own. The engine is given. */
KAN_MUST_USE enum kan_err typed_new(kan_loop *loop, struct engine *engine,
                                    const struct kan_store_options *options,
                                    enum typed_level level, char *why,
                                    size_t why_size,
                                    struct kan_store **ret_store);

/* Close, and wait for it. NULL is ignored. */
void typed_close(struct kan_store *store);
void typed_close_async(struct kan_store *store, void *data,
                       kan_store_close_cb *cb);

const char *typed_message(struct kan_store *store);
uint64_t typed_seen(struct kan_store *store);
void typed_see(struct kan_store *store, uint64_t revision);

/* --- requests: the callback forms ----------------------------------------- */

KAN_MUST_USE enum kan_err typed_get_async(struct kan_store *store,
                                          enum typed_level level,
                                          struct kan_get *get, kan_get_cb *cb);
KAN_MUST_USE enum kan_err typed_list_async(struct kan_store *store,
                                           enum typed_level level,
                                           struct kan_list *list,
                                           kan_list_cb *cb);
KAN_MUST_USE enum kan_err typed_commit_async(struct kan_store *store,
                                             struct kan_commit *commit,
                                             kan_commit_cb *cb);

/* kind is KAN_PUT or KAN_DELETE. */
KAN_MUST_USE enum kan_err typed_write_async(struct kan_store *store,
                                            enum kan_op_kind kind,
                                            struct kan_write *write,
                                            kan_write_cb *cb);

/* --- requests: the blocking forms ----------------------------------------- */

KAN_MUST_USE enum kan_err typed_get(struct kan_store *store,
                                    enum typed_level level,
                                    struct kan_slice key,
                                    struct kan_value *ret_value);
KAN_MUST_USE enum kan_err typed_list(struct kan_store *store,
                                     enum typed_level level,
                                     const struct kan_list_options *options,
                                     struct kan_page *ret_page);

/* lock and ret_revision may be NULL. */
KAN_MUST_USE enum kan_err typed_commit(struct kan_store *store,
                                       const struct kan_lock *lock,
                                       const struct kan_op *ops,
                                       uint32_t op_count,
                                       uint64_t *ret_revision);

/* --- what all requests share ---------------------------------------------- */

/* KAN_OK, or KAN_CLOSED. Every request begins with it. */
KAN_MUST_USE enum kan_err typed_enter(struct kan_store *store);

/* timeout_ms from now; 0 means the store's. */
uint64_t typed_deadline(struct kan_store *store, uint32_t timeout_ms);

/* How a read of that level asks the block, and what it must not be older
 * than. */
enum state_consistency typed_consistency(enum typed_level level);
uint64_t typed_at_least(struct kan_store *store, enum typed_level level);

/* Note a failure for the human, in the words of the status and, where they
 * help, of the engine. Returns err. */
enum kan_err typed_fail(struct kan_store *store, enum kan_err err);

/* The status that an outcome of the block is; a failure is noted. what and
 * index name the part of the request at fault: "operation" 3. */
KAN_MUST_USE enum kan_err typed_outcome(struct kan_store *store,
                                        enum state_outcome outcome,
                                        enum kan_err err, const char *what,
                                        uint32_t index);

#endif /* BLOCK_STATE_TYPED_H */
