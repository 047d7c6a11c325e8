/* values.h - every value of a history, and every state of a model, as a number.
 *
 * What is equal has one id, so comparing is comparing integers and a state of
 * the search is 32 bits. Equal means: the same kind and the same bytes. Ids are
 * given in the order in which values are first seen and are never taken back;
 * id 0 is nil. */

#ifndef PATH_HISTORY_VALUES_H
#define PATH_HISTORY_VALUES_H

#include <kan/base.h>

#include "base/bytes.h"

enum value_kind
{
    VALUE_NIL,
    VALUE_WORD, /* a number, boolean, keyword or symbol: as it was written */
    VALUE_TEXT, /* a string, decoded */
    VALUE_LIST, /* ids of the elements, 4 bytes each, in the machine's order */
    VALUE_SET   /* the same, ascending and without repetition */
};

enum
{
    VALUE_IS_NIL = 0,
    VALUE_NONE = UINT32_MAX /* no value at all; never an id */
};

struct value;

struct value_table
{
    struct value *items;
    uint32_t count;
    uint32_t capacity;
    uint32_t *index; /* open addressing: 0, or id + 1 */
    uint32_t index_size;
    struct buffer bytes;
    uint64_t bytes_max; /* value_add() beyond it is KAN_BUSY; 0: no limit */
};

/* A table that holds nil. KAN_NOMEM leaves it zeroed. */
KAN_MUST_USE enum kan_err value_table_init(struct value_table *table);
/* A zeroed table is fine. */
void value_table_fini(struct value_table *table);

/* The id of the value, which is added when it is new. bytes may point into the
 * table. KAN_NOMEM, KAN_BUSY. */
KAN_MUST_USE enum kan_err value_add(struct value_table *table,
                                    enum value_kind kind,
                                    struct kan_slice bytes, uint32_t *ret_id);

/* As value_add() for a whole number, written in decimal. */
KAN_MUST_USE enum kan_err value_add_number(struct value_table *table,
                                           int64_t number, uint32_t *ret_id);

/* As value_add() for a list or a set of count ids. A set is sorted in place. */
KAN_MUST_USE enum kan_err value_add_ids(struct value_table *table,
                                        enum value_kind kind, uint32_t *ids,
                                        uint32_t count, uint32_t *ret_id);

enum value_kind value_kind(const struct value_table *table, uint32_t id);

/* The bytes: borrowed until the next value is added. */
struct kan_slice value_bytes(const struct value_table *table, uint32_t id);

/* KAN_INVALID when it is no whole number of 64 bits. */
KAN_MUST_USE enum kan_err value_number(const struct value_table *table,
                                       uint32_t id, int64_t *ret_number);

/* Elements of a list or a set; 0 for every other kind. */
uint32_t value_count(const struct value_table *table, uint32_t id);
uint32_t value_element(const struct value_table *table, uint32_t id,
                       uint32_t index);

/* The value as a reader wrote it: strings in quotes, lists in brackets. Stops
 * with "..." when out has grown by more than 200 bytes. */
void value_print(const struct value_table *table, uint32_t id,
                 struct buffer *out);

/* Memory in use, in bytes. */
uint64_t value_table_size(const struct value_table *table);

#endif /* PATH_HISTORY_VALUES_H */
