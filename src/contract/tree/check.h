/* check.h - what the files of the checker share. Only check*.c include it.
 *
 * A function that looks at an expression returns its type, or NULL when it is
 * wrong and a fault says so. Whoever gets NULL says nothing more: one mistake
 * is one message. The type `unknown` is expected where the other half of an
 * expression was wrong: constants that it would have resolved are then let
 * pass. */

#ifndef CONTRACT_TREE_CHECK_H
#define CONTRACT_TREE_CHECK_H

#include "base/map.h"
#include "contract/tree/tree.h"

enum
{
    TREE_RECORD_DEPTH_MAX = 4,   /* records within records */
    TREE_ENTITY_ID_MAX = 256,    /* an entity in a saga is its id, a text */
    TREE_ID_MAX = 32,            /* bytes of `id` */
    TREE_VERSION_MAX = 1000000,  /* the largest number of a version */
    TREE_LAW_VARIABLES_MAX = 32, /* of a law */
    TREE_TYPE_WORDS = 120,       /* of a type in a message */
    TREE_CANDIDATES_MAX = 512    /* looked at for "did you mean" */
};

struct tree_checker;

/* What is known of a record once its fields are. */
struct tree_record_room
{
    uint64_t size; /* laid out, see program.h */
    uint64_t align;
    uint8_t depth; /* of records within; or a mark of the walk */
    bool starts;   /* it has a value without a default */
};

/* The names of one version of a type. */
struct tree_members
{
    struct tree_entity *entity;
    struct map fields;          /* to struct tree_field */
    struct map steps;           /* to struct tree_step */
    struct tree_members *older; /* another version, as found */
    bool upgraded;              /* from the version before */
    bool broken; /* its fields have faults: what depends on all is not said */
};

/* Where names are looked up, and what may be named there. */
struct tree_scope
{
    const struct tree_members *members;  /* whose fields; NULL: no fields */
    const struct tree_field *parameters; /* or NULL */
    uint32_t parameter_count;
    const struct tree_members *old; /* of an upgrade: what `old` is */
    bool inputs;                    /* `now` and `id` */
    bool fields_written;            /* of an upgrade: fields are targets only */
    const char *where;              /* "an invariant", for messages */
};

struct tree_checker
{
    struct tree *tree;
    struct source *source;
    bool nomem;
    struct map records; /* to struct tree_record */
    struct map types;   /* to struct tree_members: the newest version */
    struct map sagas;   /* to struct tree_saga */
    struct tree_members *members;   /* one an entity, in the tree's order */
    struct tree_record_room *rooms; /* one a record */
    bool records_broken;            /* some hold themselves, or go too deep */
    bool upgrades_broken;           /* one names no versions that are there */
    struct tree_scope scope;
    /* Types that belong to no place in the text. */
    struct tree_type *unknown;
    struct tree_type *boolean;
    struct tree_type *integer; /* all of 64 bits */
    struct tree_type *text;    /* as long as texts can be */
    struct tree_type *id;
    struct tree_type *entity_id;
};

/* --- check.c -------------------------------------------------------------- */

/* size zeroed bytes of the tree's arena; NULL: nomem is set. */
void *tree_check_give(struct tree_checker *c, size_t size);

/* An empty map of names. */
void tree_check_map(struct map *map);

/* Set name in map to node, whose first member is that name, unless there is
 * one: then a fault says that `what` ("field") is there twice, and false is
 * returned. */
bool tree_check_name(struct tree_checker *c, struct map *map,
                     const struct tree_name *name, void *node,
                     const char *what);

/* Say that `what` was named so before. */
void tree_check_twice(struct tree_checker *c, const struct tree_name *name,
                      const struct tree_name *first, const char *what);

/* Say that there are too many; false when there are. */
bool tree_check_limit(struct tree_checker *c, struct source_span span,
                      uint32_t count, uint32_t max, const char *what);

/* "did you mean x?" in hint (SOURCE_MESSAGE_MAX bytes) when a name in words is
 * close to word; otherwise, or when nobody will read it, hint is what it was.
 * False then. */
struct tree_words
{
    const char *list[TREE_CANDIDATES_MAX];
    uint32_t count;
};
void tree_words_add(struct tree_checker *c, struct tree_words *words,
                    struct kan_slice word);
void tree_words_map(struct tree_checker *c, struct tree_words *words,
                    const struct map *map);
bool tree_words_hint(struct tree_checker *c, const struct tree_words *words,
                     struct kan_slice word, char *hint);

/* As tree_words_hint(); and when none is close, what there is to choose from,
 * behind `are`: "its fields: a, b". When there is none, hint is what it
 * was. */
void tree_words_tell(struct tree_checker *c, const struct tree_words *words,
                     struct kan_slice word, const char *are, char *hint);

/* Whether another fault would still be printed. */
static inline bool tree_check_heard(const struct tree_checker *c)
{
    return c->source->fault_count < SOURCE_FAULTS_MAX;
}

/* --- check_type.c --------------------------------------------------------- */

/* Resolve and judge a type as written. */
void tree_check_type(struct tree_checker *c, struct tree_type *type,
                     bool in_record);

/* Records: their types, that none holds itself, how deep they go. */
void tree_check_records(struct tree_checker *c);

/* Types of the fields or parameters, defaults and places. names may be NULL
 * (then there are few). False when one of them is wrong. */
bool tree_check_fields(struct tree_checker *c, struct tree_field *fields,
                       uint32_t count, struct map *names, const char *what);

/* Whether a type has a value to start with, without a default. */
bool tree_type_starts(const struct tree_checker *c,
                      const struct tree_type *type);

/* Bytes of the fields laid out as a struct; see program.h. */
uint64_t tree_fields_size(const struct tree_checker *c,
                          const struct tree_field *fields, uint32_t count);

/* The type names a record that is not there, or holds such a one. */
bool tree_type_broken(const struct tree_type *type);

/* The same values, bounds included. */
bool tree_type_same(const struct tree_type *a, const struct tree_type *b);

/* Whether a value of `from` may stand where one of `to` is expected: bounds are
 * judged at run time. */
bool tree_type_assignable(const struct tree_type *from,
                          const struct tree_type *to);

/* The number of an enum's value, or -1. */
int64_t tree_type_constant(const struct tree_type *type, struct kan_slice name);

/* What the type is in words, cut to fit. */
struct tree_type_words
{
    char text[TREE_TYPE_WORDS];
};
struct tree_type_words tree_type_words(const struct tree_type *type);

/* --- check_expr.c --------------------------------------------------------- */

/* The type of an expression. expected resolves constants and none; it may be
 * NULL. Whether the type is the one expected is not judged. */
struct tree_type *tree_check_expr(struct tree_checker *c,
                                  struct tree_expr *expr,
                                  const struct tree_type *expected);

/* As before, and it must be assignable to `to`, a constant within its
 * bounds. */
struct tree_type *tree_check_value(struct tree_checker *c,
                                   struct tree_expr *expr,
                                   const struct tree_type *to);

/* As before, of whatever length or range: what is compared, not stored. */
struct tree_type *tree_check_wide(struct tree_checker *c,
                                  struct tree_expr *expr,
                                  const struct tree_type *to);

/* A type that holds what both do; one is assignable to the other. */
struct tree_type *tree_type_joined(struct tree_checker *c, struct tree_type *a,
                                   struct tree_type *b);

/* --- check_name.c --------------------------------------------------------- */

static inline bool tree_word_is(struct kan_slice word, const char *text)
{
    return slice_equal(word, kan_text(text));
}

/* The parameter of that name, or NULL. */
const struct tree_field *tree_scope_parameter(const struct tree_scope *scope,
                                              struct kan_slice name);

struct tree_type *tree_check_named(struct tree_checker *c,
                                   struct tree_expr *expr,
                                   const struct tree_type *expected);

/* Whether the expression has no type of its own: a constant of an enum, none,
 * or a choice between such. */
bool tree_check_needs_type(const struct tree_checker *c,
                           const struct tree_expr *expr);

/* --- check_part.c --------------------------------------------------------- */

/* The field of that name, or NULL after a fault. */
const struct tree_field *tree_check_record_field(
    struct tree_checker *c, const struct tree_record *record,
    const struct tree_name *name);

struct tree_type *tree_check_member(struct tree_checker *c,
                                    struct tree_expr *expr);
struct tree_type *tree_check_index(struct tree_checker *c,
                                   struct tree_expr *expr);
struct tree_type *tree_check_call(struct tree_checker *c,
                                  struct tree_expr *expr);
struct tree_type *tree_check_literal(struct tree_checker *c,
                                     struct tree_expr *expr);

/* --- check_constant.c ----------------------------------------------------- */

enum tree_constancy
{
    TREE_VARIES,
    TREE_CONSTANT,
    TREE_OVERFLOWS
};

/* The number that an expression of numbers alone is. */
enum tree_constancy tree_constant_number(const struct tree_expr *expr,
                                         int64_t *ret_number);

/* A constant outside the bounds of `to` is a fault. */
bool tree_check_bounds(struct tree_checker *c, const struct tree_expr *expr,
                       const struct tree_type *to);

/* A checked expression must be a constant; what is computed in it becomes a
 * number. what is said otherwise: "a default is a constant". */
bool tree_check_constant(struct tree_checker *c, struct tree_expr *expr,
                         const char *what);

/* --- check_step.c --------------------------------------------------------- */

void tree_check_block(struct tree_checker *c, struct tree_block *block,
                      bool upgrade);
void tree_check_steps(struct tree_checker *c, struct tree_members *members);
void tree_check_require(struct tree_checker *c,
                        struct tree_statement *statement);

/* --- check_law.c, check_view.c, check_upgrade.c, check_saga.c ------------- */

void tree_check_laws(struct tree_checker *c, struct tree_members *members);
void tree_check_views(struct tree_checker *c, struct tree_members *members);
void tree_check_upgrades(struct tree_checker *c);
void tree_check_sagas(struct tree_checker *c);

/* The step of that name, or NULL after a fault. */
struct tree_step *tree_check_step_named(struct tree_checker *c,
                                        const struct tree_members *members,
                                        const struct tree_name *name);

#endif /* CONTRACT_TREE_CHECK_H */
