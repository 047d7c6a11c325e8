/* The entity block itself: the rules that ship (src/block/entity/entity_core.c)
 * at two owners of one entity, which read and write the entity's events in one
 * engine, lose answers and crash; and clients that ask again, of either owner,
 * under the same idempotency key. With wrong=n an owner breaks one of the
 * rules, and the walk shows what that leads to.
 *
 * What an entity is says a table (entity_table.h). A request may be doubled on
 * its way: asking again before an answer is there does just that. So often as
 * `unknown` says, the engine's answer to a commit is lost; the commit is then
 * in force, or comes into force later, at any time. */

#include "block/entity/entity_core.h"
#include "models/entity_engine.h"

enum
{
    AGAIN_MS = 100
};

enum wrong
{
    WRONG_NOTHING,
    WRONG_NO_KEYS,  /* idempotency keys are not looked at */
    WRONG_NO_GUARD, /* a commit does not ask that its event is absent */
    WRONG_EARLY,    /* answers leave before their commit */
    WRONG_ANY_OURS  /* any event is taken for the one whose answer was lost */
};

static bool is_wrong(kan_turn *turn, enum wrong wrong)
{
    return kan_parameter(turn, PARAMETER_WRONG) == (int64_t)wrong;
}

/* 0, 1 or 2 in an account. Calls: pay in, pay out. */
static const struct entity_table account = {
    .states = 3,
    .calls = 2,
    .next =
        {
            {1, ENTITY_TABLE_REFUSES},
            {2, 0},
            {ENTITY_TABLE_REFUSES, 1},
        },
};

const struct entity_table *entity_table = &account;

/* --- an owner ------------------------------------------------------------- */

enum place
{
    PLACE_NONE,
    PLACE_WAITING, /* to be decided */
    PLACE_DRAFTED,
    PLACE_SENT
};

/* A client's call at an owner. */
struct entry
{
    uint8_t place;
    uint8_t call;
    uint8_t outcome;
    uint8_t n;
    uint8_t draw;
};
KAN_RECORD(entry, 1, KAN_INT(entry, place, PLACE_NONE, PLACE_SENT),
           KAN_INT(entry, call, 0, ENTITY_TABLE_CALLS_MAX - 1),
           KAN_INT(entry, outcome, OUTCOME_TAKEN, OUTCOME_FAILED),
           KAN_INT(entry, n, 0, EVENTS_MAX), KAN_INT(entry, draw, 0, 15));

/* struct entity_core, and what its driver keeps beside it: the state behind the
 * last event that is committed, and the keys found in them. All but what tells
 * questions and draws apart is lost in a crash. */
struct owner
{
    uint8_t phase;
    uint8_t again;
    uint8_t n;
    uint8_t sent;
    uint8_t drafted;
    bool draft;
    bool unknown;
    bool refused;
    uint8_t failures;
    uint8_t state;
    uint8_t key_n[CLIENTS]; /* n of the event with the key; 0: none */
    struct entry entries[CLIENTS];
    bool waits;  /* for the engine */
    uint8_t ask; /* the same in all questions of one life */
    uint8_t draw;
};

enum
{
    FAILURES_MAX = 3, /* from then on, pauses are all the same here */
    LOST = KAN_FIELD_VOLATILE
};

#define OWNER_LOSES(member, max) KAN_INT_VOLATILE(owner, member, 0, max)

static const struct kan_field owner_fields[] = {
    OWNER_LOSES(phase, ENTITY_BROKEN),
    OWNER_LOSES(again, ENTITY_BROKEN),
    OWNER_LOSES(n, EVENTS_MAX),
    OWNER_LOSES(sent, BATCH_MAX),
    OWNER_LOSES(drafted, BATCH_MAX),
    KAN_BOOL_VOLATILE(owner, draft),
    KAN_BOOL_VOLATILE(owner, unknown),
    KAN_BOOL_VOLATILE(owner, refused),
    OWNER_LOSES(failures, FAILURES_MAX),
    OWNER_LOSES(state, 255),
    {"key_n", KAN_FIELD_UINT, KAN_FIELD_ARRAY | LOST, KAN_PLACE(owner, key_n),
     1, CLIENTS, NULL, 0, EVENTS_MAX, NULL},
    {"entries", KAN_FIELD_RECORD, KAN_FIELD_ARRAY | LOST,
     KAN_PLACE(owner, entries), sizeof(struct entry), CLIENTS, NULL, 0, 0,
     &entry_record},
    KAN_BOOL_VOLATILE(owner, waits),
    KAN_INT(owner, ask, 0, ASKS_MAX),
    KAN_INT(owner, draw, 0, 15),
};
static const struct kan_record owner_record = {
    "owner",
    sizeof(struct owner),
    1,
    owner_fields,
    sizeof owner_fields / sizeof owner_fields[0],
    NULL,
    0};

enum
{
    TIMER_PAUSED
};

static struct entity_core to_core(const struct owner *owner)
{
    return (struct entity_core){
        .phase = (enum entity_phase)owner->phase,
        .again = (enum entity_phase)owner->again,
        .n = owner->n,
        .sent = owner->sent,
        .drafted = owner->drafted,
        .draft = owner->draft,
        .unknown = owner->unknown,
        .refused = owner->refused,
        .failures = owner->failures,
    };
}

/* What no rule looks at any more is left out: so there are fewer states. */
static void from_core(struct owner *owner, struct entity_core core)
{
    owner->phase = (uint8_t)core.phase;
    owner->again =
        core.phase == ENTITY_PAUSED ? (uint8_t)core.again : (uint8_t)0;
    owner->n = (uint8_t)core.n;
    owner->sent = (uint8_t)core.sent;
    owner->drafted = (uint8_t)core.drafted;
    owner->draft = core.draft;
    owner->unknown = core.unknown;
    owner->refused = core.refused;
    owner->failures =
        (uint8_t)(core.failures < FAILURES_MAX ? core.failures : FAILURES_MAX);
}

/* --- an owner: its questions ---------------------------------------------- */

static struct event entry_event(kan_turn *turn, const struct owner *owner,
                                uint32_t client)
{
    return (struct event){
        .key = (uint8_t)(client + 1),
        .call = owner->entries[client].call,
        .owner = (uint8_t)kan_ref_to_number(turn->self),
        .draw = owner->entries[client].draw,
    };
}

/* The events of the sent batch, in their order. */
static void batch_events(kan_turn *turn, const struct owner *owner,
                         struct event *events)
{
    memset(events, 0, BATCH_MAX * sizeof *events);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        const struct entry *entry = &owner->entries[i];
        if (entry->place == PLACE_SENT && entry->outcome == OUTCOME_TAKEN)
            events[entry->n - owner->n - 1] = entry_event(turn, owner, i);
    }
}

static void ask_engine(kan_turn *turn, struct owner *owner,
                       enum entity_effect_kind kind)
{
    struct kan_ref engine = kan_ref_number("engine", 0);
    struct commit commit = {.n = owner->n,
                            .unguarded = is_wrong(turn, WRONG_NO_GUARD)};

    owner->waits = true;
    if (kind == ENTITY_DO_READ) {
        KAN_SEND(turn, &engine, read, .ask = owner->ask);
    } else if (kind == ENTITY_DO_LOOK) {
        KAN_SEND(turn, &engine, look, .ask = owner->ask, .n = owner->n);
    } else {
        commit.ask = owner->ask;
        batch_events(turn, owner, commit.events);
        kan_send(turn, &engine, &commit_record, &commit);
    }
}

/* --- an owner: calls ------------------------------------------------------ */

static void tell(kan_turn *turn, uint32_t client, enum outcome outcome,
                 uint8_t n)
{
    struct kan_ref to = kan_ref_number("client", client);

    KAN_SEND(turn, &to, answer, .outcome = (uint8_t)outcome, .n = n);
}

/* The sent batch is in force, or certainly is not, or nobody knows. */
static void end_batch(kan_turn *turn, struct owner *owner, bool in_force)
{
    for (uint8_t n = 1; in_force && n <= EVENTS_MAX; n++) {
        for (uint32_t i = 0; i < CLIENTS; i++) {
            const struct entry *entry = &owner->entries[i];
            if (entry->place != PLACE_SENT || entry->n != n ||
                entry->outcome != OUTCOME_TAKEN)
                continue;
            owner->state = entity_table->next[owner->state][entry->call];
            owner->key_n[i] = n;
        }
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct entry *entry = &owner->entries[i];
        if (entry->place != PLACE_SENT)
            continue;
        if (!is_wrong(turn, WRONG_EARLY))
            tell(turn, i,
                 in_force ? (enum outcome)entry->outcome : OUTCOME_FAILED,
                 in_force ? entry->n : 0);
        *entry = (struct entry){0};
    }
}

/* What was decided and not answered is to be decided again. */
static void drop(struct owner *owner)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct entry *entry = &owner->entries[i];
        if (entry->place != PLACE_NONE)
            *entry =
                (struct entry){.place = PLACE_WAITING, .call = entry->call};
    }
}

/* The state behind all that is decided. */
static uint8_t decided_state(const struct owner *owner)
{
    uint8_t state = owner->state;

    for (uint8_t n = (uint8_t)(owner->n + 1); n <= EVENTS_MAX; n++) {
        for (uint32_t i = 0; i < CLIENTS; i++) {
            const struct entry *entry = &owner->entries[i];
            if (entry->place >= PLACE_DRAFTED && entry->n == n &&
                entry->outcome == OUTCOME_TAKEN &&
                state != ENTITY_TABLE_REFUSES)
                state = entity_table->next[state][entry->call];
        }
    }
    return state;
}

/* Decide one call on top of what is decided. Its answer waits for the batch. */
static void decide(kan_turn *turn, struct owner *owner, uint32_t client)
{
    struct entry *entry = &owner->entries[client];
    uint8_t state = decided_state(owner);
    uint8_t last = (uint8_t)(entity_core_next(to_core(owner)) - 1);

    if (owner->key_n[client] != 0 && !is_wrong(turn, WRONG_NO_KEYS)) {
        tell(turn, client, OUTCOME_TAKEN, owner->key_n[client]);
        *entry = (struct entry){0};
        return;
    }
    entry->place = PLACE_DRAFTED;
    if (state == ENTITY_TABLE_REFUSES || last >= EVENTS_MAX ||
        entity_table->next[state][entry->call] == ENTITY_TABLE_REFUSES) {
        entry->outcome = OUTCOME_REFUSED;
        entry->n = last;
    } else {
        entry->outcome = OUTCOME_TAKEN;
        entry->n = (uint8_t)(last + 1);
        entry->draw = owner->draw;
        owner->draw = (uint8_t)((owner->draw + 1) % 16);
        owner->drafted++;
    }
    if (is_wrong(turn, WRONG_EARLY))
        tell(turn, client, (enum outcome)entry->outcome, entry->n);
}

/* --- an owner: the core --------------------------------------------------- */

static void feed(kan_turn *turn, struct owner *owner,
                 struct entity_input input);

/* Decide what waits, as far as it can be, and say so. */
static void decide_all(kan_turn *turn, struct owner *owner)
{
    bool any = false;

    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (owner->entries[i].place == PLACE_WAITING)
            decide(turn, owner, i);
        any |= owner->entries[i].place == PLACE_DRAFTED;
    }
    if (any)
        feed(turn, owner,
             (struct entity_input){.kind = ENTITY_ON_DRAFTED,
                                   .events = owner->drafted});
}

static void carry_out(kan_turn *turn, struct owner *owner,
                      struct entity_effect effect)
{
    switch (effect.kind) {
    case ENTITY_DO_READ:
    case ENTITY_DO_COMMIT:
    case ENTITY_DO_VERIFY:
    case ENTITY_DO_LOOK:
        ask_engine(turn, owner, effect.kind);
        break;
    case ENTITY_DO_ANSWER:
        end_batch(turn, owner, true);
        break;
    case ENTITY_DO_FAIL:
    case ENTITY_DO_LOSE:
        end_batch(turn, owner, false);
        break;
    case ENTITY_DO_DROP:
        drop(owner);
        break;
    case ENTITY_DO_FEED:
        if (entity_core_decides(to_core(owner)))
            decide_all(turn, owner);
        break;
    case ENTITY_DO_PAUSE:
        kan_timer_set(turn, TIMER_PAUSED, AGAIN_MS);
        break;
    case ENTITY_DO_GUARD:
    case ENTITY_DO_END:
        kan_claim(turn, false, "no guard of others, and the engine works");
        break;
    }
}

static void feed(kan_turn *turn, struct owner *owner, struct entity_input input)
{
    struct entity_turn made = entity_core_step(to_core(owner), input, false);

    from_core(owner, made.core);
    /* The draft was sent. */
    for (uint32_t i = 0; input.kind == ENTITY_ON_DRAFTED && i < CLIENTS; i++) {
        if (!made.core.draft && owner->entries[i].place == PLACE_DRAFTED)
            owner->entries[i].place = PLACE_SENT;
    }
    for (uint32_t i = 0; i < made.effect_count; i++)
        carry_out(turn, owner, made.effects[i]);
}

static void on_call(kan_turn *turn, void *state, const void *message)
{
    struct owner *owner = state;
    const struct call *call = message;
    struct entry *entry = &owner->entries[kan_ref_to_number(turn->sender)];

    /* With the same key still running, it waits for that one's answer. */
    if (entry->place != PLACE_NONE)
        return;
    *entry = (struct entry){.place = PLACE_WAITING, .call = call->call};
    feed(turn, owner, (struct entity_input){.kind = ENTITY_ON_WANTED});
}

/* --- an owner: answers ---------------------------------------------------- */

/* Whether it is the answer to the question that is out. What comes after a
 * crash is not looked at. */
static bool is_awaited(struct owner *owner, uint8_t ask)
{
    if (!owner->waits || ask != owner->ask)
        return false;
    owner->waits = false;
    return true;
}

static void on_opened(kan_turn *turn, void *state, const void *message)
{
    struct owner *owner = state;
    const struct opened *opened = message;

    if (!is_awaited(owner, opened->ask))
        return;
    owner->state = fold(opened->events, opened->count);
    memset(owner->key_n, 0, sizeof owner->key_n);
    for (uint8_t i = 0; i < opened->count; i++) {
        if (opened->events[i].key != 0)
            owner->key_n[opened->events[i].key - 1] = (uint8_t)(i + 1);
    }
    feed(turn, owner,
         (struct entity_input){.kind = ENTITY_ON_OPENED, .n = opened->count});
}

static void on_committed(kan_turn *turn, void *state, const void *message)
{
    struct owner *owner = state;
    const struct committed *committed = message;
    enum kan_err err = committed->fate == FATE_COMMITTED  ? KAN_OK
                       : committed->fate == FATE_CONFLICT ? KAN_CONFLICT
                                                          : KAN_LOST;

    if (is_awaited(owner, committed->ask))
        feed(turn, owner,
             (struct entity_input){.kind =
                                       entity_core_commit_meaning(err, true)});
}

static void on_found(kan_turn *turn, void *state, const void *message)
{
    struct owner *owner = state;
    const struct found *found = message;
    struct entity_input input = {.kind = ENTITY_ON_FOUND_OTHER};
    struct event events[BATCH_MAX];

    if (!is_awaited(owner, found->ask))
        return;
    batch_events(turn, owner, events);
    if (found->event.key == 0)
        input.kind = ENTITY_ON_FOUND_NONE;
    else if (memcmp(&found->event, &events[0], sizeof events[0]) == 0 ||
             is_wrong(turn, WRONG_ANY_OURS))
        input.kind = ENTITY_ON_FOUND_OURS;
    feed(turn, owner, input);
}

static void on_paused(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    feed(turn, state, (struct entity_input){.kind = ENTITY_ON_TIMER});
}

static void owner_restart(kan_turn *turn, void *state, const void *message)
{
    struct owner *owner = state;

    (void)message;
    owner->ask = (uint8_t)((owner->ask + 1) % (ASKS_MAX + 1));
    kan_timer_clear(turn, TIMER_PAUSED);
}

static const struct kan_handler owner_handlers[] = {
    {&call_record, on_call},
    {&opened_record, on_opened},
    {&committed_record, on_committed},
    {&found_record, on_found},
};

static const struct kan_timer_type owner_timers[] = {
    [TIMER_PAUSED] = {"paused", on_paused},
};

static const struct kan_actor_type owner_type = {
    .name = "owner",
    .state = &owner_record,
    .restart = owner_restart,
    KAN_HANDLERS(owner_handlers),
    KAN_TIMERS(owner_timers),
};

/* --- a client ------------------------------------------------------------- */

/* It asks its own owner first, and then either. */
struct client
{
    bool done;
    uint8_t call;
    uint8_t attempts;
    uint8_t outcome; /* with done */
    uint8_t n;
};
KAN_RECORD(client, 1, KAN_BOOL(client, done),
           KAN_INT(client, call, 0, ENTITY_TABLE_CALLS_MAX - 1),
           KAN_INT(client, attempts, 0, 9),
           KAN_INT(client, outcome, OUTCOME_TAKEN, OUTCOME_FAILED),
           KAN_INT(client, n, 0, EVENTS_MAX));

enum
{
    TIMER_AGAIN
};

static void client_ask(kan_turn *turn, struct client *client, uint32_t owner)
{
    struct kan_ref to = kan_ref_number("owner", owner);

    bool patient = kan_ref_to_number(turn->self) >=
                   CLIENTS - kan_parameter(turn, PARAMETER_PATIENT);

    client->attempts++;
    if (client->attempts < kan_parameter(turn, PARAMETER_ATTEMPTS) && !patient)
        kan_timer_set(turn, TIMER_AGAIN, AGAIN_MS);
    else
        kan_timer_clear(turn, TIMER_AGAIN);
    KAN_SEND(turn, &to, call, .call = client->call);
}

static void client_start(kan_turn *turn, void *state, const void *message)
{
    struct client *client = state;

    (void)message;
    client->call = (uint8_t)kan_choose(turn, entity_table->calls);
    client_ask(turn, client, kan_ref_to_number(turn->self) % OWNERS);
}

static void on_again(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    client_ask(turn, state, (uint32_t)kan_choose(turn, OWNERS));
}

static void on_answer(kan_turn *turn, void *state, const void *message)
{
    struct client *client = state;
    const struct answer *answer = message;

    if (client->done || answer->outcome == OUTCOME_FAILED)
        return; /* it asks again, if it does, when its time is over */
    client->done = true;
    client->outcome = answer->outcome;
    client->n = answer->n;
    kan_timer_clear(turn, TIMER_AGAIN);
}

static const struct kan_handler client_handlers[] = {
    {&answer_record, on_answer},
};

static const struct kan_timer_type client_timers[] = {
    [TIMER_AGAIN] = {"again", on_again},
};

static const struct kan_actor_type client_type = {
    .name = "client",
    .state = &client_record,
    .start = client_start,
    .flags = KAN_ACTOR_MORTAL,
    KAN_HANDLERS(client_handlers),
    KAN_TIMERS(client_timers),
};

/* --- what must hold ------------------------------------------------------- */

static const struct engine *engine_of(const kan_view *view)
{
    return view->states[0];
}

static const struct client *client_of(const kan_view *view, uint32_t number)
{
    return view->states[1 + OWNERS + number];
}

/* How many events have the client's key. */
static uint32_t key_count(const kan_view *view, uint32_t client)
{
    const struct engine *engine = engine_of(view);
    uint32_t count = 0;

    for (uint32_t i = 0; i < EVENTS_MAX; i++)
        count += engine->events[i].key == client + 1;
    return count;
}

/* No acknowledged step is lost: its event stands where the answer said. */
static bool acknowledged_is_kept(const kan_view *view)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        const struct client *client = client_of(view, i);
        if (client->done && client->outcome == OUTCOME_TAKEN &&
            (client->n == 0 ||
             engine_of(view)->events[client->n - 1].key != i + 1))
            return false;
    }
    return true;
}

static bool never_twice(const kan_view *view)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (key_count(view, i) > 1)
            return false;
    }
    return true;
}

static bool numbers_have_no_gap(const kan_view *view)
{
    const struct engine *engine = engine_of(view);

    for (uint32_t i = 0; i < engine_count(engine); i++) {
        if (engine->events[i].key == 0)
            return false;
    }
    return true;
}

/* Events fold without a refusal, and what an owner has is their fold. */
static bool state_is_the_fold(const kan_view *view)
{
    const struct engine *engine = engine_of(view);

    if (fold(engine->events, engine_count(engine)) == ENTITY_TABLE_REFUSES)
        return false;
    for (uint32_t i = 0; i < OWNERS; i++) {
        const struct owner *owner = view->states[1 + i];
        bool knows =
            view->up[1 + i] && owner->phase >= ENTITY_OPEN &&
            !(owner->phase == ENTITY_PAUSED && owner->again == ENTITY_OPENING);
        if (knows && (owner->n > engine_count(engine) ||
                      owner->state != fold(engine->events, owner->n)))
            return false;
    }
    return true;
}

/* Who was told of a refusal was refused by the state that was then. */
static bool refusals_are_true(const kan_view *view)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        const struct client *client = client_of(view, i);
        uint8_t state;
        if (!client->done || client->outcome != OUTCOME_REFUSED)
            continue;
        state = fold(engine_of(view)->events, client->n);
        if (state == ENTITY_TABLE_REFUSES ||
            entity_table->next[state][client->call] != ENTITY_TABLE_REFUSES)
            return false;
    }
    return true;
}

/* Nobody is forgotten: in the end a call waits only for an answer of the engine
 * that was lost on its way. */
static bool nobody_is_forgotten(const kan_view *view)
{
    for (uint32_t i = 0; i < OWNERS; i++) {
        const struct owner *owner = view->states[1 + i];
        for (uint32_t c = 0; view->up[1 + i] && c < CLIENTS; c++) {
            if (owner->entries[c].place != PLACE_NONE && !owner->waits)
                return false;
        }
    }
    return true;
}

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    kan_setup_actor(setup, &engine_type, 0);
    for (uint32_t i = 0; i < OWNERS; i++)
        kan_setup_actor(setup, &owner_type, i);
    for (uint32_t i = 0; i < CLIENTS; i++)
        kan_setup_actor(setup, &client_type, i);
}

static const struct kan_model_property properties[] = {
    {.name = "acknowledged-is-kept",
     .kind = KAN_INVARIANT,
     .holds = acknowledged_is_kept},
    {.name = "never-twice", .kind = KAN_INVARIANT, .holds = never_twice},
    {.name = "numbers-have-no-gap",
     .kind = KAN_INVARIANT,
     .holds = numbers_have_no_gap},
    {.name = "state-is-the-fold",
     .kind = KAN_INVARIANT,
     .holds = state_is_the_fold},
    {.name = "refusals-are-true",
     .kind = KAN_INVARIANT,
     .holds = refusals_are_true},
    {.name = "nobody-is-forgotten",
     .kind = KAN_FINALLY,
     .holds = nobody_is_forgotten},
};

static const struct kan_model_parameter parameters[] = {
    {"attempts", 2, 1, 4, "how often a client asks, with one key"},
    {"patient", 1, 0, CLIENTS, "how many clients ask only once"},
    {"unknown", 1, 0, 4, "how many answers to commits are lost"},
    {"wrong", WRONG_NOTHING, WRONG_NOTHING, WRONG_ANY_OURS,
     "1: keys are not looked at; 2: commits are not guarded; 3: answers leave "
     "before their commit; 4: any event is taken for one's own"},
};

static const struct kan_model model = {
    .name = "entity",
    .summary = "two owners of one entity, on the rules that ship",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_UNORDERED,
    .faults = {.crash = 1},
};

KAN_MODULE(&model, &engine_type, &owner_type, &client_type);
