/* machine.c - the machine. It trusts its code, which compile.c made, and what
 * it is given: canonical values in the range of their types.
 *
 * Nothing is allocated, and nothing recurs. The frame is on the stack, in one
 * of two sizes, and not cleared: code writes every register and temporary
 * before it reads it. */

#include "contract/program/machine.h"

#include "base/assert.h"

struct frame
{
    const struct machine *machine;
    union machine_cell *r;
    char *temps;
};

/* --- why it was refused --------------------------------------------------- */

static const struct program_inside_condition *condition_of(
    const struct program *program, uint32_t number)
{
    return PROGRAM_ITEM(program, conditions, struct program_inside_condition,
                        number);
}

__attribute__((cold, noinline)) static bool refuse(
    const struct machine *machine, uint32_t number,
    enum program_refusal_kind kind, int64_t value)
{
    const struct program *program = machine->program;
    const struct program_inside_condition *condition =
        condition_of(program, number);
    struct program_refusal *refusal = machine->refusal;

    if (!refusal)
        return false;
    memset(refusal, 0, sizeof *refusal);
    refusal->kind = kind;
    refusal->condition = number;
    refusal->name = program_slice(program, condition->name);
    refusal->text = program_slice(program, condition->words);
    refusal->source = program_slice(program, condition->source);
    refusal->value = value;
    refusal->min = condition->min;
    refusal->max = condition->max;
    return false;
}

/* Which kind a computation was refused with. */
__attribute__((cold, noinline)) static bool refuse_computed(
    const struct machine *machine, const struct program_inside_code *code,
    const union machine_cell *r)
{
    bool divides = code->op == MACHINE_DIVIDE || code->op == MACHINE_REMAINDER;

    return refuse(
        machine, code->x,
        divides && r[code->c].number == 0 ? PROGRAM_DIVIDE : PROGRAM_OVERFLOW,
        0);
}

static bool converts(const struct machine *machine,
                     const struct program_inside_code *code,
                     const union machine_cell *r)
{
    struct program_refusal found = {0};
    bool fine = machine_convert(machine->program, code->y & UINT16_MAX,
                                r[code->a].place, code->y >> 16,
                                r[code->b].place + code->x, &found);

    if (fine)
        return true;
    (void)refuse(machine, code->c, found.kind, found.value);
    if (machine->refusal) {
        machine->refusal->min = found.min;
        machine->refusal->max = found.max;
    }
    return false;
}

/* --- short readings ------------------------------------------------------- */

static inline uint16_t read16(const char *at)
{
    uint16_t number;

    memcpy(&number, at, sizeof number);
    return number;
}

static inline void write16(char *at, uint16_t number)
{
    memcpy(at, &number, sizeof number);
}

static bool copies_text(const struct program_inside_code *code,
                        const union machine_cell *r)
{
    const char *from = r[code->a].place;
    char *to = r[code->b].place + code->x;
    uint16_t size = read16(from);

    if (size > code->y)
        return false;
    memmove(to, from, 2 + (size_t)size);
    memset(to + 2 + size, 0, ((code->y + 1) & ~UINT32_C(1)) - size);
    return true;
}

static void text_of_id(const struct frame *frame,
                       const struct program_inside_code *code)
{
    char *at = frame->temps + code->x;

    write16(at, PROGRAM_ID_SIZE);
    memcpy(at + 2, frame->machine->input->id, PROGRAM_ID_SIZE);
    frame->r[code->a].place = at;
}

/* --- the machine ---------------------------------------------------------- */

#define OP(name) case MACHINE_##name:
#define NEXT      \
    {             \
        code++;   \
        continue; \
    }
#define JUMP_WHEN(condition)                             \
    {                                                    \
        code = (condition) ? start + code->x : code + 1; \
        continue;                                        \
    }
#define A r[code->a]
#define B r[code->b]
#define C r[code->c]

static bool run(const struct frame *frame, uint32_t at)
{
    const struct machine *machine = frame->machine;
    const struct program *program = machine->program;
    union machine_cell *r = frame->r;
    const struct program_inside_code *start =
        PROGRAM_ITEM(program, code, struct program_inside_code, 0);
    const struct program_inside_code *code = start + at;
    const struct program_inside_code *back = NULL;
    const struct program_inside_condition *range;

    for (;;) {
        switch ((enum machine_op)code->op) {
            OP(END)
            return true;
            OP(CALL)
            back = code + 1;
            code = start + code->x;
            continue;
            OP(RETURN)
            code = back;
            continue;
            OP(JUDGE)
            if (machine->asked == MACHINE_STEP)
                NEXT if (machine->asked == MACHINE_STEP_CAN) return true;
            code = start + program->judge_all;
            continue;
            OP(REFUSE)
            return refuse(
                machine, code->x,
                (enum program_refusal_kind)condition_of(program, code->x)->kind,
                0);

            OP(JUMP)
            code = start + code->x;
            continue;
            OP(JUMP_IF)
            JUMP_WHEN(A.number != 0)
            OP(JUMP_UNLESS)
            JUMP_WHEN(A.number == 0)
            OP(JUMP_EQ)
            JUMP_WHEN(A.number == B.number)
            OP(JUMP_NE)
            JUMP_WHEN(A.number != B.number)
            OP(JUMP_LT)
            JUMP_WHEN(A.number < B.number)
            OP(JUMP_LE)
            JUMP_WHEN(A.number <= B.number)
            OP(JUMP_EQ_N)
            JUMP_WHEN(A.number == (int32_t)code->y)
            OP(JUMP_NE_N)
            JUMP_WHEN(A.number != (int32_t)code->y)
            OP(JUMP_LT_N)
            JUMP_WHEN(A.number < (int32_t)code->y)
            OP(JUMP_LE_N)
            JUMP_WHEN(A.number <= (int32_t)code->y)
            OP(JUMP_GT_N)
            JUMP_WHEN(A.number > (int32_t)code->y)
            OP(JUMP_GE_N)
            JUMP_WHEN(A.number >= (int32_t)code->y)

            OP(LOAD8)
            A.number = *(unsigned char *)(B.place + code->x);
            NEXT OP(LOAD16) A.number = read16(B.place + code->x);
            NEXT OP(LOAD64)
                memcpy(&A.number, B.place + code->x, sizeof(int64_t));
            NEXT OP(STORE8) * (B.place + code->x) = (char)A.number;
            NEXT OP(STORE16) write16(B.place + code->x, (uint16_t)A.number);
            NEXT OP(STORE64)
                memcpy(B.place + code->x, &A.number, sizeof(int64_t));
            NEXT OP(STORE_IN) range = condition_of(program, code->c);
            if (A.number < range->min || A.number > range->max)
                return refuse(machine, code->c, PROGRAM_BOUND, A.number);
            memcpy(B.place + code->x, &A.number, sizeof(int64_t));
            NEXT OP(ADDRESS) A.place = B.place + code->x;
            NEXT OP(MOVE) A = B;
            NEXT OP(NUMBER) A.number = code->number;
            NEXT

                OP(ADD) if (__builtin_add_overflow(
                                B.number, C.number,
                                &A.number)) return refuse_computed(machine,
                                                                   code, r);
            NEXT
                OP(SUBTRACT) if (__builtin_sub_overflow(
                                     B.number, C.number,
                                     &A.number)) return refuse_computed(machine,
                                                                        code,
                                                                        r);
            NEXT
                OP(MULTIPLY) if (__builtin_mul_overflow(
                                     B.number, C.number,
                                     &A.number)) return refuse_computed(machine,
                                                                        code,
                                                                        r);
            NEXT OP(DIVIDE) if (C.number == 0 ||
                                (C.number == -1 &&
                                 B.number ==
                                     INT64_MIN)) return refuse_computed(machine,
                                                                        code,
                                                                        r);
            A.number = B.number / C.number;
            NEXT OP(REMAINDER) if (C.number == 0) return refuse_computed(
                machine, code, r);
            A.number = C.number == -1 ? 0 : B.number % C.number;
            NEXT OP(LEAST) A.number =
                B.number <= C.number ? B.number : C.number;
            NEXT OP(MOST) A.number = B.number >= C.number ? B.number : C.number;
            NEXT

                OP(SAME_BYTES)
                    A.number = memcmp(B.place, C.place, code->x) == 0;
            NEXT OP(SAME_TEXT) A.number =
                read16(B.place) == read16(C.place) &&
                memcmp(B.place + 2, C.place + 2, read16(B.place)) == 0;
            NEXT OP(SAME_VALUE) A.number =
                machine_same(program, code->x, B.place, code->y, C.place);
            NEXT OP(ORDER_TEXT) A.number = machine_order_text(B.place, C.place);
            NEXT OP(COPY) memmove(B.place + code->x, A.place, code->y);
            NEXT OP(ZERO) memset(B.place + code->x, 0, code->y);
            NEXT OP(COPY_TEXT) if (!copies_text(code, r)) return refuse(
                machine, code->c, PROGRAM_LENGTH, 0);
            NEXT OP(CONVERT) if (!converts(machine, code, r)) return false;
            NEXT OP(NAME_OF) A.number =
                machine_name_of(program, code->x, B.number, code->y);
            NEXT

                OP(FIND) A.bits =
                (uintptr_t)machine_find(program, code->x, B.place, C);
            NEXT OP(NEED) A.place = machine_find(program, code->x, B.place, C);
            if (!A.place)
                return refuse(machine, code->y, PROGRAM_MISSING, 0);
            NEXT OP(INSERT) A.place =
                machine_insert(program, code->x, B.place, C);
            if (!A.place)
                return refuse(machine, code->y, PROGRAM_FULL, 0);
            NEXT OP(REMOVE) machine_remove(program, code->x, B.place, C);
            NEXT OP(ID) text_of_id(frame, code);
            NEXT
        }
        kan_assert(false); /* compile.c writes no such instruction */
    }
}

static void frame_init(struct frame *frame, const struct machine *machine,
                       union machine_cell *r, char *temps)
{
    frame->machine = machine;
    frame->r = r;
    frame->temps = temps;
    r[MACHINE_STATE].place = machine->state;
    r[MACHINE_ARGUMENTS].place = (char *)machine->arguments;
    r[MACHINE_BLOCK].place = (char *)machine->program;
    r[MACHINE_TEMPS].place = temps;
    r[MACHINE_OLD].place = (char *)machine->old;
    r[MACHINE_RESULT].place = machine->result;
    r[MACHINE_INPUT].place = (char *)machine->input;
}

/* A frame of its own, so that steps without large values do not pay for it. */
__attribute__((noinline)) static bool run_large(const struct machine *machine,
                                                uint32_t code)
{
    union machine_cell r[PROGRAM_REGISTERS_MAX];
    union machine_cell temps[PROGRAM_TEMPS_MAX / sizeof(union machine_cell)];
    struct frame frame;

    frame_init(&frame, machine, r, (char *)temps);
    return run(&frame, code);
}

bool machine_run(const struct machine *machine, uint32_t code)
{
    union machine_cell r[PROGRAM_REGISTERS_MAX];
    union machine_cell temps[PROGRAM_TEMPS_SMALL / sizeof(union machine_cell)];
    struct frame frame;

    if (machine->program->temps_size > PROGRAM_TEMPS_SMALL)
        return run_large(machine, code);
    frame_init(&frame, machine, r, (char *)temps);
    return run(&frame, code);
}
