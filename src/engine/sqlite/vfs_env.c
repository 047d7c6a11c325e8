/* SQLite's file system on env files, for simulated worlds, which are one
 * thread: locks and shared memory are plain memory of this process. A write
 * here is a write there, so what was not synced can be lost as on a disk. */

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "engine/sqlite/vfs.h"

enum
{
    PATH_MAX_SIZE = 512,
    REGIONS_MAX = 256 /* of 32 KiB: a log of a million frames */
};

/* What the open files of one database share. */
struct shared
{
    struct list link;
    unsigned refs;
    unsigned shared_count; /* files with a lock of at least SHARED */
    const void *reserved;  /* the file that has it, or NULL */
    const void *pending;
    const void *exclusive;
    void *regions[REGIONS_MAX];
    unsigned shm_shared[SQLITE_SHM_NLOCK];
    const void *shm_exclusive[SQLITE_SHM_NLOCK];
    char path[PATH_MAX_SIZE];
};

struct env_db_file
{
    sqlite3_file base;
    struct sqlite_vfs *vfs;
    struct env_file *file;
    struct shared *shared; /* of a database, not of its logs */
    int level;
    unsigned shm_mask;  /* slots that this file holds shared */
    bool name_unsynced; /* it may just have been made */
    bool delete_on_close;
    char path[PATH_MAX_SIZE];
};

static struct env_db_file *file_of(sqlite3_file *base)
{
    return (struct env_db_file *)(void *)base;
}

/* The folder that the path is in. */
static enum kan_err folder_sync(struct env *env, const char *path)
{
    char folder[PATH_MAX_SIZE];
    size_t size = strlen(path);

    while (size > 0 && path[size - 1] != '/')
        size--;
    if (size == 0)
        return env_dir_sync(env, ".");
    if (size > 1)
        size--;
    memcpy(folder, path, size);
    folder[size] = 0;
    return env_dir_sync(env, folder);
}

/* --- what is shared ------------------------------------------------------- */

static struct shared *shared_get(struct sqlite_vfs *vfs, const char *path)
{
    struct shared *shared;
    struct list *link = vfs->shared.next;

    for (; link != &vfs->shared; link = link->next) {
        shared = list_entry(link, struct shared, link);
        if (strcmp(shared->path, path) == 0) {
            shared->refs++;
            return shared;
        }
    }
    shared = mem_zalloc(sizeof *shared);
    if (!shared)
        return NULL;
    shared->refs = 1;
    snprintf(shared->path, sizeof shared->path, "%s", path);
    list_push(&vfs->shared, &shared->link);
    return shared;
}

static void shared_put(struct shared *shared)
{
    if (!shared || --shared->refs > 0)
        return;
    for (unsigned i = 0; i < REGIONS_MAX; i++)
        mem_free(shared->regions[i]);
    list_remove(&shared->link);
    mem_free(shared);
}

/* --- reading and writing -------------------------------------------------- */

/* A temporary file that stays is room lost, and nothing worse. */
static void file_forget(const struct env_db_file *file)
{
    enum kan_err err = env_file_delete(file->vfs->env, file->path);
    (void)err;
}

static int file_close(sqlite3_file *base)
{
    struct env_db_file *file = file_of(base);

    if (file->shared)
        (void)file->base.pMethods->xUnlock(base, SQLITE_LOCK_NONE);
    env_file_close(file->file);
    shared_put(file->shared);
    if (file->delete_on_close)
        file_forget(file);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *bytes, int size,
                     sqlite3_int64 offset)
{
    size_t got = 0;
    enum kan_err err = env_file_read(file_of(base)->file, (uint64_t)offset,
                                     bytes, (size_t)size, &got);

    if (err)
        return err == KAN_NOMEM ? SQLITE_IOERR_NOMEM : SQLITE_IOERR_READ;
    if (got == (size_t)size)
        return SQLITE_OK;
    memset((char *)bytes + got, 0, (size_t)size - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int changed(enum kan_err err, int otherwise)
{
    switch (err) {
    case KAN_OK:
        return SQLITE_OK;
    case KAN_FULL:
        return SQLITE_FULL;
    case KAN_NOMEM:
        return SQLITE_IOERR_NOMEM;
    default:
        return otherwise;
    }
}

static int file_write(sqlite3_file *base, const void *bytes, int size,
                      sqlite3_int64 offset)
{
    return changed(env_file_write(file_of(base)->file, (uint64_t)offset,
                                  kan_slice(bytes, (size_t)size)),
                   SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    return changed(env_file_truncate(file_of(base)->file, (uint64_t)size),
                   SQLITE_IOERR_TRUNCATE);
}

/* Every failure is the same: nothing is known of what was pending. */
static int file_sync(sqlite3_file *base, int flags)
{
    struct env_db_file *file = file_of(base);

    (void)flags;
    if (env_file_sync(file->file))
        return SQLITE_IOERR_FSYNC;
    if (file->name_unsynced && folder_sync(file->vfs->env, file->path))
        return SQLITE_IOERR_DIR_FSYNC;
    file->name_unsynced = false;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
    uint64_t size = 0;

    if (env_file_size(file_of(base)->file, &size))
        return SQLITE_IOERR_FSTAT;
    *ret_size = (sqlite3_int64)size;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *argument)
{
    (void)base;
    (void)op;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *base)
{
    (void)base;
    return 4096;
}

/* A write leaves the bytes beside it alone, as on every disk that SQLite's own
 * file system runs on. */
static int file_device(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- locks ---------------------------------------------------------------- */

static int lock_raise(struct env_db_file *file, struct shared *shared,
                      int level)
{
    bool other_pending = shared->pending && shared->pending != file;

    if (file->level == SQLITE_LOCK_NONE) {
        if (shared->pending || shared->exclusive)
            return SQLITE_BUSY;
        shared->shared_count++;
        file->level = SQLITE_LOCK_SHARED;
    }
    if (level == SQLITE_LOCK_SHARED)
        return SQLITE_OK;
    if ((shared->reserved && shared->reserved != file) || other_pending)
        return SQLITE_BUSY;
    shared->reserved = file;
    if (file->level < SQLITE_LOCK_RESERVED)
        file->level = SQLITE_LOCK_RESERVED;
    if (level == SQLITE_LOCK_RESERVED)
        return SQLITE_OK;
    shared->pending = file;
    file->level = SQLITE_LOCK_PENDING;
    if (level == SQLITE_LOCK_PENDING)
        return SQLITE_OK;
    if (shared->shared_count > 1)
        return SQLITE_BUSY;
    shared->exclusive = file;
    file->level = SQLITE_LOCK_EXCLUSIVE;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
    struct env_db_file *file = file_of(base);

    if (!file->shared || file->level >= level)
        return SQLITE_OK;
    return lock_raise(file, file->shared, level);
}

static int file_unlock(sqlite3_file *base, int level)
{
    struct env_db_file *file = file_of(base);
    struct shared *shared = file->shared;

    if (!shared || file->level <= level)
        return SQLITE_OK;
    if (shared->exclusive == file)
        shared->exclusive = NULL;
    if (shared->pending == file)
        shared->pending = NULL;
    if (shared->reserved == file)
        shared->reserved = NULL;
    if (level == SQLITE_LOCK_NONE)
        shared->shared_count--;
    file->level = level;
    return SQLITE_OK;
}

static int file_reserved(sqlite3_file *base, int *ret_reserved)
{
    const struct shared *shared = file_of(base)->shared;

    *ret_reserved = shared && shared->reserved != NULL;
    return SQLITE_OK;
}

/* --- shared memory -------------------------------------------------------- */

static int file_shm_map(sqlite3_file *base, int region, int size, int extend,
                        void volatile **ret_memory)
{
    struct shared *shared = file_of(base)->shared;

    *ret_memory = NULL;
    if (!shared || region >= REGIONS_MAX)
        return SQLITE_IOERR_SHMMAP;
    if (!shared->regions[region] && extend) {
        shared->regions[region] = mem_zalloc((size_t)size);
        if (!shared->regions[region])
            return SQLITE_IOERR_NOMEM;
    }
    *ret_memory = shared->regions[region];
    return SQLITE_OK;
}

static int shm_lock_exclusive(struct env_db_file *file, int offset, int n)
{
    struct shared *shared = file->shared;

    for (int i = offset; i < offset + n; i++) {
        unsigned mine = file->shm_mask >> i & 1;
        if (shared->shm_shared[i] > mine ||
            (shared->shm_exclusive[i] && shared->shm_exclusive[i] != file))
            return SQLITE_BUSY;
    }
    for (int i = offset; i < offset + n; i++)
        shared->shm_exclusive[i] = file;
    return SQLITE_OK;
}

static int shm_lock_shared(struct env_db_file *file, int slot)
{
    struct shared *shared = file->shared;

    if (file->shm_mask >> slot & 1)
        return SQLITE_OK;
    if (shared->shm_exclusive[slot] && shared->shm_exclusive[slot] != file)
        return SQLITE_BUSY;
    shared->shm_shared[slot]++;
    file->shm_mask |= 1u << slot;
    return SQLITE_OK;
}

static void shm_unlock(struct env_db_file *file, int offset, int n)
{
    struct shared *shared = file->shared;

    for (int i = offset; i < offset + n; i++) {
        if (file->shm_mask >> i & 1) {
            shared->shm_shared[i]--;
            file->shm_mask &= ~(1u << i);
        }
        if (shared->shm_exclusive[i] == file)
            shared->shm_exclusive[i] = NULL;
    }
}

static int file_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
    struct env_db_file *file = file_of(base);

    if (flags & SQLITE_SHM_UNLOCK) {
        shm_unlock(file, offset, n);
        return SQLITE_OK;
    }
    if (flags & SQLITE_SHM_EXCLUSIVE)
        return shm_lock_exclusive(file, offset, n);
    return shm_lock_shared(file, offset);
}

static void file_shm_barrier(sqlite3_file *base)
{
    (void)base;
    atomic_thread_fence(memory_order_seq_cst);
}

static int file_shm_unmap(sqlite3_file *base, int remove)
{
    struct env_db_file *file = file_of(base);

    (void)remove; /* the memory goes with the last file */
    if (file->shared)
        shm_unlock(file, 0, SQLITE_SHM_NLOCK);
    return SQLITE_OK;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* --- the file system ------------------------------------------------------ */

static unsigned open_flags(int flags)
{
    unsigned result = ENV_OPEN_READ;

    if (flags & SQLITE_OPEN_READWRITE)
        result |= ENV_OPEN_WRITE;
    if (flags & SQLITE_OPEN_CREATE)
        result |= ENV_OPEN_CREATE;
    if (flags & SQLITE_OPEN_EXCLUSIVE)
        result |= ENV_OPEN_EXCLUSIVE;
    return result;
}

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *out,
                    int flags, int *ret_flags)
{
    struct sqlite_vfs *vfs = sqlite_vfs_of(base);
    struct env_db_file *file = file_of(out);
    enum kan_err err;

    memset(file, 0, sizeof *file);
    if (!path || strlen(path) >= sizeof file->path)
        return SQLITE_CANTOPEN;
    file->vfs = vfs;
    snprintf(file->path, sizeof file->path, "%s", path);
    file->name_unsynced = (flags & SQLITE_OPEN_CREATE) != 0;
    file->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    if (flags & SQLITE_OPEN_MAIN_DB) {
        file->shared = shared_get(vfs, path);
        if (!file->shared)
            return SQLITE_NOMEM;
    }
    err = env_file_open(vfs->env, path, open_flags(flags), &file->file);
    if (err) {
        shared_put(file->shared);
        if (err == KAN_FULL)
            return SQLITE_FULL;
        return err == KAN_NOMEM ? SQLITE_NOMEM : SQLITE_CANTOPEN;
    }
    file->base.pMethods = &file_methods;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync)
{
    struct env *env = sqlite_vfs_of(base)->env;
    enum kan_err err = env_file_delete(env, path);

    if (err)
        return err == KAN_NOTFOUND ? SQLITE_IOERR_DELETE_NOENT
                                   : SQLITE_IOERR_DELETE;
    if (sync && folder_sync(env, path))
        return SQLITE_IOERR_DIR_FSYNC;
    return SQLITE_OK;
}

/* A file without bytes counts as absent, as in SQLite's own file system. */
static int vfs_access(sqlite3_vfs *base, const char *path, int flags,
                      int *ret_result)
{
    struct env *env = sqlite_vfs_of(base)->env;
    struct env_file *file;
    uint64_t size = 0;
    enum kan_err err = env_file_open(env, path, ENV_OPEN_READ, &file);

    if (!err) {
        err = env_file_size(file, &size);
        env_file_close(file);
    }
    if (err && err != KAN_NOTFOUND)
        return err == KAN_NOMEM ? SQLITE_IOERR_NOMEM : SQLITE_IOERR_ACCESS;
    *ret_result = !err && (flags != SQLITE_ACCESS_EXISTS || size > 0);
    return SQLITE_OK;
}

static int vfs_path(sqlite3_vfs *base, const char *path, int size, char *out)
{
    (void)base;
    if (strlen(path) >= (size_t)size)
        return SQLITE_CANTOPEN;
    memcpy(out, path, strlen(path) + 1);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *base, int size, char *out)
{
    struct env *env = sqlite_vfs_of(base)->env;

    for (int i = 0; i < size; i++)
        out[i] = (char)env_choose(env, 256);
    return size;
}

/* Nothing that it could wait for happens while it sleeps. */
static int vfs_sleep(sqlite3_vfs *base, int microseconds)
{
    (void)base;
    return microseconds;
}

static int vfs_time_ms(sqlite3_vfs *base, sqlite3_int64 *ret_ms)
{
    const sqlite3_int64 julian_1970_ms = 210866760000000;

    *ret_ms =
        julian_1970_ms + (sqlite3_int64)env_wall_ms(sqlite_vfs_of(base)->env);
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *base, double *ret_days)
{
    sqlite3_int64 ms;

    (void)vfs_time_ms(base, &ms);
    *ret_days = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int vfs_error(sqlite3_vfs *base, int size, char *out)
{
    (void)base;
    if (size > 0)
        out[0] = 0;
    return 0;
}

void sqlite_vfs_simulate(struct sqlite_vfs *vfs)
{
    vfs->simulated.iVersion = 2;
    vfs->simulated.zName = "kan-env";
    vfs->simulated.pAppData = vfs;
    vfs->simulated.szOsFile = (int)sizeof(struct env_db_file);
    vfs->simulated.mxPathname = PATH_MAX_SIZE - 1;
    vfs->simulated.xOpen = vfs_open;
    vfs->simulated.xDelete = vfs_delete;
    vfs->simulated.xAccess = vfs_access;
    vfs->simulated.xFullPathname = vfs_path;
    vfs->simulated.xRandomness = vfs_randomness;
    vfs->simulated.xSleep = vfs_sleep;
    vfs->simulated.xCurrentTime = vfs_time;
    vfs->simulated.xCurrentTimeInt64 = vfs_time_ms;
    vfs->simulated.xGetLastError = vfs_error;
    /* SQLite draws from a generator of its own, which is the process's. */
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED,
                               (int)(1 + env_choose(vfs->env, 1 << 30)),
                               (sqlite3 *)NULL);
}
