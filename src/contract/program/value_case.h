/* value_case.h - the sample of value_sample.h under test: compiled once for all
 * tests of a file, each of which must leave no memory behind. */

#ifndef CONTRACT_PROGRAM_VALUE_CASE_H
#define CONTRACT_PROGRAM_VALUE_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "contract/program/value_sample.h"

enum
{
    VALUE_MAX = 65536
};

static struct program *program;
static struct buffer out;
static struct buffer why;
static int64_t live;

static inline int set_up(void **state)
{
    (void)state;
    program = sample_compile(sample_text, "shop");
    live = mem_live();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    program = program_free(program);
    return mem_live() == 0 ? 0 : -1;
}

static inline int check_live(void **state)
{
    (void)state;
    buffer_fini(&out);
    buffer_fini(&why);
    return mem_live() == live ? 0 : -1;
}

#endif /* CONTRACT_PROGRAM_VALUE_CASE_H */
