/* The incoming half of an end: pieces arrive, and are handed to the reader. */

#include "env/sim/stream.h"

/* --- the incoming side ---------------------------------------------------- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t last_due(const struct env_stream *stream)
{
    return stream->mark_count ? stream->marks[stream->mark_count - 1].due_ns
                              : 0;
}

/* When the next thing happens to the incoming side; false for never. */
static bool in_due(const struct env_stream *stream, uint64_t *ret_due_ns)
{
    bool ending_due = stream->ending != ENDING_NONE && !stream->ended;
    if (!stream->opened || stream->handle.closing)
        return false;
    if (stream->reading && (stream->arrived > 0 || stream->ended)) {
        *ret_due_ns = 0;
        return true;
    }
    if (stream_parted(stream))
        return false;
    if (stream->reading && stream->mark_count > 0) {
        *ret_due_ns = stream->marks[0].due_ns;
        if (ending_due && stream->overtakes && stream->ending_ns < *ret_due_ns)
            *ret_due_ns = stream->ending_ns;
        return true;
    }
    /* Who does not read hears of a RESET all the same, by writing. */
    if (ending_due && (stream->reading || stream->ending == ENDING_RESET)) {
        *ret_due_ns = stream->ending_ns;
        return true;
    }
    return false;
}

void pipe_arm(struct env_stream *stream)
{
    struct sim_node *node = stream_node(stream);
    uint64_t due_ns;
    if (!in_due(stream, &due_ns)) {
        node_disarm(node, &stream->in);
        return;
    }
    uint64_t now_ns = node_now(node);
    uint64_t delay_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    if (!stream->in.armed || stream->in.due_ns != now_ns + delay_ns)
        node_arm(node, &stream->in, delay_ns);
}

static void drop_mark(struct env_stream *stream)
{
    stream->mark_count--;
    memmove(stream->marks, stream->marks + 1,
            stream->mark_count * sizeof *stream->marks);
}

/* Nothing arrives before due_ns. */
static void delay(struct env_stream *stream, uint64_t due_ns)
{
    for (unsigned i = 0; i < stream->mark_count; i++)
        stream->marks[i].due_ns = later(stream->marks[i].due_ns, due_ns);
    if (stream->ending != ENDING_NONE && !stream->overtakes)
        stream->ending_ns = later(stream->ending_ns, due_ns);
}

/* Bytes of the first mark become readable, or only some of them. */
static void arrive(struct env_stream *stream)
{
    struct sim_node *node = stream_node(stream);
    struct mark *mark = &stream->marks[0];
    uint32_t take = mark->size;
    if (node->world->options.chop)
        take -= (uint32_t)node_choose(node, take);
    stream->arrived += take;
    mark->size -= take;
    if (mark->size == 0) {
        drop_mark(stream);
        return;
    }
    world_probe(node->world, SIM_PROBE_STREAM_CHOPPED);
    delay(stream, node_now(node) + node_latency(node));
}

static void ending_arrives(struct env_stream *stream)
{
    stream->ended = true;
    if (stream->ending != ENDING_RESET)
        return;
    stream->lost = true;
    if (stream->overtakes) {
        stream->size = stream->arrived = stream->delivering;
        stream->mark_count = 0;
    }
    stream_kick(stream);
}

/* Let arrive what is due. At most one piece when pieces are chopped. */
void pipe_settle(struct env_stream *stream)
{
    uint64_t now_ns = node_now(stream_node(stream));
    bool chop = stream_node(stream)->world->options.chop;
    if (stream->ended || stream_parted(stream))
        return;
    if (stream->ending != ENDING_NONE && stream->overtakes &&
        stream->ending_ns <= now_ns) {
        ending_arrives(stream);
        return;
    }
    while (stream->mark_count > 0 && stream->marks[0].due_ns <= now_ns) {
        arrive(stream);
        if (chop)
            return;
    }
    if (stream->mark_count == 0 && stream->ending != ENDING_NONE &&
        stream->ending_ns <= now_ns)
        ending_arrives(stream);
}

static void deliver(struct env_stream *stream)
{
    struct sim_node *node = stream_node(stream);
    uint32_t room = stream->capacity - stream->head;
    uint32_t size = stream->arrived < room ? stream->arrived : room;
    unsigned char *bytes = stream->pipe + stream->head;
    node_note(node, "read stream", NULL, size, 0);
    node_note_bytes(node, bytes, size);
    stream->delivering = size;
    stream->read_cb(stream->read_data, KAN_OK, kan_slice(bytes, size));
    stream->delivering = 0;
    /* Who kept the slice shall notice. */
    memset(bytes, 0xa5, size);
    stream->head = (stream->head + size) % stream->capacity;
    stream->size -= size;
    stream->arrived -= size;
    if (stream->peer)
        stream_kick(stream->peer);
}

static void deliver_ending(struct env_stream *stream)
{
    bool lost = stream->ending == ENDING_RESET;
    node_note(stream_node(stream), lost ? "stream lost" : "stream ends", NULL,
              0, 0);
    stream->reading = false;
    stream->told = true;
    stream->read_cb(stream->read_data, lost ? KAN_LOST : KAN_END,
                    kan_slice(NULL, 0));
}

static void pipe_fire(struct sim_event *event)
{
    struct env_stream *stream = list_entry(event, struct env_stream, in);
    struct sim_node *node = stream_node(stream);
    uint32_t arrived = stream->arrived;
    pipe_settle(stream);
    if (stream->arrived > arrived && !stream->ended &&
        node_chance(node, node->world->options.break_rate))
        stream_break(stream);
    if (stream->reading && stream->arrived > 0)
        deliver(stream);
    else if (stream->reading && stream->ended)
        deliver_ending(stream);
    pipe_arm(stream);
}

static void add_mark(struct env_stream *stream, uint64_t due_ns, uint32_t size)
{
    due_ns = later(due_ns, last_due(stream));
    if (stream->mark_count == MARKS) {
        stream->marks[MARKS - 1].due_ns = due_ns;
        stream->marks[MARKS - 1].size += size;
        return;
    }
    stream->marks[stream->mark_count++] = (struct mark){due_ns, size};
}

void pipe_end(struct env_stream *stream, enum ending ending, uint64_t at_ns,
              bool overtakes)
{
    if (stream->ending == ENDING_RESET)
        return;
    stream->ending = ending;
    stream->ended = false;
    stream->overtakes = overtakes;
    stream->ending_ns = overtakes ? at_ns : later(at_ns, last_due(stream));
    pipe_arm(stream);
}

/* --- for the other half --------------------------------------------------- */

void pipe_init(struct env_stream *stream)
{
    stream->in.fire = pipe_fire;
}

uint32_t pipe_put(struct env_stream *stream, struct kan_slice bytes,
                  uint64_t due_ns)
{
    uint32_t capacity = stream->capacity;
    uint32_t room = capacity - stream->size;
    uint32_t size = bytes.size < room ? (uint32_t)bytes.size : room;
    uint32_t tail = (stream->head + stream->size) % capacity;
    uint32_t first = capacity - tail < size ? capacity - tail : size;
    if (size == 0)
        return 0;
    memcpy(stream->pipe + tail, bytes.bytes, first);
    memcpy(stream->pipe, (const char *)bytes.bytes + first, size - first);
    stream->size += size;
    add_mark(stream, due_ns, size);
    pipe_arm(stream);
    return size;
}

void pipe_lose(struct env_stream *stream)
{
    stream->peer_host = NULL;
    stream->ending = ENDING_RESET;
    stream->overtakes = true;
    ending_arrives(stream);
    pipe_arm(stream);
}
