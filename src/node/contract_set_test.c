/* contract_set_test.c - contract files read and compiled together: what is
 * wrong is told where it is, and a saga that can get stuck is not taken. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "env/sim/sim.h"
#include "node/contract_set.h"

#define COUNTER                         \
    "type counter {\n"                  \
    "    value: int(0 .. 100)\n"        \
    "    step add(by: int(1 .. 50)) { " \
    "value += by }\n"                   \
    "}\n"

#define BOX  "type box { full: bool\n step fill { full = true } }\n"
#define TRAY "type tray { full: bool\n step fill { full = true } }\n"

/* The account of examples/bank.kan, and a saga with its body. */
#define MONEY(saga)                                                    \
    "type account {\n"                                                 \
    "    balance: int(0 .. 1000)\n"                                    \
    "    held: int(0 .. 1000)\n"                                       \
    "    status: fresh | open | frozen\n"                              \
    "    invariant fits: balance + held <= 1000\n"                     \
    "    step open when status == fresh { status = open }\n"           \
    "    step deposit(a: int(1 .. 500)) when status == open {\n"       \
    "        balance += a }\n"                                         \
    "    step withdraw(a: int(1 .. 500)) when status == open {\n"      \
    "        require a <= balance else \"too little\"\n"               \
    "        balance -= a }\n"                                         \
    "    step freeze when status == open { status = frozen }\n"        \
    "    step unfreeze when status == frozen { status = open }\n"      \
    "    internal step hold(a: int(1 .. 500)) when status == open {\n" \
    "        require a <= balance else \"too little\"\n"               \
    "        balance -= a\n"                                           \
    "        held += a }\n"                                            \
    "    internal step release(a: int(1 .. 500)) when a <= held {\n"   \
    "        held -= a\n"                                              \
    "        balance += a }\n"                                         \
    "    internal step settle(a: int(1 .. 500)) when a <= held {\n"    \
    "        held -= a }\n"                                            \
    "}\n"                                                              \
    "saga move(from: account, to: account, a: int(1 .. 500)) {\n"      \
    "    require from != to else \"one\"\n" saga "}\n"

struct place
{
    int64_t live;
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct settings_list paths;
    struct contract_set set;
    struct buffer why;
};

static void put(struct place *p, const char *path, const char *text)
{
    struct env_file *file;
    assert_int_equal(
        env_file_open(p->env, path,
                      ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE,
                      &file),
        KAN_OK);
    assert_int_equal(env_file_write(file, 0, kan_text(text)), KAN_OK);
    env_file_close(file);
}

static void begin(struct place *p)
{
    memset(p, 0, sizeof *p);
    p->live = mem_live();
    tape_init_seed(&p->tape, 1);
    assert_int_equal(sim_world_new(&p->tape, NULL, &p->world), KAN_OK);
    assert_int_equal(sim_node_new(p->world, "kan", &p->env), KAN_OK);
}

static void add(struct place *p, const char *path, const char *text)
{
    p->paths.values[p->paths.count++] = path;
    if (text)
        put(p, path, text);
}

static void end(struct place *p)
{
    contract_set_fini(&p->set);
    buffer_fini(&p->why);
    env_free(p->env);
    sim_world_free(p->world);
    tape_fini(&p->tape);
    assert_int_equal(mem_live(), p->live);
}

static enum kan_err compile(struct place *p)
{
    contract_set_fini(&p->set);
    buffer_clear(&p->why);
    enum kan_err err = contract_set_read(&p->set, p->env, &p->paths, &p->why);
    if (err == KAN_OK)
        err = contract_set_compile(&p->set, NULL, 0, &p->why);
    return err;
}

static void says(struct place *p, const char *part)
{
    if (!strstr(buffer_text(&p->why), part))
        fail_msg("expected '%s' in:\n%s", part, buffer_text(&p->why));
}

static void files_run_as_one(void **unused)
{
    struct place p;
    (void)unused;
    begin(&p);
    add(&p, "a.kan", COUNTER);
    add(&p, "b.kan", "type box { full: bool\n step fill { full = true } }");
    assert_int_equal(compile(&p), KAN_OK);
    assert_int_equal(contract_type_count(p.set.whole), 2);
    assert_int_equal(contract_type_count(p.set.sources[1].contract), 1);
    assert_string_equal(p.set.sources[1].name, "b.kan");
    end(&p);
}

static void what_is_wrong_is_told(void **unused)
{
    static const struct
    {
        const char *a;
        const char *b;
        const char *part;
    } cases[] = {
        {"type t {\n  step s { x = 1 }\n}", NULL, "a.kan:2:12: "},
        {"", NULL, "a.kan:1:1: there is no type in this text"},
        {COUNTER, "# all of it was lost\n", "b.kan:1:1: there is no type"},
        /* All files are looked at. */
        {"type", "type 5", "b.kan:1:6: "},
        {COUNTER, COUNTER,
         "both a.kan and b.kan have the type 'counter'; give one of them "
         "another name\n"},
        {"record r { x: bool }\ntype a { f: r\n step s { f.x = true } }",
         "record r { y: bool }\ntype b { f: r\n step s { f.y = true } }", "r"},
        {"saga s(a: counter) { a.add(1) }\n" COUNTER,
         "saga s(a: box) { a.fill() }\n"
         "type box { full: bool\n step fill { full = true } }",
         "both a.kan and b.kan have the saga 's'"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct place p;
        begin(&p);
        add(&p, "a.kan", cases[i].a);
        if (cases[i].b)
            add(&p, "b.kan", cases[i].b);
        assert_int_equal(compile(&p), KAN_INVALID);
        says(&p, cases[i].part);
        end(&p);
    }
}

static void what_cannot_be_read(void **unused)
{
    struct place p;
    (void)unused;
    begin(&p);
    add(&p, "none.kan", NULL);
    assert_int_equal(compile(&p), KAN_NOTFOUND);
    assert_string_equal(
        buffer_text(&p.why),
        "the contract 'none.kan' cannot be read: there is no such file");
    end(&p);
}

static void texts_are_compared(void **unused)
{
    struct place p;
    struct contract_set other = {0};
    (void)unused;
    begin(&p);
    add(&p, "a.kan", COUNTER);
    assert_int_equal(compile(&p), KAN_OK);
    assert_int_equal(contract_set_read(&other, p.env, &p.paths, &p.why),
                     KAN_OK);
    assert_true(contract_set_equal(&p.set, &other));
    contract_set_fini(&other);
    put(&p, "a.kan", COUNTER " ");
    assert_int_equal(contract_set_read(&other, p.env, &p.paths, &p.why),
                     KAN_OK);
    assert_false(contract_set_equal(&p.set, &other));
    contract_set_fini(&other);
    end(&p);
}

/* Types may come, and move from file to file; none may go. */
static void a_reload_keeps_all_types(void **unused)
{
    static const struct
    {
        const char *a;
        const char *b;
        const char *part; /* NULL: it is taken */
    } cases[] = {
        {COUNTER, BOX, NULL},
        {COUNTER BOX, TRAY, NULL},
        {COUNTER, TRAY,
         "b.kan: the type 'box' is missing, which is in service; put it back, "
         "or stop Kan and start it with the files as they are to take the type "
         "out of service\n"},
        {TRAY, BOX, "a.kan: the type 'counter' is missing"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct place p;
        struct contract_set running;
        begin(&p);
        add(&p, "a.kan", COUNTER);
        add(&p, "b.kan", BOX);
        assert_int_equal(compile(&p), KAN_OK);
        running = p.set;
        p.set = (struct contract_set){0};
        put(&p, "a.kan", cases[i].a);
        put(&p, "b.kan", cases[i].b);
        assert_int_equal(compile(&p), KAN_OK);
        assert_int_equal(contract_set_keeps(&p.set, &running, &p.why),
                         cases[i].part ? KAN_INVALID : KAN_OK);
        if (cases[i].part)
            says(&p, cases[i].part);
        contract_set_fini(&running);
        end(&p);
    }
}

static void sagas_that_get_stuck(void **unused)
{
    static const struct
    {
        const char *text;
        const char *part; /* NULL: it is sound */
    } cases[] = {
        {MONEY("from.hold(a) undo from.release(a)\n to.deposit(a)\n"
               "then from.settle(a)\n"),
         NULL},
        /* What was paid in may be gone when it is to be undone. */
        {MONEY("to.deposit(a) undo to.withdraw(a)\n from.withdraw(a)\n"),
         "its undo to.withdraw can be refused"},
        /* The source may be frozen before it is given back. */
        {MONEY("from.withdraw(a) undo from.deposit(a)\n to.deposit(a)\n"),
         "its undo from.deposit can be refused"},
        {MONEY("from.hold(a) undo from.release(a)\n to.deposit(a)\n"
               "then from.withdraw(a)\n"),
         "its from.withdraw can be refused"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct place p;
        begin(&p);
        add(&p, "m.kan", cases[i].text);
        enum kan_err err = compile(&p);
        if (err != (cases[i].part ? KAN_INVALID : KAN_OK))
            fail_msg("case %zu: %s: %s", i, kan_err_text(err),
                     buffer_text(&p.why));
        if (cases[i].part) {
            says(&p, cases[i].part);
            says(&p, "m.kan: the saga 'move' can get stuck");
            says(&p, "  1  open"); /* the run */
        }
        end(&p);
    }
}

/* A start takes no time for all that others can do: what was not walked is
 * named, with the command that walks it. */
static void sagas_that_were_not_walked_whole(void **unused)
{
    struct place p;
    (void)unused;
    begin(&p);
    add(&p, "m.kan",
        MONEY("from.hold(a) undo from.release(a)\n to.deposit(a)\n"
              "then from.settle(a)\n"));
    assert_int_equal(compile(&p), KAN_OK);
    assert_string_equal(buffer_text(&p.set.partly), "move (kan check m.kan)");
    put(&p, "m.kan",
        "type door {\n open: bool\n step flip { open = not open }\n"
        " internal step lock(by: guard | thief) { open = false }\n}\n"
        "saga close(a: door, b: door) {\n a.lock(guard) undo a.lock(thief)\n"
        " b.lock(guard)\n}\n");
    assert_int_equal(compile(&p), KAN_OK);
    assert_int_equal(p.set.partly.size, 0);
    end(&p);
}

/* Many states lie before the one in which the undo is refused. */
static void stuck_saga_is_found_among_much_else(void **unused)
{
    struct place p;
    (void)unused;
    begin(&p);
    add(&p, "m.kan",
        "type account {\n a: bool\n b: bool\n c: bool\n d: bool\n e: bool\n"
        " limit: int(0 .. 1_000_000) = 0\n"
        " balance: int(0 .. 1_000_000_000) = 0\n"
        " status: unopened | applied | verified | open | review\n"
        " step apply when status == unopened { status = applied }\n"
        " step verify when status == applied { status = verified }\n"
        " step open when status == verified { status = open }\n"
        " step fa { a = not a }\n step fb { b = not b }\n"
        " step fc { c = not c }\n step fd { d = not d }\n"
        " step fe { e = not e }\n"
        " step limit_is(to: int(0 .. 1_000_000)) { limit = to }\n"
        " step deposit(n: int(1 .. 1_000_000)) when status == open {\n"
        "  balance += n\n }\n"
        " step withdraw(n: int(1 .. 1_000_000)) when status == open {\n"
        "  require n <= balance else \"insufficient funds\"\n"
        "  require n <= limit else \"over the limit\"\n  balance -= n\n }\n"
        " step review when status == open { status = review }\n}\n"
        "saga move(from: account, to: account, n: int(1 .. 1_000_000)) {\n"
        " from.withdraw(n) undo from.deposit(n)\n to.deposit(n)\n}\n");
    assert_int_equal(compile(&p), KAN_INVALID);
    says(&p, "  8  deposit(n: 1), as undo");
    end(&p);
}

static void memory_runs_out(void **unused)
{
    (void)unused;
    for (uint64_t n = 1;; n++) {
        struct place p;
        begin(&p);
        add(&p, "a.kan", COUNTER);
        assert_true(n < 20000);
        mem_fault(n, n % 2 == 0);
        enum kan_err err = compile(&p);
        bool struck = mem_fault_struck();
        mem_fault(0, false);
        if (err != KAN_OK)
            assert_int_equal(err, KAN_NOMEM);
        else
            assert_int_equal(contract_type_count(p.set.whole), 1);
        assert_int_equal(compile(&p), KAN_OK);
        end(&p);
        if (!struck)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_run_as_one),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(texts_are_compared),
        cmocka_unit_test(a_reload_keeps_all_types),
        cmocka_unit_test(sagas_that_get_stuck),
        cmocka_unit_test(sagas_that_were_not_walked_whole),
        cmocka_unit_test(stuck_saga_is_found_among_much_else),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
