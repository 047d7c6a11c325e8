/* key_store.h - a store with one key, as people use Redis for a lock: set if
 * absent, set a time to live, delete. What the models of locks have in common.
 *
 * Clients are "client/0" to "client/2". The store also remembers who may still
 * believe to hold the key: whoever was granted it and neither gave it back nor
 * was timed out. That is for properties to look at; no rule uses it. */

#ifndef MODELS_KEY_STORE_H
#define MODELS_KEY_STORE_H

#include <kan/model.h>

enum
{
    STORE_CLIENTS_MAX = 3,
    STORE_LEASE_MS = 1000
};

/* SET key sender NX, with a time to live or without. */
struct acquire
{
    bool lease;
};
KAN_RECORD(acquire, 1, KAN_BOOL(acquire, lease));

/* The answer. token counts the grants. */
struct answer
{
    bool granted;
    uint8_t token;
};
KAN_RECORD(answer, 1, KAN_BOOL(answer, granted), KAN_INT(answer, token, 0, 9));

/* EXPIRE key. */
KAN_RECORD_EMPTY(expire);

/* DEL key; with owned, only when the sender's grant is the one in it. */
struct release
{
    bool owned;
};
KAN_RECORD(release, 1, KAN_BOOL(release, owned));

struct store
{
    uint8_t holder; /* client + 1; 0: nobody */
    uint8_t token;
    uint8_t believers; /* a bit for each client */
};
KAN_RECORD(store, 1, KAN_INT(store, holder, 0, STORE_CLIENTS_MAX),
           KAN_INT(store, token, 0, 9),
           KAN_INT(store, believers, 0, (1 << STORE_CLIENTS_MAX) - 1));

static inline void store_acquire(kan_turn *turn, void *state,
                                 const void *message)
{
    struct store *store = (struct store *)state;
    const struct acquire *acquire = (const struct acquire *)message;
    uint32_t client = kan_ref_to_number(turn->sender);

    if (store->holder != 0) {
        KAN_REPLY(turn, answer, .granted = false);
        return;
    }
    store->holder = (uint8_t)(client + 1);
    store->token++;
    store->believers |= (uint8_t)(1u << client);
    if (acquire->lease)
        kan_timer_set(turn, client, STORE_LEASE_MS);
    KAN_REPLY(turn, answer, .granted = true, .token = store->token);
}

static inline void store_expire(kan_turn *turn, void *state,
                                const void *message)
{
    const struct store *store = (const struct store *)state;
    uint32_t client = kan_ref_to_number(turn->sender);

    (void)message;
    if (store->holder == client + 1)
        kan_timer_set(turn, client, STORE_LEASE_MS);
}

static inline void store_release(kan_turn *turn, void *state,
                                 const void *message)
{
    struct store *store = (struct store *)state;
    const struct release *release = (const struct release *)message;
    uint32_t client = kan_ref_to_number(turn->sender);

    store->believers &= (uint8_t) ~(1u << client);
    kan_timer_clear(turn, client);
    if (!release->owned || store->holder == client + 1)
        store->holder = 0;
}

static inline void store_time_out(struct store *store, uint32_t client)
{
    store->believers &= (uint8_t) ~(1u << client);
    if (store->holder == client + 1)
        store->holder = 0;
}

static inline void store_time_out_0(kan_turn *turn, void *state,
                                    const void *message)
{
    (void)turn;
    (void)message;
    store_time_out((struct store *)state, 0);
}

static inline void store_time_out_1(kan_turn *turn, void *state,
                                    const void *message)
{
    (void)turn;
    (void)message;
    store_time_out((struct store *)state, 1);
}

static inline void store_time_out_2(kan_turn *turn, void *state,
                                    const void *message)
{
    (void)turn;
    (void)message;
    store_time_out((struct store *)state, 2);
}

/* One for each client: its grant times out. */
static const struct kan_timer_type store_timers[] = {
    {"lease-0", store_time_out_0},
    {"lease-1", store_time_out_1},
    {"lease-2", store_time_out_2},
};

static const struct kan_handler store_handlers[] = {
    {&acquire_record, store_acquire},
    {&expire_record, store_expire},
    {&release_record, store_release},
};

static const struct kan_actor_type store_type = {
    .name = "store",
    .state = &store_record,
    KAN_HANDLERS(store_handlers),
    KAN_TIMERS(store_timers),
};

/* At most one client may believe that it holds the key. */
static inline bool store_one_holder(const kan_view *view)
{
    const struct store *store = (const struct store *)view->states[0];
    return (store->believers & (store->believers - 1)) == 0;
}

#endif /* MODELS_KEY_STORE_H */
