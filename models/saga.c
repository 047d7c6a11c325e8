/* The saga block itself: the rules that ship (src/block/saga/saga_core.c) at
 * two hosts that may work at one saga at once, crash between any two of its
 * steps, and lose the engine's answers. Each step up to the pivot may be
 * refused, at any time. With wrong=1 a host breaks a rule, and the walk shows
 * what that leads to.
 *
 * What is in the engine is one record and, for each step, whether it is in
 * force: a step and the record that tells of it are one commit. Amounts are
 * left out: what a step moves is moved when it is in force, so that nothing is
 * lost or made exactly when each step is in force once, or none is. */

#include "block/saga/saga_core.h"
#include "models/saga_table.h"

#include <kan/model.h>

enum
{
    HOSTS = 2,
    STEPS = SAGA_STEPS_MAX,
    REVISIONS_MAX = 200,
    LIVES_MAX = 3, /* of a host, that are told apart */
    TRIES_MAX = 2, /* from then on, pauses are all the same here */
    AGAIN_MS = 100,
    LATE_MS = 100
};

enum
{
    PARAMETER_ATTEMPTS,
    PARAMETER_UNKNOWN,
    PARAMETER_WRONG
};

enum wrong
{
    WRONG_NOTHING,
    WRONG_APART /* a step is taken whatever the record says */
};

static bool is_wrong(kan_turn *turn, enum wrong wrong)
{
    return kan_parameter(turn, PARAMETER_WRONG) == (int64_t)wrong;
}

/* transfer of bank.kan: hold (undo release), deposit, then settle. */
static const struct saga_table transfer = {
    .step_count = 3,
    .pivot = 1,
    .undoable = 1,
};

const struct saga_table *saga_table = &transfer;

static struct saga_shape shape(void)
{
    return (struct saga_shape){.step_count = saga_table->step_count,
                               .pivot = saga_table->pivot,
                               .undoable = saga_table->undoable};
}

/* --- questions and answers ------------------------------------------------ */

KAN_RECORD_EMPTY(begin);

/* What the client is told: the saga ended, so. */
struct told
{
    bool ended;
    uint8_t status;
};
KAN_RECORD(told, 1, KAN_BOOL(told, ended),
           KAN_INT(told, status, SAGA_RUNNING, SAGA_UNDONE));

enum commit_kind
{
    COMMIT_DO,
    COMMIT_UNDO,
    COMMIT_RECORD
};

struct commit
{
    uint8_t ask;
    uint8_t kind;
    uint8_t step;
    uint8_t status; /* of the record that it leads to */
    uint8_t next;
    uint8_t refused;  /* in the record */
    uint8_t revision; /* of the record that it starts from; 0: none */
    bool unguarded;
};
KAN_RECORD(commit, 1, KAN_INT(commit, ask, 0, LIVES_MAX),
           KAN_INT(commit, kind, COMMIT_DO, COMMIT_RECORD),
           KAN_INT(commit, step, 0, STEPS),
           KAN_INT(commit, status, SAGA_RUNNING, SAGA_UNDONE),
           KAN_INT(commit, next, 0, STEPS),
           KAN_INT(commit, refused, 0, SAGA_STEP_NONE),
           KAN_INT(commit, revision, 0, REVISIONS_MAX),
           KAN_BOOL(commit, unguarded));

struct result
{
    uint8_t ask;
    uint8_t kind; /* enum saga_event_kind */
    uint8_t revision;
};
KAN_RECORD(result, 1, KAN_INT(result, ask, 0, LIVES_MAX),
           KAN_INT(result, kind, 0, SAGA_EVENT_TIMER),
           KAN_INT(result, revision, 0, REVISIONS_MAX));

/* Whether a host that comes back finds the mark of a saga under way, or reads
 * the record. */
struct read
{
    uint8_t ask;
    bool mark;
};
KAN_RECORD(read, 1, KAN_INT(read, ask, 0, LIVES_MAX), KAN_BOOL(read, mark));

struct entry
{
    uint8_t ask;
    bool mark;
    uint8_t revision;
    uint8_t status;
    uint8_t next;
    uint8_t refused;
};
KAN_RECORD(entry, 1, KAN_INT(entry, ask, 0, LIVES_MAX), KAN_BOOL(entry, mark),
           KAN_INT(entry, revision, 0, REVISIONS_MAX),
           KAN_INT(entry, status, SAGA_RUNNING, SAGA_UNDONE),
           KAN_INT(entry, next, 0, STEPS),
           KAN_INT(entry, refused, 0, SAGA_STEP_NONE));

/* --- the engine, and the entities in it ----------------------------------- */

struct engine
{
    uint8_t revision; /* of the record; 0: there is none */
    uint8_t status;
    uint8_t next;
    uint8_t refused;
    uint8_t done[STEPS]; /* how often each step is in force */
    bool twice;          /* one was taken when it was in force, or undone when
                          * it was not */
    uint8_t unknown;     /* answers lost */
    bool is_late;
    struct commit late; /* it comes into force some time */
};
KAN_RECORD(engine, 1, KAN_INT(engine, revision, 0, REVISIONS_MAX),
           KAN_INT(engine, status, SAGA_RUNNING, SAGA_UNDONE),
           KAN_INT(engine, next, 0, STEPS),
           KAN_INT(engine, refused, 0, SAGA_STEP_NONE),
           KAN_INTS(engine, done, 0, 9), KAN_BOOL(engine, twice),
           KAN_INT(engine, unknown, 0, 9), KAN_BOOL(engine, is_late),
           KAN_STRUCT(engine, late, commit_record));

enum
{
    TIMER_LATE
};

static enum saga_event_kind put(struct engine *engine,
                                const struct commit *commit)
{
    uint8_t *done = &engine->done[commit->step];

    if (commit->revision != engine->revision && !commit->unguarded)
        return SAGA_EVENT_GUARDED;
    engine->revision++;
    engine->status = commit->status;
    engine->next = commit->next;
    engine->refused = commit->refused;
    if (commit->kind == COMMIT_DO) {
        engine->twice |= *done > 0;
        *done = 1;
    } else if (commit->kind == COMMIT_UNDO) {
        engine->twice |= *done == 0;
        *done = 0;
    }
    return SAGA_EVENT_TAKEN;
}

static void on_commit(kan_turn *turn, void *state, const void *message)
{
    struct engine *engine = state;
    const struct commit *commit = message;
    enum saga_event_kind kind = SAGA_EVENT_UNKNOWN;
    bool refusable =
        commit->kind == COMMIT_DO && !saga_core_behind(shape(), commit->step);

    /* The entity judges before the engine is asked. */
    if (refusable && kan_choose(turn, 2) == 1) {
        kind = SAGA_EVENT_REFUSED;
    } else if (engine->unknown >= kan_parameter(turn, PARAMETER_UNKNOWN) ||
               kan_choose(turn, 2) == 0) {
        kind = put(engine, commit);
    } else if (!engine->is_late && kan_choose(turn, 2) == 0) {
        engine->unknown++;
        engine->is_late = true;
        engine->late = *commit;
        kan_timer_set(turn, TIMER_LATE, LATE_MS);
    } else {
        engine->unknown++;
        (void)put(engine, commit);
    }
    KAN_REPLY(turn, result, .ask = commit->ask, .kind = (uint8_t)kind,
              .revision = engine->revision);
}

static void on_late(kan_turn *turn, void *state, const void *message)
{
    struct engine *engine = state;

    (void)turn;
    (void)message;
    (void)put(engine, &engine->late);
    engine->is_late = false;
    engine->late = (struct commit){0};
}

static void on_read(kan_turn *turn, void *state, const void *message)
{
    const struct engine *engine = state;
    const struct read *read = message;

    KAN_REPLY(turn, entry, .ask = read->ask, .mark = read->mark,
              .revision = engine->revision, .status = engine->status,
              .next = engine->next, .refused = engine->refused);
}

static const struct kan_handler engine_handlers[] = {
    {&commit_record, on_commit},
    {&read_record, on_read},
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

/* --- a host --------------------------------------------------------------- */

/* struct saga_core, but for the shape. All is lost in a crash but which life it
 * is. */
struct host
{
    bool runs;
    uint8_t status;
    uint8_t next;
    uint8_t phase;
    uint8_t revision;
    uint8_t refused;
    uint8_t tries;
    bool known;
    bool loose;
    bool asked; /* the client waits here */
    bool waits; /* for the engine */
    uint8_t ask;
};
KAN_RECORD(host, 1, KAN_BOOL_VOLATILE(host, runs),
           KAN_INT_VOLATILE(host, status, SAGA_RUNNING, SAGA_UNDONE),
           KAN_INT_VOLATILE(host, next, 0, STEPS),
           KAN_INT_VOLATILE(host, phase, SAGA_NEW, SAGA_OVER),
           KAN_INT_VOLATILE(host, revision, 0, REVISIONS_MAX),
           KAN_INT_VOLATILE(host, refused, 0, SAGA_STEP_NONE),
           KAN_INT_VOLATILE(host, tries, 0, TRIES_MAX),
           KAN_BOOL_VOLATILE(host, known), KAN_BOOL_VOLATILE(host, loose),
           KAN_BOOL_VOLATILE(host, asked), KAN_BOOL_VOLATILE(host, waits),
           KAN_INT(host, ask, 0, LIVES_MAX));

enum
{
    TIMER_RETRY
};

static struct saga_core to_core(const struct host *host)
{
    return (struct saga_core){
        .shape = shape(),
        .progress = {(enum saga_status)host->status, host->next},
        .phase = (enum saga_phase)host->phase,
        .revision = host->revision,
        .refused = host->refused,
        .tries = host->tries,
        .known = host->known,
        .loose = host->loose,
    };
}

static void from_core(struct host *host, struct saga_core core)
{
    host->status = (uint8_t)core.progress.status;
    host->next = (uint8_t)core.progress.next;
    host->phase = (uint8_t)core.phase;
    host->revision = (uint8_t)core.revision;
    host->refused = (uint8_t)core.refused;
    host->tries = (uint8_t)(core.tries < TRIES_MAX ? core.tries : TRIES_MAX);
    host->known = core.known;
    host->loose = core.loose;
}

static void send_commit(kan_turn *turn, struct host *host,
                        const struct saga_effect *effect)
{
    struct kan_ref engine = kan_ref_number("engine", 0);
    enum commit_kind kind = effect->kind == SAGA_EFFECT_DO     ? COMMIT_DO
                            : effect->kind == SAGA_EFFECT_UNDO ? COMMIT_UNDO
                                                               : COMMIT_RECORD;

    host->waits = true;
    KAN_SEND(turn, &engine, commit, .ask = host->ask, .kind = (uint8_t)kind,
             .step = (uint8_t)effect->step,
             .status = (uint8_t)effect->becomes.status,
             .next = (uint8_t)effect->becomes.next, .refused = host->refused,
             .revision = host->revision,
             .unguarded = is_wrong(turn, WRONG_APART));
}

static void send_read(kan_turn *turn, struct host *host, bool mark)
{
    struct kan_ref engine = kan_ref_number("engine", 0);

    host->waits = true;
    KAN_SEND(turn, &engine, read, .ask = host->ask, .mark = mark);
}

/* The saga is over here: who waits is told. */
static void end(kan_turn *turn, struct host *host, bool ended)
{
    struct kan_ref client = kan_ref_number("client", 0);
    uint8_t ask = host->ask;

    if (host->asked)
        KAN_SEND(turn, &client, told, .ended = ended, .status = host->status);
    *host = (struct host){.ask = ask};
}

static void carry_out(kan_turn *turn, struct host *host,
                      const struct saga_effect *effect)
{
    switch (effect->kind) {
    case SAGA_EFFECT_DO:
    case SAGA_EFFECT_UNDO:
    case SAGA_EFFECT_RECORD:
        send_commit(turn, host, effect);
        break;
    case SAGA_EFFECT_READ:
        send_read(turn, host, false);
        break;
    case SAGA_EFFECT_RETRY:
        kan_timer_set(turn, TIMER_RETRY, AGAIN_MS);
        break;
    case SAGA_EFFECT_TROUBLE:
        kan_claim(turn, false, "what cannot be refused was");
        break;
    case SAGA_EFFECT_ANSWER:
        end(turn, host, effect->ended);
        break;
    }
}

static void feed(kan_turn *turn, struct host *host, struct saga_event event)
{
    struct saga_turn made = saga_core_step(to_core(host), event);

    from_core(host, made.core);
    for (uint32_t i = 0; i < made.effect_count; i++)
        carry_out(turn, host, &made.effects[i]);
}

static void host_begin(kan_turn *turn, struct host *host,
                       enum saga_event_kind kind)
{
    from_core(host, saga_core_begin(shape()));
    host->runs = true;
    feed(turn, host, (struct saga_event){.kind = kind});
}

static void on_begin(kan_turn *turn, void *state, const void *message)
{
    struct host *host = state;

    (void)message;
    host->asked = true;
    if (!host->runs)
        host_begin(turn, host, SAGA_EVENT_START);
}

static void on_result(kan_turn *turn, void *state, const void *message)
{
    struct host *host = state;
    const struct result *result = message;
    struct saga_event event = {.kind = (enum saga_event_kind)result->kind,
                               .revision = result->revision};

    if (!host->waits || result->ask != host->ask)
        return;
    host->waits = false;
    feed(turn, host, event);
}

static void on_entry(kan_turn *turn, void *state, const void *message)
{
    struct host *host = state;
    const struct entry *entry = message;
    struct saga_progress progress = {(enum saga_status)entry->status,
                                     entry->next};

    if (entry->ask != host->ask)
        return;
    if (entry->mark) {
        if (entry->revision != 0 && !saga_core_ended(progress) && !host->runs)
            host_begin(turn, host, SAGA_EVENT_RECOVER);
        return;
    }
    if (!host->waits)
        return;
    host->waits = false;
    feed(turn, host,
         (struct saga_event){
             .kind = SAGA_EVENT_READ,
             .revision = entry->revision,
             .progress = progress,
             .refused = entry->revision ? entry->refused : SAGA_STEP_NONE,
         });
}

static void on_retry(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    feed(turn, state, (struct saga_event){.kind = SAGA_EVENT_TIMER});
}

static void host_restart(kan_turn *turn, void *state, const void *message)
{
    struct host *host = state;
    struct kan_ref engine = kan_ref_number("engine", 0);

    (void)message;
    host->ask = (uint8_t)((host->ask + 1) % (LIVES_MAX + 1));
    kan_timer_clear(turn, TIMER_RETRY);
    KAN_SEND(turn, &engine, read, .ask = host->ask, .mark = true);
}

static const struct kan_handler host_handlers[] = {
    {&begin_record, on_begin},
    {&result_record, on_result},
    {&entry_record, on_entry},
};

static const struct kan_timer_type host_timers[] = {
    [TIMER_RETRY] = {"retry", on_retry},
};

static const struct kan_actor_type host_type = {
    .name = "host",
    .state = &host_record,
    .restart = host_restart,
    KAN_HANDLERS(host_handlers),
    KAN_TIMERS(host_timers),
};

/* --- the client ----------------------------------------------------------- */

struct client
{
    uint8_t attempts;
    bool ended;
    uint8_t status;
};
KAN_RECORD(client, 1, KAN_INT(client, attempts, 0, 9), KAN_BOOL(client, ended),
           KAN_INT(client, status, SAGA_RUNNING, SAGA_UNDONE));

enum
{
    TIMER_AGAIN
};

/* The same saga, by the same id, of one host after the other. */
static void client_ask(kan_turn *turn, void *state, const void *message)
{
    struct client *client = state;
    struct kan_ref host = kan_ref_number("host", client->attempts % HOSTS);

    (void)message;
    if (++client->attempts < kan_parameter(turn, PARAMETER_ATTEMPTS))
        kan_timer_set(turn, TIMER_AGAIN, AGAIN_MS);
    kan_send(turn, &host, &begin_record, NULL);
}

static void on_told(kan_turn *turn, void *state, const void *message)
{
    struct client *client = state;
    const struct told *told = message;

    if (client->ended || !told->ended)
        return;
    client->ended = true;
    client->status = told->status;
    kan_timer_clear(turn, TIMER_AGAIN);
}

static const struct kan_handler client_handlers[] = {{&told_record, on_told}};
static const struct kan_timer_type client_timers[] = {
    [TIMER_AGAIN] = {"again", client_ask},
};

static const struct kan_actor_type client_type = {
    .name = "client",
    .state = &client_record,
    .start = client_ask,
    .flags = KAN_ACTOR_MORTAL,
    KAN_HANDLERS(client_handlers),
    KAN_TIMERS(client_timers),
};

/* --- what must hold ------------------------------------------------------- */

static const struct engine *engine_of(const kan_view *view)
{
    return view->states[0];
}

static const struct client *client_of(const kan_view *view)
{
    return view->states[1 + HOSTS];
}

/* Whether the record says that the step is in force. */
static bool says_done(const struct engine *engine, uint32_t step)
{
    if (engine->revision == 0 || engine->status == SAGA_UNDONE)
        return false;
    if (engine->status == SAGA_RUNNING)
        return step < engine->next;
    if (engine->status == SAGA_UNDOING)
        return step <= engine->next && (saga_table->undoable >> step & 1);
    return true;
}

/* K-SAGA-1: nothing is moved but what the record tells of. */
static bool record_is_true(const kan_view *view)
{
    const struct engine *engine = engine_of(view);

    for (uint32_t i = 0; i < saga_table->step_count; i++) {
        if (engine->done[i] != (says_done(engine, i) ? 1 : 0))
            return false;
    }
    return true;
}

static bool each_step_once(const kan_view *view)
{
    return !engine_of(view)->twice;
}

static bool all_or_nothing(const kan_view *view)
{
    const struct engine *engine = engine_of(view);
    uint32_t done = 0;

    if (engine->revision == 0 ||
        (engine->status != SAGA_DONE && engine->status != SAGA_UNDONE))
        return true;
    for (uint32_t i = 0; i < saga_table->step_count; i++)
        done += engine->done[i];
    return done == (engine->status == SAGA_DONE ? saga_table->step_count : 0);
}

/* K-SAGA-3 */
static bool told_is_true(const kan_view *view)
{
    const struct engine *engine = engine_of(view);
    const struct client *client = client_of(view);

    return !client->ended ||
           (engine->revision != 0 && engine->status == client->status);
}

/* A saga that has begun ends, when nobody has died for good. */
static bool it_ends(const kan_view *view)
{
    const struct engine *engine = engine_of(view);

    return !view->up[0] || engine->revision == 0 ||
           engine->status == SAGA_DONE || engine->status == SAGA_UNDONE;
}

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    kan_setup_actor(setup, &engine_type, 0);
    for (uint32_t i = 0; i < HOSTS; i++)
        kan_setup_actor(setup, &host_type, i);
    kan_setup_actor(setup, &client_type, 0);
}

static const struct kan_model_property properties[] = {
    {.name = "record-is-true", .kind = KAN_INVARIANT, .holds = record_is_true},
    {.name = "each-step-once", .kind = KAN_INVARIANT, .holds = each_step_once},
    {.name = "all-or-nothing", .kind = KAN_INVARIANT, .holds = all_or_nothing},
    {.name = "told-is-true", .kind = KAN_INVARIANT, .holds = told_is_true},
    {.name = "it-ends", .kind = KAN_FINALLY, .holds = it_ends},
};

static const struct kan_model_parameter parameters[] = {
    {"attempts", 2, 1, 4, "how often the client asks, of two hosts in turn"},
    {"unknown", 1, 0, 4, "how many answers to commits are lost"},
    {"wrong", WRONG_NOTHING, WRONG_NOTHING, WRONG_APART,
     "1: steps are taken whatever the record says"},
};

static const struct kan_model model = {
    .name = "saga",
    .summary = "a saga at two hosts, on the rules that ship",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_UNORDERED,
    .faults = {.crash = 1},
};

KAN_MODULE(&model, &engine_type, &host_type, &client_type);
