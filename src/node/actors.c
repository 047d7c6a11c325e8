/* Opening and closing of modules and their host. A half-opened set closes like
 * a whole one. */

#include "node/actors.h"

/* --- opening -------------------------------------------------------------- */

static enum kan_err open_module(struct actors *actors, const char *path,
                                struct buffer *why)
{
    struct module_options options = {0};
    struct module *module;
    buffer_clear(why);
    enum kan_err err = module_open(path, &options, &module, why);
    if (err != KAN_OK)
        return err;
    actors->modules[actors->count] = module;
    actors->exports[actors->count++] = module_exports(module);
    return KAN_OK;
}

static void on_trouble(void *data, const char *text)
{
    const struct actors *actors = data;
    log_line(actors->log, LOG_WARN, "actors",
             LOG_TEXT("trouble", kan_text(text)));
}

static void on_event(void *data, const struct actor_event *event)
{
    struct actors *actors = data;
    recording_event(actors->recording, event);
}

static enum kan_err open_host(struct actors *actors,
                              const struct settings *settings,
                              struct engine *engine, struct buffer *why)
{
    struct buffer prefix = BUFFER_INIT;
    buffer_print(&prefix, "actor||%s||", settings->app_id);
    struct actor_options options = {.env = actors->env,
                                    .engine = engine,
                                    .prefix = buffer_slice(&prefix),
                                    .modules = actors->exports,
                                    .module_count = actors->count,
                                    .data = actors,
                                    .trouble = on_trouble};
    if (actors->recording)
        options.event = on_event;
    enum kan_err err = buffer_failed(&prefix)
                           ? KAN_NOMEM
                           : actor_host_new(&options, &actors->host, why);
    buffer_fini(&prefix);
    return err;
}

enum kan_err actors_open(struct actors *actors, const struct settings *settings,
                         const struct stores *stores, struct buffer *why)
{
    const struct settings_list *paths = &settings->modules;
    struct engine *engine = NULL;
    enum kan_err err = KAN_OK;
    for (uint32_t i = 0; i < paths->count && err == KAN_OK; i++)
        err = open_module(actors, paths->values[i], why);
    if (err != KAN_OK || paths->count == 0)
        return err;
    err = stores_actor_engine(stores, paths->values[0], &engine, why);
    if (err == KAN_OK && settings->record)
        err = recording_open(actors->env, actors->log, settings->record,
                             paths->values[0], &actors->recording, why);
    if (err == KAN_OK)
        err = open_host(actors, settings, engine, why);
    return err;
}

/* --- closing -------------------------------------------------------------- */

static void finish(struct actors *actors)
{
    for (uint32_t i = 0; i < actors->count; i++)
        actors->modules[i] = module_free(actors->modules[i]);
    actors->count = 0;
    actors->close_cb(actors->close_data);
}

static void on_host_closed(void *data)
{
    struct actors *actors = data;
    actors->host = NULL;
    finish(actors);
}

static void on_nothing_to_close(struct env_task *task)
{
    finish(task->data);
}

void actors_close(struct actors *actors, void *data, env_close_cb *cb)
{
    actors->close_data = data;
    actors->close_cb = cb;
    if (actors->host) {
        struct path_id path = actor_host_stats(actors->host).path;
        actors->recording = recording_close(actors->recording, &path);
        actor_host_close(actors->host, actors, on_host_closed);
        return;
    }
    actors->recording = recording_close(actors->recording, NULL);
    actors->task = (struct env_task){.data = actors};
    env_defer(actors->env, &actors->task, on_nothing_to_close);
}
