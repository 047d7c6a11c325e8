/* The layer between SQLite and the file system beneath it: counts what is
 * written, and gathers the log's writes.
 *
 * SQLite writes each page of its log as two pieces, a head and the page. Here
 * pieces that follow each other wait in a buffer and are written as one: before
 * the log is synced, and before anything else is asked of it. Frames are shown
 * to readers only after their sync (synchronous=FULL), so nobody can miss what
 * waits here; and a write that fails late fails the commit that it belongs to,
 * with its own code.
 *
 * There is no xFetch, so no file is ever mapped: a stray pointer cannot reach
 * the store, and a failing disk is an error and not a signal. */

#include "engine/sqlite/vfs.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"

enum
{
    GATHER_BYTES = 128 << 10 /* about 60 pages with their heads */
};

/* The real file lies behind it. */
struct layer_file
{
    sqlite3_file base;
    struct sqlite_vfs *vfs;
    bool gathers;         /* it is a log */
    char *bytes;          /* that wait; NULL until the first do */
    int size;             /* of them */
    sqlite3_int64 offset; /* where they go */
};

static struct layer_file *layer(sqlite3_file *file)
{
    return (struct layer_file *)(void *)file;
}

static sqlite3_file *real_file(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)(layer(file) + 1);
}

/* --- reading and writing -------------------------------------------------- */

/* Write what waits. What cannot be written is dropped: the commit fails with
 * it, and the log is written again from the same place. */
static int flush(sqlite3_file *file)
{
    struct layer_file *log = layer(file);
    sqlite3_file *real = real_file(file);
    int size = log->size;

    if (size == 0)
        return SQLITE_OK;
    log->size = 0;
    return real->pMethods->xWrite(real, log->bytes, size, log->offset);
}

/* Add to what waits. Whether there was room. */
static bool gather(struct layer_file *log, const void *bytes, int size,
                   sqlite3_int64 offset)
{
    if (log->size == 0)
        log->offset = offset;
    if (offset != log->offset + log->size || size > GATHER_BYTES - log->size)
        return false;
    if (!log->bytes)
        log->bytes = mem_alloc(GATHER_BYTES);
    if (!log->bytes)
        return false;
    memcpy(log->bytes + log->size, bytes, (size_t)size);
    log->size += size;
    return true;
}

static int layer_write(sqlite3_file *file, const void *bytes, int size,
                       sqlite3_int64 offset)
{
    struct layer_file *log = layer(file);
    sqlite3_file *real = real_file(file);
    int rc;

    sqlite_vfs_count(log->vfs, size);
    if (log->gathers && gather(log, bytes, size, offset))
        return SQLITE_OK;
    rc = flush(file);
    if (rc)
        return rc;
    if (log->gathers && gather(log, bytes, size, offset))
        return SQLITE_OK;
    return real->pMethods->xWrite(real, bytes, size, offset);
}

static int layer_read(sqlite3_file *file, void *bytes, int size,
                      sqlite3_int64 offset)
{
    sqlite3_file *real = real_file(file);
    int rc = flush(file);
    return rc ? rc : real->pMethods->xRead(real, bytes, size, offset);
}

static int layer_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    sqlite3_file *real = real_file(file);
    int rc = flush(file);
    return rc ? rc : real->pMethods->xTruncate(real, size);
}

static int layer_sync(sqlite3_file *file, int flags)
{
    sqlite3_file *real = real_file(file);
    int rc = flush(file);
    return rc ? rc : real->pMethods->xSync(real, flags);
}

static int layer_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    sqlite3_file *real = real_file(file);
    int rc = flush(file);
    return rc ? rc : real->pMethods->xFileSize(real, ret_size);
}

static int layer_close(sqlite3_file *file)
{
    sqlite3_file *real = real_file(file);
    int rc = flush(file);
    int closed = real->pMethods->xClose(real);
    layer(file)->bytes = mem_free(layer(file)->bytes);
    return rc ? rc : closed;
}

/* --- handed on ------------------------------------------------------------ */

static int layer_lock(sqlite3_file *file, int level)
{
    sqlite3_file *real = real_file(file);
    return real->pMethods->xLock(real, level);
}

static int layer_unlock(sqlite3_file *file, int level)
{
    sqlite3_file *real = real_file(file);
    return real->pMethods->xUnlock(real, level);
}

static int layer_reserved(sqlite3_file *file, int *ret_reserved)
{
    sqlite3_file *real = real_file(file);
    return real->pMethods->xCheckReservedLock(real, ret_reserved);
}

static int layer_control(sqlite3_file *file, int op, void *argument)
{
    sqlite3_file *real = real_file(file);
    return real->pMethods->xFileControl(real, op, argument);
}

static int layer_sector(sqlite3_file *file)
{
    sqlite3_file *real = real_file(file);
    return real->pMethods->xSectorSize(real);
}

static int layer_device(sqlite3_file *file)
{
    sqlite3_file *real = real_file(file);
    return real->pMethods->xDeviceCharacteristics(real);
}

static int layer_shm_map(sqlite3_file *file, int region, int size, int extend,
                         void volatile **ret_memory)
{
    sqlite3_file *real = real_file(file);
    return real->pMethods->xShmMap(real, region, size, extend, ret_memory);
}

static int layer_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    sqlite3_file *real = real_file(file);
    return real->pMethods->xShmLock(real, offset, n, flags);
}

static void layer_shm_barrier(sqlite3_file *file)
{
    sqlite3_file *real = real_file(file);
    real->pMethods->xShmBarrier(real);
}

static int layer_shm_unmap(sqlite3_file *file, int remove)
{
    sqlite3_file *real = real_file(file);
    return real->pMethods->xShmUnmap(real, remove);
}

static const sqlite3_io_methods layer_methods = {
    .iVersion = 2,
    .xClose = layer_close,
    .xRead = layer_read,
    .xWrite = layer_write,
    .xTruncate = layer_truncate,
    .xSync = layer_sync,
    .xFileSize = layer_size,
    .xLock = layer_lock,
    .xUnlock = layer_unlock,
    .xCheckReservedLock = layer_reserved,
    .xFileControl = layer_control,
    .xSectorSize = layer_sector,
    .xDeviceCharacteristics = layer_device,
    .xShmMap = layer_shm_map,
    .xShmLock = layer_shm_lock,
    .xShmBarrier = layer_shm_barrier,
    .xShmUnmap = layer_shm_unmap,
};

/* --- the file system ------------------------------------------------------ */

static int real_open(sqlite3_vfs *base, const char *path, sqlite3_file *file,
                     int flags, int *ret_flags)
{
    struct sqlite_vfs *vfs = sqlite_vfs_of(base);
    sqlite3_file *real = real_file(file);
    int rc;

    memset(layer(file), 0, sizeof *layer(file));
    layer(file)->vfs = vfs;
    layer(file)->gathers = (flags & SQLITE_OPEN_WAL) != 0;
    real->pMethods = NULL;
    rc = vfs->real->xOpen(vfs->real, path, real, flags, ret_flags);
    file->pMethods = real->pMethods ? &layer_methods : NULL;
    return rc;
}

static int real_delete(sqlite3_vfs *base, const char *path, int sync)
{
    sqlite3_vfs *real = sqlite_vfs_of(base)->real;
    return real->xDelete(real, path, sync);
}

static int real_access(sqlite3_vfs *base, const char *path, int flags,
                       int *ret_result)
{
    sqlite3_vfs *real = sqlite_vfs_of(base)->real;
    return real->xAccess(real, path, flags, ret_result);
}

static int real_path(sqlite3_vfs *base, const char *path, int size, char *out)
{
    sqlite3_vfs *real = sqlite_vfs_of(base)->real;
    return real->xFullPathname(real, path, size, out);
}

static int real_randomness(sqlite3_vfs *base, int size, char *out)
{
    sqlite3_vfs *real = sqlite_vfs_of(base)->real;
    return real->xRandomness(real, size, out);
}

static int real_sleep(sqlite3_vfs *base, int microseconds)
{
    sqlite3_vfs *real = sqlite_vfs_of(base)->real;
    return real->xSleep(real, microseconds);
}

static int real_time(sqlite3_vfs *base, double *ret_days)
{
    sqlite3_vfs *real = sqlite_vfs_of(base)->real;
    return real->xCurrentTime(real, ret_days);
}

static int real_error(sqlite3_vfs *base, int size, char *out)
{
    sqlite3_vfs *real = sqlite_vfs_of(base)->real;
    return real->xGetLastError(real, size, out);
}

static void vfs_lay(struct sqlite_vfs *vfs)
{
    vfs->base.iVersion = 1;
    vfs->base.szOsFile = (int)sizeof(struct layer_file) + vfs->real->szOsFile;
    vfs->base.mxPathname = vfs->real->mxPathname;
    vfs->base.xOpen = real_open;
    vfs->base.xDelete = real_delete;
    vfs->base.xAccess = real_access;
    vfs->base.xFullPathname = real_path;
    vfs->base.xRandomness = real_randomness;
    vfs->base.xSleep = real_sleep;
    vfs->base.xCurrentTime = real_time;
    vfs->base.xGetLastError = real_error;
}

enum kan_err sqlite_vfs_open(struct sqlite_vfs *vfs, struct env *env)
{
    static atomic_uint next;
    int rc = sqlite3_initialize();

    if (rc)
        return rc == SQLITE_NOMEM ? KAN_NOMEM : KAN_IO;
    memset(vfs, 0, sizeof *vfs);
    list_init(&vfs->shared);
    vfs->env = env;
    if (env_simulated(env)) {
        sqlite_vfs_simulate(vfs);
        vfs->real = &vfs->simulated;
    } else {
        vfs->real = sqlite3_vfs_find(NULL);
        if (!vfs->real)
            return KAN_IO;
    }
    vfs_lay(vfs);
    snprintf(vfs->name, sizeof vfs->name, "kan-%u", atomic_fetch_add(&next, 1));
    vfs->base.zName = vfs->name;
    vfs->base.pAppData = vfs;
    rc = sqlite3_vfs_register(&vfs->base, 0);
    if (rc) {
        vfs->base.zName = NULL;
        return rc == SQLITE_NOMEM ? KAN_NOMEM : KAN_IO;
    }
    return KAN_OK;
}

void sqlite_vfs_close(struct sqlite_vfs *vfs)
{
    if (!vfs->base.zName)
        return;
    (void)sqlite3_vfs_unregister(&vfs->base);
    kan_assert(list_empty(&vfs->shared));
    vfs->base.zName = NULL;
}
