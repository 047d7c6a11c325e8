/* Which steps can change places. docs/design/checker.md argues each rule. */

#include "check/space/inside.h"

/* Whether the step reads or changes the actor's local state. */
static bool acts(const struct space_step *step)
{
    switch ((enum space_kind)step->kind) {
    case SPACE_DELIVER:
    case SPACE_TIMER:
    case SPACE_CRASH:
    case SPACE_RESTART:
    case SPACE_DOUBLE:
    case SPACE_JUMP:
        return true;
    case SPACE_REQUEST:
    case SPACE_LIE:
    case SPACE_LOSE:
    case SPACE_CUT:
    case SPACE_HEAL:
        break;
    }
    return false;
}

static bool delivers(const struct space_step *step)
{
    return step->kind == SPACE_DELIVER || step->kind == SPACE_DOUBLE;
}

/* Whether both are about one message on its way. */
static bool same_message(const struct space_step *a, const struct space_step *b)
{
    return (delivers(a) || a->kind == SPACE_LOSE) &&
           (delivers(b) || b->kind == SPACE_LOSE) && a->object == b->object;
}

/* Whether both spend one budget, and one may leave nothing for the other. */
static bool same_budget(const struct space *space, const struct space_step *a,
                        const struct space_step *b)
{
    if (a->kind != b->kind)
        return false;
    switch ((enum space_kind)a->kind) {
    case SPACE_CRASH:
    case SPACE_LOSE:
    case SPACE_DOUBLE:
    case SPACE_JUMP:
        return true;
    case SPACE_REQUEST:
        return space->requests[a->object].group ==
               space->requests[b->object].group;
    case SPACE_LIE:
        return a->object == b->object;
    case SPACE_DELIVER:
    case SPACE_TIMER:
    case SPACE_RESTART:
    case SPACE_CUT:
    case SPACE_HEAL:
        break;
    }
    return false;
}

static bool parts(const struct space_step *step)
{
    return step->kind == SPACE_CUT || step->kind == SPACE_HEAL;
}

/* Whether one changes who is cut off, and the other depends on it. */
static bool same_cut(const struct space_step *a, const struct space_step *b)
{
    return (parts(a) && (parts(b) || delivers(b))) || (parts(b) && delivers(a));
}

bool space_independent(const struct space *space, const struct space_step *a,
                       const struct space_step *b, bool observers)
{
    uint32_t flags = a->flags | b->flags;

    if (flags & (SPACE_TIGHT | SPACE_BROKEN))
        return false;
    if ((a->flags & b->flags & SPACE_OBSERVED) && (observers || space->spec))
        return false;
    if (acts(a) && acts(b) && a->actor == b->actor)
        return false;
    return !same_message(a, b) && !same_budget(space, a, b) && !same_cut(a, b);
}
