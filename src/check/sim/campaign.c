/* Campaigns: seed after seed until one fails; then the tape of that one is
 * shrunk as long as it fails in the same way. */

#include "base/alloc.h"
#include "base/map.h"
#include "check/property/shrink.h"
#include "check/sim/simulator.h"

enum
{
    PATHS_MAX = 1 << 24, /* ids kept for counting; beyond it none is new */
    SHRINK_MAX = 5000
};

struct running
{
    const struct campaign_options *options;
    struct campaign *campaign;
    struct map paths;
    struct buffer *why;
    struct tape drawn; /* of the last run while shrinking */
    enum kan_err err;
    size_t shrink_runs;
    size_t choices;
    bool stopped;
};

static bool tell(struct running *running)
{
    const struct campaign_options *options = running->options;
    struct campaign_progress progress = {
        .seeds = running->campaign->seeds,
        .events = simulator_counts(options->simulator)->events,
        .paths = map_count(&running->paths),
        .shrink_runs = running->shrink_runs,
        .choices = running->choices,
    };

    return !options->progress || options->progress(options->data, &progress);
}

/* --- shrinking ------------------------------------------------------------ */

static bool same_failure(const struct simulate_run *run,
                         const struct simulate_run *wanted)
{
    return run->verdict == SIMULATE_FAILS &&
           strcmp(run->property, wanted->property) == 0;
}

static enum shrink_answer try_tape(void *data,
                                   const struct tape_choice *choices,
                                   size_t count, struct shrink_drawn *ret_drawn)
{
    struct running *running = data;
    struct simulate_run run;

    tape_fini(&running->drawn);
    running->err = tape_init_replay(&running->drawn, choices, count);
    if (running->err == KAN_OK)
        running->err = simulator_run(running->options->simulator,
                                     &running->drawn, NULL, &run);
    if (running->err)
        return SHRINK_STOP;
    running->shrink_runs++;
    if (!tell(running))
        return SHRINK_STOP;
    if (!same_failure(&run, &running->campaign->run))
        return SHRINK_PASSES;
    *ret_drawn =
        (struct shrink_drawn){running->drawn.choices, running->drawn.count};
    return SHRINK_FAILS;
}

static void on_smaller(void *data, size_t runs, size_t count)
{
    struct running *running = data;

    (void)runs;
    running->choices = count;
}

/* Run the smallest tape once more, and write down what it does. */
static enum kan_err log_smallest(struct running *running)
{
    struct campaign *campaign = running->campaign;
    struct tape tape;
    enum kan_err err =
        tape_init_replay(&tape, campaign->choices, campaign->choice_count);

    if (err == KAN_OK)
        err = simulator_run(running->options->simulator, &tape, &campaign->log,
                            &campaign->run);
    tape_fini(&tape);
    return err;
}

static enum kan_err shrink_failure(struct running *running,
                                   const struct tape *tape)
{
    const struct campaign_options *options = running->options;
    struct campaign *campaign = running->campaign;
    struct shrink_options shrinking = {
        .runs_max = options->shrink_max ? options->shrink_max : SHRINK_MAX,
        .data = running,
        .progress_cb = on_smaller,
        .run_cb = try_tape,
    };
    struct shrink_result result;
    enum kan_err err;

    running->choices = tape->count;
    campaign->choices_before = tape->count;
    err = shrink(&shrinking, tape->choices, tape->count, &result);
    tape_fini(&running->drawn);
    if (err == KAN_OK && running->err != KAN_OK) {
        shrink_result_fini(&result);
        err = running->err;
    }
    if (err)
        return err;
    campaign->choices = result.choices;
    campaign->choice_count = result.count;
    campaign->shrink_runs = result.runs;
    return log_smallest(running);
}

/* --- seeds ---------------------------------------------------------------- */

static enum kan_err count_path(struct running *running, struct path_id path)
{
    static char here; /* the map wants a value */
    enum kan_err err =
        map_put(&running->paths, kan_slice(&path, sizeof path), &here, NULL);

    return err == KAN_BUSY ? KAN_OK : err;
}

static enum kan_err run_seed(struct running *running, uint64_t seed)
{
    const struct campaign_options *options = running->options;
    struct campaign *campaign = running->campaign;
    struct simulate_run run;
    struct tape tape;
    enum kan_err err = KAN_OK;

    if (options->twice)
        err = simulator_compare(options->simulator, seed, running->why);
    if (err)
        return err;
    tape_init_seed(&tape, seed);
    err = simulator_run(options->simulator, &tape, NULL, &run);
    if (err == KAN_OK)
        err = count_path(running, run.path);
    if (err == KAN_OK) {
        campaign->seeds++;
        campaign->paths = map_count(&running->paths);
        campaign->undecided += run.verdict == SIMULATE_UNKNOWN;
        if (run.verdict != SIMULATE_HOLDS &&
            campaign->verdict == SIMULATE_HOLDS)
            campaign->run = run;
        if (run.verdict == SIMULATE_FAILS) {
            campaign->verdict = run.verdict;
            campaign->run = run;
            campaign->failed_seed = seed;
            err = shrink_failure(running, &tape);
        } else if (run.verdict == SIMULATE_UNKNOWN) {
            campaign->verdict = run.verdict;
        }
    }
    tape_fini(&tape);
    return err;
}

enum kan_err campaign_run(const struct campaign_options *options,
                          struct campaign *ret_campaign, struct buffer *why)
{
    struct running running = {
        .options = options, .campaign = ret_campaign, .why = why};
    enum kan_err err = KAN_OK;

    memset(ret_campaign, 0, sizeof *ret_campaign);
    map_init(&running.paths, (struct hash_seed){0}, PATHS_MAX);
    for (uint64_t i = 0; err == KAN_OK && !running.stopped &&
                         ret_campaign->verdict != SIMULATE_FAILS &&
                         (options->seeds == 0 || i < options->seeds);
         i++) {
        err = run_seed(&running, options->seed + i);
        running.stopped = !tell(&running);
    }
    map_fini(&running.paths);
    return err;
}

void campaign_fini(struct campaign *campaign)
{
    mem_free(campaign->choices);
    simulate_log_fini(&campaign->log);
    memset(campaign, 0, sizeof *campaign);
}
