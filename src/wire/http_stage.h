/* http_stage.h - a server and its clients in a simulated world, for tests.
 *
 * The handler answers by the request's path:
 *   /hold    not at all: the test answers stage->held;
 *   /slow    after 10 ms;
 *   /later   when the current callback has returned;
 *   /big     with stage->big bytes;
 *   /pieces  with stage->big bytes in pieces of 1,000, each when asked for;
 *   /broken  with a piece, and breaks off;
 *   /split   with a line break in a header's value;
 *   /bare    204, which has no body;
 *   others   at once, with a line that tells what was read. */

#ifndef WIRE_HTTP_STAGE_H
#define WIRE_HTTP_STAGE_H

#include "base/bytes.h"
#include "env/env.h"
#include "env/sim/sim.h"
#include "wire/http.h"

/* While set, a stage that is opened words the server's own errors. */
extern bool stage_words_errors;

struct stage
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct http_server *server;
    uint32_t number;
    uint32_t handled;
    size_t big;
    size_t big_left;    /* of /pieces: not yet handed over */
    struct buffer seen; /* a line for each request */
    struct http_exchange *held;
    bool server_gone;
    int64_t live;
};

/* Memory faults are not expected while a stage opens and closes. limits and
 * world may be NULL. */
void stage_open(struct stage *stage, const struct http_limits *limits,
                const struct sim_options *world, uint64_t seed);

/* Close the server, and see that nothing is left of it. Clients must have been
 * closed. */
void stage_close(struct stage *stage);

/* Let virtual time pass. */
void stage_run(struct stage *stage, uint64_t us);

struct client
{
    struct stage *stage;
    struct env_stream *stream;
    struct buffer received;
    uint32_t writes; /* under way */
    bool connected;
    bool refused; /* the connect failed */
    bool ended;   /* the server has finished sending */
    bool lost;
    bool gone; /* closed on our side */
};

/* Connect, and run until that is settled. */
void client_open(struct stage *stage, struct client *client);

/* Send (copied). false when there was no memory. */
bool client_send(struct client *client, struct kan_slice bytes);
void client_finish(struct client *client);
void client_pause(struct client *client, bool paused);

/* Close, and run until it is closed. What was received stays. */
void client_close(struct client *client);
void client_fini(struct client *client);

/* Send text, run 100 ms of virtual time. */
void client_say(struct client *client, const char *text);

/* Whether all that was received is this; then forget it. */
void client_expect(struct client *client, const char *text);

/* How many answers were received, as far as they begin a line. */
uint32_t client_answers(const struct client *client);

enum cut
{
    CUT_NOWHERE,
    CUT_EVERYWHERE,
    CUT_RANDOM
};

/* Send bytes cut as told, finish, wait for the end: everything that came back
 * and, behind it, what the handler saw. Yours: buffer_fini(). */
void stage_tell(struct kan_slice bytes, enum cut cut, uint64_t seed,
                const struct http_limits *limits, struct buffer *ret_answers);

#endif /* WIRE_HTTP_STAGE_H */
