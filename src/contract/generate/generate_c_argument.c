/* generate_c_argument.c - what a caller gives: checked against the range of its
 * type, and copied where it is a struct. */

#include "contract/generate/generate_c.h"

#include <inttypes.h>

static const struct kan_slice nothing;

static void argument_refuse(struct gen *g, const char *condition,
                            const struct tree_field *field)
{
    int64_t min = field->type->kind == TREE_INT ? field->type->min : 0;
    int64_t max = field->type->kind == TREE_INT ? field->type->max : 0;

    gen_refuse(g, condition,
               gen_reason(g, PROGRAM_LENGTH + 1,
                          gen_words(g, "%.*s", SLICE_ARG(field->name.text)),
                          nothing, field->name.span, min, max),
               NULL);
}

static void argument_int(struct gen *g, const struct tree_type *type,
                         const char *from, const struct tree_field *field)
{
    const char *low = gen_words(g, "%s < %s", from, gen_number(g, type->min));
    const char *high = gen_words(g, "%s > %s", from, gen_number(g, type->max));

    if (type->min == INT64_MIN && type->max == INT64_MAX)
        return;
    if (type->min == INT64_MIN)
        argument_refuse(g, high, field);
    else if (type->max == INT64_MAX)
        argument_refuse(g, low, field);
    else
        argument_refuse(g, gen_words(g, "%s || %s", low, high), field);
}

static void argument_take(struct gen *g, const struct tree_type *type,
                          const char *from, const char *to,
                          const struct tree_field *field);

/* Elements must be sorted, each once. */
static void argument_elements(struct gen *g, const struct tree_type *type,
                              const char *from, const char *to,
                              const struct tree_field *field)
{
    const struct tree_type *key = type->kind == TREE_MAP ? type->key : type->of;
    const char *at = gen_words(g, "t%u", ++g->temps);
    const char *member = type->kind == TREE_MAP ? ".key" : "";
    const char *one = gen_words(g, "%s.elements[%s]%s", to, at, member);
    const char *last = gen_words(g, "%s.elements[%s - 1]%s", to, at, member);

    argument_refuse(g, gen_words(g, "%s.count > %" PRIu32, from, type->size),
                    field);
    gen_line(g, "for (uint16_t %s = 0; %s < %s.count; %s++) {", at, at, from,
             at);
    g->depth++;
    argument_take(g, key, gen_words(g, "%s.elements[%s]%s", from, at, member),
                  one, field);
    if (key->kind == TREE_TEXT) {
        argument_refuse(
            g,
            gen_words(g,
                      "%s > 0 && %s_text_order(%s_text_of(%s.bytes, %s.size), "
                      "%s_text_of(%s.bytes, %s.size)) >= 0",
                      at, g->name, g->name, last, last, g->name, one, one),
            field);
    } else {
        argument_refuse(g, gen_words(g, "%s > 0 && %s >= %s", at, last, one),
                        field);
    }
    if (type->kind == TREE_MAP) {
        argument_take(g, type->of,
                      gen_words(g, "%s.elements[%s].value", from, at),
                      gen_words(g, "%s.elements[%s].value", to, at), field);
    }
    g->depth--;
    gen_line(g, "}");
    gen_line(g, "%s.count = %s.count;", to, from);
}

/* Check what a caller gave, and copy it to a zeroed place, so that what pads it
 * is zero there. */
static void argument_take(struct gen *g, const struct tree_type *type,
                          const char *from, const char *to,
                          const struct tree_field *field)
{
    uint32_t i;

    switch (type->kind) {
    case TREE_BOOL:
        gen_line(g, "%s = %s;", to, from);
        break;
    case TREE_INT:
        argument_int(g, type, from, field);
        gen_line(g, "%s = %s;", to, from);
        break;
    case TREE_ENUM:
        argument_refuse(
            g, gen_words(g, "%s >= %" PRIu32, from, type->name_count), field);
        gen_line(g, "%s = %s;", to, from);
        break;
    case TREE_TEXT:
        argument_refuse(g, gen_words(g, "%s.size > %" PRIu32, from, type->size),
                        field);
        gen_line(g, "%s.size = %s_text_put(%s.bytes, sizeof %s.bytes,", to,
                 g->name, to, to);
        gen_line(g, "    %s_text_of(%s.bytes, %s.size));", g->name, from, from);
        break;
    case TREE_OPTIONAL:
        gen_line(g, "if (%s.there) {", from);
        g->depth++;
        argument_take(g, type->of, gen_words(g, "%s.value", from),
                      gen_words(g, "%s.value", to), field);
        gen_line(g, "%s.there = true;", to);
        g->depth--;
        gen_line(g, "}");
        break;
    case TREE_RECORD:
        for (i = 0; i < type->record->field_count && !g->failed; i++) {
            const struct tree_field *inner = &type->record->fields[i];
            const char *name = gen_member(g, inner->name.text);

            argument_take(g, inner->type, gen_words(g, "%s.%s", from, name),
                          gen_words(g, "%s.%s", to, name), field);
        }
        break;
    case TREE_SET:
    case TREE_MAP:
        argument_elements(g, type, from, to, field);
        break;
    case TREE_NONE_TYPE:
        break;
    }
}

/* A parameter that is a struct: checked, and from here on a variable. */
static void argument_whole(struct gen *g, const struct tree_field *field,
                           const char **parameter)
{
    const char *temp = gen_temp(g, field->type, true);
    const char *from = gen_words(g, "(*%s)", *parameter);

    if (field->type->kind == TREE_OPTIONAL) {
        gen_line(g, "if (%s != NULL) {", *parameter);
        g->depth++;
    } else {
        argument_refuse(g, gen_words(g, "%s == NULL", *parameter), field);
    }
    argument_take(g, field->type, from, temp, field);
    if (field->type->kind == TREE_OPTIONAL) {
        g->depth--;
        gen_line(g, "}");
    }
    *parameter = temp;
}

void gen_arguments_check(struct gen *g)
{
    uint32_t i;

    for (i = 0; i < g->step->parameter_count && !g->failed; i++) {
        const struct tree_field *field = &g->step->parameters[i];
        const char **name = &g->parameters[i];

        switch (field->type->kind) {
        case TREE_BOOL:
            break;
        case TREE_INT:
            argument_int(g, field->type, *name, field);
            break;
        case TREE_ENUM:
            argument_refuse(g,
                            gen_words(g, "(uint32_t)%s >= %" PRIu32, *name,
                                      field->type->name_count),
                            field);
            break;
        case TREE_TEXT:
            argument_refuse(
                g, gen_words(g, "%s.size > %" PRIu32, *name, field->type->size),
                field);
            break;
        default:
            argument_whole(g, field, name);
            break;
        }
    }
}
