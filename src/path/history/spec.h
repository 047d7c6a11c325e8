/* spec.h - sequential specifications: what an object answers when one
 * operation follows the other.
 *
 * A specification is a function from (state, call) to the state behind it, or
 * to "not possible here". States are numbers; equal states have equal numbers.
 * A world is one specification at work on one history: alone, or as many
 * objects beside each other (places) that make up one state. Steps that cost
 * more than a comparison are remembered, so that each distinct one is computed
 * once. */

#ifndef PATH_HISTORY_SPEC_H
#define PATH_HISTORY_SPEC_H

#include <kan/base.h>

#include "path/history/history.h"

/* An operation as its specification sees it. */
struct spec_call
{
    enum history_function function;
    enum history_outcome outcome;
    uint32_t process; /* 0 where the specification does not look at it */
    uint32_t argument;
    uint32_t expected;
    uint32_t result;
    uint32_t place; /* which of the objects; 0 when there is one */
    uint32_t kind;  /* equal for calls that are equal in all of the above */
    bool pure;      /* wherever it is possible, it changes nothing */
};

struct spec_world;

/* KAN_CONFLICT: it is not possible in this state. KAN_NOMEM; KAN_BUSY when the
 * table of values is full. */
typedef enum kan_err spec_step_fn(struct spec_world *world, uint32_t state,
                                  const struct spec_call *call,
                                  uint32_t *ret_state);

enum
{
    SPEC_GROWN = UINT32_MAX - 1, /* the state before, or what it grew to */
    SPEC_ANY = UINT32_MAX - 2    /* it depends */
};

/* The state that the call leaves if it has an effect, whatever was before; or
 * one of the above. To grow has a sense of the specification's own: text that
 * gets longer, a number, a set. */
typedef uint32_t spec_leaves_fn(const struct spec_world *world,
                                const struct spec_call *call);

/* false: no growing leads from state to one in which the call, a read or a cas
 * that found what it expected, is possible. So a search need not go on from
 * there. */
typedef bool spec_leads_fn(const struct spec_world *world, uint32_t state,
                           const struct spec_call *call);

struct spec
{
    const char *name;
    const char *summary; /* one line */
    uint32_t functions;  /* a bit for each that it knows */
    bool owned;          /* it looks at who calls */
    bool cheap;          /* a step is a comparison */
    spec_step_fn *step;
    spec_leaves_fn *leaves; /* both, or neither */
    spec_leads_fn *leads;
};

/* All of them, by the number of what they know: the first that fits is the one
 * that is chosen. NULL ends the list. */
extern const struct spec *const spec_list[];

/* By name, or NULL. */
const struct spec *spec_find(struct kan_slice name);

/* The first that knows every function of the history, or NULL. A set is told
 * from a counter by what its reads have returned. */
const struct spec *spec_choose(const struct history *history);

struct spec_cache;

struct spec_world
{
    const struct spec *spec;
    struct value_table *values; /* borrowed */
    struct value_table kinds;
    uint32_t places; /* 0: one object */
    uint32_t initial;
    uint32_t yes; /* the value "true" */
    struct spec_cache *cache;
    uint64_t cache_max; /* bytes; a step that needs more is KAN_BUSY */
    struct buffer scratch;
};

/* A world of places objects (0: one, alone), each at first what initial says
 * (VALUE_NONE: nil, 0, empty or free). values is borrowed, and grows. */
KAN_MUST_USE enum kan_err spec_world_init(struct spec_world *world,
                                          const struct spec *spec,
                                          struct value_table *values,
                                          uint32_t places, uint32_t initial);
void spec_world_fini(struct spec_world *world);

/* The call of an operation at place. KAN_INVALID when the specification does
 * not know the function, or cannot use its values. KAN_NOMEM, KAN_BUSY. */
KAN_MUST_USE enum kan_err spec_call_make(struct spec_world *world,
                                         const struct operation *operation,
                                         uint32_t place,
                                         struct spec_call *ret_call);

/* As the specification's step, remembered, and in the place of the call. */
KAN_MUST_USE enum kan_err spec_step(struct spec_world *world, uint32_t state,
                                    const struct spec_call *call,
                                    uint32_t *ret_state);

/* As the specification's leads, for the part of state in the call's place. */
bool spec_leads(const struct spec_world *world, uint32_t state,
                const struct spec_call *call);

/* Memory in use, in bytes, without the borrowed values. */
uint64_t spec_world_size(const struct spec_world *world);

#endif /* PATH_HISTORY_SPEC_H */
