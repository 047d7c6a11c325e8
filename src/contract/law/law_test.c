/* Laws, pairs of steps and sagas of bank.kan, as they are and with mistakes
 * that must be found; and what a walk does with its budget. */

#include "contract/law/law_case.h"
#include "contract/law/law_space.h"

enum
{
    STEPS_MAX = 16,
    LAWS_MAX = 8
};

static const struct law_budget small = {.states_max = 2000};

/* --- laws ----------------------------------------------------------------- */

static void check_laws(struct contract *contract, struct law_result *results)
{
    struct law_walk walk;

    assert_true(law_count(contract, 0, 0) <= LAWS_MAX);
    assert_int_equal(law_check(contract, 0, 0, &small, results, &walk), KAN_OK);
    assert_true(walk.states > 1);
}

static void end_laws(struct contract *contract, struct law_result *results)
{
    uint32_t count = law_count(contract, 0, 0);

    for (uint32_t i = 0; i < count; i++)
        law_result_fini(&results[i]);
    contract_unref(contract);
    assert_int_equal(mem_live(), 0);
}

static void laws_of_the_bank_hold(void **state)
{
    struct contract *contract = case_load(bank_text, NULL, NULL);
    struct law_result results[LAWS_MAX];

    (void)state;
    check_laws(contract, results);
    assert_int_equal(law_count(contract, 0, 0), 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(results[i].verdict, LAW_HOLDS);
        assert_true(results[i].checked > 0);
        assert_int_equal(results[i].run.count, 0);
    }
    assert_true(slice_starts(law_text(contract, 0, 0, 3),
                             SLICE("law freeze; unfreeze")));
    assert_int_equal(law_text(contract, 0, 0, 4).size, 0);
    end_laws(contract, results);
}

static void false_law_is_found_with_a_shortest_run(void **state)
{
    struct contract *contract =
        case_load(bank_text, "law hold(a); release(a)      ~  nothing",
                  "law hold(a); settle(a) ~ nothing");
    struct law_result results[LAWS_MAX];
    struct buffer text = BUFFER_INIT;

    (void)state;
    check_laws(contract, results);
    const struct program *program = contract_program(contract, 0, 0);
    assert_int_equal(results[2].verdict, LAW_FAILS);
    assert_int_equal(results[2].at, 2);
    case_run_is(program, &results[2].run, "open deposit hold settle");
    assert_int_equal(results[2].other.count, 0);
    assert_int_equal(results[2].other.first, 2);
    assert_int_equal(results[0].verdict, LAW_HOLDS);
    law_run_print(program, &results[2].run, &text);
    assert_string_equal(
        buffer_text(&text),
        "  1  open(name: \"a\")                    owner: \"\" -> \"a\", "
        "status: "
        "unopened -> open\n"
        "  2  deposit(amount: 1)                 balance: 0 -> 1\n"
        "  3  hold(amount: 1)                    balance: 1 -> 0, held: 0 -> "
        "1\n"
        "  4  settle(amount: 1)                  held: 1 -> 0\n");
    buffer_clear(&text);
    law_run_json(program, &results[2].other, &text);
    assert_string_equal(buffer_text(&text), "[]");
    buffer_fini(&text);
    end_laws(contract, results);
}

static void law_that_nothing_can_run_is_vacuous(void **state)
{
    struct contract *contract =
        case_load(bank_text, "law freeze; unfreeze         ~  nothing",
                  "law freeze; freeze ~ nothing");
    struct law_result results[LAWS_MAX];
    struct law_walk walk;

    (void)state;
    assert_int_equal(law_check(contract, 0, 0, NULL, results, &walk), KAN_OK);
    assert_int_equal(results[3].verdict, LAW_VACUOUS);
    assert_int_equal(results[3].checked, 0);
    end_laws(contract, results);
}

/* The first law of a type, within the budget. */
static void check_first(const char *text, const struct law_budget *budget,
                        enum law_verdict verdict, const char *steps)
{
    struct contract *contract = case_load(text, NULL, NULL);
    struct law_result results[LAWS_MAX];
    struct law_walk walk;

    assert_int_equal(law_check(contract, 0, 0, budget, results, &walk), KAN_OK);
    assert_int_equal(results[0].verdict, verdict);
    if (steps)
        case_run_is(contract_program(contract, 0, 0), &results[0].run, steps);
    end_laws(contract, results);
}

/* A card that is full after a hundred stamps, or a thousand, or a million. */
#define CARD(n)                         \
    "type card {\n stamps: int(0 .. " n \
    ") = 0\n"                           \
    " step stamp when stamps < " n      \
    " { stamps += 1 }\n"                \
    " step cash when stamps == " n      \
    " { stamps = 0 }\n"                 \
    " step void { stamps = 0 }\n law cash; void ~ cash\n}\n"

static void law_is_met_however_deep_it_is(void **state)
{
    const struct law_budget few = {.states_max = 100};

    (void)state;
    check_first(CARD("100"), NULL, LAW_HOLDS, NULL);
    check_first(CARD("1_000"), &few, LAW_HOLDS, NULL);
    check_first(
        "type far {\n n: int(0 .. 1_000) = 0\n flag: bool\n"
        " step up when n < 1_000 { n += 1 }\n"
        " step odd { if n == 700 { flag = true } }\n"
        " law odd ~ nothing\n}\n",
        NULL, LAW_FAILS, "up*700 odd");
}

static void law_that_was_not_met_is_unknown(void **state)
{
    const struct law_budget shallow = {.depth_max = 1};

    (void)state;
    check_first(CARD("1_000_000"), NULL, LAW_UNKNOWN, NULL);
    check_first(
        "type door {\n open: bool\n seen: bool\n"
        " step see { seen = true }\n"
        " step open when seen { open = true }\n"
        " step shut when open { open = false }\n"
        " law shut; open ~ nothing\n}\n",
        &shallow, LAW_UNKNOWN, NULL);
}

static void texts_that_are_compared_are_tried(void **state)
{
    (void)state;
    check_first(
        "type tx {\n t: text(10)\n f: bool\n"
        " step put(v: text(10)) { t = v; if v == \"magic\" { f = true "
        "} }\n"
        " step clear { f = false; t = \"\" }\n"
        " law clear; put(v); put(w) ~ clear; put(w)\n}\n",
        NULL, LAW_FAILS, "clear put put");
}

/* With == a deposit that fits in one order only is a difference: that is where
 * the balance meets its bound, a thousand deposits away. */
static void exact_law_compares_refusals_too(void **state)
{
    struct contract *contract = case_load(
        bank_text, "law deposit(a); deposit(b)   ~  deposit(b); deposit(a)",
        "law deposit(a); withdraw(b) == withdraw(b); deposit(a)");
    struct law_result results[LAWS_MAX];

    (void)state;
    check_laws(contract, results);
    assert_int_equal(results[0].verdict, LAW_FAILS);
    case_run_is(contract_program(contract, 0, 0), &results[0].run,
                "open deposit withdraw");
    case_run_is(contract_program(contract, 0, 0), &results[0].other,
                "withdraw!");
    end_laws(contract, results);
}

static void both_runs_of_a_law_see_the_same_time(void **state)
{
    struct contract *contract = case_load(
        "type note {\n last: int = 0\n count: int(0 .. 9) = 0\n"
        " step touch { last = now; count += 1 }\n"
        " step look { last = now }\n"
        " law touch; look ~ look; touch\n law touch ~ nothing\n}\n",
        NULL, NULL);
    struct law_result results[LAWS_MAX];

    (void)state;
    check_laws(contract, results);
    assert_int_equal(results[0].verdict, LAW_HOLDS);
    assert_int_equal(results[1].verdict, LAW_FAILS);
    assert_int_equal(results[1].at, 0);
    end_laws(contract, results);
}

/* A guard that waits for a day to pass is met: walks let time go by. */
static void time_goes_by(void **state)
{
    struct contract *contract = case_load(
        "type lease {\n until: int = 0\n over: bool = false\n"
        " step begin when until == 0 { until = now + 86_400_000 }\n"
        " step end when until > 0 and now > until { over = true }\n"
        " law begin; end ~ begin; end\n}\n",
        NULL, NULL);
    struct law_pair pairs[4];
    struct law_step steps[2];
    struct law_walk walk;

    (void)state;
    assert_int_equal(law_pairs(contract, 0, 0, &small, pairs, steps, &walk),
                     KAN_OK);
    assert_false(steps[0].never);
    assert_false(steps[1].never);
    contract_unref(contract);
}

/* --- pairs of steps ------------------------------------------------------- */

struct table
{
    struct contract *contract;
    const struct program *program;
    struct law_pair pairs[STEPS_MAX * STEPS_MAX];
    struct law_step steps[STEPS_MAX];
    struct law_walk walk;
};

static void table_init(struct table *table, const char *part, const char *other)
{
    table->contract = case_load(bank_text, part, other);
    table->program = contract_program(table->contract, 0, 0);
    assert_int_equal(law_pairs(table->contract, 0, 0, &small, table->pairs,
                               table->steps, &table->walk),
                     KAN_OK);
}

static uint32_t step_of(const struct table *table, const char *name)
{
    int32_t step = program_step_find(table->program, kan_text(name));

    assert_true(step >= 0);
    return (uint32_t)step;
}

static const struct law_pair *pair_of(const struct table *table,
                                      const char *first, const char *second)
{
    return &table->pairs[step_of(table, first) *
                             program_step_count(table->program) +
                         step_of(table, second)];
}

static void table_of_the_bank_is_as_by_hand(void **state)
{
    struct table table;
    const struct law_pair *pair;

    (void)state;
    table_init(&table, NULL, NULL);
    /* Two deposits end in one place, but near the bound one shuts out the
     * other. */
    pair = pair_of(&table, "deposit", "deposit");
    assert_true(pair->meets && pair->fits && !pair->commutes);
    assert_true(pair->disables && pair->breaks);
    /* Without money, a withdrawal needs the deposit first. */
    pair = pair_of(&table, "deposit", "withdraw");
    assert_true(pair->meets && pair->fits && !pair->commutes);
    assert_false(pair->disables);
    /* Releasing moves money within the account: nobody notices. */
    pair = pair_of(&table, "deposit", "release");
    assert_true(pair->meets && pair->commutes);
    /* Settling makes room. */
    assert_false(pair_of(&table, "deposit", "settle")->commutes);
    assert_true(pair_of(&table, "withdraw", "settle")->commutes);
    /* A frozen account takes nothing in; what is held is let go all the same.
     */
    assert_true(pair_of(&table, "freeze", "deposit")->disables);
    assert_false(pair_of(&table, "freeze", "deposit")->meets);
    assert_false(pair_of(&table, "freeze", "release")->disables);
    assert_true(pair_of(&table, "release", "settle")->disables);
    for (uint32_t i = 0; i < program_step_count(table.program); i++) {
        assert_false(table.steps[i].never);
        assert_false(table.steps[i].stable);
    }
    assert_true(slice_equal(table.steps[step_of(&table, "deposit")].invariant,
                            SLICE("fits")));
    assert_int_equal(table.steps[step_of(&table, "settle")].invariant.size, 0);
    contract_unref(table.contract);
}

static void step_that_no_state_takes_is_told(void **state)
{
    struct table table;

    (void)state;
    table_init(&table, "step freeze   when status == open",
               "step thaw when status == closed and balance > 0 { }\n"
               "step rename(name: text(80)) { owner = name }\n"
               "step freeze   when status == open");
    assert_true(table.steps[step_of(&table, "thaw")].never);
    assert_false(table.steps[step_of(&table, "thaw")].stable);
    assert_true(table.steps[step_of(&table, "rename")].stable);
    assert_false(pair_of(&table, "rename", "rename")->commutes);
    contract_unref(table.contract);
}

/* The time goes with its call: two of them do not commute. */
static void calls_keep_their_time(void **state)
{
    struct contract *contract = case_load(
        "type note {\n last: int = 0\n seen: bool = false\n"
        " step touch { last = now }\n step see { seen = true }\n}\n",
        NULL, NULL);
    struct law_pair pairs[4];
    struct law_step steps[2];
    struct law_walk walk;

    (void)state;
    assert_int_equal(law_pairs(contract, 0, 0, &small, pairs, steps, &walk),
                     KAN_OK);
    assert_false(pairs[0].commutes);
    assert_true(pairs[1].commutes);
    assert_true(pairs[3].commutes);
    assert_true(steps[0].stable && steps[1].stable);
    contract_unref(contract);
}

/* One step, called add, can shut itself out: is it seen? */
static void check_unstable(const char *text)
{
    struct contract *contract = case_load(text, NULL, NULL);
    struct law_pair pairs[STEPS_MAX * STEPS_MAX];
    struct law_step steps[STEPS_MAX];
    struct law_walk walk;

    assert_int_equal(law_pairs(contract, 0, 0, NULL, pairs, steps, &walk),
                     KAN_OK);
    assert_false(steps[0].stable);
    assert_true(pairs[0].disables && pairs[0].fits && !pairs[0].commutes);
    assert_false(walk.complete);
    contract_unref(contract);
}

static void bounds_are_met_wherever_they_are(void **state)
{
    (void)state;
    check_unstable(
        "type wal {\n n: int(0 .. 1_000) = 0\n"
        " step add(by: int(1 .. 10)) { n += by }\n}\n");
    check_unstable(
        "type wallet {\n n: int(0 .. 1_000_000_000) = 0\n"
        " step add(by: int(1 .. 10_000_000)) { n += by }\n}\n");
    check_unstable(
        "type guests {\n names: set(text(20), 5)\n"
        " step add(name: text(20)) { names += name }\n}\n");
    check_unstable(
        "type days {\n of: set(int(1 .. 365), 200)\n"
        " step add(day: int(1 .. 365)) { of += day }\n}\n");
    check_unstable(
        "type tally {\n of: map(text(8), int, 40)\n"
        " step add(name: text(8)) { of[name] = 1 }\n}\n");
}

/* --- sagas ---------------------------------------------------------------- */

static void check_saga(const char *part, const char *other,
                       enum law_verdict verdict, const char *steps)
{
    struct contract *contract = case_load(bank_text, part, other);
    struct law_saga result;

    assert_int_equal(law_saga_check(contract, 0, &small, &result), KAN_OK);
    assert_int_equal(result.verdict, verdict);
    if (steps) {
        case_run_is(contract_program(contract, result.type, 0), &result.run,
                    steps);
        assert_true(result.run.steps[result.run.count - 1].ours);
        assert_int_equal(result.run.steps[result.run.count - 1].undo,
                         result.undo);
        assert_true(result.values.size > 0);
    }
    law_saga_fini(&result);
    contract_unref(contract);
    assert_int_equal(mem_live(), 0);
}

static void transfer_holds(void **state)
{
    (void)state;
    check_saga(NULL, NULL, LAW_HOLDS, NULL);
}

static void undo_that_a_freeze_refuses_is_found(void **state)
{
    (void)state;
    check_saga(
        "from.hold(amount)    undo from.release(amount)\n"
        "    to.deposit(amount)\n"
        "    then from.settle(amount)\n",
        "from.withdraw(amount) undo from.deposit(amount)\n"
        "    to.deposit(amount)\n",
        LAW_FAILS, "open deposit withdraw freeze deposit!");
}

/* Without a freeze it takes a full account, a thousand deposits away. */
static void undo_that_a_bound_refuses_is_found(void **state)
{
    static const char text[] =
        "type box {\n n: int(0 .. 1_000_000_000) = 0\n"
        " step add(k: int(1 .. 1_000_000)) { n += k }\n"
        " step take(k: int(1 .. 1_000_000)) { n -= k }\n}\n"
        "saga move(from: box, to: box, k: int(1 .. 1_000_000)) {\n"
        " from.take(k) undo from.add(k)\n to.add(k)\n}\n";
    struct contract *contract = case_load(text, NULL, NULL);
    struct law_saga result;

    (void)state;
    assert_int_equal(law_saga_check(contract, 0, &small, &result), KAN_OK);
    assert_int_equal(result.verdict, LAW_FAILS);
    assert_true(result.undo);
    assert_true(result.run.count <= 5);
    law_saga_fini(&result);
    contract_unref(contract);
}

/* Two steps behind the pivot: the second is undone by what others do. */
static void step_behind_the_pivot_is_looked_at(void **state)
{
    (void)state;
    check_saga("    then from.settle(amount)\n",
               "    then from.settle(amount)\n    then from.freeze()\n",
               LAW_FAILS, NULL);
}

/* A release that takes any amount is refused when another saga's release went
 * before it and took all. */
static void other_sagas_get_in_the_way(void **state)
{
    (void)state;
    check_saga(
        "balance += amount\n    }\n"
        "    internal step settle",
        "balance += amount\n        held = 0\n    }\n"
        "    internal step settle",
        LAW_FAILS, "open deposit hold hold release release!");
}

/* What anybody's step compares with is tried. */
static void seizures_are_found(void **state)
{
    (void)state;
    check_saga("    step close ",
               "    step seize(code: text(20)) when code == \"court\" { held = "
               "0 }\n    step close ",
               LAW_FAILS, "open deposit hold seize release!");
    check_saga(
        "    step close ",
        "    step seize(code: int(0 .. 9_999)) when code == 1_234 { held "
        "= 0 }\n    step close ",
        LAW_FAILS, "open deposit hold seize release!");
    check_saga("    step close ",
               "    step seize(by: nobody | bank | court) when by == court { "
               "held = 0 }\n    step close ",
               LAW_FAILS, "open deposit hold seize release!");
}

static void check_text_fails(const char *text, uint32_t saga, const char *steps)
{
    struct contract *contract = case_load(text, NULL, NULL);
    struct law_saga result;
    struct buffer json = BUFFER_INIT;

    assert_int_equal(law_saga_check(contract, saga, NULL, &result), KAN_OK);
    assert_int_equal(result.verdict, LAW_FAILS);
    const struct program *program = contract_program(contract, result.type, 0);
    case_run_is(program, &result.run, steps);
    law_run_json(program, &result.run, &json);
    law_run_print(program, &result.run, &json);
    assert_false(buffer_failed(&json));
    buffer_fini(&json);
    law_saga_fini(&result);
    contract_unref(contract);
}

/* Who is called from a list is not back on it when others fill it up. */
static void sets_that_others_fill_are_found(void **state)
{
    (void)state;
    check_text_fails(
        "type list {\n waiting: set(text(20), 5)\n called: set(text(20), 5)\n"
        " step join(name: text(20)) when not (name in waiting) {\n"
        "  waiting += name\n }\n"
        " internal step call(name: text(20)) when name in waiting and\n"
        "  not (name in called) { waiting -= name; called += name }\n"
        " internal step put_back(name: text(20)) when name in called {\n"
        "  called -= name; waiting += name\n }\n"
        " internal step done(name: text(20)) when name in called {\n"
        "  called -= name\n }\n}\n"
        "type desk {\n free: bool = true\n"
        " internal step sit when free { free = false }\n}\n"
        "saga serve(l: list, d: desk, name: text(20)) {\n"
        " l.call(name) undo l.put_back(name)\n d.sit()\n then l.done(name)\n"
        "}\n",
        0, "join call join*5 put_back!");
}

/* A bound that is a thousand small steps away, in few states. */
static void bounds_that_others_meet_are_found(void **state)
{
    (void)state;
    check_text_fails(
        "type seats {\n free: int(0 .. 1_000) = 0\n taken: int(0 .. 1_000) = "
        "0\n"
        " step put { free += 1 }\n"
        " internal step hold when free > 0 { free -= 1; taken += 1 }\n"
        " internal step release when taken > 0 { taken -= 1; free += 1 }\n"
        " internal step settle when taken > 0 { taken -= 1 }\n}\n"
        "saga t(from: seats, to: seats) {\n from.hold() undo from.release()\n"
        " to.put()\n then from.settle()\n}\n",
        0, "put*1000 hold put release!");
}

/* The same when only a saga of one step adds to it. */
static void bounds_that_sagas_meet_are_found(void **state)
{
    (void)state;
    check_text_fails(
        "type acc {\n n: int(0 .. 1_000_000) = 0\n"
        " internal step put(k: int(1 .. 1_000)) { n += k }\n"
        " internal step take(k: int(1 .. 1_000)) { n -= k }\n}\n"
        "saga fill(a: acc, k: int(1 .. 1_000)) {\n a.put(k)\n}\n"
        "saga move(from: acc, to: acc, k: int(1 .. 1_000)) {\n"
        " from.take(k) undo from.put(k)\n to.put(k)\n}\n",
        1, "put take put*1000 put!");
}

/* --- budgets and faults --------------------------------------------------- */

static void small_type_is_walked_whole(void **state)
{
    struct contract *contract = case_load(
        "type door {\n open: bool = false\n step flip { open = not open }\n"
        " law flip; flip ~ nothing\n}\n",
        NULL, NULL);
    struct law_result result;
    struct law_walk walk;

    (void)state;
    assert_int_equal(law_check(contract, 0, 0, NULL, &result, &walk), KAN_OK);
    assert_true(walk.complete);
    assert_int_equal(walk.states, 2);
    assert_int_equal(walk.depth, 1);
    assert_int_equal(result.verdict, LAW_HOLDS);
    assert_int_equal(result.checked, 2);
    law_result_fini(&result);
    contract_unref(contract);
}

/* A text is only ever copied here, and still not all of them were tried. */
static void what_is_sampled_is_not_complete(void **state)
{
    static const char *const texts[] = {
        "type t {\n f: text(9)\n step s(v: text(9)) { f = v }\n}\n",
        "type t {\n f: int\n step s(v: int) { f = v }\n}\n",
        "type t {\n f: set(bool, 2)\n step s(v: set(bool, 2)) { f = v }\n}\n",
        "type t {\n f: int\n step s { f = now }\n}\n",
        "type t {\n f: optional text(32)\n step s { f = id }\n}\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct contract *contract = case_load(texts[i], NULL, NULL);
        struct law_walk walk;
        assert_int_equal(law_check(contract, 0, 0, &small, NULL, &walk),
                         KAN_OK);
        assert_false(walk.complete);
        contract_unref(contract);
    }
}

static bool stop_at_once(void *data)
{
    (*(uint32_t *)data)++;
    return true;
}

static void walk_keeps_to_its_budget(void **state)
{
    struct contract *contract = case_load(bank_text, NULL, NULL);
    struct law_result results[LAWS_MAX];
    struct law_walk walk;
    uint32_t asked = 0;
    const struct law_budget shallow = {.depth_max = 2};
    const struct law_budget tight = {.states_max = 40};
    const struct law_budget short_ = {.bytes_max = 200};
    const struct law_budget none = {.stop = stop_at_once, .data = &asked};

    (void)state;
    assert_int_equal(law_check(contract, 0, 0, &shallow, results, &walk),
                     KAN_OK);
    assert_int_equal(walk.depth, 2);
    assert_false(walk.complete);
    assert_int_equal(law_check(contract, 0, 0, &tight, results, &walk), KAN_OK);
    assert_true(walk.states <= 41);
    assert_false(walk.complete);
    assert_int_equal(law_check(contract, 0, 0, &short_, results, &walk),
                     KAN_OK);
    assert_true(walk.states < 40);
    assert_int_equal(law_check(contract, 0, 0, &none, results, &walk), KAN_OK);
    assert_true(walk.stopped);
    assert_int_equal(asked, 1);
    assert_int_equal(law_check(contract, 0, 9, NULL, results, &walk),
                     KAN_NOTFOUND);
    end_laws(contract, results);
}

static enum kan_err run_all(struct contract *contract)
{
    const struct law_budget tiny = {.states_max = 60};
    struct law_result results[LAWS_MAX];
    struct law_pair pairs[STEPS_MAX * STEPS_MAX];
    struct law_step steps[STEPS_MAX];
    struct law_saga saga;
    struct law_walk walk;
    enum kan_err err = law_check(contract, 0, 0, &tiny, results, &walk);

    for (uint32_t i = 0; err == KAN_OK && i < law_count(contract, 0, 0); i++)
        law_result_fini(&results[i]);
    if (err == KAN_OK)
        err = law_pairs(contract, 0, 0, &tiny, pairs, steps, &walk);
    if (err == KAN_OK)
        err = law_saga_check(contract, 0, &tiny, &saga);
    if (err == KAN_OK)
        law_saga_fini(&saga);
    return err;
}

static void memory_may_run_out_anywhere(void **state)
{
    /* With a law and a saga that fail, so that runs are made too. */
    struct contract *contract = case_load(
        bank_text,
        "law freeze; unfreeze         ~  nothing\n"
        "}\n"
        "saga transfer(from: account, to: account, amount: int(1 .. "
        "1_000_000)) {\n"
        "    require from != to else \"the two accounts are one\"\n"
        "    from.hold(amount)    undo from.release(amount)\n",
        "law freeze ~ nothing\n}\n"
        "saga transfer(from: account, to: account, amount: int(1 .. 9)) {\n"
        "    from.deposit(amount)    undo from.withdraw(amount)\n"
        "    from.hold(amount)    undo from.release(amount)\n");
    int64_t live = mem_live();
    uint64_t nth = 0;
    enum kan_err err;

    (void)state;
    do {
        mem_fault(++nth, false);
        err = run_all(contract);
        assert_true(err == KAN_OK || err == KAN_NOMEM);
        assert_int_equal(mem_live(), live);
    } while (mem_fault_struck());
    mem_fault(0, false);
    assert_int_equal(err, KAN_OK);
    assert_true(nth > 50);
    contract_unref(contract);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laws_of_the_bank_hold),
        cmocka_unit_test(false_law_is_found_with_a_shortest_run),
        cmocka_unit_test(law_that_nothing_can_run_is_vacuous),
        cmocka_unit_test(law_is_met_however_deep_it_is),
        cmocka_unit_test(law_that_was_not_met_is_unknown),
        cmocka_unit_test(texts_that_are_compared_are_tried),
        cmocka_unit_test(exact_law_compares_refusals_too),
        cmocka_unit_test(both_runs_of_a_law_see_the_same_time),
        cmocka_unit_test(time_goes_by),
        cmocka_unit_test(table_of_the_bank_is_as_by_hand),
        cmocka_unit_test(step_that_no_state_takes_is_told),
        cmocka_unit_test(calls_keep_their_time),
        cmocka_unit_test(bounds_are_met_wherever_they_are),
        cmocka_unit_test(transfer_holds),
        cmocka_unit_test(undo_that_a_freeze_refuses_is_found),
        cmocka_unit_test(undo_that_a_bound_refuses_is_found),
        cmocka_unit_test(step_behind_the_pivot_is_looked_at),
        cmocka_unit_test(other_sagas_get_in_the_way),
        cmocka_unit_test(seizures_are_found),
        cmocka_unit_test(sets_that_others_fill_are_found),
        cmocka_unit_test(bounds_that_others_meet_are_found),
        cmocka_unit_test(bounds_that_sagas_meet_are_found),
        cmocka_unit_test(small_type_is_walked_whole),
        cmocka_unit_test(what_is_sampled_is_not_complete),
        cmocka_unit_test(walk_keeps_to_its_budget),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
