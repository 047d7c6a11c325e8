/* A weak handle cannot be cast to a strong one. */

#include <kan/state.h>

const char *test(kan_causal store);

const char *test(kan_causal store)
{
#ifdef RIGHT
    return kan_causal_message(store);
#else
    return kan_strong_message((kan_strong)store);
#endif
}
