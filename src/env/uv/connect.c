/* Connecting. What fails at once is told later all the same, as KAN_LOST, so
 * that a caller has one path for it. */

#include <errno.h>

#include "base/alloc.h"
#include "env/uv/socket.h"
#include "env/uv/stream.h"

/* No request is without a deadline. Three tries of TCP's fall into it. */
#define CONNECT_TIMEOUT_NS (10 * (uint64_t)ENV_S)

struct connecting
{
    uv_connect_t request;
    struct env_uv *world;
    struct env_stream *stream; /* NULL when it failed at once */
    struct env_timer deadline;
    struct env_task failed;
    void *data;
    env_connect_cb *cb;
};

/* Free, and call back with the stream or, when it is NULL, with KAN_LOST. */
static void end(struct connecting *connecting, struct env_stream *stream)
{
    struct env_uv *world = connecting->world;
    env_connect_cb *cb = connecting->cb;
    void *data = connecting->data;
    timers_remove(&world->timers, &connecting->deadline);
    mem_free(connecting);
    world->open--;
    if (stream)
        env_uv_stream_own(stream);
    cb(data, stream ? KAN_OK : KAN_LOST, stream);
}

static void on_connected(uv_connect_t *request, int error)
{
    struct connecting *connecting = request->data;
    struct env_stream *stream = connecting->stream;
    if (!error) {
        end(connecting, stream);
        return;
    }
    if (!uv_is_closing(&stream->uv.any))
        env_uv_stream_drop(stream);
    end(connecting, NULL);
}

/* Closing ends the request, with an error. */
static void on_deadline(struct env_timer *timer)
{
    struct connecting *connecting = timer->data;
    env_uv_stream_drop(connecting->stream);
}

static void on_failed(struct env_task *task)
{
    end(task->data, NULL);
}

static int start(struct connecting *connecting, const struct address *address)
{
    struct sockaddr_storage storage;
    struct env_stream *stream = connecting->stream;
    connecting->request.data = connecting;
    if (address->kind == ADDRESS_PATH) {
        uv_pipe_connect(&connecting->request, &stream->uv.pipe, address->path,
                        on_connected);
        return 0;
    }
    env_uv_sockaddr(address, &storage);
    return -uv_tcp_connect(&connecting->request, &stream->uv.tcp,
                           (const struct sockaddr *)&storage, on_connected);
}

enum kan_err env_uv_connect(struct env *env, const char *address, void *data,
                            env_connect_cb *cb)
{
    struct env_uv *world = world_of(env);
    struct address parsed;
    kan_assert(cb);
    enum kan_err err = address_parse(address, &parsed);
    if (err)
        return err;
    struct connecting *connecting = mem_zalloc(sizeof *connecting);
    if (!connecting)
        return KAN_NOMEM;
    *connecting = (struct connecting){.world = world, .data = data, .cb = cb};
    connecting->deadline.data = connecting;
    connecting->failed.data = connecting;
    uint64_t now = env_uv_now(env);
    connecting->stream = env_uv_stream_new(world, parsed.kind == ADDRESS_PATH);
    if (!connecting->stream) {
        mem_free(connecting);
        return KAN_NOMEM;
    }
    err = timers_add(&world->timers, &connecting->deadline,
                     now + CONNECT_TIMEOUT_NS, now, on_deadline);
    int error = err ? ENOMEM : start(connecting, &parsed);
    if (error) {
        timers_remove(&world->timers, &connecting->deadline);
        env_uv_stream_drop(connecting->stream);
        connecting->stream = NULL;
        err = env_uv_err(error);
        if (err == KAN_NOMEM || err == KAN_BUSY) {
            mem_free(connecting);
            return err;
        }
        env_uv_defer(env, &connecting->failed, on_failed);
    }
    world->open++;
    return KAN_OK;
}
