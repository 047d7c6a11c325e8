/* Events fold into images: the one meaning of a stream, used when an entity is
 * opened and when its past is read. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/entity/entity_book.h"

/* --- images --------------------------------------------------------------- */

void entity_image_start(const struct entity_type *type,
                        struct entity_image *image)
{
    image->place = type->newest;
    image->live = false;
    memset(image->bytes, 0, type->image_size);
    program_start(entity_type_program(type, image->place), image->bytes);
}

static void image_carry(const struct entity_type *type,
                        const struct entity_image *before,
                        struct entity_image *after)
{
    memset(after->bytes, 0, type->state_room);
    memcpy(after->bytes + type->state_room, before->bytes + type->state_room,
           type->image_size - type->state_room);
    after->live = before->live;
    after->place = before->place;
}

enum kan_err entity_image_up(const struct entity_type *type,
                             const struct entity_image *before,
                             const struct program_input *input,
                             struct entity_image *after,
                             struct program_refusal *refusal)
{
    const struct entity_version *to;

    if (before->place + 1 >= type->version_count ||
        !entity_type_leads(type, before->place, before->place + 1))
        return KAN_NOTFOUND;
    to = &type->versions[before->place + 1];
    image_carry(type, before, after);
    after->place = before->place + 1;
    return contract_up(to->bridge, to->bridge_type, to->version - 1,
                       before->bytes, input, after->bytes, refusal);
}

enum kan_err entity_image_down(const struct entity_type *type,
                               const struct entity_image *before,
                               const struct program_input *input,
                               struct entity_image *after,
                               struct program_refusal *refusal)
{
    const struct entity_version *from = &type->versions[before->place];

    if (before->place == 0 ||
        !entity_type_leads(type, before->place, before->place - 1))
        return KAN_NOTFOUND;
    image_carry(type, before, after);
    after->place = before->place - 1;
    return contract_down(from->bridge, from->bridge_type, from->version - 1,
                         before->bytes, input, after->bytes, refusal);
}

void entity_image_count(const struct entity_type *type,
                        struct entity_image *image, uint32_t step,
                        const void *arguments, void *spare)
{
    unsigned char *tallies = image->bytes + type->state_room;

    for (uint32_t i = 0; i < type->version_count; i++) {
        const struct entity_version *version = &type->versions[i];
        uint32_t number = step;
        const void *as = arguments;
        if (version->tally_size == 0)
            continue;
        if (i != image->place) {
            if (entity_arguments_bend(type, image->place, step, arguments, i,
                                      &number, spare, NULL))
                continue;
            as = spare;
        }
        program_tally_add(version->program, number, as,
                          tallies + version->tally_at);
    }
}

/* --- events --------------------------------------------------------------- */

static enum kan_err fold_fail(const char **ret_why, const char *why)
{
    *ret_why = why;
    return KAN_CORRUPT;
}

static enum kan_err fold_step(const struct entity_type *type,
                              const struct entity_image *before,
                              const struct entity_record *event, uint32_t place,
                              void *arguments, void *spare,
                              struct entity_image *after, const char **ret_why)
{
    const struct program *program = entity_type_program(type, place);
    struct kan_slice bytes = event->arguments;
    struct program_refusal refusal;
    const void *state = before->bytes;

    if (event->step >= program_step_count(program))
        return fold_fail(ret_why, "a step that its version does not have");
    if (before->live && before->place != place)
        return fold_fail(ret_why, "a step of a version that it is not in");
    if (program_load(program, program_step(program, event->step).arguments,
                     &bytes, arguments) ||
        bytes.size)
        return fold_fail(ret_why, "arguments that cannot be read");
    image_carry(type, before, after);
    after->place = place;
    after->live = true;
    if (!before->live) {
        /* It begins here, with this version's starting state, and the tallies
         * of an entity without events. The spare room may be too small. */
        void *start = mem_zalloc(type->image_size);
        enum kan_err err;
        if (!start)
            return KAN_NOMEM;
        memset(after->bytes, 0, type->image_size);
        program_start(program, start);
        err = program_take(program, event->step, start, arguments,
                           &event->input, after->bytes, &refusal);
        mem_free(start);
        if (err)
            return fold_fail(ret_why, "a step that is refused when replayed");
    } else if (program_take(program, event->step, state, arguments,
                            &event->input, after->bytes, &refusal)) {
        return fold_fail(ret_why, "a step that is refused when replayed");
    }
    entity_image_count(type, after, event->step, arguments, spare);
    return KAN_OK;
}

static enum kan_err fold_carry(const struct entity_type *type,
                               const struct entity_image *before,
                               const struct entity_record *event,
                               uint32_t place, struct entity_image *after,
                               const char **ret_why)
{
    struct program_refusal refusal;
    enum kan_err err;

    if (!before->live)
        return fold_fail(ret_why, "an upgrade of an entity that is not there");
    if (event->kind == ENTITY_UPGRADED)
        err = entity_image_up(type, before, &event->input, after, &refusal);
    else
        err = entity_image_down(type, before, &event->input, after, &refusal);
    if (err || after->place != place)
        return fold_fail(ret_why, "an upgrade that does not lead there");
    return KAN_OK;
}

enum kan_err entity_image_fold(const struct entity_type *type,
                               const struct entity_image *before,
                               const struct entity_record *event, uint64_t n,
                               void *arguments, void *spare,
                               struct entity_image *after, const char **ret_why)
{
    int32_t place = entity_type_find(type, event->version);
    enum kan_err err = KAN_OK;

    after->n = n;
    if (event->kind == ENTITY_DELETED || event->kind == ENTITY_ERASED) {
        entity_image_start(type, after);
        return KAN_OK;
    }
    if (place < 0)
        return fold_fail(ret_why, "a version that nobody knows");
    if (event->kind == ENTITY_STEP)
        err = fold_step(type, before, event, (uint32_t)place, arguments, spare,
                        after, ret_why);
    else
        err = fold_carry(type, before, event, (uint32_t)place, after, ret_why);
    return err;
}

/* --- keyed events --------------------------------------------------------- */

enum kan_err entity_keyed_add(struct entity_keyed *keyed, uint64_t n)
{
    uint32_t capacity = keyed->capacity ? 2 * keyed->capacity : 8;
    uint64_t *numbers;

    kan_assert(keyed->count == 0 || keyed->numbers[keyed->count - 1] < n);
    if (keyed->count == keyed->capacity) {
        numbers =
            mem_realloc(keyed->numbers, sizeof(keyed->numbers[0]) * capacity);
        if (!numbers)
            return KAN_NOMEM;
        keyed->numbers = numbers;
        keyed->capacity = capacity;
    }
    keyed->numbers[keyed->count++] = n;
    return KAN_OK;
}

void entity_keyed_trim(struct entity_keyed *keyed)
{
    uint32_t more;

    /* In strides, so that a full window does not move with each key. */
    if (keyed->count < ENTITY_KEYS_MAX + ENTITY_KEYS_MAX / 4)
        return;
    more = keyed->count - ENTITY_KEYS_MAX;
    memmove(keyed->numbers, keyed->numbers + more,
            sizeof(keyed->numbers[0]) * ENTITY_KEYS_MAX);
    keyed->count = ENTITY_KEYS_MAX;
}

void entity_keyed_cut(struct entity_keyed *keyed, uint64_t n)
{
    while (keyed->count && keyed->numbers[keyed->count - 1] > n)
        keyed->count--;
}

void entity_keyed_fini(struct entity_keyed *keyed)
{
    mem_free(keyed->numbers);
    memset(keyed, 0, sizeof(*keyed));
}

/* --- snapshots ------------------------------------------------------------ */

static void put_tally(const struct entity_version *version, const void *tally,
                      struct buffer *out)
{
    struct program_hash hash = program_view_hash(version->program);
    struct buffer bytes = BUFFER_INIT;

    program_tally_save(version->program, tally, &bytes);
    if (buffer_failed(&bytes))
        out->failed = true;
    entity_put_number(out, version->version);
    buffer_append(out, kan_slice(hash.bytes, sizeof(hash.bytes)));
    entity_put_number(out, bytes.size);
    buffer_append(out, buffer_slice(&bytes));
    buffer_fini(&bytes);
}

void entity_snapshot_write(const struct entity_type *type,
                           const struct entity_image *image,
                           const struct entity_keyed *keyed, struct buffer *out)
{
    const struct entity_version *version = &type->versions[image->place];
    struct program_hash hash = program_hash(version->program);
    uint32_t tallies = 0;
    uint32_t first =
        keyed->count > ENTITY_KEYS_MAX ? keyed->count - ENTITY_KEYS_MAX : 0;
    uint64_t last = 0;

    buffer_append_byte(out, 1);
    entity_put_number(out, version->version);
    buffer_append(out, kan_slice(hash.bytes, sizeof(hash.bytes)));
    buffer_append_byte(out, image->live);
    program_save(version->program, 0, image->bytes, out);
    for (uint32_t i = 0; i < type->version_count; i++)
        tallies += type->versions[i].tally_size > 0;
    entity_put_number(out, tallies);
    for (uint32_t i = 0; i < type->version_count; i++)
        if (type->versions[i].tally_size)
            put_tally(&type->versions[i], entity_image_tally(type, image, i),
                      out);
    entity_put_number(out, keyed->count - first);
    for (uint32_t i = first; i < keyed->count; i++) {
        entity_put_number(out, keyed->numbers[i] - last);
        last = keyed->numbers[i];
    }
}

/* The tally of one version; *ret_place is -1 when it is of none that is asked
 * for any more. */
static bool take_tally(const struct entity_type *type, struct kan_slice *bytes,
                       struct entity_image *image, int32_t *ret_place)
{
    struct kan_slice hash, tally;
    struct program_hash now;
    uint64_t number, size;
    int32_t place;

    if (!entity_take_number(bytes, &number) || number > UINT32_MAX ||
        !entity_take_bytes(bytes, ENTITY_HASH_SIZE, &hash) ||
        !entity_take_number(bytes, &size) ||
        !entity_take_bytes(bytes, size, &tally))
        return false;
    *ret_place = -1;
    place = entity_type_find(type, (uint32_t)number);
    if (place < 0 || type->versions[place].tally_size == 0)
        return true;
    now = program_view_hash(type->versions[place].program);
    if (memcmp(now.bytes, hash.bytes, ENTITY_HASH_SIZE) != 0)
        return false;
    *ret_place = place;
    return program_tally_load(type->versions[place].program, &tally,
                              image->bytes + type->state_room +
                                  type->versions[place].tally_at) == KAN_OK &&
           tally.size == 0;
}

static bool take_tallies(const struct entity_type *type,
                         struct kan_slice *bytes, struct entity_image *image)
{
    uint64_t count;
    uint32_t wanted = 0;

    for (uint32_t i = 0; i < type->version_count; i++)
        wanted += type->versions[i].tally_size > 0;
    if (!entity_take_number(bytes, &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        int32_t place;
        if (!take_tally(type, bytes, image, &place))
            return false;
        if (place >= 0)
            wanted--;
    }
    return wanted == 0;
}

static enum kan_err take_keyed(struct kan_slice *bytes,
                               struct entity_keyed *keyed)
{
    uint64_t count, step, last = 0;

    if (!entity_take_number(bytes, &count) || count > ENTITY_KEYS_MAX)
        return KAN_NOTFOUND;
    keyed->count = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (!entity_take_number(bytes, &step) || step == 0)
            return KAN_NOTFOUND;
        last += step;
        if (entity_keyed_add(keyed, last))
            return KAN_NOMEM;
    }
    return bytes->size ? KAN_NOTFOUND : KAN_OK;
}

enum kan_err entity_snapshot_read(const struct entity_type *type,
                                  struct kan_slice value,
                                  struct entity_image *image,
                                  struct entity_keyed *keyed)
{
    struct kan_slice taken;
    struct program_hash hash;
    uint64_t number;
    int32_t place;

    if (!entity_take_bytes(&value, 1, &taken) || slice_at(taken, 0) != 1 ||
        !entity_take_number(&value, &number) || number > UINT32_MAX)
        return KAN_NOTFOUND;
    place = entity_type_find(type, (uint32_t)number);
    if (place < 0 || !entity_take_bytes(&value, ENTITY_HASH_SIZE, &taken))
        return KAN_NOTFOUND;
    hash = program_hash(entity_type_program(type, (uint32_t)place));
    if (memcmp(hash.bytes, taken.bytes, ENTITY_HASH_SIZE) != 0 ||
        !entity_take_bytes(&value, 1, &taken) || slice_at(taken, 0) > 1)
        return KAN_NOTFOUND;
    memset(image->bytes, 0, type->image_size);
    image->place = (uint32_t)place;
    image->live = slice_at(taken, 0) == 1;
    if (program_load(entity_type_program(type, image->place), 0, &value,
                     image->bytes) ||
        !take_tallies(type, &value, image))
        return KAN_NOTFOUND;
    return take_keyed(&value, keyed);
}
