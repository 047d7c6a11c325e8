/* The life of a node.
 *
 *   starting -> serving -> blocking -> stopping -> draining -> closing -> gone
 *
 * serving: until a signal, a shutdown request, or the app's end;
 * blocking: still serving, for --dapr-block-shutdown-duration;
 * stopping: the app has been told to end; its last calls are still served;
 * draining: no new connections, requests under way end;
 * closing: contracts, actors, then stores, and app and signals are closed.
 * A second signal waits for nothing more. */

#include "node/node.h"

#include <signal.h>

#include "base/assert.h"
#include "node/actors.h"
#include "node/app.h"
#include "node/contracts.h"
#include "node/resource.h"
#include "node/stores.h"
#include "serve/http/serve.h"

enum phase
{
    STARTING,
    SERVING,
    BLOCKING,
    STOPPING,
    DRAINING,
    CLOSING
};

enum
{
    WHY_SIZE = 512,
    SIGNALS = 3
};

struct node
{
    const struct node_options *options;
    const struct settings *settings;
    struct env *env;
    struct log *log;
    enum phase phase;
    struct component_scope scope;
    struct component_set components;
    struct stores stores;
    struct actors actors;
    struct contracts contracts;
    struct serve *serve;
    uint32_t api_count; /* the API's listeners, from number 0 on */
    struct app *app;
    struct env_signal *signals[SIGNALS];
    struct env_timer timer;
    struct node_end end;
    bool forced; /* end as the shutdown API says, not as the app does */
    int closing; /* parts still to close */
};

/* --- resources and stores ------------------------------------------------- */

/* What there is without any component file: state and locks in one file, so
 * that a fence is a guard in the commit itself. */
static void load_default(struct component_set *set)
{
    set->components[0] = (struct component){.type = COMPONENT_STATE_SQLITE,
                                            .type_name = "state.sqlite",
                                            .name = "statestore",
                                            .version = "v1",
                                            .file = "kan.db",
                                            .actor_state_store = true};
    set->components[1] = (struct component){.type = COMPONENT_LOCK_SQLITE,
                                            .type_name = "lock.sqlite",
                                            .name = "lockstore",
                                            .version = "v1",
                                            .file = "kan.db"};
    set->count = 2;
}

static enum kan_err load(struct node *node, struct buffer *why)
{
    const struct settings *settings = node->settings;
    for (uint32_t i = 0; i < settings->resources_path.count; i++) {
        enum kan_err err =
            component_set_load(&node->components, &node->scope,
                               settings->resources_path.values[i], why);
        if (err != KAN_OK)
            return err;
    }
    if (settings->resources_path.count == 0)
        load_default(&node->components);
    enum kan_err err = stores_open(&node->stores, &node->components,
                                   &node->scope, settings->data_dir, why);
    if (err == KAN_OK)
        err = actors_open(&node->actors, settings, &node->stores, why);
    if (err == KAN_OK)
        err = contracts_open(&node->contracts, settings, &node->stores,
                             &node->actors, why);
    return err;
}

/* --- listeners ------------------------------------------------------------ */

/* "localhost" as a number, and brackets around a bare IPv6 address. */
static void print_address(struct buffer *out, struct kan_slice host,
                          int64_t port)
{
    buffer_clear(out);
    if (slice_equal(host, SLICE("localhost")))
        host = SLICE("127.0.0.1");
    bool bare_v6 = slice_find(host, SLICE(":")) != SIZE_MAX &&
                   !slice_starts(host, SLICE("["));
    buffer_print(out, bare_v6 ? "[%.*s]:%lld" : "%.*s:%lld", SLICE_ARG(host),
                 (long long)port);
}

static enum kan_err listen_one(struct node *node, enum serve_side side,
                               struct buffer *address, const char *flag,
                               struct buffer *why, uint32_t *ret_number)
{
    char text[WHY_SIZE] = "";
    struct env_listen_options options = {.reuse_port =
                                             node->settings->reuse_port};
    enum kan_err err = serve_listen(node->serve, side, buffer_text(address),
                                    &options, text, sizeof text, ret_number);
    if (err == KAN_OK)
        return KAN_OK;
    buffer_clear(why);
    buffer_print(why, "%s", *text ? text : kan_err_text(err));
    bool path = slice_find(buffer_slice(address), SLICE("/")) != SIZE_MAX;
    if (err == KAN_HELD)
        buffer_print(why, "; choose another with %s%s", flag,
                     path ? "" : ", or 0 for any free one");
    return err;
}

/* The port that the first API listener got. */
static int64_t api_port(const struct node *node)
{
    const char *address = serve_address(node->serve, 0);
    const char *colon = strrchr(address, ':');
    int64_t port = 0;
    for (const char *at = colon ? colon + 1 : ""; *at >= '0' && *at <= '9';
         at++)
        port = port * 10 + (*at - '0');
    return port;
}

/* Every address of the list gets the same port. The first must work; a later
 * one that this machine does not have (no IPv6) is left out with a note. */
static enum kan_err listen_tcp(struct node *node, struct buffer *why)
{
    const struct settings *settings = node->settings;
    struct kan_slice rest = kan_text(settings->listen_addresses);
    struct buffer address = BUFFER_INIT;
    int64_t port = settings->http_port;
    enum kan_err err = KAN_OK;
    for (bool first = true; rest.size && err == KAN_OK; first = false) {
        struct kan_slice host;
        (void)slice_cut(&rest, ',', &host);
        print_address(&address, slice_trim(host), port);
        uint32_t number;
        err = listen_one(node, SERVE_API, &address, "--dapr-http-port", why,
                         &number);
        if (err == KAN_OK) {
            node->api_count = number + 1;
            port = api_port(node);
        } else if (err == KAN_INVALID && !first) {
            log_line(node->log, LOG_WARN, "not listening",
                     LOG_TEXT("reason", buffer_slice(why)));
            err = KAN_OK;
        }
    }
    buffer_fini(&address);
    return err;
}

static enum kan_err listen_unix(struct node *node, struct buffer *why)
{
    struct buffer path = BUFFER_INIT;
    uint32_t number;
    enum kan_err err =
        env_dir_make(node->env, node->settings->unix_domain_socket);
    if (err == KAN_OK) {
        buffer_print(&path, "%s/dapr-%s-http.socket",
                     node->settings->unix_domain_socket,
                     node->settings->app_id);
        err = listen_one(node, SERVE_API, &path, "--unix-domain-socket", why,
                         &number);
        node->api_count = 1;
    } else {
        buffer_print(why, "--unix-domain-socket '%s' cannot be used: %s",
                     node->settings->unix_domain_socket,
                     resource_err_text(err));
    }
    buffer_fini(&path);
    return err;
}

/* The optional listeners: a port below 0 means none. */
static enum kan_err listen_extra(struct node *node, enum serve_side side,
                                 const char *host, int64_t port,
                                 const char *flag, struct buffer *why)
{
    if (port < 0)
        return KAN_OK;
    struct buffer address = BUFFER_INIT;
    uint32_t number;
    print_address(&address, kan_text(host), port);
    enum kan_err err = listen_one(node, side, &address, flag, why, &number);
    if (err == KAN_OK)
        log_line(
            node->log, LOG_INFO, "listening",
            LOG_TEXT("for", kan_text(flag + 2)),
            LOG_TEXT("address", kan_text(serve_address(node->serve, number))));
    buffer_fini(&address);
    return err;
}

static enum kan_err listen_all(struct node *node, struct buffer *why)
{
    const struct settings *settings = node->settings;
    enum kan_err err = settings->unix_domain_socket ? listen_unix(node, why)
                                                    : listen_tcp(node, why);
    if (err == KAN_OK)
        err = listen_extra(node, SERVE_PUBLIC, settings->public_listen_address,
                           settings->public_port, "--dapr-public-port", why);
    if (err == KAN_OK && settings->enable_metrics)
        err =
            listen_extra(node, SERVE_METRICS, settings->metrics_listen_address,
                         settings->metrics_port, "--metrics-port", why);
    return err;
}

/* --- ending --------------------------------------------------------------- */

static void drain(struct node *node, uint64_t grace_ms);

static void on_part_closed(void *data)
{
    struct node *node = data;
    kan_assert(node->closing > 0);
    if (--node->closing == 0)
        env_stop(node->env);
}

static void on_actors_closed(void *data)
{
    struct node *node = data;
    stores_close(&node->stores, node, on_part_closed);
}

static void on_contracts_closed(void *data)
{
    struct node *node = data;
    actors_close(&node->actors, node, on_actors_closed);
}

/* Told here, since its end may come too late to be heard of. */
static void kill_app(struct node *node)
{
    if (!app_running(node->app))
        return;
    app_signal(node->app, SIGKILL);
    if (!node->forced)
        node->end = (struct node_end){0, SIGKILL};
}

static void close_rest(struct node *node)
{
    node->phase = CLOSING;
    node->closing = 1; /* contracts, actors and stores */
    for (int i = 0; i < SIGNALS; i++) {
        if (!node->signals[i])
            continue;
        node->closing++;
        env_signal_close(node->signals[i], node, on_part_closed);
    }
    if (node->app) {
        node->closing++;
        kill_app(node);
        app_close(node->app, node, on_part_closed);
    }
    contracts_close(&node->contracts, node, on_contracts_closed);
}

static void on_serve_closed(void *data)
{
    struct node *node = data;
    node->serve = NULL;
    close_rest(node);
}

static void drain(struct node *node, uint64_t grace_ms)
{
    if (node->phase >= DRAINING)
        return;
    /* What could not start has its one line to say, and no more. */
    if (node->phase != STARTING)
        log_line(node->log, LOG_INFO, "draining",
                 LOG_NUMBER("grace_ms", grace_ms));
    node->phase = DRAINING;
    env_timer_stop(node->env, &node->timer);
    serve_close(node->serve, (uint32_t)grace_ms, node, on_serve_closed);
}

static void on_grace_over(struct env_timer *timer)
{
    struct node *node = timer->data;
    log_line(node->log, LOG_WARN, "the app did not end in time; killing it");
    kill_app(node);
    drain(node, 0);
}

/* Tell the app to end, and go on serving until it has. */
static void stop_app(struct node *node, int signal)
{
    node->phase = STOPPING;
    if (!app_running(node->app)) {
        drain(node, node->settings->grace_ms);
        return;
    }
    if (signal)
        app_signal(node->app, signal);
    uint64_t due = env_now(node->env) + node->settings->grace_ms * ENV_MS;
    if (env_timer_start(node->env, &node->timer, due, on_grace_over) != KAN_OK)
        drain(node, node->settings->grace_ms);
}

static void on_block_over(struct env_timer *timer)
{
    stop_app(timer->data, SIGTERM);
}

/* Begin to stop; signal is what the app gets (0: it has it already). */
static void stop(struct node *node, int signal)
{
    if (node->phase != SERVING) {
        drain(node, 0);
        if (node->serve)
            serve_hurry(node->serve);
        return;
    }
    uint64_t block_ms = node->settings->block_shutdown_ms;
    uint64_t due = env_now(node->env) + block_ms * ENV_MS;
    node->phase = BLOCKING;
    if (block_ms == 0 ||
        env_timer_start(node->env, &node->timer, due, on_block_over) != KAN_OK)
        stop_app(node, signal);
}

static void on_signal(void *data, int signal)
{
    struct node *node = data;
    if (signal == SIGHUP && node->settings->contracts.count) {
        log_line(node->log, LOG_INFO, "reading the contracts again");
        contracts_reload(&node->contracts);
        return;
    }
    if (signal == SIGHUP && !app_running(node->app)) {
        log_line(node->log, LOG_INFO, "hang-up ignored");
        return;
    }
    log_line(node->log, LOG_INFO, "stopping", LOG_NUMBER("signal", signal));
    bool has_it = signal == SIGINT && node->options->terminal;
    stop(node, has_it ? 0 : signal);
}

static void on_shutdown(void *data, bool force)
{
    struct node *node = data;
    log_line(node->log, LOG_INFO, "stopping: asked by the shutdown API",
             LOG_FLAG("force", force));
    if (force) {
        node->forced = true;
        node->end = (struct node_end){NODE_EXIT_FAILED, 0};
        drain(node, 100);
    } else if (node->phase == SERVING) {
        stop(node, SIGTERM);
    }
}

/* --- the app -------------------------------------------------------------- */

static void on_app_exit(void *data, int exit_code, int signal)
{
    struct node *node = data;
    if (!node->forced)
        node->end = (struct node_end){exit_code, signal};
    log_line(node->log, LOG_INFO, "the app ended",
             LOG_NUMBER("exit_code", exit_code), LOG_NUMBER("signal", signal));
    drain(node, node->settings->grace_ms);
}

static void on_app_ready(void *data)
{
    struct node *node = data;
    if (node->settings->app_port > 0)
        log_line(node->log, LOG_INFO, "the app accepts connections",
                 LOG_NUMBER("port", node->settings->app_port));
    serve_set_ready(node->serve, SERVE_APPLICATION, true);
}

/* What the Dapr CLI leaves for the dashboard and for its own list. */
static void describe_app(struct node *node)
{
    struct buffer text = BUFFER_INIT;
    for (const char *const *word = node->settings->command; *word; word++)
        buffer_print(&text, word == node->settings->command ? "%s" : " %s",
                     *word);
    (void)!serve_set_extended(node->serve, SLICE("appCommand"),
                              buffer_slice(&text));
    buffer_clear(&text);
    buffer_print(&text, "%lld", (long long)app_process_id(node->app));
    (void)!serve_set_extended(node->serve, SLICE("appPID"),
                              buffer_slice(&text));
    buffer_fini(&text);
}

/* The variables that daprd's CLI gives an app, each with a NUL behind it. */
static void print_environment(const struct node *node, struct buffer *out)
{
    const struct settings *settings = node->settings;
    buffer_print(out, "APP_ID=%s%c", settings->app_id, 0);
    buffer_print(out, "APP_PROTOCOL=%s%c", settings->app_protocol, 0);
    buffer_print(out, "APP_CHANNEL_ADDRESS=%s%c", settings->app_channel_address,
                 0);
    if (settings->app_port > 0)
        buffer_print(out, "APP_PORT=%lld%c", (long long)settings->app_port, 0);
    if (!settings->unix_domain_socket)
        buffer_print(out, "DAPR_HTTP_PORT=%lld%c", (long long)api_port(node),
                     0);
    if (settings->metrics_port > 0)
        buffer_print(out, "DAPR_METRICS_PORT=%lld%c",
                     (long long)settings->metrics_port, 0);
}

static enum kan_err start_app(struct node *node, struct buffer *why)
{
    enum
    {
        VARIABLES_MAX = 8
    };
    const struct settings *settings = node->settings;
    struct buffer variables = BUFFER_INIT;
    struct buffer address = BUFFER_INIT;
    const char *environment[VARIABLES_MAX + 1] = {NULL};
    print_environment(node, &variables);
    size_t count = 0;
    for (size_t at = 0; at < variables.size && count < VARIABLES_MAX;
         at += strlen(variables.bytes + at) + 1)
        environment[count++] = variables.bytes + at;
    if (settings->app_port > 0)
        print_address(&address, kan_text(settings->app_channel_address),
                      settings->app_port);
    struct app_options options = {
        .env = node->env,
        .command = settings->command,
        .environment = environment,
        .address = address.size ? buffer_text(&address) : NULL,
        .data = node,
        .on_exit = on_app_exit,
        .on_ready = on_app_ready};
    enum kan_err err = buffer_failed(&variables) || buffer_failed(&address)
                           ? KAN_NOMEM
                           : app_start(&options, &node->app);
    if (err != KAN_OK && settings->command) {
        buffer_clear(why);
        buffer_print(why, "the app '%s' could not be started: %s",
                     settings->command[0],
                     err == KAN_NOTFOUND  ? "there is no such program in PATH"
                     : err == KAN_INVALID ? "it cannot be executed"
                                          : kan_err_text(err));
    }
    buffer_fini(&variables);
    buffer_fini(&address);
    return err;
}

/* --- starting ------------------------------------------------------------- */

static enum kan_err make_serve(struct node *node)
{
    const struct settings *settings = node->settings;
    struct serve_options options = {
        .env = node->env,
        .limits = {.head_max = (uint32_t)settings->head_max,
                   .body_max = (uint32_t)settings->body_max,
                   .bodies_max = settings->bodies_max,
                   .connections_max = (uint32_t)settings->connections_max,
                   .head_timeout_ms = (uint32_t)settings->header_timeout_ms,
                   .body_timeout_ms = (uint32_t)settings->body_timeout_ms,
                   .idle_timeout_ms = (uint32_t)settings->idle_timeout_ms,
                   .answer_timeout_ms = (uint32_t)settings->answer_timeout_ms},
        .app_id = settings->app_id,
        .app_namespace = settings->namespace_,
        .api_token = settings->api_token,
        .allowed_origins = settings->allowed_origins,
        .metrics_off = !settings->enable_metrics,
        .api_logging = settings->api_logging,
        .log = node->log,
        .stores = node->stores.states,
        .store_count = node->stores.state_count,
        .locks = node->stores.locks,
        .lock_count = node->stores.lock_count,
        .actors = node->actors.host,
        .modules = node->actors.exports,
        .module_count = node->actors.count,
        .contracts = settings->contracts.count ? &node->contracts.shown : NULL,
        .skipped = node->components.skipped,
        .skipped_count = node->components.skipped_count,
        .app = {.port =
                    settings->app_port > 0 ? (uint32_t)settings->app_port : 0,
                .protocol = settings->app_protocol,
                .address = settings->app_channel_address},
        .data = node,
        .shutdown = on_shutdown};
    return serve_new(&options, &node->serve);
}

static enum kan_err catch_signals(struct node *node)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    for (int i = 0; i < SIGNALS; i++) {
        enum kan_err err = env_signal_open(node->env, numbers[i], node,
                                           on_signal, &node->signals[i]);
        if (err != KAN_OK)
            return err;
    }
    return KAN_OK;
}

/* The stores of one kind, with where they are. */
static void say_kind(struct node *node, struct buffer *line, bool locks,
                     const char *noun)
{
    bool first = true;
    for (uint32_t i = 0; i < node->stores.count; i++) {
        const struct store *store = &node->stores.stores[i];
        if (component_is_lock(store->component->type) != locks)
            continue;
        if (first)
            buffer_print(line, "; %s: ", noun);
        buffer_print(line, "%s%s", first ? "" : ", ", store->component->name);
        if (store->path.size)
            buffer_print(line, " in %.*s",
                         SLICE_ARG(buffer_slice(&store->path)));
        else
            buffer_append_text(line, " in memory");
        first = false;
    }
}

static void say_actors(struct node *node, struct buffer *line)
{
    bool first = true;
    for (uint32_t m = 0; m < node->actors.count; m++) {
        const struct kan_module *module = node->actors.exports[m];
        for (uint32_t i = 0; i < module->actor_count; i++) {
            buffer_print(line, "%s%s", first ? "; actors: " : ", ",
                         module->actors[i]->name);
            first = false;
        }
    }
}

/* A call that works: a step of a contract, or a key saved. */
static void say_try(struct node *node, struct buffer *line)
{
    const char *address = serve_address(node->serve, 0);
    const struct settings *settings = node->settings;
    struct buffer call = BUFFER_INIT;
    contracts_try(&node->contracts, &call);
    if (!call.size && node->stores.state_count)
        buffer_print(&call,
                     "/v1.0/state/%s -d "
                     "'[{\"key\":\"hello\",\"value\":\"world\"}]'",
                     node->stores.states[0].name);
    if (call.size) {
        buffer_append_text(line, "; try: curl ");
        if (settings->api_token)
            buffer_append_text(line, "-H \"dapr-api-token: $DAPR_API_TOKEN\" ");
        if (settings->unix_domain_socket)
            buffer_print(line, "--unix-socket %s http://kan", address);
        else
            buffer_print(line, "http://%s", address);
        buffer_append(line, buffer_slice(&call));
    }
    buffer_fini(&call);
}

static void say_addresses(const struct node *node, struct buffer *line)
{
    const char *scheme =
        node->settings->unix_domain_socket ? "unix:" : "http://";
    for (uint32_t i = 0; i < node->api_count; i++)
        buffer_print(line, "%s%s%s", i ? ", " : "", scheme,
                     serve_address(node->serve, i));
}

static void say_ready(struct node *node)
{
    struct buffer line = BUFFER_INIT;
    buffer_print(&line, "Kan %s is ready: ", kan_version());
    say_addresses(node, &line);
    say_kind(node, &line, false, "state");
    say_kind(node, &line, true, "locks");
    say_actors(node, &line);
    contracts_say(&node->contracts, &line);
    say_try(node, &line);
    buffer_append_byte(&line, '\n');
    if (!buffer_failed(&line))
        node->options->say(node->options->data, buffer_slice(&line));
    buffer_fini(&line);
}

/* So that whoever finds the data directory taken learns where we are. */
static void note_address(struct node *node)
{
    struct buffer line = BUFFER_INIT;
    say_addresses(node, &line);
    stores_note(&node->stores, buffer_text(&line));
    buffer_fini(&line);
}

static void note_flags(struct node *node)
{
    static const char message[] = "flag has no effect in this version";
    const struct settings *settings = node->settings;
    for (uint32_t i = 0; i < settings->unused.count; i++)
        log_line(node->log, LOG_WARN, message,
                 LOG_TEXT("flag", kan_text(settings->unused.values[i])));
    if (settings->config.count)
        log_line(node->log, LOG_WARN, message,
                 LOG_TEXT("flag", SLICE("config")));
}

static enum kan_err start(struct node *node, struct buffer *why)
{
    enum kan_err err = load(node, why);
    if (err == KAN_OK)
        err = make_serve(node);
    if (err == KAN_OK)
        err = catch_signals(node);
    if (err == KAN_OK)
        err = listen_all(node, why);
    if (err == KAN_OK)
        err = start_app(node, why);
    if (err != KAN_OK)
        return err;
    serve_set_ready(node->serve, SERVE_OUTBOUND, true);
    note_address(node);
    note_flags(node);
    if (node->settings->command)
        describe_app(node);
    say_ready(node);
    return KAN_OK;
}

enum kan_err node_run(const struct node_options *options, struct buffer *why,
                      struct node_end *ret_end)
{
    struct node node = {.options = options,
                        .settings = options->settings,
                        .env = options->env,
                        .log = options->log,
                        .stores = {.env = options->env},
                        .actors = {.env = options->env, .log = options->log},
                        .contracts = {.env = options->env, .log = options->log},
                        .scope = {.env = options->env,
                                  .log = options->log,
                                  .app_id = options->settings->app_id,
                                  .namespace_ = options->settings->namespace_,
                                  .lookup = options->lookup}};
    node.timer.data = &node;
    enum kan_err err = start(&node, why);
    if (err == KAN_OK)
        node.phase = SERVING;
    else if (node.serve)
        drain(&node, 0);
    else
        close_rest(&node);
    (void)env_run(node.env, ENV_RUN_UNTIL_STOPPED);
    kan_assert(node.phase == CLOSING && node.closing == 0);
    component_set_fini(&node.components);
    if (err == KAN_OK)
        *ret_end = node.end;
    else if (why->size == 0)
        buffer_append_text(why, kan_err_text(err));
    return err;
}
