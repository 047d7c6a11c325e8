/* refusal.c - a refusal in words, and the values that it is about. */

#include "contract/program/program_inside.h"

static const struct program_inside_condition *condition_of(
    const struct program *program, const struct program_refusal *refusal)
{
    /* An upgrade may be refused by what no version has. */
    if (refusal->condition >= program->conditions.count)
        return NULL;
    return PROGRAM_ITEM(program, conditions, struct program_inside_condition,
                        refusal->condition);
}

void program_refusal_values(const struct program *program,
                            const struct program_refusal *refusal,
                            uint32_t step, const void *state,
                            const void *arguments, struct buffer *out)
{
    const struct program_inside_condition *condition =
        condition_of(program, refusal);
    bool any = false;
    uint32_t i;

    buffer_append_byte(out, '{');
    for (i = 0; condition && i < condition->named.count; i++) {
        const struct program_inside_name *name =
            PROGRAM_ITEM(program, names, struct program_inside_name,
                         condition->named.at + i);
        const char *whole = name->parameter ? arguments : state;
        struct program_member member;

        /* Views and defaults have no step; a caller may have no arguments. */
        if (!whole || (name->parameter && step >= program->steps.count))
            continue;
        member = program_member(
            program,
            name->parameter ? program_step(program, step).arguments : 0,
            name->member);
        if (any)
            buffer_append_byte(out, ',');
        any = true;
        buffer_append_byte(out, '"');
        buffer_append(out, member.name);
        buffer_append_text(out, "\":");
        program_json(program, member.type, whole + member.offset, out);
    }
    buffer_append_byte(out, '}');
}

static void number(int64_t value, struct buffer *out)
{
    buffer_print(out, "%lld", (long long)value);
}

/* "big cannot be set: ", of a computation whose value was to go there. */
static void cannot_be_set(struct buffer *out, struct kan_slice name)
{
    if (name.size) {
        buffer_append(out, name);
        buffer_append_text(out, " cannot be set: ");
    }
}

/* Parts of the sentence: words, and slices between them. */
static void said(struct buffer *out, struct kan_slice first, const char *words,
                 struct kan_slice second)
{
    buffer_append(out, first);
    buffer_append_text(out, words);
    buffer_append(out, second);
}

void program_refusal_text(const struct program *program,
                          const struct program_refusal *refusal, uint32_t step,
                          struct buffer *out)
{
    struct kan_slice taken = step < program->steps.count
                                 ? program_step(program, step).name
                                 : program_name(program);

    switch (refusal->kind) {
    case PROGRAM_OK:
        break;
    case PROGRAM_GUARD:
        said(out, taken, " needs ", refusal->source);
        break;
    case PROGRAM_REQUIRE:
        buffer_append(out, refusal->text);
        break;
    case PROGRAM_INVARIANT:
        said(out, taken, " would break ", refusal->name);
        said(out, kan_text(": "), "", refusal->source);
        break;
    case PROGRAM_BOUND:
        said(out, refusal->name, " would be ", kan_text(""));
        number(refusal->value, out);
        buffer_append_text(out, ", which is not in ");
        number(refusal->min, out);
        buffer_append_text(out, " .. ");
        number(refusal->max, out);
        break;
    case PROGRAM_OVERFLOW:
        cannot_be_set(out, refusal->name);
        said(out, refusal->source, " does not fit into 64 bits", kan_text(""));
        break;
    case PROGRAM_DIVIDE:
        cannot_be_set(out, refusal->name);
        said(out, refusal->source, " divides by zero", kan_text(""));
        break;
    case PROGRAM_MISSING:
        said(out, refusal->source, " is not there: no such key in ",
             refusal->name);
        break;
    case PROGRAM_FULL:
        said(out, refusal->name, " is full: it holds ", kan_text(""));
        number(refusal->max, out);
        break;
    case PROGRAM_LENGTH:
        said(out, refusal->name, " would be longer than ", kan_text(""));
        number(refusal->max, out);
        buffer_append_text(out, " bytes");
        break;
    }
}
