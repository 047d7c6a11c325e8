/* `kan check --picture`. */

#include "cli/check_picture.h"

#include "base/alloc.h"
#include "check/draw/picture.h"
#include "cli/command.h"
#include "cli/files.h"

/* --- which actors --------------------------------------------------------- */

static int name_actor(const struct run *run, struct kan_slice name,
                      uint32_t *ret_lane)
{
    struct buffer names = BUFFER_INIT;

    if (picture_lane(run, slice_trim(name), ret_lane) == KAN_OK)
        return EXIT_DONE;
    for (uint32_t i = 0; i < run->lane_count; i++)
        buffer_print(&names, "%s%s", i ? ", " : "", run->lanes[i]);
    int code =
        command_refuse("check", "--actors: there is no '%.*s'; there are %s",
                       SLICE_ARG(name), buffer_text(&names));
    buffer_fini(&names);
    return code;
}

static int find_actors(const struct check_picture *picture,
                       const struct run *run, uint32_t *p, uint32_t *q)
{
    struct kan_slice rest = kan_text(picture->actors ? picture->actors : "");
    struct kan_slice first;
    int code;

    if (!picture->actors) {
        enum kan_err err = square_choose_actors(run, p, q);
        return err ? command_refuse("check", "--picture: %s",
                                    err == KAN_NOTFOUND
                                        ? "it takes two actors, and this model "
                                          "has one"
                                        : kan_err_text(err))
                   : EXIT_DONE;
    }
    if (!slice_cut(&rest, ',', &first))
        return command_refuse(
            "check", "--actors is '%s'; expected two, as client/0,client/1",
            picture->actors);
    code = name_actor(run, first, p);
    if (code == EXIT_DONE)
        code = name_actor(run, rest, q);
    if (code == EXIT_DONE && *p == *q)
        code = command_refuse("check", "--actors: '%s' is one actor twice",
                              picture->actors);
    return code;
}

/* --- the page ------------------------------------------------------------- */

static int write_run(const struct check_picture *picture, struct space *space,
                     const struct walk_run *steps, const struct run *run,
                     struct buffer *out)
{
    struct square *square = NULL;
    struct buffer page = BUFFER_INIT;
    struct buffer why = BUFFER_INIT;
    uint32_t p;
    uint32_t q;
    int code = find_actors(picture, run, &p, &q);

    if (code != EXIT_DONE)
        return code;
    enum kan_err err = square_new(space, steps, run, p, q, &square, &why);
    if (err == KAN_OK)
        err = picture_draw(space, square, &page);
    if (err)
        code = command_refuse("check", "--picture: %s",
                              why.size ? buffer_text(&why) : kan_err_text(err));
    else if (!file_write("check", picture->file, buffer_slice(&page)))
        code = EXIT_USAGE;
    else
        buffer_print(
            out, "square:  %s (%s and %s: %s interleavings = %s paths)\n",
            picture->file, run->lanes[p], run->lanes[q],
            buffer_text(&square->interleavings), buffer_text(&square->paths));
    square_free(square);
    buffer_fini(&page);
    buffer_fini(&why);
    return code;
}

int check_picture_write(const struct check_picture *picture,
                        struct space *space, const struct walk_run *steps,
                        const struct run *run, const char *title,
                        struct buffer *out)
{
    struct walk_run chosen = {0};
    struct run *made = NULL;
    enum kan_err err = KAN_OK;
    int code = EXIT_DONE;

    if (!picture->file)
        return EXIT_DONE;
    if (!run) {
        err = square_choose_run(space, &chosen);
        if (err == KAN_OK)
            err = run_new(space, &chosen, title, "a run where all take turns",
                          &made);
        steps = &chosen;
        run = made;
    }
    code = err ? command_refuse("check", "--picture: %s", kan_err_text(err))
               : write_run(picture, space, steps, run, out);
    run_free(made);
    mem_free(chosen.steps);
    return code;
}
