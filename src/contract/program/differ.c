/* differ.c - two texts of one version side by side. What counts is what
 * meaning.c says: parts are compared by the bytes of their meaning. */

#include "contract/program/differ.h"

#include "contract/program/compile.h"

/* --- names and their order ------------------------------------------------ */

typedef struct kan_slice name_of(const struct tree_entity *entity,
                                 uint32_t number);

struct names
{
    const char *noun;
    uint32_t was_count;
    uint32_t is_count;
    name_of *name;
};

static struct kan_slice field_name(const struct tree_entity *entity,
                                   uint32_t number)
{
    return entity->fields[number].name.text;
}

static struct kan_slice step_name(const struct tree_entity *entity,
                                  uint32_t number)
{
    return entity->steps[number].name.text;
}

static bool has_name(const struct tree_entity *entity, uint32_t count,
                     name_of *name, struct kan_slice wanted)
{
    for (uint32_t i = 0; i < count; i++) {
        if (slice_equal(name(entity, i), wanted))
            return true;
    }
    return false;
}

/* Whether one is missing, new, or elsewhere. */
static bool names_differ(const struct program_told *was,
                         const struct program_told *is,
                         const struct names *names, struct buffer *out)
{
    for (uint32_t i = 0; i < names->was_count; i++) {
        struct kan_slice name = names->name(was->entity, i);
        if (has_name(is->entity, names->is_count, names->name, name))
            continue;
        buffer_print(out, "the %s %.*s is missing", names->noun,
                     SLICE_ARG(name));
        return true;
    }
    for (uint32_t i = 0; i < names->is_count; i++) {
        struct kan_slice name = names->name(is->entity, i);
        if (!has_name(was->entity, names->was_count, names->name, name)) {
            buffer_print(out, "the %s %.*s is new", names->noun,
                         SLICE_ARG(name));
            return true;
        }
        if (i < names->was_count &&
            !slice_equal(name, names->name(was->entity, i))) {
            buffer_print(out, "the %s %.*s stands where %.*s stood",
                         names->noun, SLICE_ARG(name),
                         SLICE_ARG(names->name(was->entity, i)));
            return true;
        }
    }
    return false;
}

/* --- parts ---------------------------------------------------------------- */

/* Ends both; two that could not be written for want of memory are the same:
 * less is told then. */
static bool bytes_differ(struct buffer *a, struct buffer *b)
{
    bool differ = !buffer_failed(a) && !buffer_failed(b) &&
                  !slice_equal(buffer_slice(a), buffer_slice(b));

    buffer_fini(a);
    buffer_fini(b);
    return differ;
}

static bool exprs_differ(const struct tree_expr *was,
                         const struct tree_expr *is)
{
    struct buffer a = BUFFER_INIT;
    struct buffer b = BUFFER_INIT;

    compile_meaning_expr(was, &a);
    compile_meaning_expr(is, &b);
    return bytes_differ(&a, &b);
}

static bool field_differs(const struct program_told *was,
                          const struct program_told *is, uint32_t number,
                          struct buffer *out)
{
    const struct tree_field *before = &was->entity->fields[number];
    const struct tree_field *after = &is->entity->fields[number];
    struct buffer a = BUFFER_INIT;
    struct buffer b = BUFFER_INIT;

    compile_meaning_field(was->program, number, &a);
    compile_meaning_field(is->program, number, &b);
    if (!bytes_differ(&a, &b))
        return false;
    tree_type_print(before->type, &a);
    tree_type_print(after->type, &b);
    buffer_print(out, "the field %.*s ", SLICE_ARG(after->name.text));
    if (slice_equal(buffer_slice(&a), buffer_slice(&b)))
        buffer_append_text(out, "has another default, or a record in it does");
    else
        buffer_print(out, "was %s, and is %s", buffer_text(&a),
                     buffer_text(&b));
    buffer_fini(&a);
    buffer_fini(&b);
    return true;
}

static bool invariants_differ(const struct tree_entity *was,
                              const struct tree_entity *is, struct buffer *out)
{
    for (uint32_t i = 0; i < was->invariant_count; i++) {
        const struct tree_invariant *before = &was->invariants[i];
        if (i >= is->invariant_count) {
            buffer_print(out, "the invariant %.*s is missing",
                         SLICE_ARG(before->name.text));
            return true;
        }
        if (!exprs_differ(before->holds, is->invariants[i].holds))
            continue;
        buffer_print(out, "the invariant %.*s says something else",
                     SLICE_ARG(is->invariants[i].name.text));
        return true;
    }
    if (is->invariant_count == was->invariant_count)
        return false;
    buffer_print(out, "the invariant %.*s is new",
                 SLICE_ARG(is->invariants[was->invariant_count].name.text));
    return true;
}

static bool parameters_differ(const struct program_told *was,
                              const struct program_told *is, uint32_t step)
{
    struct buffer a = BUFFER_INIT;
    struct buffer b = BUFFER_INIT;

    compile_meaning_parameters(was->program, step, &a);
    compile_meaning_parameters(is->program, step, &b);
    return bytes_differ(&a, &b);
}

static bool blocks_differ(const struct tree_block *was,
                          const struct tree_block *is)
{
    struct buffer a = BUFFER_INIT;
    struct buffer b = BUFFER_INIT;

    compile_meaning_block(was, &a);
    compile_meaning_block(is, &b);
    return bytes_differ(&a, &b);
}

static bool step_differs(const struct program_told *was,
                         const struct program_told *is, uint32_t number,
                         struct buffer *out)
{
    const struct tree_step *before = &was->entity->steps[number];
    const struct tree_step *after = &is->entity->steps[number];
    const char *what = NULL;

    if (before->internal != after->internal)
        what = after->internal ? "is internal now" : "is internal no more";
    else if (parameters_differ(was, is, number))
        what = "has other parameters";
    else if (exprs_differ(before->when, after->when))
        what = "has another `when`";
    else if (blocks_differ(before->body, after->body))
        what = "has another body";
    if (what)
        buffer_print(out, "the step %.*s %s", SLICE_ARG(after->name.text),
                     what);
    return what;
}

/* --- the whole ------------------------------------------------------------ */

void program_differ(const struct program_told *was,
                    const struct program_told *is, struct buffer *out)
{
    const struct names fields = {"field", was->entity->field_count,
                                 is->entity->field_count, field_name};
    const struct names steps = {"step", was->entity->step_count,
                                is->entity->step_count, step_name};

    if (names_differ(was, is, &fields, out))
        return;
    for (uint32_t i = 0; i < fields.is_count; i++) {
        if (field_differs(was, is, i, out))
            return;
    }
    if (invariants_differ(was->entity, is->entity, out) ||
        names_differ(was, is, &steps, out))
        return;
    for (uint32_t i = 0; i < steps.is_count; i++) {
        if (step_differs(was, is, i, out))
            return;
    }
}
