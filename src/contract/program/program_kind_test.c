/* Programs over every kind of value: texts, enums, optionals, sets, maps and
 * records, against what was worked out by hand. */

#include "contract/program/program_case.h"

/* --- texts, enums, optionals ---------------------------------------------- */

static void texts_are_kept(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    a: text(5) = \"x\"\n"
        "    b: text(9)\n"
        "    n: int\n"
        "    r: bool\n"
        "    step put_in(v: text(9)) { a = v }\n"
        "    step wide(v: text(5)) { b = v }\n"
        "    step swap { b = a\n a = \"\" }\n"
        "    step self { a = a }\n"
        "    step count { n = size(a) }\n"
        "    step below(v: text(9)) { r = a < v and a <= v and v > a and v "
        ">= a and a != v }\n"
        "    step same(v: text(9)) { r = a == v and not (a < v) and a >= v "
        "}\n"
        "    step pick(c: bool) { a = if c then \"yes\" else b }\n"
        "    step drawn { b = if id == id then \"id\" else b\n n = size(id) "
        "}\n"
        "}\n");
    state_is("{\"a\":\"x\",\"b\":\"\",\"n\":0,\"r\":false}");
    taken("put_in", "{\"v\":\"abcde\"}");
    refused("put_in", "{\"v\":\"abcdef\"}", PROGRAM_LENGTH);
    says("put_in", "a would be longer than 5 bytes",
         "{\"a\":\"abcde\",\"v\":\"abcdef\"}");
    assert_int_equal(t.refusal.max, 5);
    taken("put_in", "{\"v\":\"ab\"}");
    taken("self", "{}");
    taken("count", "{}");
    taken("below", "{\"v\":\"abc\"}");
    state_is("{\"a\":\"ab\",\"b\":\"\",\"n\":2,\"r\":true}");
    taken("below", "{\"v\":\"ab\"}");
    state_is("{\"a\":\"ab\",\"b\":\"\",\"n\":2,\"r\":false}");
    taken("same", "{\"v\":\"ab\"}");
    state_is("{\"a\":\"ab\",\"b\":\"\",\"n\":2,\"r\":true}");
    taken("same", "{\"v\":\"a\"}");
    taken("wide", "{\"v\":\"long\"}");
    taken("pick", "{\"c\":false}");
    state_is("{\"a\":\"long\",\"b\":\"long\",\"n\":2,\"r\":false}");
    taken("pick", "{\"c\":true}");
    taken("swap", "{}");
    taken("drawn", "{}");
    state_is("{\"a\":\"\",\"b\":\"id\",\"n\":32,\"r\":false}");
    ends();
}

/* Which of two texts is taken is only known when it happens. */
static void chosen_texts_are_measured(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    a: text(4)\n"
        "    o: optional text(4) = none\n"
        "    step or_else { a = get(o, \"none!\") }\n"
        "    step choose(c: bool, v: text(9)) { a = if c then a else v }\n"
        "    step give(v: text(4)) { o = v }\n"
        "}\n");
    refused("or_else", "{}", PROGRAM_LENGTH);
    refused("choose", "{\"c\":false,\"v\":\"other\"}", PROGRAM_LENGTH);
    taken("choose", "{\"c\":true,\"v\":\"other\"}");
    taken("give", "{\"v\":\"four\"}");
    taken("or_else", "{}");
    state_is("{\"a\":\"four\",\"o\":\"four\"}");
    ends();
}

static void enums_are_compared(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    s: red | green | blue\n"
        "    r: bool\n"
        "    step put_in(v: red | green | blue) { s = v }\n"
        "    step next { s = if s == red then green else if s == green then "
        "blue else red }\n"
        "    step is(v: red | green | blue) { r = s == v and not (v != s) "
        "and (green == s) == (v == green) }\n"
        "}\n");
    state_is("{\"s\":\"red\",\"r\":false}");
    taken("next", "{}");
    taken("next", "{}");
    state_is("{\"s\":\"blue\",\"r\":false}");
    taken("is", "{\"v\":\"blue\"}");
    state_is("{\"s\":\"blue\",\"r\":true}");
    taken("is", "{\"v\":\"green\"}");
    state_is("{\"s\":\"blue\",\"r\":false}");
    taken("next", "{}");
    taken("put_in", "{\"v\":\"green\"}");
    state_is("{\"s\":\"green\",\"r\":false}");
    ends();
}

static void optionals_are_there_or_not(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    o: optional int(0 .. 9) = none\n"
        "    c: optional text(4) = \"x\"\n"
        "    n: int\n"
        "    r: bool\n"
        "    step put_in(v: int) { o = v }\n"
        "    step give(v: optional int(0 .. 9)) { o = v }\n"
        "    step clear { o = none\n c = none }\n"
        "    step mixed(v: int, y: bool) { o = if y then v else none }\n"
        "    step value { n = get(o, -1) }\n"
        "    step is(v: int) { r = o == v }\n"
        "    step is_not(v: int) { r = v != o }\n"
        "    step has { r = o != none and not (c == none) }\n"
        "    step both(v: optional int(0 .. 9)) { r = o == v }\n"
        "    step code(v: text(9)) { c = v }\n"
        "}\n");
    state_is("{\"o\":null,\"c\":\"x\",\"n\":0,\"r\":false}");
    taken("value", "{}");
    state_is("{\"o\":null,\"c\":\"x\",\"n\":-1,\"r\":false}");
    taken("is", "{\"v\":0}");
    state_is("{\"o\":null,\"c\":\"x\",\"n\":-1,\"r\":false}");
    taken("is_not", "{\"v\":0}");
    state_is("{\"o\":null,\"c\":\"x\",\"n\":-1,\"r\":true}");
    taken("put_in", "{\"v\":0}");
    taken("has", "{}");
    taken("value", "{}");
    state_is("{\"o\":0,\"c\":\"x\",\"n\":0,\"r\":true}");
    taken("is_not", "{\"v\":0}");
    state_is("{\"o\":0,\"c\":\"x\",\"n\":0,\"r\":false}");
    taken("is", "{\"v\":0}");
    state_is("{\"o\":0,\"c\":\"x\",\"n\":0,\"r\":true}");
    refused("put_in", "{\"v\":10}", PROGRAM_BOUND);
    assert_true(slice_equal(t.refusal.name, SLICE("o")));
    refused("code", "{\"v\":\"toolong\"}", PROGRAM_LENGTH);
    taken("both", "{\"v\":1}");
    state_is("{\"o\":0,\"c\":\"x\",\"n\":0,\"r\":false}");
    taken("both", "{\"v\":0}");
    state_is("{\"o\":0,\"c\":\"x\",\"n\":0,\"r\":true}");
    taken("mixed", "{\"v\":7,\"y\":true}");
    state_is("{\"o\":7,\"c\":\"x\",\"n\":0,\"r\":true}");
    refused("mixed", "{\"v\":70,\"y\":true}", PROGRAM_BOUND);
    taken("mixed", "{\"v\":70,\"y\":false}");
    taken("give", "{\"v\":3}");
    taken("give", "{\"v\":null}");
    taken("both", "{\"v\":null}");
    taken("clear", "{}");
    state_is("{\"o\":null,\"c\":null,\"n\":0,\"r\":true}");
    ends();
}

/* --- sets and maps -------------------------------------------------------- */

static void sets_are_sorted(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    s: set(int(-5 .. 99), 3)\n"
        "    w: set(text(3), 2)\n"
        "    e: set(a | b | c, 3)\n"
        "    f: set(bool, 2)\n"
        "    r: bool\n"
        "    n: int\n"
        "    step add(v: int) { s += v }\n"
        "    step drop(v: int) { s -= v }\n"
        "    step has(v: int) { r = v in s }\n"
        "    step count { n = size(s) }\n"
        "    step word(v: text(9)) { w += v }\n"
        "    step unword(v: text(9)) { w -= v }\n"
        "    step kind(v: a | b | c) { e += v\n r = b in e }\n"
        "    step truth(v: bool) { f += v }\n"
        "    step copy(v: set(int(-5 .. 99), 3)) { s = v }\n"
        "}\n");
    taken("add", "{\"v\":7}");
    taken("add", "{\"v\":-5}");
    taken("add", "{\"v\":50}");
    taken("add", "{\"v\":7}");
    taken("has", "{\"v\":7}");
    taken("count", "{}");
    state_is("{\"s\":[-5,7,50],\"w\":[],\"e\":[],\"f\":[],\"r\":true,\"n\":3}");
    refused("add", "{\"v\":8}", PROGRAM_FULL);
    says("add", "s is full: it holds 3", "{\"s\":[-5,7,50],\"v\":8}");
    refused("add", "{\"v\":100}", PROGRAM_BOUND);
    says("add", "s would be 100, which is not in -5 .. 99",
         "{\"s\":[-5,7,50],\"v\":100}");
    taken("drop", "{\"v\":8}");
    taken("drop", "{\"v\":1000}");
    taken("drop", "{\"v\":-5}");
    taken("has", "{\"v\":-5}");
    taken("count", "{}");
    state_is("{\"s\":[7,50],\"w\":[],\"e\":[],\"f\":[],\"r\":false,\"n\":2}");
    taken("drop", "{\"v\":50}");
    taken("drop", "{\"v\":7}");
    taken("drop", "{\"v\":7}");
    taken("word", "{\"v\":\"b\"}");
    taken("word", "{\"v\":\"ab\"}");
    refused("word", "{\"v\":\"c\"}", PROGRAM_FULL);
    refused("word", "{\"v\":\"abcd\"}", PROGRAM_LENGTH);
    taken("unword", "{\"v\":\"abcd\"}");
    taken("unword", "{\"v\":\"ab\"}");
    taken("word", "{\"v\":\"bc\"}");
    taken("kind", "{\"v\":\"c\"}");
    taken("kind", "{\"v\":\"b\"}");
    taken("truth", "{\"v\":true}");
    taken("truth", "{\"v\":false}");
    state_is(
        "{\"s\":[],\"w\":[\"b\",\"bc\"],\"e\":[\"b\",\"c\"],\"f\":[false,"
        "true],\"r\":true,\"n\":2}");
    taken("copy", "{\"v\":[3,1]}");
    state_is(
        "{\"s\":[1,3],\"w\":[\"b\",\"bc\"],\"e\":[\"b\",\"c\"],\"f\":["
        "false,true],\"r\":true,\"n\":2}");
    ends();
}

static void maps_are_sorted(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    m: map(text(4), int(1 .. 9), 3)\n"
        "    n: map(int, text(4), 2)\n"
        "    x: map(text(4), text(4), 3)\n"
        "    got: int\n"
        "    r: bool\n"
        "    step put_in(k: text(9), v: int) { m[k] = v }\n"
        "    step more(k: text(9), v: int) { m[k] += v }\n"
        "    step drop(k: text(9)) { m -= k }\n"
        "    step read(k: text(9)) { got = m[k] }\n"
        "    step want(k: text(9)) { got = get(m, k, -1)\n r = k in m }\n"
        "    step count { got = size(m) }\n"
        "    step write(k: int, v: text(9)) { n[k] = v }\n"
        "    step put(k: text(4), v: text(4)) { x[k] = v }\n"
        "    step chain(k: text(4)) { x[x[k]] = x[k] }\n"
        "    step unchain(k: text(4)) { x -= x[k] }\n"
        "    step when_there(k: text(4)) when m[k] == 1 { got = 0 }\n"
        "}\n");
    taken("put_in", "{\"k\":\"b\",\"v\":2}");
    taken("put_in", "{\"k\":\"a\",\"v\":1}");
    taken("put_in", "{\"k\":\"b\",\"v\":3}");
    taken("more", "{\"k\":\"b\",\"v\":1}");
    state_is(
        "{\"m\":{\"a\":1,\"b\":4},\"n\":{},\"x\":{},\"got\":0,\"r\":false}");
    refused("more", "{\"k\":\"c\",\"v\":1}", PROGRAM_MISSING);
    says("more", "m[k] is not there: no such key in m",
         "{\"m\":{\"a\":1,\"b\":4},\"k\":\"c\"}");
    refused("more", "{\"k\":\"b\",\"v\":6}", PROGRAM_BOUND);
    says("more", "m would be 10, which is not in 1 .. 9",
         "{\"m\":{\"a\":1,\"b\":4},\"k\":\"b\",\"v\":6}");
    refused("put_in", "{\"k\":\"z\",\"v\":0}", PROGRAM_BOUND);
    assert_string_equal(state_text(t.after), state_text(t.state));
    refused("put_in", "{\"k\":\"zzzzz\",\"v\":1}", PROGRAM_LENGTH);
    taken("put_in", "{\"k\":\"zzzz\",\"v\":9}");
    refused("put_in", "{\"k\":\"c\",\"v\":1}", PROGRAM_FULL);
    says("put_in", "m is full: it holds 3",
         "{\"m\":{\"a\":1,\"b\":4,\"zzzz\":9},\"k\":\"c\",\"v\":1}");
    taken("put_in", "{\"k\":\"a\",\"v\":5}");
    taken("read", "{\"k\":\"zzzz\"}");
    refused("read", "{\"k\":\"zz\"}", PROGRAM_MISSING);
    refused("when_there", "{\"k\":\"zz\"}", PROGRAM_MISSING);
    refused("when_there", "{\"k\":\"a\"}", PROGRAM_GUARD);
    taken("drop", "{\"k\":\"nothing\"}");
    taken("drop", "{\"k\":\"b\"}");
    state_is(
        "{\"m\":{\"a\":5,\"zzzz\":9},\"n\":{},\"x\":{},\"got\":9,\"r\":"
        "false}");
    taken("want", "{\"k\":\"b\"}");
    state_is(
        "{\"m\":{\"a\":5,\"zzzz\":9},\"n\":{},\"x\":{},\"got\":-1,\"r\":"
        "false}");
    taken("want", "{\"k\":\"a\"}");
    state_is(
        "{\"m\":{\"a\":5,\"zzzz\":9},\"n\":{},\"x\":{},\"got\":5,\"r\":"
        "true}");
    taken("drop", "{\"k\":\"a\"}");
    taken("drop", "{\"k\":\"zzzz\"}");
    taken("count", "{}");
    taken("write", "{\"k\":5,\"v\":\"five\"}");
    taken("write", "{\"k\":-5,\"v\":\"\"}");
    refused("write", "{\"k\":6,\"v\":\"fives\"}", PROGRAM_LENGTH);
    refused("write", "{\"k\":6,\"v\":\"x\"}", PROGRAM_FULL);
    state_is(
        "{\"m\":{},\"n\":{\"-5\":\"\",\"5\":\"five\"},\"x\":{},\"got\":0,"
        "\"r\":true}");
    /* What is read from the map survives the map's own change. */
    taken("put", "{\"k\":\"m\",\"v\":\"a\"}");
    taken("put", "{\"k\":\"n\",\"v\":\"m\"}");
    taken("chain", "{\"k\":\"m\"}");
    state_is(
        "{\"m\":{},\"n\":{\"-5\":\"\",\"5\":\"five\"},\"x\":{\"a\":\"a\","
        "\"m\":\"a\",\"n\":\"m\"},\"got\":0,\"r\":true}");
    taken("unchain", "{\"k\":\"n\"}");
    taken("unchain", "{\"k\":\"a\"}");
    state_is(
        "{\"m\":{},\"n\":{\"-5\":\"\",\"5\":\"five\"},\"x\":{\"n\":\"m\"},"
        "\"got\":0,\"r\":true}");
    ends();
}

/* --- records -------------------------------------------------------------- */

static void records_are_nested(void **state)
{
    (void)state;
    begins(
        "record point { x: int(0 .. 9) = 3\n y: int(0 .. 9)\n note: "
        "optional text(4) = none }\n"
        "record line { from: point\n to: point\n solid: bool = true }\n"
        "type t {\n"
        "    p: point\n"
        "    l: line\n"
        "    o: optional point = none\n"
        "    m: map(int, point, 2)\n"
        "    r: bool\n"
        "    step turn { p = point { x: p.y, y: p.x } }\n"
        "    step put_in(x: int, y: int) { p = point { x: x, y: y, note: "
        "\"n\" } }\n"
        "    step part(x: int) { p.x = x\n l.to.y += x }\n"
        "    step whole(q: point) { l.from = q\n r = l.from == q and l.to "
        "!= q }\n"
        "    step put(k: int, q: point) { m[k] = q }\n"
        "    step deep(k: int, x: int) { m[k].x += x\n m[k].note = none }\n"
        "    step maybe(c: bool) { o = if c then point { y: 1 } else none "
        "}\n"
        "    step from_map(k: int) { p = get(m, k, point { x: 8, y: 8 }) "
        "}\n"
        "    step is(q: point) { r = o == q }\n"
        "}\n");
#define P(x, y, note) "{\"x\":" x ",\"y\":" y ",\"note\":" note "}"
#define S(p, l, o, m, r) \
    "{\"p\":" p ",\"l\":" l ",\"o\":" o ",\"m\":" m ",\"r\":" r "}"
#define L(from, to) "{\"from\":" from ",\"to\":" to ",\"solid\":true}"
#define P0          P("3", "0", "null")
    state_is(S(P0, L(P0, P0), "null", "{}", "false"));
    taken("turn", "{}");
    state_is(S(P("0", "3", "null"), L(P0, P0), "null", "{}", "false"));
    taken("put_in", "{\"x\":1,\"y\":2}");
    state_is(S(P("1", "2", "\"n\""), L(P0, P0), "null", "{}", "false"));
    refused("put_in", "{\"x\":1,\"y\":10}", PROGRAM_BOUND);
    says("put_in", "p.y would be 10, which is not in 0 .. 9", "{\"y\":10}");
    assert_string_equal(state_text(t.after), S(P("1", "2", "\"n\""), L(P0, P0),
                                               "null", "{}", "false"));
    taken("part", "{\"x\":4}");
    state_is(S(P("4", "2", "\"n\""), L(P0, P("3", "4", "null")), "null", "{}",
               "false"));
    refused("part", "{\"x\":6}", PROGRAM_BOUND);
    assert_true(slice_equal(t.refusal.name, SLICE("l.to.y")));
    taken("whole", "{\"q\":{\"x\":5,\"y\":5}}");
    state_is(S(P("4", "2", "\"n\""),
               L(P("5", "5", "null"), P("3", "4", "null")), "null", "{}",
               "true"));
    refused("deep", "{\"k\":1,\"x\":1}", PROGRAM_MISSING);
    taken("put", "{\"k\":1,\"q\":{\"x\":5,\"y\":5,\"note\":\"abcd\"}}");
    taken("put", "{\"k\":-1,\"q\":{\"y\":6}}");
    taken("deep", "{\"k\":1,\"x\":1}");
    refused("deep", "{\"k\":1,\"x\":4}", PROGRAM_BOUND);
    assert_true(slice_equal(t.refusal.name, SLICE("m.x")));
    taken("from_map", "{\"k\":1}");
    state_is(S(P("6", "5", "null"), L(P("5", "5", "null"), P("3", "4", "null")),
               "null",
               "{\"-1\":" P("3", "6", "null") ",\"1\":" P("6", "5", "null") "}",
               "true"));
    taken("from_map", "{\"k\":2}");
    taken("is", "{\"q\":{\"y\":1}}");
    state_is(S(P("8", "8", "null"), L(P("5", "5", "null"), P("3", "4", "null")),
               "null",
               "{\"-1\":" P("3", "6", "null") ",\"1\":" P("6", "5", "null") "}",
               "false"));
    taken("maybe", "{\"c\":true}");
    taken("is", "{\"q\":{\"y\":1}}");
    state_is(S(P("8", "8", "null"), L(P("5", "5", "null"), P("3", "4", "null")),
               P("3", "1", "null"),
               "{\"-1\":" P("3", "6", "null") ",\"1\":" P("6", "5", "null") "}",
               "true"));
    taken("maybe", "{\"c\":false}");
    ends();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(texts_are_kept, torn_down),
        cmocka_unit_test_teardown(chosen_texts_are_measured, torn_down),
        cmocka_unit_test_teardown(enums_are_compared, torn_down),
        cmocka_unit_test_teardown(optionals_are_there_or_not, torn_down),
        cmocka_unit_test_teardown(sets_are_sorted, torn_down),
        cmocka_unit_test_teardown(maps_are_sorted, torn_down),
        cmocka_unit_test_teardown(records_are_nested, torn_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
