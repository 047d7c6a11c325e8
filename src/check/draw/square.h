/* square.h - the progress square of a run: every order in which the threads of
 * two actors can be interleaved, and which of those orders are the same path.
 *
 * Each step of the run belongs to one of two threads: an actor's own steps, and
 * those of third actors that take what its thread has sent. The run is then one
 * way through a grid, a step of P to the right, a step of Q up; the other ways
 * are its interleavings. What is at a place (i, j) depends on the way there, so
 * a place holds nodes, one for each state in which the first i steps of P and
 * the first j of Q have been taken. A way is real: each of its steps is a step
 * of the space, of the same name as in the run.
 *
 * The square at a node is filled when its next two steps can be taken in either
 * order and end in one state. Ways that differ across filled squares are one
 * path. (Fajstrup, Raussen, Goubault: Algebraic topology and concurrency, TCS
 * 2006, has the continuous form.) */

#ifndef CHECK_DRAW_SQUARE_H
#define CHECK_DRAW_SQUARE_H

#include "base/map.h"
#include "check/draw/run.h"

enum
{
    SQUARE_STEPS_MAX = 200,    /* on one axis: what can still be seen */
    SQUARE_NODES_MAX = 20000,  /* a page of 2 MB */
    SQUARE_NONE = UINT32_MAX,  /* no node; no text */
    SQUARE_FAIR_STEPS_MAX = 40 /* of a run that is chosen */
};

enum square_flags
{
    SQUARE_REACHES = 1 << 0, /* the end of the run can be reached from here */
    SQUARE_STUCK = 1 << 1,   /* the system has no step at all: a deadlock,
                              * unless everything is done */
    SQUARE_BROKEN = 1 << 2,  /* the step to here broke its handler; nothing is
                              * known of a state */
    SQUARE_FILLED = 1 << 3,  /* the square here: both orders, one state */
    SQUARE_EMPTY = 1 << 4    /* both orders, two states. With neither flag an
                              * order is impossible: part of the square is
                              * missing */
};

/* One step ahead in one of the two threads. */
struct square_way
{
    uint32_t to;      /* node; SQUARE_NONE: the step is not possible here */
    uint32_t changes; /* text: what it changes of its actor; or SQUARE_NONE */
};

struct square_node
{
    uint32_t i; /* steps of P that are taken */
    uint32_t j; /* steps of Q */
    uint32_t flags;
    uint32_t fails; /* a bit for each property that does not hold here */
    struct path_id hash;
    struct square_way p;
    struct square_way q;
    uint32_t apart; /* EMPTY: text, how the state after P, Q differs from that
                     * after Q, P. BROKEN: text, why */
    uint32_t next;  /* another node at this place; or SQUARE_NONE */
    uint32_t word_count;
    uint32_t *words; /* of the state */
};

/* The steps of the run that are on one axis. */
struct square_axis
{
    uint32_t lane; /* the actor */
    uint32_t count;
    uint32_t *steps; /* numbers in the run, in order */
};

/* What a place shows, all nodes there taken together. */
enum square_place
{
    SQUARE_SAFE,     /* from some node the end can be reached */
    SQUARE_UNSAFE,   /* it can be come to, and the end cannot be reached */
    SQUARE_FORBIDDEN /* no way comes here */
};

/* Everything is owned by the square. */
struct square
{
    struct square_axis p;
    struct square_axis q;
    const struct run *run; /* borrowed */
    uint32_t node_count;
    struct square_node *nodes;   /* [0] is the start; every step leads to a
                                * higher number */
    uint32_t *first;             /* of each place, (i * (q.count + 1) + j) */
    struct map texts;            /* in the order of their numbers */
    struct buffer interleavings; /* decimal text: ways to the end of the run */
    struct buffer paths;         /* and how many of them are different */
};

/* Explore. Both lanes must be of the run and not the same. KAN_NOMEM; KAN_BUSY
 * when it is too large, KAN_NOTFOUND when the run is not one of the space; why
 * says it. run is borrowed until square_free(). */
KAN_MUST_USE enum kan_err square_new(struct space *space,
                                     const struct walk_run *steps,
                                     const struct run *run, uint32_t p,
                                     uint32_t q, struct square **ret_square,
                                     struct buffer *why);
struct square *square_free(struct square *square);

/* What is at a place, i of 0 to p.count, j of 0 to q.count. */
enum square_place square_place(const struct square *square, uint32_t i,
                               uint32_t j);

/* --- what to draw --------------------------------------------------------- */

/* Which thread each step of the run belongs to: of_q[k] for step k. A step of P
 * or Q is its own. A step of a third actor that takes a message belongs with
 * whoever sent that, others with the last step of their actor, and then with
 * the last step of the run. */
void square_threads(const struct run *run, uint32_t p, uint32_t q, bool *of_q);

/* The two actors whose threads meet at third actors most often; among equals,
 * those with most steps, and the first. KAN_NOTFOUND: there is only one. */
KAN_MUST_USE enum kan_err square_choose_actors(const struct run *run,
                                               uint32_t *ret_p,
                                               uint32_t *ret_q);

/* A run to look at when nothing fails: from the first state without faults, at
 * each step the actor whose turn was least often, passing over steps that
 * change nothing, to where nothing follows or SQUARE_FAIR_STEPS_MAX. Free
 * ret_run->steps with mem_free(). Statuses of space_expand(); KAN_CONFLICT when
 * the first state is broken. */
KAN_MUST_USE enum kan_err square_choose_run(struct space *space,
                                            struct walk_run *ret_run);

#endif /* CHECK_DRAW_SQUARE_H */
