/* measure.h - what views are computed from.
 *
 * A view per entity is a function of (state, tally): the tally counts the
 * entity's events and goes along with its state. A view over all is a function
 * of columns: one total for each aggregate over all entities or events, kept
 * by whoever follows the change feed (block/view). */

#ifndef CONTRACT_PROGRAM_MEASURE_H
#define CONTRACT_PROGRAM_MEASURE_H

#include "contract/program/program.h"

struct program_view
{
    struct kan_slice name;
    bool over_all;
    uint32_t entry_count;
};

uint32_t program_view_count(const struct program *program);
struct program_view program_view(const struct program *program, uint32_t view);

/* The view of that name, or -1. */
int32_t program_view_find(const struct program *program, struct kan_slice name);

/* --- per entity ----------------------------------------------------------- */

/* Bytes of a tally; zeroed it is that of an entity without events. A tally is
 * plain bytes, aligned to 16. */
uint32_t program_tally_size(const struct program *program);

/* Count one accepted event. */
void program_tally_add(const struct program *program, uint32_t step,
                       const void *arguments, void *tally);

void program_tally_save(const struct program *program, const void *tally,
                        struct buffer *out);
KAN_MUST_USE enum kan_err program_tally_load(const struct program *program,
                                             struct kan_slice *bytes,
                                             void *tally);

/* {"balance":3,"deposits":1,"paid_in":3}; numbers beyond 2^53 as strings. */
void program_view_json(const struct program *program, uint32_t view,
                       const void *state, const void *tally,
                       struct buffer *out);

/* --- over all ------------------------------------------------------------- */

enum program_column_kind
{
    PROGRAM_COUNT,
    PROGRAM_SUM,
    PROGRAM_LEAST,
    PROGRAM_MOST,
    PROGRAM_LAST
};

/* A column of all views over all, numbered through the program. */
struct program_column
{
    enum program_column_kind kind;
    bool of_events; /* else of entities, by their state */
    uint32_t view;
};

uint32_t program_column_count(const struct program *program);
struct program_column program_column(const struct program *program,
                                     uint32_t column);

/* What one event, or one entity in this state, gives to the column: false when
 * nothing. COUNT gives 1. For LAST *ret_value is not set: ask
 * program_column_last(). An expression that cannot be computed gives nothing.
 */
bool program_column_event(const struct program *program, uint32_t column,
                          uint32_t step, const void *arguments,
                          int64_t *ret_value);
bool program_column_state(const struct program *program, uint32_t column,
                          const void *state, int64_t *ret_value);

/* LAST, of an event that gives something: the value as JSON. */
void program_column_last(const struct program *program, uint32_t column,
                         uint32_t step, const void *arguments,
                         struct buffer *out);

/* Append what a state gives to all columns of entities, as it is kept beside
 * the event that led to it; nothing when there is no such column. */
void program_columns_save(const struct program *program, const void *state,
                          struct buffer *out);

/* The same, back: any and values have a place for each column, of which those
 * of events are left alone. KAN_NOTFOUND when it was kept for views that mean
 * something else; KAN_CORRUPT. */
KAN_MUST_USE enum kan_err program_columns_load(const struct program *program,
                                               struct kan_slice saved,
                                               bool *any, int64_t *values);

/* The total of a column. */
struct program_total
{
    bool any;              /* LEAST, MOST, LAST: there is one */
    __int128 amount;       /* COUNT, SUM, LEAST, MOST */
    struct kan_slice json; /* LAST */
};

/* totals has one for each column of the program. A sum beyond 128 bits cannot
 * be reached: 2^63 times at most 2^63 events. */
void program_view_all_json(const struct program *program, uint32_t view,
                           const struct program_total *totals,
                           struct buffer *out);

#endif /* CONTRACT_PROGRAM_MEASURE_H */
