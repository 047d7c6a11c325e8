/* The table of flags, and the parser that walks it.
 *
 * A flag may have one dash or two, as in Go's flag package, and its value may
 * follow as "--flag value" or "--flag=value". A later flag wins over an earlier
 * one; repeatable flags add up. */

#include "node/settings.h"

#include "base/number.h"
#include "base/suggest.h"

enum kind
{
    TEXT,     /* any text, not empty */
    LIST,     /* repeatable text */
    PORT,     /* -1 (not given), or 0..65535 */
    FLAG,     /* --x, --x=true, --x=false */
    SIZE,     /* bytes, with Ki, Mi ... */
    MEGABYTE, /* a number of MiB (deprecated daprd flags) */
    KILOBYTE,
    COUNT,
    SECONDS,  /* a bare number is seconds; "1.5s" is a duration */
    TIMEOUT,  /* a duration of 1 ms at least */
    DURATION, /* a duration as Go writes it */
    UNUSED    /* known to Dapr, without effect here */
};

enum group
{
    APP,
    API,
    RESOURCES,
    LIMITS,
    LOGGING,
    KAN,
    NOTHING
};

static const char *const group_titles[] = {
    [APP] = "The app beside it",
    [API] = "Listening",
    [RESOURCES] = "Resources",
    [LIMITS] = "Limits and time-outs",
    [LOGGING] = "Logs and metrics",
    [KAN] = "Kan's own",
    [NOTHING] = "Known to Dapr, accepted, without effect in this version",
};

struct flag
{
    const char *name;
    char letter; /* 0: none */
    enum kind kind;
    enum group group;
    size_t offset; /* in struct settings; meaningless for UNUSED */
    const char *fallback;
    const char *help;
};

#define AT(member) offsetof(struct settings, member)

static const struct flag flags[] = {
    {"app-id", 'a', TEXT, APP, AT(app_id), "kan",
     "The app's identity; keys are stored under it."},
    {"app-port", 'p', PORT, APP, AT(app_port), "-1",
     "The port on which the app listens. Kan is ready once it accepts."},
    {"app-protocol", 'P', TEXT, APP, AT(app_protocol), "http",
     "The app's protocol: http, https, h2c, grpc or grpcs."},
    {"app-channel-address", 0, TEXT, APP, AT(app_channel_address), "127.0.0.1",
     "The host on which the app listens."},

    {"dapr-http-port", 'H', PORT, API, AT(http_port), "3500",
     "The port of the HTTP API; 0 or -1 takes any free one."},
    {"dapr-listen-addresses", 0, TEXT, API, AT(listen_addresses),
     "127.0.0.1,[::1]", "Comma-separated addresses of the HTTP API."},
    {"dapr-public-port", 0, PORT, API, AT(public_port), "-1",
     "A second port that serves health and metadata only."},
    {"dapr-public-listen-address", 0, TEXT, API, AT(public_listen_address),
     "127.0.0.1", "The address of the public port."},
    {"unix-domain-socket", 'u', TEXT, API, AT(unix_domain_socket), NULL,
     "A directory: listen on DIR/dapr-APPID-http.socket, not on TCP."},
    {"allowed-origins", 0, TEXT, API, AT(allowed_origins), NULL,
     "Origins for CORS: * or a comma-separated list. Off when not given."},
    {"reuse-port", 0, FLAG, API, AT(reuse_port), "false",
     "Share the port with other processes (SO_REUSEPORT)."},

    {"resources-path", 0, LIST, RESOURCES, AT(resources_path), NULL,
     "A directory of component files; may be given more than once. Without it "
     "there is one store, statestore, in the data directory."},
    {"components-path", 'd', LIST, RESOURCES, AT(resources_path), NULL,
     "The older name of resources-path."},
    {"config", 'c', LIST, RESOURCES, AT(config), NULL,
     "A Configuration file; read by a later version."},

    {"max-body-size", 0, SIZE, LIMITS, AT(body_max), "4Mi",
     "The largest body of a request."},
    {"read-buffer-size", 0, SIZE, LIMITS, AT(head_max), "4Ki",
     "The largest head of a request."},
    {"max-bodies-size", 0, SIZE, LIMITS, AT(bodies_max), "16Mi",
     "All bodies in flight together; beyond it requests get 503. One body "
     "of max-body-size always fits."},
    {"max-connections", 0, COUNT, LIMITS, AT(connections_max), "12000",
     "Open connections; beyond it new ones get 503."},
    {"header-timeout", 0, TIMEOUT, LIMITS, AT(header_timeout_ms), "10s",
     "From the first byte of a request to the end of its head."},
    {"body-timeout", 0, TIMEOUT, LIMITS, AT(body_timeout_ms), "30s",
     "Without a byte of a body arriving."},
    {"idle-timeout", 0, TIMEOUT, LIMITS, AT(idle_timeout_ms), "75s",
     "Between requests on one connection."},
    {"answer-timeout", 0, TIMEOUT, LIMITS, AT(answer_timeout_ms), "30s",
     "Without a byte of an answer being taken."},
    {"dapr-http-max-request-size", 0, MEGABYTE, LIMITS, AT(body_max), NULL,
     "The older name of max-body-size, in MiB."},
    {"dapr-http-read-buffer-size", 0, KILOBYTE, LIMITS, AT(head_max), NULL,
     "The older name of read-buffer-size, in KiB."},
    {"dapr-graceful-shutdown-seconds", 0, SECONDS, LIMITS, AT(grace_ms), "5",
     "How long requests under way, and the app, may take to end."},
    {"dapr-block-shutdown-duration", 0, DURATION, LIMITS, AT(block_shutdown_ms),
     "0s", "Keep serving this long after the signal to stop."},

    {"log-level", 0, TEXT, LOGGING, AT(log_level_text), "info",
     "debug, info, warn, error or fatal."},
    {"log-as-json", 0, FLAG, LOGGING, AT(log_json), "false",
     "Log lines as JSON instead of logfmt."},
    {"enable-api-logging", 0, FLAG, LOGGING, AT(api_logging), "false",
     "Log every API call."},
    {"enable-metrics", 0, FLAG, LOGGING, AT(enable_metrics), "true",
     "Serve /metrics."},
    {"metrics-port", 'M', PORT, LOGGING, AT(metrics_port), "-1",
     "Serve /metrics on a port of its own as well, without the API token."},
    {"metrics-listen-address", 0, TEXT, LOGGING, AT(metrics_listen_address),
     "127.0.0.1", "The address of the metrics port."},

    {"data-dir", 0, TEXT, KAN, AT(data_dir), ".kan",
     "Where the embedded store keeps its files."},
    {"record", 0, TEXT, KAN, AT(record), NULL,
     "Write down what the actors of the module take in, and the numbers that "
     "they draw, as a file that kan check and kan sim replay."},
    {"help", 'h', FLAG, KAN, AT(help), "false", "Print this and exit."},
    {"version", 'v', FLAG, KAN, AT(version), "false", "Print and exit."},

    {"dapr-grpc-port", 'G', UNUSED, NOTHING, 0, NULL, NULL},
    {"dapr-internal-grpc-port", 'I', UNUSED, NOTHING, 0, NULL, NULL},
    {"dapr-internal-grpc-listen-address", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"app-max-concurrency", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"mode", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"placement-host-address", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"scheduler-host-address", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"scheduler-job-streams", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"actors-disseminate-timeout", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"control-plane-address", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"control-plane-trust-domain", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"control-plane-namespace", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"sentry-address", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"sentry-request-jwt-audiences", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"app-health-check-path", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"app-health-probe-interval", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"app-health-probe-timeout", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"app-health-threshold", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"app-binding-options-timeout", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"disable-init-endpoints", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"hot-reload-reconcile-interval", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"profile-port", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"reminders-service", 0, UNUSED, NOTHING, 0, NULL, NULL},
    {"actors-service", 0, UNUSED, NOTHING, 0, NULL, NULL},
    /* Unused flags without a value. */
    {"enable-app-health-check", 0, UNUSED, NOTHING, 1, NULL, NULL},
    {"enable-mtls", 0, UNUSED, NOTHING, 1, NULL, NULL},
    {"enable-profiling", 0, UNUSED, NOTHING, 1, NULL, NULL},
    {"disable-builtin-k8s-secret-store", 0, UNUSED, NOTHING, 1, NULL, NULL},
    {"app-ssl", 0, UNUSED, NOTHING, 1, NULL, NULL},
};

enum
{
    HEAD_MIN = 64, /* as wire/http.h has it */
    HEAD_MAX = 1 << 20,
    FLAG_COUNT = sizeof flags / sizeof flags[0]
};

static const struct flag *find(struct kan_slice name, bool letter)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const struct flag *flag = &flags[i];
        if (letter ? name.size == 1 &&
                         slice_at(name, 0) == (unsigned char)flag->letter
                   : slice_equal(name, kan_text(flag->name)))
            return flag;
    }
    return NULL;
}

static bool takes_value(const struct flag *flag)
{
    return flag->kind == UNUSED ? flag->offset == 0 : flag->kind != FLAG;
}

static enum kan_err refuse(struct buffer *why, const struct flag *flag,
                           const char *value, const char *expected)
{
    buffer_print(why, "--%s is '%s'; expected %s", flag->name, value, expected);
    return KAN_INVALID;
}

static enum kan_err set_list(struct settings_list *list, const char *value,
                             const struct flag *flag, struct buffer *why)
{
    if (list->count == SETTINGS_LIST_MAX) {
        buffer_print(why, "--%s is given more than %d times", flag->name,
                     SETTINGS_LIST_MAX);
        return KAN_INVALID;
    }
    list->values[list->count++] = value;
    return KAN_OK;
}

static enum kan_err set_port(int64_t *port, const char *value,
                             const struct flag *flag, struct buffer *why)
{
    int64_t number;
    if (number_i64(kan_text(value), &number) != KAN_OK || number < -1 ||
        number > 65535)
        return refuse(why, flag, value, "a port from 0 to 65535, or -1");
    *port = number;
    return KAN_OK;
}

/* Sizes stay below 1 GiB, so that no sum of them overflows. */
static enum kan_err set_size(uint64_t *size, const char *value, uint64_t unit,
                             const struct flag *flag, struct buffer *why)
{
    const uint64_t size_max = 1 << 30;
    uint64_t number;
    if (number_quantity(kan_text(value), &number) != KAN_OK || number == 0 ||
        number > size_max / unit)
        return refuse(why, flag, value,
                      "a size such as 512Ki or 4Mi, at most 1Gi");
    *size = number * unit;
    return KAN_OK;
}

static enum kan_err set_duration(uint64_t *ms, const char *value,
                                 bool bare_seconds, const struct flag *flag,
                                 struct buffer *why)
{
    const uint64_t day_ms = 24 * 3600 * 1000;
    uint64_t number;
    if (bare_seconds && number_u64(kan_text(value), &number) == KAN_OK &&
        number <= day_ms / 1000) {
        *ms = number * 1000;
        return KAN_OK;
    }
    uint64_t least_ns = flag->kind == TIMEOUT ? 1000000 : 0;
    if (number_duration(kan_text(value), &number) != KAN_OK ||
        number < least_ns || number / 1000000 > day_ms)
        return refuse(why, flag, value,
                      flag->kind == TIMEOUT
                          ? "a duration such as 500ms or 10s, 1ms to 24h"
                          : "a duration such as 500ms, 10s or 1m30s, at most "
                            "24h");
    *ms = number / 1000000;
    return KAN_OK;
}

static enum kan_err set(struct settings *settings, const struct flag *flag,
                        const char *value, struct buffer *why)
{
    void *place = (char *)settings + flag->offset;
    uint64_t number;
    switch (flag->kind) {
    case TEXT:
        if (!*value)
            return refuse(why, flag, value, "a text");
        *(const char **)place = value;
        return KAN_OK;
    case LIST:
        return set_list(place, value, flag, why);
    case PORT:
        return set_port(place, value, flag, why);
    case FLAG:
        if (number_bool(kan_text(value), place) != KAN_OK)
            return refuse(why, flag, value, "true or false");
        return KAN_OK;
    case SIZE:
        return set_size(place, value, 1, flag, why);
    case MEGABYTE:
        return set_size(place, value, 1 << 20, flag, why);
    case KILOBYTE:
        return set_size(place, value, 1 << 10, flag, why);
    case COUNT:
        if (number_u64(kan_text(value), &number) != KAN_OK || number == 0 ||
            number > 1000000)
            return refuse(why, flag, value, "a number from 1 to 1000000");
        *(uint64_t *)place = number;
        return KAN_OK;
    case SECONDS:
        return set_duration(place, value, true, flag, why);
    case TIMEOUT:
    case DURATION:
        return set_duration(place, value, false, flag, why);
    case UNUSED:
        return set_list(&settings->unused, flag->name, flag, why);
    }
    return KAN_INVALID;
}

static enum kan_err unknown_flag(struct kan_slice name, struct buffer *why)
{
    const char *names[FLAG_COUNT];
    for (size_t i = 0; i < FLAG_COUNT; i++)
        names[i] = flags[i].name;
    const char *nearest = suggest_nearest(name, names, FLAG_COUNT);
    buffer_print(why, "unknown flag --%.*s", SLICE_ARG(name));
    if (nearest)
        buffer_print(why, "; did you mean --%s?", nearest);
    else
        buffer_append_text(why, "; 'kan run --help' lists them");
    return KAN_INVALID;
}

static enum kan_err defaults(struct settings *settings, struct buffer *why)
{
    *settings = (struct settings){0};
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (!flags[i].fallback)
            continue;
        enum kan_err err = set(settings, &flags[i], flags[i].fallback, why);
        if (err != KAN_OK)
            return err;
    }
    return KAN_OK;
}

/* One argument and, when it needs one, its value. Advances *at. */
static enum kan_err parse_flag(struct settings *settings, int argc,
                               const char *const *argv, int *at,
                               struct buffer *why)
{
    struct kan_slice argument = kan_text(argv[*at]);
    struct kan_slice rest =
        slice_skip(argument, slice_at(argument, 1) == '-' ? 2 : 1);
    struct kan_slice name;
    bool joined = slice_cut(&rest, '=', &name);
    bool letter = slice_at(argument, 1) != '-' && name.size == 1;
    const struct flag *flag = find(name, letter);
    if (!flag)
        return unknown_flag(name, why);
    const char *value = joined ? (rest.size ? rest.bytes : "") : "true";
    if (!joined && takes_value(flag)) {
        if (*at + 1 >= argc) {
            buffer_print(why, "--%s needs a value", flag->name);
            return KAN_INVALID;
        }
        value = argv[++*at];
    }
    return set(settings, flag, value, why);
}

static enum kan_err check_protocol(const char *protocol, struct buffer *why)
{
    static const char *const known[] = {"http", "https", "h2c", "grpc",
                                        "grpcs"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(protocol, known[i]) == 0)
            return KAN_OK;
    }
    buffer_print(why,
                 "--app-protocol is '%s'; expected http, https, h2c, grpc or "
                 "grpcs",
                 protocol);
    return KAN_INVALID;
}

/* What no single flag can say. */
static enum kan_err settle(struct settings *settings, struct buffer *why)
{
    if (check_protocol(settings->app_protocol, why) != KAN_OK)
        return KAN_INVALID;
    if (log_level_parse(kan_text(settings->log_level_text),
                        &settings->log_level) != KAN_OK) {
        buffer_print(why,
                     "--log-level is '%s'; expected debug, info, warn, error "
                     "or fatal",
                     settings->log_level_text);
        return KAN_INVALID;
    }
    if (slice_find(kan_text(settings->app_id), SLICE("||")) != SIZE_MAX ||
        slice_find(kan_text(settings->app_id), SLICE("/")) != SIZE_MAX) {
        buffer_print(why, "--app-id is '%s'; it must not contain || or /",
                     settings->app_id);
        return KAN_INVALID;
    }
    if (settings->head_max < HEAD_MIN || settings->head_max > HEAD_MAX) {
        buffer_print(
            why, "--read-buffer-size is %llu bytes; expected %d to %dKi",
            (unsigned long long)settings->head_max, HEAD_MIN, HEAD_MAX >> 10);
        return KAN_INVALID;
    }
    if (settings->record && settings->modules.count != 1) {
        buffer_print(why, "--record writes down one module, and %u are given",
                     settings->modules.count);
        return KAN_INVALID;
    }
    if (settings->bodies_max < settings->body_max)
        settings->bodies_max = settings->body_max;
    if (settings->http_port < 0)
        settings->http_port = 0;
    if (settings->app_port > 0 && settings->app_port == settings->http_port) {
        buffer_print(why,
                     "--app-port and --dapr-http-port are both %lld; give "
                     "the app a port of its own",
                     (long long)settings->app_port);
        return KAN_INVALID;
    }
    return KAN_OK;
}

static bool ends_in(const char *word, const char *end)
{
    size_t size = strlen(word);
    size_t more = strlen(end);
    return size > more && strcmp(word + size - more, end) == 0;
}

/* A word that is no flag: a contract or a module. */
static enum kan_err take_word(struct settings *settings, const char *word,
                              struct buffer *why)
{
    bool contract = ends_in(word, ".kan");
    struct settings_list *list =
        contract ? &settings->contracts : &settings->modules;
    if (!contract && !ends_in(word, ".so")) {
        buffer_print(why,
                     "unexpected '%s'; a module with actors ends in .so, a "
                     "contract in .kan, and the app's command stands behind --",
                     word);
        return KAN_INVALID;
    }
    if (list->count == SETTINGS_LIST_MAX) {
        buffer_print(why, "'%s' is one %s too many; at most %d are served",
                     word, contract ? "contract" : "module", SETTINGS_LIST_MAX);
        return KAN_INVALID;
    }
    list->values[list->count++] = word;
    return KAN_OK;
}

enum kan_err settings_parse(struct settings *settings, int argc,
                            const char *const *argv, settings_lookup *lookup,
                            struct buffer *why)
{
    enum kan_err err = defaults(settings, why);
    if (err != KAN_OK)
        return err;
    settings->api_token = lookup("DAPR_API_TOKEN");
    settings->app_api_token = lookup("APP_API_TOKEN");
    settings->namespace_ = lookup("NAMESPACE");
    for (int at = 0; at < argc; at++) {
        if (strcmp(argv[at], "--") == 0) {
            settings->command = at + 1 < argc ? argv + at + 1 : NULL;
            break;
        }
        bool word = argv[at][0] != '-' || !argv[at][1];
        err = word ? take_word(settings, argv[at], why)
                   : parse_flag(settings, argc, argv, &at, why);
        if (err != KAN_OK)
            return err;
    }
    return settle(settings, why);
}

/* --- the words ------------------------------------------------------------ */

static void help_flag(struct buffer *out, const struct flag *flag, bool roff)
{
    if (roff)
        buffer_append_text(out, ".TP\n.B ");
    else
        buffer_append_text(out, "  ");
    if (flag->letter)
        buffer_print(out, roff ? "\\-%c, " : "-%c, ", flag->letter);
    if (roff) {
        buffer_append_text(out, "\\-\\-");
        for (const char *at = flag->name; *at; at++) {
            if (*at == '-')
                buffer_append_byte(out, '\\');
            buffer_append_byte(out, (unsigned char)*at);
        }
    } else {
        buffer_print(out, "--%s", flag->name);
    }
    if (flag->fallback && flag->kind != FLAG &&
        strcmp(flag->fallback, "-1") != 0)
        buffer_print(out, " (%s)", flag->fallback);
    buffer_append_text(out, "\n");
    if (flag->help)
        buffer_print(out, roff ? "%s\n" : "        %s\n", flag->help);
}

void settings_help(struct buffer *out, bool roff)
{
    for (size_t group = APP; group <= NOTHING; group++) {
        buffer_print(out, roff ? ".SS %s\n" : "\n%s:\n", group_titles[group]);
        for (size_t i = 0; i < FLAG_COUNT; i++) {
            if (flags[i].group == (enum group)group)
                help_flag(out, &flags[i], roff);
        }
    }
}
