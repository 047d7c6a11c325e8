/* value_read.c - JSON into values, and each fault told with its path.
 *
 * Elements of sets and maps are read in the order in which they stand and
 * sorted afterwards; what is given twice is refused, never merged. */

#include "base/assert.h"
#include "base/number.h"
#include "base/suggest.h"
#include "contract/program/program_inside.h"
#include "contract/program/value.h"

enum
{
    SHOWN_MAX = 40, /* bytes of what a caller sent that a fault repeats */
    NAMES_MAX = 12  /* names of an enum that a fault lists */
};

/* Where in the document a value stands, from the inside out. */
struct place
{
    const struct place *above; /* NULL: the document itself */
    struct kan_slice name;     /* of a member */
    uint32_t number;           /* of an element */
    bool element;
};

struct reading
{
    const struct program *program;
    const struct json_tree *json;
    struct buffer *why;
    const struct json_node *arguments; /* of a step, or NULL */
};

/* --- faults --------------------------------------------------------------- */

static bool plain_name(struct kan_slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = slice_at(name, i);
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!word)
            return false;
    }
    return name.size > 0 && name.size <= SOURCE_NAME_MAX;
}

/* In quotes, cut where it is long; never a line's end. */
static void quoted_print(struct kan_slice text, struct buffer *out)
{
    size_t size = text.size;

    if (size > SHOWN_MAX) {
        size = SHOWN_MAX;
        while (size > 0 && (slice_at(text, size) & 0xc0) == 0x80)
            size--;
    }
    json_append_string(out, slice_head(text, size));
    if (size < text.size)
        buffer_append_text(out, "...");
}

static void place_print(const struct place *place, struct buffer *out)
{
    if (!place)
        return;
    place_print(place->above, out);
    if (place->element) {
        buffer_print(out, "[%u]", place->number);
    } else if (plain_name(place->name)) {
        buffer_append_text(out, place->above ? "." : "");
        buffer_append(out, place->name);
    } else {
        buffer_append_byte(out, '[');
        quoted_print(place->name, out);
        buffer_append_byte(out, ']');
    }
}

/* The path, and the message that goes on behind it; the caller may go on. */
static enum kan_err refuse(const struct reading *r, const struct place *place,
                           const char *message)
{
    place_print(place, r->why);
    buffer_append_text(r->why, place ? ": " : "");
    buffer_append_text(r->why, message);
    return KAN_INVALID;
}

static const char *kind_words(const struct json_node *node)
{
    switch (node->kind) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return "a bool";
    case JSON_NUMBER:
        return "a number";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "an array";
    case JSON_OBJECT:
        return "an object";
    }
    return "that";
}

/* "expected int(1 .. 99), not a string" */
static enum kan_err refuse_kind(const struct reading *r,
                                const struct place *place, uint32_t type,
                                const struct json_node *node)
{
    (void)refuse(r, place, "expected ");
    value_type_print(r->program, type, r->why);
    buffer_append_text(r->why, ", not ");
    buffer_append_text(r->why, kind_words(node));
    return KAN_INVALID;
}

/* The member of type that word was probably meant to be. */
static void suggest(const struct reading *r, uint32_t type,
                    struct kan_slice word)
{
    uint32_t count = program_type(r->program, type)->member_count;
    /* As strings, for suggest_nearest(): 16 KiB on the way to a refusal. */
    char names[TREE_FIELDS_MAX][SOURCE_NAME_MAX + 1];
    const char *candidates[TREE_FIELDS_MAX];

    for (uint32_t i = 0; i < count; i++) {
        struct kan_slice name = program_member(r->program, type, i).name;
        candidates[i] = NULL;
        if (name.size > SOURCE_NAME_MAX)
            continue;
        memcpy(names[i], name.bytes, name.size);
        names[i][name.size] = '\0';
        candidates[i] = names[i];
    }
    const char *nearest = suggest_nearest(word, candidates, count);
    if (nearest) {
        buffer_append_text(r->why, "; did you mean ");
        buffer_append_text(r->why, nearest);
        buffer_append_text(r->why, "?");
    }
}

/* --- numbers, texts and names --------------------------------------------- */

/* A number as JSON and we write it: no sign but a minus, no zero before other
 * digits. So a number has one spelling, and a key of a map too. */
static bool whole_number(struct kan_slice text)
{
    size_t from = text.size > 0 && slice_at(text, 0) == '-' ? 1 : 0;

    if (from == text.size || (slice_at(text, from) == '0' && text.size > 1))
        return false;
    for (size_t i = from; i < text.size; i++) {
        if (slice_at(text, i) < '0' || slice_at(text, i) > '9')
            return false;
    }
    return true;
}

/* The number may be far beyond 64 bits: it is shown as it was sent. */
static enum kan_err refuse_range(const struct reading *r,
                                 const struct place *place,
                                 const struct program_type *type,
                                 struct kan_slice text)
{
    (void)refuse(r, place, "");
    buffer_append(r->why, slice_head(text, SHOWN_MAX));
    buffer_append_text(r->why, text.size > SHOWN_MAX ? "..." : "");
    buffer_append_text(r->why, " is not in ");
    value_int_print_long(type->min, r->why);
    buffer_append_text(r->why, " .. ");
    value_int_print_long(type->max, r->why);
    return KAN_INVALID;
}

static enum kan_err read_int(const struct reading *r, const struct place *place,
                             uint32_t type, const struct json_node *node,
                             struct kan_slice text, void *value)
{
    const struct program_type *t = program_type(r->program, type);
    int64_t number;

    if (!whole_number(text)) {
        if (node->kind != JSON_NUMBER)
            return refuse_kind(r, place, type, node);
        (void)refuse(r, place, "expected ");
        value_type_print(r->program, type, r->why);
        buffer_append_text(r->why, ", not ");
        buffer_append(r->why, slice_head(text, SHOWN_MAX));
        return KAN_INVALID;
    }
    if (number_i64(text, &number) != KAN_OK || number < t->min ||
        number > t->max)
        return refuse_range(r, place, t, text);
    value_int_set(value, number);
    return KAN_OK;
}

static enum kan_err read_text(const struct reading *r,
                              const struct place *place,
                              const struct program_type *type,
                              struct kan_slice text, void *value)
{
    if (text.size > type->bound) {
        (void)refuse(r, place, "");
        buffer_print(r->why, "a text of %zu bytes is longer than text(%u)",
                     text.size, type->bound);
        return KAN_INVALID;
    }
    /* It is UTF-8: the reader of JSON lets nothing else through. */
    value_text_set(value, text);
    return KAN_OK;
}

static enum kan_err read_enum(const struct reading *r,
                              const struct place *place, uint32_t type,
                              struct kan_slice text, void *value)
{
    uint32_t count = program_type(r->program, type)->member_count;

    for (uint32_t i = 0; i < count; i++) {
        if (slice_equal(program_member(r->program, type, i).name, text)) {
            value_short_set(value, i);
            return KAN_OK;
        }
    }
    (void)refuse(r, place, "");
    quoted_print(text, r->why);
    buffer_append_text(r->why, " is none of ");
    for (uint32_t i = 0; i < count && i < NAMES_MAX; i++) {
        buffer_append_text(r->why, i > 0 ? ", " : "");
        buffer_append(r->why, program_member(r->program, type, i).name);
    }
    buffer_append_text(r->why, count > NAMES_MAX ? ", ..." : "");
    suggest(r, type, text);
    return KAN_INVALID;
}

/* --- what holds others ---------------------------------------------------- */

static enum kan_err read_value(const struct reading *r,
                               const struct place *place, uint32_t type,
                               const struct json_node *node, void *value);

/* The number of the record's member of that name, or its member count. */
static uint32_t member_find(const struct program *program, uint32_t type,
                            struct kan_slice name)
{
    uint32_t count = program_type(program, type)->member_count;

    for (uint32_t i = 0; i < count; i++) {
        if (slice_equal(program_member(program, type, i).name, name))
            return i;
    }
    return count;
}

static enum kan_err read_member(const struct reading *r,
                                const struct place *place, uint32_t type,
                                const struct json_node *node, uint64_t *seen,
                                char *value)
{
    uint32_t number = member_find(r->program, type, node->name);
    struct place here = {.above = place, .name = node->name};

    if (number == program_type(r->program, type)->member_count) {
        (void)refuse(r, &here, "no such field");
        suggest(r, type, node->name);
        return KAN_INVALID;
    }
    if (seen[number / 64] >> (number % 64) & 1)
        return refuse(r, &here, "given twice");
    seen[number / 64] |= (uint64_t)1 << (number % 64);
    struct program_member member = program_member(r->program, type, number);
    memset(value + member.offset, 0,
           program_type(r->program, member.type)->size);
    return read_value(r, &here, member.type, node, value + member.offset);
}

/* A record written out may be without its optionals; a parameter must be given,
 * or have a default. */
static bool may_be_missing(const struct reading *r,
                           const struct json_node *node,
                           const struct program_member *member)
{
    return member->has_default ||
           (node != r->arguments &&
            program_type(r->program, member->type)->kind == TREE_OPTIONAL);
}

/* value holds what is not given. */
static enum kan_err read_record(const struct reading *r,
                                const struct place *place, uint32_t type,
                                const struct json_node *node, char *value)
{
    uint32_t count = program_type(r->program, type)->member_count;
    uint64_t seen[PROGRAM_FIELD_WORDS] = {0};

    if (node->kind != JSON_OBJECT)
        return refuse_kind(r, place, type, node);
    for (const struct json_node *child = json_first(r->json, node); child;
         child = json_next(r->json, node, child)) {
        enum kan_err err = read_member(r, place, type, child, seen, value);
        if (err != KAN_OK)
            return err;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct program_member member = program_member(r->program, type, i);
        struct place here = {.above = place, .name = member.name};
        if ((seen[i / 64] >> (i % 64) & 1) || may_be_missing(r, node, &member))
            continue;
        (void)refuse(r, &here, "missing, expected ");
        value_type_print(r->program, member.type, r->why);
        return KAN_INVALID;
    }
    return KAN_OK;
}

/* "expected int(-5 .. 5) as the key" */
static enum kan_err refuse_key(const struct reading *r,
                               const struct place *place, uint32_t type)
{
    (void)refuse(r, place, "expected ");
    value_type_print(r->program, type, r->why);
    buffer_append_text(r->why, " as the key");
    return KAN_INVALID;
}

static enum kan_err read_key(const struct reading *r, const struct place *place,
                             uint32_t type, const struct json_node *node,
                             void *value)
{
    const struct program_type *t = program_type(r->program, type);

    switch (t->kind) {
    case TREE_BOOL:
        if (!slice_equal(node->name, SLICE("true")) &&
            !slice_equal(node->name, SLICE("false")))
            break;
        *(unsigned char *)value = slice_equal(node->name, SLICE("true"));
        return KAN_OK;
    case TREE_INT:
        if (!whole_number(node->name))
            break;
        return read_int(r, place, type, node, node->name, value);
    case TREE_ENUM:
        return read_enum(r, place, type, node->name, value);
    case TREE_TEXT:
        return read_text(r, place, t, node->name, value);
    default:
        break;
    }
    return refuse_key(r, place, type);
}

static enum kan_err read_element(const struct reading *r,
                                 const struct place *here,
                                 const struct program_type *type,
                                 const struct json_node *node, char *element)
{
    if (type->kind == TREE_SET)
        return read_value(r, here, type->of, node, element);
    enum kan_err err = read_key(r, here, type->key, node, element);
    return err != KAN_OK
               ? err
               : read_value(r, here, type->of, node, element + type->value);
}

/* What is at the number-th place once sorted was given twice. */
static enum kan_err refuse_doubled(const struct reading *r,
                                   const struct place *place,
                                   const struct program_type *type,
                                   const void *value, uint32_t number)
{
    (void)refuse(r, place, "");
    program_print(r->program, value_key_type(type),
                  value_element(type, value, number), r->why);
    buffer_append_text(r->why, " is given twice");
    return KAN_INVALID;
}

static enum kan_err read_elements(const struct reading *r,
                                  const struct place *place, uint32_t type,
                                  const struct json_node *node, void *value)
{
    const struct program_type *t = program_type(r->program, type);
    uint32_t count = 0;

    if (node->kind != (t->kind == TREE_SET ? JSON_ARRAY : JSON_OBJECT))
        return refuse_kind(r, place, type, node);
    for (const struct json_node *child = json_first(r->json, node); child;
         child = json_next(r->json, node, child)) {
        struct place here = {.above = place,
                             .name = child->name,
                             .number = count,
                             .element = t->kind == TREE_SET};
        if (count == t->bound) {
            (void)refuse(r, place, "");
            buffer_print(r->why, "more than %u elements", t->bound);
            return KAN_INVALID;
        }
        enum kan_err err =
            read_element(r, &here, t, child, value_element_at(t, value, count));
        if (err != KAN_OK)
            return err;
        count++;
    }
    uint32_t doubled = value_sort(r->program, t, value, count);
    return doubled == count ? KAN_OK
                            : refuse_doubled(r, place, t, value, doubled);
}

static enum kan_err read_optional(const struct reading *r,
                                  const struct place *place, uint32_t type,
                                  const struct json_node *node, char *value)
{
    const struct program_type *t = program_type(r->program, type);

    if (node->kind == JSON_NULL)
        return KAN_OK;
    value[program_type(r->program, t->of)->size] = 1;
    return read_value(r, place, t->of, node, value);
}

/* value is zeroed. */
static enum kan_err read_value(const struct reading *r,
                               const struct place *place, uint32_t type,
                               const struct json_node *node, void *value)
{
    const struct program_type *t = program_type(r->program, type);
    const void *start;

    switch (t->kind) {
    case TREE_BOOL:
        if (node->kind != JSON_BOOL)
            break;
        *(unsigned char *)value = slice_equal(node->text, SLICE("true"));
        return KAN_OK;
    case TREE_INT:
        if (node->kind != JSON_NUMBER && node->kind != JSON_STRING)
            break;
        return read_int(r, place, type, node, node->text, value);
    case TREE_TEXT:
        if (node->kind != JSON_STRING)
            break;
        return read_text(r, place, t, node->text, value);
    case TREE_ENUM:
        if (node->kind != JSON_STRING)
            break;
        return read_enum(r, place, type, node->text, value);
    case TREE_RECORD:
        start = program_inside_start(r->program, type);
        if (start)
            memcpy(value, start, t->size);
        return read_record(r, place, type, node, value);
    case TREE_OPTIONAL:
        return read_optional(r, place, type, node, value);
    case TREE_SET:
    case TREE_MAP:
        return read_elements(r, place, type, node, value);
    case TREE_NONE_TYPE:
        break;
    }
    return refuse_kind(r, place, type, node);
}

enum kan_err program_read_json(const struct program *program, uint32_t type,
                               const struct json_tree *json,
                               const struct json_node *node, void *value,
                               struct buffer *why)
{
    bool whole = program_type(program, type)->kind == TREE_RECORD;
    const struct reading r = {program, json, why, whole ? node : NULL};

    /* Members that were read raw cannot be told from an empty object. */
    kan_assert(node->expanded ||
               (node->kind != JSON_OBJECT && node->kind != JSON_ARRAY));
    if (whole)
        return read_record(&r, NULL, type, node, value);
    memset(value, 0, program_type(program, type)->size);
    return read_value(&r, NULL, type, node, value);
}
