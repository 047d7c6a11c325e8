/* Listening and connecting. A connect travels to whoever listens when it gets
 * there; both ends are made before it leaves, so that nothing can fail on the
 * way but the network. */

#include "base/alloc.h"
#include "env/sim/stream.h"

struct env_listener
{
    struct sim_handle handle;
    struct list in_use; /* in world->listeners */
    struct address address;
    char text[ADDRESS_TEXT_SIZE];
    bool reuse_port;
    struct list arrivals; /* connects that wait for their accept */
    void *data;
    env_accept_cb *cb;
};

/* The far end in front of its listener. */
struct arrival
{
    struct sim_handle handle;
    struct sim_event event;
    struct env_listener *listener; /* NULL once it is closed */
    struct list link;              /* in listener->arrivals */
    struct env_stream *stream;
};

/* A connect on its way. */
struct connect
{
    struct sim_handle handle;
    struct sim_event event; /* it gets there, or its answer comes back */
    bool answered;
    struct env_stream *near;
    struct env_stream *far; /* nobody's yet */
    struct arrival *spare;  /* what the far end needs to arrive */
    struct address address;
    void *data;
    env_connect_cb *cb;
};

/* --- addresses ------------------------------------------------------------ */

static bool host_any(const struct address *address)
{
    static const unsigned char ZERO[16];
    return address->kind != ADDRESS_PATH &&
           memcmp(address->host, ZERO, sizeof ZERO) == 0;
}

bool address_reaches(const struct address *bound, const struct address *wanted)
{
    if (address_equal(bound, wanted))
        return true;
    return bound->kind == wanted->kind && bound->port == wanted->port &&
           host_any(bound);
}

bool address_clashes(const struct address *a, const struct address *b)
{
    return address_reaches(a, b) || address_reaches(b, a);
}

bool address_local(const struct address *address)
{
    static const unsigned char LOOPBACK_6[16] = {[15] = 1};
    if (address->kind == ADDRESS_PATH || host_any(address))
        return true;
    if (address->kind == ADDRESS_IPV4)
        return address->host[0] == 127;
    return memcmp(address->host, LOOPBACK_6, sizeof LOOPBACK_6) == 0;
}

uint16_t world_port_free(struct sim_world *world)
{
    uint16_t port = world->port_next++;
    if (world->port_next == 0)
        world->port_next = 49152;
    return port;
}

/* --- listeners ------------------------------------------------------------ */

static struct env_listener *listener_at(struct list *link)
{
    return list_entry(link, struct env_listener, in_use);
}

static struct sim_host *listener_host(const struct env_listener *listener)
{
    return handle_node(&listener->handle)->host;
}

/* Who hears a connect: on the own host first, when the address is local. */
static struct env_listener *listener_find(struct sim_node *node,
                                          const struct address *address)
{
    struct list *all = &node->world->listeners;
    struct env_listener *found = NULL;
    struct list *link;
    for (link = all->next; link != all; link = link->next) {
        struct env_listener *listener = listener_at(link);
        if (!address_reaches(&listener->address, address))
            continue;
        if (listener_host(listener) == node->host)
            return listener;
        if (!found ||
            listener_host(listener)->index < listener_host(found)->index)
            found = listener;
    }
    return found;
}

static bool in_use(struct sim_node *node, const struct env_listener *wanted)
{
    struct list *all = &node->world->listeners;
    struct list *link;
    for (link = all->next; link != all; link = link->next) {
        const struct env_listener *listener = listener_at(link);
        if (!address_clashes(&listener->address, &wanted->address) ||
            (listener->reuse_port && wanted->reuse_port))
            continue;
        if (listener_host(listener) == node->host ||
            !address_local(&wanted->address))
            return true;
    }
    return false;
}

static void explain(char *why, size_t why_size, const char *text)
{
    if (!why || why_size == 0)
        return;
    size_t size = strlen(text);
    if (size >= why_size)
        size = why_size - 1;
    memcpy(why, text, size);
    why[size] = 0;
}

/* Off the network: nobody is accepted any more. */
static void listener_leave(struct env_listener *listener)
{
    struct list *link;
    list_remove(&listener->in_use);
    while ((link = list_pop(&listener->arrivals)) != NULL)
        list_entry(link, struct arrival, link)->listener = NULL;
}

static void listener_die(struct sim_handle *handle, bool power)
{
    (void)power;
    listener_leave(list_entry(handle, struct env_listener, handle));
}

static void listener_destroy(struct sim_handle *handle)
{
    struct env_listener *listener =
        list_entry(handle, struct env_listener, handle);
    listener_leave(listener);
    mem_free(listener);
}

static const struct sim_handle_kind LISTENER = {listener_die, listener_destroy};

enum kan_err sim_listen(struct env *env, const char *address,
                        const struct env_listen_options *options, void *data,
                        env_accept_cb *cb, char *why, size_t why_size,
                        struct env_listener **ret_listener)
{
    struct sim_node *node = sim_node(env);
    struct address parsed;
    if (address_parse(address, &parsed)) {
        explain(why, why_size, "not an address");
        return KAN_INVALID;
    }
    struct env_listener *listener = mem_zalloc(sizeof *listener);
    if (!listener)
        return KAN_NOMEM;
    if (parsed.kind != ADDRESS_PATH && parsed.port == 0)
        parsed.port = world_port_free(node->world);
    listener->address = parsed;
    listener->reuse_port = options && options->reuse_port;
    listener->data = data;
    listener->cb = cb;
    list_init(&listener->arrivals);
    address_print(&parsed, listener->text);
    if (node->dead || in_use(node, listener)) {
        mem_free(listener);
        explain(why, why_size,
                node->dead ? "the process is dead" : "the address is in use");
        return node->dead ? KAN_INVALID : KAN_HELD;
    }
    handle_init(&listener->handle, node, &LISTENER);
    list_push(&node->world->listeners, &listener->in_use);
    node_note(node, "listen", listener->text, 0, 0);
    *ret_listener = listener;
    return KAN_OK;
}

const char *sim_listener_address(const struct env_listener *listener)
{
    return listener->text;
}

void sim_listener_close(struct env_listener *listener, void *data,
                        env_close_cb *cb)
{
    listener_leave(listener);
    handle_close(&listener->handle, data, cb);
}

/* --- arrivals ------------------------------------------------------------- */

static void arrival_destroy(struct sim_handle *handle)
{
    struct arrival *arrival = list_entry(handle, struct arrival, handle);
    node_disarm(handle_node(handle), &arrival->event);
    list_remove(&arrival->link);
    mem_free(arrival);
}

static const struct sim_handle_kind ARRIVAL = {NULL, arrival_destroy};

static void arrival_fire(struct sim_event *event)
{
    struct arrival *arrival = list_entry(event, struct arrival, event);
    struct sim_node *node = handle_node(&arrival->handle);
    struct env_listener *listener = arrival->listener;
    struct env_stream *stream = arrival->stream;
    node_note(node, "accept", NULL, listener != NULL, 0);
    handle_destroy(&arrival->handle);
    if (!listener) {
        stream_refuse(stream);
        return;
    }
    stream_open(stream);
    listener->cb(listener->data, stream);
}

/* --- connects ------------------------------------------------------------- */

static void connect_destroy(struct sim_handle *handle)
{
    struct connect *connect = list_entry(handle, struct connect, handle);
    node_disarm(handle_node(handle), &connect->event);
    if (connect->far)
        stream_discard(connect->far);
    if (connect->near && !connect->near->handle.base.env)
        stream_discard(connect->near);
    mem_free(connect->spare);
    mem_free(connect);
}

static const struct sim_handle_kind CONNECT = {NULL, connect_destroy};

/* The connect has got to the listener. */
static void meet(struct connect *connect, struct env_listener *listener)
{
    struct sim_node *node = handle_node(&connect->handle);
    struct sim_node *far_node = handle_node(&listener->handle);
    struct arrival *arrival = connect->spare;
    connect->spare = NULL;
    arrival->listener = listener;
    arrival->stream = connect->far;
    arrival->event.fire = arrival_fire;
    handle_init(&arrival->handle, far_node, &ARRIVAL);
    list_push(&listener->arrivals, &arrival->link);
    stream_attach(connect->near, node, far_node->host);
    stream_attach(connect->far, far_node, node->host);
    connect->far = NULL;
    node_arm(far_node, &arrival->event, 0);
}

static void answer_in(struct connect *connect, uint64_t delay_ns)
{
    connect->answered = true;
    node_arm(handle_node(&connect->handle), &connect->event, delay_ns);
}

static void travel(struct connect *connect)
{
    struct sim_node *node = handle_node(&connect->handle);
    const struct sim_options *options = &node->world->options;
    struct env_listener *listener =
        node->dead ? NULL : listener_find(node, &connect->address);
    if (listener && hosts_parted(node->host, listener_host(listener))) {
        answer_in(connect, options->connect_timeout_ns);
        return;
    }
    if (listener && node_chance(node, options->refuse_rate)) {
        world_probe(node->world, SIM_PROBE_CONNECT_REFUSED);
        listener = NULL;
    }
    if (listener)
        meet(connect, listener);
    answer_in(connect, node_latency(node));
}

static void answer(struct connect *connect)
{
    struct sim_node *node = handle_node(&connect->handle);
    struct env_stream *near = connect->near;
    void *data = connect->data;
    env_connect_cb *cb = connect->cb;
    bool met = near->handle.base.env && !node->dead;
    node_note(node, "connected", NULL, met, 0);
    if (!met && near->handle.base.env)
        handle_destroy(&near->handle);
    else if (!met)
        stream_discard(near);
    connect->near = NULL;
    handle_destroy(&connect->handle);
    if (met)
        stream_open(near);
    cb(data, met ? KAN_OK : KAN_LOST, met ? near : NULL);
}

static void connect_fire(struct sim_event *event)
{
    struct connect *connect = list_entry(event, struct connect, event);
    if (connect->answered)
        answer(connect);
    else
        travel(connect);
}

enum kan_err sim_connect(struct env *env, const char *address, void *data,
                         env_connect_cb *cb)
{
    struct sim_node *node = sim_node(env);
    struct address parsed;
    if (address_parse(address, &parsed))
        return KAN_INVALID;
    struct connect *connect = mem_zalloc(sizeof *connect);
    struct arrival *spare = mem_zalloc(sizeof *spare);
    if (!connect || !spare ||
        stream_pair_new(node->world, &connect->near, &connect->far)) {
        mem_free(connect);
        mem_free(spare);
        return KAN_NOMEM;
    }
    connect->spare = spare;
    connect->address = parsed;
    connect->data = data;
    connect->cb = cb;
    connect->event.fire = connect_fire;
    handle_init(&connect->handle, node, &CONNECT);
    node_note(node, "connect", address, 0, 0);
    node_arm(node, &connect->event, node_latency(node));
    return KAN_OK;
}
