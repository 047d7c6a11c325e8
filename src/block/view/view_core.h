/* view_core.h - the rules of totals: what an entity gives to a column, how an
 * event changes that, how a total follows, and how both are kept.
 *
 * A column's total is made of one part for each entity: what its events, since
 * it last began, or its state give. So a total is a function of the entities
 * that are there: one that is deleted or erased takes its part with it. COUNT
 * and SUM are added up; LEAST, MOST and LAST have an index in which the part
 * that counts comes first. Everything here is a function of its arguments. */

#ifndef BLOCK_VIEW_VIEW_CORE_H
#define BLOCK_VIEW_VIEW_CORE_H

#include "base/bytes.h"
#include "contract/program/measure.h"

/* Zeroed: nothing. */
struct view_part
{
    bool any;
    __int128 amount; /* COUNT: how many; SUM; LEAST, MOST: the number; LAST: the
                      * revision of the event */
};

/* Whether the column has an index. */
bool view_ordered(enum program_column_kind kind);

/* One more event, or a state, gives value. */
struct view_part view_part_add(enum program_column_kind kind,
                               struct view_part part, int64_t value);
/* What came before, and what came after it, together. */
struct view_part view_part_join(enum program_column_kind kind,
                                struct view_part before,
                                struct view_part after);
bool view_part_equal(struct view_part a, struct view_part b);

/* The total (COUNT, SUM) once an entity's part is another. */
struct view_part view_total_move(struct view_part total, struct view_part from,
                                 struct view_part to);

/* --- an entity's parts, as kept ------------------------------------------- */

void view_parts_save(uint64_t n, const struct view_part *parts, uint32_t count,
                     struct buffer *out);
/* KAN_CORRUPT; parts (count) are zeroed first. */
KAN_MUST_USE enum kan_err view_parts_load(struct kan_slice saved,
                                          struct view_part *parts,
                                          uint32_t count, uint64_t *ret_n);

/* --- the index ------------------------------------------------------------ */

/* 8 bytes that sort so that the part that counts comes first. */
void view_order(enum program_column_kind kind, __int128 amount,
                unsigned char out[8]);
__int128 view_order_read(enum program_column_kind kind,
                         const unsigned char in[8]);

/* --- where a follower stands ---------------------------------------------- */

struct view_place
{
    uint64_t generation; /* which data is meant */
    uint64_t store;      /* of the feed: up to here all is counted */
    uint64_t incarnation;
    uint64_t revision;
    uint64_t need;           /* what the scan may have seen: readable from
                              * there on */
    bool scanning;           /* events that were there before are still read */
    struct kan_slice after;  /* scanning: up to this event all are counted */
    struct kan_slice totals; /* as view_parts_save() */
};

void view_place_save(const struct view_place *place, struct buffer *out);
/* Slices are of saved. KAN_CORRUPT. */
KAN_MUST_USE enum kan_err view_place_load(struct kan_slice saved,
                                          struct view_place *ret_place);

#endif /* BLOCK_VIEW_VIEW_CORE_H */
