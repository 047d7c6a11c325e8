/* meaning.c - what a program means, as bytes to be hashed: the same for texts
 * that differ in comments, layout, laws, views, names of invariants and what is
 * said to whoever is refused. Every part begins with its kind or its length, so
 * no two meanings give the same bytes. Numbers are little endian. */

#include "contract/program/compile.h"

static void put_number(struct buffer *out, uint64_t number)
{
    unsigned char bytes[8];
    uint32_t i;

    for (i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(number >> 8 * i);
    buffer_append(out, kan_slice(bytes, sizeof bytes));
}

static void put_mark(struct buffer *out, uint32_t mark)
{
    buffer_append_byte(out, (unsigned char)mark);
}

static void put_text(struct buffer *out, struct kan_slice text)
{
    put_number(out, text.size);
    buffer_append(out, text);
}

/* --- types and values ----------------------------------------------------- */

static void put_record(const struct program *program,
                       const struct program_type *type, const char *start,
                       struct buffer *out);

static void put_type(const struct program *program, uint32_t number,
                     struct buffer *out)
{
    const struct program_type *type = program_type(program, number);
    uint32_t i;

    put_mark(out, type->kind);
    switch (type->kind) {
    case TREE_INT:
        put_number(out, (uint64_t)type->min);
        put_number(out, (uint64_t)type->max);
        break;
    case TREE_TEXT:
        put_number(out, type->bound);
        break;
    case TREE_ENUM:
        put_number(out, type->member_count);
        for (i = 0; i < type->member_count; i++)
            put_text(out, program_slice(
                              program,
                              program_inside_member(program, type, i)->name));
        break;
    case TREE_SET:
    case TREE_MAP:
        put_number(out, type->bound);
        if (type->kind == TREE_MAP)
            put_type(program, type->key, out);
        put_type(program, type->of, out);
        break;
    case TREE_OPTIONAL:
        put_type(program, type->of, out);
        break;
    case TREE_RECORD:
        put_record(program, type, program_inside_start(program, number), out);
        break;
    case TREE_BOOL:
    case TREE_NONE_TYPE:
        break;
    }
}

/* A default; what no default can be (a set, a map) is empty. */
static void put_value(const struct program *program, uint32_t number,
                      const char *value, struct buffer *out)
{
    const struct program_type *type = program_type(program, number);
    uint16_t small = 0;
    int64_t large = 0;
    uint32_t i;

    switch (type->kind) {
    case TREE_BOOL:
        put_mark(out, (unsigned char)*value);
        break;
    case TREE_INT:
        memcpy(&large, value, sizeof large);
        put_number(out, (uint64_t)large);
        break;
    case TREE_TEXT:
        memcpy(&small, value, sizeof small);
        put_text(out, kan_slice(value + 2, small));
        break;
    case TREE_ENUM:
    case TREE_SET:
    case TREE_MAP:
        memcpy(&small, value, sizeof small);
        put_number(out, small);
        break;
    case TREE_OPTIONAL:
        put_mark(out,
                 (unsigned char)value[program_type(program, type->of)->size]);
        put_value(program, type->of, value, out);
        break;
    case TREE_RECORD:
        for (i = 0; i < type->member_count; i++) {
            const struct program_inside_member *member =
                program_inside_member(program, type, i);

            put_value(program, member->type, value + member->offset, out);
        }
        break;
    case TREE_NONE_TYPE:
        break;
    }
}

static void put_record(const struct program *program,
                       const struct program_type *type, const char *start,
                       struct buffer *out)
{
    bool zero = true;
    uint32_t i;

    /* `= 0` says what is so without it. */
    for (i = 0; start && i < type->size; i++)
        zero = zero && start[i] == 0;
    put_number(out, type->member_count);
    for (i = 0; i < type->member_count; i++) {
        const struct program_inside_member *member =
            program_inside_member(program, type, i);

        put_text(out, program_slice(program, member->name));
        put_type(program, member->type, out);
        put_mark(out, !zero);
        if (!zero)
            put_value(program, member->type, start + member->offset, out);
    }
}

/* The state, or the arguments of a step: there a default tells what may be left
 * out. */
static void put_parameters(const struct program *program, uint32_t number,
                           struct buffer *out)
{
    const struct program_type *type = program_type(program, number);
    uint32_t i;

    put_type(program, number, out);
    for (i = 0; i < type->member_count; i++)
        put_mark(out, program_inside_member(program, type, i)->has_default);
}

void compile_meaning_field(const struct program *program, uint32_t field,
                           struct buffer *out)
{
    const struct program_inside_member *member =
        program_inside_member(program, program_type(program, 0), field);
    const char *start = program_inside_start(program, 0);

    put_type(program, member->type, out);
    if (start)
        put_value(program, member->type, start + member->offset, out);
}

void compile_meaning_parameters(const struct program *program, uint32_t step,
                                struct buffer *out)
{
    put_parameters(program, program_step(program, step).arguments, out);
}

/* --- expressions and statements ------------------------------------------- */

void compile_meaning_expr(const struct tree_expr *expr, struct buffer *out)
{
    uint32_t i;

    if (!expr) {
        put_mark(out, 255);
        return;
    }
    put_mark(out, expr->kind);
    switch (expr->kind) {
    case TREE_NUMBER:
    case TREE_TRUTH:
        put_number(out, (uint64_t)expr->number);
        return;
    case TREE_STRING:
        put_text(out, expr->text);
        return;
    case TREE_NONE:
        return;
    case TREE_NAMED:
        put_mark(out, expr->meaning);
        put_number(out, expr->place);
        return;
    case TREE_MEMBER:
        put_text(out, expr->name.text);
        break;
    case TREE_UNARY:
    case TREE_BINARY:
        put_mark(out, expr->op);
        break;
    case TREE_CALL:
        put_mark(out, expr->function);
        break;
    case TREE_LITERAL:
        put_text(out, expr->name.text);
        for (i = 0; i < expr->argument_count; i++)
            put_text(out, expr->labels[i].text);
        break;
    case TREE_INDEX:
    case TREE_IF:
        break;
    }
    compile_meaning_expr(expr->left, out);
    compile_meaning_expr(expr->right, out);
    compile_meaning_expr(expr->third, out);
    put_number(out, expr->argument_count);
    for (i = 0; i < expr->argument_count; i++)
        compile_meaning_expr(expr->arguments[i], out);
}

void compile_meaning_block(const struct tree_block *block, struct buffer *out)
{
    uint32_t i;

    if (!block) {
        put_mark(out, 255);
        return;
    }
    put_mark(out, 1);
    put_number(out, block->count);
    for (i = 0; i < block->count; i++) {
        const struct tree_statement *statement = block->statements[i];

        put_mark(out, statement->kind);
        compile_meaning_expr(statement->condition, out);
        compile_meaning_expr(statement->target, out);
        compile_meaning_expr(statement->value, out);
        compile_meaning_block(statement->body, out);
        compile_meaning_block(statement->otherwise, out);
    }
}

/* --- the whole ------------------------------------------------------------ */

void compile_meaning(const struct program *program,
                     const struct tree_entity *entity, struct buffer *out)
{
    uint32_t i;

    put_text(out, SLICE("kan program 1"));
    put_text(out, entity->name.text);
    put_number(out, entity->version);
    put_type(program, 0, out);
    put_number(out, entity->invariant_count);
    for (i = 0; i < entity->invariant_count; i++)
        compile_meaning_expr(entity->invariants[i].holds, out);
    put_number(out, entity->step_count);
    for (i = 0; i < entity->step_count; i++) {
        const struct tree_step *step = &entity->steps[i];

        put_text(out, step->name.text);
        put_mark(out, step->internal);
        compile_meaning_parameters(program, i, out);
        compile_meaning_expr(step->when, out);
        compile_meaning_block(step->body, out);
    }
}

static void put_measure(const struct tree_measure *measure, struct buffer *out)
{
    if (!measure) {
        put_mark(out, 255);
        return;
    }
    put_mark(out, measure->kind);
    put_mark(out, measure->step != NULL);
    if (measure->step) {
        put_text(out, measure->step->name.text);
        put_mark(out, measure->parameter != NULL);
        if (measure->parameter)
            put_text(out, measure->parameter->name.text);
    } else {
        compile_meaning_expr(measure->value, out);
    }
    put_measure(measure->left, out);
    put_measure(measure->right, out);
}

void compile_meaning_views(const struct program *program,
                           const struct tree_entity *entity, struct buffer *out)
{
    uint32_t i;
    uint32_t k;

    put_text(out, SLICE("kan views 1"));
    put_type(program, 0, out);
    for (i = 0; i < entity->step_count; i++) {
        put_text(out, entity->steps[i].name.text);
        put_type(program, program_step(program, i).arguments, out);
    }
    put_number(out, entity->view_count);
    for (i = 0; i < entity->view_count; i++) {
        const struct tree_view *view = &entity->views[i];

        put_text(out, view->name.text);
        put_mark(out, view->over_all);
        put_number(out, view->entry_count);
        for (k = 0; k < view->entry_count; k++) {
            put_text(out, view->entries[k].name.text);
            put_measure(view->entries[k].measure, out);
        }
    }
}

void compile_meaning_upgrade(const struct tree_upgrade *upgrade,
                             struct buffer *out)
{
    put_text(out, SLICE("kan upgrade 1"));
    put_text(out, upgrade->name.text);
    put_number(out, upgrade->from);
    compile_meaning_block(upgrade->up, out);
    compile_meaning_block(upgrade->down, out);
}

/* Two hashes of 64 bits, each under a key of its own; told apart is what texts
 * of one house are, not what an enemy makes. */
struct program_hash compile_hash(struct kan_slice bytes)
{
    static const struct hash_seed seeds[2] = {
        {UINT64_C(0x6b616e2070726f67), UINT64_C(0x72616d206d65616e)},
        {UINT64_C(0x696e672c2074776f), UINT64_C(0x2068616c76657320)},
    };
    struct program_hash hash;
    uint32_t i;
    uint32_t k;

    for (i = 0; i < 2; i++) {
        uint64_t half = hash_bytes(seeds[i], bytes);

        for (k = 0; k < 8; k++)
            hash.bytes[8 * i + k] = (uint8_t)(half >> 8 * k);
    }
    return hash;
}
