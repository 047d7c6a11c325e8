/* check_upgrade.c - versions of a type, and the ways between them.
 *
 * Versions follow each other without a gap, and each pair of neighbours has an
 * upgrade. On the way up, and down when there is one, each field of the target
 * gets a value: a copy of the field of its name when its type holds all of the
 * other's; or an assignment that is reached whatever the conditions are; or
 * its default. An optional, a set or a map that the other does not have begins
 * empty. A field of the same name whose type does not fit must be assigned, so
 * that nothing is lost in silence. */

#include "contract/tree/check.h"

#include <inttypes.h>
#include <stdio.h>

/* --- which fields are assigned -------------------------------------------- */

struct assigned
{
    uint64_t fields[TREE_FIELDS_MAX / 64];
};

static bool assigned_has(const struct assigned *set, uint32_t field)
{
    return set->fields[field / 64] >> (field % 64) & 1;
}

/* The fields that are assigned whichever way conditions go; in `some`, those
 * that are on some way. */
static struct assigned block_assigns(const struct tree_block *block,
                                     struct assigned *some)
{
    struct assigned always = {{0}};
    uint32_t i;
    uint32_t k;

    for (i = 0; block && i < block->count; i++) {
        const struct tree_statement *one = block->statements[i];

        if (one->kind == TREE_ASSIGN && one->target->kind == TREE_NAMED &&
            one->target->meaning == TREE_MEANS_FIELD &&
            one->target->place < TREE_FIELDS_MAX) {
            uint64_t bit = UINT64_C(1) << (one->target->place % 64);

            always.fields[one->target->place / 64] |= bit;
            some->fields[one->target->place / 64] |= bit;
        } else if (one->kind == TREE_BRANCH) {
            struct assigned a = block_assigns(one->body, some);
            struct assigned b = block_assigns(one->otherwise, some);

            for (k = 0; k < TREE_FIELDS_MAX / 64; k++)
                always.fields[k] |= a.fields[k] & b.fields[k];
        }
    }
    return always;
}

/* --- one way -------------------------------------------------------------- */

struct way
{
    const struct tree_upgrade *upgrade;
    const struct tree_members *from;
    const struct tree_members *to;
    struct tree_block *block;
    const char *name; /* "up" or "down" */
};

static bool begins_empty(const struct tree_type *type)
{
    return type->kind == TREE_OPTIONAL || type->kind == TREE_SET ||
           type->kind == TREE_MAP;
}

static void field_without(struct tree_checker *c, const struct way *way,
                          const struct tree_field *field,
                          const struct tree_field *old, bool sometimes)
{
    struct source_span span =
        way->block ? way->block->span : way->upgrade->name.span;
    struct tree_type_words was;
    struct tree_type_words is;
    char hint[SOURCE_MESSAGE_MAX];

    snprintf(hint, sizeof(hint), "write %s { %.*s = ... }%s", way->name,
             SLICE_ARG(field->name.text),
             old ? "" : ", or give the field a default");
    if (sometimes) {
        source_fault(c->source, span,
                     "assign it behind else too, or before the if",
                     "%s assigns %.*s under a condition only", way->name,
                     SLICE_ARG(field->name.text));
        return;
    }
    if (!old) {
        source_fault(c->source, span, hint,
                     "%s gives the field %.*s of version %" PRIu32 " no value",
                     way->name, SLICE_ARG(field->name.text),
                     way->to->entity->version);
        return;
    }
    was = tree_type_words(old->type);
    is = tree_type_words(field->type);
    source_fault(c->source, span, hint,
                 "%s cannot copy %.*s: %s does not hold all of %s", way->name,
                 SLICE_ARG(field->name.text), is.text, was.text);
}

static void check_way(struct tree_checker *c, const struct way *way)
{
    const struct tree_entity *to = way->to->entity;
    struct assigned some = {{0}};
    struct assigned always;
    uint32_t i;

    c->scope = (struct tree_scope){.members = way->to,
                                   .old = way->from,
                                   .inputs = true,
                                   .fields_written = true,
                                   .where = "an upgrade"};
    tree_check_block(c, way->block, true);
    if (way->from->broken || way->to->broken || c->records_broken)
        return;
    always = block_assigns(way->block, &some);
    for (i = 0; i < to->field_count; i++) {
        const struct tree_field *field = &to->fields[i];
        const struct tree_field *old =
            map_get(&way->from->fields, field->name.text);
        bool fits = old && tree_type_fits(old->type, field->type);

        if (assigned_has(&always, i) || fits)
            continue;
        if (!old && (field->value || begins_empty(field->type)))
            continue;
        field_without(c, way, field, old, assigned_has(&some, i));
    }
}

/* --- versions ------------------------------------------------------------- */

static struct tree_members *version_of(const struct tree_members *newest,
                                       uint32_t version)
{
    const struct tree_members *one = newest;

    while (one && one->entity->version != version)
        one = one->older;
    return (struct tree_members *)(uintptr_t)one;
}

static struct tree_members *upgrade_version(struct tree_checker *c,
                                            const struct tree_upgrade *upgrade,
                                            struct tree_members *newest,
                                            uint32_t version)
{
    struct tree_members *one = version_of(newest, version);

    if (!one) {
        source_fault(c->source, upgrade->name.span,
                     "both versions stand in the text: the old one as it was",
                     "there is no version %" PRIu32 " of %.*s", version,
                     SLICE_ARG(upgrade->name.text));
    }
    return one;
}

static void check_upgrade(struct tree_checker *c, struct tree_upgrade *upgrade)
{
    struct tree_members *newest = map_get(&c->types, upgrade->name.text);
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "declare it: type NAME version 1 { ... }";
    struct tree_members *from;
    struct tree_members *to;

    c->upgrades_broken |= !newest || upgrade->to != upgrade->from + 1;
    if (!newest) {
        tree_words_map(c, &words, &c->types);
        tree_words_tell(c, &words, upgrade->name.text, "the types:", hint);
        source_fault(c->source, upgrade->name.span, hint,
                     "no type is named %.*s", SLICE_ARG(upgrade->name.text));
        return;
    }
    if (upgrade->to != upgrade->from + 1) {
        source_fault(c->source, upgrade->name.span,
                     "`down` is the way back; several upgrades make a longer "
                     "way",
                     "an upgrade leads from a version to the next, not from "
                     "%" PRIu32 " to %" PRIu32,
                     upgrade->from, upgrade->to);
        return;
    }
    from = upgrade_version(c, upgrade, newest, upgrade->from);
    to = from ? upgrade_version(c, upgrade, newest, upgrade->to) : NULL;
    if (!to)
        return;
    if (to->upgraded) {
        source_fault(c->source, upgrade->name.span, "leave one out",
                     "%.*s is upgraded from %" PRIu32 " to %" PRIu32 " twice",
                     SLICE_ARG(upgrade->name.text), upgrade->from, upgrade->to);
        return;
    }
    to->upgraded = true;
    upgrade->old = from->entity;
    upgrade->new_ = to->entity;
    check_way(c, &(struct way){upgrade, from, to, upgrade->up, "up"});
    if (upgrade->down)
        check_way(c, &(struct way){upgrade, to, from, upgrade->down, "down"});
}

/* Every version but the oldest is led to from the one before. */
static void check_version(struct tree_checker *c, const struct tree_members *m)
{
    const struct tree_entity *entity = m->entity;
    const struct tree_members *before = m->older;
    char hint[SOURCE_MESSAGE_MAX];

    if (!before)
        return;
    if (entity->version != before->entity->version + 1) {
        source_fault(c->source, entity->name.span,
                     "versions follow each other by one",
                     "between version %" PRIu32 " and %" PRIu32
                     " of %.*s some are missing",
                     before->entity->version, entity->version,
                     SLICE_ARG(entity->name.text));
        return;
    }
    if (m->upgraded || c->upgrades_broken)
        return;
    snprintf(hint, sizeof(hint),
             "write upgrade %.*s %" PRIu32 " -> %" PRIu32
             " { }, with up and down as fields need it",
             SLICE_ARG(entity->name.text), before->entity->version,
             entity->version);
    source_fault(
        c->source, entity->name.span, hint,
        "nothing says how version %" PRIu32 " of %.*s becomes version %" PRIu32,
        before->entity->version, SLICE_ARG(entity->name.text), entity->version);
}

void tree_check_upgrades(struct tree_checker *c)
{
    const struct tree_members *one;
    uint32_t cursor = 0;
    void *newest;
    uint32_t i;

    for (i = 0; i < c->tree->upgrade_count; i++)
        check_upgrade(c, &c->tree->upgrades[i]);
    while (map_next(&c->types, &cursor, NULL, &newest)) {
        for (one = newest; one; one = one->older)
            check_version(c, one);
    }
}
