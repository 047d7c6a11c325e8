/* The server: listeners, deadlines, turns and the way down. */

#include "wire/server.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "wire/connection.h"
#include "wire/exchange.h"
#include "wire/parse.h"

enum
{
    SERVER_MAGIC = 0x73727672,
    HEAD_MAX_MIN = 64,      /* no request is shorter than it is worth */
    HEAD_MAX_MAX = 1 << 20, /* a head is parsed in one go */
    CHECK_MS = 60000        /* the timer's period when nothing is due */
};

struct listener
{
    struct http_server *server;
    struct env_listener *listener;
    uint32_t number;
    struct list link;
};

/* --- life ----------------------------------------------------------------- */

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value ? value : fallback;
}

static void set_limits(struct http_server *server)
{
    struct http_limits *limits = &server->options.limits;
    limits->head_max = or_default(limits->head_max, 4096);
    limits->body_max = or_default(limits->body_max, 4 << 20);
    if (limits->bodies_max == 0)
        limits->bodies_max = 16 << 20;
    limits->connections_max = or_default(limits->connections_max, 12000);
    const uint32_t ms[WAITING_CLASSES] = {
        [WAITING_HEAD] = or_default(limits->head_timeout_ms, 10000),
        [WAITING_BODY] = or_default(limits->body_timeout_ms, 30000),
        [WAITING_IDLE] = or_default(limits->idle_timeout_ms, 75000),
        [WAITING_ANSWER] = or_default(limits->answer_timeout_ms, 30000),
        [WAITING_LINGER] = LINGER_MS,
    };
    for (int i = 0; i < WAITING_CLASSES; i++)
        server->timeout_ns[i] = (uint64_t)ms[i] * ENV_MS;
    server->timeout_ns[WAITING_NOTHING] = UINT64_MAX / 2;
}

enum kan_err http_server_new(struct env *env,
                             const struct http_server_options *options,
                             struct http_server **ret_server)
{
    kan_assert(options->handler);
    uint32_t head_max = options->limits.head_max;
    if (head_max && (head_max < HEAD_MAX_MIN || head_max > HEAD_MAX_MAX))
        return KAN_INVALID;
    struct http_server *server = mem_zalloc(sizeof *server);
    if (!server)
        return KAN_NOMEM;
    server->magic = SERVER_MAGIC;
    server->env = env;
    server->options = *options;
    set_limits(server);
    for (int i = 0; i < WAITING_CLASSES; i++)
        list_init(&server->waiting[i]);
    list_init(&server->ready);
    list_init(&server->pool);
    list_init(&server->orphans);
    list_init(&server->listeners);
    server->timer.data = server;
    server->turn.data = server;
    server->turn_task.data = server;
    server->finish.data = server;
    parse_setup();
    *ret_server = server;
    return KAN_OK;
}

struct http_stats http_server_stats(const struct http_server *server)
{
    check_magic(server, SERVER_MAGIC);
    return server->stats;
}

/* --- listeners ------------------------------------------------------------ */

static void on_accept(void *data, struct env_stream *stream)
{
    struct listener *listener = data;
    connection_open(listener->server, listener->number, stream);
}

enum kan_err http_server_listen(struct http_server *server, const char *address,
                                const struct env_listen_options *options,
                                char *why, size_t why_size,
                                uint32_t *ret_number)
{
    check_magic(server, SERVER_MAGIC);
    kan_assert(!server->closing);
    struct listener *listener = mem_zalloc(sizeof *listener);
    if (!listener)
        return KAN_NOMEM;
    listener->server = server;
    listener->number = server->listener_count;
    const struct env_listen_options none = {0};
    enum kan_err err =
        env_listen(server->env, address, options ? options : &none, listener,
                   on_accept, why, why_size, &listener->listener);
    if (err) {
        mem_free(listener);
        return err;
    }
    list_push(&server->listeners, &listener->link);
    server->listener_count++;
    server->listening++;
    *ret_number = listener->number;
    return KAN_OK;
}

const char *http_server_address(const struct http_server *server,
                                uint32_t number)
{
    check_magic(server, SERVER_MAGIC);
    const struct list *link = server->listeners.next;
    while (link != &server->listeners) {
        const struct listener *listener =
            list_entry(link, const struct listener, link);
        if (listener->number == number)
            return env_listener_address(listener->listener);
        link = link->next;
    }
    assert_fail("a listener of this server", __FILE__, __LINE__);
}

/* --- deadlines ------------------------------------------------------------ */

static void on_timer(struct env_timer *timer);

static uint64_t first_deadline(const struct http_server *server)
{
    uint64_t first = env_now(server->env) + (uint64_t)CHECK_MS * ENV_MS;
    for (int i = 0; i < WAITING_NOTHING; i++) {
        struct list *link = list_first(&server->waiting[i]);
        if (link) {
            uint64_t due =
                list_entry(link, struct connection, link)->deadline_ns;
            first = due < first ? due : first;
        }
    }
    if (server->closing && server->drain_ns < first)
        first = server->drain_ns;
    return first;
}

enum kan_err server_arm(struct http_server *server)
{
    return env_timer_start(server->env, &server->timer, first_deadline(server),
                           on_timer);
}

void server_wait(struct http_server *server, struct connection *connection,
                 enum waiting waiting)
{
    list_remove(&connection->link);
    list_push(&server->waiting[waiting], &connection->link);
    if (waiting == WAITING_NOTHING)
        return;
    connection->deadline_ns =
        env_now(server->env) + server->timeout_ns[waiting];
    /* Moving an armed timer cannot fail; see server_arm(). */
    if (env_timer_armed(&server->timer) &&
        connection->deadline_ns < server->timer.due_ns)
        (void)!env_timer_start(server->env, &server->timer,
                               connection->deadline_ns, on_timer);
}

/* Every connection that expires leaves its list, or gets a later deadline. */
static void expire(struct http_server *server, enum waiting waiting,
                   uint64_t now)
{
    struct list *link;
    while ((link = list_first(&server->waiting[waiting])) != NULL) {
        struct connection *connection =
            list_entry(link, struct connection, link);
        if (connection->deadline_ns > now)
            return;
        connection_expired(connection, waiting);
    }
}

static void close_all(struct http_server *server, enum waiting waiting)
{
    struct list *link;
    while ((link = list_first(&server->waiting[waiting])) != NULL)
        connection_close(list_entry(link, struct connection, link));
}

static void cut(struct http_server *server)
{
    server->drained = true;
    for (int i = 0; i < WAITING_CLASSES; i++)
        close_all(server, (enum waiting)i);
}

static void on_timer(struct env_timer *timer)
{
    struct http_server *server = timer->data;
    check_magic(server, SERVER_MAGIC);
    uint64_t now = env_now(server->env);
    for (int i = 0; i < WAITING_NOTHING; i++)
        expire(server, (enum waiting)i, now);
    if (server->closing && now >= server->drain_ns)
        cut(server);
    /* The heap has the place that this timer has just left. */
    if (server->stats.connections_open && !server->drained)
        (void)!server_arm(server);
}

/* --- turns ---------------------------------------------------------------- */

static void take_turns(struct http_server *server)
{
    check_magic(server, SERVER_MAGIC);
    struct list now;
    list_init(&now);
    list_splice(&now, &server->ready);
    struct list *link;
    while ((link = list_pop(&now)) != NULL)
        connection_turn(list_entry(link, struct connection, ready));
}

static void on_turn(struct env_timer *timer)
{
    take_turns(timer->data);
}

static void on_turn_task(struct env_task *task)
{
    take_turns(task->data);
}

void server_ready(struct http_server *server, struct connection *connection)
{
    if (list_linked(&connection->ready))
        return;
    list_push(&server->ready, &connection->ready);
    if (env_timer_armed(&server->turn))
        return;
    if (env_timer_start(server->env, &server->turn, env_now(server->env),
                        on_turn) != KAN_OK)
        env_defer(server->env, &server->turn_task, on_turn_task);
}

/* --- the way down --------------------------------------------------------- */

static void server_free(struct http_server *server)
{
    struct list *link;
    while ((link = list_pop(&server->pool)) != NULL)
        (void)exchange_free(list_entry(link, struct http_exchange, link));
    while ((link = list_pop(&server->orphans)) != NULL)
        list_entry(link, struct http_exchange, link)->server = NULL;
    while ((link = list_pop(&server->listeners)) != NULL)
        mem_free(list_entry(link, struct listener, link));
    env_timer_stop(server->env, &server->timer);
    env_timer_stop(server->env, &server->turn);
    env_undefer(server->env, &server->turn_task);
    server->magic = 0;
    mem_free(server);
}

static void on_finish(struct env_task *task)
{
    struct http_server *server = task->data;
    check_magic(server, SERVER_MAGIC);
    void *data = server->close_data;
    env_close_cb *cb = server->close_cb;
    server_free(server);
    if (cb)
        cb(data);
}

void server_progress(struct http_server *server)
{
    if (!server->closing)
        return;
    if (server->stats.connections_open == 0 && server->listening == 0)
        env_defer(server->env, &server->finish, on_finish);
}

static void on_listener_closed(void *data)
{
    struct listener *listener = data;
    listener->server->listening--;
    server_progress(listener->server);
}

void http_server_close(struct http_server *server, uint32_t drain_ms,
                       void *data, env_close_cb *cb)
{
    check_magic(server, SERVER_MAGIC);
    kan_assert(!server->closing);
    server->closing = true;
    server->close_data = data;
    server->close_cb = cb;
    server->drain_ns = env_now(server->env) + (uint64_t)drain_ms * ENV_MS;
    const struct list *link = server->listeners.next;
    for (; link != &server->listeners; link = link->next) {
        struct listener *listener = list_entry(link, struct listener, link);
        env_listener_close(listener->listener, listener, on_listener_closed);
    }
    close_all(server, WAITING_IDLE);
    if (drain_ms == 0)
        cut(server);
    else if (server->stats.connections_open)
        (void)!server_arm(server);
    server_progress(server);
}

void http_server_hurry(struct http_server *server)
{
    check_magic(server, SERVER_MAGIC);
    kan_assert(server->closing);
    cut(server);
}
