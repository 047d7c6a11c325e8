/* actor_place.h - a host of actors to test, on an engine in a simulated world,
 * and calls that are waited for. */

#ifndef BLOCK_ACTOR_ACTOR_PLACE_H
#define BLOCK_ACTOR_ACTOR_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "block/actor/actor.h"
#include "block/actor/actor_case.h"
#include "engine/fault/fault.h"
#include "engine/memory/memory.h"
#include "env/sim/sim.h"

enum place_kind
{
    PLACE_MEMORY,
    PLACE_FAULT, /* memory behind the wrapper that fails it */
    PLACE_SQLITE
};

enum
{
    PLACE_EVENTS = 4096,
    PLACE_JSON = 1024
};

struct place
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engine;
    struct actor_host *host;
    struct actor_options options;
    const struct kan_module *modules[1];
    int64_t live; /* blocks before */
    char trouble[2048];
    uint32_t troubles;
    uint32_t events;
    uint32_t choices;
    struct actor_event last; /* without what is borrowed */
    struct path_id path;     /* after the last event */
};

/* Everything but the host. */
void place_begin(struct place *place, enum place_kind kind, uint64_t seed);
void place_host(struct place *place); /* with place->options */
void place_open(struct place *place, enum place_kind kind, uint64_t seed);
void host_close(struct place *place);
void place_close(struct place *place); /* checks that nothing leaked */

/* The power fails, unless it has; then a new process opens the same store. */
void place_crash(struct place *place);

void set_flag(void *data);
void run_until(struct place *place, const bool *flag);
void pass(struct place *place, uint64_t ms);

/* A call, what was asked and what came of it. */
struct asked
{
    struct actor_call call;
    bool submitted;
    bool done;
    bool unread; /* there was no memory to show the answer */
    enum actor_outcome outcome;
    enum kan_err err;
    uint64_t revision;
    char record[32];
    char text[PLACE_JSON]; /* the answer as JSON, or why there is none */
};

/* Fill in the call; method's body may be NULL. */
void to_ask(struct asked *asked, const char *ref, const char *method,
            const char *body);
enum kan_err ask_try(struct actor_host *host, struct asked *asked);
void ask_on(struct actor_host *host, struct asked *asked);
void ask(struct place *place, struct asked *asked);
struct asked call(struct place *place, const char *ref, const char *method,
                  const char *body);
/* Call, which must be answered with this JSON ("" for nothing). */
void call_gives(struct place *place, const char *ref, const char *method,
                const char *body, const char *json);

/* The state of an actor as JSON, or the name of the error. */
const char *state_of(struct place *place, const char *ref);
/* A number in it; -1 when it is not there. */
int64_t field_of(struct place *place, const char *ref, const char *field);

/* How many are parked; the first one's method and reason. */
uint32_t parked(struct place *place, char *ret_method, char *ret_why);

#endif /* BLOCK_ACTOR_ACTOR_PLACE_H */
