/* view_place.h - accounts to test views in: entities and views on an engine in
 * a simulated world, and a model of what the views must show. */

#ifndef BLOCK_VIEW_VIEW_PLACE_H
#define BLOCK_VIEW_VIEW_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "block/view/view.h"
#include "engine/fault/fault.h"
#include "env/sim/sim.h"

enum place_kind
{
    PLACE_MEMORY,
    PLACE_FAULT, /* memory behind the wrapper that fails it */
    PLACE_SQLITE
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
    struct view_host *views;
    uint64_t keep_ms;
    int64_t live; /* blocks before */
    char trouble[1024];
    uint32_t troubles;
    bool ready;
    enum kan_err ready_err;
};

/* The text of the accounts; other tests bring their own. */
extern const char bank_text[];

/* How much of the feed memory keeps; 0: its default. Of the next place. */
extern uint64_t place_feed_bytes_max;
/* The operations that it takes in a commit; 0: as many as it can. */
extern uint32_t place_ops_max;

void place_begin(struct place *place, enum place_kind kind, uint64_t seed,
                 const char *text);
void place_open(struct place *place, enum place_kind kind, uint64_t seed);
void views_open(struct place *place);
void views_close(struct place *place);
void hosts_open(struct place *place);
void hosts_close(struct place *place);
void place_close(struct place *place); /* checks that nothing leaked */

/* The hosts are gone, on sqlite with the power; new ones open the same store.
 */
void place_crash(struct place *place);
/* Another contract is put in place. */
void place_reload(struct place *place, const char *text);

void run_until(struct place *place, const bool *flag);
void pass(struct place *place, uint64_t ms);

/* Take a step of an account. ret_revision, of its event, may be NULL. */
enum entity_outcome take(struct place *place, const char *id, const char *step,
                         const char *body, uint64_t *ret_revision);
void took(struct place *place, const char *id, const char *step,
          const char *body);
enum entity_outcome change(struct place *place, const char *id,
                           enum entity_change_kind kind);
uint64_t revision_now(struct place *place);

/* A read, and what came of it. */
struct asked
{
    struct view_read read;
    bool submitted;
    bool done;
    enum kan_err err;
    uint64_t as_of;
    char json[1024];
};

enum kan_err ask_try(struct place *place, struct asked *asked, const char *view,
                     uint64_t at_least);
void ask_on(struct place *place, struct asked *asked, const char *view,
            uint64_t at_least);
/* The view `bank`, not before the revision. */
struct asked ask(struct place *place, uint64_t at_least);
/* Which must be this. */
void shows(struct place *place, uint64_t at_least, const char *json);

#endif /* BLOCK_VIEW_VIEW_PLACE_H */
