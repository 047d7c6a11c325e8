/* Listeners: TCP and Unix sockets.
 *
 * We accept ourselves, on top of libuv's poll: libuv's own loop around accept()
 * goes round for ever when descriptors or memory run out, or closes clients
 * that could have waited. Here the listener rests for a moment instead, and
 * the kernel keeps the clients in its queue. */

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <netinet/in.h>

#include "base/alloc.h"
#include "env/uv/socket.h"
#include "env/uv/stream.h"

enum
{
    BACKLOG_DEFAULT = 1024,
    ACCEPT_MAX = 64, /* in one turn, so that streams get theirs */
    REST_MS = 100    /* after a failure; short to a person, long to a CPU */
};

struct env_listener
{
    struct env_handle handle; /* first */
    int fd;
    uv_poll_t poll;
    uv_timer_t rest;
    int handles; /* of these two, still open */
    bool closing;
    bool made_file; /* file_* tell the Unix socket's file */
    dev_t file_device;
    ino_t file_inode;
    struct address address;
    char text[ADDRESS_TEXT_SIZE];
    void *data;
    env_accept_cb *cb;
    void *close_data;
    env_close_cb *close_cb;
};

/* --- accepting ------------------------------------------------------------ */

static void on_ready(uv_poll_t *poll, int error, int events);

static void on_rested(uv_timer_t *timer)
{
    struct env_listener *listener = timer->data;
    uv_poll_start(&listener->poll, UV_READABLE, on_ready);
}

static void rest(struct env_listener *listener)
{
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->rest, on_rested, REST_MS, 0);
}

/* Make a stream of the socket, which is given in any case; 0 or an errno. */
static int welcome(struct env_listener *listener, int fd)
{
    struct env_uv *world = world_of(listener->handle.env);
    struct env_stream *stream =
        env_uv_stream_new(world, listener->address.kind == ADDRESS_PATH);
    if (!stream) {
        close(fd);
        return ENOMEM;
    }
    if (env_uv_stream_adopt(stream, fd)) {
        env_uv_stream_drop(stream);
        return ENOMEM;
    }
    env_uv_stream_own(stream);
    listener->cb(listener->data, stream);
    return 0;
}

/* 0 or an errno. */
static int accept_one(struct env_listener *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd < 0 ? errno : welcome(listener, fd);
}

static void on_ready(uv_poll_t *poll, int error, int events)
{
    struct env_listener *listener = poll->data;
    const struct env_uv *world = world_of(listener->handle.env);
    (void)events;
    if (error) {
        rest(listener);
        return;
    }
    for (int i = 0; i < ACCEPT_MAX; i++) {
        if (listener->closing || world->stopped)
            return;
        switch (accept_one(listener)) {
        case 0:
        case EINTR:
        case ECONNABORTED:
            break;
        case EAGAIN:
            return;
        default: /* EMFILE, ENFILE, ENOMEM, ENOBUFS, or trouble of the
                  * network that Linux passes on; none of them ends a server
                  */
            rest(listener);
            return;
        }
    }
}

/* --- binding -------------------------------------------------------------- */

/* Whether nobody answers on the Unix socket at the path: only then may its
 * file go. */
static bool stale(const struct sockaddr_storage *storage, socklen_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, (const struct sockaddr *)storage, size) != 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_path(int fd, const struct address *address)
{
    struct sockaddr_storage storage;
    struct stat status;
    socklen_t size = env_uv_sockaddr(address, &storage);
    if (bind(fd, (const struct sockaddr *)&storage, size) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return errno;
    if (lstat(address->path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return EEXIST;
    if (!stale(&storage, size))
        return EADDRINUSE;
    if (unlink(address->path) && errno != ENOENT)
        return errno;
    return bind(fd, (const struct sockaddr *)&storage, size) ? errno : 0;
}

static int bind_port(int fd, const struct address *address, bool reuse_port)
{
    struct sockaddr_storage storage;
    socklen_t size = env_uv_sockaddr(address, &storage);
    const int on = 1;
    /* Without the first, a restart has to wait for old connections to be
     * forgotten; without the second, [::] would take the IPv4 port too. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on))
        return errno;
    if (address->kind == ADDRESS_IPV6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on))
        return errno;
    if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on))
        return errno;
    return bind(fd, (const struct sockaddr *)&storage, size) ? errno : 0;
}

/* Bind, listen, and learn what the system made of it; 0 or an errno. The
 * descriptor and the file are the listener's in any case. */
static int socket_open(struct env_listener *listener,
                       const struct env_listen_options *options)
{
    struct address *address = &listener->address;
    struct stat status;
    bool local = address->kind == ADDRESS_PATH;
    int family = local                           ? AF_UNIX
                 : address->kind == ADDRESS_IPV6 ? AF_INET6
                                                 : AF_INET;
    listener->fd =
        socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return errno;
    int error = local ? bind_path(listener->fd, address)
                      : bind_port(listener->fd, address,
                                  options && options->reuse_port);
    if (error)
        return error;
    if (local && lstat(address->path, &status) == 0) {
        listener->made_file = true;
        listener->file_device = status.st_dev;
        listener->file_inode = status.st_ino;
    }
    int backlog =
        options && options->backlog ? options->backlog : (int)BACKLOG_DEFAULT;
    if (listen(listener->fd, backlog))
        return errno;
    if (!local)
        address->port = env_uv_socket_port(listener->fd);
    return 0;
}

/* --- what went wrong ------------------------------------------------------ */

struct reason
{
    int error;
    enum kan_err err;
    const char *before; /* the address */
    const char *after;
};

static const struct reason reasons[] = {
    {EADDRINUSE, KAN_HELD, "address ", " is already in use"},
    {EACCES, KAN_INVALID, "permission denied to listen on ", ""},
    {EPERM, KAN_INVALID, "permission denied to listen on ", ""},
    {EADDRNOTAVAIL, KAN_INVALID, "", " is not an address of this machine"},
    {EAFNOSUPPORT, KAN_INVALID, "this machine has no protocol for ", ""},
    {EEXIST, KAN_INVALID, "", " exists and is not a socket"},
    {ENOENT, KAN_INVALID, "", " would be in a directory that does not exist"},
    {ENOTDIR, KAN_INVALID, "", " would be in what is not a directory"},
    {EMFILE, KAN_BUSY, "too many open files to listen on ", ""},
    {ENFILE, KAN_BUSY, "too many open files to listen on ", ""},
    {ENOMEM, KAN_NOMEM, "out of memory to listen on ", ""},
    {ENOBUFS, KAN_NOMEM, "out of memory to listen on ", ""},
    {0, KAN_INVALID, "cannot listen on ", ""}, /* all others */
};

static enum kan_err explain(int error, const char *address, char *why,
                            size_t why_size)
{
    const struct reason *reason = reasons;
    while (reason->error && reason->error != error)
        reason++;
    if (why && why_size)
        snprintf(why, why_size, "%s%s%s", reason->before, address,
                 reason->after);
    return reason->err;
}

/* --- life cycle ----------------------------------------------------------- */

/* The file goes only while it is still ours: another process may have put its
 * own in its place. */
static void socket_close(struct env_listener *listener)
{
    struct stat status;
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
    if (listener->made_file && lstat(listener->address.path, &status) == 0 &&
        status.st_dev == listener->file_device &&
        status.st_ino == listener->file_inode)
        unlink(listener->address.path);
    listener->made_file = false;
}

static int watch(struct env_listener *listener)
{
    uv_loop_t *loop = &world_of(listener->handle.env)->loop;
    int error = uv_poll_init(loop, &listener->poll, listener->fd);
    if (error)
        return -error;
    uv_timer_init(loop, &listener->rest);
    listener->handles = 2;
    listener->poll.data = listener;
    listener->rest.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, on_ready);
    return 0;
}

enum kan_err env_uv_listen(struct env *env, const char *address,
                           const struct env_listen_options *options, void *data,
                           env_accept_cb *cb, char *why, size_t why_size,
                           struct env_listener **ret_listener)
{
    struct env_uv *world = world_of(env);
    struct address parsed;
    if (address_parse(address, &parsed)) {
        if (why && why_size)
            snprintf(why, why_size,
                     "%s is not an address: write 127.0.0.1:3500, [::1]:3500 "
                     "or a path with a slash, of at most %d bytes",
                     address, ADDRESS_PATH_MAX);
        return KAN_INVALID;
    }
    struct env_listener *listener = mem_zalloc(sizeof *listener);
    if (!listener)
        return explain(ENOMEM, address, why, why_size);
    listener->handle.env = env;
    listener->fd = -1;
    listener->address = parsed;
    listener->data = data;
    listener->cb = cb;
    int error = socket_open(listener, options);
    if (!error)
        error = watch(listener);
    if (error) {
        socket_close(listener);
        mem_free(listener);
        return explain(error, address, why, why_size);
    }
    address_print(&listener->address, listener->text);
    world->open++;
    *ret_listener = listener;
    return KAN_OK;
}

const char *env_uv_listener_address(const struct env_listener *listener)
{
    return listener->text;
}

static void on_closed(uv_handle_t *handle)
{
    struct env_listener *listener = handle->data;
    env_close_cb *cb = listener->close_cb;
    void *data = listener->close_data;
    if (--listener->handles)
        return;
    world_of(listener->handle.env)->open--;
    mem_free(listener);
    if (cb)
        cb(data);
}

void env_uv_listener_close(struct env_listener *listener, void *data,
                           env_close_cb *cb)
{
    kan_assert(!listener->closing);
    listener->closing = true;
    listener->close_data = data;
    listener->close_cb = cb;
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    uv_close((uv_handle_t *)&listener->rest, on_closed);
    socket_close(listener);
}
