/* Files as a process sees them. Every call counts against the disk's faults
 * first, and is noted in the trace with its content. */

#include "base/alloc.h"
#include "env/sim/disk.h"

struct env_file
{
    struct env_handle base;
    struct list link;    /* in node->files */
    struct inode *inode; /* NULL once the process is dead */
    bool writable;
    bool locked;
};

static struct sim_node *file_node(const struct env_file *file)
{
    return sim_node(file->base.env);
}

/* --- opening -------------------------------------------------------------- */

static enum kan_err file_create(struct sim_node *node, struct path *path,
                                struct inode **ret_inode)
{
    struct sim_disk *disk = node->host->disk;
    struct inode *inode;
    enum kan_err err = inode_new(disk, false, &inode);
    if (err)
        return err;
    err = disk_link(disk, path, inode);
    inode_unref(inode);
    if (!err)
        *ret_inode = inode;
    return err;
}

/* The inode of the path as the flags want it. */
static enum kan_err find(struct sim_node *node, struct path *path,
                         unsigned flags, struct inode **ret_inode)
{
    struct sim_disk *disk = node->host->disk;
    struct inode *inode =
        names_find(&disk->now, path->text, strlen(path->text));
    enum kan_err err = KAN_OK;
    if (path_is_root(path) || (inode && inode->directory))
        return KAN_INVALID;
    if (inode && (flags & ENV_OPEN_CREATE) && (flags & ENV_OPEN_EXCLUSIVE))
        return KAN_CONFLICT;
    if (!inode &&
        (!(flags & ENV_OPEN_CREATE) || !names_parent_exists(&disk->now, path)))
        return KAN_NOTFOUND;
    if (!inode)
        err = file_create(node, path, &inode);
    else if ((flags & ENV_OPEN_TRUNCATE) && inode->now.size > 0)
        err = inode_truncate(inode, 0);
    if (!err)
        *ret_inode = inode;
    return err;
}

enum kan_err sim_file_open(struct env *env, const char *path, unsigned flags,
                           struct env_file **ret_file)
{
    struct sim_node *node = sim_node(env);
    struct inode *inode;
    struct path *clean;
    enum kan_err err = disk_call(node, SIM_FAULT_OPEN);
    if (!err)
        err = path_new(path, &clean);
    if (err)
        return err;
    struct env_file *file = mem_zalloc(sizeof *file);
    err = file ? find(node, clean, flags, &inode) : KAN_NOMEM;
    node_note(node, "open", clean->text, flags, (uint64_t)(int64_t)err);
    path_unref(clean);
    if (err) {
        mem_free(file);
        return err;
    }
    inode_ref(inode);
    inode->opens++;
    file->base.env = env;
    file->inode = inode;
    file->writable = (flags & ENV_OPEN_WRITE) != 0;
    list_push(&node->files, &file->link);
    *ret_file = file;
    return KAN_OK;
}

static void detach(struct env_file *file)
{
    struct inode *inode = file->inode;
    if (!inode)
        return;
    if (file->locked)
        inode->locker = NULL;
    file->locked = false;
    file->inode = NULL;
    inode->opens--;
    inode_unref(inode);
}

void sim_file_close(struct env_file *file)
{
    if (file->inode)
        node_note(file_node(file), "close", NULL, file->inode->serial, 0);
    detach(file);
    list_remove(&file->link);
    mem_free(file);
}

void node_files_detach(struct sim_node *node)
{
    struct list *link;
    for (link = node->files.next; link != &node->files; link = link->next)
        detach(list_entry(link, struct env_file, link));
}

void node_files_destroy(struct sim_node *node)
{
    struct list *link;
    while ((link = list_first(&node->files)) != NULL)
        sim_file_close(list_entry(link, struct env_file, link));
}

/* --- reading and writing -------------------------------------------------- */

/* What every call on an open file begins with. A crash within disk_call()
 * takes the inode away. */
static enum kan_err file_call(struct env_file *file, enum sim_fault_kind kind)
{
    enum kan_err err = disk_call(file_node(file), kind);
    return err || file->inode ? err : KAN_IO;
}

enum kan_err sim_file_read(struct env_file *file, uint64_t offset, void *bytes,
                           size_t size, size_t *ret_size)
{
    enum kan_err err = file_call(file, SIM_FAULT_READ);
    if (err)
        return err;
    const struct blob *blob = &file->inode->now;
    if (offset >= blob->size)
        size = 0;
    else if (size > blob->size - offset)
        size = (size_t)(blob->size - offset);
    if (size)
        memcpy(bytes, blob->bytes + offset, size);
    node_note(file_node(file), "read", NULL, file->inode->serial, offset);
    node_note_bytes(file_node(file), bytes, size);
    *ret_size = size;
    return KAN_OK;
}

/* How many of these bytes the disk has room for. */
static size_t room_for(const struct sim_disk *disk, const struct inode *inode,
                       uint64_t offset, size_t size)
{
    uint64_t end = offset + size;
    if (disk->limit == UINT64_MAX || end <= inode->now.size)
        return size;
    uint64_t used = disk_used(disk);
    uint64_t room = used < disk->limit ? disk->limit - used : 0;
    if (end - inode->now.size <= room)
        return size;
    uint64_t end_max = inode->now.size + room;
    return end_max > offset ? (size_t)(end_max - offset) : 0;
}

/* A write that fails: any part may have been written, by the tape a beginning
 * of at most that size. */
static void write_part(struct env_file *file, uint64_t offset,
                       const unsigned char *bytes, size_t size)
{
    struct sim_node *node = file_node(file);
    size_t part = (size_t)node_choose(node, (uint64_t)size + 1);
    if (part && inode_write(file->inode, offset, bytes, part) == KAN_OK)
        node_note(node, "partly", NULL, part, 0);
}

enum kan_err sim_file_write(struct env_file *file, uint64_t offset,
                            struct kan_slice bytes)
{
    struct sim_node *node = file_node(file);
    if (!file->writable || offset > (uint64_t)INT64_MAX - bytes.size)
        return KAN_INVALID;
    enum kan_err err = file_call(file, SIM_FAULT_WRITE);
    if (err) {
        if (file->inode)
            write_part(file, offset, bytes.bytes, bytes.size);
        return err;
    }
    size_t room = room_for(node->host->disk, file->inode, offset, bytes.size);
    node_note(node, "write", NULL, file->inode->serial, offset);
    node_note_bytes(node, bytes.bytes, bytes.size);
    if (room < bytes.size) {
        world_probe(node->world, SIM_PROBE_DISK_FULL);
        write_part(file, offset, bytes.bytes, room);
        return KAN_FULL;
    }
    return inode_write(file->inode, offset, bytes.bytes, bytes.size);
}

enum kan_err sim_file_truncate(struct env_file *file, uint64_t size)
{
    struct sim_node *node = file_node(file);
    if (!file->writable || size > (uint64_t)INT64_MAX)
        return KAN_INVALID;
    enum kan_err err = file_call(file, SIM_FAULT_TRUNCATE);
    if (err)
        return err;
    struct inode *inode = file->inode;
    node_note(node, "truncate", NULL, inode->serial, size);
    if (size > inode->now.size &&
        room_for(node->host->disk, inode, inode->now.size,
                 (size_t)(size - inode->now.size)) < size - inode->now.size) {
        world_probe(node->world, SIM_PROBE_DISK_FULL);
        return KAN_FULL;
    }
    return inode_truncate(inode, size);
}

enum kan_err sim_file_size(struct env_file *file, uint64_t *ret_size)
{
    enum kan_err err = file_call(file, SIM_FAULT_LOOK);
    if (!err)
        *ret_size = file->inode->now.size;
    return err;
}

/* --- syncing -------------------------------------------------------------- */

/* What kernels have been seen to do (Rebello and others: Can applications
 * recover from fsync failures?, USENIX ATC 2020). */
static void sync_fails(struct sim_node *node, struct inode *inode)
{
    switch (node_choose(node, 3)) {
    case 0:
        world_probe(node->world, SIM_PROBE_SYNC_FAILED_DIRTY);
        break;
    case 1:
        world_probe(node->world, SIM_PROBE_SYNC_FAILED_CLEAN);
        inode_mark_clean(inode);
        break;
    default:
        world_probe(node->world, SIM_PROBE_SYNC_FAILED_FORGOT);
        inode_forget(inode);
        break;
    }
}

enum kan_err sim_file_sync(struct env_file *file)
{
    struct sim_node *node = file_node(file);
    enum kan_err err = file_call(file, SIM_FAULT_SYNC);
    if (err) {
        if (file->inode && file->inode->change_count > 0)
            sync_fails(node, file->inode);
        return err;
    }
    node_note(node, "sync", NULL, file->inode->serial,
              file->inode->change_count);
    inode_sync(file->inode);
    if (node->world->options.kind_names)
        disk_names_sync_inode(node->host->disk, file->inode);
    return KAN_OK;
}

enum kan_err sim_file_lock(struct env_file *file)
{
    struct sim_node *node = file_node(file);
    enum kan_err err = file_call(file, SIM_FAULT_LOOK);
    if (err)
        return err;
    struct inode *inode = file->inode;
    if (inode->locker && inode->locker != node)
        return KAN_HELD;
    node_note(node, "lock", NULL, inode->serial, 0);
    file->locked = file->locked || !inode->locker;
    inode->locker = node;
    return KAN_OK;
}

/* --- names ---------------------------------------------------------------- */

/* The clean path of a call of that kind. */
static enum kan_err path_call(struct sim_node *node, enum sim_fault_kind kind,
                              const char *path, struct path **ret_path)
{
    enum kan_err err = disk_call(node, kind);
    return err ? err : path_new(path, ret_path);
}

static struct inode *look_up(const struct sim_node *node,
                             const struct path *path)
{
    return names_find(&node->host->disk->now, path->text, strlen(path->text));
}

enum kan_err sim_file_delete(struct env *env, const char *path)
{
    struct sim_node *node = sim_node(env);
    struct path *clean;
    enum kan_err err = path_call(node, SIM_FAULT_DELETE, path, &clean);
    if (err)
        return err;
    const struct inode *inode = look_up(node, clean);
    if (path_is_root(clean) || (inode && inode->directory))
        err = KAN_INVALID;
    else
        err = inode ? disk_unlink(node->host->disk, clean) : KAN_NOTFOUND;
    node_note(node, "delete", clean->text, (uint64_t)(int64_t)err, 0);
    path_unref(clean);
    return err;
}

static enum kan_err rename_clean(struct sim_node *node, struct path *from,
                                 struct path *to)
{
    struct sim_disk *disk = node->host->disk;
    const struct inode *source = look_up(node, from);
    const struct inode *target = look_up(node, to);
    if (path_is_root(from) || path_is_root(to) ||
        (source && source->directory) || (target && target->directory))
        return KAN_INVALID;
    if (!source || !names_parent_exists(&disk->now, to))
        return KAN_NOTFOUND;
    return disk_rename(disk, from, to);
}

enum kan_err sim_file_rename(struct env *env, const char *from, const char *to)
{
    struct sim_node *node = sim_node(env);
    struct path *clean_from;
    struct path *clean_to;
    enum kan_err err = path_call(node, SIM_FAULT_RENAME, from, &clean_from);
    if (err)
        return err;
    err = path_new(to, &clean_to);
    if (!err) {
        err = rename_clean(node, clean_from, clean_to);
        node_note(node, "rename", clean_from->text, (uint64_t)(int64_t)err, 0);
        node_note_bytes(node, clean_to->text, strlen(clean_to->text));
        path_unref(clean_to);
    }
    path_unref(clean_from);
    return err;
}

enum kan_err sim_file_exists(struct env *env, const char *path)
{
    struct sim_node *node = sim_node(env);
    struct path *clean;
    enum kan_err err = path_call(node, SIM_FAULT_LOOK, path, &clean);
    if (err)
        return err;
    if (!path_is_root(clean) && !look_up(node, clean))
        err = KAN_NOTFOUND;
    path_unref(clean);
    return err;
}

enum kan_err sim_dir_sync(struct env *env, const char *path)
{
    struct sim_node *node = sim_node(env);
    struct path *clean;
    enum kan_err err = path_call(node, SIM_FAULT_DIR, path, &clean);
    if (err)
        return err;
    const struct inode *inode = look_up(node, clean);
    if (!path_is_root(clean) && !(inode && inode->directory))
        err = inode ? KAN_INVALID : KAN_NOTFOUND;
    else
        disk_names_sync(node->host->disk, clean);
    node_note(node, "dir sync", clean->text, (uint64_t)(int64_t)err, 0);
    path_unref(clean);
    return err;
}

/* Make one directory, which may exist. */
static enum kan_err make(struct sim_disk *disk, const char *text, size_t size)
{
    const struct inode *there = names_find(&disk->now, text, size);
    struct inode *inode;
    struct path *path;
    if (there)
        return there->directory ? KAN_OK : KAN_INVALID;
    char *copy = mem_copy(text, size);
    if (!copy)
        return KAN_NOMEM;
    enum kan_err err = path_new(copy, &path);
    mem_free(copy);
    if (err)
        return err;
    err = inode_new(disk, true, &inode);
    if (!err) {
        err = disk_link(disk, path, inode);
        inode_unref(inode);
    }
    path_unref(path);
    return err;
}

enum kan_err sim_dir_make(struct env *env, const char *path)
{
    struct sim_node *node = sim_node(env);
    struct path *clean;
    enum kan_err err = path_call(node, SIM_FAULT_DIR, path, &clean);
    if (err)
        return err;
    for (size_t at = 0; !err && clean->text[at];) {
        at += clean->text[at] == '/';
        at += strcspn(clean->text + at, "/");
        if (at > 1 || clean->text[0] != '/')
            err = make(node->host->disk, clean->text, at);
    }
    node_note(node, "dir make", clean->text, (uint64_t)(int64_t)err, 0);
    path_unref(clean);
    return err;
}

enum kan_err sim_dir_list(struct env *env, const char *path, void *data,
                          env_dir_cb *each)
{
    struct sim_node *node = sim_node(env);
    struct path *clean;
    enum kan_err err = path_call(node, SIM_FAULT_DIR, path, &clean);
    if (err)
        return err;
    err = disk_list(node->host->disk, clean, data, each);
    path_unref(clean);
    return err;
}
