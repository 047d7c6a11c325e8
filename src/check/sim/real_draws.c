/* Numbers that handlers drew when a script was recorded, given to them again:
 * what an actor draws on its way to its n-th input is in the n-th line in which
 * it took one. */

#include "check/sim/real.h"

static bool takes(const struct scenario_event *event)
{
    return event->kind == SCENARIO_DELIVER || event->kind == SCENARIO_TIMER;
}

/* The line of the actor's next input but so many; NULL: there is none. */
static const struct scenario_event *line_of(const struct real_run *run,
                                            const struct real_actor *actor,
                                            uint32_t behind)
{
    const struct scenario *script = run->script;

    for (uint32_t i = actor->line; i < script->event_count; i++) {
        const struct scenario_event *event = &script->events[i];
        if (takes(event) && kan_ref_equal(&event->to, &actor->ref) &&
            behind-- == 0)
            return event;
    }
    return NULL;
}

uint64_t real_draws_give(void *data, const struct actor_draw *draw)
{
    struct real_run *run = data;
    const struct real_actor *actor = real_watch_actor(run, draw->actor);
    const struct scenario_event *line =
        actor ? line_of(run, actor, draw->step) : NULL;
    uint64_t pairs[2 * SCENARIO_DRAWS_MAX];
    const uint64_t *pair = pairs + 2 * (size_t)draw->number;
    uint32_t count;

    /* Who wrote the line did not know them, as the checker does not. */
    if (!line || !line->draws)
        return env_choose(run->env, draw->n);
    if (scenario_draws_read(line->draws, pairs, &count) == KAN_OK &&
        draw->number < count && pair[1] == draw->n)
        return pair[0];
    run_fails(run->result, "replay",
              "line %u: number %u that %s draws is of %llu; the line has #%s",
              line->line, draw->number + 1, draw->actor->text,
              (unsigned long long)draw->n, line->draws);
    return 0;
}

static bool same_input(const struct scenario_event *line,
                       const struct actor_event *event)
{
    return (line->kind == SCENARIO_TIMER) == (event->input == PATH_TIMER) &&
           line->name && strcmp(line->name, event->name) == 0;
}

void real_draws_took(struct real_run *run, struct real_actor *actor,
                     const struct actor_event *event)
{
    const struct scenario_event *line;
    uint64_t pairs[2 * SCENARIO_DRAWS_MAX];
    uint32_t count = 0;

    if (!run->script ||
        (event->input != PATH_MESSAGE && event->input != PATH_TIMER))
        return;
    line = line_of(run, actor, 0);
    if (!line)
        return;
    actor->line = (uint32_t)(line - run->script->events) + 1;
    if (!line->draws)
        return;
    if (!same_input(line, event))
        run_fails(run->result, "replay", "line %u: %s has taken %s before it",
                  line->line, event->actor.text, event->name);
    else if (scenario_draws_read(line->draws, pairs, &count) != KAN_OK ||
             count != event->choice_count)
        run_fails(run->result, "replay",
                  "line %u: %s drew %u numbers; the line has #%s", line->line,
                  event->actor.text, event->choice_count, line->draws);
}
