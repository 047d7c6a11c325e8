/* saga_place.h - a bank to test sagas in: a host of sagas above the one of
 * entity_place.h, sagas that are waited for, and an audit of every revision. */

#ifndef BLOCK_SAGA_SAGA_PLACE_H
#define BLOCK_SAGA_SAGA_PLACE_H

#include "block/entity/entity_place.h"
#include "block/saga/saga.h"

/* The text of the bank; with another one a test brings its own. */
extern const char bank_text[];

/* The calls that wait in a host at once; 0: its default. Of the next host. */
extern uint32_t sagas_waiting_max;

/* Open a place with both hosts. */
void bank_open_text(struct place *place, enum place_kind kind, const char *text,
                    uint64_t seed);
void bank_open(struct place *place, enum place_kind kind, uint64_t seed);
void sagas_open(struct place *place); /* which is place->above then */
void sagas_close(struct place *place);

/* Open the account and put money in. */
void account(struct place *place, const char *id, int64_t money);
/* A number of the state; -1: it is not there. */
int64_t number_of(struct place *place, const char *id, const char *field);
void has(struct place *place, const char *id, int64_t balance, int64_t held);

/* A saga's call, and what came of it. */
struct saga_asked
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

void saga_to_ask(struct saga_asked *asked, const char *id, const char *body);
enum kan_err saga_ask_try(struct place *place, struct saga_asked *asked);
void saga_ask(struct place *place, struct saga_asked *asked);
/* Begin the saga `transfer` with this body, and wait. id NULL: none. */
struct saga_asked transfer(struct place *place, const char *id,
                           const char *body);
struct saga_asked saga_look(struct place *place, const char *id);

/* Fold the events of the accounts, all of them in order of revision: money is
 * nowhere made or lost by those behind revision `since`, at any of them. */
void audit(struct place *place, const char *const *ids, uint32_t count,
           uint64_t since);

#endif /* BLOCK_SAGA_SAGA_PLACE_H */
