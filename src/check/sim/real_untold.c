/* Steps that were committed when the process died, and that nobody was told of.
 * The engine has the hash of all that the actor took: so what it took is found
 * by trying what it could have taken, and what it did by running the handlers
 * again. What a clock or a drawn number decides stays unknown. */

#include "base/alloc.h"
#include "base/record.h"
#include "check/sim/real.h"

enum
{
    UNTOLD_MAX = 8,    /* inputs in a row that are looked for */
    TRIES_MAX = 20000, /* hashes, until it is given up */
    EARLY_MS = 1
};

/* As far from any clock as a number in JSON goes. */
static const int64_t late_ms = INT64_C(1) << 53;

/* An input: a timer, a message of an actor, or one of a client. RESTART: what
 * comes before the next input when the actor felt a crash. */
struct untold
{
    enum path_input input;
    uint32_t timer;
    struct real_sent *sent;
    struct real_client *client;
};

struct search
{
    struct real_run *run;
    const struct real_actor *actor;
    struct path_id wanted;
    struct untold inputs[UNTOLD_MAX];
    uint32_t count;
    uint32_t tries;
};

/* --- what it took --------------------------------------------------------- */

static struct path_id path_after(const struct search *search,
                                 struct path_id path,
                                 const struct untold *untold)
{
    static const struct kan_ref nobody;
    const struct kan_actor_type *type = search->actor->type;
    struct kan_slice nothing = kan_slice(NULL, 0);

    if (untold->sent)
        return path_id_step(
            path, PATH_MESSAGE, untold->sent->record->name, &untold->sent->from,
            kan_slice(untold->sent->bytes, untold->sent->record->size));
    if (untold->client) {
        struct kan_ref from = kan_ref_number("client", untold->client->index);
        return path_id_step(path, PATH_MESSAGE, untold->client->record->name,
                            &from, untold->client->bytes);
    }
    if (untold->input == PATH_TIMER)
        return path_id_step(path, PATH_TIMER, type->timers[untold->timer].name,
                            &nobody, nothing);
    path = path_id_step(path, PATH_CRASH, "", &nobody, nothing);
    return path_id_step(path, PATH_RESTART, "", &nobody, nothing);
}

static bool reaches(struct search *search, struct path_id path, uint32_t more);

/* Whether the rest can follow when this is taken next. A message is taken once.
 */
static bool follows(struct search *search, struct path_id path,
                    struct untold untold, uint32_t more)
{
    if (search->tries == TRIES_MAX)
        return false;
    for (uint32_t i = 0; i < search->count; i++) {
        const struct untold *before = &search->inputs[i];
        if ((untold.sent && before->sent == untold.sent) ||
            (untold.client && before->client == untold.client))
            return false;
    }
    search->tries++;
    search->inputs[search->count++] = untold;
    if (reaches(search, path_after(search, path, &untold), more - 1))
        return true;
    search->count--;
    return false;
}

/* Whether so many inputs more lead to the path that the engine has. */
static bool reaches(struct search *search, struct path_id path, uint32_t more)
{
    const struct real_actor *actor = search->actor;
    struct real_run *run = search->run;
    bool found = false;

    if (more == 0)
        return real_same_path(path, search->wanted);
    for (struct list *link = run->sent.next; !found && link != &run->sent;
         link = link->next) {
        struct real_sent *sent = list_entry(link, struct real_sent, link);
        if (kan_ref_equal(&sent->to, &actor->ref))
            found = follows(search, path, (struct untold){.sent = sent}, more);
    }
    for (uint32_t i = 0; !found && i < run->client_count; i++) {
        struct real_client *client = &run->clients[i];
        if (client->waiting && !client->taken &&
            kan_ref_equal(&client->to, &actor->ref))
            found =
                follows(search, path, (struct untold){.client = client}, more);
    }
    for (uint32_t i = 0; !found && i < actor->type->timer_count; i++)
        found = follows(search, path,
                        (struct untold){.input = PATH_TIMER, .timer = i}, more);
    if (!found && search->count == 0)
        found =
            follows(search, path, (struct untold){.input = PATH_RESTART}, more);
    return found;
}

static bool find_inputs(struct search *search)
{
    for (uint32_t more = 1; more <= UNTOLD_MAX; more++) {
        if (reaches(search, search->actor->now, more))
            return true;
    }
    return false;
}

/* --- what it did ---------------------------------------------------------- */

static uint64_t draw_nothing(void *data, uint64_t n)
{
    (void)data;
    (void)n;
    return TURN_NO_CHOICE;
}

static struct turn_input input_of(const struct untold *untold)
{
    struct turn_input input = {.kind = TURN_MESSAGE};

    if (untold->sent) {
        input.sender = &untold->sent->from;
        input.record = untold->sent->record;
        input.message = untold->sent->bytes;
    } else if (untold->client) {
        input.record = untold->client->record;
        input.message = untold->client->bytes.bytes;
    } else {
        input.kind = untold->input == PATH_TIMER ? TURN_TIMER : TURN_RESTART;
        input.timer = untold->timer;
    }
    return input;
}

/* One play of all that it took. notes: only these are wanted, and nothing is
 * told; NULL: it is told as any step is. */
struct again
{
    struct real_run *run;
    struct real_actor *actor;
    void *state;
    int64_t now_ms;
    struct buffer *notes;
};

/* false: it needs to draw a number, or fails. */
static bool play_one(struct again *again, struct turn_input input)
{
    const struct simulator *simulator = again->run->simulator;
    struct real_actor *actor = again->actor;
    struct kan_ref client = kan_ref_number("client", 0);
    const struct turn_output *output;

    input.type = actor->type;
    input.self = &actor->ref;
    if (input.kind == TURN_MESSAGE && !input.sender)
        input.sender = &client;
    input.now_ms = again->now_ms;
    input.parameters = simulator->parameters;
    input.parameter_count = simulator->parameter_count;
    input.choose = draw_nothing;
    output = turn_run(simulator->turn, &input, again->state);
    if (output->end == TURN_DONE)
        memcpy(again->state, output->state, actor->type->state->size);
    else if (output->end != TURN_REFUSED && output->end != TURN_UNHANDLED)
        return false;
    if (again->notes)
        buffer_append(again->notes,
                      kan_slice(output->notes,
                                output->note_count * sizeof *output->notes));
    else
        real_history_did(again->run, actor, &input, output);
    return true;
}

static bool play(struct again *again, const struct search *search)
{
    const struct real_actor *actor = again->actor;
    bool played = true;

    memcpy(again->state, actor->died, actor->type->state->size);
    if (!actor->started && actor->type->start)
        played = play_one(again, (struct turn_input){.kind = TURN_START});
    for (uint32_t i = 0; played && i < search->count; i++)
        played = play_one(again, input_of(&search->inputs[i]));
    return played;
}

/* Whether it does the same at any time. */
static bool does_one_thing(struct again *again, const struct search *search)
{
    struct buffer early = BUFFER_INIT;
    struct buffer late = BUFFER_INIT;
    bool same;

    again->now_ms = late_ms;
    again->notes = &late;
    same = play(again, search);
    again->now_ms = EARLY_MS;
    again->notes = &early;
    same = same && play(again, search) &&
           slice_equal(buffer_slice(&early), buffer_slice(&late));
    if (buffer_failed(&early) || buffer_failed(&late))
        again->run->err = KAN_NOMEM;
    buffer_fini(&early);
    buffer_fini(&late);
    again->notes = NULL;
    return same;
}

static void tell(struct again *again, const struct search *search)
{
    again->run->simulator->untold_found += search->count;
    (void)play(again, search);
    for (uint32_t i = 0; i < search->count; i++) {
        if (search->inputs[i].sent)
            real_sent_remove(search->inputs[i].sent);
    }
}

void real_untold(struct real_run *run, struct real_actor *actor,
                 struct path_id path)
{
    struct search search = {.run = run, .actor = actor, .wanted = path};
    struct again again = {.run = run, .actor = actor};

    if (!run->observed)
        return;
    again.state = mem_zalloc(actor->type->state->size + 1u);
    if (!again.state || !actor->died)
        run->err = KAN_NOMEM;
    else if (find_inputs(&search) && does_one_thing(&again, &search))
        tell(&again, &search);
    else
        real_history_lose(run, actor);
    mem_free(again.state);
}
