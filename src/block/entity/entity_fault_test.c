/* The entity block in a bad world: the power fails, answers are lost, the disk
 * is full, memory ends, somebody else writes. Clients that repeat a deposit
 * until they know that it was taken show whether one was lost or taken twice:
 * in the end the events are folded again, and the sum must be theirs. */

#include <stdio.h>

#include "base/alloc.h"
#include "block/entity/entity_place.h"

enum
{
    CLIENTS = 4,
    STEPS = 12,
    ENTITIES = 2
};

static struct place place;

/* --- work that can be counted --------------------------------------------- */

/* What one client wants: each deposit with a key, and again with the same key
 * until it is known. */
struct client
{
    struct asked asked;
    bool under_way;
    unsigned done;
    uint64_t last; /* n of its last deposit */
    char ref[32];
    char key[32];
};

static struct client clients[CLIENTS];
static uint64_t known[ENTITIES]; /* the largest n that anybody was told */

static void clients_init(void)
{
    memset(clients, 0, sizeof(clients));
    memset(known, 0, sizeof(known));
    for (unsigned i = 0; i < CLIENTS; i++)
        snprintf(clients[i].ref, sizeof(clients[i].ref), "account/%u",
                 i % ENTITIES);
}

static void client_take(struct client *client)
{
    unsigned at = (unsigned)(client - clients) % ENTITIES;
    struct asked *asked = &client->asked;

    client->under_way = false;
    if (asked->outcome == ENTITY_FAILED)
        return;
    if (client->done == 0 && asked->outcome == ENTITY_REFUSED) {
        /* The account was opened by another client. */
        client->done++;
        return;
    }
    if (asked->outcome != ENTITY_TAKEN)
        fail_msg("%s: outcome %d, %s", client->ref, asked->outcome,
                 asked->text);
    /* K-ENTITY-2, K-ENTITY-6: each deposit is behind the last one. */
    assert_true(asked->n > client->last);
    client->last = asked->n;
    if (asked->n > known[at])
        known[at] = asked->n;
    client->done++;
}

static void client_step(struct client *client, struct entity_host *host)
{
    struct asked *asked = &client->asked;

    if (client->under_way && asked->done)
        client_take(client);
    if (client->under_way || client->done > STEPS)
        return;
    to_ask(asked, client->ref, client->done ? "deposit" : "open",
           client->done ? "{\"amount\":1}" : "{\"name\":\"A\"}");
    snprintf(client->key, sizeof(client->key), "%u-%u",
             (unsigned)(client - clients), client->done);
    asked->call.key = kan_text(client->key);
    asked->call.deadline_ns = env_now(place.env) + UINT64_C(5) * ENV_S;
    if (ask_try(host, asked) == KAN_OK)
        client->under_way = true;
}

static bool clients_done(void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (clients[i].done <= STEPS)
            return false;
    return true;
}

/* Work so many steps, or until the power fails, or all is done. */
static bool work(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        if (sim_dead(place.env))
            return false;
        for (unsigned j = 0; j < CLIENTS; j++)
            client_step(&clients[j], place.host);
        if (clients_done())
            return true;
        (void)sim_step(place.world);
    }
    return clients_done();
}

/* The events of an entity, counted by hand. */
static void check_events(const char *ref)
{
    struct looked looked = look(&place, ref);
    uint64_t last = 0;
    int64_t sum = 0;
    struct paged paged;

    assert_int_equal(looked.outcome, ENTITY_TAKEN);
    do {
        const char *at;
        paged = page(&place, ref, last, 100);
        assert_int_equal(paged.outcome, ENTITY_TAKEN);
        for (at = paged.text; (at = strstr(at, "{\"n\":")) != NULL; at++) {
            /* K-ENTITY-2: no gap. */
            assert_int_equal(number_in(at, "n"), last + 1);
            last++;
        }
        for (at = paged.text; (at = strstr(at, "\"amount\":1")) != NULL; at++)
            sum++;
    } while (paged.more);
    /* K-ENTITY-3: the state is the fold of the events. */
    assert_int_equal(looked.n, last);
    assert_int_equal(number_in(looked.state, "balance"), sum);
    assert_int_equal(number_in(looked.state, "deposits"), sum);
    /* K-ENTITY-2: none is lost or doubled. */
    assert_int_equal(sum, STEPS * CLIENTS / ENTITIES);
}

static void check_all(void)
{
    char ref[32];

    for (int i = 0; i < 600 && !clients_done(); i++)
        (void)work(200);
    assert_true(clients_done());
    pass(&place, 60000);
    for (unsigned i = 0; i < ENTITIES; i++) {
        snprintf(ref, sizeof(ref), "account/%u", i);
        check_events(ref);
    }
}

/* The memory of calls that a dead process had under way is ours again. */
static void crash(void)
{
    place_crash(&place);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_true(!clients[i].under_way || clients[i].asked.done);
        if (clients[i].under_way)
            client_take(&clients[i]);
    }
}

/* --- the power fails ------------------------------------------------------ */

/* K-ENTITY-1, K-ENTITY-4: at every file call of the work. */
static void crash_loop(enum sim_fault_kind kind, uint64_t stride)
{
    bool struck = true;

    for (uint64_t nth = 1; struck; nth += stride) {
        clients_init();
        place_open(&place, PLACE_SQLITE, place_bank, nth);
        sim_fault_crash(place.env, kind, nth);
        (void)work(100000);
        struck = sim_dead(place.env);
        if (struck)
            crash();
        sim_fault_crash(place.env, kind, 0);
        check_all();
        place_close(&place);
    }
}

static void test_the_power_fails_at_every_sync(void **state)
{
    (void)state;
    crash_loop(SIM_FAULT_SYNC, 1);
}

static void test_the_power_fails_at_many_writes(void **state)
{
    (void)state;
    crash_loop(SIM_FAULT_WRITE, 5);
}

static void test_the_power_fails_often(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 15; seed++) {
        clients_init();
        place_open(&place, PLACE_SQLITE, place_bank, seed);
        sim_world_options(place.world)->lane_jitter_ns = 3 * ENV_MS;
        for (unsigned i = 0; i < 8 && !clients_done(); i++) {
            (void)work(1 + (unsigned)tape_choose(&place.tape, 150));
            crash();
        }
        check_all();
        place_close(&place);
    }
}

/* --- the engine ----------------------------------------------------------- */

static void test_answers_are_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct engine_fault_options *knobs;
        clients_init();
        place_open(&place, PLACE_FAULT, place_bank, seed);
        knobs = engine_fault_options(place.engine);
        knobs->rate[ENGINE_FAULT_LOST] = seed % 2 ? 200 : 50;
        knobs->rate[ENGINE_FAULT_BUSY] = 50;
        knobs->delay_rate = 200;
        knobs->delay_max_ns = (seed % 3 ? 20 : 8000) * (uint64_t)ENV_MS;
        (void)work(20000);
        memset(knobs, 0, sizeof(*knobs));
        check_all();
        place_close(&place);
    }
}

/* K-ENTITY-4: each request of the engine fails once, in each way. */
static void test_a_fault_at_every_request(void **state)
{
    (void)state;
    for (int kind = ENGINE_FAULT_BUSY; kind <= ENGINE_FAULT_LOST; kind++) {
        bool struck = true;
        for (uint64_t nth = 1; struck; nth++) {
            clients_init();
            place_begin(&place, PLACE_FAULT, place_bank, nth);
            engine_fault_nth(place.engine, (enum engine_fault_kind)kind, nth);
            place_host(&place);
            assert_int_equal(place.ready, KAN_OK);
            (void)work(100000);
            struck = engine_fault_struck(place.engine);
            engine_fault_nth(place.engine, (enum engine_fault_kind)kind, 0);
            check_all();
            place_close(&place);
        }
    }
}

/* A lost answer alone is looked up: no deadline passes. */
static void test_a_lost_answer_is_found(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct asked asked;
        place_open(&place, PLACE_FAULT, place_bank, seed);
        takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
        to_ask(&asked, "account/a", "deposit", "{\"amount\":5}");
        engine_fault_nth(place.engine, ENGINE_FAULT_LOST, 1);
        ask_wait(&place, &asked);
        assert_true(engine_fault_struck(place.engine));
        assert_int_equal(asked.outcome, ENTITY_TAKEN);
        assert_int_equal(asked.n, 2);
        assert_int_equal(number_in(look(&place, "account/a").state, "balance"),
                         5);
        place_close(&place);
    }
}

/* K-ENTITY-10: an engine that has failed: everybody is told. */
static void test_a_broken_engine(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 12; nth++) {
        struct asked asked[6];
        place_open(&place, PLACE_FAULT, place_bank, nth);
        engine_fault_nth(place.engine, ENGINE_FAULT_IO, nth);
        for (unsigned i = 0; i < 6; i++) {
            to_ask(&asked[i], i % 2 ? "account/a" : "account/b", "open",
                   "{\"name\":\"A\"}");
            ask(&place, &asked[i]);
            if (i == 3)
                pass(&place, 10);
        }
        for (unsigned i = 0; i < 6; i++) {
            run_until(&place, &asked[i].done);
            if (engine_fault_struck(place.engine) && i > 3 && nth < 4)
                assert_int_equal(asked[i].err, KAN_IO);
        }
        place_close(&place);
    }
}

/* K-ENTITY-10: a full disk refuses, keeps reading, and recovers. */
static void test_a_full_disk(void **state)
{
    struct asked asked;
    uint64_t n = 1;

    (void)state;
    place_open(&place, PLACE_SQLITE, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    sim_disk_limit(place.env, 1);
    do {
        asked = call(&place, "account/a", "deposit", "{\"amount\":1}");
        if (asked.outcome == ENTITY_TAKEN)
            n++;
    } while (asked.outcome == ENTITY_TAKEN && n < 10000);
    assert_int_equal(asked.outcome, ENTITY_FAILED);
    assert_int_equal(asked.err, KAN_FULL);
    assert_int_equal(look(&place, "account/a").n, n);
    sim_disk_limit(place.env, 0);
    takes(&place, "account/a", "deposit", "{\"amount\":1}", n + 1);
    place_close(&place);
}

/* --- somebody else writes ------------------------------------------------- */

struct reader
{
    struct entity_read read;
    bool under_way;
    uint64_t known; /* when it was asked */
    uint64_t count;
};

static void on_read(struct entity_read *read)
{
    struct reader *reader = read->data;

    reader->under_way = false;
    if (read->outcome == ENTITY_FAILED)
        return;
    reader->count++;
    /* K-ENTITY-5: what was answered before a read began is in it. */
    if (reader->known)
        assert_int_equal(read->outcome, ENTITY_TAKEN);
    assert_true(read->state.n >= reader->known);
    if (read->outcome == ENTITY_TAKEN && read->state.n > known[0])
        known[0] = read->state.n;
}

static void reader_step(struct reader *reader, struct entity_host *host)
{
    if (reader->under_way)
        return;
    memset(&reader->read, 0, sizeof(reader->read));
    reader->read.data = reader;
    reader->read.type = SLICE("account");
    reader->read.id = SLICE("0");
    reader->known = known[0];
    reader->read.deadline_ns = env_now(place.env) + UINT64_C(5) * ENV_S;
    reader->under_way = entity_read(host, &reader->read, on_read) == KAN_OK;
}

/* K-ENTITY-1: two owners on one engine: none of their steps is lost, doubled or
 * decided on what is of yesterday. */
static void two_hosts(uint64_t seed, uint32_t lost)
{
    struct entity_host *hosts[2];
    struct reader readers[2];
    struct engine_fault_options *knobs;

    clients_init();
    memset(readers, 0, sizeof(readers));
    place_begin(&place, PLACE_FAULT, place_bank, seed);
    place.engine->promises.shared = true;
    place_host(&place);
    hosts[0] = place.host;
    place_host(&place);
    hosts[1] = place.host;
    knobs = engine_fault_options(place.engine);
    knobs->rate[ENGINE_FAULT_LOST] = lost;
    knobs->delay_rate = 300;
    knobs->delay_max_ns = 30 * (uint64_t)ENV_MS;
    for (unsigned i = 0; i < 40000 && !clients_done(); i++) {
        for (unsigned j = 0; j < CLIENTS; j++)
            client_step(&clients[j], hosts[(j / 2 + i / 500) % 2]);
        for (unsigned j = 0; j < 2; j++)
            reader_step(&readers[j], hosts[j]);
        (void)sim_step(place.world);
    }
    memset(knobs, 0, sizeof(*knobs));
    while (readers[0].under_way || readers[1].under_way)
        (void)sim_step(place.world);
    check_all();
    assert_true(readers[0].count && readers[1].count);
    place.host = hosts[0];
    check_all();
    host_close(&place);
    place.host = hosts[1];
    place_close(&place);
}

static void test_two_owners(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        two_hosts(seed, 0);
}

static void test_two_owners_and_lost_answers(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        two_hosts(seed, 100);
}

/* K-ENTITY-1: an owner that slept while another erased the entity cannot write
 * behind its back. */
static void test_a_stale_owner_after_an_erasure(void **state)
{
    struct entity_host *hosts[2];
    struct asked asked;

    (void)state;
    place_begin(&place, PLACE_MEMORY, place_bank, 1);
    place.engine->promises.shared = true;
    place_host(&place);
    hosts[0] = place.host;
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    place_host(&place);
    hosts[1] = place.host;
    for (unsigned i = 2; i <= 5; i++)
        takes(&place, "account/a", "deposit", "{\"amount\":1}", i);
    assert_int_equal(change(&place, "account/a", ENTITY_ERASE, 0).n, 6);
    place.host = hosts[0];
    asked = call(&place, "account/a", "deposit", "{\"amount\":1}");
    assert_int_equal(asked.outcome, ENTITY_REFUSED);
    assert_int_equal(look(&place, "account/a").outcome, ENTITY_NOTFOUND);
    assert_int_equal(page(&place, "account/a", 0, 0).count, 1);
    host_close(&place);
    place.host = hosts[1];
    place_close(&place);
}

/* --- erasures and crashes ------------------------------------------------- */

struct counted
{
    struct engine_scan scan;
    bool done;
    uint32_t count;
};

static void on_counted(struct engine_scan *scan, enum kan_err err)
{
    struct counted *counted = scan->request.data;

    assert_int_equal(err, KAN_OK);
    counted->done = true;
    counted->count = scan->item_count;
}

/* How many keys of that letter there are. */
static uint32_t engine_keys(char letter)
{
    char prefix[] = "entity||kan||account\0?";
    struct counted counted;

    memset(&counted, 0, sizeof(counted));
    prefix[sizeof(prefix) - 2] = letter;
    counted.scan.request.data = &counted;
    counted.scan.prefix = kan_slice(prefix, sizeof(prefix) - 1);
    counted.scan.limit = 1000;
    assert_int_equal(engine_scan(place.engine, &counted.scan, on_counted),
                     KAN_OK);
    run_until(&place, &counted.done);
    return counted.count;
}

static void on_erased(struct entity_change *change)
{
    *(bool *)change->data = true;
}

/* K-ENTITY-9: an erasure that a crash has cut short goes on by itself. */
static void test_an_erasure_is_resumed(void **state)
{
    bool struck = true;
    uint32_t cut = 0;

    (void)state;
    for (uint64_t nth = 1; struck; nth++) {
        struct entity_change erase = {
            .type = SLICE("account"), .id = SLICE("a"), .kind = ENTITY_ERASE};
        bool done = false;
        uint32_t events;
        place_open(&place, PLACE_SQLITE, place_bank, nth);
        takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
        for (unsigned i = 2; i <= 200; i++)
            takes(&place, "account/a", "deposit", "{\"amount\":1}", i);
        sim_fault_crash(place.env, SIM_FAULT_SYNC, nth);
        erase.data = &done;
        assert_int_equal(entity_change(place.host, &erase, on_erased), KAN_OK);
        while (!done && !sim_dead(place.env))
            assert_true(sim_step(place.world));
        struck = sim_dead(place.env);
        if (struck)
            place_crash(&place);
        sim_fault_crash(place.env, SIM_FAULT_SYNC, 0);
        assert_true(done);
        pass(&place, 5000);
        events = page(&place, "account/a", 0, 1000).count;
        /* All, or the tombstone: also of what lies under it in the engine. */
        assert_true(events == 200 || events == 1);
        if (events == 1) {
            cut += struck;
            assert_int_equal(engine_keys('e'), 1);
            assert_int_equal(engine_keys('s'), 0);
            assert_int_equal(engine_keys('x'), 0);
        }
        place_close(&place);
    }
    assert_true(cut > 0);
}

/* --- memory ends ---------------------------------------------------------- */

/* K-ENTITY-10: whatever allocation fails. */
static void alloc_loop(bool sticky)
{
    bool struck = true;

    for (uint64_t nth = 1; struck; nth++) {
        clients_init();
        place_open(&place, PLACE_MEMORY, place_bank, nth);
        mem_fault(nth, sticky);
        (void)work(sticky ? 40 : 100000);
        struck = mem_fault_struck();
        mem_fault(0, false);
        check_all();
        place_close(&place);
        if (nth > 400)
            nth += nth / 8;
    }
}

static void test_memory_ends_once(void **state)
{
    (void)state;
    alloc_loop(false);
}

static void test_memory_ends_for_a_while(void **state)
{
    (void)state;
    alloc_loop(true);
}

static void on_ready(void *data, enum kan_err err, const char *why)
{
    bool *done = data;

    (void)err;
    (void)why;
    *done = true;
}

static void test_no_memory_for_a_host(void **state)
{
    bool struck = true;

    (void)state;
    for (uint64_t nth = 1; struck; nth++) {
        struct buffer why = BUFFER_INIT;
        bool done = false;
        bool closed = false;
        enum kan_err err;
        place_begin(&place, PLACE_MEMORY, place_cart, 1);
        place.options.env = place.env;
        place.options.engine = place.engine;
        place.options.contract = place.contract;
        place.options.data = &done;
        place.options.event = NULL;
        place.options.trouble = NULL;
        mem_fault(nth, false);
        err = entity_host_new(&place.options, on_ready, &place.host, &why);
        if (err == KAN_OK) {
            run_until(&place, &done);
            entity_host_close(place.host, &closed, set_flag);
            run_until(&place, &closed);
        } else {
            assert_int_equal(err, KAN_NOMEM);
        }
        place.host = NULL;
        struck = mem_fault_struck();
        mem_fault(0, false);
        buffer_fini(&why);
        place_close(&place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_power_fails_at_every_sync),
        cmocka_unit_test(test_the_power_fails_at_many_writes),
        cmocka_unit_test(test_the_power_fails_often),
        cmocka_unit_test(test_answers_are_lost),
        cmocka_unit_test(test_a_fault_at_every_request),
        cmocka_unit_test(test_a_lost_answer_is_found),
        cmocka_unit_test(test_a_broken_engine),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_two_owners),
        cmocka_unit_test(test_two_owners_and_lost_answers),
        cmocka_unit_test(test_a_stale_owner_after_an_erasure),
        cmocka_unit_test(test_an_erasure_is_resumed),
        cmocka_unit_test(test_memory_ends_once),
        cmocka_unit_test(test_memory_ends_for_a_while),
        cmocka_unit_test(test_no_memory_for_a_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
