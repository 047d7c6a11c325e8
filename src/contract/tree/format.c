/* format.c - `kan fmt`: the tokens of a text cut into lines.
 *
 * The lines are the author's, but for what has one right place: an item begins
 * a line, a { ends the head of its item, an else follows its }. An item that
 * was written in one line stays in one when it fits, and is spread otherwise;
 * whether it is depends on its tokens alone, so that formatting twice changes
 * nothing more. Comments stay between the tokens that they stood between. */

#include "contract/tree/format.h"

#include "base/alloc.h"
#include "contract/tree/parse.h"

enum
{
    FRAMES_MAX = 2 * TREE_DEPTH_MAX + 16 /* brackets that can be open */
};

/* What a bracket interrupts. */
struct frame
{
    bool body; /* a list of items; else ( [ or the { of a record */
    bool flat; /* in one line */
    bool item_flat;
    uint32_t indent;
    uint32_t nest;
};

struct walk
{
    const struct source *source;
    const struct lex *lex;
    struct format_lines *lines;
    struct frame frames[FRAMES_MAX];
    uint32_t frame_count;
    uint32_t at;       /* token */
    uint32_t comment;  /* the next */
    uint32_t last_end; /* where the last token or comment ended */
    uint32_t indent;   /* of the item that we are in */
    uint32_t list;     /* indent of the items of the list */
    uint32_t nest;     /* brackets open in this item */
    bool flat;         /* the list is in one line */
    bool item_flat;    /* the item is */
    bool fresh;        /* nothing yet in this list */
    bool closed;       /* the line has its comment: nothing follows in it */
    bool semicolon;    /* one was skipped, in a flat list */
    bool stops;        /* stops of the line are still looked for */
    bool step_plain;   /* the step has parameters */
    uint32_t break_at; /* where the line can be broken; 0: nowhere */
    uint32_t break_nest;
    bool no_memory;
};

static const struct lex_token *token_at(const struct walk *walk, uint32_t at)
{
    return &walk->lex->tokens[at];
}

static struct kan_slice token_text(const struct walk *walk,
                                   const struct lex_token *token)
{
    return source_slice(walk->source,
                        (struct source_span){token->start, token->end});
}

static bool begins_item(const struct lex_token *token)
{
    return token->role >= LEX_ITEM && token->role <= LEX_WAYS;
}

static bool closes(const struct lex_token *token)
{
    return token->kind == LEX_CLOSE_PAREN || token->kind == LEX_CLOSE_BRACKET ||
           token->kind == LEX_CLOSE_BRACE;
}

static bool opens(const struct lex_token *token)
{
    return token->kind == LEX_OPEN_PAREN || token->kind == LEX_OPEN_BRACKET ||
           token->kind == LEX_OPEN_BRACE;
}

/* --- spaces --------------------------------------------------------------- */

/* Whether ( belongs to the word before it, as in size(x). */
static bool is_called(const struct lex_token *token)
{
    return token->kind == LEX_NAME || lex_is_head(token->kind) ||
           (token->kind >= LEX_BOOL && token->kind <= LEX_MAP);
}

/* Whether a space stands between two tokens of one line. */
static bool space_between(const struct lex_token *left,
                          const struct lex_token *right)
{
    switch (right->kind) {
    case LEX_COMMA:
    case LEX_SEMICOLON:
    case LEX_COLON:
    case LEX_CLOSE_PAREN:
    case LEX_CLOSE_BRACKET:
    case LEX_DOT:
    case LEX_OPEN_BRACKET:
        return false;
    case LEX_OPEN_PAREN:
        if (is_called(left))
            return false;
        break;
    default:
        break;
    }
    if (left->role == LEX_SIGN)
        return right->role == LEX_SIGN; /* -- is no sign */
    return left->kind != LEX_OPEN_PAREN && left->kind != LEX_OPEN_BRACKET &&
           left->kind != LEX_DOT;
}

/* Whether a line may end between two tokens that no bracket holds. */
static bool break_between(const struct lex_token *left,
                          const struct lex_token *right)
{
    if (left->role == LEX_SIGN || left->kind == LEX_CLOSE_BRACE)
        return false;
    switch (left->kind) {
    case LEX_COMMA:
    case LEX_ASSIGN:
    case LEX_INCREASE:
    case LEX_DECREASE:
    case LEX_BAR:
    case LEX_TILDE:
    case LEX_AND:
    case LEX_OR:
    case LEX_IMPLIES:
    case LEX_EQUAL:
    case LEX_UNEQUAL:
    case LEX_LESS:
    case LEX_AT_MOST:
    case LEX_MORE:
    case LEX_AT_LEAST:
    case LEX_IN:
    case LEX_PLUS:
    case LEX_MINUS:
    case LEX_STAR:
    case LEX_SLASH:
    case LEX_PERCENT:
        return true;
    default:
        return right->kind == LEX_WHEN || right->kind == LEX_THEN ||
               right->kind == LEX_ELSE || right->kind == LEX_UNDO;
    }
}

/* --- lines ---------------------------------------------------------------- */

static struct format_line *line_now(const struct walk *walk)
{
    return &walk->lines->lines[walk->lines->count - 1];
}

static struct format_line *line_new(struct walk *walk, uint32_t indent)
{
    struct format_lines *lines = walk->lines;
    struct format_line *line;

    if (lines->count == lines->capacity) {
        uint32_t capacity = lines->capacity ? lines->capacity * 2 : 256;
        struct format_line *more =
            mem_realloc(lines->lines, capacity * sizeof *more);

        if (!more) {
            walk->no_memory = true;
            return NULL;
        }
        lines->lines = more;
        lines->capacity = capacity;
    }
    line = &lines->lines[lines->count++];
    memset(line, 0, sizeof *line);
    line->start = (uint32_t)lines->texts.size;
    line->indent = indent;
    walk->closed = false;
    walk->stops = false;
    walk->break_at = 0;
    return line;
}

/* Of a line that goes on with an item: one level for each bracket. */
static uint32_t continued(const struct walk *walk, uint32_t nest)
{
    return walk->indent + FORMAT_INDENT * (nest ? nest : 1);
}

/* Whether a blank line stood before the byte at start. */
static bool blank_before(const struct walk *walk, uint32_t start)
{
    uint32_t lines = 0;

    for (uint32_t i = walk->last_end; i < start; i++)
        lines += walk->source->text.bytes[i] == '\n';
    return lines > 1 && !walk->fresh;
}

/* --- breaking a long line ------------------------------------------------- */

/* Put what stands behind the break into a line of its own. */
static void line_break(struct walk *walk)
{
    struct format_line *line = line_now(walk);
    uint32_t at = walk->break_at;
    uint32_t size = line->size - at;
    uint32_t start = line->start + at;

    line->size = at - 1; /* the space */
    for (int i = 0; i < FORMAT_STOPS; i++) {
        if (line->stops[i].at >= at)
            line->stops[i].at = 0;
    }
    line = line_new(walk, continued(walk, walk->break_nest));
    if (!line)
        return;
    line->start = start;
    line->size = size;
}

/* --- stops ---------------------------------------------------------------- */

static void stop_here(struct format_line *line, int stop, uint32_t width)
{
    line->stops[stop].at = line->size;
    line->stops[stop].width = width;
}

/* Note where the line, whose next token this is, can be aligned. */
static void look_for_stops(struct walk *walk, const struct lex_token *left,
                           const struct lex_token *token)
{
    struct format_line *line = line_now(walk);
    bool body = token->role == LEX_BODY && walk->item_flat;

    if (!walk->stops || walk->nest)
        return;
    switch (line->role) {
    case LEX_FIELD:
        if (left->kind == LEX_COLON && !line->stops[0].at)
            stop_here(line, 0, 0);
        break;
    case LEX_ASSIGNMENT:
        if (!line->stops[0].at &&
            (token->kind == LEX_ASSIGN || token->kind == LEX_INCREASE ||
             token->kind == LEX_DECREASE))
            stop_here(line, 0, token->end - token->start);
        break;
    case LEX_STEPS:
        if (token->kind == LEX_WHEN && !line->stops[0].at && !walk->step_plain)
            stop_here(line, 0, 0);
        if (body && line->stops[0].at)
            stop_here(line, 1, 0);
        break;
    case LEX_LAWS:
        if (token->kind == LEX_TILDE || token->kind == LEX_EQUAL)
            stop_here(line, 0, 0);
        if (left->kind == LEX_TILDE || left->kind == LEX_EQUAL)
            stop_here(line, 1, 0);
        break;
    case LEX_CALLS:
        if (token->kind == LEX_UNDO)
            stop_here(line, 0, 0);
        break;
    case LEX_WAYS:
        if (body)
            stop_here(line, 0, 0);
        break;
    default:
        break;
    }
    if (token->role == LEX_BODY)
        walk->stops = false;
}

/* --- tokens into lines ---------------------------------------------------- */

static void append(struct walk *walk, const struct lex_token *token)
{
    struct format_line *line = line_now(walk);
    struct format_lines *lines = walk->lines;
    struct kan_slice text = token_text(walk, token);

    if (line->size) {
        const struct lex_token *left = token - 1;

        while (left->role == LEX_SEPARATOR)
            left--;
        if (space_between(left, token)) {
            buffer_append_byte(&lines->texts, ' ');
            line->size++;
            if (!closes(token) && (walk->nest || break_between(left, token))) {
                walk->break_at = line->size;
                walk->break_nest = walk->nest;
            }
        }
        look_for_stops(walk, left, token);
    }
    buffer_append(&lines->texts, text);
    line->size += (uint32_t)text.size;
    if (walk->break_at && !walk->flat && !walk->item_flat &&
        line->indent + format_columns(kan_slice(
                           lines->texts.bytes + line->start, line->size)) >
            FORMAT_COLUMNS &&
        !buffer_failed(&lines->texts))
        line_break(walk);
}

/* --- items ---------------------------------------------------------------- */

/* Whether the item that begins here stands in one line, and fits in one. Looks
 * at no more tokens than one line has. */
static bool item_fits(const struct walk *walk)
{
    const struct lex_token *first = token_at(walk, walk->at);
    const struct lex_token *token = first;
    uint32_t columns = walk->list;
    uint32_t nest = 0;

    for (;; token++) {
        if (token->kind == LEX_END ||
            (nest == 0 && token > first &&
             (token->role == LEX_SEPARATOR || begins_item(token))))
            break;
        if (closes(token) && nest-- == 0)
            break;
        nest += opens(token);
        if (token > first && token->first)
            return false;
        if (token > first && space_between(token - 1, token))
            columns++;
        columns += format_columns(token_text(walk, token));
        if (columns > FORMAT_COLUMNS)
            return false;
    }
    /* A comment within would end the line. */
    return walk->comment == walk->lex->comment_count ||
           walk->lex->comments[walk->comment].before >=
               (uint32_t)(token - walk->lex->tokens);
}

static void item_begin(struct walk *walk, const struct lex_token *token)
{
    struct format_line *line;

    walk->nest = 0;
    if (walk->flat) {
        if (walk->semicolon) {
            buffer_append_byte(&walk->lines->texts, ';');
            line_now(walk)->size++;
        }
        walk->semicolon = false;
        append(walk, token);
        return;
    }
    walk->indent = walk->list;
    walk->item_flat = item_fits(walk);
    line = line_new(walk, walk->indent);
    if (!line)
        return;
    line->role = (enum lex_role)token->role;
    line->blank = blank_before(walk, token->start);
    walk->stops = true;
    walk->step_plain = false;
    if (token->role == LEX_STEPS) {
        bool internal = token->kind == LEX_INTERNAL;

        walk->step_plain = token[internal ? 3 : 2].kind == LEX_OPEN_PAREN;
        if (walk->step_plain)
            line->role = LEX_ITEM;
    }
    append(walk, token);
}

/* --- brackets ------------------------------------------------------------- */

static void frame_push(struct walk *walk, bool body)
{
    struct frame *frame = &walk->frames[walk->frame_count++];

    *frame = (struct frame){.body = body,
                            .flat = walk->flat,
                            .item_flat = walk->item_flat,
                            .indent = walk->indent,
                            .nest = walk->nest};
}

/* Whether nothing but separators stands in the list that begins here. */
static bool is_empty(const struct walk *walk)
{
    const struct lex *lex = walk->lex;
    uint32_t at = walk->at + 1;

    while (token_at(walk, at)->role == LEX_SEPARATOR)
        at++;
    return token_at(walk, at)->kind == LEX_CLOSE_BRACE &&
           (walk->comment == lex->comment_count ||
            lex->comments[walk->comment].before > at);
}

static void body_open(struct walk *walk, const struct lex_token *token)
{
    if (walk->closed && !line_new(walk, walk->indent))
        return;
    append(walk, token);
    frame_push(walk, true);
    walk->flat = walk->flat || walk->item_flat || is_empty(walk);
    walk->list = walk->indent + FORMAT_INDENT;
    walk->semicolon = false;
    walk->fresh = true;
}

static void body_close(struct walk *walk, const struct lex_token *token)
{
    const struct frame *frame = &walk->frames[--walk->frame_count];
    bool flat = walk->flat;

    walk->list = frame->indent;
    walk->indent = frame->indent;
    walk->nest = frame->nest;
    walk->flat = frame->flat;
    walk->item_flat = frame->item_flat;
    walk->semicolon = false;
    if (!flat && !line_new(walk, walk->indent))
        return;
    append(walk, token);
}

/* --- the walk ------------------------------------------------------------- */

/* Whether the token belongs to the line of the } before it: an else, and the
 * if behind it. */
static bool joins(const struct lex_token *token)
{
    if (token->kind == LEX_IF && token[-1].kind == LEX_ELSE)
        token--;
    return token->kind == LEX_ELSE && token[-1].kind == LEX_CLOSE_BRACE;
}

/* A token within an item. */
static void within(struct walk *walk, const struct lex_token *token)
{
    bool joined = walk->nest == 0 && joins(token);

    if (closes(token)) {
        walk->frame_count--;
        walk->nest--;
    }
    if (walk->closed || (token->first && !joined)) {
        uint32_t indent = continued(walk, walk->nest);

        if (closes(token) || joined)
            indent = walk->indent + FORMAT_INDENT * walk->nest;
        if (!line_new(walk, indent))
            return;
    }
    append(walk, token);
    if (opens(token)) {
        frame_push(walk, false);
        walk->nest++;
    }
}

static void comment(struct walk *walk, const struct lex_comment *one)
{
    const struct lex_token *next = token_at(walk, one->before);
    struct format_lines *lines = walk->lines;
    struct format_line *line;
    bool between =
        begins_item(next) || next->role == LEX_SEPARATOR ||
        next->kind == LEX_END ||
        (next->kind == LEX_CLOSE_BRACE && walk->frame_count &&
         walk->frames[walk->frame_count - 1].body && walk->nest == 0);

    if (!one->first && lines->count && !walk->closed && line_now(walk)->size) {
        line_now(walk)->comment = one->span;
        walk->closed = true;
    } else {
        line =
            line_new(walk, between ? walk->list : continued(walk, walk->nest));
        if (!line)
            return;
        line->comment = one->span;
        line->blank = between && blank_before(walk, one->span.start);
        walk->closed = true;
        walk->fresh = false;
    }
    walk->last_end = one->span.end;
}

static void token(struct walk *walk, const struct lex_token *token)
{
    bool body = walk->frame_count && walk->frames[walk->frame_count - 1].body;

    if (token->role == LEX_SEPARATOR)
        walk->semicolon = true;
    else if (begins_item(token))
        item_begin(walk, token);
    else if (token->role == LEX_BODY)
        body_open(walk, token);
    else if (token->kind == LEX_CLOSE_BRACE && body)
        body_close(walk, token);
    else
        within(walk, token);
    if (token->role != LEX_BODY)
        walk->fresh = walk->fresh && token->role == LEX_SEPARATOR;
    walk->last_end = token->end;
}

static void walk_all(struct walk *walk)
{
    const struct lex *lex = walk->lex;

    walk->fresh = true;
    for (; walk->at < lex->count && !walk->no_memory; walk->at++) {
        while (walk->comment < lex->comment_count && !walk->no_memory &&
               lex->comments[walk->comment].before == walk->at)
            comment(walk, &lex->comments[walk->comment++]);
        if (walk->at + 1 < lex->count && !walk->no_memory)
            token(walk, token_at(walk, walk->at));
    }
    if (buffer_failed(&walk->lines->texts))
        walk->no_memory = true;
}

enum kan_err tree_format(struct source *source, struct buffer *out)
{
    struct tree tree = {0};
    struct lex lex = {0};
    struct format_lines lines = {0};
    struct walk walk = {.source = source, .lex = &lex, .lines = &lines};
    struct buffer text = BUFFER_INIT;
    enum kan_err err = parse_source(&tree, source, &lex, true);

    tree_fini(&tree);
    if (err == KAN_OK) {
        walk_all(&walk);
        if (!walk.no_memory)
            format_align(source, &lines, &text);
        if (!walk.no_memory && !buffer_failed(&text) &&
            buffer_reserve(out, text.size) == KAN_OK)
            buffer_append(out, buffer_slice(&text));
        else
            err = KAN_NOMEM;
    }
    buffer_fini(&text);
    buffer_fini(&lines.texts);
    mem_free(lines.lines);
    lex_fini(&lex);
    return err;
}
