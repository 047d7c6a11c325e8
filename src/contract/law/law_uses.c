/* Looking for `now` and `id` in a checked tree: only where the time is read are
 * steps tried at several times of day, which makes for many more states. */

#include "contract/law/law_uses.h"

static bool in_expr(const struct tree_expr *expr, enum tree_meaning what)
{
    if (!expr)
        return false;
    if (expr->kind == TREE_NAMED && expr->meaning == what)
        return true;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (in_expr(expr->arguments[i], what))
            return true;
    }
    return in_expr(expr->left, what) || in_expr(expr->right, what) ||
           in_expr(expr->third, what);
}

static bool in_block(const struct tree_block *block, enum tree_meaning what)
{
    for (uint32_t i = 0; block && i < block->count; i++) {
        const struct tree_statement *statement = block->statements[i];
        if (in_expr(statement->condition, what) ||
            in_expr(statement->target, what) ||
            in_expr(statement->value, what) ||
            in_block(statement->body, what) ||
            in_block(statement->otherwise, what))
            return true;
    }
    return false;
}

static bool in_entity(const struct tree_entity *entity, enum tree_meaning what)
{
    for (uint32_t i = 0; i < entity->step_count; i++) {
        if (in_expr(entity->steps[i].when, what) ||
            in_block(entity->steps[i].body, what))
            return true;
    }
    for (uint32_t i = 0; i < entity->invariant_count; i++) {
        if (in_expr(entity->invariants[i].holds, what))
            return true;
    }
    return false;
}

bool law_uses_now(const struct tree_entity *entity)
{
    return in_entity(entity, TREE_MEANS_NOW);
}

bool law_uses_id(const struct tree_entity *entity)
{
    return in_entity(entity, TREE_MEANS_ID);
}
