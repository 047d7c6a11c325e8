/* compile_code.c - instructions, registers, labels and conditions. */

#include "contract/program/compile.h"

uint32_t compile_begin(struct compile *c, const struct compile_scope *scope)
{
    c->scope = *scope;
    c->registers = MACHINE_FIRST;
    c->temps = 0;
    c->reads_outside = false;
    memset(c->reads, 0, sizeof c->reads);
    memset(c->writes, 0, sizeof c->writes);
    return c->code.count;
}

/* Never NULL: when memory ran out, a place that nobody reads. */
struct program_inside_code *compile_emit(struct compile *c, enum machine_op op,
                                         uint32_t a, uint32_t b, uint32_t cc)
{
    struct program_inside_code *code = compile_add(c, &c->code, NULL);

    if (!code)
        code = &c->nowhere;
    code->op = (uint16_t)op;
    code->a = (uint16_t)a;
    code->b = (uint16_t)b;
    code->c = (uint16_t)cc;
    return code;
}

void compile_emit_xy(struct compile *c, enum machine_op op, uint32_t a,
                     uint32_t b, uint32_t cc, uint32_t x, uint32_t y)
{
    struct program_inside_code *code = compile_emit(c, op, a, b, cc);

    code->x = x;
    code->y = y;
}

void compile_emit_number(struct compile *c, uint16_t reg, int64_t number)
{
    compile_emit(c, MACHINE_NUMBER, reg, 0, 0)->number = number;
}

uint16_t compile_register(struct compile *c, struct source_span span)
{
    if (c->registers >= PROGRAM_REGISTERS_MAX) {
        compile_full(c, span, "the expression is too deep");
        return MACHINE_FIRST;
    }
    return (uint16_t)c->registers++;
}

uint32_t compile_temp(struct compile *c, uint32_t size, struct source_span span)
{
    uint32_t at = c->temps;

    if (size > PROGRAM_TEMPS_MAX || at > PROGRAM_TEMPS_MAX - size) {
        compile_full(c, span, "the values in between are too large");
        return 0;
    }
    c->temps = (at + size + 7) & ~UINT32_C(7);
    if (c->temps_size < c->temps)
        c->temps_size = c->temps;
    return at;
}

uint32_t compile_label(struct compile *c)
{
    uint32_t number = 0;

    (void)compile_add(c, &c->labels, &number);
    return number;
}

void compile_label_here(struct compile *c, uint32_t label)
{
    if (c->err == KAN_OK)
        *COMPILE_ITEM(c, labels, uint32_t, label) = c->code.count;
}

/* --- conditions ----------------------------------------------------------- */

static void name_add(struct compile *c, uint32_t first, uint32_t parameter,
                     uint32_t member)
{
    struct program_inside_name *name;
    uint32_t i;

    for (i = first; i < c->names.count; i++) {
        name = COMPILE_ITEM(c, names, struct program_inside_name, i);
        if (name->parameter == parameter && name->member == member)
            return;
    }
    name = compile_add(c, &c->names, NULL);
    if (!name)
        return;
    name->parameter = parameter;
    name->member = member;
}

static void names_gather(struct compile *c, const struct tree_expr *expr,
                         uint32_t first)
{
    uint32_t i;

    if (!expr || c->err != KAN_OK)
        return;
    if (expr->kind == TREE_NAMED) {
        if (expr->meaning == TREE_MEANS_FIELD)
            name_add(c, first, 0, expr->place);
        if (expr->meaning == TREE_MEANS_PARAMETER) {
            /* A saga's parameters are the fields of its state. */
            name_add(c, first, c->scope.parameters_in == MACHINE_ARGUMENTS,
                     expr->place);
        }
        return;
    }
    names_gather(c, expr->left, first);
    names_gather(c, expr->right, first);
    names_gather(c, expr->third, first);
    for (i = 0; i < expr->argument_count; i++)
        names_gather(c, expr->arguments[i], first);
}

uint32_t compile_condition(struct compile *c, enum program_refusal_kind kind,
                           struct program_words name, struct source_span span,
                           const struct tree_expr *first,
                           const struct tree_expr *second)
{
    struct program_words source = compile_source(c, span);
    uint32_t named = c->names.count;
    struct program_inside_condition *condition;
    uint32_t number = 0;

    names_gather(c, first, named);
    names_gather(c, second, named);
    if (c->conditions.count >= PROGRAM_CONDITIONS_MAX) {
        compile_full(c, span, "the version has too many conditions");
        return 0;
    }
    condition = compile_add(c, &c->conditions, &number);
    if (!condition)
        return 0;
    condition->kind = kind;
    condition->step = c->scope.step;
    condition->name = name;
    condition->source = source;
    condition->named.at = named;
    condition->named.count = c->names.count - named;
    return number;
}
