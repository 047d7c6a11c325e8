/* check_test.c - what names and types mean in a contract that is right. What is
 * said of wrong ones is in test/contract. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "contract/tree/tree.h"

struct text
{
    struct source source;
    struct tree tree;
    enum kan_err err;
};

static void text_init(struct text *text, const char *contract)
{
    struct buffer faults = BUFFER_INIT;

    memset(text, 0, sizeof(*text));
    assert_int_equal(
        source_init(&text->source, SLICE("test.kan"), kan_text(contract)),
        KAN_OK);
    text->err = tree_parse(&text->tree, &text->source);
    if (text->err == KAN_OK)
        text->err = tree_check(&text->tree);
    if (text->err == KAN_INVALID) {
        source_print(&text->source, &faults);
        print_message("%s", buffer_text(&faults));
        buffer_fini(&faults);
    }
}

static void text_fini(struct text *text)
{
    tree_fini(&text->tree);
    source_fini(&text->source);
    assert_int_equal(mem_live(), 0);
}

/* A contract that must be right. */
static void text_fine(struct text *text, const char *contract)
{
    text_init(text, contract);
    assert_int_equal(text->err, KAN_OK);
}

/* The value that a step's n-th statement assigns. */
static const struct tree_expr *value_of(const struct text *text, uint32_t step,
                                        uint32_t n)
{
    return text->tree.entities[0].steps[step].body->statements[n]->value;
}

/* --- names ---------------------------------------------------------------- */

static void test_names(void **state)
{
    struct text text;
    const struct tree_expr *value;

    (void)state;
    text_fine(&text,
              "type t {\n"
              "    a: int\n"
              "    b: int\n"
              "    s: text(40)\n"
              "    step go(x: int, y: int) {\n"
              "        a = b\n"
              "        a = y\n"
              "        a = now\n"
              "        s = id\n"
              "    }\n"
              "}\n");
    value = value_of(&text, 0, 0);
    assert_int_equal(value->meaning, TREE_MEANS_FIELD);
    assert_int_equal(value->place, 1);
    value = value_of(&text, 0, 1);
    assert_int_equal(value->meaning, TREE_MEANS_PARAMETER);
    assert_int_equal(value->place, 1);
    assert_int_equal(value_of(&text, 0, 2)->meaning, TREE_MEANS_NOW);
    value = value_of(&text, 0, 3);
    assert_int_equal(value->meaning, TREE_MEANS_ID);
    assert_int_equal(value->type->kind, TREE_TEXT);
    assert_int_equal(value->type->size, 32);
    text_fini(&text);
}

static void test_constants(void **state)
{
    struct text text;
    const struct tree_expr *value;

    (void)state;
    text_fine(&text,
              "type t {\n"
              "    s: a | b | c = c\n"
              "    o: optional a | b | c\n"
              "    m: map(x | y, int, 2)\n"
              "    step go(p: x | y = y) when c == s and y in m {\n"
              "        s = if m[x] > 1 then b else c\n"
              "        o = b\n"
              "        m[p] = get(m, y, 3)\n"
              "    }\n"
              "}\n");
    assert_int_equal(text.tree.entities[0].fields[0].value->place, 2);
    value = text.tree.entities[0].steps[0].when;
    assert_int_equal(value->left->left->meaning, TREE_MEANS_CONSTANT);
    assert_int_equal(value->left->left->place, 2);
    assert_int_equal(value->right->left->place, 1);
    value = value_of(&text, 0, 0);
    assert_int_equal(value->type->kind, TREE_ENUM);
    assert_int_equal(value->right->place, 1);
    assert_int_equal(value->third->place, 2);
    assert_int_equal(value->left->left->right->place, 0);
    value = value_of(&text, 0, 1);
    assert_int_equal(value->type->kind, TREE_ENUM);
    assert_int_equal(value->place, 1);
    value = value_of(&text, 0, 2);
    assert_int_equal(value->function, TREE_GET);
    assert_int_equal(value->arguments[1]->place, 1);
    text_fini(&text);
}

/* --- types ---------------------------------------------------------------- */

static void test_optionals(void **state)
{
    struct text text;
    const struct tree_expr *value;

    (void)state;
    text_fine(&text,
              "type t {\n"
              "    o: optional text(20)\n"
              "    s: text(9)\n"
              "    step go(x: optional text(5) = none) when o != none or s == o"
              " {\n"
              "        o = none\n"
              "        o = s\n"
              "        o = if o == none then s else none\n"
              "        o = x\n"
              "        s = get(o, \"of more bytes\")\n"
              "        require o == (if s == \"\" then none else s) else \"no\""
              "\n"
              "    }\n"
              "}\n");
    value = value_of(&text, 0, 0);
    assert_ptr_equal(value->type, text.tree.entities[0].fields[0].type);
    value = value_of(&text, 0, 1);
    assert_int_equal(value->type->kind, TREE_TEXT);
    value = value_of(&text, 0, 2);
    assert_ptr_equal(value->type, text.tree.entities[0].fields[0].type);
    assert_int_equal(value->right->type->kind, TREE_TEXT);
    assert_int_equal(value->third->type->kind, TREE_OPTIONAL);
    assert_int_equal(value_of(&text, 0, 3)->type->of->size, 5);
    assert_int_equal(value_of(&text, 0, 4)->type->size, 20);
    text_fini(&text);
}

/* What is computed has no bounds: it is judged when it is assigned. */
static void test_bounds(void **state)
{
    struct text text;

    (void)state;
    text_fine(&text,
              "type t {\n"
              "    a: int(0 .. 9)\n"
              "    m: map(int, int(1 .. 5), 3)\n"
              "    step go(x: int(5 .. 20)) when a != 100 {\n"
              "        a = x\n"
              "        a = get(m, 77, 0)\n"
              "        a = if x > 7 then a else x\n"
              "    }\n"
              "}\n");
    assert_int_equal(value_of(&text, 0, 0)->type->max, 20);
    assert_int_equal(value_of(&text, 0, 1)->type->min, INT64_MIN);
    assert_int_equal(value_of(&text, 0, 2)->type->max, INT64_MAX);
    text_fini(&text);
}

static void test_defaults_are_folded(void **state)
{
    struct text text;
    const struct tree_field *fields;

    (void)state;
    text_fine(&text,
              "record r { n: int = 3 * -4; s: text(5) = \"five!\" }\n"
              "type t {\n"
              "    a: int = 24 * 3_600 + 7 % 4 - 9 / 2\n"
              "    b: r = r { n: 2 + 2 }\n"
              "    c: int = -9_223_372_036_854_775_808\n"
              "}\n");
    fields = text.tree.entities[0].fields;
    assert_int_equal(fields[0].value->kind, TREE_NUMBER);
    assert_int_equal(fields[0].value->number, 86399);
    assert_int_equal(fields[1].value->kind, TREE_LITERAL);
    assert_int_equal(fields[1].value->arguments[0]->number, 4);
    assert_ptr_equal(fields[1].type->record, &text.tree.records[0]);
    assert_int_equal(fields[2].value->number, INT64_MIN);
    assert_int_equal(text.tree.records[0].fields[0].value->number, -12);
    text_fini(&text);
}

static void test_targets(void **state)
{
    struct text text;
    const struct tree_expr *target;

    (void)state;
    text_fine(&text,
              "record inner { a: int; b: int }\n"
              "record out { x: int; i: inner }\n"
              "type t {\n"
              "    r: out\n"
              "    m: map(text(4), out, 8)\n"
              "    s: set(bool, 2)\n"
              "    step go(k: text(9)) {\n"
              "        m[k].i.b += 1\n"
              "        r.i = inner { b: 1, a: 2 }\n"
              "        s += true; s -= false; m -= k\n"
              "    }\n"
              "}\n");
    target = text.tree.entities[0].steps[0].body->statements[0]->target;
    assert_int_equal(target->kind, TREE_MEMBER);
    assert_int_equal(target->place, 1);
    assert_int_equal(target->left->place, 1);
    assert_int_equal(target->left->left->kind, TREE_INDEX);
    assert_int_equal(target->left->left->type->kind, TREE_RECORD);
    assert_int_equal(target->left->left->left->meaning, TREE_MEANS_FIELD);
    assert_int_equal(target->left->left->left->place, 1);
    text_fini(&text);
}

static void test_fits(void **state)
{
    struct text text;
    const struct tree_field *f;
    static const struct
    {
        int from;
        int to;
        bool fits;
    } pairs[] = {
        {0, 1, true},    {1, 0, false},   {2, 3, true},  {3, 2, false},
        {4, 5, true},    {5, 4, false},   {0, 6, true},  {6, 0, false},
        {6, 7, true},    {7, 6, false},   {8, 9, true},  {9, 8, false},
        {10, 11, true},  {11, 10, false}, {0, 2, false}, {12, 13, true},
        {13, 12, false}, {4, 14, true},   {14, 4, true},
    };
    size_t i;

    (void)state;
    text_fine(&text,
              "record r { a: int(0 .. 1) }\n"
              "record q { a: int(0 .. 2) }\n"
              "type t {\n"
              "    f0: int(0 .. 9); f1: int(-1 .. 9); f2: text(4)\n"
              "    f3: text(5); f4: a | b; f5: c | b | a\n"
              "    f6: optional int(0 .. 9); f7: optional int(0 .. 10)\n"
              "    f8: set(text(4), 3); f9: set(text(5), 4)\n"
              "    f10: map(a | b, int, 2); f11: map(b | x | a, int, 2)\n"
              "    f12: r = r { a: 0 }; f13: q = q { a: 0 }; f14: b | a\n"
              "}\n");
    f = text.tree.entities[0].fields;
    for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        assert_int_equal(
            tree_type_fits(f[pairs[i].from].type, f[pairs[i].to].type),
            pairs[i].fits);
    }
    text_fini(&text);
}

/* --- laws, views, sagas, versions ----------------------------------------- */

static const char several[] =
    "type t version 2 {\n"
    "    n: int(0 .. 9)\n"
    "    open: bool\n"
    "    step open { open = true }\n"
    "    step add(x: int(0 .. 9), y: int(0 .. 9) = 1) { n += x + y }\n"
    "    internal step take(x: int(0 .. 9)) { n -= x }\n"
    "    law add(a, b); take(a) == add(b, a); take(a)\n"
    "    view v { a: n; b: count(open); c: sum(add.y) + 3 - last(add.x) }\n"
    "    view w over all { a: sum(n * 2); b: count(n > 3); c: max(add.x) }\n"
    "}\n"
    "type t version 1 { n: int(0 .. 3); was: bool }\n"
    "record pair { x: int(0 .. 9) }\n"
    "saga s(one: t, of: pair, two: t, by: int(0 .. 5)) {\n"
    "    require one != two else \"one and the same\"\n"
    "    require of.x > by else \"too little\"\n"
    "    two.add(by, 0) undo two.take(by)\n"
    "    one.take(3)\n"
    "    then two.take(by)\n"
    "}\n"
    "upgrade t 1 -> 2 { up { open = old.was } down { n = 0; was = old.open } "
    "}\n";

static void test_laws_and_views(void **state)
{
    struct text text;
    const struct tree_entity *entity;
    const struct tree_law *law;
    const struct tree_view_entry *entries;

    (void)state;
    text_fine(&text, several);
    entity = tree_entity(&text.tree, SLICE("t"), 0);
    assert_int_equal(entity->version, 2);
    assert_int_equal(tree_entity(&text.tree, SLICE("t"), 1)->version, 1);
    assert_null(tree_entity(&text.tree, SLICE("t"), 3));
    assert_null(tree_entity(&text.tree, SLICE("s"), 0));
    law = &entity->laws[0];
    assert_int_equal(law->variable_count, 2);
    assert_true(slice_equal(law->variables[1].name.text, SLICE("b")));
    assert_int_equal(law->variables[1].type->max, 9);
    assert_ptr_equal(law->right[1].step, &entity->steps[2]);
    assert_int_equal(law->right[0].variables[0], 1);
    assert_int_equal(law->right[0].variables[1], 0);
    entries = entity->views[0].entries;
    assert_int_equal(entries[0].measure->value->meaning, TREE_MEANS_FIELD);
    /* The step, though a field has the name too. */
    assert_ptr_equal(entries[1].measure->step, &entity->steps[0]);
    assert_ptr_equal(entries[2].measure->left->left->parameter,
                     &entity->steps[1].parameters[1]);
    assert_ptr_equal(entries[2].measure->right->parameter,
                     &entity->steps[1].parameters[0]);
    entries = entity->views[1].entries;
    assert_null(entries[0].measure->step);
    assert_int_equal(entries[0].measure->value->type->kind, TREE_INT);
    assert_int_equal(entries[1].measure->value->type->kind, TREE_BOOL);
    assert_ptr_equal(entries[2].measure->step, &entity->steps[1]);
    text_fini(&text);
}

static void test_sagas_and_upgrades(void **state)
{
    struct text text;
    const struct tree_saga *saga;
    const struct tree_upgrade *upgrade;
    const struct tree_expr *value;

    (void)state;
    text_fine(&text, several);
    saga = &text.tree.sagas[0];
    assert_null(saga->parameters[0].type);
    assert_ptr_equal(saga->parameters[0].of_entity, &text.tree.entities[0]);
    assert_int_equal(saga->parameters[1].type->kind, TREE_RECORD);
    assert_null(saga->parameters[1].of_entity);
    assert_int_equal(saga->pivot, 1);
    assert_int_equal(saga->steps[0].call.parameter, 2);
    assert_ptr_equal(saga->steps[0].undo.step, &text.tree.entities[0].steps[2]);
    value = saga->requires[0] -> condition -> left;
    assert_int_equal(value->meaning, TREE_MEANS_PARAMETER);
    assert_int_equal(value->type->kind, TREE_TEXT);
    upgrade = &text.tree.upgrades[0];
    assert_ptr_equal(upgrade->old, &text.tree.entities[1]);
    assert_ptr_equal(upgrade->new_, &text.tree.entities[0]);
    value = upgrade->up->statements[0]->value;
    assert_int_equal(value->left->meaning, TREE_MEANS_OLD);
    assert_int_equal(value->place, 1);
    value = upgrade->down->statements[1]->value;
    assert_int_equal(value->place, 1);
    text_fini(&text);
}

/* --- hostile texts -------------------------------------------------------- */

/* A chain of many records is told of, and does not exhaust the stack; a fan of
 * them does not take long. */
static void test_many_records(void **state)
{
    struct buffer contract = BUFFER_INIT;
    struct text text;
    int i;

    (void)state;
    for (i = 0; i < 20000; i++)
        buffer_print(&contract, "record r%d { a: r%d; b: r%d }\n", i, i + 1,
                     i + 1);
    buffer_print(&contract, "record r%d { a: int }\ntype t { a: r0 }\n", i);
    memset(&text, 0, sizeof(text));
    assert_int_equal(
        source_init(&text.source, SLICE("test.kan"), buffer_slice(&contract)),
        KAN_OK);
    assert_int_equal(tree_parse(&text.tree, &text.source), KAN_OK);
    assert_int_equal(tree_check(&text.tree), KAN_INVALID);
    assert_int_equal(text.source.fault_count, SOURCE_FAULTS_MAX);
    assert_non_null(strstr(text.source.faults[0].message, "4 deep"));
    buffer_fini(&contract);
    text_fini(&text);
}

/* The limit of a state's bytes is exact. */
static void test_state_limit(void **state)
{
    static const struct
    {
        int elements;
        enum kan_err err;
    } cases[] = {
        /* 8 + 4,096 elements of 8 bytes; 2 + n texts of 2 + 14 bytes. */
        {2047, KAN_OK},
        {2048, KAN_INVALID},
    };
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        struct buffer contract = BUFFER_INIT;
        struct text text;

        buffer_print(&contract,
                     "type t { a: set(int, 4096); b: set(text(14), %d) }\n",
                     cases[i].elements);
        memset(&text, 0, sizeof(text));
        assert_int_equal(source_init(&text.source, SLICE("test.kan"),
                                     buffer_slice(&contract)),
                         KAN_OK);
        assert_int_equal(tree_parse(&text.tree, &text.source), KAN_OK);
        assert_int_equal(tree_check(&text.tree), cases[i].err);
        buffer_fini(&contract);
        text_fini(&text);
    }
}

/* Whichever allocation fails, nothing is left and nothing is wrong. */
static void test_memory(void **state)
{
    uint64_t nth;

    (void)state;
    for (nth = 1;; nth++) {
        struct source source;
        struct tree tree = {0};
        enum kan_err err;
        bool struck;

        mem_fault(nth, true);
        err = source_init(&source, SLICE("test.kan"), kan_text(several));
        if (err == KAN_OK) {
            err = tree_parse(&tree, &source);
            if (err == KAN_OK)
                err = tree_check(&tree);
            assert_int_equal(source.fault_count, 0);
            tree_fini(&tree);
            source_fini(&source);
        }
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(mem_live(), 0);
        assert_int_equal(err, struck ? KAN_NOMEM : KAN_OK);
        if (!struck)
            break;
    }
    assert_true(nth > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_optionals),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_defaults_are_folded),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_laws_and_views),
        cmocka_unit_test(test_sagas_and_upgrades),
        cmocka_unit_test(test_many_records),
        cmocka_unit_test(test_state_limit),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
