/* An eventual store has no compare-and-set. */

#include <kan/state.h>

enum kan_err test(kan_eventual store, struct kan_slice key);

enum kan_err test(kan_eventual store, struct kan_slice key)
{
#ifdef RIGHT
    return kan_eventual_put(store, key, key, 0);
#else
    return kan_eventual_put_if(store, key, 1, key, NULL);
#endif
}
