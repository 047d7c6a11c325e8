/* app.h - the app beside Kan: started, watched, told to stop.
 *
 * Signals pass through to it and its end passes back. Kan waits for the app's
 * port to accept before it calls itself ready. */

#ifndef NODE_APP_H
#define NODE_APP_H

#include <kan/base.h>

#include "base/bytes.h"
#include "env/env.h"

struct app;

/* How the app ended: by itself with a code (signal 0), or by a signal. */
typedef void app_exit_cb(void *data, int exit_code, int signal);

/* The app's port accepted a connection. */
typedef void app_ready_cb(void *data);

struct app_options
{
    struct env *env;
    const char *const *command;     /* NULL: the app is somebody else's */
    const char *const *environment; /* NULL-terminated "NAME=value" to add */
    const char *address;            /* "127.0.0.1:3000"; NULL: do not probe;
                                     * the three are borrowed by the call */
    void *data;
    app_exit_cb *on_exit;
    app_ready_cb *on_ready;
};

/* Start the app, when there is a command, and begin to probe its port. Statuses
 * as env_spawn(). Without an address on_ready follows at once. */
KAN_MUST_USE enum kan_err app_start(const struct app_options *options,
                                    struct app **ret_app);

/* 0 when there is no process of ours. */
int64_t app_process_id(const struct app *app);

/* Send it a signal, when it runs. */
void app_signal(struct app *app, int signal);

/* Whether a process of ours runs. */
bool app_running(const struct app *app);

/* Stop probing and forget the process; cb when everything is closed. */
void app_close(struct app *app, void *data, env_close_cb *cb);

#endif /* NODE_APP_H */
