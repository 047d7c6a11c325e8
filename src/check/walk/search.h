/* search.h - what all searches of a walk share: its limits, what it has
 * counted, and how a state is judged.
 *
 * Internal to the module. A search that cannot go on halts: the first reason is
 * kept as text, and the verdict becomes UNKNOWN. */

#ifndef CHECK_WALK_SEARCH_H
#define CHECK_WALK_SEARCH_H

#include <stdatomic.h>

#include "check/walk/visited.h"
#include "check/walk/walk.h"

/* --- limits --------------------------------------------------------------- */

/* What the model's properties ask of a search. */
struct judge
{
    uint32_t always[KAN_PROPERTIES_MAX];
    uint32_t always_count;
    uint32_t finally[KAN_PROPERTIES_MAX];
    uint32_t finally_count;
    uint32_t recoverable[KAN_PROPERTIES_MAX];
    uint32_t recoverable_count;
    int32_t linearizable; /* WALK_NONE: no such property */
    int32_t converges;
};

struct search
{
    const struct walk_options *options; /* borrowed */
    struct space *space;
    struct judge judge;
    const char *phase;
    double started;          /* by the clock */
    double told;             /* progress, when last */
    struct visited *visited; /* while one thread alone adds to it; or NULL */
    uint64_t peak;           /* bytes, of all */
    /* Several threads use what follows. */
    _Atomic uint64_t used;  /* bytes, but for visited states */
    _Atomic uint64_t table; /* bytes of these, if threads share them */
    _Atomic uint64_t states;
    _Atomic uint64_t generated;
    _Atomic uint32_t depth;
    atomic_bool halting;
    atomic_bool halted; /* why is written */
    char why[512];
};

enum
{
    SEARCH_BATCH = 16,                  /* states expanded at once */
    SEARCH_STEPS = 4 * SPACE_STEPS_MAX, /* room for their steps */
    SEARCH_TICK = 64                    /* batches between two looks */
};

void search_init(struct search *search, const struct walk_options *options);

/* Seconds since it began; 0 without a clock. */
double search_seconds(const struct search *search);

/* The set of visited states that counts from now on, or NULL. shared: it may
 * only be looked at when search_share() says how large it is. */
void search_watch(struct search *search, struct visited *visited, bool shared);

/* The shared set may have grown, and may grow: tell both. While no other thread
 * touches it. */
void search_share(struct search *search, struct visited *visited);

/* Now and then: is there memory and time, and does the caller want to go on?
 * Only the thread that called walk() calls this. Statuses: as
 * search_halt(). */
KAN_MUST_USE enum kan_err search_tick(struct search *search);

/* Note the most memory that was used. */
void search_peak(struct search *search);

/* Charge bytes before they are allocated; false, and halted, when they pass
 * the limit. From any thread. */
bool search_take(struct search *search, uint64_t bytes);
void search_give(struct search *search, uint64_t bytes);

/* Keep why the search ends, unless something ended it before; as printf.
 * Returns KAN_CANCELED. From any thread. */
__attribute__((format(printf, 2, 3))) enum kan_err search_halt(
    struct search *search, const char *why, ...);

/* Memory ran out: of the heap or by the limit. */
enum kan_err search_halt_memory(struct search *search);

/* The space could not say what follows a state. */
enum kan_err search_halt_space(struct search *search,
                               struct space_walker *walker, enum kan_err err);

/* The limit of a set of visited states, as things are. */
uint64_t search_visited_max(const struct search *search);

/* --- counting and judging ------------------------------------------------- */

struct tally
{
    uint64_t states;
    uint64_t generated;
    uint64_t terminal;
    struct path_id terminal_sum;
    uint32_t depth;
};

/* Add what another thread has counted. */
void tally_add(struct tally *tally, const struct tally *other);
void tally_terminal(struct tally *tally, const struct space_state *state);

/* Add the new states and generated steps to what progress tells. */
void search_count(struct search *search, uint64_t states, uint64_t generated,
                  uint32_t depth);

/* Something that does not hold. Of several the best is told: the shortest run,
 * then the first property, then the least hash; so any order of search ends
 * with the same one. */
struct finding
{
    int32_t property; /* WALK_NONE: nothing found */
    uint32_t length;  /* steps of the run */
    struct path_id hash;
    uint32_t state; /* the search's number of the state that was judged; of a
                     * first state that is broken, its own */
    uint32_t step;  /* the last step, by its place; UINT32_MAX: none */
    bool first;     /* a first state could not be made */
    char why[512];
};

bool path_id_less(struct path_id a, struct path_id b);

/* Keep the better one. */
void finding_merge(struct finding *best, const struct finding *other);

/* Judge a state that was reached by depth steps: itself, its end, and whether
 * its steps are sound. Keeps what is found in *best if that is better; state
 * numbers are the caller's. Returns whether it was. */
bool search_judge(const struct search *search, struct space_walker *walker,
                  const struct space_state *state,
                  const struct space_step *steps, uint32_t count,
                  uint32_t depth, uint32_t number, struct finding *best);

/* space_first() did not give the first state of that number: it is a finding
 * when its step is broken, and ends the search otherwise. Returns
 * KAN_CANCELED. */
enum kan_err search_first_failed(struct search *search,
                                 struct space_walker *walker, enum kan_err err,
                                 uint32_t number, struct finding *best);

/* --- small pieces --------------------------------------------------------- */

static inline struct visited_hash search_key(struct path_id hash)
{
    return (struct visited_hash){.low = hash.low, .high = hash.high};
}

/* Bytes of a state of which the first count words are kept. Multiple of 8. */
static inline size_t search_state_size(const struct space_state *state)
{
    return (offsetof(struct space_state, words) +
            state->count * sizeof state->words[0] + 7) &
           ~(size_t)7;
}

/* --- columns -------------------------------------------------------------- */

/* An array that grows, charged to the search. */
struct column
{
    struct search *search;
    void *data;
    uint64_t count;
    uint64_t capacity;
    size_t width; /* of an element, bytes */
};

void column_init(struct column *column, struct search *search, size_t width);
void column_fini(struct column *column);

/* Room for one more, or for count in all (zeroed). Statuses: as
 * search_halt_memory(). */
KAN_MUST_USE enum kan_err column_reserve(struct column *column, uint64_t count);
KAN_MUST_USE enum kan_err column_resize(struct column *column, uint64_t count);

KAN_MUST_USE static inline enum kan_err column_push_u32(struct column *column,
                                                        uint32_t value)
{
    if (column->count == column->capacity) {
        enum kan_err err = column_reserve(column, column->count + 1);
        if (err != KAN_OK)
            return err;
    }
    ((uint32_t *)column->data)[column->count++] = value;
    return KAN_OK;
}

KAN_MUST_USE static inline enum kan_err column_push_u16(struct column *column,
                                                        uint16_t value)
{
    if (column->count == column->capacity) {
        enum kan_err err = column_reserve(column, column->count + 1);
        if (err != KAN_OK)
            return err;
    }
    ((uint16_t *)column->data)[column->count++] = value;
    return KAN_OK;
}

static inline uint32_t *column_u32(const struct column *column)
{
    return (uint32_t *)column->data;
}

static inline uint16_t *column_u16(const struct column *column)
{
    return (uint16_t *)column->data;
}

static inline uint64_t *column_u64(const struct column *column)
{
    return (uint64_t *)column->data;
}

#endif /* CHECK_WALK_SEARCH_H */
