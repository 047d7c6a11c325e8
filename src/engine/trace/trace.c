/* Lines are built in one buffer that is kept; a line that finds no memory is
 * told as such, and the request goes on all the same. */

#include "engine/trace/trace.h"

#include "base/alloc.h"
#include "engine/wrap.h"

enum
{
    KEY_SHOWN = 64,
    LIST_SHOWN = 16
};

struct trace
{
    struct wrap wrap;
    void *data;
    engine_trace_sink *sink;
    struct buffer line;
};

static struct trace *trace_of(struct wrap *wrap)
{
    return (struct trace *)(void *)wrap;
}

/* --- words ---------------------------------------------------------------- */

static void line_bytes(struct buffer *line, struct kan_slice bytes)
{
    size_t shown = bytes.size < KEY_SHOWN ? bytes.size : KEY_SHOWN;

    buffer_append_text(line, " \"");
    for (size_t i = 0; i < shown; i++) {
        unsigned char byte = slice_at(bytes, i);
        if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\')
            buffer_print(line, "\\x%02x", byte);
        else
            buffer_append_byte(line, byte);
    }
    buffer_append_text(line, shown < bytes.size ? "\"..." : "\"");
}

static void line_number(struct buffer *line, const char *before,
                        uint64_t number)
{
    buffer_append_text(line, before);
    buffer_append_u64(line, number);
}

/* Whether member i of a list is shown; the first that is not says how many. */
static bool line_member(struct buffer *line, uint32_t i, uint32_t count)
{
    if (i == LIST_SHOWN)
        line_number(line, " ... of ", count);
    return i < LIST_SHOWN;
}

static const char *kind_word(enum engine_request_kind kind)
{
    static const char *const words[] = {"commit", "get", "scan", "watch"};
    return words[kind];
}

static void line_level(struct buffer *line, enum engine_level level,
                       uint64_t at_least)
{
    static const char *const words[] = {" linearizable", " sequential",
                                        " causal", " eventual"};

    buffer_append_text(line, words[level]);
    if (level == ENGINE_CAUSAL)
        line_number(line, " at least ", at_least);
}

static void line_guard(struct buffer *line, const struct engine_guard *guard)
{
    static const char *const words[] = {" if version", " if created",
                                        " if absent", " if present"};
    bool numbered =
        guard->kind == ENGINE_IF_VERSION || guard->kind == ENGINE_IF_CREATED;

    buffer_append_text(line, words[guard->kind]);
    line_bytes(line, guard->key);
    if (numbered)
        line_number(line, " ", guard->revision);
}

static void line_write(struct buffer *line, const struct engine_write *write)
{
    static const char *const words[] = {" put", " delete", " touch", " append"};
    static const char *const ttls[] = {" for ever", " ttl ", " lease "};

    buffer_append_text(line, words[write->kind]);
    line_bytes(line, write->key);
    if (write->kind == ENGINE_DELETE)
        return;
    if (write->kind != ENGINE_TOUCH) {
        line_number(line, " ", write->value.size);
        buffer_append_text(line, " bytes");
    }
    if (write->ttl_kind == ENGINE_FOREVER) {
        if (write->kind == ENGINE_TOUCH)
            buffer_append_text(line, ttls[0]);
        return;
    }
    line_number(line, ttls[write->ttl_kind], write->ttl_ms);
    buffer_append_text(line, " ms");
}

/* --- lines ---------------------------------------------------------------- */

static struct buffer *line_begin(const struct wrap_op *op)
{
    struct buffer *line = &trace_of(op->wrap)->line;

    buffer_clear(line);
    buffer_append_u64(line, op->number);
    buffer_append_byte(line, ' ');
    buffer_append_text(line, kind_word(wrap_kind(op)));
    return line;
}

static void line_end(const struct wrap_op *op)
{
    struct trace *trace = trace_of(op->wrap);

    if (buffer_failed(&trace->line))
        trace->sink(trace->data, SLICE("? no memory for this line"));
    else
        trace->sink(trace->data, buffer_slice(&trace->line));
}

static void line_commit(struct buffer *line, const struct engine_commit *commit)
{
    if (commit->id.size) {
        buffer_append_text(line, " id");
        line_bytes(line, commit->id);
    }
    for (uint32_t i = 0; i < commit->guard_count; i++) {
        if (!line_member(line, i, commit->guard_count))
            break;
        line_guard(line, &commit->guards[i]);
    }
    for (uint32_t i = 0; i < commit->write_count; i++) {
        if (!line_member(line, i, commit->write_count))
            break;
        line_write(line, &commit->writes[i]);
    }
}

static void line_get(struct buffer *line, const struct engine_get *get)
{
    line_level(line, get->level, get->at_least);
    for (uint32_t i = 0; i < get->key_count; i++) {
        if (!line_member(line, i, get->key_count))
            break;
        line_bytes(line, get->keys[i]);
    }
}

static void line_scan(struct buffer *line, const struct engine_scan *scan)
{
    line_level(line, scan->level, scan->at_least);
    buffer_append_text(line, scan->keys_only ? " keys under" : " under");
    line_bytes(line, scan->prefix);
    if (scan->after.size) {
        buffer_append_text(line, " after");
        line_bytes(line, scan->after);
    }
    line_number(line, " limit ", scan->limit);
}

static void line_watch(struct buffer *line, const struct engine_watch *watch)
{
    line_bytes(line, watch->prefix);
    if (watch->from.store == 0)
        buffer_append_text(line, " from now");
    else
        line_number(line, " from ", watch->from.revision);
}

static void trace_begin(struct wrap_op *op)
{
    struct buffer *line = line_begin(op);

    switch (wrap_kind(op)) {
    case ENGINE_REQUEST_COMMIT:
        line_commit(line, &op->inner.commit);
        break;
    case ENGINE_REQUEST_GET:
        line_get(line, &op->inner.get);
        break;
    case ENGINE_REQUEST_SCAN:
        line_scan(line, &op->inner.scan);
        break;
    case ENGINE_REQUEST_WATCH:
        line_watch(line, &op->inner.watch);
        break;
    }
    line_end(op);
    wrap_forward(op);
}

static uint32_t keys_there(const struct engine_get *get)
{
    uint32_t there = 0;

    for (uint32_t i = 0; i < get->key_count; i++)
        there += get->items[i].created != 0;
    return there;
}

/* What an answer says beyond its status. */
static void line_answer(struct buffer *line, const struct wrap_op *op)
{
    switch (wrap_kind(op)) {
    case ENGINE_REQUEST_COMMIT:
        line_number(line, " revision ", op->inner.commit.revision);
        break;
    case ENGINE_REQUEST_GET:
        line_number(line, " revision ", op->inner.get.revision);
        line_number(line, ": ", keys_there(&op->inner.get));
        line_number(line, " of ", op->inner.get.key_count);
        break;
    case ENGINE_REQUEST_SCAN:
        line_number(line, " revision ", op->inner.scan.revision);
        line_number(line, ": ", op->inner.scan.item_count);
        buffer_append_text(line,
                           op->inner.scan.more ? " items, more" : " items");
        break;
    case ENGINE_REQUEST_WATCH:
        break;
    }
}

static void trace_ended(struct wrap_op *op, enum kan_err err)
{
    struct buffer *line = line_begin(op);

    buffer_append_byte(line, ' ');
    buffer_append_text(line, kan_err_name(err));
    if (err == KAN_OK)
        line_answer(line, op);
    if (err == KAN_CONFLICT)
        line_number(line, " guard ", op->inner.commit.failed_guard);
    line_end(op);
}

static bool trace_report(struct wrap_op *op, uint64_t revision,
                         const struct engine_change *changes,
                         uint32_t change_count)
{
    static const char *const words[] = {" put", " delete", " expire"};
    struct buffer *line = line_begin(op);

    line_number(line, " revision ", revision);
    buffer_append_byte(line, ':');
    for (uint32_t i = 0; i < change_count; i++) {
        if (!line_member(line, i, change_count))
            break;
        buffer_append_text(line, words[changes[i].kind]);
        line_bytes(line, changes[i].key);
    }
    line_end(op);
    return true;
}

static void trace_fini(struct wrap *wrap)
{
    buffer_fini(&trace_of(wrap)->line);
}

static void trace_stats(struct wrap *wrap, struct engine_stats *stats)
{
    (void)wrap;
    (void)stats;
}

static const struct wrap_hooks trace_hooks = {
    .begin = trace_begin,
    .answered = wrap_answer,
    .report = trace_report,
    .ended = trace_ended,
    .fini = trace_fini,
    .stats = trace_stats,
};

enum kan_err engine_trace_open(struct env *env, struct engine *inner,
                               void *data, engine_trace_sink *sink,
                               struct engine **ret_engine)
{
    struct trace *trace = mem_zalloc(sizeof *trace);

    if (!trace)
        return KAN_NOMEM;
    wrap_init(&trace->wrap, "trace", &trace_hooks, env, inner);
    trace->data = data;
    trace->sink = sink;
    *ret_engine = &trace->wrap.engine;
    return KAN_OK;
}
