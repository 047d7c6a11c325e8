/* The stores of C programs: kan/state.h on the state block.
 *
 * A request of the callback form keeps the block's request in a part of its
 * own on the heap, so that the public structs need not know its size; the
 * blocking forms keep it on the stack and allocate nothing but what they give
 * away. */

#include "block/state/typed.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "block/loop/loop.h"
#include "engine/memory/memory.h"
#include "engine/sqlite/sqlite.h"

enum
{
    TYPED_MAGIC = 0x57023001,
    TIMEOUT_MS = 30000
};

/* --- messages ------------------------------------------------------------- */

const char *typed_message(struct kan_store *store)
{
    check_magic(store, TYPED_MAGIC);
    return buffer_text(&store->message);
}

/* What the engine has to add about a failure of this class. */
static const char *engine_words(struct kan_store *store, enum kan_err err)
{
    enum kan_err_class class = kan_err_class(err);
    bool told = class == KAN_CLASS_REFUSED || class == KAN_CLASS_BROKEN;

    return told ? engine_message(store->engine) : "";
}

enum kan_err typed_fail(struct kan_store *store, enum kan_err err)
{
    const char *more = engine_words(store, err);

    buffer_clear(&store->message);
    buffer_append_text(&store->message, kan_err_text(err));
    if (more[0]) {
        buffer_append_text(&store->message, ": ");
        buffer_append_text(&store->message, more);
    }
    return err;
}

enum kan_err typed_outcome(struct kan_store *store, enum state_outcome outcome,
                           enum kan_err err, const char *what, uint32_t index)
{
    const char *text = state_outcome_text(outcome);

    if (outcome == STATE_OK)
        return KAN_OK;
    if (outcome == STATE_FAILED)
        return typed_fail(store, err);
    if (outcome == STATE_MISMATCH)
        text = kan_err_text(KAN_CONFLICT);
    if (outcome == STATE_ETAG_INVALID)
        text = "a revision to compare with is at least 1";
    buffer_clear(&store->message);
    buffer_print(&store->message, "%s %u: %s", what, index, text);
    return outcome == STATE_MISMATCH ? KAN_CONFLICT : KAN_INVALID;
}

/* --- what all requests share ---------------------------------------------- */

enum kan_err typed_enter(struct kan_store *store)
{
    check_magic(store, TYPED_MAGIC);
    if (!store->closing)
        return KAN_OK;
    return typed_fail(store, KAN_CLOSED);
}

uint64_t typed_deadline(struct kan_store *store, uint32_t timeout_ms)
{
    uint64_t ms = timeout_ms ? timeout_ms : store->timeout_ms;

    return env_now(store->env) + ms * ENV_MS;
}

uint64_t typed_seen(struct kan_store *store)
{
    check_magic(store, TYPED_MAGIC);
    return store->seen;
}

void typed_see(struct kan_store *store, uint64_t revision)
{
    check_magic(store, TYPED_MAGIC);
    if (revision > store->seen)
        store->seen = revision;
}

enum state_consistency typed_consistency(enum typed_level level)
{
    return level == TYPED_STRONG ? STATE_STRONG : STATE_EVENTUAL;
}

uint64_t typed_at_least(struct kan_store *store, enum typed_level level)
{
    return level == TYPED_EVENTUAL ? 0 : store->seen;
}

/* --- opening -------------------------------------------------------------- */

/* One line for the human. */
static enum kan_err say(char *why, size_t why_size, enum kan_err err,
                        const char *text)
{
    struct kan_slice line = kan_text(text);

    if (!why || !why_size)
        return err;
    line = slice_head(line, why_size - 1);
    memcpy(why, line.bytes, line.size);
    why[line.size] = 0;
    return err;
}

static enum kan_err level_check(enum typed_level level,
                                const struct engine_promises *promises,
                                char *why, size_t why_size)
{
    if (level != TYPED_STRONG || promises->linearizable)
        return KAN_OK;
    return say(why, why_size, KAN_INVALID,
               "the engine is not linearizable, so it cannot carry a strong "
               "store: open a causal or an eventual one");
}

enum kan_err typed_new(kan_loop *loop, struct engine *engine,
                       const struct kan_store_options *options,
                       enum typed_level level, char *why, size_t why_size,
                       struct kan_store **ret_store)
{
    struct state_options state = {.engine = engine, .prefix = options->prefix};
    struct kan_store *store;
    enum kan_err err;

    err = level_check(level, engine_promises(engine), why, why_size);
    if (err)
        return err;
    /*= K-STATE-11: a strong handle stands on a linearizable engine. */
    kan_assert(level != TYPED_STRONG || engine_promises(engine)->linearizable);
    store = mem_zalloc(sizeof(*store));
    if (!store)
        return say(why, why_size, KAN_NOMEM, kan_err_text(KAN_NOMEM));
    err = state_store_new(&state, why, why_size, &store->state);
    if (err) {
        mem_free(store);
        return err;
    }
    store->magic = TYPED_MAGIC;
    store->loop = loop;
    store->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    store->env = loop_env(loop);
    store->engine = engine;
    *ret_store = store;
    return KAN_OK;
}

/* Why a data directory cannot be made, in words that fit it. */
static enum kan_err path_fail(const char *path, enum kan_err err, char *why,
                              size_t why_size)
{
    const char *text = kan_err_text(err);

    if (err == KAN_NOTFOUND || err == KAN_INVALID) {
        err = KAN_INVALID;
        text = "something in its path is no directory, or not permitted";
    }
    if (why && why_size)
        snprintf(why, why_size, "the data directory %s cannot be made: %s",
                 path, text);
    return err;
}

/* The embedded engine, in the file that the daemon keeps in that directory. */
static enum kan_err open_sqlite(struct env *env,
                                const struct kan_store_options *options,
                                char *why, size_t why_size,
                                struct engine **ret_engine)
{
    struct sqlite_options sqlite = {.program = "a program with libkan"};
    struct buffer path = BUFFER_INIT;
    enum kan_err err = KAN_NOMEM;

    if (!options->path || !options->path[0])
        return say(why, why_size, KAN_INVALID,
                   "options.path is empty: name a data directory");
    buffer_print(&path, "%s/kan.db", options->path);
    sqlite.path = buffer_text(&path);
    if (!buffer_failed(&path))
        err = env_dir_make(env, options->path);
    if (err)
        err = path_fail(options->path, err, why, why_size);
    else
        err = engine_sqlite_open(env, &sqlite, why, why_size, ret_engine);
    buffer_fini(&path);
    return err;
}

static enum kan_err open_engine(struct env *env,
                                const struct kan_store_options *options,
                                char *why, size_t why_size,
                                struct engine **ret_engine)
{
    struct kan_slice name = kan_text(options->engine);
    enum kan_err err;

    if (name.size == 0 || slice_equal(name, SLICE("sqlite")))
        return open_sqlite(env, options, why, why_size, ret_engine);
    if (!slice_equal(name, SLICE("memory")))
        return say(why, why_size, KAN_INVALID,
                   "options.engine is none of sqlite and memory");
    err = engine_memory_open(env, NULL, ret_engine);
    return err ? say(why, why_size, err, kan_err_text(err)) : KAN_OK;
}

/* When the engine opened and the rest failed, the engine is closed while the
 * loop runs. */
static enum kan_err open_on(kan_loop *loop,
                            const struct kan_store_options *options,
                            enum typed_level level, char *why, size_t why_size,
                            struct kan_store **ret_store)
{
    struct engine *engine;
    enum kan_err err =
        open_engine(loop_env(loop), options, why, why_size, &engine);

    if (err)
        return err;
    err = typed_new(loop, engine, options, level, why, why_size, ret_store);
    if (err)
        engine_close(engine, NULL, NULL);
    return err;
}

enum kan_err typed_open(kan_loop *loop, const struct kan_store_options *options,
                        enum typed_level level, char *why, size_t why_size,
                        struct kan_store **ret_store)
{
    bool own_loop = loop == NULL;
    struct kan_store *store;
    enum kan_err err;

    if (options->prefix.size > KAN_PREFIX_MAX)
        return say(why, why_size, KAN_INVALID,
                   "options.prefix is longer than 512 bytes");
    if (own_loop) {
        err = kan_loop_new(&loop);
        if (err)
            return say(why, why_size, err, kan_err_text(err));
    }
    err = open_on(loop, options, level, why, why_size, &store);
    if (!err) {
        store->own_loop = own_loop;
        *ret_store = store;
    } else if (own_loop) {
        /* What the engine had begun may still be closing. */
        kan_loop_run(loop, KAN_LOOP_UNTIL_STOPPED);
        kan_loop_free(loop);
    }
    return err;
}

/* --- closing -------------------------------------------------------------- */

static void close_end(struct env_task *task)
{
    struct kan_store *store = task->data;
    kan_store_close_cb *cb = store->close_cb;
    void *data = store->close_data;

    state_store_free(store->state);
    buffer_fini(&store->message);
    store->magic = 0;
    mem_free(store);
    cb(data);
}

/* Outcomes that needed no engine may still wait in the queue of tasks: they go
 * first. */
static void on_engine_closed(void *data)
{
    struct kan_store *store = data;

    store->engine = NULL;
    store->closed.data = store;
    env_defer(store->env, &store->closed, close_end);
}

static void close_begin(struct kan_store *store, void *data,
                        kan_store_close_cb *cb)
{
    kan_assert(!store->closing);
    store->closing = true;
    store->close_data = data;
    store->close_cb = cb;
    engine_close(store->engine, store, on_engine_closed);
}

void typed_close_async(struct kan_store *store, void *data,
                       kan_store_close_cb *cb)
{
    check_magic(store, TYPED_MAGIC);
    kan_assert(cb);
    kan_assert(!store->own_loop); /* nobody would run it */
    close_begin(store, data, cb);
}

static void set_done(void *data)
{
    bool *done = data;

    *done = true;
}

void typed_close(struct kan_store *store)
{
    bool done = false;
    kan_loop *loop;
    bool own_loop;

    if (!store)
        return;
    check_magic(store, TYPED_MAGIC);
    loop = store->loop;
    own_loop = store->own_loop;
    close_begin(store, &done, set_done);
    loop_wait(loop, &done);
    if (own_loop)
        kan_loop_free(loop);
}
