/* Runs of contracts' entities: right ones hold, and an engine that lies is
 * found out, with a short run that shows it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/alloc.h"
#include "check/entity/entity_runs.h"
#include "engine/wrap.h"

#define assert_ok(call) assert_int_equal((call), KAN_OK)

/* --- contracts ------------------------------------------------------------ */

static const char counter[] =
    "type counter {\n"
    "    count: int(0 .. 1_000) = 0\n"
    "    step add(by: int(1 .. 1_000)) {\n"
    "        count += by\n"
    "    }\n"
    "    step reset { count = 0 }\n"
    "    internal step settle { count = 1 }\n"
    "}\n";

static const char notes[] =
    "type notes {\n"
    "    texts: map(text(20), int(0 .. 9), 3)\n"
    "    last:  text(32) = \"\"\n"
    "    step note(name: text(20), worth: int(0 .. 9)) {\n"
    "        texts[name] = worth\n"
    "        last = id\n"
    "    }\n"
    "    step drop(name: text(20)) {\n"
    "        require name in texts else \"it is not there\"\n"
    "        texts -= name\n"
    "    }\n"
    "}\n";

static const char saga_only[] =
    "type box {\n"
    "    full: bool = false\n"
    "    internal step fill { full = true }\n"
    "}\n";

static struct contract *contract_of(const char *text)
{
    struct buffer faults = BUFFER_INIT;
    struct contract *contract;

    if (contract_load(SLICE("t.kan"), kan_text(text), &contract, &faults))
        fail_msg("%s", buffer_text(&faults));
    buffer_fini(&faults);
    return contract;
}

/* --- engines that lie ----------------------------------------------------- */

enum lie
{
    LIE_FORGETS, /* a commit is acknowledged, and its writes are not made */
    LIE_ALTERS   /* something else is written */
};

struct liar
{
    struct wrap wrap;
    enum lie lie;
    uint32_t commits;
};

/* The engine copies what it is given, within the call. */
static void forward_altered(struct wrap_op *op)
{
    struct engine_commit *commit = &op->inner.commit;
    const struct engine_write *true_writes = commit->writes;
    struct engine_write write = commit->writes[0];
    unsigned char value[512];

    assert_true(write.value.size <= sizeof(value));
    memcpy(value, write.value.bytes, write.value.size);
    value[write.value.size - 1] ^= 2;
    write.value.bytes = value;
    commit->writes = &write;
    wrap_forward(op);
    commit->writes = true_writes;
}

static void on_begin(struct wrap_op *op)
{
    struct liar *liar = (struct liar *)(void *)op->wrap;
    bool lies = wrap_kind(op) == ENGINE_REQUEST_COMMIT &&
                op->inner.commit.guard_count > 0 && ++liar->commits % 4 == 0;

    if (lies && liar->lie == LIE_FORGETS)
        op->inner.commit.write_count = 0;
    if (lies && liar->lie == LIE_ALTERS && op->inner.commit.write_count == 1 &&
        op->inner.commit.writes[0].value.size > 0)
        forward_altered(op);
    else
        wrap_forward(op);
}

static void on_answered(struct wrap_op *op, enum kan_err err)
{
    wrap_answer(op, err);
}

static bool on_report(struct wrap_op *op, uint64_t revision,
                      const struct engine_change *changes,
                      uint32_t change_count)
{
    (void)op;
    (void)revision;
    (void)changes;
    (void)change_count;
    return true;
}

static void on_ended(struct wrap_op *op, enum kan_err err)
{
    (void)op;
    (void)err;
}

static void on_fini(struct wrap *wrap)
{
    (void)wrap;
}

static void on_stats(struct wrap *wrap, struct engine_stats *stats)
{
    (void)wrap;
    (void)stats;
}

static const struct wrap_hooks hooks = {on_begin, on_answered, on_report,
                                        on_ended, on_fini,     on_stats};

static enum kan_err lie_open(void *data, struct env *env, struct engine *inner,
                             struct engine **ret_engine)
{
    struct liar *liar = mem_zalloc(sizeof(*liar));

    if (!liar)
        return KAN_NOMEM;
    wrap_init(&liar->wrap, "liar", &hooks, env, inner);
    liar->lie = *(const enum lie *)data;
    *ret_engine = &liar->wrap.engine;
    return KAN_OK;
}

/* --- tests ---------------------------------------------------------------- */

static void holds(const char *text)
{
    struct contract *contract = contract_of(text);
    struct entity_runs_options options = {.contract = contract, .runs = 60};
    struct entity_runs runs;
    int64_t live = mem_live();

    assert_ok(entity_runs(&options, &runs));
    if (runs.fails)
        fail_msg("seed %llu: %s\n%s", (unsigned long long)runs.seed,
                 buffer_text(&runs.why), buffer_text(&runs.run));
    assert_int_equal(runs.runs, 60);
    assert_true(runs.taken + runs.refused > 60 * 15);
    assert_true(runs.taken > 300);
    assert_true(runs.refused > 20);
    assert_true(runs.deaths > 30);
    assert_true(runs.unknown > 30);
    assert_true(runs.again > runs.unknown);
    entity_runs_fini(&runs);
    assert_int_equal(mem_live(), live);
    contract_unref(contract);
}

static void right_ones_hold(void **state)
{
    (void)state;
    holds(counter);
    holds(notes);
}

static void one_without_open_steps_is_not_run(void **state)
{
    struct contract *contract = contract_of(saga_only);
    struct entity_runs_options options = {.contract = contract};
    struct entity_runs runs;

    (void)state;
    assert_ok(entity_runs(&options, &runs));
    assert_false(runs.fails);
    assert_int_equal(runs.runs, 0);
    entity_runs_fini(&runs);
    contract_unref(contract);
}

static uint32_t lines(const struct buffer *text)
{
    uint32_t count = 0;

    for (size_t i = 0; i < text->size; i++)
        count += text->bytes[i] == '\n';
    return count;
}

/* It is found out, and shown in a few lines, each time the same. */
static void found(enum lie lie, const char *const *whys)
{
    struct contract *contract = contract_of(counter);
    struct entity_runs_options options = {
        .contract = contract, .requests = 12, .data = &lie, .wrap = lie_open};
    struct entity_runs runs;
    struct entity_runs again;
    bool told = false;

    assert_ok(entity_runs(&options, &runs));
    assert_true(runs.fails);
    for (uint32_t i = 0; whys[i]; i++)
        told = told || strstr(buffer_text(&runs.why), whys[i]);
    if (!told)
        fail_msg("%s", buffer_text(&runs.why));
    assert_true(runs.run.size > 0);
    if (lines(&runs.run) > 20)
        fail_msg("%s", buffer_text(&runs.run));
    assert_ok(entity_runs(&options, &again));
    assert_string_equal(buffer_text(&again.run), buffer_text(&runs.run));
    assert_string_equal(buffer_text(&again.why), buffer_text(&runs.why));
    entity_runs_fini(&runs);
    entity_runs_fini(&again);
    contract_unref(contract);
}

static void an_engine_that_forgets_is_found_out(void **state)
{
    static const char *const whys[] = {"lost", "follows", "no such entity",
                                       NULL};

    (void)state;
    found(LIE_FORGETS, whys);
}

static void an_engine_that_alters_is_found_out(void **state)
{
    static const char *const whys[] = {"is not the step", "cannot be read",
                                       "fold", NULL};

    (void)state;
    found(LIE_ALTERS, whys);
}

static bool stop_at_once(void *data)
{
    (void)data;
    return true;
}

static void it_can_be_stopped(void **state)
{
    struct contract *contract = contract_of(counter);
    struct entity_runs_options options = {.contract = contract,
                                          .stop = stop_at_once};
    struct entity_runs runs;

    (void)state;
    assert_ok(entity_runs(&options, &runs));
    assert_true(runs.stopped);
    assert_int_equal(runs.runs, 0);
    entity_runs_fini(&runs);
    contract_unref(contract);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones_hold),
        cmocka_unit_test(one_without_open_steps_is_not_run),
        cmocka_unit_test(an_engine_that_forgets_is_found_out),
        cmocka_unit_test(an_engine_that_alters_is_found_out),
        cmocka_unit_test(it_can_be_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
