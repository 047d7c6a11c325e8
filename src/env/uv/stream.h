/* stream.h - the struct of a stream, for the two that make streams: listen.c
 * and connect.c. */

#ifndef ENV_UV_STREAM_H
#define ENV_UV_STREAM_H

#include "env/uv/world.h"

enum
{
    STREAM_MAGIC = 0x7374726d
};

/* An idle stream is this and nothing else: about 450 bytes. */
struct env_stream
{
    struct env_handle handle; /* first */
    uint32_t magic;
    bool owned;    /* the caller's, and counted in world->open */
    bool over;     /* KAN_END or KAN_LOST was read */
    bool finished; /* env_stream_finish() was called */
    bool closing;
    union
    {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_shutdown_t shutdown; /* here, so that finishing cannot fail */
    size_t writing;         /* env_writes under way */
    void *read_data;
    env_read_cb *read_cb;
    void *close_data;
    env_close_cb *close_cb;
};

/* A stream with a socket of the kind (local: a Unix socket) still to be put
 * into it. NULL without memory. Free it with env_uv_stream_drop() or, when it
 * is the caller's, env_stream_close(). */
struct env_stream *env_uv_stream_new(struct env_uv *world, bool local);

/* Put a connected socket in; it is given, also on failure. */
KAN_MUST_USE enum kan_err env_uv_stream_adopt(struct env_stream *stream,
                                              int fd);

/* Count it as the caller's. */
void env_uv_stream_own(struct env_stream *stream);

/* Close and free a stream that never was the caller's. */
void env_uv_stream_drop(struct env_stream *stream);

#endif /* ENV_UV_STREAM_H */
