/* An eventual store does not wait for a revision. */

#include <kan/state.h>

void test(kan_causal store);

void test(kan_causal store)
{
#ifdef RIGHT
    kan_causal_see(store, 7);
#else
    kan_eventual_see(kan_causal_as_eventual(store), 7);
#endif
}
