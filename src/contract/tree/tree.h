/* tree.h - a contract as a tree: what the parser read (tree_parse), and what
 * names and types mean (tree_check).
 *
 * Nodes live in one arena, are linked by pointers, and never change after
 * tree_check(). Everything that turns a contract into something else (the flat
 * program, C, a document, a picture) reads a checked tree. docs/contract.md
 * has the grammar.
 *
 * What the parser sets is above the line "checked:" of a struct, what
 * tree_check() adds is below it. */

#ifndef CONTRACT_TREE_TREE_H
#define CONTRACT_TREE_TREE_H

#include <kan/base.h>

#include "base/arena.h"
#include "contract/source/source.h"

enum
{
    TREE_DEPTH_MAX = 64,         /* of expressions and blocks */
    TREE_FIELDS_MAX = 256,       /* of a type or a record */
    TREE_VALUES_MAX = 256,       /* of an enum */
    TREE_PARAMETERS_MAX = 32,    /* of a step or a saga */
    TREE_STEPS_MAX = 256,        /* of a type; invariants, laws, views too */
    TREE_SAGA_STEPS_MAX = 16,    /* of a saga */
    TREE_VERSIONS_MAX = 64,      /* of a type in one file */
    TREE_TEXT_MAX = 4096,        /* bytes of a text value */
    TREE_ELEMENTS_MAX = 4096,    /* of a set or a map */
    TREE_STATE_BYTES_MAX = 65536 /* of all fields of a type, laid out */
};

struct tree_name
{
    struct kan_slice text; /* into the source */
    struct source_span span;
};

/* --- types ---------------------------------------------------------------- */

enum tree_type_kind
{
    TREE_BOOL,
    TREE_INT,
    TREE_TEXT,
    TREE_ENUM,
    TREE_RECORD,
    TREE_OPTIONAL, /* of a bool, int, text, enum or record */
    TREE_SET,      /* of bools, ints, texts or enums */
    TREE_MAP,      /* from those, to those, records or optionals */
    TREE_NONE_TYPE /* of `none` where no optional is expected; never stored */
};

struct tree_type
{
    enum tree_type_kind kind;
    struct source_span span;
    int64_t min; /* INT: both ends included; not given: all of 64 bits */
    int64_t max;
    uint32_t size;           /* TEXT: bytes at most; SET, MAP: elements */
    struct tree_type *of;    /* OPTIONAL, SET: what; MAP: of a value */
    struct tree_type *key;   /* MAP */
    struct tree_name *names; /* ENUM: its values, in order */
    uint32_t name_count;
    struct tree_name name; /* RECORD: as written */
    /* checked: */
    struct tree_record *record; /* RECORD */
};

struct tree_expr;

/* A field of a type or a record, or a parameter of a step. */
struct tree_field
{
    struct tree_name name;
    struct tree_type *type;  /* of a saga's parameter: NULL when it is an
                              * entity; then entity says of which type */
    struct tree_expr *value; /* default, or NULL. Checked: NUMBER, STRING,
                              * TRUTH, NONE, NAMED (a constant) or a LITERAL
                              * of those; sums are folded to a NUMBER */
    struct tree_name entity;
    /* checked: */
    uint32_t place;                /* in its list, from 0 */
    struct tree_entity *of_entity; /* the newest version of that type */
};

/* record NAME { fields }, at the top of a file. */
struct tree_record
{
    struct tree_name name;
    struct tree_field *fields;
    uint32_t field_count;
};

/* --- expressions ---------------------------------------------------------- */

enum tree_expr_kind
{
    TREE_NUMBER,
    TREE_STRING,
    TREE_TRUTH,  /* true, false */
    TREE_NONE,   /* none */
    TREE_NAMED,  /* a name; meaning says of what */
    TREE_MEMBER, /* left.name */
    TREE_INDEX,  /* left[right]: the value of a key, refused when not there */
    TREE_UNARY,
    TREE_BINARY,
    TREE_IF,     /* if left then right else third */
    TREE_CALL,   /* a built-in, over arguments */
    TREE_LITERAL /* name { field: value, ... } of a record */
};

enum tree_operator
{
    TREE_NOT,
    TREE_MINUS, /* unary */
    TREE_IMPLIES,
    TREE_OR,
    TREE_AND,
    TREE_EQUAL,
    TREE_UNEQUAL,
    TREE_LESS,
    TREE_AT_MOST,
    TREE_MORE,
    TREE_AT_LEAST,
    TREE_IN, /* a key in a map, an element in a set */
    TREE_ADD,
    TREE_SUBTRACT,
    TREE_MULTIPLY,
    TREE_DIVIDE,   /* towards zero */
    TREE_REMAINDER /* of that; its sign is the dividend's */
};

/* What a name stands for. */
enum tree_meaning
{
    TREE_MEANS_NOTHING,
    TREE_MEANS_FIELD,     /* of this entity; place */
    TREE_MEANS_PARAMETER, /* place */
    TREE_MEANS_CONSTANT,  /* of the enum in type; place is its number */
    TREE_MEANS_NOW,       /* int: ms since 1970, recorded with the step */
    TREE_MEANS_ID,        /* text(32): drawn for the step, recorded with it */
    TREE_MEANS_OLD        /* in an upgrade: the whole other state; only left of
                           * a MEMBER */
};

enum tree_function
{
    TREE_SIZE, /* size(text): bytes; size(set), size(map): elements */
    TREE_GET,  /* get(optional, otherwise), get(map, key, otherwise) */
    TREE_MIN,  /* min(int, int) */
    TREE_MAX   /* max(int, int) */
};

struct tree_expr
{
    enum tree_expr_kind kind;
    struct source_span span;
    int64_t number;        /* NUMBER; TRUTH: 0 or 1 */
    struct kan_slice text; /* STRING: decoded, in the arena */
    struct tree_name name; /* NAMED, MEMBER, CALL, LITERAL */
    enum tree_operator op; /* UNARY (left), BINARY */
    struct tree_expr *left;
    struct tree_expr *right;
    struct tree_expr *third;
    struct tree_expr **arguments; /* CALL; LITERAL: a value a field, in the
                                   * order written */
    struct tree_name *labels;     /* LITERAL: the fields, in that order */
    uint32_t argument_count;
    /* checked: */
    struct tree_type *type;      /* of its value. Where an optional is expected
                                  * and one of what it holds is given, the type
                                  * is the latter's: whoever expects wraps it.
                                  * The type of NONE is the optional expected.
                                  * An IF of which an optional is expected has
                                  * that type, and its branches may be of what
                                  * it holds. What is computed is an int of all
                                  * 64 bits */
    enum tree_meaning meaning;   /* NAMED */
    uint32_t place;              /* NAMED: see above; MEMBER: of the field */
    enum tree_function function; /* CALL */
};

/* --- statements ----------------------------------------------------------- */

enum tree_statement_kind
{
    TREE_REQUIRE,  /* require condition else "text" */
    TREE_ASSIGN,   /* target = value */
    TREE_INCREASE, /* target += value: of an int; into a set */
    TREE_DECREASE, /* target -= value: of an int; out of a set; the key out of a
                    * map. What is not there is not missed */
    TREE_BRANCH    /* if condition { body } else { otherwise } */
};

struct tree_block;

struct tree_statement
{
    enum tree_statement_kind kind;
    struct source_span span;
    struct tree_expr *condition; /* REQUIRE, BRANCH */
    struct kan_slice text;       /* REQUIRE: decoded */
    struct tree_expr *target; /* NAMED; a MEMBER or an INDEX of a target. Only
                               * a whole element of a map may be missing: then
                               * = makes it, += is refused */
    struct tree_expr *value;
    struct tree_block *body;
    struct tree_block *otherwise; /* or NULL */
};

struct tree_block
{
    struct tree_statement **statements;
    uint32_t count;
    struct source_span span;
};

/* --- a type --------------------------------------------------------------- */

struct tree_step
{
    struct tree_name name;
    struct source_span span;
    bool internal; /* only sagas take it */
    struct tree_field *parameters;
    uint32_t parameter_count;
    struct tree_expr *when; /* or NULL */
    struct tree_block *body;
    /* checked: */
    uint32_t place;
};

struct tree_invariant
{
    struct tree_name name;
    struct tree_expr *holds;
};

/* One step in a law: its arguments are names of the law's variables. A
 * variable has the type that all the parameters it stands for share. */
struct tree_law_step
{
    struct tree_name name;
    struct tree_name *arguments;
    uint32_t argument_count;
    /* checked: */
    struct tree_step *step;
    uint32_t *variables; /* of each argument, its place in the law's list */
};

struct tree_law
{
    struct source_span span;
    struct tree_law_step *left; /* `nothing`: count 0 */
    uint32_t left_count;
    struct tree_law_step *right;
    uint32_t right_count;
    bool exact; /* == : the same refusals too */
    /* checked: */
    struct tree_field *variables; /* names and types */
    uint32_t variable_count;
};

enum tree_aggregate
{
    TREE_PLAIN,   /* an expression over the fields; per entity only */
    TREE_COUNT,   /* count(step): events; count(condition): entities */
    TREE_SUM,     /* sum(step.parameter); sum(int over the fields): entities */
    TREE_LEAST,   /* min(...), as sum */
    TREE_MOST,    /* max(...), as sum */
    TREE_LAST,    /* last(step.parameter): any type; of the newest event */
    TREE_PLUS,    /* left + right: of aggregates and numbers */
    TREE_LESS_BY, /* left - right */
    TREE_AMOUNT   /* a number */
};

/* What a view shows. A node of a small tree of its own, as sums have 128 bits.
 * Over no entity or event: count and sum are 0, min, max and last are null;
 * and so is what is computed with them. */
struct tree_measure
{
    enum tree_aggregate kind;
    struct source_span span;
    struct tree_expr *value; /* as parsed: the argument; AMOUNT: a NUMBER */
    struct tree_measure *left;
    struct tree_measure *right;
    /* checked: */
    struct tree_step *step;       /* of events; NULL: over entities, by value */
    struct tree_field *parameter; /* of events, but COUNT */
};

struct tree_view_entry
{
    struct tree_name name;
    struct tree_measure *measure;
};

struct tree_view
{
    struct tree_name name;
    bool over_all;
    struct tree_view_entry *entries;
    uint32_t entry_count;
};

/* type NAME version N { ... } */
struct tree_entity
{
    struct tree_name name;
    struct source_span span; /* of the whole text of this version */
    uint32_t version;        /* 1 when not given */
    struct tree_field *fields;
    uint32_t field_count;
    struct tree_invariant *invariants;
    uint32_t invariant_count;
    struct tree_step *steps;
    uint32_t step_count;
    struct tree_law *laws;
    uint32_t law_count;
    struct tree_view *views;
    uint32_t view_count;
};

/* upgrade NAME FROM -> TO { up { ... } down { ... } }; TO is FROM + 1. Blocks
 * hold ASSIGN and BRANCH alone; fields of one name and a type that the other
 * holds whole are copied before. */
struct tree_upgrade
{
    struct tree_name name;
    struct source_span span;
    uint32_t from;
    uint32_t to;
    struct tree_block *up;   /* or NULL: copies and defaults */
    struct tree_block *down; /* or NULL: there is no way back */
    /* checked: */
    struct tree_entity *old;
    struct tree_entity *new_;
};

/* --- sagas ---------------------------------------------------------------- */

/* entity.step(arguments): of a saga. Arguments are expressions over the
 * saga's parameters that cannot be refused: names and constants. */
struct tree_saga_call
{
    struct tree_name entity;
    struct tree_name name;
    struct tree_expr **arguments;
    uint32_t argument_count;
    struct source_span span;
    /* checked: */
    uint32_t parameter; /* of the saga: which entity */
    struct tree_step *step;
};

struct tree_saga_step
{
    struct tree_saga_call call;
    bool then; /* written behind the pivot: must not be refused */
    bool has_undo;
    struct tree_saga_call undo;
};

/* saga NAME(parameters) { requires, steps }. The pivot is the first step
 * without an undo and without `then`; every one behind it has `then`. */
struct tree_saga
{
    struct tree_name name;
    struct source_span span;
    struct tree_field *parameters; /* values and entities */
    uint32_t parameter_count;
    struct tree_statement **requires; /* REQUIRE; an entity is its id, a text,
                                       * that can be compared */
    uint32_t require_count;
    struct tree_saga_step *steps;
    uint32_t step_count;
    /* checked: */
    uint32_t pivot; /* step_count when there is none: then every step has an
                     * undo, and the last is what decides */
};

/* --- a file --------------------------------------------------------------- */

struct tree
{
    struct source *source; /* borrowed */
    struct arena arena;
    struct tree_entity *entities; /* in the order written */
    uint32_t entity_count;
    struct tree_record *records;
    uint32_t record_count;
    struct tree_upgrade *upgrades;
    uint32_t upgrade_count;
    struct tree_saga *sagas;
    uint32_t saga_count;
};

/* Read the source's text. KAN_INVALID: its faults say why; KAN_NOMEM. The tree
 * is zeroed before, and given to tree_fini() in any case. */
KAN_MUST_USE enum kan_err tree_parse(struct tree *tree, struct source *source);

/* Give names and types their meaning. KAN_INVALID: the source's faults say
 * why; KAN_NOMEM. Only after tree_parse() was fine. */
KAN_MUST_USE enum kan_err tree_check(struct tree *tree);

void tree_fini(struct tree *tree);

/* --- for whoever reads a checked tree ------------------------------------- */

/* The entity of that name and version; version 0: the newest. Or NULL. */
struct tree_entity *tree_entity(const struct tree *tree, struct kan_slice name,
                                uint32_t version);

/* Whether a value of the type `from` is always one of the type `to`: used for
 * copies in upgrades and for compat. Values of an enum are the same by name:
 * their numbers may differ. */
bool tree_type_fits(const struct tree_type *from, const struct tree_type *to);

/* The type in words, as written: "int(0 .. 99)". */
void tree_type_print(const struct tree_type *type, struct buffer *out);

/* --- laying out a text (fmt.c) -------------------------------------------- */

/* The text as `kan fmt` writes it: four spaces a level, one blank line at
 * most, names and types of neighbouring fields aligned, comments where they
 * stood. Formatting twice changes nothing more. KAN_INVALID with the source's
 * faults, KAN_NOMEM; out is untouched then. */
KAN_MUST_USE enum kan_err tree_format(struct source *source,
                                      struct buffer *out);

#endif /* CONTRACT_TREE_TREE_H */
