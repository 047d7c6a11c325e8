/* A run as a sequence diagram in SVG: one file that needs nothing else. A
 * message is an arrow from where it was sent to where it is taken, so that what
 * overtakes what can be seen; each step says what it changed. Colours follow
 * the reader's light or dark setting. */

#include "base/alloc.h"
#include "base/utf8.h"
#include "check/draw/run.h"

enum
{
    OUTSIDE = 40,     /* where messages from outside begin */
    LEFT = 60,        /* room for the numbers of steps */
    LANE = 260,       /* between two lanes */
    BESIDE = 12,      /* between a lane and its texts */
    TOP = 96,         /* first step */
    ROW = 34,         /* one step */
    CHANGE = 14,      /* one line of changes */
    RIGHT = 130,      /* beyond half a lane, for the last one's texts */
    LABEL_MAX = 33,   /* characters shown of what happens: a lane's */
    CHANGE_MAX = 36,  /* and of a change, whose letters are smaller */
    LETTER = 9,       /* width of the title's letters, and more than others' */
    CHANGES_SHOWN = 6 /* lines of one step; the rest is in its tooltip */
};

struct svg
{
    const struct run *run;
    struct buffer *out;
    uint32_t *x; /* of each lane; 0: it has no part */
    uint32_t *y; /* of each step */
    uint32_t width;
    uint32_t height;
};

/* One character, with what XML reserves escaped. What XML cannot hold at all
 * becomes U+FFFD. */
static void put_point(struct buffer *out, uint32_t point)
{
    char bytes[4];

    switch (point) {
    case '&':
        buffer_append_text(out, "&amp;");
        return;
    case '<':
        buffer_append_text(out, "&lt;");
        return;
    case '>':
        buffer_append_text(out, "&gt;");
        return;
    case '"':
        buffer_append_text(out, "&quot;");
        return;
    default:
        if ((point < ' ' && point != '\n') || (point & 0xfffe) == 0xfffe)
            point = 0xfffd;
        buffer_append(out, kan_slice(bytes, utf8_encode(point, bytes)));
    }
}

/* Text, at most max characters of it. */
static void put_slice(struct buffer *out, struct kan_slice text, size_t max)
{
    for (size_t shown = 0; text.size > 0; shown++) {
        uint32_t point = 0xfffd;
        size_t size = utf8_decode(text, &point);
        text = slice_skip(text, size > 0 ? size : 1);
        if (shown + 1 == max && text.size > 0) {
            put_point(out, 0x2026); /* … */
            return;
        }
        put_point(out, point);
    }
}

static void put_text(struct buffer *out, const char *text, size_t max)
{
    put_slice(out, kan_text(text), max);
}

/* --- layout --------------------------------------------------------------- */

static uint32_t change_lines(const struct run_step *step)
{
    const char *text = step->why ? step->why : step->changes;
    uint32_t lines = *text != '\0';

    for (; *text; text++)
        lines += *text == '\n';
    return lines < CHANGES_SHOWN ? lines : CHANGES_SHOWN;
}

static void mark(struct svg *svg, uint32_t lane)
{
    if (lane != UINT32_MAX)
        svg->x[lane] = 1;
}

/* Title and verdict are shown in full. */
static void widen(struct svg *svg, const char *text)
{
    size_t size = strlen(text);
    uint32_t wide = 32 + LETTER * (uint32_t)(size < 4096 ? size : 4096);

    if (wide > svg->width)
        svg->width = wide;
}

static void lay_out(struct svg *svg)
{
    const struct run *run = svg->run;
    uint32_t y = TOP;
    uint32_t lanes = 0;

    for (uint32_t i = 0; i < run->step_count; i++) {
        const struct run_step *step = &run->steps[i];
        mark(svg, step->lane);
        if (step->message != UINT32_MAX) {
            mark(svg, run->messages[step->message].from);
            mark(svg, run->messages[step->message].to);
        }
        svg->y[i] = y;
        y += ROW + change_lines(step) * CHANGE;
    }
    for (uint32_t i = 0; i < run->lane_count; i++) {
        if (svg->x[i] > 0)
            svg->x[i] = LEFT + LANE / 2 + LANE * lanes++;
    }
    svg->width = LEFT + LANE * lanes + RIGHT;
    widen(svg, run->title);
    widen(svg, run->verdict);
    svg->height = y + 40;
}

/* --- drawing -------------------------------------------------------------- */

static const char style[] =
    "<style>svg{background:#fff;font:12px ui-monospace,monospace}"
    "text{fill:#1b1f24;stroke:#fff;stroke-width:3px;"
    "stroke-linejoin:round;paint-order:stroke}.t{font-weight:bold;font-size:"
    "15px}"
    ".h{font-weight:bold;text-anchor:middle}.n{fill:#8b949e;text-anchor:end}"
    ".l{stroke:#c9d1d9}.m{stroke:#0969da;fill:none;marker-end:url(#a)}"
    ".x{stroke:#8b949e;fill:none;stroke-dasharray:4 3}.c{fill:#57606a;"
    "font-size:11px}.f{fill:#cf222e}.v{fill:#cf222e;font-weight:bold}"
    ".k{fill:#0969da}.d{fill:#0969da}"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117}"
    "text{fill:#e6edf3;stroke:#0d1117}.l{stroke:#30363d}.c{fill:#9198a1}"
    ".m{stroke:#58a6ff}.k,.d{fill:#58a6ff}.f,.v{fill:#ff7b72}}</style>"
    "<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
    "markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path class=\"d\" "
    "d=\"M0 0L8 4L0 8z\"/></marker></defs>\n";

static void draw_lanes(struct svg *svg)
{
    for (uint32_t i = 0; i < svg->run->lane_count; i++) {
        if (svg->x[i] == 0)
            continue;
        buffer_print(svg->out, "<text class=\"h\" x=\"%u\" y=\"58\">",
                     svg->x[i]);
        put_text(svg->out, svg->run->lanes[i], 28);
        buffer_print(svg->out,
                     "</text><line class=\"l\" x1=\"%u\" y1=\"66\" x2=\"%u\" "
                     "y2=\"%u\"/>\n",
                     svg->x[i], svg->x[i], svg->height - 30);
    }
}

/* Where a message is sent: on the lane of its sender, at the step that sent it;
 * above all steps when it was on its way at the start. */
static void draw_arrow(struct svg *svg, const struct run_message *message,
                       uint32_t y)
{
    const char *kind = message->lost ? "x" : "m";
    uint32_t to = svg->x[message->to];
    uint32_t from =
        message->from == UINT32_MAX ? OUTSIDE : svg->x[message->from];
    uint32_t sent = message->sent_at == UINT32_MAX ? TOP - ROW / 2
                                                   : svg->y[message->sent_at];

    if (from == to)
        buffer_print(svg->out,
                     "<path class=\"%s\" d=\"M%u %uC%u %u %u %u %u %u\"/>\n",
                     kind, from, sent, from - 60, sent, to - 60, y, to, y);
    else
        buffer_print(svg->out, "<path class=\"%s\" d=\"M%u %uL%u %u\"/>\n",
                     kind, from, sent, to, y);
}

/* What a step is, beside its lane. */
static void put_label(struct buffer *out, const struct scenario_event *event)
{
    static const char *const words[] = {
        [SCENARIO_DELIVER] = "",
        [SCENARIO_TIMER] = "\u25f7 ",
        [SCENARIO_REQUEST] = "a client asks: ",
        [SCENARIO_LIE] = "lies to ",
        [SCENARIO_CRASH] = "\u2717 crash",
        [SCENARIO_RESTART] = "\u21bb restart",
        [SCENARIO_LOSE] = "\u2717 lost: ",
        [SCENARIO_DOUBLE] = "twice: ",
        [SCENARIO_JUMP] = "clock ",
        [SCENARIO_CUT] = "\u2702 cut off: ",
        [SCENARIO_HEAL] = "the network heals",
    };
    struct buffer label = BUFFER_INIT;

    buffer_append_text(&label, words[event->kind]);
    if (event->kind == SCENARIO_JUMP)
        buffer_print(&label, "%+lld ms", (long long)event->jump_ms);
    if (event->kind == SCENARIO_LIE)
        buffer_print(&label, "%s: ", event->to.text);
    if (event->kind == SCENARIO_CUT)
        buffer_append_text(&label, event->names);
    if (event->name)
        buffer_append_text(&label, event->name);
    if (event->json) {
        buffer_append_byte(&label, ' ');
        buffer_append_text(&label, event->json);
    }
    if (event->choice > 0)
        buffer_print(&label, " #%u", event->choice);
    put_slice(out, buffer_slice(&label), LABEL_MAX);
    out->failed |= label.failed;
    buffer_fini(&label);
}

static void draw_label(struct svg *svg, const struct run_step *step, uint32_t x,
                       uint32_t y)
{
    const struct scenario_event *event = &step->event;
    bool travels = step->message != UINT32_MAX;
    const char *class = travels                         ? "k"
                        : event->kind == SCENARIO_CRASH ? "f"
                                                        : "e";

    if (!travels && event->kind != SCENARIO_REQUEST)
        buffer_print(svg->out,
                     "<circle class=\"%s\" cx=\"%u\" cy=\"%u\" r=\"3\"/>",
                     event->kind == SCENARIO_CRASH ? "f" : "d", x, y);
    buffer_print(svg->out, "<text class=\"%s\" x=\"%u\" y=\"%u\">", class,
                 x + BESIDE, y + 4);
    put_label(svg->out, event);
    if (event->json) {
        buffer_append_text(svg->out, "<title>");
        put_text(svg->out, event->json, SIZE_MAX);
        buffer_append_text(svg->out, "</title>");
    }
    buffer_append_text(svg->out, "</text>\n");
}

static void draw_changes(struct svg *svg, const struct run_step *step,
                         uint32_t x, uint32_t y)
{
    const char *all = step->why ? step->why : step->changes;
    struct kan_slice rest = kan_text(all);

    for (uint32_t i = 0; rest.size > 0 && i < CHANGES_SHOWN; i++) {
        struct kan_slice line;
        slice_cut(&rest, '\n', &line);
        if (i + 1 == CHANGES_SHOWN && rest.size > 0)
            line = SLICE("\u2026");
        buffer_print(svg->out, "<text class=\"%s\" x=\"%u\" y=\"%u\">",
                     step->why ? "f" : "c", x + BESIDE, y + 18 + i * CHANGE);
        put_slice(svg->out, line, CHANGE_MAX);
        buffer_append_text(svg->out, "<title>");
        put_text(svg->out, all, SIZE_MAX);
        buffer_append_text(svg->out, "</title></text>\n");
    }
}

/* The lane that the texts of a step stand beside. */
static uint32_t place_of(const struct svg *svg, const struct run_step *step)
{
    if (step->message != UINT32_MAX)
        return svg->x[svg->run->messages[step->message].to];
    return step->lane == UINT32_MAX ? LEFT : svg->x[step->lane];
}

/* Arrows first: texts are to stand on them. */
static void draw_steps(struct svg *svg)
{
    const struct run *run = svg->run;

    for (uint32_t i = 0; i < run->step_count; i++) {
        if (run->steps[i].message != UINT32_MAX)
            draw_arrow(svg, &run->messages[run->steps[i].message], svg->y[i]);
    }
    for (uint32_t i = 0; i < run->step_count; i++) {
        const struct run_step *step = &run->steps[i];
        buffer_print(svg->out, "<text class=\"n\" x=\"30\" y=\"%u\">%u</text>",
                     svg->y[i] + 4, i + 1);
        draw_label(svg, step, place_of(svg, step), svg->y[i]);
        draw_changes(svg, step, place_of(svg, step), svg->y[i]);
    }
}

static void draw_all(struct svg *svg)
{
    buffer_print(svg->out,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u "
                 "%u\" width=\"%u\" height=\"%u\" role=\"img\">\n",
                 svg->width, svg->height, svg->width, svg->height);
    buffer_append_text(svg->out, style);
    buffer_append_text(svg->out, "<text class=\"t\" x=\"16\" y=\"26\">");
    put_text(svg->out, svg->run->title, SIZE_MAX);
    buffer_append_text(svg->out, "</text>\n");
    draw_lanes(svg);
    draw_steps(svg);
    buffer_print(svg->out, "<text class=\"v\" x=\"16\" y=\"%u\">",
                 svg->height - 12);
    put_text(svg->out, svg->run->verdict, SIZE_MAX);
    buffer_append_text(svg->out, "</text>\n</svg>\n");
}

enum kan_err run_draw_svg(const struct run *run, struct buffer *out)
{
    struct svg svg = {
        .run = run,
        .out = out,
        .x = mem_zalloc((run->lane_count + 1) * sizeof(uint32_t)),
        .y = mem_zalloc((run->step_count + 1) * sizeof(uint32_t)),
    };
    enum kan_err err = KAN_NOMEM;

    if (svg.x && svg.y) {
        lay_out(&svg);
        draw_all(&svg);
        err = buffer_failed(out) ? KAN_NOMEM : KAN_OK;
    }
    mem_free(svg.x);
    mem_free(svg.y);
    return err;
}
