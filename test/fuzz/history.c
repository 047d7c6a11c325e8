/* Histories as text: whatever is read is judged and drawn, in the fast way and
 * in the slow one, and both must agree. */

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/utf8.h"
#include "path/history/draw.h"
#include "path/history/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ranks(const struct history *history)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct operation *one = &history->operations[i];
        kan_assert(one->call < one->ret);
        kan_assert(i == 0 || history->operations[i - 1].call < one->call);
        kan_assert(one->outcome != HISTORY_REFUSED);
    }
}

static void check_drawing(const struct history *history,
                          const struct judgement *judgement)
{
    struct buffer out = BUFFER_INIT;
    kan_assert(history_draw_text(history, judgement, 400, &out) == KAN_OK);
    buffer_clear(&out);
    kan_assert(history_draw_svg(history, judgement, SLICE("f\xff"), &out) ==
               KAN_OK);
    kan_assert(utf8_valid(buffer_slice(&out)));
    buffer_fini(&out);
}

/* VERDICT_UNKNOWN when no model fits or the limits were reached. */
static enum verdict judge(struct history *history, bool searched)
{
    struct judgement judgement;
    struct judge_options options = {
        .initial = VALUE_NONE, .searched = searched, .points = searched};
    options.search.steps_max = 20000;
    options.search.memory_max = 32 << 20;
    enum kan_err err = history_judge(history, &options, NULL, &judgement);
    kan_assert(err == KAN_OK || err == KAN_INVALID);
    if (err != KAN_OK)
        return VERDICT_UNKNOWN;
    enum verdict verdict = judgement.verdict;
    kan_assert((judgement.minimal.count > 0) == (verdict == VERDICT_NOT));
    check_drawing(history, &judgement);
    judgement_fini(&judgement);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t live = mem_live();
    struct buffer message = BUFFER_INIT;
    struct history history;
    enum kan_err err = history_parse(kan_slice(data, size), &message, &history);
    kan_assert(err == KAN_OK || err == KAN_INVALID);
    kan_assert((message.size > 0) == (err == KAN_INVALID));
    if (err == KAN_OK) {
        check_ranks(&history);
        if (history.count <= 64) {
            enum verdict fast = judge(&history, false);
            enum verdict slow = judge(&history, true);
            kan_assert(fast == slow || fast == VERDICT_UNKNOWN ||
                       slow == VERDICT_UNKNOWN);
        }
        history_fini(&history);
    }
    buffer_fini(&message);
    kan_assert(mem_live() == live);
    return 0;
}
