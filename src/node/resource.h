/* resource.h - component files read and checked.
 *
 * Every *.yaml and *.yml directly in a directory is read, in byte order of the
 * names. A component of ours (state.sqlite, state.in-memory, lock.sqlite,
 * lock.in-memory) with a key that it does not know is an error with file, line
 * and suggestion; other kinds and types are skipped with a note. */

#ifndef NODE_RESOURCE_H
#define NODE_RESOURCE_H

#include <kan/base.h>

#include "base/bytes.h"
#include "base/log.h"
#include "env/env.h"
#include "serve/http/serve.h"

enum component_type
{
    COMPONENT_STATE_SQLITE,
    COMPONENT_STATE_MEMORY,
    COMPONENT_LOCK_SQLITE,
    COMPONENT_LOCK_MEMORY
};

bool component_is_lock(enum component_type type);
bool component_in_memory(enum component_type type);

/* Texts are NUL-terminated and belong to the set. */
struct component
{
    enum component_type type;
    const char *type_name; /* "state.sqlite" */
    const char *name;
    const char *version;
    const char *path;       /* sqlite: the file; NULL: in the data directory, */
    const char *file;       /* under this name; NULL: NAME.db */
    const char *key_prefix; /* as written; NULL: appid */
    bool actor_state_store;
    bool ignore_errors;
};

enum
{
    COMPONENTS_MAX = 64
};

struct component_set
{
    struct component components[COMPONENTS_MAX];
    uint32_t count;
    struct serve_skipped skipped[COMPONENTS_MAX]; /* found, not loaded; what
                                                   * is beyond is not told */
    uint32_t skipped_count;
    void *texts; /* owns every text */
};

/* Whom the components are for. Borrowed while loading. */
struct component_scope
{
    struct env *env;
    struct log *log;
    const char *app_id;
    const char *namespace_;                  /* NULL: unset */
    const char *(*lookup)(const char *name); /* of the environment */
};

/* Add the components of one directory. The set is zeroed before the first, and
 * given to component_set_fini() in any case. KAN_INVALID with one line in why,
 * as "stores.yaml:12: ...". */
KAN_MUST_USE enum kan_err component_set_load(
    struct component_set *set, const struct component_scope *scope,
    const char *directory, struct buffer *why);
void component_set_fini(struct component_set *set);

/* The text put before every key of a store, as "kan||" (empty for none; of a
 * lock store "lock||kan||", or "lock||"), appended to out; see keyPrefix in
 * docs/api.md. */
void component_prefix(const struct component *component,
                      const struct component_scope *scope, struct buffer *out);

/* What a status of opening or making a directory says to its user. */
const char *resource_err_text(enum kan_err err);

/* The parts that need no files, for tests: add the components of one file's
 * text; file is its name in messages. */
KAN_MUST_USE enum kan_err component_set_read(
    struct component_set *set, const struct component_scope *scope,
    const char *file, struct kan_slice text, struct buffer *why);

#endif /* NODE_RESOURCE_H */
