/* The programs of all versions, found in the contract and in older texts. */

#include "block/entity/entity_book.h"

#include "base/alloc.h"
#include "base/assert.h"

static const struct program_hash hash_none;

static bool hash_equal(const struct program_hash *a,
                       const struct program_hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* --- what a text means ---------------------------------------------------- */

static bool text_has(const struct contract *contract, uint32_t type,
                     uint32_t version)
{
    return version >= contract_oldest(contract, type) &&
           version <= contract_newest(contract, type);
}

void entity_book_means(const struct contract *contract, uint32_t type,
                       uint32_t version, struct program_hash *ret_program,
                       struct program_hash *ret_upgrade)
{
    *ret_program = program_hash(contract_program(contract, type, version));
    *ret_upgrade = hash_none;
    if (version > 1 && text_has(contract, type, version - 1) &&
        contract_has_up(contract, type, version - 1))
        *ret_upgrade = contract_upgrade_hash(contract, type, version - 1);
}

/* What is other than in the text that was kept, as far as that can be read. */
static void print_difference(const struct contract *contract,
                             const struct entity_page *page, struct buffer *why)
{
    struct contract *kept;
    struct buffer difference = BUFFER_INIT;

    if (contract_load(SLICE("kept.kan"), page->kept.text, &kept, NULL) !=
        KAN_OK)
        return;
    contract_differ(contract, kept, contract_type_name(contract, page->type),
                    page->version, &difference);
    if (difference.size > 0)
        buffer_print(why, " (%s)", buffer_text(&difference));
    buffer_fini(&difference);
    contract_unref(kept);
}

enum kan_err entity_book_agrees(const struct contract *contract,
                                const struct entity_page *page,
                                struct buffer *why)
{
    struct kan_slice name = contract_type_name(contract, page->type);
    struct kan_slice file =
        buffer_slice(&contract_tree(contract)->source->name);
    struct program_hash program, upgrade;

    if (!text_has(contract, page->type, page->version))
        return KAN_OK;
    entity_book_means(contract, page->type, page->version, &program, &upgrade);
    if (!hash_equal(&program, &page->kept.hash)) {
        buffer_append(why, file);
        buffer_print(why,
                     ": type %.*s version %u means something else than the "
                     "entities were made by",
                     SLICE_ARG(name), page->version);
        print_difference(contract, page, why);
        buffer_print(why,
                     "; leave version %u as it was, and write version %u and "
                     "`upgrade %.*s %u -> %u` beside it",
                     page->version, contract_newest(contract, page->type) + 1,
                     SLICE_ARG(name), contract_newest(contract, page->type),
                     contract_newest(contract, page->type) + 1);
        return KAN_INVALID;
    }
    if (hash_equal(&upgrade, &hash_none) ||
        hash_equal(&upgrade, &page->kept.upgrade))
        return KAN_OK;
    if (hash_equal(&page->kept.upgrade, &hash_none))
        return KAN_NOTFOUND;
    buffer_append(why, file);
    buffer_print(why,
                 ": upgrade %.*s %u -> %u means something else than entities "
                 "were upgraded by; leave it as it was, and write a new "
                 "version with its own upgrade beside it",
                 SLICE_ARG(name), page->version - 1, page->version);
    return KAN_INVALID;
}

/* --- bends ---------------------------------------------------------------- */

static bool type_same(const struct program *a, uint32_t type_a,
                      const struct program *b, uint32_t type_b)
{
    const struct program_type *x = program_type(a, type_a);
    const struct program_type *y = program_type(b, type_b);

    if (x->kind != y->kind || x->size != y->size || x->align != y->align ||
        x->bound != y->bound)
        return false;
    if (x->kind == TREE_INT && (x->min < y->min || x->max > y->max))
        return false;
    if ((x->kind == TREE_OPTIONAL || x->kind == TREE_SET ||
         x->kind == TREE_MAP) &&
        !type_same(a, x->of, b, y->of))
        return false;
    if (x->kind == TREE_MAP && !type_same(a, x->key, b, y->key))
        return false;
    if (x->kind != TREE_RECORD && x->kind != TREE_ENUM)
        return true;
    if (x->member_count != y->member_count)
        return false;
    for (uint32_t i = 0; i < x->member_count; i++) {
        struct program_member m = program_member(a, type_a, i);
        struct program_member n = program_member(b, type_b, i);
        if (!slice_equal(m.name, n.name))
            return false;
        if (x->kind == TREE_RECORD &&
            (m.offset != n.offset || !type_same(a, m.type, b, n.type)))
            return false;
    }
    return true;
}

static enum kan_err bends_make(struct entity_type *type, uint32_t from,
                               uint32_t to)
{
    struct entity_version *version = &type->versions[from];
    const struct program *a = version->program;
    const struct program *b = type->versions[to].program;
    uint32_t count = program_step_count(a);
    struct entity_bend *bends = mem_zalloc(sizeof(*bends) * (count + 1));

    if (!bends)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct program_step step = program_step(a, i);
        bends[i].step = program_step_find(b, step.name);
        if (bends[i].step == PROGRAM_STEP_NONE)
            continue;
        bends[i].same =
            type_same(a, step.arguments, b,
                      program_step(b, (uint32_t)bends[i].step).arguments);
    }
    version->bends[to] = bends;
    return KAN_OK;
}

static enum kan_err type_bends(struct entity_type *type)
{
    enum kan_err err = KAN_OK;

    if (type->version_count == 1)
        return KAN_OK;
    for (uint32_t from = 0; from < type->version_count; from++) {
        struct entity_version *version = &type->versions[from];
        version->bends =
            mem_zalloc(sizeof(version->bends[0]) * type->version_count);
        if (!version->bends)
            return KAN_NOMEM;
        for (uint32_t to = 0; !err && to < type->version_count; to++)
            if (to != from &&
                (to == type->newest || type->versions[to].tally_size))
                err = bends_make(type, from, to);
    }
    return err;
}

/* --- making --------------------------------------------------------------- */

struct maker
{
    struct entity_book *book;
    const struct entity_page *pages;
    uint32_t page_count;
    struct contract **texts; /* of each page, once loaded */
    struct buffer *why;
};

static enum kan_err maker_text(struct maker *maker, uint32_t page,
                               struct contract **ret_contract)
{
    struct entity_book *book = maker->book;
    const struct entity_page *from = &maker->pages[page];
    struct buffer faults = BUFFER_INIT;
    enum kan_err err = KAN_OK;

    if (!maker->texts[page]) {
        err = contract_load(SLICE("kept.kan"), from->kept.text,
                            &maker->texts[page], &faults);
        if (err == KAN_OK)
            book->archives[book->archive_count++] = maker->texts[page];
        if (err == KAN_INVALID) {
            buffer_print(maker->why,
                         "the text kept of version %u cannot be read: %s",
                         from->version, buffer_text(&faults));
            err = KAN_CORRUPT;
        }
        buffer_fini(&faults);
    }
    *ret_contract = maker->texts[page];
    return err;
}

static int32_t maker_page(const struct maker *maker, uint32_t type,
                          uint32_t version)
{
    for (uint32_t i = 0; i < maker->page_count; i++)
        if (maker->pages[i].type == type && maker->pages[i].version == version)
            return (int32_t)i;
    return -1;
}

/* The program of a version that the text lacks. */
static enum kan_err version_kept(struct maker *maker, struct entity_type *type,
                                 struct entity_version *version, uint32_t page)
{
    const struct entity_page *from = &maker->pages[page];
    struct contract *contract;
    struct program_hash hash;
    int32_t there;
    enum kan_err err = maker_text(maker, page, &contract);

    if (err)
        return err;
    there = contract_type_find(contract, type->name);
    if (there < 0 || !text_has(contract, (uint32_t)there, from->version)) {
        buffer_print(maker->why, "the text kept of type %.*s lacks version %u",
                     SLICE_ARG(type->name), from->version);
        return KAN_CORRUPT;
    }
    version->program =
        contract_program(contract, (uint32_t)there, from->version);
    hash = program_hash(version->program);
    if (!hash_equal(&hash, &from->kept.hash)) {
        buffer_print(maker->why,
                     "the text kept of type %.*s version %u does not mean "
                     "what it did; use the version of Kan that wrote it",
                     SLICE_ARG(type->name), from->version);
        return KAN_CORRUPT;
    }
    return KAN_OK;
}

/* Who says how version - 1 becomes this one. */
static enum kan_err version_bridge(struct maker *maker,
                                   struct entity_type *type,
                                   struct entity_version *version)
{
    struct contract *contract = maker->book->contract;
    int32_t page = maker_page(maker, type->place, version->version);
    int32_t there = (int32_t)type->place;
    enum kan_err err = KAN_OK;

    if (version->version < 2)
        return KAN_OK;
    if (!text_has(contract, type->place, version->version) ||
        !text_has(contract, type->place, version->version - 1)) {
        if (page < 0 ||
            hash_equal(&maker->pages[page].kept.upgrade, &hash_none))
            return KAN_OK;
        err = maker_text(maker, (uint32_t)page, &contract);
        if (err)
            return err;
        there = contract_type_find(contract, type->name);
        if (there < 0)
            return KAN_OK;
    }
    version->bridge = contract;
    version->bridge_type = (uint32_t)there;
    return KAN_OK;
}

/* The oldest and the newest version that anybody knows. */
static void type_span(const struct maker *maker, const struct entity_type *type,
                      uint32_t *ret_low, uint32_t *ret_high)
{
    *ret_low = contract_oldest(maker->book->contract, type->place);
    *ret_high = contract_newest(maker->book->contract, type->place);
    for (uint32_t i = 0; i < maker->page_count; i++) {
        const struct entity_page *page = &maker->pages[i];
        if (page->type != type->place)
            continue;
        if (page->version < *ret_low)
            *ret_low = page->version;
        if (page->version > *ret_high)
            *ret_high = page->version;
    }
}

static enum kan_err type_version(struct maker *maker, struct entity_type *type,
                                 uint32_t number)
{
    const struct contract *contract = maker->book->contract;
    struct entity_version *version = &type->versions[type->version_count];
    int32_t page = maker_page(maker, type->place, number);
    enum kan_err err = KAN_OK;

    version->version = number;
    if (text_has(contract, type->place, number))
        version->program = contract_program(contract, type->place, number);
    else if (page >= 0)
        err = version_kept(maker, type, version, (uint32_t)page);
    else
        return KAN_OK;
    if (!err)
        err = version_bridge(maker, type, version);
    if (number == contract_newest(contract, type->place))
        type->newest = type->version_count;
    type->version_count++;
    return err;
}

static enum kan_err type_versions(struct maker *maker, struct entity_type *type)
{
    const struct contract *contract = maker->book->contract;
    uint32_t low, high;
    uint32_t here = contract_newest(contract, type->place) -
                    contract_oldest(contract, type->place) + 1;
    enum kan_err err = KAN_OK;

    type->versions =
        mem_zalloc(sizeof(type->versions[0]) * (maker->page_count + here + 1));
    if (!type->versions)
        return KAN_NOMEM;
    type_span(maker, type, &low, &high);
    for (uint64_t number = low; !err && number <= high; number++)
        err = type_version(maker, type, (uint32_t)number);
    return err;
}

static uint32_t align16(uint32_t size)
{
    return (size + 15) & ~UINT32_C(15);
}

static void type_rooms(struct entity_type *type)
{
    uint32_t tallies = 0;

    for (uint32_t i = 0; i < type->version_count; i++) {
        struct entity_version *version = &type->versions[i];
        uint32_t size = align16(program_state_size(version->program));
        uint32_t steps = program_step_count(version->program);
        if (size > type->state_room)
            type->state_room = size;
        version->tally_size = program_tally_size(version->program);
        version->tally_at = tallies;
        tallies += align16(version->tally_size);
        for (uint32_t j = 0; j < steps; j++) {
            uint32_t of = program_step(version->program, j).arguments;
            size = align16(program_type(version->program, of)->size);
            if (size > type->arguments_room)
                type->arguments_room = size;
        }
    }
    if (type->arguments_room == 0)
        type->arguments_room = 16;
    type->image_size = type->state_room + tallies + 16;
}

static enum kan_err book_fill(struct maker *maker)
{
    struct entity_book *book = maker->book;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; !err && i < book->type_count; i++) {
        struct entity_type *type = &book->types[i];
        type->place = i;
        type->name = contract_type_name(book->contract, i);
        err = type_versions(maker, type);
        if (!err) {
            type_rooms(type);
            err = type_bends(type);
        }
    }
    return err;
}

enum kan_err entity_book_new(struct contract *contract,
                             const struct entity_page *pages,
                             uint32_t page_count, struct entity_book **ret_book,
                             struct buffer *why)
{
    struct entity_book *book = mem_zalloc(sizeof(*book));
    struct maker maker = {book, pages, page_count, NULL, why};
    enum kan_err err = KAN_NOMEM;

    if (!book)
        return KAN_NOMEM;
    book->contract = contract_ref(contract);
    book->type_count = contract_type_count(contract);
    book->types = mem_zalloc(sizeof(book->types[0]) * (book->type_count + 1));
    book->archives = mem_zalloc(sizeof(book->archives[0]) * (page_count + 1));
    maker.texts = mem_zalloc(sizeof(maker.texts[0]) * (page_count + 1));
    if (book->types && book->archives && maker.texts)
        err = book_fill(&maker);
    mem_free(maker.texts);
    if (err) {
        entity_book_free(book);
        return err;
    }
    *ret_book = book;
    return KAN_OK;
}

static void type_fini(struct entity_type *type)
{
    for (uint32_t i = 0; i < type->version_count; i++) {
        struct entity_version *version = &type->versions[i];
        for (uint32_t to = 0; version->bends && to < type->version_count; to++)
            mem_free(version->bends[to]);
        mem_free(version->bends);
    }
    mem_free(type->versions);
}

struct entity_book *entity_book_free(struct entity_book *book)
{
    if (!book)
        return NULL;
    for (uint32_t i = 0; book->types && i < book->type_count; i++)
        type_fini(&book->types[i]);
    for (uint32_t i = 0; i < book->archive_count; i++)
        contract_unref(book->archives[i]);
    contract_unref(book->contract);
    mem_free(book->archives);
    mem_free(book->types);
    return mem_free(book);
}

/* --- finding -------------------------------------------------------------- */

const struct entity_type *entity_book_type(const struct entity_book *book,
                                           struct kan_slice name)
{
    int32_t place = contract_type_find(book->contract, name);

    return place < 0 ? NULL : &book->types[place];
}

int32_t entity_type_find(const struct entity_type *type, uint32_t version)
{
    for (uint32_t i = type->version_count; i-- > 0;)
        if (type->versions[i].version == version)
            return (int32_t)i;
    return -1;
}

bool entity_type_leads(const struct entity_type *type, uint32_t from,
                       uint32_t to)
{
    while (from != to) {
        bool up = from < to;
        uint32_t high = up ? from + 1 : from;
        const struct entity_version *version = &type->versions[high];
        if (type->versions[high - 1].version + 1 != version->version ||
            !version->bridge)
            return false;
        if (up ? !contract_has_up(version->bridge, version->bridge_type,
                                  version->version - 1)
               : !contract_has_down(version->bridge, version->bridge_type,
                                    version->version - 1))
            return false;
        from = up ? from + 1 : from - 1;
    }
    return true;
}

enum kan_err entity_arguments_bend(const struct entity_type *type,
                                   uint32_t from, uint32_t step,
                                   const void *arguments, uint32_t to,
                                   uint32_t *ret_step, void *ret_arguments,
                                   struct buffer *why)
{
    const struct program *a = type->versions[from].program;
    const struct program *b = type->versions[to].program;
    struct entity_bend bend = {(int32_t)step, true};
    uint32_t type_a = program_step(a, step).arguments;
    uint32_t type_b;
    enum kan_err err = KAN_OK;

    if (from != to) {
        if (!type->versions[from].bends[to])
            return KAN_NOTFOUND;
        bend = type->versions[from].bends[to][step];
    }
    if (bend.step == PROGRAM_STEP_NONE)
        return KAN_NOTFOUND;
    *ret_step = (uint32_t)bend.step;
    type_b = program_step(b, *ret_step).arguments;
    if (bend.same) {
        memcpy(ret_arguments, arguments, program_type(a, type_a)->size);
        return KAN_OK;
    }
    memset(ret_arguments, 0, program_type(b, type_b)->size);
    program_arguments(b, *ret_step, ret_arguments);
    for (uint32_t i = 0; !err && i < program_type(b, type_b)->member_count;
         i++) {
        struct program_member member = program_member(b, type_b, i);
        struct buffer json = BUFFER_INIT;
        struct json_tree tree = {0};
        bool found = false;
        for (uint32_t j = 0; j < program_type(a, type_a)->member_count; j++) {
            struct program_member old = program_member(a, type_a, j);
            if (!slice_equal(old.name, member.name))
                continue;
            found = true;
            program_json(a, old.type,
                         (const unsigned char *)arguments + old.offset, &json);
        }
        if (found) {
            /* The default makes room for the caller's value. */
            void *value = (unsigned char *)ret_arguments + member.offset;
            memset(value, 0, program_type(b, member.type)->size);
            err = buffer_failed(&json)
                      ? KAN_NOMEM
                      : json_parse(buffer_slice(&json), NULL, &tree);
            if (!err)
                err = program_read_json(b, member.type, &tree, &tree.nodes[0],
                                        value, why);
        } else if (!member.has_default) {
            if (why)
                buffer_print(why, "%.*s: it is missing",
                             SLICE_ARG(member.name));
            err = KAN_INVALID;
        }
        json_fini(&tree);
        buffer_fini(&json);
    }
    return err;
}
