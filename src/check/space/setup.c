/* Who is there, and what may come from outside: what a model's setup says, or,
 * without a model, one actor of each type and clients that send everything. */

#include "base/alloc.h"
#include "base/record.h"
#include "check/space/inside.h"

/* A setup under way. The first mistake is kept, and ends it. */
struct setting
{
    kan_setup setup; /* first: the model's functions get it */
    struct space *space;
    struct buffer *why;
    struct buffer scratch;
    enum kan_err err;
};

static struct setting *setting_of(kan_setup *setup)
{
    return (struct setting *)(void *)setup;
}

__attribute__((format(printf, 2, 3))) static void wrong(struct setting *setting,
                                                        const char *format, ...)
{
    va_list args;

    if (setting->err != KAN_OK)
        return;
    setting->err = KAN_INVALID;
    va_start(args, format);
    buffer_vprint(setting->why, format, args);
    va_end(args);
}

/* Room for one more item of an array that the setup fills. */
static bool more(struct setting *setting, void *array, size_t item_size,
                 uint32_t count)
{
    void **items = array;
    void *grown;

    if (setting->err != KAN_OK)
        return false;
    if ((count & (count - 1)) != 0)
        return true;
    grown = mem_realloc(*items, (count ? count * 2 : 1) * item_size);
    if (!grown) {
        setting->err = KAN_NOMEM;
        return false;
    }
    *items = grown;
    return true;
}

/* --- actors --------------------------------------------------------------- */

static int64_t set_parameter(const kan_setup *setup, uint32_t number)
{
    const struct setting *setting = (const void *)setup;
    const struct space *space = setting->space;

    return number < space->model.parameter_count ? space->parameters[number]
                                                 : 0;
}

static bool type_known(const struct space *space,
                       const struct kan_actor_type *type)
{
    for (uint32_t i = 0; i < space->actor_count; i++) {
        if (space->actors[i].type == type)
            return true;
    }
    return false;
}

/* Look at a type that is met for the first time, and at its messages. */
static void check_type(struct setting *setting,
                       const struct kan_actor_type *type)
{
    uint32_t place;
    enum kan_err err = turn_check_type(type, setting->why);

    for (uint32_t i = 0; err == KAN_OK && i < type->handler_count; i++) {
        const struct kan_record *message = type->handlers[i].message;
        err = space_record_place(setting->space, message, &place);
        if (err == KAN_INVALID)
            buffer_print(setting->why,
                         "%s: the struct of message %s has two sizes: build "
                         "all types from one header",
                         type->name, message->name);
    }
    if (err != KAN_OK)
        setting->err = err;
}

static void set_actor(kan_setup *setup, const struct kan_actor_type *type,
                      struct kan_ref ref)
{
    struct setting *setting = setting_of(setup);
    struct space *space = setting->space;
    struct space_actor *actor = &space->actors[space->actor_count];

    if (setting->err == KAN_OK && !type_known(space, type))
        check_type(setting, type);
    if (setting->err != KAN_OK)
        return;
    if (ref.text[0] == '\0')
        wrong(setting, "an actor of type %s has no name", type->name);
    else if (space_actor_place(space, &ref) != SPACE_OUTSIDE)
        wrong(setting, "%s is added twice", ref.text);
    else if (space->actor_count == KAN_INSTANCES_MAX)
        wrong(setting, "there are more than %d actors", KAN_INSTANCES_MAX);
    if (setting->err != KAN_OK)
        return;
    actor->ref = ref;
    actor->type = type;
    actor->mailbox_max = type->mailbox_max ? type->mailbox_max : 100;
    if (actor->mailbox_max < space->mailbox_min)
        space->mailbox_min = actor->mailbox_max;
    if (strncmp(ref.text, "client/", 7) == 0)
        space->client_first++;
    space->actor_count++;
}

/* The actor of that name; SPACE_OUTSIDE, which is wrong, when it is none. */
static uint8_t set_known(struct setting *setting, const struct kan_ref *ref,
                         const char *what)
{
    uint8_t place = space_actor_place(setting->space, ref);

    if (place == SPACE_OUTSIDE)
        wrong(setting, "%s \"%.63s\", who is not there: add that actor before",
              what, ref->text);
    return place;
}

/* --- messages ------------------------------------------------------------- */

/* Keep what may be sent. */
static void set_message(struct setting *setting, uint8_t from, uint32_t client,
                        uint8_t to, const struct kan_record *record,
                        const void *message, uint32_t *ret_word)
{
    struct message_parts parts = {
        .from = from, .to = to, .client = client, .record = record};
    struct buffer canonical = BUFFER_INIT;

    if (setting->err != KAN_OK)
        return;
    if (record_check_table(record, setting->why) != KAN_OK ||
        (message && record_check(record, message, setting->why) != KAN_OK)) {
        setting->err = KAN_INVALID;
        return;
    }
    if (message && record->size > 0) {
        if (buffer_reserve(&canonical, record->size) != KAN_OK) {
            setting->err = KAN_NOMEM;
            return;
        }
        record_canonical(record, message, canonical.bytes);
        parts.bytes = canonical.bytes;
    }
    setting->err =
        space_message(setting->space, &parts, &setting->scratch, ret_word);
    if (setting->err == KAN_INVALID)
        buffer_print(setting->why,
                     "the struct of message %s has two sizes: build all types "
                     "from one header",
                     record->name);
    buffer_fini(&canonical);
}

static void add_group(struct setting *setting, uint32_t times)
{
    struct space *space = setting->space;

    if (times > UINT16_MAX)
        wrong(setting, "a request is sent more than %d times", UINT16_MAX);
    if (!more(setting, &space->groups, sizeof(*space->groups),
              space->group_count))
        return;
    space->groups[space->group_count++] = (uint16_t)times;
}

static void add_request(struct setting *setting, uint32_t client, uint8_t to,
                        const struct kan_record *record, const void *message)
{
    struct space *space = setting->space;
    struct space_request request = {.group = space->group_count - 1};

    if (space->request_count == SPACE_REQUESTS_MAX)
        wrong(setting,
              "there are more than %d requests: declare narrower ranges, fewer "
              "clients, or a model",
              SPACE_REQUESTS_MAX);
    set_message(setting, SPACE_OUTSIDE, client, to, record, message,
                &request.word);
    if (more(setting, &space->requests, sizeof(*space->requests),
             space->request_count))
        space->requests[space->request_count++] = request;
}

static void set_request(kan_setup *setup, struct kan_ref to,
                        const struct kan_record *record, const void *message,
                        uint32_t times)
{
    struct setting *setting = setting_of(setup);
    uint8_t place = set_known(setting, &to, "a request is for");

    add_group(setting, times);
    if (setting->err == KAN_OK)
        add_request(setting, setting->space->client_first, place, record,
                    message);
}

static void set_lie(kan_setup *setup, struct kan_ref liar, struct kan_ref to,
                    const struct kan_record *record, const void *message)
{
    struct setting *setting = setting_of(setup);
    struct space *space = setting->space;
    struct space_lie lie = {0};
    uint8_t place = set_known(setting, &to, "a lie is for");

    lie.liar = set_known(setting, &liar, "a lie is told by");
    if (space->lie_count == SPACE_LIES_MAX)
        wrong(setting, "there are more than %d lies", SPACE_LIES_MAX);
    set_message(setting, lie.liar, 0, place, record, message, &lie.word);
    if (!more(setting, &space->lies, sizeof(*space->lies), space->lie_count))
        return;
    space->lies[space->lie_count++] = lie;
    space->actors[lie.liar].lies = true;
}

static void set_jump(kan_setup *setup, struct kan_ref ref, int64_t delta_ms)
{
    struct setting *setting = setting_of(setup);
    struct space *space = setting->space;
    struct space_jump jump = {.delta_ms = delta_ms};

    jump.actor = set_known(setting, &ref, "a clock jumps, that of");
    if (delta_ms == 0)
        wrong(setting, "the clock of %s jumps by 0 ms", ref.text);
    if (space->jump_count == SPACE_JUMPS_MAX)
        wrong(setting, "there are more than %d jumps", SPACE_JUMPS_MAX);
    if (setting->err == KAN_OK)
        space->jumps[space->jump_count++] = jump;
}

static const struct kan_setup_api setup_api = {
    .parameter = set_parameter,
    .actor = set_actor,
    .request = set_request,
    .lie = set_lie,
    .jump = set_jump,
};

/* --- without a model ------------------------------------------------------ */

/* One client may send each value of each message to each actor. */
static void add_client(struct setting *setting, uint32_t client,
                       struct buffer *bytes)
{
    struct space *space = setting->space;

    for (uint32_t i = 0; i < space->actor_count; i++) {
        const struct kan_actor_type *type = space->actors[i].type;
        for (uint32_t j = 0; j < type->handler_count; j++) {
            const struct kan_record *record = type->handlers[j].message;
            uint32_t values = record_boundary_count(record, SPACE_BOUNDARY_MAX);
            for (uint32_t k = 0; setting->err == KAN_OK && k < values; k++) {
                if (record->size > 0)
                    record_boundary(record, k, bytes->bytes);
                add_request(setting, client, (uint8_t)i, record, bytes->bytes);
            }
        }
    }
}

static void add_everything(struct setting *setting)
{
    struct space *space = setting->space;
    const struct space_options *options = &space->options;
    uint32_t clients = options->clients ? options->clients : 2;
    uint32_t requests = options->requests ? options->requests : 2;
    struct buffer bytes = BUFFER_INIT;

    if (buffer_reserve(&bytes, KAN_RECORD_SIZE_MAX) != KAN_OK) {
        setting->err = KAN_NOMEM;
        return;
    }
    for (uint32_t i = 0; i < options->module->actor_count; i++) {
        const struct kan_actor_type *type = options->module->actors[i];
        set_actor(&setting->setup, type, kan_ref_number(type->name, 0));
    }
    for (uint32_t i = 0; setting->err == KAN_OK && i < clients; i++) {
        add_group(setting, requests);
        add_client(setting, space->client_first + i, &bytes);
    }
    buffer_fini(&bytes);
}

/* --- what follows from it ------------------------------------------------- */

static void add_jumps(struct space *space)
{
    if (space->jump_count > 0)
        return;
    for (uint32_t i = 0; i < space->actor_count; i++) {
        struct space_jump back = {.actor = (uint8_t)i, .delta_ms = -1000};
        struct space_jump forth = {.actor = (uint8_t)i, .delta_ms = 1000};
        space->jumps[space->jump_count++] = back;
        space->jumps[space->jump_count++] = forth;
    }
}

/* Groups that may be cut off from the rest: of few actors all, each split once,
 * the side without the last actor; of many, each actor alone. */
static void add_cuts(struct space *space)
{
    enum
    {
        ALL_SPLITS_MAX = 5
    };
    uint32_t count = space->actor_count;

    if (count < 2)
        return;
    if (count > ALL_SPLITS_MAX) {
        for (uint32_t i = 0; i < count; i++)
            space->cuts[space->cut_count++] = UINT64_C(1) << i;
        return;
    }
    for (uint64_t group = 1; group < UINT64_C(1) << (count - 1); group++)
        space->cuts[space->cut_count++] = group;
}

static void blank_actors(struct setting *setting)
{
    struct space *space = setting->space;
    struct buffer *blob = &setting->scratch;

    for (uint32_t i = 0; setting->err == KAN_OK && i < space->actor_count;
         i++) {
        struct space_actor *actor = &space->actors[i];
        setting->err = local_blank(space, (uint8_t)i, LOCAL_UP, blob);
        if (setting->err == KAN_OK)
            setting->err = space_local(space, blob, &actor->unstarted);
        if (setting->err == KAN_OK && !actor->type->start &&
            record_check(actor->type->state,
                         local_struct(local_head(space, actor->unstarted)),
                         setting->why) != KAN_OK) {
            setting->err = KAN_INVALID;
            buffer_print(setting->why,
                         ": the first state of %s is all zero, unless it has a "
                         "start",
                         actor->ref.text);
        }
    }
}

enum kan_err space_setup(struct space *space, struct buffer *why)
{
    struct setting setting = {
        .setup = {&setup_api}, .space = space, .why = why};

    space->mailbox_min = UINT32_MAX;
    if (space->model.setup)
        space->model.setup(&setting.setup);
    else if (space->options.cast)
        space->options.cast(space->options.cast_data, &setting.setup);
    else
        add_everything(&setting);
    if (setting.err == KAN_OK && space->actor_count == 0)
        wrong(&setting, "there are no actors: add some in the model's setup");
    if (setting.err == KAN_OK) {
        add_jumps(space);
        add_cuts(space);
        blank_actors(&setting);
    }
    buffer_fini(&setting.scratch);
    return setting.err;
}
