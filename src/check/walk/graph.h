/* graph.h - all states with a number each, and the edges between them.
 *
 * Built by levels, by one thread, without reduction, so numbers never go down
 * along shortest runs. What asks for edges (recovering, ending, counting) and
 * what asks for the one least run stands on it. Internal to the module. */

#ifndef CHECK_WALK_GRAPH_H
#define CHECK_WALK_GRAPH_H

#include "check/walk/pile.h"
#include "check/walk/searches.h"

enum graph_flags
{
    GRAPH_JUDGE = 1 << 0, /* look at properties, end at a failure's level */
    GRAPH_EDGES = 1 << 1,
    GRAPH_SLEEP = 1 << 2 /* a state counts anew for each set of steps that
                          * sleep in it, and these are not taken */
};

/* What is known of a state, beside a bit for each RECOVERABLE property that
 * holds in it. */
#define GRAPH_OPEN ((uint32_t)1 << 31) /* cut: more follows than its edges */
#define GRAPH_END  ((uint32_t)1 << 30) /* nothing follows */

struct graph
{
    struct search *search;
    struct space_walker *walker;
    struct visited visited; /* payload: the number */
    struct pile level;
    struct pile next;
    struct trail tree;
    struct column marks;   /* u32, as above */
    struct column degrees; /* u16: edges out of each, next to each other */
    struct column edges;   /* u32: numbers led to */
    struct column hashes;  /* u64, of the level */
    struct space_step *steps;
    uint16_t *places; /* that sleep */
    uint32_t flags;
    uint32_t depth_max; /* 0: none */
    uint32_t depth;
    uint32_t level_base; /* number of the level's first */
    uint32_t next_base;
    bool cut;
    bool ended; /* some run has, with actors of this hash */
    struct path_id end_hash;
    struct tally tally;
    struct finding finding;
};

/* KAN_NOMEM. Free it with graph_fini() in any case. */
KAN_MUST_USE enum kan_err graph_init(struct graph *graph, struct search *search,
                                     uint32_t flags, uint32_t depth_max);
void graph_fini(struct graph *graph);

/* Build it. KAN_OK: all of it, or up to the finding. KAN_CANCELED: halted, or
 * a first state is broken, which is a finding. */
KAN_MUST_USE enum kan_err graph_build(struct graph *graph);

/* The number of the state with that hash; false when it is none. */
bool graph_find(const struct graph *graph, struct path_id hash,
                uint32_t *ret_number);

/* Edges turned round: who leads to a state. */
struct reverse
{
    struct column starts;  /* u32: where those of each begin, and the end */
    struct column sources; /* u32 */
};

/* Takes the edges out of the graph. Statuses: as search_halt(). */
KAN_MUST_USE enum kan_err graph_reverse(struct graph *graph,
                                        struct reverse *ret_reverse);
void reverse_fini(struct reverse *reverse);

/* All states but those from which a cycle can be reached, each behind all that
 * follow it. Uses the degrees up. order is a column of u32. */
KAN_MUST_USE enum kan_err graph_peel(struct graph *graph,
                                     const struct reverse *reverse,
                                     struct column *order);

#endif /* CHECK_WALK_GRAPH_H */
