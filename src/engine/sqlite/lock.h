/* lock.h - the file beside a store that keeps a second process out, and tells
 * it who is inside. */

#ifndef SQLITE_LOCK_H
#define SQLITE_LOCK_H

#include <kan/base.h>

#include "env/env.h"

struct sqlite_lock
{
    struct env *env;
    struct env_file *file; /* NULL: not taken */
    char program[64];
};

/* Take path + ".lock". KAN_HELD with a line in why, which says who has it. */
KAN_MUST_USE enum kan_err sqlite_lock_take(struct sqlite_lock *lock,
                                           struct env *env, const char *path,
                                           const char *program, char *why,
                                           size_t why_size);

/* Write down who we are, and where to be found: an address, or NULL. */
void sqlite_lock_note(struct sqlite_lock *lock, const char *note);

/* A zeroed one is fine. */
void sqlite_lock_drop(struct sqlite_lock *lock);

/* path with suffix behind it. KAN_INVALID when it does not fit. */
KAN_MUST_USE enum kan_err sqlite_path(char *out, size_t size, const char *path,
                                      const char *suffix);

/* The folder that path is in. */
void sqlite_folder(char *out, size_t size, const char *path);

enum
{
    SQLITE_PATH_SIZE = 4096
};

#endif /* SQLITE_LOCK_H */
