/* Requests decided, one after the other, on the state that those before would
 * leave. Nothing of it leaves before its batch is in force: here it is only
 * written down. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/entity/entity_host.h"

/* --- where an entity stands ----------------------------------------------- */

struct entity_tip entity_tip(const struct entity_one *one)
{
    struct entity_tip tip;

    if (one->draft)
        return one->draft->tip;
    if (one->sent)
        return one->sent->tip;
    tip.n = one->core.n;
    tip.place = one->image.place;
    tip.live = one->image.live;
    tip.known = one->known;
    tip.head = one->head;
    return tip;
}

unsigned char *entity_tip_bytes(const struct entity_one *one)
{
    if (one->draft && one->draft->image_at != SIZE_MAX)
        return (unsigned char *)one->draft->images.bytes + one->draft->image_at;
    if (one->sent && one->sent->image_at != SIZE_MAX)
        return (unsigned char *)one->sent->images.bytes + one->sent->image_at;
    return one->image.bytes;
}

enum kan_err entity_carry(struct entity_host *host,
                          const struct entity_type *type,
                          struct entity_image *image, uint32_t to,
                          const struct program_input *input,
                          struct program_refusal *refusal)
{
    enum kan_err err = KAN_OK;

    while (!err && image->place != to) {
        struct entity_image after = *image;
        after.bytes = image->bytes == host->spare_image ? host->spare_image_2
                                                        : host->spare_image;
        err = image->place < to
                  ? entity_image_up(type, image, input, &after, refusal)
                  : entity_image_down(type, image, input, &after, refusal);
        if (!err)
            *image = after;
    }
    return err;
}

void entity_refusal_text(const struct program *program,
                         const struct program_refusal *refusal,
                         uint32_t version, struct buffer *out)
{
    buffer_print(out, "%.*s cannot become version %u: ",
                 SLICE_ARG(program_name(program)), version);
    switch (refusal->kind) {
    case PROGRAM_INVARIANT:
        buffer_print(out, "invariant %.*s would not hold",
                     SLICE_ARG(refusal->name));
        break;
    case PROGRAM_BOUND:
        buffer_print(out, "%lld does not fit %.*s", (long long)refusal->value,
                     SLICE_ARG(refusal->name));
        break;
    default:
        buffer_print(
            out, "%.*s cannot be computed",
            SLICE_ARG(refusal->name.size ? refusal->name : refusal->source));
        break;
    }
}

/* --- a decision in the making --------------------------------------------- */

/* What a batch was before, to go back to. */
struct draft
{
    struct entity_one *one;
    struct entity_host *host;
    struct entity_batch *batch;
    struct entity_item *item;
    struct entity_tip tip; /* as it will be */
    struct entity_image image;
    size_t image_at;
    bool headed;
    size_t bytes;
    size_t images;
    uint32_t puts;
    uint32_t told;
    bool failed; /* out of memory */
};

static void draft_begin(struct draft *draft, struct entity_one *one,
                        struct entity_batch *batch, struct entity_item *item)
{
    draft->one = one;
    draft->host = one->host;
    draft->batch = batch;
    draft->item = item;
    draft->tip = entity_tip(one);
    draft->image_at = batch->image_at;
    draft->headed = batch->headed;
    draft->bytes = batch->bytes.size;
    draft->images = batch->images.size;
    draft->puts = batch->put_count;
    draft->told = batch->told_count;
    draft->failed = false;
    item->events = 0;
}

/* Nothing was decided. */
static void draft_undo(struct draft *draft)
{
    struct entity_batch *batch = draft->batch;
    uint64_t n = entity_tip(draft->one).n;

    batch->bytes.size = draft->bytes;
    batch->bytes.failed = false;
    batch->images.size = draft->images;
    batch->put_count = draft->puts;
    batch->told_count = draft->told;
    draft->item->events = 0;
    entity_keyed_cut(&draft->one->keyed, n);
    entity_keys_cut(draft->one, n);
}

/* What a call brings along, as the engine counts it. */
static uint32_t extra_ops(const struct entity_extra *bring)
{
    return bring ? bring->guard_count + bring->write_count : 0;
}

static size_t extra_bytes(const struct entity_extra *bring)
{
    size_t bytes = 0;

    for (uint32_t i = 0; bring && i < bring->guard_count; i++)
        bytes += bring->guards[i].key.size;
    for (uint32_t i = 0; bring && i < bring->write_count; i++)
        bytes += bring->writes[i].key.size + bring->writes[i].value.size;
    return bytes;
}

static void draft_adopt(struct draft *draft)
{
    struct entity_batch *batch = draft->batch;

    batch->tip = draft->tip;
    batch->image_at = draft->image_at;
    batch->headed = draft->headed;
    batch->events += draft->item->events;
    batch->extra_ops += extra_ops(draft->item->bring);
    batch->extra_bytes += extra_bytes(draft->item->bring);
}

/* Room for so many images; then the one at the tip. */
static bool draft_reserve(struct draft *draft, uint32_t count)
{
    size_t size = (size_t)draft->one->type->image_size * count;

    if (buffer_reserve(&draft->batch->images, size))
        return false;
    draft->image.bytes = entity_tip_bytes(draft->one);
    draft->image.n = draft->tip.n;
    draft->image.place = draft->tip.place;
    draft->image.live = draft->tip.live;
    return true;
}

/* The next image, of the room reserved. */
static struct entity_image draft_image(struct draft *draft, size_t *ret_at)
{
    struct buffer *images = &draft->batch->images;
    struct entity_image image;

    *ret_at = images->size;
    image.bytes = (unsigned char *)images->bytes + images->size;
    image.n = draft->tip.n + 1;
    image.place = draft->tip.place;
    image.live = draft->tip.live;
    images->size += draft->one->type->image_size;
    kan_assert(images->size <= images->capacity);
    return image;
}

static bool table_grow(void **table, uint32_t *capacity, uint32_t count,
                       size_t size)
{
    uint32_t more = *capacity ? 2 * *capacity : 16;
    void *grown;

    if (count < *capacity)
        return true;
    grown = mem_realloc(*table, size * more);
    if (!grown)
        return false;
    *table = grown;
    *capacity = more;
    return true;
}

/* Begin a write, whose key is appended next. */
static struct entity_put *put_begin(struct draft *draft)
{
    struct entity_batch *batch = draft->batch;
    void *table = batch->puts;
    struct entity_put *put;

    if (!table_grow(&table, &batch->put_capacity, batch->put_count,
                    sizeof(*put))) {
        draft->failed = true;
        return NULL;
    }
    batch->puts = table;
    put = &batch->puts[batch->put_count++];
    put->key = batch->bytes.size;
    put->gone = false;
    return put;
}

static void put_key(struct draft *draft, struct entity_put *put, char letter,
                    uint64_t n)
{
    struct buffer *bytes = &draft->batch->bytes;

    entity_key_sort(bytes, draft->host->prefix, draft->one->type->name, letter);
    if (n)
        entity_key_number(bytes, entity_one_id(draft->one), n);
    else
        buffer_append(bytes, entity_one_id(draft->one));
    put->key_size = bytes->size - put->key;
    put->value = bytes->size;
}

static void put_end(struct draft *draft, struct entity_put *put)
{
    put->value_size = draft->batch->bytes.size - put->value;
}

static void draft_snapshot(struct draft *draft, enum entity_event_kind kind)
{
    struct entity_put *put;

    if (!entity_core_snapshot_due(draft->tip.n) || kind == ENTITY_ERASED)
        return;
    /*= K-ENTITY-8: no thousand events without a snapshot. */
    kan_assert(draft->tip.n > draft->tip.head.snapshot);
    put = put_begin(draft);
    if (!put)
        return;
    put_key(draft, put, 's', draft->tip.n);
    entity_snapshot_write(draft->one->type, &draft->image, &draft->one->keyed,
                          &draft->batch->bytes);
    put_end(draft, put);
    draft->tip.head.snapshot = draft->tip.n;
    draft->headed = true;
}

static void draft_tell(struct draft *draft, const struct entity_record *event,
                       uint32_t place)
{
    struct entity_batch *batch = draft->batch;
    void *table = batch->told;
    struct entity_told *told;

    if (!draft->host->options.event)
        return;
    if (!table_grow(&table, &batch->told_capacity, batch->told_count,
                    sizeof(*told))) {
        draft->failed = true;
        return;
    }
    batch->told = table;
    told = &batch->told[batch->told_count++];
    told->kind = event->kind;
    told->n = draft->tip.n;
    told->place = place;
    told->step = event->step;
    told->item = draft->item;
    told->input = event->input;
    told->image_at = draft->image_at;
}

/* So that who follows the events of many entities need not read their states.
 */
static struct kan_slice columns_of(struct draft *draft,
                                   const struct entity_image *image)
{
    struct buffer *columns = &draft->host->columns;

    buffer_clear(columns);
    if (image->live)
        program_columns_save(
            entity_type_program(draft->one->type, image->place), image->bytes,
            columns);
    if (buffer_failed(columns))
        draft->failed = true;
    return buffer_slice(columns);
}

/* One event: image is what it leaves, at image_at. */
static void draft_event(struct draft *draft, const struct entity_record *event,
                        struct entity_image image, size_t image_at)
{
    struct entity_record record = *event;
    const struct entity_type *type = draft->one->type;
    const struct program *program = entity_type_program(type, draft->tip.place);
    struct entity_put *put = put_begin(draft);

    if (!put)
        return;
    draft->tip.n++;
    draft->image = image;
    draft->image_at = image_at;
    put_key(draft, put, 'e', draft->tip.n);
    record.columns = columns_of(draft, &image);
    entity_record_write(&draft->batch->bytes, &record);
    if (event->kind == ENTITY_STEP)
        program_save(program, program_step(program, event->step).arguments,
                     draft->item->arguments.bytes, &draft->batch->bytes);
    put_end(draft, put);
    draft_tell(draft, event, draft->tip.place);
    draft->tip.place = image.place;
    draft->tip.live = image.live;
    if (!draft->tip.known || draft->tip.head.gone == image.live) {
        draft->tip.known = true;
        draft->tip.head.gone = !image.live;
        draft->headed = true;
    }
    if (event->key.bytes && entity_keyed_add(&draft->one->keyed, draft->tip.n))
        draft->failed = true;
    draft_snapshot(draft, event->kind);
    draft->item->events++;
}

/* Whether the batch is full with what was written down now. */
static bool draft_fits(const struct draft *draft)
{
    const struct entity_batch *batch = draft->batch;
    const struct entity_extra *bring = draft->item->bring;
    uint64_t ops =
        (uint64_t)batch->put_count + batch->extra_ops + extra_ops(bring) + 3;
    uint64_t bytes =
        (uint64_t)batch->bytes.size + batch->extra_bytes + extra_bytes(bring) +
        4 * (draft->host->prefix.size + SOURCE_NAME_MAX + ENTITY_ID_MAX + 16);

    return ops <= draft->host->ops_max && bytes <= draft->host->bytes_max;
}

/* --- outcomes ------------------------------------------------------------- */

static enum entity_decision says(struct draft *draft,
                                 enum entity_outcome outcome)
{
    draft_undo(draft);
    draft->item->outcome = outcome;
    return ENTITY_DECIDED;
}

static enum entity_decision no_memory(struct draft *draft)
{
    draft_undo(draft);
    return ENTITY_NOROOM;
}

/* A request that came to events. */
static enum entity_decision draft_end(struct draft *draft)
{
    struct entity_item *item = draft->item;

    if (draft->failed || buffer_failed(&draft->batch->bytes))
        return no_memory(draft);
    if (!draft_fits(draft)) {
        if (draft->batch->item_count) {
            draft_undo(draft);
            return ENTITY_FULL;
        }
        item->err = KAN_INVALID;
        return says(draft, ENTITY_FAILED);
    }
    /*= K-ENTITY-2: numbers have no gap. */
    kan_assert(draft->tip.n == entity_tip(draft->one).n + item->events);
    draft_adopt(draft);
    item->outcome = ENTITY_TAKEN;
    item->n = draft->tip.n;
    item->place = draft->tip.place;
    item->image_at = draft->image_at;
    return ENTITY_DECIDED;
}

static enum entity_decision says_stale(struct draft *draft)
{
    draft->item->n = draft->tip.n;
    buffer_clear(&draft->item->text);
    buffer_print(&draft->item->text, "the entity is at %llu",
                 (unsigned long long)draft->tip.n);
    return says(draft, ENTITY_STALE);
}

/* It cannot be carried to the version of that place. */
static enum entity_decision says_no_way(struct draft *draft, enum kan_err err,
                                        uint32_t to,
                                        const struct program_refusal *refusal,
                                        enum entity_outcome refused)
{
    struct entity_item *item = draft->item;
    const struct entity_type *type = draft->one->type;
    const struct program *program =
        entity_type_program(type, draft->image.place);

    if (err == KAN_NOMEM)
        return no_memory(draft);
    buffer_clear(&item->text);
    if (err == KAN_CONFLICT) {
        entity_refusal_text(program, refusal, type->versions[to].version,
                            &item->text);
        item->unfit = type->versions[to].version;
        item->refusal = *refusal;
        return says(draft, refused);
    }
    buffer_print(&item->text,
                 "nothing says how %.*s version %u becomes version %u",
                 SLICE_ARG(type->name), program_version(program),
                 type->versions[to].version);
    return says(draft, ENTITY_NO_VERSION);
}

/* The state as the caller's version has it, beside the true one. */
static enum kan_err draft_show(struct draft *draft, uint32_t to,
                               const struct program_input *input,
                               struct program_refusal *refusal)
{
    struct entity_image shown = draft->image;
    struct entity_image slot;
    size_t at;
    enum kan_err err =
        entity_carry(draft->host, draft->one->type, &shown, to, input, refusal);

    if (err)
        return err;
    slot = draft_image(draft, &at);
    memcpy(slot.bytes, shown.bytes, draft->one->type->state_room);
    draft->item->shown_at = at;
    draft->item->shown = to;
    return KAN_OK;
}

/* --- steps ---------------------------------------------------------------- */

/* What the refusal of an upgrade names, of the state that it came to. */
static void unfit_values(struct draft *draft, const struct entity_image *after,
                         const struct program_refusal *refusal)
{
    buffer_clear(&draft->item->values);
    program_refusal_values(entity_type_program(draft->one->type, after->place),
                           refusal, UINT32_MAX, after->bytes, NULL,
                           &draft->item->values);
}

/* Bring it to the version, with an event for each that it passes. */
static enum kan_err draft_carry(struct draft *draft, uint32_t to,
                                const struct program_input *input,
                                struct program_refusal *refusal)
{
    const struct entity_type *type = draft->one->type;
    enum kan_err err = KAN_OK;

    while (!err && draft->image.place != to) {
        bool up = draft->image.place < to;
        struct entity_record event;
        size_t at;
        struct entity_image after = draft_image(draft, &at);
        err =
            up ? entity_image_up(type, &draft->image, input, &after, refusal)
               : entity_image_down(type, &draft->image, input, &after, refusal);
        if (err == KAN_CONFLICT)
            unfit_values(draft, &after, refusal);
        if (err)
            break;
        memset(&event, 0, sizeof(event));
        event.kind = up ? ENTITY_UPGRADED : ENTITY_DOWNGRADED;
        event.version = type->versions[after.place].version;
        event.input = *input;
        draft->tip.place = after.place;
        draft_event(draft, &event, after, at);
    }
    return err;
}

static enum entity_decision refused(struct draft *draft,
                                    const struct program *program,
                                    const struct program_refusal *refusal,
                                    const void *state)
{
    struct entity_item *item = draft->item;

    item->unfit = 0;
    item->refusal = *refusal;
    buffer_clear(&item->text);
    buffer_clear(&item->values);
    program_refusal_text(program, refusal, item->step, &item->text);
    program_refusal_values(program, refusal, item->step, state,
                           item->arguments.bytes, &item->values);
    return says(draft, ENTITY_REFUSED);
}

static enum entity_decision take_step(struct draft *draft)
{
    const struct entity_type *type = draft->one->type;
    const struct program *program = entity_type_program(type, type->newest);
    struct entity_item *item = draft->item;
    const struct entity_call *call = item->call;
    struct program_refusal refusal;
    struct entity_record event;
    struct entity_image after;
    enum kan_err err;
    size_t at;

    memset(&event, 0, sizeof(event));
    memset(&refusal, 0, sizeof(refusal));
    event.kind = ENTITY_STEP;
    event.step = item->step;
    event.input = entity_draw(draft->host);
    event.key = call->key;
    event.hash = item->hash;
    if (!draft_reserve(draft, 3 + type->version_count))
        return no_memory(draft);
    if (!draft->image.live) {
        draft->image.bytes = draft->host->spare_image;
        entity_image_start(type, &draft->image);
        draft->tip.place = type->newest;
    } else if (draft->image.place > type->newest) {
        return says_no_way(draft, KAN_NOTFOUND, type->newest, &refusal,
                           ENTITY_NO_VERSION);
    } else {
        err = draft_carry(draft, type->newest, &event.input, &refusal);
        if (err)
            return says_no_way(draft, err, draft->image.place + 1, &refusal,
                               ENTITY_REFUSED);
    }
    event.version = type->versions[type->newest].version;
    after = draft_image(draft, &at);
    after.place = type->newest;
    after.live = true;
    memset(after.bytes, 0, type->state_room);
    memcpy(after.bytes + type->state_room,
           draft->image.bytes + type->state_room,
           type->image_size - type->state_room);
    err = program_take(program, item->step, draft->image.bytes,
                       item->arguments.bytes, &event.input, after.bytes,
                       &refusal);
    if (err)
        return refused(draft, program, &refusal, after.bytes);
    entity_image_count(type, &after, item->step, item->arguments.bytes,
                       draft->host->spare_arguments);
    draft_event(draft, &event, after, at);
    if (item->caller != type->newest) {
        err = draft_show(draft, item->caller, &event.input, &refusal);
        if (err)
            return says_no_way(draft, err, item->caller, &refusal,
                               ENTITY_NO_VERSION);
    }
    /* What did not get its number must not be remembered under another's. */
    if (draft->failed)
        return no_memory(draft);
    if (call->key.bytes && entity_keys_add(draft->one, call->key, &item->hash,
                                           draft->tip.n, event.input.now_ms))
        return no_memory(draft);
    return draft_end(draft);
}

static enum entity_decision decide_call(struct draft *draft)
{
    struct entity_item *item = draft->item;
    const struct entity_call *call = item->call;
    enum entity_key_state state;

    if (call->key.bytes) {
        if (!draft->one->window)
            return ENTITY_UNKEYED;
        state =
            entity_keys_find(draft->one, call->key, &item->hash,
                             (int64_t)env_wall_ms(draft->host->env), &item->n);
        if (state != ENTITY_KEY_NEW && item->n > draft->one->core.n)
            return ENTITY_WAITS;
        if (state == ENTITY_KEY_SAME)
            return ENTITY_REPLAYS;
        if (state == ENTITY_KEY_OTHER) {
            buffer_clear(&item->text);
            buffer_append_text(&item->text,
                               "the idempotency key was used for another "
                               "step or body");
            return says(draft, ENTITY_KEY_REUSED);
        }
    }
    if (call->has_if_match && call->if_match != draft->tip.n)
        return says_stale(draft);
    return take_step(draft);
}

/* --- changes -------------------------------------------------------------- */

static void end_record(struct draft *draft, struct entity_record *event,
                       enum entity_event_kind kind)
{
    const struct entity_type *type = draft->one->type;

    memset(event, 0, sizeof(*event));
    event->kind = kind;
    event->version = type->versions[draft->tip.place].version;
    event->input = entity_draw(draft->host);
}

static enum entity_decision decide_delete(struct draft *draft)
{
    struct entity_record event;
    struct entity_image after;
    size_t at;

    if (!draft->tip.live)
        return says(draft, ENTITY_NOTFOUND);
    if (!draft_reserve(draft, 1))
        return no_memory(draft);
    end_record(draft, &event, ENTITY_DELETED);
    after = draft_image(draft, &at);
    entity_image_start(draft->one->type, &after);
    draft_event(draft, &event, after, at);
    return draft_end(draft);
}

/* Nothing is decided beside it: what it forgets must be certain. */
static enum entity_decision decide_erase(struct draft *draft)
{
    struct entity_put *put;
    struct entity_record event;
    struct entity_image after;
    size_t at;

    if (!draft->tip.known)
        return says(draft, ENTITY_NOTFOUND);
    if (draft->one->sent || draft->batch->item_count)
        return ENTITY_WAITS;
    draft->batch->alone = true;
    if (draft->tip.head.erased == draft->tip.n) {
        draft->item->n = draft->tip.n;
        return says(draft, ENTITY_TAKEN);
    }
    if (!draft_reserve(draft, 1))
        return no_memory(draft);
    end_record(draft, &event, ENTITY_ERASED);
    after = draft_image(draft, &at);
    entity_image_start(draft->one->type, &after);
    draft_event(draft, &event, after, at);
    draft->tip.head.snapshot = 0;
    draft->tip.head.erased = draft->tip.n;
    draft->headed = true;
    put = put_begin(draft);
    if (put) {
        put_key(draft, put, 'x', 0);
        buffer_append_byte(&draft->batch->bytes, 1);
        put_end(draft, put);
    }
    return draft_end(draft);
}

static enum entity_decision decide_upgrade(struct draft *draft)
{
    uint32_t to = draft->item->caller;
    struct program_refusal refusal;
    struct program_input input;
    enum kan_err err;

    if (!draft->tip.live)
        return says(draft, ENTITY_NOTFOUND);
    if (to == draft->tip.place) {
        draft->item->n = draft->tip.n;
        return says(draft, ENTITY_TAKEN);
    }
    if (!entity_type_leads(draft->one->type, draft->tip.place, to)) {
        draft->image.place = draft->tip.place;
        return says_no_way(draft, KAN_NOTFOUND, to, NULL, ENTITY_REFUSED);
    }
    if (!draft_reserve(draft, draft->one->type->version_count))
        return no_memory(draft);
    input = entity_draw(draft->host);
    memset(&refusal, 0, sizeof(refusal));
    err = draft_carry(draft, to, &input, &refusal);
    if (err)
        return says_no_way(draft, err,
                           draft->image.place < to ? draft->image.place + 1
                                                   : draft->image.place - 1,
                           &refusal, ENTITY_REFUSED);
    return draft_end(draft);
}

static enum entity_decision decide_change(struct draft *draft)
{
    const struct entity_change *change = draft->item->change;

    if (change->has_if_match && change->if_match != draft->tip.n)
        return says_stale(draft);
    switch (change->kind) {
    case ENTITY_DELETE:
        return decide_delete(draft);
    case ENTITY_ERASE:
        return decide_erase(draft);
    case ENTITY_UPGRADE:
        break;
    }
    return decide_upgrade(draft);
}

/* --- reads ---------------------------------------------------------------- */

static enum entity_decision decide_read(struct draft *draft)
{
    struct entity_item *item = draft->item;
    struct program_refusal refusal;
    struct program_input input;
    enum kan_err err;

    if (!draft->tip.live)
        return says(draft, ENTITY_NOTFOUND);
    item->n = draft->tip.n;
    item->place = draft->tip.place;
    item->image_at = draft->batch->image_at;
    item->shown_at = SIZE_MAX;
    item->outcome = ENTITY_TAKEN;
    if (item->read->version == 0 || item->caller == draft->tip.place)
        return ENTITY_DECIDED;
    if (!draft_reserve(draft, 1))
        return no_memory(draft);
    /* Nothing is recorded: now is as good as any. */
    memset(&refusal, 0, sizeof(refusal));
    input = entity_draw(draft->host);
    err = draft_show(draft, item->caller, &input, &refusal);
    if (err)
        return says_no_way(draft, err, item->caller, &refusal,
                           ENTITY_NO_VERSION);
    return ENTITY_DECIDED;
}

enum entity_decision entity_decide(struct entity_one *one,
                                   struct entity_batch *batch,
                                   struct entity_item *item)
{
    struct draft draft;

    if (batch->alone || batch->item_count >= ENTITY_ITEMS_MAX ||
        (batch->item_count &&
         (batch->images.size >= ENTITY_IMAGES_MAX ||
          batch->put_count + batch->extra_ops + ENTITY_STEP_PUTS +
                  one->type->version_count >=
              one->host->ops_max)))
        return ENTITY_FULL;
    item->image_at = SIZE_MAX;
    item->shown_at = SIZE_MAX;
    draft_begin(&draft, one, batch, item);
    if (item->call)
        return decide_call(&draft);
    if (item->change)
        return decide_change(&draft);
    return decide_read(&draft);
}
