/* A place to test the state block in. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "block/state/state_place.h"
#include "engine/fault/fault.h"
#include "engine/sqlite/sqlite.h"

struct state_store *store_with(struct place *place, const char *prefix)
{
    struct state_options options = {.engine = place->engine,
                                    .prefix = kan_text(prefix)};
    struct state_store *store = NULL;
    char why[128] = "";

    if (state_store_new(&options, why, sizeof(why), &store))
        fail_msg("%s", why);
    return store;
}

static void place_begin(struct place *place, uint64_t seed)
{
    memset(place, 0, sizeof(*place));
    place->live = mem_live();
    tape_init_seed(&place->tape, seed);
    assert_int_equal(sim_world_new(&place->tape, NULL, &place->world), KAN_OK);
    assert_int_equal(sim_node_new(place->world, "a", &place->env), KAN_OK);
}

void place_open(struct place *place, const struct engine_promises *profile,
                uint64_t seed)
{
    struct memory_options options = {.profile = profile};

    place_begin(place, seed);
    assert_int_equal(engine_memory_open(place->env, &options, &place->engine),
                     KAN_OK);
    place->store = store_with(place, "kan||");
}

void place_open_as(struct place *place, enum place_kind kind, uint64_t seed)
{
    struct sqlite_options sqlite = {.path = "kan.db"};
    struct engine *inner;
    char why[256] = "";

    place_begin(place, seed);
    if (kind == PLACE_SQLITE) {
        if (engine_sqlite_open(place->env, &sqlite, why, sizeof(why), &inner))
            fail_msg("%s", why);
    } else {
        assert_int_equal(engine_memory_open(place->env, NULL, &inner), KAN_OK);
    }
    place->engine = inner;
    if (kind == PLACE_FAULT)
        assert_int_equal(
            engine_fault_open(place->env, inner, NULL, &place->engine), KAN_OK);
    place->store = store_with(place, "kan||");
}

void set_flag(void *data)
{
    *(bool *)data = true;
}

void run_until(struct place *place, const bool *flag)
{
    while (!*flag)
        assert_true(sim_step(place->world));
}

void place_close(struct place *place)
{
    bool closed = false;

    state_store_free(place->store);
    place->store = NULL;
    engine_close(place->engine, &closed, set_flag);
    run_until(place, &closed);
    place_leave(place);
}

void place_leave(struct place *place)
{
    state_store_free(place->store);
    env_free(place->env);
    sim_world_free(place->world);
    tape_fini(&place->tape);
    assert_int_equal(mem_live(), place->live);
}

void pass(struct place *place, uint64_t ms)
{
    sim_run(place->world, sim_now(place->world) + ms * ENV_MS);
}

void on_write(struct state_write *write)
{
    struct answer *answer = write->data;

    /* K-STATE-12: never inside the call, and never twice. */
    assert_true(answer->submitted);
    assert_false(answer->done);
    answer->done = true;
}

struct state_write write_ops(struct state_store *store, struct place *place,
                             const struct state_op *ops, uint32_t count,
                             bool atomic)
{
    struct answer answer = {0};
    struct state_write write = {
        .data = &answer, .ops = ops, .op_count = count, .atomic = atomic};

    assert_int_equal(state_write(store, &write, on_write), KAN_OK);
    answer.submitted = true;
    run_until(place, &answer.done);
    return write;
}

struct state_write write_op(struct place *place, struct state_op op)
{
    return write_ops(place->store, place, &op, 1, false);
}

uint64_t save(struct place *place, const char *key, const char *value)
{
    struct state_op op = {.key = kan_text(key), .value = kan_text(value)};
    struct state_write write = write_op(place, op);

    assert_int_equal(write.outcome, STATE_OK);
    return write.revision;
}

const char *etag_of(uint64_t revision, char text[STATE_ETAG_SIZE])
{
    snprintf(text, STATE_ETAG_SIZE, "%" PRIu64, revision);
    return text;
}

void on_read(struct state_read *read)
{
    struct found *found = read->data;

    assert_true(found->answer.submitted);
    assert_false(found->answer.done);
    found->answer.done = true;
    if (read->outcome != STATE_OK)
        return;
    found->found = read->items[0].found;
    found->version = read->items[0].version;
    found->expires_ms = read->items[0].expires_ms;
    found->size = read->items[0].value.size;
    assert_true(found->size < sizeof(found->value));
    if (found->size)
        memcpy(found->value, read->items[0].value.bytes, found->size);
    found->value[found->size] = 0;
}

struct found load_from(struct state_store *store, struct place *place,
                       struct kan_slice key, enum state_consistency consistency)
{
    struct found found = {0};
    struct state_read read = {.data = &found,
                              .keys = &key,
                              .key_count = 1,
                              .consistency = consistency};

    assert_int_equal(state_read(store, &read, on_read), KAN_OK);
    found.answer.submitted = true;
    run_until(place, &found.answer.done);
    assert_int_equal(read.outcome, STATE_OK);
    return found;
}

struct found load(struct place *place, const char *key)
{
    return load_from(place->store, place, kan_text(key), STATE_STRONG);
}

void assert_holds(struct place *place, const char *key, const char *value)
{
    struct found found = load(place, key);

    assert_int_equal(found.found, value != NULL);
    if (value)
        assert_string_equal(found.value, value);
}

void on_list(struct state_list *list)
{
    struct page *page = list->data;

    page->done = true;
    if (list->outcome != STATE_OK)
        return;
    assert_true(list->item_count > 0 || !list->more);
    page->count = list->item_count;
    for (uint32_t i = 0; i < list->item_count; i++) {
        struct kan_slice key = list->items[i].key;
        assert_true(list->items[i].found);
        assert_true(list->items[i].version > 0);
        assert_true(key.size < sizeof(page->keys[0]));
        memcpy(page->keys[i], key.bytes, key.size);
        page->keys[i][key.size] = 0;
    }
}

struct page list_page(struct state_store *store, struct place *place,
                      struct state_list *list)
{
    struct page page = {0};

    list->data = &page;
    list->deadline_ns = 0;
    assert_int_equal(state_list(store, list, on_list), KAN_OK);
    assert_false(page.done);
    run_until(place, &page.done);
    return page;
}
