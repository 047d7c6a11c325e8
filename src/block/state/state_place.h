/* state_place.h - a store to test, on an engine in a simulated world, and
 * requests that are waited for. */

#ifndef BLOCK_STATE_STATE_PLACE_H
#define BLOCK_STATE_STATE_PLACE_H

#include "block/state/state.h"
#include "engine/memory/memory.h"
#include "env/sim/sim.h"

struct place
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engine;
    struct state_store *store;
    int64_t live; /* blocks before */
};

enum place_kind
{
    PLACE_MEMORY,
    PLACE_FAULT, /* memory behind the wrapper that fails it */
    PLACE_SQLITE,
    PLACE_KINDS
};

void place_open_as(struct place *place, enum place_kind kind, uint64_t seed);

/* Open one on memory that promises no more than the profile, unless NULL. */
void place_open(struct place *place, const struct engine_promises *profile,
                uint64_t seed);

/* Close it, and check that nothing leaked. */
void place_close(struct place *place);

/* As place_close(), for an engine that is closing or closed already. */
void place_leave(struct place *place);

/* Another store on the same engine. */
struct state_store *store_with(struct place *place, const char *prefix);

/* An env_close_cb: sets the bool that data points to. */
void set_flag(void *data);

void run_until(struct place *place, const bool *flag);

/* Milliseconds pass. */
void pass(struct place *place, uint64_t ms);

/* Checks that a request is answered once, and not within its call. */
struct answer
{
    bool submitted;
    bool done;
};

/* A state_write_cb; data is a struct answer. */
state_write_cb on_write;

struct state_write write_ops(struct state_store *store, struct place *place,
                             const struct state_op *ops, uint32_t count,
                             bool atomic);
struct state_write write_op(struct place *place, struct state_op op);

/* Save a text; the revision. */
uint64_t save(struct place *place, const char *key, const char *value);

/* The etag as text. */
const char *etag_of(uint64_t revision, char text[STATE_ETAG_SIZE]);

/* What a read found, kept beyond its callback. */
struct found
{
    struct answer answer;
    bool found;
    uint64_t version;
    uint64_t expires_ms;
    size_t size;
    char value[600];
};

/* A state_read_cb; data is a struct found, for the first key. */
state_read_cb on_read;

struct found load_from(struct state_store *store, struct place *place,
                       struct kan_slice key,
                       enum state_consistency consistency);
struct found load(struct place *place, const char *key);

/* value NULL: absent. */
void assert_holds(struct place *place, const char *key, const char *value);

struct page
{
    bool done;
    char keys[64][16];
    uint32_t count;
};

/* A state_list_cb; data is a struct page. */
state_list_cb on_list;

struct page list_page(struct state_store *store, struct place *place,
                      struct state_list *list);

#endif /* BLOCK_STATE_STATE_PLACE_H */
