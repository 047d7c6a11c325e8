/* JSON on yajl's SAX parser, made strict.
 *
 * yajl decides the grammar. What it lets through, and where it is closed here:
 *   - UTF-8 that is overlong, a surrogate or beyond U+10FFFF: read_document();
 *   - vertical tab and form feed as white space: token();
 *   - half a token behind the value, as in `1 "x`: read_document();
 *   - escapes of half a surrogate pair, which it turns to '?': check_escapes();
 *   - nesting without end: on_start();
 *   - a failed allocation, which it does not check: the arena below.
 * Nothing recurses, and a document costs one allocation for its nodes, and one
 * more when a string has escapes. */

#include "base/json.h"

#include <yajl/yajl_parse.h>

#include <setjmp.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/number.h"
#include "base/utf8.h"

enum
{
    JSON_DEPTH_DEFAULT = 128,
    JSON_NODES_DEFAULT = 65536,
    JSON_NODES_FIRST = 32,  /* allocated at once: 2 KiB */
    JSON_ARENA_SIZE = 6144, /* the parser, and strings of 2 KiB with escapes */
    JSON_NONE = UINT32_MAX
};

/* --- memory for yajl ------------------------------------------------------ */

/* yajl writes to what its allocator returns without looking, so a failure must
 * not return: it jumps back to run(), and all that yajl had is dropped. Small
 * blocks come from the stack and are never reused; what does not fit is on the
 * heap, in a list. */
struct arena_block
{
    _Alignas(16) struct list link; /* zero for a block inside the arena */
    size_t size;
};

struct arena
{
    jmp_buf failed;
    struct list heap;
    size_t used;
    _Alignas(16) unsigned char bytes[JSON_ARENA_SIZE];
};

static void *arena_alloc(void *ctx, size_t size)
{
    struct arena *arena = ctx;
    struct arena_block *block;
    size_t whole = (sizeof *block + size + 15) & ~(size_t)15;

    if (whole <= sizeof arena->bytes - arena->used) {
        block = (struct arena_block *)(void *)(arena->bytes + arena->used);
        arena->used += whole;
        block->link = (struct list){0};
    } else {
        block = mem_alloc(whole);
        if (!block)
            longjmp(arena->failed, 1);
        list_push(&arena->heap, &block->link);
    }
    block->size = size;
    return block + 1;
}

static void arena_free(void *ctx, void *bytes)
{
    struct arena_block *block = (struct arena_block *)bytes - 1;

    (void)ctx;
    if (bytes && list_linked(&block->link)) {
        list_remove(&block->link);
        mem_free(block);
    }
}

static void *arena_realloc(void *ctx, void *bytes, size_t size)
{
    void *moved = arena_alloc(ctx, size);

    if (bytes) {
        size_t old = ((struct arena_block *)bytes - 1)->size;
        memcpy(moved, bytes, old < size ? old : size);
        arena_free(ctx, bytes);
    }
    return moved;
}

static void arena_drop(struct arena *arena)
{
    struct list *link;
    while ((link = list_pop(&arena->heap)) != NULL)
        mem_free(list_entry(link, struct arena_block, link));
}

/* --- the reader ----------------------------------------------------------- */

struct reader
{
    struct json_tree *tree;
    const unsigned char *input;
    size_t size;
    size_t end; /* behind the last token */
    uint32_t depth;
    uint32_t depth_max;
    uint32_t nodes_max;
    uint32_t open;         /* the innermost open node, or JSON_NONE */
    uint32_t closed_depth; /* where an unexpanded node was opened, or 0 */
    char separator;        /* what may stand before the next token, or 0 */
    struct kan_slice raw;  /* the name of raw members */
    struct kan_slice name; /* of the member whose value comes next */
    char *text;            /* room for the next decoded string */
    enum kan_err err;      /* why a callback stopped the parser */
    const char *wrong;     /* with KAN_INVALID: what, and at which byte */
    size_t wrong_at;
    struct arena arena;
};

/* What yajl takes from a callback. */
enum
{
    STOP = 0,
    GO_ON = 1
};

static int stop(struct reader *r, size_t at, const char *wrong)
{
    r->err = KAN_INVALID;
    r->wrong = wrong;
    r->wrong_at = at;
    return STOP;
}

/* Find where the token that yajl reports begins: yajl says what it is, not
 * where. Only white space and, by the grammar, one comma or colon can be
 * between two tokens. */
static bool token(struct reader *r, size_t *ret_from)
{
    size_t at = r->end;

    while (at < r->size) {
        unsigned char c = r->input[at];
        if (c == '\v' || c == '\f') {
            stop(r, at, "a control character outside a string");
            return false;
        }
        if (c != ' ' && c != ',' && c != ':' && c != '\n' && c != '\r' &&
            c != '\t')
            break;
        at++;
    }
    *ret_from = at;
    return true;
}

/* The value of four hexadecimal digits, which yajl has checked. */
static uint32_t hex4(const unsigned char *p)
{
    uint64_t number = 0;
    enum kan_err err = number_hex(kan_slice(p, 4), &number);
    return err == KAN_OK ? (uint32_t)number : 0;
}

/* Walk over a string with escapes whose content begins at from, and find its
 * closing quote: yajl has seen that it is whole. Halves of surrogate pairs are
 * refused. */
static bool check_escapes(struct reader *r, size_t from, size_t *ret_quote)
{
    const unsigned char *p = r->input;
    size_t at = from;

    while (p[at] != '"') {
        if (p[at] != '\\') {
            at++;
            continue;
        }
        if (p[at + 1] != 'u') {
            at += 2;
            continue;
        }
        uint32_t unit = hex4(p + at + 2);
        if (unit < 0xd800 || unit > 0xdfff) {
            at += 6;
            continue;
        }
        bool pair = unit < 0xdc00 && p[at + 6] == '\\' && p[at + 7] == 'u';
        uint32_t low = pair ? hex4(p + at + 8) : 0;
        if (low < 0xdc00 || low > 0xdfff) {
            stop(r, at, "half of a surrogate pair");
            return false;
        }
        at += 12;
    }
    *ret_quote = at;
    return true;
}

/* Keep a decoded string. All of them together are shorter than the input that
 * is left when the first one is met, so one block holds them. */
static bool keep(struct reader *r, struct kan_slice *text, size_t at)
{
    if (!r->text) {
        r->text = mem_alloc(r->size - at);
        if (!r->text) {
            r->err = KAN_NOMEM;
            return false;
        }
        r->tree->texts = r->text;
    }
    if (text->size)
        memcpy(r->text, text->bytes, text->size);
    text->bytes = r->text;
    r->text += text->size;
    return true;
}

/* A string token, as value or as name: its place, and its text when it is
 * wanted. */
static bool string_token(struct reader *r, const unsigned char *bytes,
                         size_t size, struct kan_slice *ret_raw,
                         struct kan_slice *ret_text)
{
    size_t from;

    if (!token(r, &from))
        return false;
    struct kan_slice text = kan_slice(bytes, size);
    size_t quote = from + 1 + size;
    if (bytes != r->input + from + 1) {
        /* yajl decoded it to memory of its own. */
        if (!check_escapes(r, from + 1, &quote))
            return false;
        if (r->closed_depth == 0 && !keep(r, &text, from))
            return false;
    }
    r->end = quote + 1;
    *ret_raw = kan_slice(r->input + from, r->end - from);
    *ret_text = text;
    return true;
}

/* A new node for the value that begins at from; NULL with the reason set. Its
 * next is right for a value without children. */
static struct json_node *add_node(struct reader *r, enum json_kind kind,
                                  size_t from)
{
    struct json_tree *tree = r->tree;

    if (tree->node_count == tree->capacity) {
        if (tree->node_count >= r->nodes_max) {
            stop(r, from, "more values than the limit allows");
            return NULL;
        }
        uint32_t capacity =
            tree->capacity ? tree->capacity * 2 : JSON_NODES_FIRST;
        if (capacity > r->nodes_max || capacity < tree->capacity)
            capacity = r->nodes_max;
        struct json_node *nodes =
            mem_realloc(tree->nodes, (size_t)capacity * sizeof *nodes);
        if (!nodes) {
            r->err = KAN_NOMEM;
            return NULL;
        }
        tree->nodes = nodes;
        tree->capacity = capacity;
    }
    struct json_node *node = &tree->nodes[tree->node_count++];
    node->kind = kind;
    node->next = tree->node_count;
    node->expanded = false;
    node->name = r->name;
    r->name = kan_slice(NULL, 0);
    return node;
}

/* A value without children. */
static int scalar(struct reader *r, enum json_kind kind, struct kan_slice raw,
                  struct kan_slice text)
{
    r->separator = ',';
    if (r->closed_depth)
        return GO_ON;
    struct json_node *node = add_node(
        r, kind, (size_t)((const unsigned char *)raw.bytes - r->input));
    if (!node)
        return STOP;
    node->raw = raw;
    node->text = text;
    return GO_ON;
}

/* A value that is spelled in size bytes. */
static int on_word(struct reader *r, enum json_kind kind, size_t size)
{
    size_t from;

    if (!token(r, &from))
        return STOP;
    struct kan_slice raw = kan_slice(r->input + from, size);
    r->end = from + size;
    return scalar(r, kind, raw, raw);
}

static int on_null(void *ctx)
{
    return on_word(ctx, JSON_NULL, 4);
}

static int on_boolean(void *ctx, int value)
{
    return on_word(ctx, JSON_BOOL, value ? 4 : 5);
}

static int on_number(void *ctx, const char *bytes, size_t size)
{
    (void)bytes;
    return on_word(ctx, JSON_NUMBER, size);
}

static int on_string(void *ctx, const unsigned char *bytes, size_t size)
{
    struct reader *r = ctx;
    struct kan_slice raw;
    struct kan_slice text;

    if (!string_token(r, bytes, size, &raw, &text))
        return STOP;
    return scalar(r, JSON_STRING, raw, text);
}

static int on_name(void *ctx, const unsigned char *bytes, size_t size)
{
    struct reader *r = ctx;
    struct kan_slice raw;
    struct kan_slice text;

    if (!string_token(r, bytes, size, &raw, &text))
        return STOP;
    r->separator = ':';
    if (r->closed_depth == 0)
        r->name = text;
    return GO_ON;
}

/* An open node's next is its parent, until on_end() knows better: so there is
 * no stack to keep. */
static int on_start(struct reader *r, enum json_kind kind)
{
    size_t from;

    if (!token(r, &from))
        return STOP;
    if (r->depth >= r->depth_max)
        return stop(r, from, "nested deeper than the limit allows");
    r->depth++;
    r->separator = 0;
    r->end = from + 1;
    if (r->closed_depth)
        return GO_ON;
    /* A member has a name even when it is empty. */
    bool closed = r->raw.size > 0 && slice_equal_nocase(r->name, r->raw);
    struct json_node *node = add_node(r, kind, from);
    if (!node)
        return STOP;
    node->expanded = !closed;
    node->raw = kan_slice(r->input + from, 0);
    node->next = r->open;
    r->open = r->tree->node_count - 1;
    if (closed)
        r->closed_depth = r->depth;
    return GO_ON;
}

static int on_end(struct reader *r)
{
    size_t from;

    if (!token(r, &from))
        return STOP;
    r->end = from + 1;
    r->depth--;
    r->separator = ',';
    if (r->closed_depth && r->depth >= r->closed_depth)
        return GO_ON;
    r->closed_depth = 0;
    struct json_node *node = &r->tree->nodes[r->open];
    r->open = node->next;
    node->next = r->tree->node_count;
    node->raw.size =
        (size_t)(r->input + r->end - (const unsigned char *)node->raw.bytes);
    node->text = node->raw;
    return GO_ON;
}

static int on_start_object(void *ctx)
{
    return on_start(ctx, JSON_OBJECT);
}

static int on_end_object(void *ctx)
{
    return on_end(ctx);
}

static int on_start_array(void *ctx)
{
    return on_start(ctx, JSON_ARRAY);
}

static int on_end_array(void *ctx)
{
    return on_end(ctx);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_object,
    .yajl_map_key = on_name,
    .yajl_end_map = on_end_object,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

/* Append yajl's reason, without the ends of "lexical error: invalid char in
 * json text.\n". Returns whether it is of the lexical class. */
static bool append_reason(struct buffer *out, yajl_handle yajl)
{
    struct kan_slice text =
        kan_text((const char *)yajl_get_error(yajl, 0, NULL, 0));
    struct kan_slice reason = text;
    struct kan_slice class;

    (void)slice_cut(&reason, ':', &class);
    reason = slice_trim(reason);
    while (reason.size > 0 && (slice_at(reason, reason.size - 1) == '\n' ||
                               slice_at(reason, reason.size - 1) == '.'))
        reason.size--;
    buffer_append(out, reason);
    return slice_starts(class, SLICE("lexical"));
}

static size_t skip_space(const struct reader *r, size_t at)
{
    static const char space[] = {' ', '\t', '\n', '\r', '\v', '\f'};
    while (at < r->size && memchr(space, r->input[at], sizeof space))
        at++;
    return at;
}

/* The byte that yajl could not take. It tells how much it has consumed, which
 * is in, at or behind the token, by the kind of error; where the token begins
 * is known here. */
static size_t wrong_place(const struct reader *r, bool lexical, bool at_end,
                          size_t consumed)
{
    static const char long_tokens[] = {'"', '-', '0', '1', '2', '3', '4', '5',
                                       '6', '7', '8', '9', 't', 'f', 'n'};
    bool done = r->tree->node_count > 0 && r->open == JSON_NONE;
    size_t at = skip_space(r, r->end);

    if (at_end && !done)
        return r->size;
    if (done || at >= r->size)
        return at;
    if (r->separator && r->input[at] == (unsigned char)r->separator)
        at = skip_space(r, at + 1);
    if (lexical && at < consumed &&
        memchr(long_tokens, r->input[at], sizeof long_tokens))
        at = consumed;
    return at;
}

/* Run yajl over the input. Its memory stays in the arena. */
static enum kan_err run(struct reader *r)
{
    yajl_alloc_funcs memory = {arena_alloc, arena_realloc, arena_free,
                               &r->arena};

    if (setjmp(r->arena.failed))
        return KAN_NOMEM;
    yajl_handle yajl = yajl_alloc(&callbacks, &memory, r);
    /* All of the input has been checked before, and more strictly. */
    (void)yajl_config(yajl, yajl_dont_validate_strings, 1);
    yajl_status status = yajl_parse(yajl, r->input, r->size);
    size_t consumed = yajl_get_bytes_consumed(yajl);
    bool at_end = status == yajl_status_ok;
    if (at_end)
        status = yajl_complete_parse(yajl);
    if (status == yajl_status_ok)
        return KAN_OK;
    if (status == yajl_status_client_canceled)
        return r->err;
    bool lexical = append_reason(&r->tree->message, yajl);
    r->wrong_at = wrong_place(r, lexical, at_end, consumed);
    return KAN_INVALID;
}

/* Put the place behind the reason: "..., line 1, column 5 (byte 4)". */
static void append_place(struct reader *r)
{
    struct buffer *out = &r->tree->message;
    size_t line = 1;
    size_t line_start = 0;

    if (r->wrong)
        buffer_append_text(out, r->wrong);
    for (size_t i = 0; i < r->wrong_at; i++) {
        if (r->input[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    buffer_print(out, " at line %zu, column %zu (byte %zu)", line,
                 r->wrong_at - line_start + 1, r->wrong_at);
}

static enum kan_err read_document(struct reader *r)
{
    struct kan_slice input = kan_slice(r->input, r->size);
    size_t valid = utf8_valid_size(input);
    size_t from;

    if (valid < input.size) {
        stop(r, valid, "bytes that are not UTF-8");
        return r->err;
    }
    enum kan_err err = run(r);
    if (err != KAN_OK)
        return err;
    if (token(r, &from) && from < r->size)
        stop(r, from, "trailing garbage");
    return r->err;
}

enum kan_err json_parse(struct kan_slice input,
                        const struct json_options *options,
                        struct json_tree *tree)
{
    static const struct json_options defaults = {0};
    const struct json_options *o = options ? options : &defaults;
    struct reader r; /* not zeroed: the arena in it is large */

    r.tree = tree;
    r.input = input.size ? input.bytes : (const unsigned char *)"";
    r.size = input.size;
    r.end = 0;
    r.depth = 0;
    r.depth_max = o->depth_max ? o->depth_max : JSON_DEPTH_DEFAULT;
    r.nodes_max = o->nodes_max ? o->nodes_max : JSON_NODES_DEFAULT;
    r.open = JSON_NONE;
    r.closed_depth = 0;
    r.separator = 0;
    r.raw = kan_text(o->raw);
    r.name = kan_slice(NULL, 0);
    r.text = NULL;
    r.err = KAN_OK;
    r.wrong = NULL;
    r.wrong_at = 0;
    r.arena.used = 0;
    list_init(&r.arena.heap);
    enum kan_err err = read_document(&r);
    arena_drop(&r.arena);
    if (err == KAN_INVALID)
        append_place(&r);
    if (err != KAN_OK)
        tree->node_count = 0;
    return err;
}

void json_fini(struct json_tree *tree)
{
    mem_free(tree->nodes);
    mem_free(tree->texts);
    buffer_fini(&tree->message);
    *tree = (struct json_tree){0};
}

/* --- looking into a tree -------------------------------------------------- */

const struct json_node *json_first(const struct json_tree *tree,
                                   const struct json_node *parent)
{
    uint32_t index = (uint32_t)(parent - tree->nodes) + 1;
    return parent->expanded && index < parent->next ? &tree->nodes[index]
                                                    : NULL;
}

const struct json_node *json_next(const struct json_tree *tree,
                                  const struct json_node *parent,
                                  const struct json_node *child)
{
    return child->next < parent->next ? &tree->nodes[child->next] : NULL;
}

const struct json_node *json_member(const struct json_tree *tree,
                                    const struct json_node *object,
                                    const char *name)
{
    struct kan_slice wanted = kan_text(name);
    const struct json_node *exact = NULL;
    const struct json_node *folded = NULL;

    if (object->kind != JSON_OBJECT)
        return NULL;
    for (const struct json_node *child = json_first(tree, object); child;
         child = json_next(tree, object, child)) {
        if (slice_equal(child->name, wanted))
            exact = child;
        else if (slice_equal_nocase(child->name, wanted))
            folded = child;
    }
    return exact ? exact : folded;
}

enum kan_err json_integer(const struct json_node *node, int64_t *ret_number)
{
    if (node->kind != JSON_NUMBER)
        return KAN_INVALID;
    return number_i64(node->text, ret_number);
}

/* --- writing -------------------------------------------------------------- */

/* What a byte of a string becomes: 0 stays; a letter follows a backslash; 'u'
 * is written as \u00XX; 'm' leads a character of several bytes. */
static const char escapes[256] = {
    'u',         'u',           'u',
    'u',         'u',           'u',
    'u',         'u', /* 00 */
    'b',         't',           'n',
    'u',         'f',           'r',
    'u',         'u', /* 08 */
    'u',         'u',           'u',
    'u',         'u',           'u',
    'u',         'u', /* 10 */
    'u',         'u',           'u',
    'u',         'u',           'u',
    'u',         'u', /* 18 */
    ['"'] = '"', ['\\'] = '\\', ['<'] = 'u',
    ['>'] = 'u', ['&'] = 'u',   [0x80 ... 0xff] = 'm',
};

enum
{
    JSON_CHUNK = 256,    /* bytes between two looks at the room there is */
    JSON_ESCAPE_SIZE = 6 /* of the longest escape */
};

/* Write the escape of an ASCII byte to out; returns behind it. */
static char *put_escape(char *out, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";

    *out++ = '\\';
    *out++ = escapes[byte];
    if (escapes[byte] == 'u') {
        *out++ = '0';
        *out++ = '0';
        *out++ = digits[byte >> 4];
        *out++ = digits[byte & 15];
    }
    return out;
}

/* Write the character that text begins with, which is not ASCII, to out; its
 * size in text goes to *ret_size. U+2028 and U+2029 end lines in JavaScript
 * before 2019, so Go's encoder escapes them, and so do we. */
static char *put_wide(char *out, struct kan_slice text, size_t *ret_size)
{
    uint32_t point = 0;
    size_t size = utf8_decode(text, &point);
    const char *escape = NULL;

    if (size == 0)
        escape = "\\ufffd";
    else if (point == 0x2028)
        escape = "\\u2028";
    else if (point == 0x2029)
        escape = "\\u2029";
    *ret_size = size ? size : 1;
    size_t written = escape ? (size_t)JSON_ESCAPE_SIZE : size;
    memcpy(out, escape ? escape : text.bytes, written);
    return out + written;
}

/* Append what stands between the quotes. A chunk at a time has its room made
 * for the worst case, so that bytes are written without a look at the end. */
static void append_content(struct buffer *out, struct kan_slice text)
{
    const unsigned char *p = text.bytes;
    size_t at = 0;

    while (at < text.size) {
        size_t size = text.size - at < JSON_CHUNK ? text.size - at : JSON_CHUNK;
        if (buffer_reserve(out, size * JSON_ESCAPE_SIZE) != KAN_OK) {
            out->failed = true;
            return;
        }
        char *write = out->bytes + out->size;
        size_t end = at + size;
        while (at < end) {
            unsigned char c = p[at];
            size_t taken = 1;
            if (!escapes[c])
                *write++ = (char)c;
            else if (c < 0x80)
                write = put_escape(write, c);
            else
                write = put_wide(write, slice_skip(text, at), &taken);
            at += taken;
        }
        out->size = (size_t)(write - out->bytes);
    }
}

void json_append_string(struct buffer *out, struct kan_slice text)
{
    /* Most often this is all the room that is needed. */
    if (!out->failed && buffer_reserve(out, text.size + 2) != KAN_OK)
        out->failed = true;
    buffer_append_byte(out, '"');
    if (!out->failed)
        append_content(out, text);
    buffer_append_byte(out, '"');
}

void json_append_name(struct buffer *out, const char *name)
{
    char last = out->size ? out->bytes[out->size - 1] : '{';

    if (last != '{' && last != '[' && last != ':')
        buffer_append_byte(out, ',');
    json_append_string(out, kan_text(name));
    buffer_append_byte(out, ':');
}
