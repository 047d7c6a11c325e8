/* A causal store is no strong one. */

#include <kan/state.h>

enum kan_err test(kan_strong store, struct kan_slice key);

enum kan_err test(kan_strong store, struct kan_slice key)
{
#ifdef RIGHT
    return kan_strong_put_if(store, key, 1, key, NULL);
#else
    return kan_strong_put_if(kan_strong_as_causal(store), key, 1, key, NULL);
#endif
}
