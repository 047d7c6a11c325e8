/* A few ways to fill a record. See law_few.h. */

#include "contract/law/law_few.h"

#include "base/alloc.h"

enum
{
    NUMBERS = 3, /* of an int: both ends and one */
    OTHERS = 2   /* of any other type */
};

/* Whether the value in scratch is one of those taken. */
static bool is_taken(const struct program_type *type, uint32_t number,
                     const void *scratch)
{
    int64_t value;

    if (type->kind != TREE_INT)
        return number < OTHERS;
    memcpy(&value, scratch, sizeof value);
    return value == type->min || value == type->max || value == 1;
}

/* The number-th value taken of the type, in scratch; false: there is none. */
static bool take_value(const struct program *program, uint32_t type,
                       uint32_t number, void *scratch)
{
    for (uint32_t i = 0; i < PROGRAM_BOUNDARY_MAX; i++) {
        if (!program_boundary(program, type, i, scratch))
            return false;
        if (!is_taken(program_type(program, type), i, scratch))
            continue;
        if (number-- == 0)
            return true;
    }
    return false;
}

static void fill(const struct program *program, uint32_t type, uint64_t number,
                 unsigned char *record, void *scratch)
{
    uint32_t members = program_type(program, type)->member_count;

    for (uint32_t i = 0; i < members; i++) {
        struct program_member member = program_member(program, type, i);
        uint32_t count = 0;
        while (take_value(program, member.type, count, scratch))
            count++;
        if (count == 0)
            continue;
        (void)take_value(program, member.type, (uint32_t)(number % count),
                         scratch);
        memcpy(record + member.offset, scratch,
               program_type(program, member.type)->size);
        number /= count;
    }
}

static uint64_t count_all(const struct program *program, uint32_t type,
                          void *scratch)
{
    uint32_t members = program_type(program, type)->member_count;
    uint64_t total = 1;

    for (uint32_t i = 0; i < members; i++) {
        uint32_t count = 0;
        uint32_t of = program_member(program, type, i).type;
        while (take_value(program, of, count, scratch))
            count++;
        if (count > 0 && total < UINT64_C(1) << 60)
            total *= count;
    }
    return total;
}

enum kan_err law_few_init(struct law_few *few, const struct program *program,
                          uint32_t type, const void *preset, void *scratch)
{
    size_t size = program_type(program, type)->size;
    uint64_t total = count_all(program, type, scratch);
    uint32_t ways = total < LAW_FEW_MAX ? (uint32_t)total : LAW_FEW_MAX;

    *few = (struct law_few){.stride = (size + 15) / 16 * 16 + 16};
    few->records = mem_zalloc(few->stride * ways);
    if (!few->records)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < ways; i++) {
        /* From all over, when there are more. */
        uint64_t number =
            total == ways ? i : (i * UINT64_C(0x9e3779b97f4a7c15)) % total;
        unsigned char *record = law_few_at(few, few->count);
        memcpy(record, preset, size);
        fill(program, type, number, record, scratch);
        few->count += program_valid(program, type, record);
    }
    return KAN_OK;
}

void law_few_fini(struct law_few *few)
{
    mem_free(few->records);
    *few = (struct law_few){0};
}
