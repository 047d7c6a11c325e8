/* Modules that may be opened, and the reasons why others may not. */

#include "block/actor/module.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "block/actor/guard.h"
#include "block/actor/module_elf.h"
#include "block/actor/turn.h"

static char *case_path(const char *name)
{
    char path[4096];

    assert_in_range(
        snprintf(path, sizeof(path), "%s/%s.so", MODULE_CASES, name), 1,
        sizeof(path) - 1);
    return strdup(path);
}

static enum kan_err case_open(const char *name, bool frozen,
                              struct module **ret_module, struct buffer *why)
{
    struct module_options options = {.frozen = frozen};
    char *path = case_path(name);
    enum kan_err err = module_open(path, &options, ret_module, why);

    free(path);
    return err;
}

static struct module *case_must_open(const char *name, bool frozen)
{
    struct buffer why = BUFFER_INIT;
    struct module *module = NULL;
    enum kan_err err = case_open(name, frozen, &module, &why);

    if (err != KAN_OK)
        print_error("%s\n", buffer_text(&why));
    assert_int_equal(err, KAN_OK);
    assert_int_equal(why.size, 0);
    buffer_fini(&why);
    return module;
}

static void check_refused(const char *name, const char *expected)
{
    int64_t live = mem_live();
    struct buffer why = BUFFER_INIT;
    struct module *module = NULL;

    assert_int_equal(case_open(name, false, &module, &why), KAN_INVALID);
    if (strcmp(buffer_text(&why), expected) != 0)
        print_error("%s\n", buffer_text(&why));
    assert_string_equal(buffer_text(&why), expected);
    assert_null(module);
    buffer_fini(&why);
    assert_int_equal(mem_live(), live);
}

/* --- opened --------------------------------------------------------------- */

/* One message to the module's first actor; each in a type of its own. */
struct step
{
    struct turn *turn;
    struct turn_input input;
    struct kan_ref self;
    _Alignas(16) char state[KAN_RECORD_SIZE_MAX];
    _Alignas(16) char message[KAN_RECORD_SIZE_MAX];
};

static struct step *step_new(const struct module *module, int64_t amount)
{
    struct step *step = calloc(1, sizeof(*step));
    const struct kan_actor_type *type = module_exports(module)->actors[0];

    assert_non_null(step);
    assert_int_equal(turn_new(&step->turn), KAN_OK);
    step->self = kan_ref_named(type->name, "a");
    memcpy(step->message, &amount, sizeof(amount));
    step->input = (struct turn_input){
        .kind = TURN_MESSAGE,
        .type = type,
        .self = &step->self,
        .sender = &step->self,
        .record = type->handlers[0].message,
        .message = step->message,
        .now_ms = 1,
    };
    return step;
}

static void step_free(struct step *step)
{
    turn_free(step->turn);
    free(step);
}

static void test_example(void **state)
{
    struct module *module = case_must_open("counter", true);
    const struct kan_module *exports = module_exports(module);
    struct step *step = step_new(module, 5);
    const struct turn_output *output;
    int64_t value;

    (void)state;
    assert_int_equal(exports->actor_count, 1);
    assert_string_equal(exports->actors[0]->name, "counter");
    assert_null(exports->model);
    output = turn_run_twice(step->turn, &step->input, step->state, true);
    assert_string_equal(output->why, "");
    memcpy(&value, output->state, sizeof(value));
    assert_int_equal(value, 5);
    assert_int_equal(output->send_count, 1);
    assert_string_equal(output->sends[0].record->name, "total");
    step_free(step);
    assert_null(module_free(module));
    assert_null(module_free(NULL));
}

/* What it keeps between steps is found, and named. */
static void test_frozen(void **state)
{
    static const char *const names[] = {"static variable calls",
                                        "static variable all_calls",
                                        "variable open_calls"};
    struct module *module = case_must_open("plain", true);

    (void)state;
    for (int64_t i = 0; i < 3; i++) {
        struct step *step = step_new(module, i + 1);
        const struct turn_output *output =
            turn_run(step->turn, &step->input, step->state);
        assert_int_equal(output->end, TURN_CRASHED);
        assert_string_equal(module_object_at(module, output->address),
                            names[i]);
        memset(step->message, 0, sizeof(step->message));
        output = turn_run(step->turn, &step->input, step->state);
        assert_int_equal(output->end, TURN_DONE);
        step_free(step);
    }
    assert_null(module_object_at(module, NULL));
    assert_null(module_object_at(module, state));
    /* Code is not writable; tables are until the linker has filled them. */
    assert_null(
        module_object_at(module, (const void *)(uintptr_t)module_exports(module)
                                     ->actors[0]
                                     ->handlers[0]
                                     .handle));
    assert_string_equal(
        module_object_at(module, module_exports(module)->actors[0]),
        "static variable tally");
    module_free(module);
}

static void test_not_frozen(void **state)
{
    struct module *module = case_must_open("plain", false);
    struct step *step = step_new(module, 2);

    (void)state;
    assert_int_equal(turn_run(step->turn, &step->input, step->state)->end,
                     TURN_DONE);
    step_free(step);
    module_free(module);
}

/* Without names it is frozen as well; with all checks of the compiler, and
 * with those of this build, it still needs nothing more. */
static void test_flags(void **state)
{
    static const char *const names[] = {"stripped", "fortified", "same_flags"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct module *module = case_must_open(names[i], true);
        struct step *step = step_new(module, 2);
        const struct turn_output *output =
            turn_run(step->turn, &step->input, step->state);
        assert_int_equal(output->end, TURN_CRASHED);
        assert_string_equal(
            module_object_at(module, output->address),
            i == 0 ? "a static variable" : "static variable all_calls");
        step_free(step);
        module_free(module);
    }
}

/* --- refused -------------------------------------------------------------- */

static void test_refused(void **state)
{
    (void)state;
    check_refused("time",
                  "time.so: needs time(), which a handler may not use: "
                  "take kan_now() from its turn");
    check_refused(
        "malloc",
        "malloc.so: needs malloc(), which a handler may not use: keep "
        "everything in the state, in arrays of a fixed size");
    check_refused("printf",
                  "printf.so: needs printf(), which a handler may not use: put "
                  "what it would say into a message or the state");
    check_refused("stdout",
                  "stdout.so: needs stdout, which a handler may not use: put "
                  "what it would say into a message or the state");
    check_refused("unknown",
                  "unknown.so: needs system(), which a handler may not use: it "
                  "has its state, its message and its turn; write into the "
                  "module what else it needs");
    check_refused("tls",
                  "tls.so: has thread-local variables, which a handler may not "
                  "use: keep everything in the state");
    check_refused("constructor",
                  "constructor.so: runs set_up() when it is loaded or "
                  "unloaded, and a module's code may run in turns only: set up "
                  "the state in the type's start");
    check_refused("destructor",
                  "destructor.so: runs tear_down() when it is loaded or "
                  "unloaded, and a module's code may run in turns only: set up "
                  "the state in the type's start");
    check_refused("init",
                  "init.so: runs own_init() when it is loaded or unloaded, and "
                  "a module's code may run in turns only: set up the state in "
                  "the type's start");
    check_refused("stripped_constructor",
                  "stripped_constructor.so: runs functions of its own when it "
                  "is loaded or unloaded, and a module's code may run in turns "
                  "only: set up the state in the type's start");
    check_refused("ifunc",
                  "ifunc.so: chooses a function when it is loaded (ifunc), "
                  "which a handler may not do");
    check_refused("library",
                  "library.so: is linked with libcmocka.so.0, and a handler "
                  "may use nothing but a few functions of the C library: leave "
                  "it out");
}

static void test_refused_exports(void **state)
{
    (void)state;
    check_refused("empty",
                  "empty.so: exports no actors: end it with "
                  "KAN_ACTORS(&type), or KAN_MODULE(&model, &type)");
    check_refused("abi",
                  "abi.so: was built with headers of another version "
                  "(7, this is 1): build it again");
    check_refused("nowhere", "nowhere.so: has tables that point to nowhere");
    check_refused("twice", "twice.so: exports two types called tally");
    check_refused("table",
                  "table.so: tally: tally.value: the range 5..3 is "
                  "empty");
}

static void test_no_module(void **state)
{
    struct buffer why = BUFFER_INIT;
    struct module *module = NULL;

    (void)state;
    assert_int_equal(case_open("absent", false, &module, &why), KAN_NOTFOUND);
    assert_string_equal(buffer_text(&why),
                        "absent.so: cannot be read: No such "
                        "file or directory");
    buffer_clear(&why);
    assert_int_equal(module_open("/proc/self/exe", NULL, &module, &why),
                     KAN_INVALID);
    assert_string_equal(buffer_text(&why),
                        "exe: is a program: build it with cc -shared -fPIC, "
                        "without a main");
    buffer_clear(&why);
    assert_int_equal(module_open("/dev", NULL, &module, &why), KAN_INVALID);
    assert_string_equal(buffer_text(&why), "dev: is no file of at most 256 MB");
    assert_null(module);
    buffer_fini(&why);
}

static void test_no_memory(void **state)
{
    int64_t live = mem_live();
    enum kan_err err = KAN_NOMEM;
    struct module *module = NULL;

    (void)state;
    for (uint64_t n = 1; err == KAN_NOMEM; n++) {
        struct buffer why = BUFFER_INIT;
        mem_fault(n, false);
        err = case_open("counter", true, &module, &why);
        mem_fault(0, false);
        buffer_fini(&why);
        if (err == KAN_NOMEM)
            assert_int_equal(mem_live(), live);
    }
    assert_int_equal(err, KAN_OK);
    module_free(module);
    assert_int_equal(mem_live(), live);
}

/* --- files that are damaged ----------------------------------------------- */

static char *file_read(const char *name, size_t *ret_size)
{
    char *path = case_path(name);
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(1 << 20);

    assert_non_null(file);
    assert_non_null(bytes);
    *ret_size = fread(bytes, 1, 1 << 20, file);
    assert_in_range(*ret_size, 1000, (1 << 20) - 1);
    (void)fclose(file);
    free(path);
    return bytes;
}

/* Check a copy of exactly its size, so that a sanitizer sees a byte more. */
static enum kan_err bytes_check(const char *bytes, size_t size)
{
    struct module_elf *elf = malloc(sizeof(*elf));
    char *copy = malloc(size);
    char name[MODULE_NAME_MAX];
    struct buffer why = BUFFER_INIT;
    enum kan_err err;

    assert_non_null(elf);
    assert_true(copy || size == 0);
    memcpy(copy, bytes, size);
    err = module_elf_check(elf, kan_slice(copy, size), &why);
    assert_true(err == KAN_OK ? why.size == 0 : why.size > 0);
    if (err == KAN_OK)
        (void)module_elf_object(elf, elf->head.e_entry + 0x4000, name);
    buffer_fini(&why);
    free(copy);
    free(elf);
    return err;
}

static void test_cut(void **state)
{
    size_t size;
    char *bytes = file_read("plain", &size);

    (void)state;
    assert_int_equal(bytes_check(bytes, size), KAN_OK);
    for (size_t n = 0; n < size; n += n < 1500 ? 1 : 97)
        (void)bytes_check(bytes, n);
    for (size_t n = 0; n < 1000; n++)
        assert_int_equal(bytes_check(bytes, n), KAN_INVALID);
    free(bytes);
}

/* Each byte of the head, the segments and the dynamic table made a lie. */
static void test_lies(void **state)
{
    static const unsigned char lies[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    size_t size;
    char *bytes = file_read("plain", &size);

    (void)state;
    for (size_t at = 0; at < size; at += at < 1000 ? 1 : 13) {
        char was = bytes[at];
        for (size_t i = 0; i < sizeof(lies); i++) {
            bytes[at] = (char)lies[i];
            (void)bytes_check(bytes, size);
        }
        bytes[at] = was;
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_not_frozen),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_exports),
        cmocka_unit_test(test_no_module),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
