/* Time, chance and timers.
 *
 * All timers share one of libuv's, which only ends the wait: it counts in
 * milliseconds, rounded up, and the heap is asked in nanoseconds, so nothing
 * fires early. */

#include <time.h>

#include "env/uv/world.h"

uint64_t env_uv_now(struct env *env)
{
    (void)env;
    return uv_hrtime();
}

uint64_t env_uv_wall_ms(struct env *env)
{
    struct timespec now;
    (void)env;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum kan_err env_uv_random_fill(struct env_uv *world)
{
    if (uv_random(NULL, NULL, world->random, sizeof world->random, 0, NULL))
        return KAN_IO;
    world->random_left = sizeof world->random / sizeof world->random[0];
    return KAN_OK;
}

/* The kernel's own generator, a buffer at a time: ids made of these numbers
 * must not be guessable, and 8 bytes cost about 10 ns this way. */
static uint64_t random_u64(struct env_uv *world)
{
    if (world->random_left == 0) {
        enum kan_err err = env_uv_random_fill(world);
        kan_assert(!err); /* it worked when the world began */
    }
    uint64_t number = world->random[--world->random_left];
    world->random[world->random_left] = 0;
    return number;
}

uint64_t env_uv_choose(struct env *env, uint64_t n)
{
    struct env_uv *world = world_of(env);
    kan_assert(n > 0);
    /* The first 2^64 mod n numbers are drawn again, so that what is left is a
     * multiple of n and no remainder is likelier than another. */
    uint64_t uneven = (0 - n) % n;
    uint64_t number;
    do {
        number = random_u64(world);
    } while (number < uneven);
    return number % n;
}

enum kan_err env_uv_timer_start(struct env *env, struct env_timer *timer,
                                uint64_t due_ns, env_timer_cb *cb)
{
    return timers_add(&world_of(env)->timers, timer, due_ns, uv_hrtime(), cb);
}

void env_uv_timer_stop(struct env *env, struct env_timer *timer)
{
    timers_remove(&world_of(env)->timers, timer);
}

void env_uv_timers_run(struct env_uv *world)
{
    struct env_timer *timer;
    if (!world->timers.count)
        return;
    uint64_t now = uv_hrtime();
    uint64_t before = world->timers.order;
    while (!world->stopped &&
           (timer = timers_pop(&world->timers, now, before)) != NULL)
        timer->cb(timer);
}

static void on_wake(uv_timer_t *timer)
{
    (void)timer; /* it has ended the wait; on_check() does the rest */
}

void env_uv_timers_arm(struct env_uv *world)
{
    const struct env_timer *first = timers_first(&world->timers);
    if (!first) {
        uv_timer_stop(&world->wake);
        return;
    }
    uint64_t now = uv_hrtime();
    uint64_t wait_ms =
        first->due_ns > now ? (first->due_ns - now - 1) / ENV_MS + 1 : 0;
    uv_timer_start(&world->wake, on_wake, wait_ms, 0);
}
