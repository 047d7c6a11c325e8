/* lock_place.h - a lock store to test, on an engine in a simulated world, and
 * requests that are waited for. */

#ifndef BLOCK_LOCK_LOCK_PLACE_H
#define BLOCK_LOCK_LOCK_PLACE_H

#include "block/lock/lock.h"
#include "engine/memory/memory.h"
#include "env/sim/sim.h"

struct place
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engine;
    struct lock_store *store;
    int64_t live; /* blocks before */
};

enum place_kind
{
    PLACE_MEMORY,
    PLACE_FAULT, /* memory behind the wrapper that fails it */
    PLACE_SQLITE,
    PLACE_KINDS
};

void place_open(struct place *place, enum place_kind kind, uint64_t seed);

/* Close it, and check that nothing leaked. */
void place_close(struct place *place);

/* As place_close(), with the store closed already. */
void place_leave(struct place *place);

/* Another store on the same engine. */
struct lock_store *store_with(struct place *place, const char *prefix);

/* Close it, and wait until it is gone. */
void store_close(struct place *place, struct lock_store *store);

/* An env_close_cb: sets the bool that data points to. */
void set_flag(void *data);
void run_until(struct place *place, const bool *flag);

/* Milliseconds pass. */
void pass(struct place *place, uint64_t ms);
uint64_t now_ms(struct place *place);

/* A request, and checks that it is answered once and not within its call. */
struct asked
{
    struct lock_request request;
    bool submitted;
    bool done;
    uint64_t at_ms; /* when it was answered */
    struct place *place;
};

/* Submit; ask.request's in fields are set by the caller, and data by these. */
void ask_acquire(struct place *place, struct asked *asked);
void ask_release(struct place *place, struct asked *asked);
void ask_renew(struct place *place, struct asked *asked);

/* A request's in fields. wait_ms 0: do not stand in line. */
struct asked to_acquire(struct place *place, const char *resource,
                        const char *owner, uint64_t expiry_ms,
                        uint64_t wait_ms);
struct asked to_change(const char *resource, const char *owner, uint64_t token,
                       uint64_t expiry_ms);

/* Ask and wait for the answer. */
struct lock_request acquire(struct place *place, const char *resource,
                            const char *owner, uint64_t expiry_ms);
struct lock_request release(struct place *place, const char *resource,
                            const char *owner, uint64_t token);
struct lock_request renew(struct place *place, const char *resource,
                          const char *owner, uint64_t token,
                          uint64_t expiry_ms);

/* Acquire, which must succeed; the token. */
uint64_t must_acquire(struct place *place, const char *resource,
                      const char *owner, uint64_t expiry_ms);

/* A hold and what it was told. */
struct held
{
    struct lock_hold hold;
    struct place *place;
    bool told;
    enum kan_err why;
    uint64_t at_ms;
};

void hold_start(struct place *place, struct held *held, const char *resource,
                const struct lock_request *granted);

#endif /* BLOCK_LOCK_LOCK_PLACE_H */
