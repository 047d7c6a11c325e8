/* disk.h - a disk as a file system keeps it: what is read, what is durable,
 * and what lies between. For env/sim alone.
 *
 * An inode has two images, the one that processes read and the one that a power
 * cut leaves, and the list of changes that the second lacks. Writes are cut at
 * pages of 4,096 bytes, the unit that a page cache writes back: pages reach the
 * disk in any order, the changes to one page in theirs. Names are two tables in
 * the same way. All room that a sync or a crash needs is taken before: neither
 * allocates. */

#ifndef ENV_SIM_DISK_H
#define ENV_SIM_DISK_H

#include "env/sim/world.h"

enum
{
    DISK_PAGE = 4096,
    DISK_SECTOR = 512,
    /* Changes of one file not yet durable; beyond, the oldest are written back
     * as a kernel would. 32 MiB in whole pages. */
    DISK_CHANGES_MAX = 8192
};

struct blob
{
    unsigned char *bytes;
    uint64_t size;
    uint64_t capacity;
};

/* What a crash does with a change. */
enum fate
{
    FATE_KEEP,
    FATE_DROP,
    FATE_TORN,  /* the first cut bytes are kept */
    FATE_EXTEND /* the file grows, the bytes are zeros */
};

struct change
{
    struct list link; /* in inode->changes, in order */
    bool truncate;    /* the size becomes offset */
    bool clean;       /* a failed sync: taken for durable, and is not */
    bool decided;
    enum fate fate;
    uint32_t cut;
    uint64_t offset;
    uint32_t size;
    unsigned char bytes[];
};

struct inode
{
    struct list link; /* in disk->inodes, in order of creation */
    uint64_t serial;
    uint32_t refs;  /* names of both tables, name changes, open files */
    uint32_t names; /* in the table that is read */
    uint32_t opens;
    bool directory;
    struct blob now;
    struct blob durable; /* of equal capacity */
    struct list changes;
    uint32_t change_count;
    const struct sim_node *locker; /* or NULL */
};

/* A path, shared between tables. */
struct path
{
    uint32_t refs;
    char text[];
};

struct name
{
    struct path *path;
    struct inode *inode;
};

/* Names in byte order of their paths. */
struct names
{
    struct name *items;
    size_t count;
    size_t capacity;
};

/* A creation, deletion or renaming not yet durable. */
struct name_change
{
    struct list link;
    struct path *from;   /* NULL: a creation */
    struct path *to;     /* NULL: a deletion */
    struct inode *inode; /* what to names, or NULL */
};

struct sim_disk
{
    struct list inodes;
    uint64_t serial_next;
    struct names now;
    struct names durable;
    struct list name_changes;
    size_t name_change_count;
    uint64_t limit;
    struct sim_fault_plan plans[SIM_FAULT_KINDS];
    uint64_t calls[SIM_FAULT_KINDS];
    bool struck;
};

/* --- disk.c: inodes ------------------------------------------------------- */

enum kan_err inode_new(struct sim_disk *disk, bool directory,
                       struct inode **ret_inode);
void inode_ref(struct inode *inode);
void inode_unref(struct inode *inode);

/* Write within one page (size > 0), or more; nothing is written when it fails
 * with KAN_NOMEM. */
enum kan_err inode_write(struct inode *inode, uint64_t offset,
                         const unsigned char *bytes, size_t size);
enum kan_err inode_truncate(struct inode *inode, uint64_t size);

/* Make all changes durable but the wrongly clean ones. */
void inode_sync(struct inode *inode);

/* Take all changes for durable, though they are not. */
void inode_mark_clean(struct inode *inode);

/* Forget all changes: what is durable is what is read. */
void inode_forget(struct inode *inode);

/* Put one change into the durable image and free it; or just free it. */
void change_settle(struct inode *inode, struct change *change);
void change_drop(struct inode *inode, struct change *change);

uint64_t disk_used(const struct sim_disk *disk);

/* --- names.c -------------------------------------------------------------- */

/* A path in its one form: no empty or . steps, no slash at the end. KAN_INVALID
 * for an empty one and for one with .. in it. Yours: path_unref(). */
enum kan_err path_new(const char *text, struct path **ret_path);
struct path *path_ref(struct path *path);
void path_unref(struct path *path);

/* Bytes of the directory that the path is in; 0 for one in the working
 * directory. */
size_t path_parent_size(const struct path *path);
bool path_is_root(const struct path *path);

struct inode *names_find(const struct names *names, const char *path,
                         size_t size);

/* Whether the directory that the path is in is there. */
bool names_parent_exists(const struct names *names, const struct path *path);
void names_set(struct names *names, struct path *path, struct inode *inode);
void names_remove(struct names *names, const struct path *path);
void names_clear(struct names *names);

/* Change the table that is read, and note the change. */
enum kan_err disk_link(struct sim_disk *disk, struct path *to,
                       struct inode *inode);
enum kan_err disk_unlink(struct sim_disk *disk, struct path *from);
enum kan_err disk_rename(struct sim_disk *disk, struct path *from,
                         struct path *to);

/* Make a name change durable and free it; or just free it. */
void name_change_settle(struct sim_disk *disk, struct name_change *change);
void name_change_free(struct sim_disk *disk, struct name_change *change);

/* Make the names in a directory durable, or those of one inode. */
void disk_names_sync(struct sim_disk *disk, const struct path *directory);
void disk_names_sync_inode(struct sim_disk *disk, const struct inode *inode);

/* What is durable is what is read; what has lost its directory is gone. */
void disk_names_revert(struct sim_disk *disk);

/* Call each with the names in the directory; it may change them. KAN_NOTFOUND
 * and KAN_INVALID when it is none. */
enum kan_err disk_list(struct sim_disk *disk, const struct path *directory,
                       void *data, env_dir_cb *each);

#endif /* ENV_SIM_DISK_H */
