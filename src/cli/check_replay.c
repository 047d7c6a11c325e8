/* Replaying a scenario, and comparing its end with what the file says. */

#include "cli/check_replay.h"

#include <stdio.h>

#include "base/alloc.h"
#include "cli/command.h"

/* What the end of a run shows. */
struct ending
{
    const struct space *space;
    const char *property; /* that does not hold there; NULL: none */
    char text[512];
};

static void say_ending(struct ending *ending, const char *name,
                       const char *what)
{
    ending->property = name;
    (void)snprintf(ending->text, sizeof ending->text, "%s%s %s", name,
                   what[0] == ':' ? "" : " does not hold here", what);
}

static bool nothing_follows(struct space_walker *walker,
                            const struct space_state *state)
{
    struct space_step *steps = mem_alloc(SPACE_STEPS_MAX * sizeof *steps);
    uint32_t count = 1;

    if (steps && space_expand(walker, state, steps, &count) != KAN_OK)
        count = 1;
    mem_free(steps);
    return count == 0;
}

static void look_at(struct ending *ending, struct space_walker *walker,
                    const struct space_state *state, uint32_t number)
{
    const struct kan_model_property *property =
        space_property(ending->space, number);

    if (property->kind == KAN_INVARIANT && !space_holds(walker, number, state))
        say_ending(ending, property->name, "");
    if (property->kind == KAN_FINALLY && nothing_follows(walker, state) &&
        !space_holds(walker, number, state))
        say_ending(ending, property->name, "and nothing follows");
    if (property->kind == KAN_LINEARIZABLE && !space_orderable(walker, state))
        say_ending(ending, property->name,
                   "since what clients saw fits no order");
}

/* Which property of states does not hold at the end of the run. */
static bool on_follow(void *data, struct space_walker *walker,
                      const struct space_state *state,
                      const struct space_step *step)
{
    struct ending *ending = data;

    if (step) {
        if (step->flags & SPACE_BROKEN) {
            say_ending(ending, "handler", ":");
            (void)snprintf(ending->text, sizeof ending->text, "handler: %s",
                           space_why(walker, step));
        }
        return true;
    }
    for (uint32_t i = 0; i < space_property_count(ending->space); i++)
        look_at(ending, walker, state, i);
    return true;
}

/* Whether one run can show that the property fails. What can be recovered, and
 * whether all runs end alike, is a matter of all of them. */
static bool can_be_seen(const struct space *space, const char *name)
{
    for (uint32_t i = 0; name && i < space_property_count(space); i++) {
        const struct kan_model_property *property = space_property(space, i);
        if (strcmp(property->name, name) == 0)
            return property->kind != KAN_RECOVERABLE &&
                   property->kind != KAN_CONVERGES;
    }
    return true;
}

static int compare(const struct check_replay *replay,
                   const struct ending *ending, const struct run *run)
{
    const struct scenario *scenario = replay->scenario;
    const char *wanted =
        scenario->expect && strcmp(scenario->expect, "fails") == 0
            ? scenario->property
            : NULL;
    const char *seen = ending->property;

    if (scenario->has_path &&
        memcmp(&scenario->path, &run->path, sizeof run->path) != 0) {
        (void)command_refuse("check",
                             "%s: this is not the path that the file names",
                             replay->file);
        return EXIT_FOUND;
    }
    if (!scenario->expect || !can_be_seen(replay->space, wanted) ||
        (!wanted && !seen) || (wanted && seen && strcmp(wanted, seen) == 0))
        return EXIT_DONE;
    (void)command_refuse("check", "%s: expected at the end: %s%s; it is: %s%s",
                         replay->file, wanted ? wanted : "nothing", " fails",
                         seen ? seen : "nothing", " fails");
    return EXIT_FOUND;
}

static int draw(const struct check_replay *replay, const struct walk_run *steps,
                const struct run *run, struct buffer *out)
{
    char path[PATH_ID_TEXT];
    enum kan_err err = run_draw_text(run, replay->width, replay->colour, out);

    if (err)
        return command_refuse("check", "%s: %s", replay->file,
                              kan_err_text(err));
    path_id_text(run->path, path);
    buffer_print(out, "path %s\n", path);
    int code = check_picture_write(replay->picture, replay->space, steps, run,
                                   replay->file, out);
    fwrite(out->bytes, 1, out->size, stdout);
    return code;
}

int check_replay(const struct check_replay *replay, struct buffer *out)
{
    struct buffer why = BUFFER_INIT;
    struct walk_run steps = {0};
    struct run *run = NULL;
    struct ending ending = {
        .space = replay->space,
        .text = "every property of states holds here",
    };
    enum kan_err err =
        run_find(replay->space, replay->scenario, replay->file, &steps, &why);
    int code;

    if (err == KAN_OK)
        err = walk_follow(replay->space, &steps, on_follow, &ending);
    if (err == KAN_OK)
        err = run_new(replay->space, &steps, replay->file, ending.text, &run);
    if (err)
        code = command_refuse("check", "%s",
                              why.size ? buffer_text(&why) : kan_err_text(err));
    else
        code = draw(replay, &steps, run, out);
    if (code == EXIT_DONE)
        code = compare(replay, &ending, run);
    run_free(run);
    mem_free(steps.steps);
    buffer_fini(&why);
    return code;
}
