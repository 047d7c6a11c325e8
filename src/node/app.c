/* One process and one probe. The probe connects every 100 ms until the port
 * accepts; a connection made is closed at once, as Dapr does. */

#include "node/app.h"

#include "base/alloc.h"
#include "base/assert.h"

enum
{
    PROBE_MS = 100
};

#define APP_MAGIC 0x6b617070u

struct app
{
    unsigned magic;
    struct app_options options;
    struct buffer address; /* what options.address points to */
    struct env_process *process;
    bool running;
    bool connecting;
    bool closing;
    bool process_closed;
    struct env_timer probe;
    struct env_task task;
    void *close_data;
    env_close_cb *close_cb;
};

static void probe(struct app *app);

static void app_free(struct app *app)
{
    buffer_fini(&app->address);
    app->magic = 0;
    mem_free(app);
}

static void finish_close(struct app *app)
{
    if (!app->closing || app->connecting || !app->process_closed)
        return;
    void *data = app->close_data;
    env_close_cb *cb = app->close_cb;
    app_free(app);
    cb(data);
}

static void on_probe_timer(struct env_timer *timer)
{
    probe(timer->data);
}

/* Ask again later. Out of memory, the next try is the app's next chance. */
static void probe_later(struct app *app)
{
    uint64_t due = env_now(app->options.env) + (uint64_t)PROBE_MS * ENV_MS;
    (void)!env_timer_start(app->options.env, &app->probe, due, on_probe_timer);
}

static void on_connect(void *data, enum kan_err err, struct env_stream *stream)
{
    struct app *app = data;
    check_magic(app, APP_MAGIC);
    app->connecting = false;
    if (err == KAN_OK)
        env_stream_close(stream, NULL, NULL);
    if (app->closing) {
        finish_close(app);
        return;
    }
    if (err == KAN_OK)
        app->options.on_ready(app->options.data);
    else
        probe_later(app);
}

static void probe(struct app *app)
{
    app->connecting = env_connect(app->options.env, app->options.address, app,
                                  on_connect) == KAN_OK;
    if (!app->connecting)
        probe_later(app);
}

static void on_process_exit(void *data, int64_t exit_code, int signal)
{
    struct app *app = data;
    check_magic(app, APP_MAGIC);
    app->running = false;
    app->options.on_exit(app->options.data, (int)exit_code, signal);
}

static void on_start(struct env_task *task)
{
    struct app *app = task->data;
    if (app->closing)
        return;
    if (app->options.address)
        probe(app);
    else
        app->options.on_ready(app->options.data);
}

static enum kan_err spawn(struct app *app)
{
    struct env_spawn_options options = {app->options.command,
                                        app->options.environment};
    if (!options.arguments)
        return KAN_OK;
    enum kan_err err = env_spawn(app->options.env, &options, app,
                                 on_process_exit, &app->process);
    app->running = err == KAN_OK;
    return err;
}

enum kan_err app_start(const struct app_options *options, struct app **ret_app)
{
    struct app *app = mem_zalloc(sizeof *app);
    if (!app)
        return KAN_NOMEM;
    app->magic = APP_MAGIC;
    app->options = *options;
    app->probe.data = app;
    app->task.data = app;
    if (options->address) {
        buffer_append_text(&app->address, options->address);
        app->options.address = buffer_text(&app->address);
    }
    enum kan_err err = buffer_failed(&app->address) ? KAN_NOMEM : spawn(app);
    if (err != KAN_OK) {
        app_free(app);
        return err;
    }
    app->options.command = NULL;
    app->options.environment = NULL;
    env_defer(options->env, &app->task, on_start);
    *ret_app = app;
    return KAN_OK;
}

int64_t app_process_id(const struct app *app)
{
    return app->running ? env_process_id(app->process) : 0;
}

void app_signal(struct app *app, int signal)
{
    check_magic(app, APP_MAGIC);
    if (app->running)
        env_process_signal(app->process, signal);
}

bool app_running(const struct app *app)
{
    return app && app->running;
}

static void on_process_closed(void *data)
{
    struct app *app = data;
    app->process_closed = true;
    finish_close(app);
}

static void on_nothing_to_close(struct env_task *task)
{
    on_process_closed(task->data);
}

void app_close(struct app *app, void *data, env_close_cb *cb)
{
    check_magic(app, APP_MAGIC);
    app->closing = true;
    app->close_data = data;
    app->close_cb = cb;
    env_timer_stop(app->options.env, &app->probe);
    env_undefer(app->options.env, &app->task);
    if (app->process)
        env_process_close(app->process, app, on_process_closed);
    else
        env_defer(app->options.env, &app->task, on_nothing_to_close);
}
