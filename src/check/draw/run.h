/* run.h - a run in words: what happened at each step, and what it changed. What
 * every drawing is made from. */

#ifndef CHECK_DRAW_RUN_H
#define CHECK_DRAW_RUN_H

#include "base/bytes.h"
#include "check/walk/walk.h"
#include "path/scenario/scenario.h"

/* A message as one line of a drawing. */
struct run_message
{
    uint32_t from; /* lane; UINT32_MAX: the outside */
    uint32_t to;
    const char *name;
    const char *json;  /* or NULL */
    uint32_t sent_at;  /* the step that sent it; UINT32_MAX: at the start */
    uint32_t taken_at; /* the step that took it; UINT32_MAX: not in this run */
    bool lost;
};

struct run_step
{
    struct scenario_event event; /* texts are the run's */
    uint32_t lane;               /* the actor's; of a lie the liar's;
                                  * UINT32_MAX: none */
    uint32_t message;            /* that it takes; UINT32_MAX: none */
    const char *changes; /* "value: 3 -> 4", a line each; "" when nothing did */
    const char *why;     /* of a step that broke; or NULL */
};

/* Everything is owned by the run. */
struct run
{
    uint32_t lane_count;
    const char **lanes; /* "server/0" */
    uint32_t step_count;
    struct run_step *steps;
    uint32_t message_count;
    struct run_message *messages;
    struct path_id path;
    const char *title;   /* "paxos servers=3: agreement fails" */
    const char *verdict; /* what the last state shows */
    void *texts;
};

/* Follow a walk's run and put it into words. KAN_NOMEM; KAN_NOTFOUND when the
 * run is not one of the space. Yours: run_free(). */
KAN_MUST_USE enum kan_err run_new(struct space *space,
                                  const struct walk_run *steps,
                                  const char *title, const char *verdict,
                                  struct run **ret_run);
struct run *run_free(struct run *run);

/* Find the steps of a scenario in the space; file is its name in messages.
 * KAN_NOTFOUND: a line is not possible where it stands, and why says which and
 * what would have been. KAN_NOMEM. Other failures are those of space_first()
 * and space_expand(), with their reason in why. Free ret_run->steps with
 * mem_free(). */
KAN_MUST_USE enum kan_err run_find(struct space *space,
                                   const struct scenario *scenario,
                                   const char *file, struct walk_run *ret_run,
                                   struct buffer *why);

/* The drawings: a sequence diagram for a terminal, one as SVG that needs
 * nothing else, and a scenario file. KAN_NOMEM. The terminal's has rows of at
 * most width columns, 40 to 512 of them (more when the actors would stand
 * closer than four columns); title and verdict are lines of their own and not
 * cut. Colour only when asked. */
KAN_MUST_USE enum kan_err run_draw_text(const struct run *run, uint32_t width,
                                        bool colour, struct buffer *out);
KAN_MUST_USE enum kan_err run_draw_svg(const struct run *run,
                                       struct buffer *out);
KAN_MUST_USE enum kan_err run_write(const struct run *run,
                                    const struct scenario *head,
                                    struct buffer *out);

#endif /* CHECK_DRAW_RUN_H */
