/* lex.h - the text of a contract as tokens: what the parser reads, and the
 * formatter lays out.
 *
 * What is written in the manner of another language (&&, //, single quotes) is
 * a fault of the source and the token that was meant, so that the parser goes
 * on without noise. */

#ifndef CONTRACT_TREE_LEX_H
#define CONTRACT_TREE_LEX_H

#include "contract/tree/tree.h"

/* Signs and words by name, text and what a message calls them. */
#define LEX_SIGN_MAP(XX)   \
    XX(OPEN_BRACE, "{")    \
    XX(CLOSE_BRACE, "}")   \
    XX(OPEN_PAREN, "(")    \
    XX(CLOSE_PAREN, ")")   \
    XX(OPEN_BRACKET, "[")  \
    XX(CLOSE_BRACKET, "]") \
    XX(COLON, ":")         \
    XX(SEMICOLON, ";")     \
    XX(COMMA, ",")         \
    XX(DOT, ".")           \
    XX(RANGE, "..")        \
    XX(BAR, "|")           \
    XX(TILDE, "~")         \
    XX(ARROW, "->")        \
    XX(ASSIGN, "=")        \
    XX(INCREASE, "+=")     \
    XX(DECREASE, "-=")     \
    XX(IMPLIES, "=>")      \
    XX(EQUAL, "==")        \
    XX(UNEQUAL, "!=")      \
    XX(LESS, "<")          \
    XX(AT_MOST, "<=")      \
    XX(MORE, ">")          \
    XX(AT_LEAST, ">=")     \
    XX(PLUS, "+")          \
    XX(MINUS, "-")         \
    XX(STAR, "*")          \
    XX(SLASH, "/")         \
    XX(PERCENT, "%")

/* Reserved everywhere. */
#define LEX_WORD_MAP(XX)     \
    XX(AND, "and")           \
    XX(OR, "or")             \
    XX(NOT, "not")           \
    XX(IN, "in")             \
    XX(IF, "if")             \
    XX(THEN, "then")         \
    XX(ELSE, "else")         \
    XX(WHEN, "when")         \
    XX(REQUIRE, "require")   \
    XX(UNDO, "undo")         \
    XX(TRUE, "true")         \
    XX(FALSE, "false")       \
    XX(NONE, "none")         \
    XX(NOTHING, "nothing")   \
    XX(NOW, "now")           \
    XX(ID, "id")             \
    XX(OLD, "old")           \
    XX(BOOL, "bool")         \
    XX(INT, "int")           \
    XX(TEXT, "text")         \
    XX(OPTIONAL, "optional") \
    XX(SET, "set")           \
    XX(MAP, "map")

/* Reserved at the head of a member or of a part of the file: steps and values
 * of enums may have these names. */
#define LEX_HEAD_MAP(XX)       \
    XX(TYPE, "type")           \
    XX(RECORD, "record")       \
    XX(UPGRADE, "upgrade")     \
    XX(SAGA, "saga")           \
    XX(INVARIANT, "invariant") \
    XX(INTERNAL, "internal")   \
    XX(STEP, "step")           \
    XX(LAW, "law")             \
    XX(VIEW, "view")

enum lex_kind
{
    LEX_END,
    LEX_NAME,
    LEX_NUMBER,
    LEX_STRING, /* closed, or a fault has been noted */
    LEX_WRONG,  /* a fault has been noted */
#define LEX_ENUM(name, text) LEX_##name,
    LEX_SIGN_MAP(LEX_ENUM) /**/
    LEX_WORD_MAP(LEX_ENUM) /**/
    LEX_HEAD_MAP(LEX_ENUM) /**/
#undef LEX_ENUM
    LEX_KINDS
};

/* What the parser found a token to be: for the formatter. An item is whatever
 * stands in a line of its own: a statement, a member, a part of the file. */
enum lex_role
{
    LEX_PLAIN,
    LEX_ITEM,       /* begins an item, of a kind that nothing is aligned of */
    LEX_FIELD,      /* begins name: ... of a type, a record or a view */
    LEX_ASSIGNMENT, /* begins name = ... */
    LEX_STEPS,      /* begins a step */
    LEX_LAWS,       /* begins a law */
    LEX_CALLS,      /* begins a step of a saga */
    LEX_WAYS,       /* begins up or down of an upgrade */
    LEX_BODY,       /* the { of a list of items */
    LEX_SEPARATOR,  /* a ; between two items */
    LEX_SIGN        /* a - before a number */
};

struct lex_token
{
    uint32_t start;
    uint32_t end;
    uint8_t kind; /* enum lex_kind */
    uint8_t role; /* enum lex_role */
    bool first;   /* of its line */
};

struct lex_comment
{
    struct source_span span;
    uint32_t before; /* the token that follows */
    bool first;      /* of its line */
};

struct lex
{
    struct lex_token *tokens; /* the last is LEX_END */
    uint32_t count;
    uint32_t capacity;
    struct lex_comment *comments;
    uint32_t comment_count;
    uint32_t comment_capacity;
};

/* Read all of the source's text; comments are kept when asked. Faults go to
 * the source. KAN_INVALID, with a fault: bytes that are no text; KAN_NOMEM.
 * Zeroed before, and given to lex_fini() in any case. */
KAN_MUST_USE enum kan_err lex_read(struct lex *lex, struct source *source,
                                   bool comments);
void lex_fini(struct lex *lex);

/* How a sign or a word is written; NULL for what has no one text. */
const char *lex_text(enum lex_kind kind);

static inline bool lex_is_head(enum lex_kind kind)
{
    return kind >= LEX_TYPE;
}

static inline bool lex_is_word(enum lex_kind kind)
{
    return kind >= LEX_AND;
}

/* The word that is meant by one of another language ("string", "null"), with
 * what to say about it; NULL when it is none. */
const char *lex_foreign(struct kan_slice word);

#endif /* CONTRACT_TREE_LEX_H */
