/* From YAML to components: kinds, scopes, then the keys of each type.
 *
 * Keys are matched in tables, so that what is allowed, what is suggested and
 * what the manual says cannot drift apart. */

#include "node/resource.h"

#include "base/alloc.h"
#include "base/number.h"
#include "base/suggest.h"
#include "block/lock/fence.h"
#include "node/yaml.h"

/* --- texts that live as long as the set ----------------------------------- */

struct text
{
    struct text *next;
    char bytes[];
};

static const char *keep(struct component_set *set, struct kan_slice text)
{
    struct text *kept = mem_alloc(sizeof *kept + text.size + 1);
    if (!kept)
        return NULL;
    if (text.size)
        memcpy(kept->bytes, text.bytes, text.size);
    kept->bytes[text.size] = 0;
    kept->next = set->texts;
    set->texts = kept;
    return kept->bytes;
}

void component_set_fini(struct component_set *set)
{
    struct text *text = set->texts;
    while (text) {
        struct text *next = text->next;
        mem_free(text);
        text = next;
    }
    *set = (struct component_set){0};
}

/* --- one file under way --------------------------------------------------- */

struct loader
{
    struct component_set *set;
    const struct component_scope *scope;
    const char *file;
    const struct yaml_tree *tree;
    struct buffer *why;
};

__attribute__((format(printf, 3, 4))) static enum kan_err refuse(
    struct loader *loader, const struct yaml_node *node, const char *format,
    ...)
{
    buffer_clear(loader->why);
    buffer_print(loader->why, "%s:%u: ", loader->file, node->line);
    va_list args;
    va_start(args, format);
    buffer_vprint(loader->why, format, args);
    va_end(args);
    return KAN_INVALID;
}

static struct kan_slice text_of(const struct loader *loader,
                                const struct yaml_node *node)
{
    if (!node || yaml_null(loader->tree, node) ||
        node->kind != YAML_KIND_SCALAR)
        return kan_slice(NULL, 0);
    return yaml_text(loader->tree, node);
}

static void note(const struct loader *loader, const struct yaml_node *node,
                 const char *what, struct kan_slice name)
{
    log_line(loader->scope->log, LOG_WARN, what,
             LOG_TEXT("file", kan_text(loader->file)),
             LOG_NUMBER("line", node->line), LOG_TEXT("name", name));
}

/* Every member's name must be one of those listed. */
static enum kan_err check_names(struct loader *loader,
                                const struct yaml_node *map,
                                const char *const *names, size_t count)
{
    if (!map)
        return KAN_OK;
    if (map->kind != YAML_KIND_MAP)
        return refuse(loader, map, "expected a map of %s, ...", names[0]);
    for (const struct yaml_node *child = yaml_first(loader->tree, map); child;
         child = yaml_next(loader->tree, map, child)) {
        struct kan_slice name = yaml_name(loader->tree, child);
        bool known = false;
        for (size_t i = 0; i < count; i++)
            known = known || slice_equal(name, kan_text(names[i]));
        if (known)
            continue;
        const char *nearest = suggest_nearest(name, names, count);
        if (nearest)
            return refuse(loader, child,
                          "unknown key '%.*s'; did you mean '%s'?",
                          SLICE_ARG(name), nearest);
        return refuse(loader, child, "unknown key '%.*s'", SLICE_ARG(name));
    }
    return KAN_OK;
}

#define CHECK_NAMES(loader, map, names) \
    check_names(loader, map, names, sizeof(names) / sizeof((names)[0]))

/* --- values --------------------------------------------------------------- */

static void append_uuid(struct env *env, struct buffer *out)
{
    uint64_t high = env_choose(env, UINT64_MAX);
    uint64_t low = env_choose(env, UINT64_MAX);
    buffer_print(out, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32),
                 (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
                 (unsigned)(0x8000 | (low >> 48 & 0x3fff)),
                 (unsigned long long)(low & 0xffffffffffff));
}

/* Replace {appID}, {namespace} and {uuid}. */
static enum kan_err expand(struct loader *loader, const struct yaml_node *node,
                           struct kan_slice value, struct buffer *out)
{
    const struct component_scope *scope = loader->scope;
    while (value.size) {
        if (slice_starts(value, SLICE("{appID}"))) {
            buffer_append_text(out, scope->app_id);
            value = slice_skip(value, 7);
        } else if (slice_starts(value, SLICE("{namespace}"))) {
            buffer_print(out, "%s.%s",
                         scope->namespace_ ? scope->namespace_ : "default",
                         scope->app_id);
            value = slice_skip(value, 11);
        } else if (slice_starts(value, SLICE("{uuid}"))) {
            append_uuid(scope->env, out);
            value = slice_skip(value, 6);
        } else if (slice_starts(value, SLICE("{podName}"))) {
            return refuse(loader, node, "{podName} is not known here");
        } else {
            buffer_append_byte(out, slice_at(value, 0));
            value = slice_skip(value, 1);
        }
    }
    return buffer_failed(out) ? KAN_NOMEM : KAN_OK;
}

static enum kan_err from_environment(struct loader *loader,
                                     const struct yaml_node *node,
                                     struct buffer *out)
{
    struct kan_slice name = text_of(loader, node);
    if (name.size == 0 || slice_find(name, SLICE(" ")) != SIZE_MAX ||
        slice_equal(name, SLICE("APP_API_TOKEN")) ||
        slice_starts(name, SLICE("DAPR_")))
        return refuse(loader, node, "envRef '%.*s' may not be read",
                      SLICE_ARG(name));
    struct buffer text = BUFFER_INIT;
    buffer_append(&text, name);
    const char *value = loader->scope->lookup(buffer_text(&text));
    buffer_append_text(out, value ? value : "");
    buffer_fini(&text);
    return buffer_failed(out) ? KAN_NOMEM : KAN_OK;
}

/* The value of one metadata item, as text. */
static enum kan_err item_value(struct loader *loader,
                               const struct yaml_node *item, struct buffer *out)
{
    const struct yaml_node *value = yaml_member(loader->tree, item, "value");
    const struct yaml_node *secret =
        yaml_member(loader->tree, item, "secretKeyRef");
    const struct yaml_node *variable =
        yaml_member(loader->tree, item, "envRef");
    if (secret)
        return refuse(loader, secret,
                      "secretKeyRef: secret stores are not served by this "
                      "version; give the value, or envRef");
    if (!value && variable)
        return from_environment(loader, variable, out);
    if (value && value->kind != YAML_KIND_SCALAR)
        return refuse(loader, value, "a value must be a scalar");
    return expand(loader, value ? value : item, text_of(loader, value), out);
}

/* --- what each type of component knows ------------------------------------ */

bool component_is_lock(enum component_type type)
{
    return type == COMPONENT_LOCK_SQLITE || type == COMPONENT_LOCK_MEMORY;
}

bool component_in_memory(enum component_type type)
{
    return type == COMPONENT_STATE_MEMORY || type == COMPONENT_LOCK_MEMORY;
}

enum use
{
    KEY_PREFIX,
    ACTOR_STATE_STORE,
    PATH,
    IDLE /* Dapr's, accepted, without effect here */
};

struct key
{
    const char *name;
    enum use use;
};

static const struct key memory_keys[] = {
    {"keyPrefix", KEY_PREFIX},
    {"actorStateStore", ACTOR_STATE_STORE},
};

static const struct key sqlite_keys[] = {
    {"keyPrefix", KEY_PREFIX},
    {"actorStateStore", ACTOR_STATE_STORE},
    {"path", PATH},
    {"connectionString", PATH},
    {"timeout", IDLE},
    {"timeoutInSeconds", IDLE},
    {"busyTimeout", IDLE},
    {"cleanupInterval", IDLE},
    {"tableName", IDLE},
    {"metadataTableName", IDLE},
};

static const struct key lock_memory_keys[] = {
    {"keyPrefix", KEY_PREFIX},
};

static const struct key lock_sqlite_keys[] = {
    {"keyPrefix", KEY_PREFIX},  {"path", PATH},
    {"connectionString", PATH}, {"timeout", IDLE},
    {"timeoutInSeconds", IDLE}, {"busyTimeout", IDLE},
};

struct type
{
    const char *name;
    enum component_type type;
    const struct key *keys;
    size_t key_count;
};

#define KEYS(table) (table), sizeof(table) / sizeof((table)[0])

static const struct type types[] = {
    {"state.sqlite", COMPONENT_STATE_SQLITE, KEYS(sqlite_keys)},
    {"state.in-memory", COMPONENT_STATE_MEMORY, KEYS(memory_keys)},
    {"lock.sqlite", COMPONENT_LOCK_SQLITE, KEYS(lock_sqlite_keys)},
    {"lock.in-memory", COMPONENT_LOCK_MEMORY, KEYS(lock_memory_keys)},
};

static enum kan_err unknown_key(struct loader *loader,
                                const struct yaml_node *item,
                                const struct type *type, struct kan_slice name)
{
    const char *names[sizeof sqlite_keys / sizeof sqlite_keys[0]];
    for (size_t i = 0; i < type->key_count; i++)
        names[i] = type->keys[i].name;
    const char *nearest = suggest_nearest(name, names, type->key_count);
    if (nearest)
        return refuse(loader, item,
                      "%s has no setting '%.*s'; did you mean '%s'?",
                      type->name, SLICE_ARG(name), nearest);
    return refuse(loader, item, "%s has no setting '%.*s'", type->name,
                  SLICE_ARG(name));
}

/* "file:data.db?mode=rw", as Dapr's users write it, is data.db. */
static enum kan_err set_path(struct loader *loader,
                             const struct yaml_node *item,
                             struct component *component,
                             struct kan_slice value)
{
    if (slice_starts(value, SLICE("file:")))
        value = slice_skip(value, 5);
    struct kan_slice rest = value;
    (void)slice_cut(&rest, '?', &value);
    if (value.size == 0 || slice_find(value, SLICE(":memory:")) != SIZE_MAX)
        return refuse(loader, item,
                      "a %s store needs a file; for memory use the type "
                      "%s.in-memory",
                      component->type_name,
                      component_is_lock(component->type) ? "lock" : "state");
    component->path = keep(loader->set, value);
    return component->path ? KAN_OK : KAN_NOMEM;
}

static enum kan_err set_key_prefix(struct loader *loader,
                                   const struct yaml_node *item,
                                   struct component *component,
                                   struct kan_slice value)
{
    if (slice_find(value, SLICE("||")) != SIZE_MAX)
        return refuse(loader, item, "keyPrefix must not contain ||");
    component->key_prefix = keep(loader->set, value);
    return component->key_prefix ? KAN_OK : KAN_NOMEM;
}

static enum kan_err set_item(struct loader *loader,
                             const struct yaml_node *item,
                             const struct type *type,
                             struct component *component, struct kan_slice name,
                             struct kan_slice value)
{
    for (size_t i = 0; i < type->key_count; i++) {
        if (!slice_equal_nocase(name, kan_text(type->keys[i].name)))
            continue;
        switch (type->keys[i].use) {
        case KEY_PREFIX:
            return set_key_prefix(loader, item, component, value);
        case PATH:
            return set_path(loader, item, component, value);
        case ACTOR_STATE_STORE:
            if (number_bool(value, &component->actor_state_store) != KAN_OK)
                return refuse(loader, item,
                              "actorStateStore must be true or false");
            return KAN_OK;
        case IDLE:
            note(loader, item, "setting has no effect in this version", name);
            return KAN_OK;
        }
    }
    return unknown_key(loader, item, type, name);
}

static enum kan_err read_items(struct loader *loader,
                               const struct yaml_node *items,
                               const struct type *type,
                               struct component *component)
{
    static const char *const names[] = {"name", "value", "secretKeyRef",
                                        "envRef"};
    if (yaml_null(loader->tree, items))
        return KAN_OK;
    if (items->kind != YAML_KIND_LIST)
        return refuse(loader, items, "spec.metadata must be a list");
    enum kan_err err = KAN_OK;
    struct buffer value = BUFFER_INIT;
    for (const struct yaml_node *item = yaml_first(loader->tree, items);
         item && err == KAN_OK; item = yaml_next(loader->tree, items, item)) {
        err = CHECK_NAMES(loader, item, names);
        if (err != KAN_OK)
            break;
        struct kan_slice name =
            text_of(loader, yaml_member(loader->tree, item, "name"));
        if (name.size == 0) {
            err = refuse(loader, item, "a setting needs a name");
            break;
        }
        buffer_clear(&value);
        err = item_value(loader, item, &value);
        if (err == KAN_OK)
            err = set_item(loader, item, type, component, name,
                           buffer_slice(&value));
    }
    buffer_fini(&value);
    return err;
}

/* --- components ----------------------------------------------------------- */

static bool in_scope(const struct loader *loader,
                     const struct yaml_node *document)
{
    const struct yaml_node *scopes =
        yaml_member(loader->tree, document, "scopes");
    if (yaml_null(loader->tree, scopes) || scopes->kind != YAML_KIND_LIST)
        return true;
    const struct yaml_node *child = yaml_first(loader->tree, scopes);
    if (!child)
        return true;
    for (; child; child = yaml_next(loader->tree, scopes, child)) {
        if (slice_equal(text_of(loader, child),
                        kan_text(loader->scope->app_id)))
            return true;
    }
    return false;
}

static bool in_namespace(const struct loader *loader,
                         const struct yaml_node *metadata)
{
    struct kan_slice name =
        text_of(loader, yaml_member(loader->tree, metadata, "namespace"));
    return !loader->scope->namespace_ || name.size == 0 ||
           slice_equal(name, kan_text(loader->scope->namespace_));
}

/* Fences name a lock store, in keys of the data's engine. */
static enum kan_err check_lock_name(struct loader *loader,
                                    const struct yaml_node *document,
                                    struct kan_slice name)
{
    if (name.size > FENCE_STORE_MAX ||
        slice_find(name, SLICE("||")) != SIZE_MAX)
        return refuse(loader, document,
                      "metadata.name '%.*s' of a lock store must not contain "
                      "||, and has at most %d bytes",
                      SLICE_ARG(name), FENCE_STORE_MAX);
    return KAN_OK;
}

static enum kan_err check_name(struct loader *loader,
                               const struct yaml_node *document,
                               struct kan_slice name)
{
    if (name.size == 0 || slice_find(name, SLICE("/")) != SIZE_MAX ||
        slice_find(name, SLICE("%")) != SIZE_MAX)
        return refuse(loader, document,
                      "metadata.name '%.*s' must be there, without / and %%",
                      SLICE_ARG(name));
    for (uint32_t i = 0; i < loader->set->count; i++) {
        if (slice_equal(name, kan_text(loader->set->components[i].name)))
            return refuse(loader, document,
                          "there are two components named '%.*s'",
                          SLICE_ARG(name));
    }
    if (loader->set->count == COMPONENTS_MAX)
        return refuse(loader, document, "more than %d components",
                      COMPONENTS_MAX);
    return KAN_OK;
}

/* The shape that every component of ours has. */
static enum kan_err check_shape(struct loader *loader,
                                const struct yaml_node *document)
{
    static const char *const top[] = {"apiVersion", "kind", "metadata",
                                      "spec",       "auth", "scopes"};
    static const char *const metadata[] = {"name", "namespace", "labels",
                                           "annotations"};
    static const char *const spec[] = {"type", "version", "initTimeout",
                                       "ignoreErrors", "metadata"};
    const struct yaml_tree *tree = loader->tree;
    enum kan_err err = CHECK_NAMES(loader, document, top);
    if (err == KAN_OK)
        err = CHECK_NAMES(loader, yaml_member(tree, document, "metadata"),
                          metadata);
    if (err == KAN_OK)
        err = CHECK_NAMES(loader, yaml_member(tree, document, "spec"), spec);
    return err;
}

static enum kan_err read_component(struct loader *loader,
                                   const struct yaml_node *document,
                                   const struct type *type,
                                   struct kan_slice name)
{
    const struct yaml_tree *tree = loader->tree;
    const struct yaml_node *spec = yaml_member(tree, document, "spec");
    enum kan_err err = check_shape(loader, document);
    if (err == KAN_OK)
        err = check_name(loader, document, name);
    if (err == KAN_OK && component_is_lock(type->type))
        err = check_lock_name(loader, document, name);
    if (err != KAN_OK)
        return err;
    struct component component = {.type = type->type, .type_name = type->name};
    struct kan_slice version =
        text_of(loader, yaml_member(tree, spec, "version"));
    component.name = keep(loader->set, name);
    component.version = keep(loader->set, version.size ? version : SLICE("v1"));
    if (!component.name || !component.version)
        return KAN_NOMEM;
    const struct yaml_node *ignore = yaml_member(tree, spec, "ignoreErrors");
    if (ignore && number_bool(text_of(loader, ignore),
                              &component.ignore_errors) != KAN_OK)
        return refuse(loader, ignore, "ignoreErrors must be true or false");
    err = read_items(loader, yaml_member(tree, spec, "metadata"), type,
                     &component);
    if (err == KAN_OK)
        loader->set->components[loader->set->count++] = component;
    return err;
}

static const struct type *type_named(struct kan_slice name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (slice_equal(name, kan_text(types[i].name)))
            return &types[i];
    }
    return NULL;
}

/* Remember for metadata what is left out. */
static enum kan_err skip(struct loader *loader,
                         const struct yaml_node *document,
                         struct kan_slice type)
{
    struct component_set *set = loader->set;
    const struct yaml_node *metadata =
        yaml_member(loader->tree, document, "metadata");
    if (set->skipped_count == COMPONENTS_MAX)
        return KAN_OK;
    struct serve_skipped skipped = {
        .name = keep(
            set, text_of(loader, yaml_member(loader->tree, metadata, "name"))),
        .type = keep(set, type)};
    if (!skipped.name || !skipped.type)
        return KAN_NOMEM;
    set->skipped[set->skipped_count++] = skipped;
    return KAN_OK;
}

static enum kan_err read_document(struct loader *loader,
                                  const struct yaml_node *document)
{
    const struct yaml_tree *tree = loader->tree;
    if (yaml_null(tree, document))
        return KAN_OK;
    if (document->kind != YAML_KIND_MAP)
        return refuse(loader, document,
                      "expected a resource: a map with "
                      "apiVersion, kind, metadata, spec");
    struct kan_slice kind =
        text_of(loader, yaml_member(tree, document, "kind"));
    if (!slice_equal(kind, SLICE("Component")) ||
        !slice_equal(text_of(loader, yaml_member(tree, document, "apiVersion")),
                     SLICE("dapr.io/v1alpha1"))) {
        note(loader, document, "skipped: not a component", kind);
        return skip(loader, document, kind);
    }
    const struct yaml_node *metadata = yaml_member(tree, document, "metadata");
    struct kan_slice name =
        text_of(loader, yaml_member(tree, metadata, "name"));
    const struct yaml_node *spec = yaml_member(tree, document, "spec");
    struct kan_slice type_name =
        text_of(loader, yaml_member(tree, spec, "type"));
    if (type_name.size == 0)
        return refuse(loader, document,
                      "spec.type is missing; types here are state.sqlite, "
                      "state.in-memory, lock.sqlite and lock.in-memory");
    const struct type *type = type_named(type_name);
    if (!type) {
        note(loader, document,
             "skipped: a type that this version does not "
             "serve",
             type_name);
        return skip(loader, document, type_name);
    }
    if (!in_scope(loader, document) || !in_namespace(loader, metadata))
        return KAN_OK;
    return read_component(loader, document, type, name);
}

enum kan_err component_set_read(struct component_set *set,
                                const struct component_scope *scope,
                                const char *file, struct kan_slice text,
                                struct buffer *why)
{
    struct yaml_tree tree = {0};
    enum kan_err err = yaml_parse(text, &tree);
    if (err == KAN_INVALID) {
        buffer_clear(why);
        buffer_print(why, "%s: %s", file, buffer_text(&tree.why));
    }
    struct loader loader = {set, scope, file, &tree, why};
    for (const struct yaml_node *document =
             err == KAN_OK ? yaml_document(&tree, NULL) : NULL;
         document && err == KAN_OK; document = yaml_document(&tree, document))
        err = read_document(&loader, document);
    yaml_fini(&tree);
    return err;
}

/* --- directories and files ------------------------------------------------ */

const char *resource_err_text(enum kan_err err)
{
    switch (err) {
    case KAN_NOTFOUND:
        return "there is no such directory";
    case KAN_INVALID:
        return "it is no directory, or access is denied";
    default:
        return kan_err_text(err);
    }
}

struct names
{
    struct buffer list; /* each with a NUL behind it */
};

static void on_name(void *data, const char *name)
{
    struct names *names = data;
    size_t size = strlen(name);
    bool yaml = size > 5 && strcmp(name + size - 5, ".yaml") == 0;
    bool yml = size > 4 && strcmp(name + size - 4, ".yml") == 0;
    if (yaml || yml)
        buffer_append(&names->list, kan_slice(name, size + 1));
}

static enum kan_err read_file(struct env *env, const char *path,
                              struct buffer *out)
{
    struct env_file *file;
    enum kan_err err = env_file_open(env, path, ENV_OPEN_READ, &file);
    if (err != KAN_OK)
        return err;
    uint64_t size = 0;
    size_t got = 0;
    err = env_file_size(file, &size);
    if (err == KAN_OK && size > YAML_SIZE_MAX)
        size = YAML_SIZE_MAX + 1; /* the parser refuses it by its size */
    if (err == KAN_OK)
        err = buffer_reserve(out, size);
    if (err == KAN_OK)
        err = env_file_read(file, 0, out->bytes, size, &got);
    out->size = got;
    env_file_close(file);
    return err;
}

static enum kan_err load_file(struct component_set *set,
                              const struct component_scope *scope,
                              const char *path, struct buffer *why)
{
    struct buffer text = BUFFER_INIT;
    enum kan_err err = read_file(scope->env, path, &text);
    if (err == KAN_OK) {
        err = component_set_read(set, scope, path, buffer_slice(&text), why);
    } else {
        buffer_clear(why);
        buffer_print(why, "%s: cannot be read: %s", path,
                     err == KAN_INVALID    ? "it is no file, or access is "
                                             "denied"
                     : err == KAN_NOTFOUND ? "the file is not there"
                                           : kan_err_text(err));
    }
    buffer_fini(&text);
    return err;
}

enum kan_err component_set_load(struct component_set *set,
                                const struct component_scope *scope,
                                const char *directory, struct buffer *why)
{
    struct names names = {0};
    enum kan_err err = env_dir_list(scope->env, directory, &names, on_name);
    if (err != KAN_OK) {
        buffer_clear(why);
        buffer_print(why, "--resources-path '%s': %s", directory,
                     resource_err_text(err));
    }
    if (buffer_failed(&names.list))
        err = KAN_NOMEM;
    struct buffer path = BUFFER_INIT;
    size_t at = 0;
    while (err == KAN_OK && at < names.list.size) {
        const char *name = names.list.bytes + at;
        buffer_clear(&path);
        buffer_print(&path, "%s/%s", directory, name);
        err = buffer_failed(&path)
                  ? KAN_NOMEM
                  : load_file(set, scope, buffer_text(&path), why);
        at += strlen(name) + 1;
    }
    buffer_fini(&path);
    buffer_fini(&names.list);
    return err;
}

void component_prefix(const struct component *component,
                      const struct component_scope *scope, struct buffer *out)
{
    struct kan_slice prefix = kan_text(component->key_prefix);
    if (component_is_lock(component->type))
        buffer_append_text(out, "lock||");
    if (slice_equal_nocase(prefix, SLICE("none")))
        return;
    if (slice_equal_nocase(prefix, SLICE("name")))
        buffer_append_text(out, component->name);
    else if (slice_equal_nocase(prefix, SLICE("namespace")) &&
             scope->namespace_)
        buffer_print(out, "%s.%s", scope->namespace_, scope->app_id);
    else if (prefix.size == 0 || slice_equal_nocase(prefix, SLICE("appid")) ||
             slice_equal_nocase(prefix, SLICE("namespace")))
        buffer_append_text(out, scope->app_id);
    else
        buffer_append(out, prefix);
    buffer_append_text(out, "||");
}
