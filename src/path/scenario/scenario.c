/* Reading and writing of scenario files. The reader works on one copy of the
 * text, in which it puts a NUL behind each word that it keeps. */

#include "path/scenario/scenario.h"

#include "base/alloc.h"
#include "base/number.h"
#include "base/suggest.h"

static const char *const kinds[] = {
    [SCENARIO_DELIVER] = "deliver", [SCENARIO_TIMER] = "timer",
    [SCENARIO_REQUEST] = "request", [SCENARIO_LIE] = "lie",
    [SCENARIO_CRASH] = "crash",     [SCENARIO_RESTART] = "restart",
    [SCENARIO_LOSE] = "lose",       [SCENARIO_DOUBLE] = "double",
    [SCENARIO_JUMP] = "jump",       [SCENARIO_CUT] = "cut",
    [SCENARIO_HEAL] = "heal",
};

enum
{
    KIND_COUNT = sizeof kinds / sizeof kinds[0]
};

/* --- reading -------------------------------------------------------------- */

struct reader
{
    struct scenario *scenario;
    const char *file;
    uint32_t line;
    uint32_t capacity; /* of the events */
    struct buffer *why;
};

__attribute__((format(printf, 2, 3))) static enum kan_err refuse(
    struct reader *reader, const char *format, ...)
{
    va_list args;

    buffer_print(reader->why, "%s:%u: ", reader->file, reader->line);
    va_start(args, format);
    buffer_vprint(reader->why, format, args);
    va_end(args);
    return KAN_INVALID;
}

/* Cut the next word off *rest, which is in the reader's own text, and end it
 * with a NUL. NULL when there is none. */
static char *next_word(char **rest)
{
    char *word = *rest;
    char *end;

    while (*word == ' ')
        word++;
    if (*word == '\0')
        return NULL;
    end = word;
    while (*end != ' ' && *end != '\0')
        end++;
    if (*end == ' ')
        *end++ = '\0';
    *rest = end;
    return word;
}

static void trim_end(char *text)
{
    size_t size = strlen(text);

    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\r'))
        text[--size] = '\0';
}

static bool word_is(const char *word, const char *text)
{
    return word && strcmp(word, text) == 0;
}

/* That the line ends here. */
static enum kan_err read_end(struct reader *reader, char *rest)
{
    const char *word = next_word(&rest);

    return word ? refuse(reader, "nothing may follow here, but %s does", word)
                : KAN_OK;
}

static enum kan_err read_ref(struct reader *reader, const char *word,
                             struct kan_ref *ret_ref)
{
    struct kan_ref ref = {{0}};

    if (!word || !strchr(word, '/'))
        return refuse(reader, "expected an actor, as server/0%s%s",
                      word ? ", not " : "", word ? word : "");
    if (strlen(word) >= sizeof ref.text)
        return refuse(reader, "the actor's name is longer than 63 bytes");
    memcpy(ref.text, word, strlen(word));
    *ret_ref = ref;
    return KAN_OK;
}

/* "servers=3" for each word left. */
static enum kan_err read_settings(struct reader *reader, char *rest,
                                  struct scenario_setting *settings,
                                  uint32_t *count)
{
    for (char *word; (word = next_word(&rest)) != NULL;) {
        char *equals = strchr(word, '=');
        if (*count == SCENARIO_SETTINGS_MAX)
            return refuse(reader, "more than %d settings",
                          SCENARIO_SETTINGS_MAX);
        if (!equals || equals == word ||
            number_i64(kan_text(equals + 1), &settings[*count].value) != KAN_OK)
            return refuse(reader, "expected name=number, not %s", word);
        *equals = '\0';
        settings[(*count)++].name = word;
    }
    return KAN_OK;
}

static enum kan_err read_path(struct reader *reader, char *rest)
{
    struct scenario *scenario = reader->scenario;
    const char *word = next_word(&rest);

    if (!word || strlen(word) != PATH_ID_TEXT - 1 ||
        number_hex(kan_slice(word, 16), &scenario->path.high) != KAN_OK ||
        number_hex(kan_slice(word + 16, 16), &scenario->path.low) != KAN_OK)
        return refuse(reader, "a path is 32 hexadecimal digits");
    scenario->has_path = true;
    return read_end(reader, rest);
}

static enum kan_err read_number(struct reader *reader, const char *word,
                                uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (!word || number_u64(kan_text(word), &number) != KAN_OK || number > max)
        return refuse(reader, "expected a number up to %llu",
                      (unsigned long long)max);
    *ret_number = number;
    return KAN_OK;
}

/* The lines that are no events. KAN_NOTFOUND when the word is none of theirs.
 */
static enum kan_err read_head(struct reader *reader, const char *word,
                              char *rest)
{
    struct scenario *scenario = reader->scenario;
    uint64_t number = 0;

    if (word_is(word, "model") || word_is(word, "module")) {
        const char *name = next_word(&rest);
        if (!name)
            return refuse(reader, "%s needs a name", word);
        if (scenario->model || scenario->module)
            return refuse(reader, "a scenario has one model or module");
        if (word_is(word, "model"))
            scenario->model = name;
        else
            scenario->module = name;
        return read_settings(reader, rest, scenario->settings,
                             &scenario->setting_count);
    }
    if (word_is(word, "faults"))
        return read_settings(reader, rest, scenario->faults,
                             &scenario->fault_count);
    if (word_is(word, "expect")) {
        scenario->expect = next_word(&rest);
        scenario->property = next_word(&rest);
        if (!word_is(scenario->expect, "holds") &&
            !word_is(scenario->expect, "fails"))
            return refuse(reader, "expect holds, or expect fails PROPERTY");
        return read_end(reader, rest);
    }
    if (word_is(word, "tape")) {
        while (*rest == ' ')
            rest++;
        if (*rest == '\0')
            return refuse(reader, "expected choices behind tape");
        buffer_append_text(&scenario->tape, rest);
        buffer_append_byte(&scenario->tape, '\n');
        return buffer_failed(&scenario->tape) ? KAN_NOMEM : KAN_OK;
    }
    if (word_is(word, "start")) {
        if (read_number(reader, next_word(&rest), UINT32_MAX, &number))
            return KAN_INVALID;
        scenario->first = (uint32_t)number;
        return read_end(reader, rest);
    }
    return word_is(word, "path") ? read_path(reader, rest) : KAN_NOTFOUND;
}

/* One of " #2", " #3/6,0/2" and " @1700000000000". KAN_NOTFOUND: it is none. */
static enum kan_err read_mark(struct reader *reader, const char *mark,
                              struct scenario_event *event)
{
    uint64_t pairs[2 * SCENARIO_DRAWS_MAX];
    uint64_t number;
    uint32_t count;

    if (*mark != '#' && *mark != '@')
        return KAN_NOTFOUND;
    if (*mark == '#' && strchr(mark, '/') &&
        mark[1 + strspn(mark + 1, "0123456789/,")] == '\0') {
        if (scenario_draws_read(mark + 1, pairs, &count) != KAN_OK)
            return refuse(reader,
                          "expected at most %d numbers drawn, each below what "
                          "is behind it, as #3/6,0/2",
                          SCENARIO_DRAWS_MAX);
        event->draws = mark + 1;
        return KAN_OK;
    }
    if (number_u64(kan_text(mark + 1), &number) != KAN_OK)
        return KAN_NOTFOUND;
    if (*mark == '#' && number > UINT16_MAX)
        return refuse(reader, "there are at most 65,535 outcomes");
    if (*mark == '@' && number > INT64_MAX)
        return refuse(reader, "the time is beyond what a clock shows");
    if (*mark == '#')
        event->choice = (uint32_t)number;
    else
        event->now_ms = (int64_t)number;
    return KAN_OK;
}

/* Take the marks off the end of the line. */
static enum kan_err read_marks(struct reader *reader, char *rest,
                               struct scenario_event *event)
{
    for (;;) {
        char *blank = strrchr(rest, ' ');
        enum kan_err err = read_mark(reader, blank ? blank + 1 : rest, event);
        if (err)
            return err == KAN_NOTFOUND ? KAN_OK : err;
        *(blank ? blank : rest) = '\0';
        trim_end(rest);
    }
}

/* "name {json}" behind the actors. */
static enum kan_err read_message(struct reader *reader, char *rest,
                                 struct scenario_event *event)
{
    event->name = next_word(&rest);
    if (!event->name)
        return refuse(reader, "which message? expected a name behind %s",
                      event->to.text);
    while (*rest == ' ')
        rest++;
    event->json = *rest ? rest : NULL;
    if (event->json && *event->json != '{')
        return refuse(reader, "expected a JSON object behind %s", event->name);
    return KAN_OK;
}

static enum kan_err read_from_to(struct reader *reader, char *rest,
                                 struct scenario_event *event)
{
    const char *from = next_word(&rest);
    enum kan_err err;

    if (word_is(from, "->"))
        from = NULL;
    else if (!word_is(next_word(&rest), "->"))
        return refuse(reader, "expected SENDER -> RECEIVER MESSAGE");
    err = from ? read_ref(reader, from, &event->from) : KAN_OK;
    if (err == KAN_OK)
        err = read_ref(reader, next_word(&rest), &event->to);
    return err ? err : read_message(reader, rest, event);
}

static enum kan_err read_jump(struct reader *reader, char *rest,
                              struct scenario_event *event)
{
    enum kan_err err = read_ref(reader, next_word(&rest), &event->to);
    const char *delta = next_word(&rest);

    if (err)
        return err;
    if (!delta || number_i64(kan_text(delta), &event->jump_ms) != KAN_OK)
        return refuse(reader, "expected milliseconds behind %s",
                      event->to.text);
    return read_end(reader, rest);
}

/* Whether a handler runs, which may draw. */
static bool runs_handler(enum scenario_kind kind)
{
    return kind == SCENARIO_DELIVER || kind == SCENARIO_TIMER ||
           kind == SCENARIO_DOUBLE || kind == SCENARIO_RESTART;
}

static enum kan_err read_event(struct reader *reader, const char *word,
                               char *rest, struct scenario_event *event)
{
    uint32_t kind = 0;

    while (kind < KIND_COUNT && !word_is(word, kinds[kind]))
        kind++;
    if (kind == KIND_COUNT) {
        const char *nearest =
            suggest_nearest(kan_text(word), kinds, KIND_COUNT);
        return refuse(reader, "nothing is called %s%s%s%s", word,
                      nearest ? "; did you mean " : "", nearest ? nearest : "",
                      nearest ? "?" : "");
    }
    event->kind = (enum scenario_kind)kind;
    if (read_marks(reader, rest, event) != KAN_OK)
        return KAN_INVALID;
    if (event->draws && !runs_handler(event->kind))
        return refuse(reader, "%s draws no numbers", word);
    switch (event->kind) {
    case SCENARIO_DELIVER:
    case SCENARIO_LOSE:
    case SCENARIO_DOUBLE:
    case SCENARIO_LIE:
        return read_from_to(reader, rest, event);
    case SCENARIO_REQUEST:
    case SCENARIO_TIMER:
        if (read_ref(reader, next_word(&rest), &event->to) != KAN_OK)
            return KAN_INVALID;
        return read_message(reader, rest, event);
    case SCENARIO_JUMP:
        return read_jump(reader, rest, event);
    case SCENARIO_CRASH:
    case SCENARIO_RESTART:
        return read_ref(reader, next_word(&rest), &event->to) == KAN_OK
                   ? read_end(reader, rest)
                   : KAN_INVALID;
    case SCENARIO_CUT:
        while (*rest == ' ')
            rest++;
        event->names = rest;
        return *rest ? KAN_OK : refuse(reader, "cut off whom?");
    case SCENARIO_HEAL:
        break;
    }
    return read_end(reader, rest);
}

static enum kan_err add_event(struct reader *reader, const char *word,
                              char *rest)
{
    struct scenario *scenario = reader->scenario;
    struct scenario_event event = {.line = reader->line};
    enum kan_err err = read_event(reader, word, rest, &event);

    if (err)
        return err;
    if (scenario->event_count == SCENARIO_EVENTS_MAX)
        return refuse(reader, "more than %d events", SCENARIO_EVENTS_MAX);
    if (scenario->event_count == reader->capacity) {
        uint32_t capacity = reader->capacity ? reader->capacity * 2 : 64;
        struct scenario_event *events =
            mem_realloc(scenario->events, capacity * sizeof *scenario->events);
        if (!events)
            return KAN_NOMEM;
        scenario->events = events;
        reader->capacity = capacity;
    }
    scenario->events[scenario->event_count++] = event;
    return KAN_OK;
}

static enum kan_err read_line(struct reader *reader, char *line)
{
    char *rest = line;
    const char *word;
    enum kan_err err;

    if (strlen(line) > SCENARIO_LINE_MAX)
        return refuse(reader, "the line is longer than %d bytes",
                      SCENARIO_LINE_MAX);
    trim_end(line);
    if (reader->line == 1)
        return strcmp(line, "kan path 1") == 0
                   ? KAN_OK
                   : refuse(reader,
                            "not a scenario: the first line is not "
                            "'kan path 1'");
    if (line[0] == '#')
        return KAN_OK;
    word = next_word(&rest);
    if (!word)
        return KAN_OK;
    err = read_head(reader, word, rest);
    return err == KAN_NOTFOUND ? add_event(reader, word, rest) : err;
}

static enum kan_err read_lines(struct reader *reader, char *text, size_t size)
{
    char *end = text + size;

    for (char *line = text; line < end;) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        enum kan_err err;
        if (newline)
            *newline = '\0';
        reader->line++;
        err = read_line(reader, line);
        if (err)
            return err;
        line = newline ? newline + 1 : end;
    }
    return reader->line > 0 ? KAN_OK : refuse(reader, "the file is empty");
}

enum kan_err scenario_read(struct kan_slice text, const char *file,
                           struct scenario *ret_scenario, struct buffer *why)
{
    struct scenario scenario = {0};
    struct reader reader = {.scenario = &scenario, .file = file, .why = why};
    enum kan_err err;

    memset(ret_scenario, 0, sizeof *ret_scenario);
    if (text.size > 0 && memchr(text.bytes, '\0', text.size))
        return refuse(&reader, "a NUL byte: this is no text");
    scenario.texts = mem_copy(text.bytes, text.size);
    if (!scenario.texts)
        return KAN_NOMEM;
    err = read_lines(&reader, scenario.texts, text.size);
    if (err) {
        scenario_fini(&scenario);
        return err;
    }
    *ret_scenario = scenario;
    return KAN_OK;
}

void scenario_fini(struct scenario *scenario)
{
    mem_free(scenario->texts);
    mem_free(scenario->events);
    buffer_fini(&scenario->tape);
    memset(scenario, 0, sizeof *scenario);
}

/* --- numbers drawn -------------------------------------------------------- */

static enum kan_err read_draw(struct kan_slice draw, uint64_t *ret_pair)
{
    struct kan_slice value;

    if (!slice_cut(&draw, '/', &value) ||
        number_u64(value, &ret_pair[0]) != KAN_OK ||
        number_u64(draw, &ret_pair[1]) != KAN_OK || ret_pair[0] >= ret_pair[1])
        return KAN_INVALID;
    return KAN_OK;
}

enum kan_err scenario_draws_read(const char *text, uint64_t *ret_pairs,
                                 uint32_t *ret_count)
{
    struct kan_slice rest = kan_text(text);
    struct kan_slice draw;
    uint32_t count = 0;
    bool more;

    do {
        more = slice_cut(&rest, ',', &draw);
        if (count == SCENARIO_DRAWS_MAX ||
            read_draw(draw, &ret_pairs[2 * count++]) != KAN_OK)
            return KAN_INVALID;
    } while (more);
    *ret_count = count;
    return KAN_OK;
}

void scenario_draws_write(const uint64_t *pairs, uint32_t count,
                          struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++)
        buffer_print(out, "%s%llu/%llu", i > 0 ? "," : "",
                     (unsigned long long)pairs[2 * i],
                     (unsigned long long)pairs[2 * i + 1]);
}

/* --- writing -------------------------------------------------------------- */

static enum kan_err written(const struct buffer *out)
{
    return buffer_failed(out) ? KAN_NOMEM : KAN_OK;
}

static void write_settings(const struct scenario_setting *settings,
                           uint32_t count, struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++)
        buffer_print(out, " %s=%lld", settings[i].name,
                     (long long)settings[i].value);
    buffer_append_byte(out, '\n');
}

static void write_tape(struct kan_slice tape, struct buffer *out)
{
    while (tape.size > 0) {
        struct kan_slice line;
        slice_cut(&tape, '\n', &line);
        if (line.size == 0)
            continue;
        buffer_append_text(out, "tape ");
        buffer_append(out, line);
        buffer_append_byte(out, '\n');
    }
}

enum kan_err scenario_write_head(const struct scenario *scenario,
                                 struct buffer *out)
{
    buffer_append_text(out, "kan path 1\n");
    if (scenario->model || scenario->module) {
        buffer_print(out, "%s %s", scenario->model ? "model" : "module",
                     scenario->model ? scenario->model : scenario->module);
        write_settings(scenario->settings, scenario->setting_count, out);
    }
    if (scenario->fault_count > 0) {
        buffer_append_text(out, "faults");
        write_settings(scenario->faults, scenario->fault_count, out);
    }
    if (scenario->expect)
        buffer_print(out, "expect %s%s%s\n", scenario->expect,
                     scenario->property ? " " : "",
                     scenario->property ? scenario->property : "");
    if (scenario->first > 0)
        buffer_print(out, "start %u\n", scenario->first);
    write_tape(buffer_slice(&scenario->tape), out);
    return written(out);
}

enum kan_err scenario_write_event(const struct scenario_event *event,
                                  struct buffer *out)
{
    buffer_append_text(out, kinds[event->kind]);
    switch (event->kind) {
    case SCENARIO_DELIVER:
    case SCENARIO_LOSE:
    case SCENARIO_DOUBLE:
    case SCENARIO_LIE:
        buffer_print(out, "%s%s -> %s", event->from.text[0] ? " " : "",
                     event->from.text, event->to.text);
        break;
    case SCENARIO_CUT:
        buffer_print(out, " %s", event->names);
        break;
    case SCENARIO_JUMP:
        buffer_print(out, " %s %lld", event->to.text,
                     (long long)event->jump_ms);
        break;
    case SCENARIO_HEAL:
        break;
    default:
        buffer_print(out, " %s", event->to.text);
    }
    if (event->name) {
        buffer_print(out, " %s", event->name);
        if (event->json) {
            buffer_append_byte(out, ' ');
            buffer_append_text(out, event->json);
        }
    }
    if (event->draws)
        buffer_print(out, " #%s", event->draws);
    else if (event->choice > 0)
        buffer_print(out, " #%u", event->choice);
    if (event->now_ms > 0)
        buffer_print(out, " @%lld", (long long)event->now_ms);
    buffer_append_byte(out, '\n');
    return written(out);
}

enum kan_err scenario_write_path(struct path_id path, struct buffer *out)
{
    char text[PATH_ID_TEXT];

    path_id_text(path, text);
    buffer_print(out, "path %s\n", text);
    return written(out);
}
