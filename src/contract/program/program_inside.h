/* program_inside.h - how a program lies in its block, for the files of this
 * folder alone.
 *
 * The block begins with struct program and holds tables, texts, images of
 * values and code; all of them are found by their distance in bytes from the
 * block's start, so that it can be copied anywhere (aligned to 16). It is made
 * by compile.c and trusted by everything else. */

#ifndef CONTRACT_PROGRAM_PROGRAM_INSIDE_H
#define CONTRACT_PROGRAM_PROGRAM_INSIDE_H

#include "contract/program/program.h"

enum
{
    PROGRAM_NONE_U32 = -1, /* as a uint32_t: nothing there */
    PROGRAM_FIELD_WORDS = TREE_FIELDS_MAX / 64,
    PROGRAM_REGISTERS_MAX = 128,    /* of 64 bits, of one frame */
    PROGRAM_TEMPS_SMALL = 1024,     /* bytes of temporaries, as most have */
    PROGRAM_TEMPS_MAX = 256 << 10,  /* and as the largest may have */
    PROGRAM_BLOCK_MAX = 64 << 20,   /* bytes of a program */
    PROGRAM_TALLY_MAX = 1 << 20,    /* bytes of a tally */
    PROGRAM_TYPES_MAX = UINT16_MAX, /* instructions name them in 16 bits */
    PROGRAM_CONDITIONS_MAX = UINT16_MAX
};

#define PROGRAM_NOTHING ((uint32_t)PROGRAM_NONE_U32)

/* Bytes in the block: a name, a text. */
struct program_words
{
    uint32_t at;
    uint32_t size;
};

/* A table in the block. */
struct program_table
{
    uint32_t at;
    uint32_t count;
};

struct program
{
    uint32_t magic; /* PROGRAM_MAGIC */
    uint32_t size;  /* of the whole block */
    uint32_t version;
    uint32_t temps_size; /* bytes of temporaries that its code wants at most */
    struct program_words name;
    struct program_words text; /* program_text() */
    struct program_hash hash;
    struct program_hash view_hash;
    struct program_table types;      /* struct program_type */
    struct program_table starts;     /* uint32_t a type: RECORD: where the image
                                      * of its value with all defaults of its
                                      * fields is, else PROGRAM_NOTHING. Type
                                      * 0: the starting state */
    struct program_table members;    /* struct program_inside_member */
    struct program_table steps;      /* struct program_inside_step */
    struct program_table ways;       /* struct program_inside_step, too: code
                                      * of upgrades and sagas, no steps */
    struct program_table invariants; /* struct program_inside_invariant */
    struct program_table conditions; /* struct program_inside_condition */
    struct program_table names;      /* struct program_inside_name */
    struct program_table code;       /* struct program_inside_code */
    struct program_table numbers;    /* int64_t: what is compared or computed
                                      * with, ascending, each once */
    struct program_table strings;    /* struct program_words: the texts in
                                      * expressions, as often as written */
    struct program_table views;      /* struct program_inside_view */
    struct program_table entries;    /* struct program_inside_entry */
    struct program_table nodes;      /* struct program_inside_node */
    struct program_table columns;    /* struct program_inside_column */
    struct program_table slots; /* uint32_t: nodes with a tally, by place */
    uint32_t tally_size;        /* a multiple of 16 */
    uint32_t judge_all;         /* code that judges every invariant */
};

#define PROGRAM_MAGIC UINT32_C(0x6b70726f) /* "kpro" */

/* Of a RECORD: type, offset, has_default; of an ENUM: the name alone. */
struct program_inside_member
{
    struct program_words name;
    uint32_t type;
    uint32_t offset;
    uint32_t has_default; /* the field or parameter was written with one */
};

struct program_inside_step
{
    struct program_words name;
    uint32_t internal;
    uint32_t arguments; /* type; its start image has the defaults */
    uint32_t code;      /* guard, body, invariants */
    uint32_t pad;
    uint64_t reads[PROGRAM_FIELD_WORDS];
    uint64_t writes[PROGRAM_FIELD_WORDS];
};

struct program_inside_invariant
{
    struct program_words name;
    uint32_t code; /* a routine: judges it, ends with RETURN */
    uint32_t condition;
    uint32_t always; /* it reads more than fields: judge it always */
    uint32_t pad;
    uint64_t reads[PROGRAM_FIELD_WORDS];
};

/* Whatever can refuse a step. */
struct program_inside_condition
{
    uint32_t kind;              /* enum program_refusal_kind; of a computation
                                 * the first that it may be refused with */
    uint32_t step;              /* or PROGRAM_NOTHING */
    struct program_words name;  /* as in struct program_refusal */
    struct program_words words; /* REQUIRE: behind else */
    struct program_words source;
    struct program_table named; /* entries of names: at is the first of them */
    int64_t min;
    int64_t max;
};

/* A field (of type 0) or a parameter (of the step's arguments) that a condition
 * names. */
struct program_inside_name
{
    uint32_t parameter; /* 0, 1 */
    uint32_t member;
};

/* --- code ----------------------------------------------------------------- */

/* One instruction of the machine; run.c says what each does. */
struct program_inside_code
{
    uint16_t op;
    uint16_t a;
    uint16_t b;
    uint16_t c;
    union
    {
        int64_t number;
        struct
        {
            uint32_t x;
            uint32_t y;
        };
    };
};

/* --- views ---------------------------------------------------------------- */

struct program_inside_view
{
    struct program_words name;
    uint32_t over_all;
    uint32_t entry_first;
    uint32_t entry_count;
};

struct program_inside_entry
{
    struct program_words name;
    uint32_t node;
};

/* What is computed, as in struct tree_measure; left and right are nodes, and
 * stand before their parent in the table. */
struct program_inside_node
{
    uint32_t kind; /* enum tree_aggregate */
    uint32_t left; /* PLUS, LESS_BY: nodes */
    uint32_t right;
    uint32_t step;   /* of events; else PROGRAM_NOTHING */
    uint32_t member; /* SUM, LEAST, MOST, LAST of events: the parameter */
    uint32_t type;   /* of the parameter, or of what code gives */
    uint32_t offset; /* of the parameter in the arguments */
    uint32_t code;   /* PLAIN, and aggregates over entities: an expression over
                      * the fields, for program_inside_value(); COUNT: a bool */
    uint32_t tally;  /* aggregates of events in a view per entity: bytes from
                      * the tally's start, see below; else PROGRAM_NOTHING */
    uint32_t column; /* aggregates in a view over all; else PROGRAM_NOTHING */
    int64_t amount;  /* AMOUNT */
};

/* In a tally, at a multiple of 16:
 *   COUNT, SUM   an __int128
 *   LEAST, MOST  an int64_t, then 1 byte: 1 when there is one
 *   LAST         1 byte: 1 when there is one; 16 bytes on, the value as laid
 *                out, padded to a multiple of 16 */

struct program_inside_column
{
    uint32_t kind; /* enum program_column_kind of measure.h */
    uint32_t of_events;
    uint32_t view;
    uint32_t node;
};

/* --- reading the block ---------------------------------------------------- */

static inline const void *program_at(const struct program *program, uint32_t at)
{
    return (const char *)program + at;
}

static inline struct kan_slice program_slice(const struct program *program,
                                             struct program_words words)
{
    return kan_slice(program_at(program, words.at), words.size);
}

/* The i-th of a table of these structures, as
 *     PROGRAM_ITEM(program, steps, struct program_inside_step, 3) */
#define PROGRAM_ITEM(program, table, type, i) \
    (&((const type *)program_at(program, (program)->table.at))[i])

/* The member of a RECORD or the name of an ENUM. */
static inline const struct program_inside_member *program_inside_member(
    const struct program *program, const struct program_type *type,
    uint32_t number)
{
    return PROGRAM_ITEM(program, members, struct program_inside_member,
                        type->member_first + number);
}

/* The image of a RECORD with all defaults of its fields (and zero where there
 * is none), or NULL: zero bytes are the start. */
static inline const void *program_inside_start(const struct program *program,
                                               uint32_t type)
{
    uint32_t at = *PROGRAM_ITEM(program, starts, uint32_t, type);

    return at == PROGRAM_NOTHING ? NULL : program_at(program, at);
}

/* Whether two types are of one layout and mean the same: bytes of one are bytes
 * of the other. Types are numbered by meaning, so one number is enough. */

/* Compare two keys (of sets and maps: bool, int, text, enum) laid out as type,
 * in the order of program.h: below, at or above zero. */
int program_inside_compare(const struct program_type *type, const void *a,
                           const void *b);

/* Compute an expression: the value goes to ret_value, laid out as the type that
 * its node names. arguments may be NULL in views. false when it cannot be
 * computed; ret_value is undefined then. */
bool program_inside_value(const struct program *program, uint32_t code,
                          const void *state, const void *arguments,
                          void *ret_value);

/* As program_take(), every invariant judged: what a test compares with. */
KAN_MUST_USE enum kan_err program_inside_take_all(
    const struct program *program, uint32_t step, const void *before,
    const void *arguments, const struct program_input *input, void *after,
    struct program_refusal *refusal);

#endif /* CONTRACT_PROGRAM_PROGRAM_INSIDE_H */
