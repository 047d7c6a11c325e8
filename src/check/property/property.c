/* Run a property: replay what failed before, draw cases until one fails, shrink
 * it, and tell.
 *
 * Each case has a seed of its own, made from the run's seed and its number, so
 * that what one case draws does not depend on the cases before it. The first
 * draws zeros: the simplest data there are. */

#include <kan/property.h>

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/number.h"
#include "check/property/case.h"
#include "check/property/outside.h"
#include "check/property/report.h"
#include "check/property/shrink.h"

enum
{
    RUNS_DEFAULT = 1000,
    DISCARDS_FACTOR = 10,
    CASE_MS_DEFAULT = 2000,
    FILE_SIZE_MAX = 1 << 24
};

static const char TAPE_HEADING[] = "kan tape 1\n";

struct run
{
    struct kan_property_options options;
    kan_property *property;
    void *data;
    uint64_t until_ms;              /* 0: no limit */
    uint64_t place;                 /* of the failure that is shrunk */
    char message[CASE_MESSAGE_MAX]; /* and what it said first */
    enum kan_err err;               /* that ended the shrinking */
    struct case_outcome *outcome;   /* of the case that ran last */
    struct tape given;              /* by KAN_TAPE or the file */
    bool is_given;
    bool is_single; /* by KAN_TAPE: run nothing else */
    struct kan_property_result result;
    struct buffer report;
};

/* --- options -------------------------------------------------------------- */

static void fill_defaults(struct kan_property_options *options)
{
    if (!options->name)
        options->name = "property";
    if (!options->seed)
        options->seed = 1;
    if (!options->runs)
        options->runs = RUNS_DEFAULT;
    if (!options->discards_max)
        options->discards_max = options->runs > UINT32_MAX / DISCARDS_FACTOR
                                    ? UINT32_MAX
                                    : options->runs * DISCARDS_FACTOR;
    if (!options->shrinks_max)
        options->shrinks_max = SHRINK_RUNS_MAX;
    if (!options->case_ms)
        options->case_ms = CASE_MS_DEFAULT;
    if (!options->report_fd)
        options->report_fd = 2;
}

static enum kan_err check_name(struct run *run)
{
    for (const char *p = run->options.name; *p; p++)
        if (*p == ':' || (unsigned char)*p < ' ' || *p == 0x7f) {
            buffer_append_text(&run->report,
                               "a property's name may hold no ':' and no "
                               "control character; rename it\n");
            return KAN_INVALID;
        }
    return KAN_OK;
}

/* KAN_SEED. */
static enum kan_err read_seed(struct run *run)
{
    const char *text = outside_variable("KAN_SEED");
    if (!text || !*text)
        return KAN_OK;
    if (!number_u64(kan_text(text), &run->options.seed))
        return KAN_OK;
    buffer_print(&run->report,
                 "property \"%s\": KAN_SEED is \"%s\"; set it to a number from "
                 "0 to 18446744073709551615, or unset it\n",
                 run->options.name, text);
    return KAN_INVALID;
}

/* --- tapes that are given ------------------------------------------------- */

static enum kan_err load(struct run *run, struct kan_slice text)
{
    enum kan_err err = tape_load(&run->given, text);
    if (!err)
        run->is_given = true;
    return err;
}

/* KAN_TAPE, unless it is for a property of another name. */
static enum kan_err read_variable(struct run *run)
{
    const char *text = outside_variable("KAN_TAPE");
    struct buffer tape = BUFFER_INIT;
    struct kan_slice rest = kan_text(text);
    struct kan_slice name;
    enum kan_err err = KAN_INVALID;
    if (rest.size == 0)
        return KAN_OK;
    if (slice_cut(&rest, ':', &name)) {
        if (!slice_equal(name, kan_text(run->options.name)))
            return KAN_OK;
        buffer_append_text(&tape, TAPE_HEADING);
        buffer_append(&tape, rest);
        err = buffer_failed(&tape) ? KAN_NOMEM : load(run, buffer_slice(&tape));
    }
    if (err == KAN_INVALID)
        buffer_print(&run->report,
                     "property \"%s\": KAN_TAPE is no tape of choices; copy "
                     "it whole from a report, as KAN_TAPE='%s: 1/2 0/3'\n",
                     run->options.name, run->options.name);
    run->is_single = run->is_given;
    buffer_fini(&tape);
    return err;
}

static enum kan_err read_file(struct run *run)
{
    const char *path = run->options.file;
    struct buffer text = BUFFER_INIT;
    enum kan_err err = outside_read(path, FILE_SIZE_MAX, &text);
    int reason = errno;
    if (!err)
        err = load(run, buffer_slice(&text));
    buffer_fini(&text);
    if (err == KAN_NOTFOUND)
        return KAN_OK;
    if (err == KAN_IO)
        buffer_print(&run->report, "property \"%s\": cannot read %s: %s\n",
                     run->options.name, path, strerror(reason));
    if (err == KAN_INVALID)
        buffer_print(&run->report,
                     "property \"%s\": %s is no tape of choices, and nothing "
                     "was run; delete it, or name another file\n",
                     run->options.name, path);
    return err;
}

/* --- one case ------------------------------------------------------------- */

struct child
{
    struct run *run;
    const struct case_plan *plan;
};

static void run_child(void *data)
{
    struct child *child = data;
    struct run *run = child->run;
    case_run(child->plan, run->property, run->data, run->outcome);
}

/* The child ended before the property did. */
static void judge_end(struct run *run, enum outside_end end, int number)
{
    char message[CASE_MESSAGE_MAX];
    char place[32];
    switch (end) {
    case OUTSIDE_DONE:
        return;
    case OUTSIDE_EXITED:
        (void)snprintf(message, sizeof message,
                       "the case exited with status %d (a sanitizer, or "
                       "exit())",
                       number);
        break;
    case OUTSIDE_KILLED:
        (void)snprintf(message, sizeof message,
                       "the case died of signal %d, %s", number,
                       strsignal(number));
        break;
    case OUTSIDE_TIMED_OUT:
        (void)snprintf(message, sizeof message,
                       "the case took longer than %u ms",
                       (unsigned)run->options.case_ms);
        number = 0; /* of whatever it was killed by */
        break;
    }
    (void)snprintf(place, sizeof place, "%d %d", (int)end, number);
    case_outcome_fail(run->outcome, kan_text(place), message);
}

static enum kan_err run_case(struct run *run, const struct case_plan *plan)
{
    struct case_outcome *outcome = run->outcome;
    if (!run->options.isolate) {
        case_run(plan, run->property, run->data, outcome);
        return outcome->err;
    }
    struct child child = {run, plan};
    enum outside_end end;
    int number;
    outcome->state = CASE_RUNNING;
    outcome->err = KAN_OK;
    outcome->count = 0;
    outcome->notes_size = 0;
    enum kan_err err = outside_isolate(run_child, &child, run->options.case_ms,
                                       plan->noted, &end, &number);
    if (!err)
        err = outcome->err;
    if (!err && outcome->state == CASE_RUNNING)
        judge_end(run, end, number);
    return err;
}

static bool is_late(const struct run *run)
{
    return run->until_ms && outside_now_ms() >= run->until_ms;
}

static bool fails_as_before(const struct run *run)
{
    return run->outcome->state == CASE_FAILED &&
           run->outcome->place == run->place;
}

/* --- shrinking ------------------------------------------------------------ */

static enum shrink_answer shrink_run(void *data,
                                     const struct tape_choice *choices,
                                     size_t count,
                                     struct shrink_drawn *ret_drawn)
{
    struct run *run = data;
    struct case_plan plan = {
        .source = TAPE_REPLAY, .choices = choices, .count = count};
    if (is_late(run))
        return SHRINK_STOP;
    run->err = run_case(run, &plan);
    if (run->err)
        return SHRINK_STOP;
    if (!fails_as_before(run))
        return SHRINK_PASSES;
    *ret_drawn =
        (struct shrink_drawn){run->outcome->choices, run->outcome->count};
    return SHRINK_FAILS;
}

/* Take over what the last case said; when it did not fail again, what the first
 * one did. */
static enum kan_err keep_outcome(struct run *run,
                                 const struct tape_choice *choices,
                                 size_t count)
{
    const struct case_outcome *outcome = run->outcome;
    struct kan_property_result *result = &run->result;
    struct tape tape = {.choices = (struct tape_choice *)choices,
                        .count = count};
    struct buffer text = BUFFER_INIT;
    tape_save(&tape, &text);
    if (!buffer_failed(&text))
        result->tape = mem_copy(text.bytes, text.size);
    buffer_fini(&text);
    result->choices = count;
    const char *message = result->flaky ? run->message : outcome->message;
    result->message = mem_copy(message, strlen(message));
    result->notes =
        mem_copy(outcome->notes, result->flaky ? 0 : outcome->notes_size);
    return result->tape && result->message && result->notes ? KAN_OK
                                                            : KAN_NOMEM;
}

/* Run the case once more, with its notes, and keep what it says. */
static enum kan_err tell_case(struct run *run,
                              const struct tape_choice *choices, size_t count)
{
    struct case_plan plan = {.source = TAPE_REPLAY,
                             .choices = choices,
                             .count = count,
                             .noted = true};
    enum kan_err err = run_case(run, &plan);
    if (err)
        return err;
    run->result.flaky = !fails_as_before(run);
    return keep_outcome(run, choices, count);
}

/* The case that ran last fails, with a tape of the run's own to begin with. */
static enum kan_err shrink_failure(struct run *run,
                                   const struct tape_choice *choices,
                                   size_t count)
{
    struct shrink_options options = {
        .runs_max = run->options.shrinks_max,
        .data = run,
        .run_cb = shrink_run,
    };
    struct case_plan plan = {
        .source = TAPE_REPLAY, .choices = choices, .count = count};
    struct shrink_result smallest;
    enum kan_err err = run_case(run, &plan);
    if (err)
        return err;
    if (!fails_as_before(run)) {
        run->result.flaky = true;
        return keep_outcome(run, choices, count);
    }
    err = shrink(&options, choices, count, &smallest);
    if (err)
        return err;
    run->result.shrinks = (uint32_t)smallest.runs;
    run->result.smallest = smallest.ended;
    err =
        run->err ? run->err : tell_case(run, smallest.choices, smallest.count);
    shrink_result_fini(&smallest);
    return err;
}

static enum kan_err handle_failure(struct run *run)
{
    const struct case_outcome *outcome = run->outcome;
    size_t size = outcome->count * sizeof *outcome->choices;
    struct tape_choice *choices = mem_alloc(size);
    if (!choices)
        return KAN_NOMEM;
    memcpy(choices, outcome->choices, size);
    run->result.verdict = KAN_FAILS;
    run->place = outcome->place;
    memcpy(run->message, outcome->message, sizeof run->message);
    enum kan_err err = run->is_single
                           ? tell_case(run, choices, outcome->count)
                           : shrink_failure(run, choices, outcome->count);
    mem_free(choices);
    return err;
}

/* --- searching ------------------------------------------------------------ */

static enum kan_err replay_given(struct run *run)
{
    struct case_plan plan = {.source = TAPE_REPLAY,
                             .choices = run->given.given,
                             .count = run->given.given_count};
    enum kan_err err = run_case(run, &plan);
    if (!err && run->outcome->state == CASE_FAILED) {
        run->result.replayed = true;
        err = handle_failure(run);
    }
    return err;
}

static uint64_t case_seed(uint64_t seed, uint32_t number)
{
    unsigned char bytes[8];
    number_pack(number, bytes);
    return hash_bytes((struct hash_seed){seed, 0},
                      kan_slice(bytes, sizeof bytes));
}

static enum kan_err search(struct run *run)
{
    struct kan_property_result *result = &run->result;
    for (uint32_t number = 0; result->runs < run->options.runs; number++) {
        struct case_plan plan = {.source = number ? TAPE_SEED : TAPE_ZERO,
                                 .seed = case_seed(run->options.seed, number)};
        if (number && is_late(run))
            break;
        enum kan_err err = run_case(run, &plan);
        if (err)
            return err;
        if (run->outcome->state != CASE_DISCARDED)
            result->runs++;
        else if (++result->discarded >= run->options.discards_max) {
            result->verdict = KAN_GAVE_UP;
            break;
        }
        if (run->outcome->state == CASE_FAILED)
            return handle_failure(run);
    }
    if (result->runs == 0)
        result->verdict = KAN_GAVE_UP;
    return KAN_OK;
}

static enum kan_err run_cases(struct run *run)
{
    enum kan_err err = KAN_OK;
    if (run->is_given)
        err = replay_given(run);
    if (err || run->result.verdict == KAN_FAILS)
        return err;
    if (!run->is_single)
        return search(run);
    if (run->outcome->state == CASE_DISCARDED) {
        run->result.discarded = 1;
        run->result.verdict = KAN_GAVE_UP;
    } else {
        run->result.runs = 1;
    }
    return KAN_OK;
}

/* --- a run ---------------------------------------------------------------- */

static enum kan_err prepare(struct run *run)
{
    enum kan_err err = check_name(run);
    if (!err)
        err = read_seed(run);
    if (!err)
        err = read_variable(run);
    if (!err && run->options.file && !run->is_single)
        err = read_file(run);
    if (err)
        return err;
    run->result.seed = run->options.seed;
    if (run->options.time_ms)
        run->until_ms = outside_now_ms() + run->options.time_ms;
    run->outcome = run->options.isolate ? outside_share(sizeof *run->outcome)
                                        : mem_alloc(sizeof *run->outcome);
    return run->outcome ? KAN_OK : KAN_NOMEM;
}

static void finish(struct run *run)
{
    if (run->options.isolate)
        outside_unshare(run->outcome, sizeof *run->outcome);
    else
        mem_free(run->outcome);
    tape_fini(&run->given);
    buffer_fini(&run->report);
    kan_property_result_fini(&run->result);
}

static void save_tape(struct run *run)
{
    const char *path = run->options.file;
    if (!path || run->is_single || run->result.verdict != KAN_FAILS)
        return;
    enum kan_err err = outside_write(path, kan_text(run->result.tape));
    if (err)
        buffer_print(&run->report, "  its tape was not saved in %s: %s\n", path,
                     err == KAN_IO ? strerror(errno) : kan_err_text(err));
}

static void publish_report(struct run *run)
{
    const struct kan_property_options *options = &run->options;
    struct kan_slice text = buffer_slice(&run->report);
    if (options->report) {
        text = slice_head(text, options->report_size - 1);
        if (text.size)
            memcpy(options->report, text.bytes, text.size);
        options->report[text.size] = 0;
    } else if (options->report_fd >= 0) {
        outside_print(options->report_fd, text);
    }
}

enum kan_err kan_property_run(const struct kan_property_options *options,
                              kan_property *property, void *data,
                              struct kan_property_result *ret_result)
{
    struct run run = {.property = property, .data = data};
    kan_assert(property && ret_result);
    if (options)
        run.options = *options;
    kan_assert(!run.options.report || run.options.report_size > 0);
    fill_defaults(&run.options);
    enum kan_err err = prepare(&run);
    if (!err)
        err = run_cases(&run);
    if (!err) {
        report_append(&run.options, &run.result, outside_program(),
                      &run.report);
        save_tape(&run);
        if (buffer_failed(&run.report))
            err = KAN_NOMEM;
    }
    publish_report(&run);
    if (!err) {
        *ret_result = run.result;
        run.result = (struct kan_property_result){0};
    }
    finish(&run);
    return err;
}

void kan_property_result_fini(struct kan_property_result *result)
{
    mem_free(result->message);
    mem_free(result->notes);
    mem_free(result->tape);
    *result = (struct kan_property_result){0};
}

bool kan_property_holds(const struct kan_property_options *options,
                        kan_property *property, void *data)
{
    struct kan_property_result result;
    if (kan_property_run(options, property, data, &result))
        return false;
    bool holds = result.verdict == KAN_HOLDS;
    kan_property_result_fini(&result);
    return holds;
}
