/* generate_c_type.c - types of a contract as structs and enums of C, laid out
 * as program.h says; and what sets and maps can do. */

#include "contract/generate/generate_c.h"

#include <inttypes.h>

/* --- which are one -------------------------------------------------------- */

static bool names_same(const struct tree_type *a, const struct tree_type *b)
{
    uint32_t i;

    if (a->name_count != b->name_count)
        return false;
    for (i = 0; i < a->name_count; i++) {
        if (!slice_equal(a->names[i].text, b->names[i].text))
            return false;
    }
    return true;
}

/* Laid out in the same way: ranges of ints do not count. */
static bool layout_same(const struct tree_type *a, const struct tree_type *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case TREE_TEXT:
        return a->size == b->size;
    case TREE_ENUM:
        return names_same(a, b);
    case TREE_RECORD:
        return a->record == b->record;
    case TREE_OPTIONAL:
        return layout_same(a->of, b->of);
    case TREE_SET:
        return a->size == b->size && layout_same(a->of, b->of);
    case TREE_MAP:
        return a->size == b->size && layout_same(a->key, b->key) &&
               layout_same(a->of, b->of);
    case TREE_BOOL:
    case TREE_INT:
    case TREE_NONE_TYPE:
        break;
    }
    return true;
}

bool gen_holds(const struct tree_type *from, const struct tree_type *to)
{
    return layout_same(from, to) && tree_type_fits(from, to);
}

/* --- names ---------------------------------------------------------------- */

const char *gen_tag(struct gen *g, const struct tree_type *type)
{
    const struct gen_type *known;

    for (known = g->types; known; known = known->next) {
        if (layout_same(known->type, type))
            return known->tag;
    }
    return NULL;
}

static void type_add(struct gen *g, const struct tree_type *type,
                     const char *wanted)
{
    struct gen_type *known = arena_give(&g->arena, sizeof *known);
    uint32_t i;

    if (!known) {
        g->failed = true;
        return;
    }
    known->type = type;
    known->tag = gen_global(g, wanted);
    *g->types_end = known;
    g->types_end = &known->next;
    if (type->kind == TREE_ENUM) {
        for (i = 0; i < type->name_count; i++)
            (void)gen_global(g, gen_constant(g, type, i));
    }
    if (type->kind == TREE_SET || type->kind == TREE_MAP) {
        (void)gen_global(g, gen_words(g, "%s_find", known->tag));
        (void)gen_global(g, gen_words(g, "%s_put", known->tag));
        (void)gen_global(g, gen_words(g, "%s_drop", known->tag));
    }
}

/* What an optional is called by: its value's tag without the entity's name. */
static const char *short_name(struct gen *g, const struct tree_type *type)
{
    const char *tag;

    if (type->kind == TREE_BOOL)
        return "bool";
    if (type->kind == TREE_INT)
        return "int";
    tag = gen_tag(g, type);
    return tag ? tag + strlen(g->name) + 1 : "";
}

static void record_find(struct gen *g, const struct tree_record *record)
{
    uint32_t i;

    for (i = 0; i < record->field_count; i++) {
        (void)gen_type(g, record->fields[i].type,
                       gen_words(g, "%.*s_%.*s", SLICE_ARG(record->name.text),
                                 SLICE_ARG(record->fields[i].name.text)));
    }
}

/* Name the type, and before it what it is made of. */
static void type_find(struct gen *g, const struct tree_type *type,
                      const char *hint)
{
    const char *wanted = gen_words(g, "%s_%s", g->name, hint);

    if (type->kind == TREE_BOOL || type->kind == TREE_INT || gen_tag(g, type))
        return;
    switch (type->kind) {
    case TREE_TEXT:
        wanted = gen_words(g, "%s_text_%" PRIu32, g->name, type->size);
        break;
    case TREE_RECORD:
        record_find(g, type->record);
        wanted = gen_words(g, "%s_%.*s", g->name,
                           SLICE_ARG(type->record->name.text));
        break;
    case TREE_OPTIONAL:
        type_find(g, type->of, hint);
        wanted =
            gen_words(g, "%s_optional_%s", g->name, short_name(g, type->of));
        break;
    case TREE_MAP:
        type_find(g, type->key, gen_words(g, "%s_key", hint));
        type_find(g, type->of, gen_words(g, "%s_value", hint));
        break;
    case TREE_SET:
        type_find(g, type->of, gen_words(g, "%s_value", hint));
        break;
    default:
        break;
    }
    if (!g->failed)
        type_add(g, type, wanted);
}

const char *gen_type(struct gen *g, const struct tree_type *type,
                     const char *hint)
{
    if (type->kind == TREE_BOOL)
        return "bool";
    if (type->kind == TREE_INT)
        return "int64_t";
    type_find(g, type, hint);
    if (g->failed || type->kind == TREE_ENUM)
        return "uint16_t";
    return gen_words(g, "struct %s", gen_tag(g, type));
}

const char *gen_constant(struct gen *g, const struct tree_type *type,
                         uint32_t number)
{
    const char *tag = gen_tag(g, type);

    if (g->failed || !tag)
        return "0";
    return gen_words(
        g, "%s_%s", gen_upper(g, tag),
        gen_upper(g,
                  gen_words(g, "%.*s", SLICE_ARG(type->names[number].text))));
}

const char *gen_parameter(struct gen *g, const struct tree_type *type,
                          const char *name)
{
    const char *space = *name ? " " : "";

    switch (type->kind) {
    case TREE_BOOL:
        return gen_words(g, "bool%s%s", space, name);
    case TREE_INT:
        return gen_words(g, "int64_t%s%s", space, name);
    case TREE_TEXT:
        return gen_words(g, "struct %s_slice%s%s", g->name, space, name);
    case TREE_ENUM:
        return gen_words(g, "enum %s%s%s", gen_tag(g, type), space, name);
    default:
        return gen_words(g, "const struct %s *%s", gen_tag(g, type), name);
    }
}

void gen_types_find(struct gen *g)
{
    const struct tree_entity *entity = g->entity;
    uint32_t i;
    uint32_t k;

    for (i = 0; i < entity->field_count && !g->failed; i++) {
        (void)gen_type(
            g, entity->fields[i].type,
            gen_words(g, "%.*s", SLICE_ARG(entity->fields[i].name.text)));
    }
    for (i = 0; i < entity->step_count && !g->failed; i++) {
        const struct tree_step *step = &entity->steps[i];

        for (k = 0; k < step->parameter_count && !g->failed; k++) {
            (void)gen_type(g, step->parameters[k].type,
                           gen_words(g, "%.*s_%.*s", SLICE_ARG(step->name.text),
                                     SLICE_ARG(step->parameters[k].name.text)));
        }
    }
}

/* --- definitions ---------------------------------------------------------- */

/* "int64_t balance; " and the range behind it. */
static void member_write(struct gen *g, const struct tree_type *type,
                         const char *name)
{
    struct buffer words = BUFFER_INIT;
    const char *is = gen_type(g, type, name);

    tree_type_print(type, &words);
    buffer_print(g->header, "    %s %s;", is, name);
    if (type->kind == TREE_ENUM) {
        buffer_print(g->header, " /* enum %s */", gen_tag(g, type));
    } else if (type->kind == TREE_INT &&
               (type->min != INT64_MIN || type->max != INT64_MAX)) {
        buffer_print(g->header, " /* %" PRId64 " .. %" PRId64 " */", type->min,
                     type->max);
    }
    buffer_append_byte(g->header, '\n');
    if (buffer_failed(&words))
        g->failed = true;
    buffer_fini(&words);
}

static void enum_write(struct gen *g, const struct gen_type *known)
{
    uint32_t i;

    buffer_print(g->header, "enum %s\n{\n", known->tag);
    for (i = 0; i < known->type->name_count; i++) {
        buffer_print(g->header, "    %s%s\n", gen_constant(g, known->type, i),
                     i + 1 < known->type->name_count ? "," : "");
    }
    buffer_append_text(g->header, "};\n\n");
}

static void record_write(struct gen *g, const struct gen_type *known)
{
    const struct tree_record *record = known->type->record;
    uint32_t i;

    buffer_print(g->header, "/* record %.*s */\nstruct %s\n{\n",
                 SLICE_ARG(record->name.text), known->tag);
    for (i = 0; i < record->field_count; i++) {
        member_write(g, record->fields[i].type,
                     gen_member(g, record->fields[i].name.text));
    }
    buffer_append_text(g->header, "};\n\n");
}

/* A key as a parameter: "int64_t key". */
static const char *key_parameter(struct gen *g, const struct tree_type *type)
{
    if (type->kind == TREE_ENUM)
        return "uint16_t key";
    return gen_parameter(g, type, "key");
}

static const struct tree_type *key_of(const struct tree_type *type)
{
    return type->kind == TREE_MAP ? type->key : type->of;
}

static void elements_write(struct gen *g, const struct gen_type *known)
{
    const struct tree_type *type = known->type;
    const char *tag = known->tag;
    const char *key = key_parameter(g, key_of(type));

    buffer_print(g->header, "/* Sorted by %s; zero behind count. */\n",
                 type->kind == TREE_MAP ? "key" : "value");
    buffer_print(g->header, "struct %s\n{\n    uint16_t count;\n", tag);
    if (type->kind == TREE_MAP) {
        buffer_print(g->header,
                     "    struct\n    {\n        %s key;\n        %s value;\n"
                     "    } elements[%" PRIu32 "];\n};\n\n",
                     gen_type(g, type->key, ""), gen_type(g, type->of, ""),
                     type->size);
    } else {
        buffer_print(g->header, "    %s elements[%" PRIu32 "];\n};\n\n",
                     gen_type(g, type->of, ""), type->size);
    }
    buffer_print(g->header,
                 "/* Whether the key is there. *ret_at, unless NULL, is the "
                 "number of its\n * element, or that which it would have. */\n"
                 "bool %s_find(const struct %s *in, %s, uint16_t *ret_at);\n"
                 "/* Put it in%s, unless it is there. false: there is no room. "
                 "*/\n"
                 "bool %s_put(struct %s *in, %s, uint16_t *ret_at);\n"
                 "/* Take it out, if it is there. */\n"
                 "void %s_drop(struct %s *in, %s);\n\n",
                 tag, tag, key,
                 type->kind == TREE_MAP ? ", its value zero" : "", tag, tag,
                 key, tag, tag, key);
}

void gen_types_write(struct gen *g)
{
    const struct gen_type *known;

    for (known = g->types; known && !g->failed; known = known->next) {
        const struct tree_type *type = known->type;

        switch (type->kind) {
        case TREE_TEXT:
            buffer_print(g->header,
                         "/* A text, zero behind its size. */\nstruct %s\n{\n"
                         "    uint16_t size;\n    char bytes[%" PRIu32
                         "];\n};\n\n",
                         known->tag, type->size);
            break;
        case TREE_ENUM:
            enum_write(g, known);
            break;
        case TREE_RECORD:
            record_write(g, known);
            break;
        case TREE_OPTIONAL:
            buffer_print(g->header,
                         "/* All zero unless there. */\nstruct %s\n{\n"
                         "    %s value;\n    bool there;\n};\n\n",
                         known->tag, gen_type(g, type->of, ""));
            break;
        case TREE_SET:
        case TREE_MAP:
            elements_write(g, known);
            break;
        default:
            break;
        }
    }
}

/* --- what sets and maps can do -------------------------------------------- */

static void find_write(struct gen *g, const struct gen_type *known)
{
    const struct tree_type *key = key_of(known->type);
    const char *at = known->type->kind == TREE_MAP ? "in->elements[middle].key"
                                                   : "in->elements[middle]";
    const char *order =
        key->kind == TREE_TEXT
            ? gen_words(g, "%s_text_order(%s_text_of(%s.bytes, %s.size), key)",
                        g->name, g->name, at, at)
            : gen_words(g, "(%s > key) - (%s < key)", at, at);

    buffer_print(g->source,
                 "bool %s_find(const struct %s *in, %s, uint16_t *ret_at)\n{\n"
                 "    uint16_t low = 0;\n    uint16_t high = in->count;\n"
                 "    bool there = false;\n\n"
                 "    while (low < high && !there) {\n"
                 "        uint16_t middle = (uint16_t)((low + high) / 2);\n"
                 "        int order = %s;\n\n"
                 "        there = order == 0;\n"
                 "        if (order < 0)\n"
                 "            low = (uint16_t)(middle + 1);\n"
                 "        else\n"
                 "            high = middle;\n"
                 "    }\n"
                 "    if (ret_at)\n        *ret_at = there ? high : low;\n"
                 "    return there;\n}\n\n",
                 known->tag, known->tag, key_parameter(g, key), order);
}

static void put_write(struct gen *g, const struct gen_type *known)
{
    const struct tree_type *key = key_of(known->type);
    const char *at = known->type->kind == TREE_MAP ? "in->elements[at].key"
                                                   : "in->elements[at]";

    buffer_print(
        g->source,
        "bool %s_put(struct %s *in, %s, uint16_t *ret_at)\n{\n"
        "    uint16_t at = 0;\n    bool there = %s_find(in, key, &at);\n\n"
        "    if (ret_at)\n        *ret_at = at;\n"
        "    if (there)\n        return true;\n"
        "    if (in->count >= %" PRIu32
        ")\n        return false;\n"
        "    memmove(in->elements + at + 1, in->elements + at,\n"
        "            (size_t)(in->count - at) * sizeof in->elements[0]);\n"
        "    memset(in->elements + at, 0, sizeof in->elements[0]);\n",
        known->tag, known->tag, key_parameter(g, key), known->tag,
        known->type->size);
    if (key->kind == TREE_TEXT) {
        buffer_print(
            g->source,
            "    %s.size = %s_text_put(%s.bytes, sizeof %s.bytes, key);\n", at,
            g->name, at, at);
    } else {
        buffer_print(g->source, "    %s = key;\n", at);
    }
    buffer_append_text(g->source, "    in->count++;\n    return true;\n}\n\n");
}

void gen_helpers_write(struct gen *g)
{
    const struct gen_type *known;

    for (known = g->types; known && !g->failed; known = known->next) {
        if (known->type->kind != TREE_SET && known->type->kind != TREE_MAP)
            continue;
        find_write(g, known);
        put_write(g, known);
        buffer_print(
            g->source,
            "void %s_drop(struct %s *in, %s)\n{\n    uint16_t at = 0;\n\n"
            "    if (!%s_find(in, key, &at))\n        return;\n"
            "    in->count--;\n"
            "    memmove(in->elements + at, in->elements + at + 1,\n"
            "            (size_t)(in->count - at) * sizeof in->elements[0]);\n"
            "    memset(in->elements + in->count, 0, sizeof in->elements[0]);\n"
            "}\n\n",
            known->tag, known->tag, key_parameter(g, key_of(known->type)),
            known->tag);
    }
}
