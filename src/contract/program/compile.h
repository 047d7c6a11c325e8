/* compile.h - the compiler at work: tables that grow, and the code that is
 * being written. For compile*.c, layout.c and meaning.c alone.
 *
 * Errors stick: once c->err is set, every function goes on without harm and
 * what it returns means nothing. */

#ifndef CONTRACT_PROGRAM_COMPILE_H
#define CONTRACT_PROGRAM_COMPILE_H

#include "contract/program/machine.h"
#include "contract/program/program_inside.h"

enum
{
    COMPILE_ENTITY_ID_MAX = 256 /* CONTRACT_ENTITY_ID_MAX of contract.h */
};

/* A table that grows. */
struct compile_table
{
    char *items;
    uint32_t count;
    uint32_t capacity;
    uint32_t item; /* bytes of one */
};

/* The type that a record of the tree became. */
struct compile_record
{
    const struct tree_record *record;
    uint32_t type;
};

/* The image of a record's defaults, and the code that fills it. */
struct compile_image
{
    const struct tree_field *fields;
    uint32_t type;
    uint32_t at;
    uint32_t code;           /* once compile_images() was called */
    struct source_span span; /* blamed when the code is refused */
};

/* What is compiled: which names stand where. */
struct compile_scope
{
    uint16_t state;         /* the register of the fields; 0: MACHINE_STATE */
    uint32_t parameters;    /* the type of the parameters, or NOTHING */
    uint16_t parameters_in; /* the register they are found by */
    uint32_t old;           /* the type of the old state, or NOTHING */
    uint32_t step;          /* for conditions, or NOTHING */
};

struct compile
{
    const struct tree *tree;
    enum kan_err err;

    struct compile_table types;      /* struct program_type */
    struct compile_table starts;     /* uint32_t */
    struct compile_table members;    /* struct program_inside_member */
    struct compile_table steps;      /* struct program_inside_step */
    struct compile_table ways;       /* struct program_inside_step */
    struct compile_table invariants; /* struct program_inside_invariant */
    struct compile_table conditions; /* struct program_inside_condition */
    struct compile_table names;      /* struct program_inside_name */
    struct compile_table code;       /* struct program_inside_code */
    struct compile_table numbers;    /* int64_t */
    struct compile_table strings;    /* struct program_words */
    struct compile_table views;
    struct compile_table entries;
    struct compile_table nodes;
    struct compile_table columns;
    struct compile_table slots;
    struct compile_table records; /* struct compile_record */
    struct compile_table images;  /* struct compile_image */
    struct compile_table labels;  /* uint32_t: where it stands in the code */
    struct buffer data;           /* texts and images, behind the header */

    uint32_t version;
    uint32_t tally_size;
    uint32_t judge_all;
    struct program_words name;
    struct program_words text;
    struct program_hash hash;
    struct program_hash view_hash;

    struct program_inside_code nowhere; /* written when memory ran out */

    /* Of the code that is being written. */
    struct compile_scope scope;
    uint32_t registers; /* the next free */
    uint32_t temps;     /* the next free byte */
    uint32_t temps_size;
    uint32_t depth;
    struct program_words assigned; /* "lines.count": where the statement's value
                                    * goes; empty outside of assignments */
    bool reads_outside;            /* now or id was read */
    uint64_t reads[PROGRAM_FIELD_WORDS];
    uint64_t writes[PROGRAM_FIELD_WORDS];
};

/* --- compile.c: tables, texts, the whole ---------------------------------- */

void compile_init(struct compile *c, const struct tree *tree);
void compile_fini(struct compile *c);

/* One more of the table, zeroed; its number in *ret_number (may be NULL). NULL
 * when memory ran out. Good until the next one. */
void *compile_add(struct compile *c, struct compile_table *table,
                  uint32_t *ret_number);

#define COMPILE_ITEM(c, table, type, i) (&((type *)(c)->table.items)[i])

/* The text does not fit into a program: a fault at the span, KAN_FULL. */
void compile_full(struct compile *c, struct source_span span, const char *what);

/* Copy bytes into the block, at a multiple of align. NULL bytes: zeros. */
uint32_t compile_data(struct compile *c, const void *bytes, size_t size,
                      uint32_t align);
struct program_words compile_words(struct compile *c, struct kan_slice text);

/* The bytes of a span on one line: without comments, what separates words at
 * the end of a line made one space. */
struct program_words compile_source(struct compile *c, struct source_span span);

/* A routine for each invariant, and judge_all. */
void compile_invariants(struct compile *c, const struct tree_entity *entity);

/* Put everything into one block, and compute its images. */
KAN_MUST_USE enum kan_err compile_end(struct compile *c,
                                      struct program **ret_program);

/* --- layout.c ------------------------------------------------------------- */

struct program_type *compile_type_of(struct compile *c, uint32_t type);

/* The number of a type of the tree. */
uint32_t compile_type(struct compile *c, const struct tree_type *type);

/* A record of these fields, as type number 0 when state is set. The image of
 * its defaults is compiled too. */
uint32_t compile_fields(struct compile *c, const struct tree_field *fields,
                        uint32_t count, struct source_span span, bool state);

/* The code of all images. Only between two pieces of code. */
void compile_images(struct compile *c);

/* Keep the place of type 0 for the state. */
void compile_reserve_state(struct compile *c);

/* --- compile_code.c: instructions ----------------------------------------- */

/* A value under way: a number in a register, or bytes at register + offset. */
struct compile_value
{
    enum tree_type_kind kind;
    uint32_t type; /* NOTHING for BOOL, INT and TEXT */
    bool number;   /* in the register; else at register + offset */
    bool constant; /* a number known now */
    uint16_t reg;
    uint32_t offset;
    int64_t min; /* INT: it lies between; constant: both are it */
    int64_t max;
};

/* Begin code; the number of its first instruction. */
uint32_t compile_begin(struct compile *c, const struct compile_scope *scope);

struct program_inside_code *compile_emit(struct compile *c, enum machine_op op,
                                         uint32_t a, uint32_t b, uint32_t cc);
void compile_emit_xy(struct compile *c, enum machine_op op, uint32_t a,
                     uint32_t b, uint32_t cc, uint32_t x, uint32_t y);
void compile_emit_number(struct compile *c, uint16_t reg, int64_t number);

uint16_t compile_register(struct compile *c, struct source_span span);
uint32_t compile_temp(struct compile *c, uint32_t size,
                      struct source_span span);
uint32_t compile_label(struct compile *c);
void compile_label_here(struct compile *c, uint32_t label);

/* A condition: what refuses. name and words may be empty; names are gathered
 * from up to two expressions, which may be NULL. */
uint32_t compile_condition(struct compile *c, enum program_refusal_kind kind,
                           struct program_words name, struct source_span span,
                           const struct tree_expr *first,
                           const struct tree_expr *second);

/* --- compile_expr.c ------------------------------------------------------- */

struct compile_value compile_expr(struct compile *c,
                                  const struct tree_expr *expr);

/* What lies at register + offset, laid out as type. */
struct compile_value compile_value_at(struct compile *c, uint32_t type,
                                      uint16_t reg, uint32_t offset);

/* The value as a number in a register; the address of bytes in one. */
uint16_t compile_in_register(struct compile *c, struct compile_value value,
                             struct source_span span);
uint16_t compile_address(struct compile *c, struct compile_value value,
                         struct source_span span);

/* A key as FIND and REMOVE take it, for a set or map of type whole: an enum's
 * number is that of the set's. */
uint16_t compile_key(struct compile *c, const struct tree_expr *expr,
                     uint32_t whole);

/* The same as an operand of an instruction: a number, or an address. */
uint16_t compile_operand(struct compile *c, struct compile_value value,
                         struct source_span span);
bool compile_kind_is_number(enum tree_type_kind kind);

/* One level down; the caller takes it back from c->depth. */
void compile_deeper(struct compile *c, const struct tree_expr *expr);

/* `key in whole` as the address that FIND gives. */
uint16_t compile_in(struct compile *c, const struct tree_expr *expr);

/* --- compile_truth.c ------------------------------------------------------ */

/* Jump to the label when the truth of expr is `when`. */
void compile_jump(struct compile *c, const struct tree_expr *expr,
                  uint32_t label, bool when);

/* --- compile_into.c: a value to where it belongs -------------------------- */

/* Where a value goes, and who is named when it does not fit. */
struct compile_goal
{
    uint32_t type;
    uint16_t reg;
    uint32_t offset;
    struct program_words name;
    struct source_span span;
    const struct tree_expr *target; /* for names; or NULL */
    const struct tree_expr *value;
};

/* Compute expr into the goal. What the goal holds must not be read by expr
 * unless it is a scalar or expr is no record literal. */
void compile_into(struct compile *c, const struct tree_expr *expr,
                  struct compile_goal goal);

/* Put a value that is there into the goal. */
void compile_put(struct compile *c, struct compile_value value,
                 struct compile_goal goal);

/* --- compile_statement.c -------------------------------------------------- */

void compile_block(struct compile *c, const struct tree_block *block);

/* require: refuse with the kind unless expr is true. */
void compile_require(struct compile *c, const struct tree_expr *expr,
                     enum program_refusal_kind kind, struct program_words name,
                     struct kan_slice words);

/* --- compile_view.c ------------------------------------------------------- */

void compile_views(struct compile *c, const struct tree_entity *entity);

/* --- meaning.c ------------------------------------------------------------ */

/* The state, bounds, defaults, invariants and steps, as bytes that are the same
 * for what means the same. */
void compile_meaning(const struct program *program,
                     const struct tree_entity *entity, struct buffer *out);
void compile_meaning_views(const struct program *program,
                           const struct tree_entity *entity,
                           struct buffer *out);
void compile_meaning_upgrade(const struct tree_upgrade *upgrade,
                             struct buffer *out);
struct program_hash compile_hash(struct kan_slice bytes);

/* Parts of it: the type and the default of a field, the parameters of a step, a
 * condition, what a step does. expr and block may be NULL. */
void compile_meaning_field(const struct program *program, uint32_t field,
                           struct buffer *out);
void compile_meaning_parameters(const struct program *program, uint32_t step,
                                struct buffer *out);
void compile_meaning_expr(const struct tree_expr *expr, struct buffer *out);
void compile_meaning_block(const struct tree_block *block, struct buffer *out);

#endif /* CONTRACT_PROGRAM_COMPILE_H */
