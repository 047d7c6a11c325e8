/* Requests judged as far as no entity is needed: is there such a type, step and
 * version, is the body right. What an older version asks for is brought into
 * the layout of the newest. */

#include "base/json.h"
#include "block/entity/entity_host.h"

/* --- requests judged ------------------------------------------------------ */

static void item_says(struct entity_item *item, enum entity_outcome outcome,
                      const char *text)
{
    item->outcome = outcome;
    buffer_clear(&item->text);
    buffer_append_text(&item->text, text);
}

static bool no_such_version(struct entity_item *item,
                            const struct entity_type *type, uint32_t version)
{
    item_says(item, ENTITY_NO_VERSION, "");
    buffer_print(&item->text, "%.*s has no version %u; the newest is %u",
                 SLICE_ARG(type->name), version,
                 type->versions[type->newest].version);
    return false;
}

static bool judge_id(struct entity_item *item, struct kan_slice id)
{
    if (entity_id_legal(id))
        return true;
    item_says(item, ENTITY_ID_ILLEGAL,
              "an id is 1 to 256 bytes of UTF-8 without control characters, "
              "/ ? # and \\");
    return false;
}

static bool judge_version(struct entity_item *item,
                          const struct entity_type *type, uint32_t version,
                          uint32_t *ret_place)
{
    int32_t place =
        version ? entity_type_find(type, version) : (int32_t)type->newest;

    if (place < 0)
        return no_such_version(item, type, version);
    *ret_place = (uint32_t)place;
    return true;
}

static bool judge_key(struct entity_item *item, struct kan_slice key)
{
    if (!key.bytes || (key.size > 0 && key.size <= ENTITY_KEY_MAX))
        return true;
    item_says(item, ENTITY_KEY_INVALID,
              "an idempotency key has 1 to 255 bytes");
    return false;
}

static enum kan_err read_body(const struct program *program, uint32_t step,
                              struct kan_slice body, void *arguments,
                              struct buffer *why);

/* A list of arguments, as SDKs send what a method was called with: one object
 * that names them all, or each in its place. */
static enum kan_err read_list(const struct program *program, uint32_t step,
                              const struct json_tree *tree, void *arguments,
                              struct buffer *why)
{
    uint32_t type = program_step(program, step).arguments;
    uint32_t count = program_type(program, type)->member_count;
    const struct json_node *list = &tree->nodes[0];
    const struct json_node *node = json_first(tree, list);
    struct buffer named = BUFFER_INIT;
    enum kan_err err = KAN_INVALID;

    if (node && node->kind == JSON_OBJECT && !json_next(tree, list, node))
        return read_body(program, step, node->raw, arguments, why);
    buffer_append_byte(&named, '{');
    for (uint32_t i = 0; node && i < count; i++) {
        buffer_append_text(&named, i ? "," : "");
        json_append_string(&named, program_member(program, type, i).name);
        buffer_append_byte(&named, ':');
        buffer_append(&named, node->raw);
        node = json_next(tree, list, node);
    }
    buffer_append_byte(&named, '}');
    if (node)
        buffer_print(why, "more than the %u arguments of the step", count);
    else if (buffer_failed(&named))
        err = KAN_NOMEM;
    else
        err = read_body(program, step, buffer_slice(&named), arguments, why);
    buffer_fini(&named);
    return err;
}

/* Read the body by the caller's program. */
static enum kan_err read_body(const struct program *program, uint32_t step,
                              struct kan_slice body, void *arguments,
                              struct buffer *why)
{
    uint32_t type = program_step(program, step).arguments;
    struct json_tree tree = {0};
    enum kan_err err = json_parse(body.size ? body : SLICE("{}"), NULL, &tree);

    memset(arguments, 0, program_type(program, type)->size);
    program_arguments(program, step, arguments);
    if (err == KAN_INVALID)
        buffer_append(why, buffer_slice(&tree.message));
    if (err == KAN_OK && tree.nodes[0].kind == JSON_ARRAY) {
        err = read_list(program, step, &tree, arguments, why);
    } else if (err == KAN_OK && tree.nodes[0].kind == JSON_NULL) {
        err = read_body(program, step, SLICE("{}"), arguments, why);
    } else if (err == KAN_OK && tree.nodes[0].kind != JSON_OBJECT) {
        buffer_append_text(why, "the body is not a JSON object");
        err = KAN_INVALID;
    } else if (err == KAN_OK) {
        err = program_read_json(program, type, &tree, &tree.nodes[0], arguments,
                                why);
    }
    json_fini(&tree);
    return err;
}

/* The arguments in the layout of the newest version. */
static bool judge_arguments(struct entity_host *host, struct entity_item *item,
                            const struct entity_type *type, uint32_t step)
{
    const struct entity_call *call = item->call;
    const struct program *newest = entity_type_program(type, type->newest);
    const struct program *program = entity_type_program(type, item->caller);
    uint32_t size;
    enum kan_err err;

    host->waiting_bytes -= item->arguments.size;
    buffer_clear(&item->arguments);
    err = buffer_reserve(&item->arguments, type->arguments_room);
    if (!err && call->arguments) {
        size = program_type(newest, program_step(newest, item->step).arguments)
                   ->size;
        memcpy(item->arguments.bytes, call->arguments, size);
    } else if (!err && item->caller == type->newest) {
        err = read_body(newest, item->step, call->body, item->arguments.bytes,
                        &item->text);
    } else if (!err) {
        uint32_t same;
        err = read_body(program, step, call->body, host->spare_arguments,
                        &item->text);
        if (!err)
            err = entity_arguments_bend(
                type, item->caller, step, host->spare_arguments, type->newest,
                &same, item->arguments.bytes, &item->text);
    }
    if (err) {
        item->outcome =
            err == KAN_INVALID ? ENTITY_BODY_INVALID : ENTITY_FAILED;
        item->err = err;
        return false;
    }
    size =
        program_type(newest, program_step(newest, item->step).arguments)->size;
    item->arguments.size = size;
    host->waiting_bytes += size;
    if (call->key.bytes)
        item->hash = entity_hash_of(
            call->step, call->arguments ? kan_slice(item->arguments.bytes, size)
                                        : call->body);
    return true;
}

/* Whether the caller may take a step of that name in the version. */
static bool has_step(const struct entity_call *call,
                     const struct program *program)
{
    int32_t step = program_step_find(program, call->step);

    return step != PROGRAM_STEP_NONE &&
           (call->internal || !program_step(program, (uint32_t)step).internal);
}

/* The first version behind the caller's without his step, which the newest has
 * not. */
static uint32_t gone_since(const struct entity_item *item,
                           const struct entity_type *type)
{
    uint32_t place = item->caller;

    while (place < type->newest &&
           has_step(item->call, entity_type_program(type, place)))
        place++;
    return type->versions[place].version;
}

static bool judge_step(struct entity_item *item, const struct entity_type *type,
                       uint32_t *ret_step)
{
    const struct entity_call *call = item->call;
    const struct program *program = entity_type_program(type, item->caller);
    const struct program *newest = entity_type_program(type, type->newest);
    int32_t step = program_step_find(program, call->step);
    int32_t now = program_step_find(newest, call->step);

    if (!has_step(call, program)) {
        item_says(item, ENTITY_NO_STEP, "");
        buffer_print(&item->text, "%.*s version %u has no step %.*s",
                     SLICE_ARG(type->name), program_version(program),
                     SLICE_ARG(call->step));
        return false;
    }
    if (!has_step(call, newest)) {
        item_says(item, ENTITY_GONE, "");
        buffer_print(&item->text, "step %.*s is gone since version %u",
                     SLICE_ARG(call->step), gone_since(item, type));
        return false;
    }
    *ret_step = (uint32_t)step;
    item->step = (uint32_t)now;
    return true;
}

static bool judge_call(struct entity_host *host, struct entity_item *item,
                       const struct entity_type *type)
{
    const struct entity_call *call = item->call;
    uint32_t step;

    if (!judge_key(item, call->key) ||
        !judge_version(item, type, call->version, &item->caller))
        return false;
    if (item->caller > type->newest)
        return no_such_version(item, type, call->version);
    if (!judge_step(item, type, &step))
        return false;
    if (!entity_type_leads(type, type->newest, item->caller)) {
        item_says(item, ENTITY_NO_VERSION, "");
        buffer_print(&item->text,
                     "there is no way back from version %u to version %u",
                     type->versions[type->newest].version, call->version);
        return false;
    }
    return judge_arguments(host, item, type, step);
}

bool entity_item_judge(struct entity_host *host, struct entity_item *item,
                       const struct entity_type *type, struct kan_slice id)
{
    buffer_clear(&item->text);
    buffer_clear(&item->values);
    if (!type) {
        item_says(item, ENTITY_NO_TYPE, "there is no type of that name");
        return false;
    }
    if (!judge_id(item, id))
        return false;
    if (item->call)
        return judge_call(host, item, type);
    if (item->change)
        return judge_version(item, type, item->change->version, &item->caller);
    return judge_version(item, type, item->read->version, &item->caller);
}
