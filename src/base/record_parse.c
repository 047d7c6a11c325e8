/* A JSON object into a struct. Whatever is wrong is told with the path of the
 * field, as the caller wrote it; nothing is guessed and nothing is dropped. */

#include <inttypes.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/number.h"
#include "base/record.h"
#include "base/record_field.h"
#include "base/suggest.h"

/* What every function here needs, and the same for all of one document. */
struct parse
{
    const struct json_tree *tree;
    struct buffer *why; /* or NULL */
};

/* What an object gave to each field of its table. */
struct given
{
    bool given[KAN_RECORD_FIELDS_MAX];
    uint32_t elements[KAN_RECORD_FIELDS_MAX];
};

/* --- values --------------------------------------------------------------- */

static enum kan_err range_refuse(const struct parse *parse,
                                 const struct kan_field *field,
                                 struct kan_slice number,
                                 const struct field_place *place)
{
    return field_refuse(parse->why, place,
                        ": %.*s is outside %" PRId64 "..%" PRId64,
                        SLICE_ARG(number), field->min, field->max);
}

/* Whether text is a whole number of any size: digits, and a minus at most. */
static bool is_whole(struct kan_slice text)
{
    size_t at = text.size > 0 && slice_at(text, 0) == '-';

    for (size_t i = at; i < text.size; i++) {
        if (slice_at(text, i) < '0' || slice_at(text, i) > '9')
            return false;
    }
    return text.size > at;
}

/* A number, also one in quotes, which is how readers that keep doubles send
 * what is beyond 2^53. */
static enum kan_err parse_number(const struct parse *parse,
                                 const struct kan_field *field,
                                 const struct json_node *node,
                                 const struct field_place *place, void *element)
{
    int64_t number;

    if ((node->kind != JSON_NUMBER && node->kind != JSON_STRING) ||
        (node->kind == JSON_STRING && !is_whole(node->text)))
        return field_refuse(parse->why, place, ": expected a number");
    if (!is_whole(node->text))
        return field_refuse(parse->why, place,
                            ": expected a whole number, without fraction or "
                            "exponent");
    if (number_i64(node->text, &number) != KAN_OK) {
        /* Beyond 64 bits, so beyond every range. */
        if (field->kind == KAN_FIELD_TIME)
            return field_refuse(parse->why, place,
                                ": %.*s is no time: milliseconds since 1970, "
                                "or 0 for never",
                                SLICE_ARG(node->text));
        return range_refuse(parse, field, node->text, place);
    }
    if (field->kind == KAN_FIELD_TIME && number < 0)
        return field_refuse(parse->why, place,
                            ": %" PRId64
                            " is no time: milliseconds since "
                            "1970, or 0 for never",
                            number);
    if (field->kind != KAN_FIELD_TIME &&
        (number < field->min || number > field->max))
        return range_refuse(parse, field, node->text, place);
    field_number_set(field, element, (uint64_t)number);
    return KAN_OK;
}

static enum kan_err parse_text(const struct parse *parse,
                               const struct kan_field *field,
                               const struct json_node *node,
                               const struct field_place *place, void *element)
{
    struct kan_slice text = node->text;
    bool ref = field->kind == KAN_FIELD_REF;

    if (node->kind != JSON_STRING)
        return field_refuse(parse->why, place, ": expected a %s",
                            ref ? "reference, as \"account/alice\"" : "text");
    if (text.size >= field->size)
        return field_refuse(parse->why, place,
                            ": %zu bytes are too long; at most %" PRIu32 " fit",
                            text.size, field->size - 1);
    if (text.size > 0 && memchr(text.bytes, 0, text.size))
        return field_refuse(parse->why, place,
                            ": a character U+0000 cannot be kept");
    if (ref && !field_ref_valid(text))
        return field_refuse_ref(parse->why, place, text);
    if (text.size > 0)
        memcpy(element, text.bytes, text.size);
    return KAN_OK;
}

static enum kan_err parse_object(const struct parse *parse,
                                 const struct kan_record *record,
                                 const struct json_node *node,
                                 const struct field_place *up, void *bytes);

static enum kan_err parse_element(const struct parse *parse,
                                  const struct kan_field *field,
                                  const struct json_node *node,
                                  const struct field_place *place,
                                  void *element)
{
    switch (field->kind) {
    case KAN_FIELD_BOOL:
        if (node->kind != JSON_BOOL)
            return field_refuse(parse->why, place, ": expected true or false");
        field_number_set(field, element, slice_equal(node->raw, SLICE("true")));
        return KAN_OK;
    case KAN_FIELD_INT:
    case KAN_FIELD_UINT:
    case KAN_FIELD_TIME:
        return parse_number(parse, field, node, place, element);
    case KAN_FIELD_REF:
    case KAN_FIELD_TEXT:
        return parse_text(parse, field, node, place, element);
    case KAN_FIELD_RECORD:
        break;
    }
    if (node->kind != JSON_OBJECT)
        return field_refuse(parse->why, place, ": expected an object");
    return parse_object(parse, field->record, node, place, element);
}

static enum kan_err parse_list(const struct parse *parse,
                               const struct kan_field *field,
                               const struct json_node *node,
                               const struct field_place *up, void *bytes,
                               uint32_t *ret_elements)
{
    struct field_place whole = {up, field->name, FIELD_NO_INDEX};
    const struct json_node *child = NULL;
    uint32_t number = 0;
    enum kan_err err = KAN_OK;

    if (node->kind != JSON_ARRAY)
        return field_refuse(parse->why, &whole, ": expected a list");
    for (child = json_first(parse->tree, node); !err && child;
         child = json_next(parse->tree, node, child)) {
        struct field_place place = field_place_of(up, field, number);
        if (number == field->count)
            return field_refuse(parse->why, &whole,
                                ": the list is too long; at most %" PRIu32
                                " elements fit",
                                field->count);
        err = parse_element(parse, field, child, &place,
                            field_element_in(field, bytes, number++));
    }
    if (!err && !field->length && number < field->count)
        return field_refuse(parse->why, &whole,
                            ": %" PRIu32
                            " elements are too few; expected "
                            "%" PRIu32,
                            number, field->count);
    if (!err)
        *ret_elements = number;
    return err;
}

/* --- objects -------------------------------------------------------------- */

static enum kan_err name_refuse(const struct parse *parse,
                                const struct kan_record *record,
                                struct kan_slice name,
                                const struct field_place *up)
{
    const char *names[KAN_RECORD_FIELDS_MAX];
    const char *nearest;

    if (!parse->why)
        return KAN_INVALID;
    for (uint32_t i = 0; i < record->field_count; i++)
        names[i] = record->fields[i].name;
    nearest = suggest_nearest(name, names, record->field_count);
    field_place_print(up, parse->why);
    if (up->name)
        buffer_append_byte(parse->why, '.');
    field_word_print(name, parse->why);
    buffer_append_text(parse->why, ": there is no such field");
    if (nearest)
        buffer_print(parse->why, "; did you mean '%s'?", nearest);
    else if (record->field_count == 0)
        buffer_print(parse->why, "; %s carries nothing", record->name);
    return KAN_INVALID;
}

static enum kan_err parse_member(const struct parse *parse,
                                 const struct kan_record *record,
                                 const struct json_node *node,
                                 const struct field_place *up, void *bytes,
                                 struct given *given)
{
    uint32_t number = 0;

    while (number < record->field_count &&
           !slice_equal(node->name, kan_text(record->fields[number].name)))
        number++;
    if (number == record->field_count)
        return name_refuse(parse, record, node->name, up);

    const struct kan_field *field = &record->fields[number];
    struct field_place place = {up, field->name, FIELD_NO_INDEX};
    if (given->given[number])
        return field_refuse(parse->why, &place, ": it is given twice");
    given->given[number] = true;
    if (field->flags & KAN_FIELD_ARRAY)
        return parse_list(parse, field, node, up, bytes,
                          &given->elements[number]);
    return parse_element(parse, field, node, &place,
                         field_element_in(field, bytes, 0));
}

/* A list says itself how long it is: its length may be left out, and must agree
 * when it is there. */
static enum kan_err fit_length(const struct parse *parse,
                               const struct kan_record *record, uint32_t number,
                               const struct field_place *up, void *bytes,
                               struct given *given)
{
    const struct kan_field *field = &record->fields[number];
    const struct kan_field *length = field_length(record, field);
    struct field_place place = {up, field->name, FIELD_NO_INDEX};
    struct field_place length_place;
    uint32_t elements = given->elements[number];

    if (!length || !given->given[number])
        return KAN_OK;
    length_place = (struct field_place){up, length->name, FIELD_NO_INDEX};
    if (!given->given[length - record->fields]) {
        if (!field_in_range(length, elements))
            return field_refuse(parse->why, &length_place,
                                ": %" PRIu32 " is outside %" PRId64
                                "..%" PRId64,
                                elements, length->min, length->max);
        field_number_set(length, field_element_in(length, bytes, 0), elements);
        given->given[length - record->fields] = true;
        return KAN_OK;
    }
    if (field_live(record, field, bytes) != elements)
        return field_refuse(parse->why, &place,
                            ": it has %" PRIu32
                            " elements, and '%s' is "
                            "%" PRIu32,
                            elements, length->name,
                            field_live(record, field, bytes));
    return KAN_OK;
}

/* What is missing is zero, and zero must be in its range. */
static enum kan_err check_missing(const struct parse *parse,
                                  const struct kan_record *record,
                                  const void *bytes,
                                  const struct field_place *up,
                                  const struct given *given)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        struct field_place place = {up, field->name, FIELD_NO_INDEX};
        enum kan_err err = KAN_OK;
        if ((given && given->given[i]) || field_live(record, field, bytes) == 0)
            continue;
        if (field->kind == KAN_FIELD_RECORD)
            err = check_missing(parse, field->record,
                                field_element(field, bytes, 0), &place, NULL);
        else if ((field->kind == KAN_FIELD_INT ||
                  field->kind == KAN_FIELD_UINT) &&
                 !field_in_range(field, 0))
            err = field_refuse(parse->why, &place,
                               ": it is missing, and 0 is outside %" PRId64
                               "..%" PRId64,
                               field->min, field->max);
        if (err)
            return err;
    }
    return KAN_OK;
}

static enum kan_err parse_object(const struct parse *parse,
                                 const struct kan_record *record,
                                 const struct json_node *node,
                                 const struct field_place *up, void *bytes)
{
    struct given given = {0};
    enum kan_err err = KAN_OK;

    for (const struct json_node *child = json_first(parse->tree, node);
         !err && child; child = json_next(parse->tree, node, child))
        err = parse_member(parse, record, child, up, bytes, &given);
    for (uint32_t i = 0; !err && i < record->field_count; i++)
        err = fit_length(parse, record, i, up, bytes, &given);
    return err ? err : check_missing(parse, record, bytes, up, &given);
}

/* --- the document --------------------------------------------------------- */

static enum kan_err parse_document(const struct parse *parse,
                                   const struct kan_record *record, void *bytes)
{
    struct field_place root = {NULL, NULL, FIELD_NO_INDEX};

    if (parse->tree->nodes[0].kind != JSON_OBJECT)
        return field_refuse(parse->why, &root,
                            "expected an object with the fields of %s",
                            record->name);
    return parse_object(parse, record, &parse->tree->nodes[0], &root, bytes);
}

enum kan_err record_from_json(const struct kan_record *record,
                              struct kan_slice json, void *ret_bytes,
                              struct buffer *why)
{
    struct json_tree tree = {0};
    struct parse parse = {&tree, why};
    void *bytes = mem_zalloc(record->size);
    enum kan_err err = bytes ? json_parse(json, NULL, &tree) : KAN_NOMEM;

    if (err == KAN_INVALID && why)
        buffer_append(why, buffer_slice(&tree.message));
    if (!err)
        err = parse_document(&parse, record, bytes);
    if (!err && record->size > 0)
        memcpy(ret_bytes, bytes, record->size);
    json_fini(&tree);
    (void)mem_free(bytes);
    return err;
}
