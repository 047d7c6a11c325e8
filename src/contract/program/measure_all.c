/* measure_all.c - views over all: what an event or a state gives to a column,
 * and what the totals of columns come to. With it stands what both kinds of
 * views compute with. */

#include "base/alloc.h"
#include "base/number.h"
#include "contract/program/measure.h"
#include "contract/program/measure_inside.h"
#include "contract/program/value.h"

enum
{
    PLAIN_SMALL = 1024, /* bytes of a value that need no memory of the heap */
    COLUMNS_HASH_SIZE = 8
};

/* --- computing ------------------------------------------------------------ */

bool measure_int(const struct program *program,
                 const struct program_inside_node *node, const void *state,
                 int64_t *ret_number)
{
    _Alignas(16) unsigned char value[16] = {0};
    const struct program_type *type = program_type(program, node->type);

    if ((type->kind != TREE_INT && type->kind != TREE_BOOL) ||
        !program_inside_value(program, node->code, state, NULL, value))
        return false;
    *ret_number = type->kind == TREE_BOOL ? value[0] : value_int(value);
    return true;
}

void measure_plain_json(const struct program *program,
                        const struct program_inside_node *node,
                        const void *state, struct buffer *out)
{
    _Alignas(16) unsigned char small[PLAIN_SMALL];
    size_t size = program_type(program, node->type)->size;
    void *value = size <= sizeof small ? small : mem_alloc(size);

    if (!value) {
        out->failed = true;
        return;
    }
    memset(value, 0, size);
    if (program_inside_value(program, node->code, state, NULL, value))
        program_json(program, node->type, value, out);
    else
        buffer_append_text(out, "null");
    if (value != small)
        mem_free(value);
}

struct measure_amount measure_compute(const struct program *program,
                                      const struct program_inside_node *node,
                                      measure_leaf_cb *leaf, const void *data)
{
    struct measure_amount amount = {0};
    bool plus = node->kind == TREE_PLUS;

    if (node->kind == TREE_AMOUNT) {
        amount.any = true;
        amount.number = node->amount;
        return amount;
    }
    if (!plus && node->kind != TREE_LESS_BY)
        return leaf(program, node, data);
    struct measure_amount left =
        measure_compute(program, measure_node(program, node->left), leaf, data);
    struct measure_amount right = measure_compute(
        program, measure_node(program, node->right), leaf, data);
    bool beyond =
        plus
            ? __builtin_add_overflow(left.number, right.number, &amount.number)
            : __builtin_sub_overflow(left.number, right.number, &amount.number);
    amount.any = left.any && right.any && !beyond;
    return amount;
}

void measure_amount_json(struct measure_amount amount, struct buffer *out)
{
    char text[48]; /* 39 digits, a sign and two quotes */
    size_t from = sizeof text;
    bool negative = amount.number < 0;
    unsigned __int128 left = negative ? 0 - (unsigned __int128)amount.number
                                      : (unsigned __int128)amount.number;
    bool quoted = left > (unsigned __int128)VALUE_EXACT_MAX;

    if (!amount.any) {
        buffer_append_text(out, "null");
        return;
    }
    if (quoted)
        text[--from] = '"';
    do {
        text[--from] = (char)('0' + (int)(left % 10));
        left /= 10;
    } while (left > 0);
    if (negative)
        text[--from] = '-';
    if (quoted)
        text[--from] = '"';
    buffer_append(out, kan_slice(text + from, sizeof text - from));
}

const struct program_inside_node *measure_entry(
    const struct program *program, const struct program_inside_view *view,
    uint32_t entry, struct buffer *out)
{
    const struct program_inside_entry *inside =
        PROGRAM_ITEM(program, entries, struct program_inside_entry,
                     view->entry_first + entry);

    buffer_append_text(out, entry > 0 ? ",\"" : "\"");
    buffer_append(out, program_slice(program, inside->name));
    buffer_append_text(out, "\":");
    return measure_node(program, inside->node);
}

/* --- columns -------------------------------------------------------------- */

static const struct program_inside_column *inside_column(
    const struct program *program, uint32_t column)
{
    return PROGRAM_ITEM(program, columns, struct program_inside_column, column);
}

uint32_t program_column_count(const struct program *program)
{
    return program->columns.count;
}

struct program_column program_column(const struct program *program,
                                     uint32_t column)
{
    const struct program_inside_column *inside = inside_column(program, column);

    return (struct program_column){
        .kind = (enum program_column_kind)inside->kind,
        .of_events = inside->of_events != 0,
        .view = inside->view,
    };
}

bool program_column_event(const struct program *program, uint32_t column,
                          uint32_t step, const void *arguments,
                          int64_t *ret_value)
{
    const struct program_inside_column *inside = inside_column(program, column);
    const struct program_inside_node *node =
        measure_node(program, inside->node);

    if (!inside->of_events || node->step != step)
        return false;
    if (node->kind == TREE_COUNT)
        *ret_value = 1;
    else if (node->kind != TREE_LAST)
        *ret_value = value_int((const char *)arguments + node->offset);
    return true;
}

bool program_column_state(const struct program *program, uint32_t column,
                          const void *state, int64_t *ret_value)
{
    const struct program_inside_column *inside = inside_column(program, column);
    const struct program_inside_node *node =
        measure_node(program, inside->node);
    int64_t number;

    if (inside->of_events || !measure_int(program, node, state, &number))
        return false;
    /* A condition that does not hold gives nothing, as one that cannot be
     * judged. */
    if (node->kind == TREE_COUNT && number == 0)
        return false;
    *ret_value = number;
    return true;
}

void program_column_last(const struct program *program, uint32_t column,
                         uint32_t step, const void *arguments,
                         struct buffer *out)
{
    const struct program_inside_node *node =
        measure_node(program, inside_column(program, column)->node);

    (void)step;
    program_json(program, node->type, (const char *)arguments + node->offset,
                 out);
}

/* --- what a state gives, as kept ------------------------------------------ */

/* The first bytes of the views' hash, then for each column of entities a byte
 * that says whether there is something, and the number. */
void program_columns_save(const struct program *program, const void *state,
                          struct buffer *out)
{
    struct program_hash hash = program_view_hash(program);
    bool begun = false;

    for (uint32_t i = 0; i < program_column_count(program); i++) {
        int64_t value = 0;
        bool any;

        if (inside_column(program, i)->of_events)
            continue;
        if (!begun)
            buffer_append(out, kan_slice(hash.bytes, COLUMNS_HASH_SIZE));
        begun = true;
        any = program_column_state(program, i, state, &value);
        buffer_append_byte(out, any);
        if (any)
            value_varint_save(value_zigzag(value), out);
    }
}

enum kan_err program_columns_load(const struct program *program,
                                  struct kan_slice saved, bool *any,
                                  int64_t *values)
{
    struct program_hash hash = program_view_hash(program);
    struct kan_slice head = slice_head(saved, COLUMNS_HASH_SIZE);

    if (!slice_equal(head, kan_slice(hash.bytes, COLUMNS_HASH_SIZE)))
        return KAN_NOTFOUND;
    saved = slice_skip(saved, COLUMNS_HASH_SIZE);
    for (uint32_t i = 0; i < program_column_count(program); i++) {
        uint64_t number = 0;

        if (inside_column(program, i)->of_events)
            continue;
        if (saved.size == 0 || slice_at(saved, 0) > 1)
            return KAN_CORRUPT;
        any[i] = slice_at(saved, 0) == 1;
        saved = slice_skip(saved, 1);
        if (any[i] && !value_varint_load(&saved, &number))
            return KAN_CORRUPT;
        values[i] = value_unzigzag(number);
    }
    return saved.size == 0 ? KAN_OK : KAN_CORRUPT;
}

/* --- showing -------------------------------------------------------------- */

/* The newest of numbers that is added to something: what its JSON says. */
static bool json_number(struct kan_slice json, int64_t *ret_number)
{
    if (json.size > 2 && slice_at(json, 0) == '"')
        json = slice_head(slice_skip(json, 1), json.size - 2);
    return number_i64(json, ret_number) == KAN_OK;
}

static struct measure_amount total_leaf(const struct program *program,
                                        const struct program_inside_node *node,
                                        const void *data)
{
    const struct program_total *total =
        (const struct program_total *)data + node->column;
    struct measure_amount amount = {0};
    int64_t number;

    (void)program;
    if (node->kind == TREE_LAST) {
        amount.any = total->any && json_number(total->json, &number);
        amount.number = amount.any ? number : 0;
        return amount;
    }
    amount.any =
        node->kind == TREE_COUNT || node->kind == TREE_SUM || total->any;
    amount.number = total->amount;
    return amount;
}

void program_view_all_json(const struct program *program, uint32_t view,
                           const struct program_total *totals,
                           struct buffer *out)
{
    const struct program_inside_view *inside =
        PROGRAM_ITEM(program, views, struct program_inside_view, view);

    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < inside->entry_count; i++) {
        const struct program_inside_node *node =
            measure_entry(program, inside, i, out);
        if (node->kind != TREE_LAST) {
            measure_amount_json(
                measure_compute(program, node, total_leaf, totals), out);
        } else if (totals[node->column].any) {
            buffer_append(out, totals[node->column].json);
        } else {
            buffer_append_text(out, "null");
        }
    }
    buffer_append_byte(out, '}');
}
