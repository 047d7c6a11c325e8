/* law_case.h - the contracts of the tests, and copies of them with mistakes. */

#ifndef CONTRACT_LAW_LAW_CASE_H
#define CONTRACT_LAW_LAW_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "contract/law/law.h"
#include "contract/program/bank_sample.h"

static const char bank_text[] =
    "type account {\n" BANK_MEMBERS BANK_CLOSED_IS_EMPTY BANK_STEPS BANK_FREEZE
    "    step close    when status == open {\n"
    "        require balance == 0 and held == 0 else \"withdraw the rest "
    "first\"\n"
    "        status = closed\n"
    "    }\n" BANK_HOLD
    "    law deposit(a); deposit(b)   ~  deposit(b); deposit(a)\n"
    "    law deposit(a); withdraw(a)  ~  nothing\n"
    "    law hold(a); release(a)      ~  nothing\n"
    "    law freeze; unfreeze         ~  nothing\n"
    "}\n"
    "saga transfer(from: account, to: account, amount: int(1 .. 1_000_000)) "
    "{\n" BANK_TRANSFER "}\n";

static const char cart_text[] =
    "type cart version 1 {\n"
    "    lines: map(text(40), int(1 .. 99), 50)\n"
    "    paid:  bool = false\n"
    "    step add(article: text(40)) when not paid {\n"
    "        if article in lines { lines[article] += 1 } else { lines[article] "
    "= 1 }\n"
    "    }\n"
    "    step remove(article: text(40)) when not paid and article in lines { "
    "lines -= article }\n"
    "    step pay when not paid {\n"
    "        require size(lines) > 0 else \"the cart is empty\"\n"
    "        paid = true\n"
    "    }\n"
    "    law add(a); add(b) ~ add(b); add(a)\n"
    "}\n"
    "type cart version 2 {\n"
    "    lines:  map(text(40), int(1 .. 99), 50)\n"
    "    stage:  filling | paid | shipped\n"
    "    coupon: optional text(20) = none\n"
    "    step add(article: text(40), count: int(1 .. 99) = 1) when stage == "
    "filling {\n"
    "        if article in lines { lines[article] += count } else { "
    "lines[article] = count }\n"
    "    }\n"
    "    step remove(article: text(40)) when stage == filling and article in "
    "lines { lines -= article }\n"
    "    step use_coupon(code: text(20)) when stage == filling and coupon == "
    "none { coupon = code }\n"
    "    step pay when stage == filling {\n"
    "        require size(lines) > 0 else \"the cart is empty\"\n"
    "        stage = paid\n"
    "    }\n"
    "    step ship when stage == paid { stage = shipped }\n"
    "}\n"
    "upgrade cart 1 -> 2 {\n"
    "    up   { stage = if old.paid then paid else filling }\n"
    "    down { paid = old.stage != filling }\n"
    "}\n";

/* Load a text in which one part, which must be there, is another; part NULL:
 * as it is. */
static inline struct contract *case_load(const char *text, const char *part,
                                         const char *other)
{
    struct buffer changed = BUFFER_INIT;
    struct buffer faults = BUFFER_INIT;
    struct contract *contract = NULL;
    const char *at = part ? strstr(text, part) : text;

    assert_non_null(at);
    buffer_append(&changed, kan_slice(text, (size_t)(at - text)));
    if (part) {
        buffer_append_text(&changed, other);
        at += strlen(part);
    }
    buffer_append_text(&changed, at);
    if (contract_load(SLICE("case.kan"), buffer_slice(&changed), &contract,
                      &faults) != KAN_OK)
        fail_msg("%s", buffer_text(&faults));
    buffer_fini(&changed);
    buffer_fini(&faults);
    return contract;
}

/* "open deposit*1000 withdraw!" : the steps of a run, ! for a refused one. */
static inline void case_steps(const struct program *program,
                              const struct law_run *run, struct buffer *out)
{
    for (uint32_t i = 0; i < run->count; i++) {
        const struct law_run_step *step = &run->steps[i];
        buffer_append_text(out, i ? " " : "");
        buffer_append(out, program_step(program, step->step).name);
        if (step->times > 1)
            buffer_print(out, "*%u", step->times);
        if (step->refused)
            buffer_append_byte(out, '!');
    }
}

static inline void case_run_is(const struct program *program,
                               const struct law_run *run, const char *steps)
{
    struct buffer text = BUFFER_INIT;

    case_steps(program, run, &text);
    assert_string_equal(buffer_text(&text), steps);
    buffer_fini(&text);
}

#endif /* CONTRACT_LAW_LAW_CASE_H */
