/* machine.h - the machine that takes steps: its instructions and registers.
 *
 * A frame is registers of 64 bits, each a number or an address, and bytes for
 * temporaries. Code only jumps forward, so it ends. An instruction names
 * registers in a, b, c and has two words x, y, or one number. */

#ifndef CONTRACT_PROGRAM_MACHINE_H
#define CONTRACT_PROGRAM_MACHINE_H

#include "contract/program/program_inside.h"

/* The registers that a frame begins with: addresses. */
enum machine_register
{
    MACHINE_STATE,     /* the fields, which the code may change */
    MACHINE_ARGUMENTS, /* of the step */
    MACHINE_BLOCK,     /* the program: constants */
    MACHINE_TEMPS,     /* temporaries of this frame */
    MACHINE_OLD,       /* in an upgrade: the other state */
    MACHINE_RESULT,    /* where an expression's value goes */
    MACHINE_INPUT,     /* struct program_input */
    MACHINE_FIRST      /* the first that is free */
};

/* [r + x] is memory at the address in r plus x. `refuse` means with the
 * condition of that number. Jumps go to instruction x. */
#define MACHINE_OPS(XX)                                                      \
    XX(END)     /* fine */                                                   \
    XX(CALL)    /* the routine at x; one level */                            \
    XX(RETURN)  /* from it */                                                \
    XX(JUDGE)   /* END when only that is asked; to judge_all when all is */  \
    XX(REFUSE)  /* x */                                                      \
    XX(JUMP)    /* always */                                                 \
    XX(JUMP_IF) /* a is not 0 */                                             \
    XX(JUMP_UNLESS)                                                          \
    XX(JUMP_EQ)    /* a == b */                                              \
    XX(JUMP_NE)    /* */                                                     \
    XX(JUMP_LT)    /* */                                                     \
    XX(JUMP_LE)    /* */                                                     \
    XX(JUMP_EQ_N)  /* a == y, as int32_t */                                  \
    XX(JUMP_NE_N)  /* */                                                     \
    XX(JUMP_LT_N)  /* */                                                     \
    XX(JUMP_LE_N)  /* */                                                     \
    XX(JUMP_GT_N)  /* */                                                     \
    XX(JUMP_GE_N)  /* */                                                     \
    XX(LOAD8)      /* a = [b + x] */                                         \
    XX(LOAD16)     /* */                                                     \
    XX(LOAD64)     /* */                                                     \
    XX(STORE8)     /* [b + x] = a */                                         \
    XX(STORE16)    /* */                                                     \
    XX(STORE64)    /* */                                                     \
    XX(STORE_IN)   /* STORE64, refuse c unless a is in its range */          \
    XX(ADDRESS)    /* a = b + x */                                           \
    XX(MOVE)       /* a = b */                                               \
    XX(NUMBER)     /* a = number */                                          \
    XX(ADD)        /* a = b + c, refuse x */                                 \
    XX(SUBTRACT)   /* */                                                     \
    XX(MULTIPLY)   /* */                                                     \
    XX(DIVIDE)     /* */                                                     \
    XX(REMAINDER)  /* */                                                     \
    XX(LEAST)      /* a = the smaller of b, c */                             \
    XX(MOST)       /* */                                                     \
    XX(SAME_BYTES) /* a = x bytes at b and c are the same */                 \
    XX(SAME_TEXT)  /* a = texts at b and c are */                            \
    XX(SAME_VALUE) /* a = values at b, of type x, and c, of type y, are */   \
    XX(ORDER_TEXT) /* a = -1, 0, 1: text at b below, as, above that at c */  \
    XX(COPY)       /* [b + x] = y bytes at a, which may overlap */           \
    XX(ZERO)       /* [b + x] = y zeros */                                   \
    XX(COPY_TEXT)  /* [b + x], a text(y) = the text at a, refuse c */        \
    XX(CONVERT) /* [b + x] = the value at a; y: its type, and then that of \
                     * the place in the high half; refuse c */ \
    XX(NAME_OF) /* a = the number in enum y of the name b in enum x; -1 */   \
    XX(FIND)    /* a = where c is in the set or map at b, of type x: of a \
                     * map the value's address; 0 when it is not there */  \
    XX(NEED)    /* the same, refuse y when not there */                      \
    XX(INSERT)  /* as FIND, made when not there; refuse y when full */       \
    XX(REMOVE)  /* take c out of the one at b */                             \
    XX(ID)      /* a = the text `id`, put at temporary x */

enum machine_op
{
#define MACHINE_ENUM(name) MACHINE_##name,
    MACHINE_OPS(MACHINE_ENUM)
#undef MACHINE_ENUM
};

union machine_cell
{
    int64_t number;
    uint64_t bits;
    char *place;
};

enum machine_asked
{
    MACHINE_STEP,     /* the invariants that the step may break */
    MACHINE_STEP_ALL, /* all invariants */
    MACHINE_STEP_CAN  /* none */
};

/* A run of code. */
struct machine
{
    const struct program *program;
    void *state;
    const void *arguments;
    const void *old;
    void *result;
    const struct program_input *input;
    struct program_refusal *refusal; /* or NULL: nobody asks why */
    enum machine_asked asked;
};

/* Run the code at an instruction; false when it was refused. */
bool machine_run(const struct machine *machine, uint32_t code);

/* --- machine_data.c: sets, maps, values of other types -------------------- */

/* The address of what FIND finds, or NULL. */
char *machine_find(const struct program *program, uint32_t type,
                   const char *whole, union machine_cell key);
/* As INSERT; NULL when it is full. */
char *machine_insert(const struct program *program, uint32_t type, char *whole,
                     union machine_cell key);
void machine_remove(const struct program *program, uint32_t type, char *whole,
                    union machine_cell key);

/* to is overwritten. false, and what is wrong, when the value does not fit;
 * to is undefined then. */
bool machine_convert(const struct program *program, uint32_t from_type,
                     const char *from, uint32_t to_type, char *to,
                     struct program_refusal *refusal);
bool machine_same(const struct program *program, uint32_t a_type, const char *a,
                  uint32_t b_type, const char *b);
int64_t machine_name_of(const struct program *program, uint32_t from,
                        int64_t number, uint32_t to);
int machine_order_text(const char *a, const char *b);

#endif /* CONTRACT_PROGRAM_MACHINE_H */
