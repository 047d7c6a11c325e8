/* contract_random.c - the fields are always the same but for their bounds;
 * what is random is the invariants, guards and bodies over them. */

#include "contract_random.h"

struct random
{
    program_choose_cb *choose;
    void *data;
    struct buffer *out;
    unsigned depth;
    bool in_step; /* parameters, now and id may be read */
};

enum
{
    DEPTH = 4
};

static unsigned pick(struct random *r, unsigned n)
{
    return (unsigned)r->choose(r->data, n);
}

static void say(struct random *r, const char *text)
{
    buffer_append_text(r->out, text);
}

static void number(struct random *r);
static void truth(struct random *r);

static void constant(struct random *r)
{
    static const char *const constants[] = {
        "0",         "1",  "2",   "-1",  "3",
        "7",         "10", "-20", "100", "9223372036854775807",
        "4294967296"};

    say(r, constants[pick(r, sizeof constants / sizeof *constants)]);
}

static void value(struct random *r)
{
    static const char *const values[] = {"x", "y", "z", "m", "l", "n"};

    say(r, values[pick(r, r->in_step ? 6 : 5)]);
}

static void text(struct random *r)
{
    static const char *const texts[] = {"w", "\"\"", "\"a\"", "v", "t", "id"};

    say(r, texts[pick(r, r->in_step ? 6 : 4)]);
}

/* (a, b) of two numbers. */
static void two(struct random *r, const char *between)
{
    say(r, "(");
    number(r);
    say(r, between);
    number(r);
    say(r, ")");
}

static void look_up(struct random *r)
{
    switch (pick(r, 5)) {
    case 0:
        say(r, "get(o, ");
        number(r);
        say(r, ")");
        break;
    case 1:
        say(r, "get(k, ");
        text(r);
        say(r, ", ");
        number(r);
        say(r, ")");
        break;
    case 2:
        say(r, "k[");
        text(r);
        say(r, "]");
        break;
    case 3:
        say(r, "q[");
        number(r);
        say(r, "].e");
        break;
    default:
        say(r, "c.e");
        break;
    }
}

static void number(struct random *r)
{
    static const char *const names[] = {
        "a", "b", "c.d", "size(w)", "size(s)", "size(k)", "i", "j", "now"};
    static const char *const signs[] = {" + ", " - ", " * ", " / ", " % "};

    if (r->depth >= DEPTH) {
        say(r, names[pick(r, r->in_step ? 9 : 6)]);
        return;
    }
    r->depth++;
    switch (pick(r, 9)) {
    case 0:
        constant(r);
        break;
    case 1:
        look_up(r);
        break;
    case 2:
    case 3:
        two(r, signs[pick(r, 5)]);
        break;
    case 4:
        say(r, pick(r, 2) ? "min" : "max");
        two(r, ", ");
        break;
    case 5:
        say(r, "-(");
        number(r);
        say(r, ")");
        break;
    case 6:
        say(r, "(if ");
        truth(r);
        say(r, " then ");
        number(r);
        say(r, " else ");
        number(r);
        say(r, ")");
        break;
    default:
        say(r, names[pick(r, r->in_step ? 9 : 6)]);
        break;
    }
    r->depth--;
}

static void compared(struct random *r)
{
    static const char *const signs[] = {" == ", " != ", " < ",
                                        " <= ", " > ",  " >= "};

    switch (pick(r, 7)) {
    case 0:
        say(r, "(");
        text(r);
        say(r, signs[pick(r, 6)]);
        text(r);
        say(r, ")");
        break;
    case 1:
        say(r, pick(r, 2) ? "(m == " : "(l != ");
        value(r);
        say(r, ")");
        break;
    case 2:
        say(r, pick(r, 2) ? "(o == none)" : "(g != o)");
        break;
    case 3:
        say(r, "(o == ");
        number(r);
        say(r, ")");
        break;
    case 4:
        say(r, "(");
        number(r);
        say(r, pick(r, 2) ? " in s)" : " in q)");
        break;
    case 5:
        say(r, "(");
        text(r);
        say(r, " in k)");
        break;
    default:
        two(r, signs[pick(r, 6)]);
        break;
    }
}

static void truth(struct random *r)
{
    static const char *const signs[] = {" and ", " or ", " => "};

    if (r->depth >= DEPTH) {
        say(r, r->in_step && pick(r, 2) ? "u" : "p");
        return;
    }
    r->depth++;
    switch (pick(r, 6)) {
    case 0:
        say(r, r->in_step && pick(r, 2) ? "u" : "p");
        break;
    case 1:
        say(r, "not (");
        truth(r);
        say(r, ")");
        break;
    case 2:
        say(r, "(");
        truth(r);
        say(r, signs[pick(r, 3)]);
        truth(r);
        say(r, ")");
        break;
    case 3:
        say(r, "(if ");
        truth(r);
        say(r, " then ");
        truth(r);
        say(r, " else ");
        truth(r);
        say(r, ")");
        break;
    default:
        compared(r);
        break;
    }
    r->depth--;
}

/* An optional int. */
static void optional(struct random *r)
{
    switch (pick(r, 5)) {
    case 0:
        say(r, "none");
        break;
    case 1:
        say(r, "g");
        break;
    case 2:
        say(r, "h");
        break;
    case 3:
        say(r, "if ");
        truth(r);
        say(r, " then none else o");
        break;
    default:
        number(r);
        break;
    }
}

static void record(struct random *r)
{
    switch (pick(r, 3)) {
    case 0:
        say(r, "c");
        break;
    case 1:
        say(r, "get(q, ");
        number(r);
        say(r, ", c)");
        break;
    default:
        say(r, "pair { d: ");
        number(r);
        say(r, ", f: ");
        optional(r);
        say(r, " }");
        break;
    }
}

static void block(struct random *r);

static void branch(struct random *r)
{
    say(r, "if ");
    truth(r);
    block(r);
    if (pick(r, 2)) {
        say(r, " else ");
        block(r);
    }
}

/* What is put where: the target, the kind of the value, what is behind. */
static void statement(struct random *r)
{
    static const struct
    {
        const char *target;
        void (*value)(struct random *r);
    } ways[] = {
        {"a = ", number},    {"b = ", number},       {"a += ", number},
        {"b -= ", number},   {"p = ", truth},        {"m = ", value},
        {"l = ", value},     {"w = ", text},         {"v = ", text},
        {"o = ", optional},  {"g = ", optional},     {"s += ", number},
        {"s -= ", number},   {"k[t] = ", number},    {"k[w] += ", number},
        {"k -= ", text},     {"c = ", record},       {"c.d = ", number},
        {"q[j] = ", record}, {"q[i].d -= ", number}, {"q[b].f = ", optional},
        {"q -= ", number},
    };
    unsigned way = pick(r, sizeof ways / sizeof *ways + 3);

    if (way >= sizeof ways / sizeof *ways) {
        if (r->depth < DEPTH && way % 2) {
            branch(r);
            return;
        }
        say(r, "require ");
        truth(r);
        say(r, " else \"no\"");
        return;
    }
    say(r, ways[way].target);
    ways[way].value(r);
}

static void block(struct random *r)
{
    unsigned i;

    r->depth++;
    say(r, " {\n");
    for (i = 0; i <= pick(r, 3); i++) {
        statement(r);
        say(r, "\n");
    }
    say(r, "}");
    r->depth--;
}

static const char head[] =
    "record pair { d: int(-9 .. 99) = 1; e: int = 0; f: optional int(0 .. 9) }"
    "\ntype it {\n"
    "w: text(3)\nv: text(6) = \"ab\"\np: bool\nm: x | y | z\nl: x | y | z = y\n"
    "o: optional int(-5 .. 50)\ng: optional int = 4\nc: pair\n"
    "s: set(int(-3 .. 30), 3)\nk: map(text(2), int(-9 .. 9), 2)\n"
    "q: map(int(-2 .. 8), pair, 3)\n";

void random_contract(program_choose_cb *choose, void *data, struct buffer *out)
{
    struct random r = {.choose = choose, .data = data, .out = out};
    unsigned steps = 1 + pick(&r, 4);
    unsigned i;

    say(&r, head);
    buffer_print(out, "a: int(%d .. %u)\n", pick(&r, 2) ? 0 : -40,
                 10 + pick(&r, 256));
    say(&r, pick(&r, 2) ? "b: int\n" : "b: int(-3 .. 20) = 2\n");
    if (pick(&r, 2)) {
        /* It must hold at the start, where p is false. */
        say(&r, "invariant one: p => ");
        truth(&r);
        say(&r, "\n");
    }
    r.in_step = true;
    for (i = 0; i < steps; i++) {
        buffer_print(out,
                     "step s%u(i: int, j: int(-30 .. 30), t: text(4), n: x | y "
                     "| z, u: bool, h: optional int(-9 .. 9))",
                     i);
        if (pick(&r, 2)) {
            say(&r, " when ");
            truth(&r);
        }
        block(&r);
        say(&r, "\n");
    }
    say(&r, "}\n");
}
