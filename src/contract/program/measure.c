/* measure.c - views per entity: the tally that its events add up to, how that
 * is kept, and what is shown of it and of the state. */

#include "contract/program/measure.h"

#include "contract/program/measure_inside.h"
#include "contract/program/program_inside.h"
#include "contract/program/value.h"

enum
{
    FLAG_AT = sizeof(int64_t), /* LEAST, MOST: whether there is one */
    LAST_AT = 16               /* LAST: the value, behind the same */
};

/* --- views ---------------------------------------------------------------- */

uint32_t program_view_count(const struct program *program)
{
    return program->views.count;
}

struct program_view program_view(const struct program *program, uint32_t view)
{
    const struct program_inside_view *inside =
        PROGRAM_ITEM(program, views, struct program_inside_view, view);

    return (struct program_view){
        .name = program_slice(program, inside->name),
        .over_all = inside->over_all != 0,
        .entry_count = inside->entry_count,
    };
}

int32_t program_view_find(const struct program *program, struct kan_slice name)
{
    for (uint32_t i = 0; i < program->views.count; i++) {
        if (slice_equal(program_view(program, i).name, name))
            return (int32_t)i;
    }
    return -1;
}

/* --- counting ------------------------------------------------------------- */

uint32_t program_tally_size(const struct program *program)
{
    return program->tally_size;
}

static const struct program_inside_node *slot_node(
    const struct program *program, uint32_t slot)
{
    return measure_node(program, *PROGRAM_ITEM(program, slots, uint32_t, slot));
}

static __int128 tally_amount(const void *at)
{
    __int128 amount;
    memcpy(&amount, at, sizeof amount);
    return amount;
}

static void tally_increase(void *at, int64_t by)
{
    __int128 amount = tally_amount(at) + by;
    memcpy(at, &amount, sizeof amount);
}

/* Keep number when there is none yet, or when it is beyond what there is. */
static void tally_extend(char *at, int64_t number, bool most)
{
    bool beyond = most ? number > value_int(at) : number < value_int(at);

    if (at[FLAG_AT] == 0 || beyond)
        value_int_set(at, number);
    at[FLAG_AT] = 1;
}

static void node_add(const struct program *program,
                     const struct program_inside_node *node,
                     const void *arguments, char *at)
{
    const char *given = (const char *)arguments + node->offset;

    switch (node->kind) {
    case TREE_COUNT:
        tally_increase(at, 1);
        break;
    case TREE_SUM:
        tally_increase(at, value_int(given));
        break;
    case TREE_LEAST:
    case TREE_MOST:
        tally_extend(at, value_int(given), node->kind == TREE_MOST);
        break;
    case TREE_LAST:
        at[0] = 1;
        memcpy(at + LAST_AT, given, program_type(program, node->type)->size);
        break;
    default:
        break;
    }
}

void program_tally_add(const struct program *program, uint32_t step,
                       const void *arguments, void *tally)
{
    for (uint32_t i = 0; i < program->slots.count; i++) {
        const struct program_inside_node *node = slot_node(program, i);
        if (node->step == step)
            node_add(program, node, arguments, (char *)tally + node->tally);
    }
}

/* --- keeping -------------------------------------------------------------- */

static void wide_save(__int128 number, struct buffer *out)
{
    unsigned __int128 left =
        (unsigned __int128)number << 1 ^ (unsigned __int128)(number >> 127);

    while (left >= 0x80) {
        buffer_append_byte(out, (unsigned char)(left | 0x80));
        left >>= 7;
    }
    buffer_append_byte(out, (unsigned char)left);
}

static bool wide_load(struct kan_slice *bytes, __int128 *ret_number)
{
    unsigned __int128 number = 0;

    for (size_t i = 0; i < bytes->size && i < 19; i++) {
        unsigned char byte = slice_at(*bytes, i);
        /* The nineteenth byte has room for two bits, and none may follow. */
        if ((i == 18 && byte > 3) || (byte == 0 && i > 0))
            return false;
        number |= (unsigned __int128)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        *bytes = slice_skip(*bytes, i + 1);
        *ret_number = (__int128)(number >> 1 ^ (0 - (number & 1)));
        return true;
    }
    return false;
}

static void node_save(const struct program *program,
                      const struct program_inside_node *node, const char *at,
                      struct buffer *out)
{
    switch (node->kind) {
    case TREE_COUNT:
    case TREE_SUM:
        wide_save(tally_amount(at), out);
        break;
    case TREE_LEAST:
    case TREE_MOST:
        buffer_append_byte(out, (unsigned char)at[FLAG_AT]);
        if (at[FLAG_AT])
            program_save(program, node->type, at, out);
        break;
    case TREE_LAST:
        buffer_append_byte(out, (unsigned char)at[0]);
        if (at[0])
            program_save(program, node->type, at + LAST_AT, out);
        break;
    default:
        break;
    }
}

void program_tally_save(const struct program *program, const void *tally,
                        struct buffer *out)
{
    for (uint32_t i = 0; i < program->slots.count; i++) {
        const struct program_inside_node *node = slot_node(program, i);
        node_save(program, node, (const char *)tally + node->tally, out);
    }
}

/* A presence and a value; at is NULL while the bytes are only judged. */
static bool value_load(const struct program *program,
                       const struct program_inside_node *node,
                       struct kan_slice *bytes, char *at)
{
    bool last = node->kind == TREE_LAST;

    if (bytes->size == 0 || slice_at(*bytes, 0) > 1)
        return false;
    char there = (char)slice_at(*bytes, 0);
    *bytes = slice_skip(*bytes, 1);
    if (at)
        at[last ? 0 : FLAG_AT] = there;
    if (!there)
        return true;
    if (!at)
        return value_skip(program, node->type, bytes);
    return program_load(program, node->type, bytes, last ? at + LAST_AT : at) ==
           KAN_OK;
}

static bool node_load(const struct program *program,
                      const struct program_inside_node *node,
                      struct kan_slice *bytes, char *at)
{
    __int128 amount;

    if (node->kind != TREE_COUNT && node->kind != TREE_SUM)
        return value_load(program, node, bytes, at);
    if (!wide_load(bytes, &amount) || (node->kind == TREE_COUNT && amount < 0))
        return false;
    if (at)
        memcpy(at, &amount, sizeof amount);
    return true;
}

/* As program_load(): judged first, so that tally is untouched when refused. */
static bool tally_take(const struct program *program, struct kan_slice *bytes,
                       char *tally)
{
    for (uint32_t i = 0; i < program->slots.count; i++) {
        const struct program_inside_node *node = slot_node(program, i);
        if (!node_load(program, node, bytes,
                       tally ? tally + node->tally : NULL))
            return false;
    }
    return true;
}

enum kan_err program_tally_load(const struct program *program,
                                struct kan_slice *bytes, void *tally)
{
    struct kan_slice rest = *bytes;

    if (!tally_take(program, &rest, NULL))
        return KAN_CORRUPT;
    rest = *bytes;
    if (program->tally_size > 0)
        memset(tally, 0, program->tally_size);
    (void)tally_take(program, &rest, tally);
    *bytes = rest;
    return KAN_OK;
}

/* --- showing -------------------------------------------------------------- */

static struct measure_amount tally_leaf(const struct program *program,
                                        const struct program_inside_node *node,
                                        const void *data)
{
    const char *at = (const char *)data + node->tally;
    struct measure_amount amount = {.any = true};

    (void)program;
    if (node->kind == TREE_COUNT || node->kind == TREE_SUM) {
        amount.number = tally_amount(at);
    } else if (node->kind == TREE_LAST) {
        amount.any = at[0] != 0;
        amount.number = value_int(at + LAST_AT);
    } else {
        amount.any = at[FLAG_AT] != 0;
        amount.number = value_int(at);
    }
    return amount;
}

static void last_json(const struct program *program,
                      const struct program_inside_node *node, const char *at,
                      struct buffer *out)
{
    if (at[0] != 0)
        program_json(program, node->type, at + LAST_AT, out);
    else
        buffer_append_text(out, "null");
}

void program_view_json(const struct program *program, uint32_t view,
                       const void *state, const void *tally, struct buffer *out)
{
    const struct program_inside_view *inside =
        PROGRAM_ITEM(program, views, struct program_inside_view, view);

    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < inside->entry_count; i++) {
        const struct program_inside_node *node =
            measure_entry(program, inside, i, out);
        if (node->kind == TREE_PLAIN)
            measure_plain_json(program, node, state, out);
        else if (node->kind == TREE_LAST)
            last_json(program, node, (const char *)tally + node->tally, out);
        else
            measure_amount_json(
                measure_compute(program, node, tally_leaf, tally), out);
    }
    buffer_append_byte(out, '}');
}
