/* A commit is no request of a weak level. */

#include <kan/state.h>

enum kan_err test(kan_causal store, struct kan_write *write, kan_write_cb *cb);

enum kan_err test(kan_causal store, struct kan_write *write, kan_write_cb *cb)
{
#ifdef RIGHT
    return kan_causal_put_async(store, write, cb);
#else
    return kan_causal_put_async(store, *(struct kan_commit *)write, cb);
#endif
}
