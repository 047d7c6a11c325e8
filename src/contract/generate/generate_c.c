/* generate_c.c - a header and a source: what all parts share, and the order in
 * which they stand. */

#include "contract/generate/generate_c.h"

#include <inttypes.h>
#include <stdarg.h>

#include "base/alloc.h"

/* --- words ---------------------------------------------------------------- */

const char *gen_words(struct gen *g, const char *format, ...)
{
    struct buffer out = BUFFER_INIT;
    const char *words;
    va_list args;

    va_start(args, format);
    buffer_vprint(&out, format, args);
    va_end(args);
    words =
        buffer_failed(&out) ? NULL : arena_copy(&g->arena, buffer_slice(&out));
    buffer_fini(&out);
    if (!words)
        g->failed = true;
    return words ? words : "";
}

/* One byte of a text that will stand in a comment. */
static void comment_byte(struct buffer *out, unsigned char c)
{
    unsigned char last =
        out->size > 0 ? (unsigned char)out->bytes[out->size - 1] : ' ';

    if ((c == '/' && last == '*') || (c == '*' && last == '/') ||
        (c == '?' && last == '?'))
        buffer_append_byte(out, ' ');
    buffer_append_byte(out, c);
}

/* The bytes as they are. */
static void plain_byte(struct buffer *out, unsigned char c)
{
    buffer_append_byte(out, c);
}

static const char *source_words(struct gen *g, struct source_span span,
                                size_t max,
                                void (*put)(struct buffer *, unsigned char))
{
    struct kan_slice text = source_slice(g->tree->source, span);
    struct buffer out = BUFFER_INIT;
    const char *words;
    bool quoted = false;
    size_t i;

    for (i = 0; i < text.size && out.size < max; i++) {
        unsigned char c = slice_at(text, i);

        if (c == '#' && !quoted) {
            while (i + 1 < text.size && slice_at(text, i + 1) != '\n')
                i++;
            continue;
        }
        if (quoted && c == '\\' && i + 1 < text.size) {
            put(&out, c);
            put(&out, slice_at(text, ++i));
            continue;
        }
        quoted = quoted != (c == '"');
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            if (!quoted) {
                if (out.size > 0 && out.bytes[out.size - 1] != ' ')
                    buffer_append_byte(&out, ' ');
                continue;
            }
        }
        put(&out, c);
    }
    /* A cut must not leave half a character, nor a backslash at the end. */
    if (i < text.size) {
        while (out.size > 0 &&
               ((unsigned char)out.bytes[out.size - 1] >= 0x80 ||
                out.bytes[out.size - 1] == '\\'))
            out.size--;
        buffer_append_text(&out, " ...");
    }
    while (out.size > 0 && out.bytes[out.size - 1] == ' ')
        out.size--;
    words =
        buffer_failed(&out) ? NULL : arena_copy(&g->arena, buffer_slice(&out));
    buffer_fini(&out);
    if (!words)
        g->failed = true;
    return words ? words : "";
}

const char *gen_source(struct gen *g, struct source_span span)
{
    return source_words(g, span, SIZE_MAX, plain_byte);
}

const char *gen_comment(struct gen *g, struct source_span span, size_t max)
{
    return source_words(g, span, max, comment_byte);
}

const char *gen_source_lines(struct gen *g, struct source_span span)
{
    struct kan_slice text = source_slice(g->tree->source, span);
    struct buffer out = BUFFER_INIT;
    struct kan_slice line;
    const char *words;
    uint32_t number = 0;
    uint32_t column = 1;
    size_t i;

    source_place(g->tree->source, span.start, &number, &column);
    for (number = 0; text.size > 0; number++) {
        (void)slice_cut(&text, '\n', &line);
        /* Only as far in as it is beside its first line. */
        for (i = 1; number > 0 && i < column && line.size > 0; i++) {
            if (slice_at(line, 0) == ' ')
                line = slice_skip(line, 1);
        }
        if (number > 0)
            buffer_append_text(&out, line.size > 0 ? "\n * " : "\n *");
        for (i = 0; i < line.size; i++) {
            if (slice_at(line, i) != '\r')
                comment_byte(&out, slice_at(line, i));
        }
    }
    words =
        buffer_failed(&out) ? NULL : arena_copy(&g->arena, buffer_slice(&out));
    buffer_fini(&out);
    if (!words)
        g->failed = true;
    return words ? words : "";
}

const char *gen_literal(struct gen *g, struct kan_slice text)
{
    struct buffer out = BUFFER_INIT;
    const char *words;
    size_t i;

    buffer_append_byte(&out, '"');
    for (i = 0; i < text.size; i++) {
        unsigned char c = slice_at(text, i);

        if (c == '"' || c == '\\' || c == '?')
            buffer_append_byte(&out, '\\');
        /* Three digits end an escape, whatever follows. */
        if (c < ' ' || c >= 0x7f)
            buffer_print(&out, "\\%03o", c);
        else
            buffer_append_byte(&out, c);
    }
    buffer_append_byte(&out, '"');
    words =
        buffer_failed(&out) ? NULL : arena_copy(&g->arena, buffer_slice(&out));
    buffer_fini(&out);
    if (!words)
        g->failed = true;
    return words ? words : "\"\"";
}

const char *gen_number(struct gen *g, int64_t number)
{
    if (number == INT64_MIN)
        return "INT64_MIN";
    if (number == INT64_MAX)
        return "INT64_MAX";
    if (number < INT32_MIN || number > INT32_MAX)
        return gen_words(g, "INT64_C(%" PRId64 ")", number);
    return gen_words(g, "%" PRId64, number);
}

/* --- a type --------------------------------------------------------------- */

static const char *const fixed[] = {
    "",
    "_slice",
    "_text",
    "_text_of",
    "_text_same",
    "_text_order",
    "_text_put",
    "_int_add",
    "_int_subtract",
    "_int_multiply",
    "_int_least",
    "_int_most",
    "_refusal",
    "_why",
    "_refused",
    "_reasons",
    "_start",
    "_step",
    "_take",
};

static const char *const refusals[] = {
    "TAKEN",  "GUARD",   "REQUIRE", "INVARIANT", "BOUND",    "OVERFLOW",
    "DIVIDE", "MISSING", "FULL",    "LENGTH",    "ARGUMENT", "MOVED",
};

static const char *const refusals_said[] = {
    "it was not refused",
    "the step's `when` does not hold",
    "a `require` does not hold: text",
    "the invariant `name` would not hold",
    "`name` would be value, which is not in min .. max",
    "a number would not fit into 64 bits",
    "something is divided by zero",
    "the map `name` has no such key",
    "the set or map `name` is full",
    "a text is too long for `name`",
    "the argument `name` is none of its type",
    "the entity is not in the state that its type says",
};

/* The type's name, such that none of those is taken that all types have. */
static void name_choose(struct gen *g)
{
    bool old = g->entity->version <
               tree_entity(g->tree, g->entity->name.text, 0)->version;
    /* A word of C gets something before it, as much will stand behind it. */
    const char *name = gen_words(
        g, "%s%.*s", gen_word_is_taken(g->entity->name.text) ? "kan_" : "",
        SLICE_ARG(g->entity->name.text));
    bool taken = true;
    size_t i;

    if (old)
        name = gen_words(g, "%s_v%" PRIu32, name, g->entity->version);
    while (taken && !g->failed) {
        taken = false;
        for (i = 0; i < sizeof fixed / sizeof *fixed; i++) {
            const char *one = gen_words(g, "%s%s", name, fixed[i]);

            taken = taken || map_get(&g->names, kan_text(one));
        }
        if (taken)
            name = gen_words(g, "%s_", name);
    }
    g->name = name;
    g->upper = gen_upper(g, name);
    for (i = 0; i < sizeof fixed / sizeof *fixed; i++)
        (void)(i == 0 ? gen_global_tag(g, name)
                      : gen_global(g, gen_words(g, "%s%s", name, fixed[i])));
    for (i = 0; i < sizeof refusals / sizeof *refusals; i++)
        (void)gen_global(g, gen_words(g, "%s_%s", g->upper, refusals[i]));
}

static void names_find(struct gen *g)
{
    uint32_t i;

    for (i = 0; i < g->entity->field_count; i++)
        g->members[i] = gen_member(g, g->entity->fields[i].name.text);
    gen_types_find(g);
    for (i = 0; i < g->entity->step_count; i++) {
        const char *step =
            gen_words(g, "%.*s", SLICE_ARG(g->entity->steps[i].name.text));

        g->steps[i] = gen_global(g, gen_words(g, "%s_take_%s", g->name, step));
        g->arguments[i] =
            gen_global(g, gen_words(g, "%s_%s_arguments", g->name, step));
        g->numbers[i] = gen_global(
            g, gen_words(g, "%s_STEP_%s", g->upper, gen_upper(g, step)));
    }
    gen_states_find(g);
}

/* Texts and sums, in the header as they are small. */
static void basics_write(struct gen *g)
{
    static const char *const pieces[] = {
        "/* Bytes of a text, wherever they lie. Texts are UTF-8. */\n"
        "struct @_slice\n{\n    const char *bytes;\n    size_t size;\n};\n\n",
        "static inline struct @_slice @_text_of(const char *bytes, size_t size)"
        "\n{\n    struct @_slice slice;\n\n    slice.bytes = bytes;\n"
        "    slice.size = size;\n    return slice;\n}\n\n",
        "/* Of a string that ends with a NUL. */\n"
        "static inline struct @_slice @_text(const char *string)\n{\n"
        "    return @_text_of(string, strlen(string));\n}\n\n",
        "static inline bool @_text_same(struct @_slice a, struct @_slice b)\n"
        "{\n    return a.size == b.size &&\n"
        "           (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);\n"
        "}\n\n",
        "/* By bytes, a text before what continues it. */\n"
        "static inline int @_text_order(struct @_slice a, struct @_slice b)\n"
        "{\n    size_t size = a.size < b.size ? a.size : b.size;\n"
        "    int order = size == 0 ? 0 : memcmp(a.bytes, b.bytes, size);\n\n"
        "    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);"
        "\n}\n\n",
        "/* Copy a text that fits, and zero what is behind it; its size. */\n"
        "static inline uint16_t @_text_put(char *bytes, size_t room,\n"
        "    struct @_slice text)\n{\n    if (text.size > 0)\n"
        "        memmove(bytes, text.bytes, text.size);\n"
        "    memset(bytes + text.size, 0, room - text.size);\n"
        "    return (uint16_t)text.size;\n}\n\n",
        "/* Sums that may not fit: false then. */\n"
        "static inline bool @_int_add(int64_t a, int64_t b, int64_t *ret)\n"
        "{\n    if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b)\n"
        "        return false;\n    *ret = a + b;\n    return true;\n}\n\n",
        "static inline bool @_int_subtract(int64_t a, int64_t b, int64_t *ret)"
        "\n{\n    if (b < 0 ? a > INT64_MAX + b : a < INT64_MIN + b)\n"
        "        return false;\n    *ret = a - b;\n    return true;\n}\n\n",
        "static inline bool @_int_multiply(int64_t a, int64_t b, int64_t *ret)"
        "\n{\n    if (a > 0 ? (b > 0 ? a > INT64_MAX / b : b < INT64_MIN / a)\n"
        "              : (b > 0 ? a < INT64_MIN / b\n"
        "                       : a != 0 && b < INT64_MAX / a))\n"
        "        return false;\n    *ret = a * b;\n    return true;\n}\n\n",
        "static inline int64_t @_int_least(int64_t a, int64_t b)\n{\n"
        "    return a < b ? a : b;\n}\n\n",
        "static inline int64_t @_int_most(int64_t a, int64_t b)\n{\n"
        "    return a > b ? a : b;\n}\n\n",
    };
    size_t i;
    size_t k;

    for (i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        for (k = 0; pieces[i][k]; k++) {
            if (pieces[i][k] == '@')
                buffer_append_text(g->header, g->name);
            else
                buffer_append_byte(g->header, (unsigned char)pieces[i][k]);
        }
    }
}

/* Fields or parameters as a struct, and the layout that it must have. */
static void struct_write(struct gen *g, const char *tag,
                         const struct tree_field *fields, uint32_t count,
                         uint32_t type)
{
    uint32_t i;

    buffer_print(g->header, "struct %s\n{\n", tag);
    for (i = 0; i < count && !g->failed; i++) {
        const struct tree_type *is = fields[i].type;

        buffer_print(g->header, "    %s %s;", gen_type(g, is, ""),
                     gen_member(g, fields[i].name.text));
        if (is->kind == TREE_ENUM)
            buffer_print(g->header, " /* enum %s */", gen_tag(g, is));
        else if (is->kind == TREE_INT &&
                 (is->min != INT64_MIN || is->max != INT64_MAX))
            buffer_print(g->header, " /* %" PRId64 " .. %" PRId64 " */",
                         is->min, is->max);
        buffer_append_byte(g->header, '\n');
    }
    if (count == 0)
        buffer_append_text(g->header, "    unsigned char nothing;\n");
    buffer_append_text(g->header, "};\n\n");
    for (i = 0; i < count && !g->failed; i++) {
        buffer_print(g->header,
                     "static_assert(offsetof(struct %s, %s) == %" PRIu32
                     ", \"layout\");\n",
                     tag, gen_member(g, fields[i].name.text),
                     program_member(g->program, type, i).offset);
    }
    if (count > 0)
        buffer_print(g->header,
                     "static_assert(sizeof(struct %s) == %" PRIu32
                     ", \"layout\");\n\n",
                     tag, program_type(g->program, type)->size);
}

static void refusals_write(struct gen *g)
{
    size_t i;

    buffer_print(g->header,
                 "/* What became of a step. */\nenum %s_refusal\n{\n", g->name);
    for (i = 0; i < sizeof refusals / sizeof *refusals; i++)
        buffer_print(g->header, "    %s_%s, /* %s */\n", g->upper, refusals[i],
                     refusals_said[i]);
    /* A comma behind the last is fine in both languages. */
    buffer_print(g->header,
                 "};\n\n/* Why a step was refused. */\nstruct %s_why\n{\n"
                 "    enum %s_refusal kind;\n"
                 "    uint32_t line;      /* of the contract */\n"
                 "    const char *name;   /* an invariant, a field, an "
                 "argument; or \"\" */\n"
                 "    const char *text;   /* of a require; or \"\" */\n"
                 "    const char *source; /* what did not hold, as written */\n"
                 "    int64_t value;\n    int64_t min;\n    int64_t max;\n"
                 "};\n\n",
                 g->name, g->name);
}

static void steps_declare(struct gen *g)
{
    uint32_t i;

    gen_locals_clear(g);
    g->self = gen_local(g, g->entity->name.text);
    buffer_print(g->header,
                 "/* What %.*s begins as. */\nvoid %s_start(struct %s *%s);\n\n"
                 "/* The steps. A step that is refused changes nothing; why, "
                 "unless NULL, says\n * why, and is not touched otherwise. "
                 "*/\n\n",
                 SLICE_ARG(g->entity->name.text), g->name, g->name, g->self);
    for (i = 0; i < g->entity->step_count && !g->failed; i++) {
        const struct tree_step *step = &g->entity->steps[i];

        gen_step_begin(g, i);
        buffer_print(g->header, "/* %s%s%s%s */\n",
                     step->internal ? "internal: only sagas take it" : "",
                     step->internal && step->when ? "; " : "",
                     step->when       ? "when "
                     : step->internal ? ""
                                      : "always",
                     step->when ? gen_comment(g, step->when->span, 60) : "");
        buffer_print(
            g->header, "%s;\n\n",
            gen_step_head(g, i, g->steps[i],
                          gen_words(g, "struct %s *%s", g->name, g->self)));
    }
}

/* account_take(): a step by its number, for what replays events. */
static void take_declare(struct gen *g)
{
    uint32_t i;

    for (i = 0; i < g->entity->step_count && !g->failed; i++) {
        const struct tree_step *step = &g->entity->steps[i];

        if (step->parameter_count > 0)
            struct_write(g, g->arguments[i], step->parameters,
                         step->parameter_count,
                         program_step(g->program, i).arguments);
    }
    if (g->entity->step_count == 0)
        return;
    buffer_print(g->header, "enum %s_step\n{\n", g->name);
    for (i = 0; i < g->entity->step_count; i++)
        buffer_print(g->header, "    %s%s\n", g->numbers[i],
                     i + 1 < g->entity->step_count ? "," : "");
    buffer_print(
        g->header,
        "};\n\n/* A step by its number. arguments is the struct of its "
        "arguments, or NULL when\n * it has none; id has %d bytes. "
        "*/\n"
        "enum %s_refusal %s_take(struct %s *entity, enum %s_step "
        "step,\n    const void *arguments, int64_t now_ms, const char "
        "*id, struct %s_why *why);\n\n",
        (int)PROGRAM_ID_SIZE, g->name, g->name, g->name, g->name, g->name);
}

static void argument_pass(struct gen *g, uint32_t step,
                          const struct tree_field *field)
{
    const char *at =
        gen_words(g, "((const struct %s *)arguments)->%s", g->arguments[step],
                  gen_member(g, field->name.text));

    switch (field->type->kind) {
    case TREE_BOOL:
    case TREE_INT:
        buffer_print(g->source, ",\n            %s", at);
        break;
    case TREE_ENUM:
        buffer_print(g->source, ",\n            (enum %s)%s",
                     gen_tag(g, field->type), at);
        break;
    case TREE_TEXT:
        buffer_print(g->source,
                     ",\n            %s_text_of(%s.bytes,\n"
                     "                %s.size)",
                     g->name, at, at);
        break;
    default:
        buffer_print(g->source, ",\n            &%s", at);
        break;
    }
}

void gen_take_write(struct gen *g)
{
    uint32_t i;
    uint32_t k;

    if (g->entity->step_count == 0)
        return;
    buffer_print(g->source,
                 "enum %s_refusal %s_take(struct %s *entity, enum %s_step "
                 "step,\n    const void *arguments, int64_t now_ms, const char "
                 "*id, struct %s_why *why)\n{\n"
                 "    (void)arguments;\n    (void)now_ms;\n    (void)id;\n"
                 "    switch (step) {\n",
                 g->name, g->name, g->name, g->name, g->name);
    for (i = 0; i < g->entity->step_count && !g->failed; i++) {
        const struct tree_step *step = &g->entity->steps[i];

        buffer_print(g->source, "    case %s:\n        return %s(entity",
                     g->numbers[i], g->steps[i]);
        for (k = 0; k < step->parameter_count && !g->failed; k++)
            argument_pass(g, i, &step->parameters[k]);
        buffer_print(g->source, "%s%s, why);\n",
                     g->uses_now[i] ? ", now_ms" : "",
                     g->uses_id[i] ? ", id" : "");
    }
    buffer_print(g->source, "    }\n    return %s_ARGUMENT;\n}\n\n", g->upper);
}

static void entity_write(struct gen *g)
{
    static const char line[] =
        "/* ----------------------------------------------------------------"
        "----------- */\n";

    name_choose(g);
    names_find(g);
    if (g->failed)
        return;
    buffer_print(g->header, "%s/* %.*s, version %" PRIu32 " */\n%s\n", line,
                 SLICE_ARG(g->entity->name.text), g->entity->version, line);
    buffer_print(g->source, "%s/* %.*s, version %" PRIu32 " */\n%s\n", line,
                 SLICE_ARG(g->entity->name.text), g->entity->version, line);
    basics_write(g);
    gen_types_write(g);
    struct_write(g, g->name, g->entity->fields, g->entity->field_count, 0);
    refusals_write(g);
    gen_helpers_write(g);
    gen_steps_write(g);
    gen_start_write(g);
    steps_declare(g);
    take_declare(g);
    gen_states_declare(g);
}

/* --- the files ------------------------------------------------------------ */

static const char *guard_name(struct gen *g, struct kan_slice stem)
{
    char *words = arena_copy(&g->arena, stem);
    size_t i;

    if (!words) {
        g->failed = true;
        return "";
    }
    for (i = 0; i < stem.size; i++) {
        bool letter = (words[i] >= 'a' && words[i] <= 'z') ||
                      (words[i] >= 'A' && words[i] <= 'Z') ||
                      (words[i] >= '0' && words[i] <= '9');

        words[i] = letter ? words[i] : '_';
    }
    return gen_words(g, "KAN_%s_H", gen_upper(g, words));
}

static void header_begin(struct gen *g, struct buffer *header,
                         struct buffer *source)
{
    const struct generate_options *o = g->options;
    const char *guard = guard_name(g, o->stem);

    buffer_print(
        header,
        "/* %.*s.h - made by `kan gen c %.*s`; do not edit.\n"
        " *\n"
        " * The types of the contract as structs, laid out as Kan lays "
        "them out, and its\n"
        " * steps as functions. A type whose guards ask for a state "
        "has a struct for each:\n"
        " * a step that the state forbids does not compile there. "
        "C17, C++17; nothing is\n"
        " * allocated, and no state is kept outside of the structs. "
        "*/\n\n"
        "#ifndef %s\n#define %s\n\n"
        "#include <assert.h>\n#include <stdbool.h>\n"
        "#include <stddef.h>\n#include <stdint.h>\n"
        "#include <string.h>\n\n"
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
        SLICE_ARG(o->stem), SLICE_ARG(o->file), guard, guard);
    buffer_print(source,
                 "/* %.*s.c - made by `kan gen c %.*s`; do not edit. */\n\n"
                 "#include \"%.*s.h\"\n\n"
                 "#if defined(__GNUC__)\n"
                 "/* What a contract says needlessly is no fault of this file. "
                 "*/\n"
                 "#pragma GCC diagnostic ignored \"-Wtautological-compare\"\n"
                 "#pragma GCC diagnostic ignored \"-Wtype-limits\"\n"
                 "#endif\n\n",
                 SLICE_ARG(o->stem), SLICE_ARG(o->file), SLICE_ARG(o->stem));
}

static void header_end(struct gen *g, struct buffer *header)
{
    buffer_print(header, "#ifdef __cplusplus\n}\n#endif\n\n#endif /* %s */\n",
                 guard_name(g, g->options->stem));
}

static bool wanted(const struct generate_options *options,
                   const struct tree_entity *entity)
{
    return options->type.size == 0 ||
           slice_equal(options->type, entity->name.text);
}

enum kan_err generate_c(const struct contract *contract,
                        const struct generate_options *options,
                        struct buffer *header, struct buffer *source)
{
    const struct tree *tree = contract_tree(contract);
    struct gen *g = mem_zalloc(sizeof *g);
    enum kan_err err = KAN_OK;
    bool any = false;
    uint32_t i;

    if (!g)
        return KAN_NOMEM;
    g->contract = contract;
    g->options = options;
    g->tree = tree;
    g->header = header;
    g->source = source;
    map_init(&g->names, (struct hash_seed){0}, 1 << 24);
    header_begin(g, header, source);
    for (i = 0; i < tree->entity_count && !g->failed; i++) {
        const struct tree_entity *entity = &tree->entities[i];
        int32_t type = contract_type_find(contract, entity->name.text);

        if (!wanted(options, entity) || type < 0)
            continue;
        any = true;
        g->entity = entity;
        g->program =
            contract_program(contract, (uint32_t)type, entity->version);
        g->types = NULL;
        g->types_end = &g->types;
        g->reason_count = 0;
        buffer_clear(&g->reasons);
        entity_write(g);
    }
    header_end(g, header);
    if (!any)
        err = KAN_NOTFOUND;
    if (g->failed || buffer_failed(header) || buffer_failed(source))
        err = KAN_NOMEM;
    buffer_fini(&g->reasons);
    map_fini(&g->names);
    arena_fini(&g->arena);
    mem_free(g);
    return err;
}
