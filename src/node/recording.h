/* recording.h - what actors took in, written down as it happens: a scenario
 * (path/scenario/scenario.h) that the checker and the simulator replay.
 *
 * Each input is in the file, though not on the disk, before the next: a process
 * that dies leaves all but at most one line. The last line is the path, and is
 * there when the run ended in order. */

#ifndef NODE_RECORDING_H
#define NODE_RECORDING_H

#include <kan/base.h>

#include "base/log.h"
#include "block/actor/actor.h"

struct recording;

/* Make the file, or empty it, and write the head. KAN_INVALID, KAN_NOTFOUND,
 * KAN_FULL, ... with one line in why. Yours: recording_close(). */
KAN_MUST_USE enum kan_err recording_open(struct env *env, struct log *log,
                                         const char *file, const char *module,
                                         struct recording **ret_recording,
                                         struct buffer *why);

/* Write one input. A line that cannot be written ends the recording, with a
 * note in the log: what is there stays whole. */
void recording_event(struct recording *recording,
                     const struct actor_event *event);

/* Write the path, unless NULL, and close. NULL is ignored; returns NULL. */
struct recording *recording_close(struct recording *recording,
                                  const struct path_id *path);

#endif /* NODE_RECORDING_H */
