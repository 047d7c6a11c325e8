/* contract.c - a text to its programs, in the order of contract.h.
 *
 * Programs of a type lie one after the other, by version; the ways between two
 * versions beside the older one. All of it is made before anything can fail
 * that a caller could see, and freed at once with the last reference. */

#include "contract/contract.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "contract/program/differ.h"
#include "contract/program/upgrade.h"

_Static_assert((int)CONTRACT_ENTITY_ID_MAX <= (int)TREE_TEXT_MAX,
               "an entity's id is a text");

/* One version, and the ways from it to the next and back. */
struct contract_version
{
    struct program *program;
    struct program *up;
    struct program *down;
    bool has_next;
    struct program_hash next; /* what the upgrade means */
};

struct contract_type
{
    struct kan_slice name; /* in the source */
    uint32_t oldest;
    uint32_t count;
    struct contract_version *versions;
};

struct contract
{
    uint32_t magic;
    uint32_t references; /* atomic */
    struct source source;
    struct tree tree;
    struct contract_type *types;
    uint32_t type_count;
    struct program **sagas;
    uint32_t saga_count;
};

enum
{
    CONTRACT_MAGIC = 0x6b636f6e
};

/* --- loading -------------------------------------------------------------- */

static struct contract_type *type_named(struct contract *contract,
                                        struct kan_slice name)
{
    uint32_t i;

    for (i = 0; i < contract->type_count; i++) {
        if (slice_equal(contract->types[i].name, name))
            return &contract->types[i];
    }
    return NULL;
}

/* A place for each type and version. The check of the tree has seen to it that
 * versions follow each other without gaps. */
static enum kan_err types_make(struct contract *contract)
{
    const struct tree *tree = &contract->tree;
    uint32_t i;

    contract->types =
        mem_zalloc(sizeof *contract->types * (tree->entity_count + 1));
    if (!contract->types)
        return KAN_NOMEM;
    for (i = 0; i < tree->entity_count; i++) {
        const struct tree_entity *entity = &tree->entities[i];
        struct contract_type *type = type_named(contract, entity->name.text);

        if (!type) {
            type = &contract->types[contract->type_count++];
            type->name = entity->name.text;
            type->oldest = entity->version;
        }
        if (entity->version < type->oldest)
            type->oldest = entity->version;
        type->count++;
    }
    for (i = 0; i < contract->type_count; i++) {
        struct contract_type *type = &contract->types[i];

        type->versions = mem_zalloc(sizeof *type->versions * type->count);
        if (!type->versions)
            return KAN_NOMEM;
    }
    return KAN_OK;
}

/* A start that is no state of the type. */
static void start_blame(struct contract *contract,
                        const struct tree_entity *entity,
                        struct kan_slice fault)
{
    struct source_span span = entity->name.span;
    uint32_t i;

    for (i = 0; i < entity->invariant_count; i++) {
        if (slice_equal(entity->invariants[i].name.text, fault))
            span = entity->invariants[i].holds->span;
    }
    source_fault(
        &contract->source, span, "give its fields defaults with which it holds",
        "the starting state breaks the invariant %.*s", SLICE_ARG(fault));
}

static enum kan_err versions_compile(struct contract *contract)
{
    const struct tree *tree = &contract->tree;
    enum kan_err err = KAN_OK;
    uint32_t i;

    for (i = 0; i < tree->entity_count; i++) {
        const struct tree_entity *entity = &tree->entities[i];
        struct contract_type *type = type_named(contract, entity->name.text);
        struct contract_version *version =
            &type->versions[entity->version - type->oldest];
        struct kan_slice fault;

        err = program_compile(tree, entity, &version->program);
        if (err != KAN_OK)
            return err;
        fault = program_start_fault(version->program);
        if (fault.size > 0)
            start_blame(contract, entity, fault);
    }
    return contract->source.fault_count ? KAN_INVALID : KAN_OK;
}

static enum kan_err upgrades_compile(struct contract *contract)
{
    const struct tree *tree = &contract->tree;
    enum kan_err err = KAN_OK;
    uint32_t i;

    for (i = 0; i < tree->upgrade_count && err == KAN_OK; i++) {
        const struct tree_upgrade *upgrade = &tree->upgrades[i];
        struct contract_type *type = type_named(contract, upgrade->name.text);
        struct contract_version *version =
            &type->versions[upgrade->from - type->oldest];

        version->has_next = true;
        err = upgrade_compile(tree, upgrade, true, &version->up);
        if (err == KAN_OK && upgrade->down)
            err = upgrade_compile(tree, upgrade, false, &version->down);
        if (err == KAN_OK)
            err = upgrade_hash(upgrade, &version->next);
    }
    return err;
}

static enum kan_err sagas_compile(struct contract *contract)
{
    const struct tree *tree = &contract->tree;
    enum kan_err err = KAN_OK;
    uint32_t i;

    contract->sagas =
        mem_zalloc(sizeof *contract->sagas * (tree->saga_count + 1));
    if (!contract->sagas)
        return KAN_NOMEM;
    contract->saga_count = tree->saga_count;
    for (i = 0; i < tree->saga_count && err == KAN_OK; i++)
        err = saga_compile(tree, &tree->sagas[i], &contract->sagas[i]);
    return err;
}

static void contract_free(struct contract *contract)
{
    uint32_t i;
    uint32_t k;

    for (i = 0; contract->types && i < contract->type_count; i++) {
        struct contract_type *type = &contract->types[i];

        for (k = 0; type->versions && k < type->count; k++) {
            program_free(type->versions[k].program);
            program_free(type->versions[k].up);
            program_free(type->versions[k].down);
        }
        mem_free(type->versions);
    }
    for (i = 0; contract->sagas && i < contract->saga_count; i++)
        program_free(contract->sagas[i]);
    mem_free(contract->types);
    mem_free(contract->sagas);
    tree_fini(&contract->tree);
    source_fini(&contract->source);
    contract->magic = 0;
    mem_free(contract);
}

static enum kan_err contract_fill(struct contract *contract,
                                  struct kan_slice name, struct kan_slice text)
{
    enum kan_err err = source_init(&contract->source, name, text);

    if (err == KAN_OK)
        err = tree_parse(&contract->tree, &contract->source);
    if (err == KAN_OK)
        err = tree_check(&contract->tree);
    if (err == KAN_OK)
        err = types_make(contract);
    if (err == KAN_OK)
        err = versions_compile(contract);
    if (err == KAN_OK)
        err = upgrades_compile(contract);
    if (err == KAN_OK)
        err = sagas_compile(contract);
    return err;
}

/* What no line of the text is to blame for. */
static void print_too_large(struct kan_slice name, struct kan_slice text,
                            struct buffer *faults)
{
    if (text.size > SOURCE_BYTES_MAX)
        buffer_print(faults,
                     "%.*s: the contract is larger than %d MiB; make several "
                     "services of it\n",
                     SLICE_ARG(name), SOURCE_BYTES_MAX >> 20);
    else
        buffer_print(faults,
                     "%.*s: the contract is too large; leave some of its types "
                     "out\n",
                     SLICE_ARG(name));
}

enum kan_err contract_load(struct kan_slice name, struct kan_slice text,
                           struct contract **ret_contract,
                           struct buffer *faults)
{
    struct contract *contract = mem_zalloc(sizeof *contract);
    enum kan_err err;

    if (!contract)
        return KAN_NOMEM;
    contract->magic = CONTRACT_MAGIC;
    contract->references = 1;
    err = contract_fill(contract, name, text);
    if (err == KAN_OK) {
        *ret_contract = contract;
        return KAN_OK;
    }
    /* What is too large is a fault of the text like any other. */
    if (err != KAN_NOMEM) {
        err = KAN_INVALID;
        if (faults && contract->source.fault_count == 0)
            print_too_large(name, text, faults);
        else if (faults)
            source_print(&contract->source, faults);
    }
    contract_free(contract);
    return err;
}

struct contract *contract_ref(struct contract *contract)
{
    check_magic(contract, CONTRACT_MAGIC);
    __atomic_add_fetch(&contract->references, 1, __ATOMIC_RELAXED);
    return contract;
}

struct contract *contract_unref(struct contract *contract)
{
    if (!contract)
        return NULL;
    check_magic(contract, CONTRACT_MAGIC);
    if (__atomic_sub_fetch(&contract->references, 1, __ATOMIC_ACQ_REL) == 0)
        contract_free(contract);
    return NULL;
}

/* --- types ---------------------------------------------------------------- */

const struct tree *contract_tree(const struct contract *contract)
{
    return &contract->tree;
}

uint32_t contract_type_count(const struct contract *contract)
{
    return contract->type_count;
}

static const struct contract_type *type_of(const struct contract *contract,
                                           uint32_t type)
{
    check_magic(contract, CONTRACT_MAGIC);
    kan_assert(type < contract->type_count);
    return &contract->types[type];
}

struct kan_slice contract_type_name(const struct contract *contract,
                                    uint32_t type)
{
    return type_of(contract, type)->name;
}

int32_t contract_type_find(const struct contract *contract,
                           struct kan_slice name)
{
    uint32_t i;

    for (i = 0; i < contract->type_count; i++) {
        if (slice_equal(contract->types[i].name, name))
            return (int32_t)i;
    }
    return -1;
}

uint32_t contract_oldest(const struct contract *contract, uint32_t type)
{
    return type_of(contract, type)->oldest;
}

uint32_t contract_newest(const struct contract *contract, uint32_t type)
{
    const struct contract_type *found = type_of(contract, type);

    return found->oldest + found->count - 1;
}

/* NULL when there is none. */
static const struct contract_version *version_of(
    const struct contract *contract, uint32_t type, uint32_t version)
{
    const struct contract_type *found = type_of(contract, type);

    if (version < found->oldest || version - found->oldest >= found->count)
        return NULL;
    return &found->versions[version - found->oldest];
}

const struct program *contract_program(const struct contract *contract,
                                       uint32_t type, uint32_t version)
{
    const struct contract_version *found;

    if (version == 0)
        version = contract_newest(contract, type);
    found = version_of(contract, type, version);
    return found ? found->program : NULL;
}

/* --- from one version to the next ----------------------------------------- */

bool contract_has_up(const struct contract *contract, uint32_t type,
                     uint32_t from)
{
    const struct contract_version *version = version_of(contract, type, from);

    return version && version->up;
}

bool contract_has_down(const struct contract *contract, uint32_t type,
                       uint32_t from)
{
    const struct contract_version *version = version_of(contract, type, from);

    return version && version->down;
}

enum kan_err contract_up(const struct contract *contract, uint32_t type,
                         uint32_t from, const void *before,
                         const struct program_input *input, void *after,
                         struct program_refusal *refusal)
{
    if (!contract_has_up(contract, type, from))
        return KAN_NOTFOUND;
    return upgrade_carry(version_of(contract, type, from)->up,
                         contract_program(contract, type, from + 1), before,
                         input, after, refusal);
}

enum kan_err contract_down(const struct contract *contract, uint32_t type,
                           uint32_t from, const void *before,
                           const struct program_input *input, void *after,
                           struct program_refusal *refusal)
{
    if (!contract_has_down(contract, type, from))
        return KAN_NOTFOUND;
    return upgrade_carry(version_of(contract, type, from)->down,
                         contract_program(contract, type, from), before, input,
                         after, refusal);
}

struct program_hash contract_upgrade_hash(const struct contract *contract,
                                          uint32_t type, uint32_t from)
{
    const struct contract_version *version = version_of(contract, type, from);
    const struct program_hash none = {{0}};

    return version && version->has_next ? version->next : none;
}

static struct program_told version_told(const struct contract *contract,
                                        struct kan_slice type, uint32_t version)
{
    int32_t number = contract_type_find(contract, type);
    struct program_told told = {
        .entity = tree_entity(&contract->tree, type, version)};

    if (told.entity)
        told.program = contract_program(contract, (uint32_t)number, version);
    return told;
}

void contract_differ(const struct contract *contract,
                     const struct contract *older, struct kan_slice type,
                     uint32_t version, struct buffer *out)
{
    struct program_told was = version_told(older, type, version);
    struct program_told is = version_told(contract, type, version);

    if (was.program && is.program)
        program_differ(&was, &is, out);
}

/* --- sagas ---------------------------------------------------------------- */

uint32_t contract_saga_count(const struct contract *contract)
{
    return contract->saga_count;
}

static const struct tree_saga *saga_of(const struct contract *contract,
                                       uint32_t saga)
{
    check_magic(contract, CONTRACT_MAGIC);
    kan_assert(saga < contract->saga_count);
    return &contract->tree.sagas[saga];
}

struct contract_saga contract_saga(const struct contract *contract,
                                   uint32_t saga)
{
    const struct tree_saga *from = saga_of(contract, saga);
    struct contract_saga found = {.name = from->name.text,
                                  .parameters = 0,
                                  .values = contract->sagas[saga],
                                  .step_count = from->step_count,
                                  .pivot = from->pivot};

    return found;
}

int32_t contract_saga_find(const struct contract *contract,
                           struct kan_slice name)
{
    uint32_t i;

    for (i = 0; i < contract->saga_count; i++) {
        if (slice_equal(contract->tree.sagas[i].name.text, name))
            return (int32_t)i;
    }
    return -1;
}

static struct contract_saga_call call_of(const struct contract *contract,
                                         const struct tree_saga *saga,
                                         const struct tree_saga_call *from)
{
    const struct tree_entity *entity =
        saga->parameters[from->parameter].of_entity;
    struct contract_saga_call call = {
        .type = (uint32_t)contract_type_find(contract, entity->name.text),
        .parameter = from->parameter,
        .step = from->step->place};

    return call;
}

struct contract_saga_call contract_saga_do(const struct contract *contract,
                                           uint32_t saga, uint32_t step)
{
    const struct tree_saga *from = saga_of(contract, saga);

    kan_assert(step < from->step_count);
    return call_of(contract, from, &from->steps[step].call);
}

bool contract_saga_undo(const struct contract *contract, uint32_t saga,
                        uint32_t step, struct contract_saga_call *ret_call)
{
    const struct tree_saga *from = saga_of(contract, saga);

    kan_assert(step < from->step_count);
    if (!from->steps[step].has_undo)
        return false;
    *ret_call = call_of(contract, from, &from->steps[step].undo);
    return true;
}

enum kan_err contract_saga_arguments(const struct contract *contract,
                                     uint32_t saga, uint32_t step, bool undo,
                                     const void *parameters, void *arguments,
                                     struct buffer *why)
{
    const struct tree_saga *from = saga_of(contract, saga);
    const struct tree_saga_call *call;
    struct program_refusal refusal;

    kan_assert(step < from->step_count);
    kan_assert(!undo || from->steps[step].has_undo);
    call = undo ? &from->steps[step].undo : &from->steps[step].call;
    if (saga_arguments(contract->sagas[saga], 2 * step + undo, parameters,
                       arguments, &refusal) == KAN_OK)
        return KAN_OK;
    if (why) {
        buffer_print(why, "%.*s.%.*s: ", SLICE_ARG(call->entity.text),
                     SLICE_ARG(call->name.text));
        program_refusal_text(contract->sagas[saga], &refusal, 0, why);
    }
    return KAN_INVALID;
}

enum kan_err contract_saga_judge(const struct contract *contract, uint32_t saga,
                                 const void *parameters,
                                 struct program_refusal *refusal)
{
    (void)saga_of(contract, saga);
    return saga_requires(contract->sagas[saga], parameters, refusal);
}

enum kan_err contract_saga_requires(const struct contract *contract,
                                    uint32_t saga, const void *parameters,
                                    struct kan_slice *ret_text)
{
    struct program_refusal refusal;

    if (contract_saga_judge(contract, saga, parameters, &refusal) == KAN_OK)
        return KAN_OK;
    *ret_text = refusal.kind == PROGRAM_REQUIRE ? refusal.text : refusal.source;
    return KAN_CONFLICT;
}
