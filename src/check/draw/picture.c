/* A progress square as a page. What is drawn and how it is dragged is in
 * picture.html; here its data is put in, as one JSON object. */

#include "check/draw/picture.h"

#include "base/json.h"

/* Made from picture.html by the build. */
extern const unsigned char picture_page[];
extern const size_t picture_page_size;

/* Stands in picture.html where the data belongs. */
static const struct kan_slice mark = {"@DATA@", 6};

/* --- values --------------------------------------------------------------- */

static void put_string(const char *name, const char *text, struct buffer *out)
{
    json_append_name(out, name);
    json_append_string(out, kan_text(text));
}

/* A number, or -1 for none. */
static void put_number(uint32_t number, struct buffer *out)
{
    if (number == SQUARE_NONE)
        buffer_append_text(out, "-1");
    else
        buffer_append_u64(out, number);
}

/* --- axes ----------------------------------------------------------------- */

/* What a step is called on its axis: of a message or timer its name. */
static const char *step_name(const struct run_step *step)
{
    switch (step->event.kind) {
    case SCENARIO_DELIVER:
    case SCENARIO_TIMER:
        break;
    case SCENARIO_REQUEST:
        return "request";
    case SCENARIO_LIE:
        return "lie";
    case SCENARIO_CRASH:
        return "crash";
    case SCENARIO_RESTART:
        return "restart";
    case SCENARIO_LOSE:
        return "lost";
    case SCENARIO_DOUBLE:
        return "twice";
    case SCENARIO_JUMP:
        return "clock";
    case SCENARIO_CUT:
        return "cut";
    case SCENARIO_HEAL:
        return "heal";
    }
    return step->event.name ? step->event.name : "";
}

static enum kan_err put_step(const struct run *run, uint32_t number,
                             struct buffer *out)
{
    const struct run_step *step = &run->steps[number];
    struct buffer line = BUFFER_INIT;
    enum kan_err err = scenario_write_event(&step->event, &line);

    buffer_append_byte(out, '{');
    put_string("name", step_name(step), out);
    put_string("json", step->event.json ? step->event.json : "", out);
    put_string(
        "actor",
        step->lane == UINT32_MAX ? "the network" : run->lanes[step->lane], out);
    json_append_name(out, "line");
    json_append_string(
        out, slice_trim(slice_head(buffer_slice(&line),
                                   line.size > 0 ? line.size - 1 : 0)));
    buffer_append_byte(out, '}');
    buffer_fini(&line);
    return err;
}

static enum kan_err put_axis(const char *name, const struct square *square,
                             const struct square_axis *axis, struct buffer *out)
{
    enum kan_err err = KAN_OK;

    json_append_name(out, name);
    buffer_append_byte(out, '{');
    put_string("actor", square->run->lanes[axis->lane], out);
    json_append_name(out, "steps");
    buffer_append_byte(out, '[');
    for (uint32_t k = 0; err == KAN_OK && k < axis->count; k++) {
        if (k > 0)
            buffer_append_byte(out, ',');
        err = put_step(square->run, axis->steps[k], out);
    }
    buffer_append_text(out, "]}");
    return err;
}

/* The run as a way, "PPQP". */
static void put_way(const struct square *square, struct buffer *out)
{
    uint32_t q = 0;

    json_append_name(out, "run");
    buffer_append_byte(out, '"');
    for (uint32_t k = 0; k < square->run->step_count; k++) {
        bool of_q = q < square->q.count && square->q.steps[q] == k;
        q += of_q;
        buffer_append_byte(out, of_q ? 'Q' : 'P');
    }
    buffer_append_byte(out, '"');
}

/* --- nodes ---------------------------------------------------------------- */

/* As picture.html takes them apart again: [i, j, flags, fails, P, Q, changes of
 * P, changes of Q, apart, "hash"]. */
static void put_node(const struct square_node *node, struct buffer *out)
{
    const uint32_t numbers[] = {node->flags, node->fails,     node->p.to,
                                node->q.to,  node->p.changes, node->q.changes,
                                node->apart};
    char hash[PATH_ID_TEXT];

    buffer_print(out, "[%u,%u", node->i, node->j);
    for (uint32_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
        buffer_append_byte(out, ',');
        put_number(numbers[k], out);
    }
    path_id_text(node->hash, hash);
    buffer_print(out, ",\"%.12s\"]", hash);
}

static void put_nodes(const struct square *square, struct buffer *out)
{
    json_append_name(out, "nodes");
    buffer_append_byte(out, '[');
    for (uint32_t k = 0; k < square->node_count; k++) {
        if (k > 0)
            buffer_append_text(out, ",\n");
        put_node(&square->nodes[k], out);
    }
    buffer_append_byte(out, ']');
}

static void put_texts(const struct square *square, struct buffer *out)
{
    struct kan_slice text;
    uint32_t cursor = 0;

    json_append_name(out, "texts");
    buffer_append_byte(out, '[');
    while (map_next(&square->texts, &cursor, &text, NULL)) {
        if (out->bytes && out->bytes[out->size - 1] != '[')
            buffer_append_byte(out, ',');
        json_append_string(out, text);
    }
    buffer_append_byte(out, ']');
}

/* --- the page ------------------------------------------------------------- */

static void put_properties(const struct space *space, struct buffer *out)
{
    json_append_name(out, "properties");
    buffer_append_byte(out, '[');
    for (uint32_t k = 0; k < space_property_count(space); k++) {
        if (k > 0)
            buffer_append_byte(out, ',');
        json_append_string(out, kan_text(space_property(space, k)->name));
    }
    buffer_append_byte(out, ']');
}

static enum kan_err put_data(const struct space *space,
                             const struct square *square, struct buffer *out)
{
    enum kan_err err;

    buffer_append_byte(out, '{');
    put_string("title", square->run->title, out);
    put_string("verdict", square->run->verdict, out);
    json_append_name(out, "interleavings");
    json_append_string(out, buffer_slice(&square->interleavings));
    json_append_name(out, "paths");
    json_append_string(out, buffer_slice(&square->paths));
    put_properties(space, out);
    err = put_axis("p", square, &square->p, out);
    if (err == KAN_OK)
        err = put_axis("q", square, &square->q, out);
    put_way(square, out);
    put_texts(square, out);
    put_nodes(square, out);
    buffer_append_byte(out, '}');
    return err;
}

enum kan_err picture_draw(struct space *space, const struct square *square,
                          struct buffer *out)
{
    struct kan_slice page = kan_slice(picture_page, picture_page_size);
    size_t at = slice_find(page, mark);
    enum kan_err err;

    buffer_append(out, slice_head(page, at));
    err = put_data(space, square, out);
    buffer_append(out, slice_skip(page, at + mark.size));
    return err ? err : buffer_failed(out) ? KAN_NOMEM : KAN_OK;
}

enum kan_err picture_lane(const struct run *run, struct kan_slice name,
                          uint32_t *ret_lane)
{
    for (uint32_t k = 0; k < run->lane_count; k++) {
        if (slice_equal(kan_text(run->lanes[k]), name)) {
            *ret_lane = k;
            return KAN_OK;
        }
    }
    return KAN_NOTFOUND;
}
