/* metrics.c - the state of the daemon as Prometheus text.
 *
 * Labels are bounded: routes by the names of the router's table, stores by the
 * component files, never text of a user. */

#include "serve/http/call.h"
#include "serve/http/entity.h"

/* Upper bounds of the histogram of times, in ns and as text. The lowest is
 * near what a read from memory takes, the highest near a slow disk's sync. */
static const struct
{
    uint64_t ns;
    const char *text;
} times[SERVE_TIMES] = {
    {25000, "0.000025"}, {50000, "0.00005"},  {100000, "0.0001"},
    {250000, "0.00025"}, {500000, "0.0005"},  {1000000, "0.001"},
    {2500000, "0.0025"}, {5000000, "0.005"},  {10000000, "0.01"},
    {50000000, "0.05"},  {250000000, "0.25"}, {1000000000, "1"},
    {5000000000, "5"},
};

void metrics_count(struct route_stats *stats, int status, uint64_t ns)
{
    int at = 0;
    stats->answers[status / 100 <= 5 ? status / 100 : 5]++;
    while (at < SERVE_TIMES && ns > times[at].ns)
        at++;
    stats->times[at]++;
    stats->ns += ns;
}

static void metric_head(struct buffer *out, const char *name, const char *type,
                        const char *help)
{
    buffer_print(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void metric(struct buffer *out, const char *name, const char *type,
                   const char *help, uint64_t number)
{
    metric_head(out, name, type, help);
    buffer_print(out, "%s %llu\n", name, (unsigned long long)number);
}

/* text as a label's value: \, " and line ends escaped. */
static void label_text(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') {
            buffer_append_text(out, "\\n");
            continue;
        }
        if (*text == '\\' || *text == '"')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, (unsigned char)*text);
    }
}

/* --- requests ------------------------------------------------------------- */

/* Several rows of the table may share one name; the first of them speaks for
 * all. */
static bool route_speaks(uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (strcmp(routes[i].name, routes[at].name) == 0)
            return false;
    return true;
}

/* The sum over all rows of that name. */
static struct route_stats route_sum(const struct serve *serve, uint32_t at)
{
    struct route_stats sum = {{0}, {0}, 0};
    for (uint32_t i = at; i < route_count; i++) {
        const struct route_stats *one = &serve->stats[i];
        if (strcmp(routes[i].name, routes[at].name) != 0)
            continue;
        for (int k = 0; k < 6; k++)
            sum.answers[k] += one->answers[k];
        for (int k = 0; k <= SERVE_TIMES; k++)
            sum.times[k] += one->times[k];
        sum.ns += one->ns;
    }
    return sum;
}

static void write_answers(struct buffer *out, const struct serve *serve)
{
    static const char name[] = "kan_http_requests_total";
    metric_head(out, name, "counter", "Requests answered, by route and class.");
    for (uint32_t i = 0; i < route_count; i++) {
        if (!route_speaks(i))
            continue;
        struct route_stats sum = route_sum(serve, i);
        for (int k = 0; k < 6; k++)
            if (sum.answers[k])
                buffer_print(out, "%s{route=\"%s\",class=\"%dxx\"} %llu\n",
                             name, routes[i].name, k,
                             (unsigned long long)sum.answers[k]);
    }
}

static void write_histogram(struct buffer *out, const char *route,
                            const struct route_stats *sum)
{
    static const char name[] = "kan_http_request_duration_seconds";
    unsigned long long count = 0;
    for (int k = 0; k <= SERVE_TIMES; k++) {
        count += sum->times[k];
        buffer_print(out, "%s_bucket{route=\"%s\",le=\"%s\"} %llu\n", name,
                     route, k < SERVE_TIMES ? times[k].text : "+Inf", count);
    }
    buffer_print(out, "%s_sum{route=\"%s\"} %.9f\n", name, route,
                 (double)sum->ns / 1e9);
    buffer_print(out, "%s_count{route=\"%s\"} %llu\n", name, route, count);
}

/* Routes that nobody asked for are left out, to keep the page short. */
static void write_times(struct buffer *out, const struct serve *serve)
{
    metric_head(out, "kan_http_request_duration_seconds", "histogram",
                "Time from a whole request to its answer, by route.");
    for (uint32_t i = 0; i < route_count; i++) {
        if (!route_speaks(i))
            continue;
        struct route_stats sum = route_sum(serve, i);
        uint64_t count = 0;
        for (int k = 0; k <= SERVE_TIMES; k++)
            count += sum.times[k];
        if (count)
            write_histogram(out, routes[i].name, &sum);
    }
}

static void write_http(struct buffer *out, const struct serve *serve)
{
    struct http_stats stats = http_server_stats(serve->server);
    metric(out, "kan_http_refused_total", "counter",
           "Requests refused for their framing, a limit or a time-out.",
           stats.refused);
    metric(out, "kan_http_connections_total", "counter",
           "Connections accepted.", stats.connections);
    metric(out, "kan_http_connections_open", "gauge", "Connections open now.",
           stats.connections_open);
    metric(out, "kan_http_requests_under_way", "gauge",
           "Requests that wait for their answer.", serve->call_count);
    metric(out, "kan_http_body_bytes_in_flight", "gauge",
           "Bytes of request bodies held in memory.",
           stats.body_bytes_in_flight);
    metric(out, "kan_http_received_bytes_total", "counter", "Bytes received.",
           stats.bytes_in);
    metric(out, "kan_http_sent_bytes_total", "counter", "Bytes sent.",
           stats.bytes_out);
}

/* --- stores --------------------------------------------------------------- */

/* One number of every store. */
enum store_number
{
    STORE_COMMITS,
    STORE_CONFLICTS,
    STORE_READS,
    STORE_CACHE_HITS,
    STORE_GROUPS,
    STORE_BYTES_WRITTEN,
    STORE_WAITING,
    STORE_FULL,
    STORE_BROKEN,
    STORE_REVISION,
    STORE_NUMBERS
};

static const struct
{
    const char *name;
    const char *type;
    const char *help;
} store_numbers[STORE_NUMBERS] = {
    {"kan_store_commits_total", "counter", "Commits applied."},
    {"kan_store_conflicts_total", "counter", "Commits refused by a condition."},
    {"kan_store_reads_total", "counter", "Keys asked for."},
    {"kan_store_cache_hits_total", "counter", "Of these, found in memory."},
    {"kan_store_groups_total", "counter", "Transactions on disk."},
    {"kan_store_written_bytes_total", "counter", "Bytes written to disk."},
    {"kan_store_waiting", "gauge", "Requests under way in the engine."},
    {"kan_store_full", "gauge", "1 when the last commit found the disk full."},
    {"kan_store_broken", "gauge", "1 when the engine must be opened again."},
    {"kan_store_revision", "gauge", "The newest revision that can be read."},
};

static uint64_t store_number(const struct engine_stats *stats,
                             struct engine_cursor cursor, int number)
{
    switch (number) {
    case STORE_COMMITS:
        return stats->commits;
    case STORE_CONFLICTS:
        return stats->conflicts;
    case STORE_READS:
        return stats->reads;
    case STORE_CACHE_HITS:
        return stats->cache_hits;
    case STORE_GROUPS:
        return stats->groups;
    case STORE_BYTES_WRITTEN:
        return stats->bytes_written;
    case STORE_WAITING:
        return stats->waiting;
    case STORE_FULL:
        return stats->full;
    case STORE_BROKEN:
        return stats->broken;
    default:
        return cursor.revision;
    }
}

static void write_stores(struct buffer *out, const struct serve *serve)
{
    const struct serve_options *options = &serve->options;
    for (int k = 0; k < STORE_NUMBERS && options->store_count; k++) {
        metric_head(out, store_numbers[k].name, store_numbers[k].type,
                    store_numbers[k].help);
        for (uint32_t i = 0; i < options->store_count; i++) {
            struct engine *engine =
                state_store_engine(options->stores[i].state);
            struct engine_stats stats = engine_stats(engine);
            buffer_print(out, "%s{store=\"", store_numbers[k].name);
            label_text(out, options->stores[i].name);
            buffer_print(out, "\"} %llu\n",
                         (unsigned long long)store_number(
                             &stats, engine_cursor(engine), k));
        }
    }
}

/* --- locks and actors ----------------------------------------------------- */

static const struct
{
    const char *name;
    const char *type;
    const char *help;
} lock_numbers[] = {
    {"kan_lock_granted_total", "counter", "Locks granted."},
    {"kan_lock_taken_back_total", "counter",
     "Grants that nobody wanted any more."},
    {"kan_lock_settled_total", "counter",
     "Requests answered after an answer of the engine had been lost."},
    {"kan_lock_lost_total", "counter",
     "Watched grants that ended by a loss or a release."},
    {"kan_lock_waiting", "gauge", "Requests for a lock under way or in line."},
    {"kan_lock_settling", "gauge",
     "Requests answered, whose effect is not yet accounted for."},
};

static uint64_t lock_number(const struct lock_stats *stats, size_t number)
{
    const uint64_t numbers[] = {stats->granted, stats->taken_back,
                                stats->settled, stats->lost,
                                stats->waiting, stats->settling};
    return numbers[number];
}

static void write_locks(struct buffer *out, const struct serve_options *options)
{
    size_t count = sizeof(lock_numbers) / sizeof(lock_numbers[0]);
    for (size_t k = 0; k < count && options->lock_count; k++) {
        metric_head(out, lock_numbers[k].name, lock_numbers[k].type,
                    lock_numbers[k].help);
        for (uint32_t i = 0; i < options->lock_count; i++) {
            struct lock_stats stats = lock_store_stats(options->locks[i].lock);
            buffer_print(out, "%s{store=\"", lock_numbers[k].name);
            label_text(out, options->locks[i].name);
            buffer_print(out, "\"} %llu\n",
                         (unsigned long long)lock_number(&stats, k));
        }
    }
}

static void write_actors(struct buffer *out, const struct actor_host *actors)
{
    if (!actors)
        return;
    struct actor_stats stats = actor_host_stats(actors);
    metric(out, "kan_actor_steps_total", "counter", "Steps of actors.",
           stats.steps);
    metric(out, "kan_actor_commits_total", "counter", "Commits that held them.",
           stats.commits);
    metric(out, "kan_actor_crashes_total", "counter",
           "Handlers that crashed, or ran for too long.", stats.crashes);
    metric(out, "kan_actor_parked_total", "counter",
           "Messages parked since the start.", stats.parked);
    metric(out, "kan_actors_active", "gauge", "Actors in memory.",
           stats.active);
    metric(out, "kan_actor_messages_waiting", "gauge",
           "Messages that wait in memory.", stats.waiting);
}

/* --- entities, sagas ------------------------------------------------------ */

static void write_entities(struct buffer *out, const struct serve *serve)
{
    const struct serve_contracts *contracts = serve->options.contracts;
    if (!contracts)
        return;
    struct entity_stats stats = entity_stats(contracts->entities);
    metric_head(out, "kan_entity_requests_total", "counter",
                "Steps asked for over HTTP, by type and outcome.");
    entity_counts_write(out, serve);
    metric(out, "kan_entity_steps_total", "counter",
           "Steps taken, those of sagas too.", stats.steps);
    metric(out, "kan_entity_refused_total", "counter", "Steps refused.",
           stats.refused);
    metric(out, "kan_entity_commits_total", "counter",
           "Commits that held the steps.", stats.commits);
    metric(out, "kan_entity_replays_total", "counter",
           "Answers by an idempotency key.", stats.replays);
    metric(out, "kan_entity_opened_total", "counter",
           "Entities read into memory.", stats.opened);
    metric(out, "kan_entities_active", "gauge", "Entities in memory.",
           stats.active);
    metric(out, "kan_entity_steps_waiting", "gauge",
           "Steps that wait in memory.", stats.waiting);
    if (!contracts->sagas)
        return;
    struct saga_stats sagas = saga_stats(contracts->sagas);
    metric_head(out, "kan_sagas_total", "counter", "Sagas that ended.");
    buffer_print(out,
                 "kan_sagas_total{outcome=\"done\"} %llu\n"
                 "kan_sagas_total{outcome=\"undone\"} %llu\n",
                 (unsigned long long)sagas.done,
                 (unsigned long long)sagas.undone);
    metric(out, "kan_sagas_running", "gauge", "Sagas under way.",
           sagas.running);
}

/* --- the page ------------------------------------------------------------- */

static void write_build(struct buffer *out, const struct serve_options *options)
{
    metric_head(out, "kan_build_info", "gauge", "The version that runs.");
    buffer_append_text(out, "kan_build_info{version=\"");
    label_text(out, options->version);
    buffer_append_text(out, "\"} 1\n");
    if (!options->log)
        return;
    metric_head(out, "kan_log_level", "gauge",
                "1 for the level that is set, 0 for the others.");
    for (int level = LOG_DEBUG; level <= LOG_FATAL; level++)
        buffer_print(out, "kan_log_level{level=\"%s\"} %d\n",
                     log_level_name((enum log_level)level),
                     level == (int)options->log->level);
}

static void write_ready(struct buffer *out, const struct serve *serve)
{
    metric(out, "kan_ready", "gauge", "1 when /v1.0/healthz says so.",
           serve->ready[SERVE_OUTBOUND] && serve->ready[SERVE_APPLICATION]);
    metric(out, "kan_outbound_ready", "gauge",
           "1 when /v1.0/healthz/outbound says so.",
           serve->ready[SERVE_OUTBOUND]);
}

static void page_write(struct call *call)
{
    struct buffer *out = &call->out;
    if (!call->serve->server) {
        /* Views were asked first, and Kan has closed meanwhile. */
        call_overloaded(call);
        return;
    }
    write_build(out, &call->serve->options);
    write_ready(out, call->serve);
    write_answers(out, call->serve);
    write_times(out, call->serve);
    write_http(out, call->serve);
    write_stores(out, call->serve);
    write_locks(out, &call->serve->options);
    write_actors(out, call->serve->options.actors);
    write_entities(out, call->serve);
    call_answer_chunked(call, "text/plain; version=0.0.4; charset=utf-8");
}

void metrics_call(struct call *call)
{
    entity_view_lags(call, page_write);
}
