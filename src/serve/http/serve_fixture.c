/* serve_fixture.c - see serve_fixture.h. */

#include "serve/http/serve_fixture.h"

#include "base/number.h"

static void on_shutdown(void *data, bool force)
{
    struct fixture *f = data;
    f->shutdowns++;
    f->forced = force;
}

static void on_closed(void *data)
{
    *(bool *)data = true;
}

void fixture_run(struct fixture *f, const bool *done)
{
    while (!*done && sim_step(f->world))
        continue;
}

/* --- the world ------------------------------------------------------------ */

static void open_store(struct fixture *f, int at, const char *name,
                       const struct engine_promises *profile)
{
    char why[128] = "";
    struct memory_options options = {.profile = profile};
    assert_int_equal(engine_memory_open(f->env, &options, &f->engines[at]),
                     KAN_OK);
    struct state_options state = {f->engines[at], SLICE("kan||")};
    assert_int_equal(state_store_new(&state, why, sizeof(why), &f->states[at]),
                     KAN_OK);
    f->stores[at] = (struct serve_store){.name = name,
                                         .type = "state.in-memory",
                                         .version = "v1",
                                         .state = f->states[at]};
}

void fixture_begin(struct fixture *f, const struct engine_promises *second)
{
    memset(f, 0, sizeof(*f));
    f->live = mem_live();
    tape_init_seed(&f->tape, 1);
    assert_int_equal(sim_world_new(&f->tape, NULL, &f->world), KAN_OK);
    assert_int_equal(sim_node_new(f->world, "kan", &f->env), KAN_OK);
    open_store(f, 0, "statestore", NULL);
    if (second)
        open_store(f, 1, "weak", second);
}

static void open_lock(struct fixture *f, int at, const char *name)
{
    char why[128] = "";
    struct lock_options options = {.engine = f->engines[at],
                                   .prefix = SLICE("lock||kan||")};
    assert_int_equal(
        lock_store_new(&options, why, sizeof(why), &f->lock_stores[at]),
        KAN_OK);
    f->locks[at] = (struct serve_lock){.name = name,
                                       .type = "lock.in-memory",
                                       .version = "v1",
                                       .lock = f->lock_stores[at]};
    f->lock_count++;
}

void fixture_locks(struct fixture *f)
{
    open_lock(f, 0, "lockstore");
    if (f->engines[1])
        open_lock(f, 1, "farlock");
}

void fixture_actors(struct fixture *f, const struct kan_module *module)
{
    struct buffer why = BUFFER_INIT;
    f->modules[0] = module;
    struct actor_options options = {.env = f->env,
                                    .engine = f->engines[0],
                                    .prefix = SLICE("actor||kan||"),
                                    .modules = f->modules,
                                    .module_count = 1};
    assert_int_equal(actor_host_new(&options, &f->actors, &why), KAN_OK);
    buffer_fini(&why);
}

void fixture_start(struct fixture *f, const struct serve_options *given)
{
    struct serve_options options = given ? *given : (struct serve_options){0};
    char why[128] = "";
    options.env = f->env;
    options.data = f;
    options.shutdown = on_shutdown;
    options.log = &f->log;
    options.locks = f->locks;
    options.lock_count = f->lock_count;
    options.actors = f->actors;
    options.modules = f->modules;
    options.module_count = f->actors ? 1 : 0;
    options.contracts = f->contracts;
    if (!options.store_count) {
        options.stores = f->stores;
        options.store_count = f->states[1] ? 2 : 1;
    } else {
        options.store_count = 0; /* the test asked for none */
    }
    assert_int_equal(serve_new(&options, &f->serve), KAN_OK);
    assert_int_equal(serve_listen(f->serve, SERVE_API, "127.0.0.1:3500", NULL,
                                  why, sizeof(why), &f->listener),
                     KAN_OK);
    serve_set_ready(f->serve, SERVE_OUTBOUND, true);
    serve_set_ready(f->serve, SERVE_APPLICATION, true);
}

void fixture_end(struct fixture *f)
{
    bool closed = !f->serve;
    if (f->serve && !f->closed)
        serve_close(f->serve, 100, &closed, on_closed);
    fixture_run(f, &closed);
    assert_true(closed || f->closed);
    if (f->end)
        f->end(f);
    if (f->actors) {
        closed = false;
        actor_host_close(f->actors, &closed, on_closed);
        fixture_run(f, &closed);
        assert_true(closed);
    }
    for (uint32_t i = 0; i < f->lock_count; i++) {
        closed = false;
        lock_store_close(f->lock_stores[i], &closed, on_closed);
        fixture_run(f, &closed);
        assert_true(closed);
    }
    for (int i = 0; i < 2; i++) {
        if (!f->states[i])
            continue;
        state_store_free(f->states[i]);
        closed = false;
        engine_close(f->engines[i], &closed, on_closed);
        fixture_run(f, &closed);
        assert_true(closed);
    }
    log_fini(&f->log);
    env_free(f->env);
    sim_world_free(f->world);
    tape_fini(&f->tape);
    assert_int_equal(mem_live(), f->live);
}

/* --- the client ----------------------------------------------------------- */

void fixture_read(void *data, enum kan_err err, struct kan_slice bytes)
{
    struct fixture *f = data;
    struct reply *reply = &f->reply;
    if (err != KAN_OK) {
        f->broken = err != KAN_END;
        f->ended = true;
        return;
    }
    assert_true(reply->size + bytes.size <= REPLY_MAX);
    memcpy(reply->bytes + reply->size, bytes.bytes, bytes.size);
    reply->size += bytes.size;
}

static void on_written(struct env_write *write, enum kan_err err)
{
    (void)write;
    (void)err;
}

static void on_connect(void *data, enum kan_err err, struct env_stream *stream)
{
    struct fixture *f = data;
    if (err != KAN_OK) {
        f->ended = true;
        return;
    }
    f->stream = stream;
    f->write.data = f;
    env_stream_read_start(stream, f, fixture_read);
    if (env_stream_write(stream, &f->write, f->request, on_written) != KAN_OK)
        f->ended = true;
}

/* Put the chunks of the body together, in place. */
static void reply_join(struct reply *reply, char *body, size_t size)
{
    char *out = body;
    struct kan_slice rest = kan_slice(body, size);
    reply->body.bytes = body;
    for (;;) {
        uint64_t count;
        struct kan_slice line;
        assert_true(slice_cut(&rest, '\n', &line));
        line.size--;
        assert_int_equal(number_hex(line, &count), KAN_OK);
        assert_true(count + 2 <= rest.size);
        if (!count)
            break;
        memmove(out, rest.bytes, count);
        out += count;
        rest = slice_skip(rest, count + 2);
    }
    assert_int_equal(rest.size, 2);
    reply->body.size = (size_t)(out - body);
}

/* Take the answer apart; fails the test unless it is whole. */
static void reply_parse(struct reply *reply)
{
    static const char chunked[] = "Transfer-Encoding: chunked\r\n";
    reply->status = 0;
    reply->body = (struct kan_slice){0};
    reply->head = "";
    if (!reply->size)
        return;
    assert_memory_equal(reply->bytes, "HTTP/1.1 ", 9);
    reply->status = atoi(reply->bytes + 9);
    char *end = strstr(reply->bytes, "\r\n\r\n");
    assert_non_null(end);
    end[2] = 0;
    reply->head = reply->bytes;
    char *body = end + 4;
    size_t size = reply->size - (size_t)(body - reply->bytes);
    const char *length = strstr(reply->head, "Content-Length: ");
    if (strstr(reply->head, chunked)) {
        reply_join(reply, body, size);
        return;
    }
    reply->body = kan_slice(body, size);
    if (length)
        assert_int_equal(atoi(length + 16), size);
    else
        assert_int_equal(size, 0);
}

/* Errors in JSON are well-formed and have both their members. */
static void reply_check(const struct reply *reply)
{
    struct json_tree tree = {0};
    if (reply->status < 400 ||
        (!strstr(reply->head, "Content-Type: application/json\r\n") &&
         !strstr(reply->head, "Content-Type: application/problem+json\r\n")))
        return;
    assert_int_equal(json_parse(reply->body, NULL, &tree), KAN_OK);
    assert_non_null(json_member(&tree, tree.nodes, "errorCode"));
    assert_non_null(json_member(&tree, tree.nodes, "message"));
    json_fini(&tree);
}

void fixture_begin_send(struct fixture *f, const char *address,
                        struct kan_slice bytes)
{
    f->request = bytes;
    f->ended = false;
    f->broken = false;
    f->stream = NULL;
    f->reply.size = 0;
    if (env_connect(f->env, address, f, on_connect) != KAN_OK)
        f->ended = true;
}

void fixture_gather(struct fixture *f)
{
    fixture_run(f, &f->ended);
    f->struck = mem_fault_struck();
    mem_fault(0, false);
    bool closed = !f->stream;
    if (f->stream)
        env_stream_close(f->stream, &closed, on_closed);
    fixture_run(f, &closed);
    f->reply.bytes[f->reply.size] = 0;
}

const struct reply *fixture_send(struct fixture *f, const char *address,
                                 struct kan_slice bytes)
{
    fixture_begin_send(f, address, bytes);
    fixture_gather(f);
    reply_parse(&f->reply);
    reply_check(&f->reply);
    if (!f->struck)
        assert_true(f->reply.status != 0);
    return &f->reply;
}

const struct reply *fixture_ask(struct fixture *f, const char *line,
                                const char *headers, struct kan_slice body)
{
    size_t room = strlen(line) + (headers ? strlen(headers) : 0) + 200;
    char *bytes = malloc(room + body.size);
    assert_non_null(bytes);
    int size = snprintf(bytes, room,
                        "%s HTTP/1.1\r\nHost: kan\r\nConnection: close\r\n%s",
                        line, headers ? headers : "");
    if (body.bytes)
        size += snprintf(bytes + size, room - (size_t)size,
                         "Content-Length: %zu\r\n", body.size);
    size += snprintf(bytes + size, room - (size_t)size, "\r\n");
    if (body.size)
        memcpy(bytes + size, body.bytes, body.size);
    const struct reply *reply = fixture_send(
        f, "127.0.0.1:3500", kan_slice(bytes, (size_t)size + body.size));
    free(bytes);
    return reply;
}

/* --- steps ---------------------------------------------------------------- */

bool contains(struct kan_slice whole, const char *part)
{
    return slice_find(whole, kan_text(part)) != SIZE_MAX;
}

void step_check(const struct step *step, const struct reply *reply)
{
    bool fine = reply->status == step->status;
    if (step->exact)
        fine = fine && slice_equal(reply->body, kan_text(step->exact));
    if (step->part)
        fine = fine && contains(reply->body, step->part);
    if (step->head)
        fine = fine && strstr(reply->head, step->head);
    if (reply->status == 204)
        fine =
            fine && !reply->body.size && !strstr(reply->head, "Content-Type");
    if (!fine)
        fail_msg("%s\n%s\nexpected %d %s%s %s, got:\n%s\n%.*s", step->line,
                 step->body ? step->body : "", step->status,
                 step->exact ? step->exact : "", step->part ? step->part : "",
                 step->head ? step->head : "", reply->head,
                 SLICE_ARG(reply->body));
}

void step_run(struct fixture *f, const struct step *step)
{
    struct kan_slice body = {0};
    if (step->body)
        body = kan_text(step->body);
    step_check(step, fixture_ask(f, step->line, step->headers, body));
}

uint64_t fixture_revision(struct fixture *f)
{
    return engine_cursor(f->engines[0]).revision;
}
