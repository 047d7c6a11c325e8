/* A write at a weak level has no condition. */

#include <kan/state.h>

void test(struct kan_write *write);

void test(struct kan_write *write)
{
#ifdef RIGHT
    write->ttl_seconds = 7;
#else
    write->condition = KAN_IF_ABSENT;
#endif
}
