/* record.h - what can be done to a plain struct that has a table
 * (kan/record.h): check it, make it canonical, keep it, show it, compare it.
 *
 * A canonical struct has zeros in its padding, behind the end of its texts and
 * references, and in the elements of an array beyond its length: two of them
 * are equal when their bytes are. Structs are aligned as malloc() aligns. */

#ifndef BASE_RECORD_H
#define BASE_RECORD_H

#include <kan/record.h>

#include "base/bytes.h"

/* Whether the table itself is sound: names, sizes, ranges, depth, lengths that
 * are declared before their arrays, versions of upgrades. KAN_INVALID and one
 * line in why, as "counter.value: the range 5..3 is empty". */
KAN_MUST_USE enum kan_err record_check_table(const struct kan_record *record,
                                             struct buffer *why);

/* Copy from into to (both record->size bytes, not overlapping), canonical. */
void record_canonical(const struct kan_record *record, const void *from,
                      void *to);

/* Whether every field of a struct is in its range, texts are ended and UTF-8,
 * and lengths fit. KAN_INVALID and one line in why (which may be NULL), as
 * "counter.value = 12 is outside 0..10". */
KAN_MUST_USE enum kan_err record_check(const struct kan_record *record,
                                       const void *bytes, struct buffer *why);

/* Zero the fields that do not survive a crash. */
void record_drop_volatile(const struct kan_record *record, void *bytes);

/* Whether any field is a time, at any depth. */
bool record_has_times(const struct kan_record *record);

/* Move every time but 0 by delta_ms, as if the clock had been set; then, when
 * now_ms is not 0, bring those that are too far from now_ms to matter (see
 * KAN_TIME_WITHIN) to where they just do not. A time that would become 0 or
 * less becomes 1. */
void record_shift_times(const struct kan_record *record, void *bytes,
                        int64_t delta_ms, int64_t now_ms);

/* --- keeping -------------------------------------------------------------- */

/* Append the struct as it is kept: the version, then each field by name, so
 * that an older program's bytes are recognised. Volatile fields are left out.
 * KAN_NOMEM. */
KAN_MUST_USE enum kan_err record_save(const struct kan_record *record,
                                      const void *bytes, struct buffer *out);

/* The opposite, into canonical bytes of record->size. An older version goes
 * through the record's upgrades, one after the other. KAN_INVALID (why, which
 * may be NULL, says it) when the version is unknown, a field's shape changed
 * under the same version, a value is outside its range, or an upgrade refused;
 * KAN_CORRUPT when it is not what record_save() wrote; KAN_NOMEM. */
KAN_MUST_USE enum kan_err record_load(const struct kan_record *record,
                                      struct kan_slice saved, void *ret_bytes,
                                      struct buffer *why);

/* --- JSON and text -------------------------------------------------------- */

/* Append the struct as a JSON object; numbers beyond 2^53 as strings, times as
 * numbers, references and texts as strings. */
KAN_MUST_USE enum kan_err record_to_json(const struct kan_record *record,
                                         const void *bytes, struct buffer *out);

/* Read an object: fields by name; missing ones are zero (which must be in their
 * range). KAN_INVALID and the path of the field in why, as "amount: 500 is
 * outside 1..100" or "amonut: there is no such field; did you mean 'amount'?".
 */
KAN_MUST_USE enum kan_err record_from_json(const struct kan_record *record,
                                           struct kan_slice json,
                                           void *ret_bytes, struct buffer *why);

/* Append what differs, a line each without its end, separated by '\n', as
 * "value: 3 -> 4", arrays by element, "votes[2]: 0 -> 1". Nothing when equal.
 */
KAN_MUST_USE enum kan_err record_diff(const struct kan_record *record,
                                      const void *before, const void *after,
                                      struct buffer *out);

/* --- boundary values ------------------------------------------------------ */

/* How many structs with every field at an end of its range (and at 0 or 1 when
 * that is inside and neither) there are; at most max are counted. */
uint32_t record_boundary_count(const struct kan_record *record, uint32_t max);

/* The number-th of them, canonical; the first has the smallest magnitudes. */
void record_boundary(const struct kan_record *record, uint32_t number,
                     void *ret_bytes);

#endif /* BASE_RECORD_H */
