/* There is no way back to a stronger handle. */

#include <kan/state.h>

kan_causal test(kan_causal store);

kan_causal test(kan_causal store)
{
#ifdef RIGHT
    kan_causal again = store;
    return again;
#else
    return kan_causal_as_strong(store);
#endif
}
