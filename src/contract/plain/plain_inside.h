/* plain_inside.h - values, and a step under way: for plain*.c alone. */

#ifndef CONTRACT_PLAIN_PLAIN_INSIDE_H
#define CONTRACT_PLAIN_PLAIN_INSIDE_H

#include "contract/plain/plain.h"

/* One step, or one way of an upgrade. */
struct plain_run
{
    struct arena *arena;
    const struct plain_value *state; /* as it is by now */
    const struct plain_value *const *arguments;
    const struct plain_value *old; /* of an upgrade */
    const struct program_input *input;
    enum program_refusal_kind refused;
    struct kan_slice text;
    const struct tree_expr *target; /* of the statement, when it assigns */
    bool failed;                    /* memory */
};

/* none; and what is returned where nothing is looked at. */
extern const struct plain_value plain_nothing;

static inline bool plain_ended(const struct plain_run *run)
{
    return run->failed || run->refused != PROGRAM_OK;
}

/* The first refusal counts. */
static inline void plain_refuse(struct plain_run *run,
                                enum program_refusal_kind kind)
{
    if (!plain_ended(run))
        run->refused = kind;
}

const struct plain_value *plain_number(struct plain_run *run, int64_t number);
/* The text is borrowed. */
const struct plain_value *plain_text(struct plain_run *run,
                                     struct kan_slice text);

/* A value with room for count elements, and keys when there are some; NULL when
 * memory ran out. */
struct plain_value *plain_whole(struct arena *arena, uint32_t count, bool keys);

/* The order of keys, and equality of whatever holds no sets or maps in it. */
int plain_compare(const struct tree_type *type, const struct plain_value *a,
                  const struct plain_value *b);

/* Of any two values of one type. */
bool plain_equal(const struct tree_type *type, const struct plain_value *a,
                 const struct plain_value *b);

/* Where key stands among the keys, or would; *ret_there says which. */
uint32_t plain_find(const struct tree_type *type,
                    const struct plain_value *whole,
                    const struct plain_value *key, bool *ret_there);

/* The set or map with the element put in, or with one taken out. */
const struct plain_value *plain_with(struct plain_run *run,
                                     const struct tree_type *type,
                                     const struct plain_value *whole,
                                     const struct plain_value *key,
                                     const struct plain_value *element);
const struct plain_value *plain_without(struct plain_run *run,
                                        const struct tree_type *type,
                                        const struct plain_value *whole,
                                        const struct plain_value *key);

/* The record with one field changed. */
const struct plain_value *plain_record_with(struct plain_run *run,
                                            const struct plain_value *record,
                                            uint32_t place,
                                            const struct plain_value *value);

/* Refuse what the type cannot hold. */
void plain_fits(struct plain_run *run, const struct tree_type *type,
                const struct plain_value *value);

#endif /* CONTRACT_PLAIN_PLAIN_INSIDE_H */
