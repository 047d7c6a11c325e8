/* How good shrinking is: properties whose smallest failing case is known, each
 * searched from many seeds. A case counts when it is exactly the smallest. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <kan/property.h>

enum
{
    SEEDS = 100,
    EXACT_MIN = 95, /* of the seeds */
    LIST_MAX = 50
};

struct list
{
    int64_t items[LIST_MAX];
    size_t count;
};

static struct list draw_list(kan_case *c, int64_t low, int64_t high)
{
    struct list list = {.count = 0};
    while (kan_draw_more(c, list.count, 0, LIST_MAX))
        list.items[list.count++] = kan_draw_int(c, low, high);
    return list;
}

static void note_list(kan_case *c, const struct list *list)
{
    char text[4096] = "";
    size_t size = 0;
    for (size_t i = 0; i < list->count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%" PRId64,
                                 i ? " " : "", list->items[i]);
    kan_note(c, "[%s]", text);
}

/* --- one list ------------------------------------------------------------- */

static void sum_is_small(kan_case *c, void *data)
{
    struct list list = draw_list(c, 0, 10000);
    int64_t sum = 0;
    (void)data;
    note_list(c, &list);
    for (size_t i = 0; i < list.count; i++)
        sum += list.items[i];
    kan_require(c, sum <= 1000);
}

static void signed_sum_is_small(kan_case *c, void *data)
{
    struct list list = draw_list(c, -1000000, 1000000);
    int64_t sum = 0;
    (void)data;
    note_list(c, &list);
    for (size_t i = 0; i < list.count; i++)
        sum += list.items[i];
    kan_require(c, sum <= 1000);
}

static void sum_of_small_numbers_is_small(kan_case *c, void *data)
{
    struct list list = draw_list(c, 0, 100);
    int64_t sum = 0;
    (void)data;
    note_list(c, &list);
    for (size_t i = 0; i < list.count; i++)
        sum += list.items[i];
    kan_require(c, sum <= 250);
}

static void elements_differ(kan_case *c, void *data)
{
    struct list list = draw_list(c, 0, 1000000000);
    bool equal = false;
    (void)data;
    note_list(c, &list);
    for (size_t i = 0; i < list.count; i++)
        for (size_t j = 0; j < i; j++)
            equal = equal || list.items[i] == list.items[j];
    kan_require(c, !equal);
}

static void large_elements_differ(kan_case *c, void *data)
{
    struct list list = draw_list(c, 0, 100);
    bool equal = false;
    (void)data;
    note_list(c, &list);
    for (size_t i = 0; i < list.count; i++)
        for (size_t j = 0; j < i; j++)
            equal =
                equal || (list.items[i] == list.items[j] && list.items[i] >= 7);
    kan_require(c, !equal);
}

static void large_elements_come_twice(kan_case *c, void *data)
{
    struct list list = draw_list(c, 0, 20);
    size_t most = 0;
    (void)data;
    note_list(c, &list);
    for (size_t i = 0; i < list.count; i++) {
        size_t equal = 0;
        for (size_t j = 0; j < list.count; j++)
            equal += list.items[i] == list.items[j];
        if (list.items[i] >= 7 && equal > most)
            most = equal;
    }
    kan_require(c, most < 3);
}

static void is_sorted(kan_case *c, void *data)
{
    struct list list = draw_list(c, -1000, 1000);
    (void)data;
    note_list(c, &list);
    for (size_t i = 1; i < list.count; i++)
        if (!kan_require(c, list.items[i - 1] <= list.items[i]))
            return;
}

static void is_short(kan_case *c, void *data)
{
    struct list list = draw_list(c, -1000, 1000);
    (void)data;
    note_list(c, &list);
    kan_require(c, list.count < 5);
}

static void has_few_values(kan_case *c, void *data)
{
    struct list list = draw_list(c, -1000, 1000);
    size_t different = 0;
    (void)data;
    note_list(c, &list);
    for (size_t i = 0; i < list.count; i++) {
        size_t j = 0;
        while (list.items[j] != list.items[i])
            j++;
        different += i == j;
    }
    kan_require(c, different < 3);
}

static void lacks_one_of_two(kan_case *c, void *data)
{
    struct list list = draw_list(c, -10, 10);
    bool has_two = false;
    bool has_five = false;
    (void)data;
    note_list(c, &list);
    for (size_t i = 0; i < list.count; i++) {
        has_two = has_two || list.items[i] == 2;
        has_five = has_five || list.items[i] == 5;
    }
    kan_require(c, !has_two || !has_five);
}

/* --- numbers -------------------------------------------------------------- */

static void is_near_zero(kan_case *c, void *data)
{
    int64_t number = kan_draw_int(c, INT64_MIN, INT64_MAX);
    (void)data;
    kan_note(c, "%" PRId64, number);
    kan_require(c, number > -12345);
}

static void is_no_multiple(kan_case *c, void *data)
{
    int64_t number = kan_draw_int(c, 0, INT64_MAX);
    (void)data;
    kan_note(c, "%" PRId64, number);
    kan_require(c, number < 1000 || number % 7 != 0);
}

static void difference_is_small(kan_case *c, void *data)
{
    int64_t a = kan_draw_int(c, 0, 1000);
    int64_t b = kan_draw_int(c, 0, 1000);
    (void)data;
    kan_note(c, "%" PRId64 " %" PRId64, a, b);
    kan_require(c, a < b || a - b > 10 || a - b < 5 || b < 3);
}

/* --- texts ---------------------------------------------------------------- */

static void has_no_abc(kan_case *c, void *data)
{
    char text[41];
    (void)data;
    (void)kan_draw_text(c, "abc", 0, 40, text);
    kan_note(c, "%s", text);
    kan_require(c, !strstr(text, "cab"));
}

static void has_no_bracket(kan_case *c, void *data)
{
    char text[41];
    (void)data;
    (void)kan_draw_text(c, NULL, 3, 40, text);
    kan_note(c, "%s", text);
    kan_require(c, !strchr(text, '['));
}

static void has_no_zero_behind_255(kan_case *c, void *data)
{
    unsigned char bytes[40];
    char text[81] = "";
    size_t count = kan_draw_bytes(c, 0, sizeof bytes, bytes);
    bool bad = false;
    (void)data;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
        bad = bad || (i && bytes[i - 1] == 255 && bytes[i] == 0);
    }
    kan_note(c, "%s", text);
    kan_require(c, !bad);
}

/* --- lists in lists, and lists with a length ------------------------------ */

static void nested_sum_is_small(kan_case *c, void *data)
{
    size_t lists = 0;
    int64_t sum = 0;
    (void)data;
    while (kan_draw_more(c, lists, 0, 10)) {
        struct list list = draw_list(c, 0, 1000);
        for (size_t i = 0; i < list.count; i++)
            sum += list.items[i];
        note_list(c, &list);
        lists++;
    }
    kan_require(c, sum <= 500);
}

static void lists_are_few(kan_case *c, void *data)
{
    size_t lists = 0;
    size_t filled = 0;
    (void)data;
    while (kan_draw_more(c, lists, 0, 10)) {
        struct list list = draw_list(c, 0, 1000);
        filled += list.count > 0;
        note_list(c, &list);
        lists++;
    }
    kan_require(c, filled < 3);
}

static void counted_list_has_no_large(kan_case *c, void *data)
{
    struct list list = {.count = (size_t)kan_draw(c, LIST_MAX)};
    bool large = false;
    (void)data;
    for (size_t i = 0; i < list.count; i++) {
        list.items[i] = kan_draw_int(c, 0, 1000);
        large = large || list.items[i] >= 900;
    }
    note_list(c, &list);
    kan_require(c, !large);
}

static void counted_lists_have_no_large(kan_case *c, void *data)
{
    size_t lists = (size_t)kan_draw(c, 10);
    bool large = false;
    (void)data;
    for (size_t n = 0; n < lists; n++) {
        struct list list = {.count = (size_t)kan_draw(c, 10)};
        for (size_t i = 0; i < list.count; i++) {
            list.items[i] = kan_draw_int(c, 0, 1000);
            large = large || list.items[i] >= 900;
        }
        note_list(c, &list);
    }
    kan_require(c, !large);
}

/* --- operations ----------------------------------------------------------- */

/* An account that forgets to look at its balance after two withdrawals. */
static void account_is_never_overdrawn(kan_case *c, void *data)
{
    static const uint32_t weights[] = {2, 2, 1};
    int64_t balance = 0;
    int withdrawals = 0;
    (void)data;
    for (size_t n = 0; kan_draw_more(c, n, 0, 100); n++) {
        int64_t amount;
        switch (kan_draw_weighted(c, weights, 3)) {
        case 0:
            amount = kan_draw_int(c, 1, 1000);
            kan_note(c, "deposit %" PRId64, amount);
            balance += amount;
            break;
        case 1:
            amount = kan_draw_int(c, 1, 1000);
            if (withdrawals < 2 && amount > balance)
                break;
            kan_note(c, "withdraw %" PRId64, amount);
            balance -= amount;
            withdrawals++;
            break;
        default:
            kan_note(c, "look");
            break;
        }
        if (!kan_require(c, balance >= 0))
            return;
    }
}

/* One that forgets the fee of every third withdrawal when it looks. */
static void fees_overdraw_nothing(kan_case *c, void *data)
{
    int64_t balance = 0;
    int withdrawals = 0;
    (void)data;
    for (size_t n = 0; kan_draw_more(c, n, 0, 100); n++) {
        bool withdraws = kan_draw_bool(c);
        int64_t amount = kan_draw_int(c, 1, 1000);
        if (withdraws && amount > balance)
            continue;
        kan_note(c, "%s %" PRId64, withdraws ? "withdraw" : "deposit", amount);
        balance += withdraws ? -amount : amount;
        if (withdraws && ++withdrawals % 3 == 0)
            balance -= 3;
        if (!kan_require(c, balance >= 0))
            return;
    }
}

/* A ring of four places that is wrong when it is full and has wrapped. */
static void ring_may_be_full(kan_case *c, void *data)
{
    size_t held = 0;
    size_t tail = 0;
    (void)data;
    for (size_t n = 0; kan_draw_more(c, n, 0, 100); n++) {
        if (kan_draw_bool(c)) {
            if (!kan_assume(c, held > 0))
                return;
            kan_note(c, "get");
            held--;
        } else {
            int64_t item = kan_draw_int(c, 0, 9);
            if (!kan_assume(c, held < 4))
                return;
            kan_note(c, "put %d", (int)item);
            held++;
            tail++;
            if (!kan_require(c, held < 4 || tail % 4 == 0))
                return;
        }
    }
}

static const struct
{
    const char *name;
    kan_property *property;
    const char *smallest;
    const char *as_small; /* to a human; may be NULL */
} cases[] = {
    {"sum", sum_is_small, "[1001]\n", NULL},
    {"signed sum", signed_sum_is_small, "[1001]\n", NULL},
    {"sum of small", sum_of_small_numbers_is_small, "[51 100 100]\n", NULL},
    {"equal", elements_differ, "[0 0]\n", NULL},
    {"large equal", large_elements_differ, "[7 7]\n", NULL},
    {"three equal", large_elements_come_twice, "[7 7 7]\n", NULL},
    {"sorted", is_sorted, "[0 -1]\n", "[1 0]\n"},
    {"short", is_short, "[0 0 0 0 0]\n", NULL},
    {"few values", has_few_values, "[0 1 -1]\n", NULL},
    {"two values", lacks_one_of_two, "[2 5]\n", NULL},
    {"near zero", is_near_zero, "-12345\n", NULL},
    {"multiple", is_no_multiple, "1001\n", NULL},
    {"difference", difference_is_small, "8 3\n", NULL},
    {"substring", has_no_abc, "cab\n", NULL},
    {"character", has_no_bracket, "aa[\n", NULL},
    {"bytes", has_no_zero_behind_255, "ff00\n", NULL},
    {"nested sum", nested_sum_is_small, "[501]\n", NULL},
    {"nested lists", lists_are_few, "[0]\n[0]\n[0]\n", NULL},
    {"length", counted_list_has_no_large, "[900]\n", NULL},
    {"lengths", counted_lists_have_no_large, "[900]\n", NULL},
    {"account", account_is_never_overdrawn,
     "deposit 2\nwithdraw 1\nwithdraw 1\nwithdraw 1\n", NULL},
    {"fees", fees_overdraw_nothing,
     "deposit 3\nwithdraw 1\nwithdraw 1\nwithdraw 1\n", NULL},
    {"ring", ring_may_be_full, "put 0\nput 0\nput 0\nput 0\nget\nput 0\n",
     NULL},
};

static bool is_smallest(const char *notes, size_t i)
{
    return strcmp(notes, cases[i].smallest) == 0 ||
           (cases[i].as_small && strcmp(notes, cases[i].as_small) == 0);
}

static void smallest_cases_are_found(void **state)
{
    size_t bad = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned exact = 0;
        unsigned long long shrinks = 0;
        char other[256] = "";
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct kan_property_options options = {.name = cases[i].name,
                                                   .seed = seed,
                                                   .runs = 5000,
                                                   .report_fd = -1};
            struct kan_property_result result;
            assert_int_equal(
                kan_property_run(&options, cases[i].property, NULL, &result),
                KAN_OK);
            if (result.verdict == KAN_FAILS && is_smallest(result.notes, i))
                exact++;
            else
                (void)snprintf(other, sizeof other, "seed %d: %.200s",
                               (int)seed, result.notes ? result.notes : "-");
            shrinks += result.shrinks;
            kan_property_result_fini(&result);
        }
        if (exact < EXACT_MIN)
            print_message("%s: %u of %d exact, %llu runs; %s\n", cases[i].name,
                          exact, SEEDS, shrinks / SEEDS, other);
        bad += exact < EXACT_MIN;
    }
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smallest_cases_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
