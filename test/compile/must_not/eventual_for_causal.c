/* An eventual store is no causal one. */

#include <kan/state.h>

enum kan_err test(kan_causal store, struct kan_slice key,
                  struct kan_value *value);

enum kan_err test(kan_causal store, struct kan_slice key,
                  struct kan_value *value)
{
#ifdef RIGHT
    return kan_causal_get(store, key, value);
#else
    return kan_causal_get(kan_causal_as_eventual(store), key, value);
#endif
}
