/* Messages: each is on its own in the network, until it arrives or is lost. */

#include "base/alloc.h"
#include "env/sim/world.h"

enum
{
    MESSAGE_MAX = 1200
};

struct env_port
{
    struct sim_handle handle;
    struct list in_use; /* in world->ports */
    struct address address;
    char text[ADDRESS_TEXT_SIZE];
    void *data;
    env_message_cb *cb;
};

struct packet
{
    struct sim_event event;
    struct list link; /* in world->packets */
    struct sim_world *world;
    struct sim_host *from_host;
    struct address to;
    char from[ADDRESS_TEXT_SIZE];
    size_t size;
    unsigned char bytes[];
};

static struct sim_host *port_host(const struct env_port *port)
{
    return handle_node(&port->handle)->host;
}

static struct env_port *port_find(struct sim_world *world,
                                  const struct sim_host *from,
                                  const struct address *to)
{
    struct env_port *found = NULL;
    struct list *link;
    for (link = world->ports.next; link != &world->ports; link = link->next) {
        struct env_port *port = list_entry(link, struct env_port, in_use);
        if (!address_reaches(&port->address, to))
            continue;
        if (port_host(port) == from)
            return port;
        if (!found || port_host(port)->index < port_host(found)->index)
            found = port;
    }
    return found;
}

/* --- packets -------------------------------------------------------------- */

static void packet_free(struct packet *packet)
{
    sim_queue_remove(&packet->world->net, &packet->event);
    list_remove(&packet->link);
    packet->world->packet_count--;
    mem_free(packet);
}

void world_packets_free(struct sim_world *world)
{
    struct list *link;
    while ((link = list_first(&world->packets)) != NULL)
        packet_free(list_entry(link, struct packet, link));
}

static void packet_fire(struct sim_event *event)
{
    struct packet *packet = list_entry(event, struct packet, event);
    struct sim_world *world = packet->world;
    struct env_port *port = port_find(world, packet->from_host, &packet->to);
    if (port && hosts_parted(packet->from_host, port_host(port))) {
        world_probe(world, SIM_PROBE_MESSAGE_CUT_OFF);
        port = NULL;
    }
    if (port) {
        struct sim_node *node = handle_node(&port->handle);
        node->turns++;
        node_note(node, "message", packet->from, packet->size, 0);
        node_note_bytes(node, packet->bytes, packet->size);
        /* Out of the list before the callback, which may end the world's
         * other packets, but not this one's memory. */
        list_remove(&packet->link);
        port->cb(port->data, packet->from,
                 kan_slice(packet->bytes, packet->size));
    } else {
        world_note(world, "message to nobody", packet->from, packet->size, 0);
    }
    packet_free(packet);
}

static struct packet *packet_new(const struct env_port *port,
                                 const struct address *to,
                                 struct kan_slice bytes)
{
    struct sim_node *node = handle_node(&port->handle);
    struct packet *packet = mem_zalloc(sizeof *packet + bytes.size);
    if (!packet)
        return NULL;
    packet->world = node->world;
    packet->from_host = node->host;
    packet->to = *to;
    packet->event.fire = packet_fire;
    memcpy(packet->from, port->text, sizeof packet->from);
    packet->size = bytes.size;
    if (bytes.size)
        memcpy(packet->bytes, bytes.bytes, bytes.size);
    list_push(&node->world->packets, &packet->link);
    node->world->packet_count++;
    return packet;
}

static void packet_send(struct packet *packet)
{
    struct sim_world *world = packet->world;
    const struct sim_options *options = &world->options;
    uint64_t delay_ns = world_latency(world);
    if (world_chance(world, options->late_rate)) {
        world_probe(world, SIM_PROBE_MESSAGE_LATE);
        delay_ns += 1 + world_choose(world, options->late_ns + 1);
    }
    packet->event.due_ns = world->now_ns + delay_ns;
    packet->event.order = world->order++;
    packet->event.tie = options->shuffle ? (uint32_t)world_choose(world, 8) : 0;
    sim_queue_push(&world->net, &packet->event);
}

enum kan_err sim_port_send(struct env_port *port, const char *to,
                           struct kan_slice bytes)
{
    struct sim_node *node = handle_node(&port->handle);
    struct sim_world *world = node->world;
    struct packet *second = NULL;
    struct address parsed;
    if (bytes.size > MESSAGE_MAX || address_parse(to, &parsed))
        return KAN_INVALID;
    if (node->dead)
        return KAN_OK;
    node_note(node, "send", to, bytes.size, 0);
    if (world->packet_count >= world->options.messages_max ||
        world_chance(world, world->options.lost_rate)) {
        world_probe(world, SIM_PROBE_MESSAGE_LOST);
        return KAN_OK;
    }
    struct packet *packet = packet_new(port, &parsed, bytes);
    if (!packet)
        return KAN_NOMEM;
    packet_send(packet);
    if (world_chance(world, world->options.doubled_rate))
        second = packet_new(port, &parsed, bytes);
    if (second) {
        world_probe(world, SIM_PROBE_MESSAGE_DOUBLED);
        packet_send(second);
    }
    return KAN_OK;
}

/* --- ports ---------------------------------------------------------------- */

static void port_die(struct sim_handle *handle, bool power)
{
    struct env_port *port = list_entry(handle, struct env_port, handle);
    (void)power;
    list_remove(&port->in_use);
}

static void port_destroy(struct sim_handle *handle)
{
    struct env_port *port = list_entry(handle, struct env_port, handle);
    list_remove(&port->in_use);
    mem_free(port);
}

static const struct sim_handle_kind PORT = {port_die, port_destroy};

static bool in_use(struct sim_node *node, const struct address *address)
{
    struct list *all = &node->world->ports;
    struct list *link;
    for (link = all->next; link != all; link = link->next) {
        const struct env_port *port = list_entry(link, struct env_port, in_use);
        if (address_clashes(&port->address, address) &&
            (port_host(port) == node->host || !address_local(address)))
            return true;
    }
    return false;
}

enum kan_err sim_port_open(struct env *env, const char *address, void *data,
                           env_message_cb *cb, struct env_port **ret_port)
{
    struct sim_node *node = sim_node(env);
    struct address parsed;
    if (node->dead || address_parse(address, &parsed) ||
        parsed.kind == ADDRESS_PATH)
        return KAN_INVALID;
    if (parsed.port == 0)
        parsed.port = world_port_free(node->world);
    if (in_use(node, &parsed))
        return KAN_HELD;
    struct env_port *port = mem_zalloc(sizeof *port);
    if (!port)
        return KAN_NOMEM;
    port->address = parsed;
    port->data = data;
    port->cb = cb;
    address_print(&parsed, port->text);
    handle_init(&port->handle, node, &PORT);
    list_push(&node->world->ports, &port->in_use);
    node_note(node, "port", port->text, 0, 0);
    *ret_port = port;
    return KAN_OK;
}

const char *sim_port_address(const struct env_port *port)
{
    return port->text;
}

void sim_port_close(struct env_port *port, void *data, env_close_cb *cb)
{
    list_remove(&port->in_use);
    handle_close(&port->handle, data, cb);
}
