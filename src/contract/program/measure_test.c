/* Views: what events add up to in a tally, how that is kept, and what a view
 * per entity and one over all show. */

#include "contract/program/measure.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "contract/program/value_sample.h"

enum
{
    TALLY_MAX = 4096,
    COLUMNS_MAX = 32
};

static const char views_text[] =
    "record tip {\n"
    "    from: text(8)\n"
    "    cents: int\n"
    "}\n"
    "type account {\n"
    "    balance: int(0 .. 1_000_000_000)\n"
    "    debt:    int\n"
    "    status:  active | frozen\n"
    "    lines:   map(text(4), int, 3)\n"
    "    long:    text(2000)\n"
    "    step deposit(amount: int(1 .. 1_000_000), note: text(8) = \"-\") {\n"
    "        balance += amount\n"
    "    }\n"
    "    step shift(by: int) { debt = by }\n"
    "    step freeze { status = frozen }\n"
    "    step give(what: tip) { debt = 0 }\n"
    "    view statement {\n"
    "        balance:  balance\n"
    "        status:   status\n"
    "        lines:    lines\n"
    "        long:     long\n"
    "        share:    1000 / debt\n"
    "        rich:     balance > 99\n"
    "        deposits: count(deposit)\n"
    "        paid_in:  sum(deposit.amount)\n"
    "        least:    min(deposit.amount)\n"
    "        most:     max(deposit.amount)\n"
    "        note:     last(deposit.note)\n"
    "        tip:      last(give.what)\n"
    "    }\n"
    "    view sums {\n"
    "        moved:  sum(shift.by)\n"
    "        low:    min(shift.by)\n"
    "        newest: last(shift.by) - 1\n"
    "        all:    count(deposit) + count(freeze) - 1\n"
    "        spread: max(deposit.amount) - min(deposit.amount)\n"
    "    }\n"
    "    view bank over all {\n"
    "        accounts: count(deposit)\n"
    "        frozen:   count(status == frozen)\n"
    "        shares:   count(1000 / debt > 3)\n"
    "        money:    sum(balance) + sum(debt)\n"
    "        poorest:  min(balance)\n"
    "        largest:  max(deposit.amount)\n"
    "        newest:   last(deposit.note)\n"
    "        spread:   max(balance) - min(balance)\n"
    "        shifted:  last(shift.by) - 1\n"
    "    }\n"
    "}\n";

static struct program *program;
static struct buffer out;
static int64_t live;
static void *account;
static _Alignas(16) unsigned char tally[TALLY_MAX];
static _Alignas(16) unsigned char other[TALLY_MAX];

static int set_up(void **state)
{
    (void)state;
    program = sample_compile(views_text, "account");
    account = mem_zalloc(program_state_size(program));
    if (!account || program_tally_size(program) > TALLY_MAX)
        return -1;
    live = mem_live();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    account = mem_free(account);
    program = program_free(program);
    return mem_live() == 0 ? 0 : -1;
}

static int begin(void **state)
{
    (void)state;
    memset(tally, 0, sizeof tally);
    program_start(program, account);
    return 0;
}

static int check_live(void **state)
{
    (void)state;
    buffer_fini(&out);
    return mem_live() == live ? 0 : -1;
}

static uint32_t step_of(const char *name)
{
    int32_t step = program_step_find(program, kan_text(name));
    assert_true(step >= 0);
    return (uint32_t)step;
}

static uint32_t view_of(const char *name)
{
    int32_t view = program_view_find(program, kan_text(name));
    assert_true(view >= 0);
    return (uint32_t)view;
}

/* The arguments of a step, from JSON; one call at a time. */
static const void *arguments(const char *step, const char *text)
{
    static _Alignas(16) unsigned char bytes[1024];
    uint32_t number = step_of(step);
    uint32_t type = program_step(program, number).arguments;

    assert_true(program_type(program, type)->size <= sizeof bytes);
    program_arguments(program, number, bytes);
    sample_read(program, type, text, bytes);
    return bytes;
}

static void add(const char *step, const char *text)
{
    program_tally_add(program, step_of(step), arguments(step, text), tally);
}

static const char *shown(const char *view)
{
    buffer_clear(&out);
    program_view_json(program, view_of(view), account, tally, &out);
    return buffer_text(&out);
}

/* --- per entity ----------------------------------------------------------- */

static void test_views(void **state)
{
    (void)state;
    assert_int_equal(program_view_count(program), 3);
    assert_true(program_view(program, view_of("bank")).over_all);
    assert_false(program_view(program, view_of("sums")).over_all);
    assert_int_equal(program_view(program, view_of("sums")).entry_count, 5);
    assert_true(slice_equal(program_view(program, view_of("sums")).name,
                            SLICE("sums")));
    assert_int_equal(program_view_find(program, SLICE("none")), -1);
    assert_int_equal(program_tally_size(program) % 16, 0);
}

static void test_no_events(void **state)
{
    (void)state;
    assert_string_equal(
        shown("statement"),
        "{\"balance\":0,\"status\":\"active\",\"lines\":{},\"long\":\"\","
        "\"share\":null,\"rich\":false,\"deposits\":0,\"paid_in\":0,"
        "\"least\":null,\"most\":null,\"note\":null,\"tip\":null}");
    assert_string_equal(shown("sums"),
                        "{\"moved\":0,\"low\":null,\"newest\":null,\"all\":-1,"
                        "\"spread\":null}");
}

static void test_events(void **state)
{
    (void)state;
    sample_read(program, 0,
                "{\"balance\":100,\"debt\":-10,\"status\":\"frozen\","
                "\"lines\":{\"a\":1},\"long\":\"x\"}",
                account);
    add("deposit", "{\"amount\":30,\"note\":\"first\"}");
    add("deposit", "{\"amount\":5}");
    add("deposit", "{\"amount\":7,\"note\":\"\"}");
    add("freeze", "{}");
    add("give", "{\"what\":{\"from\":\"ann\",\"cents\":-3}}");
    assert_string_equal(
        shown("statement"),
        "{\"balance\":100,\"status\":\"frozen\",\"lines\":{\"a\":1},"
        "\"long\":\"x\",\"share\":-100,\"rich\":true,\"deposits\":3,"
        "\"paid_in\":42,\"least\":5,\"most\":30,\"note\":\"\","
        "\"tip\":{\"from\":\"ann\",\"cents\":-3}}");
    assert_string_equal(shown("sums"),
                        "{\"moved\":0,\"low\":null,\"newest\":null,\"all\":3,"
                        "\"spread\":25}");
}

/* Sums go beyond 64 bits, in both directions, and come back. */
static void test_wide_sums(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        add("shift", "{\"by\":\"9223372036854775807\"}");
    assert_string_equal(shown("sums"),
                        "{\"moved\":\"36893488147419103228\","
                        "\"low\":\"9223372036854775807\","
                        "\"newest\":\"9223372036854775806\",\"all\":-1,"
                        "\"spread\":null}");
    for (unsigned i = 0; i < 8; i++)
        add("shift", "{\"by\":\"-9223372036854775808\"}");
    assert_string_equal(shown("sums"),
                        "{\"moved\":\"-36893488147419103236\","
                        "\"low\":\"-9223372036854775808\","
                        "\"newest\":\"-9223372036854775809\",\"all\":-1,"
                        "\"spread\":null}");
}

static void test_no_memory(void **state)
{
    uint64_t nth = 1;

    (void)state;
    for (;; nth++) {
        buffer_fini(&out);
        mem_fault(nth, false);
        program_view_json(program, view_of("statement"), account, tally, &out);
        bool struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(buffer_failed(&out), struck);
        if (!struck)
            break;
    }
    /* The long text, which is computed on the heap, and the buffer. */
    assert_true(nth > 2);
}

/* --- keeping -------------------------------------------------------------- */

static void check_kept(void)
{
    struct kan_slice bytes;

    buffer_clear(&out);
    program_tally_save(program, tally, &out);
    buffer_append_text(&out, "behind");
    bytes = buffer_slice(&out);
    memset(other, 0xee, sizeof other);
    assert_int_equal(program_tally_load(program, &bytes, other), KAN_OK);
    assert_int_equal(bytes.size, strlen("behind"));
    assert_memory_equal(tally, other, program_tally_size(program));
    out.size -= strlen("behind");
}

static void test_tally_kept(void **state)
{
    uint64_t seed = 4;

    (void)state;
    check_kept();
    for (unsigned round = 0; round < 200; round++) {
        static _Alignas(16) unsigned char bytes[1024];
        uint32_t step =
            (uint32_t)sample_choose(&seed, program_step_count(program));
        program_any(program, program_step(program, step).arguments,
                    sample_choose, &seed, bytes);
        program_tally_add(program, step, bytes, tally);
        check_kept();
    }
}

static void refused(struct kan_slice bytes)
{
    struct kan_slice rest = bytes;

    memset(tally, 0xab, sizeof tally);
    memset(other, 0xab, sizeof other);
    assert_int_equal(program_tally_load(program, &rest, tally), KAN_CORRUPT);
    assert_memory_equal(tally, other, sizeof tally);
    assert_ptr_equal(rest.bytes, bytes.bytes);
}

/* What is kept is no tally when it is cut, or when a byte says what no event
 * can have brought about. What loads saves to the same bytes. */
static void test_tally_refused(void **state)
{
    char saved[256];
    unsigned loaded = 0;
    unsigned not_loaded = 0;

    (void)state;
    add("deposit", "{\"amount\":30,\"note\":\"\xc3\xa4\"}");
    add("shift", "{\"by\":\"-9223372036854775808\"}");
    add("shift", "{\"by\":\"-9223372036854775808\"}");
    check_kept();
    size_t size = out.size;
    assert_true(size < sizeof saved);
    memcpy(saved, out.bytes, size);
    for (size_t cut = 0; cut < size; cut++)
        refused(kan_slice(saved, cut));
    for (size_t i = 0; i < size * 8; i++) {
        saved[i / 8] = (char)(saved[i / 8] ^ (1 << (i % 8)));
        struct kan_slice rest = kan_slice(saved, size);
        if (program_tally_load(program, &rest, tally) == KAN_OK) {
            check_kept();
            assert_int_equal(out.size, size - rest.size);
            assert_memory_equal(out.bytes, saved, out.size);
            loaded++;
        } else {
            refused(kan_slice(saved, size));
            not_loaded++;
        }
        saved[i / 8] = (char)(saved[i / 8] ^ (1 << (i % 8)));
    }
    assert_true(loaded > 0 && not_loaded > 0);
}

/* --- over all ------------------------------------------------------------- */

static struct program_total totals[COLUMNS_MAX];
static struct buffer newest[COLUMNS_MAX];

static int begin_totals(void **state)
{
    memset(totals, 0, sizeof totals);
    return begin(state);
}

static int end_totals(void **state)
{
    for (uint32_t i = 0; i < COLUMNS_MAX; i++)
        buffer_fini(&newest[i]);
    return check_live(state);
}

static void total_add(struct program_total *total,
                      enum program_column_kind kind, int64_t number)
{
    if (kind == PROGRAM_COUNT || kind == PROGRAM_SUM)
        total->amount += number;
    else if (!total->any || (kind == PROGRAM_LEAST ? number < total->amount
                                                   : number > total->amount))
        total->amount = number;
    total->any = true;
}

/* As whoever follows the feed does it; an event of a step. */
static void event(const char *step, const char *text)
{
    const void *given = arguments(step, text);

    for (uint32_t i = 0; i < program_column_count(program); i++) {
        struct program_column column = program_column(program, i);
        int64_t number = 0;
        if (!program_column_event(program, i, step_of(step), given, &number))
            continue;
        assert_true(column.of_events);
        if (column.kind != PROGRAM_LAST) {
            total_add(&totals[i], column.kind, number);
            continue;
        }
        buffer_clear(&newest[i]);
        program_column_last(program, i, step_of(step), given, &newest[i]);
        totals[i].any = true;
        totals[i].json = buffer_slice(&newest[i]);
    }
}

static void entity(const char *text)
{
    program_start(program, account);
    sample_read(program, 0, text, account);
    for (uint32_t i = 0; i < program_column_count(program); i++) {
        struct program_column column = program_column(program, i);
        int64_t number = 0;
        if (!program_column_state(program, i, account, &number))
            continue;
        assert_false(column.of_events);
        total_add(&totals[i], column.kind, number);
    }
}

static const char *shown_all(void)
{
    buffer_clear(&out);
    program_view_all_json(program, view_of("bank"), totals, &out);
    return buffer_text(&out);
}

static void test_over_all(void **state)
{
    (void)state;
    assert_int_equal(program_column_count(program), 11);
    for (uint32_t i = 0; i < program_column_count(program); i++)
        assert_int_equal(program_column(program, i).view, view_of("bank"));
    assert_string_equal(shown_all(),
                        "{\"accounts\":0,\"frozen\":0,\"shares\":0,"
                        "\"money\":0,\"poorest\":null,\"largest\":null,"
                        "\"newest\":null,\"spread\":null,\"shifted\":null}");
    event("deposit", "{\"amount\":5,\"note\":\"a\"}");
    event("freeze", "{}");
    event("shift", "{\"by\":4}");
    assert_non_null(strstr(shown_all(), "\"shifted\":3}"));
    event("shift", "{\"by\":\"9223372036854775807\"}");
    event("deposit", "{\"amount\":3,\"note\":\"b\"}");
    entity(
        "{\"balance\":7,\"debt\":0,\"status\":\"frozen\",\"lines\":{},"
        "\"long\":\"\"}");
    entity(
        "{\"balance\":3,\"debt\":\"9223372036854775807\","
        "\"status\":\"active\",\"lines\":{},\"long\":\"\"}");
    entity(
        "{\"balance\":9,\"debt\":100,\"status\":\"frozen\",\"lines\":{},"
        "\"long\":\"\"}");
    assert_string_equal(shown_all(),
                        "{\"accounts\":2,\"frozen\":2,\"shares\":1,"
                        "\"money\":\"9223372036854775926\",\"poorest\":3,"
                        "\"largest\":5,\"newest\":\"b\",\"spread\":6,"
                        "\"shifted\":\"9223372036854775806\"}");
}

/* Beyond 128 bits, which no events reach, there is no number. */
static void test_beyond(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < program_column_count(program); i++) {
        totals[i].any = true;
        totals[i].amount = (__int128)(~(unsigned __int128)0 >> 1);
        totals[i].json = SLICE("1");
    }
    assert_string_equal(
        shown_all(),
        "{\"accounts\":\"170141183460469231731687303715884105727\","
        "\"frozen\":\"170141183460469231731687303715884105727\","
        "\"shares\":\"170141183460469231731687303715884105727\","
        "\"money\":null,"
        "\"poorest\":\"170141183460469231731687303715884105727\","
        "\"largest\":\"170141183460469231731687303715884105727\","
        "\"newest\":1,\"spread\":0,\"shifted\":0}");
    for (uint32_t i = 0; i < program_column_count(program); i++)
        totals[i].amount = -totals[i].amount - 1;
    assert_non_null(
        strstr(shown_all(), "\"-170141183460469231731687303715884105728\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_views, begin, check_live),
        cmocka_unit_test_setup_teardown(test_no_events, begin, check_live),
        cmocka_unit_test_setup_teardown(test_events, begin, check_live),
        cmocka_unit_test_setup_teardown(test_wide_sums, begin, check_live),
        cmocka_unit_test_setup_teardown(test_no_memory, begin, check_live),
        cmocka_unit_test_setup_teardown(test_tally_kept, begin, check_live),
        cmocka_unit_test_setup_teardown(test_tally_refused, begin, check_live),
        cmocka_unit_test_setup_teardown(test_over_all, begin_totals,
                                        end_totals),
        cmocka_unit_test_setup_teardown(test_beyond, begin_totals, end_totals),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
