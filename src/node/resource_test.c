/* Component files: what is read, skipped and refused, with file and line. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "env/sim/sim.h"
#include "node/resource.h"
#include "node/yaml.h"

struct fixture
{
    struct tape tape;
    struct sim_world *world;
    struct component_scope scope;
    struct log log;
    struct buffer lines;
};

static void keep_line(void *data, struct kan_slice line)
{
    buffer_append(data, line);
}

static uint64_t no_time(void *data)
{
    (void)data;
    return 0;
}

static const char *lookup(const char *name)
{
    return strcmp(name, "STORE_PREFIX") == 0 ? "from-env" : NULL;
}

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    struct env *env;
    tape_init_seed(&f->tape, 1);
    assert_int_equal(sim_world_new(&f->tape, NULL, &f->world), KAN_OK);
    assert_int_equal(sim_node_new(f->world, "n", &env), KAN_OK);
    f->log =
        (struct log){.data = &f->lines, .sink = keep_line, .clock = no_time};
    f->scope = (struct component_scope){
        .env = env, .log = &f->log, .app_id = "orders", .lookup = lookup};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sim_world_free(f->world);
    tape_fini(&f->tape);
    log_fini(&f->log);
    buffer_fini(&f->lines);
    test_free(f);
    return 0;
}

#define HEAD(name, type)                                                      \
    "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: " name \
    "\nspec:\n  type: " type "\n  version: v1\n"

static void a_component_is_read(void **state)
{
    struct fixture *f = *state;
    struct component_set set = {0};
    struct buffer why = BUFFER_INIT;
    struct kan_slice text = SLICE(
        HEAD("first", "state.sqlite")
        "  metadata:\n"
        "  - name: connectionString\n    value: 'file:data/a.db?x=1'\n"
        "  - name: ACTORSTATESTORE\n    value: true\n"
        "  - name: keyPrefix\n    envRef: STORE_PREFIX\n"
        "---\n" HEAD("second", "state.in-memory")
        "  metadata:\n  - name: keyPrefix\n    value: '{appID}-x'\n"
        "scopes: [orders]\n");
    assert_int_equal(component_set_read(&set, &f->scope, "a.yaml", text, &why),
                     KAN_OK);
    assert_int_equal(set.count, 2);
    assert_string_equal(set.components[0].name, "first");
    assert_string_equal(set.components[0].path, "data/a.db");
    assert_true(set.components[0].actor_state_store);
    assert_string_equal(set.components[0].key_prefix, "from-env");
    assert_int_equal(set.components[1].type, COMPONENT_STATE_MEMORY);
    assert_string_equal(set.components[1].key_prefix, "orders-x");
    component_set_fini(&set);
    buffer_fini(&why);
}

static void what_is_not_ours_is_skipped_with_a_note(void **state)
{
    struct fixture *f = *state;
    struct component_set set = {0};
    struct buffer why = BUFFER_INIT;
    struct kan_slice text = SLICE(HEAD(
        "other",
        "pubsub.redis") "  metadata:\n  - name: redisHost\n    value: x\n"
                        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: "
                        "{name: c}\n"
                        "---\n" HEAD(
                            "elsewhere",
                            "state.in-memory") "scopes:\n- billing\n---\n");
    assert_int_equal(component_set_read(&set, &f->scope, "b.yaml", text, &why),
                     KAN_OK);
    assert_int_equal(set.count, 0);
    const char *lines = buffer_text(&f->lines);
    assert_non_null(strstr(lines, "pubsub.redis"));
    assert_non_null(strstr(lines, "ConfigMap"));
    assert_int_equal(set.skipped_count, 2);
    assert_string_equal(set.skipped[0].name, "other");
    assert_string_equal(set.skipped[0].type, "pubsub.redis");
    assert_string_equal(set.skipped[1].type, "ConfigMap");
    component_set_fini(&set);
    buffer_fini(&why);
}

static void a_wrong_file_is_refused_with_its_line(void **state)
{
    struct fixture *f = *state;
    static const struct
    {
        const char *text;
        const char *why;
    } cases[] = {
        {HEAD("a", "state.sqlite") "  metadata:\n  - name: keyPrefx\n"
                                   "    value: x\n",
         "c.yaml:9: state.sqlite has no setting 'keyPrefx'; did you mean "
         "'keyPrefix'?"},
        {HEAD("a", "state.in-memory") "  metadata:\n  - name: path\n"
                                      "    value: x\n",
         "c.yaml:9: state.in-memory has no setting 'path'"},
        {HEAD("a", "state.sqlite") "scope: [x]\n",
         "c.yaml:8: unknown key 'scope'; did you mean 'scopes'?"},
        {HEAD("a", "state.sqlite") "  metadata:\n  - name: keyPrefix\n"
                                   "    value: a||b\n",
         "c.yaml:9: keyPrefix must not contain ||"},
        {HEAD("a", "state.sqlite") "  metadata:\n  - name: actorStateStore\n"
                                   "    value: perhaps\n",
         "c.yaml:9: actorStateStore must be true or false"},
        {HEAD("a", "state.sqlite") "  metadata:\n  - name: path\n"
                                   "    secretKeyRef: {name: s}\n",
         "c.yaml:10: secretKeyRef: secret stores are not served by this "
         "version; give the value, or envRef"},
        {HEAD("a", "state.sqlite") "---\n" HEAD("a", "state.in-memory"),
         "c.yaml:9: there are two components named 'a'"},
        {HEAD("a/b", "state.sqlite"),
         "c.yaml:1: metadata.name 'a/b' must be there, without / and %"},
        {"a: b: c\n",
         "c.yaml: line 1: mapping values are not allowed in "
         "this context"},
        {"a: 1\na: 2\n", "c.yaml: line 2: 'a' is given twice"},
        {"a: &x 1\nb: *x\n",
         "c.yaml: line 2: aliases (*name) are not read; "
         "repeat the value"},
        {"- a\n",
         "c.yaml:1: expected a resource: a map with apiVersion, "
         "kind, metadata, spec"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct component_set set = {0};
        struct buffer why = BUFFER_INIT;
        assert_int_equal(component_set_read(&set, &f->scope, "c.yaml",
                                            kan_text(cases[i].text), &why),
                         KAN_INVALID);
        assert_string_equal(buffer_text(&why), cases[i].why);
        component_set_fini(&set);
        buffer_fini(&why);
    }
}

static void prefixes_follow_the_strategy(void **state)
{
    struct fixture *f = *state;
    static const struct
    {
        const char *strategy;
        const char *namespace_;
        const char *prefix;
    } cases[] = {
        {NULL, NULL, "orders||"},
        {"appid", NULL, "orders||"},
        {"AppId", "prod", "orders||"},
        {"name", NULL, "s||"},
        {"none", NULL, ""},
        {"namespace", NULL, "orders||"},
        {"namespace", "prod", "prod.orders||"},
        {"shared", NULL, "shared||"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct component component = {.name = "s",
                                      .key_prefix = cases[i].strategy};
        struct buffer out = BUFFER_INIT;
        f->scope.namespace_ = cases[i].namespace_;
        component_prefix(&component, &f->scope, &out);
        assert_string_equal(buffer_text(&out), cases[i].prefix);
        /* A lock store has the same behind a word of its own. */
        component.type = COMPONENT_LOCK_SQLITE;
        struct buffer locks = BUFFER_INIT;
        component_prefix(&component, &f->scope, &locks);
        assert_memory_equal(buffer_text(&locks), "lock||", 6);
        assert_string_equal(buffer_text(&locks) + 6, cases[i].prefix);
        buffer_fini(&locks);
        buffer_fini(&out);
    }
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    char deep[128];
    memset(deep, '[', sizeof deep);
    struct yaml_tree tree = {0};
    assert_int_equal(yaml_parse(kan_slice(deep, sizeof deep), &tree),
                     KAN_INVALID);
    assert_string_equal(buffer_text(&tree.why),
                        "line 1: values are nested too deeply");
    yaml_fini(&tree);
    char *large = test_calloc(1, YAML_SIZE_MAX + 1);
    assert_int_equal(yaml_parse(kan_slice(large, YAML_SIZE_MAX + 1), &tree),
                     KAN_INVALID);
    yaml_fini(&tree);
    test_free(large);
}

static void directories_are_read_in_order(void **state)
{
    struct fixture *f = *state;
    struct component_set set = {0};
    struct buffer why = BUFFER_INIT;
    static const struct
    {
        const char *path;
        const char *text;
    } files[] = {
        {"/r/b.yaml", HEAD("b", "state.in-memory")},
        {"/r/a.yml", HEAD("a", "state.in-memory")},
        {"/r/c.txt", "not yaml: ["},
    };
    assert_int_equal(env_dir_make(f->scope.env, "/r"), KAN_OK);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct env_file *file;
        assert_int_equal(env_file_open(f->scope.env, files[i].path,
                                       ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file),
                         KAN_OK);
        assert_int_equal(env_file_write(file, 0, kan_text(files[i].text)),
                         KAN_OK);
        env_file_close(file);
    }
    assert_int_equal(component_set_load(&set, &f->scope, "/r", &why), KAN_OK);
    assert_int_equal(set.count, 2);
    assert_string_equal(set.components[0].name, "a");
    assert_string_equal(set.components[1].name, "b");
    assert_int_equal(component_set_load(&set, &f->scope, "/nowhere", &why),
                     KAN_NOTFOUND);
    assert_string_equal(buffer_text(&why),
                        "--resources-path '/nowhere': "
                        "there is no such directory");
    component_set_fini(&set);
    buffer_fini(&why);
}

/* Fail the first, second, ... allocation until reading succeeds. */
static void running_out_of_memory_is_survived(void **state)
{
    struct fixture *f = *state;
    struct kan_slice text = SLICE(HEAD(
        "first", "state.sqlite") "  metadata:\n"
                                 "  - name: path\n    value: a\n");
    int64_t before = mem_live();
    for (uint64_t nth = 1;; nth++) {
        struct component_set set = {0};
        struct buffer why = BUFFER_INIT;
        mem_fault(nth, false);
        enum kan_err err =
            component_set_read(&set, &f->scope, "d.yaml", text, &why);
        bool struck = mem_fault_struck();
        mem_fault(0, false);
        component_set_fini(&set);
        buffer_fini(&why);
        assert_int_equal(mem_live(), before);
        if (!struck) {
            assert_int_equal(err, KAN_OK);
            assert_true(nth > 4);
            break;
        }
        assert_int_equal(err, KAN_NOMEM);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_component_is_read),
        TEST(what_is_not_ours_is_skipped_with_a_note),
        TEST(a_wrong_file_is_refused_with_its_line),
        TEST(prefixes_follow_the_strategy),
        TEST(depth_and_size_are_bounded),
        TEST(directories_are_read_in_order),
        TEST(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests_name("resource", tests, NULL, NULL);
}
