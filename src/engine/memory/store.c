/* The data of the memory engine. Whatever a commit may need is allocated when
 * it is copied; applying it only links and counts, so it is all or nothing. */

#include "engine/memory/store.h"

#include "base/alloc.h"
#include "base/assert.h"

enum
{
    SWEEP_MAX = 1024 /* keys in one commit of the sweep */
};

/* A write on its way in. */
struct store_write
{
    enum engine_write_kind kind;
    enum engine_ttl_kind ttl_kind;
    uint64_t ttl_ms;
    struct kan_slice key;      /* TOUCH and DELETE */
    struct store_cell *cell;   /* PUT and APPEND; NULL once applied */
    struct store_entry *entry; /* in case the key is new */
};

/* A commit id that was answered. */
struct store_id
{
    struct tree_node by_id;
    struct list aged;
    uint64_t until_ns;
    uint64_t revision;
    uint32_t size;
    unsigned char bytes[];
};

struct store_commit
{
    struct engine_guard *guards;
    struct store_write *writes;
    unsigned char *bytes; /* keys of guards and of writes without a cell */
    uint32_t guard_count;
    uint32_t write_count;
    struct store_id *id;         /* NULL: none, or kept by the store */
    struct store_record *record; /* NULL: kept by the store */
};

/* --- cells and entries ---------------------------------------------------- */

static struct store_cell *cell_new(const struct engine_write *write)
{
    size_t tail = write->kind == ENGINE_APPEND ? ENGINE_APPEND_SIZE : 0;
    size_t key_size = write->key.size + tail;
    struct store_cell *cell =
        mem_alloc(sizeof *cell + key_size + write->value.size);

    if (!cell)
        return NULL;
    cell->refs = 1;
    cell->key_size = (uint32_t)key_size;
    cell->value_size = (uint32_t)write->value.size;
    cell->created = 0;
    cell->version = 0;
    if (write->key.size)
        memcpy(cell->bytes, write->key.bytes, write->key.size);
    if (write->value.size)
        memcpy(cell->bytes + key_size, write->value.bytes, write->value.size);
    return cell;
}

static struct store_cell *cell_ref(struct store_cell *cell)
{
    cell->refs++;
    return cell;
}

static void cell_unref(struct store_cell *cell)
{
    if (cell && --cell->refs == 0)
        mem_free(cell);
}

static size_t cell_bytes(const struct store_cell *cell)
{
    return sizeof *cell + cell->key_size + cell->value_size;
}

static size_t entry_bytes(const struct store_entry *entry)
{
    return sizeof *entry + cell_bytes(entry->cell);
}

static struct store_entry *entry_at(struct tree_node *by_key)
{
    return by_key ? tree_entry(by_key, struct store_entry, by_key) : NULL;
}

static bool entry_expired(const struct store_entry *entry,
                          struct store_clock clock)
{
    return engine_expired(entry->ttl_kind, entry->expires_at, clock.wall_ms,
                          clock.now_ns);
}

static int entry_compare_key(const struct tree_node *node, const void *key)
{
    const struct store_entry *entry =
        tree_entry(node, struct store_entry, by_key);

    return slice_compare(store_cell_key(entry->cell),
                         *(const struct kan_slice *)key);
}

/* The place of an entry among those that expire. */
struct entry_time
{
    uint64_t expires_at;
    struct kan_slice key;
};

static int entry_compare_time(const struct tree_node *node, const void *key)
{
    const struct store_entry *entry =
        tree_entry(node, struct store_entry, by_time);
    const struct entry_time *time = key;

    if (entry->expires_at != time->expires_at)
        return entry->expires_at < time->expires_at ? -1 : 1;
    return slice_compare(store_cell_key(entry->cell), time->key);
}

static struct tree *entry_times(struct store *store,
                                const struct store_entry *entry)
{
    return entry->ttl_kind == ENGINE_LEASE ? &store->leases : &store->walls;
}

static void entry_set_ttl(struct store *store, struct store_entry *entry,
                          enum engine_ttl_kind kind, uint64_t ttl_ms,
                          struct store_clock clock)
{
    struct entry_time time;

    tree_remove(entry_times(store, entry), &entry->by_time);
    entry->ttl_kind = kind;
    entry->expires_at =
        engine_expires_at(kind, ttl_ms, clock.wall_ms, clock.now_ns);
    if (kind == ENGINE_FOREVER)
        return;
    time.expires_at = entry->expires_at;
    time.key = store_cell_key(entry->cell);
    tree_insert(entry_times(store, entry), &entry->by_time, &time);
}

static void entry_remove(struct store *store, struct store_entry *entry)
{
    store->bytes -= entry_bytes(entry);
    tree_remove(&store->keys, &entry->by_key);
    tree_remove(entry_times(store, entry), &entry->by_time);
    cell_unref(entry->cell);
    mem_free(entry);
}

/* --- history -------------------------------------------------------------- */

static struct store_record *record_new(uint32_t capacity)
{
    size_t changes = capacity * sizeof(struct engine_change);
    struct store_record *record = mem_zalloc(
        sizeof *record + changes + capacity * sizeof(struct store_cell *));

    if (!record)
        return NULL;
    record->capacity = capacity;
    record->cells = (struct store_cell **)(void *)&record->changes[capacity];
    return record;
}

static void record_free(struct store_record *record)
{
    if (!record)
        return;
    for (uint32_t i = 0; i < record->count; i++)
        cell_unref(record->cells[i]);
    mem_free(record);
}

static void record_add(struct store_record *record,
                       enum engine_change_kind kind, struct store_cell *cell,
                       uint64_t revision)
{
    struct engine_change *change = &record->changes[record->count];

    kan_assert(record->count < record->capacity);
    record->cells[record->count++] = cell_ref(cell);
    record->bytes += cell_bytes(cell) + sizeof *change + sizeof(cell);
    change->kind = kind;
    change->key = store_cell_key(cell);
    change->value =
        kind == ENGINE_CHANGE_PUT ? store_cell_value(cell) : kan_slice(NULL, 0);
    change->created = cell->created;
    change->version = revision;
}

static int record_compare(const struct tree_node *node, const void *key)
{
    const struct store_record *record =
        tree_entry(node, struct store_record, by_revision);
    uint64_t revision = *(const uint64_t *)key;

    if (record->revision == revision)
        return 0;
    return record->revision < revision ? -1 : 1;
}

static void feed_drop_first(struct store *store)
{
    struct store_record *record =
        tree_entry(tree_first(&store->feed), struct store_record, by_revision);

    tree_remove(&store->feed, &record->by_revision);
    store->compacted = record->revision;
    store->feed_bytes -= record->bytes;
    record_free(record);
}

/* Make the record the newest commit. It stays, however large, until the next:
 * so that watches which are up to date never miss one. */
static void feed_push(struct store *store, struct store_record *record)
{
    record->revision = ++store->revision;
    record->bytes += sizeof *record;
    tree_insert(&store->feed, &record->by_revision, &record->revision);
    store->feed_bytes += record->bytes;
    while (store->feed_bytes > store->feed_bytes_max &&
           tree_first(&store->feed) != &record->by_revision)
        feed_drop_first(store);
}

const struct store_record *store_record_after(const struct store *store,
                                              uint64_t revision)
{
    struct tree_node *node = tree_seek(&store->feed, &revision, true);

    return node ? tree_entry(node, struct store_record, by_revision) : NULL;
}

static enum kan_err scratch_reserve(struct store *store, uint32_t count)
{
    struct engine_change *scratch;

    if (count <= store->scratch_count)
        return KAN_OK;
    scratch = mem_realloc(store->scratch, count * sizeof *scratch);
    if (!scratch)
        return KAN_NOMEM;
    store->scratch = scratch;
    store->scratch_count = count;
    return KAN_OK;
}

uint32_t store_record_filter(struct store *store,
                             const struct store_record *record,
                             struct kan_slice prefix,
                             const struct engine_change **ret_changes)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < record->count; i++)
        if (slice_starts(record->changes[i].key, prefix))
            store->scratch[count++] = record->changes[i];
    *ret_changes = store->scratch;
    return count;
}

/* --- commit ids ----------------------------------------------------------- */

static struct kan_slice id_slice(const struct store_id *id)
{
    return kan_slice(id->bytes, id->size);
}

static int id_compare(const struct tree_node *node, const void *key)
{
    return slice_compare(id_slice(tree_entry(node, struct store_id, by_id)),
                         *(const struct kan_slice *)key);
}

static struct store_id *id_new(struct kan_slice text)
{
    struct store_id *id = mem_zalloc(sizeof *id + text.size);

    if (!id)
        return NULL;
    id->size = (uint32_t)text.size;
    memcpy(id->bytes, text.bytes, text.size);
    return id;
}

static void id_drop(struct store *store, struct store_id *id)
{
    store->id_bytes -= sizeof *id + id->size;
    tree_remove(&store->ids, &id->by_id);
    list_remove(&id->aged);
    mem_free(id);
}

/* Forget those whose window has passed. */
static void ids_prune(struct store *store, uint64_t now_ns)
{
    struct list *link;

    while ((link = list_first(&store->ids_aged)) != NULL) {
        struct store_id *id = list_entry(link, struct store_id, aged);
        if (id->until_ns >= now_ns)
            break;
        id_drop(store, id);
    }
}

static struct store_id *id_find(const struct store *store,
                                const struct store_id *like)
{
    struct kan_slice text = id_slice(like);
    struct tree_node *node = tree_find(&store->ids, &text);

    return node ? tree_entry(node, struct store_id, by_id) : NULL;
}

static void id_keep(struct store *store, struct store_id *id, uint64_t now_ns,
                    uint64_t revision)
{
    struct kan_slice text = id_slice(id);

    id->revision = revision;
    id->until_ns = now_ns + store->dedupe_ns;
    store->id_bytes += sizeof *id + id->size;
    tree_insert(&store->ids, &id->by_id, &text);
    list_push(&store->ids_aged, &id->aged);
}

/* --- copying a commit ----------------------------------------------------- */

static bool write_has_cell(const struct engine_write *write)
{
    return write->kind == ENGINE_PUT || write->kind == ENGINE_APPEND;
}

static size_t commit_key_bytes(const struct engine_commit *commit)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < commit->guard_count; i++)
        bytes += commit->guards[i].key.size;
    for (uint32_t i = 0; i < commit->write_count; i++)
        if (!write_has_cell(&commit->writes[i]))
            bytes += commit->writes[i].key.size;
    return bytes;
}

static struct kan_slice copy_key(unsigned char **at, struct kan_slice key)
{
    struct kan_slice copy = kan_slice(*at, key.size);

    memcpy(*at, key.bytes, key.size);
    *at += key.size;
    return copy;
}

static bool copy_write(struct store_write *write,
                       const struct engine_write *from, unsigned char **at)
{
    write->kind = from->kind;
    write->ttl_kind = from->ttl_kind;
    write->ttl_ms = from->ttl_ms;
    if (!write_has_cell(from)) {
        write->key = copy_key(at, from->key);
        return true;
    }
    write->cell = cell_new(from);
    write->entry = mem_zalloc(sizeof *write->entry);
    return write->cell && write->entry;
}

static struct store_commit *commit_block(const struct engine_commit *from)
{
    size_t guards = from->guard_count * sizeof(struct engine_guard);
    size_t writes = from->write_count * sizeof(struct store_write);
    struct store_commit *commit =
        mem_zalloc(sizeof *commit + guards + writes + commit_key_bytes(from));

    if (!commit)
        return NULL;
    commit->guards = (struct engine_guard *)(void *)(commit + 1);
    commit->writes =
        (struct store_write *)(void *)(commit->guards + from->guard_count);
    commit->bytes = (unsigned char *)(commit->writes + from->write_count);
    commit->guard_count = from->guard_count;
    commit->write_count = from->write_count;
    return commit;
}

struct store_commit *store_commit_new(const struct engine_commit *from)
{
    struct store_commit *commit = commit_block(from);
    unsigned char *at;
    bool fits = true;

    if (!commit)
        return NULL;
    at = commit->bytes;
    for (uint32_t i = 0; i < from->guard_count; i++) {
        commit->guards[i] = from->guards[i];
        commit->guards[i].key = copy_key(&at, from->guards[i].key);
    }
    for (uint32_t i = 0; fits && i < from->write_count; i++)
        fits = copy_write(&commit->writes[i], &from->writes[i], &at);
    if (fits && from->id.size)
        fits = (commit->id = id_new(from->id)) != NULL;
    if (fits)
        fits = (commit->record = record_new(from->write_count)) != NULL;
    return fits ? commit : store_commit_free(commit);
}

struct store_commit *store_commit_free(struct store_commit *commit)
{
    if (!commit)
        return NULL;
    for (uint32_t i = 0; i < commit->write_count; i++) {
        cell_unref(commit->writes[i].cell);
        mem_free(commit->writes[i].entry);
    }
    mem_free(commit->id);
    record_free(commit->record);
    return mem_free(commit);
}

bool store_commit_mortal(const struct store_commit *commit)
{
    for (uint32_t i = 0; i < commit->write_count; i++)
        if (commit->writes[i].kind != ENGINE_DELETE &&
            commit->writes[i].ttl_kind != ENGINE_FOREVER)
            return true;
    return false;
}

/* --- applying ------------------------------------------------------------- */

static struct store_entry *find_any(const struct store *store,
                                    struct kan_slice key)
{
    return entry_at(tree_find(&store->keys, &key));
}

struct store_entry *store_lookup(const struct store *store,
                                 struct kan_slice key, struct store_clock clock)
{
    struct store_entry *entry = find_any(store, key);

    return entry && !entry_expired(entry, clock) ? entry : NULL;
}

static bool guards_hold(const struct store *store,
                        const struct store_commit *commit,
                        struct store_clock clock, uint32_t *ret_failed)
{
    for (uint32_t i = 0; i < commit->guard_count; i++) {
        const struct engine_guard *guard = &commit->guards[i];
        const struct store_entry *entry =
            store_lookup(store, guard->key, clock);
        if (!engine_guard_holds(guard, entry ? entry->cell->created : 0,
                                entry ? entry->cell->version : 0)) {
            *ret_failed = i;
            return false;
        }
    }
    return true;
}

/* Whether the commit may grow the store as it would. What it overwrites counts
 * as freed once, so a full store still takes values of the same size. */
static bool commit_fits(struct store *store, const struct store_commit *commit)
{
    uint64_t added = 0, freed = 0, mark = ++store->marks;

    for (uint32_t i = 0; i < commit->write_count; i++) {
        const struct store_write *write = &commit->writes[i];
        struct store_entry *old = NULL;
        if (write->cell)
            added += sizeof *old + cell_bytes(write->cell);
        if (write->kind == ENGINE_PUT)
            old = find_any(store, store_cell_key(write->cell));
        if (write->kind == ENGINE_DELETE)
            old = find_any(store, write->key);
        if (old && old->mark != mark) {
            old->mark = mark;
            freed += entry_bytes(old);
        }
    }
    return store->bytes - freed + added <= store->bytes_max;
}

static void apply_put(struct store *store, struct store_write *write,
                      struct store_record *record, struct store_clock clock)
{
    struct store_cell *cell = write->cell;
    struct kan_slice key = store_cell_key(cell);
    struct store_entry *entry = find_any(store, key);
    bool live = entry && !entry_expired(entry, clock);
    uint64_t revision = store->revision + 1;

    write->cell = NULL;
    cell->version = revision;
    cell->created = live ? entry->cell->created : revision;
    if (entry) {
        store->bytes -= entry_bytes(entry);
        cell_unref(entry->cell);
        entry->cell = cell;
    } else {
        entry = write->entry;
        write->entry = NULL;
        entry->cell = cell;
        tree_insert(&store->keys, &entry->by_key, &key);
    }
    store->bytes += entry_bytes(entry);
    entry_set_ttl(store, entry, write->ttl_kind, write->ttl_ms, clock);
    record_add(record, ENGINE_CHANGE_PUT, cell, revision);
}

static void apply_write(struct store *store, struct store_commit *commit,
                        uint32_t index, struct store_clock clock)
{
    struct store_write *write = &commit->writes[index];
    struct store_record *record = commit->record;
    struct store_entry *entry;

    switch (write->kind) {
    case ENGINE_APPEND:
        engine_append_key(
            kan_slice(NULL, 0), store->revision + 1, index,
            write->cell->bytes + write->cell->key_size - ENGINE_APPEND_SIZE);
        apply_put(store, write, record, clock);
        break;
    case ENGINE_PUT:
        apply_put(store, write, record, clock);
        break;
    case ENGINE_DELETE:
        entry = store_lookup(store, write->key, clock);
        if (!entry)
            break;
        record_add(record, ENGINE_CHANGE_DELETE, entry->cell,
                   store->revision + 1);
        entry_remove(store, entry);
        break;
    case ENGINE_TOUCH:
        entry = store_lookup(store, write->key, clock);
        if (entry)
            entry_set_ttl(store, entry, write->ttl_kind, write->ttl_ms, clock);
        break;
    }
}

/* Everything that can refuse the commit, before anything is changed. */
static enum kan_err commit_judge(struct store *store,
                                 const struct store_commit *commit,
                                 struct store_clock clock, uint32_t *ret_failed)
{
    if (!guards_hold(store, commit, clock, ret_failed))
        return KAN_CONFLICT;
    if (!commit_fits(store, commit))
        return KAN_FULL;
    if (commit->id && store->id_bytes + sizeof *commit->id + commit->id->size >
                          store->id_bytes_max)
        return KAN_BUSY;
    return scratch_reserve(store, commit->write_count);
}

enum kan_err store_apply(struct store *store, struct store_commit *commit,
                         struct store_clock clock, uint64_t *ret_revision,
                         uint32_t *ret_failed_guard)
{
    const struct store_id *known;
    enum kan_err err;

    ids_prune(store, clock.now_ns);
    if (commit->id && (known = id_find(store, commit->id)) != NULL) {
        *ret_revision = known->revision;
        return KAN_OK;
    }
    err = commit_judge(store, commit, clock, ret_failed_guard);
    if (err)
        return err;
    for (uint32_t i = 0; i < commit->write_count; i++)
        apply_write(store, commit, i, clock);
    if (commit->record->count > 0) {
        feed_push(store, commit->record);
        commit->record = NULL;
    }
    if (commit->id) {
        id_keep(store, commit->id, clock.now_ns, store->revision);
        commit->id = NULL;
    }
    *ret_revision = store->revision;
    return KAN_OK;
}

struct store_entry *store_seek(const struct store *store,
                               struct kan_slice prefix, struct kan_slice key,
                               bool beyond, struct store_clock clock)
{
    bool inside = slice_compare(key, prefix) >= 0;
    struct tree_node *node =
        tree_seek(&store->keys, inside ? &key : &prefix, inside && beyond);

    for (; node; node = tree_next(node)) {
        struct store_entry *entry = entry_at(node);
        if (!slice_starts(store_cell_key(entry->cell), prefix))
            return NULL;
        if (!entry_expired(entry, clock))
            return entry;
    }
    return NULL;
}

/* --- the sweep ------------------------------------------------------------ */

bool store_mortal(const struct store *store)
{
    return store->walls.root || store->leases.root;
}

static struct store_entry *due_at(struct tree_node *by_time,
                                  struct store_clock clock)
{
    struct store_entry *entry;

    if (!by_time)
        return NULL;
    entry = tree_entry(by_time, struct store_entry, by_time);
    return entry_expired(entry, clock) ? entry : NULL;
}

static struct store_entry *due_first(const struct store *store,
                                     struct store_clock clock)
{
    struct store_entry *entry = due_at(tree_first(&store->walls), clock);

    return entry ? entry : due_at(tree_first(&store->leases), clock);
}

static uint32_t due_count(const struct tree *tree, uint32_t max,
                          struct store_clock clock)
{
    struct tree_node *node = tree_first(tree);
    uint32_t count = 0;

    while (count < max && due_at(node, clock)) {
        count++;
        node = tree_next(node);
    }
    return count;
}

enum kan_err store_sweep(struct store *store, struct store_clock clock,
                         bool *ret_more)
{
    uint32_t count = due_count(&store->walls, SWEEP_MAX, clock);
    struct store_record *record;
    enum kan_err err;

    ids_prune(store, clock.now_ns);
    count += due_count(&store->leases, SWEEP_MAX - count, clock);
    if (count == 0) {
        *ret_more = false;
        return KAN_OK;
    }
    err = scratch_reserve(store, count);
    if (err)
        return err;
    record = record_new(count);
    if (!record)
        return KAN_NOMEM;
    while (count-- > 0) {
        struct store_entry *entry = due_first(store, clock);
        record_add(record, ENGINE_CHANGE_EXPIRE, entry->cell,
                   store->revision + 1);
        entry_remove(store, entry);
    }
    feed_push(store, record);
    *ret_more = due_first(store, clock) != NULL;
    return KAN_OK;
}

/* --- life cycle ----------------------------------------------------------- */

void store_init(struct store *store, uint64_t seed)
{
    memset(store, 0, sizeof *store);
    tree_init(&store->keys, entry_compare_key, seed);
    tree_init(&store->walls, entry_compare_time, seed + 1);
    tree_init(&store->leases, entry_compare_time, seed + 2);
    tree_init(&store->feed, record_compare, seed + 3);
    tree_init(&store->ids, id_compare, seed + 4);
    list_init(&store->ids_aged);
}

void store_fini(struct store *store)
{
    struct tree_node *node;
    struct list *link;

    while ((node = store->keys.root) != NULL)
        entry_remove(store, entry_at(node));
    while (store->feed.root)
        feed_drop_first(store);
    while ((link = list_first(&store->ids_aged)) != NULL)
        id_drop(store, list_entry(link, struct store_id, aged));
    store->scratch = mem_free(store->scratch);
}
