/* lock_client.h - a client that takes a lock, works, gives it back, and asks
 * again later when somebody else has it. */

#ifndef MODELS_LOCK_CLIENT_H
#define MODELS_LOCK_CLIENT_H

#include "models/key_store.h"

enum
{
    CLIENT_WAITING,
    CLIENT_HOLDING,
    CLIENT_DONE
};

struct client
{
    uint8_t stage;
    uint8_t token;
};
KAN_RECORD(client, 1, KAN_INT(client, stage, CLIENT_WAITING, CLIENT_DONE),
           KAN_INT(client, token, 0, 9));

enum
{
    CLIENT_TIMER_AGAIN,
    CLIENT_TIMER_WORKED
};

static inline void client_ask(kan_turn *turn, bool lease)
{
    struct kan_ref store = kan_ref_number("store", 0);
    KAN_SEND(turn, &store, acquire, .lease = lease);
}

/* Returns whether the client holds the lock now. */
static inline bool client_answered(kan_turn *turn, struct client *client,
                                   const struct answer *answer)
{
    if (client->stage != CLIENT_WAITING)
        return false;
    if (!answer->granted) {
        kan_timer_set(turn, CLIENT_TIMER_AGAIN, 10);
        return false;
    }
    client->stage = CLIENT_HOLDING;
    client->token = answer->token;
    kan_timer_set(turn, CLIENT_TIMER_WORKED, 10);
    return true;
}

static inline void client_give_back(kan_turn *turn, struct client *client,
                                    bool owned)
{
    struct kan_ref store = kan_ref_number("store", 0);

    client->stage = CLIENT_DONE;
    KAN_SEND(turn, &store, release, .owned = owned);
}

#endif /* MODELS_LOCK_CLIENT_H */
