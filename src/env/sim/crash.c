/* What a power cut leaves.
 *
 * Truncates reach the disk in order, and what was written behind one that did
 * not is lost with it, as a journaling file system has it. Each page keeps its
 * changes up to some point, chosen for each page apart: so a later write may
 * survive an earlier one elsewhere, but not one to the same page. The first
 * change that a page loses may be torn at a sector, or, where it made the file
 * longer, leave the length and zeros. Names survive one by one. */

#include "env/sim/disk.h"

#include "base/alloc.h"

/* The mood of a crash, drawn first, so that the two ends, all and nothing, are
 * as likely as what lies between. */
enum mood
{
    MOOD_KEEP,
    MOOD_MIX,
    MOOD_TEAR,
    MOOD_DROP,
    MOODS
};

static struct change *change_at(struct list *link)
{
    return list_entry(link, struct change, link);
}

/* Everything from the first lost truncate on is lost. */
static void lose_truncates(struct sim_world *world, struct inode *inode,
                           enum mood mood)
{
    struct list *link;
    uint64_t count = 0;
    for (link = inode->changes.next; link != &inode->changes; link = link->next)
        count += change_at(link)->truncate;
    uint64_t lost = mood == MOOD_KEEP   ? 0
                    : mood == MOOD_DROP ? count
                                        : world_choose(world, count + 1);
    if (lost)
        world_probe(world, SIM_PROBE_TRUNCATE_DROPPED);
    uint64_t kept = count - lost;
    for (link = inode->changes.next; link != &inode->changes;
         link = link->next) {
        struct change *change = change_at(link);
        if (change->truncate && kept > 0)
            kept--;
        else if (change->truncate)
            break;
        change->decided = change->truncate;
    }
    for (; link != &inode->changes; link = link->next) {
        change_at(link)->decided = true;
        change_at(link)->fate = FATE_DROP;
    }
}

/* Sector boundaries of the file strictly inside the change. */
static uint32_t cut_points(const struct change *change)
{
    uint64_t first = change->offset / DISK_SECTOR;
    uint64_t last = (change->offset + change->size - 1) / DISK_SECTOR;
    return (uint32_t)(last - first);
}

static void tear(struct sim_world *world, const struct inode *inode,
                 struct change *change)
{
    uint32_t points = cut_points(change);
    uint64_t cut = world_choose(world, (uint64_t)points + 1);
    if (cut > 0) {
        uint64_t sector = change->offset / DISK_SECTOR + cut;
        change->fate = FATE_TORN;
        change->cut = (uint32_t)(sector * DISK_SECTOR - change->offset);
        world_probe(world, SIM_PROBE_WRITE_TORN);
    } else if (change->offset + change->size > inode->durable.size &&
               world_choose(world, 2) == 1) {
        change->fate = FATE_EXTEND;
        world_probe(world, SIM_PROBE_SIZE_WITHOUT_DATA);
    }
}

/* Decide about the first undecided change and all others to its page. */
static void decide_page(struct sim_world *world, struct inode *inode,
                        struct list *from, enum mood mood)
{
    uint64_t page = change_at(from)->offset / DISK_PAGE;
    uint64_t count = 0;
    struct list *link;
    for (link = from; link != &inode->changes; link = link->next)
        count += !change_at(link)->decided &&
                 change_at(link)->offset / DISK_PAGE == page;
    uint64_t lost = mood == MOOD_DROP ? count : world_choose(world, count + 1);
    bool first = true;
    for (link = from; link != &inode->changes; link = link->next) {
        struct change *change = change_at(link);
        if (change->decided || change->offset / DISK_PAGE != page)
            continue;
        change->decided = true;
        change->fate = count > lost ? FATE_KEEP : FATE_DROP;
        if (count > lost) {
            count--;
        } else if (first && mood == MOOD_TEAR) {
            first = false;
            tear(world, inode, change);
        }
    }
}

static void decide(struct sim_world *world, struct inode *inode, enum mood mood)
{
    struct list *link;
    lose_truncates(world, inode, mood);
    if (mood == MOOD_KEEP)
        return;
    for (link = inode->changes.next; link != &inode->changes; link = link->next)
        if (!change_at(link)->decided)
            decide_page(world, inode, link, mood);
}

/* Turn a lost write into the growth of the file that it brought. */
static void extend(const struct inode *inode, struct change *change)
{
    uint64_t end = change->offset + change->size;
    change->truncate = true;
    change->offset = end > inode->durable.size ? end : inode->durable.size;
}

static void carry_out(struct sim_world *world, struct inode *inode)
{
    struct list *link;
    bool dropped = false;
    while ((link = list_first(&inode->changes)) != NULL) {
        struct change *change = change_at(link);
        if (!change->truncate && change->fate == FATE_KEEP) {
            world_probe(world, SIM_PROBE_WRITE_KEPT);
            if (dropped)
                world_probe(world, SIM_PROBE_WRITE_REORDERED);
        }
        if (change->fate == FATE_TORN)
            change->size = change->cut;
        if (change->fate == FATE_EXTEND)
            extend(inode, change);
        if (change->fate == FATE_DROP) {
            dropped = true;
            world_probe(world, SIM_PROBE_WRITE_DROPPED);
            change_drop(inode, change);
        } else {
            change_settle(inode, change);
        }
    }
    inode_forget(inode);
}

/* --- names ---------------------------------------------------------------- */

static void crash_names(struct sim_world *world, struct sim_disk *disk,
                        enum mood mood)
{
    struct list *link;
    while ((link = list_first(&disk->name_changes)) != NULL) {
        struct name_change *change = list_entry(link, struct name_change, link);
        bool drop = mood == MOOD_DROP ||
                    (mood != MOOD_KEEP && world_choose(world, 2) == 1);
        world_probe(world, drop ? SIM_PROBE_NAME_DROPPED : SIM_PROBE_NAME_KEPT);
        if (drop)
            name_change_free(disk, change);
        else
            name_change_settle(disk, change);
    }
    disk_names_revert(disk);
}

void disk_crash(struct sim_world *world, struct sim_host *host)
{
    struct sim_disk *disk = host->disk;
    enum mood mood = MOOD_KEEP;
    struct list *link;
    bool pending = !list_empty(&disk->name_changes);
    for (link = disk->inodes.next; link != &disk->inodes; link = link->next)
        pending |= list_entry(link, struct inode, link)->change_count > 0;
    if (pending)
        mood = (enum mood)world_choose(world, MOODS);
    world_note(world, "disk crash", host->name, mood, 0);
    for (link = disk->inodes.next; link != &disk->inodes; link = link->next) {
        struct inode *inode = list_entry(link, struct inode, link);
        decide(world, inode, mood);
        carry_out(world, inode);
    }
    crash_names(world, disk, mood);
}
