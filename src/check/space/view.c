/* A state as properties see it. */

#include "check/space/inside.h"

struct seen
{
    kan_view view; /* first: properties get it */
    const struct space *space;
    const struct space_state *state;
};

static void see_message(const struct kan_view *view, uint32_t number,
                        struct kan_view_message *ret_message)
{
    const struct seen *seen = (const void *)view;
    const struct space *space = seen->space;
    uint32_t word = seen->state->words[at_messages(space) + number];
    const struct message_head *head = word_head(space, word);

    ret_message->from = head->from == SPACE_OUTSIDE ? UINT32_MAX : head->from;
    ret_message->to = head->to;
    ret_message->record = space_message_record(space, word);
    ret_message->message =
        ret_message->record->size > 0 ? (const void *)(head + 1) : NULL;
}

static int64_t see_parameter(const struct kan_view *view, uint32_t number)
{
    const struct seen *seen = (const void *)view;

    return number < seen->space->model.parameter_count
               ? seen->space->parameters[number]
               : 0;
}

bool space_holds(struct space_walker *walker, uint32_t property,
                 const struct space_state *state)
{
    const struct space *space = walker->space;
    const void *states[KAN_INSTANCES_MAX];
    bool up[KAN_INSTANCES_MAX];
    bool liar[KAN_INSTANCES_MAX];
    struct seen seen;

    for (uint32_t i = 0; i < space->actor_count; i++) {
        const struct local_head *head = local_head(space, state->words[i]);
        states[i] = local_struct(head);
        up[i] = head->flags & LOCAL_UP;
        liar[i] = head->flags & LOCAL_LIAR;
    }
    seen.space = space;
    seen.state = state;
    seen.view.count = space->actor_count;
    seen.view.states = states;
    seen.view.up = up;
    seen.view.liar = liar;
    seen.view.message_count = state->count - at_messages(space);
    seen.view.message = see_message;
    seen.view.parameter = see_parameter;
    return space->model.properties[property].holds(&seen.view);
}

struct path_id space_actors_hash(struct space_walker *walker,
                                 const struct space_state *state)
{
    const struct space *space = walker->space;
    struct path_id sum = {0, 0};

    for (uint32_t i = 0; i < space->actor_count; i++) {
        const struct local_head *head = local_head(space, state->words[i]);
        uint32_t size = space->actors[i].type->state->size;
        sum = path_id_add(sum, path_hash(kan_slice(local_struct(head), size),
                                         SPACE_SEED_ACTOR + i));
    }
    return sum;
}

bool space_orderable(struct space_walker *walker,
                     const struct space_state *state)
{
    const struct space *space = walker->space;

    return history_orderable(space, state->words[at_history(space)]);
}

const void *space_actor_state(struct space_walker *walker,
                              const struct space_state *state, uint32_t actor)
{
    return local_struct(local_head(walker->space, state->words[actor]));
}

bool space_actor_up(struct space_walker *walker,
                    const struct space_state *state, uint32_t actor)
{
    return local_head(walker->space, state->words[actor])->flags & LOCAL_UP;
}

int64_t space_clock_moves(struct space_walker *walker,
                          const struct space_state *state,
                          const struct space_step *step)
{
    const struct space *space = walker->space;

    if (space->model.absolute_time)
        return 0;
    if (step->kind == SPACE_JUMP)
        return space->jumps[step->object].delta_ms;
    if (step->kind != SPACE_TIMER)
        return 0;
    const struct local_head *head =
        local_head(space, state->words[step->actor]);
    int64_t due = local_due_at(head)[step->object];
    return due > head->now_ms ? due - head->now_ms : 0;
}
