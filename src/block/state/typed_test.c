/* Tests of the typed stores: on engines of the test's own in a simulated world,
 * and in the world itself. */

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "block/loop/loop.h"
#include "block/state/typed.h"
#include "engine/memory/memory.h"
#include "env/sim/sim.h"

/* --- a place to test in --------------------------------------------------- */

struct place
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    kan_loop *loop;
    int64_t live; /* blocks before */
};

static void place_open(struct place *place)
{
    memset(place, 0, sizeof(*place));
    place->live = mem_live();
    tape_init_seed(&place->tape, 1);
    assert_int_equal(sim_world_new(&place->tape, NULL, &place->world), KAN_OK);
    assert_int_equal(sim_node_new(place->world, "a", &place->env), KAN_OK);
    assert_int_equal(loop_new_on(place->env, &place->loop), KAN_OK);
}

static void place_close(struct place *place)
{
    kan_loop_free(place->loop);
    env_free(place->env);
    sim_world_free(place->world);
    tape_fini(&place->tape);
    assert_int_equal(mem_live(), place->live);
}

/* Open a store on a memory engine that promises no more than the profile. */
static enum kan_err open_on(struct place *place,
                            const struct engine_promises *profile,
                            enum typed_level level, char *why, size_t why_size,
                            struct kan_store **ret_store)
{
    struct memory_options memory = {.profile = profile};
    struct kan_store_options options = {0};
    struct engine *engine;
    enum kan_err err;

    assert_int_equal(engine_memory_open(place->env, &memory, &engine), KAN_OK);
    err = typed_new(place->loop, engine, &options, level, why, why_size,
                    ret_store);
    if (err) {
        engine_close(engine, NULL, NULL);
        while (kan_loop_run(place->loop, KAN_LOOP_ONCE))
            continue;
    }
    return err;
}

static kan_strong open_strong(struct place *place)
{
    kan_strong store;
    char why[256] = "";

    if (open_on(place, NULL, TYPED_STRONG, why, sizeof(why), &store.store))
        fail_msg("%s", why);
    return store;
}

static struct engine_promises weak_profile(void)
{
    struct engine_promises profile = memory_promises;

    profile.linearizable = false;
    return profile;
}

static void assert_value(kan_strong store, const char *key, const char *text)
{
    struct kan_value value = {0};
    enum kan_err err = kan_strong_get(store, kan_text(key), &value);

    if (!text) {
        assert_int_equal(err, KAN_NOTFOUND);
        assert_null(value.bytes);
        return;
    }
    assert_int_equal(err, KAN_OK);
    assert_string_equal(value.bytes, text);
    assert_int_equal(value.size, strlen(text));
    kan_value_fini(&value);
    kan_value_fini(&value);
}

/* --- levels --------------------------------------------------------------- */

/* K-STATE-11 */
static void k_state_11_strong_is_linearizable_or_not_at_all(void **context)
{
    struct engine_promises profile = weak_profile();
    struct place place;
    struct kan_store *store = NULL;
    char why[256];

    (void)context;
    place_open(&place);
    assert_int_equal(
        open_on(&place, &profile, TYPED_STRONG, why, sizeof(why), &store),
        KAN_INVALID);
    assert_null(store);
    assert_non_null(strstr(why, "not linearizable"));
    assert_int_equal(
        open_on(&place, &profile, TYPED_CAUSAL, why, sizeof(why), &store),
        KAN_OK);
    typed_close(store);
    assert_int_equal(
        open_on(&place, &profile, TYPED_EVENTUAL, why, sizeof(why), &store),
        KAN_OK);
    typed_close(store);
    place_close(&place);
}

static void weakening_shares_the_store(void **context)
{
    struct place place;
    kan_strong strong;
    kan_causal causal;
    kan_eventual eventual;
    struct kan_value value = {0};
    int64_t live;
    uint64_t revision = 0;

    (void)context;
    place_open(&place);
    strong = open_strong(&place);
    live = mem_live();
    causal = kan_strong_as_causal(strong);
    eventual = kan_causal_as_eventual(causal);
    assert_ptr_equal(kan_strong_as_eventual(strong).store, eventual.store);
    assert_int_equal(mem_live(), live);
    assert_int_equal(
        kan_causal_put(causal, kan_text("k"), kan_text("v"), 0, &revision),
        KAN_OK);
    assert_int_equal(kan_causal_seen(causal), revision);
    assert_int_equal(kan_eventual_get(eventual, kan_text("k"), &value), KAN_OK);
    assert_int_equal(value.revision, revision);
    kan_value_fini(&value);
    assert_int_equal(
        kan_eventual_put(eventual, kan_text("k"), kan_text("w"), 0), KAN_OK);
    assert_value(strong, "k", "w");
    assert_int_equal(kan_causal_get(causal, kan_text("k"), &value), KAN_OK);
    assert_true(value.revision > revision);
    kan_value_fini(&value);
    assert_int_equal(kan_causal_delete(causal, kan_text("k")), KAN_OK);
    assert_int_equal(kan_eventual_delete(eventual, kan_text("k")), KAN_OK);
    assert_int_equal(kan_eventual_get(eventual, kan_text("k"), &value),
                     KAN_NOTFOUND);
    assert_string_equal(kan_eventual_message(eventual), "no such key");
    kan_strong_close(strong);
    place_close(&place);
}

/* K-STATE-10: a causal read waits for what its handle has seen. */
static void k_state_10_causal_reads_are_not_older(void **context)
{
    struct engine_promises profile = weak_profile();
    struct place place;
    kan_causal store;
    struct kan_value value = {0};
    char why[256];

    (void)context;
    place_open(&place);
    assert_int_equal(
        open_on(&place, &profile, TYPED_CAUSAL, why, sizeof(why), &store.store),
        KAN_OK);
    assert_int_equal(
        kan_causal_put(store, kan_text("k"), kan_text("v"), 0, NULL), KAN_OK);
    kan_causal_see(store, 1);
    assert_int_equal(kan_causal_get(store, kan_text("k"), &value), KAN_OK);
    kan_value_fini(&value);
    kan_causal_see(store, kan_causal_seen(store) + 1);
    assert_int_equal(kan_causal_get(store, kan_text("k"), &value), KAN_TIMEOUT);
    assert_int_equal(
        kan_eventual_get(kan_causal_as_eventual(store), kan_text("k"), &value),
        KAN_OK);
    kan_value_fini(&value);
    assert_int_equal(
        kan_causal_put(store, kan_text("l"), kan_text("v"), 0, NULL), KAN_OK);
    assert_int_equal(kan_causal_get(store, kan_text("k"), &value), KAN_OK);
    kan_value_fini(&value);
    kan_causal_close(store);
    place_close(&place);
}

/* --- the strong verbs ----------------------------------------------------- */

static void compare_and_set(void **context)
{
    struct place place;
    kan_strong store;
    struct kan_slice key = kan_text("k");
    uint64_t first = 0;
    uint64_t second = 0;
    uint64_t none = 77;

    (void)context;
    place_open(&place);
    store = open_strong(&place);
    assert_int_equal(kan_strong_put_if(store, key, 0, kan_text("1"), &first),
                     KAN_OK);
    assert_int_equal(kan_strong_put_if(store, key, 0, kan_text("x"), &none),
                     KAN_CONFLICT);
    assert_int_equal(none, 77);
    assert_non_null(strstr(kan_strong_message(store), "changed"));
    assert_int_equal(
        kan_strong_put_if(store, key, first, kan_text("2"), &second), KAN_OK);
    assert_true(second > first);
    assert_int_equal(kan_strong_put_if(store, key, first, kan_text("x"), NULL),
                     KAN_CONFLICT);
    assert_int_equal(kan_strong_delete_if(store, key, first), KAN_CONFLICT);
    assert_int_equal(kan_strong_delete_if(store, key, 0), KAN_INVALID);
    assert_value(store, "k", "2");
    assert_int_equal(kan_strong_delete_if(store, key, second), KAN_OK);
    assert_value(store, "k", NULL);
    assert_int_equal(kan_strong_delete(store, key), KAN_OK);
    kan_strong_close(store);
    place_close(&place);
}

static void commits_are_all_or_nothing(void **context)
{
    struct place place;
    kan_strong store;
    struct kan_op ops[3] = {
        {.key = kan_text("a"), .value = kan_text("1")},
        {.key = kan_text("b"),
         .value = kan_text("2"),
         .condition = KAN_IF_ABSENT},
        {.kind = KAN_CHECK,
         .key = kan_text("c"),
         .condition = KAN_IF_REVISION,
         .revision = 5},
    };
    uint64_t revision = 0;

    (void)context;
    place_open(&place);
    store = open_strong(&place);
    assert_int_equal(kan_strong_commit(store, ops, 3, &revision), KAN_CONFLICT);
    assert_non_null(strstr(kan_strong_message(store), "operation 2"));
    assert_value(store, "a", NULL);
    ops[2].revision = 0;
    assert_int_equal(kan_strong_commit(store, ops, 3, &revision), KAN_INVALID);
    assert_non_null(strstr(kan_strong_message(store), "at least 1"));
    assert_int_equal(revision, 0);
    ops[2].condition = KAN_ALWAYS;
    assert_int_equal(kan_strong_commit(store, ops, 3, &revision), KAN_OK);
    assert_value(store, "a", "1");
    assert_value(store, "b", "2");
    assert_int_equal(kan_strong_commit(store, ops, 0, &revision), KAN_OK);
    kan_strong_close(store);
    place_close(&place);
}

static void too_many_operations_are_refused(void **context)
{
    static struct kan_op ops[KAN_OPS_MAX + 1];
    struct place place;
    kan_strong store;

    (void)context;
    place_open(&place);
    store = open_strong(&place);
    assert_int_equal(kan_strong_commit(store, ops, KAN_OPS_MAX + 1, NULL),
                     KAN_INVALID);
    kan_strong_close(store);
    place_close(&place);
}

static void bad_arguments_are_told_why(void **context)
{
    struct place place;
    kan_strong store;
    struct kan_value value = {0};
    struct kan_page page = {0};
    struct kan_list_options options = {.limit = KAN_PAGE_MAX + 1};

    (void)context;
    place_open(&place);
    store = open_strong(&place);
    assert_string_equal(kan_strong_message(store), "");
    assert_int_equal(kan_strong_get(store, kan_text(""), &value), KAN_INVALID);
    assert_non_null(strstr(kan_strong_message(store), "key 0"));
    assert_int_equal(
        kan_strong_put(store, kan_text("a||b"), kan_text(""), 0, NULL),
        KAN_INVALID);
    assert_non_null(strstr(kan_strong_message(store), "||"));
    assert_int_equal(kan_strong_list(store, &options, &page), KAN_INVALID);
    kan_strong_close(store);
    place_close(&place);
}

static void values_expire(void **context)
{
    struct place place;
    kan_strong store;
    struct kan_value value = {0};

    (void)context;
    place_open(&place);
    store = open_strong(&place);
    assert_int_equal(
        kan_strong_put(store, kan_text("k"), kan_text("v"), 2, NULL), KAN_OK);
    assert_int_equal(kan_strong_get(store, kan_text("k"), &value), KAN_OK);
    assert_true(value.expires_ms >= env_wall_ms(place.env));
    kan_value_fini(&value);
    sim_run(place.world, sim_now(place.world) + 2000 * (uint64_t)ENV_MS);
    assert_value(store, "k", NULL);
    kan_strong_close(store);
    place_close(&place);
}

static void pages_are_yours(void **context)
{
    struct place place;
    kan_strong store;
    struct kan_list_options options = {.prefix = kan_text("k"), .limit = 2};
    struct kan_page page = {0};

    (void)context;
    place_open(&place);
    store = open_strong(&place);
    assert_int_equal(kan_strong_list(store, NULL, &page), KAN_OK);
    assert_int_equal(page.entry_count, 0);
    kan_page_fini(&page);
    for (int i = 0; i < 3; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(
            kan_strong_put(store, kan_text(key), kan_text(""), 0, NULL),
            KAN_OK);
    }
    assert_int_equal(kan_strong_list(store, &options, &page), KAN_OK);
    assert_int_equal(page.entry_count, 2);
    assert_true(page.more);
    assert_memory_equal(page.entries[1].key.bytes, "k1", 2);
    assert_ptr_equal(page.entries[0].key.bytes, page.entries + 2);
    options.after = page.entries[1].key;
    {
        struct kan_page rest = {0};
        assert_int_equal(
            kan_causal_list(kan_strong_as_causal(store), &options, &rest),
            KAN_OK);
        assert_int_equal(rest.entry_count, 1);
        assert_false(rest.more);
        kan_page_fini(&rest);
    }
    kan_page_fini(&page);
    kan_page_fini(&page);
    kan_strong_close(store);
    place_close(&place);
}

/* --- the callback forms --------------------------------------------------- */

struct seen
{
    bool submitted;
    int calls;
    enum kan_err err;
    uint64_t revision;
    char value[16];
    uint32_t count;
};

static void see(struct seen *seen, enum kan_err err)
{
    assert_true(seen->submitted);
    seen->calls++;
    seen->err = err;
}

static void on_commit(struct kan_commit *commit, enum kan_err err)
{
    struct seen *seen = commit->data;

    see(seen, err);
    seen->revision = err ? commit->failed_op : commit->revision;
}

static void on_get(struct kan_get *get, enum kan_err err)
{
    struct seen *seen = get->data;

    see(seen, err);
    if (err)
        return;
    seen->count = get->key_count;
    seen->revision = get->items[0].revision;
    if (get->items[0].value.size)
        memcpy(seen->value, get->items[0].value.bytes,
               get->items[0].value.size);
}

static void on_put(struct kan_write *write, enum kan_err err)
{
    struct seen *seen = write->data;

    see(seen, err);
    seen->revision = write->revision;
}

static void on_list(struct kan_list *list, enum kan_err err)
{
    struct seen *seen = list->data;

    see(seen, err);
    seen->count = list->entry_count;
}

/* Wait for what was submitted. */
static void await(struct place *place, struct seen *seen)
{
    seen->submitted = true;
    while (!seen->calls)
        kan_loop_run(place->loop, KAN_LOOP_ONCE);
    assert_int_equal(seen->calls, 1);
    seen->calls = 0;
    seen->submitted = false;
}

static void callbacks_answer_once(void **context)
{
    struct place place;
    struct seen seen = {0};
    kan_strong store;
    kan_eventual weak;
    struct kan_op ops[2] = {{.key = kan_text("a"), .value = kan_text("1")},
                            {.key = kan_text("b"), .value = kan_text("2")}};
    struct kan_commit commit = {.data = &seen, .ops = ops, .op_count = 2};
    struct kan_slice keys[3] = {kan_text("b"), kan_text("none"), kan_text("a")};
    struct kan_get get = {.data = &seen, .keys = keys, .key_count = 3};
    struct kan_list list = {.data = &seen};
    struct kan_write write = {
        .data = &seen, .key = kan_text("c"), .value = kan_text("3")};

    (void)context;
    place_open(&place);
    store = open_strong(&place);
    weak = kan_strong_as_eventual(store);
    assert_int_equal(kan_strong_commit_async(store, &commit, on_commit),
                     KAN_OK);
    await(&place, &seen);
    assert_int_equal(seen.err, KAN_OK);
    assert_true(seen.revision > 0);
    assert_int_equal(kan_strong_get_async(store, &get, on_get), KAN_OK);
    await(&place, &seen);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.value, "2");
    ops[1].condition = KAN_IF_ABSENT;
    assert_int_equal(kan_strong_commit_async(store, &commit, on_commit),
                     KAN_OK);
    await(&place, &seen);
    assert_int_equal(seen.err, KAN_CONFLICT);
    assert_int_equal(seen.revision, 1);
    assert_int_equal(kan_eventual_put_async(weak, &write, on_put), KAN_OK);
    await(&place, &seen);
    assert_int_equal(seen.err, KAN_OK);
    assert_true(seen.revision > 0);
    assert_int_equal(kan_eventual_list_async(weak, &list, on_list), KAN_OK);
    await(&place, &seen);
    assert_int_equal(seen.count, 3);
    assert_int_equal(kan_eventual_delete_async(weak, &write, on_put), KAN_OK);
    await(&place, &seen);
    get.key_count = 1;
    keys[0] = kan_text("c");
    assert_int_equal(kan_eventual_get_async(weak, &get, on_get), KAN_OK);
    await(&place, &seen);
    assert_int_equal(seen.err, KAN_OK);
    assert_int_equal(seen.revision, 0);
    kan_strong_close(store);
    place_close(&place);
}

struct ending
{
    int open;
    bool closed;
    enum kan_err errs[4];
};

static void on_ending_commit(struct kan_commit *commit, enum kan_err err)
{
    struct ending *ending = commit->data;

    assert_false(ending->closed);
    ending->errs[--ending->open] = err;
}

static void on_ending_get(struct kan_get *get, enum kan_err err)
{
    struct ending *ending = get->data;

    assert_false(ending->closed);
    ending->errs[--ending->open] = err;
}

static void on_closed(void *data)
{
    struct ending *ending = data;

    assert_int_equal(ending->open, 0);
    ending->closed = true;
}

static void closing_ends_requests_first(void **context)
{
    struct place place;
    struct ending ending = {0};
    kan_strong store;
    struct kan_op op = {.key = kan_text("a"), .value = kan_text("1")};
    struct kan_op bad = {.key = kan_text("")};
    struct kan_commit commit = {.data = &ending, .ops = &op, .op_count = 1};
    struct kan_commit refused = {.data = &ending, .ops = &bad, .op_count = 1};
    struct kan_commit late = commit;
    struct kan_slice key = kan_text("a");
    struct kan_get get = {.data = &ending, .keys = &key, .key_count = 1};

    (void)context;
    place_open(&place);
    store = open_strong(&place);
    ending.open = 3;
    assert_int_equal(kan_strong_commit_async(store, &commit, on_ending_commit),
                     KAN_OK);
    assert_int_equal(kan_strong_commit_async(store, &refused, on_ending_commit),
                     KAN_OK);
    assert_int_equal(kan_strong_get_async(store, &get, on_ending_get), KAN_OK);
    kan_strong_close_async(store, &ending, on_closed);
    assert_int_equal(kan_strong_commit_async(store, &late, on_ending_commit),
                     KAN_CLOSED);
    assert_non_null(strstr(kan_strong_message(store), "closing"));
    while (!ending.closed)
        kan_loop_run(place.loop, KAN_LOOP_ONCE);
    place_close(&place);
}

/* --- programmer errors ---------------------------------------------------- */

static void blocking_get(struct kan_get *get, enum kan_err err)
{
    kan_strong *store = get->data;
    struct kan_value value = {0};

    (void)err;
    (void)!kan_strong_get(*store, kan_text("k"), &value);
}

/* The signal that ends a child in which body runs. */
static int signal_of(void body(struct place *place, kan_strong store))
{
    struct place place;
    kan_strong store;
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        signal(SIGABRT, SIG_DFL);
        place_open(&place);
        store = open_strong(&place);
        body(&place, store);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void block_in_callback(struct place *place, kan_strong store)
{
    struct kan_slice key = kan_text("k");
    struct kan_get get = {.data = &store, .keys = &key, .key_count = 1};

    (void)!kan_strong_get_async(store, &get, blocking_get);
    while (true)
        kan_loop_run(place->loop, KAN_LOOP_ONCE);
}

static void close_twice(struct place *place, kan_strong store)
{
    (void)place;
    kan_strong_close_async(store, NULL, on_closed);
    kan_strong_close_async(store, NULL, on_closed);
}

static void no_error(struct place *place, kan_strong store)
{
    (void)place;
    kan_strong_close(store);
}

static void programmer_errors_assert(void **context)
{
    (void)context;
    assert_int_equal(signal_of(no_error), 0);
    assert_int_equal(signal_of(block_in_callback), SIGABRT);
    assert_int_equal(signal_of(close_twice), SIGABRT);
}

/* --- allocation faults ---------------------------------------------------- */

static enum kan_err fault_body(kan_strong store, int kind)
{
    struct kan_op ops[2] = {{.key = kan_text("a"), .value = kan_text("1")},
                            {.key = kan_text("b"), .value = kan_text("2")}};
    struct kan_value value = {0};
    struct kan_page page = {0};
    enum kan_err err;

    switch (kind) {
    case 0:
        return kan_strong_commit(store, ops, 1, NULL);
    case 1:
        return kan_strong_commit(store, ops, 2, NULL);
    case 2:
        err = kan_strong_get(store, kan_text("a"), &value);
        kan_value_fini(&value);
        return err;
    default:
        err = kan_strong_list(store, NULL, &page);
        kan_page_fini(&page);
        return err;
    }
}

static enum kan_err fault_async(struct place *place, kan_strong store, int kind)
{
    struct seen seen = {0};
    struct kan_op ops[2] = {{.key = kan_text("a"), .value = kan_text("1")},
                            {.key = kan_text("b"), .value = kan_text("2")}};
    struct kan_slice keys[2] = {kan_text("a"), kan_text("b")};
    struct kan_commit commit = {.data = &seen, .ops = ops, .op_count = 2};
    struct kan_get get = {.data = &seen, .keys = keys, .key_count = 2};
    struct kan_list list = {.data = &seen};
    struct kan_write write = {.data = &seen, .key = keys[0]};
    enum kan_err err;

    if (kind == 0)
        err = kan_strong_commit_async(store, &commit, on_commit);
    else if (kind == 1)
        err = kan_strong_get_async(store, &get, on_get);
    else if (kind == 2)
        err = kan_strong_list_async(store, &list, on_list);
    else
        err = kan_causal_put_async(kan_strong_as_causal(store), &write, on_put);
    if (!err)
        await(place, &seen);
    return err ? err : seen.err;
}

static enum kan_err fault_any(struct place *place, kan_strong store, int kind)
{
    return kind < 4 ? fault_body(store, kind)
                    : fault_async(place, store, kind - 4);
}

static void allocation_faults_refuse_and_leak_nothing(void **context)
{
    struct place place;
    kan_strong store;

    (void)context;
    place_open(&place);
    store = open_strong(&place);
    assert_int_equal(
        kan_strong_put(store, kan_text("a"), kan_text("1"), 0, NULL), KAN_OK);
    for (int kind = 0; kind < 8; kind++) {
        for (uint64_t nth = 1;; nth++) {
            bool struck;
            enum kan_err err;
            mem_fault(nth, false);
            err = fault_any(&place, store, kind);
            struck = mem_fault_struck();
            mem_fault(0, false);
            if (!struck) {
                assert_int_equal(err, KAN_OK);
                assert_true(nth > 1);
                break;
            }
            if (err)
                assert_int_equal(err, KAN_NOMEM);
            assert_int_equal(fault_any(&place, store, kind), KAN_OK);
        }
    }
    kan_strong_close(store);
    place_close(&place);
}

/* --- in the world itself -------------------------------------------------- */

static void opening_refuses_bad_options(void **context)
{
    static char prefix[KAN_PREFIX_MAX + 1];
    struct kan_store_options options = {0};
    int64_t live = mem_live();
    kan_strong store = {NULL};
    char why[64];

    (void)context;
    assert_int_equal(kan_strong_open(NULL, &options, why, sizeof(why), &store),
                     KAN_INVALID);
    assert_non_null(strstr(why, "path"));
    options.engine = "oracle";
    assert_int_equal(kan_strong_open(NULL, &options, why, sizeof(why), &store),
                     KAN_INVALID);
    assert_non_null(strstr(why, "sqlite"));
    assert_int_equal(kan_strong_open(NULL, &options, why, 5, &store),
                     KAN_INVALID);
    assert_string_equal(why, "opti");
    assert_int_equal(kan_strong_open(NULL, &options, NULL, 0, &store),
                     KAN_INVALID);
    options.engine = NULL;
    options.path = "/dev/null/data";
    assert_int_equal(kan_strong_open(NULL, &options, why, sizeof(why), &store),
                     KAN_INVALID);
    assert_non_null(strstr(why, "/dev/null/data"));
    options.engine = "memory";
    memset(prefix, 'p', sizeof(prefix));
    options.prefix = kan_slice(prefix, sizeof(prefix));
    assert_int_equal(kan_strong_open(NULL, &options, why, sizeof(why), &store),
                     KAN_INVALID);
    assert_non_null(strstr(why, "512"));
    assert_null(store.store);
    kan_strong_close(store);
    assert_int_equal(mem_live(), live);
}

static void a_store_can_have_its_own_loop(void **context)
{
    struct kan_store_options options = {.engine = "memory",
                                        .prefix = kan_text("p")};
    int64_t live = mem_live();
    kan_strong store;
    char why[256] = "";

    (void)context;
    if (kan_strong_open(NULL, &options, why, sizeof(why), &store))
        fail_msg("%s", why);
    assert_int_equal(
        kan_strong_put(store, kan_text("k"), kan_text("v"), 0, NULL), KAN_OK);
    assert_value(store, "k", "v");
    kan_strong_close(store);
    assert_int_equal(mem_live(), live);
}

/* Every allocation of an opening fails once, and leaves nothing behind. */
static void open_under_faults(const struct kan_store_options *options)
{
    for (uint64_t nth = 1;; nth++) {
        int64_t live = mem_live();
        kan_strong store = {NULL};
        bool struck;
        enum kan_err err;
        mem_fault(nth, false);
        err = kan_strong_open(NULL, options, NULL, 0, &store);
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_true(err == KAN_OK || (struck && err == KAN_NOMEM));
        kan_strong_close(store);
        assert_int_equal(mem_live(), live);
        if (!struck)
            break;
        assert_true(nth < 200);
    }
}

static void opening_under_allocation_faults(void **context)
{
    char folder[] = "/tmp/kan-typed-XXXXXX";
    char command[96];
    struct kan_store_options options = {.engine = "memory"};

    (void)context;
    open_under_faults(&options);
    assert_non_null(mkdtemp(folder));
    options.engine = "sqlite";
    options.path = folder;
    open_under_faults(&options);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* A program's own loop waits on the descriptor of ours. */
static void a_loop_lives_inside_another(void **context)
{
    struct kan_store_options options = {.engine = "memory"};
    struct seen seen = {0};
    struct kan_slice key = kan_text("k");
    struct kan_get get = {.data = &seen, .keys = &key, .key_count = 1};
    kan_loop *loop;
    kan_strong store;

    (void)context;
    assert_int_equal(kan_loop_new(&loop), KAN_OK);
    assert_int_equal(kan_strong_open(loop, &options, NULL, 0, &store), KAN_OK);
    assert_int_equal(kan_strong_get_async(store, &get, on_get), KAN_OK);
    seen.submitted = true;
    for (int turn = 0; turn < 100 && !seen.calls; turn++) {
        struct pollfd wait = {.fd = kan_loop_fd(loop), .events = POLLIN};
        (void)!poll(&wait, 1, kan_loop_timeout_ms(loop));
        kan_loop_run(loop, KAN_LOOP_NOWAIT);
    }
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.err, KAN_OK);
    kan_strong_close(store);
    assert_null(kan_loop_free(loop));
    assert_null(kan_loop_free(NULL));
}

struct posted
{
    kan_loop *loop;
    struct kan_post post;
    pthread_t ran_on;
    bool ran;
};

static void on_post(struct kan_post *post)
{
    struct posted *posted = post->data;

    posted->ran_on = pthread_self();
    posted->ran = true;
    kan_loop_stop(posted->loop);
}

static void *post_from_thread(void *data)
{
    struct posted *posted = data;

    posted->post.data = posted;
    kan_loop_post(posted->loop, &posted->post, on_post);
    return NULL;
}

static void other_threads_may_post(void **context)
{
    struct posted posted = {0};
    pthread_t thread;

    (void)context;
    assert_int_equal(kan_loop_new(&posted.loop), KAN_OK);
    assert_int_equal(pthread_create(&thread, NULL, post_from_thread, &posted),
                     0);
    while (!posted.ran)
        kan_loop_run(posted.loop, KAN_LOOP_UNTIL_STOPPED);
    assert_true(pthread_equal(posted.ran_on, pthread_self()));
    pthread_join(thread, NULL);
    kan_loop_free(posted.loop);
}

/* --- durable -------------------------------------------------------------- */

static void data_lasts_and_is_held_by_one(void **context)
{
    char folder[] = "/tmp/kan-typed-XXXXXX";
    char path[64];
    char command[96];
    struct kan_store_options options = {.path = path};
    kan_strong store;
    kan_strong second = {NULL};
    char why[256] = "";

    (void)context;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/made/by/open", folder);
    if (kan_strong_open(NULL, &options, why, sizeof(why), &store))
        fail_msg("%s", why);
    assert_int_equal(
        kan_strong_put(store, kan_text("k"), kan_text("v"), 0, NULL), KAN_OK);
    assert_int_equal(kan_strong_open(NULL, &options, why, sizeof(why), &second),
                     KAN_HELD);
    assert_non_null(strstr(why, "libkan")); /* who holds it */
    assert_null(second.store);
    kan_strong_close(store);
    if (kan_strong_open(NULL, &options, why, sizeof(why), &store))
        fail_msg("%s", why);
    assert_value(store, "k", "v");
    kan_strong_close(store);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_state_11_strong_is_linearizable_or_not_at_all),
        cmocka_unit_test(weakening_shares_the_store),
        cmocka_unit_test(k_state_10_causal_reads_are_not_older),
        cmocka_unit_test(compare_and_set),
        cmocka_unit_test(commits_are_all_or_nothing),
        cmocka_unit_test(too_many_operations_are_refused),
        cmocka_unit_test(bad_arguments_are_told_why),
        cmocka_unit_test(values_expire),
        cmocka_unit_test(pages_are_yours),
        cmocka_unit_test(callbacks_answer_once),
        cmocka_unit_test(closing_ends_requests_first),
        cmocka_unit_test(programmer_errors_assert),
        cmocka_unit_test(allocation_faults_refuse_and_leak_nothing),
        cmocka_unit_test(opening_refuses_bad_options),
        cmocka_unit_test(a_store_can_have_its_own_loop),
        cmocka_unit_test(opening_under_allocation_faults),
        cmocka_unit_test(a_loop_lives_inside_another),
        cmocka_unit_test(other_threads_may_post),
        cmocka_unit_test(data_lasts_and_is_held_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
