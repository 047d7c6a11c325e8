/* history.h - a recorded history: operations, each with what was asked, what
 * was answered, and when both happened.
 *
 * Built by calls and returns in any order of time; history_seal() then gives
 * every event its rank, so that only order is left of time. An operation whose
 * answer is not known may have taken effect at any moment after its call, or
 * never. */

#ifndef PATH_HISTORY_HISTORY_H
#define PATH_HISTORY_HISTORY_H

#include <kan/base.h>

#include "path/history/values.h"

/* Every function an operation may have: name, what it does. */
#define HISTORY_FUNCTION_MAP(XX)                                       \
    XX(READ, "read")         /* result is the value */                 \
    XX(WRITE, "write")       /* argument becomes the value */          \
    XX(CAS, "cas")           /* if it is expected, argument follows */ \
    XX(APPEND, "append")     /* argument's text goes behind it */      \
    XX(DELETE, "delete")     /* the value becomes nil */               \
    XX(ADD, "add")           /* to a counter, or to a set */           \
    XX(REMOVE, "remove")     /* out of a set */                        \
    XX(CONTAINS, "contains") /* result: whether argument is in it */   \
    XX(ACQUIRE, "acquire")                                             \
    XX(RELEASE, "release")                                             \
    XX(ENQUEUE, "enqueue")                                             \
    XX(DEQUEUE, "dequeue") /* result, nil: it was empty */

enum history_function
{
#define HISTORY_FUNCTION_ENUM(name, text) HISTORY_##name,
    HISTORY_FUNCTION_MAP(HISTORY_FUNCTION_ENUM)
#undef HISTORY_FUNCTION_ENUM
        HISTORY_FUNCTION_COUNT
};

/* "read"; static text. */
const char *history_function_name(enum history_function function);

enum history_outcome
{
    HISTORY_DONE,     /* answered: it took effect between call and return */
    HISTORY_MISMATCH, /* a cas that was answered: the value was another */
    HISTORY_PENDING,  /* no answer, or one that leaves it open */
    HISTORY_REFUSED   /* it certainly had no effect; plays no part */
};

enum
{
    HISTORY_NEVER = UINT32_MAX, /* the rank of a return that is not there */
    HISTORY_PROCESS_MAX = (1 << 20), /* processes are numbered below it */
    HISTORY_COUNT_MAX = 1 << 28      /* operations */
};

struct operation
{
    enum history_function function;
    enum history_outcome outcome;
    uint32_t process;
    uint32_t key;      /* a value; VALUE_NONE: there is only one object */
    uint32_t argument; /* a value; VALUE_NONE when the function has none */
    uint32_t expected; /* of a cas */
    uint32_t result;   /* VALUE_NONE when there is none, or it is not known */
    uint32_t call;     /* rank among all events, once sealed */
    uint32_t ret;      /* the same, or HISTORY_NEVER */
    uint32_t line;     /* of the call, from 1; 0: not read from a file */
};

struct history_event;

struct history
{
    struct operation *operations; /* sealed: in the order of their calls */
    uint32_t count;
    uint32_t capacity;
    struct history_event *events; /* gone when sealed */
    uint32_t event_count;
    uint32_t event_capacity;
    bool ordered; /* events came in the order of time */
    bool sealed;
    struct value_table values;
};

/* An empty history. KAN_NOMEM leaves it zeroed. */
KAN_MUST_USE enum kan_err history_init(struct history *history);
/* A zeroed history is fine. */
void history_fini(struct history *history);

/* An operation is called at time, in whatever unit; it is pending until it
 * returns. operation is copied; its outcome and ranks are set here. KAN_BUSY
 * when there are HISTORY_COUNT_MAX, KAN_NOMEM. */
KAN_MUST_USE enum kan_err history_call(struct history *history,
                                       const struct operation *operation,
                                       int64_t time, uint32_t *ret_index);

/* The operation at index, which must be pending, is answered at time, not
 * before its call. result is VALUE_NONE for what answers nothing. KAN_NOMEM. */
KAN_MUST_USE enum kan_err history_return(struct history *history,
                                         uint32_t index,
                                         enum history_outcome outcome,
                                         uint32_t result, int64_t time);

/* Give ranks: by time, calls before returns of the same time (then the two
 * overlap, which claims less), else in the order they were told. Drops refused
 * operations and puts the others in the order of their calls. KAN_NOMEM leaves
 * it unsealed; call again. */
KAN_MUST_USE enum kan_err history_seal(struct history *history);

/* For people: "write 3", "read -> 1", "cas 1 2 -> mismatch", "append "k" "v"";
 * the key stands first. An answer that is not known is "?". */
void history_print(const struct history *history, uint32_t index,
                   struct buffer *out);

#endif /* PATH_HISTORY_HISTORY_H */
