/* node.h - one running Kan: resources read, stores opened, listeners up, the
 * app beside it started and watched, and all of it ended in order. */

#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <kan/base.h>

#include "base/log.h"
#include "env/env.h"
#include "node/settings.h"

enum
{
    NODE_EXIT_FAILED = 1, /* something broke, or a forced shutdown */
    NODE_EXIT_USAGE = 2   /* told wrong, or what is needed is taken */
};

/* How the run ended. */
struct node_end
{
    int exit_code;
    int signal; /* not 0: the app died of this signal */
};

/* Print one whole line for the user (the ready line). */
typedef void node_say(void *data, struct kan_slice line);

struct node_options
{
    struct env *env;
    const struct settings *settings; /* borrowed */
    struct log *log;
    settings_lookup *lookup;
    bool terminal; /* Ctrl-C reaches the app by the terminal itself */
    void *data;
    node_say *say;
};

/* Run until a signal, a shutdown request or the end of the app. KAN_OK when it
 * ran, and ret_end says how it ended; otherwise it could not start, and why
 * holds one line that says what to do. */
KAN_MUST_USE enum kan_err node_run(const struct node_options *options,
                                   struct buffer *why,
                                   struct node_end *ret_end);

#endif /* NODE_NODE_H */
