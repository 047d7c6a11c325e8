/* fixture.h - a world for each test of env/sim, and a heap that must be as
 * before when it ends. */

#ifndef ENV_SIM_FIXTURE_H
#define ENV_SIM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "env/env.h"
#include "env/sim/sim.h"

#define assert_ok(call) assert_int_equal((call), KAN_OK)

struct fixture
{
    struct tape tape;
    struct sim_world *world;
    int64_t live;
    char trace[512]; /* what callbacks wrote */
};

/* The one fixture, for callbacks that have no data. */
extern struct fixture fixture;

/* A world with these knobs (may be NULL) and the tape of this seed. */
static inline void world_up(const struct sim_options *options, uint64_t seed)
{
    fixture = (struct fixture){.live = mem_live()};
    tape_init_seed(&fixture.tape, seed);
    assert_ok(sim_world_new(&fixture.tape, options, &fixture.world));
}

static inline void world_down(void)
{
    mem_fault(0, false);
    assert_null(sim_world_free(fixture.world));
    tape_fini(&fixture.tape);
    assert_int_equal(mem_live(), fixture.live);
}

static inline struct env *node_up(const char *name)
{
    struct env *env;
    assert_ok(sim_node_new(fixture.world, name, &env));
    return env;
}

static inline uint64_t probed(enum sim_probe probe)
{
    return sim_probe_count(fixture.world, probe);
}

/* Add a word to the trace. */
static inline void say(const char *word)
{
    assert_true(strlen(fixture.trace) + strlen(word) + 2 <
                sizeof fixture.trace);
    if (fixture.trace[0])
        strcat(fixture.trace, " ");
    strcat(fixture.trace, word);
}

static inline void said(const char *words)
{
    assert_string_equal(fixture.trace, words);
    fixture.trace[0] = 0;
}

/* env_close_cb that says the word. */
static inline void say_closed(void *data)
{
    say(data);
}

#endif /* ENV_SIM_FIXTURE_H */
