/* What a progress square shows: a run, two actors of it, and whose thread each
 * step belongs to. None of these choices can make the square wrong, only less
 * telling: every way through it is held against the space. */

#include "base/alloc.h"
#include "check/draw/square.h"

/* --- threads -------------------------------------------------------------- */

struct threads
{
    const struct run *run;
    uint32_t p;
    uint32_t q;
    bool *of_q;
};

/* The thread that sent the message, when it is one of the two. */
static bool sender_known(const struct threads *threads, uint32_t number,
                         bool *ret_q)
{
    const struct run_message *message;

    if (number == UINT32_MAX)
        return false;
    message = &threads->run->messages[number];
    if (message->sent_at != UINT32_MAX) {
        *ret_q = threads->of_q[message->sent_at];
        return true;
    }
    *ret_q = message->from == threads->q;
    return message->from == threads->p || message->from == threads->q;
}

/* The thread of the last step before that the same actor took. */
static bool last_known(const struct threads *threads, uint32_t step,
                       bool *ret_q)
{
    uint32_t lane = threads->run->steps[step].lane;

    for (uint32_t i = step; lane != UINT32_MAX && i-- > 0;) {
        if (threads->run->steps[i].lane == lane) {
            *ret_q = threads->of_q[i];
            return true;
        }
    }
    return false;
}

void square_threads(const struct run *run, uint32_t p, uint32_t q, bool *of_q)
{
    struct threads threads = {.run = run, .p = p, .q = q, .of_q = of_q};

    for (uint32_t i = 0; i < run->step_count; i++) {
        const struct run_step *step = &run->steps[i];
        of_q[i] = i > 0 && of_q[i - 1];
        if (step->lane == p || step->lane == q)
            of_q[i] = step->lane == q;
        else if (!sender_known(&threads, step->message, &of_q[i]))
            (void)last_known(&threads, i, &of_q[i]);
    }
}

/* --- actors --------------------------------------------------------------- */

/* For each actor, how many steps it has in each thread. */
struct share
{
    uint32_t p;
    uint32_t q;
};

struct score
{
    uint64_t meetings; /* pairs of steps of two threads at one third actor */
    uint64_t steps;    /* of the two actors themselves */
};

static struct score score_of(const struct run *run, uint32_t p, uint32_t q,
                             bool *of_q, struct share *shares)
{
    struct score score = {0};

    memset(shares, 0, run->lane_count * sizeof *shares);
    square_threads(run, p, q, of_q);
    for (uint32_t i = 0; i < run->step_count; i++) {
        uint32_t lane = run->steps[i].lane;
        if (lane == UINT32_MAX)
            continue;
        if (of_q[i])
            shares[lane].q++;
        else
            shares[lane].p++;
    }
    for (uint32_t i = 0; i < run->lane_count; i++)
        score.meetings += (uint64_t)shares[i].p * shares[i].q;
    score.steps = (uint64_t)shares[p].p + shares[q].q;
    return score;
}

static bool better(const struct score *a, const struct score *b)
{
    return a->meetings > b->meetings ||
           (a->meetings == b->meetings && a->steps > b->steps);
}

enum kan_err square_choose_actors(const struct run *run, uint32_t *ret_p,
                                  uint32_t *ret_q)
{
    struct score best = {0};
    struct share *shares;
    bool *of_q;
    uint32_t best_p = 0;
    uint32_t best_q = 1;

    if (run->lane_count < 2)
        return KAN_NOTFOUND;
    shares = mem_alloc(run->lane_count * sizeof *shares);
    of_q = mem_alloc((run->step_count + 1) * sizeof *of_q);
    for (uint32_t p = 0; shares && of_q && p < run->lane_count; p++) {
        for (uint32_t q = p + 1; q < run->lane_count; q++) {
            struct score score = score_of(run, p, q, of_q, shares);
            if (!better(&score, &best))
                continue;
            best = score;
            best_p = p;
            best_q = q;
        }
    }
    enum kan_err err = shares && of_q ? KAN_OK : KAN_NOMEM;
    mem_free(shares);
    mem_free(of_q);
    if (err)
        return err;
    *ret_p = best_p;
    *ret_q = best_q;
    return KAN_OK;
}

/* --- runs ----------------------------------------------------------------- */

enum
{
    TURNS_MAX = UINT8_MAX + 1 /* any actor of a step, also none */
};

struct fair
{
    struct space_walker *walker;
    struct space_state *state;
    struct space_state *next;
    struct space_step *steps;
    uint32_t turns[TURNS_MAX];
};

/* Whether the step is one of the protocol, not a fault. */
static bool wanted(const struct space_step *step)
{
    switch ((enum space_kind)step->kind) {
    case SPACE_DELIVER:
    case SPACE_TIMER:
    case SPACE_REQUEST:
    case SPACE_RESTART:
        return true;
    case SPACE_LIE:
    case SPACE_CRASH:
    case SPACE_LOSE:
    case SPACE_DOUBLE:
    case SPACE_JUMP:
    case SPACE_CUT:
    case SPACE_HEAL:
        break;
    }
    return false;
}

/* The step to take, or NULL: nothing follows. */
static const struct space_step *fair_step(const struct fair *fair,
                                          uint32_t count)
{
    const struct space_step *chosen = NULL;

    for (uint32_t i = 0; i < count; i++) {
        const struct space_step *step = &fair->steps[i];
        bool still = step->hash.low == fair->state->hash.low &&
                     step->hash.high == fair->state->hash.high;
        if (wanted(step) && !still &&
            (!chosen || fair->turns[step->actor] < fair->turns[chosen->actor]))
            chosen = step;
    }
    return chosen;
}

static enum kan_err fair_go(struct fair *fair, struct walk_run *run)
{
    enum kan_err err = space_first(fair->walker, 0, fair->state);

    while (err == KAN_OK && run->step_count < SQUARE_FAIR_STEPS_MAX) {
        struct space_state *left = fair->state;
        const struct space_step *step;
        uint32_t count = 0;
        err = space_expand(fair->walker, left, fair->steps, &count);
        step = err ? NULL : fair_step(fair, count);
        if (!step)
            break;
        run->steps[run->step_count++] = space_step_name(step);
        if (step->flags & SPACE_BROKEN)
            break;
        fair->turns[step->actor]++;
        space_apply(fair->walker, left, step, fair->next);
        fair->state = fair->next;
        fair->next = left;
    }
    return err;
}

enum kan_err square_choose_run(struct space *space, struct walk_run *ret_run)
{
    struct fair *fair = mem_zalloc(sizeof *fair);
    struct walk_run run = {
        .steps = mem_alloc(SQUARE_FAIR_STEPS_MAX * sizeof *run.steps),
    };
    enum kan_err err = KAN_NOMEM;

    if (!fair || !run.steps)
        goto out;
    fair->state = mem_alloc(sizeof *fair->state);
    fair->next = mem_alloc(sizeof *fair->next);
    fair->steps = mem_alloc(SPACE_STEPS_MAX * sizeof *fair->steps);
    if (!fair->state || !fair->next || !fair->steps)
        goto out;
    err = space_walker_new(space, &fair->walker);
    if (err == KAN_OK)
        err = fair_go(fair, &run);
out:
    if (fair) {
        space_walker_free(fair->walker);
        mem_free(fair->state);
        mem_free(fair->next);
        mem_free(fair->steps);
    }
    mem_free(fair);
    if (err)
        mem_free(run.steps);
    else
        *ret_run = run;
    return err;
}
