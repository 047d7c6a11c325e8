/* check_report.h - the outcome of `kan check` for people and for programs. */

#ifndef CLI_CHECK_REPORT_H
#define CLI_CHECK_REPORT_H

#include "check/draw/run.h"
#include "check/walk/walk.h"
#include "cli/target.h"

struct check_report
{
    const struct target *target;
    struct space *space;
    const struct walk_result *result;
    const struct walk_counts *counts; /* NULL: not counted */
    uint32_t depth_max;               /* 0: none */
    const struct run *run;            /* FAILS; or NULL */
    const char *saved;                /* the scenario's file; or NULL */
    const char *svg;                  /* its picture; or NULL */
    uint32_t width;                   /* of the terminal */
    bool colour;
};

/* The name of what failed: a property's, or "handler". */
const char *check_property(const struct check_report *report);

/* "crash=1, lost=2, depth 20", or "no faults", appended to out. */
void check_budget(const struct check_report *report, struct buffer *out);

void check_print_text(const struct check_report *report, struct buffer *out);
void check_print_json(const struct check_report *report, struct buffer *out);

#endif /* CLI_CHECK_REPORT_H */
