/* stream.h - one end of a stream. For stream.c, pipe.c and connect.c alone.
 *
 * Bytes written stand in the peer's pipe at once, with a mark of when they
 * arrive; marks are in order, and a full pipe makes the writer wait. An end is
 * told of three endings: the peer has finished (FIN), the connection broke
 * (RESET), or nothing yet. A RESET travels behind the bytes before it, or
 * overtakes them when the tape says so. */

#ifndef ENV_SIM_STREAM_H
#define ENV_SIM_STREAM_H

#include "env/sim/world.h"

enum
{
    MARKS = 16 /* beyond, bytes join the last mark */
};

enum ending
{
    ENDING_NONE,
    ENDING_FIN,
    ENDING_RESET
};

struct mark
{
    uint64_t due_ns;
    uint32_t size;
};

struct env_stream
{
    struct sim_handle handle;
    struct env_stream *peer; /* NULL once it is closed or dead */
    struct sim_host *peer_host;
    bool opened; /* its owner has it */

    /* coming in */
    unsigned char *pipe; /* a ring */
    uint32_t capacity;
    uint32_t head;
    uint32_t size;       /* all bytes in it */
    uint32_t arrived;    /* of these, bytes that may be read */
    uint32_t delivering; /* of these, bytes in the reader's hands */
    struct mark marks[MARKS];
    unsigned mark_count;
    enum ending ending;
    bool overtakes; /* the RESET drops what has not been read */
    bool ended;     /* the ending has arrived */
    bool told;      /* the reader knows: it hears no more */
    uint64_t ending_ns;
    struct sim_event in;
    bool reading;
    void *read_data;
    env_read_cb *read_cb;

    /* going out */
    struct list writes;
    size_t pending;
    struct sim_event out;
    bool lost;      /* a RESET has arrived */
    bool finishing; /* FIN when all is written */
    bool finished;  /* FIN is sent */
};

static inline struct sim_node *stream_node(const struct env_stream *stream)
{
    return handle_node(&stream->handle);
}

static inline bool stream_parted(const struct env_stream *stream)
{
    const struct sim_node *node = stream_node(stream);
    return stream->peer_host && hosts_parted(node->host, stream->peer_host);
}

/* --- pipe.c: what comes in ------------------------------------------------ */

void pipe_init(struct env_stream *stream);

/* Arm or disarm the event of the incoming side, after any change to it. */
void pipe_arm(struct env_stream *stream);

/* Take what there is room for, to arrive at due_ns. Returns how much. */
uint32_t pipe_put(struct env_stream *stream, struct kan_slice bytes,
                  uint64_t due_ns);

/* The end comes at due_ns, behind what is in the pipe, or overtaking it. */
void pipe_end(struct env_stream *stream, enum ending ending, uint64_t due_ns,
              bool overtakes);

/* A RESET, here and now. */
void pipe_lose(struct env_stream *stream);

/* Let arrive what is due. */
void pipe_settle(struct env_stream *stream);

/* --- stream.c ------------------------------------------------------------- */

/* Go on writing, if there is something to write. */
void stream_kick(struct env_stream *stream);

/* When what is sent now arrives. */
uint64_t stream_arrival(const struct env_stream *stream);

/* A pair of ends, not yet anybody's. KAN_NOMEM. */
enum kan_err stream_pair_new(struct sim_world *world, struct env_stream **ret_a,
                             struct env_stream **ret_b);
void stream_discard(struct env_stream *stream); /* an end that is nobody's */

/* The end belongs to the process from now on. peer_host is where the other end
 * is. It is silent until stream_open(). */
void stream_attach(struct env_stream *stream, struct sim_node *node,
                   struct sim_host *peer_host);
void stream_open(struct env_stream *stream);

/* Close an end that its owner never got. */
void stream_refuse(struct env_stream *stream);

/* Break the connection: both ends get LOST. */
void stream_break(struct env_stream *stream);

/* The end, or NULL when the handle is no stream. */
struct env_stream *handle_stream(struct sim_handle *handle);

#endif /* ENV_SIM_STREAM_H */
