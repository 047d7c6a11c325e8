/* check.c - tree_check(): names and types get their meaning.
 *
 * In order: the names at the top of the file; records; of each version of a
 * type its fields, invariants, steps, laws and views; upgrades; sagas. Each
 * name is looked up in a map, so the time is linear in the text. */

#include "contract/tree/check.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/suggest.h"

/* Contracts are written by who runs them: a fixed seed will do. */
static const struct hash_seed check_seed = {0x6b616e, 0x747265};

enum
{
    CHECK_NAMES_MAX = 1 << 24 /* of one map; a text is shorter */
};

/* --- what all files of the checker use ------------------------------------ */

void *tree_check_give(struct tree_checker *c, size_t size)
{
    void *piece = arena_give(&c->tree->arena, size);

    if (!piece)
        c->nomem = true;
    return piece;
}

void tree_check_map(struct map *map)
{
    map_init(map, check_seed, CHECK_NAMES_MAX);
}

void tree_check_twice(struct tree_checker *c, const struct tree_name *name,
                      const struct tree_name *first, const char *what)
{
    char hint[SOURCE_MESSAGE_MAX];
    uint32_t line;
    uint32_t column;

    source_place(c->source, first->span.start, &line, &column);
    snprintf(hint, sizeof(hint), "the first is in line %" PRIu32, line);
    source_fault(c->source, name->span, hint, "a second %s is named %.*s", what,
                 SLICE_ARG(name->text));
}

bool tree_check_name(struct tree_checker *c, struct map *map,
                     const struct tree_name *name, void *node, const char *what)
{
    const struct tree_name *first = map_get(map, name->text);

    if (first) {
        tree_check_twice(c, name, first, what);
        return false;
    }
    if (map_put(map, name->text, node, NULL) != KAN_OK) {
        c->nomem = true;
        return false;
    }
    return true;
}

bool tree_check_limit(struct tree_checker *c, struct source_span span,
                      uint32_t count, uint32_t max, const char *what)
{
    if (count <= max)
        return true;
    source_fault(c->source, span,
                 "leave some out, or share them out between two types",
                 "%" PRIu32 " %s are too many: %" PRIu32 " are the most", count,
                 what, max);
    return false;
}

void tree_words_add(struct tree_checker *c, struct tree_words *words,
                    struct kan_slice word)
{
    const char *copy;

    if (words->count == TREE_CANDIDATES_MAX || !tree_check_heard(c))
        return;
    copy = arena_copy(&c->tree->arena, word);
    if (copy)
        words->list[words->count++] = copy;
    else
        c->nomem = true;
}

void tree_words_map(struct tree_checker *c, struct tree_words *words,
                    const struct map *map)
{
    struct kan_slice name;
    uint32_t cursor = 0;

    while (words->count < TREE_CANDIDATES_MAX && tree_check_heard(c) &&
           map_next(map, &cursor, &name, NULL))
        tree_words_add(c, words, name);
}

bool tree_words_hint(struct tree_checker *c, const struct tree_words *words,
                     struct kan_slice word, char *hint)
{
    const char *near = NULL;

    if (tree_check_heard(c))
        near = suggest_nearest(word, words->list, words->count);
    if (near)
        snprintf(hint, SOURCE_MESSAGE_MAX, "did you mean %s?", near);
    return near;
}

void tree_words_tell(struct tree_checker *c, const struct tree_words *words,
                     struct kan_slice word, const char *are, char *hint)
{
    const size_t room = SOURCE_MESSAGE_MAX - sizeof(", ...");
    size_t size = 0;
    uint32_t i;

    if (tree_words_hint(c, words, word, hint) || words->count == 0)
        return;
    size = (size_t)snprintf(hint, room, "%s ", are);
    for (i = 0; i < words->count; i++) {
        size_t more = strlen(words->list[i]) + 2;

        if (size + more >= room) {
            snprintf(hint + size, sizeof(", ..."), ", ...");
            return;
        }
        size += (size_t)snprintf(hint + size, more + 1, "%s%s", i ? ", " : "",
                                 words->list[i]);
    }
}

struct tree_step *tree_check_step_named(struct tree_checker *c,
                                        const struct tree_members *members,
                                        const struct tree_name *name)
{
    struct tree_step *step = map_get(&members->steps, name->text);
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "write step NAME { ... } in the type";

    if (step)
        return step;
    tree_words_map(c, &words, &members->steps);
    tree_words_tell(c, &words, name->text, "its steps:", hint);
    source_fault(c->source, name->span, hint, "%.*s has no step named %.*s",
                 SLICE_ARG(members->entity->name.text), SLICE_ARG(name->text));
    return NULL;
}

/* --- names at the top ----------------------------------------------------- */

/* Names of types and sagas stand in URLs, in tables and in C. */
static bool name_is_plain(struct kan_slice name)
{
    size_t i;

    for (i = 0; i < name.size; i++) {
        unsigned char byte = slice_at(name, i);
        bool letter = byte >= 'a' && byte <= 'z';
        bool later = i && ((byte >= '0' && byte <= '9') || byte == '_');

        if (!letter && !later)
            return false;
    }
    return name.size;
}

static void check_plain_name(struct tree_checker *c,
                             const struct tree_name *name, const char *what)
{
    char plain[2 * SOURCE_NAME_MAX + 1];
    char hint[SOURCE_MESSAGE_MAX];
    size_t size = 0;
    size_t i;

    if (name_is_plain(name->text))
        return;
    for (i = 0; i < name->text.size && i < SOURCE_NAME_MAX; i++) {
        unsigned char byte = slice_at(name->text, i);
        bool capital = byte >= 'A' && byte <= 'Z';

        if (capital && size && plain[size - 1] != '_')
            plain[size++] = '_';
        if (size || byte != '_')
            plain[size++] = (char)(capital ? byte - 'A' + 'a' : byte);
    }
    plain[size] = 0;
    snprintf(hint, sizeof(hint), "call it %s", plain);
    source_fault(c->source, name->span,
                 name_is_plain(kan_text(plain)) ? hint : "as in bank_account",
                 "the name of a %s has small letters, digits and _ alone",
                 what);
}

/* The type of that name, with all its versions behind it. */
static void check_entity_name(struct tree_checker *c, struct tree_members *m)
{
    struct tree_entity *entity = m->entity;
    struct tree_members *newest = map_get(&c->types, entity->name.text);
    struct tree_members *other;
    uint32_t count = 1;

    if (map_get(&c->records, entity->name.text)) {
        source_fault(
            c->source, entity->name.span, "give one of them another name",
            "%.*s is the name of a record too", SLICE_ARG(entity->name.text));
        return;
    }
    for (other = newest; other; other = other->older) {
        count++;
        if (other->entity->version == entity->version) {
            source_fault(c->source, entity->name.span,
                         "give it the next version, and write an upgrade",
                         "version %" PRIu32 " of %.*s is there twice",
                         entity->version, SLICE_ARG(entity->name.text));
            return;
        }
    }
    if (!newest)
        check_plain_name(c, &entity->name, "type");
    if (entity->version == 0 || entity->version > TREE_VERSION_MAX) {
        source_fault(c->source, entity->name.span,
                     "number versions 1, 2, 3 and so on",
                     "a version is a number from 1 to %d", TREE_VERSION_MAX);
        return;
    }
    /* Beyond the limit no more are linked, so that no list gets long. */
    if (!tree_check_limit(c, entity->name.span, count, TREE_VERSIONS_MAX,
                          "versions of one type"))
        return;
    if (newest && newest->entity->version > entity->version) {
        m->older = newest->older;
        newest->older = m;
        return;
    }
    m->older = newest;
    if (map_put(&c->types, entity->name.text, m, NULL) != KAN_OK)
        c->nomem = true;
}

static void check_names(struct tree_checker *c)
{
    struct tree *tree = c->tree;
    uint32_t i;

    for (i = 0; i < tree->record_count; i++) {
        tree_check_name(c, &c->records, &tree->records[i].name,
                        &tree->records[i], "record");
    }
    for (i = 0; i < tree->entity_count; i++)
        check_entity_name(c, &c->members[i]);
    for (i = 0; i < tree->saga_count; i++) {
        struct tree_saga *saga = &tree->sagas[i];

        check_plain_name(c, &saga->name, "saga");
        tree_check_name(c, &c->sagas, &saga->name, saga, "saga");
    }
}

/* --- one version of a type ------------------------------------------------ */

/* An entity begins somewhere: each field has a value to start with. */
static void check_starts(struct tree_checker *c, struct tree_members *m)
{
    struct tree_entity *entity = m->entity;
    uint32_t i;

    for (i = 0; i < entity->field_count; i++) {
        struct tree_field *field = &entity->fields[i];
        struct tree_type_words words;

        if (field->value || !field->type || tree_type_broken(field->type) ||
            tree_type_starts(c, field->type))
            continue;
        words = tree_type_words(field->type);
        if (field->type->kind == TREE_RECORD) {
            source_fault(c->source, field->name.span,
                         "say with which value an entity begins, as in `= ...` "
                         "behind the type",
                         "%.*s needs a default: a field of %s has none",
                         SLICE_ARG(field->name.text), words.text);
            continue;
        }
        source_fault(c->source, field->name.span,
                     "say with which value an entity begins, as in `= ...` "
                     "behind the type",
                     "%.*s needs a default: 0 is not in %s",
                     SLICE_ARG(field->name.text), words.text);
    }
}

static void check_size(struct tree_checker *c, const struct tree_name *name,
                       const struct tree_field *fields, uint32_t count,
                       const char *what)
{
    uint64_t size = tree_fields_size(c, fields, count);

    if (size > TREE_STATE_BYTES_MAX) {
        source_fault(c->source, name->span,
                     "make texts, sets and maps smaller, or use several types",
                     "the %s of %.*s need %" PRIu64 " bytes: %d are the most",
                     what, SLICE_ARG(name->text), size, TREE_STATE_BYTES_MAX);
    }
}

static void check_entity_fields(struct tree_checker *c, struct tree_members *m)
{
    struct tree_entity *entity = m->entity;
    uint32_t i;

    m->broken = !tree_check_limit(c, entity->name.span, entity->field_count,
                                  TREE_FIELDS_MAX, "fields");
    if (!tree_check_fields(c, entity->fields, entity->field_count, &m->fields,
                           "field"))
        m->broken = true;
    check_starts(c, m);
    if (!m->broken)
        check_size(c, &entity->name, entity->fields, entity->field_count,
                   "fields");
    tree_check_limit(c, entity->name.span, entity->step_count, TREE_STEPS_MAX,
                     "steps");
    for (i = 0; i < entity->step_count; i++) {
        struct tree_step *step = &entity->steps[i];

        step->place = i;
        tree_check_name(c, &m->steps, &step->name, step, "step");
        if (tree_check_fields(c, step->parameters, step->parameter_count, NULL,
                              "parameter"))
            check_size(c, &step->name, step->parameters, step->parameter_count,
                       "parameters");
    }
}

static void check_invariants(struct tree_checker *c, struct tree_members *m)
{
    struct tree_entity *entity = m->entity;
    struct map names;
    uint32_t i;

    if (!tree_check_limit(c, entity->name.span, entity->invariant_count,
                          TREE_STEPS_MAX, "invariants"))
        return;
    tree_check_map(&names);
    c->scope = (struct tree_scope){.members = m, .where = "an invariant"};
    for (i = 0; i < entity->invariant_count; i++) {
        struct tree_invariant *invariant = &entity->invariants[i];

        tree_check_name(c, &names, &invariant->name, invariant, "invariant");
        tree_check_value(c, invariant->holds, c->boolean);
    }
    map_fini(&names);
}

static void check_entities(struct tree_checker *c)
{
    uint32_t i;

    /* Fields and steps of all come first: sagas and upgrades look at them. */
    for (i = 0; i < c->tree->entity_count; i++)
        check_entity_fields(c, &c->members[i]);
    for (i = 0; i < c->tree->entity_count; i++) {
        check_invariants(c, &c->members[i]);
        tree_check_steps(c, &c->members[i]);
        tree_check_laws(c, &c->members[i]);
        tree_check_views(c, &c->members[i]);
    }
}

/* --- the whole ------------------------------------------------------------ */

static struct tree_type *check_type_new(struct tree_checker *c,
                                        enum tree_type_kind kind, uint32_t size)
{
    struct tree_type *type = tree_check_give(c, sizeof(*type));

    if (!type)
        return NULL;
    type->kind = kind;
    type->size = size;
    type->min = INT64_MIN;
    type->max = INT64_MAX;
    return type;
}

static void check_init(struct tree_checker *c, struct tree *tree)
{
    uint32_t i;

    *c = (struct tree_checker){.tree = tree, .source = tree->source};
    tree_check_map(&c->records);
    tree_check_map(&c->types);
    tree_check_map(&c->sagas);
    c->unknown = check_type_new(c, TREE_NONE_TYPE, 0);
    c->boolean = check_type_new(c, TREE_BOOL, 0);
    c->integer = check_type_new(c, TREE_INT, 0);
    c->text = check_type_new(c, TREE_TEXT, TREE_TEXT_MAX);
    c->id = check_type_new(c, TREE_TEXT, TREE_ID_MAX);
    c->entity_id = check_type_new(c, TREE_TEXT, TREE_ENTITY_ID_MAX);
    c->members = tree_check_give(c, sizeof(*c->members) * tree->entity_count);
    c->rooms = tree_check_give(c, sizeof(*c->rooms) * tree->record_count);
    for (i = 0; c->members && i < tree->entity_count; i++) {
        c->members[i].entity = &tree->entities[i];
        tree_check_map(&c->members[i].fields);
        tree_check_map(&c->members[i].steps);
    }
}

static void check_fini(struct tree_checker *c)
{
    uint32_t i;

    map_fini(&c->records);
    map_fini(&c->types);
    map_fini(&c->sagas);
    for (i = 0; c->members && i < c->tree->entity_count; i++) {
        map_fini(&c->members[i].fields);
        map_fini(&c->members[i].steps);
    }
}

/* An empty text, or half of one, is a mistake: a file that is just being
 * written, or was lost. */
static void check_something(struct tree_checker *c)
{
    const struct source_span start = {0, 0};

    if (c->tree->entity_count == 0 && c->source->fault_count == 0)
        source_fault(c->source, start,
                     "a contract has at least one: type counter { value: "
                     "int(0 .. 100) }",
                     "there is no type in this text");
}

enum kan_err tree_check(struct tree *tree)
{
    struct tree_checker c;

    check_init(&c, tree);
    if (!c.nomem) {
        check_names(&c);
        tree_check_records(&c);
        check_entities(&c);
        tree_check_upgrades(&c);
        tree_check_sagas(&c);
        check_something(&c);
    }
    check_fini(&c);
    if (c.nomem) {
        /* Names that found no room were missed: what was said is not true. */
        tree->source->fault_count = 0;
        tree->source->faults_more = 0;
        return KAN_NOMEM;
    }
    return tree->source->fault_count ? KAN_INVALID : KAN_OK;
}

/* --- for whoever reads a checked tree ------------------------------------- */

struct tree_entity *tree_entity(const struct tree *tree, struct kan_slice name,
                                uint32_t version)
{
    struct tree_entity *found = NULL;
    uint32_t i;

    for (i = 0; i < tree->entity_count; i++) {
        struct tree_entity *entity = &tree->entities[i];

        if (!slice_equal(entity->name.text, name))
            continue;
        if (version ? entity->version == version
                    : !found || found->version < entity->version)
            found = entity;
    }
    return found;
}
