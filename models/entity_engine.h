/* entity_engine.h - an entity as the engine of the model `entity` keeps it: its
 * events, in order; what an owner asks of the engine, and what it answers.
 *
 * So often as `unknown` says, the answer to a commit is lost; the commit is
 * then in force, or comes into force later. */

#ifndef MODELS_ENTITY_ENGINE_H
#define MODELS_ENTITY_ENGINE_H

#include <kan/model.h>

#include "models/entity_table.h"

enum
{
    PARAMETER_ATTEMPTS,
    PARAMETER_PATIENT,
    PARAMETER_UNKNOWN,
    PARAMETER_WRONG
};

enum
{
    CLIENTS = 2,
    OWNERS = 2,
    EVENTS_MAX = CLIENTS + 2, /* with room for what must not happen */
    BATCH_MAX = CLIENTS,
    ASKS_MAX = 3, /* lives of an owner that are told apart */
    LATE_MS = 100
};

/* --- the entity ----------------------------------------------------------- */

/* One event, as the engine keeps it. Who decided it, and when, stands for the
 * id that is drawn for each step: no two have the same. */
struct event
{
    uint8_t key; /* the client's, from 1; 0: there is no event */
    uint8_t call;
    uint8_t owner;
    uint8_t draw;
};
KAN_RECORD(event, 1, KAN_INT(event, key, 0, CLIENTS),
           KAN_INT(event, call, 0, ENTITY_TABLE_CALLS_MAX - 1),
           KAN_INT(event, owner, 0, OWNERS - 1), KAN_INT(event, draw, 0, 15));

/* The state behind the first n events; REFUSES when one of them cannot be. */
static inline uint8_t fold(const struct event *events, uint32_t n)
{
    uint8_t state = 0;

    for (uint32_t i = 0; i < n && state != ENTITY_TABLE_REFUSES; i++)
        state = events[i].key == 0 ? ENTITY_TABLE_REFUSES
                                   : entity_table->next[state][events[i].call];
    return state;
}

/* --- questions and answers ------------------------------------------------ */

/* A client's step; its key is the client. */
struct call
{
    uint8_t call;
};
KAN_RECORD(call, 1, KAN_INT(call, call, 0, ENTITY_TABLE_CALLS_MAX - 1));

enum outcome
{
    OUTCOME_TAKEN,
    OUTCOME_REFUSED,
    OUTCOME_FAILED /* nobody knows, or it certainly had no effect */
};

struct answer
{
    uint8_t outcome;
    uint8_t n; /* of its event; REFUSED: of the state that refused it */
};
KAN_RECORD(answer, 1, KAN_INT(answer, outcome, OUTCOME_TAKEN, OUTCOME_FAILED),
           KAN_INT(answer, n, 0, EVENTS_MAX));

struct read
{
    uint8_t ask;
};
KAN_RECORD(read, 1, KAN_INT(read, ask, 0, ASKS_MAX));

struct opened
{
    uint8_t ask;
    uint8_t count;
    struct event events[EVENTS_MAX];
};
KAN_RECORD(opened, 1, KAN_INT(opened, ask, 0, ASKS_MAX),
           KAN_INT(opened, count, 0, EVENTS_MAX),
           KAN_STRUCTS(opened, events, event_record));

/* Put these behind event n, if n + 1 is absent. */
struct commit
{
    uint8_t ask;
    uint8_t n;
    bool unguarded;
    struct event events[BATCH_MAX];
};
KAN_RECORD(commit, 1, KAN_INT(commit, ask, 0, ASKS_MAX),
           KAN_INT(commit, n, 0, EVENTS_MAX), KAN_BOOL(commit, unguarded),
           KAN_STRUCTS(commit, events, event_record));

enum fate
{
    FATE_COMMITTED,
    FATE_CONFLICT,
    FATE_UNKNOWN
};

struct committed
{
    uint8_t ask;
    uint8_t fate;
};
KAN_RECORD(committed, 1, KAN_INT(committed, ask, 0, ASKS_MAX),
           KAN_INT(committed, fate, FATE_COMMITTED, FATE_UNKNOWN));

struct look
{
    uint8_t ask;
    uint8_t n;
};
KAN_RECORD(look, 1, KAN_INT(look, ask, 0, ASKS_MAX),
           KAN_INT(look, n, 0, EVENTS_MAX));

struct found
{
    uint8_t ask;
    struct event event;
};
KAN_RECORD(found, 1, KAN_INT(found, ask, 0, ASKS_MAX),
           KAN_STRUCT(found, event, event_record));

/* --- the engine ----------------------------------------------------------- */

struct engine
{
    struct event events[EVENTS_MAX]; /* of number 1, 2, ... */
    uint8_t unknown;                 /* answers lost */
    bool is_late;
    struct commit late; /* it comes into force some time */
};
KAN_RECORD(engine, 1, KAN_STRUCTS(engine, events, event_record),
           KAN_INT(engine, unknown, 0, 9), KAN_BOOL(engine, is_late),
           KAN_STRUCT(engine, late, commit_record));

enum
{
    TIMER_LATE
};

static inline uint32_t engine_count(const struct engine *engine)
{
    uint32_t count = EVENTS_MAX;

    while (count > 0 && engine->events[count - 1].key == 0)
        count--;
    return count;
}

static inline void on_read(kan_turn *turn, void *state, const void *message)
{
    const struct engine *engine = state;
    const struct read *read = message;
    struct opened opened = {.ask = read->ask,
                            .count = (uint8_t)engine_count(engine)};

    memcpy(opened.events, engine->events, sizeof opened.events);
    kan_reply(turn, &opened_record, &opened);
}

static inline enum fate put_events(struct engine *engine,
                                   const struct commit *commit)
{
    bool absent = commit->n >= EVENTS_MAX || engine->events[commit->n].key == 0;

    for (uint32_t i = 0; (absent || commit->unguarded) && i < BATCH_MAX; i++) {
        if (commit->events[i].key != 0 && commit->n + i < EVENTS_MAX)
            engine->events[commit->n + i] = commit->events[i];
    }
    return absent || commit->unguarded ? FATE_COMMITTED : FATE_CONFLICT;
}

static inline void on_commit(kan_turn *turn, void *state, const void *message)
{
    struct engine *engine = state;
    const struct commit *commit = message;
    bool lucky = engine->unknown >= kan_parameter(turn, PARAMETER_UNKNOWN) ||
                 kan_choose(turn, 2) == 0;
    enum fate fate = FATE_UNKNOWN;

    engine->unknown += !lucky;
    if (lucky) {
        fate = put_events(engine, commit);
    } else if (!engine->is_late && kan_choose(turn, 2) == 0) {
        engine->is_late = true;
        engine->late = *commit;
        kan_timer_set(turn, TIMER_LATE, LATE_MS);
    } else {
        (void)put_events(engine, commit);
    }
    KAN_REPLY(turn, committed, .ask = commit->ask, .fate = (uint8_t)fate);
}

static inline void on_late(kan_turn *turn, void *state, const void *message)
{
    struct engine *engine = state;

    (void)turn;
    (void)message;
    (void)put_events(engine, &engine->late);
    engine->is_late = false;
    engine->late = (struct commit){0};
}

static inline void on_look(kan_turn *turn, void *state, const void *message)
{
    const struct engine *engine = state;
    const struct look *look = message;

    KAN_REPLY(turn, found, .ask = look->ask,
              .event = look->n < EVENTS_MAX ? engine->events[look->n]
                                            : (struct event){0});
}

static const struct kan_handler engine_handlers[] = {
    {&read_record, on_read},
    {&commit_record, on_commit},
    {&look_record, on_look},
};

static const struct kan_timer_type engine_timers[] = {
    [TIMER_LATE] = {"late", on_late},
};

static const struct kan_actor_type engine_type = {
    .name = "engine",
    .state = &engine_record,
    .flags = KAN_ACTOR_MORTAL,
    KAN_HANDLERS(engine_handlers),
    KAN_TIMERS(engine_timers),
};

#endif /* MODELS_ENTITY_ENGINE_H */
