/* Runs in words: of the models that ship, right up to where they fail and drawn
 * at random with every fault; written down and found again; and drawn. */

#include "check/draw/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/utf8.h"
#include "block/actor/guard.h"
#include "models/models.h"

/* --- a model of the test -------------------------------------------------- */

/* An actor that sends texts to itself that XML would trip over. */
struct note
{
    char text[16];
    uint8_t number;
};
KAN_RECORD(note, 1, KAN_TEXT(note, text), KAN_INT(note, number, 0, 9));

struct writer
{
    struct note last;
};
KAN_RECORD(writer, 1, KAN_STRUCT(writer, last, note_record));

static void writer_start(kan_turn *turn, void *state, const void *message)
{
    struct note note = {.text = "<&\">", .number = 1};

    (void)state;
    (void)message;
    kan_send(turn, turn->self, &note_record, &note);
}

static void writer_note(kan_turn *turn, void *state, const void *message)
{
    struct writer *writer = state;
    struct note note = *(const struct note *)message;

    writer->last = note;
    kan_claim(turn, note.number != kan_parameter(turn, 0), "a <note> & more");
    if (++note.number <= 3)
        kan_send(turn, turn->self, &note_record, &note);
}

static const struct kan_handler writer_handlers[] = {
    {&note_record, writer_note}};
static const struct kan_actor_type writer_type = {
    .name = "writer",
    .state = &writer_record,
    .start = writer_start,
    KAN_HANDLERS(writer_handlers),
};

static void writers_setup(kan_setup *setup)
{
    struct note note = {.number = 7};

    kan_setup_actor(setup, &writer_type, 0);
    kan_setup_request(setup, kan_ref_number("writer", 0), &note_record, &note,
                      1);
}

static const struct kan_model_parameter writers_parameters[] = {
    {"broken", 0, 0, 9, "the note that breaks"},
};
static const struct kan_model writers = {
    .name = "writers",
    KAN_PARAMETERS(writers_parameters),
    .setup = writers_setup,
};
KAN_MODULE(&writers, &writer_type);

/* --- subjects ------------------------------------------------------------- */

struct subject
{
    const struct kan_module *module;
    int64_t parameters[KAN_PARAMETERS_MAX];
    struct space *space;
};

static const struct kan_module *find_module(const char *name)
{
    uint32_t number = 0;

    if (strcmp(name, "writers") == 0)
        return &kan_module;
    while (models_at(number) &&
           strcmp(models_at(number)->model->name, name) != 0)
        number++;
    assert_non_null(models_at(number));
    return models_at(number);
}

/* setting: "fixed=0", of one parameter, or "". */
static void set_parameter(struct subject *subject, const char *setting)
{
    const struct kan_model *model = subject->module->model;
    struct kan_slice value = kan_text(setting);
    struct kan_slice name;
    uint32_t at = 0;

    for (uint32_t i = 0; i < model->parameter_count; i++)
        subject->parameters[i] = model->parameters[i].preset;
    if (!slice_cut(&value, '=', &name))
        return;
    while (at < model->parameter_count &&
           !slice_equal(name, kan_text(model->parameters[at].name)))
        at++;
    assert_true(at < model->parameter_count);
    assert_int_equal(number_i64(value, &subject->parameters[at]), KAN_OK);
}

/* KAN_INVALID when the model cannot have such faults. */
static enum kan_err subject_open(struct subject *subject, const char *name,
                                 const char *setting,
                                 const struct kan_faults *faults)
{
    struct buffer why = BUFFER_INIT;
    enum kan_err err;

    assert_int_equal(guard_install(), KAN_OK);
    *subject = (struct subject){.module = find_module(name)};
    set_parameter(subject, setting);
    const struct space_options options = {
        .module = subject->module,
        .model = subject->module->model,
        .parameters = subject->parameters,
        .faults = faults,
    };
    err = space_new(&options, &subject->space, &why);
    if (err && !faults)
        fail_msg("%s: %s", name, buffer_text(&why));
    buffer_fini(&why);
    return err;
}

static struct run *put_into_words(struct space *space,
                                  const struct walk_run *steps)
{
    struct run *run = NULL;

    assert_int_equal(run_new(space, steps, "a <title>", "a & verdict", &run),
                     KAN_OK);
    assert_int_equal(run->step_count, steps->step_count);
    return run;
}

static enum kan_err find_text(struct space *space, const char *text,
                              struct walk_run *ret_run, struct buffer *why)
{
    struct scenario scenario;
    enum kan_err err = scenario_read(kan_text(text), "f.path", &scenario, why);

    if (err)
        return err;
    err = run_find(space, &scenario, "f.path", ret_run, why);
    scenario_fini(&scenario);
    return err;
}

/* --- what holds for every run --------------------------------------------- */

/* Each step that takes a message has it, and it was sent before; nobody takes
 * what another took. */
static void check_messages(const struct run *run)
{
    for (uint32_t i = 0; i < run->step_count; i++) {
        const struct run_step *step = &run->steps[i];
        bool takes = step->event.kind == SCENARIO_DELIVER ||
                     step->event.kind == SCENARIO_LOSE ||
                     step->event.kind == SCENARIO_DOUBLE;
        assert_int_equal(takes, step->message != UINT32_MAX);
        if (!takes)
            continue;
        assert_true(step->message < run->message_count);
        const struct run_message *message = &run->messages[step->message];
        assert_int_equal(message->taken_at, i);
        assert_int_equal(message->lost, step->event.kind == SCENARIO_LOSE);
        assert_true(message->sent_at == UINT32_MAX || message->sent_at < i);
        assert_string_equal(message->name, step->event.name);
        assert_string_equal(run->lanes[message->to], step->event.to.text);
    }
}

/* The path along the run, by the space. */
struct pace
{
    struct path_id actors[KAN_INSTANCES_MAX];
    struct path_id path;
    const struct space *space;
    const struct run *run;
    uint32_t number;
    const void *before;
    int64_t moves; /* of the clock, with the last step */
};

static bool on_pace(void *data, struct space_walker *walker,
                    const struct space_state *state,
                    const struct space_step *step)
{
    struct pace *pace = data;

    if (pace->number > 0) {
        const struct run_step *last = &pace->run->steps[pace->number - 1];
        if (last->lane != UINT32_MAX && !last->why && pace->before) {
            const void *after = space_actor_state(walker, state, last->lane);
            size_t size =
                space_actor_type(pace->space, last->lane)->state->size;
            /* A clock that moves makes times look otherwise, no more. */
            if (pace->moves == 0)
                assert_int_equal(
                    after && memcmp(after, pace->before, size) != 0,
                    last->changes[0] != '\0');
            /* snowflake's times have no ends at which they are held. */
            if (last->event.kind == SCENARIO_JUMP &&
                strcmp(last->event.to.text, "worker/0") == 0)
                assert_string_equal(last->changes, "");
        }
    }
    if (!step)
        return true;
    const struct run_step *made = &pace->run->steps[pace->number++];
    pace->before = made->lane == UINT32_MAX
                       ? NULL
                       : space_actor_state(walker, state, made->lane);
    pace->moves = space_clock_moves(walker, state, step);
    assert_int_equal((step->flags & SPACE_BROKEN) != 0, made->why != NULL);
    if (!(step->flags & SPACE_BROKEN))
        space_path_step(walker, step, pace->actors, &pace->path);
    return true;
}

static void check_pace(struct space *space, const struct walk_run *steps,
                       const struct run *run)
{
    struct pace pace = {.space = space, .run = run};

    for (uint32_t i = 0; i < space_actor_count(space); i++)
        pace.actors[i] = path_id_actor(space_actor_ref(space, i));
    assert_int_equal(walk_follow(space, steps, on_pace, &pace), KAN_OK);
    assert_memory_equal(&pace.path, &run->path, sizeof pace.path);
}

/* What is written is found again: the same steps, and the same path. */
static void check_round_trip(struct space *space, const struct walk_run *steps,
                             const struct run *run)
{
    const struct scenario head = {.model = "m", .first = steps->first};
    struct scenario scenario;
    struct walk_run found;
    struct buffer text = BUFFER_INIT;
    struct buffer why = BUFFER_INIT;

    assert_int_equal(run_write(run, &head, &text), KAN_OK);
    assert_int_equal(
        scenario_read(buffer_slice(&text), "f.path", &scenario, &why), KAN_OK);
    assert_true(scenario.has_path);
    assert_memory_equal(&scenario.path, &run->path, sizeof run->path);
    if (run_find(space, &scenario, "f.path", &found, &why) != KAN_OK)
        fail_msg("%s\n%s", buffer_text(&why), buffer_text(&text));
    assert_int_equal(found.first, steps->first);
    assert_int_equal(found.step_count, steps->step_count);
    for (uint32_t i = 0; i < steps->step_count; i++)
        assert_true(found.steps[i] == steps->steps[i]);
    mem_free(found.steps);
    scenario_fini(&scenario);
    buffer_fini(&text);
    buffer_fini(&why);
}

/* Every row has at most width columns, but for title and verdict. Colour adds
 * nothing else. */
static void check_text(const struct run *run, uint32_t width)
{
    struct buffer plain = BUFFER_INIT;
    struct buffer bright = BUFFER_INIT;
    struct kan_slice rest;
    struct kan_slice row;

    assert_int_equal(run_draw_text(run, width, false, &plain), KAN_OK);
    assert_int_equal(run_draw_text(run, width, true, &bright), KAN_OK);
    assert_int_equal(bright.size, plain.size + 4 + 4 + 7 + 4);
    rest = buffer_slice(&plain);
    assert_true(utf8_valid(rest));
    assert_true(slice_cut(&rest, '\n', &row));
    assert_true(slice_equal(row, kan_text(run->title)));
    while (slice_cut(&rest, '\n', &row) && rest.size > 0) {
        uint32_t columns = 0;
        for (size_t i = 0; i < row.size; i++)
            columns += (slice_at(row, i) & 0xc0) != 0x80;
        if (columns > width)
            fail_msg("%u columns of %u: %.*s", columns, width, SLICE_ARG(row));
        for (size_t i = 0; i < row.size; i++)
            assert_true(slice_at(row, i) >= ' ');
    }
    assert_true(slice_equal(row, kan_text(run->verdict)));
    buffer_fini(&plain);
    buffer_fini(&bright);
}

/* Tags that are closed in order, attributes in quotes, and no bare & < in
 * between. */
static void check_xml(const char *text)
{
    const char *open[16];
    uint32_t depth = 0;

    for (const char *at = text; *at;) {
        if (*at == '&') {
            const char *end = strchr(at, ';');
            assert_non_null(end);
            assert_true(end - at < 7);
        }
        if (*at != '<') {
            assert_true((unsigned char)*at >= ' ' || *at == '\n');
            at++;
            continue;
        }
        const char *end = strchr(at, '>');
        assert_non_null(end);
        size_t name = strcspn(at + 1, " />");
        uint32_t quotes = 0;
        for (const char *c = at + 1; c < end; c++) {
            assert_true(*c != '<');
            quotes += *c == '"';
        }
        assert_int_equal(quotes % 2, 0);
        if (at[1] == '/') {
            size_t size = (size_t)(end - at) - 2;
            assert_true(depth > 0);
            depth--;
            assert_int_equal(strncmp(open[depth], at + 2, size), 0);
            assert_non_null(strchr(" >", open[depth][size]));
        } else if (end[-1] != '/') {
            assert_true(name > 0 && depth < 16);
            open[depth++] = at + 1;
        }
        at = end + 1;
    }
    assert_int_equal(depth, 0);
}

static uint32_t count_text(const char *text, const char *part)
{
    uint32_t count = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* Well-formed, UTF-8, and an arrow for each message. */
static void check_svg(const struct run *run)
{
    struct buffer svg = BUFFER_INIT;
    uint32_t taken = 0;

    assert_int_equal(run_draw_svg(run, &svg), KAN_OK);
    assert_true(utf8_valid(buffer_slice(&svg)));
    check_xml(buffer_text(&svg));
    for (uint32_t i = 0; i < run->step_count; i++)
        taken += run->steps[i].message != UINT32_MAX;
    assert_int_equal(count_text(buffer_text(&svg), "<path class=\"m\"") +
                         count_text(buffer_text(&svg), "<path class=\"x\""),
                     taken);
    buffer_fini(&svg);
}

static void check_run(struct space *space, const struct walk_run *steps)
{
    struct run *run = put_into_words(space, steps);

    check_messages(run);
    check_pace(space, steps, run);
    check_round_trip(space, steps, run);
    check_text(run, 40);
    check_text(run, 80);
    check_text(run, 200);
    check_svg(run);
    run_free(run);
}

/* --- runs of the models that ship ----------------------------------------- */

static const struct failing
{
    const char *name;
    const char *setting;
} failing[] = {
    {"commit-blocking", "fixed=0"}, {"dual-write", "fixed=0"},
    {"equivocation", "nodes=3"},    {"g-counter", "fixed=0"},
    {"lock-delete", "fixed=0"},     {"lock-failover", "fixed=0"},
    {"lock-fencing", "fixed=0"},    {"lock-setnx", "fixed=0"},
    {"paxos", "wrong=1"},           {"raft-votes", "fixed=0"},
    {"retry", "fixed=0"},           {"scheduler", "fixed=0"},
    {"single-copy", "servers=2"},   {"snowflake", "fixed=0"},
    {"writers", "broken=2"},
};

static void failing_runs_are_told_and_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
        struct subject subject;
        struct walk_result result;
        assert_int_equal(
            subject_open(&subject, failing[i].name, failing[i].setting, NULL),
            KAN_OK);
        const struct walk_options options = {.space = subject.space};
        assert_int_equal(walk(&options, &result), KAN_OK);
        assert_int_equal(result.verdict, WALK_FAILS);
        check_run(subject.space, &result.run);
        walk_result_fini(&result);
        space_free(subject.space);
    }
}

/* --- runs drawn at random ------------------------------------------------- */

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963);
    return *seed >> 33;
}

enum
{
    WANDER_MAX = 24
};

/* Some run; the kinds of its steps are marked in *kinds. */
static struct walk_run wander(struct space *space, uint64_t seed,
                              uint32_t *kinds)
{
    static struct space_state states[2];
    static struct space_step steps[SPACE_STEPS_MAX];
    static uint64_t names[WANDER_MAX];
    struct walk_run run = {.steps = names};
    struct space_walker *walker;
    uint32_t count;

    assert_int_equal(space_walker_new(space, &walker), KAN_OK);
    assert_int_equal(space_first(walker, 0, &states[0]), KAN_OK);
    while (run.step_count < WANDER_MAX) {
        const struct space_state *here = &states[run.step_count % 2];
        assert_int_equal(space_expand(walker, here, steps, &count), KAN_OK);
        if (count == 0)
            break;
        const struct space_step *step = &steps[draw(&seed) % count];
        *kinds |= 1u << step->kind;
        names[run.step_count++] = space_step_name(step);
        if (step->flags & SPACE_BROKEN)
            break;
        space_apply(walker, here, step, &states[run.step_count % 2]);
    }
    space_walker_free(walker);
    return run;
}

static void any_run_is_told_and_found(void **state)
{
    static const struct kan_faults faults[] = {
        {.crash = 2, .lost = 2, .doubled = 2, .partition = 1, .clock = 2},
        {.liar = 1},
        {0},
    };
    uint32_t kinds = 0;

    (void)state;
    for (uint32_t i = 0; models_at(i); i++) {
        for (size_t k = 0; k < sizeof faults / sizeof faults[0]; k++) {
            struct subject subject;
            if (subject_open(&subject, models_at(i)->model->name, "",
                             &faults[k]) != KAN_OK)
                continue;
            for (uint64_t seed = 1; seed <= 4; seed++) {
                struct walk_run run = wander(subject.space, seed, &kinds);
                check_run(subject.space, &run);
            }
            space_free(subject.space);
        }
    }
    /* Requests are not in the models that ship. */
    assert_int_equal(kinds | 1u << SPACE_REQUEST, (1u << (SPACE_HEAL + 1)) - 1);
}

static void short_runs_are_drawn(void **state)
{
    struct subject subject;
    struct walk_run run;
    uint32_t kinds = 0;

    (void)state;
    assert_int_equal(subject_open(&subject, "paxos", "", NULL), KAN_OK);
    run = wander(subject.space, 3, &kinds);
    for (uint32_t count = 0; count < 2; count++) {
        run.step_count = count;
        check_run(subject.space, &run);
    }
    space_free(subject.space);
}

static void what_is_no_run_is_refused(void **state)
{
    uint64_t nonsense = UINT64_MAX;
    struct walk_run steps = {.step_count = 1, .steps = &nonsense};
    struct subject subject;
    struct run *run = NULL;

    (void)state;
    assert_int_equal(subject_open(&subject, "paxos", "", NULL), KAN_OK);
    assert_int_equal(run_new(subject.space, &steps, "", "", &run),
                     KAN_NOTFOUND);
    assert_null(run);
    space_free(subject.space);
    assert_null(run_free(NULL));
}

/* --- a run in full -------------------------------------------------------- */

static const char doubled[] =
    "kan path 1\n"
    "timer replica/0 add\n"
    "double replica/0 -> replica/1 counts {\"of\":[1,0,0,0]}\n"
    "timer replica/1 add\n"
    "deliver replica/1 -> replica/0 counts {\"of\":[1,1,0,0]}\n"
    "deliver replica/0 -> replica/1 counts {\"of\":[1,0,0,0]}\n";

static const char doubled_drawn[] =
    "a <title>\n"
    "                 replica/0                        replica/1\n"
    "  1                  │ ◷ add                          │\n"
    "                     │ of[0]: 0 -> 1                  │\n"
    "                     │ twice: counts {\"of\":[1,0,0,0]} │\n"
    "  2                  │───────────────────────────────▶│\n"
    "                     │                                │ of[0]: 0 -> 1\n"
    "  3                  │                                │ ◷ add\n"
    "                     │                                │ of[1]: 0 -> 1\n"
    "                     │     counts {\"of\":[1,1,0,0]}    │\n"
    "  4                  │◀───────────────────────────────│\n"
    "                     │ of[0]: 1 -> 2                  │\n"
    "                     │ of[1]: 0 -> 1                  │\n"
    "                     │     counts {\"of\":[1,0,0,0]}    │\n"
    "  5                  │───────────────────────────────▶│\n"
    "                     │                                │ of[0]: 1 -> 2\n"
    "a & verdict\n";

static struct run *run_of_text(const struct subject *subject, const char *text)
{
    struct buffer why = BUFFER_INIT;
    struct walk_run steps;
    struct run *run;

    if (find_text(subject->space, text, &steps, &why) != KAN_OK)
        fail_msg("%s", buffer_text(&why));
    run = put_into_words(subject->space, &steps);
    mem_free(steps.steps);
    buffer_fini(&why);
    return run;
}

static void a_run_is_drawn_as_it_was(void **state)
{
    struct buffer out = BUFFER_INIT;
    struct subject subject;
    struct run *run;

    (void)state;
    assert_int_equal(subject_open(&subject, "g-counter", "fixed=0", NULL),
                     KAN_OK);
    run = run_of_text(&subject, doubled);
    assert_int_equal(run->lane_count, 2);
    assert_string_equal(run->steps[0].changes, "of[0]: 0 -> 1");
    assert_string_equal(run->steps[3].changes, "of[0]: 1 -> 2\nof[1]: 0 -> 1");
    assert_int_equal(run->messages[run->steps[1].message].sent_at, 0);
    assert_int_equal(run->messages[run->steps[3].message].sent_at, 2);
    assert_int_equal(run->messages[run->steps[4].message].sent_at, 0);
    assert_int_not_equal(run->steps[1].message, run->steps[4].message);
    assert_int_equal(run_draw_text(run, 72, false, &out), KAN_OK);
    assert_string_equal(buffer_text(&out), doubled_drawn);
    run_free(run);
    space_free(subject.space);
    buffer_fini(&out);
}

/* Its message was on its way at the start, goes from the actor to itself, and
 * holds what XML reserves; the last step breaks. */
static void a_broken_run_is_drawn_with_its_reason(void **state)
{
    struct buffer out = BUFFER_INIT;
    struct subject subject;
    struct run *run;

    (void)state;
    assert_int_equal(subject_open(&subject, "writers", "broken=2", NULL),
                     KAN_OK);
    run = run_of_text(&subject,
                      "kan path 1\n"
                      "request writer/0 note { \"number\" : 7 }\n"
                      "deliver -> writer/0 note {\"text\":\"\",\"number\":7}\n"
                      "deliver writer/0 -> writer/0 note "
                      "{\"number\":1,\"text\":\"<&\\\">\"}\n"
                      "deliver writer/0 -> writer/0 note "
                      "{\"number\":2, \"text\":\"<&\\\">\"}\n");
    assert_int_equal(run->messages[run->steps[1].message].sent_at, 0);
    assert_int_equal(run->messages[run->steps[1].message].from, UINT32_MAX);
    assert_int_equal(run->messages[run->steps[2].message].sent_at, UINT32_MAX);
    assert_int_equal(run->messages[run->steps[3].message].sent_at, 2);
    assert_non_null(strstr(run->steps[3].why, "a <note> & more"));
    assert_int_equal(run_draw_text(run, 80, false, &out), KAN_OK);
    assert_non_null(strstr(buffer_text(&out), "a client asks: note"));
    assert_non_null(strstr(buffer_text(&out), "a <note> & more"));
    assert_int_equal(count_text(buffer_text(&out), " note {\"text\":"), 4);
    buffer_clear(&out);
    assert_int_equal(run_draw_svg(run, &out), KAN_OK);
    check_xml(buffer_text(&out));
    assert_non_null(strstr(buffer_text(&out), "a &lt;note&gt; &amp; more"));
    assert_non_null(strstr(buffer_text(&out), "a &lt;title&gt;"));
    assert_non_null(strstr(buffer_text(&out), "&quot;"));
    assert_null(strstr(buffer_text(&out), "<note>"));
    run_free(run);
    space_free(subject.space);
    buffer_fini(&out);
}

/* Texts come from file names and handlers: any bytes. */
static void odd_bytes_are_drawn_as_something_else(void **state)
{
    struct run run = {.title = "\xff\x01\xef\xbf\xbe.", .verdict = "\x1b[31m"};
    struct buffer out = BUFFER_INIT;

    (void)state;
    assert_int_equal(run_draw_svg(&run, &out), KAN_OK);
    assert_true(utf8_valid(buffer_slice(&out)));
    check_xml(buffer_text(&out));
    assert_non_null(strstr(buffer_text(&out), ">\ufffd\ufffd\ufffd.<"));
    assert_non_null(strstr(buffer_text(&out), ">\ufffd[31m<"));
    buffer_fini(&out);
}

/* As many actors as there can be: wider than asked, and each still there. */
static void many_actors_stand_closer(void **state)
{
    static const char *lanes[KAN_INSTANCES_MAX];
    static struct run_step steps[KAN_INSTANCES_MAX];
    static struct run_message messages[KAN_INSTANCES_MAX];
    struct run run = {.lane_count = KAN_INSTANCES_MAX,
                      .lanes = lanes,
                      .step_count = KAN_INSTANCES_MAX,
                      .steps = steps,
                      .messages = messages,
                      .title = "t",
                      .verdict = "v"};
    struct buffer out = BUFFER_INIT;

    (void)state;
    for (uint32_t i = 0; i < KAN_INSTANCES_MAX; i++) {
        lanes[i] = i % 2 ? "server/one-with-a-long-name" : "s/0";
        messages[i] = (struct run_message){
            .from = i, .to = (i * 7 + 1) % KAN_INSTANCES_MAX, .name = "m"};
        steps[i] = (struct run_step){.event = {.name = "m"},
                                     .lane = messages[i].to,
                                     .message = i,
                                     .changes = "value: 1 -> 2"};
    }
    check_text(&run, 261);
    check_text(&run, 600);
    check_svg(&run);
    assert_int_equal(run_draw_text(&run, 1, false, &out), KAN_OK);
    assert_int_equal(count_text(buffer_text(&out), "long-name"), 32);
    assert_int_equal(count_text(buffer_text(&out), "value: 1 -> 2"), 64);
    buffer_fini(&out);
}

/* Beside the last lane there is no room: they stand on its other side. */
static void changes_stand_where_there_is_room(void **state)
{
    static const char *lanes[] = {"a/0", "a/1"};
    struct run_step steps[] = {
        {.event = {.kind = SCENARIO_CRASH}, .lane = 0, .message = UINT32_MAX},
        {.event = {.kind = SCENARIO_CRASH}, .lane = 1, .message = UINT32_MAX}};
    struct run run = {.lane_count = 2,
                      .lanes = lanes,
                      .step_count = 2,
                      .steps = steps,
                      .title = "t",
                      .verdict = "v"};
    struct buffer out = BUFFER_INIT;

    (void)state;
    steps[0].changes = "";
    steps[1].changes = "counted: 1 -> 2";
    assert_int_equal(run_draw_text(&run, 40, false, &out), KAN_OK);
    assert_non_null(strstr(buffer_text(&out), "counted: 1 -> 2 \u2502\n"));
    buffer_fini(&out);
}

/* --- what is written by hand ---------------------------------------------- */

static void lines_written_by_hand_are_found(void **state)
{
    struct subject subject;
    struct walk_run steps;
    struct buffer why = BUFFER_INIT;

    (void)state;
    assert_int_equal(subject_open(&subject, "g-counter", "fixed=0", NULL),
                     KAN_OK);
    assert_int_equal(
        find_text(subject.space,
                  "kan path 1\n# by hand\n  timer   replica/0   add \n"
                  "double replica/0  ->  replica/1 counts  { \"of\" : [ 1, 0, "
                  "0, 0 ] }\n",
                  &steps, &why),
        KAN_OK);
    assert_int_equal(steps.step_count, 2);
    mem_free(steps.steps);
    space_free(subject.space);
    buffer_fini(&why);
}

static void what_does_not_fit_is_told(void **state)
{
    static const struct
    {
        const char *text;
        const char *why;
    } cases[] = {
        {"kan path 1\nstart 7\n", "f.path: there is no first state 7"},
        {"kan path 1\n\ncrash replica/0\n",
         "f.path:3: this step is not possible here; these are: "
         "timer replica/0 add; timer replica/1 add"},
        {"kan path 1\ntimer replica/0 add\n"
         "deliver replica/0 -> replica/1 counts {\"of\":[7,0,0,0]}\n",
         "f.path:3: this step is not possible here; these are: "
         "timer replica/1 add; "
         "deliver replica/0 -> replica/1 counts {\"of\":[1,0,0,0]}; "
         "double replica/0 -> replica/1 counts {\"of\":[1,0,0,0]}"},
        {"kan path 1\ntimer replica/0 add\n"
         "deliver replica/0 -> replica/1 counts {\"off\":1}\n",
         "f.path:3: this step is not possible here (off: there is no such "
         "field; did you mean 'of'?); these are: "
         "timer replica/1 add; "
         "deliver replica/0 -> replica/1 counts {\"of\":[1,0,0,0]}; "
         "double replica/0 -> replica/1 counts {\"of\":[1,0,0,0]}"},
    };
    struct subject subject;

    (void)state;
    assert_int_equal(subject_open(&subject, "g-counter", "fixed=0", NULL),
                     KAN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct walk_run steps = {.first = 99};
        struct buffer why = BUFFER_INIT;
        assert_int_equal(find_text(subject.space, cases[i].text, &steps, &why),
                         KAN_NOTFOUND);
        assert_string_equal(buffer_text(&why), cases[i].why);
        assert_int_equal(steps.first, 99);
        buffer_fini(&why);
    }
    space_free(subject.space);
}

static void nothing_follows_a_broken_step(void **state)
{
    struct subject subject;
    struct walk_run steps;
    struct buffer why = BUFFER_INIT;

    (void)state;
    assert_int_equal(subject_open(&subject, "writers", "broken=7", NULL),
                     KAN_OK);
    assert_int_equal(find_text(subject.space,
                               "kan path 1\n"
                               "request writer/0 note {\"number\":7}\n"
                               "deliver -> writer/0 note {\"number\":7}\n"
                               "heal\n",
                               &steps, &why),
                     KAN_NOTFOUND);
    assert_non_null(strstr(buffer_text(&why), "f.path:3: the handler fails "));
    assert_non_null(strstr(buffer_text(&why), "a <note> & more"));
    space_free(subject.space);
    buffer_fini(&why);
}

/* --- memory --------------------------------------------------------------- */

enum call
{
    CALL_NEW,
    CALL_FIND,
    CALL_TEXT,
    CALL_SVG,
    CALL_WRITE,
    CALL_COUNT
};

static enum kan_err call(enum call which, const struct subject *subject,
                         const struct walk_run *steps, const struct run *run,
                         const struct scenario *scenario)
{
    struct buffer out = BUFFER_INIT;
    struct run *made = NULL;
    struct walk_run found = {0};
    enum kan_err err = KAN_OK;

    switch (which) {
    case CALL_NEW:
        err = run_new(subject->space, steps, "t", "v", &made);
        assert_int_equal(err == KAN_OK, made != NULL);
        break;
    case CALL_FIND:
        err = run_find(subject->space, scenario, "f", &found, &out);
        assert_int_equal(err == KAN_OK, found.steps != NULL);
        break;
    case CALL_TEXT:
        err = run_draw_text(run, 80, true, &out);
        break;
    case CALL_SVG:
        err = run_draw_svg(run, &out);
        break;
    default:
        err = run_write(run, scenario, &out);
    }
    mem_fault(0, false);
    run_free(made);
    mem_free(found.steps);
    buffer_fini(&out);
    return err;
}

/* What the space keeps stays with it, so the leaks are counted when a call is
 * made again with all kept. */
static void memory_may_run_out_anywhere(void **state)
{
    struct subject subject;
    struct scenario scenario;
    struct walk_run steps;
    struct buffer why = BUFFER_INIT;
    int64_t live = mem_live();

    (void)state;
    assert_int_equal(subject_open(&subject, "g-counter", "fixed=0", NULL),
                     KAN_OK);
    assert_int_equal(scenario_read(kan_text(doubled), "f", &scenario, &why),
                     KAN_OK);
    assert_int_equal(run_find(subject.space, &scenario, "f", &steps, &why),
                     KAN_OK);
    struct run *run = put_into_words(subject.space, &steps);
    for (enum call which = 0; which < CALL_COUNT; which++) {
        enum kan_err err = KAN_NOMEM;
        for (uint64_t nth = 1; err == KAN_NOMEM; nth++) {
            int64_t before = mem_live();
            mem_fault(nth, false);
            err = call(which, &subject, &steps, run, &scenario);
            assert_true(err == KAN_OK || err == KAN_NOMEM);
            assert_int_equal(mem_live(), before);
        }
        assert_int_equal(err, KAN_OK);
        assert_false(mem_fault_struck());
    }
    run_free(run);
    mem_free(steps.steps);
    scenario_fini(&scenario);
    space_free(subject.space);
    buffer_fini(&why);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_runs_are_told_and_found),
        cmocka_unit_test(any_run_is_told_and_found),
        cmocka_unit_test(short_runs_are_drawn),
        cmocka_unit_test(what_is_no_run_is_refused),
        cmocka_unit_test(a_run_is_drawn_as_it_was),
        cmocka_unit_test(a_broken_run_is_drawn_with_its_reason),
        cmocka_unit_test(odd_bytes_are_drawn_as_something_else),
        cmocka_unit_test(many_actors_stand_closer),
        cmocka_unit_test(changes_stand_where_there_is_room),
        cmocka_unit_test(lines_written_by_hand_are_found),
        cmocka_unit_test(what_does_not_fit_is_told),
        cmocka_unit_test(nothing_follows_a_broken_step),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
