/* A strong store is weakened by name, never in passing. */

#include <kan/state.h>

enum kan_err test(kan_strong store, struct kan_slice key,
                  struct kan_value *value);

enum kan_err test(kan_strong store, struct kan_slice key,
                  struct kan_value *value)
{
#ifdef RIGHT
    return kan_eventual_get(kan_strong_as_eventual(store), key, value);
#else
    return kan_eventual_get(store, key, value);
#endif
}
