/* check_picture.h - `kan check --picture`: one page for two actors of a run. */

#ifndef CLI_CHECK_PICTURE_H
#define CLI_CHECK_PICTURE_H

#include "check/draw/run.h"

struct check_picture
{
    const char *file;   /* to write; NULL: nothing is asked for */
    const char *actors; /* "client/0,client/1"; NULL: those that meet most */
};

/* Write the page of a run; steps and run NULL: of one that is chosen, in a
 * space where everything holds; title names it. Appends one line that says what
 * was written. Returns EXIT_DONE, or prints one line and returns EXIT_USAGE. */
int check_picture_write(const struct check_picture *picture,
                        struct space *space, const struct walk_run *steps,
                        const struct run *run, const char *title,
                        struct buffer *out);

#endif /* CLI_CHECK_PICTURE_H */
