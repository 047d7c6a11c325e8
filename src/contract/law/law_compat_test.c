/* Whether callers of one version keep working on the next: the cart, and
 * versions of it that break them. */

#include "contract/law/law_case.h"

enum
{
    STEPS_MAX = 8
};

static const struct law_budget small = {.states_max = 400};

struct verdict
{
    struct contract *contract;
    struct law_compat results[STEPS_MAX];
    uint64_t lost[TREE_FIELDS_MAX / 64];
    struct law_walk walk;
};

static void compare(struct verdict *verdict, const char *part,
                    const char *other)
{
    verdict->contract = case_load(cart_text, part, other);
    assert_int_equal(
        law_compat(verdict->contract, 0, 1, 7, &small, verdict->results,
                   verdict->lost, &verdict->walk),
        KAN_OK);
}

static const struct law_compat *result_of(const struct verdict *verdict,
                                          const char *name)
{
    const struct program *program = contract_program(verdict->contract, 0, 1);

    return &verdict->results[program_step_find(program, kan_text(name))];
}

static void end(struct verdict *verdict)
{
    const struct program *program = contract_program(verdict->contract, 0, 1);
    uint32_t count = program_step_count(program);

    for (uint32_t i = 0; i < count; i++)
        law_compat_fini(&verdict->results[i]);
    contract_unref(verdict->contract);
    assert_int_equal(mem_live(), 0);
}

static void run_is(const struct verdict *verdict, const char *name,
                   enum law_compat_kind kind, const char *steps,
                   const char *why)
{
    const struct law_compat *result = result_of(verdict, name);
    struct buffer text = BUFFER_INIT;

    assert_int_equal(result->kind, kind);
    case_run_is(contract_program(verdict->contract, 0, 1), &result->run, steps);
    buffer_append(&text, buffer_slice(&result->why));
    if (!strstr(buffer_text(&text), why))
        fail_msg("%s", buffer_text(&text));
    buffer_fini(&text);
}

static void cart_keeps_its_callers(void **state)
{
    struct verdict verdict;

    (void)state;
    compare(&verdict, NULL, NULL);
    assert_int_equal(result_of(&verdict, "add")->kind, LAW_SAME);
    assert_int_equal(result_of(&verdict, "remove")->kind, LAW_SAME);
    assert_int_equal(result_of(&verdict, "pay")->kind, LAW_SAME);
    /* The stage, as shipped becomes paid; and the coupon. */
    assert_int_equal(verdict.lost[0], 2 | 4);
    end(&verdict);
}

static void step_that_is_gone_is_told(void **state)
{
    struct verdict verdict;

    (void)state;
    compare(&verdict,
            "step remove(article: text(40)) when stage == filling and article "
            "in lines { lines -= article }",
            "");
    run_is(&verdict, "remove", LAW_GONE, "", "version 2 has no such step");
    assert_int_equal(result_of(&verdict, "add")->kind, LAW_SAME);
    end(&verdict);
}

static void argument_without_a_default_is_told(void **state)
{
    struct verdict verdict;

    (void)state;
    compare(&verdict, "count: int(1 .. 99) = 1)", "count: int(1 .. 99))");
    assert_int_equal(result_of(&verdict, "add")->kind, LAW_GONE);
    assert_true(result_of(&verdict, "add")->why.size > 0);
    end(&verdict);
}

static void other_default_makes_another_state(void **state)
{
    struct verdict verdict;

    (void)state;
    compare(&verdict, "count: int(1 .. 99) = 1)", "count: int(1 .. 99) = 2)");
    run_is(&verdict, "add", LAW_DIFFERS, "add", "lines would be");
    end(&verdict);
}

static void stricter_guard_is_told(void **state)
{
    struct verdict verdict;

    (void)state;
    compare(&verdict,
            "step pay when stage == filling {\n"
            "        require size(lines) > 0 else \"the cart is empty\"",
            "step pay when stage == filling {\n"
            "        require size(lines) > 1 else \"one is too few\"");
    run_is(&verdict, "pay", LAW_REFUSES, "add pay", "one is too few");
    end(&verdict);
}

static void looser_guard_is_told(void **state)
{
    struct verdict verdict;

    (void)state;
    compare(&verdict,
            "step pay when stage == filling {\n"
            "        require size(lines) > 0 else \"the cart is empty\"",
            "step pay when stage == filling {");
    run_is(&verdict, "pay", LAW_ALLOWS, "", "the cart is empty");
    end(&verdict);
}

static void without_a_way_back_nobody_is_answered(void **state)
{
    struct verdict verdict;

    (void)state;
    compare(&verdict, "down { paid = old.stage != filling }", "");
    assert_int_equal(result_of(&verdict, "add")->kind, LAW_NO_WAY_BACK);
    assert_int_equal(result_of(&verdict, "pay")->kind, LAW_NO_WAY_BACK);
    end(&verdict);
}

static void memory_may_run_out_anywhere(void **state)
{
    const struct law_budget tiny = {.states_max = 20};
    struct contract *contract = case_load(cart_text, "count: int(1 .. 99) = 1)",
                                          "count: int(1 .. 99) = 2)");
    struct verdict verdict;
    int64_t live = mem_live();
    uint64_t nth = 0;
    enum kan_err err;

    (void)state;
    /* Random runs allocate much and alike: steps of ever more are enough. */
    do {
        nth += 1 + nth / 40;
        mem_fault(nth, false);
        err = law_compat(contract, 0, 1, 7, &tiny, verdict.results,
                         verdict.lost, &verdict.walk);
        assert_true(err == KAN_OK || err == KAN_NOMEM);
        for (uint32_t i = 0; err == KAN_OK && i < 3; i++)
            law_compat_fini(&verdict.results[i]);
        assert_int_equal(mem_live(), live);
    } while (mem_fault_struck());
    mem_fault(0, false);
    assert_int_equal(err, KAN_OK);
    contract_unref(contract);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cart_keeps_its_callers),
        cmocka_unit_test(step_that_is_gone_is_told),
        cmocka_unit_test(argument_without_a_default_is_told),
        cmocka_unit_test(other_default_makes_another_state),
        cmocka_unit_test(stricter_guard_is_told),
        cmocka_unit_test(looser_guard_is_told),
        cmocka_unit_test(without_a_way_back_nobody_is_answered),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
