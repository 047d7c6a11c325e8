/* Streams: TCP and Unix sockets.
 *
 * A stream holds no buffer. What is read goes into the one buffer of the loop;
 * what is written stays the caller's, and so does the request. */

#include "env/uv/stream.h"

#include <unistd.h>

#include "base/alloc.h"

_Static_assert(sizeof(uv_write_t) <= sizeof(((struct env_write *)0)->reserved),
               "a uv_write_t lives in struct env_write");
_Static_assert(_Alignof(uv_write_t) <= _Alignof(uint64_t),
               "reserved is aligned for a uv_write_t");

/* --- life cycle ----------------------------------------------------------- */

struct env_stream *env_uv_stream_new(struct env_uv *world, bool local)
{
    struct env_stream *stream = mem_zalloc(sizeof *stream);
    if (!stream)
        return NULL;
    stream->handle.env = &world->env;
    stream->magic = STREAM_MAGIC;
    if (local) {
        uv_pipe_init(&world->loop, &stream->uv.pipe, 0);
    } else {
        uv_tcp_init(&world->loop, &stream->uv.tcp);
        uv_tcp_nodelay(&stream->uv.tcp, 1); /* when it has a socket */
    }
    stream->uv.any.data = stream;
    return stream;
}

enum kan_err env_uv_stream_adopt(struct env_stream *stream, int fd)
{
    int error = stream->uv.any.type == UV_TCP
                    ? uv_tcp_open(&stream->uv.tcp, fd)
                    : uv_pipe_open(&stream->uv.pipe, fd);
    if (error)
        close(fd);
    return env_uv_err(-error);
}

void env_uv_stream_own(struct env_stream *stream)
{
    stream->owned = true;
    world_of(stream->handle.env)->open++;
}

static void on_closed(uv_handle_t *handle)
{
    struct env_stream *stream = handle->data;
    env_close_cb *cb = stream->close_cb;
    void *data = stream->close_data;
    kan_assert(stream->writing == 0);
    if (stream->owned)
        world_of(stream->handle.env)->open--;
    stream->magic = 0;
    mem_free(stream);
    if (cb)
        cb(data);
}

void env_uv_stream_drop(struct env_stream *stream)
{
    kan_assert(!stream->owned);
    uv_close(&stream->uv.any, on_closed);
}

void env_uv_stream_close(struct env_stream *stream, void *data,
                         env_close_cb *cb)
{
    check_magic(stream, STREAM_MAGIC);
    kan_assert(!stream->closing);
    stream->closing = true;
    stream->close_data = data;
    stream->close_cb = cb;
    uv_close(&stream->uv.any, on_closed);
}

/* --- reading -------------------------------------------------------------- */

static void on_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
    struct env_stream *stream = handle->data;
    if (size == 0)
        return; /* nothing was there after all */
    if (size > 0) {
        stream->read_cb(stream->read_data, KAN_OK,
                        kan_slice(buffer->base, (size_t)size));
        return;
    }
    stream->over = true;
    uv_read_stop(handle);
    stream->read_cb(stream->read_data, size == UV_EOF ? KAN_END : KAN_LOST,
                    kan_slice(NULL, 0));
}

void env_uv_stream_read_start(struct env_stream *stream, void *data,
                              env_read_cb *cb)
{
    check_magic(stream, STREAM_MAGIC);
    kan_assert(cb);
    if (stream->closing || stream->over)
        return;
    stream->read_data = data;
    stream->read_cb = cb;
    int error = uv_read_start(&stream->uv.stream, env_uv_lend, on_read);
    kan_assert(error == 0 || error == UV_EALREADY || error == UV_ENOTCONN);
}

void env_uv_stream_read_stop(struct env_stream *stream)
{
    check_magic(stream, STREAM_MAGIC);
    uv_read_stop(&stream->uv.stream);
}

/* --- writing -------------------------------------------------------------- */

enum kan_err env_uv_stream_try_write(struct env_stream *stream,
                                     struct kan_slice bytes,
                                     size_t *ret_written)
{
    check_magic(stream, STREAM_MAGIC);
    if (stream->closing || stream->finished)
        return KAN_CLOSED;
    if (bytes.size == 0 || stream->writing) {
        *ret_written = 0;
        return KAN_OK;
    }
    uv_buf_t buffer = {(char *)(uintptr_t)bytes.bytes, bytes.size};
    int written = uv_try_write(&stream->uv.stream, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN)
        return KAN_LOST;
    *ret_written = written < 0 ? 0 : (size_t)written;
    return KAN_OK;
}

static void on_written(uv_write_t *request, int error)
{
    struct env_write *write = request->data;
    struct env_stream *stream = request->handle->data;
    stream->writing--;
    write->cb(write, error == 0              ? KAN_OK
                     : error == UV_ECANCELED ? KAN_CLOSED
                                             : KAN_LOST);
}

enum kan_err env_uv_stream_write(struct env_stream *stream,
                                 struct env_write *write,
                                 struct kan_slice bytes, env_write_cb *cb)
{
    uv_write_t *request = (uv_write_t *)(void *)write->reserved;
    check_magic(stream, STREAM_MAGIC);
    kan_assert(cb);
    if (stream->closing || stream->finished)
        return KAN_CLOSED;
    write->cb = cb;
    write->bytes = bytes;
    request->data = write;
    uv_buf_t buffer = {(char *)(uintptr_t)bytes.bytes, bytes.size};
    if (uv_write(request, &stream->uv.stream, &buffer, 1, on_written))
        return KAN_LOST;
    stream->writing++;
    return KAN_OK;
}

size_t env_uv_stream_pending(const struct env_stream *stream)
{
    check_magic(stream, STREAM_MAGIC);
    return uv_stream_get_write_queue_size(&stream->uv.stream);
}

static void on_finished(uv_shutdown_t *request, int error)
{
    (void)request;
    (void)error; /* a connection that broke says so to who reads or writes */
}

void env_uv_stream_finish(struct env_stream *stream)
{
    check_magic(stream, STREAM_MAGIC);
    if (stream->closing || stream->finished)
        return;
    stream->finished = true;
    (void)uv_shutdown(&stream->shutdown, &stream->uv.stream, on_finished);
}
