/* check_replay.h - `kan check --replay`: a run that was written down, again. */

#ifndef CLI_CHECK_REPLAY_H
#define CLI_CHECK_REPLAY_H

#include "check/draw/run.h"
#include "cli/check_picture.h"

struct check_replay
{
    struct space *space;
    const struct scenario *scenario;
    const char *file;
    const struct check_picture *picture;
    uint32_t width; /* of the terminal */
    bool colour;
};

/* Go along the scenario, append its drawing to out and print it, and see that
 * its end is what the file expects: the property that fails, and the path.
 * Returns EXIT_DONE, or prints one line and returns EXIT_FOUND or EXIT_USAGE.
 */
int check_replay(const struct check_replay *replay, struct buffer *out);

#endif /* CLI_CHECK_REPLAY_H */
