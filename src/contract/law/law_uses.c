/* Looking for `now` in a checked tree: only where it is read are steps tried at
 * several times of day, which makes for many more states. */

#include "contract/law/law_uses.h"

static bool in_expr(const struct tree_expr *expr)
{
    if (!expr)
        return false;
    if (expr->kind == TREE_NAMED && expr->meaning == TREE_MEANS_NOW)
        return true;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (in_expr(expr->arguments[i]))
            return true;
    }
    return in_expr(expr->left) || in_expr(expr->right) || in_expr(expr->third);
}

static bool in_block(const struct tree_block *block)
{
    for (uint32_t i = 0; block && i < block->count; i++) {
        const struct tree_statement *statement = block->statements[i];
        if (in_expr(statement->condition) || in_expr(statement->target) ||
            in_expr(statement->value) || in_block(statement->body) ||
            in_block(statement->otherwise))
            return true;
    }
    return false;
}

bool law_uses_now(const struct tree_entity *entity)
{
    for (uint32_t i = 0; i < entity->step_count; i++) {
        if (in_expr(entity->steps[i].when) || in_block(entity->steps[i].body))
            return true;
    }
    for (uint32_t i = 0; i < entity->invariant_count; i++) {
        if (in_expr(entity->invariants[i].holds))
            return true;
    }
    return false;
}
