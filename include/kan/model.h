/* kan/model.h - actors to be walked: who is there, what may go wrong, and what
 * must hold.
 *
 * A model names actors, parameters and properties; `kan check` walks every
 * order of deliveries and timers, and every fault within a budget, and shows a
 * shortest run to where a property fails. docs/design/checker.md says what a
 * state and a step are. */

#ifndef KAN_MODEL_H
#define KAN_MODEL_H

#include <kan/actor.h>

KAN_BEGIN_DECLS

enum
{
    KAN_INSTANCES_MAX = 64,  /* actors in a model */
    KAN_PARAMETERS_MAX = 16, /* of a model */
    KAN_PROPERTIES_MAX = 16
};

/* --- who is there --------------------------------------------------------- */

/* Building the first state, with the parameters given. */
typedef struct kan_setup kan_setup;

struct kan_setup_api
{
    int64_t (*parameter)(const kan_setup *setup, uint32_t number);
    void (*actor)(kan_setup *setup, const struct kan_actor_type *type,
                  struct kan_ref ref);
    void (*request)(kan_setup *setup, struct kan_ref to,
                    const struct kan_record *record, const void *message,
                    uint32_t times);
    void (*lie)(kan_setup *setup, struct kan_ref liar, struct kan_ref to,
                const struct kan_record *record, const void *message);
    void (*jump)(kan_setup *setup, struct kan_ref actor, int64_t delta_ms);
};

struct kan_setup
{
    const struct kan_setup_api *api;
};

/* The value of a parameter, by its place in the model's table. */
static inline int64_t kan_setup_parameter(const kan_setup *setup,
                                          uint32_t number)
{
    return setup->api->parameter(setup, number);
}

/* Add an actor, "name of its type/number". Actors start in the order added. */
static inline void kan_setup_actor(kan_setup *setup,
                                   const struct kan_actor_type *type,
                                   uint32_t number)
{
    setup->api->actor(setup, type, kan_ref_number(type->name, number));
}

/* Somebody outside may send this message (copied), so many times. */
static inline void kan_setup_request(kan_setup *setup, struct kan_ref to,
                                     const struct kan_record *record,
                                     const void *message, uint32_t times)
{
    setup->api->request(setup, to, record, message, times);
}

/* With --faults liar=n, any n of the actors that have lies are liars: they
 * take no part in the protocol but send what they may say, each lie at most
 * once, in any order, or never. */
static inline void kan_setup_lie(kan_setup *setup, struct kan_ref liar,
                                 struct kan_ref to,
                                 const struct kan_record *record,
                                 const void *message)
{
    setup->api->lie(setup, liar, to, record, message);
}

/* With --faults clock=n, the actor's clock may jump by this much. Without any,
 * each actor's may go back and forth by one second. */
static inline void kan_setup_jump(kan_setup *setup, struct kan_ref actor,
                                  int64_t delta_ms)
{
    setup->api->jump(setup, actor, delta_ms);
}

/* --- what must hold ------------------------------------------------------- */

/* A message that has been sent and not yet taken. */
struct kan_view_message
{
    uint32_t from; /* place of the actor; UINT32_MAX: a client outside */
    uint32_t to;
    const struct kan_record *record;
    const void *message;
};

/* One state of the whole system. Actors in the order in which they were added.
 * Everything is borrowed until the property returns. */
typedef struct kan_view
{
    uint32_t count;            /* actors */
    const void *const *states; /* of each, its struct */
    const bool *up;            /* false: it has crashed */
    const bool *liar;          /* its state means nothing */
    uint32_t message_count;    /* on their way */
    void (*message)(const struct kan_view *view, uint32_t number,
                    struct kan_view_message *ret_message);
    int64_t (*parameter)(const struct kan_view *view, uint32_t number);
} kan_view;

/* A sequential specification: what one client alone would see. */
struct kan_spec
{
    const char *name;
    const struct kan_record *state; /* zeroed at first */
    void (*start)(void *state);     /* or NULL */
    /* Apply the operation to *state. returned: it ended, with this result;
     * otherwise any result is fine. false: the specification has no such
     * result here (what is in *state then does not matter). */
    bool (*step)(void *state, uint32_t op, int64_t argument, bool returned,
                 int64_t result);
    /* The operation as text, "write 4"; at most size bytes with its NUL. NULL:
     * numbers are shown. */
    void (*show)(uint32_t op, int64_t argument, bool returned, int64_t result,
                 char *text, size_t size);
};

enum kan_property_kind
{
    KAN_INVARIANT,    /* holds in every state */
    KAN_RECOVERABLE,  /* from every state, one where it holds can be reached */
    KAN_LINEARIZABLE, /* what clients saw fits the specification */
    KAN_CONVERGES,    /* all runs end, and in one state of all actors */
    KAN_FINALLY       /* holds in every state that nothing follows */
};

struct kan_model_property
{
    const char *name;
    enum kan_property_kind kind;
    bool (*holds)(const kan_view *view); /* but LINEARIZABLE and CONVERGES */
    const struct kan_spec *spec;         /* LINEARIZABLE */
};

/* --- the model ------------------------------------------------------------ */

/* How messages travel between actors. */
enum kan_network
{
    KAN_NETWORK_DURABLE,   /* as kan run does it: in order between two actors,
                            * each once. Faults touch requests only */
    KAN_NETWORK_UNORDERED, /* in any order, each once unless a fault says
                            * otherwise */
    KAN_NETWORK_ORDERED,   /* in order between two actors; faults as above */
    KAN_NETWORK_SHARED     /* a set: a message once sent stays, and can be
                            * delivered again and again */
};

/* What counts as a step, so that counts can be compared with other tools. */
enum kan_compat
{
    KAN_COMPAT_NONE,  /* every delivery takes its message */
    KAN_COMPAT_ACTOR, /* a delivery that changes nothing and sends nothing is
                       * no step, and its message stays. What clients saw is
                       * part of the state, in full */
    KAN_COMPAT_SPEC   /* with KAN_NETWORK_SHARED: what is not declined is a
                       * step, also when it changes nothing */
};

struct kan_model_parameter
{
    const char *name;
    int64_t preset;
    int64_t min;
    int64_t max;
    const char *summary; /* one line */
};

struct kan_faults
{
    uint32_t crash;     /* an actor dies, and may come back unless MORTAL */
    uint32_t lost;      /* a message vanishes */
    uint32_t doubled;   /* a message is delivered, and stays */
    uint32_t partition; /* a group of actors is cut off; it may heal */
    uint32_t clock;     /* a clock jumps */
    uint32_t liar;      /* actors that lie, from the start */
};

struct kan_model
{
    const char *name;    /* as "paxos" */
    const char *summary; /* one line */
    const struct kan_model_parameter *parameters;
    uint32_t parameter_count;
    void (*setup)(kan_setup *setup);
    const struct kan_model_property *properties;
    uint32_t property_count;
    enum kan_network network;
    enum kan_compat compat;
    struct kan_faults faults; /* the budget when none is given */
    bool absolute_time;       /* times are not compared relative to now: for
                               * handlers that compute with dates */
};

#define KAN_PARAMETERS(table) \
    .parameters = (table), .parameter_count = sizeof(table) / sizeof((table)[0])
#define KAN_PROPERTIES(table) \
    .properties = (table), .property_count = sizeof(table) / sizeof((table)[0])

/* --- a specification that many models share ------------------------------- */

/* A register: operation 0 writes its argument, operation 1 reads. */
enum
{
    KAN_REGISTER_WRITE,
    KAN_REGISTER_READ
};

struct kan_register
{
    int64_t value;
};
KAN_RECORD(kan_register, 1, KAN_INT(kan_register, value, INT64_MIN, INT64_MAX));

static inline bool kan_register_step(void *state, uint32_t op, int64_t argument,
                                     bool returned, int64_t result)
{
    struct kan_register *reg = (struct kan_register *)state;

    if (op == KAN_REGISTER_WRITE) {
        reg->value = argument;
        return true;
    }
    return !returned || result == reg->value;
}

#define KAN_REGISTER_SPEC                                  \
    {                                                      \
        .name = "register", .state = &kan_register_record, \
        .step = kan_register_step                          \
    }

KAN_END_DECLS

#endif /* KAN_MODEL_H */
