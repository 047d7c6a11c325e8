/* simulate_case.h - what tests of simulators have in common: one made, seeds
 * run, and what they come to. Each fails the test when it is not so. */

#ifndef CHECK_SIM_SIMULATE_CASE_H
#define CHECK_SIM_SIMULATE_CASE_H

#include "check/sim/simulate.h"

#define assert_ok(call) assert_int_equal((call), KAN_OK)

/* One of the models that ship. */
const struct kan_module *simulate_case_model(const char *name);

/* A simulator by the driver that is chosen on its own, with the presets when
 * parameters is NULL. */
struct simulator *simulate_case_new(const struct kan_module *module,
                                    const int64_t *parameters);

/* Run seeds from 1 on. */
void simulate_case_campaign(struct simulator *simulator, uint64_t seeds,
                            struct campaign *campaign);

void simulate_case_same_path(struct path_id a, struct path_id b);

/* The bug is found within so many seeds, its run is short, and its tape fails
 * in the same way in a simulator that has run nothing else. */
void simulate_case_finds(const struct kan_module *module,
                         const int64_t *parameters, const char *property,
                         uint64_t seeds, size_t choices_max);

/* Every seed holds, and they are not all the same run. */
void simulate_case_holds(const struct kan_module *module,
                         const int64_t *parameters, uint64_t seeds);

#endif /* CHECK_SIM_SIMULATE_CASE_H */
