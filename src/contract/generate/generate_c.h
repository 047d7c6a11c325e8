/* generate_c.h - generated C under way: for generate_c*.c alone.
 *
 * Errors stick: once g->failed is set, every function goes on without harm.
 * Words live in the arena. A value of a contract is a C expression without
 * effects; whatever must be done before it (a look-up, a check that may
 * refuse) is written to the function's body when the value is made. */

#ifndef CONTRACT_GENERATE_GENERATE_C_H
#define CONTRACT_GENERATE_GENERATE_C_H

#include "base/map.h"
#include "contract/generate/generate.h"
#include "contract/generate/states.h"

/* A struct or an enum of the generated header, which types of one layout
 * share. */
struct gen_type
{
    struct gen_type *next;
    const struct tree_type *type;
    const char *tag; /* "account_text_80" */
};

/* How tightly the outermost operator of an expression binds. */
enum gen_bind
{
    GEN_CHOICE,
    GEN_OR,
    GEN_AND,
    GEN_EQUAL,
    GEN_ORDER,
    GEN_SUM,
    GEN_PRODUCT,
    GEN_UNARY,
    GEN_ATOM
};

struct gen_value
{
    enum tree_type_kind kind;
    const struct tree_type *type;
    const char *code;  /* BOOL, INT, ENUM: the number; TEXT: a slice; else the
                        * place where it lies */
    const char *place; /* TEXT: where it lies, or NULL */
    enum gen_bind bind;
    const char *inverse; /* BOOL: the code of the opposite, or NULL */
    enum gen_bind inverse_bind;
    bool constant; /* min is the number */
    bool settled;  /* code means the same after any statement */
    int64_t min;   /* INT: it lies between */
    int64_t max;
};

/* A name that is taken within the function. */
struct gen_local
{
    struct gen_local *next;
    const char *name;
};

struct gen
{
    const struct contract *contract;
    const struct generate_options *options;
    const struct tree *tree;
    const struct tree_entity *entity;
    const struct program *program;
    struct arena arena;
    struct map names; /* of everything outside of functions */
    bool failed;
    struct buffer *header;
    struct buffer *source;

    const char *name;  /* "account", "cart_v1": before every other name */
    const char *upper; /* "ACCOUNT" */
    const char *self;  /* the parameter that is the state */
    struct gen_type *types;
    struct gen_type **types_end;
    struct states states;
    const char *members[TREE_FIELDS_MAX];
    const char *steps[TREE_STEPS_MAX];     /* "account_take_deposit" */
    const char *arguments[TREE_STEPS_MAX]; /* "account_deposit_arguments" */
    const char *numbers[TREE_STEPS_MAX];   /* "ACCOUNT_STEP_DEPOSIT" */
    bool uses_now[TREE_STEPS_MAX];
    bool uses_id[TREE_STEPS_MAX];
    const char *state_tags[TREE_VALUES_MAX]; /* "account_open" */
    const char *any;                         /* "account_any" */

    /* The function that is written. */
    const struct tree_step *step;
    struct buffer *out;
    unsigned depth;
    unsigned temps;
    struct gen_local *locals;
    const char *parameters[TREE_PARAMETERS_MAX];
    const char *fields[TREE_FIELDS_MAX];    /* places of the fields */
    uint64_t written[TREE_FIELDS_MAX / 64]; /* somewhere in the body */
    uint64_t dirty[TREE_FIELDS_MAX / 64];   /* maybe written by now */
    uint64_t apart[TREE_FIELDS_MAX / 64];   /* a refusal may follow */
    const char *assigned; /* "lines.count", where the statement's value goes;
                           * "" outside of assignments */
    bool reads_now;
    bool reads_id;
    uint64_t reads_parameters; /* bits */
    struct buffer reasons;     /* the table of why steps are refused */
    uint32_t reason_count;
};

/* --- generate_c.c --------------------------------------------------------- */

/* account_take(). */
void gen_take_write(struct gen *g);

/* Words in the arena; "" when memory ran out. */
__attribute__((format(printf, 2, 3))) const char *gen_words(struct gen *g,
                                                            const char *format,
                                                            ...);
/* The text of a span on one line, without comments. */
const char *gen_source(struct gen *g, struct source_span span);
/* The same, at most max bytes, fit to stand in a comment of C. */
const char *gen_comment(struct gen *g, struct source_span span, size_t max);
/* The same on as many lines as it has, each after " * ". */
const char *gen_source_lines(struct gen *g, struct source_span span);
/* Bytes as a literal of C. */
const char *gen_literal(struct gen *g, struct kan_slice text);
/* "0", "-5", "INT64_C(10000000000)", "INT64_MIN". */
const char *gen_number(struct gen *g, int64_t number);

/* --- generate_c_name.c ---------------------------------------------------- */

/* A name outside of functions that nothing else has: wanted, or with _ behind
 * it. */
const char *gen_global(struct gen *g, const char *wanted);
/* The same of a struct's tag, whose name a macro may have too. */
const char *gen_global_tag(struct gen *g, const char *wanted);
const char *gen_global_macro(struct gen *g, const char *wanted);
/* Whether C, C++ or their macros may mean something by it. */
bool gen_word_is_taken(struct kan_slice name);
/* The name as a member of a struct. */
const char *gen_member(struct gen *g, struct kan_slice name);
/* The name as a parameter or variable of the function. */
const char *gen_local(struct gen *g, struct kan_slice name);
void gen_locals_clear(struct gen *g);
const char *gen_upper(struct gen *g, const char *name);

/* --- generate_c_type.c ---------------------------------------------------- */

/* The type of a member that holds it; hint names what it first stands for. */
const char *gen_type(struct gen *g, const struct tree_type *type,
                     const char *hint);
const char *gen_tag(struct gen *g, const struct tree_type *type);
/* As a parameter, "int64_t amount"; name "" for the type alone. */
const char *gen_parameter(struct gen *g, const struct tree_type *type,
                          const char *name);
/* Every value of `from` is laid out as one of `to`, and is one. */
bool gen_holds(const struct tree_type *from, const struct tree_type *to);
/* The constant of an enum. */
const char *gen_constant(struct gen *g, const struct tree_type *type,
                         uint32_t number);
/* Name all types of the version, then define them, and what sets and maps can
 * do. */
void gen_types_find(struct gen *g);
void gen_types_write(struct gen *g);
void gen_helpers_write(struct gen *g);

/* --- generate_c_expr.c ---------------------------------------------------- */

struct gen_value gen_expr(struct gen *g, const struct tree_expr *expr);
/* a + b, a - b or a * b of ints. */
struct gen_value gen_compute(struct gen *g, enum tree_operator op,
                             struct gen_value a, struct gen_value b,
                             struct source_span span);
/* The value's code, in brackets when it binds less tightly. */
const char *gen_code(struct gen *g, struct gen_value value, enum gen_bind bind);
/* The value in a variable of its own. */
struct gen_value gen_settle(struct gen *g, struct gen_value value);
/* The opposite of a BOOL. */
struct gen_value gen_not(struct gen *g, struct gen_value value);
/* What lies at a place. */
struct gen_value gen_at(struct gen *g, const struct tree_type *type,
                        const char *place);
/* A variable, zeroed unless it is written whole; its name. */
const char *gen_temp(struct gen *g, const struct tree_type *type, bool zeroed);
/* As it is given to look-ups: a number or a slice. */
const char *gen_key(struct gen *g, struct gen_value value);

/* Numbers in C: BOOL, INT, ENUM. */
bool gen_is_number(enum tree_type_kind kind);
struct gen_value gen_constant_value(struct gen *g, const struct tree_type *type,
                                    enum tree_type_kind kind, int64_t number);
struct gen_value gen_truth(const char *code, enum gen_bind bind);
/* The opposite, whose own is the value again. */
struct gen_value gen_inverted(struct gen *g, struct gen_value of);
/* The place of a record's field. */
const char *gen_member_place(struct gen *g, const struct tree_type *type,
                             const char *place, uint32_t number);

/* --- generate_c_compare.c ------------------------------------------------- */

/* ==, != and the order of numbers and texts. */
struct gen_value gen_compare(struct gen *g, const struct tree_expr *expr);

/* --- generate_c_argument.c ------------------------------------------------ */

void gen_arguments_check(struct gen *g);

/* --- generate_c_into.c ---------------------------------------------------- */

/* Where a value goes, and what is told when it does not fit. */
struct gen_goal
{
    const struct tree_type *type;
    const char *place;
    const char *name; /* "lines.on_hand" */
    struct source_span span;
};

/* Compute the expression, check it, and put it there. Nothing is written to
 * the place before all checks. */
void gen_into(struct gen *g, const struct tree_expr *expr,
              struct gen_goal goal);
void gen_put(struct gen *g, struct gen_value value, struct gen_goal goal);
/* Check that the value fits into the goal; nothing is written there. What fits,
 * of the goal's type. */
struct gen_value gen_fit(struct gen *g, struct gen_value value,
                         struct gen_goal goal);
/* What a value begins with, put to a zeroed place. */
void gen_default(struct gen *g, const struct tree_field *field,
                 const char *place);

/* --- generate_c_step.c ---------------------------------------------------- */

__attribute__((format(printf, 2, 3))) void gen_line(struct gen *g,
                                                    const char *format, ...);
/* Why a step may be refused, in the table; its number. */
uint32_t gen_reason(struct gen *g, enum program_refusal_kind kind,
                    const char *name, struct kan_slice text,
                    struct source_span span, int64_t min, int64_t max);
/* if (condition) return refused. condition NULL: always. value may be NULL. */
void gen_refuse(struct gen *g, const char *condition, uint32_t reason,
                const char *value);
void gen_steps_write(struct gen *g);
void gen_start_write(struct gen *g);
/* Name the parameters of the step. */
void gen_step_begin(struct gen *g, uint32_t step);
/* The declaration of account_take_deposit(), without the semicolon; after
 * gen_steps_write(), and gen_step_begin() of the step. */
const char *gen_step_head(struct gen *g, uint32_t step, const char *function,
                          const char *first);

/* --- generate_c_state.c --------------------------------------------------- */

/* Name the types of the states; none when no guard asks for an enum. */
void gen_states_find(struct gen *g);
void gen_states_declare(struct gen *g);
void gen_states_define(struct gen *g);

#endif /* CONTRACT_GENERATE_GENERATE_C_H */
