/* value_boundary.c - values to try: those at the edges of a type, in a fixed
 * order with the plainest first, and any value by chance.
 *
 * A boundary value is made from its number alone; nothing is kept between
 * calls. */

#include "contract/program/program_inside.h"
#include "contract/program/value.h"

enum
{
    FULL_MAX = 16, /* elements of a set or map that is worth filling */
    SINGLES = 3,   /* sets and maps of one element that are tried */
    ANY_SMALL = 8  /* elements, and bytes of a text, by chance */
};

/* --- numbers -------------------------------------------------------------- */

/* The number-th candidate: what every type has, then what the program compares
 * with; false behind the last. */
static bool int_candidate(const struct program *program,
                          const struct program_type *type, uint32_t number,
                          int64_t *ret_value)
{
    const int64_t first[] = {0,
                             1,
                             type->min,
                             type->max,
                             type->min < type->max ? type->min + 1 : type->min,
                             type->min < type->max ? type->max - 1 : type->max};
    const uint32_t first_count = sizeof first / sizeof first[0];

    if (number < first_count) {
        *ret_value = first[number];
        return true;
    }
    return program_number(program, number - first_count, ret_value);
}

bool program_number(const struct program *program, uint32_t i,
                    int64_t *ret_number)
{
    if (i >= program->numbers.count)
        return false;
    *ret_number = *PROGRAM_ITEM(program, numbers, int64_t, i);
    return true;
}

/* All of them, each once; returns how many. */
static uint32_t int_boundaries(const struct program *program,
                               const struct program_type *type,
                               int64_t found[PROGRAM_BOUNDARY_MAX])
{
    uint32_t count = 0;
    int64_t candidate;

    for (uint32_t i = 0; count < PROGRAM_BOUNDARY_MAX &&
                         int_candidate(program, type, i, &candidate);
         i++) {
        bool fresh = candidate >= type->min && candidate <= type->max;
        for (uint32_t k = 0; k < count; k++)
            fresh = fresh && found[k] != candidate;
        if (fresh)
            found[count++] = candidate;
    }
    return count;
}

/* --- texts ---------------------------------------------------------------- */

bool program_string(const struct program *program, uint32_t i,
                    struct kan_slice *ret_text)
{
    if (i >= program->strings.count)
        return false;
    const struct program_words *words =
        PROGRAM_ITEM(program, strings, struct program_words, i);
    *ret_text = kan_slice((const char *)program + words->at, words->size);
    return true;
}

/* Whether it is one that every text type has: "", "a", the longest. */
static bool is_plain(const struct program_type *type, struct kan_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (slice_at(text, i) != 'a')
            return false;
    }
    return text.size < 2 || text.size == type->bound;
}

/* The number-th text of the program's that fits and is not plain, each once;
 * returns how many there are up to it. */
static uint32_t find_string(const struct program *program,
                            const struct program_type *type, uint32_t number,
                            struct kan_slice *ret_text)
{
    struct kan_slice text;
    struct kan_slice other;
    uint32_t count = 0;

    for (uint32_t i = 0; program_string(program, i, &text); i++) {
        bool fresh = text.size <= type->bound && !is_plain(type, text);
        for (uint32_t k = 0; fresh && k < i; k++)
            fresh =
                program_string(program, k, &other) && !slice_equal(text, other);
        if (!fresh)
            continue;
        *ret_text = text;
        if (count++ == number)
            break;
    }
    return count;
}

static uint32_t plain_count(const struct program_type *type)
{
    return type->bound < 2 ? type->bound + 1 : 3;
}

/* "", "a" and the longest there is; then what the program compares with. */
static void text_boundary(const struct program *program,
                          const struct program_type *type, uint32_t number,
                          char *value)
{
    uint32_t plain = plain_count(type);
    uint32_t size = number < 2 ? number : type->bound;
    struct kan_slice text = {0};

    if (number < plain) {
        value_short_set(value, size);
        memset(value + sizeof(uint16_t), 'a', size);
        return;
    }
    (void)find_string(program, type, number - plain, &text);
    value_short_set(value, (uint32_t)text.size);
    if (text.size > 0)
        memcpy(value + sizeof(uint16_t), text.bytes, text.size);
}

/* --- how many there are --------------------------------------------------- */

static uint32_t boundary_count(const struct program *program, uint32_t type);

/* Sets and maps: what elements_boundary() makes of them. */
struct held
{
    uint32_t singles; /* of one element */
    bool second;      /* of a map: one with the second key */
    bool full;
};

static struct held held_by(const struct program *program,
                           const struct program_type *type)
{
    bool map = type->kind == TREE_MAP;
    uint32_t keys = boundary_count(program, value_key_type(type));
    uint32_t singles = map ? boundary_count(program, type->of) : keys;
    struct held held = {0};

    if (type->bound == 0)
        return held;
    held.singles = singles < SINGLES ? singles : SINGLES;
    held.second = map && keys > 1;
    held.full = keys > 1 && type->bound > 1 && type->bound <= FULL_MAX;
    return held;
}

static uint32_t record_count(const struct program *program, uint32_t type)
{
    uint32_t members = program_type(program, type)->member_count;
    uint32_t most = 1;

    for (uint32_t i = 0; i < members; i++) {
        uint32_t count =
            boundary_count(program, program_member(program, type, i).type);
        most = count > most ? count : most;
    }
    return most;
}

static uint32_t boundary_count(const struct program *program, uint32_t type)
{
    const struct program_type *t = program_type(program, type);
    int64_t found[PROGRAM_BOUNDARY_MAX];
    struct held held;
    struct kan_slice text;
    uint32_t count = 0;

    switch (t->kind) {
    case TREE_BOOL:
        count = 2;
        break;
    case TREE_INT:
        count = int_boundaries(program, t, found);
        break;
    case TREE_TEXT:
        count = plain_count(t) +
                find_string(program, t, PROGRAM_BOUNDARY_MAX, &text);
        break;
    case TREE_ENUM:
        count = t->member_count;
        break;
    case TREE_RECORD:
        count = record_count(program, type);
        break;
    case TREE_OPTIONAL:
        count = 1 + boundary_count(program, t->of);
        break;
    case TREE_SET:
    case TREE_MAP:
        held = held_by(program, t);
        count = 1 + held.singles + held.second + held.full;
        break;
    case TREE_NONE_TYPE:
        break;
    }
    return count < PROGRAM_BOUNDARY_MAX ? count : PROGRAM_BOUNDARY_MAX;
}

/* --- making them ---------------------------------------------------------- */

/* number is below the type's count, value is zeroed. */
static void boundary(const struct program *program, uint32_t type,
                     uint32_t number, void *value);

/* All members move on together: each boundary value of each is met once. */
static void record_boundary(const struct program *program, uint32_t type,
                            uint32_t number, char *value)
{
    uint32_t members = program_type(program, type)->member_count;

    for (uint32_t i = 0; i < members; i++) {
        struct program_member member = program_member(program, type, i);
        uint32_t count = boundary_count(program, member.type);
        if (count > 0)
            boundary(program, member.type, number % count,
                     value + member.offset);
    }
}

/* "", "a" .. "z", "aa", "ba", ...: letters are digits from 1 to 26. */
static bool text_nth(const struct program_type *type, uint32_t number,
                     char *value)
{
    uint32_t size = 0;

    for (; number > 0; number = (number - 1) / 26) {
        if (size == type->bound)
            return false;
        value[sizeof(uint16_t) + size++] = (char)('a' + (number - 1) % 26);
    }
    value_short_set(value, size);
    return true;
}

bool program_nth(const struct program *program, uint32_t type, uint32_t number,
                 void *value)
{
    const struct program_type *t = program_type(program, type);

    switch (t->kind) {
    case TREE_BOOL:
        if (number >= 2)
            return false;
        *(char *)value = (char)number;
        return true;
    case TREE_INT:
        if (number > (uint64_t)t->max - (uint64_t)t->min)
            return false;
        value_int_set(value, t->min + (int64_t)number);
        return true;
    case TREE_ENUM:
        if (number >= t->member_count)
            return false;
        value_short_set(value, number);
        return true;
    case TREE_TEXT:
        return text_nth(t, number, value);
    default:
        break;
    }
    return false;
}

/* As many elements as there are keys and there is room for. The first FULL_MAX
 * keys are in their order. */
static void fill(const struct program *program, const struct program_type *type,
                 void *value)
{
    uint32_t count = 0;

    while (count < type->bound &&
           program_nth(program, value_key_type(type), count,
                       value_element_at(type, value, count))) {
        char *element = value_element_at(type, value, count);
        if (type->kind == TREE_MAP)
            boundary(program, type->of, 0, element + type->value);
        count++;
    }
    value_short_set(value, count);
}

/* Empty; with one element: of a set each of the first boundary values, of a map
 * the first key with each of the first values, then the second key; full. */
static void elements_boundary(const struct program *program,
                              const struct program_type *type, uint32_t number,
                              void *value)
{
    bool map = type->kind == TREE_MAP;
    struct held held = held_by(program, type);
    uint32_t single = number - 1;

    if (number == 0)
        return;
    if (single >= held.singles + held.second) {
        fill(program, type, value);
        return;
    }
    char *element = value_element_at(type, value, 0);
    bool second = map && single == held.singles;
    value_short_set(value, 1);
    boundary(program, value_key_type(type), map ? second : single, element);
    if (map)
        boundary(program, type->of, second ? 0 : single, element + type->value);
}

static void optional_boundary(const struct program *program,
                              const struct program_type *type, uint32_t number,
                              char *value)
{
    if (number == 0)
        return;
    value[program_type(program, type->of)->size] = 1;
    boundary(program, type->of, number - 1, value);
}

static void boundary(const struct program *program, uint32_t type,
                     uint32_t number, void *value)
{
    const struct program_type *t = program_type(program, type);
    int64_t found[PROGRAM_BOUNDARY_MAX];

    switch (t->kind) {
    case TREE_BOOL:
        *(char *)value = (char)number;
        break;
    case TREE_INT:
        (void)int_boundaries(program, t, found);
        value_int_set(value, found[number]);
        break;
    case TREE_TEXT:
        text_boundary(program, t, number, value);
        break;
    case TREE_ENUM:
        value_short_set(value, number);
        break;
    case TREE_RECORD:
        record_boundary(program, type, number, value);
        break;
    case TREE_OPTIONAL:
        optional_boundary(program, t, number, value);
        break;
    case TREE_SET:
    case TREE_MAP:
        elements_boundary(program, t, number, value);
        break;
    case TREE_NONE_TYPE:
        break;
    }
}

/* One member at most may have a choice: all move on together. */
static bool record_whole(const struct program *program, uint32_t type)
{
    uint32_t members = program_type(program, type)->member_count;
    uint32_t free_ = 0;

    for (uint32_t i = 0; i < members; i++) {
        uint32_t of = program_member(program, type, i).type;
        if (!program_boundary_whole(program, of))
            return false;
        free_ += boundary_count(program, of) > 1;
    }
    return free_ <= 1;
}

bool program_boundary_whole(const struct program *program, uint32_t type)
{
    const struct program_type *t = program_type(program, type);

    switch (t->kind) {
    case TREE_BOOL:
        return true;
    case TREE_INT:
        return (uint64_t)t->max - (uint64_t)t->min <
               boundary_count(program, type);
    case TREE_ENUM:
        return t->member_count <= PROGRAM_BOUNDARY_MAX;
    case TREE_RECORD:
        return record_whole(program, type);
    case TREE_OPTIONAL:
        return boundary_count(program, t->of) < PROGRAM_BOUNDARY_MAX &&
               program_boundary_whole(program, t->of);
    case TREE_TEXT:
    case TREE_SET:
    case TREE_MAP:
        return t->bound == 0;
    case TREE_NONE_TYPE:
        break;
    }
    return true;
}

bool program_boundary(const struct program *program, uint32_t type,
                      uint32_t number, void *value)
{
    if (number >= boundary_count(program, type))
        return false;
    memset(value, 0, program_type(program, type)->size);
    boundary(program, type, number, value);
    return true;
}

bool program_boundary_arguments(const struct program *program, uint32_t step,
                                uint64_t number, void *arguments)
{
    uint32_t type = program_step(program, step).arguments;
    const struct program_type *t = program_type(program, type);

    memset(arguments, 0, t->size);
    for (uint32_t i = 0; i < t->member_count; i++) {
        struct program_member member = program_member(program, type, i);
        uint32_t count = boundary_count(program, member.type);
        boundary(program, member.type, (uint32_t)(number % count),
                 (char *)arguments + member.offset);
        number /= count;
    }
    return number == 0;
}

/* --- by chance ------------------------------------------------------------ */

struct chance
{
    const struct program *program;
    program_choose_cb *choose;
    void *data;
};

static uint64_t draw(const struct chance *chance, uint64_t n)
{
    return n > 1 ? chance->choose(chance->data, n) : 0;
}

static int64_t any_int(const struct chance *chance,
                       const struct program_type *type)
{
    uint64_t range = (uint64_t)type->max - (uint64_t)type->min;
    /* Small numbers meet each other; large ones meet bounds. */
    int64_t from = type->min > 0 || type->max < 0 ? type->min : 0;
    uint64_t above = (uint64_t)type->max - (uint64_t)from;

    if (draw(chance, 2) == 0)
        return from + (int64_t)draw(chance, above < 16 ? above + 1 : 16);
    if (range < UINT64_MAX)
        return (int64_t)((uint64_t)type->min + draw(chance, range + 1));
    uint64_t high = draw(chance, (uint64_t)1 << 32);
    return (int64_t)(high << 32 | draw(chance, (uint64_t)1 << 32));
}

/* Few letters, so that texts are equal now and then; of one, two and three
 * bytes, so that a length in bytes is not one in characters. */
static void any_text(const struct chance *chance,
                     const struct program_type *type, char *value)
{
    static const char *const letters[] = {
        "a", "b", "c", " ", "\"", "<", "\xc3\xa4", "\xe2\x82\xac"};
    uint32_t bound = type->bound < ANY_SMALL ? type->bound : ANY_SMALL;
    uint32_t wanted = (uint32_t)draw(chance, bound + 1);
    uint32_t size = 0;

    if (draw(chance, 16) == 0)
        wanted = type->bound;
    while (size < wanted) {
        struct kan_slice letter =
            kan_text(letters[draw(chance, wanted > ANY_SMALL ? 1 : 8)]);
        if (letter.size > wanted - size)
            letter = SLICE("a");
        memcpy(value + sizeof(uint16_t) + size, letter.bytes, letter.size);
        size += (uint32_t)letter.size;
    }
    value_short_set(value, size);
}

static void any_value(const struct chance *chance, uint32_t type, void *value);

static void any_elements(const struct chance *chance,
                         const struct program_type *type, void *value)
{
    uint32_t bound = type->bound < ANY_SMALL ? type->bound : ANY_SMALL;
    uint32_t count = (uint32_t)draw(chance, bound + 1);

    if (type->bound <= FULL_MAX && draw(chance, 4) == 0)
        count = type->bound;
    for (uint32_t i = 0; i < count; i++) {
        char *element = value_element_at(type, value, i);
        any_value(chance, value_key_type(type), element);
        if (type->kind == TREE_MAP)
            any_value(chance, type->of, element + type->value);
    }
    /* A key that was drawn twice is dropped. */
    uint32_t at;
    while ((at = value_sort(chance->program, type, value, count)) < count) {
        char *element = value_element_at(type, value, at);
        size_t behind = (size_t)(count - at - 1) * type->stride;
        memmove(element, element + type->stride, behind);
        memset(element + behind, 0, type->stride);
        count--;
    }
}

/* value is zeroed. */
static void any_value(const struct chance *chance, uint32_t type, void *value)
{
    const struct program_type *t = program_type(chance->program, type);
    char *bytes = value;

    switch (t->kind) {
    case TREE_BOOL:
        *bytes = (char)draw(chance, 2);
        break;
    case TREE_INT:
        value_int_set(value, any_int(chance, t));
        break;
    case TREE_TEXT:
        any_text(chance, t, value);
        break;
    case TREE_ENUM:
        value_short_set(value, (uint32_t)draw(chance, t->member_count));
        break;
    case TREE_RECORD:
        for (uint32_t i = 0; i < t->member_count; i++) {
            struct program_member member =
                program_member(chance->program, type, i);
            any_value(chance, member.type, bytes + member.offset);
        }
        break;
    case TREE_OPTIONAL:
        if (draw(chance, 2) == 0)
            break;
        bytes[program_type(chance->program, t->of)->size] = 1;
        any_value(chance, t->of, value);
        break;
    case TREE_SET:
    case TREE_MAP:
        any_elements(chance, t, value);
        break;
    case TREE_NONE_TYPE:
        break;
    }
}

void program_any(const struct program *program, uint32_t type,
                 program_choose_cb *choose, void *data, void *value)
{
    const struct chance chance = {program, choose, data};

    memset(value, 0, program_type(program, type)->size);
    any_value(&chance, type, value);
}
