/* See contract_set.h. */

#include "node/contract_set.h"

#include "contract/law/law.h"

enum
{
    /* Sagas are checked at each start and reload: a walk of seven milliseconds
     * each, of 30 all together. `kan check` walks further. */
    SAGA_STATES_MAX = 2000,
    SAGA_STATES_MIN = 400,
    SAGA_STATES_ALL = 8000
};

void contract_set_fini(struct contract_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        buffer_fini(&set->texts[i]);
        union
        {
            const struct contract *shown;
            struct contract *owned;
        } contract = {.shown = set->sources[i].contract};
        (void)contract_unref(contract.owned);
    }
    (void)contract_unref(set->whole);
    buffer_fini(&set->partly);
    *set = (struct contract_set){0};
}

/* --- reading -------------------------------------------------------------- */

static enum kan_err read_all(struct env_file *file, struct buffer *out)
{
    uint64_t size;
    size_t got;
    enum kan_err err = env_file_size(file, &size);
    if (err == KAN_OK && size > SOURCE_BYTES_MAX)
        err = KAN_FULL;
    if (err == KAN_OK)
        err = buffer_reserve(out, (size_t)size + 1);
    if (err == KAN_OK)
        err = env_file_read(file, 0, out->bytes, (size_t)size, &got);
    if (err == KAN_OK)
        out->size = got;
    return err;
}

static const char *read_text(enum kan_err err)
{
    switch (err) {
    case KAN_NOTFOUND:
        return "there is no such file";
    case KAN_INVALID:
        return "it may not be read, or is no file";
    case KAN_FULL:
        return "it is larger than a contract may be (4 MiB)";
    default:
        return kan_err_text(err);
    }
}

enum kan_err contract_set_read(struct contract_set *set, struct env *env,
                               const struct settings_list *paths,
                               struct buffer *why)
{
    for (uint32_t i = 0; i < paths->count; i++) {
        struct env_file *file;
        set->sources[set->count++].name = paths->values[i];
        enum kan_err err =
            env_file_open(env, paths->values[i], ENV_OPEN_READ, &file);
        if (err == KAN_OK) {
            err = read_all(file, &set->texts[i]);
            env_file_close(file);
        }
        if (err != KAN_OK) {
            buffer_clear(why);
            buffer_print(why, "the contract '%s' cannot be read: %s",
                         paths->values[i], read_text(err));
            return err;
        }
    }
    return KAN_OK;
}

bool contract_set_equal(const struct contract_set *set,
                        const struct contract_set *other)
{
    bool equal = set->count == other->count;
    for (uint32_t i = 0; i < set->count && equal; i++)
        equal = slice_equal(buffer_slice(&set->texts[i]),
                            buffer_slice(&other->texts[i]));
    return equal;
}

/* --- names that are there twice ------------------------------------------- */

static enum kan_err refuse_twice(const char *noun, struct kan_slice name,
                                 const char *first, const char *second,
                                 struct buffer *why)
{
    buffer_print(why,
                 "both %s and %s have the %s '%.*s'; give one of them another "
                 "name\n",
                 first, second, noun, SLICE_ARG(name));
    return KAN_INVALID;
}

static enum kan_err compare_files(const struct serve_source *a,
                                  const struct serve_source *b,
                                  struct buffer *why)
{
    for (uint32_t i = 0; i < contract_type_count(b->contract); i++) {
        struct kan_slice name = contract_type_name(b->contract, i);
        if (contract_type_find(a->contract, name) >= 0)
            return refuse_twice("type", name, a->name, b->name, why);
    }
    for (uint32_t i = 0; i < contract_saga_count(b->contract); i++) {
        struct kan_slice name = contract_saga(b->contract, i).name;
        if (contract_saga_find(a->contract, name) >= 0)
            return refuse_twice("saga", name, a->name, b->name, why);
    }
    return KAN_OK;
}

static enum kan_err compare_module(const struct serve_source *source,
                                   const struct kan_module *module,
                                   struct buffer *why)
{
    for (uint32_t i = 0; i < module->actor_count; i++) {
        struct kan_slice name = kan_text(module->actors[i]->name);
        if (contract_type_find(source->contract, name) >= 0)
            return refuse_twice("type", name, source->name, "a module", why);
    }
    return KAN_OK;
}

static enum kan_err compare_all(const struct contract_set *set,
                                const struct kan_module *const *modules,
                                uint32_t module_count, struct buffer *why)
{
    enum kan_err err = KAN_OK;
    for (uint32_t i = 0; i < set->count && err == KAN_OK; i++) {
        for (uint32_t k = 0; k < i && err == KAN_OK; k++)
            err = compare_files(&set->sources[k], &set->sources[i], why);
        for (uint32_t m = 0; m < module_count && err == KAN_OK; m++)
            err = compare_module(&set->sources[i], modules[m], why);
    }
    return err;
}

/* --- sagas ---------------------------------------------------------------- */

/* "from.release". */
static void append_call(struct buffer *out, const struct contract *contract,
                        uint32_t saga, const struct law_saga *found)
{
    struct contract_saga shape = contract_saga(contract, saga);
    struct contract_saga_call call =
        contract_saga_do(contract, saga, found->step);
    if (found->undo)
        (void)!contract_saga_undo(contract, saga, found->step, &call);
    struct kan_slice parameter =
        program_member(shape.values, shape.parameters, call.parameter).name;
    const struct program *program = contract_program(contract, call.type, 0);
    buffer_print(out, "%.*s.%.*s", SLICE_ARG(parameter),
                 SLICE_ARG(program_step(program, call.step).name));
}

static void print_stuck(struct buffer *out, const struct serve_source *source,
                        uint32_t saga, const struct law_saga *found)
{
    const struct contract *contract = source->contract;
    buffer_print(out, "%s: the saga '%.*s' can get stuck: its ", source->name,
                 SLICE_ARG(contract_saga(contract, saga).name));
    if (found->undo)
        buffer_append_text(out, "undo ");
    append_call(out, contract, saga, found);
    buffer_append_text(out, " can be refused, by what others do in between:\n");
    law_run_print(contract_program(contract, found->type, 0), &found->run, out);
    buffer_print(out,
                 "    %s: hold what it needs in a step of its own first, as "
                 "transfer in examples/bank.kan does\n",
                 found->undo ? "an undo may not depend on what others do"
                             : "a step behind the pivot may not be refused");
}

/* Note that not all was walked: "transfer (kan check bank.kan)". */
static void note_partly(struct contract_set *set,
                        const struct serve_source *source, uint32_t saga)
{
    buffer_print(
        &set->partly, "%s%.*s (kan check %s)", set->partly.size > 0 ? ", " : "",
        SLICE_ARG(contract_saga(source->contract, saga).name), source->name);
}

static enum kan_err check_saga(struct contract_set *set, uint32_t number,
                               uint32_t saga, uint32_t states,
                               struct buffer *why)
{
    const struct serve_source *source = &set->sources[number];
    const struct law_budget budget = {.states_max = states};
    struct law_saga found = {0};
    enum kan_err err = law_saga_check(source->contract, saga, &budget, &found);
    if (err == KAN_OK && found.verdict == LAW_FAILS) {
        print_stuck(why, source, saga, &found);
        err = KAN_INVALID;
    } else if (err == KAN_OK && !found.walk.complete) {
        note_partly(set, source, saga);
        err = buffer_failed(&set->partly) ? KAN_NOMEM : KAN_OK;
    }
    law_saga_fini(&found);
    return err;
}

/* How many states of each saga are walked. */
static uint32_t states_of_each(const struct contract_set *set)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++)
        count += contract_saga_count(set->sources[i].contract);
    uint32_t states = SAGA_STATES_ALL / (count ? count : 1);
    return states > SAGA_STATES_MAX   ? SAGA_STATES_MAX
           : states < SAGA_STATES_MIN ? SAGA_STATES_MIN
                                      : states;
}

static enum kan_err check_sagas(struct contract_set *set, struct buffer *why)
{
    uint32_t states = states_of_each(set);
    enum kan_err err = KAN_OK;
    for (uint32_t i = 0; i < set->count && err == KAN_OK; i++) {
        uint32_t count = contract_saga_count(set->sources[i].contract);
        for (uint32_t saga = 0; saga < count && err == KAN_OK; saga++)
            err = check_saga(set, i, saga, states, why);
    }
    return err;
}

/* --- compiling ------------------------------------------------------------ */

static enum kan_err compile_file(struct contract_set *set, uint32_t number,
                                 struct buffer *why)
{
    struct contract *contract;
    enum kan_err err =
        contract_load(kan_text(set->sources[number].name),
                      buffer_slice(&set->texts[number]), &contract, why);
    if (err == KAN_OK)
        set->sources[number].contract = contract;
    return err;
}

/* All texts as one; records of one name in two files are found here. */
static enum kan_err compile_whole(struct contract_set *set, struct buffer *why)
{
    struct buffer name = BUFFER_INIT;
    struct buffer text = BUFFER_INIT;
    for (uint32_t i = 0; i < set->count; i++) {
        buffer_print(&name, i ? " + %s" : "%s", set->sources[i].name);
        buffer_append(&text, buffer_slice(&set->texts[i]));
        buffer_append_byte(&text, '\n');
    }
    enum kan_err err = KAN_NOMEM;
    if (!buffer_failed(&name) && !buffer_failed(&text))
        err = contract_load(buffer_slice(&name), buffer_slice(&text),
                            &set->whole, why);
    buffer_fini(&name);
    buffer_fini(&text);
    return err;
}

enum kan_err contract_set_compile(struct contract_set *set,
                                  const struct kan_module *const *modules,
                                  uint32_t module_count, struct buffer *why)
{
    enum kan_err err = KAN_OK;
    for (uint32_t i = 0; i < set->count && err != KAN_NOMEM; i++) {
        enum kan_err one = compile_file(set, i, why);
        if (one != KAN_OK)
            err = one;
    }
    if (err == KAN_OK)
        err = compare_all(set, modules, module_count, why);
    if (err == KAN_OK)
        err = check_sagas(set, why);
    if (err == KAN_OK)
        err = compile_whole(set, why);
    if (err == KAN_NOMEM)
        buffer_clear(why);
    return err == KAN_OK && buffer_failed(why) ? KAN_NOMEM : err;
}

/* --- what a reload keeps -------------------------------------------------- */

static void print_missing(struct buffer *why, const char *file,
                          struct kan_slice name)
{
    buffer_print(why,
                 "%s: the type '%.*s' is missing, which is in service; put it "
                 "back, or stop Kan and start it with the files as they are "
                 "to take the type out of service\n",
                 file, SLICE_ARG(name));
}

enum kan_err contract_set_keeps(const struct contract_set *next,
                                const struct contract_set *running,
                                struct buffer *why)
{
    enum kan_err err = KAN_OK;
    for (uint32_t i = 0; i < running->count; i++) {
        const struct serve_source *source = &running->sources[i];
        for (uint32_t k = 0; k < contract_type_count(source->contract); k++) {
            struct kan_slice name = contract_type_name(source->contract, k);
            if (contract_type_find(next->whole, name) >= 0)
                continue;
            print_missing(why, source->name, name);
            err = KAN_INVALID;
        }
    }
    if (err != KAN_OK && buffer_failed(why)) {
        buffer_clear(why);
        err = KAN_NOMEM;
    }
    return err;
}
