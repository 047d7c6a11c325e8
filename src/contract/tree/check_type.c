/* check_type.c - types, fields and records as written: what they name, and how
 * large they are. */

#include "contract/tree/check.h"

#include <inttypes.h>
#include <stdio.h>

/* --- how large they are --------------------------------------------------- */

/* As program.h lays them out. Nothing overflows: sizes are bounded, and records
 * end at their fourth level. */
struct type_room
{
    uint64_t size;
    uint64_t align;
};

static struct type_room type_room(const struct tree_checker *c,
                                  const struct tree_type *type);

static uint64_t room_up(uint64_t size, uint64_t align)
{
    return (size + align - 1) / align * align;
}

static struct type_room fields_room(const struct tree_checker *c,
                                    const struct tree_field *fields,
                                    uint32_t count)
{
    struct type_room whole = {0, 1};
    uint32_t i;

    for (i = 0; i < count; i++) {
        struct type_room field = type_room(c, fields[i].type);

        whole.size = room_up(whole.size, field.align) + field.size;
        if (field.align > whole.align)
            whole.align = field.align;
    }
    whole.size = room_up(whole.size, whole.align);
    return whole;
}

static struct type_room elements_room(const struct tree_checker *c,
                                      const struct tree_type *type)
{
    struct type_room element = type_room(c, type->of);
    struct type_room whole;

    if (type->kind == TREE_MAP) {
        struct type_room key = type_room(c, type->key);

        element.size += room_up(key.size, element.align);
        if (key.align > element.align)
            element.align = key.align;
    }
    element.size = room_up(element.size, element.align);
    whole.align = element.align > 2 ? element.align : 2;
    whole.size = room_up(2, element.align) + element.size * type->size;
    whole.size = room_up(whole.size, whole.align);
    return whole;
}

static struct type_room type_room(const struct tree_checker *c,
                                  const struct tree_type *type)
{
    struct type_room room = {1, 1};

    if (!type)
        return (struct type_room){TREE_ENTITY_ID_MAX + 2, 2};
    switch (type->kind) {
    case TREE_BOOL:
    case TREE_NONE_TYPE:
        break;
    case TREE_INT:
        return (struct type_room){8, 8};
    case TREE_TEXT:
        return (struct type_room){room_up(type->size + UINT64_C(2), 2), 2};
    case TREE_ENUM:
        return (struct type_room){2, 2};
    case TREE_OPTIONAL:
        room = type_room(c, type->of);
        room.size = room_up(room.size + 1, room.align);
        break;
    case TREE_RECORD:
        return (struct type_room){
            c->rooms[type->record - c->tree->records].size,
            c->rooms[type->record - c->tree->records].align};
    case TREE_SET:
    case TREE_MAP:
        return elements_room(c, type);
    }
    return room;
}

uint64_t tree_fields_size(const struct tree_checker *c,
                          const struct tree_field *fields, uint32_t count)
{
    return fields_room(c, fields, count).size;
}

bool tree_type_starts(const struct tree_checker *c,
                      const struct tree_type *type)
{
    if (type->kind == TREE_INT)
        return type->min <= 0 && type->max >= 0;
    if (type->kind == TREE_RECORD && type->record)
        return c->rooms[type->record - c->tree->records].starts;
    return true;
}

/* --- types as written ----------------------------------------------------- */

/* What other languages call it. */
static const char *const type_elsewhere[][2] = {
    {"string", "a text has a bound, as in text(80)"},
    {"str", "a text has a bound, as in text(80)"},
    {"varchar", "a text has a bound, as in text(80)"},
    {"integer", "numbers are int, or int(0 .. 100)"},
    {"number", "numbers are int, or int(0 .. 100)"},
    {"long", "numbers are int, or int(0 .. 100)"},
    {"float", "numbers are whole: count in the smallest unit, as in cents"},
    {"double", "numbers are whole: count in the smallest unit, as in cents"},
    {"decimal", "numbers are whole: count in the smallest unit, as in cents"},
    {"money", "numbers are whole: count in the smallest unit, as in cents"},
    {"boolean", "a truth is a bool"},
    {"time", "a time is an int, in ms since 1970, as `now` is"},
    {"date", "a time is an int, in ms since 1970, as `now` is"},
    {"timestamp", "a time is an int, in ms since 1970, as `now` is"},
    {"uuid", "an id is a text, as in text(40)"},
    {"list", "there are sets and maps, as in map(text(40), int, 50)"},
    {"array", "there are sets and maps, as in map(text(40), int, 50)"},
    {"enum", "write the values, as in open | closed"},
};

static void type_unknown(struct tree_checker *c, const struct tree_type *type)
{
    static const char *const built_in[] = {"bool",     "int", "text",
                                           "optional", "set", "map"};
    struct kan_slice name = type->name.text;
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] =
        "write `record` with its fields, or an enum of two values or more, as "
        "in open | closed";
    size_t i;

    if (map_get(&c->types, name)) {
        source_fault(c->source, type->name.span,
                     "keep the id of the other, as a text; only sagas take "
                     "entities",
                     "%.*s is a type, and a value cannot hold an entity",
                     SLICE_ARG(name));
        return;
    }
    for (i = 0; i < sizeof(built_in) / sizeof(*built_in); i++)
        words.list[words.count++] = built_in[i];
    tree_words_map(c, &words, &c->records);
    tree_words_hint(c, &words, name, hint);
    for (i = 0; i < sizeof(type_elsewhere) / sizeof(*type_elsewhere); i++) {
        if (slice_equal_nocase(name, kan_text(type_elsewhere[i][0])))
            snprintf(hint, sizeof(hint), "%s", type_elsewhere[i][1]);
    }
    source_fault(c->source, type->name.span, hint, "%.*s is not a type",
                 SLICE_ARG(name));
}

enum
{
    FEW = 16 /* names that are compared one by one, without a map */
};

static void check_enum(struct tree_checker *c, struct tree_type *type)
{
    struct map names;
    uint32_t i;
    uint32_t k;

    if (!tree_check_limit(c, type->span, type->name_count, TREE_VALUES_MAX,
                          "values"))
        return;
    tree_check_map(&names);
    for (i = 0; i < type->name_count; i++) {
        if (type->name_count > FEW) {
            tree_check_name(c, &names, &type->names[i], &type->names[i],
                            "value");
            continue;
        }
        for (k = 0; k < i; k++) {
            if (slice_equal(type->names[i].text, type->names[k].text)) {
                tree_check_twice(c, &type->names[i], &type->names[k], "value");
                break;
            }
        }
    }
    map_fini(&names);
}

/* Whether a value may be an element: enums, texts, numbers and truths. */
static bool type_flat(const struct tree_type *type)
{
    return type->kind == TREE_BOOL || type->kind == TREE_INT ||
           type->kind == TREE_TEXT || type->kind == TREE_ENUM;
}

static void check_part(struct tree_checker *c, const struct tree_type *part,
                       bool allowed, const char *what, const char *of)
{
    struct tree_type_words words;

    if (allowed)
        return;
    words = tree_type_words(part);
    source_fault(c->source, part->span,
                 "keep a text or a number that names it, and the rest in a map "
                 "or a type of its own",
                 "%s is %s, not %s", what, of, words.text);
}

static void check_elements(struct tree_checker *c, struct tree_type *type)
{
    const char *what = type->kind == TREE_SET ? "a set" : "a map";

    if (type->size == 0 || type->size > TREE_ELEMENTS_MAX) {
        source_fault(c->source, type->span,
                     "as in set(text(20), 100), or map(text(20), int, 100)",
                     "%s has room for 1 to %d elements, not for %" PRIu32, what,
                     TREE_ELEMENTS_MAX, type->size);
    }
    if (type->kind == TREE_SET) {
        check_part(c, type->of, type_flat(type->of), "an element of a set",
                   "a bool, an int, a text or an enum");
        return;
    }
    check_part(c, type->key, type_flat(type->key), "a key of a map",
               "a bool, an int, a text or an enum");
    check_part(c, type->of,
               type->of->kind != TREE_SET && type->of->kind != TREE_MAP,
               "a value of a map",
               "a bool, an int, a text, an enum, a record or an optional");
}

void tree_check_type(struct tree_checker *c, struct tree_type *type,
                     bool in_record)
{
    switch (type->kind) {
    case TREE_BOOL:
    case TREE_NONE_TYPE:
        break;
    case TREE_INT:
        if (type->min > type->max) {
            source_fault(c->source, type->span,
                         "the smaller number comes first",
                         "no number is in %" PRId64 " .. %" PRId64, type->min,
                         type->max);
        }
        break;
    case TREE_TEXT:
        if (type->size == 0 || type->size > TREE_TEXT_MAX) {
            source_fault(c->source, type->span, "as in text(80)",
                         "a text has room for 1 to %d bytes, not for %" PRIu32,
                         TREE_TEXT_MAX, type->size);
        }
        break;
    case TREE_ENUM:
        check_enum(c, type);
        break;
    case TREE_RECORD:
        type->record = map_get(&c->records, type->name.text);
        if (!type->record)
            type_unknown(c, type);
        break;
    case TREE_OPTIONAL:
        tree_check_type(c, type->of, in_record);
        check_part(c, type->of,
                   type_flat(type->of) || type->of->kind == TREE_RECORD,
                   "an optional",
                   "one of a bool, an int, a text, an enum or a record");
        break;
    case TREE_SET:
    case TREE_MAP:
        if (in_record) {
            source_fault(c->source, type->span,
                         "make it a field of the type, or a map of records",
                         "a record holds no sets and no maps");
        }
        if (type->key)
            tree_check_type(c, type->key, in_record);
        tree_check_type(c, type->of, in_record);
        check_elements(c, type);
        break;
    }
}

/* --- fields --------------------------------------------------------------- */

static bool check_field_name(struct tree_checker *c,
                             const struct tree_field *fields, uint32_t place,
                             struct map *names, const char *what)
{
    uint32_t i;

    if (names) {
        return tree_check_name(c, names, &fields[place].name,
                               (void *)(uintptr_t)&fields[place], what);
    }
    for (i = 0; i < place; i++) {
        if (slice_equal(fields[i].name.text, fields[place].name.text)) {
            tree_check_twice(c, &fields[place].name, &fields[i].name, what);
            return false;
        }
    }
    return true;
}

static bool check_default(struct tree_checker *c, struct tree_field *field)
{
    c->scope = (struct tree_scope){.where = "a default"};
    return tree_check_value(c, field->value, field->type) &&
           tree_check_constant(c, field->value, "a default is a constant");
}

bool tree_check_fields(struct tree_checker *c, struct tree_field *fields,
                       uint32_t count, struct map *names, const char *what)
{
    bool fine = true;
    uint32_t i;

    if (!names &&
        !tree_check_limit(
            c, count ? fields[0].name.span : (struct source_span){0, 0}, count,
            TREE_PARAMETERS_MAX, "parameters"))
        return false;
    for (i = 0; i < count; i++) {
        struct tree_field *field = &fields[i];

        field->place = i;
        if (!check_field_name(c, fields, i, names, what))
            fine = false;
        if (!field->type)
            continue;
        tree_check_type(c, field->type, false);
        if (tree_type_broken(field->type))
            fine = false;
        else if (field->value && !check_default(c, field))
            fine = false;
    }
    return fine;
}

/* --- records -------------------------------------------------------------- */

/* The depth of a record, where it has none. */
enum
{
    RECORD_NEW = 0,
    RECORD_OPEN = TREE_RECORD_DEPTH_MAX + 1, /* being looked at */
    RECORD_WRONG                             /* which was told */
};

static uint8_t record_depth(struct tree_checker *c, struct tree_record *record,
                            unsigned level);

/* The depth of what the field holds. */
static uint8_t field_depth(struct tree_checker *c,
                           const struct tree_record *record,
                           const struct tree_field *field, unsigned level)
{
    const struct tree_type *type = field->type;
    uint8_t depth;

    if (type->kind == TREE_OPTIONAL)
        type = type->of;
    if (type->kind != TREE_RECORD || !type->record)
        return tree_type_broken(type) ? RECORD_WRONG : 0;
    depth = record_depth(c, type->record, level + 1);
    if (depth == RECORD_OPEN) {
        source_fault(c->source, type->span,
                     "keep the other's key, and a map of records in a type",
                     "the record %.*s would hold itself",
                     SLICE_ARG(record->name.text));
    } else if (depth == TREE_RECORD_DEPTH_MAX) {
        source_fault(c->source, type->span,
                     "keep what lies deeper in a map of the type, and its key "
                     "in the record",
                     "records within records go %d deep at most",
                     TREE_RECORD_DEPTH_MAX);
    }
    return depth;
}

/* The depth of the record, from 1, or RECORD_WRONG. It never goes deeper than
 * records may, so neither does the stack. */
static uint8_t record_depth(struct tree_checker *c, struct tree_record *record,
                            unsigned level)
{
    struct tree_record_room *room = &c->rooms[record - c->tree->records];
    struct type_room whole;
    uint8_t depth = 1;
    uint32_t i;

    if (room->depth != RECORD_NEW)
        return room->depth;
    if (level > TREE_RECORD_DEPTH_MAX)
        return TREE_RECORD_DEPTH_MAX;
    room->depth = RECORD_OPEN;
    room->starts = true;
    for (i = 0; i < record->field_count; i++) {
        uint8_t below = field_depth(c, record, &record->fields[i], level);

        if (below >= TREE_RECORD_DEPTH_MAX)
            depth = RECORD_WRONG;
        else if (depth != RECORD_WRONG && below + 1 > depth)
            depth = (uint8_t)(below + 1);
    }
    room->depth = depth;
    room->align = 1;
    if (depth == RECORD_WRONG) {
        c->records_broken = true;
        return depth;
    }
    whole = fields_room(c, record->fields, record->field_count);
    room->size = whole.size;
    room->align = whole.align;
    for (i = 0; i < record->field_count; i++) {
        const struct tree_field *field = &record->fields[i];

        if (!field->value && !tree_type_starts(c, field->type))
            room->starts = false;
    }
    return depth;
}

static void check_record_fields(struct tree_checker *c,
                                struct tree_record *record)
{
    struct map names;
    uint32_t i;

    if (record->field_count == 0) {
        source_fault(c->source, record->name.span,
                     "as in record place { street: text(40) }",
                     "the record %.*s has no fields",
                     SLICE_ARG(record->name.text));
    }
    if (!tree_check_limit(c, record->name.span, record->field_count,
                          TREE_FIELDS_MAX, "fields"))
        record->field_count = TREE_FIELDS_MAX;
    tree_check_map(&names);
    for (i = 0; i < record->field_count; i++) {
        record->fields[i].place = i;
        check_field_name(c, record->fields, i, &names, "field");
        tree_check_type(c, record->fields[i].type, true);
    }
    map_fini(&names);
}

void tree_check_records(struct tree_checker *c)
{
    struct tree *tree = c->tree;
    uint32_t i;
    uint32_t k;

    for (i = 0; i < tree->record_count; i++)
        check_record_fields(c, &tree->records[i]);
    for (i = 0; i < tree->record_count; i++)
        record_depth(c, &tree->records[i], 1);
    for (i = 0; i < tree->record_count; i++) {
        struct tree_record *record = &tree->records[i];

        for (k = 0; k < record->field_count; k++) {
            if (record->fields[k].value &&
                !tree_type_broken(record->fields[k].type))
                check_default(c, &record->fields[k]);
        }
    }
}
