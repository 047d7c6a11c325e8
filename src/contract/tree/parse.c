/* parse.c - what all constructs need: tokens, mistakes, lists, memory. */

#include "contract/tree/parse.h"

#include <stdio.h>

#include "base/suggest.h"
#include "base/utf8.h"

/* --- tokens --------------------------------------------------------------- */

enum lex_kind parse_ahead(const struct parse *parse, uint32_t ahead)
{
    const struct lex_token *token = parse_token(parse);

    while (ahead-- && token->kind != LEX_END)
        token++;
    return (enum lex_kind)token->kind;
}

struct kan_slice parse_slice(const struct parse *parse)
{
    return source_slice(parse->source, parse_span(parse));
}

bool parse_take(struct parse *parse, enum lex_kind kind)
{
    if (parse_kind(parse) != kind)
        return false;
    parse_skip(parse);
    return true;
}

bool parse_take_here(struct parse *parse, enum lex_kind kind)
{
    return !parse_line_ends(parse) && parse_take(parse, kind);
}

struct source_span parse_from(const struct parse *parse, uint32_t start)
{
    return (struct source_span){start, parse->tokens[parse->at - 1].end};
}

/* --- mistakes ------------------------------------------------------------- */

/* How a message calls what stands here. */
static void found(const struct parse *parse, char text[96])
{
    struct kan_slice slice = parse_slice(parse);

    if (parse_kind(parse) == LEX_END)
        snprintf(text, 96, "the end of the file");
    else if (parse_kind(parse) == LEX_STRING)
        snprintf(text, 96, "a text");
    else
        snprintf(text, 96, "%.*s", SLICE_ARG(slice_head(slice, 80)));
}

/* An operator at the beginning of a line was meant to go on. */
static const char *line_hint(const struct parse *parse)
{
    switch (parse_kind(parse)) {
    case LEX_AND:
    case LEX_OR:
    case LEX_IN:
    case LEX_BAR:
    case LEX_DOT:
    case LEX_IMPLIES:
    case LEX_EQUAL:
    case LEX_UNEQUAL:
    case LEX_LESS:
    case LEX_AT_MOST:
    case LEX_MORE:
    case LEX_AT_LEAST:
    case LEX_PLUS:
    case LEX_MINUS:
    case LEX_STAR:
    case LEX_SLASH:
    case LEX_PERCENT:
    case LEX_COMMA:
    case LEX_ASSIGN:
        return "a line that goes on ends with its operator: put it at the end "
               "of the line above, or all in parentheses";
    default:
        return NULL;
    }
}

bool parse_expected(struct parse *parse, const char *what, const char *hint)
{
    struct source_span span = parse_span(parse);
    char text[96];

    if (parse_kind(parse) == LEX_WRONG)
        return false; /* told already */
    found(parse, text);
    if (parse_line_ends(parse) && parse->at > 0 && line_hint(parse)) {
        source_fault(parse->source, span, line_hint(parse),
                     "a line cannot begin with %s", text);
        return false;
    }
    if (parse_token(parse)->first && parse->at > 0 &&
        parse->at != parse->item &&
        (parse_kind(parse) == LEX_END || parse->inside == 0)) {
        /* Behind the last token, where it is missing. */
        span.start = parse->tokens[parse->at - 1].end;
        span.end = span.start;
        if (parse_kind(parse) != LEX_END)
            snprintf(text, sizeof text, "the end of the line");
    }
    source_fault(parse->source, span, hint, "expected %s, found %s", what,
                 text);
    return false;
}

bool parse_expect(struct parse *parse, enum lex_kind kind, const char *hint)
{
    return parse_take(parse, kind) ||
           parse_expected(parse, lex_text(kind), hint);
}

bool parse_open(struct parse *parse, const char *hint, uint32_t *ret_open)
{
    *ret_open = parse->at;
    parse_mark(parse, LEX_BODY);
    return parse_expect(parse, LEX_OPEN_BRACE, hint);
}

bool parse_name(struct parse *parse, const char *what, bool heads,
                struct tree_name *ret_name)
{
    enum lex_kind kind = parse_kind(parse);

    if (lex_is_word(kind) && !(heads && lex_is_head(kind)) &&
        (!parse_line_ends(parse) || parse_ahead(parse, 1) == LEX_COLON)) {
        source_fault(parse->source, parse_span(parse), "choose another name",
                     "%s is a reserved word and cannot be %s", lex_text(kind),
                     what);
        /* It was meant as a name: go on as if it were one. */
    } else if (kind != LEX_NAME && !(heads && lex_is_head(kind))) {
        return parse_expected(parse, what,
                              "a name begins with a letter and has letters, "
                              "digits and _");
    }
    *ret_name = (struct tree_name){parse_slice(parse), parse_span(parse)};
    parse_skip(parse);
    return true;
}

bool parse_count(struct parse *parse, const char *what, uint32_t min,
                 uint32_t max, uint32_t *ret_number)
{
    struct kan_slice text = parse_slice(parse);
    uint64_t number = 0;

    if (parse_kind(parse) != LEX_NUMBER)
        return parse_expected(parse, "a number", "write it in digits");
    for (size_t i = 0; i < text.size && number <= UINT32_MAX; i++) {
        if (slice_at(text, i) != '_')
            number = number * 10 + (uint64_t)(slice_at(text, i) - '0');
    }
    if (number < min || number > max) {
        source_fault(
            parse->source, parse_span(parse),
            number < min ? "write a larger one" : "write a smaller one",
            "%s is a number between %u and %u", what, min, max);
        number = min; /* told; what follows is read all the same */
    }
    parse_skip(parse);
    *ret_number = (uint32_t)number;
    return true;
}

void parse_deep(struct parse *parse, struct source_span span)
{
    source_fault(parse->source, span,
                 "join conditions with `and`, use else if, or take a part out: "
                 "a field, a step or a record of its own",
                 "this stands more than %d levels deep", TREE_DEPTH_MAX);
}

bool parse_enter(struct parse *parse)
{
    if (parse->depth >= TREE_DEPTH_MAX) {
        parse_deep(parse, parse_span(parse));
        return false;
    }
    parse->depth++;
    return true;
}

const char *parse_suggest(const struct parse *parse, const char *const *words,
                          size_t count, char text[SOURCE_MESSAGE_MAX])
{
    struct kan_slice word = parse_slice(parse);
    const char *foreign = lex_foreign(word);
    const char *nearest = suggest_nearest(word, words, count);

    if (foreign)
        return foreign;
    if (!nearest)
        return NULL;
    snprintf(text, SOURCE_MESSAGE_MAX, "did you mean %s?", nearest);
    return text;
}

const char *parse_suggest_or(const struct parse *parse,
                             const char *const *words, size_t count,
                             char text[SOURCE_MESSAGE_MAX],
                             const char *otherwise)
{
    const char *hint = parse_suggest(parse, words, count, text);

    return hint ? hint : otherwise;
}

/* --- strings -------------------------------------------------------------- */

/* Four hexadecimal digits at `at`, or -1. */
static int32_t hex4(struct kan_slice text, size_t at)
{
    int32_t value = 0;

    if (text.size < at + 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        unsigned char c = slice_at(text, i);
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The escape at `at` of text: its size, and what it stands for; 0: it is none.
 */
static size_t escape(struct kan_slice text, size_t at, uint32_t *ret_point)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    const char *letter = at + 1 < text.size && slice_at(text, at + 1)
                             ? strchr(letters, slice_at(text, at + 1))
                             : NULL;
    int32_t point;
    int32_t low;

    if (letter) {
        *ret_point = (uint32_t)meant[letter - letters];
        return 2;
    }
    if (at + 1 >= text.size || slice_at(text, at + 1) != 'u')
        return 0;
    point = hex4(text, at + 2);
    if (point <= 0 || (point >= 0xdc00 && point <= 0xdfff))
        return 0;
    *ret_point = (uint32_t)point;
    if (point < 0xd800 || point > 0xdbff)
        return 6;
    low = text.size > at + 7 && slice_at(text, at + 6) == '\\' &&
                  slice_at(text, at + 7) == 'u'
              ? hex4(text, at + 8)
              : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *ret_point =
        0x10000 + ((uint32_t)(point - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    return 12;
}

/* Decode text, without its quotes, to `to`, which has room for as many bytes.
 * start is where it stands in the source. */
static size_t decode(struct parse *parse, struct kan_slice text, uint32_t start,
                     char *to)
{
    size_t size = 0;

    for (size_t at = 0; at < text.size;) {
        unsigned char c = slice_at(text, at);
        uint32_t here = start + (uint32_t)at;
        uint32_t point = c;
        size_t taken = 1;

        if (c == '\\') {
            taken = escape(text, at, &point);
            if (!taken)
                source_fault(parse->source,
                             (struct source_span){here, here + 2},
                             "escapes are those of JSON: \\\" \\\\ \\/ \\b \\f "
                             "\\n \\r \\t \\u0041",
                             "this is no escape");
            size += taken ? utf8_encode(point, to + size) : 0;
            at += taken ? taken : 2;
            continue;
        }
        if (c < 0x20)
            source_fault(parse->source, (struct source_span){here, here + 1},
                         "write \\t for a tab, or \\u00..",
                         "a control character cannot stand in a text");
        to[size++] = (char)c;
        at++;
    }
    return size;
}

bool parse_string(struct parse *parse, const char *what,
                  struct kan_slice *ret_text)
{
    struct kan_slice text = parse_slice(parse);
    struct source_span span = parse_span(parse);
    char *decoded;
    size_t size;

    if (parse_kind(parse) != LEX_STRING)
        return parse_expected(parse, what, "a text stands in double quotes");
    decoded = parse_give(parse, text.size);
    if (!decoded)
        return false;
    /* One that is not closed has been told of. */
    text = kan_slice((const char *)text.bytes + 1,
                     text.size > 1 ? text.size - 2 : 0);
    size = decode(parse, text, span.start + 1, decoded);
    if (size > TREE_TEXT_MAX)
        source_fault(parse->source, span, "make it shorter",
                     "a text has at most %d bytes; this one has %zu",
                     TREE_TEXT_MAX, size);
    parse_skip(parse);
    *ret_text = kan_slice(decoded, size);
    return true;
}

/* --- lists between braces ------------------------------------------------- */

bool parse_separator(struct parse *parse, const char *what)
{
    enum lex_kind kind = parse_kind(parse);
    char text[96];
    const char *hint = "two in one line are separated by ;";

    if (parse_semicolon(parse) || parse_token(parse)->first ||
        kind == LEX_CLOSE_BRACE || kind == LEX_END || kind == LEX_WRONG)
        return true;
    if (kind == LEX_ASSIGN || kind == LEX_EQUAL)
        hint = kind == LEX_ASSIGN ? "== compares; = assigns"
                                  : "= assigns; == compares";
    else if (kind == LEX_COMMA)
        hint = "new lines or ; separate here, no comma";
    else if (kind == LEX_CLOSE_PAREN || kind == LEX_CLOSE_BRACKET)
        hint = "nothing is open that this would close";
    else if (!lex_is_word(kind) && kind != LEX_NAME)
        hint = "what stands before it is whole: is something missing between?";
    found(parse, text);
    source_fault(parse->source, parse_span(parse), hint,
                 "expected a new line or ; behind %s, found %s", what, text);
    return false;
}

void parse_recover(struct parse *parse, uint32_t began)
{
    uint32_t nested = 0;

    parse->inside = 0;
    if (parse->at == began)
        parse_skip(parse);
    while (parse_kind(parse) != LEX_END) {
        const struct lex_token *token = parse_token(parse);

        /* An else has lost its if. */
        if (token->first && token->kind != LEX_ELSE &&
            (nested == 0 || lex_is_head(parse_kind(parse))))
            return;
        if (nested == 0 && token->kind == LEX_CLOSE_BRACE)
            return;
        parse_skip(parse);
        if (token->kind == LEX_OPEN_BRACE)
            nested++;
        else if (token->kind == LEX_CLOSE_BRACE)
            nested--;
        else if (token->kind == LEX_SEMICOLON && nested == 0)
            return;
    }
}

void parse_unclosed(struct parse *parse, uint32_t open)
{
    struct source_span span = parse_span(parse);
    char hint[SOURCE_MESSAGE_MAX];
    char text[96];
    uint32_t line;
    uint32_t column;

    source_place(parse->source, parse->tokens[open].start, &line, &column);
    snprintf(hint, sizeof hint, "the { at line %u, column %u is still open",
             line, column);
    found(parse, text);
    source_fault(parse->source, span, hint, "expected }, found %s", text);
}

bool parse_list_over(struct parse *parse, uint32_t open, bool part)
{
    enum lex_kind kind = parse_kind(parse);
    bool ends = part ? kind <= LEX_SAGA : true;

    if (parse_take(parse, LEX_CLOSE_BRACE))
        return true;
    if (kind != LEX_END &&
        !(lex_is_head(kind) && ends && parse_token(parse)->first &&
          parse_ahead(parse, 1) != LEX_COLON))
        return false;
    parse_unclosed(parse, open);
    return true;
}

/* --- memory --------------------------------------------------------------- */

void *parse_give(struct parse *parse, size_t size)
{
    void *piece = arena_give(&parse->tree->arena, size);

    if (!piece)
        parse->no_memory = true;
    return piece;
}

/* Lists double within the arena, which costs at most as much again. */
void *parse_room(struct parse *parse, void *items, uint32_t count,
                 size_t item_size)
{
    uint32_t capacity = count == 0 ? 1 : count * 2;
    void *larger;

    if (count & (count - 1))
        return items;
    larger = parse_give(parse, capacity * item_size);
    if (larger && count)
        memcpy(larger, items, count * item_size);
    return larger;
}

void *parse_room_upto(struct parse *parse, void *items, uint32_t count,
                      size_t item_size, uint32_t max, const char *what)
{
    if (count < max)
        return parse_room(parse, items, count, item_size);
    source_fault(parse->source, parse_span(parse),
                 "leave some out, or make two of it",
                 "there are more than %u %s here", max, what);
    return NULL;
}
