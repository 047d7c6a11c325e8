/* A run put into words. The space's own structs last as long as the space, so
 * what changed at a step is told by comparing two pointers. */

#include "check/draw/run.h"

#include "base/alloc.h"
#include "base/record.h"

/* Texts of a run, freed together. */
struct text
{
    struct text *next;
    char bytes[];
};

struct maker
{
    struct run *run;
    struct space *space;
    uint32_t step_capacity;
    uint32_t message_capacity;
    bool failed;        /* out of memory */
    bool open;          /* the last step waits for the state it leads to */
    const void *before; /* the actor's struct, before the open step */
    int64_t moves;      /* ms that its clock moves with it */
};

/* --- texts ---------------------------------------------------------------- */

static const char *keep(struct maker *maker, struct kan_slice slice)
{
    struct text *text = mem_alloc(sizeof *text + slice.size + 1);

    if (!text) {
        maker->failed = true;
        return "";
    }
    if (slice.size > 0)
        memcpy(text->bytes, slice.bytes, slice.size);
    text->bytes[slice.size] = '\0';
    text->next = maker->run->texts;
    maker->run->texts = text;
    return text->bytes;
}

static const char *keep_text(struct maker *maker, const char *text)
{
    return keep(maker, kan_text(text));
}

/* The buffer's text; the buffer is gone afterwards. */
static const char *keep_buffer(struct maker *maker, struct buffer *buffer)
{
    const char *text = keep(maker, buffer_slice(buffer));

    maker->failed |= buffer_failed(buffer);
    buffer_fini(buffer);
    return text;
}

static const char *keep_json(struct maker *maker,
                             const struct space_words *words)
{
    struct buffer json = BUFFER_INIT;

    if (!words->record || words->record->size == 0)
        return NULL;
    if (record_to_json(words->record, words->message, &json) != KAN_OK)
        maker->failed = true;
    return keep_buffer(maker, &json);
}

/* --- lanes ---------------------------------------------------------------- */

static uint32_t lane_of(const struct maker *maker, const struct kan_ref *ref)
{
    for (uint32_t i = 0; i < space_actor_count(maker->space); i++) {
        if (kan_ref_equal(space_actor_ref(maker->space, i), ref))
            return i;
    }
    return UINT32_MAX;
}

static enum kan_err make_lanes(struct maker *maker)
{
    struct run *run = maker->run;
    uint32_t count = space_actor_count(maker->space);

    run->lanes = mem_zalloc((count + 1) * sizeof *run->lanes);
    if (!run->lanes)
        return KAN_NOMEM;
    run->lane_count = count;
    for (uint32_t i = 0; i < count; i++)
        run->lanes[i] =
            keep_text(maker, space_actor_ref(maker->space, i)->text);
    return maker->failed ? KAN_NOMEM : KAN_OK;
}

/* --- messages ------------------------------------------------------------- */

/* Room for one more element of an array, or NULL. */
static void *grow(void *elements, uint32_t count, uint32_t *capacity,
                  size_t size)
{
    uint32_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown;

    if (count < *capacity)
        return elements;
    grown = mem_realloc(elements, wanted * size);
    if (grown)
        *capacity = wanted;
    return grown;
}

static bool add_message(struct maker *maker, const struct space_words *words,
                        uint32_t sent_at)
{
    struct run *run = maker->run;
    struct run_message *messages =
        grow(run->messages, run->message_count, &maker->message_capacity,
             sizeof *run->messages);

    if (!messages) {
        maker->failed = true;
        return false;
    }
    run->messages = messages;
    messages[run->message_count++] = (struct run_message){
        .from = lane_of(maker, &words->from),
        .to = lane_of(maker, &words->to),
        .name = keep_text(maker, words->name),
        .json = keep_json(maker, words),
        .sent_at = sent_at,
        .taken_at = UINT32_MAX,
    };
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The oldest such message that nobody has taken. When there is none: a copy of
 * the one taken last, where messages stay after they were taken; else a new
 * one, sent at the start. */
static uint32_t take_message(struct maker *maker,
                             const struct space_words *words, const char *json,
                             uint32_t step, bool lost)
{
    struct run *run = maker->run;
    uint32_t from = lane_of(maker, &words->from);
    uint32_t to = lane_of(maker, &words->to);
    uint32_t sent_at = UINT32_MAX;
    uint32_t at = 0;

    for (; at < run->message_count; at++) {
        const struct run_message *message = &run->messages[at];
        if (message->from != from || message->to != to ||
            !same_text(message->name, words->name) ||
            !same_text(message->json, json))
            continue;
        if (message->taken_at == UINT32_MAX)
            break;
        sent_at = message->sent_at;
    }
    if (at == run->message_count && !add_message(maker, words, sent_at))
        return UINT32_MAX;
    run->messages[at].taken_at = step;
    run->messages[at].lost = lost;
    return at;
}

enum
{
    SENDS_MAX = KAN_SENDS_MAX + 8
};

static void add_sends(struct maker *maker, struct space_walker *walker,
                      const struct space_step *step, uint32_t number)
{
    struct space_words sends[SENDS_MAX];
    uint32_t count = space_sends(walker, step, sends, SENDS_MAX);

    for (uint32_t i = 0; i < count && i < SENDS_MAX; i++)
        (void)add_message(maker, &sends[i], number);
}

/* --- steps ---------------------------------------------------------------- */

static const enum scenario_kind kinds[] = {
    [SPACE_DELIVER] = SCENARIO_DELIVER, [SPACE_TIMER] = SCENARIO_TIMER,
    [SPACE_REQUEST] = SCENARIO_REQUEST, [SPACE_LIE] = SCENARIO_LIE,
    [SPACE_CRASH] = SCENARIO_CRASH,     [SPACE_RESTART] = SCENARIO_RESTART,
    [SPACE_LOSE] = SCENARIO_LOSE,       [SPACE_DOUBLE] = SCENARIO_DOUBLE,
    [SPACE_JUMP] = SCENARIO_JUMP,       [SPACE_CUT] = SCENARIO_CUT,
    [SPACE_HEAL] = SCENARIO_HEAL,
};

static const char *keep_group(struct maker *maker, uint64_t group)
{
    struct buffer names = BUFFER_INIT;

    for (uint32_t i = 0; i < space_actor_count(maker->space); i++) {
        if (group >> i & 1)
            buffer_print(&names, "%s%s", names.size ? " " : "",
                         space_actor_ref(maker->space, i)->text);
    }
    return keep_buffer(maker, &names);
}

/* What a step is, as a line of a scenario. */
static struct scenario_event event_of(struct maker *maker,
                                      const struct space_step *step,
                                      const struct space_words *words)
{
    struct scenario_event event = {
        .kind = kinds[step->kind],
        .from = words->from,
        .to = words->to,
        .name = words->name ? keep_text(maker, words->name) : NULL,
        .json = keep_json(maker, words),
        .choice = step->choice,
        .jump_ms = words->jump_ms,
    };

    if (step->kind == SPACE_CUT)
        event.names = keep_group(maker, words->group);
    return event;
}

/* Append what the step changed. Times are compared as if the actor's clock had
 * not moved: that it has is no change of theirs. */
static void add_changes(struct maker *maker, const struct kan_record *record,
                        const void *after, struct buffer *changes)
{
    void *moved = mem_copy(after, record->size);

    if (!moved) {
        maker->failed = true;
        return;
    }
    if (maker->moves != 0)
        record_shift_times(record, moved, maker->moves, 0);
    if (record_diff(record, maker->before, moved, changes) != KAN_OK)
        maker->failed = true;
    mem_free(moved);
}

/* Close the open step, now that the state it leads to is known. */
static void end_step(struct maker *maker, struct space_walker *walker,
                     const struct space_state *state)
{
    struct run_step *step = &maker->run->steps[maker->run->step_count - 1];
    struct buffer changes = BUFFER_INIT;

    maker->open = false;
    if (step->lane == UINT32_MAX)
        return;
    const void *after = space_actor_state(walker, state, step->lane);
    if (maker->before && after && maker->before != after)
        add_changes(maker, space_actor_type(maker->space, step->lane)->state,
                    after, &changes);
    step->changes = keep_buffer(maker, &changes);
}

/* The lane where a step shows: the actor's; of a lie the liar's, who sends it
 * then. */
static uint32_t lane_of_step(const struct maker *maker,
                             const struct space_step *step,
                             const struct space_words *words)
{
    if (step->kind == SPACE_LIE)
        return lane_of(maker, &words->from);
    return step->actor == UINT8_MAX ? UINT32_MAX : step->actor;
}

/* What the step, the number-th, takes and sends. */
static void follow_messages(struct maker *maker, struct space_walker *walker,
                            const struct space_step *step,
                            const struct space_words *words, uint32_t number)
{
    struct run_step *made = &maker->run->steps[number];

    switch ((enum space_kind)step->kind) {
    case SPACE_REQUEST:
    case SPACE_LIE:
        (void)add_message(maker, words, number);
        break;
    case SPACE_DELIVER:
    case SPACE_LOSE:
    case SPACE_DOUBLE:
        made->message = take_message(maker, words, made->event.json, number,
                                     step->kind == SPACE_LOSE);
        break;
    default:
        break;
    }
    if (!(step->flags & SPACE_BROKEN))
        add_sends(maker, walker, step, number);
}

static bool on_step(void *data, struct space_walker *walker,
                    const struct space_state *state,
                    const struct space_step *step)
{
    struct maker *maker = data;
    struct run *run = maker->run;
    struct run_step *steps;
    struct space_words words;

    if (maker->open)
        end_step(maker, walker, state);
    if (!step)
        return !maker->failed;
    steps = grow(run->steps, run->step_count, &maker->step_capacity,
                 sizeof *run->steps);
    if (!steps) {
        maker->failed = true;
        return false;
    }
    run->steps = steps;
    space_describe(walker, step, &words);
    struct run_step *made = &steps[run->step_count++];
    *made = (struct run_step){
        .event = event_of(maker, step, &words),
        .lane = lane_of_step(maker, step, &words),
        .message = UINT32_MAX,
        .changes = "",
    };
    follow_messages(maker, walker, step, &words, run->step_count - 1);
    if (step->flags & SPACE_BROKEN) {
        made->why = keep_text(maker, space_why(walker, step));
        return !maker->failed;
    }
    maker->before = made->lane == UINT32_MAX
                        ? NULL
                        : space_actor_state(walker, state, made->lane);
    maker->moves = space_clock_moves(walker, state, step);
    maker->open = true;
    return !maker->failed;
}

/* --- runs ----------------------------------------------------------------- */

/* The path's id, by a second walk along the run. */
struct path_maker
{
    struct path_id *actors;
    struct path_id path;
};

static bool on_path_step(void *data, struct space_walker *walker,
                         const struct space_state *state,
                         const struct space_step *step)
{
    struct path_maker *maker = data;

    (void)state;
    if (step && !(step->flags & SPACE_BROKEN))
        space_path_step(walker, step, maker->actors, &maker->path);
    return true;
}

static enum kan_err find_path(struct maker *maker, const struct walk_run *steps)
{
    uint32_t count = space_actor_count(maker->space);
    struct path_maker path = {
        .actors = mem_zalloc((count + 1) * sizeof *path.actors),
    };
    enum kan_err err;

    if (!path.actors)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        path.actors[i] = path_id_actor(space_actor_ref(maker->space, i));
    err = walk_follow(maker->space, steps, on_path_step, &path);
    maker->run->path = path.path;
    mem_free(path.actors);
    return err;
}

enum kan_err run_new(struct space *space, const struct walk_run *steps,
                     const char *title, const char *verdict,
                     struct run **ret_run)
{
    struct maker maker = {.run = mem_zalloc(sizeof *maker.run), .space = space};
    enum kan_err err;

    if (!maker.run)
        return KAN_NOMEM;
    maker.run->title = keep_text(&maker, title);
    maker.run->verdict = keep_text(&maker, verdict);
    err = make_lanes(&maker);
    if (err == KAN_OK)
        err = walk_follow(space, steps, on_step, &maker);
    if (err == KAN_OK)
        err = find_path(&maker, steps);
    if (err == KAN_OK && maker.failed)
        err = KAN_NOMEM;
    if (err) {
        run_free(maker.run);
        return err;
    }
    *ret_run = maker.run;
    return KAN_OK;
}

struct run *run_free(struct run *run)
{
    if (!run)
        return NULL;
    for (struct text *text = run->texts; text;) {
        struct text *next = text->next;
        mem_free(text);
        text = next;
    }
    mem_free(run->lanes);
    mem_free(run->steps);
    mem_free(run->messages);
    return mem_free(run);
}

enum kan_err run_write(const struct run *run, const struct scenario *head,
                       struct buffer *out)
{
    enum kan_err err = scenario_write_head(head, out);

    for (uint32_t i = 0; err == KAN_OK && i < run->step_count; i++)
        err = scenario_write_event(&run->steps[i].event, out);
    return err ? err : scenario_write_path(run->path, out);
}
