/* lex.c - one pass over the bytes. Every byte is looked at a bounded number of
 * times, and every token is at least one byte. */

#include "contract/tree/lex.h"

#include "base/alloc.h"
#include "base/utf8.h"

struct reader
{
    struct lex *lex;
    struct source *source;
    const char *text;
    uint32_t size;
    uint32_t at;
    bool first; /* no token yet in this line */
    bool comments;
    bool no_memory;
};

static const char *const texts[LEX_KINDS] = {
#define LEX_TEXT(name, text) [LEX_##name] = text,
    LEX_SIGN_MAP(LEX_TEXT) LEX_WORD_MAP(LEX_TEXT) LEX_HEAD_MAP(LEX_TEXT)
#undef LEX_TEXT
};

const char *lex_text(enum lex_kind kind)
{
    return texts[kind];
}

/* --- bytes ---------------------------------------------------------------- */

static char peek(const struct reader *reader, uint32_t ahead)
{
    return ahead < reader->size - reader->at ? reader->text[reader->at + ahead]
                                             : 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The rest of a run that no token can continue: letters, digits, and all that
 * is beyond ASCII. */
static uint32_t run_end(const struct reader *reader, uint32_t at)
{
    while (at < reader->size &&
           (is_letter(reader->text[at]) || is_digit(reader->text[at]) ||
            (unsigned char)reader->text[at] >= 0x80))
        at++;
    return at;
}

/* Room for one more in a list; what it has become, or NULL. */
static void *room(struct reader *reader, void *items, uint32_t count,
                  uint32_t *capacity, size_t item_size)
{
    uint32_t larger = *capacity ? *capacity * 2 : 256;
    void *moved;

    if (count < *capacity)
        return items;
    moved = mem_realloc(items, larger * item_size);
    if (!moved) {
        reader->no_memory = true;
        reader->at = reader->size;
        return NULL;
    }
    *capacity = larger;
    return moved;
}

/* Note a token of size bytes, and go behind it. */
static void take(struct reader *reader, enum lex_kind kind, uint32_t size)
{
    struct lex *lex = reader->lex;
    struct lex_token *tokens = room(reader, lex->tokens, lex->count,
                                    &lex->capacity, sizeof *lex->tokens);

    if (!tokens)
        return;
    lex->tokens = tokens;
    tokens[lex->count++] = (struct lex_token){.start = reader->at,
                                              .end = reader->at + size,
                                              .kind = (uint8_t)kind,
                                              .first = reader->first};
    reader->first = false;
    reader->at += size;
}

static void wrong(struct reader *reader, uint32_t size, const char *hint,
                  const char *message)
{
    source_fault(reader->source,
                 (struct source_span){reader->at, reader->at + size}, hint,
                 "%s", message);
}

/* --- names and numbers ---------------------------------------------------- */

static enum lex_kind word_kind(const char *word, uint32_t size)
{
    static const uint8_t sizes[LEX_KINDS] = {
#define LEX_SIZE(name, text) [LEX_##name] = sizeof(text) - 1,
        LEX_WORD_MAP(LEX_SIZE) LEX_HEAD_MAP(LEX_SIZE)
#undef LEX_SIZE
    };

    for (int kind = LEX_AND; kind < LEX_KINDS; kind++) {
        if (sizes[kind] == size && texts[kind][0] == word[0] &&
            memcmp(texts[kind], word, size) == 0)
            return (enum lex_kind)kind;
    }
    return LEX_NAME;
}

static const char letters_hint[] =
    "as in total_2; other letters stand in texts and comments";

static void read_name(struct reader *reader)
{
    const char *word = reader->text + reader->at;
    uint32_t end = reader->at;
    uint32_t size;

    while (end < reader->size &&
           (is_letter(reader->text[end]) || is_digit(reader->text[end])))
        end++;
    size = end - reader->at;
    if (run_end(reader, end) != end) {
        wrong(reader, run_end(reader, end) - reader->at, letters_hint,
              "a name has letters a to z, A to Z, digits and _ alone");
        take(reader, LEX_NAME, run_end(reader, end) - reader->at);
    } else if (size > SOURCE_NAME_MAX) {
        wrong(reader, size, "choose a shorter name",
              "a name has at most 64 letters");
        take(reader, LEX_NAME, size);
    } else {
        take(reader, word_kind(word, size), size);
    }
}

static void read_number(struct reader *reader)
{
    uint32_t end = reader->at;
    const char *text = reader->text;
    bool odd = false;

    while (end < reader->size && (is_digit(text[end]) || text[end] == '_')) {
        if (text[end] == '_')
            odd = odd || text[end - 1] == '_' || end + 1 == reader->size ||
                  !is_digit(text[end + 1]);
        end++;
    }
    if (run_end(reader, end) != end) {
        end = run_end(reader, end);
        wrong(reader, end - reader->at,
              "numbers are whole and decimal, as 1_000_000; names do not "
              "begin with a digit",
              "this is neither a number nor a name");
    } else if (odd) {
        wrong(reader, end - reader->at, "as in 1_000_000",
              "_ stands between two digits of a number");
    } else if (end - reader->at > 1 && text[reader->at] == '0') {
        wrong(reader, end - reader->at, "numbers are decimal: leave the 0 out",
              "a number does not begin with 0");
    }
    take(reader, LEX_NUMBER, end - reader->at);
}

/* --- strings and comments ------------------------------------------------- */

static uint32_t line_end(const struct reader *reader)
{
    const char *from = reader->text + reader->at;
    const char *end = memchr(from, '\n', reader->size - reader->at);
    uint32_t at = end ? (uint32_t)(end - reader->text) : reader->size;

    if (end && at > reader->at && reader->text[at - 1] == '\r')
        at--;
    return at;
}

/* Find the end only: what is within is read by whoever wants the text. */
static void read_string(struct reader *reader, char quote)
{
    uint32_t stop = line_end(reader);
    uint32_t at = reader->at + 1;

    while (at < stop && reader->text[at] != quote)
        at += reader->text[at] == '\\' && at + 1 < stop ? 2 : 1;
    if (at >= stop) {
        wrong(reader, stop - reader->at,
              "a text ends in the line that it begins in; \\n in it is a new "
              "line",
              quote == '"' ? "the text is not closed: expected \""
                           : "expected a text in double quotes");
        take(reader, LEX_STRING, stop - reader->at);
        return;
    }
    if (quote != '"')
        wrong(reader, at + 1 - reader->at, "write \"...\"",
              "a text stands in double quotes");
    take(reader, LEX_STRING, at + 1 - reader->at);
}

/* To the end of the line, without the blanks there. */
static void read_comment(struct reader *reader)
{
    uint32_t start = reader->at;
    struct lex *lex = reader->lex;
    struct lex_comment *comments;
    uint32_t end;

    reader->at = line_end(reader);
    end = reader->at;
    while (reader->text[end - 1] == ' ' || reader->text[end - 1] == '\t' ||
           reader->text[end - 1] == '\r')
        end--;
    if (!reader->comments)
        return;
    comments = room(reader, lex->comments, lex->comment_count,
                    &lex->comment_capacity, sizeof *comments);
    if (!comments)
        return;
    lex->comments = comments;
    comments[lex->comment_count++] =
        (struct lex_comment){{start, end}, lex->count, reader->first};
}

/* --- signs ---------------------------------------------------------------- */

static const char sign_hint[] =
    "leave it out: a name has letters, digits and _, and values are "
    "calculated with + - * / %";

/* What other languages write, longest first: a fault, and the token that is
 * meant (LEX_END: all behind it in the line is skipped). */
static const struct
{
    const char *text;
    enum lex_kind kind;
    const char *message;
    const char *hint;
} foreign[] = {
    {"===", LEX_EQUAL, "=== is no sign here", "== compares"},
    {"!==", LEX_UNEQUAL, "!== is no sign here", "!= compares"},
    {"...", LEX_RANGE, "... is no sign here", "a range is written 0 .. 10"},
    {"&&", LEX_AND, "&& is no sign here", "write and"},
    {"||", LEX_OR, "|| is no sign here", "write or"},
    {"//", LEX_END, "// is no sign here",
     "a comment begins with #; a / b divides"},
    {"/*", LEX_END, "/* is no sign here",
     "a comment begins with # and ends with its line"},
    {"++", LEX_WRONG, "++ is no sign here", "write name += 1"},
    {"--", LEX_WRONG, "-- is no sign here",
     "write name -= 1; a comment begins with #"},
    {"*=", LEX_WRONG, "*= is no sign here", "write name = name * ..."},
    {"/=", LEX_WRONG, "/= is no sign here",
     "write name = name / ...; != is unequal"},
    {"**", LEX_STAR, "** is no sign here", "write a * a"},
    {"<>", LEX_UNEQUAL, "<> is no sign here", "write !="},
    {"=<", LEX_AT_MOST, "=< is no sign here", "write <="},
    {":=", LEX_ASSIGN, ":= is no sign here", "write ="},
    {"::", LEX_COLON, ":: is no sign here", "write : or ."},
    {"!", LEX_NOT, "! is no sign here", "write not, or !="},
    {"&", LEX_AND, "& is no sign here", "write and"},
    {"?", LEX_WRONG, "? is no sign here", "write if a then b else c"},
    {"@", LEX_WRONG, "@ is no sign here", sign_hint},
    {"$", LEX_WRONG, "$ is no sign here", sign_hint},
    {"^", LEX_WRONG, "^ is no sign here", sign_hint},
    {"`", LEX_WRONG, "` is no sign here", "a text stands in \"...\""},
    {"\\", LEX_WRONG, "\\ is no sign here",
     "a line goes on behind an operator, or within ( )"},
};

static bool stands(const struct reader *reader, const char *text)
{
    size_t size = strlen(text);

    return size <= reader->size - reader->at &&
           memcmp(reader->text + reader->at, text, size) == 0;
}

/* -1: no sign. */
static int sign_kind(char c, char next)
{
    switch (c) {
    case '{':
        return LEX_OPEN_BRACE;
    case '}':
        return LEX_CLOSE_BRACE;
    case '(':
        return LEX_OPEN_PAREN;
    case ')':
        return LEX_CLOSE_PAREN;
    case '[':
        return LEX_OPEN_BRACKET;
    case ']':
        return LEX_CLOSE_BRACKET;
    case ':':
        return LEX_COLON;
    case ';':
        return LEX_SEMICOLON;
    case ',':
        return LEX_COMMA;
    case '.':
        return next == '.' ? LEX_RANGE : LEX_DOT;
    case '|':
        return LEX_BAR;
    case '~':
        return LEX_TILDE;
    case '=':
        return next == '=' ? LEX_EQUAL : next == '>' ? LEX_IMPLIES : LEX_ASSIGN;
    case '!':
        return next == '=' ? LEX_UNEQUAL : -1;
    case '<':
        return next == '=' ? LEX_AT_MOST : LEX_LESS;
    case '>':
        return next == '=' ? LEX_AT_LEAST : LEX_MORE;
    case '+':
        return next == '=' ? LEX_INCREASE : LEX_PLUS;
    case '-':
        return next == '=' ? LEX_DECREASE : next == '>' ? LEX_ARROW : LEX_MINUS;
    case '*':
        return LEX_STAR;
    case '/':
        return LEX_SLASH;
    case '%':
        return LEX_PERCENT;
    default:
        return -1;
    }
}

static bool read_foreign(struct reader *reader)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        uint32_t size = (uint32_t)strlen(foreign[i].text);

        if (!stands(reader, foreign[i].text) ||
            (size == 1 && sign_kind(peek(reader, 0), peek(reader, 1)) >= 0))
            continue;
        wrong(reader, size, foreign[i].hint, foreign[i].message);
        if (foreign[i].kind == LEX_END)
            reader->at = line_end(reader);
        else
            take(reader, foreign[i].kind, size);
        return true;
    }
    return false;
}

/* A character that stands for nothing. */
static void read_unknown(struct reader *reader)
{
    uint32_t point = 0;
    struct kan_slice rest =
        kan_slice(reader->text + reader->at, reader->size - reader->at);
    uint32_t size = (uint32_t)utf8_decode(rest, &point);
    struct source_span span = {reader->at, reader->at + size};

    if (point == 0x201c || point == 0x201d || point == 0x2018 ||
        point == 0x2019)
        source_fault(reader->source, span, "write \"...\"",
                     "a text stands in straight double quotes");
    else if (point == '\r')
        source_fault(reader->source, span,
                     "lines end with a line feed, or both",
                     "a carriage return alone ends no line");
    else if (point < 0x20 || point == 0x7f || point == 0xa0 ||
             (point >= 0x2000 && point <= 0x206f) || point == 0x3000 ||
             point == 0xfeff)
        source_fault(reader->source, span, "use spaces",
                     "the character U+%04X cannot stand here", point);
    else
        source_fault(
            reader->source,
            (struct source_span){reader->at, run_end(reader, reader->at)},
            letters_hint,
            "a name has letters a to z, A to Z, digits and _ alone");
    take(reader, LEX_WRONG,
         (unsigned char)peek(reader, 0) < 0x80
             ? size
             : run_end(reader, reader->at) - reader->at);
}

static void read_token(struct reader *reader)
{
    char c = peek(reader, 0);
    char next = peek(reader, 1);
    int kind = sign_kind(c, next);

    if (is_letter(c))
        read_name(reader);
    else if (is_digit(c))
        read_number(reader);
    else if (c == '"' || c == '\'')
        read_string(reader, c);
    else if (c == '#')
        read_comment(reader);
    /* a = -b and a |b are right, so that only runs of signs are foreign. */
    else if (read_foreign(reader))
        ;
    else if (kind >= 0)
        take(reader, (enum lex_kind)kind, (uint32_t)strlen(texts[kind]));
    else
        read_unknown(reader);
}

/* --- the text ------------------------------------------------------------- */

/* Whether the bytes are text at all; a fault says what they are otherwise. */
static bool is_text(struct source *source)
{
    struct kan_slice text = buffer_slice(&source->text);
    size_t valid = utf8_valid_size(text);
    const char *nul = text.size ? memchr(text.bytes, 0, text.size) : NULL;
    struct source_span span = {(uint32_t)valid, (uint32_t)valid + 1};

    if (nul && (size_t)(nul - (const char *)text.bytes) < valid) {
        span.start = (uint32_t)(nul - (const char *)text.bytes);
        span.end = span.start + 1;
        source_fault(source, span, "a contract is text in UTF-8",
                     "a byte 0 stands here: this is no text");
        return false;
    }
    if (valid == text.size)
        return true;
    source_fault(source, span, "save the file as UTF-8",
                 slice_starts(text, SLICE("\xff\xfe")) ||
                         slice_starts(text, SLICE("\xfe\xff"))
                     ? "the file is in UTF-16"
                     : "the byte 0x%02x is not UTF-8",
                 slice_at(text, valid));
    return false;
}

enum kan_err lex_read(struct lex *lex, struct source *source, bool comments)
{
    struct reader reader = {.lex = lex,
                            .source = source,
                            .text = source->text.bytes,
                            .size = (uint32_t)source->text.size,
                            .first = true,
                            .comments = comments};

    if (!is_text(source))
        return KAN_INVALID;
    if (slice_starts(buffer_slice(&source->text), SLICE("\xef\xbb\xbf")))
        reader.at = 3;
    while (reader.at < reader.size) {
        char c = reader.text[reader.at];

        if (c == ' ' || c == '\t') {
            reader.at++;
        } else if (c == '\n' || (c == '\r' && peek(&reader, 1) == '\n')) {
            reader.first = true;
            reader.at++;
        } else {
            read_token(&reader);
        }
    }
    reader.first = true;
    take(&reader, LEX_END, 0);
    return reader.no_memory ? KAN_NOMEM : KAN_OK;
}

void lex_fini(struct lex *lex)
{
    mem_free(lex->tokens);
    mem_free(lex->comments);
    memset(lex, 0, sizeof *lex);
}

/* --- words of other languages --------------------------------------------- */

const char *lex_foreign(struct kan_slice word)
{
    static const struct
    {
        const char *word;
        const char *hint;
    } words[] = {
        {"string", "a text with its most bytes is written text(80)"},
        {"str", "a text with its most bytes is written text(80)"},
        {"varchar", "a text with its most bytes is written text(80)"},
        {"char", "a text with its most bytes is written text(80)"},
        {"integer", "write int, or with its bounds int(0 .. 99)"},
        {"number", "write int, or with its bounds int(0 .. 99)"},
        {"long", "write int, or with its bounds int(0 .. 99)"},
        {"uint", "write int, or with its bounds int(0 .. 99)"},
        {"float", "numbers are whole: count in cents, in grams"},
        {"double", "numbers are whole: count in cents, in grams"},
        {"decimal", "numbers are whole: count in cents, in grams"},
        {"boolean", "write bool"},
        {"list", "write set(text(40), 50), or map(int, text(40), 50)"},
        {"array", "write set(text(40), 50), or map(int, text(40), 50)"},
        {"dict", "write map(text(40), int, 50)"},
        {"enum", "an enum is its values: status: open | closed"},
        {"null", "write none"},
        {"nil", "write none"},
        {"None", "write none"},
        {"True", "write true"},
        {"False", "write false"},
        {"struct", "write record NAME { ... }"},
        {"entity", "write type NAME { ... }"},
        {"class", "write type NAME { ... }"},
        {"contract", "write type NAME { ... }"},
        {"function", "write step NAME(...) { ... }"},
        {"fn", "write step NAME(...) { ... }"},
        {"def", "write step NAME(...) { ... }"},
        {"func", "write step NAME(...) { ... }"},
        {"method", "write step NAME(...) { ... }"},
        {"action", "write step NAME(...) { ... }"},
        {"assert", "write require CONDITION else \"why not\""},
        {"ensure", "write require CONDITION else \"why not\""},
        {"elif", "write else if CONDITION { ... }"},
        {"elseif", "write else if CONDITION { ... }"},
        {"return", "a step returns the new state by itself"},
        {"let", "there are no variables: a step assigns to fields"},
        {"var", "there are no variables: a step assigns to fields"},
        {"const", "there are no variables: a step assigns to fields"},
        {"while", "there are no loops: every step ends"},
        {"for", "there are no loops: every step ends"},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (slice_equal(word, kan_text(words[i].word)))
            return words[i].hint;
    }
    return NULL;
}
