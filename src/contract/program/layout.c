/* layout.c - types of the tree to numbered types, laid out in memory as
 * program.h says. Types that mean the same have one number. */

#include "contract/program/compile.h"

struct program_type *compile_type_of(struct compile *c, uint32_t type)
{
    return COMPILE_ITEM(c, types, struct program_type, type);
}

static uint32_t round_up(uint32_t size, uint32_t align)
{
    return (size + align - 1) & ~(align - 1);
}

static uint32_t type_add(struct compile *c, const struct program_type *type,
                         struct source_span span)
{
    struct program_type *place;
    uint32_t *start;
    uint32_t number = 0;

    if (c->types.count >= PROGRAM_TYPES_MAX) {
        compile_full(c, span, "the version has too many types");
        return 0;
    }
    place = compile_add(c, &c->types, &number);
    start = compile_add(c, &c->starts, NULL);
    if (!place || !start)
        return 0;
    *place = *type;
    *start = PROGRAM_NOTHING;
    return number;
}

static bool names_equal(const struct compile *c, const struct program_type *a,
                        const struct tree_type *b)
{
    uint32_t i;

    if (a->member_count != b->name_count)
        return false;
    for (i = 0; i < a->member_count; i++) {
        const struct program_inside_member *member = COMPILE_ITEM(
            c, members, struct program_inside_member, a->member_first + i);
        struct kan_slice name =
            kan_slice(c->data.bytes + member->name.at - sizeof(struct program),
                      member->name.size);

        if (!slice_equal(name, b->names[i].text))
            return false;
    }
    return true;
}

/* A type of the same meaning, or NOTHING. of and key are compiled already. */
static uint32_t type_find(const struct compile *c,
                          const struct program_type *type,
                          const struct tree_type *tree)
{
    uint32_t i;

    for (i = 0; i < c->types.count; i++) {
        const struct program_type *other =
            COMPILE_ITEM(c, types, struct program_type, i);

        if (other->kind != type->kind || type->kind == TREE_RECORD)
            continue;
        if (type->kind == TREE_ENUM) {
            if (names_equal(c, other, tree))
                return i;
        } else if (other->min == type->min && other->max == type->max &&
                   other->bound == type->bound && other->of == type->of &&
                   other->key == type->key) {
            return i;
        }
    }
    return PROGRAM_NOTHING;
}

static void enum_names(struct compile *c, struct program_type *type,
                       const struct tree_type *tree)
{
    uint32_t i;

    type->member_first = c->members.count;
    type->member_count = tree->name_count;
    for (i = 0; i < tree->name_count; i++) {
        struct program_words name = compile_words(c, tree->names[i].text);
        struct program_inside_member *member =
            compile_add(c, &c->members, NULL);

        if (member)
            member->name = name;
    }
}

/* The elements of a set, or a map's keys and values as a struct. */
static void elements_layout(struct compile *c, struct program_type *type)
{
    const struct program_type *of = compile_type_of(c, type->of);
    uint32_t align = of->align;
    uint32_t size = of->size;

    if (type->kind == TREE_MAP) {
        const struct program_type *key = compile_type_of(c, type->key);

        align = key->align > of->align ? key->align : of->align;
        type->value = round_up(key->size, of->align);
        size = type->value + of->size;
    }
    type->stride = round_up(size, align);
    type->align = align > 2 ? align : 2;
    type->first = round_up(2, align);
}

/* Size and alignment; false when it is larger than a state may be. */
static bool type_layout(struct compile *c, struct program_type *type)
{
    uint64_t size = 0;

    switch (type->kind) {
    case TREE_BOOL:
        type->align = 1;
        size = 1;
        break;
    case TREE_INT:
        type->align = 8;
        size = 8;
        break;
    case TREE_TEXT:
        type->align = 2;
        size = round_up(2 + type->bound, 2);
        break;
    case TREE_ENUM:
        type->align = 2;
        size = 2;
        break;
    case TREE_OPTIONAL:
        type->align = compile_type_of(c, type->of)->align;
        size = round_up(compile_type_of(c, type->of)->size + 1, type->align);
        break;
    case TREE_SET:
    case TREE_MAP:
        elements_layout(c, type);
        size = type->first + (uint64_t)type->stride * type->bound;
        size = (size + type->align - 1) & ~((uint64_t)type->align - 1);
        break;
    case TREE_RECORD:
    case TREE_NONE_TYPE:
        break;
    }
    type->size = (uint32_t)size;
    return size <= TREE_STATE_BYTES_MAX;
}

static uint32_t record_type(struct compile *c, const struct tree_type *tree)
{
    const struct tree_record *record = tree->record;
    struct compile_record *known;
    uint32_t type;
    uint32_t i;

    for (i = 0; i < c->records.count; i++) {
        known = COMPILE_ITEM(c, records, struct compile_record, i);
        if (known->record == record)
            return known->type;
    }
    type = compile_fields(c, record->fields, record->field_count,
                          record->name.span, false);
    known = compile_add(c, &c->records, NULL);
    if (known) {
        known->record = record;
        known->type = type;
    }
    return type;
}

uint32_t compile_type(struct compile *c, const struct tree_type *tree)
{
    struct program_type type = {.kind = tree->kind};
    uint32_t found;

    if (c->err != KAN_OK)
        return 0;
    if (tree->kind == TREE_RECORD)
        return record_type(c, tree);
    if (tree->kind == TREE_INT) {
        type.min = tree->min;
        type.max = tree->max;
    }
    if (tree->kind == TREE_TEXT || tree->kind == TREE_SET ||
        tree->kind == TREE_MAP)
        type.bound = tree->size;
    if (tree->kind == TREE_OPTIONAL || tree->kind == TREE_SET ||
        tree->kind == TREE_MAP)
        type.of = compile_type(c, tree->of);
    if (tree->kind == TREE_MAP)
        type.key = compile_type(c, tree->key);
    if (c->err != KAN_OK)
        return 0;
    found = type_find(c, &type, tree);
    if (found != PROGRAM_NOTHING)
        return found;
    if (tree->kind == TREE_ENUM)
        enum_names(c, &type, tree);
    if (c->err == KAN_OK && !type_layout(c, &type)) {
        compile_full(c, tree->span, "the type is too large");
        return 0;
    }
    return type_add(c, &type, tree->span);
}

/* --- records -------------------------------------------------------------- */

/* An entity, as a saga's parameter, is its id: a text. */
static uint32_t field_type(struct compile *c, const struct tree_field *field)
{
    struct tree_type id = {.kind = TREE_TEXT,
                           .span = field->name.span,
                           .size = COMPILE_ENTITY_ID_MAX};

    return compile_type(c, field->type ? field->type : &id);
}

void compile_reserve_state(struct compile *c)
{
    struct program_type type = {.kind = TREE_RECORD, .align = 1};
    struct source_span span = {0, 0};

    (void)type_add(c, &type, span);
}

/* Give the members their places, and the record its size. */
static void members_layout(struct compile *c, struct program_type *record,
                           const struct tree_field *fields,
                           const uint32_t *types, struct source_span span)
{
    uint64_t size = 0;
    uint32_t i;

    record->member_first = c->members.count;
    record->align = 1;
    for (i = 0; i < record->member_count && c->err == KAN_OK; i++) {
        const struct program_type *type = compile_type_of(c, types[i]);
        struct program_words name = compile_words(c, fields[i].name.text);
        struct program_inside_member *member =
            compile_add(c, &c->members, NULL);

        if (!member)
            return;
        size = (size + type->align - 1) & ~((uint64_t)type->align - 1);
        member->name = name;
        member->type = types[i];
        member->offset = (uint32_t)size;
        member->has_default = fields[i].value != NULL;
        size += type->size;
        if (record->align < type->align)
            record->align = type->align;
        if (size > TREE_STATE_BYTES_MAX) {
            compile_full(c, span, "the fields together are too large");
            return;
        }
    }
    record->size = round_up((uint32_t)size, record->align);
}

/* Whether a value of all zeros is not what a field begins with. */
static bool field_starts(struct compile *c, const struct tree_field *field,
                         uint32_t type)
{
    return field->value ||
           *COMPILE_ITEM(c, starts, uint32_t, type) != PROGRAM_NOTHING;
}

/* The code that fills the image of a record's defaults. */
static uint32_t image_code(struct compile *c, const struct tree_field *fields,
                           uint32_t number)
{
    const struct compile_scope scope = {.parameters = PROGRAM_NOTHING,
                                        .old = PROGRAM_NOTHING,
                                        .step = PROGRAM_NOTHING};
    const struct program_type type = *compile_type_of(c, number);
    uint32_t code = compile_begin(c, &scope);
    uint32_t i;

    for (i = 0; i < type.member_count && c->err == KAN_OK; i++) {
        const struct program_inside_member member = *COMPILE_ITEM(
            c, members, struct program_inside_member, type.member_first + i);
        struct compile_goal goal = {.type = member.type,
                                    .reg = MACHINE_RESULT,
                                    .offset = member.offset,
                                    .name = member.name,
                                    .span = fields[i].name.span};
        uint32_t start = *COMPILE_ITEM(c, starts, uint32_t, member.type);

        c->registers = MACHINE_FIRST;
        c->temps = 0;
        if (fields[i].value) {
            goal.span = fields[i].value->span;
            compile_into(c, fields[i].value, goal);
        } else if (start != PROGRAM_NOTHING) {
            compile_put(c,
                        compile_value_at(c, member.type, MACHINE_BLOCK, start),
                        goal);
        }
    }
    compile_emit(c, MACHINE_END, 0, 0, 0);
    return code;
}

static void image_add(struct compile *c, const struct tree_field *fields,
                      uint32_t number, struct source_span span)
{
    uint32_t at = compile_data(c, NULL, compile_type_of(c, number)->size, 16);
    struct compile_image *image = compile_add(c, &c->images, NULL);

    if (!image)
        return;
    *COMPILE_ITEM(c, starts, uint32_t, number) = at;
    image->fields = fields;
    image->type = number;
    image->at = at;
    image->span = span;
}

void compile_images(struct compile *c)
{
    uint32_t i;

    /* Compiling one may add another behind. */
    for (i = 0; i < c->images.count && c->err == KAN_OK; i++) {
        const struct compile_image image =
            *COMPILE_ITEM(c, images, struct compile_image, i);
        uint32_t code = image_code(c, image.fields, image.type);

        if (c->err == KAN_OK)
            COMPILE_ITEM(c, images, struct compile_image, i)->code = code;
    }
}

uint32_t compile_fields(struct compile *c, const struct tree_field *fields,
                        uint32_t count, struct source_span span, bool state)
{
    struct program_type record = {.kind = TREE_RECORD, .member_count = count};
    uint32_t types[TREE_FIELDS_MAX];
    uint32_t number = 0;
    bool starts = false;
    uint32_t i;

    if (count > TREE_FIELDS_MAX) {
        compile_full(c, span, "there are too many fields");
        return 0;
    }
    for (i = 0; i < count && c->err == KAN_OK; i++) {
        types[i] = field_type(c, &fields[i]);
        starts = starts ||
                 (c->err == KAN_OK && field_starts(c, &fields[i], types[i]));
    }
    if (c->err == KAN_OK)
        members_layout(c, &record, fields, types, span);
    if (c->err != KAN_OK)
        return 0;
    if (state)
        *compile_type_of(c, 0) = record;
    else
        number = type_add(c, &record, span);
    if (starts && c->err == KAN_OK)
        image_add(c, fields, number, span);
    return number;
}
