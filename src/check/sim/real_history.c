/* What clients saw: the operations that actors begin and end with kan_invoke()
 * and kan_complete(), in the order in which their steps were told, judged by
 * the orders that the checker keeps (check/space/frontier.c).
 *
 * A step is told after its commit, and what it sends leaves after that. So an
 * operation begins here before anybody else can feel it, and ends here no
 * earlier than it did: an operation that is here before another was so in
 * truth, and a failure is one. Two things can be known too late, a message of a
 * step that is told after it was taken, and a step that died with its process
 * before it was told. The second is worked out again where that can be done
 * (real_untold.c). Where it is not known what an actor did, nothing is judged
 * from there on. */

#include <stdio.h>

#include "check/sim/real.h"

/* What is kept for all runs; beyond it everything is kept afresh. */
static const uint64_t kept_max = UINT64_C(1) << 28;

/* --- the judge ------------------------------------------------------------ */

enum kan_err real_judge_open(struct simulator *simulator, struct buffer *why)
{
    const struct space_options options = {
        .module = simulator->options.module,
        .model = simulator->model,
        .parameters = simulator->parameters,
        .faults = &simulator->faults,
    };
    enum kan_err err;

    if (!simulator_property(simulator, KAN_LINEARIZABLE))
        return KAN_OK;
    err = space_new(&options, &simulator->judge, why);
    return err ? err
               : space_walker_new(simulator->judge, &simulator->judge_walker);
}

void real_judge_close(struct simulator *simulator)
{
    simulator->judge_walker = space_walker_free(simulator->judge_walker);
    simulator->judge = space_free(simulator->judge);
}

static enum kan_err judge_afresh(struct simulator *simulator)
{
    struct buffer why = BUFFER_INIT;
    enum kan_err err;

    if (space_stats(simulator->judge).bytes <= kept_max)
        return KAN_OK;
    real_judge_close(simulator);
    err = real_judge_open(simulator, &why);
    buffer_fini(&why);
    return err;
}

void real_history_init(struct real_run *run)
{
    list_init(&run->sent);
    if (!run->simulator->judge)
        return;
    run->observed = true;
    run->orders = SPACE_ORDERS_FIRST;
    run->err = judge_afresh(run->simulator);
}

/* --- operations ----------------------------------------------------------- */

/* As "read 4"; a specification that shows nothing gives numbers. */
static void show(const struct kan_spec *spec, const struct real_actor *actor,
                 bool returned, int64_t result, char *text, size_t size)
{
    if (spec->show)
        spec->show(actor->op, actor->argument, returned, result, text, size);
    else if (returned)
        (void)snprintf(text, size, "operation %u of %lld = %lld", actor->op,
                       (long long)actor->argument, (long long)result);
    else
        (void)snprintf(text, size, "operation %u of %lld", actor->op,
                       (long long)actor->argument);
}

static void take_note(struct real_run *run, struct real_actor *actor,
                      const struct turn_note *note)
{
    const struct kan_model_property *property =
        simulator_property(run->simulator, KAN_LINEARIZABLE);
    bool ended = note->kind == TURN_COMPLETE;
    uint32_t index = (uint32_t)(actor - run->actors);
    char text[80] = "";
    enum kan_err err = space_observe(run->simulator->judge_walker, index, note,
                                     1, &run->orders);

    if (err == KAN_CONFLICT) {
        run_fails(run->result, "handler",
                  "%s: kan_invoke() within an open operation, or "
                  "kan_complete() without one: a client has one at a time",
                  actor->ref.text);
        return;
    }
    if (err) {
        run->err = err;
        return;
    }
    if (!ended) {
        actor->op = note->op;
        actor->argument = note->value;
    }
    show(property->spec, actor, ended, note->value, text, sizeof text);
    real_note(run, "# %s %s %s", actor->ref.text, ended ? "ends" : "begins",
              text);
    if (run->orders == SPACE_ORDERS_NONE)
        run_fails(run->result, property->name,
                  "what clients saw fits no order: not with %s of %s", text,
                  actor->ref.text);
}

void real_history_did(struct real_run *run, struct real_actor *actor,
                      const struct turn_input *input,
                      const struct turn_output *output)
{
    static const struct kan_failed refused = {KAN_INVALID};

    if (!run->observed)
        return;
    for (uint32_t i = 0; i < output->send_count; i++) {
        const struct turn_send *send = &output->sends[i];
        real_sent_add(run, &actor->ref, &send->to, send->record, send->message);
    }
    if (output->end == TURN_REFUSED && input->sender &&
        actor_core_tells(input->sender, input->record->name))
        real_sent_add(run, &actor->ref, input->sender, &kan_failed_record,
                      &refused);
    for (uint32_t i = 0; real_going(run) && i < output->note_count; i++)
        take_note(run, actor, &output->notes[i]);
}

/* --- what is not known ---------------------------------------------------- */

void real_history_lose(struct real_run *run, const struct real_actor *actor)
{
    run->observed = false;
    run->simulator->histories_lost++;
    real_note(run, "# what %s did is not known: no order is looked for",
              actor->ref.text);
}

void real_history_took(struct real_run *run, const struct real_actor *actor,
                       const struct actor_event *event)
{
    if (run->observed && event->input == PATH_MESSAGE &&
        strncmp(event->from.text, "client/", 7) != 0 &&
        !real_sent_take(run, event))
        real_history_lose(run, actor);
}
