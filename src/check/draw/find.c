/* Finding the steps of a scenario in a space: at each state, the step whose
 * words are those of the line. */

#include "base/alloc.h"
#include "base/record.h"
#include "check/draw/run.h"

static const uint8_t kinds[] = {
    [SCENARIO_DELIVER] = SPACE_DELIVER, [SCENARIO_TIMER] = SPACE_TIMER,
    [SCENARIO_REQUEST] = SPACE_REQUEST, [SCENARIO_LIE] = SPACE_LIE,
    [SCENARIO_CRASH] = SPACE_CRASH,     [SCENARIO_RESTART] = SPACE_RESTART,
    [SCENARIO_LOSE] = SPACE_LOSE,       [SCENARIO_DOUBLE] = SPACE_DOUBLE,
    [SCENARIO_JUMP] = SPACE_JUMP,       [SCENARIO_CUT] = SPACE_CUT,
    [SCENARIO_HEAL] = SPACE_HEAL,
};

enum
{
    SHOWN_MAX = 8 /* steps told as possible: a terminal's worth */
};

struct finder
{
    struct space *space;
    struct space_walker *walker;
    struct space_state *state;
    struct space_state *next;
    struct space_step *steps;
    uint32_t count;
    struct buffer json;    /* scratch */
    struct buffer mistake; /* in the JSON of the line: why it is none */
    bool failed;           /* out of memory */
    uint32_t starts[KAN_INSTANCES_MAX]; /* of the numbers in an actor's first
                                         * line, how many its start drew */
    const char *file;
    struct buffer *why;
};

/* A line may be written by hand: with other blanks, or fields left out. So it
 * is read as the struct that it stands for, and written again. */
static bool same_message(struct finder *finder, const char *json,
                         const struct space_words *words)
{
    struct kan_slice given = kan_text(json ? json : "{}");
    void *message = mem_zalloc(words->record->size);
    struct buffer as_read = BUFFER_INIT;
    enum kan_err err = message ? KAN_OK : KAN_NOMEM;
    bool same = false;

    buffer_clear(&finder->json);
    buffer_clear(&finder->mistake);
    if (err == KAN_OK)
        err = record_from_json(words->record, given, message, &finder->mistake);
    if (err == KAN_OK)
        err = record_to_json(words->record, message, &as_read);
    if (err == KAN_OK)
        err = record_to_json(words->record,
                             words->message ? words->message : message,
                             &finder->json);
    if (err == KAN_OK)
        same = slice_equal(buffer_slice(&as_read), buffer_slice(&finder->json));
    finder->failed |= err == KAN_NOMEM;
    mem_free(message);
    buffer_fini(&as_read);
    return same;
}

/* Whether the names are the actors of the group. */
static bool same_group(const struct finder *finder, const char *names,
                       uint64_t group)
{
    struct kan_slice rest = kan_text(names);

    while (rest.size > 0) {
        struct kan_slice name;
        uint32_t actor = 0;
        slice_cut(&rest, ' ', &name);
        if (name.size == 0)
            continue;
        while (actor < space_actor_count(finder->space) &&
               !slice_equal(
                   name, kan_text(space_actor_ref(finder->space, actor)->text)))
            actor++;
        if (actor == space_actor_count(finder->space) || !(group >> actor & 1))
            return false;
        group &= ~(UINT64_C(1) << actor);
    }
    return group == 0;
}

/* Whether it is a client outside: no actor of the space has that name. */
static bool is_outside(const struct finder *finder, const struct kan_ref *ref)
{
    if (strncmp(ref->text, "client/", 7) != 0)
        return ref->text[0] == '\0';
    for (uint32_t i = 0; i < space_actor_count(finder->space); i++) {
        if (kan_ref_equal(space_actor_ref(finder->space, i), ref))
            return false;
    }
    return true;
}

/* Clients outside have other names wherever a run was written down, and count
 * as one and the same. */
static bool same_sender(const struct finder *finder, const struct kan_ref *a,
                        const struct kan_ref *b)
{
    return kan_ref_equal(a, b) ||
           (is_outside(finder, a) && is_outside(finder, b));
}

static bool same_step(struct finder *finder, const struct space_step *step,
                      const struct scenario_event *event)
{
    struct space_words words;

    if (step->kind != kinds[event->kind] ||
        (!event->draws && step->choice != event->choice))
        return false;
    space_describe(finder->walker, step, &words);
    if (event->kind == SCENARIO_HEAL)
        return true;
    if (event->kind == SCENARIO_CUT)
        return same_group(finder, event->names, words.group);
    if (!kan_ref_equal(&words.to, &event->to))
        return false;
    if (event->kind == SCENARIO_JUMP)
        return words.jump_ms == event->jump_ms;
    if (!event->name)
        return true;
    if (!words.name || strcmp(words.name, event->name) != 0)
        return false;
    if (event->kind == SCENARIO_TIMER)
        return true;
    if (event->kind != SCENARIO_REQUEST &&
        !same_sender(finder, &words.from, &event->from))
        return false;
    return same_message(finder, event->json, &words);
}

/* The step as a line of a scenario would have it. */
static void print_step(struct finder *finder, const struct space_step *step)
{
    struct buffer *why = finder->why;
    struct space_words words;

    space_describe(finder->walker, step, &words);
    buffer_append_text(why, words.what);
    if (words.from.text[0] != '\0' && step->kind != SPACE_REQUEST)
        buffer_print(why, " %s ->", words.from.text);
    if (words.to.text[0] != '\0')
        buffer_print(why, " %s", words.to.text);
    for (uint32_t i = 0; i < space_actor_count(finder->space); i++) {
        if (words.group >> i & 1)
            buffer_print(why, " %s", space_actor_ref(finder->space, i)->text);
    }
    if (step->kind == SPACE_JUMP)
        buffer_print(why, " %lld", (long long)words.jump_ms);
    if (words.name)
        buffer_print(why, " %s", words.name);
    if (words.message) {
        buffer_append_byte(why, ' ');
        if (record_to_json(words.record, words.message, why) != KAN_OK)
            finder->failed = true;
    }
    if (step->choice > 0)
        buffer_print(why, " #%u", step->choice);
}

/* Say what would have been possible. */
static enum kan_err not_there(struct finder *finder,
                              const struct scenario_event *event)
{
    buffer_print(
        finder->why, "%s:%u: this step is not possible here%s%s%s%s",
        finder->file, event->line, finder->mistake.size > 0 ? " (" : "",
        buffer_text(&finder->mistake), finder->mistake.size > 0 ? ")" : "",
        finder->count > 0 ? "; these are: " : ": nothing is");
    for (uint32_t i = 0; i < finder->count && i < SHOWN_MAX; i++) {
        if (i > 0)
            buffer_append_text(finder->why, "; ");
        print_step(finder, &finder->steps[i]);
    }
    if (finder->count > SHOWN_MAX)
        buffer_print(finder->why, "; and %u more", finder->count - SHOWN_MAX);
    return finder->failed ? KAN_NOMEM : KAN_NOTFOUND;
}

/* The numbers in the line are none that the handler draws. */
static enum kan_err draws_others(struct finder *finder,
                                 const struct scenario_event *event,
                                 const char *who, const char *reason)
{
    buffer_print(finder->why,
                 "%s:%u: %s of %s draws other numbers than #%s%s%s",
                 finder->file, event->line, who, event->to.text, event->draws,
                 reason ? ": " : "", reason ? reason : "");
    return KAN_NOTFOUND;
}

/* Of the outcomes that the step at *at may have, the one with the numbers of
 * the line. */
static enum kan_err pick(struct finder *finder,
                         const struct scenario_event *event, uint32_t *at)
{
    struct space_step step = finder->steps[*at];
    uint32_t *start = &finder->starts[step.actor];
    const char *reason = NULL;
    uint64_t pairs[2 * SCENARIO_DRAWS_MAX];
    uint32_t count;
    enum kan_err err = scenario_draws_read(event->draws, pairs, &count);

    if (err == KAN_OK)
        err = space_drawn(finder->walker, finder->state, &step,
                          pairs + 2 * (size_t)*start, count - *start,
                          &step.choice);
    *start = 0;
    if (err == KAN_NOTFOUND && (step.flags & SPACE_BROKEN))
        reason = space_why(finder->walker, &step);
    if (err == KAN_NOTFOUND)
        return draws_others(finder, event,
                            event->name ? event->name : "restart", reason);
    if (err)
        return err;
    for (*at = 0; *at < finder->count; ++*at) {
        if (space_step_name(&finder->steps[*at]) == space_step_name(&step))
            break;
    }
    return KAN_OK;
}

/* Take the step, and note it in the run. */
static void take(struct finder *finder, uint32_t at, struct walk_run *run)
{
    const struct space_step *step = &finder->steps[at];

    run->steps[run->step_count++] = space_step_name(step);
    if (step->flags & SPACE_BROKEN)
        return;
    space_apply(finder->walker, finder->state, step, finder->next);
    struct space_state *swapped = finder->state;
    finder->state = finder->next;
    finder->next = swapped;
}

/* Which step the line is; finder->count when none is possible. */
static enum kan_err look(struct finder *finder,
                         const struct scenario_event *event, uint32_t *ret_at)
{
    uint32_t at = 0;
    buffer_clear(&finder->mistake);
    enum kan_err err = space_expand(finder->walker, finder->state,
                                    finder->steps, &finder->count);

    if (err) {
        buffer_print(finder->why, "%s:%u: %s", finder->file, event->line,
                     space_why(finder->walker, NULL));
        return err;
    }
    while (at < finder->count && !same_step(finder, &finder->steps[at], event))
        at++;
    if (at < finder->count && event->draws && !finder->failed)
        err = pick(finder, event, &at);
    *ret_at = at;
    return finder->failed ? KAN_NOMEM : err;
}

/* What happened live says that a client's message was taken, not that it was
 * sent: send it first, when that makes the line possible. */
static enum kan_err look_again(struct finder *finder,
                               const struct scenario_event *event,
                               struct walk_run *run, uint32_t *ret_at)
{
    struct scenario_event request = *event;
    enum kan_err err;
    uint32_t at;

    request.kind = SCENARIO_REQUEST;
    request.choice = 0;
    request.draws = NULL;
    err = look(finder, &request, &at);
    if (err)
        return err;
    if (at < finder->count)
        take(finder, at, run);
    return look(finder, event, ret_at);
}

static enum kan_err find_one(struct finder *finder,
                             const struct scenario_event *event, bool last,
                             struct walk_run *run)
{
    uint32_t at;
    enum kan_err err = look(finder, event, &at);

    if (err == KAN_OK && at == finder->count &&
        event->kind == SCENARIO_DELIVER && is_outside(finder, &event->from))
        err = look_again(finder, event, run, &at);
    if (err)
        return err;
    if (at == finder->count)
        return not_there(finder, event);
    if (finder->steps[at].flags & SPACE_BROKEN && !last) {
        buffer_print(finder->why, "%s:%u: the handler fails here: %s",
                     finder->file, event->line,
                     space_why(finder->walker, &finder->steps[at]));
        return KAN_NOTFOUND;
    }
    take(finder, at, run);
    return KAN_OK;
}

/* The line in which the actor first takes something; NULL: it does not. */
static const struct scenario_event *first_line(const struct scenario *scenario,
                                               const struct kan_ref *ref)
{
    for (uint32_t i = 0; i < scenario->event_count; i++) {
        const struct scenario_event *event = &scenario->events[i];
        if (event->kind != SCENARIO_REQUEST && event->kind != SCENARIO_LIE &&
            event->kind != SCENARIO_LOSE && kan_ref_equal(&event->to, ref))
            return event;
    }
    return NULL;
}

/* Actors start with the numbers that their first lines begin with. */
static enum kan_err find_first(struct finder *finder,
                               const struct scenario *scenario,
                               struct walk_run *run)
{
    uint64_t pairs[2 * SCENARIO_DRAWS_MAX];
    uint32_t count;

    for (uint32_t i = 0; i < space_actor_count(finder->space); i++) {
        const struct scenario_event *event =
            first_line(scenario, space_actor_ref(finder->space, i));
        enum kan_err err;
        if (!event || !event->draws || event->kind == SCENARIO_CRASH ||
            event->kind == SCENARIO_RESTART)
            continue;
        err = scenario_draws_read(event->draws, pairs, &count);
        if (err == KAN_OK)
            err = space_first_drawn(finder->walker, i, pairs, count,
                                    &run->first, &finder->starts[i]);
        if (err == KAN_NOTFOUND)
            return draws_others(finder, event, "the start", NULL);
        if (err)
            return err;
    }
    return KAN_OK;
}

static enum kan_err find_all(struct finder *finder,
                             const struct scenario *scenario,
                             struct walk_run *run)
{
    enum kan_err err = KAN_OK;

    if (run->first == 0)
        err = find_first(finder, scenario, run);
    if (err)
        return err;
    err = space_first(finder->walker, run->first, finder->state);
    if (err == KAN_NOTFOUND)
        buffer_print(finder->why, "%s: there is no first state %u",
                     finder->file, run->first);
    else if (err)
        buffer_print(finder->why, "%s: %s", finder->file,
                     space_why(finder->walker, NULL));
    for (uint32_t i = 0; err == KAN_OK && i < scenario->event_count; i++)
        err = find_one(finder, &scenario->events[i],
                       i + 1 == scenario->event_count, run);
    return err;
}

enum kan_err run_find(struct space *space, const struct scenario *scenario,
                      const char *file, struct walk_run *ret_run,
                      struct buffer *why)
{
    struct finder finder = {.space = space, .file = file, .why = why};
    struct walk_run run = {.first = scenario->first};
    enum kan_err err = space_walker_new(space, &finder.walker);

    finder.state = mem_alloc(sizeof *finder.state);
    finder.next = mem_alloc(sizeof *finder.next);
    finder.steps = mem_alloc(SPACE_STEPS_MAX * sizeof *finder.steps);
    run.steps = mem_alloc((2 * scenario->event_count + 1) * sizeof *run.steps);
    if (err == KAN_OK &&
        (!finder.state || !finder.next || !finder.steps || !run.steps))
        err = KAN_NOMEM;
    if (err == KAN_OK)
        err = find_all(&finder, scenario, &run);
    mem_free(finder.state);
    mem_free(finder.next);
    mem_free(finder.steps);
    buffer_fini(&finder.json);
    buffer_fini(&finder.mistake);
    space_walker_free(finder.walker);
    if (err) {
        mem_free(run.steps);
        return err;
    }
    *ret_run = run;
    return KAN_OK;
}
