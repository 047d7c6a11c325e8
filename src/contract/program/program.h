/* program.h - one version of a contract's type, compiled flat: what its values
 * look like in memory, and what its steps do to them.
 *
 * A program is one block of bytes without pointers in it, made once and then
 * only read; any number of threads may step it. A step is a function of
 * (state, arguments, now, id) and allocates nothing. State and arguments are
 * plain bytes in the layout of their type, canonical: equal values are equal
 * bytes (padding and what is not used is zero, sets and maps are sorted).
 *
 * The layout, each value aligned to its alignment, a whole padded to its own:
 *   bool      1 byte, 0 or 1
 *   int       8 bytes, int64_t, whatever its range
 *   text(n)   uint16_t length, then n bytes, zero behind the length; align 2
 *   enum      uint16_t, the number of its value
 *   optional  the value, then 1 byte: 1 when it is there, else all is zero
 *   record    its fields in order, as a C struct
 *   set, map  uint16_t count, then its elements from the alignment of an
 *             element on (map: key, then value, as a struct), sorted by key,
 *             zero behind count. Order: numbers as numbers, false before
 *             true, texts by bytes with a prefix before what continues it
 * A state is the record of the fields; arguments are the record of the
 * parameters. Generated C has structs of the very same layout.
 *
 * What a step does, where the language leaves it open:
 *   - Statements run one after the other on the state after: an expression
 *     reads what the statements before it have written. The guard comes first.
 *   - In `place = value` the value is computed and its bounds are checked, then
 *     the place is looked for (a missing key), then it is written: a refused
 *     assignment has changed nothing. In `place += value` the place is read
 *     first. A key is checked against the map's key type after the value.
 *   - Operands are computed from left to right. get(...) computes all of its
 *     arguments, also the one that it does not need; and, or, => and if do not.
 *   - A bound of a member is named with its path, without keys: "lines.count".
 *     A key or an element out of its range is named as its map or set.
 *   - `id` has PROGRAM_ID_SIZE bytes, whatever they are. */

#ifndef CONTRACT_PROGRAM_PROGRAM_H
#define CONTRACT_PROGRAM_PROGRAM_H

#include <kan/base.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/json.h"
#include "contract/tree/tree.h"

struct program;

enum
{
    PROGRAM_ID_SIZE = 32,     /* bytes of the text `id`: hexadecimal */
    PROGRAM_STEP_NONE = -1,   /* no such step */
    PROGRAM_BOUNDARY_MAX = 24 /* boundary values of one type */
};

/* Compile a checked version of a type. KAN_NOMEM; KAN_FULL when the state is
 * larger than TREE_STATE_BYTES_MAX, or the program than a program may be (a
 * fault of the source says so); KAN_INVALID when a default cannot be computed.
 * Yours: program_free(). The tree is not needed any more. */
KAN_MUST_USE enum kan_err program_compile(const struct tree *tree,
                                          const struct tree_entity *entity,
                                          struct program **ret_program);

/* NULL is ignored; returns NULL. */
struct program *program_free(struct program *program);

struct kan_slice program_name(const struct program *program);
uint32_t program_version(const struct program *program);

/* What the program means: fields, bounds, defaults, steps, guards, invariants.
 * Views, laws, comments, layout of the text and names of variables that stand
 * for nothing outside do not count, nor do the names of invariants and what a
 * require says: no state depends on them. The order of fields and steps counts.
 * The same on every machine. */
struct program_hash
{
    uint8_t bytes[16];
};
struct program_hash program_hash(const struct program *program);

/* What its views mean, and what the states that they read are. */
struct program_hash program_view_hash(const struct program *program);

/* The text of this version as formatted, from which the same program can be
 * compiled again; it is what an engine keeps. Records it uses are in it. */
struct kan_slice program_text(const struct program *program);

/* --- types of values ------------------------------------------------------ */

/* Types are numbered; 0 is the state. Borrowed from the program. */
struct program_type
{
    enum tree_type_kind kind;
    uint32_t size;  /* bytes in memory */
    uint32_t align; /* 1, 2 or 8 */
    int64_t min;    /* INT */
    int64_t max;
    uint32_t bound;        /* TEXT: bytes; SET, MAP: elements */
    uint32_t of;           /* OPTIONAL, SET, MAP: type of the value */
    uint32_t key;          /* MAP */
    uint32_t member_first; /* RECORD: members; ENUM: names */
    uint32_t member_count;
    uint32_t stride; /* SET, MAP: bytes from element to element */
    uint32_t first;  /* SET, MAP: bytes from the start to the first */
    uint32_t value;  /* MAP: bytes from an element's start to its value */
};

struct program_member
{
    struct kan_slice name;
    uint32_t type;    /* RECORD */
    uint32_t offset;  /* RECORD */
    bool has_default; /* RECORD of arguments: may be left out */
};

uint32_t program_type_count(const struct program *program);
const struct program_type *program_type(const struct program *program,
                                        uint32_t type);
/* number is below member_count of type. */
struct program_member program_member(const struct program *program,
                                     uint32_t type, uint32_t number);

/* --- steps ---------------------------------------------------------------- */

struct program_step
{
    struct kan_slice name;
    bool internal;
    uint32_t arguments; /* the type of its arguments, a record */
};

uint32_t program_step_count(const struct program *program);
struct program_step program_step(const struct program *program, uint32_t step);

/* The step of that name, or PROGRAM_STEP_NONE. */
int32_t program_step_find(const struct program *program, struct kan_slice name);

/* Set every argument that has a default, and zero the others: what a caller
 * starts from. arguments has the size of its type. */
void program_arguments(const struct program *program, uint32_t step,
                       void *arguments);

/* The state in which an entity begins. */
void program_start(const struct program *program, void *state);

/* Whether the starting state satisfies all invariants; tree_check() cannot
 * tell. The name of one that does not hold, or the empty slice. */
struct kan_slice program_start_fault(const struct program *program);

static inline uint32_t program_state_size(const struct program *program)
{
    return program_type(program, 0)->size;
}

/* What a step takes from outside beside its arguments; recorded with it. */
struct program_input
{
    int64_t now_ms;           /* ms since 1970 */
    char id[PROGRAM_ID_SIZE]; /* hexadecimal digits */
};

enum program_refusal_kind
{
    PROGRAM_OK,
    PROGRAM_GUARD,     /* when */
    PROGRAM_REQUIRE,   /* text says why */
    PROGRAM_INVARIANT, /* name says which: the step would leave the type */
    PROGRAM_BOUND,     /* a number outside the range of name */
    PROGRAM_OVERFLOW,  /* of 64 bits */
    PROGRAM_DIVIDE,    /* by zero */
    PROGRAM_MISSING,   /* the key is not in the map `name` */
    PROGRAM_FULL,      /* the set or map `name` */
    PROGRAM_LENGTH     /* a text too long for name */
};

/* Why a step was refused. Slices are borrowed from the program. */
struct program_refusal
{
    enum program_refusal_kind kind;
    uint32_t condition;      /* of every kind: its number, for
                              * program_refusal_values(). It tells conditions
                              * apart within the program. Of an upgrade: of the
                              * version that is reached, or UINT32_MAX */
    struct kan_slice name;   /* INVARIANT: its name; BOUND, MISSING, FULL,
                              * LENGTH: the field, as "lines"; OVERFLOW, DIVIDE:
                              * the field that the value was for, or empty */
    struct kan_slice text;   /* REQUIRE: the text behind else */
    struct kan_slice source; /* the condition, or what could not be computed, as
                              * written */
    int64_t value;           /* BOUND: the number */
    int64_t min;             /* BOUND */
    int64_t max;             /* BOUND: range; FULL, LENGTH: the bound */
};

/* Take a step: after is the state that before leads to. Arguments are in the
 * range of their types, and before satisfies all invariants: only those are
 * judged that read what the step may have written. Returns KAN_OK, or
 * KAN_CONFLICT with *refusal, and then after holds the state as it was when the
 * step was refused (for program_refusal_values()). before and after do not
 * overlap. */
KAN_MUST_USE enum kan_err program_take(const struct program *program,
                                       uint32_t step, const void *before,
                                       const void *arguments,
                                       const struct program_input *input,
                                       void *after,
                                       struct program_refusal *refusal);

/* Whether the step's guard holds and no require or bound forbids it. */
bool program_can(const struct program *program, uint32_t step,
                 const void *state, const void *arguments,
                 const struct program_input *input);

/* The first invariant that the state breaks, in refusal (kind INVARIANT or
 * what could not be computed); KAN_OK when none. */
KAN_MUST_USE enum kan_err program_holds(const struct program *program,
                                        const void *state,
                                        struct program_refusal *refusal);

/* {"balance":3,"amount":5}: the fields and parameters that the refused
 * condition names, as they were. {} when it names none. */
void program_refusal_values(const struct program *program,
                            const struct program_refusal *refusal,
                            uint32_t step, const void *state,
                            const void *arguments, struct buffer *out);

/* One sentence: "insufficient funds", "deposit needs status == open". */
void program_refusal_text(const struct program *program,
                          const struct program_refusal *refusal, uint32_t step,
                          struct buffer *out);

/* Which fields a step may read and may write, as bits of their numbers in
 * words of 64; TREE_FIELDS_MAX / 64 words each. Reads are those of the guard,
 * of the statements and of the invariants that the step may break; a field that
 * is written in part is read too. */
void program_step_fields(const struct program *program, uint32_t step,
                         uint64_t *reads, uint64_t *writes);

/* --- values as bytes, JSON and numbers (value.c, value_json.c) ------------ */

/* Append the value as kept on disk: short, the same on every machine. */
void program_save(const struct program *program, uint32_t type,
                  const void *value, struct buffer *out);

/* Take a value from the head of *bytes. KAN_CORRUPT when what is there is no
 * canonical value of the type; value is untouched then. */
KAN_MUST_USE enum kan_err program_load(const struct program *program,
                                       uint32_t type, struct kan_slice *bytes,
                                       void *value);

/* As JSON: bool; int as a number, beyond 2^53 as a string; text, enum as
 * strings; none as null; record as an object; set as an array; map as an object
 * with keys as text. */
void program_json(const struct program *program, uint32_t type,
                  const void *value, struct buffer *out);

/* Read JSON. value holds the defaults before (program_arguments(), or zeroed);
 * unknown fields, missing ones without a default (within a record optionals may
 * be missing too), wrong types and values out of range are KAN_INVALID with one
 * line in why, which begins with the path: "lines.apple: 100 is not in 1 ..
 * 99"; what value holds is then undefined.
 * Integers may be strings of digits. */
KAN_MUST_USE enum kan_err program_read_json(const struct program *program,
                                            uint32_t type,
                                            const struct json_tree *json,
                                            const struct json_node *node,
                                            void *value, struct buffer *why);

/* For humans, on one line: 3, open, "ann", none, {"apple": 3}; a long text says
 * how it begins and how long it is. */
void program_print(const struct program *program, uint32_t type,
                   const void *value, struct buffer *out);

/* Whether bytes laid out as type are a canonical value of it. */
bool program_valid(const struct program *program, uint32_t type,
                   const void *value);

/* Boundary values of a type, number from 0, at most PROGRAM_BOUNDARY_MAX; false
 * when there is no such number. For numbers: both ends, those beside them, and
 * zero, one and what the program compares them with, as far as in range. For
 * texts: empty, "a", the longest, and those in the program's expressions. */
bool program_boundary(const struct program *program, uint32_t type,
                      uint32_t number, void *value);

/* Whether its boundary values are all the values that the type has. */
bool program_boundary_whole(const struct program *program, uint32_t type);

/* The number-th value of a type that can be a key, each another one, plain ones
 * first; false when there are not so many. value is zeroed. */
bool program_nth(const struct program *program, uint32_t type, uint32_t number,
                 void *value);

/* The i-th number, the i-th text that stands in the program's expressions (of
 * texts some more than once); false behind the last. */
bool program_number(const struct program *program, uint32_t i,
                    int64_t *ret_number);
bool program_string(const struct program *program, uint32_t i,
                    struct kan_slice *ret_text);

/* The n-th way to fill a record with boundary values, all combinations of its
 * members in turn, the first members changing fastest; false beyond the last.
 */
bool program_boundary_arguments(const struct program *program, uint32_t step,
                                uint64_t number, void *arguments);

/* Any value of the type, each draw from choose(data, n): a number below n. */
typedef uint64_t program_choose_cb(void *data, uint64_t n);
void program_any(const struct program *program, uint32_t type,
                 program_choose_cb *choose, void *data, void *value);

#endif /* CONTRACT_PROGRAM_PROGRAM_H */
