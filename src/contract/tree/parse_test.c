/* What the parser reads, and what it says of what it cannot read: every
 * construct, every usual mistake with its place and hint, several at once
 * without noise, limits, and texts that are none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "contract/tree/tree.h"

static struct source source;
static struct tree tree;
static struct buffer out;

static void drop(void)
{
    tree_fini(&tree);
    source_fini(&source);
    buffer_clear(&out);
}

static int clean(void **state)
{
    (void)state;
    mem_fault(0, false);
    drop();
    buffer_fini(&out);
    return mem_live() == 0 ? 0 : -1;
}

static enum kan_err parse(struct kan_slice text)
{
    drop();
    assert_int_equal(source_init(&source, SLICE("a.kan"), text), KAN_OK);
    return tree_parse(&tree, &source);
}

static void reads(const char *text)
{
    enum kan_err err = parse(kan_text(text));

    source_print(&source, &out);
    assert_string_equal(buffer_text(&out), "");
    assert_int_equal(err, KAN_OK);
}

/* One fault, at this place, with this message and a hint, and this in it when
 * it is given. */
static void refuses(const char *text, uint32_t line, uint32_t column,
                    const char *message, const char *hint)
{
    uint32_t its_line;
    uint32_t its_column;

    assert_int_equal(parse(kan_text(text)), KAN_INVALID);
    source_print(&source, &out);
    if (source.fault_count != 1)
        print_error("%s", buffer_text(&out));
    assert_int_equal(source.fault_count, 1);
    source_place(&source, source.faults[0].span.start, &its_line, &its_column);
    assert_string_equal(source.faults[0].message, message);
    assert_string_not_equal(source.faults[0].hint, "");
    if (hint && !strstr(source.faults[0].hint, hint))
        assert_string_equal(source.faults[0].hint, hint);
    assert_int_equal(its_line, line);
    assert_int_equal(its_column, column);
}

/* A statement of a step, which stands in line 1 from column 19 on. */
static void refuses_statement(const char *statement, uint32_t column,
                              const char *message, const char *hint)
{
    struct buffer text = BUFFER_INIT;

    buffer_print(&text, "type a { step s { %s\n} }", statement);
    refuses(buffer_text(&text), 1, 18 + column, message, hint);
    buffer_fini(&text);
}

static void is_text(struct kan_slice slice, const char *text)
{
    assert_true(slice_equal(slice, kan_text(text)));
}

/* --- what is read --------------------------------------------------------- */

static void test_types(void **state)
{
    (void)state;
    struct tree_field *fields;
    static const char *const printed[] = {"bool",
                                          "int",
                                          "int(-5 .. 9)",
                                          "text(80)",
                                          "a | view | b",
                                          "addr",
                                          "optional text(3)",
                                          "set(int, 4)",
                                          "map(text(3), addr, 4096)"};

    reads(
        "type t version 7 { b: bool = true; i: int; j: int(-5 .. 3 * 3)\n"
        "t: text(80) = \"x\"; e: a | view | b; r: addr\n"
        "o: optional text(3) = none\n"
        "s: set(int, 4); m: map(text(3),\n addr, 4_096) }");
    assert_int_equal(tree.entity_count, 1);
    assert_int_equal(tree.entities[0].version, 7);
    assert_int_equal(tree.entities[0].field_count, 9);
    fields = tree.entities[0].fields;
    for (int i = 0; i < 9; i++) {
        buffer_clear(&out);
        tree_type_print(fields[i].type, &out);
        assert_string_equal(buffer_text(&out), printed[i]);
    }
    assert_int_equal(fields[0].value->kind, TREE_TRUTH);
    assert_int_equal(fields[0].value->number, 1);
    is_text(fields[3].value->text, "x");
    assert_null(fields[4].value);
    assert_int_equal(fields[6].value->kind, TREE_NONE);
}

static void test_the_ends_of_int(void **state)
{
    (void)state;
    const struct tree_type *type;

    reads(
        "type t { i: int(-9_223_372_036_854_775_808 .. "
        "9_223_372_036_854_775_807) = -9223372036854775808 }");
    type = tree.entities[0].fields[0].type;
    assert_true(type->min == INT64_MIN && type->max == INT64_MAX);
    assert_true(tree.entities[0].fields[0].value->number == INT64_MIN);
    refuses("type t { i: int = 9223372036854775808 }", 1, 19,
            "the number is outside -9223372036854775808 .. "
            "9223372036854775807",
            NULL);
    refuses("type t { i: int(0 .. 9223372036854775807 + 1) }", 1, 22,
            "this bound is outside 64 bits", NULL);
    refuses("type t { i: int(0 .. 1 / 0) }", 1, 22,
            "this bound is outside 64 bits", NULL);
    refuses("type t { i: int(0 .. x) }", 1, 22, "a bound is a constant number",
            NULL);
    refuses("type t { i: int(5 .. 4) }", 1, 17, "no number is in 5 .. 4",
            "smaller bound");
}

/* An expression as it is understood, with all its parentheses. */
static void show(const struct tree_expr *expr)
{
    static const char *const signs[] = {"not", "-", "=>", "or", "and", "==",
                                        "!=",  "<", "<=", ">",  ">=",  "in",
                                        "+",   "-", "*",  "/",  "%"};

    switch (expr->kind) {
    case TREE_NUMBER:
        buffer_print(&out, "%lld", (long long)expr->number);
        break;
    case TREE_NAMED:
        buffer_append(&out, expr->name.text);
        break;
    case TREE_UNARY:
        buffer_print(&out, "(%s ", signs[expr->op]);
        show(expr->left);
        buffer_append_text(&out, ")");
        break;
    case TREE_BINARY:
        buffer_append_text(&out, "(");
        show(expr->left);
        buffer_print(&out, " %s ", signs[expr->op]);
        show(expr->right);
        buffer_append_text(&out, ")");
        break;
    case TREE_IF:
        buffer_append_text(&out, "(if ");
        show(expr->left);
        buffer_append_text(&out, ", ");
        show(expr->right);
        buffer_append_text(&out, ", ");
        show(expr->third);
        buffer_append_text(&out, ")");
        break;
    case TREE_MEMBER:
        show(expr->left);
        buffer_print(&out, ".%.*s", SLICE_ARG(expr->name.text));
        break;
    case TREE_INDEX:
        show(expr->left);
        buffer_append_text(&out, "[");
        show(expr->right);
        buffer_append_text(&out, "]");
        break;
    case TREE_CALL:
    case TREE_LITERAL:
        buffer_print(&out, "%.*s(", SLICE_ARG(expr->name.text));
        for (uint32_t i = 0; i < expr->argument_count; i++) {
            if (expr->kind == TREE_LITERAL)
                buffer_print(&out, "%.*s:", SLICE_ARG(expr->labels[i].text));
            show(expr->arguments[i]);
            buffer_append_text(&out, i + 1 < expr->argument_count ? "," : "");
        }
        buffer_append_text(&out, ")");
        break;
    default:
        buffer_append_text(&out, "?");
    }
}

static void means(const char *expression, const char *meaning)
{
    struct buffer text = BUFFER_INIT;

    buffer_print(&text, "type t { invariant i: %s\n }", expression);
    reads(buffer_text(&text));
    buffer_fini(&text);
    show(tree.entities[0].invariants[0].holds);
    assert_string_equal(buffer_text(&out), meaning);
}

static void test_precedence(void **state)
{
    (void)state;
    means("a + b * c - d", "((a + (b * c)) - d)");
    means("a => b => c", "(a => (b => c))");
    means("a or b and not c == d", "(a or (b and (not (c == d))))");
    means("a == b => c and d", "((a == b) => (c and d))");
    means("not not a", "(not (not a))");
    means("-a * b", "((- a) * b)");
    means("- -3 - -2", "((- -3) - -2)");
    means("-a.b[c + 1].d", "(- a.b[(c + 1)].d)");
    means("(a + b) * c % d / e", "((((a + b) * c) % d) / e)");
    means("if a then b else c + 1", "(if a, b, (c + 1))");
    means("a => if b then c else d", "(a => (if b, c, d))");
    means("a in b and c >= d", "((a in b) and (c >= d))");
    means("(a == b) == (c == d)", "((a == b) == (c == d))");
    means("f(a, g(), b) + q { x: a, y: b + 1 }.x",
          "(f(a,g(),b) + q(x:a,y:(b + 1)).x)");
    means("now - id", "(now - id)");
    means("view == step", "(view == step)");
}

static void test_lines(void **state)
{
    (void)state;
    means("a and\n b", "(a and b)");
    means("(a\n and b)", "(a and b)");
    means("f(a\n ,\n b)[\n c\n ]", "f(a,b)[c]");
    means("if a\n then b\n else c", "(if a, b, c)");
    reads(
        "type t\n{\n step s\n when a\n {\n x =\n 1\n if a\n {\n }\n else\n {\n"
        " }\n }\n}\nsaga q(a: t)\n{\n a.s()\n undo a.s()\n}");
    reads("type t { ; x: int; ; step s { ; x = 1; ; x = 2; } ; }");
    refuses("type t { invariant i: a\n and b }", 2, 2,
            "a line cannot begin with and", "end of the line above");
}

static void test_statements(void **state)
{
    (void)state;
    const struct tree_step *step;
    const struct tree_statement *one;

    reads(
        "type t { internal step s(a: int = 1, b: text(2)) when a == 1 {\n"
        "require a > 1 else \"a \\\"b\\\" \\u00e9\\ud83d\\ude00\"\n"
        "x = 1; y += 2; m[k].c -= 3\n"
        "if a { x = 1 } else if b { x = 2 } else { x = 3; x = 4 }\n} }");
    step = &tree.entities[0].steps[0];
    assert_true(step->internal);
    assert_int_equal(step->parameter_count, 2);
    assert_non_null(step->parameters[0].value);
    assert_non_null(step->when);
    assert_int_equal(step->body->count, 5);
    is_text(step->body->statements[0]->text,
            "a \"b\" \xc3\xa9\xf0\x9f\x98\x80");
    assert_int_equal(step->body->statements[1]->kind, TREE_ASSIGN);
    assert_int_equal(step->body->statements[2]->kind, TREE_INCREASE);
    assert_int_equal(step->body->statements[3]->kind, TREE_DECREASE);
    show(step->body->statements[3]->target);
    assert_string_equal(buffer_text(&out), "m[k].c");
    one = step->body->statements[4];
    assert_int_equal(one->kind, TREE_BRANCH);
    one = one->otherwise->statements[0];
    assert_int_equal(one->kind, TREE_BRANCH);
    assert_int_equal(one->otherwise->count, 2);
}

static void test_laws_and_views(void **state)
{
    (void)state;
    const struct tree_entity *entity;
    const struct tree_view *view;

    reads(
        "type t { law a(x, y); b ~ b; a(x, y); step c { }\n"
        "law a == nothing; n: int\n"
        "view v { n: a + 1; m: min(a, 2); s: sum(a.b) }\n"
        "view all over all { n: count(a) + sum(b) - (count(c) - 2) } }");
    entity = &tree.entities[0];
    assert_int_equal(entity->law_count, 2);
    assert_int_equal(entity->laws[0].left_count, 2);
    assert_int_equal(entity->laws[0].right_count, 2);
    assert_int_equal(entity->laws[0].left[0].argument_count, 2);
    assert_false(entity->laws[0].exact);
    assert_true(entity->laws[1].exact);
    assert_int_equal(entity->laws[1].right_count, 0);
    assert_int_equal(entity->step_count, 1);
    assert_int_equal(entity->field_count, 1);
    view = &entity->views[0];
    assert_false(view->over_all);
    assert_int_equal(view->entries[0].measure->kind, TREE_PLAIN);
    assert_int_equal(view->entries[1].measure->kind, TREE_PLAIN);
    assert_int_equal(view->entries[2].measure->kind, TREE_SUM);
    view = &entity->views[1];
    assert_true(view->over_all);
    assert_int_equal(view->entries[0].measure->kind, TREE_LESS_BY);
    assert_int_equal(view->entries[0].measure->left->kind, TREE_PLUS);
    assert_int_equal(view->entries[0].measure->right->right->kind, TREE_AMOUNT);
    refuses("type t { view v { n: count(a) * 2 } }", 1, 22,
            "an aggregate can only be added and subtracted", "sum(a * b)");
    refuses("type t { view v { n: count(a) + b } }", 1, 33,
            "only aggregates and numbers are added to an aggregate", "sum(");
    refuses("type t { view v { n: sum(a, b) } }", 1, 22,
            "sum() takes one argument", NULL);
}

static void test_sagas_and_upgrades(void **state)
{
    (void)state;
    const struct tree_saga *saga;

    reads(
        "saga s(a: t, r: addr, n: int) { require a != \"\" else \"no\"\n"
        "a.b(n) undo a.c()\na.d()\nthen a.e(n, 1) }\n"
        "record addr { x: int }\n"
        "upgrade t 1 -> 2 { up { x = old.y } down { } }");
    saga = &tree.sagas[0];
    assert_null(saga->parameters[0].type);
    is_text(saga->parameters[0].entity.text, "t");
    assert_non_null(saga->parameters[1].type); /* declared behind it */
    assert_int_equal(saga->parameters[1].type->kind, TREE_RECORD);
    assert_int_equal(saga->require_count, 1);
    assert_int_equal(saga->step_count, 3);
    assert_true(saga->steps[0].has_undo);
    assert_false(saga->steps[1].has_undo || saga->steps[1].then);
    assert_true(saga->steps[2].then);
    assert_int_equal(saga->steps[2].call.argument_count, 2);
    assert_int_equal(tree.upgrades[0].to, 2);
    assert_non_null(tree.upgrades[0].down);
    reads("upgrade t 1 -> 2 { }");
    assert_null(tree.upgrades[0].up);
}

/* --- usual mistakes ------------------------------------------------------- */

static void test_words(void **state)
{
    (void)state;
    refuses("type t { stp s { } }", 1, 10,
            "expected a field, invariant, step, law or view, found stp",
            "did you mean step?");
    refuses("typ t { }", 1, 1,
            "expected type, record, upgrade or saga, found typ",
            "did you mean type?");
    refuses("type t { x: txt(3) }", 1, 13, "expected a type, found txt",
            "did you mean text?");
    refuses("type t { x: string(3) }", 1, 13, "expected a type, found string",
            "text(80)");
    refuses("type t { x: text }", 1, 13, "text has no size", "text(80)");
    refuses("type t { x: text() }", 1, 18,
            "expected a number of bytes, found )", "text(80)");
    refuses("type t { in: int }", 1, 10,
            "in is a reserved word and cannot be the name of a field",
            "another name");
    refuses("type t {\n type: int\n x: int }", 2, 2,
            "type is a reserved word and cannot be the name of a field",
            "another name");
    refuses("type t { step s(if: int) { } }", 1, 17,
            "if is a reserved word and cannot be the name of a parameter",
            "another name");
    refuses("type t { x: a | none }", 1, 17,
            "none is a reserved word and cannot be a value of the enum",
            "another name");
    refuses_statement("requir x else \"\"", 1,
                      "expected a statement, found requir",
                      "did you mean require?");
}

static void test_signs(void **state)
{
    (void)state;
    refuses_statement("x == 1", 3,
                      "expected =, += or -=, found ==", "= assigns");
    refuses_statement("if x = 1 { }", 6, "expected {, found =", "== compares");
    refuses_statement("require (x = 1) else \"\"", 12,
                      "expected ), found =", "== compares");
    refuses_statement("require x = 1 else \"\"", 11,
                      "expected else, found =", "== compares");
    refuses("type t { step s when x = 1 { } }", 1, 24,
            "expected {, found =", "== compares");
    refuses("type t { invariant i: x = 1 }", 1, 25,
            "expected a new line or ; behind a member of a type, found =",
            "== compares");
    refuses_statement("x = a && b", 7, "&& is no sign here", "write and");
    refuses_statement("x = a || b", 7, "|| is no sign here", "write or");
    refuses_statement("x = !b", 5, "! is no sign here", "write not");
    refuses_statement("x = 1 // b", 7, "// is no sign here", "#");
    refuses_statement("x = 'b'", 5, "a text stands in double quotes", "\"");
    refuses_statement("x = \"b", 5, "the text is not closed: expected \"",
                      "\\n");
    refuses_statement("x = a < b < c", 11,
                      "a comparison is not compared again "
                      "by <",
                      "a < b and b < c");
    refuses_statement("x++", 2, "++ is no sign here", "+= 1");
    refuses_statement("x = 1.5", 7, "expected a name, found 5", "whole");
    refuses_statement("x = \"\\q\"", 6, "this is no escape", "JSON");
    refuses_statement("x = \"\\ud800\"", 6, "this is no escape", "JSON");
    refuses_statement("x = \"\\u0000\"", 6, "this is no escape", "JSON");
    refuses_statement("x = 007", 5, "a number does not begin with 0", NULL);
    refuses_statement("x = 1__0", 5, "_ stands between two digits of a number",
                      NULL);
    refuses_statement("x = 0x10", 5, "this is neither a number nor a name",
                      "decimal");
    refuses("type t { x: int(0, 10) }", 1, 18, "expected .., found ,",
            "int(0 .. 99)");
    refuses("type t { x: int(0.10) }", 1, 19, "expected a name, found 10",
            "0 .. 10");
}

static void test_lists(void **state)
{
    (void)state;
    refuses_statement("x = 1 y = 2", 7,
                      "expected a new line or ; behind a statement, found y",
                      "separated by ;");
    refuses_statement("x = 1, y = 2", 6,
                      "expected a new line or ; behind a statement, found ,",
                      "no comma");
    refuses_statement("if x y = 1", 6, "expected {, found y", "{ }");
    refuses("type t { step s { if x { y = 1 } else if z y = 2\n x = 1 } }", 1,
            44, "expected {, found y", "{ }");
    refuses_statement("if x then y else z", 6, "expected {, found then",
                      "then is for values");
    refuses_statement("else { x = 1 }", 1, "expected a statement, found else",
                      "no if");
    refuses_statement("require x", 10,
                      "expected else, found the end of the "
                      "line",
                      "why it is refused");
    refuses_statement("x = if a then b", 16,
                      "expected else, found the end of the line",
                      "if a then b else c");
    refuses_statement("f(3)", 1, "expected a statement, found f",
                      "a statement is");
    refuses("type t { law a(1) ~ b }", 1, 16,
            "expected the name of a variable, found 1", "all values");
    refuses("upgrade t 1 2 { }", 1, 13, "expected ->, found 2", "1 -> 2");
    refuses("saga s(a: t) { a.b }", 1, 20, "expected (, found }", "()");
}

static void test_braces(void **state)
{
    (void)state;
    refuses("type t {\n step a {\n x = 1\n\n step b { x = 1 }\n}", 5, 2,
            "expected }, found step", "the { at line 2, column 9");
    refuses("type t {\n x: int\n", 3, 1,
            "expected }, found the end of the "
            "file",
            "the { at line 1, column 8");
    refuses("type t {\n x: int\ntype u { }", 3, 1, "expected }, found type",
            "the { at line 1, column 8");
    refuses("type t { x: int }\n}\ntype u { }", 2, 1,
            "expected type, record, upgrade or saga, found }",
            "nothing is open");
    refuses("type t {\n step a\n x = 1\n }\n step b { }\n}", 2, 8,
            "expected {, found the end of the line", "{ }");
    refuses("type t {\n step a { x = 1 } }\n step b { }\n}\n", 3, 2,
            "expected type, record, upgrade or saga, found step",
            "closed too early");
}

/* Each mistake is told once, and what is right between them is no noise. */
static void test_several_at_once(void **state)
{
    (void)state;
    static const uint32_t lines[] = {2, 4, 6, 8, 11, 14, 18};

    assert_int_equal(parse(SLICE("type t {\n"
                                 " a: strng(3)\n"
                                 " b: int = 3\n"
                                 " invariant a == b\n"
                                 " step s when a == b {\n"
                                 "  a == 3\n"
                                 "  b = 3\n"
                                 "  if a = 3 {\n"
                                 "   b = 4\n"
                                 "  } else {\n"
                                 "   b 5\n"
                                 "  }\n"
                                 " }\n"
                                 " stp u(a: int) {\n"
                                 "  b = 6\n"
                                 " }\n"
                                 "}\n"
                                 "saga (a: t) {\n"
                                 " a.b()\n"
                                 "}\n")),
                     KAN_INVALID);
    source_print(&source, &out);
    uint32_t found = 0;
    for (uint32_t i = 0; i < source.fault_count; i++) {
        uint32_t line;
        uint32_t column;

        source_place(&source, source.faults[i].span.start, &line, &column);
        while (found < 7 && lines[found] < line)
            found++;
        if (found == 7 || lines[found] != line)
            print_error("%s", buffer_text(&out));
        assert_true(found < 7);
        assert_int_equal(lines[found], line);
    }
    assert_true(source.fault_count >= 6);
}

static void test_too_many(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT;

    buffer_append_text(&text, "type t { step s {\n");
    for (int i = 0; i < 50; i++)
        buffer_append_text(&text, "x == 1\n");
    buffer_append_text(&text, "} }");
    assert_int_equal(parse(buffer_slice(&text)), KAN_INVALID);
    assert_int_equal(source.fault_count, SOURCE_FAULTS_MAX);
    assert_int_equal(source.faults_more, 50 - SOURCE_FAULTS_MAX);
    buffer_fini(&text);
}

/* --- limits --------------------------------------------------------------- */

/* before, then part count times, then behind. */
static enum kan_err many(const char *before, const char *part, uint32_t count,
                         const char *behind)
{
    struct buffer text = BUFFER_INIT;
    enum kan_err err;

    buffer_append_text(&text, before);
    for (uint32_t i = 0; i < count; i++)
        buffer_append_text(&text, part);
    buffer_append_text(&text, behind);
    err = parse(buffer_slice(&text));
    buffer_fini(&text);
    return err;
}

/* At the limit it is read, beyond it one fault says so. */
static void limited(const char *before, const char *part, uint32_t limit,
                    const char *behind, const char *message)
{
    assert_int_equal(many(before, part, limit, behind), KAN_OK);
    assert_int_equal(many(before, part, limit + 1, behind), KAN_INVALID);
    source_print(&source, &out);
    if (!strstr(buffer_text(&out), message))
        assert_string_equal(buffer_text(&out), message);
}

static void test_counts(void **state)
{
    (void)state;
    limited("type t {", "x: int\n", TREE_FIELDS_MAX, "}",
            "more than 256 fields");
    limited("record t {", "x: int\n", TREE_FIELDS_MAX, "}",
            "more than 256 fields");
    limited("type t {", "step x { }\n", TREE_STEPS_MAX, "}",
            "more than 256 steps");
    limited("type t {", "law a ~ b\n", TREE_STEPS_MAX, "}",
            "more than 256 laws");
    limited("type t {", "view v { }\n", TREE_STEPS_MAX, "}",
            "more than 256 views");
    limited("type t {", "invariant i: a\n", TREE_STEPS_MAX, "}",
            "more than 256 invariants");
    limited("type t { x: a", "|b", TREE_VALUES_MAX - 1, "}",
            "more than 256 values");
    limited("type t { step s(a: int", ",b: int", TREE_PARAMETERS_MAX - 1,
            ") { } }", "more than 32 parameters");
    limited("saga s(a: t) {", "a.b()\n", TREE_SAGA_STEPS_MAX, "}",
            "more than 16 steps");
    limited("type t { x: text(3) = \"", "x", TREE_TEXT_MAX, "\" }",
            "at most 4096 bytes");
    limited("type t { ", "n", SOURCE_NAME_MAX, ": int }",
            "a name has at most 64 letters");
    refuses("type t { x: text(4097) }", 1, 18,
            "the size of a text is a number between 1 and 4096", NULL);
    refuses("type t { x: set(int, 99999999999) }", 1, 22,
            "the size of a set or a map is a number between 1 and 4096", NULL);
    refuses("type t version 0 { }", 1, 16,
            "a version is a number between 1 and 1000000", NULL);
}

static void test_depth(void **state)
{
    (void)state;
    static const struct
    {
        const char *before;
        const char *part;
        const char *behind;
    } deep[] = {
        {"type t { invariant i: ", "(", "a"},
        {"type t { invariant i: ", "f(", "a"},
        {"type t { invariant i: ", "not ", "a\n}"},
        {"type t { invariant i: ", "- ", "a\n}"},
        {"type t { invariant i: a", " + a", "\n}"},
        {"type t { invariant i: a", " => a", "\n}"},
        {"type t { invariant i: a", ".a", "\n}"},
        {"type t { invariant i: a", "[a]", "\n}"},
        {"type t { invariant i: ", "a[", "a"},
        {"type t { invariant i: ", "if a then a else ", "a\n}"},
        {"type t { invariant i: ", "q { a: ", "a"},
        {"type t { x: ", "optional ", "int\n}"},
        {"type t { x: ", "set(", "int"},
        {"type t { step s {", "if a {", ""},
        {"type t { step s { if a { }", " else if a { }", "} }"},
    };

    for (size_t i = 0; i < sizeof deep / sizeof deep[0]; i++) {
        assert_int_equal(
            many(deep[i].before, deep[i].part, 100000, deep[i].behind),
            KAN_INVALID);
        source_print(&source, &out);
        if (!strstr(buffer_text(&out), "more than 64"))
            assert_string_equal(buffer_text(&out), deep[i].part);
    }
    assert_int_equal(many("type t { invariant i: a", " and a", 60, "\n}"),
                     KAN_OK);
}

/* --- texts ---------------------------------------------------------------- */

static void test_texts(void **state)
{
    (void)state;
    reads("");
    reads("# nothing");
    reads("\xef\xbb\xbftype t { x: int }");
    reads("type t {\r\n\tx: int\r\n y: int # c\r\n}");
    assert_int_equal(tree.entities[0].field_count, 2);
    refuses("type t {\n x: \xff }", 2, 5, "the byte 0xff is not UTF-8",
            "as UTF-8");
    refuses("type t { # \xed\xa0\x80\n }", 1, 12, "the byte 0xed is not UTF-8",
            "as UTF-8");
    refuses("type caf\xc3\xa9 { }", 1, 6,
            "a name has letters a to z, A to Z, digits and _ alone", NULL);
    refuses("type t {\xc2\xa0x: int }", 1, 9,
            "the character U+00A0 cannot stand here", "spaces");
    assert_int_equal(parse(SLICE("type t {\n\0 }")), KAN_INVALID);
    assert_string_equal(source.faults[0].message,
                        "a byte 0 stands here: this is no text");
    assert_int_equal(parse(SLICE("\xff\xfet\0y\0")), KAN_INVALID);
    assert_string_equal(source.faults[0].message, "the file is in UTF-16");
    assert_int_equal(parse(SLICE("type t {\r x: int }")), KAN_INVALID);
    assert_string_equal(source.faults[0].message,
                        "a carriage return alone ends no line");
}

static void test_no_memory(void **state)
{
    (void)state;
    enum kan_err err = KAN_NOMEM;
    static const char text[] =
        "type t { x: map(text(3), r, 4); step s(a: int) { if a { x = q { b: 1 "
        "} } }\nlaw s(a) ~ nothing\nview v { n: count(s) } }\nrecord r { b: "
        "int }\nsaga q(a: t, b: r) { a.s(1) }";

    for (uint64_t n = 1; err == KAN_NOMEM; n++) {
        drop();
        assert_int_equal(source_init(&source, SLICE("a.kan"), kan_text(text)),
                         KAN_OK);
        mem_fault(n, false);
        err = tree_parse(&tree, &source);
        mem_fault(0, false);
        assert_int_equal(source.fault_count, 0);
        assert_true(err == KAN_NOMEM || n > 1);
    }
    assert_int_equal(err, KAN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_types, clean),
        cmocka_unit_test_teardown(test_the_ends_of_int, clean),
        cmocka_unit_test_teardown(test_precedence, clean),
        cmocka_unit_test_teardown(test_lines, clean),
        cmocka_unit_test_teardown(test_statements, clean),
        cmocka_unit_test_teardown(test_laws_and_views, clean),
        cmocka_unit_test_teardown(test_sagas_and_upgrades, clean),
        cmocka_unit_test_teardown(test_words, clean),
        cmocka_unit_test_teardown(test_signs, clean),
        cmocka_unit_test_teardown(test_lists, clean),
        cmocka_unit_test_teardown(test_braces, clean),
        cmocka_unit_test_teardown(test_several_at_once, clean),
        cmocka_unit_test_teardown(test_too_many, clean),
        cmocka_unit_test_teardown(test_counts, clean),
        cmocka_unit_test_teardown(test_depth, clean),
        cmocka_unit_test_teardown(test_texts, clean),
        cmocka_unit_test_teardown(test_no_memory, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
