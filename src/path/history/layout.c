/* Choose the operations, number their events, give each process its row. */

#include "path/history/layout.h"

#include <stdlib.h>

#include "base/alloc.h"

void layout_fini(struct layout *layout)
{
    mem_free(layout->bars);
    mem_free(layout->ranks);
    mem_free(layout->processes);
    *layout = (struct layout){0};
}

/* --- which ---------------------------------------------------------------- */

static enum layout_mark mark_of(const struct minimal *minimal, uint32_t index)
{
    for (uint32_t i = 0; i < minimal->count; i++) {
        if (minimal->operations[i] == index)
            return LAYOUT_NEEDED;
    }
    for (uint32_t i = 0; i < minimal->write_count; i++) {
        if (minimal->writes[i] == index)
            return LAYOUT_WROTE;
    }
    return LAYOUT_PLAIN;
}

/* Of the operations that are eligible, leave out those too far from the last
 * minimal one. */
static void narrow(struct layout *layout, uint32_t bars_max)
{
    if (layout->count <= bars_max)
        return;
    uint32_t last = 0;
    for (uint32_t i = 0; i < layout->count; i++) {
        if (layout->bars[i].mark == LAYOUT_NEEDED)
            last = i;
    }
    uint32_t behind = bars_max / 8;
    uint32_t end =
        last + behind < layout->count ? last + behind + 1 : layout->count;
    uint32_t from = end > bars_max ? end - bars_max : 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < layout->count; i++) {
        bool near = i >= from && i < from + bars_max;
        if (near || layout->bars[i].mark != LAYOUT_PLAIN)
            layout->bars[kept++] = layout->bars[i];
    }
    layout->count = kept;
}

static enum kan_err choose(struct layout *layout, const struct history *history,
                           const struct judgement *judgement, bool minimal_only,
                           uint32_t bars_max)
{
    const struct minimal *minimal = &judgement->minimal;
    size_t room =
        minimal_only ? minimal->count + minimal->write_count : history->count;
    layout->bars = mem_alloc((room + 1) * sizeof *layout->bars);
    if (!layout->bars)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < history->count; i++) {
        enum layout_mark mark = mark_of(minimal, i);
        bool other = judgement->key != VALUE_NONE &&
                     history->operations[i].key != judgement->key;
        if (mark == LAYOUT_PLAIN && (minimal_only || other))
            continue;
        layout->bars[layout->count++] =
            (struct layout_bar){.operation = i, .mark = mark};
    }
    narrow(layout, bars_max);
    return KAN_OK;
}

/* --- columns -------------------------------------------------------------- */

static int compare_ranks(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

uint32_t layout_column(const struct layout *layout, uint32_t rank)
{
    uint32_t low = 0;
    for (uint32_t high = layout->column_count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (layout->ranks[middle] <= rank)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? low - 1 : 0;
}

static enum kan_err number_columns(struct layout *layout,
                                   const struct history *history)
{
    layout->ranks =
        mem_alloc(((size_t)layout->count * 2 + 1) * sizeof *layout->ranks);
    if (!layout->ranks)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < layout->count; i++) {
        const struct operation *one =
            &history->operations[layout->bars[i].operation];
        layout->ranks[layout->column_count++] = one->call;
        if (one->ret != HISTORY_NEVER)
            layout->ranks[layout->column_count++] = one->ret;
    }
    qsort(layout->ranks, layout->column_count, sizeof *layout->ranks,
          compare_ranks);
    for (uint32_t i = 0; i < layout->count; i++) {
        struct layout_bar *bar = &layout->bars[i];
        const struct operation *one = &history->operations[bar->operation];
        bar->from = layout_column(layout, one->call);
        bar->to = one->ret == HISTORY_NEVER ? layout->column_count
                                            : layout_column(layout, one->ret);
    }
    return KAN_OK;
}

/* --- rows ----------------------------------------------------------------- */

static enum kan_err give_rows(struct layout *layout,
                              const struct history *history)
{
    size_t room = (size_t)layout->count + 1;
    uint32_t *ends = mem_alloc(room * sizeof *ends);
    layout->processes = mem_alloc(room * sizeof *layout->processes);
    if (!ends || !layout->processes) {
        mem_free(ends);
        return KAN_NOMEM;
    }
    for (uint32_t i = 0; i < layout->count; i++) {
        struct layout_bar *bar = &layout->bars[i];
        uint32_t process = history->operations[bar->operation].process;
        uint32_t row = 0;
        while (row < layout->row_count &&
               (layout->processes[row] != process || ends[row] >= bar->from))
            row++;
        if (row == layout->row_count)
            layout->processes[layout->row_count++] = process;
        bar->row = row;
        ends[row] = bar->to;
    }
    mem_free(ends);
    return KAN_OK;
}

enum kan_err layout_init(struct layout *layout, const struct history *history,
                         const struct judgement *judgement, bool minimal_only,
                         uint32_t bars_max)
{
    *layout = (struct layout){0};
    enum kan_err err =
        choose(layout, history, judgement, minimal_only, bars_max);
    if (err == KAN_OK)
        err = number_columns(layout, history);
    if (err == KAN_OK)
        err = give_rows(layout, history);
    if (err != KAN_OK)
        layout_fini(layout);
    return err;
}
