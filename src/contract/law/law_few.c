/* A few ways to fill a record. See law_few.h. */

#include "contract/law/law_few.h"

#include "base/alloc.h"

enum
{
    VALUES_MAX = 12, /* of one number or text */
    OTHERS = 2       /* of a record, a set or a map */
};

/* --- what the contract compares with -------------------------------------- */

/* The i-th program of the contract: of types, then of sagas. NULL: no more. */
static const struct program *nth_program(const struct contract *contract,
                                         uint32_t i)
{
    uint32_t types = contract_type_count(contract);

    if (i < types)
        return contract_program(contract, i, 0);
    i -= types;
    return i < contract_saga_count(contract) ? contract_saga(contract, i).values
                                             : NULL;
}

static void add_number(const struct program_type *type, int64_t number,
                       int64_t found[VALUES_MAX], uint32_t *count)
{
    bool fresh = number >= type->min && number <= type->max;

    for (uint32_t i = 0; fresh && i < *count; i++)
        fresh = found[i] != number;
    if (fresh && *count < VALUES_MAX)
        found[(*count)++] = number;
}

static uint32_t find_numbers(const struct law_few_of *of,
                             const struct program_type *type,
                             int64_t found[VALUES_MAX])
{
    const struct program *program;
    uint32_t count = 0;
    int64_t number;

    add_number(type, type->min, found, &count);
    add_number(type, 1, found, &count);
    add_number(type, type->max, found, &count);
    for (uint32_t p = 0; (program = nth_program(of->contract, p)); p++) {
        for (uint32_t i = 0; program_number(program, i, &number); i++)
            add_number(type, number, found, &count);
    }
    return count;
}

static void add_text(const struct program_type *type, struct kan_slice text,
                     struct kan_slice found[VALUES_MAX], uint32_t *count)
{
    bool fresh = text.size <= type->bound;

    for (uint32_t i = 0; fresh && i < *count; i++)
        fresh = !slice_equal(found[i], text);
    if (fresh && *count < VALUES_MAX)
        found[(*count)++] = text;
}

static uint32_t find_texts(const struct law_few_of *of,
                           const struct program_type *type,
                           struct kan_slice found[VALUES_MAX])
{
    const struct program *program;
    struct kan_slice text;
    uint32_t count = 0;

    add_text(type, SLICE(""), found, &count);
    add_text(type, SLICE("a"), found, &count);
    for (uint32_t p = 0; (program = nth_program(of->contract, p)); p++) {
        for (uint32_t i = 0; program_string(program, i, &text); i++)
            add_text(type, text, found, &count);
    }
    return count;
}

/* --- the values of one member --------------------------------------------- */

static bool take_int(const struct law_few_of *of,
                     const struct program_type *type, uint32_t number,
                     void *value)
{
    int64_t found[VALUES_MAX];

    if (number >= find_numbers(of, type, found))
        return false;
    memcpy(value, &found[number], sizeof found[number]);
    return true;
}

static bool take_text(const struct law_few_of *of,
                      const struct program_type *type, uint32_t number,
                      void *value)
{
    struct kan_slice found[VALUES_MAX];
    uint16_t size;

    if (number >= find_texts(of, type, found))
        return false;
    size = (uint16_t)found[number].size;
    memcpy(value, &size, sizeof size);
    if (size > 0)
        memcpy((char *)value + sizeof size, found[number].bytes, size);
    return true;
}

static bool take_into(const struct law_few_of *of, uint32_t type,
                      uint32_t number, void *value);

static bool take_optional(const struct law_few_of *of, uint32_t type,
                          uint32_t number, void *value)
{
    if (number == 0)
        return true;
    ((char *)value)[program_type(of->program, type)->size] = 1;
    return take_into(of, type, number - 1, value);
}

/* value is zeroed. */
static bool take_into(const struct law_few_of *of, uint32_t type,
                      uint32_t number, void *value)
{
    const struct program_type *t = program_type(of->program, type);

    switch (t->kind) {
    case TREE_INT:
        return take_int(of, t, number, value);
    case TREE_TEXT:
        return take_text(of, t, number, value);
    case TREE_OPTIONAL:
        return take_optional(of, t->of, number, value);
    case TREE_BOOL:
    case TREE_ENUM:
        return program_boundary(of->program, type, number, value);
    default:
        return number < OTHERS &&
               program_boundary(of->program, type, number, value);
    }
}

/* The number-th value taken of the type, in scratch; false: there is none. */
static bool take_value(const struct law_few_of *of, uint32_t type,
                       uint32_t number)
{
    memset(of->scratch, 0, program_type(of->program, type)->size);
    return take_into(of, type, number, of->scratch);
}

/* How many are taken of the i-th member; 0: it is fixed. */
static uint32_t count_member(const struct law_few_of *of, uint32_t i)
{
    uint32_t type = program_member(of->program, of->type, i).type;
    uint32_t count = 0;

    while (!(of->fixed >> i & 1) && take_value(of, type, count))
        count++;
    return count;
}

/* Whether that many are all that the type has. */
static bool is_whole(const struct law_few_of *of, uint32_t type, uint32_t count)
{
    const struct program_type *t = program_type(of->program, type);

    if (t->kind == TREE_INT)
        return (uint64_t)t->max - (uint64_t)t->min < count;
    if (t->kind == TREE_OPTIONAL)
        return count > 0 && is_whole(of, t->of, count - 1);
    return program_boundary_whole(of->program, type) &&
           !program_boundary(of->program, type, count, of->scratch);
}

/* --- records -------------------------------------------------------------- */

static void fill(const struct law_few_of *of, uint64_t number,
                 unsigned char *record)
{
    uint32_t members = program_type(of->program, of->type)->member_count;

    for (uint32_t i = 0; i < members; i++) {
        struct program_member member = program_member(of->program, of->type, i);
        uint32_t count = count_member(of, i);
        if (count == 0)
            continue;
        (void)take_value(of, member.type, (uint32_t)(number % count));
        memcpy(record + member.offset, of->scratch,
               program_type(of->program, member.type)->size);
        number /= count;
    }
}

static uint64_t count_all(const struct law_few_of *of, bool *ret_whole)
{
    uint32_t members = program_type(of->program, of->type)->member_count;
    uint64_t total = 1;

    *ret_whole = true;
    for (uint32_t i = 0; i < members; i++) {
        uint32_t count = count_member(of, i);
        if (!(of->fixed >> i & 1))
            *ret_whole &= is_whole(
                of, program_member(of->program, of->type, i).type, count);
        if (count > 0 && total < UINT64_C(1) << 56)
            total *= count;
    }
    return total;
}

enum kan_err law_few_init(struct law_few *few, const struct law_few_of *of)
{
    size_t size = program_type(of->program, of->type)->size;
    bool whole;
    uint64_t total = count_all(of, &whole);
    uint32_t ways = total < LAW_FEW_MAX ? (uint32_t)total : LAW_FEW_MAX;

    *few = (struct law_few){.stride = (size + 15) / 16 * 16 + 16,
                            .whole = whole && total == ways};
    few->records = mem_zalloc(few->stride * ways);
    if (!few->records)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < ways; i++) {
        /* From all over, when there are more. */
        uint64_t number =
            total == ways ? i : (i * UINT64_C(0x9e3779b97f4a7c15)) % total;
        unsigned char *record = law_few_at(few, few->count);
        memcpy(record, of->preset, size);
        fill(of, number, record);
        few->count += program_valid(of->program, of->type, record);
    }
    return KAN_OK;
}

void law_few_fini(struct law_few *few)
{
    mem_free(few->records);
    *few = (struct law_few){0};
}
