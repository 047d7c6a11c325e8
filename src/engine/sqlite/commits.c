/* Commits on the loop: gathered into groups, sent to the writing lane, and
 * answered when the group is durable. A group under way leaves the loop
 * free to gather the next one, which begins before this one is answered. */

#include "base/alloc.h"
#include "base/assert.h"
#include "engine/sqlite/driver.h"
#include "engine/sqlite/feed.h"

static void write_next(struct sqlite *sqlite);

/* --- one commit ----------------------------------------------------------- */

static size_t commit_size(const struct engine_commit *from)
{
    size_t size = sizeof(struct sqlite_commit) + from->id.size;

    size += from->guard_count * sizeof(struct engine_guard);
    size += from->write_count * sizeof(struct engine_write);
    for (uint32_t i = 0; i < from->guard_count; i++)
        size += from->guards[i].key.size;
    for (uint32_t i = 0; i < from->write_count; i++)
        size += from->writes[i].key.size + from->writes[i].value.size;
    return size;
}

static struct kan_slice copy(char **at, struct kan_slice from)
{
    struct kan_slice slice = kan_slice(*at, from.size);

    if (from.size)
        memcpy(*at, from.bytes, from.size);
    *at += from.size;
    return slice;
}

static struct sqlite_commit *commit_new(struct engine_commit *from)
{
    size_t size = commit_size(from);
    struct sqlite_commit *commit = mem_alloc(size);
    char *at;

    if (!commit)
        return NULL;
    memset(commit, 0, sizeof *commit);
    commit->request = from;
    commit->bytes = size;
    commit->guard_count = from->guard_count;
    commit->write_count = from->write_count;
    commit->guards = (struct engine_guard *)(void *)(commit + 1);
    commit->writes =
        (struct engine_write *)(void *)(commit->guards + commit->guard_count);
    at = (char *)(commit->writes + commit->write_count);
    commit->id = copy(&at, from->id);
    for (uint32_t i = 0; i < from->guard_count; i++) {
        commit->guards[i] = from->guards[i];
        commit->guards[i].key = copy(&at, from->guards[i].key);
    }
    for (uint32_t i = 0; i < from->write_count; i++) {
        commit->writes[i] = from->writes[i];
        commit->writes[i].key = copy(&at, from->writes[i].key);
        commit->writes[i].value = copy(&at, from->writes[i].value);
    }
    return commit;
}

static void commit_answer(struct sqlite_commit *commit, enum kan_err err)
{
    struct engine_commit *request = commit->request;

    if (request) {
        request->revision = commit->revision;
        request->failed_guard = commit->failed_guard;
        request->request.op = NULL;
    }
    mem_free(commit);
    if (request)
        engine_answer(&request->request, err);
}

static void write_kicked(struct env_task *task)
{
    write_next(task->data);
}

void sqlite_commit(struct engine *engine, struct engine_commit *request)
{
    struct sqlite *sqlite = sqlite_of(engine);
    struct sqlite_commit *commit;

    if (sqlite->broken) {
        sqlite_refuse(sqlite, &request->request, KAN_IO);
        return;
    }
    commit = commit_new(request);
    if (!commit) {
        sqlite_refuse(sqlite, &request->request, KAN_NOMEM);
        return;
    }
    request->request.op = commit;
    list_push(&sqlite->commits, &commit->link);
    if (!sqlite->writing)
        env_defer(engine->env, &sqlite->write_kick, write_kicked);
}

/* A commit is the lane's from the moment its group begins; what became of it
 * then, nobody waits for. */
void sqlite_commit_cancel(struct sqlite *sqlite, struct engine_request *request,
                          enum kan_err err)
{
    struct sqlite_commit *commit = request->op;

    (void)sqlite;
    request->op = NULL;
    if (commit->begun) {
        commit->request = NULL;
    } else {
        list_remove(&commit->link);
        mem_free(commit);
    }
    engine_answer(request, err);
}

void sqlite_commits_fail(struct sqlite *sqlite, enum kan_err err)
{
    struct list *link;

    while ((link = list_pop(&sqlite->commits)) != NULL)
        commit_answer(list_entry(link, struct sqlite_commit, link), err);
}

/* --- what a group changed in memory --------------------------------------- */

static void cache_write(struct sqlite *sqlite, const struct sqlite_group *group,
                        const struct engine_write *write,
                        const struct engine_change *change)
{
    struct sqlite_entry *entry = NULL;

    if (!write->cold &&
        change->key.size + change->value.size < sqlite->cache.bytes_max / 8)
        entry = sqlite_entry_new(change->key, change->value);
    if (!entry) {
        sqlite_cache_drop(&sqlite->cache, change->key, group->stamp);
        return;
    }
    entry->created = change->created;
    entry->version = change->version;
    entry->ttl_kind = write->ttl_kind;
    entry->expires_at =
        engine_expires_at(write->ttl_kind, write->ttl_ms, group->clock.wall_ms,
                          group->clock.now_ns);
    sqlite_cache_put(&sqlite->cache, entry, group->stamp);
    sqlite_entry_unref(entry);
}

/* A change of the feed for a put or an append: they are in the order of the
 * writes, with those of deletes between them. */
static void feed_next_put(struct sqlite_feed_reader *feed,
                          struct engine_change *ret_change)
{
    do {
        enum kan_err err = sqlite_feed_change(feed, ret_change);
        kan_assert(!err);
    } while (ret_change->kind != ENGINE_CHANGE_PUT);
}

/* Every key that was written is noted, touched or not found ones too. */
static void cache_commit(struct sqlite *sqlite,
                         const struct sqlite_group *group,
                         const struct sqlite_commit *commit,
                         struct sqlite_feed_reader *feed)
{
    for (uint32_t i = 0; i < commit->write_count; i++) {
        const struct engine_write *write = &commit->writes[i];
        struct engine_change change;

        if (write->kind == ENGINE_DELETE || write->kind == ENGINE_TOUCH) {
            sqlite_cache_drop(&sqlite->cache, write->key, group->stamp);
            continue;
        }
        feed_next_put(feed, &change);
        cache_write(sqlite, group, write, &change);
    }
}

/* What is left of a record: deletes behind the last put; of the sweep's record,
 * all of it. */
static void cache_rest(struct sqlite *sqlite, const struct sqlite_group *group,
                       struct sqlite_feed_reader *feed)
{
    struct engine_change change;

    while (sqlite_feed_change(feed, &change) == KAN_OK)
        sqlite_cache_drop(&sqlite->cache, change.key, group->stamp);
}

/* Bring the cache up to date, before anything is answered. */
static void group_cache(struct sqlite *sqlite, const struct sqlite_group *group)
{
    struct sqlite_feed_reader feed;
    struct list *link = group->commits.next;
    uint32_t count;

    sqlite_feed_open(&feed, buffer_slice(&group->body), group->first);
    for (; link != &group->commits; link = link->next) {
        const struct sqlite_commit *commit =
            list_entry(link, struct sqlite_commit, link);
        if (commit->err || !commit->fresh)
            continue;
        if (commit->revision > feed.revision) {
            enum kan_err err = sqlite_feed_record(&feed, &count);
            kan_assert(!err && feed.revision == commit->revision);
            sqlite->stats.commits++;
        }
        cache_commit(sqlite, group, commit, &feed);
        cache_rest(sqlite, group, &feed);
    }
    while (sqlite_feed_record(&feed, &count) == KAN_OK) {
        sqlite->stats.commits++;
        cache_rest(sqlite, group, &feed);
    }
}

/* --- a group ends --------------------------------------------------------- */

static void group_answer(struct sqlite *sqlite, struct sqlite_group *group)
{
    struct list *link;

    while ((link = list_pop(&group->commits)) != NULL) {
        struct sqlite_commit *commit =
            list_entry(link, struct sqlite_commit, link);
        if (commit->err == KAN_CONFLICT)
            sqlite->stats.conflicts++;
        if (commit->err == KAN_BUSY && !group->err)
            engine_fail(&sqlite->engine,
                        "sqlite: %d commit ids are known, the most it keeps; "
                        "commit without an id, or wait",
                        SQLITE_IDS_MAX);
        commit_answer(commit, commit->err);
    }
}

static void group_failed(struct sqlite *sqlite, struct sqlite_group *group)
{
    sqlite->stats.full = group->cause == KAN_FULL;
    engine_fail(&sqlite->engine, "sqlite: %s", group->message);
    group_answer(sqlite, group);
    if (group->broken)
        sqlite_break(sqlite, group->message);
}

static void group_ended(struct sqlite *sqlite, struct sqlite_group *group)
{
    sqlite->engine.cursor.revision = group->head;
    sqlite->stats.groups++;
    sqlite->stats.full = false;
    group_cache(sqlite, group);
    group_answer(sqlite, group);
    sqlite_watches_group(sqlite, group);
}

/* Keep the memory of an ordinary group, not of a huge one. */
static void group_recycle(struct sqlite_group *group)
{
    if (group->body.capacity > 1 << 18)
        buffer_fini(&group->body);
    else
        buffer_clear(&group->body);
}

/* On a full disk the log is copied at once: what can be, so that it may begin
 * again in the room that it has. */
static bool checkpoint_due(const struct sqlite *sqlite,
                           const struct sqlite_group *group)
{
    return sqlite->log_bytes >= sqlite->checkpoint_at ||
           (group->cause == KAN_FULL && sqlite->log_bytes);
}

static void checkpoint_start(struct sqlite *sqlite);

static void group_done(struct env_work *work)
{
    struct sqlite *sqlite = work->data;
    struct sqlite_group *group = sqlite->group;

    sqlite->writing = SQLITE_WRITING_NOTHING;
    sqlite->applied = group->stamp;
    sqlite->wrote_ns = env_now(sqlite->engine.env);
    sqlite->next_wall = group->next_wall;
    sqlite->next_now = group->next_now;
    if (group->log_bytes < sqlite->log_size)
        sqlite->checkpoint_at = sqlite->checkpoint_bytes; /* it began again */
    sqlite->log_bytes = sqlite->log_size = group->log_bytes;
    sqlite->sweep_due = group->sweep && !group->err && !group->swept_all;
    if (group->broken)
        sqlite->broken = true; /* so that callbacks find it so */
    if (checkpoint_due(sqlite, group) && !sqlite->broken)
        checkpoint_start(sqlite);
    else
        write_next(sqlite);
    if (group->err)
        group_failed(sqlite, group);
    else
        group_ended(sqlite, group);
    group_recycle(group);
    sqlite_reads_moved(sqlite);
    sqlite_commits_arm(sqlite);
    sqlite_close_next(sqlite);
}

/* --- a group begins ------------------------------------------------------- */

static void group_run(struct env_work *work)
{
    struct sqlite *sqlite = work->data;

    sqlite_writer_run(&sqlite->writer, sqlite->group);
}

static void group_gather(struct sqlite *sqlite, struct sqlite_group *group)
{
    size_t bytes = 0;
    uint32_t count = 0;
    struct list *link;

    while (count < SQLITE_GROUP_COMMITS &&
           (link = list_first(&sqlite->commits)) != NULL) {
        struct sqlite_commit *commit =
            list_entry(link, struct sqlite_commit, link);
        if (count && bytes + commit->bytes > SQLITE_GROUP_BYTES)
            break;
        bytes += commit->bytes;
        count++;
        list_remove(link);
        commit->begun = true;
        list_push(&group->commits, link);
    }
}

static void write_next(struct sqlite *sqlite)
{
    struct sqlite_group *group;

    if (sqlite->writing || sqlite->broken || sqlite->closing ||
        (list_empty(&sqlite->commits) && !sqlite->sweep_due))
        return;
    group = sqlite->group == &sqlite->groups[0] ? &sqlite->groups[1]
                                                : &sqlite->groups[0];
    group->clock = sqlite_clock(sqlite);
    group->stamp = ++sqlite->stamp;
    group->sweep = sqlite->sweep_due;
    group->err = group->cause = KAN_OK;
    group->broken = group->swept_all = false;
    group_gather(sqlite, group);
    sqlite->sweep_due = false;
    sqlite->group = group;
    sqlite->writing = SQLITE_WRITING_GROUP;
    env_lane_work(sqlite->write_lane, &sqlite->write_work, group_run,
                  group_done);
}

/* --- checkpoints ---------------------------------------------------------- */

static void checkpoint_run(struct env_work *work)
{
    struct sqlite *sqlite = work->data;

    sqlite->checkpoint_err = sqlite_writer_checkpoint(
        &sqlite->writer, sqlite->checkpoint_reset, sqlite->checkpoint_message);
}

/* Without room for the database to grow, the log still takes what fits; another
 * checkpoint is tried when it has grown by a quarter, or on an idle moment. */
static void checkpoint_done(struct env_work *work)
{
    struct sqlite *sqlite = work->data;
    enum kan_err err = sqlite->checkpoint_err;

    sqlite->writing = SQLITE_WRITING_NOTHING;
    /* Someone who reads for long (a backup) holds the log: it is asked for
     * ever more seldom, as waiting for it holds up commits. */
    sqlite->checkpoint_at = sqlite->log_bytes + sqlite->checkpoint_bytes / 4;
    if (sqlite->checkpoint_reset)
        sqlite->checkpoint_at += sqlite->log_bytes / 2;
    if (sqlite->writer.log_frames == 0)
        sqlite->log_bytes = 0;
    if (err)
        engine_fail(&sqlite->engine, "sqlite: %s", sqlite->checkpoint_message);
    if (kan_err_class(err) == KAN_CLASS_BROKEN)
        sqlite_break(sqlite, sqlite->checkpoint_message);
    write_next(sqlite);
    sqlite_commits_arm(sqlite);
    sqlite_close_next(sqlite);
}

static void checkpoint_start(struct sqlite *sqlite)
{
    sqlite->checkpoint_reset =
        sqlite->log_bytes >= 4 * sqlite->checkpoint_bytes;
    sqlite->writing = SQLITE_WRITING_CHECKPOINT;
    env_lane_work(sqlite->write_lane, &sqlite->write_work, checkpoint_run,
                  checkpoint_done);
}

/* --- timers --------------------------------------------------------------- */

static void idle_fired(struct env_timer *timer)
{
    struct sqlite *sqlite = timer->data;
    uint64_t now = env_now(sqlite->engine.env);

    if (sqlite->broken || sqlite->closing || sqlite->log_bytes == 0)
        return;
    if (!sqlite->writing &&
        now - sqlite->wrote_ns >= (uint64_t)SQLITE_IDLE_MS * ENV_MS)
        checkpoint_start(sqlite);
    else
        sqlite_commits_arm(sqlite);
}

static void sweep_fired(struct env_timer *timer)
{
    struct sqlite *sqlite = timer->data;
    struct sqlite_clock clock = sqlite_clock(sqlite);

    if (sqlite->broken || sqlite->closing)
        return;
    if (clock.wall_ms >= sqlite->next_wall ||
        clock.now_ns >= sqlite->next_now) {
        sqlite->sweep_due = true;
        write_next(sqlite);
    }
    sqlite_commits_arm(sqlite);
}

/* Wake up for what will expire and for a log that should be copied. A timer for
 * which there is no memory is armed after the next group. */
void sqlite_commits_arm(struct sqlite *sqlite)
{
    struct env *env = sqlite->engine.env;
    uint64_t now = env_now(env);
    bool mortal =
        sqlite->next_wall != UINT64_MAX || sqlite->next_now != UINT64_MAX;
    enum kan_err err = KAN_OK;

    if (sqlite->broken || sqlite->closing)
        return;
    if (sqlite->sweep_due)
        write_next(sqlite);
    if (mortal && !env_timer_armed(&sqlite->sweep_timer))
        err = env_timer_start(env, &sqlite->sweep_timer,
                              now + (uint64_t)SQLITE_SWEEP_MS * ENV_MS,
                              sweep_fired);
    if (sqlite->log_bytes && !env_timer_armed(&sqlite->idle_timer) && !err)
        err = env_timer_start(env, &sqlite->idle_timer,
                              now + (uint64_t)SQLITE_IDLE_MS * ENV_MS,
                              idle_fired);
    if (err)
        engine_fail(&sqlite->engine, "sqlite: out of memory for a timer");
}

void sqlite_commits_init(struct sqlite *sqlite)
{
    list_init(&sqlite->commits);
    for (unsigned i = 0; i < 2; i++)
        list_init(&sqlite->groups[i].commits);
    sqlite->group = &sqlite->groups[0];
    sqlite->write_work.data = sqlite;
    sqlite->write_kick.data = sqlite;
    sqlite->sweep_timer.data = sqlite;
    sqlite->idle_timer.data = sqlite;
    sqlite->checkpoint_at = sqlite->checkpoint_bytes;
    sqlite->next_wall = sqlite->next_now = UINT64_MAX;
}

void sqlite_commits_fini(struct sqlite *sqlite)
{
    struct env *env = sqlite->engine.env;

    env_timer_stop(env, &sqlite->sweep_timer);
    env_timer_stop(env, &sqlite->idle_timer);
    env_undefer(env, &sqlite->write_kick);
    for (unsigned i = 0; i < 2; i++)
        buffer_fini(&sqlite->groups[i].body);
}
