/* Opening and closing of stores. A half-opened set closes like a whole one. */

#include "node/stores.h"

#include "base/assert.h"
#include "engine/memory/memory.h"
#include "engine/sqlite/sqlite.h"

enum
{
    WHY_SIZE = 512
};

static enum kan_err place(struct store *store,
                          const struct component *component,
                          const struct component_scope *scope,
                          const char *data_dir)
{
    if (component->path) {
        buffer_append_text(&store->path, component->path);
    } else {
        enum kan_err err = env_dir_make(scope->env, data_dir);
        if (err != KAN_OK)
            return err;
        if (component->file)
            buffer_print(&store->path, "%s/%s", data_dir, component->file);
        else
            buffer_print(&store->path, "%s/%s.db", data_dir, component->name);
    }
    (void)buffer_text(&store->path);
    return buffer_failed(&store->path) ? KAN_NOMEM : KAN_OK;
}

/* The engine that has the file open already, or NULL. */
static struct engine *shared_engine(const struct stores *stores,
                                    const struct store *store)
{
    for (uint32_t i = 0; i < stores->count; i++) {
        const struct store *other = &stores->stores[i];
        if (other->path.size &&
            slice_equal(buffer_slice(&other->path), buffer_slice(&store->path)))
            return other->engine;
    }
    return NULL;
}

static enum kan_err open_engine(struct stores *stores, struct store *store,
                                const struct component *component,
                                const struct component_scope *scope,
                                const char *data_dir, struct buffer *why)
{
    store->owner = true;
    if (component_in_memory(component->type)) {
        struct memory_options options = {0};
        return engine_memory_open(scope->env, &options, &store->engine);
    }
    enum kan_err err = place(store, component, scope, data_dir);
    if (err != KAN_OK) {
        buffer_print(why, "the data directory '%s' cannot be used: %s",
                     data_dir, resource_err_text(err));
        return err;
    }
    store->engine = shared_engine(stores, store);
    if (store->engine) {
        store->owner = false;
        return KAN_OK;
    }
    char text[WHY_SIZE] = "";
    struct sqlite_options options = {.path = buffer_text(&store->path),
                                     .program = "kan run"};
    err = engine_sqlite_open(scope->env, &options, text, sizeof text,
                             &store->engine);
    if (err != KAN_OK)
        buffer_append_text(why, *text ? text : kan_err_text(err));
    return err;
}

static enum kan_err open_state(struct stores *stores, struct store *store,
                               struct kan_slice prefix, char *why,
                               size_t why_size)
{
    const struct component *component = store->component;
    struct state_options options = {store->engine, prefix};
    enum kan_err err = state_store_new(&options, why, why_size, &store->state);
    if (err == KAN_OK)
        stores->states[stores->state_count++] =
            (struct serve_store){.name = component->name,
                                 .type = component->type_name,
                                 .version = component->version,
                                 .state = store->state};
    return err;
}

static enum kan_err open_lock(struct stores *stores, struct store *store,
                              struct kan_slice prefix, char *why,
                              size_t why_size)
{
    const struct component *component = store->component;
    struct lock_options options = {.engine = store->engine, .prefix = prefix};
    enum kan_err err = lock_store_new(&options, why, why_size, &store->lock);
    if (err == KAN_OK)
        stores->locks[stores->lock_count++] =
            (struct serve_lock){.name = component->name,
                                .type = component->type_name,
                                .version = component->version,
                                .lock = store->lock};
    return err;
}

static enum kan_err open_store(struct stores *stores,
                               const struct component *component,
                               const struct component_scope *scope,
                               const char *data_dir, struct buffer *why)
{
    struct store *store = &stores->stores[stores->count];
    enum kan_err err =
        open_engine(stores, store, component, scope, data_dir, why);
    if (err != KAN_OK) {
        buffer_fini(&store->path);
        *store = (struct store){0};
        return err;
    }
    stores->count++;
    store->component = component;
    struct buffer prefix = BUFFER_INIT;
    component_prefix(component, scope, &prefix);
    char text[WHY_SIZE] = "";
    err =
        buffer_failed(&prefix) ? KAN_NOMEM
        : component_is_lock(component->type)
            ? open_lock(stores, store, buffer_slice(&prefix), text, sizeof text)
            : open_state(stores, store, buffer_slice(&prefix), text,
                         sizeof text);
    buffer_fini(&prefix);
    if (err != KAN_OK)
        buffer_print(why, "store '%s': %s", component->name,
                     *text ? text : kan_err_text(err));
    return err;
}

enum kan_err stores_open(struct stores *stores, const struct component_set *set,
                         const struct component_scope *scope,
                         const char *data_dir, struct buffer *why)
{
    stores->env = scope->env;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct component *component = &set->components[i];
        buffer_clear(why);
        enum kan_err err = open_store(stores, component, scope, data_dir, why);
        if (err == KAN_OK)
            continue;
        if (!component->ignore_errors)
            return err;
        log_line(scope->log, LOG_ERROR,
                 "component left out, as ignoreErrors "
                 "says",
                 LOG_TEXT("name", kan_text(component->name)),
                 LOG_TEXT("reason", buffer_slice(why)));
    }
    return KAN_OK;
}

enum kan_err stores_actor_engine(const struct stores *stores, const char *what,
                                 struct engine **ret_engine, struct buffer *why)
{
    const struct store *found = NULL;
    for (uint32_t i = 0; i < stores->count; i++) {
        const struct store *store = &stores->stores[i];
        if (!store->state || !store->component->actor_state_store)
            continue;
        if (found) {
            buffer_print(why,
                         "the components '%s' and '%s' both have "
                         "actorStateStore; actors are kept in one of them",
                         found->component->name, store->component->name);
            return KAN_INVALID;
        }
        found = store;
    }
    if (!found) {
        buffer_print(why,
                     "'%s' needs a store for its actors: set actorStateStore "
                     "to \"true\" in one state component",
                     what);
        return KAN_INVALID;
    }
    *ret_engine = found->engine;
    return KAN_OK;
}

void stores_note(struct stores *stores, const char *text)
{
    for (uint32_t i = 0; i < stores->count; i++) {
        if (stores->stores[i].owner && stores->stores[i].path.size)
            engine_sqlite_note(stores->stores[i].engine, text);
    }
}

static void finish(struct stores *stores)
{
    for (uint32_t i = 0; i < stores->count; i++)
        buffer_fini(&stores->stores[i].path);
    stores->count = 0;
    stores->state_count = 0;
    stores->close_cb(stores->close_data);
}

static void on_engine_closed(void *data)
{
    struct stores *stores = data;
    kan_assert(stores->closing > 0);
    if (--stores->closing == 0)
        finish(stores);
}

/* Nothing stands on the engines any more. */
static void close_engines(struct stores *stores)
{
    for (uint32_t i = 0; i < stores->count; i++) {
        stores->stores[i].state = state_store_free(stores->stores[i].state);
        if (stores->stores[i].owner)
            stores->closing++;
    }
    if (stores->closing == 0) {
        finish(stores);
        return;
    }
    for (uint32_t i = 0; i < stores->count; i++) {
        if (stores->stores[i].owner)
            engine_close(stores->stores[i].engine, stores, on_engine_closed);
    }
}

static void on_lock_closed(void *data)
{
    struct stores *stores = data;
    kan_assert(stores->closing > 0);
    if (--stores->closing == 0)
        close_engines(stores);
}

static void on_no_locks(struct env_task *task)
{
    close_engines(task->data);
}

void stores_close(struct stores *stores, void *data, env_close_cb *cb)
{
    stores->close_data = data;
    stores->close_cb = cb;
    stores->closing = stores->lock_count;
    if (stores->lock_count == 0) {
        stores->task = (struct env_task){.data = stores};
        env_defer(stores->env, &stores->task, on_no_locks);
        return;
    }
    for (uint32_t i = 0; i < stores->lock_count; i++)
        lock_store_close(stores->locks[i].lock, stores, on_lock_closed);
    stores->lock_count = 0;
}
