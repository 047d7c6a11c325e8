/* An eventual store has no commits. */

#include <kan/state.h>

enum kan_err test(kan_strong store, const struct kan_op *op);

enum kan_err test(kan_strong store, const struct kan_op *op)
{
#ifdef RIGHT
    return kan_strong_commit(store, op, 1, NULL);
#else
    return kan_eventual_commit(kan_strong_as_eventual(store), op, 1, NULL);
#endif
}
