/* generate_c_step.c - steps as functions: arguments checked, the guard, the
 * body, the invariants that it may break, and only then the state written.
 *
 * A field that a step writes is a variable of its own, copied back at the end,
 * unless nothing can refuse the step any more once it is written: then it is
 * written in place. Which that is, is known after the body; so the body is
 * generated twice. */

#include "contract/generate/generate_c.h"

#include <inttypes.h>
#include <stdarg.h>

static const struct kan_slice nothing;

static bool bit(const uint64_t *words, uint32_t i)
{
    return words[i / 64] >> i % 64 & 1;
}

static void bit_set(uint64_t *words, uint32_t i)
{
    words[i / 64] |= UINT64_C(1) << i % 64;
}

static bool is_whole(const struct tree_type *type)
{
    return type->kind != TREE_BOOL && type->kind != TREE_INT &&
           type->kind != TREE_ENUM;
}

/* --- lines ---------------------------------------------------------------- */

void gen_line(struct gen *g, const char *format, ...)
{
    va_list args;
    unsigned i;

    for (i = 0; i < g->depth; i++)
        buffer_append_text(g->out, "    ");
    va_start(args, format);
    buffer_vprint(g->out, format, args);
    va_end(args);
    buffer_append_byte(g->out, '\n');
}

uint32_t gen_reason(struct gen *g, enum program_refusal_kind kind,
                    const char *name, struct kan_slice text,
                    struct source_span span, int64_t min, int64_t max)
{
    static const char *const kinds[] = {
        [PROGRAM_OK] = "TAKEN",
        [PROGRAM_GUARD] = "GUARD",
        [PROGRAM_REQUIRE] = "REQUIRE",
        [PROGRAM_INVARIANT] = "INVARIANT",
        [PROGRAM_BOUND] = "BOUND",
        [PROGRAM_OVERFLOW] = "OVERFLOW",
        [PROGRAM_DIVIDE] = "DIVIDE",
        [PROGRAM_MISSING] = "MISSING",
        [PROGRAM_FULL] = "FULL",
        [PROGRAM_LENGTH] = "LENGTH",
        [PROGRAM_LENGTH + 1] = "ARGUMENT",
        [PROGRAM_LENGTH + 2] = "MOVED",
    };
    uint32_t line = 0;
    uint32_t column = 0;

    source_place(g->tree->source, span.start, &line, &column);
    buffer_print(&g->reasons,
                 "    /* %" PRIu32 " */ {%s_%s, %" PRIu32
                 ", %s, %s,\n        %s, 0, "
                 "%s, %s},\n",
                 g->reason_count, g->upper, kinds[kind], line,
                 gen_literal(g, kan_text(name)), gen_literal(g, text),
                 gen_literal(g, kan_text(gen_source(g, span))),
                 gen_number(g, min), gen_number(g, max));
    return g->reason_count++;
}

void gen_refuse(struct gen *g, const char *condition, uint32_t reason,
                const char *value)
{
    uint32_t i;

    gen_line(g, "if (%s)", condition);
    gen_line(g, "    return %s_refused(why, %" PRIu32 ", %s);", g->name, reason,
             value ? value : "0");
    for (i = 0; i < TREE_FIELDS_MAX / 64; i++)
        g->apart[i] |= g->dirty[i];
}

/* --- targets -------------------------------------------------------------- */

static uint32_t target_field(const struct tree_expr *target)
{
    while (target->kind == TREE_MEMBER || target->kind == TREE_INDEX)
        target = target->left;
    return target->place;
}

static bool target_has_key(const struct tree_expr *target)
{
    while (target->kind == TREE_MEMBER)
        target = target->left;
    return target->kind == TREE_INDEX;
}

static const char *target_name(struct gen *g, const struct tree_expr *target)
{
    if (target->kind == TREE_NAMED)
        return gen_words(g, "%.*s", SLICE_ARG(target->name.text));
    if (target->kind == TREE_INDEX)
        return target_name(g, target->left);
    return gen_words(g, "%s.%.*s", target_name(g, target->left),
                     SLICE_ARG(target->name.text));
}

/* A key, checked, where no change of the set or map can move it. */
static struct gen_value key_ready(struct gen *g, const struct tree_expr *expr,
                                  const struct tree_type *whole,
                                  const char *name)
{
    const struct tree_type *type =
        whole->kind == TREE_MAP ? whole->key : whole->of;
    struct gen_goal goal = {.type = type, .name = name, .span = expr->span};
    struct gen_value key = gen_fit(g, gen_expr(g, expr), goal);

    if (g->failed || key.settled)
        return key;
    if (key.kind != TREE_TEXT)
        return gen_settle(g, key);
    goal.place = gen_temp(g, type, true);
    gen_put(g, key, goal);
    return gen_at(g, type, goal.place);
}

/* The element of a key, put in when it is not there; its number. */
static const char *insert(struct gen *g, const struct tree_statement *statement,
                          struct gen_value whole, struct gen_value key,
                          const char *name)
{
    const char *at = gen_words(g, "t%u", ++g->temps);
    uint32_t reason = gen_reason(g, PROGRAM_FULL, name, nothing,
                                 statement->span, 0, whole.type->size);

    gen_line(g, "uint16_t %s = 0;", at);
    gen_refuse(g,
               gen_words(g, "!%s_put(&%s, %s, &%s)", gen_tag(g, whole.type),
                         whole.code, gen_key(g, key), at),
               reason, NULL);
    return at;
}

/* --- statements ----------------------------------------------------------- */

static void assign(struct gen *g, const struct tree_statement *statement)
{
    const struct tree_expr *target = statement->target;
    struct gen_goal goal = {
        .type = target->type, .name = g->assigned, .span = statement->span};
    bool apart = statement->value->kind == TREE_LITERAL ||
                 statement->value->kind == TREE_IF ||
                 statement->value->kind == TREE_NONE;
    struct gen_value value;
    struct gen_value whole;
    struct gen_value key;

    if (!target_has_key(target) && (!apart || !is_whole(target->type))) {
        value = gen_fit(g, gen_expr(g, statement->value), goal);
        goal.place = gen_expr(g, target).place;
        gen_put(g, value, goal);
        return;
    }
    if (statement->value->kind == TREE_NONE && !target_has_key(target)) {
        goal.place = gen_expr(g, target).place;
        gen_into(g, statement->value, goal);
        return;
    }
    /* The place may move, or the value be half done when it is refused. */
    if (is_whole(target->type)) {
        goal.place = gen_temp(g, target->type, true);
        gen_into(g, statement->value, goal);
        value = gen_at(g, target->type, goal.place);
    } else {
        value = gen_settle(g, gen_fit(g, gen_expr(g, statement->value), goal));
    }
    if (target->kind == TREE_INDEX) {
        whole = gen_expr(g, target->left);
        key = key_ready(g, target->right, target->left->type, g->assigned);
        if (g->failed)
            return;
        goal.place = gen_words(g, "%s.elements[%s].value", whole.code,
                               insert(g, statement, whole, key, g->assigned));
    } else {
        goal.place = gen_expr(g, target).place;
    }
    gen_put(g, value, goal);
}

static void change(struct gen *g, const struct tree_statement *statement)
{
    const struct tree_expr *target = statement->target;
    const char *name = g->assigned;
    bool more = statement->kind == TREE_INCREASE;
    struct gen_value was = gen_expr(g, target);
    struct gen_value by;
    struct gen_goal goal = {.type = target->type,
                            .place = was.place,
                            .name = name,
                            .span = statement->span};

    if (g->failed)
        return;
    if (target->type->kind == TREE_INT) {
        by = gen_expr(g, statement->value);
        gen_put(g,
                gen_compute(g, more ? TREE_ADD : TREE_SUBTRACT, was, by,
                            statement->span),
                goal);
    } else if (more) {
        by = key_ready(g, statement->value, target->type, name);
        (void)insert(g, statement, was, by, name);
    } else {
        by = gen_expr(g, statement->value);
        if (by.kind == TREE_TEXT && by.place) {
            /* It may lie in what is about to move. */
            goal.type = by.type;
            goal.place = gen_temp(g, by.type, true);
            gen_put(g, by, goal);
            by = gen_at(g, goal.type, goal.place);
        }
        gen_line(g, "%s_drop(&%s, %s);", gen_tag(g, target->type), was.place,
                 gen_key(g, by));
    }
}

static void block(struct gen *g, const struct tree_block *block_);

static void branch(struct gen *g, const struct tree_statement *statement)
{
    uint64_t before[TREE_FIELDS_MAX / 64];
    uint64_t after[TREE_FIELDS_MAX / 64];
    struct gen_value condition = gen_expr(g, statement->condition);
    uint32_t i;

    gen_line(g, "if (%s) {", condition.code);
    memcpy(before, g->dirty, sizeof before);
    g->depth++;
    block(g, statement->body);
    g->depth--;
    memcpy(after, g->dirty, sizeof after);
    if (statement->otherwise) {
        memcpy(g->dirty, before, sizeof before);
        gen_line(g, "} else {");
        g->depth++;
        block(g, statement->otherwise);
        g->depth--;
    }
    gen_line(g, "}");
    for (i = 0; i < TREE_FIELDS_MAX / 64; i++)
        g->dirty[i] |= after[i];
}

static void statement_write(struct gen *g,
                            const struct tree_statement *statement)
{
    struct gen_value value;

    if (statement->kind != TREE_BRANCH)
        gen_line(g, "/* %s */", gen_comment(g, statement->span, 70));
    switch (statement->kind) {
    case TREE_REQUIRE:
        value = gen_expr(g, statement->condition);
        gen_refuse(g, gen_not(g, value).code,
                   gen_reason(g, PROGRAM_REQUIRE, "", statement->text,
                              statement->condition->span, 0, 0),
                   NULL);
        return;
    case TREE_BRANCH:
        branch(g, statement);
        return;
    case TREE_ASSIGN:
        g->assigned = target_name(g, statement->target);
        assign(g, statement);
        break;
    case TREE_INCREASE:
    case TREE_DECREASE:
        g->assigned = target_name(g, statement->target);
        change(g, statement);
        break;
    }
    g->assigned = "";
    bit_set(g->dirty, target_field(statement->target));
}

static void block(struct gen *g, const struct tree_block *block_)
{
    uint32_t i;

    for (i = 0; i < block_->count && !g->failed; i++)
        statement_write(g, block_->statements[i]);
}

/* --- which fields --------------------------------------------------------- */

static void block_writes(const struct tree_block *block_, uint64_t *writes)
{
    uint32_t i;

    for (i = 0; block_ && i < block_->count; i++) {
        const struct tree_statement *statement = block_->statements[i];

        if (statement->target)
            bit_set(writes, target_field(statement->target));
        block_writes(statement->body, writes);
        block_writes(statement->otherwise, writes);
    }
}

static bool expr_reads(const struct tree_expr *expr, const uint64_t *fields)
{
    uint32_t i;

    if (!expr)
        return false;
    if (expr->kind == TREE_NAMED)
        return expr->meaning == TREE_MEANS_FIELD && bit(fields, expr->place);
    for (i = 0; i < expr->argument_count; i++) {
        if (expr_reads(expr->arguments[i], fields))
            return true;
    }
    return expr_reads(expr->left, fields) || expr_reads(expr->right, fields) ||
           expr_reads(expr->third, fields);
}

/* --- one step ------------------------------------------------------------- */

static void names_choose(struct gen *g)
{
    uint32_t i;

    gen_locals_clear(g);
    g->self = gen_local(g, g->entity->name.text);
    for (i = 0; i < g->step->parameter_count; i++)
        g->parameters[i] = gen_local(g, g->step->parameters[i].name.text);
}

/* Where each field is: in the state, or a variable. */
static void fields_place(struct gen *g)
{
    uint32_t i;

    for (i = 0; i < g->entity->field_count; i++) {
        const struct tree_type *type = g->entity->fields[i].type;

        g->fields[i] = gen_words(g, "%s->%s", g->self, g->members[i]);
        if (!bit(g->apart, i))
            continue;
        if (is_whole(type)) {
            const char *name = gen_local(g, g->entity->fields[i].name.text);

            gen_line(g, "%s %s;", gen_type(g, type, ""), name);
            gen_line(g, "memcpy(&%s, &%s, sizeof %s);", name, g->fields[i],
                     name);
            g->fields[i] = name;
        } else {
            const char *name = gen_local(g, g->entity->fields[i].name.text);

            gen_line(g, "%s %s = %s;", gen_type(g, type, ""), name,
                     g->fields[i]);
            g->fields[i] = name;
        }
    }
}

static void fields_keep(struct gen *g)
{
    uint32_t i;

    for (i = 0; i < g->entity->field_count; i++) {
        const char *place = gen_words(g, "%s->%s", g->self, g->members[i]);

        if (!bit(g->apart, i))
            continue;
        if (is_whole(g->entity->fields[i].type))
            gen_line(g, "memcpy(&%s, &%s, sizeof %s);", place, g->fields[i],
                     place);
        else
            gen_line(g, "%s = %s;", place, g->fields[i]);
    }
}

static void invariants_write(struct gen *g)
{
    uint32_t i;

    for (i = 0; i < g->entity->invariant_count && !g->failed; i++) {
        const struct tree_invariant *invariant = &g->entity->invariants[i];
        struct gen_value value;

        if (!expr_reads(invariant->holds, g->written))
            continue;
        gen_line(g, "/* invariant %.*s: %s */", SLICE_ARG(invariant->name.text),
                 gen_comment(g, invariant->holds->span, 60));
        value = gen_expr(g, invariant->holds);
        gen_refuse(
            g, gen_not(g, value).code,
            gen_reason(g, PROGRAM_INVARIANT,
                       gen_words(g, "%.*s", SLICE_ARG(invariant->name.text)),
                       nothing, invariant->holds->span, 0, 0),
            NULL);
    }
}

/* The function's body, with what g->apart says by now. */
static void body_write(struct gen *g)
{
    memset(g->dirty, 0, sizeof g->dirty);
    g->depth = 1;
    names_choose(g);
    gen_arguments_check(g);
    fields_place(g);
    if (g->step->when && !g->failed) {
        struct gen_value value;

        gen_line(g, "/* when %s */", gen_comment(g, g->step->when->span, 70));
        value = gen_expr(g, g->step->when);
        gen_refuse(g, gen_not(g, value).code,
                   gen_reason(g, PROGRAM_GUARD, "", nothing,
                              g->step->when->span, 0, 0),
                   NULL);
    }
    block(g, g->step->body);
    invariants_write(g);
    fields_keep(g);
}

/* Parameters that nothing reads, so that no compiler minds. */
static void unused_write(struct gen *g, struct kan_slice body)
{
    uint32_t i;

    for (i = 0; i < g->step->parameter_count; i++) {
        const struct tree_type *type = g->step->parameters[i].type;
        bool free = type->kind == TREE_BOOL ||
                    (type->kind == TREE_INT && type->min == INT64_MIN &&
                     type->max == INT64_MAX);

        if (free && !(g->reads_parameters >> i & 1))
            gen_line(g, "(void)%s;", g->parameters[i]);
    }
    if (slice_find(body, kan_text(gen_words(g, "%s->", g->self))) == SIZE_MAX)
        gen_line(g, "(void)%s;", g->self);
    if (slice_find(body, SLICE("(why, ")) == SIZE_MAX)
        gen_line(g, "(void)why;");
}

void gen_step_begin(struct gen *g, uint32_t number)
{
    g->step = &g->entity->steps[number];
    g->assigned = "";
    names_choose(g);
}

/* Lines end before column 80, as far as they can. */
static void head_parameter(struct buffer *out, size_t *line,
                           const char *parameter)
{
    buffer_append_byte(out, ',');
    if (out->size - *line + strlen(parameter) > 77) {
        buffer_append_text(out, "\n    ");
        *line = out->size - 4;
    } else {
        buffer_append_byte(out, ' ');
    }
    buffer_append_text(out, parameter);
}

const char *gen_step_head(struct gen *g, uint32_t number, const char *function,
                          const char *first)
{
    const struct tree_step *step = &g->entity->steps[number];
    struct buffer out = BUFFER_INIT;
    struct kan_slice rest = kan_text(first);
    struct kan_slice one;
    const char *words;
    size_t line = 0;
    uint32_t i;

    (void)slice_cut(&rest, ',', &one);
    buffer_print(&out, "enum %s_refusal %s(%.*s", g->name, function,
                 SLICE_ARG(one));
    if (rest.size > 0) {
        head_parameter(&out, &line,
                       gen_words(g, "%.*s", SLICE_ARG(slice_trim(rest))));
    }
    for (i = 0; i < step->parameter_count && !g->failed; i++) {
        head_parameter(
            &out, &line,
            gen_parameter(g, step->parameters[i].type, g->parameters[i]));
    }
    if (g->uses_now[number])
        head_parameter(&out, &line, "int64_t now_ms");
    if (g->uses_id[number])
        head_parameter(&out, &line, "const char *id");
    head_parameter(&out, &line, gen_words(g, "struct %s_why *why)", g->name));
    words = arena_copy(&g->arena, buffer_slice(&out));
    if (buffer_failed(&out) || !words)
        g->failed = true;
    buffer_fini(&out);
    return words ? words : "";
}

static void step_write(struct gen *g, uint32_t number)
{
    struct buffer body = BUFFER_INIT;
    uint32_t reasons = g->reason_count;
    size_t reasons_size = g->reasons.size;

    gen_step_begin(g, number);
    g->reads_now = g->reads_id = false;
    g->reads_parameters = 0;
    memset(g->written, 0, sizeof g->written);
    memset(g->apart, 0, sizeof g->apart);
    block_writes(g->step->body, g->written);
    g->out = &body;
    body_write(g);
    /* Once more, now that it is known which fields need a variable. */
    buffer_clear(&body);
    g->reason_count = reasons;
    g->reasons.size = reasons_size;
    body_write(g);
    g->uses_now[number] = g->reads_now;
    g->uses_id[number] = g->reads_id;
    gen_step_begin(g, number);
    buffer_print(
        g->source, "/* %s */\n%s\n{\n", gen_source_lines(g, g->step->span),
        gen_step_head(g, number, g->steps[number],
                      gen_words(g, "struct %s *%s", g->name, g->self)));
    g->out = g->source;
    g->depth = 1;
    unused_write(g, buffer_slice(&body));
    if (buffer_failed(&body))
        g->failed = true;
    else if (body.size > 0)
        buffer_append(g->source, buffer_slice(&body));
    gen_line(g, "return %s_TAKEN;", g->upper);
    buffer_append_text(g->source, "}\n\n");
    buffer_fini(&body);
}

/* --- all of them ---------------------------------------------------------- */

void gen_start_write(struct gen *g)
{
    uint32_t i;

    gen_locals_clear(g);
    g->self = gen_local(g, g->entity->name.text);
    g->out = g->source;
    g->depth = 1;
    buffer_print(g->source, "void %s_start(struct %s *%s)\n{\n", g->name,
                 g->name, g->self);
    gen_line(g, "memset(%s, 0, sizeof *%s);", g->self, g->self);
    for (i = 0; i < g->entity->field_count && !g->failed; i++) {
        gen_default(g, &g->entity->fields[i],
                    gen_words(g, "%s->%s", g->self, g->members[i]));
    }
    buffer_append_text(g->source, "}\n\n");
}

static void reasons_write(struct gen *g)
{
    buffer_print(
        g->source,
        "/* Why steps are refused: what, the line, a name, a text, the "
        "condition,\n * and a range. */\n"
        "static const struct %s_why %s_reasons[] = {\n",
        g->name, g->name);
    if (buffer_failed(&g->reasons))
        g->failed = true;
    else
        buffer_append(g->source, buffer_slice(&g->reasons));
    buffer_print(g->source,
                 "};\n\n"
                 "static enum %s_refusal %s_refused(struct %s_why *why,\n"
                 "    uint32_t reason, int64_t value)\n{\n"
                 "    if (why != NULL) {\n"
                 "        *why = %s_reasons[reason];\n"
                 "        why->value = value;\n    }\n"
                 "    return %s_reasons[reason].kind;\n}\n\n",
                 g->name, g->name, g->name, g->name, g->name);
}

void gen_steps_write(struct gen *g)
{
    struct buffer *source = g->source;
    struct buffer steps = BUFFER_INIT;
    uint32_t i;

    g->source = &steps;
    for (i = 0; i < g->entity->step_count && !g->failed; i++)
        step_write(g, i);
    gen_states_define(g);
    gen_take_write(g);
    g->source = source;
    if (g->reason_count > 0)
        reasons_write(g);
    if (buffer_failed(&steps))
        g->failed = true;
    else if (steps.size > 0)
        buffer_append(source, buffer_slice(&steps));
    buffer_fini(&steps);
}
