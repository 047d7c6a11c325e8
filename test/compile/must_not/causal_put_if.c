/* A causal store has no compare-and-set. */

#include <kan/state.h>

enum kan_err test(kan_causal store, struct kan_slice key);

enum kan_err test(kan_causal store, struct kan_slice key)
{
#ifdef RIGHT
    return kan_causal_put(store, key, key, 0, NULL);
#else
    return kan_causal_put_if(store, key, 1, key, NULL);
#endif
}
