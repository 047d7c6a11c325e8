/* kan/actor.h - services as actors: a state, and what each message does to it.
 *
 * A handler is an ordinary function from (state, message) to (state, sends,
 * timers). It may look at nothing else: no clock, no chance, no files, no
 * variables of its own but through its turn. That is why one source runs live
 * (kan run), in a simulated world (kan sim) and down every path it can take
 * (kan check), unchanged. Here is a whole one:
 *
 *     #include <kan/actor.h>
 *
 *     struct counter { int64_t value; };
 *     KAN_RECORD(counter, 1, KAN_INT(counter, value, 0, 1000000));
 *
 *     struct add { int64_t amount; };
 *     KAN_RECORD(add, 1, KAN_INT(add, amount, 1, 100));
 *
 *     struct total { int64_t value; };
 *     KAN_RECORD(total, 1, KAN_INT(total, value, 0, 1000000));
 *
 *     static void on_add(kan_turn *turn, void *state, const void *message)
 *     {
 *         struct counter *counter = state;
 *         const struct add *add = message;
 *
 *         if (counter->value + add->amount > 1000000) {
 *             kan_refuse(turn, "the counter is full");
 *             return;
 *         }
 *         counter->value += add->amount;
 *         KAN_REPLY(turn, total, .value = counter->value);
 *     }
 *
 *     static const struct kan_handler handlers[] = {{&add_record, on_add}};
 *     static const struct kan_actor_type counter = {
 *         .name = "counter", .state = &counter_record,
 *         KAN_HANDLERS(handlers)};
 *     KAN_ACTORS(&counter);
 *
 * Built with `cc -shared -fPIC counter.c -o counter.so`, it answers to
 * POST /v1.0/actors/counter/a/method/add {"amount": 5}.
 *
 * What holds (docs/guarantees/actor.md): the new state, the sends and the
 * timers of a step are one commit; a message is delivered at least once and
 * taken once; messages from one actor to another arrive in order; a handler
 * never waits, so a reply is a message like any other, and other messages may
 * come in between. */

#ifndef KAN_ACTOR_H
#define KAN_ACTOR_H

#include <kan/base.h>
#include <kan/record.h>

KAN_BEGIN_DECLS

enum
{
    KAN_SENDS_MAX = 64,     /* messages sent in one step */
    KAN_TIMERS_MAX = 16,    /* timers of one type of actor */
    KAN_MAILBOX_MAX = 1024, /* messages waiting for one actor, at most */
    KAN_CHAIN_MAX = 8       /* calls within calls */
};

/* One step of one actor, as its handler sees it. */
typedef struct kan_turn kan_turn;

/* A step: change *state, and use the turn. message is the struct of the
 * handler's record (NULL when it carries nothing), borrowed until the handler
 * returns, and *state too. */
typedef void kan_handle(kan_turn *turn, void *state, const void *message);

struct kan_handler
{
    const struct kan_record *message;
    kan_handle *handle;
};

/* A timer of an actor, by its place in the type's table. */
struct kan_timer_type
{
    const char *name;
    kan_handle *fire; /* message is NULL */
};

enum kan_actor_flags
{
    /* After kan_call() nothing but timers and what the called actor sends is
     * taken, until its first message is there. A chain of calls that comes
     * back to such an actor is answered with struct kan_failed, KAN_BUSY. */
    KAN_ACTOR_SERIAL = 1 << 0,
    /* In the checker: once crashed it stays down. */
    KAN_ACTOR_MORTAL = 1 << 1
};

/* A type of actor. Every id of it exists: its first message makes it. */
struct kan_actor_type
{
    const char *name; /* 1 to 31 letters, digits, - and _ */
    const struct kan_record *state;
    kan_handle *start;   /* once, on zeroed state, before the first message;
                          * NULL: the zeroed state is the first */
    kan_handle *restart; /* after a crash, before the next message; volatile
                          * fields are zero, timers still armed; may be NULL */
    const struct kan_handler *handlers;
    uint32_t handler_count;
    const struct kan_timer_type *timers;
    uint32_t timer_count;
    unsigned flags;       /* enum kan_actor_flags */
    uint32_t mailbox_max; /* beyond it a sender is answered with struct
                           * kan_failed, KAN_BUSY; 0 means 100 */
};

#define KAN_HANDLERS(table) \
    .handlers = (table), .handler_count = sizeof(table) / sizeof((table)[0])
#define KAN_TIMERS(table) \
    .timers = (table), .timer_count = sizeof(table) / sizeof((table)[0])

/* What a sender gets when its message was not taken; handled like any other,
 * or ignored. */
struct kan_failed
{
    int32_t err; /* enum kan_err: KAN_BUSY, KAN_INVALID, ... */
};
KAN_RECORD(kan_failed, 1, KAN_INT(kan_failed, err, -99, 99));

/* --- a turn --------------------------------------------------------------- */

/* What is behind a turn: the live runtime, the simulator or the checker. Use
 * the functions below. */
struct kan_turn_api
{
    void (*send)(kan_turn *turn, const struct kan_ref *to,
                 const struct kan_record *record, const void *message,
                 bool call);
    void (*refuse)(kan_turn *turn, const char *text);
    void (*decline)(kan_turn *turn);
    void (*release)(kan_turn *turn);
    void (*timer)(kan_turn *turn, uint32_t timer, bool set, uint64_t after_ms);
    int64_t (*now)(kan_turn *turn);
    uint64_t (*choose)(kan_turn *turn, uint64_t n);
    int64_t (*parameter)(kan_turn *turn, uint32_t number);
    void (*invoke)(kan_turn *turn, uint32_t op, int64_t argument);
    void (*complete)(kan_turn *turn, int64_t result);
    void (*claim)(kan_turn *turn, bool holds, const char *text);
};

struct kan_turn
{
    const struct kan_turn_api *api;
    const struct kan_ref *self;   /* the actor */
    const struct kan_ref *sender; /* of the message; empty for a timer */
};

/* Send a message (copied; a NULL message is a zeroed one). It leaves when the
 * step is committed, or not at all. Sent to a client that waits for an answer,
 * it is the answer. */
static inline void kan_send(kan_turn *turn, const struct kan_ref *to,
                            const struct kan_record *record,
                            const void *message)
{
    turn->api->send(turn, to, record, message, false);
}

/* Send, and as a serial actor take nothing else until the answer is there. */
static inline void kan_call(kan_turn *turn, const struct kan_ref *to,
                            const struct kan_record *record,
                            const void *message)
{
    turn->api->send(turn, to, record, message, true);
}

/* Send to whoever sent the message of this turn. */
static inline void kan_reply(kan_turn *turn, const struct kan_record *record,
                             const void *message)
{
    turn->api->send(turn, turn->sender, record, message, false);
}

/* The same with the fields given in place: KAN_REPLY(turn, total, .value = 1).
 */
#define KAN_SEND(turn, to, tag, ...) \
    kan_send(turn, to, &tag##_record, &(const struct tag){__VA_ARGS__})
#define KAN_CALL(turn, to, tag, ...) \
    kan_call(turn, to, &tag##_record, &(const struct tag){__VA_ARGS__})
#define KAN_REPLY(turn, tag, ...) \
    kan_reply(turn, &tag##_record, &(const struct tag){__VA_ARGS__})

/* Refuse the message: the step changes nothing, sends nothing, and a client is
 * told the text (copied, at most 255 bytes). */
static inline void kan_refuse(kan_turn *turn, const char *text)
{
    turn->api->refuse(turn, text);
}

/* Say that this message is not enabled now. Only in models with the compat
 * KAN_COMPAT_SPEC; elsewhere it counts as a mistake of the handler. */
static inline void kan_decline(kan_turn *turn)
{
    turn->api->decline(turn);
}

/* A serial actor stops waiting for an answer, after a time-out say. */
static inline void kan_release(kan_turn *turn)
{
    turn->api->release(turn);
}

/* Arm a timer of the type's table, by its place there, to fire after_ms from
 * now; an armed one is moved. A timer is part of the step's commit. */
static inline void kan_timer_set(kan_turn *turn, uint32_t timer,
                                 uint64_t after_ms)
{
    turn->api->timer(turn, timer, true, after_ms);
}

static inline void kan_timer_clear(kan_turn *turn, uint32_t timer)
{
    turn->api->timer(turn, timer, false, 0);
}

/* Milliseconds on the actor's clock: since 1970 when it runs live. It may jump,
 * and belongs into fields that are declared as times. */
static inline int64_t kan_now(kan_turn *turn)
{
    return turn->api->now(turn);
}

/* A number in [0, n), n > 0; the one door of chance. */
static inline uint64_t kan_choose(kan_turn *turn, uint64_t n)
{
    return turn->api->choose(turn, n);
}

/* The value of a parameter of the model, by its place in the model's table. */
static inline int64_t kan_parameter(kan_turn *turn, uint32_t number)
{
    return turn->api->parameter(turn, number);
}

/* Say that something must hold here. The checker and the simulator show a run
 * to where it does not; live, the step counts as a crash. */
static inline void kan_claim(kan_turn *turn, bool holds, const char *text)
{
    turn->api->claim(turn, holds, text);
}

/* What a client asks of the system under test, and what it got, for a property
 * of kind KAN_LINEARIZABLE. An actor has at most one such operation open. */
static inline void kan_invoke(kan_turn *turn, uint32_t op, int64_t argument)
{
    turn->api->invoke(turn, op, argument);
}

static inline void kan_complete(kan_turn *turn, int64_t result)
{
    turn->api->complete(turn, result);
}

/* --- references ----------------------------------------------------------- */

/* "type/id". What does not fit into 63 bytes gives the empty reference. */
static inline struct kan_ref kan_ref_named(const char *type, const char *id)
{
    struct kan_ref ref;
    size_t type_size = strlen(type);
    size_t id_size = strlen(id);

    memset(&ref, 0, sizeof(ref));
    if (type_size + 1 + id_size >= sizeof(ref.text))
        return ref;
    memcpy(ref.text, type, type_size);
    ref.text[type_size] = '/';
    memcpy(ref.text + type_size + 1, id, id_size);
    return ref;
}

/* "type/7": the ids of models are numbers. */
static inline struct kan_ref kan_ref_number(const char *type, uint32_t number)
{
    char digits[11];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return kan_ref_named(type, digits + at);
}

/* The number that the reference's id is; UINT32_MAX when it is none. */
static inline uint32_t kan_ref_to_number(const struct kan_ref *ref)
{
    const char *id = (const char *)memchr(ref->text, '/', sizeof(ref->text));
    uint64_t number = 0;

    if (!id || id[1] == '\0')
        return UINT32_MAX;
    for (id++; *id; id++) {
        if (*id < '0' || *id > '9')
            return UINT32_MAX;
        number = number * 10 + (uint64_t)(*id - '0');
        if (number >= UINT32_MAX)
            return UINT32_MAX;
    }
    return (uint32_t)number;
}

static inline bool kan_ref_equal(const struct kan_ref *a,
                                 const struct kan_ref *b)
{
    return memcmp(a->text, b->text, sizeof(a->text)) == 0;
}

/* --- a module ------------------------------------------------------------- */

struct kan_model;

/* What a shared object shows to Kan, under the name kan_module. */
struct kan_module
{
    uint32_t abi; /* KAN_MODULE_ABI of the headers it was built with */
    const struct kan_actor_type *const *actors;
    uint32_t actor_count;
    const struct kan_model *model; /* kan/model.h; NULL: two clients send each
                                    * message with the ends of its ranges */
};

#define KAN_MODULE_ABI 1u

/* The name that Kan looks for. Set it when several modules are linked into one
 * program. */
#ifndef KAN_MODULE_NAME
#define KAN_MODULE_NAME kan_module
#endif

#define KAN_MODULE(the_model, ...)                                    \
    static const struct kan_actor_type *const kan_module_actors[] = { \
        __VA_ARGS__};                                                 \
    KAN_API extern const struct kan_module KAN_MODULE_NAME;           \
    const struct kan_module KAN_MODULE_NAME = {                       \
        KAN_MODULE_ABI, kan_module_actors,                            \
        sizeof(kan_module_actors) / sizeof(kan_module_actors[0]), (the_model)}

/* Export types of actors. */
#define KAN_ACTORS(...) KAN_MODULE(NULL, __VA_ARGS__)

KAN_END_DECLS

#endif /* KAN_ACTOR_H */
