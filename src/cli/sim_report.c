/* Printing what `kan sim` found. */

#include "cli/sim_report.h"

#include "base/json.h"

static const char *verdict_text(enum simulate_verdict verdict)
{
    return verdict == SIMULATE_HOLDS   ? "holds"
           : verdict == SIMULATE_FAILS ? "fails"
                                       : "unknown";
}

static const char *driver_text(const struct sim_report *report)
{
    return simulator_driver(report->simulator) == SIMULATE_REAL ? "real"
                                                                : "walk";
}

static double rate(const struct sim_report *report)
{
    uint64_t events = simulator_counts(report->simulator)->events;

    return report->seconds > 0 ? (double)events / report->seconds : 0;
}

/* --- for people ----------------------------------------------------------- */

static void print_verdict(const struct sim_report *report, struct buffer *out)
{
    const struct campaign *campaign = report->campaign;

    buffer_print(out, "%s: ", report->target->name);
    if (campaign->verdict == SIMULATE_FAILS)
        buffer_print(
            out, "%s fails with seed %llu: %s\n", campaign->run.property,
            (unsigned long long)campaign->failed_seed, campaign->run.why);
    else if (campaign->verdict == SIMULATE_UNKNOWN)
        buffer_print(out, "unknown: in %llu of %llu runs %s\n",
                     (unsigned long long)campaign->undecided,
                     (unsigned long long)campaign->seeds, campaign->run.why);
    else
        buffer_print(out, "no failure in %llu run%s\n",
                     (unsigned long long)campaign->seeds,
                     campaign->seeds == 1 ? "" : "s");
}

static void print_faults(const struct simulate_counts *counts,
                         struct buffer *out)
{
    bool any = false;

    buffer_append_text(out, "faults: ");
    for (uint32_t i = 0; i < SIMULATE_FAULTS; i++) {
        if (counts->faults[i] == 0)
            continue;
        buffer_print(out, "%s%s %llu", any ? ", " : "", simulate_fault_name(i),
                     (unsigned long long)counts->faults[i]);
        any = true;
    }
    buffer_append_text(out, any ? "\n" : "none\n");
}

/* Call each with the name of every probe that could have been reached and was
 * not. */
static void each_missed(const struct sim_report *report,
                        void (*each)(struct buffer *out, const char *name,
                                     bool first),
                        struct buffer *out)
{
    const struct simulate_counts *counts = simulator_counts(report->simulator);
    bool first = true;

    for (uint32_t i = 0; i < SIMULATE_PROBES; i++) {
        if (counts->probes[i] > 0 || !simulator_expects(report->simulator, i))
            continue;
        each(out, simulate_probe_name(i), first);
        first = false;
    }
    for (uint32_t i = 0; i < SIM_PROBES; i++) {
        if (counts->world[i] > 0 ||
            !simulator_expects_world(report->simulator, i))
            continue;
        each(out, sim_probe_name(i), first);
        first = false;
    }
}

static void missed_text(struct buffer *out, const char *name, bool first)
{
    buffer_print(out, "%s%s", first ? "not reached: " : ", ", name);
}

static void print_numbers(const struct sim_report *report, struct buffer *out)
{
    const struct campaign *campaign = report->campaign;
    const struct simulate_counts *counts = simulator_counts(report->simulator);
    size_t before;

    buffer_print(out,
                 "%llu seeds from %llu (%s), %llu events, %llu distinct paths; "
                 "%.3f s, %.2f million events a second\n",
                 (unsigned long long)campaign->seeds,
                 (unsigned long long)report->seed, driver_text(report),
                 (unsigned long long)counts->events,
                 (unsigned long long)campaign->paths, report->seconds,
                 rate(report) / 1e6);
    print_faults(counts, out);
    before = out->size;
    each_missed(report, missed_text, out);
    if (out->size > before)
        buffer_append_byte(out, '\n');
}

static void print_failure(const struct sim_report *report, struct buffer *out)
{
    const struct campaign *campaign = report->campaign;

    buffer_print(out, "shrunk from %zu choices to %zu in %zu runs\n",
                 campaign->choices_before, campaign->choice_count,
                 campaign->shrink_runs);
    buffer_append_byte(out, '\n');
    if (!report->run)
        buffer_append(out, buffer_slice(&campaign->log.lines));
    else if (run_draw_text(report->run, report->width, report->colour, out) !=
             KAN_OK)
        buffer_append_text(out, "out of memory for the drawing\n");
    buffer_append_byte(out, '\n');
    if (report->saved)
        buffer_print(out, "replay:  kan sim --replay %s\n", report->saved);
}

void sim_print_text(const struct sim_report *report, struct buffer *out)
{
    print_verdict(report, out);
    print_numbers(report, out);
    if (report->campaign->verdict == SIMULATE_FAILS)
        print_failure(report, out);
}

/* --- for programs --------------------------------------------------------- */

static void missed_json(struct buffer *out, const char *name, bool first)
{
    buffer_append_text(out, first ? "" : ",");
    json_append_string(out, kan_text(name));
}

static void print_string(const char *name, const char *text, struct buffer *out)
{
    buffer_print(out, ",\"%s\":", name);
    if (text)
        json_append_string(out, kan_text(text));
    else
        buffer_append_text(out, "null");
}

static void print_counted(const struct simulate_counts *counts,
                          struct buffer *out)
{
    buffer_append_text(out, ",\"faults\":{");
    for (uint32_t i = 0; i < SIMULATE_FAULTS; i++)
        buffer_print(out, "%s\"%s\":%llu", i ? "," : "", simulate_fault_name(i),
                     (unsigned long long)counts->faults[i]);
    buffer_append_text(out, "},\"probes\":{");
    for (uint32_t i = 0; i < SIMULATE_PROBES; i++)
        buffer_print(out, "%s\"%s\":%llu", i ? "," : "", simulate_probe_name(i),
                     (unsigned long long)counts->probes[i]);
    buffer_append_byte(out, '}');
}

static void print_shrunk(const struct sim_report *report, struct buffer *out)
{
    const struct campaign *campaign = report->campaign;
    char path[PATH_ID_TEXT];

    path_id_text(campaign->run.path, path);
    buffer_print(out,
                 ",\"failed_seed\":%llu,\"choices\":%zu,\"choices_before\":%zu,"
                 "\"shrink_runs\":%zu,\"steps\":%llu",
                 (unsigned long long)campaign->failed_seed,
                 campaign->choice_count, campaign->choices_before,
                 campaign->shrink_runs,
                 (unsigned long long)campaign->run.events);
    print_string("path", path, out);
    print_string("scenario", report->saved, out);
}

void sim_print_json(const struct sim_report *report, struct buffer *out)
{
    const struct campaign *campaign = report->campaign;
    const struct simulate_counts *counts = simulator_counts(report->simulator);
    bool failed = campaign->verdict == SIMULATE_FAILS;

    buffer_append_text(out, "{\"model\":");
    json_append_string(out, kan_text(report->target->name));
    print_string("verdict", verdict_text(campaign->verdict), out);
    print_string("driver", driver_text(report), out);
    print_string("property", failed ? campaign->run.property : NULL, out);
    print_string("why", campaign->run.why[0] ? campaign->run.why : NULL, out);
    buffer_print(out,
                 ",\"seed\":%llu,\"seeds\":%llu,\"events\":%llu,"
                 "\"seconds\":%.6f,\"events_a_second\":%.0f,\"paths\":%llu",
                 (unsigned long long)report->seed,
                 (unsigned long long)campaign->seeds,
                 (unsigned long long)counts->events, report->seconds,
                 rate(report), (unsigned long long)campaign->paths);
    print_counted(counts, out);
    buffer_append_text(out, ",\"not_reached\":[");
    each_missed(report, missed_json, out);
    buffer_append_byte(out, ']');
    if (failed)
        print_shrunk(report, out);
    buffer_append_text(out, "}\n");
}
