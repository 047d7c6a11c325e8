/* parse.h - what the files of the parser share: a place among the tokens, and
 * how a mistake is told.
 *
 * One function a construct. A function that cannot go on has noted a fault (or
 * run out of memory) and returns NULL or false; its caller returns too, up to
 * the next list of statements, members or parts, which skips to where the next
 * one begins (parse_recover_*). Recursion is bounded by TREE_DEPTH_MAX. */

#ifndef CONTRACT_TREE_PARSE_H
#define CONTRACT_TREE_PARSE_H

#include "contract/tree/lex.h"

struct parse
{
    struct tree *tree;
    struct source *source;
    struct lex_token *tokens;
    uint32_t at;
    uint32_t item;   /* the token that the last item began with */
    uint32_t inside; /* ( and [ that are open: newlines do not separate */
    uint32_t depth;  /* of expressions and blocks */
    bool no_memory;
};

/* --- tokens --------------------------------------------------------------- */

static inline const struct lex_token *parse_token(const struct parse *parse)
{
    return &parse->tokens[parse->at];
}

static inline enum lex_kind parse_kind(const struct parse *parse)
{
    return (enum lex_kind)parse->tokens[parse->at].kind;
}

/* The kind of the token behind `ahead` others; the end is behind all. */
enum lex_kind parse_ahead(const struct parse *parse, uint32_t ahead);

/* Whether the token begins a line that continues nothing. */
static inline bool parse_line_ends(const struct parse *parse)
{
    return parse->inside == 0 && parse->tokens[parse->at].first;
}

static inline struct source_span parse_span(const struct parse *parse)
{
    const struct lex_token *token = parse_token(parse);
    return (struct source_span){token->start, token->end};
}

struct kan_slice parse_slice(const struct parse *parse);

static inline void parse_skip(struct parse *parse)
{
    if (parse_kind(parse) != LEX_END)
        parse->at++;
}

/* Go behind the token when it is of the kind; newlines before it are fine. */
bool parse_take(struct parse *parse, enum lex_kind kind);

/* As parse_take(), when it stands in the same line (or within parentheses). */
bool parse_take_here(struct parse *parse, enum lex_kind kind);

/* From start to the end of the token before this. */
struct source_span parse_from(const struct parse *parse, uint32_t start);

/* Note what the token is. */
static inline void parse_mark(struct parse *parse, enum lex_role role)
{
    parse->tokens[parse->at].role = (uint8_t)role;
}

/* Note that an item begins. */
static inline void parse_item(struct parse *parse, enum lex_role role)
{
    parse_mark(parse, role);
    parse->item = parse->at;
}

/* Take the ; between two items, when it is one. */
static inline bool parse_semicolon(struct parse *parse)
{
    if (parse_kind(parse) != LEX_SEMICOLON)
        return false;
    parse_mark(parse, LEX_SEPARATOR);
    parse_skip(parse);
    return true;
}

/* Take the { of a list of items, and tell which token it was. */
bool parse_open(struct parse *parse, const char *hint, uint32_t *ret_open);

/* --- mistakes ------------------------------------------------------------- */

/* Expected what, found the token. hint may be NULL. Returns false. */
bool parse_expected(struct parse *parse, const char *what, const char *hint);

/* Take the sign, or tell that it is missing. */
bool parse_expect(struct parse *parse, enum lex_kind kind, const char *hint);

/* Take a name of a field, parameter, type, ...: what says which. heads: words
 * of the head of a member are names too. */
bool parse_name(struct parse *parse, const char *what, bool heads,
                struct tree_name *ret_name);

/* A number of 32 bits between min and max. what begins the message. */
bool parse_count(struct parse *parse, const char *what, uint32_t min,
                 uint32_t max, uint32_t *ret_number);

/* The decoded text of a string token. */
bool parse_string(struct parse *parse, const char *what,
                  struct kan_slice *ret_text);

/* Enter one level more of expressions and blocks, or tell that it is too deep.
 * Left by parse->depth--. */
bool parse_enter(struct parse *parse);

/* Say that what stands in span is nested too deep. */
void parse_deep(struct parse *parse, struct source_span span);

/* The word among them that the token is close to, as a hint in text ("did you
 * mean step?"), or what a word of another language should be; else NULL. */
/* As parse_suggest(); otherwise when there is nothing to suggest. */
const char *parse_suggest_or(const struct parse *parse,
                             const char *const *words, size_t count,
                             char text[SOURCE_MESSAGE_MAX],
                             const char *otherwise);

const char *parse_suggest(const struct parse *parse, const char *const *words,
                          size_t count, char text[SOURCE_MESSAGE_MAX]);

/* What separates two statements, members, entries: a new line or `;`. Also
 * fine before `}`. what is the one that ends here. */
bool parse_separator(struct parse *parse, const char *what);

/* Skip to the next statement, entry or member: behind a `;`, to the first
 * token of a line, or to the `}` that ends the list; nested { } are skipped
 * whole. Goes on by one token at least when the parser is still at `began`. */
void parse_recover(struct parse *parse, uint32_t began);

/* The } of the { at token open was not found before this token. */
void parse_unclosed(struct parse *parse, uint32_t open);

/* Whether a list between braces is over: at its }, which is taken, or where it
 * must have been forgotten, which is told. `part`: members may begin here, so
 * that only a part of the file (type, saga, ...) ends the list by force. */
bool parse_list_over(struct parse *parse, uint32_t open, bool part);

/* --- memory --------------------------------------------------------------- */

/* Zeroed memory of the tree; NULL notes no_memory. */
void *parse_give(struct parse *parse, size_t size);

/* Room for one more item behind count of them: items, or its copy with more
 * room; NULL as above. Nothing may point into items meanwhile. */
void *parse_room(struct parse *parse, void *items, uint32_t count,
                 size_t item_size);

/* As parse_room(), but beyond max items a fault tells "more than max what". */
void *parse_room_upto(struct parse *parse, void *items, uint32_t count,
                      size_t item_size, uint32_t max, const char *what);

/* --- constructs ----------------------------------------------------------- */

struct tree_expr *parse_expr(struct parse *parse);     /* parse_expr.c */
struct tree_expr *parse_place(struct parse *parse);    /* name, .name, [key] */
struct tree_expr *parse_additive(struct parse *parse); /* of a bound */
/* ( expr, expr, ... ): may be empty. */
bool parse_arguments(struct parse *parse, struct tree_expr ***ret_arguments,
                     uint32_t *ret_count);
struct tree_type *parse_type(struct parse *parse); /* parse_type.c */
/* NAME : type = default. entities: a lone name is kept as the entity. */
bool parse_field(struct parse *parse, const char *what, bool entities,
                 struct tree_field *ret_field);
/* ( field, field, ... ) or nothing. */
bool parse_parameters(struct parse *parse, bool entities,
                      struct tree_field **ret_fields, uint32_t *ret_count);
struct tree_block *parse_block(struct parse *parse); /* parse_step.c */
struct tree_statement *parse_require(struct parse *parse);
bool parse_step(struct parse *parse, struct tree_entity *entity);
bool parse_law(struct parse *parse, struct tree_entity *entity);
bool parse_view(struct parse *parse, struct tree_entity *entity);
bool parse_saga(struct parse *parse);
bool parse_entity(struct parse *parse);
bool parse_record(struct parse *parse);
bool parse_upgrade(struct parse *parse);

/* tree_parse(), that leaves the tokens with their roles, and the comments, in
 * lex. Yours: lex_fini(), in any case. */
KAN_MUST_USE enum kan_err parse_source(struct tree *tree, struct source *source,
                                       struct lex *lex, bool comments);

#endif /* CONTRACT_TREE_PARSE_H */
