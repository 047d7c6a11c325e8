/* apply.h - one commit, or one sweep, within the transaction of its group. For
 * the writer's own files. All results are codes of SQLite's; a failure leaves
 * what was done to the rollback of the whole group. */

#ifndef SQLITE_APPLY_H
#define SQLITE_APPLY_H

#include "engine/sqlite/writer.h"

/* A key as it stands in the file. */
struct sqlite_row
{
    int64_t id;       /* 0: there is none */
    uint64_t created; /* 0: absent to all, for it may have expired */
    uint64_t version;
    struct sqlite_db_ttl ttl;
};

/* What is being applied. */
struct sqlite_step
{
    struct sqlite_writer *writer;
    struct sqlite_group *group;
    uint64_t revision; /* that it gets if it changes anything */
    uint32_t changes;
    bool wrote;         /* anything in the group, touches too */
    bool id_again;      /* the id of this commit is there, but forgotten */
    uint32_t ids_added; /* by the group */
    bool seen;          /* the last guard's key stands there as row, for nothing
                         * has been written since */
    struct kan_slice seen_key;
    struct sqlite_row row;
    bool hopes; /* the last guard is left to the insert of its own key */
};

/* Judge and apply; the commit's outs say what became of it. */
KAN_MUST_USE int sqlite_apply_commit(struct sqlite_step *step,
                                     struct sqlite_commit *commit);

/* Forget old commit ids, twice as fast as the group brought new ones. */
KAN_MUST_USE int sqlite_apply_forget(struct sqlite_step *step);

/* Add a change to the group's feed. */
void sqlite_apply_change(struct sqlite_step *step, enum engine_change_kind kind,
                         struct kan_slice key, struct kan_slice value,
                         uint64_t created);

KAN_MUST_USE int sqlite_apply_delete_row(struct sqlite_writer *writer,
                                         int64_t id);
KAN_MUST_USE int sqlite_apply_touch_row(struct sqlite_writer *writer,
                                        int64_t id, enum engine_ttl_kind kind,
                                        uint64_t ttl_ms, uint64_t expires_at);

/* sweep.c: delete what is due, as a commit of its own. */
KAN_MUST_USE int sqlite_sweep(struct sqlite_step *step);

/* Find out when to sweep next. */
KAN_MUST_USE int sqlite_sweep_plan(struct sqlite_writer *writer);

#endif /* SQLITE_APPLY_H */
