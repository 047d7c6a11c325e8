/* Ports: UDP. Nothing is queued: what the kernel does not take is lost, as it
 * may be anywhere on its way. */

#include <errno.h>

#include "base/alloc.h"
#include "env/uv/socket.h"
#include "env/uv/world.h"

enum
{
    MESSAGE_MAX = 1200 /* fits one packet on every path of the internet */
};

struct env_port
{
    struct env_handle handle; /* first */
    uv_udp_t udp;
    enum address_kind kind;
    char text[ADDRESS_TEXT_SIZE];
    void *data;
    env_message_cb *cb;
    void *close_data;
    env_close_cb *close_cb;
};

static void on_message(uv_udp_t *udp, ssize_t size, const uv_buf_t *buffer,
                       const struct sockaddr *from, unsigned flags)
{
    struct env_port *port = udp->data;
    struct address address;
    char text[ADDRESS_TEXT_SIZE];
    /* An error belongs to an earlier message, which is lost. */
    if (size < 0 || !from || (flags & UV_UDP_PARTIAL) || size > MESSAGE_MAX ||
        env_uv_sockaddr_read(from, &address))
        return;
    address_print(&address, text);
    port->cb(port->data, text, kan_slice(buffer->base, (size_t)size));
}

static void on_gone(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void on_closed(uv_handle_t *handle)
{
    struct env_port *port = handle->data;
    env_close_cb *cb = port->close_cb;
    void *data = port->close_data;
    world_of(port->handle.env)->open--;
    mem_free(port);
    if (cb)
        cb(data);
}

/* Bind and receive; 0 or an errno. */
static int start(struct env_port *port, struct address *address)
{
    struct sockaddr_storage storage;
    int fd;
    unsigned flags = address->kind == ADDRESS_IPV6 ? UV_UDP_IPV6ONLY : 0;
    env_uv_sockaddr(address, &storage);
    int error =
        uv_udp_bind(&port->udp, (const struct sockaddr *)&storage, flags);
    if (!error)
        error = uv_udp_recv_start(&port->udp, env_uv_lend, on_message);
    if (!error)
        error = uv_fileno((const uv_handle_t *)&port->udp, &fd);
    if (error)
        return -error;
    address->port = env_uv_socket_port(fd);
    return 0;
}

enum kan_err env_uv_port_open(struct env *env, const char *address, void *data,
                              env_message_cb *cb, struct env_port **ret_port)
{
    struct env_uv *world = world_of(env);
    struct address parsed;
    if (address_parse(address, &parsed) || parsed.kind == ADDRESS_PATH)
        return KAN_INVALID;
    struct env_port *port = mem_zalloc(sizeof *port);
    if (!port)
        return KAN_NOMEM;
    port->handle.env = env;
    port->kind = parsed.kind;
    port->data = data;
    port->cb = cb;
    int error = uv_udp_init(&world->loop, &port->udp);
    if (error) {
        mem_free(port);
        return env_uv_err(-error);
    }
    port->udp.data = port;
    error = start(port, &parsed);
    if (error) {
        uv_close((uv_handle_t *)&port->udp, on_gone);
        return env_uv_err(error);
    }
    address_print(&parsed, port->text);
    world->open++;
    *ret_port = port;
    return KAN_OK;
}

const char *env_uv_port_address(const struct env_port *port)
{
    return port->text;
}

enum kan_err env_uv_port_send(struct env_port *port, const char *to,
                              struct kan_slice bytes)
{
    struct sockaddr_storage storage;
    struct address address;
    if (bytes.size > MESSAGE_MAX || address_parse(to, &address) ||
        address.kind != port->kind || address.port == 0)
        return KAN_INVALID;
    env_uv_sockaddr(&address, &storage);
    uv_buf_t buffer = {(char *)(uintptr_t)bytes.bytes, bytes.size};
    (void)uv_udp_try_send(&port->udp, &buffer, 1,
                          (const struct sockaddr *)&storage);
    return KAN_OK;
}

void env_uv_port_close(struct env_port *port, void *data, env_close_cb *cb)
{
    port->close_data = data;
    port->close_cb = cb;
    uv_close((uv_handle_t *)&port->udp, on_closed);
}
