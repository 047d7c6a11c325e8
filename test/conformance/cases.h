/* cases.h - what the test cases of the suite stand on: a simulated process with
 * the engine in it, and calls that submit a request and run the world until it
 * is answered. Every call asserts that an answer comes exactly once. */

#ifndef CONFORMANCE_CASES_H
#define CONFORMANCE_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "engine/engine.h"
#include "env/sim/sim.h"
#include "env/sim/tape.h"
#include "test/conformance/conformance.h"

/* A running test. */
struct conformance
{
    const struct conformance_subject *subject;
    const struct conformance_wish *wish;
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engine; /* NULL while closed */
    uint64_t seen; /* the newest revision answered: weak reads ask for it */
};

typedef void conformance_case_cb(struct conformance *c);

struct conformance_case
{
    const char *name;
    conformance_case_cb *run;     /* NULL ends a table */
    struct engine_promises needs; /* skipped when not promised */
    struct conformance_wish wish; /* skipped when set and not granted */
    bool reopens;  /* skipped when the subject does not survive */
    uint64_t seed; /* of the tape */
    bool rough;    /* time passes and lanes are late, by the tape */
};

/* A row of a table: name, function, then what else is to be said of it. */
#define CASE(what, function, ...)                  \
    {                                              \
        .name = what, .run = function, __VA_ARGS__ \
    }

extern const struct conformance_case cases_commit[];
extern const struct conformance_case cases_limit[];
extern const struct conformance_case cases_expiry[];
extern const struct conformance_case cases_read[];
extern const struct conformance_case cases_watch[];
extern const struct conformance_case cases_life[];
extern const struct conformance_case cases_model[];

/* --- the engine's life ---------------------------------------------------- */

void c_open(struct conformance *c);
void c_close(struct conformance *c);

/* --- time ----------------------------------------------------------------- */

/* Let ms pass, and run what happens in it. */
void c_pass(struct conformance *c, uint64_t ms);

/* Run the world until *done counts up to at least count. */
void c_await(struct conformance *c, const unsigned *done, unsigned count);

/* --- commits -------------------------------------------------------------- */

struct engine_write w_put(const char *key, const char *value);
struct engine_write w_put_ttl(const char *key, const char *value,
                              enum engine_ttl_kind kind, uint64_t ttl_ms);
struct engine_write w_delete(const char *key);
struct engine_write w_touch(const char *key, enum engine_ttl_kind kind,
                            uint64_t ttl_ms);
struct engine_write w_append(const char *prefix, const char *value);

struct engine_guard g_version(const char *key, uint64_t revision);
struct engine_guard g_created(const char *key, uint64_t revision);
struct engine_guard g_absent(const char *key);
struct engine_guard g_present(const char *key);

/* An array and its size, as two arguments. */
#define WRITES(...)                                               \
    (struct engine_write[]){__VA_ARGS__},                         \
        (uint32_t)(sizeof((struct engine_write[]){__VA_ARGS__}) / \
                   sizeof(struct engine_write))
#define GUARDS(...)                                               \
    (struct engine_guard[]){__VA_ARGS__},                         \
        (uint32_t)(sizeof((struct engine_guard[]){__VA_ARGS__}) / \
                   sizeof(struct engine_guard))
#define NO_GUARDS NULL, 0
#define NO_WRITES NULL, 0

struct c_result
{
    enum kan_err err;
    bool submitted; /* err came through cb */
    uint64_t revision;
    uint32_t failed_guard;
};

struct c_result c_commit(struct conformance *c,
                         const struct engine_guard *guards,
                         uint32_t guard_count,
                         const struct engine_write *writes,
                         uint32_t write_count);
struct c_result c_commit_id(struct conformance *c, const char *id,
                            const struct engine_guard *guards,
                            uint32_t guard_count,
                            const struct engine_write *writes,
                            uint32_t write_count);

/* A commit that must be answered KAN_OK; its revision. */
uint64_t c_write(struct conformance *c, const struct engine_write *writes,
                 uint32_t write_count);
uint64_t c_put(struct conformance *c, const char *key, const char *value);

/* --- reads ---------------------------------------------------------------- */

struct c_item
{
    bool there;
    uint64_t created;
    uint64_t version;
    uint64_t expires_ms;
    size_t key_size;
    size_t value_size;
    char key[80];   /* cut, with a NUL */
    char value[80]; /* cut, with a NUL */
};

/* Set the level at which everything acknowledged is seen. */
void c_level(struct conformance *c, enum engine_level *level,
             uint64_t *at_least);

struct c_item c_get(struct conformance *c, const char *key);
struct c_item c_get_slice(struct conformance *c, struct kan_slice key);

/* As a line, "there" or "-"; asserts the value. NULL: the key is absent. */
void c_expect(struct conformance *c, const char *key, const char *value);

struct c_page
{
    enum kan_err err;
    uint32_t count;
    bool more;
    uint64_t revision;
    size_t value_bytes;
    struct c_item items[ENGINE_KEYS_MAX];
};

/* Yours: free(). */
struct c_page *c_scan(struct conformance *c, struct kan_slice prefix,
                      struct kan_slice after, uint32_t limit, bool keys_only);

/* --- watches -------------------------------------------------------------- */

struct c_event
{
    uint64_t revision;
    unsigned call; /* which call of the callback told it */
    enum engine_change_kind kind;
    uint64_t created;
    uint64_t version;
    size_t key_size;
    char key[80];
    char value[80];
    uint64_t wall_ms; /* when it was told */
};

enum
{
    C_EVENTS_MAX = 8192
};

struct c_watch
{
    struct engine_watch watch;
    struct conformance *c;
    unsigned calls;
    unsigned ended;
    enum kan_err end;
    unsigned count;
    uint64_t last; /* revision */
    struct c_event events[C_EVENTS_MAX];
};

/* Submit; must be accepted. Yours: c_watch_free() when it has ended. */
struct c_watch *c_watch(struct conformance *c, const char *prefix,
                        struct engine_cursor from);
struct c_watch *c_watch_free(struct c_watch *watch);

/* Cancel, and wait for the end. */
void c_watch_stop(struct conformance *c, struct c_watch *watch);

/* Run the world until count events have been told. */
void c_watch_await(struct conformance *c, struct c_watch *watch,
                   unsigned count);

void c_event_is(const struct c_event *event, enum engine_change_kind kind,
                const char *key, const char *value);

/* The beginning of the history of the engine, and its end. */
struct engine_cursor c_begin(struct conformance *c);
struct engine_cursor c_now(struct conformance *c);

#endif /* CONFORMANCE_CASES_H */
