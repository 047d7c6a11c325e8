/* Actors for tests: a counter that can crash in several ways, cells that pass
 * tokens, serial askers, clocks, and a state in three versions. */

#include "block/actor/actor_case.h"

static volatile int zero;              /* what no compiler knows to be 0 */
static volatile int *volatile nowhere; /* nor this */

/* --- the counter ---------------------------------------------------------- */

static void on_add(kan_turn *turn, void *state, const void *message)
{
    struct counter *counter = state;
    const struct add *add = message;

    if (counter->value + add->amount > 1000) {
        kan_refuse(turn, "the counter is full");
        return;
    }
    counter->value += add->amount;
    if (counter->owner.text[0])
        KAN_SEND(turn, &counter->owner, total, .value = counter->value);
    memset(&counter->owner, 0, sizeof(counter->owner));
    KAN_REPLY(turn, total, .value = counter->value);
}

static void on_quiet(kan_turn *turn, void *state, const void *message)
{
    struct counter *counter = state;

    (void)turn;
    (void)message;
    counter->value++;
}

static void on_keep(kan_turn *turn, void *state, const void *message)
{
    struct counter *counter = state;

    (void)message;
    counter->owner = *turn->sender;
}

static void on_warm(kan_turn *turn, void *state, const void *message)
{
    struct counter *counter = state;

    (void)turn;
    (void)message;
    counter->cache++;
}

__attribute__((no_sanitize("undefined", "address"))) static void on_divide(
    kan_turn *turn, void *state, const void *message)
{
    struct counter *counter = state;

    (void)turn;
    (void)message;
    counter->value = 1234 / zero;
}

__attribute__((no_sanitize("undefined", "address"))) static void on_touch(
    kan_turn *turn, void *state, const void *message)
{
    (void)turn;
    (void)state;
    (void)message;
    *nowhere = 1;
}

static void on_spin(kan_turn *turn, void *state, const void *message)
{
    (void)turn;
    (void)state;
    (void)message;
    while (!zero)
        ;
}

static void on_roll(kan_turn *turn, void *state, const void *message)
{
    struct counter *counter = state;
    uint64_t first = kan_choose(turn, 6);
    uint64_t second = kan_choose(turn, 6);

    (void)message;
    counter->rolled = (uint32_t)(10 * (first + 1) + second + 1);
    KAN_REPLY(turn, total, .value = counter->rolled);
}

static void on_restart(kan_turn *turn, void *state, const void *message)
{
    struct counter *counter = state;

    (void)message;
    kan_claim(turn, counter->cache == 0, "what is volatile is gone");
    counter->restarts++;
}

static const struct kan_handler counter_handlers[] = {
    {&add_record, on_add},       {&quiet_record, on_quiet},
    {&keep_record, on_keep},     {&warm_record, on_warm},
    {&divide_record, on_divide}, {&touch_record, on_touch},
    {&spin_record, on_spin},     {&roll_record, on_roll}};
static const struct kan_actor_type counter_type = {
    .name = "counter",
    .state = &counter_record,
    .restart = on_restart,
    KAN_HANDLERS(counter_handlers)};

/* --- cells ---------------------------------------------------------------- */

static void on_token(kan_turn *turn, void *state, const void *message)
{
    struct cell *cell = state;
    const struct token *token = message;
    struct kan_ref next;
    uint32_t at = kan_ref_to_number(turn->self);

    kan_claim(turn, !cell->here[token->id], "a token comes to its end once");
    kan_claim(turn, token->hop > cell->last[token->id],
              "a token is seen once at each hop");
    cell->received++;
    cell->last[token->id] = token->hop;
    if (token->hop == token->hops) {
        cell->here[token->id] = true;
        return;
    }
    next = kan_ref_number("cell", (at + 1 + token->id) % CASE_CELLS);
    KAN_SEND(turn, &next, token, .id = token->id, .hop = token->hop + 1,
             .hops = token->hops);
}

static const struct kan_handler cell_handlers[] = {{&token_record, on_token}};
static const struct kan_actor_type cell_type = {
    .name = "cell", .state = &cell_record, KAN_HANDLERS(cell_handlers)};

/* --- a line --------------------------------------------------------------- */

static void on_burst(kan_turn *turn, void *state, const void *message)
{
    struct line *line = state;
    const struct burst *burst = message;

    for (uint32_t i = 0; i < burst->count; i++)
        KAN_SEND(turn, &burst->to, number, .value = line->next++);
}

static void on_number(kan_turn *turn, void *state, const void *message)
{
    struct line *line = state;
    const struct number *number = message;

    kan_claim(turn, number->value == line->next, "numbers come in order");
    line->next++;
}

static const struct kan_handler line_handlers[] = {{&burst_record, on_burst},
                                                   {&number_record, on_number}};
static const struct kan_actor_type line_type = {
    .name = "line", .state = &line_record, KAN_HANDLERS(line_handlers)};

/* Takes few messages, and never gets round to them. */
static const struct kan_actor_type narrow_type = {.name = "narrow",
                                                  .state = &asker_record,
                                                  .mailbox_max = 3,
                                                  KAN_HANDLERS(line_handlers)};

/* --- askers --------------------------------------------------------------- */

static void on_ask(kan_turn *turn, void *state, const void *message)
{
    struct asker *asker = state;
    const struct ask *ask = message;
    struct kan_ref nobody;
    struct kan_ref next;

    memset(&nobody, 0, sizeof(nobody));
    asker->asked++;
    asker->client = *turn->sender;
    if (ask->depth > 0) {
        next = kan_ref_number("asker", kan_ref_to_number(turn->self) + 1);
        asker->waits = true;
        KAN_CALL(turn, &next, ask, .depth = ask->depth - 1);
    } else if (ask->to.text[0]) {
        asker->waits = true;
        kan_timer_set(turn, 0, 100);
        KAN_CALL(turn, &ask->to, ask, .to = ask->then, .then = nobody);
    } else {
        KAN_REPLY(turn, number, .value = 1);
    }
}

static void asker_answer(kan_turn *turn, struct asker *asker)
{
    asker->waits = false;
    if (asker->client.text[0])
        KAN_SEND(turn, &asker->client, number, .value = asker->busy);
    memset(&asker->client, 0, sizeof(asker->client));
}

static void on_answer(kan_turn *turn, void *state, const void *message)
{
    struct asker *asker = state;

    (void)message;
    asker->answered++;
    asker_answer(turn, asker);
}

static void on_failed(kan_turn *turn, void *state, const void *message)
{
    struct asker *asker = state;
    const struct kan_failed *failed = message;

    if (failed->err == KAN_BUSY)
        asker->busy++;
    if (failed->err == KAN_INVALID)
        asker->invalid++;
    asker_answer(turn, asker);
}

static void on_poke(kan_turn *turn, void *state, const void *message)
{
    struct asker *asker = state;

    (void)message;
    asker->poked++;
    if (asker->waits)
        asker->poked_within++;
    KAN_REPLY(turn, number, .value = asker->poked);
}

static void on_asker_burst(kan_turn *turn, void *state, const void *message)
{
    const struct burst *burst = message;

    (void)state;
    for (uint32_t i = 0; i < burst->count; i++)
        kan_send(turn, &burst->to, &poke_record, NULL);
}

static void on_rang(kan_turn *turn, void *state, const void *message)
{
    struct asker *asker = state;

    (void)turn;
    (void)message;
    asker->rang++;
}

static const struct kan_handler asker_handlers[] = {
    {&ask_record, on_ask},
    {&number_record, on_answer},
    {&kan_failed_record, on_failed},
    {&poke_record, on_poke},
    {&burst_record, on_asker_burst}};
static const struct kan_timer_type asker_timers[] = {{"ring", on_rang}};
static const struct kan_actor_type asker_type = {.name = "asker",
                                                 .state = &asker_record,
                                                 .flags = KAN_ACTOR_SERIAL,
                                                 .mailbox_max = 8,
                                                 KAN_HANDLERS(asker_handlers),
                                                 KAN_TIMERS(asker_timers)};

/* Takes an ask, and never answers. */
static void on_mute(kan_turn *turn, void *state, const void *message)
{
    struct asker *asker = state;

    (void)message;
    asker->client = *turn->sender;
}

static void on_unmute(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    asker_answer(turn, state);
}

static void on_refuse(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_refuse(turn, "never");
}

static const struct kan_handler mute_handlers[] = {{&ask_record, on_mute},
                                                   {&poke_record, on_unmute}};
static const struct kan_actor_type mute_type = {
    .name = "mute", .state = &asker_record, KAN_HANDLERS(mute_handlers)};
static const struct kan_handler rude_handlers[] = {{&ask_record, on_refuse}};
static const struct kan_actor_type rude_type = {
    .name = "rude", .state = &asker_record, KAN_HANDLERS(rude_handlers)};

/* --- clocks --------------------------------------------------------------- */

static void on_arm(kan_turn *turn, void *state, const void *message)
{
    const struct arm *arm = message;

    (void)state;
    kan_timer_set(turn, 0, arm->after_ms);
}

static void on_disarm(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_timer_clear(turn, 0);
}

static void on_fuse(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_timer_set(turn, 1, 10);
}

static void on_ring(kan_turn *turn, void *state, const void *message)
{
    struct clock *clock = state;

    (void)message;
    clock->rings++;
    clock->at_ms = kan_now(turn);
}

static void on_burn(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_claim(turn, false, "this never holds");
}

static const struct kan_handler clock_handlers[] = {{&arm_record, on_arm},
                                                    {&disarm_record, on_disarm},
                                                    {&fuse_record, on_fuse}};
static const struct kan_timer_type clock_timers[] = {{"ring", on_ring},
                                                     {"burn", on_burn}};
static const struct kan_actor_type clock_type = {.name = "clock",
                                                 .state = &clock_record,
                                                 KAN_HANDLERS(clock_handlers),
                                                 KAN_TIMERS(clock_timers)};

static const struct kan_actor_type *const case_types[] = {
    &counter_type, &cell_type, &line_type, &narrow_type,
    &asker_type,   &mute_type, &rude_type, &clock_type};
const struct kan_module actor_case = {
    KAN_MODULE_ABI, case_types, sizeof(case_types) / sizeof(case_types[0]),
    NULL};

/* --- versions ------------------------------------------------------------- */

struct mark_v2
{
    int64_t value;
    int64_t doubled;
};

static bool mark_upgrade(const void *old, void *new_)
{
    const struct mark *from = old;
    struct mark_v2 *to = new_;

    if (from->value > 500)
        return false;
    to->value = from->value;
    to->doubled = 2 * from->value;
    return true;
}

static const struct kan_upgrade mark_upgrades[] = {
    {&mark_record, mark_upgrade}};
static const struct kan_field mark_v2_fields[] = {
    KAN_INT(mark_v2, value, 0, 1000), KAN_INT(mark_v2, doubled, 0, 2000)};
static const struct kan_record mark_v2_record = {
    "mark", sizeof(struct mark_v2), 2, mark_v2_fields, 2, mark_upgrades, 1};
static const struct kan_record mark_v2_alone = {
    "mark", sizeof(struct mark_v2), 2, mark_v2_fields, 2, NULL, 0};

static void on_set(kan_turn *turn, void *state, const void *message)
{
    struct mark *mark = state;
    const struct add *add = message;

    mark->value += add->amount;
    KAN_REPLY(turn, total, .value = mark->value);
}

static void on_set_v2(kan_turn *turn, void *state, const void *message)
{
    struct mark_v2 *mark = state;
    const struct add *add = message;

    mark->value += add->amount;
    KAN_REPLY(turn, total, .value = mark->doubled);
}

static const struct kan_handler mark_handlers[] = {{&add_record, on_set}};
static const struct kan_handler mark_v2_handlers[] = {{&add_record, on_set_v2}};
#define MARK_MODULE(which, table, handler_table)                         \
    static const struct kan_actor_type which##_type = {                  \
        .name = "mark", .state = &(table), KAN_HANDLERS(handler_table)}; \
    static const struct kan_actor_type *const which##_types[] = {        \
        &which##_type};                                                  \
    const struct kan_module actor_case_##which = {KAN_MODULE_ABI,        \
                                                  which##_types, 1, NULL}

MARK_MODULE(v1, mark_record, mark_handlers);
MARK_MODULE(v2, mark_v2_record, mark_v2_handlers);
MARK_MODULE(v2_alone, mark_v2_alone, mark_v2_handlers);
