/* Who is there: the actors and requests that a model's setup names, or one
 * actor of each type and whatever its handlers take. */

#include "base/alloc.h"
#include "base/record.h"
#include "base/record_field.h"
#include "check/sim/real.h"

struct casting
{
    kan_setup setup; /* first: the model's functions get it */
    const struct simulator *simulator;
    struct real_cast *cast;
    struct buffer *why;
    enum kan_err err;
};

static struct casting *casting_of(kan_setup *setup)
{
    return (struct casting *)(void *)setup;
}

/* --- what a setup says ---------------------------------------------------- */

static int64_t cast_parameter(const kan_setup *setup, uint32_t number)
{
    const struct casting *casting = (const void *)setup;
    const struct simulator *simulator = casting->simulator;

    return number < simulator->parameter_count ? simulator->parameters[number]
                                               : 0;
}

static void cast_actor(kan_setup *setup, const struct kan_actor_type *type,
                       struct kan_ref ref)
{
    struct casting *casting = casting_of(setup);
    struct real_cast *cast = casting->cast;

    if (casting->err)
        return;
    if (cast->count == KAN_INSTANCES_MAX) {
        casting->err = KAN_INVALID;
        buffer_print(casting->why, "there are more than %d actors",
                     KAN_INSTANCES_MAX);
        return;
    }
    casting->err = turn_check_type(type, casting->why);
    cast->refs[cast->count] = ref;
    cast->types[cast->count++] = type;
}

static void cast_request(kan_setup *setup, struct kan_ref to,
                         const struct kan_record *record, const void *message,
                         uint32_t times)
{
    struct casting *casting = casting_of(setup);
    struct real_cast *cast = casting->cast;
    struct real_request *requests;
    struct real_request request = {.to = to, .record = record, .times = times};

    if (casting->err)
        return;
    casting->err = record_check_table(record, casting->why);
    if (casting->err == KAN_OK && message)
        casting->err = record_check(record, message, casting->why);
    if (casting->err)
        return;
    requests = mem_realloc(cast->requests,
                           (cast->request_count + 1u) * sizeof *cast->requests);
    if (requests)
        cast->requests = requests;
    if (requests && record->size > 0)
        request.bytes = mem_zalloc(record->size);
    if (!requests || (record->size > 0 && !request.bytes)) {
        casting->err = KAN_NOMEM;
        return;
    }
    if (message && record->size > 0)
        record_canonical(record, message, request.bytes);
    cast->requests[cast->request_count++] = request;
}

/* The block has no liars. */
static void cast_lie(kan_setup *setup, struct kan_ref liar, struct kan_ref to,
                     const struct kan_record *record, const void *message)
{
    (void)setup;
    (void)liar;
    (void)to;
    (void)record;
    (void)message;
}

/* All actors of a process have its clock. */
static void cast_jump(kan_setup *setup, struct kan_ref actor, int64_t delta_ms)
{
    struct real_cast *cast = casting_of(setup)->cast;

    (void)actor;
    if (cast->jump_count < REAL_JUMPS_MAX)
        cast->jumps_ms[cast->jump_count++] = delta_ms;
}

static const struct kan_setup_api cast_api = {
    .parameter = cast_parameter,
    .actor = cast_actor,
    .request = cast_request,
    .lie = cast_lie,
    .jump = cast_jump,
};

enum kan_err real_cast_new(struct simulator *simulator,
                           struct real_cast **ret_cast, struct buffer *why)
{
    const struct kan_module *module = simulator->options.module;
    struct casting casting = {
        .setup = {&cast_api}, .simulator = simulator, .why = why};

    casting.cast = mem_zalloc(sizeof *casting.cast);
    if (!casting.cast)
        return KAN_NOMEM;
    if (simulator->model && simulator->model->setup)
        simulator->model->setup(&casting.setup);
    else
        for (uint32_t i = 0; i < module->actor_count; i++)
            cast_actor(&casting.setup, module->actors[i],
                       kan_ref_number(module->actors[i]->name, 0));
    if (casting.err) {
        real_cast_free(casting.cast);
        return casting.err;
    }
    *ret_cast = casting.cast;
    return KAN_OK;
}

struct real_cast *real_cast_free(struct real_cast *cast)
{
    if (!cast)
        return NULL;
    for (uint32_t i = 0; i < cast->request_count; i++)
        mem_free(cast->requests[i].bytes);
    mem_free(cast->requests);
    return mem_free(cast);
}

/* --- without a model ------------------------------------------------------ */

enum
{
    BOUNDARY_MAX = 64 /* values of one message at the ends of its ranges */
};

/* Draw a number field within its range; others keep what they have. */
static void draw_field(const struct kan_record *record,
                       const struct kan_field *field, struct tape *tape,
                       void *bytes)
{
    uint32_t live = field_live(record, field, bytes);

    if (field->kind != KAN_FIELD_INT && field->kind != KAN_FIELD_UINT)
        return;
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (field_length(record, &record->fields[i]) == field)
            return;
    }
    for (uint32_t i = 0; i < live; i++) {
        uint64_t span = (uint64_t)field->max - (uint64_t)field->min;
        uint64_t far = span == UINT64_MAX ? tape_choose(tape, span)
                                          : tape_choose(tape, span + 1);
        field_number_set(field, field_element_in(field, bytes, i),
                         (uint64_t)field->min + far);
    }
}

void real_cast_draw(const struct real_cast *cast, struct tape *tape,
                    struct kan_ref *ret_to,
                    const struct kan_record **ret_record, void *bytes)
{
    uint32_t actor = draw_below(tape, cast->count);
    const struct kan_actor_type *type = cast->types[actor];
    const struct kan_record *record =
        type->handlers[draw_below(tape, type->handler_count)].message;
    uint32_t values = record_boundary_count(record, BOUNDARY_MAX);

    *ret_to = cast->refs[actor];
    *ret_record = record;
    if (record->size == 0)
        return;
    record_boundary(record, draw_below(tape, values), bytes);
    if (draw_below(tape, 2) == 0)
        return;
    for (uint32_t i = 0; i < record->field_count; i++)
        draw_field(record, &record->fields[i], tape, bytes);
}
