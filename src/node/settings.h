/* settings.h - what `kan run` is told: flags, their defaults and their words.
 *
 * One table holds each flag's name, kind, default and help. The parser, the
 * help text, the manual page and the suggestions for a misspelt flag are all
 * made from it. Names are those of daprd and of the Dapr CLI; Kan's own stand
 * in a group of their own. */

#ifndef NODE_SETTINGS_H
#define NODE_SETTINGS_H

#include <kan/base.h>

#include "base/bytes.h"
#include "base/log.h"

enum
{
    SETTINGS_LIST_MAX = 16 /* values of one repeatable flag */
};

struct settings_list
{
    const char *values[SETTINGS_LIST_MAX];
    uint32_t count;
};

/* Texts are borrowed from the arguments and the environment. A port of -1 is
 * "not given"; 0 asks for any free one. Durations are in milliseconds. */
struct settings
{
    const char *app_id;
    int64_t app_port;
    const char *app_protocol;
    const char *app_channel_address;
    struct settings_list resources_path;
    struct settings_list config;

    int64_t http_port;
    const char *listen_addresses;
    int64_t public_port;
    const char *public_listen_address;
    const char *unix_domain_socket;
    bool enable_metrics;
    int64_t metrics_port;
    const char *metrics_listen_address;
    const char *allowed_origins;
    bool reuse_port;

    uint64_t body_max;
    uint64_t head_max;
    uint64_t bodies_max;
    uint64_t connections_max;
    uint64_t header_timeout_ms;
    uint64_t body_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t answer_timeout_ms;

    const char *data_dir;
    const char *record;             /* a file for what actors do; NULL: none */
    struct settings_list modules;   /* shared objects with actors */
    struct settings_list contracts; /* contract files */
    uint64_t grace_ms;
    uint64_t block_shutdown_ms;

    const char *log_level_text;
    enum log_level log_level;
    bool log_json;
    bool api_logging;

    bool help;
    bool version;

    const char *api_token;     /* DAPR_API_TOKEN, or NULL */
    const char *app_api_token; /* APP_API_TOKEN, or NULL */
    const char *namespace_;    /* NAMESPACE, or NULL */

    /* Flags given that this version accepts and does not use. */
    struct settings_list unused;

    /* The app's command: argv from here on, NULL-terminated; NULL: none. */
    const char *const *command;
};

/* Fill in defaults, then read the environment (lookup gives a variable's value
 * or NULL) and the arguments behind the subcommand. KAN_INVALID with one line
 * in why: what was wrong, and what was probably meant. */
typedef const char *settings_lookup(const char *name);
KAN_MUST_USE enum kan_err settings_parse(struct settings *settings, int argc,
                                         const char *const *argv,
                                         settings_lookup *lookup,
                                         struct buffer *why);

/* Append the flags as help text for a terminal, or as roff for the manual. */
void settings_help(struct buffer *out, bool roff);

#endif /* NODE_SETTINGS_H */
