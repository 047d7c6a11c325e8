/* check_cast.h - the actors and the messages of a recording, where the file
 * that was recorded has no model: who must be there for it to happen again. */

#ifndef CLI_CHECK_CAST_H
#define CLI_CHECK_CAST_H

#include "check/space/space.h"
#include "path/scenario/scenario.h"

struct check_cast
{
    const struct kan_module *module;
    const struct scenario *scenario;
};

/* For space_options.cast, with a struct check_cast as its data. */
void check_cast_set(void *data, kan_setup *setup);

#endif /* CLI_CHECK_CAST_H */
