/* What tests of simulators have in common. */

#include "check/sim/simulate_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/models.h"

const struct kan_module *simulate_case_model(const char *name)
{
    const struct kan_module *module;

    for (uint32_t i = 0; (module = models_at(i)) != NULL; i++) {
        if (strcmp(module->model->name, name) == 0)
            return module;
    }
    fail_msg("there is no model %s", name);
    return NULL;
}

struct simulator *simulate_case_new(const struct kan_module *module,
                                    const int64_t *parameters)
{
    const struct simulate_options options = {
        .module = module, .parameters = parameters, .requests = 8};
    struct simulator *simulator;
    struct buffer why = BUFFER_INIT;
    enum kan_err err = simulator_new(&options, &simulator, &why);

    if (err)
        fail_msg("%s", buffer_text(&why));
    buffer_fini(&why);
    return simulator;
}

void simulate_case_campaign(struct simulator *simulator, uint64_t seeds,
                            struct campaign *campaign)
{
    const struct campaign_options options = {
        .simulator = simulator, .seed = 1, .seeds = seeds};
    struct buffer why = BUFFER_INIT;

    assert_ok(campaign_run(&options, campaign, &why));
    buffer_fini(&why);
}

void simulate_case_same_path(struct path_id a, struct path_id b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

/* The tape, written down and read, fails as the run did. */
static void replay(const struct kan_module *module, const int64_t *parameters,
                   const struct campaign *campaign)
{
    struct simulator *fresh = simulate_case_new(module, parameters);
    struct simulate_run again;
    struct buffer text = BUFFER_INIT;
    struct tape tape;

    simulate_tape_save(campaign->choices, campaign->choice_count, &text);
    assert_ok(simulate_tape_load(buffer_slice(&text), &tape));
    assert_ok(simulator_run(fresh, &tape, NULL, &again));
    assert_int_equal(again.verdict, SIMULATE_FAILS);
    assert_string_equal(again.property, campaign->run.property);
    assert_string_equal(again.why, campaign->run.why);
    simulate_case_same_path(again.path, campaign->run.path);
    assert_memory_equal(&again.trace, &campaign->run.trace, sizeof again.trace);
    tape_fini(&tape);
    buffer_fini(&text);
    simulator_free(fresh);
}

void simulate_case_finds(const struct kan_module *module,
                         const int64_t *parameters, const char *property,
                         uint64_t seeds, size_t choices_max)
{
    struct simulator *simulator = simulate_case_new(module, parameters);
    struct campaign campaign;

    simulate_case_campaign(simulator, seeds, &campaign);
    assert_int_equal(campaign.verdict, SIMULATE_FAILS);
    assert_string_equal(campaign.run.property, property);
    assert_true(campaign.choice_count <= choices_max);
    assert_true(campaign.choice_count <= campaign.choices_before);
    replay(module, parameters, &campaign);
    campaign_fini(&campaign);
    simulator_free(simulator);
}

void simulate_case_holds(const struct kan_module *module,
                         const int64_t *parameters, uint64_t seeds)
{
    struct simulator *simulator = simulate_case_new(module, parameters);
    struct campaign campaign;

    simulate_case_campaign(simulator, seeds, &campaign);
    if (campaign.verdict != SIMULATE_HOLDS)
        fail_msg("%s: %s", campaign.run.property, campaign.run.why);
    assert_int_equal(campaign.seeds, seeds);
    assert_true(campaign.paths > 1);
    assert_true(simulator_counts(simulator)->events > seeds);
    campaign_fini(&campaign);
    simulator_free(simulator);
}
