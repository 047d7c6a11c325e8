/* A causal store has no compare-and-delete. */

#include <kan/state.h>

enum kan_err test(kan_causal store, struct kan_slice key);

enum kan_err test(kan_causal store, struct kan_slice key)
{
#ifdef RIGHT
    return kan_causal_delete(store, key);
#else
    return kan_causal_delete_if(store, key, 1);
#endif
}
