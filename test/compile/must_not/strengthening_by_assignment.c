/* A weak handle cannot be assigned to a strong one. */

#include <kan/state.h>

uint64_t test(kan_causal store);

uint64_t test(kan_causal store)
{
#ifdef RIGHT
    kan_causal strong = store;
    return kan_causal_seen(strong);
#else
    kan_strong strong = store;
    return kan_causal_seen(kan_strong_as_causal(strong));
#endif
}
