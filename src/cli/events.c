/* `kan events`: what happened to an entity, a line an event. */

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "cli/client.h"
#include "cli/command.h"

enum
{
    AGAIN_MS = 1000, /* until a lost connection is made anew */
    PAGE = 1000
};

struct job
{
    struct client client;
    struct buffer path; /* of the events, without a query */
    uint64_t after;
    bool json;
    int code;
};

/* --- printing ------------------------------------------------------------- */

static struct kan_slice text_of(const struct json_tree *tree,
                                const struct json_node *object,
                                const char *name)
{
    const struct json_node *member = json_member(tree, object, name);
    if (!member)
        return SLICE("");
    return member->kind == JSON_STRING ? member->text : member->raw;
}

/* "     3  2026-11-23T22:28:30.123Z  deposit {"amount":500}". */
static void print_event(struct job *job, const struct json_tree *tree,
                        const struct json_node *event)
{
    struct kan_slice step = text_of(tree, event, "step");
    struct kan_slice args = text_of(tree, event, "args");
    struct buffer line = BUFFER_INIT;
    uint64_t n;
    if (number_u64(text_of(tree, event, "n"), &n) == KAN_OK)
        job->after = n;
    if (job->json) {
        buffer_append(&line, event->raw);
    } else {
        buffer_print(&line, "%6.*s  %.*s  ",
                     SLICE_ARG(text_of(tree, event, "n")),
                     SLICE_ARG(text_of(tree, event, "time")));
        if (step.size)
            buffer_append(&line, step);
        else
            buffer_print(&line, "(%.*s)",
                         SLICE_ARG(text_of(tree, event, "event")));
        if (args.size && !slice_equal(args, SLICE("{}"))) {
            buffer_append_byte(&line, ' ');
            buffer_append(&line, args);
        }
    }
    buffer_append_byte(&line, '\n');
    (void)fwrite(line.bytes, 1, line.size, stdout);
    buffer_fini(&line);
}

/* --- pages ---------------------------------------------------------------- */

/* Print a page; false when it was the last one, or job->code says why not. */
static bool print_page(struct job *job, const struct client_answer *answer)
{
    struct json_tree tree = {0};
    bool more = false;
    enum kan_err err = json_parse(buffer_slice(&answer->body), NULL, &tree);
    const struct json_node *events =
        err == KAN_OK ? json_member(&tree, tree.nodes, "events") : NULL;
    if (!events) {
        (void)command_refuse("events", "what answers is no Kan");
        job->code = EXIT_FOUND;
    } else {
        for (const struct json_node *event = json_first(&tree, events); event;
             event = json_next(&tree, events, event))
            print_event(job, &tree, event);
        more = slice_equal(text_of(&tree, tree.nodes, "more"), SLICE("true"));
    }
    json_fini(&tree);
    return more;
}

static void print_all(struct job *job)
{
    struct client_answer answer = {0};
    struct buffer path = BUFFER_INIT;
    bool more = true;
    while (more && job->code == EXIT_DONE) {
        buffer_clear(&path);
        buffer_print(&path, "%s?limit=%d&after=%llu", buffer_text(&job->path),
                     PAGE, (unsigned long long)job->after);
        if (!client_ask(&job->client, "GET", buffer_text(&path),
                        (struct kan_slice){0}, &answer)) {
            job->code = EXIT_FOUND;
        } else if (answer.status != 200) {
            client_complain(&job->client, NULL, &answer);
            job->code = EXIT_FOUND;
        } else {
            more = print_page(job, &answer);
        }
    }
    (void)fflush(stdout);
    client_answer_fini(&answer);
    buffer_fini(&path);
}

/* --- following ------------------------------------------------------------ */

/* One whole server-sent event: its lines. */
static void take_block(struct job *job, struct kan_slice block)
{
    struct json_tree tree = {0};
    struct kan_slice data = {0};
    bool error = false;
    while (block.size) {
        struct kan_slice line;
        slice_cut(&block, '\n', &line);
        if (slice_starts(line, SLICE("data: ")))
            data = slice_skip(line, 6);
        error |= slice_equal(line, SLICE("event: error"));
    }
    if (!data.size || json_parse(data, NULL, &tree) != KAN_OK) {
        json_fini(&tree);
        return;
    }
    /* A step may be called error too: its event has an n. */
    if (error && !json_member(&tree, tree.nodes, "n")) {
        struct kan_slice message = text_of(&tree, tree.nodes, "message");
        (void)command_refuse("events", "%.*s", SLICE_ARG(message));
    } else {
        print_event(job, &tree, tree.nodes);
    }
    json_fini(&tree);
}

/* Print what is whole in text, and drop it. */
static void take_blocks(struct job *job, struct buffer *text)
{
    size_t end;
    while ((end = slice_find(buffer_slice(text), SLICE("\n\n"))) != SIZE_MAX) {
        take_block(job, slice_head(buffer_slice(text), end));
        buffer_consume(text, end + 2);
    }
    (void)fflush(stdout);
}

/* Follow until the connection is lost. false: it makes no sense to go on. */
static bool follow_once(struct job *job)
{
    struct client *client = &job->client;
    struct client_answer answer = {0};
    struct buffer lines = BUFFER_INIT;
    buffer_print(&lines, "Accept: text/event-stream\r\nLast-Event-ID: %llu\r\n",
                 (unsigned long long)job->after);
    bool there = client_send(client, "GET", buffer_text(&job->path),
                             buffer_text(&lines), (struct kan_slice){0}) &&
                 client_head(client, &answer.status);
    buffer_fini(&lines);
    bool refused = there && answer.status / 100 == 4;
    while (there && client_more(client, &answer.body)) {
        if (answer.status == 200)
            take_blocks(job, &answer.body);
        if (buffer_failed(&answer.body))
            break;
    }
    if (refused) {
        client_complain(client, NULL, &answer);
        job->code = EXIT_FOUND;
    }
    client_answer_fini(&answer);
    client_fini(client);
    return !refused;
}

static void follow(struct job *job)
{
    /* The first page also says when nobody answers at all. */
    print_all(job);
    while (job->code == EXIT_DONE && follow_once(job))
        (void)poll(NULL, 0, AGAIN_MS);
}

/* --- the command ---------------------------------------------------------- */

/* account/alice, as the path of its events. */
static int take_entity(struct job *job, const char *entity)
{
    struct kan_slice rest = entity ? kan_text(entity) : SLICE("");
    struct kan_slice type;
    if (!slice_cut(&rest, '/', &type) || !type.size || !rest.size)
        return command_refuse("events",
                              "name an entity, as in 'kan events "
                              "account/alice'");
    buffer_append_text(&job->path, "/kan/v1/entities/");
    client_encode(&job->path, type);
    buffer_append_byte(&job->path, '/');
    client_encode(&job->path, rest);
    buffer_append_text(&job->path, "/events");
    return EXIT_DONE;
}

static int run(int argc, const char *const *argv)
{
    const char *entity = NULL;
    const char *address = NULL;
    const char *after = NULL;
    const char *form = "text";
    bool follows = false;
    const struct command_flag flags[] = {{"address", 0, &address, NULL, NULL},
                                         {"after", 0, &after, NULL, NULL},
                                         {"follow", 'f', NULL, &follows, NULL},
                                         {"output", 'o', &form, NULL, NULL}};
    struct job job = {.client = {.socket = -1}};
    int code = command_parse("events", argc, argv, flags,
                             sizeof flags / sizeof flags[0], &entity);
    if (code != EXIT_DONE)
        return code;
    job.json = strcmp(form, "json") == 0;
    if (!job.json && strcmp(form, "text") != 0)
        return command_refuse("events",
                              "--output is '%s'; expected text or json", form);
    if (after && number_u64(kan_text(after), &job.after) != KAN_OK)
        return command_refuse(
            "events", "--after is '%s'; expected the n of an event", after);
    code = take_entity(&job, entity);
    if (code == EXIT_DONE)
        code = client_init(&job.client, "events", address);
    if (code == EXIT_DONE) {
        if (follows)
            follow(&job);
        else
            print_all(&job);
        code = job.code;
    }
    client_fini(&job.client);
    buffer_fini(&job.path);
    return code;
}

const struct command command_events = {
    .name = "events",
    .usage = "TYPE/ID [--after N] [--follow] [-o json] [--address URL]",
    .summary = "what happened to an entity, a line an event",
    .details =
        "Prints the events of an entity of a running Kan, in order, from the "
        "first or from behind N on. With --follow it goes on as they come, "
        "over restarts of Kan too, every event once. -o json prints each as "
        "the API has it. " CLIENT_ADDRESS_HELP,
    .run = run,
};
