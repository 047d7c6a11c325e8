/* Inodes: what is read, what is durable, and the changes between. */

#include "env/sim/disk.h"

#include "base/alloc.h"

static enum kan_err blob_reserve(struct blob *blob, uint64_t capacity)
{
    if (capacity <= blob->capacity)
        return KAN_OK;
    if (capacity > SIZE_MAX / 4)
        return KAN_NOMEM;
    uint64_t grown =
        blob->capacity * 2 > capacity ? blob->capacity * 2 : capacity;
    unsigned char *bytes = mem_realloc(blob->bytes, (size_t)grown);
    if (!bytes)
        return KAN_NOMEM;
    blob->bytes = bytes;
    blob->capacity = grown;
    return KAN_OK;
}

/* What is new is zeros. The room must be there. */
static void blob_resize(struct blob *blob, uint64_t size)
{
    kan_assert(size <= blob->capacity);
    if (size > blob->size)
        memset(blob->bytes + blob->size, 0, (size_t)(size - blob->size));
    blob->size = size;
}

static void blob_put(struct blob *blob, uint64_t offset,
                     const unsigned char *bytes, size_t size)
{
    if (offset + size > blob->size)
        blob_resize(blob, offset + size);
    if (size)
        memcpy(blob->bytes + offset, bytes, size);
}

enum kan_err inode_new(struct sim_disk *disk, bool directory,
                       struct inode **ret_inode)
{
    struct inode *inode = mem_zalloc(sizeof *inode);
    if (!inode)
        return KAN_NOMEM;
    inode->serial = ++disk->serial_next;
    inode->directory = directory;
    inode->refs = 1;
    list_init(&inode->changes);
    list_push(&disk->inodes, &inode->link);
    *ret_inode = inode;
    return KAN_OK;
}

void inode_ref(struct inode *inode)
{
    inode->refs++;
}

void change_drop(struct inode *inode, struct change *change)
{
    list_remove(&change->link);
    inode->change_count--;
    mem_free(change);
}

void inode_unref(struct inode *inode)
{
    struct list *link;
    if (--inode->refs > 0)
        return;
    while ((link = list_first(&inode->changes)) != NULL)
        change_drop(inode, list_entry(link, struct change, link));
    list_remove(&inode->link);
    mem_free(inode->now.bytes);
    mem_free(inode->durable.bytes);
    mem_free(inode);
}

/* --- changes -------------------------------------------------------------- */

static struct change *change_new(uint64_t offset, const unsigned char *bytes,
                                 uint32_t size)
{
    struct change *change = mem_alloc(sizeof *change + size);
    if (!change)
        return NULL;
    memset(change, 0, sizeof *change);
    change->offset = offset;
    change->size = size;
    if (size)
        memcpy(change->bytes, bytes, size);
    return change;
}

/* A truncate becomes durable before changes that were wrongly taken for
 * durable: nothing of those may come back behind the new end. */
static void changes_cut(struct inode *inode, uint64_t size)
{
    struct list *link = inode->changes.next;
    while (link != &inode->changes) {
        struct change *change = list_entry(link, struct change, link);
        link = link->next;
        if (change->truncate || !change->clean)
            continue;
        if (change->offset >= size)
            change_drop(inode, change);
        else if (change->offset + change->size > size)
            change->size = (uint32_t)(size - change->offset);
    }
}

void change_settle(struct inode *inode, struct change *change)
{
    struct blob *durable = &inode->durable;
    if (change->truncate)
        blob_resize(durable, change->offset);
    else
        blob_put(durable, change->offset, change->bytes, change->size);
    change_drop(inode, change);
}

void inode_sync(struct inode *inode)
{
    struct list *link = inode->changes.next;
    while (link != &inode->changes) {
        struct change *change = list_entry(link, struct change, link);
        link = link->next;
        if (change->clean)
            continue;
        if (change->truncate) {
            changes_cut(inode, change->offset);
            link = change->link.next;
        }
        change_settle(inode, change);
    }
}

void inode_mark_clean(struct inode *inode)
{
    struct list *link;
    for (link = inode->changes.next; link != &inode->changes; link = link->next)
        list_entry(link, struct change, link)->clean = true;
}

void inode_forget(struct inode *inode)
{
    struct list *link;
    while ((link = list_first(&inode->changes)) != NULL)
        change_drop(inode, list_entry(link, struct change, link));
    inode->now.size = 0;
    blob_put(&inode->now, 0, inode->durable.bytes, (size_t)inode->durable.size);
}

/* Whoever writes to a page makes all of it dirty again. */
static void dirty_page(struct inode *inode, uint64_t page)
{
    struct list *link;
    for (link = inode->changes.next; link != &inode->changes;
         link = link->next) {
        struct change *change = list_entry(link, struct change, link);
        if (!change->truncate && change->offset / DISK_PAGE == page)
            change->clean = false;
    }
}

static void write_back_oldest(struct inode *inode)
{
    while (inode->change_count > DISK_CHANGES_MAX) {
        struct list *link = list_first(&inode->changes);
        change_settle(inode, list_entry(link, struct change, link));
    }
}

static enum kan_err reserve(struct inode *inode, uint64_t size)
{
    enum kan_err err = blob_reserve(&inode->now, size);
    return err ? err : blob_reserve(&inode->durable, size);
}

static void free_list(struct list *changes)
{
    struct list *link;
    while ((link = list_pop(changes)) != NULL)
        mem_free(list_entry(link, struct change, link));
}

/* One change for each page. */
static enum kan_err changes_new(uint64_t offset, const unsigned char *bytes,
                                size_t size, struct list *ret_changes)
{
    list_init(ret_changes);
    while (size > 0) {
        size_t room = DISK_PAGE - (size_t)(offset % DISK_PAGE);
        size_t take = size < room ? size : room;
        struct change *change = change_new(offset, bytes, (uint32_t)take);
        if (!change) {
            free_list(ret_changes);
            return KAN_NOMEM;
        }
        list_push(ret_changes, &change->link);
        offset += take;
        bytes += take;
        size -= take;
    }
    return KAN_OK;
}

static void add_changes(struct inode *inode, struct list *changes)
{
    bool any_clean = false;
    struct list *link;
    for (link = inode->changes.next; link != &inode->changes && !any_clean;
         link = link->next)
        any_clean = list_entry(link, struct change, link)->clean;
    while ((link = list_pop(changes)) != NULL) {
        struct change *change = list_entry(link, struct change, link);
        if (any_clean && !change->truncate)
            dirty_page(inode, change->offset / DISK_PAGE);
        list_push(&inode->changes, &change->link);
        inode->change_count++;
    }
    write_back_oldest(inode);
}

enum kan_err inode_write(struct inode *inode, uint64_t offset,
                         const unsigned char *bytes, size_t size)
{
    struct list changes;
    if (size == 0)
        return KAN_OK;
    enum kan_err err = reserve(inode, offset + size);
    if (!err)
        err = changes_new(offset, bytes, size, &changes);
    if (err)
        return err;
    blob_put(&inode->now, offset, bytes, size);
    add_changes(inode, &changes);
    return KAN_OK;
}

enum kan_err inode_truncate(struct inode *inode, uint64_t size)
{
    struct list changes;
    enum kan_err err = reserve(inode, size);
    if (err)
        return err;
    struct change *change = change_new(size, NULL, 0);
    if (!change)
        return KAN_NOMEM;
    change->truncate = true;
    list_init(&changes);
    list_push(&changes, &change->link);
    blob_resize(&inode->now, size);
    add_changes(inode, &changes);
    return KAN_OK;
}

/* --- disks ---------------------------------------------------------------- */

enum kan_err disk_new(uint64_t limit, struct sim_disk **ret_disk)
{
    struct sim_disk *disk = mem_zalloc(sizeof *disk);
    if (!disk)
        return KAN_NOMEM;
    list_init(&disk->inodes);
    list_init(&disk->name_changes);
    disk->limit = limit;
    *ret_disk = disk;
    return KAN_OK;
}

void disk_free(struct sim_disk *disk)
{
    struct list *link;
    if (!disk)
        return;
    while ((link = list_first(&disk->name_changes)) != NULL)
        name_change_free(disk, list_entry(link, struct name_change, link));
    names_clear(&disk->now);
    names_clear(&disk->durable);
    kan_assert(list_empty(&disk->inodes));
    mem_free(disk->now.items);
    mem_free(disk->durable.items);
    mem_free(disk);
}

uint64_t disk_used(const struct sim_disk *disk)
{
    uint64_t used = 0;
    const struct list *link;
    for (link = disk->inodes.next; link != &disk->inodes; link = link->next) {
        const struct inode *inode = list_entry(link, struct inode, link);
        if (inode->names > 0 || inode->opens > 0)
            used += inode->now.size;
    }
    return used;
}

uint64_t sim_disk_used(const struct env *env)
{
    return disk_used(sim_node(env)->host->disk);
}

void sim_disk_limit(struct env *env, uint64_t bytes)
{
    sim_node(env)->host->disk->limit = bytes ? bytes : UINT64_MAX;
}

enum kan_err sim_disk_rot(struct env *env, const char *path, uint64_t offset,
                          uint64_t size)
{
    struct sim_node *node = sim_node(env);
    struct path *clean;
    enum kan_err err = path_new(path, &clean);
    if (err)
        return err;
    struct inode *inode =
        names_find(&node->host->disk->now, clean->text, strlen(clean->text));
    path_unref(clean);
    if (!inode)
        return KAN_NOTFOUND;
    if (offset >= inode->now.size || size == 0)
        return KAN_INVALID;
    if (size > inode->now.size - offset)
        size = inode->now.size - offset;
    uint64_t at = offset + world_choose(node->world, size);
    unsigned char bit = (unsigned char)(1u << world_choose(node->world, 8));
    inode->now.bytes[at] ^= bit;
    if (at < inode->durable.size)
        inode->durable.bytes[at] ^= bit;
    world_note(node->world, "rot", path, at, bit);
    return KAN_OK;
}
