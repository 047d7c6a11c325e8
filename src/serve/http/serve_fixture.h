/* serve_fixture.h - a simulated world with one Kan in it, and a client that
 * speaks bytes to it. For the tests of this folder. */

#ifndef SERVE_HTTP_SERVE_FIXTURE_H
#define SERVE_HTTP_SERVE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "engine/memory/memory.h"
#include "env/sim/sim.h"
#include "serve/http/serve.h"

enum
{
    REPLY_MAX = 8 << 20
};

/* Outside of mem_alloc(), so that fault loops do not strike the client. */
struct reply
{
    int status; /* 0: no answer, the connection just ended */
    const char *head;
    struct kan_slice body; /* chunks put together */
    char bytes[REPLY_MAX + 1];
    size_t size;
};

struct fixture
{
    int64_t live;
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engines[2];
    struct state_store *states[2];
    struct serve_store stores[2];
    struct lock_store *lock_stores[2];
    struct serve_lock locks[2];
    uint32_t lock_count;
    const struct kan_module *modules[1];
    struct actor_host *actors;
    const struct serve_contracts *contracts;
    void (*end)(struct fixture *f); /* closes what contracts names; or NULL */
    struct serve *serve;
    struct log log;
    uint32_t listener;
    int shutdowns;
    bool forced;
    bool closed;

    struct env_stream *stream;
    struct env_write write;
    struct kan_slice request;
    bool ended; /* nothing more will come */
    bool broken;
    bool struck; /* a fault of memory did, in the last request */
    struct reply reply;
};

/* Make the world and a store named "statestore" on an engine in memory; and one
 * named "weak" whose engine promises no more than second, unless it is NULL. */
void fixture_begin(struct fixture *f, const struct engine_promises *second);

/* A lock store named "lockstore" on the first engine and, if there is a second,
 * one named "farlock" there. Before fixture_start(). */
void fixture_locks(struct fixture *f);

/* Serve the actors of the module, on the first engine. Before fixture_start().
 */
void fixture_actors(struct fixture *f, const struct kan_module *module);

/* Start to serve, everything ready. Of given, which may be NULL, what belongs
 * to the fixture is ignored; a store_count other than 0 asks for no store. */
void fixture_start(struct fixture *f, const struct serve_options *options);

/* Close all; fails the test when a block of memory is left. */
void fixture_end(struct fixture *f);

/* Connect and begin to send bytes (borrowed until fixture_gather()). */
void fixture_begin_send(struct fixture *f, const char *address,
                        struct kan_slice bytes);

/* Gather in f->reply what comes until the server closes, as it comes. Ends a
 * fault of memory. */
void fixture_gather(struct fixture *f);

/* What the client does with what comes, so that a test can let it stop and go
 * on. */
void fixture_read(void *data, enum kan_err err, struct kan_slice bytes);

/* Both, and take apart the one answer that came; it must be whole. */
const struct reply *fixture_send(struct fixture *f, const char *address,
                                 struct kan_slice bytes);

/* One request, to the first listener. headers are lines or NULL; body NULL
 * means none. */
const struct reply *fixture_ask(struct fixture *f, const char *line,
                                const char *headers, struct kan_slice body);

/* Run what is ready until done is set or nothing can happen any more. */
void fixture_run(struct fixture *f, const bool *done);

/* A request and what must come of it. */
struct step
{
    const char *line;    /* "GET /v1.0/..." */
    const char *headers; /* or NULL */
    const char *body;    /* or NULL for none */
    int status;
    const char *exact; /* the whole body, or NULL */
    const char *part;  /* text in the body, or NULL */
    const char *head;  /* text in the head, or NULL */
};

/* Fails the test, and shows both, unless the reply is as the step wants it. */
void step_check(const struct step *step, const struct reply *reply);

/* Ask, and check. */
void step_run(struct fixture *f, const struct step *step);

#define RUN(f, steps)                                                     \
    for (size_t at_ = 0; at_ < sizeof(steps) / sizeof((steps)[0]); at_++) \
    step_run(f, &(steps)[at_])

bool contains(struct kan_slice whole, const char *part);

/* The newest revision of the first store: equal means nothing was written. */
uint64_t fixture_revision(struct fixture *f);

/* Rows of tables leave out what they do not ask for. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define STORE "/v1.0/state/statestore"

#endif /* SERVE_HTTP_SERVE_FIXTURE_H */
