/* A run as a sequence diagram for a terminal: a column for each actor that has
 * a part in it, an arrow for each message where it is taken, and beside each
 * step what it changed. */

#include <assert.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "check/draw/run.h"

enum
{
    NUMBER_WIDTH = 5,   /* columns for the step's number */
    LANE_WIDTH_MIN = 4, /* an arrow can be told from another */
    LANE_WIDTH_MAX = 40,
    WIDTH_MAX = 512 /* 64 actors need 261 */
};

struct canvas
{
    const struct run *run;
    struct buffer *out;
    uint32_t width;
    uint32_t lane_width;
    uint32_t *column;          /* of each lane; 0: it has no part */
    uint32_t cells[WIDTH_MAX]; /* code points of the row */
};

/* --- rows ----------------------------------------------------------------- */

static void row_clear(struct canvas *canvas)
{
    for (uint32_t x = 0; x < canvas->width; x++)
        canvas->cells[x] = ' ';
    for (uint32_t i = 0; i < canvas->run->lane_count; i++) {
        if (canvas->column[i] > 0)
            canvas->cells[canvas->column[i]] = 0x2502; /* │ */
    }
}

static void row_end(struct canvas *canvas)
{
    uint32_t end = canvas->width;

    while (end > 0 && canvas->cells[end - 1] == ' ')
        end--;
    for (uint32_t x = 0; x < end; x++) {
        char bytes[4];
        size_t size = utf8_encode(canvas->cells[x], bytes);
        buffer_append(canvas->out, kan_slice(bytes, size));
    }
    buffer_append_byte(canvas->out, '\n');
}

/* A terminal would obey it. */
static bool is_control(uint32_t point)
{
    return point < ' ' || (point >= 0x7f && point < 0xa0);
}

/* Text from column x on, at most room columns; that it was cut is shown. */
static void row_text(struct canvas *canvas, uint32_t x, struct kan_slice text,
                     uint32_t room)
{
    uint32_t used = 0;

    if (x >= canvas->width)
        return;
    if (room > canvas->width - x)
        room = canvas->width - x;
    while (text.size > 0 && used < room) {
        uint32_t point;
        size_t size = utf8_decode(text, &point);
        if (size == 0)
            break;
        text = slice_skip(text, size);
        if (used + 1 == room && text.size > 0)
            point = 0x2026; /* … */
        canvas->cells[x + used++] = is_control(point) ? ' ' : point;
    }
}

static uint32_t text_width(struct kan_slice text)
{
    uint32_t width = 0;
    uint32_t point;

    for (size_t size; (size = utf8_decode(text, &point)) > 0; width++)
        text = slice_skip(text, size);
    return width;
}

static void row_number(struct canvas *canvas, uint32_t number)
{
    struct buffer text = BUFFER_INIT;

    buffer_print(&text, "%*u", NUMBER_WIDTH - 2, number);
    row_text(canvas, 0, buffer_slice(&text), NUMBER_WIDTH - 1);
    buffer_fini(&text);
}

/* Where a text so wide begins when its middle should be at column x. */
static uint32_t text_start(const struct canvas *canvas, uint32_t x,
                           uint32_t wide)
{
    uint32_t start = x > NUMBER_WIDTH + wide / 2 ? x - wide / 2 : NUMBER_WIDTH;

    if (start + wide <= canvas->width)
        return start;
    return wide < canvas->width - NUMBER_WIDTH ? canvas->width - wide
                                               : NUMBER_WIDTH;
}

/* Text beside a lane: to its right; to its left when only there is room. With
 * no lane, or no room on either side, as far left as it must be. */
static void row_beside(struct canvas *canvas, uint32_t lane,
                       struct kan_slice text)
{
    uint32_t wide = text_width(text);
    uint32_t x = NUMBER_WIDTH;

    if (lane != UINT32_MAX) {
        uint32_t column = canvas->column[lane];
        x = column + 2;
        if (x + wide > canvas->width && column > NUMBER_WIDTH + wide)
            x = column - 1 - wide;
        else if (x + wide > canvas->width)
            x = text_start(canvas, canvas->width, wide);
    }
    row_text(canvas, x, text, canvas->width);
}

/* --- columns -------------------------------------------------------------- */

static void mark(struct canvas *canvas, uint32_t lane)
{
    if (lane != UINT32_MAX)
        canvas->column[lane] = 1;
}

/* Lanes with a part in the run get a column. */
static void place_lanes(struct canvas *canvas)
{
    const struct run *run = canvas->run;
    uint32_t count = 0;

    for (uint32_t i = 0; i < run->step_count; i++) {
        mark(canvas, run->steps[i].lane);
        if (run->steps[i].message != UINT32_MAX) {
            mark(canvas, run->messages[run->steps[i].message].from);
            mark(canvas, run->messages[run->steps[i].message].to);
        }
    }
    for (uint32_t i = 0; i < run->lane_count; i++)
        count += canvas->column[i];
    canvas->lane_width =
        count > 0 ? (canvas->width - NUMBER_WIDTH) / count : canvas->width;
    if (canvas->lane_width < LANE_WIDTH_MIN)
        canvas->lane_width = LANE_WIDTH_MIN;
    if (canvas->lane_width > LANE_WIDTH_MAX)
        canvas->lane_width = LANE_WIDTH_MAX;
    if (NUMBER_WIDTH + count * canvas->lane_width > canvas->width)
        canvas->width = NUMBER_WIDTH + count * canvas->lane_width;
    assert(canvas->width <= WIDTH_MAX);
    for (uint32_t i = 0, place = 0; i < run->lane_count; i++) {
        if (canvas->column[i] == 0)
            continue;
        uint32_t x = NUMBER_WIDTH + place++ * canvas->lane_width +
                     canvas->lane_width / 2;
        canvas->column[i] = x;
    }
}

/* The names of the lanes, in as many rows as keep them apart. */
static void draw_heads(struct canvas *canvas)
{
    const struct run *run = canvas->run;

    for (uint32_t next = 0; next < run->lane_count;) {
        uint32_t end = 0; /* of what stands in this row */
        row_clear(canvas);
        for (uint32_t i = next; i < run->lane_count; i++) {
            if (canvas->column[i] > 0)
                canvas->cells[canvas->column[i]] = ' ';
        }
        for (; next < run->lane_count; next++) {
            struct kan_slice name = kan_text(run->lanes[next]);
            uint32_t width = text_width(name);
            if (canvas->column[next] == 0)
                continue;
            uint32_t x = text_start(canvas, canvas->column[next], width);
            if (end > 0 && x <= end)
                break;
            row_text(canvas, x, name, width);
            end = x + width;
        }
        if (end > 0)
            row_end(canvas);
    }
}

/* --- steps ---------------------------------------------------------------- */

static void print_message(const char *how, const struct scenario_event *event,
                          struct buffer *out)
{
    buffer_print(out, "%s%s%s", how, event->name, event->json ? " " : "");
    if (event->json)
        buffer_append_text(out, event->json);
}

static void label_of(const struct run_step *step, struct buffer *out)
{
    const struct scenario_event *event = &step->event;

    switch (event->kind) {
    case SCENARIO_DELIVER:
        print_message("", event, out);
        break;
    case SCENARIO_REQUEST:
        print_message("a client asks: ", event, out);
        break;
    case SCENARIO_LIE:
        buffer_print(out, "lies to %s: ", event->to.text);
        print_message("", event, out);
        break;
    case SCENARIO_LOSE:
        print_message("lost: ", event, out);
        break;
    case SCENARIO_DOUBLE:
        print_message("twice: ", event, out);
        break;
    case SCENARIO_TIMER:
        buffer_print(out, "\u25f7 %s", event->name);
        break;
    case SCENARIO_CRASH:
        buffer_append_text(out, "\u2717 crash");
        break;
    case SCENARIO_RESTART:
        buffer_append_text(out, "\u21bb restart");
        break;
    case SCENARIO_JUMP:
        buffer_print(out, "clock %+lld ms", (long long)event->jump_ms);
        break;
    case SCENARIO_CUT:
        buffer_print(out, "\u2702 cut off: %s", event->names);
        break;
    case SCENARIO_HEAL:
        buffer_append_text(out, "the network heals");
        break;
    }
    if (event->choice > 0)
        buffer_print(out, " #%u", event->choice);
}

static void draw_arrow(struct canvas *canvas, uint32_t from, uint32_t to,
                       bool lost)
{
    uint32_t left = from < to ? from : to;
    uint32_t right = from < to ? to : from;

    for (uint32_t x = left + 1; x < right; x++)
        canvas->cells[x] = 0x2500; /* ─ */
    if (lost)
        canvas->cells[(left + right) / 2] = 0x2717; /* ✗ */
    else
        canvas->cells[from < to ? to - 1 : to + 1] =
            from < to ? 0x25b6 : 0x25c0; /* ▶ ◀ */
}

/* A message from one lane to another: its label above its arrow. */
static void draw_message(struct canvas *canvas,
                         const struct run_message *message, uint32_t number,
                         struct kan_slice label)
{
    uint32_t from = message->from == UINT32_MAX ? NUMBER_WIDTH
                                                : canvas->column[message->from];
    uint32_t to = canvas->column[message->to];
    uint32_t x = text_start(canvas, (from + to + 1) / 2, text_width(label));

    row_clear(canvas);
    row_text(canvas, x, label, canvas->width);
    row_end(canvas);
    row_clear(canvas);
    row_number(canvas, number);
    draw_arrow(canvas, from, to, message->lost);
    row_end(canvas);
}

static void draw_mark(struct canvas *canvas, const struct run_step *step,
                      uint32_t number, struct kan_slice label)
{
    uint32_t lane = step->message == UINT32_MAX
                        ? step->lane
                        : canvas->run->messages[step->message].to;

    row_clear(canvas);
    row_number(canvas, number);
    row_beside(canvas, lane, label);
    row_end(canvas);
}

static void draw_changes(struct canvas *canvas, const struct run_step *step)
{
    struct kan_slice rest = kan_text(step->why ? step->why : step->changes);

    while (rest.size > 0) {
        struct kan_slice line;
        slice_cut(&rest, '\n', &line);
        row_clear(canvas);
        row_beside(canvas, step->lane, line);
        row_end(canvas);
    }
}

static void draw_step(struct canvas *canvas, const struct run_step *step,
                      uint32_t number)
{
    const struct run_message *message =
        step->message == UINT32_MAX ? NULL
                                    : &canvas->run->messages[step->message];
    struct buffer label = BUFFER_INIT;

    label_of(step, &label);
    if (message && message->from != message->to)
        draw_message(canvas, message, number, buffer_slice(&label));
    else
        draw_mark(canvas, step, number, buffer_slice(&label));
    draw_changes(canvas, step);
    canvas->out->failed |= label.failed;
    buffer_fini(&label);
}

enum kan_err run_draw_text(const struct run *run, uint32_t width, bool colour,
                           struct buffer *out)
{
    struct canvas *canvas = mem_zalloc(sizeof *canvas);
    const char *bold = colour ? "\033[1m" : "";
    const char *red = colour ? "\033[1;31m" : "";
    const char *plain = colour ? "\033[0m" : "";

    if (!canvas)
        return KAN_NOMEM;
    *canvas = (struct canvas){
        .run = run,
        .out = out,
        .width = width < 40          ? 40
                 : width > WIDTH_MAX ? WIDTH_MAX
                                     : width,
        .column = mem_zalloc((run->lane_count + 1) * sizeof(uint32_t)),
    };
    if (!canvas->column) {
        mem_free(canvas);
        return KAN_NOMEM;
    }
    place_lanes(canvas);
    buffer_print(out, "%s%s%s\n", bold, run->title, plain);
    draw_heads(canvas);
    for (uint32_t i = 0; i < run->step_count; i++)
        draw_step(canvas, &run->steps[i], i + 1);
    buffer_print(out, "%s%s%s\n", red, run->verdict, plain);
    mem_free(canvas->column);
    mem_free(canvas);
    return buffer_failed(out) ? KAN_NOMEM : KAN_OK;
}
