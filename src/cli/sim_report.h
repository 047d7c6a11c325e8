/* sim_report.h - the outcome of `kan sim` for people and for programs. */

#ifndef CLI_SIM_REPORT_H
#define CLI_SIM_REPORT_H

#include "check/draw/run.h"
#include "check/sim/simulate.h"
#include "cli/target.h"

struct sim_report
{
    const struct target *target;
    const struct simulator *simulator;
    const struct campaign *campaign;
    uint64_t seed; /* the first */
    double seconds;
    const struct run *run; /* FAILS, of a walk; or NULL */
    const char *saved;     /* the scenario's file; or NULL */
    uint32_t width;        /* of the terminal */
    bool colour;
};

void sim_print_text(const struct sim_report *report, struct buffer *out);
void sim_print_json(const struct sim_report *report, struct buffer *out);

#endif /* CLI_SIM_REPORT_H */
