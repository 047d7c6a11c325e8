/* What an event adds to what its entity gives: to each column of events, by the
 * step's name and arguments in the newest version. */

#include "base/alloc.h"
#include "block/view/view_batch.h"

/* Carry arguments of another version over, by the names of parameters. false:
 * they do not fit the newest one. */
static bool carry_arguments(const struct view_follower *follower,
                            const struct entity_event *event, uint32_t step,
                            void *arguments)
{
    const struct program *from = event->program;
    const struct program *to = follower->program;
    uint32_t old_type = program_step(from, event->step).arguments;
    uint32_t new_type = program_step(to, step).arguments;
    uint32_t new_count = program_type(to, new_type)->member_count;
    uint32_t old_count = program_type(from, old_type)->member_count;
    struct buffer json = BUFFER_INIT;
    struct buffer why = BUFFER_INIT;
    struct json_tree tree;
    bool fits;

    memset(&tree, 0, sizeof(tree));
    program_arguments(to, step, arguments);
    buffer_append_byte(&json, '{');
    for (uint32_t i = 0; i < old_count; i++) {
        struct program_member old = program_member(from, old_type, i);
        for (uint32_t j = 0; j < new_count; j++) {
            struct program_member member = program_member(to, new_type, j);
            if (!slice_equal(member.name, old.name))
                continue;
            buffer_append_text(&json, json.size > 1 ? "," : "");
            json_append_string(&json, old.name);
            buffer_append_byte(&json, ':');
            program_json(from, old.type,
                         (const char *)event->arguments + old.offset, &json);
        }
    }
    buffer_append_byte(&json, '}');
    fits = !buffer_failed(&json) &&
           json_parse(buffer_slice(&json), NULL, &tree) == KAN_OK &&
           program_read_json(to, new_type, &tree, &tree.nodes[0], arguments,
                             &why) == KAN_OK;
    json_fini(&tree);
    buffer_fini(&json);
    buffer_fini(&why);
    return fits;
}

static void add_to_column(struct view_touched *touched, uint32_t column,
                          uint32_t step, const void *arguments,
                          uint64_t revision)
{
    const struct view_follower *follower = touched->batch->follower;
    enum program_column_kind kind = follower->columns[column].kind;
    struct view_part *part = &touched->now[column];
    int64_t value = 0;

    if (!program_column_event(follower->program, column, step, arguments,
                              &value))
        return;
    if (kind == PROGRAM_COUNT)
        value = 1;
    if (kind == PROGRAM_LAST) {
        value = (int64_t)revision;
        buffer_clear(&touched->lasts[column]);
        program_column_last(follower->program, column, step, arguments,
                            &touched->lasts[column]);
    }
    *part = view_part_add(kind, *part, value);
}

static enum kan_err add_step(struct view_touched *touched,
                             const struct entity_event *event)
{
    const struct view_follower *follower = touched->batch->follower;
    struct program_step old = program_step(event->program, event->step);
    int32_t step = program_step_find(follower->program, old.name);
    const void *arguments = event->arguments;
    void *carried = NULL;
    bool fits = true;

    if (step == PROGRAM_STEP_NONE)
        return KAN_OK;
    if (event->version != program_version(follower->program)) {
        uint32_t type =
            program_step(follower->program, (uint32_t)step).arguments;
        carried = mem_zalloc(program_type(follower->program, type)->size);
        if (!carried)
            return KAN_NOMEM;
        fits = carry_arguments(follower, event, (uint32_t)step, carried);
        arguments = carried;
    }
    for (uint32_t i = 0; i < follower->column_count; i++)
        if (follower->columns[i].of_events &&
            (fits || follower->columns[i].kind == PROGRAM_COUNT))
            add_to_column(touched, i, (uint32_t)step, arguments,
                          event->revision);
    mem_free(carried);
    return KAN_OK;
}

/* It is gone, and gives nothing, whatever it gave before. */
static void reset(struct view_touched *touched)
{
    uint32_t count = touched->batch->follower->column_count;

    memset(touched->now, 0, count * sizeof(*touched->now));
    for (uint32_t i = 0; touched->lasts && i < count; i++)
        buffer_clear(&touched->lasts[i]);
    touched->alive = false;
    touched->anew = true;
}

enum kan_err view_add_event(struct view_touched *touched,
                            const struct entity_event *event)
{
    bool erased = event->kind == ENTITY_ERASED;

    if (erased ? event->n < touched->n : event->n <= touched->n)
        return KAN_OK;
    if (!erased && touched->n != 0 && event->n != touched->n + 1)
        return KAN_CORRUPT;
    if (!touched->changed && !erased)
        touched->first = event->n;
    touched->n = event->n;
    touched->changed = true;
    touched->input = event->input;
    buffer_clear(&touched->columns);
    buffer_append(&touched->columns, event->columns);
    if (buffer_failed(&touched->columns))
        return KAN_NOMEM;
    if (erased || event->kind == ENTITY_DELETED) {
        reset(touched);
        return KAN_OK;
    }
    touched->alive = true;
    return event->kind == ENTITY_STEP ? add_step(touched, event) : KAN_OK;
}

enum kan_err view_add_kept(struct view_touched *touched, uint64_t n)
{
    const struct view_follower *follower = touched->batch->follower;

    if (touched->first && touched->first != n + 1)
        return KAN_CORRUPT;
    for (uint32_t i = 0; i < follower->column_count && !touched->anew; i++)
        touched->now[i] = view_part_join(follower->columns[i].kind,
                                         touched->old[i], touched->now[i]);
    return KAN_OK;
}
