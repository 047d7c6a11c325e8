/* The judge against brute force, on a hundred thousand small histories that
 * chance draws: every specification, operations without an answer, keys. Each
 * history is judged in all the ways there are, and all must agree. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "path/history/brute.h"
#include "path/history/judge.h"
#include "path/history/models.h"

enum
{
    ROUNDS = 10000, /* of each specification */
    OPERATIONS_MAX = 7
};

/* --- chance --------------------------------------------------------------- */

static uint64_t chance_state;

/* A number below n (SplitMix64). */
static uint32_t chance(uint32_t n)
{
    uint64_t z = chance_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32) % n;
}

/* --- histories ------------------------------------------------------------ */

struct shape
{
    const struct spec *spec;
    enum brute_model model;
    enum history_function functions[6];
    uint32_t function_count;
    bool distinct; /* no value is written twice */
    uint32_t keys;
};

static const struct shape shapes[] = {
    {&spec_register,
     BRUTE_REGISTER,
     {HISTORY_READ, HISTORY_WRITE},
     2,
     false,
     1},
    {&spec_register, BRUTE_REGISTER, {HISTORY_READ, HISTORY_WRITE}, 2, true, 1},
    {&spec_register, BRUTE_REGISTER, {HISTORY_READ, HISTORY_WRITE}, 2, true, 2},
    {&spec_cas_register,
     BRUTE_REGISTER,
     {HISTORY_READ, HISTORY_WRITE, HISTORY_CAS, HISTORY_CAS},
     4,
     false,
     1},
    {&spec_kv,
     BRUTE_REGISTER,
     {HISTORY_READ, HISTORY_READ, HISTORY_APPEND, HISTORY_APPEND,
      HISTORY_WRITE},
     5,
     false,
     1},
    {&spec_kv,
     BRUTE_REGISTER,
     {HISTORY_READ, HISTORY_APPEND, HISTORY_WRITE, HISTORY_DELETE, HISTORY_CAS},
     5,
     false,
     2},
    {&spec_counter, BRUTE_COUNTER, {HISTORY_READ, HISTORY_ADD}, 2, false, 1},
    {&spec_set,
     BRUTE_SET,
     {HISTORY_READ, HISTORY_ADD, HISTORY_REMOVE, HISTORY_CONTAINS},
     4,
     false,
     1},
    {&spec_mutex, BRUTE_MUTEX, {HISTORY_ACQUIRE, HISTORY_RELEASE}, 2, false, 1},
    {&spec_lock, BRUTE_LOCK, {HISTORY_ACQUIRE, HISTORY_RELEASE}, 2, false, 2},
    {&spec_queue, BRUTE_QUEUE, {HISTORY_ENQUEUE, HISTORY_DEQUEUE}, 2, false, 1},
};

static uint32_t word(struct history *history, int64_t number)
{
    uint32_t id;
    assert_int_equal(value_add_number(&history->values, number, &id), KAN_OK);
    return id;
}

static uint32_t text(struct history *history, uint32_t letters)
{
    char bytes[8];
    uint32_t id;
    for (uint32_t i = 0; i < letters; i++)
        bytes[i] = (char)('a' + chance(2));
    assert_int_equal(
        value_add(&history->values, VALUE_TEXT, kan_slice(bytes, letters), &id),
        KAN_OK);
    return id;
}

static uint32_t any_value(struct history *history, const struct shape *shape,
                          uint32_t serial)
{
    if (shape->spec == &spec_kv)
        return text(history, 1);
    if (shape->spec == &spec_counter)
        return word(history, (int64_t)chance(4) - 1);
    return word(history, shape->distinct ? serial : chance(3));
}

static uint32_t any_result(struct history *history, const struct shape *shape,
                           enum history_function function)
{
    uint32_t id;
    if (function == HISTORY_CONTAINS) {
        const char *name = chance(2) ? "true" : "false";
        assert_int_equal(
            value_add(&history->values, VALUE_WORD, kan_text(name), &id),
            KAN_OK);
        return id;
    }
    if (shape->spec == &spec_set) {
        uint32_t ids[3];
        uint32_t count = chance(4);
        for (uint32_t i = 0; i < count; i++)
            ids[i] = word(history, i);
        assert_int_equal(
            value_add_ids(&history->values, VALUE_LIST, ids, count, &id),
            KAN_OK);
        return id;
    }
    if (shape->spec == &spec_kv)
        return chance(4) ? text(history, chance(4)) : VALUE_IS_NIL;
    if (shape->spec == &spec_counter)
        return word(history, (int64_t)chance(4) - 1);
    return chance(4) ? word(history, chance(shape->distinct ? 6 : 3))
                     : VALUE_IS_NIL;
}

static struct operation any_operation(struct history *history,
                                      const struct shape *shape,
                                      uint32_t process, uint32_t serial)
{
    struct operation one = {
        .function = shape->functions[chance(shape->function_count)],
        .process = process,
        .key = VALUE_NONE,
        .argument = VALUE_NONE,
        .expected = VALUE_NONE,
    };
    if (shape->keys > 1)
        one.key = word(history, 100 + chance(shape->keys));
    if (one.function != HISTORY_READ && one.function != HISTORY_DELETE &&
        one.function != HISTORY_ACQUIRE && one.function != HISTORY_RELEASE &&
        one.function != HISTORY_DEQUEUE)
        one.argument = any_value(history, shape, serial);
    if (one.function == HISTORY_CAS)
        one.expected = any_value(history, shape, serial);
    return one;
}

static void answer(struct history *history, const struct shape *shape,
                   uint32_t index, int64_t time)
{
    enum history_function function = history->operations[index].function;
    enum history_outcome outcome = HISTORY_DONE;
    uint32_t result = VALUE_NONE;
    if (function == HISTORY_CAS && chance(2))
        outcome = HISTORY_MISMATCH;
    if (function == HISTORY_READ || function == HISTORY_CONTAINS ||
        function == HISTORY_DEQUEUE)
        result = any_result(history, shape, function);
    assert_int_equal(history_return(history, index, outcome, result, time),
                     KAN_OK);
}

/* Three processes; whoever is drawn calls or returns. One in eight returns
 * never comes, and the process goes on. */
static void draw(struct history *history, const struct shape *shape)
{
    uint32_t open[3] = {PLAN_NONE, PLAN_NONE, PLAN_NONE};
    uint32_t count = 2 + chance(OPERATIONS_MAX - 1);
    uint32_t called = 0;
    assert_int_equal(history_init(history), KAN_OK);
    for (int64_t time = 1; time < 64; time++) {
        uint32_t process = chance(3);
        if (open[process] != PLAN_NONE) {
            if (chance(8))
                answer(history, shape, open[process], time);
            open[process] = PLAN_NONE;
        } else if (called < count) {
            struct operation one =
                any_operation(history, shape, process, called++);
            assert_int_equal(history_call(history, &one, time, &open[process]),
                             KAN_OK);
        }
    }
    assert_int_equal(history_seal(history), KAN_OK);
}

/* --- one history in all ways ---------------------------------------------- */

static struct judgement judge(struct history *history,
                              const struct judge_options *options)
{
    struct judgement judgement;
    assert_int_equal(history_judge(history, options, NULL, &judgement), KAN_OK);
    assert_int_not_equal(judgement.verdict, VERDICT_UNKNOWN);
    return judgement;
}

static void show(const struct history *history)
{
    for (uint32_t i = 0; i < history->count; i++) {
        struct buffer out = BUFFER_INIT;
        history_print(history, i, &out);
        print_message("  process %u [%u %d] %s\n",
                      history->operations[i].process,
                      history->operations[i].call,
                      (int)history->operations[i].ret, buffer_text(&out));
        buffer_fini(&out);
    }
}

/* The minimal ones cannot be ordered, and without any one of them they can,
 * whatever the others did. */
static void check_minimal(const struct history *history,
                          const struct shape *shape,
                          const struct minimal *minimal)
{
    bool kept[OPERATIONS_MAX] = {0};
    assert_true(minimal->exact);
    assert_true(minimal->count > 0);
    for (uint32_t i = 0; i < minimal->count; i++)
        kept[minimal->operations[i]] = true;
    if (brute_judge(history, shape->model, kept)) {
        show(history);
        for (uint32_t i = 0; i < minimal->count; i++)
            print_message("  minimal: %u\n", minimal->operations[i]);
        fail_msg("%s: the minimal operations can be ordered",
                 shape->spec->name);
    }
    for (uint32_t i = 0; i < minimal->count; i++) {
        kept[minimal->operations[i]] = false;
        if (!brute_judge(history, shape->model, kept)) {
            show(history);
            fail_msg("%s: operation %u can be spared", shape->spec->name,
                     minimal->operations[i]);
        }
        kept[minimal->operations[i]] = true;
    }
}

/* The points follow calls and precede returns. */
static void check_points(const struct history *history,
                         const struct judgement *judgement)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct operation *one = &history->operations[i];
        uint32_t point = judgement->points[i];
        if (point == PLAN_NONE) {
            assert_true(judgement->verdict == VERDICT_NOT ||
                        one->outcome == HISTORY_PENDING);
            continue;
        }
        assert_true(point >= one->call && point < one->ret);
    }
}

static uint32_t check(struct history *history, const struct shape *shape)
{
    bool expected = brute_judge(history, shape->model, NULL);
    uint32_t fast = 0;
    for (uint32_t way = 0; way < 4; way++) {
        struct judge_options options = {
            .spec = shape->spec,
            .initial = VALUE_NONE,
            .searched = way & 1,
            .whole = way & 2,
            .points = way == 1,
        };
        struct judgement judgement = judge(history, &options);
        if ((judgement.verdict == VERDICT_LINEARIZABLE) != expected) {
            show(history);
            fail_msg("%s: brute force says %s, way %u differs",
                     shape->spec->name, expected ? "yes" : "no", way);
        }
        if (!expected)
            check_minimal(history, shape, &judgement.minimal);
        if (judgement.points)
            check_points(history, &judgement);
        fast += judgement.fast_count;
        judgement_fini(&judgement);
    }
    return fast;
}

static void test_shape(const struct shape *shape, uint64_t seed)
{
    int64_t live = mem_live();
    uint32_t fast = 0;
    uint32_t good = 0;
    chance_state = seed;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct history history;
        draw(&history, shape);
        fast += check(&history, shape);
        good += brute_judge(&history, shape->model, NULL);
        history_fini(&history);
    }
    assert_int_equal(mem_live(), live);
    /* A test that never sees one of the verdicts, or the fast path, tests
     * little. */
    assert_in_range(good, ROUNDS / 50, ROUNDS - ROUNDS / 50);
    if (shape->distinct)
        assert_true(fast > ROUNDS / 2);
}

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        test_shape(&shapes[i], i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
    };
    return cmocka_run_group_tests_name("history_random", tests, NULL, NULL);
}
