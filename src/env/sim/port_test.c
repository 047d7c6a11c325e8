/* Messages of a simulated world: sent, lost, doubled, late, cut off. */

#include "env/sim/fixture.h"

struct fixture fixture;

static char last_from[64];

static void on_message(void *data, const char *from, struct kan_slice bytes)
{
    char text[16] = {0};
    (void)data;
    assert_true(bytes.size < sizeof text);
    memcpy(text, bytes.bytes, bytes.size);
    say(text);
    strcpy(last_from, from);
}

static struct env_port *port_open(struct env *env, const char *address)
{
    struct env_port *port;
    assert_ok(env_port_open(env, address, NULL, on_message, &port));
    return port;
}

static void quiet(void)
{
    sim_run(fixture.world, UINT64_MAX);
}

static void test_messages(void **state)
{
    char large[1201] = {0};
    struct env_port *port;
    (void)state;
    world_up(NULL, 1);
    struct env *a = node_up("a");
    struct env *b = node_up("b");
    struct env_port *pa = port_open(a, "10.0.0.1:0");
    struct env_port *pb = port_open(b, "10.0.0.2:53");
    assert_string_equal(env_port_address(pa), "10.0.0.1:49152");
    assert_int_equal(env_port_open(b, "10.0.0.2:53", NULL, on_message, &port),
                     KAN_HELD);
    assert_int_equal(env_port_open(b, "/path", NULL, on_message, &port),
                     KAN_INVALID);
    assert_ok(env_port_send(pa, "10.0.0.2:53", SLICE("one")));
    assert_ok(env_port_send(pa, "10.0.0.2:53", SLICE("two")));
    assert_ok(env_port_send(pa, "10.0.0.9:53", SLICE("nobody")));
    assert_int_equal(env_port_send(pa, "?", SLICE("x")), KAN_INVALID);
    assert_int_equal(
        env_port_send(pa, "10.0.0.2:53", kan_slice(large, sizeof large)),
        KAN_INVALID);
    said("");
    quiet();
    said("one two");
    assert_string_equal(last_from, "10.0.0.1:49152");
    assert_ok(env_port_send(pb, last_from, SLICE("back")));
    quiet();
    said("back");
    assert_ok(env_port_send(pb, "10.0.0.1:49152", SLICE("late")));
    env_port_close(pa, "closed", say_closed);
    quiet();
    said("closed");
    env_port_close(pb, NULL, NULL);
    quiet();
    env_free(a);
    env_free(b);
    world_down();
}

/* A message to a process that was restarted reaches the new one. */
static void test_restart(void **state)
{
    const struct sim_options options = {.latency_ns = 100};
    struct env *next;
    (void)state;
    world_up(&options, 1);
    struct env *a = node_up("a");
    struct env *b = node_up("b");
    struct env_port *pa = port_open(a, "10.0.0.1:1");
    (void)port_open(b, "10.0.0.2:1");
    assert_ok(env_port_send(pa, "10.0.0.2:1", SLICE("hello")));
    sim_crash(b);
    assert_ok(sim_restart(fixture.world, "b", &next));
    (void)port_open(next, "10.0.0.2:1");
    quiet();
    said("hello");
    assert_ok(env_port_send(pa, "10.0.0.2:1", SLICE("last")));
    sim_crash(next);
    quiet();
    said("");
    world_down();
}

static void test_partition(void **state)
{
    (void)state;
    world_up(NULL, 1);
    struct env *a = node_up("a");
    struct env *b = node_up("b");
    struct env *c = node_up("c");
    struct env_port *pa = port_open(a, "10.0.0.1:1");
    (void)port_open(b, "10.0.0.2:1");
    (void)port_open(c, "10.0.0.3:1");
    sim_partition(fixture.world, "a", "b", true);
    assert_ok(env_port_send(pa, "10.0.0.2:1", SLICE("b")));
    assert_ok(env_port_send(pa, "10.0.0.3:1", SLICE("c")));
    quiet();
    said("c");
    assert_int_equal(probed(SIM_PROBE_MESSAGE_CUT_OFF), 1);
    sim_heal(fixture.world);
    assert_ok(env_port_send(pa, "10.0.0.2:1", SLICE("b")));
    quiet();
    said("b");
    world_down();
}

static void test_faults(void **state)
{
    const struct sim_options options = {.lost_rate = 200,
                                        .doubled_rate = 200,
                                        .late_rate = 200,
                                        .late_ns = 1000,
                                        .latency_ns = 10,
                                        .jitter_ns = 10};
    bool reordered = false;
    bool doubled = false;
    bool lost = false;
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        world_up(&options, seed);
        struct env *a = node_up("a");
        struct env_port *port = port_open(a, "10.0.0.1:1");
        for (char c = '1'; c <= '5'; c++)
            assert_ok(env_port_send(port, "10.0.0.1:1", kan_slice(&c, 1)));
        quiet();
        reordered |= strstr(fixture.trace, "2 1") != NULL;
        doubled |= strlen(fixture.trace) > 9;
        lost |= strlen(fixture.trace) < 9;
        world_down();
    }
    assert_true(reordered && doubled && lost);
}

static void test_limit(void **state)
{
    const struct sim_options options = {.messages_max = 3};
    (void)state;
    world_up(&options, 1);
    struct env_port *port = port_open(node_up("a"), "10.0.0.1:1");
    for (int i = 0; i < 5; i++)
        assert_ok(env_port_send(port, "10.0.0.1:1", SLICE("x")));
    quiet();
    said("x x x");
    world_down();
}

static void test_without_memory(void **state)
{
    struct env_port *port;
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    mem_fault(1, false);
    assert_int_equal(env_port_open(env, "10.0.0.1:1", NULL, on_message, &port),
                     KAN_NOMEM);
    port = port_open(env, "10.0.0.1:1");
    mem_fault(1, false);
    assert_int_equal(env_port_send(port, "10.0.0.1:1", SLICE("x")), KAN_NOMEM);
    assert_ok(env_port_send(port, "10.0.0.1:1", SLICE("under way")));
    world_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),  cmocka_unit_test(test_restart),
        cmocka_unit_test(test_partition), cmocka_unit_test(test_faults),
        cmocka_unit_test(test_limit),     cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
