/* Streams: two ends that write into each other's pipes. */

#include "env/sim/stream.h"

#include "base/alloc.h"

enum
{
    WRITE_DONE = 0 /* env_write.reserved[0]: bytes taken */
};

void stream_kick(struct env_stream *stream)
{
    bool work = !list_empty(&stream->writes) ||
                (stream->finishing && !stream->finished);
    if (stream->opened && work && !stream->handle.closing && !stream->out.armed)
        node_arm(stream_node(stream), &stream->out, 0);
}

/* --- the outgoing side ---------------------------------------------------- */

uint64_t stream_arrival(const struct env_stream *stream)
{
    struct sim_node *node = stream_node(stream);
    return node_now(node) + node_latency(node);
}

/* Put what there is room for into the peer's pipe. */
static size_t put(struct env_stream *stream, struct kan_slice bytes)
{
    struct env_stream *peer = stream->peer;
    if (!peer) {
        /* The far kernel answers that nobody is there. */
        pipe_end(stream, ENDING_RESET, stream_arrival(stream), false);
        return bytes.size;
    }
    if (bytes.size == 0 || peer->size == peer->capacity)
        return 0;
    return pipe_put(peer, bytes, stream_arrival(stream));
}

static void send_fin(struct env_stream *stream)
{
    stream->finished = true;
    if (stream->peer)
        pipe_end(stream->peer, ENDING_FIN, stream_arrival(stream), false);
}

static struct env_write *first_write(struct env_stream *stream)
{
    struct list *link = list_first(&stream->writes);
    return link ? list_entry(link, struct env_write, link) : NULL;
}

static void end_write(struct env_stream *stream, struct env_write *write,
                      enum kan_err err)
{
    stream->pending -= write->bytes.size - write->reserved[WRITE_DONE];
    list_remove(&write->link);
    node_note(stream_node(stream), "write done", NULL, write->bytes.size,
              (uint64_t)(int64_t)err);
    write->cb(write, err);
}

static void out_fire(struct sim_event *event)
{
    struct env_stream *stream = list_entry(event, struct env_stream, out);
    struct env_write *write = first_write(stream);
    if (!write) {
        if (stream->finishing && !stream->finished && !stream->lost)
            send_fin(stream);
        return;
    }
    uint64_t *done = &write->reserved[WRITE_DONE];
    if (!stream->lost) {
        size_t took = put(stream, slice_skip(write->bytes, (size_t)*done));
        *done += took;
        stream->pending -= took;
        if (*done < write->bytes.size) {
            world_probe(stream_node(stream)->world, SIM_PROBE_WRITE_BLOCKED);
            return;
        }
    }
    /* The next write, or the FIN, has an event of its own. */
    bool more = write->link.next != write->link.prev || stream->finishing;
    if (more && !stream->out.armed)
        node_arm(stream_node(stream), &stream->out, 0);
    end_write(stream, write, stream->lost ? KAN_LOST : KAN_OK);
}

/* --- life ----------------------------------------------------------------- */

static void stream_free(struct env_stream *stream)
{
    if (stream)
        mem_free(stream->pipe);
    mem_free(stream);
}

static struct env_stream *stream_new(struct sim_world *world)
{
    struct env_stream *stream = mem_zalloc(sizeof *stream);
    if (!stream)
        return NULL;
    stream->capacity = world->options.pipe_bytes;
    stream->pipe = mem_alloc(stream->capacity);
    if (!stream->pipe) {
        stream_free(stream);
        return NULL;
    }
    list_init(&stream->writes);
    pipe_init(stream);
    stream->out.fire = out_fire;
    return stream;
}

enum kan_err stream_pair_new(struct sim_world *world, struct env_stream **ret_a,
                             struct env_stream **ret_b)
{
    struct env_stream *a = stream_new(world);
    struct env_stream *b = stream_new(world);
    if (!a || !b) {
        stream_free(a);
        stream_free(b);
        return KAN_NOMEM;
    }
    a->peer = b;
    b->peer = a;
    *ret_a = a;
    *ret_b = b;
    return KAN_OK;
}

void stream_discard(struct env_stream *stream)
{
    if (stream->peer)
        stream->peer->peer = NULL;
    stream_free(stream);
}

/* Let go of the peer and tell it how. */
static void leave(struct env_stream *stream, enum ending ending, bool overtakes)
{
    struct env_stream *peer = stream->peer;
    if (!peer)
        return;
    if (ending == ENDING_RESET || !stream->finished)
        pipe_end(peer, ending, stream_arrival(peer), overtakes);
    peer->peer = NULL;
    stream->peer = NULL;
    stream_kick(peer);
}

static bool drops(struct env_stream *stream)
{
    struct sim_node *node = stream_node(stream);
    return node->world->options.chop && node_choose(node, 2) == 1;
}

static void stream_die(struct sim_handle *handle, bool power)
{
    struct env_stream *stream = list_entry(handle, struct env_stream, handle);
    /* A kernel that outlives its process finishes its streams politely, unless
     * there is something that nobody will read. */
    bool polite = !power && stream->peer && stream->size == 0 &&
                  node_choose(stream_node(stream), 2) == 1;
    leave(stream, polite ? ENDING_FIN : ENDING_RESET,
          !polite && stream->peer && drops(stream));
    /* What the ghost hears. */
    pipe_lose(stream);
}

static void stream_destroy(struct sim_handle *handle)
{
    struct env_stream *stream = list_entry(handle, struct env_stream, handle);
    struct sim_node *node = stream_node(stream);
    node_disarm(node, &stream->in);
    node_disarm(node, &stream->out);
    if (stream->peer)
        stream->peer->peer = NULL;
    stream_free(stream);
}

/* Writes under way end one by one, then the stream. */
static void stream_close_fire(struct sim_event *event)
{
    struct sim_handle *handle = list_entry(event, struct sim_handle, close);
    struct env_stream *stream = list_entry(handle, struct env_stream, handle);
    struct env_write *write = first_write(stream);
    void *data = handle->close_data;
    env_close_cb *cb = handle->close_cb;
    if (write) {
        node_arm(stream_node(stream), event, 0);
        end_write(stream, write, KAN_CLOSED);
        return;
    }
    node_note(stream_node(stream), "stream closed", NULL, 0, 0);
    handle_destroy(handle);
    if (cb)
        cb(data);
}

static const struct sim_handle_kind STREAM = {stream_die, stream_destroy};

struct env_stream *handle_stream(struct sim_handle *handle)
{
    return handle->kind == &STREAM
               ? list_entry(handle, struct env_stream, handle)
               : NULL;
}

void stream_attach(struct env_stream *stream, struct sim_node *node,
                   struct sim_host *peer_host)
{
    handle_init(&stream->handle, node, &STREAM);
    stream->handle.close.fire = stream_close_fire;
    stream->peer_host = peer_host;
}

void stream_open(struct env_stream *stream)
{
    stream->opened = true;
    pipe_arm(stream);
}

void stream_refuse(struct env_stream *stream)
{
    leave(stream, ENDING_RESET, false);
    handle_destroy(&stream->handle);
}

void stream_break(struct env_stream *stream)
{
    struct env_stream *peer = stream->peer;
    world_probe(stream_node(stream)->world, SIM_PROBE_STREAM_BROKEN);
    if (peer)
        pipe_end(peer, ENDING_RESET, stream_arrival(peer), drops(peer));
    pipe_end(stream, ENDING_RESET, stream_arrival(stream), drops(stream));
}

void sim_break(struct env *env)
{
    struct sim_node *node = sim_node(env);
    struct list *link;
    node_note(node, "streams break", NULL, 0, 0);
    for (link = node->handles.next; link != &node->handles; link = link->next) {
        struct env_stream *stream =
            handle_stream(list_entry(link, struct sim_handle, link));
        if (stream && !stream->handle.closing)
            stream_break(stream);
    }
}

/* Call each with every stream of the living. */
static void streams_each(struct sim_world *world,
                         void (*each)(struct env_stream *stream))
{
    struct list *at;
    struct list *link;
    for (at = world->nodes.next; at != &world->nodes; at = at->next) {
        struct sim_node *node = list_entry(at, struct sim_node, link);
        for (link = node->handles.next; link != &node->handles && !node->dead;
             link = link->next) {
            struct env_stream *stream =
                handle_stream(list_entry(link, struct sim_handle, link));
            if (stream && stream->opened)
                each(stream);
        }
    }
}

static void resume(struct env_stream *stream)
{
    if (stream_parted(stream) && (stream->mark_count > 0 || stream->ending))
        world_probe(stream_node(stream)->world, SIM_PROBE_STREAM_WAITED);
    pipe_arm(stream);
    stream_kick(stream);
}

void world_streams_settle(struct sim_world *world)
{
    streams_each(world, pipe_settle);
}

void world_streams_resume(struct sim_world *world)
{
    streams_each(world, resume);
}

/* --- for env.h ------------------------------------------------------------ */

void sim_stream_read_start(struct env_stream *stream, void *data,
                           env_read_cb *cb)
{
    kan_assert(cb && !stream->handle.closing);
    stream->read_data = data;
    stream->read_cb = cb;
    stream->reading = !stream->told;
    pipe_arm(stream);
}

void sim_stream_read_stop(struct env_stream *stream)
{
    stream->reading = false;
    pipe_arm(stream);
}

enum kan_err sim_stream_try_write(struct env_stream *stream,
                                  struct kan_slice bytes, size_t *ret_written)
{
    struct sim_node *node = stream_node(stream);
    kan_assert(!stream->handle.closing && !stream->finishing);
    if (stream->lost)
        return KAN_LOST;
    if (!list_empty(&stream->writes)) {
        *ret_written = 0;
        return KAN_OK;
    }
    if (node->world->options.chop && bytes.size > 0)
        bytes.size -= (size_t)node_choose(node, (uint64_t)bytes.size + 1);
    *ret_written = put(stream, bytes);
    node_note(node, "try write", NULL, *ret_written, 0);
    return KAN_OK;
}

enum kan_err sim_stream_write(struct env_stream *stream,
                              struct env_write *write, struct kan_slice bytes,
                              env_write_cb *cb)
{
    kan_assert(!stream->finishing);
    if (stream->handle.closing)
        return KAN_CLOSED;
    if (stream->lost)
        return KAN_LOST;
    write->cb = cb;
    write->bytes = bytes;
    write->reserved[WRITE_DONE] = 0;
    list_push(&stream->writes, &write->link);
    stream->pending += bytes.size;
    if (first_write(stream) == write)
        stream_kick(stream);
    return KAN_OK;
}

size_t sim_stream_pending(const struct env_stream *stream)
{
    return stream->pending;
}

void sim_stream_finish(struct env_stream *stream)
{
    kan_assert(!stream->handle.closing);
    if (stream->finishing)
        return;
    stream->finishing = true;
    stream_kick(stream);
}

void sim_stream_close(struct env_stream *stream, void *data, env_close_cb *cb)
{
    uint32_t unread = stream->size - stream->delivering;
    stream->reading = false;
    node_note(stream_node(stream), "close stream", NULL, unread, 0);
    /* What nobody will read is answered with a RESET, as TCP does. */
    if (unread > 0)
        leave(stream, ENDING_RESET, stream->peer && drops(stream));
    else
        leave(stream, ENDING_FIN, false);
    handle_close(&stream->handle, data, cb);
    node_disarm(stream_node(stream), &stream->in);
    node_disarm(stream_node(stream), &stream->out);
}
