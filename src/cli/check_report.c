/* What `kan check` prints at the end. */

#include "cli/check_report.h"

#include <sys/resource.h>

#include "base/json.h"

static const char *verdict_text(enum walk_verdict verdict)
{
    switch (verdict) {
    case WALK_HOLDS:
        return "holds";
    case WALK_FAILS:
        return "fails";
    case WALK_UNKNOWN:
        return "unknown";
    }
    return "?";
}

const char *check_property(const struct check_report *report)
{
    int32_t property = report->result->property;

    if (property >= 0)
        return space_property(report->space, (uint32_t)property)->name;
    return property == WALK_BROKEN ? "handler" : "";
}

void check_budget(const struct check_report *report, struct buffer *out)
{
    struct scenario head;
    size_t before = out->size;

    target_head(report->target, &head);
    for (uint32_t i = 0; i < head.fault_count; i++) {
        if (head.faults[i].value > 0)
            buffer_print(out, "%s%s=%lld", out->size > before ? ", " : "",
                         head.faults[i].name, (long long)head.faults[i].value);
    }
    if (report->depth_max > 0)
        buffer_print(out, "%sdepth %u", out->size > before ? ", " : "",
                     report->depth_max);
    if (out->size == before)
        buffer_append_text(out, "no faults");
}

static uint64_t peak_bytes(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0
               ? (uint64_t)usage.ru_maxrss * 1024
               : 0;
}

/* --- for people ----------------------------------------------------------- */

static void print_verdict(const struct check_report *report, struct buffer *out)
{
    const struct walk_result *result = report->result;

    buffer_print(out, "%s: ", report->target->name);
    if (result->verdict == WALK_FAILS) {
        buffer_print(
            out, "%s fails after %u steps%s", check_property(report),
            result->run.step_count,
            result->shortest ? " (no run is shorter)" : " (shortest found)");
    } else if (result->verdict == WALK_UNKNOWN) {
        buffer_print(out, "unknown: %s", result->why);
    } else {
        buffer_append_text(out, "holds within budget");
    }
    buffer_append_text(out, " (");
    check_budget(report, out);
    buffer_append_text(out, ")\n");
}

static void print_numbers(const struct check_report *report, struct buffer *out)
{
    const struct walk_result *result = report->result;
    struct space_stats stats = space_stats(report->space);
    double rate =
        result->seconds > 0 ? (double)result->generated / result->seconds : 0;

    buffer_print(out,
                 "%llu states, %llu steps%s, %llu ends, depth %u; %.3f s, "
                 "%.2f million steps a second, %u thread%s\n",
                 (unsigned long long)result->states,
                 (unsigned long long)result->generated,
                 result->reduced ? " (sleep sets)" : "",
                 (unsigned long long)result->terminal, result->depth,
                 result->seconds, rate / 1e6, result->threads,
                 result->threads == 1 ? "" : "s");
    buffer_print(
        out,
        "%llu local states, %llu messages, %llu handler calls; %.1f "
        "bytes a state, peak %.1f MB; a state omitted: %.1g\n",
        (unsigned long long)stats.locals, (unsigned long long)stats.messages,
        (unsigned long long)stats.calls,
        result->states ? (double)result->bytes / (double)result->states : 0,
        (double)peak_bytes() / 1e6, result->omission);
}

static void print_counts(const struct walk_counts *counts, struct buffer *out)
{
    if (counts->unbounded)
        buffer_append_text(out, "unbounded: there is a cycle\n");
    else if (!counts->complete)
        buffer_print(out, "not counted: %s\n", counts->why);
    else {
        buffer_append(out, buffer_slice(&counts->interleavings));
        buffer_append_text(out, " interleavings = ");
        buffer_append(out, buffer_slice(&counts->paths));
        buffer_append_text(out, " paths\n");
    }
}

void check_print_text(const struct check_report *report, struct buffer *out)
{
    print_verdict(report, out);
    print_numbers(report, out);
    if (report->counts)
        print_counts(report->counts, out);
    if (report->run) {
        buffer_append_byte(out, '\n');
        if (run_draw_text(report->run, report->width, report->colour, out) !=
            KAN_OK)
            buffer_append_text(out, "out of memory for the drawing\n");
        buffer_append_byte(out, '\n');
    }
    if (report->svg)
        buffer_print(out, "picture: %s\n", report->svg);
    if (report->saved)
        buffer_print(out, "replay:  kan check --replay %s\n", report->saved);
}

/* --- for programs --------------------------------------------------------- */

static void print_string(const char *name, const char *text, struct buffer *out)
{
    buffer_print(out, ",\"%s\":", name);
    if (text)
        json_append_string(out, kan_text(text));
    else
        buffer_append_text(out, "null");
}

static void print_count(const char *name, const struct walk_counts *counts,
                        const struct buffer *count, struct buffer *out)
{
    buffer_print(out, ",\"%s\":", name);
    if (counts && counts->unbounded)
        buffer_append_text(out, "\"unbounded\"");
    else if (!counts || !counts->complete)
        buffer_append_text(out, "\"unknown\"");
    else
        buffer_print(out, "\"%.*s\"", (int)count->size, count->bytes);
}

static void print_run(const struct check_report *report, struct buffer *out)
{
    const struct run *run = report->run;
    char path[PATH_ID_TEXT];

    path_id_text(run->path, path);
    buffer_print(out, ",\"path\":\"%s\",\"run\":[", path);
    for (uint32_t i = 0; i < run->step_count; i++) {
        struct buffer line = BUFFER_INIT;
        if (scenario_write_event(&run->steps[i].event, &line) != KAN_OK)
            out->failed = true;
        buffer_append_text(out, i ? "," : "");
        json_append_string(out, slice_head(buffer_slice(&line),
                                           line.size > 0 ? line.size - 1 : 0));
        buffer_fini(&line);
    }
    buffer_append_byte(out, ']');
}

void check_print_json(const struct check_report *report, struct buffer *out)
{
    const struct walk_result *result = report->result;
    const struct walk_counts *counts = report->counts;
    const struct buffer none = BUFFER_INIT;
    struct space_stats stats = space_stats(report->space);
    struct buffer budget = BUFFER_INIT;
    bool failed = result->verdict == WALK_FAILS;

    check_budget(report, &budget);
    buffer_append_text(out, "{\"model\":");
    json_append_string(out, kan_text(report->target->name));
    print_string("verdict", verdict_text(result->verdict), out);
    buffer_print(out, ",\"complete\":%s", result->complete ? "true" : "false");
    print_string("budget", buffer_text(&budget), out);
    print_string("property", failed ? check_property(report) : NULL, out);
    print_string("why", result->why[0] ? result->why : NULL, out);
    print_count("interleavings", counts,
                counts ? &counts->interleavings : &none, out);
    print_count("paths", counts, counts ? &counts->paths : &none, out);
    buffer_print(out,
                 ",\"states\":%llu,\"generated\":%llu,\"terminal\":%llu,"
                 "\"depth\":%u,\"seconds\":%.6f,\"threads\":%u,\"reduced\":%s,"
                 "\"steps\":%u,\"shortest\":%s",
                 (unsigned long long)result->states,
                 (unsigned long long)result->generated,
                 (unsigned long long)result->terminal, result->depth,
                 result->seconds, result->threads,
                 result->reduced ? "true" : "false",
                 failed ? result->run.step_count : 0,
                 failed && result->shortest ? "true" : "false");
    buffer_print(
        out,
        ",\"omission\":%.3g,\"bytes\":%llu,\"peak_bytes\":%llu,"
        "\"locals\":%llu,\"messages\":%llu,\"calls\":%llu",
        result->omission, (unsigned long long)result->bytes,
        (unsigned long long)peak_bytes(), (unsigned long long)stats.locals,
        (unsigned long long)stats.messages, (unsigned long long)stats.calls);
    if (report->run)
        print_run(report, out);
    if (report->saved)
        print_string("scenario", report->saved, out);
    buffer_append_text(out, "}\n");
    buffer_fini(&budget);
}
