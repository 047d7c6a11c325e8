/* entity_place.h - hosts of entities to test, on an engine in a simulated
 * world, and requests that are waited for. The tests of what stands on entities
 * build on it. */

#ifndef BLOCK_ENTITY_ENTITY_PLACE_H
#define BLOCK_ENTITY_ENTITY_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "block/entity/entity.h"
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
    PLACE_TEXT = 2048
};

struct place;
typedef void place_above(struct place *place);

struct place
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    enum place_kind kind;
    struct engine *engine;
    struct entity_host *host;
    struct entity_options options;
    struct contract *contract;
    bool readied;
    enum kan_err ready;
    char why[PLACE_TEXT];
    int64_t live; /* blocks before */
    char trouble[PLACE_TEXT];
    uint32_t troubles;
    uint32_t events;   /* that the host has told of */
    uint64_t events_n; /* the sum of their numbers */
    /* A host that stands on this one: opened behind it, closed before it. */
    place_above *above_open;
    place_above *above_close;
    void *above;
};

/* How much of the feed memory keeps; 0: its default. Of the next place. */
extern uint64_t place_feed_bytes_max;
/* The operations that it takes in a commit; 0: as many as it can. */
extern uint32_t place_ops_max;

extern const char place_bank[];   /* an account, in one version */
extern const char place_cart_1[]; /* a cart, version 1 */
extern const char place_cart[];   /* in versions 1 and 2, with the upgrade */
extern const char place_cart_2[]; /* version 2 alone */

void place_begin(struct place *place, enum place_kind kind, const char *text,
                 uint64_t seed);
void place_host(struct place *place); /* and wait until it is ready */
void place_open(struct place *place, enum place_kind kind, const char *text,
                uint64_t seed);
void host_close(struct place *place);  /* unless it is */
void place_close(struct place *place); /* checks that nothing leaked */
/* Another text for the hosts to come. */
void place_text(struct place *place, const char *text);
/* Another text for the host that is there; waits until it has it. */
void place_reload(struct place *place, const char *text);

/* The host is gone, on sqlite with the power, unless that has failed before;
 * then a new one opens the same store, while the engine has no faults. */
void place_crash(struct place *place);

void place_trouble(void *data, const char *text); /* data: the place */
void set_flag(void *data);
void run_until(struct place *place, const bool *flag);
/* As run_until(), and the process may be dead. */
void run_closed(struct place *place, const bool *flag);
void pass(struct place *place, uint64_t ms);
uint64_t revision_now(struct place *place);

/* A call, what was asked and what came of it. */
struct asked
{
    struct entity_call call;
    bool submitted;
    bool done;
    enum entity_outcome outcome;
    enum kan_err err;
    bool replayed;
    uint32_t version;
    uint64_t n;
    uint64_t revision;
    char state[PLACE_TEXT]; /* as JSON */
    char text[PLACE_TEXT];
    char values[PLACE_TEXT];
};

/* "account/alice". body may be NULL. */
void to_ask(struct asked *asked, const char *ref, const char *step,
            const char *body);
enum kan_err ask_try(struct entity_host *host, struct asked *asked);
void ask(struct place *place, struct asked *asked);
void ask_wait(struct place *place, struct asked *asked);
struct asked call(struct place *place, const char *ref, const char *step,
                  const char *body);
/* Call, which must be taken as event n. */
void takes(struct place *place, const char *ref, const char *step,
           const char *body, uint64_t n);
/* Call, which must be taken. */
void took(struct place *place, const char *ref, const char *step,
          const char *body);
/* Call, which must have that outcome. */
void gives(struct place *place, const char *ref, const char *step,
           const char *body, enum entity_outcome outcome);

/* What a read came to. */
struct looked
{
    enum entity_outcome outcome;
    enum kan_err err;
    uint32_t version;
    uint64_t n;
    uint64_t revision;
    char state[PLACE_TEXT];
};
struct looked look(struct place *place, const char *ref);
struct looked look_at(struct place *place, const char *ref, uint64_t at,
                      uint32_t version);
struct looked change(struct place *place, const char *ref,
                     enum entity_change_kind kind, uint32_t version);

/* A page of events as JSON, one a line; how many. */
struct paged
{
    enum entity_outcome outcome;
    enum kan_err err;
    uint32_t count;
    bool more;
    uint64_t last;
    uint64_t first;
    char text[64 * 1024];
};
struct paged page(struct place *place, const char *ref, uint64_t after,
                  uint32_t limit);
/* The ids of a page, with spaces between. */
const char *list(struct place *place, const char *type, const char *after,
                 uint32_t limit);

/* A number in a JSON text; -1 when it is not there. */
int64_t number_in(const char *json, const char *name);

#endif /* BLOCK_ENTITY_ENTITY_PLACE_H */
