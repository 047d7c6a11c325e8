/* sqlite.h - the embedded engine: one SQLite file, durable before it answers.
 *
 * One connection writes and checkpoints, on a lane of its own, and puts all
 * commits that wait into one synced transaction. Another reads. Hot keys are
 * answered from memory. The format is documented in docs/design/sqlite.md, and
 * the file opens with the sqlite3 tool, also while the engine runs. */

#ifndef SQLITE_SQLITE_H
#define SQLITE_SQLITE_H

#include <kan/base.h>

#include "engine/engine.h"

/* Zero means the default in parentheses. */
struct sqlite_options
{
    const char *path;     /* of the database; its folder exists. Beside it are
                          * path-wal, path-shm and path.lock while it is open */
    const char *program;  /* who holds it, for others to read ("kan") */
    uint64_t cache_bytes; /* pages: two thirds for the writer (3 MiB) */
    uint64_t value_cache_bytes; /* values read or written last (1.5 MiB) */
    uint64_t feed_bytes_max;    /* history kept for watches (64 MiB) */
    uint64_t checkpoint_bytes;  /* the log is copied at this size (32 MiB) */
};

/* What the engine promises. */
extern const struct engine_promises sqlite_promises;

/* Let SQLite allocate through base/alloc.h and keep no statistics. For programs
 * that have SQLite to themselves: it is one setting for the whole process, and
 * is left alone when SQLite has been used already. */
void engine_sqlite_configure(void);

/* Open the store, or make it when the file is absent or empty. Blocks; not
 * within a callback. KAN_HELD when another process has it (why names it),
 * KAN_INVALID when the file is another program's or of a newer format,
 * KAN_FULL,
 * KAN_IO, KAN_CORRUPT, KAN_NOMEM. why gets one line. Yours: engine_close(). */
KAN_MUST_USE enum kan_err engine_sqlite_open(
    struct env *env, const struct sqlite_options *options, char *why,
    size_t why_size, struct engine **ret_engine);

/* Add a line for whoever finds the store held, as "http://127.0.0.1:3500"
 * (copied; replaces the last one). engine must be of engine_sqlite_open(). */
void engine_sqlite_note(struct engine *engine, const char *text);

/* Write a copy of the store at path, also while an engine has it open, to the
 * new file dest. The copy is checked and synced before it has that name; it is
 * of another incarnation, so that old cursors are refused there. Blocks.
 * KAN_NOTFOUND, KAN_CONFLICT when dest exists, KAN_CORRUPT when the copy does
 * not hold what it should, KAN_FULL, KAN_IO, KAN_INVALID. */
KAN_MUST_USE enum kan_err sqlite_backup(struct env *env, const char *path,
                                        const char *dest, char *why,
                                        size_t why_size);

/* What a check found. line is borrowed. */
typedef void sqlite_verify_cb(void *data, const char *line);

struct sqlite_verified
{
    uint64_t keys;
    uint64_t head;      /* the newest revision */
    uint64_t compacted; /* the newest one that the feed has lost */
};

/* Check the store at path, also while an engine has it open: the pages, the
 * format, that every revision from compacted + 1 to head is in the feed once,
 * and that every key is what the feed says. cb gets a line for each problem.
 * KAN_CORRUPT when there was one. Blocks. */
KAN_MUST_USE enum kan_err sqlite_verify(struct env *env, const char *path,
                                        void *data, sqlite_verify_cb *cb,
                                        struct sqlite_verified *ret_verified);

#endif /* SQLITE_SQLITE_H */
