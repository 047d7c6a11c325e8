/* What is kept of actors: it comes back as it was, and what is cut short or
 * changed is never taken for whole. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "block/actor/actor_case.h"
#include "block/actor/actor_store.h"
#include "engine/engine.h"

static const struct kan_ref self = {"clock/a"};
static const struct kan_ref other = {"cell/2"};

static const struct kan_actor_type *type_named(const char *name)
{
    for (uint32_t i = 0; i < actor_case.actor_count; i++)
        if (strcmp(actor_case.actors[i]->name, name) == 0)
            return actor_case.actors[i];
    fail();
    return NULL;
}

static void test_keys(void **state)
{
    struct buffer key = BUFFER_INIT;
    struct kan_ref found;
    uint64_t number;
    uint32_t index;

    (void)state;
    store_key_mailbox(&key, kan_text(""), &self);
    assert_false(
        store_message_key(buffer_slice(&key), &found, &number, &index));
    buffer_append(&key, kan_slice("\0\0\0\0\0\0\1\2\0\0\0\3", 12));
    assert_true(store_message_key(buffer_slice(&key), &found, &number, &index));
    assert_true(kan_ref_equal(&found, &self));
    assert_int_equal(number, 258);
    assert_int_equal(index, 3);
    buffer_clear(&key);
    store_key_timer(&key, kan_text(""), 0x2f2f2f, &self, "ring");
    assert_true(store_timer_key(buffer_slice(&key), &found, &number));
    assert_true(kan_ref_equal(&found, &self));
    assert_int_equal(number, 0x2f2f2f);
    for (size_t i = 0; i < 17; i++)
        assert_false(store_timer_key(slice_head(buffer_slice(&key), i), &found,
                                     &number));
    buffer_fini(&key);
}

static const struct kan_record *find(void *data, struct kan_slice name)
{
    (void)data;
    return slice_equal(name, SLICE("token")) ? &token_record : NULL;
}

static void test_messages(void **state)
{
    struct token token = {.id = 3, .hop = 4, .hops = 5};
    struct actor_chain chain = {.count = 2, .refs = {self, other}};
    struct actor_message *message;
    struct actor_message *again;
    struct buffer saved = BUFFER_INIT;
    size_t whole;

    (void)state;
    assert_int_equal(
        message_new(&other, &chain, &token_record, &token, &message), KAN_OK);
    message->number = 9;
    message->crashes = 2;
    assert_int_equal(message_save(message, &saved), KAN_OK);
    assert_int_equal(message_load(buffer_slice(&saved), NULL, find, &again),
                     KAN_OK);
    assert_int_equal(again->number, 9);
    assert_int_equal(again->crashes, 2);
    assert_int_equal(again->bad, KAN_OK);
    assert_true(kan_ref_equal(&again->from, &other));
    assert_int_equal(again->chain_count, 2);
    assert_true(kan_ref_equal(&again->chain[1], &other));
    assert_memory_equal(again->bytes, &token, sizeof(token));
    whole = saved.size;
    mem_free(again);
    for (size_t size = 0; size < whole; size++) {
        enum kan_err err = message_load(slice_head(buffer_slice(&saved), size),
                                        NULL, find, &again);
        if (err == KAN_OK) {
            assert_int_not_equal(again->bad, KAN_OK);
            mem_free(again);
        } else {
            assert_int_equal(err, KAN_CORRUPT);
        }
    }
    mem_free(message);
    buffer_fini(&saved);
}

/* K-ACTOR-5 */
static void test_actors(void **state)
{
    const struct kan_actor_type *type = type_named("clock");
    struct clock clock = {.rings = 7, .at_ms = 8};
    struct clock loaded;
    struct actor_head head = actor_core_head(&self);
    struct actor_head back;
    struct actor_note *notes[ACTOR_SENDERS_MAX] = {NULL};
    struct actor_note *found[ACTOR_SENDERS_MAX] = {NULL};
    struct buffer saved = BUFFER_INIT;

    (void)state;
    head.started = true;
    head.life = 11;
    head.attempt = 12;
    head.number = 13;
    head.awaits = other;
    head.clocks[1].due_ms = 99;
    head.clocks[1].crashes = 2;
    assert_int_equal(note_new(kan_text("{}"), &notes[0]), KAN_OK);
    notes[0]->sender = other;
    notes[0]->number = 14;
    notes[0]->outcome = NOTE_ANSWERED;
    assert_int_equal(actor_save(type, &head, notes, &clock, &saved), KAN_OK);
    assert_int_equal(
        actor_load(type, buffer_slice(&saved), &back, found, &loaded, NULL),
        KAN_OK);
    assert_memory_equal(&loaded, &clock, sizeof(clock));
    assert_true(actor_core_own(&back, 11, 12));
    assert_true(back.started);
    assert_int_equal(back.number, 13);
    assert_memory_equal(&back.path, &head.path, sizeof(head.path));
    assert_true(kan_ref_equal(&back.awaits, &other));
    assert_int_equal(back.clocks[0].due_ms, 0);
    assert_int_equal(back.clocks[1].due_ms, 99);
    assert_int_equal(back.clocks[1].crashes, 2);
    assert_int_equal(found[0]->number, 14);
    assert_memory_equal(found[0]->text, "{}", 2);
    assert_null(found[1]);
    found[0] = mem_free(found[0]);
    for (size_t size = 0; size < saved.size; size++)
        assert_int_equal(
            actor_load(type, slice_head(buffer_slice(&saved), size), &back,
                       found, &loaded, NULL),
            KAN_CORRUPT);
    mem_free(notes[0]);
    buffer_fini(&saved);
}

static void test_parked(void **state)
{
    struct parked_value parked = {.actor = self,
                                  .from = other,
                                  .method = kan_text("token"),
                                  .json = kan_text("{\"id\":1}"),
                                  .why = kan_text("it divided by zero")};
    struct parked_value found;
    struct buffer saved = BUFFER_INIT;

    (void)state;
    parked_save(&parked, &saved);
    assert_int_equal(parked_load(buffer_slice(&saved), &found), KAN_OK);
    assert_true(kan_ref_equal(&found.actor, &self));
    assert_true(slice_equal(found.json, parked.json));
    assert_true(slice_equal(found.why, parked.why));
    for (size_t size = 0; size < saved.size; size++)
        assert_int_equal(
            parked_load(slice_head(buffer_slice(&saved), size), &found),
            KAN_CORRUPT);
    buffer_fini(&saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_actors),
        cmocka_unit_test(test_parked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
