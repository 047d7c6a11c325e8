/* vfs.h - the file system that SQLite sees.
 *
 * One layer counts what is written and gathers the log's small writes into few.
 * Beneath it, in the world, is SQLite's own file system: so its locks and
 * shared memory work with other programs. In a simulated world it is one on env
 * files, with locks and shared memory in this process: so that every read,
 * write and sync is the simulator's to drop, tear and reorder. */

#ifndef SQLITE_VFS_H
#define SQLITE_VFS_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/list.h"
#include "env/env.h"

/* One for each open store; must not move while it is open. */
struct sqlite_vfs
{
    sqlite3_vfs base;
    char name[32];
    struct env *env;
    sqlite3_vfs *real;     /* the one beneath */
    sqlite3_vfs simulated; /* which is this one, in a simulated world */
    struct list shared;    /* simulated: locks and memory, one a database */
    atomic_ullong bytes_written;
};

/* Register a file system of a new name. KAN_NOMEM, KAN_IO. */
KAN_MUST_USE enum kan_err sqlite_vfs_open(struct sqlite_vfs *vfs,
                                          struct env *env);

/* Unregister; every file must be closed. A zeroed one is fine. */
void sqlite_vfs_close(struct sqlite_vfs *vfs);

/* For vfs_env.c: set up vfs->simulated, the methods on env files. */
void sqlite_vfs_simulate(struct sqlite_vfs *vfs);

static inline struct sqlite_vfs *sqlite_vfs_of(sqlite3_vfs *base)
{
    return base->pAppData;
}

/* Bytes were written. From any thread. */
static inline void sqlite_vfs_count(struct sqlite_vfs *vfs, int bytes)
{
    atomic_fetch_add_explicit(&vfs->bytes_written, (unsigned long long)bytes,
                              memory_order_relaxed);
}

#endif /* SQLITE_VFS_H */
