/* generate_c_state.c - a struct for each state, and on it the steps that its
 * guards allow there. Which function a step is, is told by the pointer's type:
 * by _Generic in C, by overloading in C++. */

#include "contract/generate/generate_c.h"

#include <inttypes.h>

static const struct kan_slice nothing;

static struct kan_slice value_name(const struct gen *g, uint32_t value)
{
    return g->states.field->type->names[value].text;
}

static struct kan_slice step_name(const struct gen *g, uint32_t step)
{
    return g->entity->steps[step].name.text;
}

void gen_states_find(struct gen *g)
{
    uint32_t i;

    states_find(g->entity, &g->states);
    if (!g->states.field)
        return;
    for (i = 0; i < g->states.count; i++) {
        g->state_tags[i] = gen_global_tag(
            g, gen_words(g, "%s_%.*s", g->name, SLICE_ARG(value_name(g, i))));
    }
    g->any = gen_global_tag(g, gen_words(g, "%s_any", g->name));
}

/* What a step does to the type of its entity. */
struct way
{
    bool there; /* the step can be taken in that state */
    bool same;  /* and ends in it */
    const char *to;
    const char *function;
};

static struct way way_of(struct gen *g, uint32_t step, uint32_t value)
{
    struct states_set after =
        states_after(&g->states, &g->entity->steps[step], value);
    uint32_t count = states_count(&after);
    struct way way = {.there = count > 0};

    if (!way.there)
        return way;
    way.same = count == 1 && states_has(&after, value);
    way.to = count == 1 ? g->state_tags[states_only(&after)] : g->any;
    way.function = gen_words(g, "%s_%.*s", g->state_tags[value],
                             SLICE_ARG(step_name(g, step)));
    return way;
}

/* "struct account_open *from, struct account_frozen *to" */
static const char *way_first(struct gen *g, const struct way *way,
                             uint32_t value)
{
    if (way->same)
        return gen_words(g, "struct %s *from", g->state_tags[value]);
    return gen_words(g, "struct %s *from, struct %s *to", g->state_tags[value],
                     way->to);
}

/* ", amount, now_ms, why)" */
static const char *arguments_pass(struct gen *g, uint32_t step)
{
    const char *words = "";
    uint32_t i;

    for (i = 0; i < g->entity->steps[step].parameter_count; i++)
        words = gen_words(g, "%s, %s", words, g->parameters[i]);
    return gen_words(g, "%s%s%s, why)", words,
                     g->uses_now[step] ? ", now_ms" : "",
                     g->uses_id[step] ? ", id" : "");
}

/* --- the source ----------------------------------------------------------- */

static void way_define(struct gen *g, uint32_t step, uint32_t value,
                       const struct way *way, uint32_t reason)
{
    const char *member = g->members[g->states.field->place];
    const char *is = gen_constant(g, g->states.field->type, value);

    gen_step_begin(g, step);
    buffer_print(
        g->source, "%s\n{\n",
        gen_step_head(g, step, way->function, way_first(g, way, value)));
    g->out = g->source;
    g->depth = 1;
    if (!way->same)
        gen_line(g, "enum %s_refusal refused;\n", g->name);
    gen_line(g, "if (from->is.%s != %s)", member, is);
    gen_line(g, "    return %s_refused(why, %" PRIu32 ", 0);", g->name, reason);
    if (way->same) {
        gen_line(g, "return %s(&from->is%s;", g->steps[step],
                 arguments_pass(g, step));
    } else {
        gen_line(g, "refused = %s(&from->is%s;", g->steps[step],
                 arguments_pass(g, step));
        gen_line(g, "if (refused != %s_TAKEN)", g->upper);
        gen_line(g, "    return refused;");
        gen_line(g, "memmove(&to->is, &from->is, sizeof to->is);");
        gen_line(g, "if ((void *)to != (void *)from)");
        gen_line(g, "    from->is.%s = UINT16_MAX; /* it moved on */", member);
        gen_line(g, "return %s_TAKEN;", g->upper);
    }
    buffer_append_text(g->source, "}\n\n");
}

void gen_states_define(struct gen *g)
{
    uint32_t value;
    uint32_t i;

    if (!g->states.field)
        return;
    for (value = 0; value < g->states.count && !g->failed; value++) {
        uint32_t reason =
            gen_reason(g, PROGRAM_LENGTH + 2,
                       gen_words(g, "%.*s", SLICE_ARG(value_name(g, value))),
                       nothing, g->states.field->name.span, 0, 0);

        buffer_print(g->source,
                     "bool %s_as_%.*s(struct %s *entity, struct %s "
                     "**ret_entity)\n{\n    if (entity->%s != %s)\n"
                     "        return false;\n"
                     "    *ret_entity = (struct %s *)entity;\n"
                     "    return true;\n}\n\n",
                     g->name, SLICE_ARG(value_name(g, value)), g->name,
                     g->state_tags[value], g->members[g->states.field->place],
                     gen_constant(g, g->states.field->type, value),
                     g->state_tags[value]);
        for (i = 0; i < g->entity->step_count && !g->failed; i++) {
            struct way way = way_of(g, i, value);

            if (way.there)
                way_define(g, i, value, &way, reason);
        }
    }
}

/* --- the header ----------------------------------------------------------- */

static void structs_declare(struct gen *g)
{
    uint32_t start = states_start(&g->states);
    uint32_t i;

    buffer_print(
        g->header,
        "/* The states, by %s. A step that ends in another state leaves the "
        "entity in *to,\n * and *from is not to be used any more; the two may "
        "be one place. From \"any\",\n * ask which it is. */\n",
        g->members[g->states.field->place]);
    for (i = 0; i < g->states.count; i++)
        buffer_print(g->header, "struct %s\n{\n    struct %s is;\n};\n\n",
                     g->state_tags[i], g->name);
    buffer_print(g->header, "struct %s\n{\n    struct %s is;\n};\n\n", g->any,
                 g->name);
    buffer_print(g->header,
                 "static inline void %s_start(struct %s *entity)\n{\n"
                 "    %s_start(&entity->is);\n}\n\n"
                 "/* Whether it is in that state; then *ret_entity is the same "
                 "place. */\n",
                 g->state_tags[start], g->state_tags[start], g->name);
    for (i = 0; i < g->states.count; i++)
        buffer_print(g->header,
                     "bool %s_as_%.*s(struct %s *entity, struct %s "
                     "**ret_entity);\n",
                     g->name, SLICE_ARG(value_name(g, i)), g->name,
                     g->state_tags[i]);
    buffer_append_byte(g->header, '\n');
}

/* "deposit: only of struct account_open *" */
static const char *needs(struct gen *g, uint32_t step)
{
    const char *words = NULL;
    uint32_t value;

    for (value = 0; value < g->states.count; value++) {
        if (!way_of(g, step, value).there)
            continue;
        words = gen_words(g, "%s%s%.*s", words ? words : "",
                          words ? " or " : "", SLICE_ARG(value_name(g, value)));
    }
    return gen_words(g, "%.*s needs %.*s that is %s",
                     SLICE_ARG(step_name(g, step)),
                     SLICE_ARG(g->entity->name.text), words ? words : "");
}

static void choice_declare(struct gen *g, uint32_t step, const char *name)
{
    const char *last = "";
    uint32_t value;

    buffer_print(g->header,
                 "#define %s(from, ...) \\\n"
                 "    ((void)sizeof(struct { static_assert(_Generic((from)",
                 name);
    for (value = 0; value < g->states.count; value++) {
        if (way_of(g, step, value).there)
            buffer_print(g->header, ", \\\n            struct %s *: 1",
                         g->state_tags[value]);
    }
    buffer_print(g->header,
                 ", default: 0), \\\n"
                 "        \"%s\"); int checked; }), \\\n"
                 "     _Generic((from)",
                 needs(g, step));
    for (value = 0; value < g->states.count; value++) {
        struct way way = way_of(g, step, value);

        if (!way.there)
            continue;
        last = way.function;
        buffer_print(g->header, ", \\\n        struct %s *: %s",
                     g->state_tags[value], way.function);
    }
    buffer_print(g->header,
                 ", \\\n        default: %s)(from, __VA_ARGS__))\n\n", last);
}

static void overload_declare(struct gen *g, uint32_t step, const char *name)
{
    uint32_t value;

    for (value = 0; value < g->states.count && !g->failed; value++) {
        struct way way = way_of(g, step, value);

        if (!way.there)
            continue;
        gen_step_begin(g, step);
        buffer_print(g->header, "inline %s\n{\n    return %s(from%s%s;\n}\n\n",
                     gen_step_head(g, step, name, way_first(g, &way, value)),
                     way.function, way.same ? "" : ", to",
                     arguments_pass(g, step));
    }
}

void gen_states_declare(struct gen *g)
{
    const char *names[TREE_STEPS_MAX] = {NULL};
    uint32_t value;
    uint32_t i;

    if (!g->states.field)
        return;
    structs_declare(g);
    for (value = 0; value < g->states.count && !g->failed; value++) {
        for (i = 0; i < g->entity->step_count && !g->failed; i++) {
            struct way way = way_of(g, i, value);

            if (!way.there)
                continue;
            gen_step_begin(g, i);
            buffer_print(
                g->header, "%s;\n",
                gen_step_head(g, i, way.function, way_first(g, &way, value)));
            if (!names[i])
                names[i] =
                    gen_global_macro(g, gen_words(g, "%s_%.*s", g->name,
                                                  SLICE_ARG(step_name(g, i))));
        }
        buffer_append_byte(g->header, '\n');
    }
    buffer_append_text(
        g->header,
        "/* The same by the step's name alone: the type of the pointer says "
        "which is meant,\n * and what the state forbids does not compile. "
        "*/\n#ifdef __cplusplus\n}\n\n"
        "#if defined(__GNUC__)\n#pragma GCC diagnostic push\n"
        "#pragma GCC diagnostic ignored \"-Wshadow\"\n#endif\n\n");
    for (i = 0; i < g->entity->step_count && !g->failed; i++) {
        if (names[i])
            overload_declare(g, i, names[i]);
    }
    buffer_append_text(g->header,
                       "#if defined(__GNUC__)\n#pragma GCC diagnostic pop\n"
                       "#endif\n\nextern \"C\" {\n#else\n");
    for (i = 0; i < g->entity->step_count && !g->failed; i++) {
        if (names[i])
            choice_declare(g, i, names[i]);
    }
    buffer_append_text(g->header, "#endif\n\n");
}
