/* Programs, compiled from text and stepped: numbers, truth, statements,
 * invariants, and what a program says about itself. */

#include "contract/program/bank_sample.h"
#include "contract/program/program_case.h"

/* --- the bank ------------------------------------------------------------- */

static const char bank[] =
    "type account {\n" BANK_MEMBERS BANK_CLOSED_IS_EMPTY BANK_STEPS
    "    step freeze when status == open { status = frozen }\n"
    "    step close when status == open { status = closed }\n"
    "    internal step hold(amount: int(1 .. 1_000_000)) when status == open "
    "{\n"
    "        held += amount\n"
    "    }\n"
    "    internal step grow(by: int) { held = by }\n"
    "}\n";

static void bank_runs(void **state)
{
    (void)state;
    begins(bank);
    state_is(
        "{\"owner\":\"\",\"balance\":0,\"held\":0,\"status\":\"unopened\"}");
    refused("deposit", "{\"amount\":5}", PROGRAM_GUARD);
    says("deposit", "deposit needs status == open",
         "{\"status\":\"unopened\"}");
    refused("open", "{\"name\":\"\"}", PROGRAM_REQUIRE);
    says("open", "an account needs an owner", "{\"name\":\"\"}");
    taken("open", "{\"name\":\"ann\"}");
    taken("deposit", "{\"amount\":500}");
    state_is(
        "{\"owner\":\"ann\",\"balance\":500,\"held\":0,\"status\":\"open\"}");
    refused("withdraw", "{\"amount\":501}", PROGRAM_REQUIRE);
    says("withdraw", "insufficient funds", "{\"amount\":501,\"balance\":500}");
    taken("withdraw", "{\"amount\":500}");
    taken("deposit", "{\"amount\":1}");
    refused("close", "{}", PROGRAM_INVARIANT);
    says("close",
         "close would break closed_is_empty: status == closed => balance == 0 "
         "and held == 0",
         "{\"status\":\"closed\",\"balance\":1,\"held\":0}");
    taken("grow", "{\"by\":999999999}");
    refused("deposit", "{\"amount\":1000000}", PROGRAM_INVARIANT);
    assert_true(slice_equal(t.refusal.name, SLICE("fits")));
    refused("hold", "{\"amount\":2}", PROGRAM_BOUND);
    says("hold", "held would be 1000000001, which is not in 0 .. 1000000000",
         "{\"held\":999999999,\"amount\":2}");
    assert_true(slice_equal(t.refusal.source, SLICE("held += amount")));
    refused("grow", "{\"by\":-1}", PROGRAM_BOUND);
    says("grow", "held would be -1, which is not in 0 .. 1000000000",
         "{\"held\":999999999,\"by\":-1}");
    ends();
}

/* --- numbers -------------------------------------------------------------- */

static void numbers_are_computed(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    a: int = 0\n"
        "    step sum(x: int, y: int) { a = x + y }\n"
        "    step less(x: int, y: int) { a = x - y }\n"
        "    step times(x: int, y: int) { a = x * y }\n"
        "    step by(x: int, y: int) { a = x / y }\n"
        "    step rest(x: int, y: int) { a = x % y }\n"
        "    step turn(x: int) { a = -x }\n"
        "    step ends(x: int, y: int) { a = min(x, y) * 1000 + max(x, y) "
        "}\n"
        "    step mixed(x: int) { a = 1 + 2 * x - 10 / 3 % 2 }\n"
        "    step clock { a = now }\n"
        "    step more(x: int) { a += x }\n"
        "    step fewer(x: int) { a -= x }\n"
        "}\n");
    taken("sum", "{\"x\":2,\"y\":-5}");
    state_is("{\"a\":-3}");
    taken("less", "{\"x\":2,\"y\":-5}");
    state_is("{\"a\":7}");
    taken("times", "{\"x\":-4,\"y\":5}");
    state_is("{\"a\":-20}");
    taken("by", "{\"x\":-7,\"y\":2}");
    state_is("{\"a\":-3}");
    taken("rest", "{\"x\":-7,\"y\":2}");
    state_is("{\"a\":-1}");
    taken("rest", "{\"x\":7,\"y\":-2}");
    state_is("{\"a\":1}");
    taken("turn", "{\"x\":9}");
    state_is("{\"a\":-9}");
    taken("ends", "{\"x\":7,\"y\":3}");
    state_is("{\"a\":3007}");
    taken("mixed", "{\"x\":5}");
    state_is("{\"a\":10}");
    taken("clock", "{}");
    state_is("{\"a\":1000}");
    taken("more", "{\"x\":1}");
    taken("fewer", "{\"x\":3}");
    state_is("{\"a\":998}");
    ends();
}

#define MOST  "\"9223372036854775807\""
#define LEAST "\"-9223372036854775808\""

static void numbers_overflow(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    a: int = 1\n"
        "    step sum(x: int, y: int) { a = x + y }\n"
        "    step less(x: int, y: int) { a = x - y }\n"
        "    step times(x: int, y: int) { a = x * y }\n"
        "    step by(x: int, y: int) { a = x / y }\n"
        "    step rest(x: int, y: int) { a = x % y }\n"
        "    step turn(x: int) { a = -x }\n"
        "    step more(x: int) { a += x }\n"
        "    step fewer(x: int) { a -= x }\n"
        "    step guarded(x: int) when x + 1 > a { a = 5 }\n"
        "}\n");
    refused("sum", "{\"x\":" MOST ",\"y\":1}", PROGRAM_OVERFLOW);
    says("sum", "a cannot be set: x + y does not fit into 64 bits",
         "{\"x\":" MOST ",\"y\":1}");
    refused("less", "{\"x\":" LEAST ",\"y\":1}", PROGRAM_OVERFLOW);
    refused("times", "{\"x\":" MOST ",\"y\":2}", PROGRAM_OVERFLOW);
    refused("times", "{\"x\":" LEAST ",\"y\":-1}", PROGRAM_OVERFLOW);
    refused("by", "{\"x\":" LEAST ",\"y\":-1}", PROGRAM_OVERFLOW);
    refused("by", "{\"x\":1,\"y\":0}", PROGRAM_DIVIDE);
    says("by", "a cannot be set: x / y divides by zero", "{\"x\":1,\"y\":0}");
    refused("rest", "{\"x\":1,\"y\":0}", PROGRAM_DIVIDE);
    refused("turn", "{\"x\":" LEAST "}", PROGRAM_OVERFLOW);
    refused("more", "{\"x\":" MOST "}", PROGRAM_OVERFLOW);
    says("more", "a cannot be set: a += x does not fit into 64 bits",
         "{\"a\":1,\"x\":" MOST "}");
    refused("fewer", "{\"x\":" LEAST "}", PROGRAM_OVERFLOW);
    refused("guarded", "{\"x\":" MOST "}", PROGRAM_OVERFLOW);
    state_is("{\"a\":1}");
    /* The one quotient that is no number has a remainder. */
    taken("rest", "{\"x\":" LEAST ",\"y\":-1}");
    state_is("{\"a\":0}");
    taken("sum", "{\"x\":" MOST ",\"y\":0}");
    taken("less", "{\"x\":" LEAST ",\"y\":0}");
    state_is("{\"a\":" LEAST "}");
    ends();
}

/* The name in the refusal of a step that cannot be computed. */
static void names(const char *step, const char *json, const char *name)
{
    assert_true(take(step, json) >= PROGRAM_OVERFLOW);
    assert_int_equal(t.refusal.name.size, strlen(name));
    assert_memory_equal(t.refusal.name.bytes, name, strlen(name));
}

static void what_was_assigned_is_named(void **state)
{
    (void)state;
    begins(
        "record point { x: int\n y: int }\n"
        "type t {\n"
        "    big: int = 1\n"
        "    at: point = point { x: 0, y: 0 }\n"
        "    many: map(int, point, 3)\n"
        "    some: set(int, 3)\n"
        "    invariant whole: 10 / (big - 7) != 99\n"
        "    step field(a: int) { big = a * 2 + 1 }\n"
        "    step negative(a: int) { big = -a }\n"
        "    step inner(a: int) { big = max(a + 1, 3) }\n"
        "    step member(a: int) { at.x = a + 1 }\n"
        "    step literal(a: int) { at = point { x: 1, y: 1 / a } }\n"
        "    step key(a: int) { many[a + 1] = at }\n"
        "    step put(a: int) { some += a + 1 }\n"
        "    step out(a: int) { some -= a + 1 }\n"
        "    step element(a: int) {\n"
        "        many[1] = at\n"
        "        many[1].y += a\n"
        "        many[1].y += 1\n"
        "    }\n"
        "    step guard(a: int) when a + 1 > 0 { big = 2 }\n"
        "    step must(a: int) { big = 2\n require a + 1 > 0 else \"no\" }\n"
        "    step branch(a: int) { big = 2\n if a + 1 > 0 { big = 3 } }\n"
        "    step behind(a: int) { if a > 0 { big = 3 }\n"
        "        require a + 1 > 0 else \"no\" }\n"
        "    step seven { big = 7 }\n"
        "}\n");
    names("field", "{\"a\":" MOST "}", "big");
    says("field", "big cannot be set: a * 2 does not fit into 64 bits",
         "{\"a\":" MOST "}");
    names("negative", "{\"a\":" LEAST "}", "big");
    names("inner", "{\"a\":" MOST "}", "big");
    names("member", "{\"a\":" MOST "}", "at.x");
    names("literal", "{\"a\":0}", "at");
    names("key", "{\"a\":" MOST "}", "many");
    names("put", "{\"a\":" MOST "}", "some");
    names("out", "{\"a\":" MOST "}", "some");
    names("element", "{\"a\":" MOST "}", "many.y");
    names("guard", "{\"a\":" MOST "}", "");
    says("guard", "a + 1 does not fit into 64 bits", "{\"a\":" MOST "}");
    names("must", "{\"a\":" MOST "}", "");
    names("branch", "{\"a\":" MOST "}", "");
    names("behind", "{\"a\":" MOST "}", "");
    names("seven", "{}", "");
    ends();
}

static void numbers_are_compared(void **state)
{
    static const char *const orders[] = {"eq", "ne", "lt", "le", "gt", "ge"};
    static const bool want[3][6] = {
        {0, 1, 1, 1, 0, 0}, {1, 0, 0, 1, 0, 1}, {0, 1, 0, 0, 1, 1}};
    static const char *const given[] = {"{\"x\":4}", "{\"x\":5}", "{\"x\":6}"};
    uint32_t i;
    uint32_t k;

    (void)state;
    begins(
        "type t {\n"
        "    a: int = 5\n"
        "    eq: bool\n ne: bool\n lt: bool\n le: bool\n gt: bool\n"
        "    ge: bool\n"
        "    step variable(x: int) { eq = x == a\n ne = x != a\n lt = x < "
        "a\n le = x <= a\n gt = x > a\n ge = x >= a }\n"
        "    step constant(x: int) { eq = x == 5\n ne = x != 5\n lt = x < "
        "5\n le = x <= 5\n gt = x > 5\n ge = x >= 5 }\n"
        "    step turned(x: int) { eq = not (x != 5)\n ne = not (x == 5)\n "
        "lt = not (x >= 5)\n le = not (x > 5)\n gt = not (x <= 5)\n ge = "
        "not (x < 5) }\n"
        "    step large(x: int) { eq = x == 5_000_000_000 }\n"
        "}\n");
    for (i = 0; i < 3; i++) {
        static const char *const steps[] = {"variable", "constant", "turned"};
        uint32_t s;

        for (s = 0; s < 3; s++) {
            taken(steps[s], given[i]);
            for (k = 0; k < 6; k++) {
                struct program_member member =
                    program_member(t.program, 0, 1 + k);

                assert_true(slice_equal(member.name, kan_text(orders[k])));
                assert_int_equal(((char *)t.state)[member.offset], want[i][k]);
            }
        }
    }
    taken("large", "{\"x\":5000000000}");
    assert_int_equal(((char *)t.state)[program_member(t.program, 0, 1).offset],
                     1);
    ends();
}

static void bounds_are_kept(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    a: int(-3 .. 9) = 0\n"
        "    b: int(0 .. 5) = 0\n"
        "    step put_in(x: int) { a = x }\n"
        "    step narrow(x: int(0 .. 5)) { a = x\n b = x }\n"
        "    step twice(x: int) { b = 1\n a = x }\n"
        "    step small { b = a }\n"
        "}\n");
    taken("put_in", "{\"x\":9}");
    refused("put_in", "{\"x\":10}", PROGRAM_BOUND);
    says("put_in", "a would be 10, which is not in -3 .. 9",
         "{\"a\":9,\"x\":10}");
    assert_int_equal(t.refusal.value, 10);
    assert_int_equal(t.refusal.min, -3);
    assert_int_equal(t.refusal.max, 9);
    taken("put_in", "{\"x\":-3}");
    refused("put_in", "{\"x\":-4}", PROGRAM_BOUND);
    refused("small", "{}", PROGRAM_BOUND);
    taken("narrow", "{\"x\":5}");
    /* after is the state as it was when the step was refused. */
    refused("twice", "{\"x\":11}", PROGRAM_BOUND);
    assert_string_equal(state_text(t.after), "{\"a\":5,\"b\":1}");
    state_is("{\"a\":5,\"b\":5}");
    ends();
}

/* --- truth ---------------------------------------------------------------- */

static void truth_is_short(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    r: bool\n"
        "    step both(a: bool, b: int) { r = a and 1 / b == 1 }\n"
        "    step either(a: bool, b: int) { r = a or 1 / b == 1 }\n"
        "    step follows(a: bool, b: int) { r = a => 1 / b == 1 }\n"
        "    step choice(a: bool, b: int) { r = if a then true else 1 / b "
        "== 1 }\n"
        "    step nested(a: bool, b: bool) { r = not (a and not b) => (a or "
        "b) and not (a => b) }\n"
        "    step same(a: bool, b: bool) { r = (a and b) == (b or a) }\n"
        "}\n");
    taken("both", "{\"a\":false,\"b\":0}");
    refused("both", "{\"a\":true,\"b\":0}", PROGRAM_DIVIDE);
    taken("both", "{\"a\":true,\"b\":1}");
    state_is("{\"r\":true}");
    taken("both", "{\"a\":true,\"b\":2}");
    state_is("{\"r\":false}");
    taken("either", "{\"a\":true,\"b\":0}");
    state_is("{\"r\":true}");
    refused("either", "{\"a\":false,\"b\":0}", PROGRAM_DIVIDE);
    taken("either", "{\"a\":false,\"b\":2}");
    state_is("{\"r\":false}");
    taken("follows", "{\"a\":false,\"b\":0}");
    state_is("{\"r\":true}");
    refused("follows", "{\"a\":true,\"b\":0}", PROGRAM_DIVIDE);
    taken("follows", "{\"a\":true,\"b\":2}");
    state_is("{\"r\":false}");
    taken("choice", "{\"a\":true,\"b\":0}");
    state_is("{\"r\":true}");
    refused("choice", "{\"a\":false,\"b\":0}", PROGRAM_DIVIDE);
    /* not (a and not b) => ...: only a and not b makes the left side false. */
    taken("nested", "{\"a\":true,\"b\":false}");
    state_is("{\"r\":true}");
    taken("nested", "{\"a\":true,\"b\":true}");
    state_is("{\"r\":false}");
    taken("nested", "{\"a\":false,\"b\":false}");
    state_is("{\"r\":false}");
    taken("same", "{\"a\":true,\"b\":false}");
    state_is("{\"r\":false}");
    taken("same", "{\"a\":true,\"b\":true}");
    state_is("{\"r\":true}");
    ends();
}

/* --- statements ----------------------------------------------------------- */

static void branches_are_taken(void **state)
{
    (void)state;
    begins(
        "type t {\n"
        "    a: int\n"
        "    b: int\n"
        "    step go(x: int) {\n"
        "        if x < 0 { a = 1 } else if x == 0 { a = 2; b = a } else {\n"
        "            if x > 10 { require x < 20 else \"too much\" }\n"
        "            a = 3\n"
        "        }\n"
        "        b += 1\n"
        "    }\n"
        "    step idle { }\n"
        "}\n");
    taken("go", "{\"x\":-1}");
    state_is("{\"a\":1,\"b\":1}");
    taken("go", "{\"x\":0}");
    state_is("{\"a\":2,\"b\":3}");
    taken("go", "{\"x\":15}");
    state_is("{\"a\":3,\"b\":4}");
    refused("go", "{\"x\":20}", PROGRAM_REQUIRE);
    says("go", "too much", "{\"x\":20}");
    taken("idle", "{}");
    state_is("{\"a\":3,\"b\":4}");
    ends();
}

static void defaults_are_given(void **state)
{
    (void)state;
    begins(
        "record pair { a: int(1 .. 5) = 2\n b: int }\n"
        "type t {\n"
        "    n: int(3 .. 9) = 1 + 2 * 2\n"
        "    s: up | down = down\n"
        "    p: pair = pair { b: 7 }\n"
        "    q: pair\n"
        "    step go(a: int(1 .. 9) = 4, b: text(5) = \"hi\", z: pair) { n "
        "= a + size(b) }\n"
        "}\n");
    state_is(
        "{\"n\":5,\"s\":\"down\",\"p\":{\"a\":2,\"b\":7},\"q\":{\"a\":2,"
        "\"b\":0}}");
    taken("go", "{\"z\":{\"b\":0}}");
    state_is(
        "{\"n\":6,\"s\":\"down\",\"p\":{\"a\":2,\"b\":7},\"q\":{\"a\":2,"
        "\"b\":0}}");
    assert_true(
        program_member(t.program, program_step(t.program, 0).arguments, 0)
            .has_default);
    assert_false(
        program_member(t.program, program_step(t.program, 0).arguments, 2)
            .has_default);
    ends();
}

/* --- invariants ----------------------------------------------------------- */

static void invariants_are_judged(void **state)
{
    uint64_t reads[PROGRAM_FIELD_WORDS];
    uint64_t writes[PROGRAM_FIELD_WORDS];

    (void)state;
    begins(
        "type t {\n"
        "    a: int\n"
        "    b: int\n"
        "    c: int\n"
        "    d: int\n"
        "    invariant ab: a <= b\n"
        "    invariant d: 10 / (d + 1) >= 0\n"
        "    step seta(v: int) { a = v }\n"
        "    step setb(v: int) { b = v }\n"
        "    step setc(v: int) { c = v + d }\n"
        "    step setd(v: int) { d = v }\n"
        "    step both(v: int) { b = v\n a = v }\n"
        "}\n");
    refused("seta", "{\"v\":1}", PROGRAM_INVARIANT);
    says("seta", "seta would break ab: a <= b", "{\"a\":1,\"b\":0}");
    taken("both", "{\"v\":3}");
    refused("setb", "{\"v\":2}", PROGRAM_INVARIANT);
    taken("setc", "{\"v\":2}");
    refused("setd", "{\"v\":-1}", PROGRAM_DIVIDE);
    refused("setd", "{\"v\":-2}", PROGRAM_INVARIANT);
    state_is("{\"a\":3,\"b\":3,\"c\":2,\"d\":0}");
    program_step_fields(t.program, 0, reads, writes);
    assert_int_equal(writes[0], 1);
    assert_int_equal(reads[0], 3);
    program_step_fields(t.program, 2, reads, writes);
    assert_int_equal(writes[0], 4);
    assert_int_equal(reads[0], 8);
    ends();
}

/* --- views ---------------------------------------------------------------- */

static void views_are_compiled(void **state)
{
    int64_t tally[8] = {0};

    (void)state;
    begins(
        "type t {\n"
        "    a: int\n"
        "    step add(v: int) { a += v }\n"
        "    view one {\n"
        "        a: a\n"
        "        twice: a * 2\n"
        "        count: count(add)\n"
        "        sum: sum(add.v) - 1\n"
        "        last: last(add.v)\n"
        "    }\n"
        "}\n");
    arguments_read("add", "{\"v\":4}");
    taken("add", "{\"v\":4}");
    assert_true(program_tally_size(t.program) <= sizeof tally);
    program_tally_add(t.program, 0, t.arguments, tally);
    buffer_clear(&t.text);
    program_view_json(t.program, 0, t.state, tally, &t.text);
    assert_string_equal(
        buffer_text(&t.text),
        "{\"a\":4,\"twice\":8,\"count\":1,\"sum\":3,\"last\":4}");
    ends();
}

/* --- hashes and the text that is kept ------------------------------------- */

static struct program_hash hash_of(const char *text)
{
    struct program_hash hash;

    begins(text);
    hash = program_hash(t.program);
    ends();
    return hash;
}

static bool means_same(const char *a, const char *b)
{
    struct program_hash left = hash_of(a);
    struct program_hash right = hash_of(b);

    return memcmp(&left, &right, sizeof left) == 0;
}

static void hashes_tell_meanings_apart(void **state)
{
    static const char plain[] =
        "type t { a: int(0 .. 9) = 0\n s: x | y\n step go(v: int(0 .. 5)) when "
        "s == x { a = v } }";

    (void)state;
    assert_true(means_same(
        plain,
        "# a comment\ntype t version 1 {\n a: int(0 .. 9)\n s: x | y\n"
        "step go(v: int(0 .. 5))\n when (s == x) {\n a = (v) # why\n }\n"
        "law go(k) ~ go(k)\n view w { a: a } }"));
    assert_false(means_same(plain,
                            "type t { b: int(0 .. 9) = 0\n s: x | y\n step "
                            "go(v: int(0 .. 5)) when s == x { b = v } }"));
    assert_false(means_same(plain,
                            "type t { a: int(0 .. 8) = 0\n s: x | y\n step "
                            "go(v: int(0 .. 5)) when s == x { a = v } }"));
    assert_false(means_same(plain,
                            "type t { a: int(0 .. 9) = 1\n s: x | y\n step "
                            "go(v: int(0 .. 5)) when s == x { a = v } }"));
    assert_false(means_same(plain,
                            "type t { a: int(0 .. 9) = 0\n s: x | z\n step "
                            "go(v: int(0 .. 5)) when s == x { a = v } }"));
    assert_false(means_same(plain,
                            "type t { a: int(0 .. 9) = 0\n s: x | y\n step "
                            "go(w: int(0 .. 5)) when s == x { a = w } }"));
    assert_false(means_same(plain,
                            "type t { a: int(0 .. 9) = 0\n s: x | y\n step "
                            "go(v: int(0 .. 5) = 1) when s == x { a = v } }"));
    assert_false(means_same(plain,
                            "type t { a: int(0 .. 9) = 0\n s: x | y\n step "
                            "go(v: int(0 .. 5)) when s == y { a = v } }"));
    assert_false(means_same(plain,
                            "type t { a: int(0 .. 9) = 0\n s: x | y\n internal "
                            "step go(v: int(0 .. 5)) when s == x { a = v } }"));
    assert_false(means_same(plain,
                            "type t { a: int(0 .. 9) = 0\n s: x | y\n step "
                            "go(v: int(0 .. 5)) when s == x { a = v }\n "
                            "invariant i: a < 9 }"));
}

static void texts_compile_again(void **state)
{
    static const char text[] =
        "record unused { n: int }\n"
        "record   inner { # } a brace\n x: text(9) = \"}\"\n }\n"
        "record outer { i: inner\n o: optional int = none }\n"
        "type other { a: int }\n"
        "type t version 1 { m: map(int, outer, 3)\n step go { m -= 1 } }\n";
    struct program_hash hash;
    struct program_hash again;
    struct buffer kept = BUFFER_INIT;

    (void)state;
    begins(text);
    hash = program_hash(t.program);
    buffer_append(&kept, program_text(t.program));
    ends();
    assert_null(strstr(buffer_text(&kept), "unused"));
    assert_null(strstr(buffer_text(&kept), "other"));
    begins(buffer_text(&kept));
    again = program_hash(t.program);
    assert_memory_equal(&hash, &again, sizeof hash);
    ends();
    buffer_fini(&kept);
}

/* --- limits --------------------------------------------------------------- */

static void large_states_are_refused(void **state)
{
    enum kan_err err;

    (void)state;
    err = try_begin("type t { a: set(text(4096), 4096) }");
    assert_true(err == KAN_FULL || err == KAN_INVALID);
    assert_int_equal(t.source.fault_count, 1);
    ends();
    /* Temporaries beyond the small frame. */
    begins(
        "record big { a: text(4000)\n b: text(4000) }\n"
        "type t { b: big\n step swap { b = big { a: b.b, b: b.a } }\n"
        " step put_in(v: text(4000)) { b.a = v } }\n");
    taken("put_in", "{\"v\":\"hello\"}");
    taken("swap", "{}");
    state_is("{\"b\":{\"a\":\"\",\"b\":\"hello\"}}");
    ends();
}

/* --- memory that runs out ------------------------------------------------- */

static void compiling_survives_faults(void **state)
{
    static const char text[] =
        "record point { x: int(0 .. 9) = 3\n y: int(0 .. 9) }\n"
        "type t {\n"
        "    p: point\n"
        "    m: map(text(4), point, 4)\n"
        "    s: a | b\n"
        "    invariant ok: p.x <= 9\n"
        "    step go(k: text(4) = \"k\", v: int) when s == a {\n"
        "        require v != 0 else \"no\"\n"
        "        if k in m { m[k].x += v } else { m[k] = point { y: v } }\n"
        "    }\n"
        "    view w { n: count(go)\n x: p.x + 1 }\n"
        "    view all over all { n: sum(go.v) }\n"
        "}\n";
    int64_t live = mem_live();
    uint64_t nth;
    bool struck = true;

    (void)state;
    assert_int_equal(source_init(&t.source, SLICE("t.kan"), kan_text(text)),
                     KAN_OK);
    assert_int_equal(tree_parse(&t.tree, &t.source), KAN_OK);
    assert_int_equal(tree_check(&t.tree), KAN_OK);
    for (nth = 1; struck && nth < 10000; nth++) {
        enum kan_err err;

        mem_fault(nth, false);
        err = program_compile(&t.tree, &t.tree.entities[0], &t.program);
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(err, struck ? KAN_NOMEM : KAN_OK);
        t.program = program_free(t.program);
    }
    assert_true(nth > 20);
    ends();
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(bank_runs, torn_down),
        cmocka_unit_test_teardown(numbers_are_computed, torn_down),
        cmocka_unit_test_teardown(numbers_overflow, torn_down),
        cmocka_unit_test_teardown(what_was_assigned_is_named, torn_down),
        cmocka_unit_test_teardown(numbers_are_compared, torn_down),
        cmocka_unit_test_teardown(bounds_are_kept, torn_down),
        cmocka_unit_test_teardown(truth_is_short, torn_down),
        cmocka_unit_test_teardown(branches_are_taken, torn_down),
        cmocka_unit_test_teardown(defaults_are_given, torn_down),
        cmocka_unit_test_teardown(invariants_are_judged, torn_down),
        cmocka_unit_test_teardown(views_are_compiled, torn_down),
        cmocka_unit_test_teardown(hashes_tell_meanings_apart, torn_down),
        cmocka_unit_test_teardown(texts_compile_again, torn_down),
        cmocka_unit_test_teardown(large_states_are_refused, torn_down),
        cmocka_unit_test_teardown(compiling_survives_faults, torn_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
