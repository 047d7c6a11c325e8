/* saga_place.h - a bank to test sagas in: entities and sagas on an engine in a
 * simulated world, steps and sagas that are waited for, and an audit of every
 * revision. */

#ifndef BLOCK_SAGA_SAGA_PLACE_H
#define BLOCK_SAGA_SAGA_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "block/saga/saga.h"
#include "engine/fault/fault.h"
#include "env/sim/sim.h"

enum place_kind
{
    PLACE_MEMORY,
    PLACE_FAULT, /* memory behind the wrapper that fails it */
    PLACE_SQLITE,
    PLACE_ACCOUNTS = 8
};

struct place
{
    enum place_kind kind;
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engine;
    struct contract *contract;
    struct entity_host *entities;
    struct saga_host *sagas;
    int64_t live; /* blocks before */
    char trouble[1024];
    uint32_t troubles;
    uint32_t waiting_max; /* of sagas */
    bool ready;
    enum kan_err ready_err;
};

/* The text of the bank; with another one a test brings its own. */
extern const char bank_text[];

void place_begin(struct place *place, enum place_kind kind, uint64_t seed,
                 const char *text);
void place_open(struct place *place, enum place_kind kind, uint64_t seed);
void sagas_open(struct place *place);
void sagas_close(struct place *place);
void hosts_open(struct place *place);
void hosts_close(struct place *place);
void place_close(struct place *place); /* checks that nothing leaked */

/* The hosts are gone, on sqlite with the power; new ones open the same store.
 */
void place_crash(struct place *place);

void run_until(struct place *place, const bool *flag);
void pass(struct place *place, uint64_t ms);

/* Take a step that is not of a saga. */
enum entity_outcome take(struct place *place, const char *id, const char *step,
                         const char *body);
/* As take(), which must be taken. */
void took(struct place *place, const char *id, const char *step,
          const char *body);
/* Open the account and put money in. */
void account(struct place *place, const char *id, int64_t money);
/* A number of the state; -1: it is not there. */
int64_t number_of(struct place *place, const char *id, const char *field);
void has(struct place *place, const char *id, int64_t balance, int64_t held);

/* A saga's call, and what came of it. */
struct asked
{
    struct saga_call call;
    bool submitted;
    bool done;
    char id[300];
    char body[512];
    enum saga_outcome outcome;
    enum kan_err err;
    enum saga_status status;
    uint64_t revision;
    char reason[256];
    char text[256];
    char json[1024];
    struct contract *contract;
};

void to_ask(struct asked *asked, const char *id, const char *body);
enum kan_err ask_try(struct place *place, struct asked *asked);
void ask_on(struct place *place, struct asked *asked);
/* Begin the saga `transfer` with this body, and wait. id NULL: none. */
struct asked transfer(struct place *place, const char *id, const char *body);
struct asked look(struct place *place, const char *id);

/* Fold the events of the accounts, all of them in order of revision: money is
 * nowhere made or lost by those behind revision `since`, at any of them. */
void audit(struct place *place, const char *const *ids, uint32_t count,
           uint64_t since);
uint64_t revision_now(struct place *place);

#endif /* BLOCK_SAGA_SAGA_PLACE_H */
