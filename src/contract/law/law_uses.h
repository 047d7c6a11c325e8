/* law_uses.h - whether a type's steps look at the time, or draw ids. */

#ifndef CONTRACT_LAW_LAW_USES_H
#define CONTRACT_LAW_LAW_USES_H

#include "contract/tree/tree.h"

/* Whether any step or invariant of the type reads `now`; or `id`. */
bool law_uses_now(const struct tree_entity *entity);
bool law_uses_id(const struct tree_entity *entity);

#endif /* CONTRACT_LAW_LAW_USES_H */
