/* Names of files and directories: two sorted tables and what lies between. */

#include "env/sim/disk.h"

#include "base/alloc.h"

/* --- paths ---------------------------------------------------------------- */

/* Append one step of a path; false when it is "..". */
static bool append_step(char *out, size_t *size, const char *step,
                        size_t length)
{
    if (length == 0 || (length == 1 && step[0] == '.'))
        return true;
    if (length == 2 && step[0] == '.' && step[1] == '.')
        return false;
    if (*size > 0 && out[*size - 1] != '/')
        out[(*size)++] = '/';
    memcpy(out + *size, step, length);
    *size += length;
    return true;
}

enum kan_err path_new(const char *text, struct path **ret_path)
{
    size_t room = strlen(text);
    size_t size = 0;
    const char *at = text;
    if (room == 0)
        return KAN_INVALID;
    struct path *path = mem_alloc(sizeof *path + room + 1);
    if (!path)
        return KAN_NOMEM;
    path->refs = 1;
    if (*at == '/')
        path->text[size++] = '/';
    while (*at) {
        size_t length = strcspn(at, "/");
        if (!append_step(path->text, &size, at, length)) {
            mem_free(path);
            return KAN_INVALID;
        }
        at += length;
        at += *at == '/';
    }
    path->text[size] = 0;
    *ret_path = path;
    return KAN_OK;
}

struct path *path_ref(struct path *path)
{
    path->refs++;
    return path;
}

void path_unref(struct path *path)
{
    if (path && --path->refs == 0)
        mem_free(path);
}

size_t path_parent_size(const struct path *path)
{
    const char *slash = strrchr(path->text, '/');
    if (!slash)
        return 0;
    return slash == path->text ? 1 : (size_t)(slash - path->text);
}

bool path_is_root(const struct path *path)
{
    return path->text[0] == 0 || strcmp(path->text, "/") == 0;
}

static bool parent_is(const struct path *path, const struct path *directory)
{
    size_t size = path_parent_size(path);
    return !path_is_root(path) && size == strlen(directory->text) &&
           memcmp(path->text, directory->text, size) == 0;
}

/* --- tables --------------------------------------------------------------- */

/* The place of the path, or where it would go. */
static size_t names_place(const struct names *names, const char *path,
                          size_t size, bool *ret_found)
{
    size_t low = 0;
    size_t high = names->count;
    *ret_found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = slice_compare(kan_text(names->items[middle].path->text),
                                  kan_slice(path, size));
        if (order == 0)
            *ret_found = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct inode *names_find(const struct names *names, const char *path,
                         size_t size)
{
    bool found;
    size_t at = names_place(names, path, size, &found);
    return found ? names->items[at].inode : NULL;
}

bool names_parent_exists(const struct names *names, const struct path *path)
{
    size_t size = path_parent_size(path);
    if (size == 0 || (size == 1 && path->text[0] == '/'))
        return true;
    const struct inode *parent = names_find(names, path->text, size);
    return parent && parent->directory;
}

void names_set(struct names *names, struct path *path, struct inode *inode)
{
    bool found;
    size_t at = names_place(names, path->text, strlen(path->text), &found);
    inode_ref(inode);
    if (found) {
        inode_unref(names->items[at].inode);
        names->items[at].inode = inode;
        return;
    }
    kan_assert(names->count < names->capacity);
    memmove(names->items + at + 1, names->items + at,
            (names->count - at) * sizeof *names->items);
    names->items[at] = (struct name){path_ref(path), inode};
    names->count++;
}

static void remove_at(struct names *names, size_t at)
{
    path_unref(names->items[at].path);
    inode_unref(names->items[at].inode);
    names->count--;
    memmove(names->items + at, names->items + at + 1,
            (names->count - at) * sizeof *names->items);
}

void names_remove(struct names *names, const struct path *path)
{
    bool found;
    size_t at = names_place(names, path->text, strlen(path->text), &found);
    if (found)
        remove_at(names, at);
}

void names_clear(struct names *names)
{
    while (names->count > 0)
        remove_at(names, names->count - 1);
}

static enum kan_err names_reserve(struct names *names, size_t capacity)
{
    if (capacity <= names->capacity)
        return KAN_OK;
    capacity = capacity < 16 ? 16 : capacity * 2;
    struct name *items = mem_realloc(names->items, capacity * sizeof *items);
    if (!items)
        return KAN_NOMEM;
    names->items = items;
    names->capacity = capacity;
    return KAN_OK;
}

/* --- changes -------------------------------------------------------------- */

/* Room for the change, and for whatever a crash may make of it: no table can
 * come to hold more than what both and all changes name. */
static enum kan_err change_new(struct sim_disk *disk, struct path *from,
                               struct path *to, struct inode *inode)
{
    size_t most =
        disk->now.count + disk->durable.count + disk->name_change_count + 1;
    if (names_reserve(&disk->now, most) || names_reserve(&disk->durable, most))
        return KAN_NOMEM;
    struct name_change *change = mem_zalloc(sizeof *change);
    if (!change)
        return KAN_NOMEM;
    change->from = from ? path_ref(from) : NULL;
    change->to = to ? path_ref(to) : NULL;
    change->inode = inode;
    if (inode)
        inode_ref(inode);
    list_push(&disk->name_changes, &change->link);
    disk->name_change_count++;
    return KAN_OK;
}

void name_change_free(struct sim_disk *disk, struct name_change *change)
{
    list_remove(&change->link);
    disk->name_change_count--;
    path_unref(change->from);
    path_unref(change->to);
    if (change->inode)
        inode_unref(change->inode);
    mem_free(change);
}

void name_change_settle(struct sim_disk *disk, struct name_change *change)
{
    if (change->from)
        names_remove(&disk->durable, change->from);
    if (change->to)
        names_set(&disk->durable, change->to, change->inode);
    name_change_free(disk, change);
}

/* Take a name out of the table that is read. */
static void drop_name(struct sim_disk *disk, const struct path *path)
{
    struct inode *inode =
        names_find(&disk->now, path->text, strlen(path->text));
    if (!inode)
        return;
    inode->names--;
    names_remove(&disk->now, path);
}

enum kan_err disk_link(struct sim_disk *disk, struct path *to,
                       struct inode *inode)
{
    enum kan_err err = change_new(disk, NULL, to, inode);
    if (err)
        return err;
    inode->names++;
    names_set(&disk->now, to, inode);
    return KAN_OK;
}

enum kan_err disk_unlink(struct sim_disk *disk, struct path *from)
{
    enum kan_err err = change_new(disk, from, NULL, NULL);
    if (!err)
        drop_name(disk, from);
    return err;
}

enum kan_err disk_rename(struct sim_disk *disk, struct path *from,
                         struct path *to)
{
    struct inode *inode =
        names_find(&disk->now, from->text, strlen(from->text));
    if (strcmp(from->text, to->text) == 0)
        return KAN_OK;
    enum kan_err err = change_new(disk, from, to, inode);
    if (err)
        return err;
    drop_name(disk, to);
    inode->names++;
    names_set(&disk->now, to, inode);
    drop_name(disk, from);
    return KAN_OK;
}

void disk_names_sync(struct sim_disk *disk, const struct path *directory)
{
    struct list *link = disk->name_changes.next;
    while (link != &disk->name_changes) {
        struct name_change *change = list_entry(link, struct name_change, link);
        link = link->next;
        if ((change->from && parent_is(change->from, directory)) ||
            (change->to && parent_is(change->to, directory)))
            name_change_settle(disk, change);
    }
}

/* Whether the earlier change is of a name that the change is of. */
static bool names_meet(const struct name_change *earlier,
                       const struct name_change *change)
{
    const struct path *mine[2] = {change->from, change->to};
    const struct path *its[2] = {earlier->from, earlier->to};
    for (int i = 0; i < 4; i++)
        if (mine[i / 2] && its[i % 2] &&
            strcmp(mine[i / 2]->text, its[i % 2]->text) == 0)
            return true;
    return false;
}

/* A name's changes reach the disk in order: what was done to it before goes
 * first. */
static void settle_in_order(struct sim_disk *disk, struct name_change *change)
{
    struct list *link = disk->name_changes.next;
    while (link != &change->link) {
        struct name_change *earlier =
            list_entry(link, struct name_change, link);
        link = link->next;
        if (names_meet(earlier, change)) {
            settle_in_order(disk, earlier);
            link = disk->name_changes.next;
        }
    }
    name_change_settle(disk, change);
}

void disk_names_sync_inode(struct sim_disk *disk, const struct inode *inode)
{
    struct list *link = disk->name_changes.next;
    while (link != &disk->name_changes) {
        struct name_change *change = list_entry(link, struct name_change, link);
        link = link->next;
        if (change->inode == inode) {
            settle_in_order(disk, change);
            link = disk->name_changes.next;
        }
    }
}

void disk_names_revert(struct sim_disk *disk)
{
    struct names *durable = &disk->durable;
    const struct list *link;
    /* A directory sorts before what is in it. */
    for (size_t i = 0; i < durable->count;) {
        if (names_parent_exists(durable, durable->items[i].path))
            i++;
        else
            remove_at(durable, i);
    }
    names_clear(&disk->now);
    for (link = disk->inodes.next; link != &disk->inodes; link = link->next)
        list_entry(link, struct inode, link)->names = 0;
    for (size_t i = 0; i < durable->count; i++) {
        durable->items[i].inode->names++;
        names_set(&disk->now, durable->items[i].path, durable->items[i].inode);
    }
}

/* --- listing -------------------------------------------------------------- */

/* The first path in the directory that sorts behind after, or NULL. */
static struct path *next_in(const struct names *names,
                            const struct path *directory,
                            const struct path *after)
{
    bool found = false;
    size_t at =
        after ? names_place(names, after->text, strlen(after->text), &found)
              : 0;
    for (at += found; at < names->count; at++)
        if (parent_is(names->items[at].path, directory))
            return names->items[at].path;
    return NULL;
}

enum kan_err disk_list(struct sim_disk *disk, const struct path *directory,
                       void *data, env_dir_cb *each)
{
    struct path *at = NULL;
    if (!path_is_root(directory)) {
        const struct inode *inode =
            names_find(&disk->now, directory->text, strlen(directory->text));
        if (!inode || !inode->directory)
            return inode ? KAN_INVALID : KAN_NOTFOUND;
    }
    for (;;) {
        struct path *next = next_in(&disk->now, directory, at);
        if (next)
            path_ref(next);
        path_unref(at);
        if (!next)
            return KAN_OK;
        at = next;
        const char *slash = strrchr(at->text, '/');
        each(data, slash ? slash + 1 : at->text);
    }
}
