/* parse_file.c - types, records and upgrades, and the file that holds them. */

#include <stdlib.h>

#include "contract/tree/parse.h"

/* --- types ---------------------------------------------------------------- */

static bool add_field(struct parse *parse, struct tree_field **fields,
                      uint32_t *count)
{
    struct tree_field field;

    parse_item(parse, LEX_FIELD);
    if (!parse_field(parse, "the name of a field", false, &field))
        return false;
    *fields = parse_room_upto(parse, *fields, *count, sizeof field,
                              TREE_FIELDS_MAX, "fields");
    if (!*fields)
        return false;
    (*fields)[(*count)++] = field;
    return true;
}

static bool invariant(struct parse *parse, struct tree_entity *entity)
{
    struct tree_invariant one = {0};

    parse_skip(parse);
    if (!parse_name(parse, "the name of an invariant", false, &one.name) ||
        !parse_expect(parse, LEX_COLON,
                      "an invariant has a name: invariant fits: a + b <= 10"))
        return false;
    one.holds = parse_expr(parse);
    if (!one.holds)
        return false;
    entity->invariants =
        parse_room_upto(parse, entity->invariants, entity->invariant_count,
                        sizeof one, TREE_STEPS_MAX, "invariants");
    if (!entity->invariants)
        return false;
    entity->invariants[entity->invariant_count++] = one;
    return true;
}

static const char member_hint[] =
    "as in total: int(0 .. 100), or step add { total += 1 }";

static bool member(struct parse *parse, struct tree_entity *entity)
{
    static const char *const words[] = {"step", "internal", "invariant", "law",
                                        "view"};
    char text[SOURCE_MESSAGE_MAX];
    enum lex_kind next = parse_ahead(parse, 1);

    parse_item(parse, LEX_ITEM);
    if (next != LEX_COLON) {
        switch (parse_kind(parse)) {
        case LEX_INVARIANT:
            return invariant(parse, entity);
        case LEX_STEP:
        case LEX_INTERNAL:
            return parse_step(parse, entity);
        case LEX_LAW:
            return parse_law(parse, entity);
        case LEX_VIEW:
            return parse_view(parse, entity);
        case LEX_NAME:
            if (next != LEX_NAME && !lex_is_word(next) &&
                next != LEX_OPEN_PAREN)
                break;
            return parse_expected(
                parse, "a field, invariant, step, law or view",
                parse_suggest_or(parse, words, 5, text, member_hint));
        case LEX_REQUIRE:
        case LEX_IF:
        case LEX_WHEN:
            return parse_expected(parse,
                                  "a field, invariant, step, law or view",
                                  "a statement stands in the { } of a step: "
                                  "was one closed too early?");
        default:
            if (lex_is_word(parse_kind(parse)))
                break;
            return parse_expected(
                parse, "a field, invariant, step, law or view", member_hint);
        }
    }
    return add_field(parse, &entity->fields, &entity->field_count);
}

bool parse_entity(struct parse *parse)
{
    struct tree *tree = parse->tree;
    struct tree_entity entity = {.span = parse_span(parse), .version = 1};
    uint32_t open;

    parse_skip(parse);
    if (!parse_name(parse, "the name of a type", false, &entity.name))
        return false;
    if (slice_equal(parse_slice(parse), SLICE("version"))) {
        parse_skip(parse);
        if (!parse_count(parse, "a version", 1, 1000000, &entity.version))
            return false;
    }
    if (!parse_open(parse,
                    parse_kind(parse) == LEX_NUMBER
                        ? "write type NAME version 2 {"
                        : "write type NAME { ... }",
                    &open))
        return false;
    while (!parse_list_over(parse, open, true)) {
        uint32_t began = parse->at;

        if (parse_semicolon(parse))
            continue;
        if (!member(parse, &entity) ||
            !parse_separator(parse, "a member of a type"))
            parse_recover(parse, began);
        parse->depth = 0;
        if (parse->no_memory)
            return false;
    }
    entity.span = parse_from(parse, entity.span.start);
    tree->entities =
        parse_room(parse, tree->entities, tree->entity_count, sizeof entity);
    if (!tree->entities)
        return false;
    tree->entities[tree->entity_count++] = entity;
    return true;
}

bool parse_record(struct parse *parse)
{
    struct tree *tree = parse->tree;
    struct tree_record record = {0};
    uint32_t open;

    parse_skip(parse);
    if (!parse_name(parse, "the name of a record", false, &record.name))
        return false;
    if (!parse_open(parse, "write record NAME { field: type }", &open))
        return false;
    while (!parse_list_over(parse, open, false)) {
        uint32_t began = parse->at;

        if (parse_semicolon(parse))
            continue;
        if (!add_field(parse, &record.fields, &record.field_count) ||
            !parse_separator(parse, "a field"))
            parse_recover(parse, began);
        parse->depth = 0;
        if (parse->no_memory)
            return false;
    }
    tree->records =
        parse_room(parse, tree->records, tree->record_count, sizeof record);
    if (!tree->records)
        return false;
    tree->records[tree->record_count++] = record;
    return true;
}

/* --- upgrades ------------------------------------------------------------- */

static bool way(struct parse *parse, struct tree_upgrade *upgrade)
{
    bool up = slice_equal(parse_slice(parse), SLICE("up"));
    struct tree_block **block = up ? &upgrade->up : &upgrade->down;

    parse_item(parse, LEX_WAYS);
    if (!up && !slice_equal(parse_slice(parse), SLICE("down")))
        return parse_expected(parse, "up { ... } or down { ... }",
                              "up makes the new fields of old.NAME, and down, "
                              "behind it, the old ones");
    if (*block || (up && upgrade->down))
        source_fault(parse->source, parse_span(parse),
                     *block ? "put all of it into one" : "put up before down",
                     *block ? "there is one %s block" : "%s stands first",
                     up ? "up" : "down");
    parse_skip(parse);
    *block = parse_block(parse);
    return *block != NULL;
}

bool parse_upgrade(struct parse *parse)
{
    struct tree *tree = parse->tree;
    struct tree_upgrade upgrade = {.span = parse_span(parse)};
    static const char hint[] = "write upgrade NAME 1 -> 2 { ... }";
    uint32_t open;

    parse_skip(parse);
    if (!parse_name(parse, "the name of a type", false, &upgrade.name))
        return false;
    if (parse_kind(parse) != LEX_NUMBER)
        return parse_expected(parse, "the number of a version", hint);
    if (!parse_count(parse, "a version", 1, 1000000, &upgrade.from) ||
        !parse_expect(parse, LEX_ARROW, hint) ||
        !parse_count(parse, "a version", 1, 1000000, &upgrade.to))
        return false;
    if (!parse_open(parse, hint, &open))
        return false;
    while (!parse_list_over(parse, open, false)) {
        uint32_t began = parse->at;

        if (!parse_semicolon(parse) && !way(parse, &upgrade))
            parse_recover(parse, began);
        parse->depth = 0;
        if (parse->no_memory)
            return false;
    }
    upgrade.span = parse_from(parse, upgrade.span.start);
    tree->upgrades =
        parse_room(parse, tree->upgrades, tree->upgrade_count, sizeof upgrade);
    if (!tree->upgrades)
        return false;
    tree->upgrades[tree->upgrade_count++] = upgrade;
    return true;
}

/* --- the file ------------------------------------------------------------- */

/* Skip to where the next part of the file begins. */
static void skip_part(struct parse *parse)
{
    while (parse_kind(parse) != LEX_END) {
        const struct lex_token *token;

        parse_skip(parse);
        token = parse_token(parse);
        if (token->first && lex_is_head(token->kind) && token->kind <= LEX_SAGA)
            return;
    }
}

static bool no_part(struct parse *parse)
{
    static const char *const words[] = {"type", "record", "upgrade", "saga"};
    char text[SOURCE_MESSAGE_MAX];
    const char *hint = "as in type NAME { ... }";

    if (parse_kind(parse) == LEX_NAME)
        hint = parse_suggest_or(parse, words, 4, text, hint);
    else if (parse_kind(parse) == LEX_CLOSE_BRACE)
        hint = "nothing is open that this } would close";
    else if (lex_is_word(parse_kind(parse)))
        hint = parse->at ? "this belongs into a type: was the type closed too "
                           "early?"
                         : "this belongs into a type: type NAME { ... }";
    return parse_expected(parse, "type, record, upgrade or saga", hint);
}

static bool part(struct parse *parse)
{
    parse_item(parse, LEX_ITEM);
    switch (parse_kind(parse)) {
    case LEX_TYPE:
        return parse_entity(parse);
    case LEX_RECORD:
        return parse_record(parse);
    case LEX_UPGRADE:
        return parse_upgrade(parse);
    case LEX_SAGA:
        return parse_saga(parse);
    default:
        return no_part(parse);
    }
}

static void file(struct parse *parse)
{
    while (parse_kind(parse) != LEX_END && !parse->no_memory) {
        if (parse_semicolon(parse))
            continue;
        parse->inside = 0;
        parse->depth = 0;
        if (!part(parse) || !parse_separator(parse, "a part of the file")) {
            const struct lex_token *token = parse_token(parse);

            if (!token->first || !lex_is_head(token->kind) ||
                token->kind > LEX_SAGA)
                skip_part(parse);
        }
    }
}

/* --- sagas' parameters ---------------------------------------------------- */

static int record_order(const void *a, const void *b)
{
    const struct tree_name *left = a;
    const struct tree_name *right = b;

    return slice_compare(left->text, right->text);
}

/* A parameter named by one word is of a record when there is one of that name,
 * wherever it stands in the file. */
static void settle_saga(struct parse *parse, struct tree_saga *saga,
                        const struct tree_name *names, uint32_t count)
{
    for (uint32_t i = 0; i < saga->parameter_count; i++) {
        struct tree_field *field = &saga->parameters[i];

        if (field->type ||
            !bsearch(&field->entity, names, count, sizeof *names, record_order))
            continue;
        field->type = parse_give(parse, sizeof *field->type);
        if (!field->type)
            return;
        field->type->kind = TREE_RECORD;
        field->type->span = field->entity.span;
        field->type->name = field->entity;
        field->entity = (struct tree_name){0};
    }
}

static void settle_sagas(struct parse *parse)
{
    struct tree *tree = parse->tree;
    struct tree_name *names;

    if (tree->record_count == 0 || tree->saga_count == 0)
        return;
    names = parse_give(parse, tree->record_count * sizeof *names);
    if (!names)
        return;
    for (uint32_t i = 0; i < tree->record_count; i++)
        names[i] = tree->records[i].name;
    qsort(names, tree->record_count, sizeof *names, record_order);
    for (uint32_t i = 0; i < tree->saga_count; i++)
        settle_saga(parse, &tree->sagas[i], names, tree->record_count);
}

enum kan_err parse_source(struct tree *tree, struct source *source,
                          struct lex *lex, bool comments)
{
    struct parse parse = {.tree = tree, .source = source};
    enum kan_err err = lex_read(lex, source, comments);

    tree->source = source;
    if (err != KAN_OK)
        return err;
    parse.tokens = lex->tokens;
    file(&parse);
    settle_sagas(&parse);
    if (parse.no_memory)
        return KAN_NOMEM;
    return source->fault_count ? KAN_INVALID : KAN_OK;
}

enum kan_err tree_parse(struct tree *tree, struct source *source)
{
    struct lex lex = {0};
    enum kan_err err = parse_source(tree, source, &lex, false);

    lex_fini(&lex);
    return err;
}
