/* The lock block itself: the rules that ship (src/block/lock/lock_core.c), in
 * clients that ask an engine over a network which loses messages and holds on
 * to others for any time, while clients die and leases end. With wrong=n a
 * client breaks one of the rules, and the walk shows what that leads to.
 *
 * Clocks of different actors have nothing to do with each other here, so what a
 * holder finds by its own clock (K-LOCK-5) is not judged. A message comes once
 * at most, as over a connection. A client's requests time out so often as
 * `timeouts` says; from then on it waits for answers. */

#include "block/lock/lock_core.h"
#include "models/lock_engine.h"

enum
{
    ANSWER_MS = 495, /* how long to wait for the engine: after two of them,
                      * time ends in a pause */
    UNTIL_MS = 1000, /* how long a client waits for a request */
    AGAIN_MS = 10,
    WORK_MS = 10
};

enum
{
    PARAMETER_CLIENTS,
    PARAMETER_ATTEMPTS,
    PARAMETER_UNLUCKY,
    PARAMETER_TIMEOUTS,
    PARAMETER_LOOKS,
    PARAMETER_BY_OWNER,
    PARAMETER_WRONG
};

enum wrong
{
    WRONG_NOTHING,
    WRONG_UNKNOWN_REFUSED,   /* an unknown put counts as refused */
    WRONG_RELEASE_UNGUARDED, /* a release frees whatever is there */
    WRONG_ONE_ID,            /* all attempts write the same id */
    WRONG_WRITE_UNGUARDED,   /* a write does not name its grant */
    WRONG_ENDS_EARLY         /* a try ends with its answer */
};

static bool is_wrong(kan_turn *turn, enum wrong wrong)
{
    return kan_parameter(turn, PARAMETER_WRONG) == (int64_t)wrong;
}

/* --- a request ------------------------------------------------------------ */

/* struct lock_core with times in milliseconds, but for what is the same in all
 * requests, and `tries`, which stays far below its limit. Times that are so far
 * back that no rule tells them apart are the same. */
struct request
{
    bool running; /* the others are 0 when it does not */
    uint8_t kind;
    uint8_t phase;
    bool answered;
    bool by_owner;
    uint8_t named;
    uint8_t token;
    uint8_t unwanted;
    uint8_t id;
    int64_t until_ms;
    int64_t since_ms;
    int64_t asked_ms;
    int64_t retry_ms;
    int64_t settle_ms;
    uint8_t loose;
    uint8_t failures;
    uint8_t attempt; /* that it is, or of the grant to release; no rule uses
                      * it */
    uint8_t epoch;   /* questions that timed out */
    uint16_t ask;    /* that is out; 0: none */
};

enum
{
    FAILURES_MAX = 8 /* from then on, pauses are LOCK_BACKOFF_MAX_MS */
};

KAN_RECORD(request, 1, KAN_BOOL(request, running),
           KAN_INT(request, kind, LOCK_TRY, LOCK_RENEW),
           KAN_INT(request, phase, LOCK_IDLE, LOCK_ENDED),
           KAN_BOOL(request, answered), KAN_BOOL(request, by_owner),
           KAN_INT(request, named, 0, 99), KAN_INT(request, token, 0, 99),
           KAN_INT(request, unwanted, 0, 99), KAN_INT(request, id, 0, IDS_MAX),
           KAN_TIME_WITHIN(request, until_ms, 0, UNTIL_MS),
           KAN_TIME_WITHIN(request, since_ms, LEASE_MS, 0),
           KAN_TIME_WITHIN(request, asked_ms, LEASE_MS, 0),
           KAN_TIME_WITHIN(request, retry_ms, 0, LOCK_BACKOFF_MAX_MS),
           KAN_TIME_WITHIN(request, settle_ms, 0, LOCK_SETTLE_MS),
           KAN_INT(request, loose, 0, 99),
           KAN_INT(request, failures, 0, FAILURES_MAX),
           KAN_INT(request, attempt, 0, IDS_MAX),
           KAN_INT(request, epoch, 0, ASKS - 2),
           KAN_INT(request, ask, 0, ASKS_MAX));

#define MS UINT64_C(1000000)

static uint64_t to_ns(int64_t ms)
{
    return (uint64_t)ms * MS;
}

static int64_t to_ms(uint64_t ns)
{
    return (int64_t)(ns / MS);
}

static struct lock_core to_core(const struct request *request)
{
    return (struct lock_core){
        .kind = (enum lock_kind)request->kind,
        .phase = (enum lock_phase)request->phase,
        .answered = request->answered,
        .by_owner = request->by_owner,
        .named = request->named,
        .token = request->token,
        .unwanted = request->unwanted,
        .id = {.store = 1, .number = request->id},
        .expiry_ms = LEASE_MS,
        .until_ns = to_ns(request->until_ms),
        .since_ns = to_ns(request->since_ms),
        .asked_ns = to_ns(request->asked_ms),
        .retry_ns = to_ns(request->retry_ms),
        .settle_ns = to_ns(request->settle_ms),
        .loose = request->loose,
        .failures = request->failures,
    };
}

/* What no rule looks at any more, or will, is left out: so there are fewer
 * states. */
static void from_core(struct request *request, const struct lock_core *core)
{
    uint32_t failures = core->failures;
    bool try = core->kind == LOCK_TRY;

    request->kind = (uint8_t)core->kind;
    request->phase = (uint8_t)core->phase;
    request->answered = core->answered;
    request->by_owner = core->by_owner;
    request->named = (uint8_t)core->named;
    request->token = (uint8_t)core->token;
    request->unwanted = (uint8_t)core->unwanted;
    request->id = (uint8_t)core->id.number;
    request->until_ms = core->answered ? 0 : to_ms(core->until_ns);
    request->since_ms = try && !core->answered ? to_ms(core->since_ns) : 0;
    request->asked_ms = try && !core->answered && core->phase == LOCK_READING
                            ? to_ms(core->asked_ns)
                            : 0;
    request->retry_ms = core->phase == LOCK_WAITING ? to_ms(core->retry_ns) : 0;
    request->settle_ms = try && core->loose > 0 ? to_ms(core->settle_ns) : 0;
    request->loose = (uint8_t)core->loose;
    request->failures =
        (uint8_t)(failures < FAILURES_MAX ? failures : FAILURES_MAX);
}

/* --- a client ------------------------------------------------------------- */

enum
{
    STAGE_ASKING,
    STAGE_WAITING, /* to ask again */
    STAGE_HOLDING,
    STAGE_WRITING,
    STAGE_RELEASING,
    STAGE_DONE
};

/* The requests of a client. A try may outlive its answer. */
enum
{
    PLACE_TRY = 0,                           /* one for each attempt, */
    PLACE_RELEASE = PLACE_TRY + ATTEMPTS_MAX /* and one for its grant */
};

/* The last two are for properties to look at; no rule uses them. */
struct client
{
    uint8_t stage;
    uint8_t attempts; /* begun */
    uint8_t timeouts;
    uint8_t token; /* of the last grant that it was told of */
    struct request requests[PLACES];
    uint8_t settled; /* a bit for each attempt that looks no more, though a
                        * copy of its put may still come */
    uint8_t left;    /* the grant that it could not release in time */
};
KAN_RECORD(client, 1, KAN_INT(client, stage, STAGE_ASKING, STAGE_DONE),
           KAN_INT(client, attempts, 0, ATTEMPTS_MAX),
           KAN_INT(client, timeouts, 0, 99), KAN_INT(client, token, 0, 99),
           KAN_STRUCTS(client, requests, request_record),
           KAN_INT(client, settled, 0, (1 << ATTEMPTS_MAX) - 1),
           KAN_INT(client, left, 0, 99));

enum
{
    TIMER_AGAIN,
    TIMER_WORKED,
    TIMER_ANSWER,                      /* one for each request: no answer */
    TIMER_DUE = TIMER_ANSWER + PLACES, /* LOCK_EFFECT_TIMER */
    CLIENT_TIMERS = TIMER_DUE + PLACES
};

/* --- a client: what its requests ask for ---------------------------------- */

/* Whether the client does not wait for its next answer for ever. */
static bool is_unlucky(kan_turn *turn, const struct client *client)
{
    return kan_ref_to_number(turn->self) <
               kan_parameter(turn, PARAMETER_UNLUCKY) &&
           client->timeouts < kan_parameter(turn, PARAMETER_TIMEOUTS);
}

static void ask_engine(kan_turn *turn, struct client *client, uint32_t place,
                       const struct lock_effect *effect)
{
    struct request *request = &client->requests[place];
    struct kan_ref engine = kan_ref_number("engine", 0);
    uint16_t ask = (uint16_t)(place * ASKS + request->epoch + 1u);
    bool unguarded =
        place >= PLACE_RELEASE && is_wrong(turn, WRONG_RELEASE_UNGUARDED);

    request->ask = ask;
    if (is_unlucky(turn, client))
        kan_timer_set(turn, TIMER_ANSWER + place, ANSWER_MS);
    if (effect->kind == LOCK_EFFECT_READ)
        KAN_SEND(turn, &engine, read, .ask = ask);
    else if (effect->kind == LOCK_EFFECT_PUT)
        KAN_SEND(turn, &engine, put, .ask = ask, .id = request->id,
                 .attempt = request->attempt);
    else
        KAN_SEND(turn, &engine, erase, .ask = ask,
                 .token = unguarded ? 0 : (uint8_t)effect->token,
                 .attempt = request->by_owner ? 0 : request->attempt);
}

static void told_try(kan_turn *turn, struct client *client,
                     const struct lock_effect *answer)
{
    if (answer->outcome == LOCK_OK) {
        kan_claim(turn, answer->token > client->token,
                  "K-LOCK-2: tokens increase");
        client->stage = STAGE_HOLDING;
        client->token = (uint8_t)answer->token;
        kan_timer_set(turn, TIMER_WORKED, WORK_MS);
    } else if (client->attempts < kan_parameter(turn, PARAMETER_ATTEMPTS)) {
        client->stage = STAGE_WAITING;
        kan_timer_set(turn, TIMER_AGAIN, AGAIN_MS);
    } else {
        client->stage = STAGE_DONE;
    }
}

static void told(kan_turn *turn, struct client *client, uint32_t place,
                 const struct lock_effect *answer)
{
    if (place < PLACE_RELEASE) {
        told_try(turn, client, answer);
        return;
    }
    if (answer->outcome == LOCK_FAILED)
        client->left = client->token;
    client->stage = STAGE_DONE;
}

/* A client may be late. From some look on it is, so that there are not dozens
 * of them until the minute is over. */
static uint64_t due_late(kan_turn *turn, const struct lock_core *core,
                         uint64_t due_ns)
{
    bool rests = core->answered && core->phase == LOCK_WAITING &&
                 core->unwanted == 0 &&
                 core->failures > kan_parameter(turn, PARAMETER_LOOKS);

    return rests && due_ns < core->settle_ns ? core->settle_ns : due_ns;
}

static void end(struct client *client, uint32_t place, int64_t now_ms)
{
    const struct request *request = &client->requests[place];

    if (request->kind == LOCK_TRY && request->loose > 0 &&
        request->settle_ms <= now_ms)
        client->settled |= (uint8_t)(1u << place);
    client->requests[place] = (struct request){0};
}

static void feed(kan_turn *turn, struct client *client, uint32_t place,
                 struct lock_event event)
{
    struct request *request = &client->requests[place];
    int64_t now_ms = kan_now(turn);
    struct lock_step step;

    event.now_ns = to_ns(now_ms);
    step = lock_core_step(to_core(request), event);
    from_core(request, &step.core);
    kan_timer_clear(turn, TIMER_DUE + place);
    for (uint32_t i = 0; i < step.effect_count; i++) {
        const struct lock_effect *effect = &step.effects[i];
        if (effect->kind == LOCK_EFFECT_ANSWER) {
            told(turn, client, place, effect);
        } else if (effect->kind == LOCK_EFFECT_TIMER) {
            if (request->ask != 0 && !is_unlucky(turn, client))
                continue;
            int64_t due_ms = to_ms(due_late(turn, &step.core, effect->due_ns));
            kan_timer_set(turn, TIMER_DUE + place,
                          due_ms > now_ms ? (uint64_t)(due_ms - now_ms) : 0);
        } else {
            ask_engine(turn, client, place, effect);
        }
    }
    if (step.core.phase == LOCK_ENDED)
        end(client, place, now_ms);
    if (place < PLACE_RELEASE && request->answered &&
        is_wrong(turn, WRONG_ENDS_EARLY)) {
        kan_timer_clear(turn, TIMER_ANSWER + place);
        kan_timer_clear(turn, TIMER_DUE + place);
        *request = (struct request){0};
    }
}

/* The attempt that it is at, counted from 1 over all clients. */
static uint8_t attempt_now(kan_turn *turn, const struct client *client)
{
    uint32_t number = kan_ref_to_number(turn->self);

    return (uint8_t)(number * ATTEMPTS_MAX + client->attempts);
}

static void begin(kan_turn *turn, struct client *client, uint32_t place,
                  struct lock_want want)
{
    struct request *request = &client->requests[place];
    struct lock_core core;

    want.expiry_ms = LEASE_MS;
    want.until_ns = to_ns(kan_now(turn) + UNTIL_MS);
    core = lock_core_init(want);
    from_core(request, &core);
    request->running = true;
    request->attempt = attempt_now(turn, client);
    feed(turn, client, place, (struct lock_event){.kind = LOCK_EVENT_START});
}

/* --- a client: what it does ----------------------------------------------- */

static void ask_lock(kan_turn *turn, struct client *client)
{
    uint32_t place = PLACE_TRY + client->attempts++;
    struct lock_want want = {.kind = LOCK_TRY, .id = {.store = 1}};

    want.id.number =
        is_wrong(turn, WRONG_ONE_ID) ? 1 : attempt_now(turn, client);
    client->stage = STAGE_ASKING;
    begin(turn, client, place, want);
}

static void client_start(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    ask_lock(turn, state);
}

static void on_worked(kan_turn *turn, void *state, const void *message)
{
    struct client *client = state;
    struct kan_ref engine = kan_ref_number("engine", 0);

    (void)message;
    client->stage = STAGE_WRITING;
    KAN_SEND(turn, &engine, write, .token = client->token,
             .unguarded = is_wrong(turn, WRONG_WRITE_UNGUARDED));
}

static void on_written(kan_turn *turn, void *state, const void *message)
{
    struct client *client = state;
    struct lock_want want = {.kind = LOCK_RELEASE, .token = client->token};

    (void)message;
    if (client->stage != STAGE_WRITING)
        return;
    want.by_owner = kan_parameter(turn, PARAMETER_BY_OWNER);
    if (want.by_owner)
        want.token = 0;
    client->stage = STAGE_RELEASING;
    begin(turn, client, PLACE_RELEASE + client->attempts - 1u, want);
}

/* --- a client: what it is told -------------------------------------------- */

/* What comes after its time-out is not looked at. */
static void answered(kan_turn *turn, struct client *client, uint16_t ask,
                     struct lock_event event)
{
    for (uint32_t i = 0; i < PLACES; i++) {
        struct request *request = &client->requests[i];
        if (!request->running || request->ask != ask)
            continue;
        request->ask = 0;
        kan_timer_clear(turn, TIMER_ANSWER + i);
        feed(turn, client, i, event);
    }
}

static void on_item(kan_turn *turn, void *state, const void *message)
{
    const struct item *item = message;
    struct lock_event event = {
        .kind = LOCK_EVENT_READ,
        .created = item->created,
        .owner = item->yours,
        .id = {item->created != 0, item->id},
    };

    answered(turn, state, item->ask, event);
}

static void on_committed(kan_turn *turn, void *state, const void *message)
{
    const struct committed *committed = message;
    struct lock_event event = {.kind = LOCK_EVENT_COMMITTED,
                               .revision = committed->revision};

    answered(turn, state, committed->ask, event);
}

static void on_refused(kan_turn *turn, void *state, const void *message)
{
    const struct refused *refused = message;
    struct lock_event event = {.kind = LOCK_EVENT_REFUSED};

    answered(turn, state, refused->ask, event);
}

static void time_out(kan_turn *turn, struct client *client, uint32_t place)
{
    struct request *request = &client->requests[place];
    struct lock_event event = {.kind = LOCK_EVENT_UNKNOWN, .err = KAN_TIMEOUT};

    request->ask = 0;
    request->epoch++;
    client->timeouts++;
    if (request->phase == LOCK_READING)
        event.kind = LOCK_EVENT_FAILED;
    else if (request->kind == LOCK_TRY && is_wrong(turn, WRONG_UNKNOWN_REFUSED))
        event.kind = LOCK_EVENT_REFUSED;
    feed(turn, client, place, event);
}

/* With a question out, it is the client's time that is over. */
static void come_due(kan_turn *turn, struct client *client, uint32_t place)
{
    if (client->requests[place].ask != 0)
        client->timeouts++;
    feed(turn, client, place, (struct lock_event){.kind = LOCK_EVENT_TIMER});
}

/* A timer does not say which it is. */
#define REQUEST_TIMER(name, act, place)                                \
    static void name(kan_turn *turn, void *state, const void *message) \
    {                                                                  \
        (void)message;                                                 \
        act(turn, state, place);                                       \
    }
REQUEST_TIMER(time_out_first, time_out, 0)
REQUEST_TIMER(time_out_second, time_out, 1)
REQUEST_TIMER(time_out_third, time_out, 2)
REQUEST_TIMER(time_out_fourth, time_out, 3)
REQUEST_TIMER(due_first, come_due, 0)
REQUEST_TIMER(due_second, come_due, 1)
REQUEST_TIMER(due_third, come_due, 2)
REQUEST_TIMER(due_fourth, come_due, 3)

static const struct kan_handler client_handlers[] = {
    {&item_record, on_item},
    {&committed_record, on_committed},
    {&refused_record, on_refused},
    {&written_record, on_written},
};

static const struct kan_timer_type client_timers[CLIENT_TIMERS] = {
    [TIMER_AGAIN] = {"again", client_start},
    [TIMER_WORKED] = {"worked", on_worked},
    [TIMER_ANSWER] = {"try-1-timed-out", time_out_first},
    [TIMER_ANSWER + 1] = {"try-2-timed-out", time_out_second},
    [TIMER_ANSWER + 2] = {"release-1-timed-out", time_out_third},
    [TIMER_ANSWER + 3] = {"release-2-timed-out", time_out_fourth},
    [TIMER_DUE] = {"try-1-due", due_first},
    [TIMER_DUE + 1] = {"try-2-due", due_second},
    [TIMER_DUE + 2] = {"release-1-due", due_third},
    [TIMER_DUE + 3] = {"release-2-due", due_fourth},
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
    return view->states[1 + number];
}

/* Whether the client goes by its grant. */
static bool holds(const struct client *client)
{
    return client->stage == STAGE_HOLDING || client->stage == STAGE_WRITING;
}

/* K-LOCK-1: whoever goes by the grant that is in force, was given it. */
static bool one_holder(const kan_view *view)
{
    const struct engine *engine = engine_of(view);

    for (uint32_t i = 0; engine->created != 0 && i + 1 < view->count; i++) {
        const struct client *client = client_of(view, i);
        if (view->up[1 + i] && holds(client) &&
            client->token == engine->created &&
            attempt_client(engine->attempt) != i)
            return false;
    }
    return true;
}

/* K-LOCK-3 */
static bool only_its_holder_frees_it(const kan_view *view)
{
    return !engine_of(view)->robbed;
}

/* K-LOCK-4 */
static bool no_stale_write(const kan_view *view)
{
    return !engine_of(view)->stale;
}

/* K-LOCK-7, K-LOCK-8: somebody knows of the grant that is in force, or it is
 * one of those that are left to their lease. */
static bool every_grant_is_known(const kan_view *view)
{
    const struct engine *engine = engine_of(view);

    if (engine->created == 0)
        return true;

    uint32_t number = attempt_client(engine->attempt);
    uint32_t place = (engine->attempt - 1u) % ATTEMPTS_MAX;
    const struct client *client = client_of(view, number);
    bool has = holds(client) || client->stage == STAGE_RELEASING;
    bool left = !view->up[1 + number] || (client->settled >> place & 1) ||
                client->left == engine->created;

    return left || (has && client->token == engine->created) ||
           client->requests[place].running;
}

/* Whether the client waits for an answer that does not come. */
static bool client_waits(const struct client *client)
{
    if (client->stage == STAGE_WRITING)
        return true;
    for (uint32_t i = 0; i < PLACES; i++) {
        if (client->requests[i].ask != 0)
            return true;
    }
    return false;
}

static bool client_rests(const struct client *client)
{
    for (uint32_t i = 0; i < PLACES; i++) {
        if (client->requests[i].running)
            return false;
    }
    return client->stage == STAGE_DONE;
}

/* K-LOCK-7, K-LOCK-10 */
static bool free_in_the_end(const kan_view *view)
{
    for (uint32_t i = 0; i + 1 < view->count; i++) {
        const struct client *client = client_of(view, i);
        if (view->up[1 + i] && !client_rests(client) && !client_waits(client))
            return false;
    }
    return engine_of(view)->created == 0;
}

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    uint32_t clients = (uint32_t)kan_setup_parameter(setup, PARAMETER_CLIENTS);

    kan_setup_actor(setup, &engine_type, 0);
    for (uint32_t i = 0; i < clients; i++)
        kan_setup_actor(setup, &client_type, i);
}

static const struct kan_model_property properties[] = {
    {.name = "one-holder", .kind = KAN_INVARIANT, .holds = one_holder},
    {.name = "only-its-holder-frees-it",
     .kind = KAN_INVARIANT,
     .holds = only_its_holder_frees_it},
    {.name = "no-stale-write", .kind = KAN_INVARIANT, .holds = no_stale_write},
    {.name = "every-grant-is-known",
     .kind = KAN_INVARIANT,
     .holds = every_grant_is_known},
    {.name = "free-in-the-end", .kind = KAN_FINALLY, .holds = free_in_the_end},
};

static const struct kan_model_parameter parameters[] = {
    {"clients", 2, 1, CLIENTS_MAX, "how many ask for the lock"},
    {"attempts", 2, 1, ATTEMPTS_MAX, "how often each asks"},
    {"unlucky", 1, 0, CLIENTS_MAX, "how many of them get answers late"},
    {"timeouts", 1, 0, 9, "how often each of those gets none in time"},
    {"looks", 1, 0, 9, "how often a try looks for a late grant on time"},
    {"by-owner", 0, 0, 1, "1: release by owner, as over HTTP; 0: by token"},
    {"wrong", WRONG_NOTHING, WRONG_NOTHING, WRONG_ENDS_EARLY,
     "1: an unknown put counts as refused; 2: a release frees any grant; 3: "
     "attempts have no id; 4: writes name no grant; 5: a try ends with its "
     "answer"},
};

static const struct kan_model model = {
    .name = "lock",
    .summary = "the rules of the lock block, as they ship",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_UNORDERED,
    .faults = {.crash = 1, .lost = 1},
};

KAN_MODULE(&model, &engine_type, &client_type);
