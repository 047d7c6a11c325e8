/* `kan upgrade`: carry all entities of a type over to another version, while
 * they are served.
 *
 * Each is a request of its own, and one that is there already is left as it is:
 * so a run that was cut off is gone on with by saying it again. Several are
 * under way at a time, so that they share a commit's sync. */

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/number.h"
#include "cli/client.h"
#include "cli/command.h"

enum
{
    LANES = 16,
    PAGE = 1000,
    BAR = 40,
    BUSY_MS = 200, /* until a Kan that is too busy is asked again */
    BUSY_MAX = 100
};

struct job
{
    struct client lanes[LANES];
    struct buffer type; /* encoded */
    const char *name;
    uint64_t to;
    uint64_t count; /* of the entities; 0: not counted */
    uint64_t seen;
    uint64_t done;
    uint64_t failed;
    bool bar;
    bool lost; /* nobody answers any more */
};

/* --- progress ------------------------------------------------------------- */

static void draw_bar(const struct job *job)
{
    char bar[BAR + 1];
    if (!job->bar || !job->count)
        return;
    uint64_t seen = job->seen < job->count ? job->seen : job->count;
    int full = (int)(seen * BAR / job->count);
    for (int i = 0; i < BAR; i++)
        bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[BAR] = 0;
    fprintf(stderr, "\r[%s] %llu/%llu  %llu%%", bar, (unsigned long long)seen,
            (unsigned long long)job->count,
            (unsigned long long)(seen * 100 / job->count));
}

static void clear_bar(const struct job *job)
{
    if (job->bar && job->count)
        fprintf(stderr, "\r%*s\r", BAR + 50, "");
}

/* --- one entity ----------------------------------------------------------- */

static bool ask_one(struct job *job, struct client *client, struct kan_slice id)
{
    struct buffer path = BUFFER_INIT;
    struct buffer body = BUFFER_INIT;
    buffer_print(&path, "/kan/v1/entities/%s/", buffer_text(&job->type));
    client_encode(&path, id);
    buffer_append_text(&path, "/upgrade");
    buffer_print(&body, "{\"version\":%llu}", (unsigned long long)job->to);
    bool sent = client_send(client, "POST", buffer_text(&path), "",
                            buffer_slice(&body));
    buffer_fini(&path);
    buffer_fini(&body);
    return sent;
}

/* Once more, for one whose connection was lost or that was refused for now:
 * it is done already, or it is done now. */
static bool ask_again(struct job *job, struct client *client,
                      struct kan_slice id, struct client_answer *answer)
{
    for (int i = 0; i < BUSY_MAX; i++) {
        if (!ask_one(job, client, id) || !client_receive(client, answer))
            return false;
        if (answer->status != 503)
            return true;
        (void)poll(NULL, 0, BUSY_MS);
    }
    return true;
}

static void take_answer(struct job *job, struct kan_slice id,
                        const struct client_answer *answer)
{
    struct buffer why = BUFFER_INIT;
    job->seen++;
    if (answer->status == 200) {
        job->done++;
        return;
    }
    if (answer->status == 404)
        return; /* deleted meanwhile */
    job->failed++;
    client_message(answer, &why);
    clear_bar(job);
    (void)command_refuse("upgrade", "%s/%.*s stays as it is: %s", job->name,
                         SLICE_ARG(id), buffer_text(&why));
    buffer_fini(&why);
}

/* Up to LANES at once. */
static void upgrade_some(struct job *job, const struct kan_slice *ids,
                         uint32_t count)
{
    struct client_answer answer = {0};
    bool sent[LANES];
    for (uint32_t i = 0; i < count; i++)
        sent[i] = ask_one(job, &job->lanes[i], ids[i]);
    for (uint32_t i = 0; i < count; i++) {
        struct client *client = &job->lanes[i];
        bool there = sent[i] && client_receive(client, &answer);
        if (!there || answer.status == 503)
            there = ask_again(job, client, ids[i], &answer);
        if (there)
            take_answer(job, ids[i], &answer);
        else
            job->lost = true;
    }
    client_answer_fini(&answer);
}

/* --- pages ---------------------------------------------------------------- */

/* Ask for the page behind after. false after one line on stderr. */
static bool ask_page(struct job *job, struct kan_slice after,
                     struct client_answer *answer, struct json_tree *tree)
{
    struct buffer path = BUFFER_INIT;
    buffer_print(&path, "/kan/v1/entities/%s?limit=%d", buffer_text(&job->type),
                 PAGE);
    if (after.size) {
        buffer_append_text(&path, "&after=");
        client_encode(&path, after);
    }
    bool there = client_ask(&job->lanes[0], "GET", buffer_text(&path),
                            (struct kan_slice){0}, answer);
    buffer_fini(&path);
    if (there && answer->status != 200) {
        client_complain(&job->lanes[0], NULL, answer);
        there = false;
    }
    if (there &&
        json_parse(buffer_slice(&answer->body), NULL, tree) != KAN_OK) {
        (void)command_refuse("upgrade", "what answers is no Kan");
        there = false;
    }
    return there;
}

static void upgrade_page(struct job *job, const struct json_tree *tree)
{
    const struct json_node *list = json_member(tree, tree->nodes, "entities");
    const struct json_node *item = list ? json_first(tree, list) : NULL;
    while (item && !job->lost) {
        struct kan_slice ids[LANES];
        uint32_t count = 0;
        for (; item && count < LANES; item = json_next(tree, list, item)) {
            const struct json_node *id = json_member(tree, item, "id");
            if (id)
                ids[count++] = id->text;
        }
        upgrade_some(job, ids, count);
        draw_bar(job);
    }
}

static void count_page(struct job *job, const struct json_tree *tree)
{
    const struct json_node *list = json_member(tree, tree->nodes, "entities");
    const struct json_node *item = list ? json_first(tree, list) : NULL;
    for (; item; item = json_next(tree, list, item))
        job->count++;
}

/* Do so with every page. false: it ended early. */
static bool each_page(struct job *job,
                      void (*take)(struct job *job,
                                   const struct json_tree *tree))
{
    struct buffer after = BUFFER_INIT;
    bool fine = true;
    bool more = true;
    while (fine && more && !job->lost) {
        struct client_answer answer = {0};
        struct json_tree tree = {0};
        fine = ask_page(job, buffer_slice(&after), &answer, &tree);
        more = false;
        if (fine) {
            take(job, &tree);
            const struct json_node *next =
                json_member(&tree, tree.nodes, "after");
            more = next != NULL;
            buffer_clear(&after);
            if (next)
                buffer_append(&after, next->text);
        }
        json_fini(&tree);
        client_answer_fini(&answer);
    }
    buffer_fini(&after);
    return fine;
}

/* --- versions ------------------------------------------------------------- */

/* The newest version of the type among those of one source; 0: none. */
static uint64_t newest_of(const struct json_tree *tree,
                          const struct json_node *types, const char *name)
{
    uint64_t newest = 0;
    const struct json_node *type = types ? json_first(tree, types) : NULL;
    for (; type; type = json_next(tree, types, type)) {
        const struct json_node *called = json_member(tree, type, "type");
        const struct json_node *all = json_member(tree, type, "versions");
        if (!called || !slice_equal(called->text, kan_text(name)) || !all)
            continue;
        const struct json_node *one = json_first(tree, all);
        for (; one; one = json_next(tree, all, one)) {
            int64_t number = 0;
            const struct json_node *version = json_member(tree, one, "version");
            if (version && json_integer(version, &number) == KAN_OK &&
                (uint64_t)number > newest)
                newest = (uint64_t)number;
        }
    }
    return newest;
}

/* Find the newest version. EXIT_DONE, or one line on stderr. */
static int find_newest(struct job *job, uint64_t *ret_newest)
{
    struct client_answer answer = {0};
    struct json_tree tree = {0};
    int code = EXIT_FOUND;
    if (!client_ask(&job->lanes[0], "GET", "/kan/v1/contracts",
                    (struct kan_slice){0}, &answer)) {
        code = EXIT_FOUND;
    } else if (answer.status != 200) {
        client_complain(&job->lanes[0], NULL, &answer);
    } else if (json_parse(buffer_slice(&answer.body), NULL, &tree) == KAN_OK) {
        const struct json_node *list =
            json_member(&tree, tree.nodes, "contracts");
        const struct json_node *one = list ? json_first(&tree, list) : NULL;
        *ret_newest = 0;
        for (; one && !*ret_newest; one = json_next(&tree, list, one))
            *ret_newest =
                newest_of(&tree, json_member(&tree, one, "types"), job->name);
        code = *ret_newest ? EXIT_DONE
                           : command_refuse("upgrade",
                                            "no contract that is served has "
                                            "the type '%s'",
                                            job->name);
    }
    json_fini(&tree);
    client_answer_fini(&answer);
    return code;
}

static int upgrade(struct job *job, const char *to)
{
    uint64_t newest;
    int code = find_newest(job, &newest);
    if (code != EXIT_DONE)
        return code;
    job->to = newest;
    if (to && (number_u64(kan_text(to), &job->to) != KAN_OK || !job->to ||
               job->to > newest))
        return command_refuse("upgrade",
                              "--to is '%s'; expected a version from 1 to "
                              "%llu",
                              to, (unsigned long long)newest);
    job->bar = isatty(STDERR_FILENO) == 1;
    if (job->bar && !each_page(job, count_page))
        return EXIT_FOUND;
    bool whole = each_page(job, upgrade_page);
    clear_bar(job);
    if (job->lost)
        (void)command_refuse("upgrade",
                             "Kan went away; the same command goes on where "
                             "this one was");
    printf("%llu of type %s %s at version %llu%s",
           (unsigned long long)job->done, job->name,
           job->done == 1 ? "is" : "are", (unsigned long long)job->to,
           job->failed ? "" : "\n");
    if (job->failed)
        printf(", %llu could not be carried over\n",
               (unsigned long long)job->failed);
    return whole && !job->lost && !job->failed ? EXIT_DONE : EXIT_FOUND;
}

static int run(int argc, const char *const *argv)
{
    const char *address = NULL;
    const char *to = NULL;
    struct job job = {.name = NULL};
    const struct command_flag flags[] = {{"address", 0, &address, NULL, NULL},
                                         {"to", 0, &to, NULL, NULL}};
    int code = command_parse("upgrade", argc, argv, flags,
                             sizeof flags / sizeof flags[0], &job.name);
    if (code != EXIT_DONE)
        return code;
    if (!job.name)
        return command_refuse("upgrade",
                              "name a type, as in 'kan upgrade cart'");
    client_encode(&job.type, kan_text(job.name));
    for (int i = 0; i < LANES; i++)
        job.lanes[i].socket = -1;
    for (int i = 0; i < LANES && code == EXIT_DONE; i++)
        code = client_init(&job.lanes[i], "upgrade", address);
    if (code == EXIT_DONE)
        code = upgrade(&job, to);
    for (int i = 0; i < LANES; i++)
        client_fini(&job.lanes[i]);
    buffer_fini(&job.type);
    return code;
}

const struct command command_upgrade = {
    .name = "upgrade",
    .usage = "TYPE [--to VERSION] [--address URL]",
    .summary = "carry all entities of a type over to another version",
    .details =
        "Carries every entity of the type over to the newest version of a "
        "running Kan's contract, or to another one, up or down, while they are "
        "served. What was carried over is not touched again: a run that was "
        "cut off is gone on with by the same command. Says which entities "
        "could not be, and why, and ends with 1 then. " CLIENT_ADDRESS_HELP,
    .run = run,
};
