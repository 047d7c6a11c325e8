/* Whole contracts: what loads and what does not, versions and the ways between
 * them, and sagas. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "contract/contract.h"

enum
{
    BYTES_MAX = 1 << 16
};

static struct contract *contract;
static struct buffer text;
static const struct program_input input = {.now_ms = 7, .id = "0123"};
static struct program_refusal refusal;
static int64_t before[BYTES_MAX / 8];
static int64_t after[BYTES_MAX / 8];

static void loads(const char *source)
{
    buffer_clear(&text);
    if (contract_load(SLICE("test.kan"), kan_text(source), &contract, &text) !=
        KAN_OK)
        fail_msg("%s", buffer_text(&text));
    assert_int_equal(text.size, 0);
}

static void ends(void)
{
    contract = contract_unref(contract);
    buffer_fini(&text);
}

static void fails(const char *source, const char *faults)
{
    int64_t live = mem_live();

    buffer_clear(&text);
    assert_int_equal(
        contract_load(SLICE("test.kan"), kan_text(source), &contract, &text),
        KAN_INVALID);
    if (!strstr(buffer_text(&text), faults))
        fail_msg("%s", buffer_text(&text));
    buffer_fini(&text);
    assert_int_equal(mem_live(), live);
}

static void json_read(const struct program *program, uint32_t type,
                      const char *json, void *value)
{
    struct json_tree tree = {0};
    struct buffer why = BUFFER_INIT;

    assert_int_equal(json_parse(kan_text(json), NULL, &tree), KAN_OK);
    memset(value, 0, program_type(program, type)->size);
    if (program_read_json(program, type, &tree, tree.nodes, value, &why) !=
        KAN_OK)
        fail_msg("%s", buffer_text(&why));
    buffer_fini(&why);
    json_fini(&tree);
}

static const char *json_of(const struct program *program, uint32_t type,
                           const void *value)
{
    buffer_clear(&text);
    program_json(program, type, value, &text);
    return buffer_text(&text);
}

/* --- loading -------------------------------------------------------------- */

/* Half a file, or an empty one, is no contract. */
static void a_text_without_a_type_is_a_fault(void **state)
{
    static const char *const texts[] = {"", "\n\n", "# lost\n",
                                        "record r { x: bool }\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        fails(texts[i], "test.kan:1:1: there is no type in this text\n");
}

static const char transfer[] =
    "type account {\n"
    "    balance: int(0 .. 1000) = 0\n"
    "    held: int(0 .. 1000) = 0\n"
    "    step deposit(amount: int(1 .. 100)) { balance += amount }\n"
    "    internal step hold(amount: int(1 .. 100)) { balance -= amount\n held "
    "+= amount }\n"
    "    internal step release(amount: int(1 .. 100)) when amount <= held { "
    "held -= amount\n balance += amount }\n"
    "    internal step settle(amount: int(1 .. 100)) when amount <= held { "
    "held -= amount }\n"
    "}\n"
    "saga transfer(from: account, to: account, amount: int(1 .. 100)) {\n"
    "    require from != to else \"the two accounts are one\"\n"
    "    from.hold(amount) undo from.release(amount)\n"
    "    to.deposit(amount)\n"
    "    then from.settle(amount)\n"
    "}\n";

static void sagas_are_laid_out(void **state)
{
    struct contract_saga saga;
    struct contract_saga_call call;
    struct kan_slice why;
    int64_t amount = 0;

    (void)state;
    loads(transfer);
    assert_int_equal(contract_saga_find(contract, SLICE("transfer")), 0);
    saga = contract_saga(contract, 0);
    assert_int_equal(saga.step_count, 3);
    assert_int_equal(saga.pivot, 1);
    assert_int_equal(program_step_count(saga.values), 0);
    json_read(saga.values, saga.parameters,
              "{\"from\":\"ann\",\"to\":\"bob\",\"amount\":5}", before);
    assert_int_equal(contract_saga_requires(contract, 0, before, &why), KAN_OK);
    call = contract_saga_do(contract, 0, 0);
    assert_int_equal(call.type, 0);
    assert_int_equal(call.parameter, 0);
    assert_int_equal(call.step, 1);
    call = contract_saga_do(contract, 0, 1);
    assert_int_equal(call.parameter, 1);
    assert_int_equal(call.step, 0);
    assert_true(contract_saga_undo(contract, 0, 0, &call));
    assert_int_equal(call.step, 2);
    assert_false(contract_saga_undo(contract, 0, 1, &call));
    assert_int_equal(
        contract_saga_arguments(contract, 0, 0, true, before, &amount, NULL),
        KAN_OK);
    assert_int_equal(amount, 5);
    json_read(saga.values, saga.parameters,
              "{\"from\":\"ann\",\"to\":\"ann\",\"amount\":5}", before);
    assert_int_equal(contract_saga_requires(contract, 0, before, &why),
                     KAN_CONFLICT);
    assert_true(slice_equal(why, SLICE("the two accounts are one")));
    ends();
}

/* --- versions ------------------------------------------------------------- */

static const char cart[] =
    "type cart version 1 {\n"
    "    lines: map(text(40), int(1 .. 99), 50)\n"
    "    paid:  bool = false\n"
    "    step pay when not paid { paid = true }\n"
    "}\n"
    "type cart version 2 {\n"
    "    lines:  map(text(40), int(1 .. 99), 50)\n"
    "    stage:  filling | paid | shipped\n"
    "    coupon: optional text(20) = none\n"
    "    step pay when stage == filling { stage = paid }\n"
    "}\n"
    "upgrade cart 1 -> 2 {\n"
    "    up   { stage = if old.paid then paid else filling }\n"
    "    down { paid = old.stage != filling }\n"
    "}\n";

static void versions_follow_each_other(void **state)
{
    const struct program *old;
    const struct program *new_;

    (void)state;
    loads(cart);
    assert_int_equal(contract_type_count(contract), 1);
    assert_int_equal(contract_oldest(contract, 0), 1);
    assert_int_equal(contract_newest(contract, 0), 2);
    old = contract_program(contract, 0, 1);
    new_ = contract_program(contract, 0, 0);
    assert_int_equal(program_version(old), 1);
    assert_int_equal(program_version(new_), 2);
    assert_null(contract_program(contract, 0, 3));
    assert_true(contract_has_up(contract, 0, 1));
    assert_true(contract_has_down(contract, 0, 1));
    assert_false(contract_has_up(contract, 0, 2));
    json_read(old, 0, "{\"lines\":{\"pear\":2,\"apple\":3},\"paid\":true}",
              before);
    assert_int_equal(
        contract_up(contract, 0, 1, before, &input, after, &refusal), KAN_OK);
    assert_string_equal(
        json_of(new_, 0, after),
        "{\"lines\":{\"apple\":3,\"pear\":2},\"stage\":\"paid\","
        "\"coupon\":null}");
    json_read(new_, 0,
              "{\"lines\":{\"fig\":1},\"stage\":\"shipped\",\"coupon\":\"x\"}",
              before);
    assert_int_equal(
        contract_down(contract, 0, 1, before, &input, after, &refusal), KAN_OK);
    assert_string_equal(json_of(old, 0, after),
                        "{\"lines\":{\"fig\":1},\"paid\":true}");
    assert_int_equal(
        contract_up(contract, 0, 2, before, &input, after, &refusal),
        KAN_NOTFOUND);
    ends();
}

static void a_start_outside_is_a_fault(void **state)
{
    (void)state;
    fails(
        "type t {\n"
        "    a: int(0 .. 9) = 1\n"
        "    invariant nought: a == 0\n"
        "}\n",
        "test.kan:3:23: the starting state breaks the invariant nought");
    fails("type t { a: int(0 .. 9) = }", "test.kan:1:27");
}

static void faults_are_printed(void **state)
{
    (void)state;
    fails("type t { a: int(0 .. 9) = }", "test.kan:1:27");
    fails("type t version 1 { }\ntype t version 3 { }\n", "version");
    fails("type t { a: set(text(4096), 4096) }", "test.kan:1:6: ");
    assert_int_equal(contract_load(SLICE("x"), SLICE("type"), &contract, NULL),
                     KAN_INVALID);
    assert_null(contract);
}

static void references_are_counted(void **state)
{
    int64_t live = mem_live();
    struct contract *same;

    (void)state;
    loads(transfer);
    same = contract_ref(contract);
    assert_ptr_equal(same, contract);
    assert_null(contract_unref(contract));
    assert_int_equal(contract_type_count(same), 1);
    assert_true(slice_equal(contract_type_name(same, 0), SLICE("account")));
    assert_non_null(contract_tree(same));
    contract = same;
    ends();
    assert_null(contract_unref(NULL));
    assert_int_equal(mem_live(), live);
}

/* What is copied is what fits; names of an enum are found again by name, and a
 * set of them sorted anew. */
static void fields_are_carried_over(void **state)
{
    const struct program *old;
    const struct program *new_;

    (void)state;
    loads(
        "record point { x: int\n y: int = 2 }\n"
        "type t version 1 {\n"
        "    n: int(0 .. 9) = 3\n"
        "    w: text(4) = \"w\"\n"
        "    s: a | b | c\n"
        "    e: set(a | b | c, 3)\n"
        "    m: map(text(3), int(0 .. 5), 2)\n"
        "    o: optional int(0 .. 9) = none\n"
        "    p: point\n"
        "    gone: bool\n"
        "    lost: int = 5\n"
        "}\n"
        "type t version 2 {\n"
        "    p: point\n"
        "    o: optional int(0 .. 99) = 7\n"
        "    m: map(text(9), int(-5 .. 5), 4)\n"
        "    e: set(d | c | b | a, 4)\n"
        "    s: d | c | b | a\n"
        "    w: text(9)\n"
        "    n: int\n"
        "    lost: text(3) = \"new\"\n"
        "}\n"
        "upgrade t 1 -> 2 { up { if old.gone { n = old.n + old.lost }; lost = "
        "if old.lost == 6 then \"six\" else \"new\" } }\n");
    old = contract_program(contract, 0, 1);
    new_ = contract_program(contract, 0, 2);
    assert_false(contract_has_down(contract, 0, 1));
    json_read(old, 0,
              "{\"n\":4,\"w\":\"four\",\"s\":\"b\",\"e\":[\"a\",\"c\"],\"m\":{"
              "\"abc\":5,\"b\":0},\"o\":null,\"p\":{\"x\":1,\"y\":1},\"gone\":"
              "true,\"lost\":6}",
              before);
    assert_int_equal(
        contract_up(contract, 0, 1, before, &input, after, &refusal), KAN_OK);
    assert_true(program_valid(new_, 0, after));
    assert_string_equal(
        json_of(new_, 0, after),
        "{\"p\":{\"x\":1,\"y\":1},\"o\":null,\"m\":{\"abc\":5,\"b\":0},\"e\":["
        "\"c\",\"a\"],\"s\":\"b\",\"w\":\"four\",\"n\":10,\"lost\":\"six\"}");
    assert_int_equal(
        contract_down(contract, 0, 1, after, &input, before, &refusal),
        KAN_NOTFOUND);
    ends();
}

static void carrying_may_be_refused(void **state)
{
    const struct program *new_;
    struct program_hash hash;
    struct program_hash other;

    (void)state;
    loads(
        "type t { n: int\n k: int }\n"
        "type t version 2 {\n"
        "    n: int(0 .. 9) = 0\n"
        "    k: int\n"
        "    invariant less: k <= n\n"
        "    step go { n = 1 }\n"
        "}\n"
        "upgrade t 1 -> 2 { up { n = old.n }\n down { n = 10 / old.n"
        " } }\n");
    new_ = contract_program(contract, 0, 2);
    json_read(contract_program(contract, 0, 1), 0, "{\"n\":10,\"k\":0}",
              before);
    assert_int_equal(
        contract_up(contract, 0, 1, before, &input, after, &refusal),
        KAN_CONFLICT);
    assert_int_equal(refusal.kind, PROGRAM_BOUND);
    assert_true(slice_equal(refusal.name, SLICE("n")));
    assert_int_equal(refusal.value, 10);
    buffer_clear(&text);
    program_refusal_values(new_, &refusal, 0, after, NULL, &text);
    assert_string_equal(buffer_text(&text), "{}");
    json_read(contract_program(contract, 0, 1), 0, "{\"n\":3,\"k\":4}", before);
    assert_int_equal(
        contract_up(contract, 0, 1, before, &input, after, &refusal),
        KAN_CONFLICT);
    assert_int_equal(refusal.kind, PROGRAM_INVARIANT);
    assert_true(slice_equal(refusal.name, SLICE("less")));
    buffer_clear(&text);
    program_refusal_values(new_, &refusal, 0, after, NULL, &text);
    assert_string_equal(buffer_text(&text), "{\"k\":4,\"n\":3}");
    json_read(new_, 0, "{\"n\":1,\"k\":0}", before);
    assert_int_equal(
        contract_down(contract, 0, 1, before, &input, after, &refusal), KAN_OK);
    assert_string_equal(json_of(contract_program(contract, 0, 1), 0, after),
                        "{\"n\":10,\"k\":0}");
    hash = contract_upgrade_hash(contract, 0, 1);
    ends();
    loads(
        "type t { n: int\n k: int }\n"
        "type t version 2 { n: int(0 .. 9) = 0\n k: int }\n"
        "upgrade t 1 -> 2 { up { n = old.n + 1 } }\n");
    other = contract_upgrade_hash(contract, 0, 1);
    assert_memory_not_equal(&hash, &other, sizeof hash);
    ends();
}

static void saga_arguments_are_bounded(void **state)
{
    struct contract_saga saga;
    struct buffer why = BUFFER_INIT;
    int64_t amount = 0;

    (void)state;
    loads(
        "type a {\n"
        "    n: int\n"
        "    step add(by: int(1 .. 5), twice: bool = true) { n += by }\n"
        "    step named(who: text(3)) { n = size(who) }\n"
        "}\n"
        "saga s(x: a, by: int, who: text(9)) {\n"
        "    require by != 13 else \"unlucky\"\n"
        "    x.add(by, true) undo x.add(1, false)\n"
        "    x.named(who)\n"
        "}\n");
    saga = contract_saga(contract, 0);
    json_read(saga.values, saga.parameters,
              "{\"x\":\"i\",\"by\":6,\"who\":\"four\"}", before);
    assert_int_equal(
        contract_saga_arguments(contract, 0, 0, false, before, after, &why),
        KAN_INVALID);
    assert_string_equal(buffer_text(&why),
                        "x.add: by would be 6, which is not in 1 .. 5");
    buffer_clear(&why);
    assert_int_equal(
        contract_saga_arguments(contract, 0, 1, false, before, after, &why),
        KAN_INVALID);
    assert_string_equal(buffer_text(&why),
                        "x.named: who would be longer than 3 bytes");
    assert_int_equal(
        contract_saga_arguments(contract, 0, 0, true, before, after, NULL),
        KAN_OK);
    memcpy(&amount, after, sizeof amount);
    assert_int_equal(amount, 1);
    assert_string_equal(
        json_of(contract_program(contract, 0, 0),
                program_step(contract_program(contract, 0, 0), 0).arguments,
                after),
        "{\"by\":1,\"twice\":false}");
    buffer_fini(&why);
    ends();
}

/* --- what differs --------------------------------------------------------- */

static const char told[] =
    "record r { x: int; y: bool }\n"
    "type t { n: int(0 .. 9); o: a | b; p: r\n"
    "    invariant small: n < 9\n"
    "    step add(by: int = 1) when o == a { n += by }\n"
    "    step off { o = b }\n"
    "}\n";

static void what_differs_first_is_told(void **state)
{
    static const struct
    {
        const char *part;
        const char *instead;
        const char *words;
    } cases[] = {
        {"# nothing", "", ""},
        {"small", "little", ""},
        {"int(0 .. 9)", "int(0 .. 99)",
         "the field n was int(0 .. 9), and is int(0 .. 99)"},
        {"int(0 .. 9)", "int(0 .. 9) = 3",
         "the field n has another default, or a record in it does"},
        {"y: bool", "y: int",
         "the field p has another default, or a record in it does"},
        {"o: a | b; p: r", "o: a | b", "the field p is missing"},
        {"p: r", "p: r; q: bool", "the field q is new"},
        {"n: int(0 .. 9); o: a | b", "o: a | b; n: int(0 .. 9)",
         "the field o stands where n stood"},
        {"n < 9", "n < 8", "the invariant small says something else"},
        {"invariant small: n < 9", "", "the invariant small is missing"},
        {"small: n < 9", "small: n < 9; invariant more: n >= 0",
         "the invariant more is new"},
        {"by: int", "by: int(0 .. 5)", "the step add has other parameters"},
        {"when o == a", "when o == b", "the step add has another `when`"},
        {"n += by", "n = by", "the step add has another body"},
        {"step off {", "internal step off {", "the step off is internal now"},
        {"step off { o = b }", "", "the step off is missing"},
        {"step off", "step on { o = a }; step off", "the step on is new"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *part = strstr(told, cases[i].part);
        struct buffer other = BUFFER_INIT;
        struct contract *older;

        loads(told);
        older = contract;
        buffer_print(&other, "%.*s%s%s",
                     (int)(part ? (size_t)(part - told) : sizeof told - 1),
                     told, cases[i].instead,
                     part ? part + strlen(cases[i].part) : "");
        loads(buffer_text(&other));
        contract_differ(contract, older, SLICE("t"), 1, &text);
        assert_string_equal(buffer_text(&text), cases[i].words);
        contract_unref(older);
        buffer_fini(&other);
        ends();
    }
}

static void loading_survives_faults(void **state)
{
    static const char *const texts[] = {transfer, cart,
                                        "type t { a: int(1 .. 0) }"};
    int64_t live = mem_live();
    size_t i;

    (void)state;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint64_t nth;
        bool struck = true;

        for (nth = 1; struck; nth++) {
            enum kan_err err;

            contract = NULL;
            mem_fault(nth, false);
            err = contract_load(SLICE("t.kan"), kan_text(texts[i]), &contract,
                                &text);
            struck = mem_fault_struck();
            mem_fault(0, false);
            if (struck)
                assert_true(err == KAN_NOMEM || err == KAN_INVALID);
            else
                assert_int_equal(err, i < 2 ? KAN_OK : KAN_INVALID);
            if (i < 2 && struck)
                assert_int_equal(err, KAN_NOMEM);
            contract = contract_unref(contract);
            buffer_fini(&text);
            assert_int_equal(mem_live(), live);
        }
        assert_true(nth > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_without_a_type_is_a_fault),
        cmocka_unit_test(sagas_are_laid_out),
        cmocka_unit_test(versions_follow_each_other),
        cmocka_unit_test(a_start_outside_is_a_fault),
        cmocka_unit_test(faults_are_printed),
        cmocka_unit_test(references_are_counted),
        cmocka_unit_test(fields_are_carried_over),
        cmocka_unit_test(carrying_may_be_refused),
        cmocka_unit_test(saga_arguments_are_bounded),
        cmocka_unit_test(what_differs_first_is_told),
        cmocka_unit_test(loading_survives_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
