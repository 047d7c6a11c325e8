/* compile.c - a version of a type to its program: what the tables have in
 * common, the order in which they are filled, and the block that they become.
 *
 * The header comes first in the block, then texts and images (so that their
 * places are known when they are added), then the tables. */

#include "contract/program/compile.h"

#include "base/alloc.h"
#include "contract/program/measure.h"

/* --- tables --------------------------------------------------------------- */

static void table_init(struct compile_table *table, size_t item)
{
    memset(table, 0, sizeof *table);
    table->item = (uint32_t)item;
}

void compile_init(struct compile *c, const struct tree *tree)
{
    memset(c, 0, sizeof *c);
    c->tree = tree;
    table_init(&c->types, sizeof(struct program_type));
    table_init(&c->starts, sizeof(uint32_t));
    table_init(&c->members, sizeof(struct program_inside_member));
    table_init(&c->steps, sizeof(struct program_inside_step));
    table_init(&c->ways, sizeof(struct program_inside_step));
    table_init(&c->invariants, sizeof(struct program_inside_invariant));
    table_init(&c->conditions, sizeof(struct program_inside_condition));
    table_init(&c->names, sizeof(struct program_inside_name));
    table_init(&c->code, sizeof(struct program_inside_code));
    table_init(&c->numbers, sizeof(int64_t));
    table_init(&c->strings, sizeof(struct program_words));
    table_init(&c->views, sizeof(struct program_inside_view));
    table_init(&c->entries, sizeof(struct program_inside_entry));
    table_init(&c->nodes, sizeof(struct program_inside_node));
    table_init(&c->columns, sizeof(struct program_inside_column));
    table_init(&c->slots, sizeof(uint32_t));
    table_init(&c->records, sizeof(struct compile_record));
    table_init(&c->images, sizeof(struct compile_image));
    table_init(&c->labels, sizeof(uint32_t));
}

void compile_fini(struct compile *c)
{
    struct compile_table *const tables[] = {
        &c->types,      &c->starts, &c->members, &c->steps,   &c->invariants,
        &c->conditions, &c->names,  &c->code,    &c->numbers, &c->views,
        &c->entries,    &c->nodes,  &c->columns, &c->slots,   &c->records,
        &c->images,     &c->labels, &c->ways,    &c->strings,
    };
    size_t i;

    for (i = 0; i < sizeof tables / sizeof *tables; i++)
        tables[i]->items = mem_free(tables[i]->items);
    buffer_fini(&c->data);
}

void *compile_add(struct compile *c, struct compile_table *table,
                  uint32_t *ret_number)
{
    void *item;

    if (c->err != KAN_OK)
        return NULL;
    if (table->count == table->capacity) {
        uint32_t capacity = table->capacity ? 2 * table->capacity : 16;
        size_t size = (size_t)capacity * table->item;
        char *items =
            size > PROGRAM_BLOCK_MAX ? NULL : mem_realloc(table->items, size);

        if (!items) {
            c->err = size > PROGRAM_BLOCK_MAX ? KAN_FULL : KAN_NOMEM;
            return NULL;
        }
        table->items = items;
        table->capacity = capacity;
    }
    if (ret_number)
        *ret_number = table->count;
    item = table->items + (size_t)table->count++ * table->item;
    memset(item, 0, table->item);
    return item;
}

void compile_full(struct compile *c, struct source_span span, const char *what)
{
    if (c->err != KAN_OK)
        return;
    source_fault(c->tree->source, span,
                 "make texts, sets and maps smaller, or share it out between "
                 "several fields, steps or types",
                 "%s", what);
    c->err = KAN_FULL;
}

/* --- bytes ---------------------------------------------------------------- */

uint32_t compile_data(struct compile *c, const void *bytes, size_t size,
                      uint32_t align)
{
    static const char zeros[256];
    size_t at = sizeof(struct program) + c->data.size;
    size_t gap = (align - at % align) % align;

    if (c->err != KAN_OK)
        return 0;
    if (size > PROGRAM_BLOCK_MAX || at > PROGRAM_BLOCK_MAX - size) {
        c->err = KAN_FULL;
        return 0;
    }
    buffer_append(&c->data, kan_slice(zeros, gap));
    if (bytes) {
        buffer_append(&c->data, kan_slice(bytes, size));
    } else {
        size_t left;

        for (left = size; left > 0; left -= left < 256 ? left : 256)
            buffer_append(&c->data, kan_slice(zeros, left < 256 ? left : 256));
    }
    if (buffer_failed(&c->data)) {
        c->err = KAN_NOMEM;
        return 0;
    }
    return (uint32_t)(at + gap);
}

struct program_words compile_words(struct compile *c, struct kan_slice text)
{
    struct program_words words = {.size = (uint32_t)text.size};

    words.at = compile_data(c, text.bytes ? text.bytes : "", text.size, 1);
    return words;
}

struct program_words compile_source(struct compile *c, struct source_span span)
{
    struct kan_slice text = source_slice(c->tree->source, span);
    struct buffer line = BUFFER_INIT;
    struct program_words words = {0};
    bool in_string = false;
    bool gap = false;
    size_t i;

    for (i = 0; i < text.size; i++) {
        unsigned char byte = slice_at(text, i);

        if (!in_string && byte == '#') {
            while (i + 1 < text.size && slice_at(text, i + 1) != '\n')
                i++;
            continue;
        }
        if (!in_string &&
            (byte == '\n' || byte == '\r' || byte == ' ' || byte == '\t')) {
            gap = line.size > 0;
            continue;
        }
        if (gap)
            buffer_append_byte(&line, ' ');
        gap = false;
        if (byte == '"')
            in_string = !in_string;
        buffer_append_byte(&line, byte);
        if (in_string && byte == '\\' && i + 1 < text.size)
            buffer_append_byte(&line, slice_at(text, ++i));
    }
    if (buffer_failed(&line) && c->err == KAN_OK)
        c->err = KAN_NOMEM;
    words = compile_words(c, buffer_slice(&line));
    buffer_fini(&line);
    return words;
}

/* --- the text that is kept ------------------------------------------------ */

/* Where the text of a record begins and ends: from the word `record` before its
 * name to the brace that closes it. The tree was parsed, so both are there. */
static struct source_span record_span(const struct source *source,
                                      const struct tree_record *record)
{
    struct kan_slice text = buffer_slice(&source->text);
    struct source_span span = record->name.span;
    bool in_string = false;
    uint32_t depth = 0;
    uint32_t at;

    for (at = span.start; at >= 6; at--) {
        if (memcmp((const char *)text.bytes + at - 6, "record", 6) == 0) {
            span.start = at - 6;
            break;
        }
    }
    for (at = span.end; at < text.size; at++) {
        unsigned char byte = slice_at(text, at);

        if (in_string && byte == '\\') {
            at++;
        } else if (byte == '"') {
            in_string = !in_string;
        } else if (!in_string && byte == '#') {
            while (at < text.size && slice_at(text, at) != '\n')
                at++;
        } else if (!in_string && byte == '{') {
            depth++;
        } else if (!in_string && byte == '}' && --depth == 0) {
            span.end = at + 1;
            break;
        }
    }
    return span;
}

static void text_append(const struct source *source, struct source_span span,
                        struct buffer *out)
{
    buffer_append(out, source_slice(source, span));
    buffer_append_text(out, "\n\n");
}

/* The records that are used, in the order written, and the version. */
static void compile_text(struct compile *c, const struct tree_entity *entity)
{
    struct buffer text = BUFFER_INIT;
    uint32_t i;
    uint32_t k;

    for (i = 0; i < c->tree->record_count; i++) {
        for (k = 0; k < c->records.count; k++) {
            const struct tree_record *record =
                COMPILE_ITEM(c, records, struct compile_record, k)->record;

            if (record == &c->tree->records[i])
                text_append(c->tree->source,
                            record_span(c->tree->source, record), &text);
        }
    }
    buffer_append(&text, source_slice(c->tree->source, entity->span));
    buffer_append_byte(&text, '\n');
    if (buffer_failed(&text) && c->err == KAN_OK)
        c->err = KAN_NOMEM;
    c->text = compile_words(c, buffer_slice(&text));
    buffer_fini(&text);
}

/* --- invariants and steps ------------------------------------------------- */

void compile_invariants(struct compile *c, const struct tree_entity *entity)
{
    const struct compile_scope scope = {.parameters = PROGRAM_NOTHING,
                                        .old = PROGRAM_NOTHING,
                                        .step = PROGRAM_NOTHING};
    uint32_t i;

    for (i = 0; i < entity->invariant_count && c->err == KAN_OK; i++) {
        const struct tree_invariant *from = &entity->invariants[i];
        struct program_words name = compile_words(c, from->name.text);
        uint32_t label = compile_label(c);
        struct program_inside_invariant *invariant;
        struct kan_slice nothing = {0};

        (void)compile_begin(c, &scope);
        compile_label_here(c, label);
        compile_require(c, from->holds, PROGRAM_INVARIANT, name, nothing);
        compile_emit(c, MACHINE_RETURN, 0, 0, 0);
        invariant = compile_add(c, &c->invariants, NULL);
        if (!invariant)
            return;
        invariant->name = name;
        invariant->code = label;
        invariant->condition = c->conditions.count - 1;
        invariant->always = c->reads_outside;
        memcpy(invariant->reads, c->reads, sizeof c->reads);
    }
    c->judge_all = compile_begin(c, &scope);
    for (i = 0; i < c->invariants.count && c->err == KAN_OK; i++) {
        compile_emit_xy(
            c, MACHINE_CALL, 0, 0, 0,
            COMPILE_ITEM(c, invariants, struct program_inside_invariant, i)
                ->code,
            0);
    }
    compile_emit(c, MACHINE_END, 0, 0, 0);
}

static bool fields_meet(const uint64_t *a, const uint64_t *b)
{
    uint64_t both = 0;
    uint32_t i;

    for (i = 0; i < PROGRAM_FIELD_WORDS; i++)
        both |= a[i] & b[i];
    return both != 0;
}

/* The state before satisfies all invariants; only those can be broken that read
 * what the step writes. */
static void step_judge(struct compile *c)
{
    uint32_t i;
    uint32_t k;

    compile_emit(c, MACHINE_JUDGE, 0, 0, 0);
    for (i = 0; i < c->invariants.count && c->err == KAN_OK; i++) {
        const struct program_inside_invariant *invariant =
            COMPILE_ITEM(c, invariants, struct program_inside_invariant, i);

        if (!invariant->always && !fields_meet(invariant->reads, c->writes))
            continue;
        for (k = 0; k < PROGRAM_FIELD_WORDS; k++)
            c->reads[k] |= invariant->reads[k];
        compile_emit_xy(c, MACHINE_CALL, 0, 0, 0, invariant->code, 0);
    }
    compile_emit(c, MACHINE_END, 0, 0, 0);
}

static void compile_step(struct compile *c, const struct tree_step *from)
{
    struct compile_scope scope = {.parameters_in = MACHINE_ARGUMENTS,
                                  .old = PROGRAM_NOTHING,
                                  .step = c->steps.count};
    struct program_words name = compile_words(c, from->name.text);
    const struct program_words no_words = {0};
    struct kan_slice nothing = {0};
    struct program_inside_step *step;
    uint32_t code;

    scope.parameters = compile_fields(c, from->parameters,
                                      from->parameter_count, from->span, false);
    code = compile_begin(c, &scope);
    if (from->when && c->err == KAN_OK)
        compile_require(c, from->when, PROGRAM_GUARD, no_words, nothing);
    compile_block(c, from->body);
    step_judge(c);
    step = compile_add(c, &c->steps, NULL);
    if (!step)
        return;
    step->name = name;
    step->internal = from->internal;
    step->arguments = scope.parameters;
    step->code = code;
    memcpy(step->reads, c->reads, sizeof c->reads);
    memcpy(step->writes, c->writes, sizeof c->writes);
}

/* --- the block ------------------------------------------------------------ */

static bool op_has_label(uint32_t op)
{
    return op == MACHINE_CALL ||
           (op >= MACHINE_JUMP && op <= MACHINE_JUMP_GE_N);
}

static void labels_resolve(struct compile *c)
{
    uint32_t i;

    for (i = 0; i < c->code.count; i++) {
        struct program_inside_code *code =
            COMPILE_ITEM(c, code, struct program_inside_code, i);

        if (op_has_label(code->op))
            code->x = *COMPILE_ITEM(c, labels, uint32_t, code->x);
    }
    for (i = 0; i < c->invariants.count; i++) {
        struct program_inside_invariant *invariant =
            COMPILE_ITEM(c, invariants, struct program_inside_invariant, i);

        invariant->code = *COMPILE_ITEM(c, labels, uint32_t, invariant->code);
    }
}

/* Ascending, each once. */
static void numbers_sort(struct compile *c)
{
    int64_t *numbers = (int64_t *)(void *)c->numbers.items;
    uint32_t count = 0;
    uint32_t gap;
    uint32_t i;

    /* Shell's, as there are few. */
    for (gap = c->numbers.count / 2; gap > 0; gap /= 2) {
        for (i = gap; i < c->numbers.count; i++) {
            int64_t number = numbers[i];
            uint32_t k = i;

            for (; k >= gap && numbers[k - gap] > number; k -= gap)
                numbers[k] = numbers[k - gap];
            numbers[k] = number;
        }
    }
    for (i = 0; i < c->numbers.count; i++) {
        if (count == 0 || numbers[i] != numbers[count - 1])
            numbers[count++] = numbers[i];
    }
    c->numbers.count = count;
}

/* Every image is computed by its code, those first that others hold. */
static bool images_run(struct compile *c, struct program *program)
{
    const struct program_input input = {0};
    uint32_t i;

    for (i = 0; i < c->images.count; i++) {
        const struct compile_image *image =
            COMPILE_ITEM(c, images, struct compile_image, i);
        struct program_refusal refusal;
        struct machine machine = {.program = program,
                                  .result = (char *)program + image->at,
                                  .input = &input,
                                  .refusal = &refusal,
                                  .asked = MACHINE_STEP};

        if (machine_run(&machine, image->code))
            continue;
        source_fault(c->tree->source, image->span,
                     "give it constants that fit the types of its fields",
                     "a default cannot be computed, or is out of range");
        return false;
    }
    return true;
}

enum kan_err compile_end(struct compile *c, struct program **ret_program)
{
    struct place
    {
        struct compile_table *from;
        struct program_table *to;
    };
    struct program head = {.magic = PROGRAM_MAGIC, .version = c->version};
    const struct place places[] = {
        {&c->types, &head.types},
        {&c->starts, &head.starts},
        {&c->members, &head.members},
        {&c->steps, &head.steps},
        {&c->invariants, &head.invariants},
        {&c->conditions, &head.conditions},
        {&c->names, &head.names},
        {&c->code, &head.code},
        {&c->numbers, &head.numbers},
        {&c->views, &head.views},
        {&c->entries, &head.entries},
        {&c->nodes, &head.nodes},
        {&c->columns, &head.columns},
        {&c->slots, &head.slots},
        {&c->ways, &head.ways},
        {&c->strings, &head.strings},
    };
    struct program *program;
    size_t size = sizeof head + c->data.size;
    size_t i;

    if (c->err != KAN_OK)
        return c->err;
    labels_resolve(c);
    numbers_sort(c);
    for (i = 0; i < sizeof places / sizeof *places; i++) {
        size = (size + 15) & ~(size_t)15;
        if (size > PROGRAM_BLOCK_MAX)
            return KAN_FULL;
        places[i].to->at = (uint32_t)size;
        places[i].to->count = places[i].from->count;
        size += (size_t)places[i].from->count * places[i].from->item;
    }
    program = mem_zalloc(size);
    if (!program)
        return KAN_NOMEM;
    head.size = (uint32_t)size;
    head.temps_size = c->temps_size;
    head.name = c->name;
    head.text = c->text;
    head.tally_size = c->tally_size;
    head.judge_all = c->judge_all;
    memcpy(program, &head, sizeof head);
    if (c->data.size > 0)
        memcpy(program + 1, c->data.bytes, c->data.size);
    for (i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i].from->count > 0)
            memcpy((char *)program + places[i].to->at, places[i].from->items,
                   (size_t)places[i].from->count * places[i].from->item);
    }
    if (!images_run(c, program)) {
        mem_free(program);
        return KAN_INVALID;
    }
    *ret_program = program;
    return KAN_OK;
}

/* --- a version of a type -------------------------------------------------- */

static enum kan_err hashes_set(struct program *program,
                               const struct tree_entity *entity)
{
    struct buffer bytes = BUFFER_INIT;
    enum kan_err err = KAN_OK;

    compile_meaning(program, entity, &bytes);
    program->hash = compile_hash(buffer_slice(&bytes));
    if (buffer_failed(&bytes))
        err = KAN_NOMEM;
    buffer_clear(&bytes);
    compile_meaning_views(program, entity, &bytes);
    program->view_hash = compile_hash(buffer_slice(&bytes));
    if (buffer_failed(&bytes))
        err = KAN_NOMEM;
    buffer_fini(&bytes);
    return err;
}

enum kan_err program_compile(const struct tree *tree,
                             const struct tree_entity *entity,
                             struct program **ret_program)
{
    struct program *program = NULL;
    struct compile c;
    enum kan_err err;
    uint32_t i;

    compile_init(&c, tree);
    c.version = entity->version;
    c.name = compile_words(&c, entity->name.text);
    compile_reserve_state(&c);
    (void)compile_fields(&c, entity->fields, entity->field_count, entity->span,
                         true);
    compile_invariants(&c, entity);
    for (i = 0; i < entity->step_count && c.err == KAN_OK; i++)
        compile_step(&c, &entity->steps[i]);
    compile_views(&c, entity);
    compile_images(&c);
    compile_text(&c, entity);
    err = compile_end(&c, &program);
    compile_fini(&c);
    if (err == KAN_OK)
        err = hashes_set(program, entity);
    if (err != KAN_OK) {
        program_free(program);
        return err;
    }
    *ret_program = program;
    return KAN_OK;
}

struct program *program_free(struct program *program)
{
    return mem_free(program);
}
