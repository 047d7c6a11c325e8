/* lock_engine.h - an engine with one key, as the lock block uses one: it is put
 * if absent and under a lease, read, and erased or written beside only by who
 * names the grant. For the model of the lock block (lock.c).
 *
 * Grants and attempts of all clients are counted from 1; attempts are what the
 * ids in the value stand for. The engine also keeps whose attempt it really
 * was, and whether something happened that must not. That is for properties to
 * look at; no rule uses it. */

#ifndef MODELS_LOCK_ENGINE_H
#define MODELS_LOCK_ENGINE_H

#include <kan/model.h>

enum
{
    CLIENTS_MAX = 3,
    ATTEMPTS_MAX = 2, /* of a client */
    IDS_MAX = CLIENTS_MAX * ATTEMPTS_MAX,
    PLACES = 2 * ATTEMPTS_MAX, /* of requests in a client */
    ASKS = 100,                /* of a request, with room to spare */
    ASKS_MAX = PLACES * ASKS,
    LEASE_MS = 900
};

/* --- questions and answers ------------------------------------------------ */

/* ask numbers the questions of a client: ASKS for each of its requests. */
struct read
{
    uint16_t ask;
};
KAN_RECORD(read, 1, KAN_INT(read, ask, 0, ASKS_MAX));

/* If the key is absent. */
struct put
{
    uint16_t ask;
    uint8_t id;      /* of the attempt, in the value */
    uint8_t attempt; /* that it really is; no rule uses it */
};
KAN_RECORD(put, 1, KAN_INT(put, ask, 0, ASKS_MAX), KAN_INT(put, id, 0, IDS_MAX),
           KAN_INT(put, attempt, 0, IDS_MAX));

/* If the key was created by the grant with this token; 0: in any case. */
struct erase
{
    uint16_t ask;
    uint8_t token;
    uint8_t attempt; /* whose grant it should be, 0: of any of the sender's;
                      * no rule uses it */
};
KAN_RECORD(erase, 1, KAN_INT(erase, ask, 0, ASKS_MAX),
           KAN_INT(erase, token, 0, 99), KAN_INT(erase, attempt, 0, IDS_MAX));

/* Data beside the lock, if the key was created by this grant. */
struct write
{
    uint8_t token;
    bool unguarded; /* in any case */
};
KAN_RECORD(write, 1, KAN_INT(write, token, 0, 99), KAN_BOOL(write, unguarded));

/* The key as it was read. */
struct item
{
    uint16_t ask;
    uint8_t created; /* 0: absent */
    uint8_t id;
    bool yours; /* the owner is who asks */
};
KAN_RECORD(item, 1, KAN_INT(item, ask, 0, ASKS_MAX),
           KAN_INT(item, created, 0, 99), KAN_INT(item, id, 0, IDS_MAX),
           KAN_BOOL(item, yours));

/* The answer to a write, whether it was taken or not. */
KAN_RECORD_EMPTY(written);

struct committed
{
    uint16_t ask;
    uint8_t revision;
};
KAN_RECORD(committed, 1, KAN_INT(committed, ask, 0, ASKS_MAX),
           KAN_INT(committed, revision, 0, 99));

struct refused
{
    uint16_t ask;
};
KAN_RECORD(refused, 1, KAN_INT(refused, ask, 0, ASKS_MAX));

/* --- the engine ----------------------------------------------------------- */

/* One key. Only puts count as revisions: the rules compare no others. */
struct engine
{
    uint8_t revision;
    uint8_t created; /* 0: the key is absent */
    uint8_t id;
    uint8_t attempt;
    bool stale;  /* a write was taken from who did not hold the key */
    bool robbed; /* a grant was freed by who meant another */
};
KAN_RECORD(engine, 1, KAN_INT(engine, revision, 0, 99),
           KAN_INT(engine, created, 0, 99), KAN_INT(engine, id, 0, IDS_MAX),
           KAN_INT(engine, attempt, 0, IDS_MAX), KAN_BOOL(engine, stale),
           KAN_BOOL(engine, robbed));

enum
{
    TIMER_LEASE
};

/* Whose attempt it is. */
static inline uint32_t attempt_client(uint8_t attempt)
{
    return (attempt - 1u) / ATTEMPTS_MAX;
}

static inline void key_remove(struct engine *engine)
{
    engine->created = 0;
    engine->id = 0;
    engine->attempt = 0;
}

static inline void engine_on_read(kan_turn *turn, void *state,
                                  const void *message)
{
    const struct engine *engine = state;
    const struct read *read = message;
    bool yours = engine->created != 0 && attempt_client(engine->attempt) ==
                                             kan_ref_to_number(turn->sender);

    KAN_REPLY(turn, item, .ask = read->ask, .created = engine->created,
              .id = engine->id, .yours = yours);
}

static inline void engine_on_put(kan_turn *turn, void *state,
                                 const void *message)
{
    struct engine *engine = state;
    const struct put *put = message;

    if (engine->created != 0) {
        KAN_REPLY(turn, refused, .ask = put->ask);
        return;
    }
    engine->created = ++engine->revision;
    engine->id = put->id;
    engine->attempt = put->attempt;
    kan_timer_set(turn, TIMER_LEASE, LEASE_MS);
    KAN_REPLY(turn, committed, .ask = put->ask, .revision = engine->revision);
}

static inline void engine_on_erase(kan_turn *turn, void *state,
                                   const void *message)
{
    struct engine *engine = state;
    const struct erase *erase = message;

    if (engine->created == 0 ||
        (erase->token != 0 && erase->token != engine->created)) {
        KAN_REPLY(turn, refused, .ask = erase->ask);
        return;
    }
    engine->robbed |=
        attempt_client(engine->attempt) != kan_ref_to_number(turn->sender) ||
        (erase->attempt != 0 && erase->attempt != engine->attempt);
    key_remove(engine);
    kan_timer_clear(turn, TIMER_LEASE);
    KAN_REPLY(turn, committed, .ask = erase->ask);
}

static inline void engine_on_write(kan_turn *turn, void *state,
                                   const void *message)
{
    struct engine *engine = state;
    const struct write *write = message;
    bool taken = write->token == engine->created || write->unguarded;

    engine->stale |= taken && write->token != engine->created;
    kan_reply(turn, &written_record, NULL);
}

static inline void engine_on_lease_end(kan_turn *turn, void *state,
                                       const void *message)
{
    (void)turn;
    (void)message;
    key_remove(state);
}

static const struct kan_handler engine_handlers[] = {
    {&read_record, engine_on_read},
    {&put_record, engine_on_put},
    {&erase_record, engine_on_erase},
    {&write_record, engine_on_write},
};

static const struct kan_timer_type engine_timers[] = {
    [TIMER_LEASE] = {"lease", engine_on_lease_end},
};

static const struct kan_actor_type engine_type = {
    .name = "engine",
    .state = &engine_record,
    KAN_HANDLERS(engine_handlers),
    KAN_TIMERS(engine_timers),
};

#endif /* MODELS_LOCK_ENGINE_H */
