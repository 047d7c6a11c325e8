/* Bars as text, and as SVG. Labels that are too long lose their middle: values
 * that grow differ at the end. */

#include "path/history/draw.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "path/history/layout.h"

enum
{
    LABEL_HEAD = 20,
    LABEL_TAIL = 16,
    LABEL_MAX = LABEL_HEAD + LABEL_TAIL + 2,
    TEXT_BARS_MAX = 64,
    SVG_BARS_MAX = 400,
    SVG_COLUMN = 26, /* pixels */
    SVG_ROW = 34,
    SVG_LEFT = 96,
    SVG_TOP = 64
};

/* --- labels --------------------------------------------------------------- */

/* A continuation byte of UTF-8: no place to cut. */
static bool inside(struct kan_slice text, size_t at)
{
    return at < text.size && (slice_at(text, at) & 0xc0) == 0x80;
}

struct label
{
    struct buffer text;
    bool failed; /* one of them found no memory */
};

/* All that the operation did. Borrowed from the label. */
static struct kan_slice label_whole(const struct history *history,
                                    uint32_t index, struct label *label)
{
    buffer_clear(&label->text);
    history_print(history, index, &label->text);
    label->failed |= buffer_failed(&label->text);
    return buffer_slice(&label->text);
}

/* The same in at most LABEL_MAX bytes. */
static struct kan_slice label_short(const struct history *history,
                                    uint32_t index, struct label *label)
{
    (void)label_whole(history, index, label);
    struct buffer *out = &label->text;
    if (out->size <= LABEL_MAX)
        return buffer_slice(out);
    struct kan_slice whole = buffer_slice(out);
    size_t head = LABEL_HEAD;
    while (head > 0 && inside(whole, head))
        head--;
    size_t tail = whole.size - LABEL_TAIL;
    while (inside(whole, tail))
        tail++;
    memcpy(out->bytes + head, "..", 2);
    memmove(out->bytes + head + 2, out->bytes + tail, whole.size - tail);
    out->size = head + 2 + whole.size - tail;
    return buffer_slice(out);
}

/* --- text ----------------------------------------------------------------- */

struct text_drawing
{
    const struct history *history;
    const struct layout *layout;
    struct label label;
    uint32_t *xs; /* by column; one more at the end, for what never returns */
    uint32_t left;
};

/* Each event stands right of the one before it, and a return so far right that
 * the label has room. */
static void place_columns(struct text_drawing *drawing)
{
    const struct layout *layout = drawing->layout;
    uint32_t x = 0;
    for (uint32_t column = 0; column <= layout->column_count; column++) {
        for (uint32_t i = 0; i < layout->count; i++) {
            const struct layout_bar *bar = &layout->bars[i];
            if (bar->to != column)
                continue;
            size_t size =
                label_short(drawing->history, bar->operation, &drawing->label)
                    .size;
            uint32_t least = drawing->xs[bar->from] + (uint32_t)size + 5;
            x = x < least ? least : x;
        }
        drawing->xs[column] = x;
        x += 2;
    }
}

static void repeat(struct buffer *out, char c, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        buffer_append_byte(out, (unsigned char)c);
}

/* "[==write 1==]" from column x of the line to the bar's end. */
static void draw_bar(struct text_drawing *drawing, const struct layout_bar *bar,
                     uint32_t *x, struct buffer *out)
{
    bool needed = bar->mark == LAYOUT_NEEDED;
    bool ends = bar->to < drawing->layout->column_count;
    char fill = needed ? '=' : '-';
    struct kan_slice name =
        label_short(drawing->history, bar->operation, &drawing->label);
    uint32_t from = drawing->xs[bar->from];
    uint32_t to = drawing->xs[bar->to];
    uint32_t room = to - from - 1 - (uint32_t)name.size;
    repeat(out, ' ', from - *x);
    buffer_append_byte(out, needed ? '[' : '(');
    repeat(out, fill, room / 2);
    buffer_append(out, name);
    repeat(out, fill, room - room / 2);
    buffer_append_byte(out, !ends ? '>' : needed ? ']' : ')');
    *x = to + 1;
}

static void draw_row(struct text_drawing *drawing, uint32_t row,
                     struct buffer *out)
{
    const struct layout *layout = drawing->layout;
    uint32_t x = 0;
    size_t start = out->size;
    buffer_print(out, "  process %u", layout->processes[row]);
    size_t used = out->size - start;
    repeat(out, ' ', drawing->left > used ? drawing->left - (uint32_t)used : 1);
    for (uint32_t i = 0; i < layout->count; i++) {
        if (layout->bars[i].row == row)
            draw_bar(drawing, &layout->bars[i], &x, out);
    }
    buffer_append_byte(out, '\n');
}

static void list(struct text_drawing *drawing, struct buffer *out)
{
    const struct layout *layout = drawing->layout;
    for (uint32_t i = 0; i < layout->count; i++) {
        const struct layout_bar *bar = &layout->bars[i];
        const struct operation *one =
            &drawing->history->operations[bar->operation];
        buffer_append_text(out, bar->mark == LAYOUT_NEEDED ? "  * " : "    ");
        if (one->line)
            buffer_print(out, "line %-6u ", one->line);
        buffer_print(out, "process %-4u ", one->process);
        history_print(drawing->history, bar->operation, out);
        buffer_append_byte(out, '\n');
    }
}

static enum kan_err draw_rows(struct text_drawing *drawing, uint32_t width,
                              struct buffer *out)
{
    const struct layout *layout = drawing->layout;
    drawing->xs =
        mem_alloc(((size_t)layout->column_count + 1) * sizeof *drawing->xs);
    if (!drawing->xs)
        return KAN_NOMEM;
    place_columns(drawing);
    drawing->left = 14;
    bool fits =
        drawing->left + drawing->xs[layout->column_count] + 1 <= width &&
        layout->count <= TEXT_BARS_MAX;
    for (uint32_t row = 0; fits && row < layout->row_count; row++)
        draw_row(drawing, row, out);
    if (fits)
        buffer_append_byte(out, '\n');
    list(drawing, out);
    mem_free(drawing->xs);
    return KAN_OK;
}

enum kan_err history_draw_text(const struct history *history,
                               const struct judgement *judgement,
                               uint32_t width, struct buffer *out)
{
    struct layout layout;
    enum kan_err err =
        layout_init(&layout, history, judgement, true, UINT32_MAX);
    if (err != KAN_OK)
        return err;
    struct text_drawing drawing = {.history = history, .layout = &layout};
    err = draw_rows(&drawing, width, out);
    if (err == KAN_OK && (buffer_failed(out) || drawing.label.failed))
        err = KAN_NOMEM;
    buffer_fini(&drawing.label.text);
    layout_fini(&layout);
    return err;
}

/* --- SVG ------------------------------------------------------------------ */

static const char svg_style[] =
    "<style>\n"
    "svg { background: #fff; font: 12px ui-monospace, monospace; }\n"
    "text { fill: #222; } .title { font-size: 15px; font-weight: bold; }\n"
    ".bar { fill: #e4e9ee; stroke: #8a96a3; }\n"
    ".wrote { fill: #fbe7b5; stroke: #b5891c; }\n"
    ".needed { fill: #f7c4bd; stroke: #b3261e; stroke-width: 2; }\n"
    ".open { stroke-dasharray: 5 3; }\n"
    ".point { fill: #2457a6; } .rule { stroke: #eceff2; }\n"
    "</style>\n";

/* Characters that XML takes for its own, or not at all, are replaced. */
static void svg_text(struct buffer *out, struct kan_slice text)
{
    for (size_t i = 0; i < text.size;) {
        uint32_t point;
        size_t size = utf8_decode(slice_skip(text, i), &point);
        if (size == 0 || point < 0x20 || point == 0xfffe || point == 0xffff)
            buffer_append_text(out, "?");
        else if (point == '<')
            buffer_append_text(out, "&lt;");
        else if (point == '>')
            buffer_append_text(out, "&gt;");
        else if (point == '&')
            buffer_append_text(out, "&amp;");
        else
            buffer_append(out, slice_head(slice_skip(text, i), size));
        i += size ? size : 1;
    }
}

static uint32_t svg_x(uint32_t column)
{
    return SVG_LEFT + column * SVG_COLUMN;
}

static uint32_t svg_y(uint32_t row)
{
    return SVG_TOP + row * SVG_ROW;
}

static void svg_bar(const struct history *history, const struct layout *layout,
                    const struct layout_bar *bar, struct label *name,
                    struct buffer *out)
{
    static const char *const classes[LAYOUT_MARKS] = {"bar", "bar wrote",
                                                      "bar needed"};
    const struct operation *one = &history->operations[bar->operation];
    bool open = bar->to == layout->column_count;
    uint32_t x = svg_x(bar->from);
    uint32_t width = svg_x(bar->to) - x;
    buffer_append_text(out, "<g><title>");
    if (one->line)
        buffer_print(out, "line %u: ", one->line);
    svg_text(out, label_whole(history, bar->operation, name));
    buffer_print(out,
                 "</title><rect class='%s%s' x='%u' y='%u' width='%u' "
                 "height='22' rx='3'/>",
                 classes[bar->mark], open ? " open" : "", x, svg_y(bar->row),
                 width);
    /* As much of the label as the bar holds. */
    struct kan_slice text = label_short(history, bar->operation, name);
    size_t room = width / 8;
    while (room > 0 && inside(text, room))
        room--;
    buffer_print(out, "<text x='%u' y='%u'>", x + 4, svg_y(bar->row) + 15);
    svg_text(out, slice_head(text, room));
    buffer_append_text(out, "</text></g>\n");
}

/* Points of one moment stand side by side, between its column and the next. */
static void svg_points(const struct layout *layout,
                       const struct judgement *judgement, struct buffer *out)
{
    if (!judgement->points)
        return;
    for (uint32_t i = 0; i < layout->count; i++) {
        const struct layout_bar *bar = &layout->bars[i];
        uint32_t point = judgement->points[bar->operation];
        if (point == PLAN_NONE)
            continue;
        uint32_t before = 0;
        for (uint32_t j = 0; j < i; j++)
            before += judgement->points[layout->bars[j].operation] == point;
        uint32_t shift = before < 4 ? before * 5 : 20;
        buffer_print(out, "<circle class='point' cx='%u' cy='%u' r='3'/>\n",
                     svg_x(layout_column(layout, point)) + 5 + shift,
                     svg_y(bar->row) + 22);
    }
}

static void svg_frame(const struct layout *layout, struct kan_slice title,
                      struct buffer *out)
{
    uint32_t width = svg_x(layout->column_count) + 24;
    uint32_t height = svg_y(layout->row_count) + 40;
    buffer_print(out,
                 "<svg xmlns='http://www.w3.org/2000/svg' width='%u' "
                 "height='%u' viewBox='0 0 %u %u'>\n",
                 width, height, width, height);
    buffer_append_text(out, svg_style);
    buffer_append_text(out, "<text class='title' x='12' y='26'>");
    svg_text(out, title);
    buffer_append_text(out, "</text>\n");
    for (uint32_t row = 0; row < layout->row_count; row++)
        buffer_print(out,
                     "<line class='rule' x1='%d' x2='%u' y1='%u' y2='%u'/>"
                     "<text x='12' y='%u'>process %u</text>\n",
                     SVG_LEFT, width - 12, svg_y(row) + 11, svg_y(row) + 11,
                     svg_y(row) + 15, layout->processes[row]);
}

enum kan_err history_draw_svg(const struct history *history,
                              const struct judgement *judgement,
                              struct kan_slice title, struct buffer *out)
{
    struct layout layout;
    struct label name = {.text = BUFFER_INIT};
    enum kan_err err =
        layout_init(&layout, history, judgement, false, SVG_BARS_MAX);
    if (err != KAN_OK)
        return err;
    svg_frame(&layout, title, out);
    for (uint32_t i = 0; i < layout.count; i++)
        svg_bar(history, &layout, &layout.bars[i], &name, out);
    svg_points(&layout, judgement, out);
    buffer_print(out,
                 "<text x='12' y='%u'>red: cannot be ordered; yellow: wrote "
                 "what they saw; dots: where each can have taken effect, as "
                 "far as an order goes</text>\n</svg>\n",
                 svg_y(layout.row_count) + 22);
    if (buffer_failed(out) || name.failed)
        err = KAN_NOMEM;
    buffer_fini(&name.text);
    layout_fini(&layout);
    return err;
}
