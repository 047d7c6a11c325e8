/* Recursive descent, at most DEPTH_MAX deep. */

#include "path/history/form.h"

#include "base/number.h"
#include "base/utf8.h"

enum
{
    DEPTH_MAX = 32
};

void form_init(struct form_reader *reader, struct kan_slice input)
{
    *reader = (struct form_reader){.input = input, .line = 1};
}

void form_fini(struct form_reader *reader)
{
    buffer_fini(&reader->ids);
    buffer_fini(&reader->text);
    *reader = (struct form_reader){0};
}

static enum kan_err refuse(struct form_reader *reader, const char *problem)
{
    reader->problem = problem;
    return KAN_INVALID;
}

static bool at_end(const struct form_reader *reader)
{
    return reader->at >= reader->input.size;
}

static unsigned char here(const struct form_reader *reader)
{
    return slice_at(reader->input, reader->at);
}

static void step(struct form_reader *reader)
{
    reader->line += here(reader) == '\n';
    reader->at++;
}

int form_peek(struct form_reader *reader)
{
    bool comment = false;
    for (; !at_end(reader); step(reader)) {
        unsigned char c = here(reader);
        if (c == ';')
            comment = true;
        if (c == '\n')
            comment = false;
        if (!comment && c > ' ' && c != ',')
            return c;
    }
    return -1;
}

/* --- words and strings ---------------------------------------------------- */

static bool ends_word(unsigned char c)
{
    return c <= ' ' || (c < 0x7f && strchr(",;\"[](){}", c));
}

enum kan_err form_word(struct form_reader *reader, struct kan_slice *ret_word)
{
    if (form_peek(reader) < 0)
        return refuse(reader, "a value is missing");
    size_t from = reader->at;
    while (!at_end(reader) && !ends_word(here(reader)))
        reader->at++;
    if (reader->at == from)
        return refuse(reader, "a value is missing");
    *ret_word =
        kan_slice((const char *)reader->input.bytes + from, reader->at - from);
    return KAN_OK;
}

/* Four digits of \uXXXX. */
static enum kan_err unit(struct form_reader *reader, uint32_t *ret_unit)
{
    struct kan_slice digits =
        slice_head(slice_skip(reader->input, reader->at), 4);
    uint64_t number;
    if (digits.size < 4 || number_hex(digits, &number) != KAN_OK)
        return refuse(reader, "\\u needs four digits");
    reader->at += 4;
    *ret_unit = (uint32_t)number;
    return KAN_OK;
}

static enum kan_err escape_point(struct form_reader *reader)
{
    uint32_t point;
    uint32_t low;
    char bytes[4];
    enum kan_err err = unit(reader, &point);
    if (err != KAN_OK)
        return err;
    if (point >= 0xd800 && point < 0xdc00) {
        struct kan_slice rest = slice_skip(reader->input, reader->at);
        if (!slice_starts(rest, SLICE("\\u")))
            return refuse(reader, "half of a \\u pair");
        reader->at += 2;
        err = unit(reader, &low);
        if (err != KAN_OK)
            return err;
        if (low < 0xdc00 || low > 0xdfff)
            return refuse(reader, "half of a \\u pair");
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    } else if (point >= 0xdc00 && point < 0xe000) {
        return refuse(reader, "half of a \\u pair");
    }
    buffer_append(&reader->text, kan_slice(bytes, utf8_encode(point, bytes)));
    return KAN_OK;
}

static enum kan_err escape(struct form_reader *reader)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (at_end(reader))
        return refuse(reader, "the string does not end");
    char c = (char)here(reader);
    step(reader);
    if (c == 'u')
        return escape_point(reader);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return refuse(reader, "an escape that is not known");
    buffer_append_byte(&reader->text, (unsigned char)to[found - from]);
    return KAN_OK;
}

/* Read a string, whose quote is next, into the text. */
static enum kan_err read_string(struct form_reader *reader)
{
    buffer_clear(&reader->text);
    reader->at++;
    for (;;) {
        size_t from = reader->at;
        while (!at_end(reader) && here(reader) != '"' && here(reader) != '\\')
            step(reader);
        buffer_append(&reader->text,
                      kan_slice((const char *)reader->input.bytes + from,
                                reader->at - from));
        if (at_end(reader))
            return refuse(reader, "the string does not end");
        unsigned char c = here(reader);
        reader->at++;
        if (c == '"')
            return buffer_failed(&reader->text) ? KAN_NOMEM : KAN_OK;
        enum kan_err err = escape(reader);
        if (err != KAN_OK)
            return err;
    }
}

enum kan_err form_name(struct form_reader *reader, struct kan_slice *ret_name)
{
    struct kan_slice name;
    enum kan_err err;
    if (form_peek(reader) == '"') {
        err = read_string(reader);
        name = buffer_slice(&reader->text);
    } else {
        err = form_word(reader, &name);
        if (err == KAN_OK && slice_starts(name, SLICE(":")))
            name = slice_skip(name, 1);
    }
    if (err == KAN_OK)
        *ret_name = name;
    return err;
}

/* --- forms ---------------------------------------------------------------- */

/* What closes the collection that begins here, or 0. Steps into it. */
static char open_collection(struct form_reader *reader,
                            enum value_kind *ret_kind)
{
    struct kan_slice rest = slice_skip(reader->input, reader->at);
    *ret_kind = VALUE_LIST;
    if (slice_starts(rest, SLICE("#{"))) {
        *ret_kind = VALUE_SET;
        reader->at += 2;
        return '}';
    }
    char c = (char)here(reader);
    if (c != '[' && c != '(' && c != '{')
        return 0;
    reader->at++;
    return c == '[' ? ']' : c == '(' ? ')' : '}';
}

static enum kan_err read_form(struct form_reader *reader,
                              struct value_table *values, uint32_t depth,
                              uint32_t *ret_id);

static enum kan_err read_elements(struct form_reader *reader,
                                  struct value_table *values, uint32_t depth,
                                  char end)
{
    for (;;) {
        int next = form_peek(reader);
        if (next < 0)
            return refuse(reader, "a bracket is not closed");
        if (next == end) {
            reader->at++;
            return KAN_OK;
        }
        if (next == ':' && end == '}') {
            /* Of "name": value; a keyword has a name. */
            struct kan_slice rest = slice_skip(reader->input, reader->at + 1);
            if (!rest.size || ends_word(slice_at(rest, 0))) {
                reader->at++;
                continue;
            }
        }
        uint32_t id = VALUE_IS_NIL;
        enum kan_err err = read_form(reader, values, depth + 1, &id);
        if (err != KAN_OK)
            return err;
        buffer_append(&reader->ids, kan_slice(&id, sizeof id));
    }
}

static enum kan_err read_collection(struct form_reader *reader,
                                    struct value_table *values, uint32_t depth,
                                    enum value_kind kind, char end,
                                    uint32_t *ret_id)
{
    if (depth >= DEPTH_MAX)
        return refuse(reader, "brackets nested too deep");
    size_t from = reader->ids.size;
    enum kan_err err = read_elements(reader, values, depth, end);
    if (err == KAN_OK && buffer_failed(&reader->ids))
        err = KAN_NOMEM;
    if (err == KAN_OK && values) {
        size_t size = reader->ids.size - from;
        void *ids = reader->ids.bytes ? reader->ids.bytes + from : NULL;
        err = value_add_ids(values, kind, ids,
                            (uint32_t)(size / sizeof(uint32_t)), ret_id);
    }
    reader->ids.size = from;
    return err;
}

static enum kan_err read_word(struct form_reader *reader,
                              struct value_table *values, uint32_t depth,
                              uint32_t *ret_id)
{
    struct kan_slice word;
    enum kan_err err = form_word(reader, &word);
    if (err != KAN_OK)
        return err;
    if (slice_at(word, 0) == '#') {
        /* A tag: the form behind it is what counts. */
        if (depth >= DEPTH_MAX)
            return refuse(reader, "brackets nested too deep");
        return read_form(reader, values, depth + 1, ret_id);
    }
    if (!values)
        return KAN_OK;
    bool nil =
        slice_equal(word, SLICE("nil")) || slice_equal(word, SLICE("null"));
    return value_add(values, nil ? VALUE_NIL : VALUE_WORD,
                     nil ? kan_slice(NULL, 0) : word, ret_id);
}

/* values may be NULL: then the form is only passed over. */
static enum kan_err read_form(struct form_reader *reader,
                              struct value_table *values, uint32_t depth,
                              uint32_t *ret_id)
{
    int next = form_peek(reader);
    if (next < 0)
        return refuse(reader, "a value is missing");
    if (next == '"') {
        enum kan_err err = read_string(reader);
        if (err != KAN_OK || !values)
            return err;
        return value_add(values, VALUE_TEXT, buffer_slice(&reader->text),
                         ret_id);
    }
    enum value_kind kind;
    char end = open_collection(reader, &kind);
    if (end)
        return read_collection(reader, values, depth, kind, end, ret_id);
    return read_word(reader, values, depth, ret_id);
}

enum kan_err form_value(struct form_reader *reader, struct value_table *values,
                        uint32_t *ret_id)
{
    uint32_t id = VALUE_IS_NIL;
    enum kan_err err = read_form(reader, values, 0, &id);
    if (err == KAN_OK)
        *ret_id = id;
    return err;
}

enum kan_err form_skip(struct form_reader *reader)
{
    uint32_t unused;
    return read_form(reader, NULL, 0, &unused);
}
