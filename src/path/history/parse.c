/* A map or a log line becomes an event; events become operations. An operation
 * is open while its process has called it and not returned; after info the
 * process may call again, and the operation stays pending. */

#include "path/history/parse.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/suggest.h"
#include "path/history/form.h"

enum event_type
{
    EVENT_NONE,
    EVENT_INVOKE,
    EVENT_OK,
    EVENT_FAIL,
    EVENT_INFO
};

/* What a line says. Values are VALUE_NONE where it says nothing. */
struct event
{
    uint32_t line;
    enum event_type type;
    bool outside;   /* of no process: the nemesis */
    bool named;     /* it has a function */
    uint32_t asked; /* index in functions */
    uint32_t process;
    bool has_process;
    uint32_t key;
    uint32_t value;
    uint32_t result;
    bool failed_with_error;
    uint32_t call;
    uint32_t ret;
};

struct parser
{
    struct form_reader reader;
    struct history history;
    struct buffer *message;
    uint32_t *open; /* by process: operation + 1, or 0 */
    uint32_t open_count;
    bool pairs;       /* values are [key value] */
    bool found_pairs; /* and only now was it seen */
    int64_t moment;   /* events read so far: their order is their time */
    bool whole;       /* operations, not events */
    bool parted;      /* events, not operations */
};

/* --- words ---------------------------------------------------------------- */

/* What functions are called in histories, and what a missing value means. */
struct function_name
{
    const char *name;
    enum history_function function;
    const char *argument; /* NULL: it is the value */
};

static const struct function_name functions[] = {
    {"read", HISTORY_READ, NULL},
    {"get", HISTORY_READ, NULL},
    {"write", HISTORY_WRITE, NULL},
    {"put", HISTORY_WRITE, NULL},
    {"save", HISTORY_WRITE, NULL},
    {"cas", HISTORY_CAS, NULL},
    {"append", HISTORY_APPEND, NULL},
    {"delete", HISTORY_DELETE, NULL},
    {"add", HISTORY_ADD, NULL},
    {"increment", HISTORY_ADD, "1"},
    {"inc", HISTORY_ADD, "1"},
    {"decrement", HISTORY_ADD, "-1"},
    {"dec", HISTORY_ADD, "-1"},
    {"remove", HISTORY_REMOVE, NULL},
    {"contains", HISTORY_CONTAINS, NULL},
    {"acquire", HISTORY_ACQUIRE, NULL},
    {"lock", HISTORY_ACQUIRE, NULL},
    {"release", HISTORY_RELEASE, NULL},
    {"unlock", HISTORY_RELEASE, NULL},
    {"enqueue", HISTORY_ENQUEUE, NULL},
    {"dequeue", HISTORY_DEQUEUE, NULL},
};

enum
{
    FUNCTION_NAMES = sizeof functions / sizeof functions[0]
};

__attribute__((format(printf, 3, 4))) static enum kan_err refuse(
    struct parser *parser, uint32_t line, const char *format, ...)
{
    va_list args;
    buffer_clear(parser->message);
    buffer_print(parser->message, "line %u: ", line);
    va_start(args, format);
    buffer_vprint(parser->message, format, args);
    va_end(args);
    return KAN_INVALID;
}

/* The reader's own problem, as a message. */
static enum kan_err from_reader(struct parser *parser, enum kan_err err)
{
    if (err != KAN_INVALID)
        return err;
    return refuse(
        parser, parser->reader.line, "%s",
        parser->reader.problem ? parser->reader.problem : "it cannot be read");
}

static enum kan_err find_type(struct parser *parser, struct event *event,
                              struct kan_slice name)
{
    static const char *const names[] = {"", "invoke", "ok", "fail", "info"};
    for (int type = EVENT_INVOKE; type <= EVENT_INFO; type++) {
        if (!slice_equal(name, kan_text(names[type])))
            continue;
        event->type = (enum event_type)type;
        return KAN_OK;
    }
    return refuse(parser, event->line,
                  "type '%.*s' is none of invoke, ok, fail, info",
                  SLICE_ARG(name));
}

static enum kan_err find_function(struct parser *parser, struct event *event,
                                  struct kan_slice name)
{
    const char *names[FUNCTION_NAMES];
    for (uint32_t i = 0; i < FUNCTION_NAMES; i++) {
        names[i] = functions[i].name;
        if (!slice_equal(name, kan_text(names[i])))
            continue;
        event->asked = i;
        event->named = true;
        return KAN_OK;
    }
    if (event->outside)
        return KAN_OK;
    const char *nearest = suggest_nearest(name, names, FUNCTION_NAMES);
    return refuse(parser, event->line,
                  "function '%.*s' is not known%s%s%s; known are read, write, "
                  "cas, append, delete, add, remove, contains, acquire, "
                  "release, enqueue, dequeue",
                  SLICE_ARG(name), nearest ? ", did you mean '" : "",
                  nearest ? nearest : "", nearest ? "'" : "");
}

static enum kan_err find_process(struct parser *parser, struct event *event,
                                 struct kan_slice word)
{
    uint64_t number;
    event->has_process = true;
    if (number_u64(word, &number) != KAN_OK) {
        /* Jepsen's nemesis: it breaks things, and is no client. */
        event->outside = true;
        return KAN_OK;
    }
    if (number >= HISTORY_PROCESS_MAX)
        return refuse(parser, event->line,
                      "process %.*s: they must be below %d", SLICE_ARG(word),
                      HISTORY_PROCESS_MAX);
    event->process = (uint32_t)number;
    return KAN_OK;
}

/* --- operations ----------------------------------------------------------- */

static enum kan_err open_of(struct parser *parser, uint32_t process,
                            uint32_t **ret_open)
{
    if (process >= parser->open_count) {
        uint32_t count = process * 2 + 16;
        uint32_t *open = mem_realloc(parser->open, count * sizeof *open);
        if (!open)
            return KAN_NOMEM;
        memset(open + parser->open_count, 0,
               (count - parser->open_count) * sizeof *open);
        parser->open = open;
        parser->open_count = count;
    }
    *ret_open = &parser->open[process];
    return KAN_OK;
}

/* Take [key value] apart. */
static enum kan_err take_pair(struct parser *parser, struct event *event)
{
    struct value_table *values = &parser->history.values;
    if (!parser->pairs || event->value == VALUE_NONE)
        return KAN_OK;
    if (value_count(values, event->value) != 2) {
        if (event->type != EVENT_INVOKE && event->type != EVENT_OK)
            return KAN_OK;
        return refuse(parser, event->line,
                      "the value is no [key value], as those of other reads");
    }
    event->key = value_element(values, event->value, 0);
    event->value = value_element(values, event->value, 1);
    return KAN_OK;
}

static bool is_pair_read(const struct parser *parser, const struct event *event)
{
    const struct value_table *values = &parser->history.values;
    return event->type == EVENT_INVOKE && event->value != VALUE_NONE &&
           functions[event->asked].function == HISTORY_READ &&
           value_count(values, event->value) == 2 &&
           value_element(values, event->value, 1) == VALUE_IS_NIL;
}

static enum kan_err set_cas(struct parser *parser, const struct event *event,
                            struct operation *operation)
{
    const struct value_table *values = &parser->history.values;
    if (event->value == VALUE_NONE || value_count(values, event->value) != 2 ||
        value_kind(values, event->value) != VALUE_LIST)
        return refuse(parser, event->line,
                      "cas needs the value [expected new]");
    operation->expected = value_element(values, event->value, 0);
    operation->argument = value_element(values, event->value, 1);
    return KAN_OK;
}

static enum kan_err set_argument(struct parser *parser,
                                 const struct event *event,
                                 struct operation *operation)
{
    const struct function_name *asked = &functions[event->asked];
    switch (asked->function) {
    case HISTORY_CAS:
        return set_cas(parser, event, operation);
    case HISTORY_READ:
    case HISTORY_DELETE:
    case HISTORY_ACQUIRE:
    case HISTORY_RELEASE:
    case HISTORY_DEQUEUE:
        return KAN_OK;
    default:
        break;
    }
    bool given = event->value != VALUE_NONE;
    if (asked->argument && (!given || event->value == VALUE_IS_NIL))
        return value_add(&parser->history.values, VALUE_WORD,
                         kan_text(asked->argument), &operation->argument);
    if (!given)
        return refuse(parser, event->line, "%s needs a value", asked->name);
    if (asked->argument && *asked->argument == '-')
        return refuse(parser, event->line,
                      "%s takes no value; add a negative number instead",
                      asked->name);
    operation->argument = event->value;
    return KAN_OK;
}

static enum kan_err call(struct parser *parser, const struct event *event,
                         int64_t time, uint32_t *ret_index)
{
    struct operation operation = {
        .function = functions[event->asked].function,
        .process = event->process,
        .key = event->key,
        .argument = VALUE_NONE,
        .expected = VALUE_NONE,
        .line = event->line,
    };
    enum kan_err err = set_argument(parser, event, &operation);
    if (err != KAN_OK)
        return err;
    return history_call(&parser->history, &operation, time, ret_index);
}

/* What an answered operation has returned. */
static enum kan_err find_result(struct parser *parser,
                                const struct event *event,
                                enum history_function function,
                                uint32_t *ret_result)
{
    uint32_t result = VALUE_NONE;
    if (function == HISTORY_READ || function == HISTORY_DEQUEUE)
        result = event->result != VALUE_NONE ? event->result : event->value;
    else if (function == HISTORY_CONTAINS)
        result = event->result != VALUE_NONE || parser->whole ? event->result
                                                              : event->value;
    else {
        *ret_result = VALUE_NONE;
        return KAN_OK;
    }
    if (result == VALUE_NONE)
        return refuse(parser, event->line,
                      "a %s that was answered needs a value",
                      history_function_name(function));
    *ret_result = result;
    return KAN_OK;
}

/* A cas that failed because the value was another says so by no error; whoever
 * tells an error in place of the pair means that. */
static bool is_mismatch(const struct parser *parser, const struct event *event,
                        enum history_function function)
{
    bool pair = event->value == VALUE_NONE || event->value == VALUE_IS_NIL ||
                value_count(&parser->history.values, event->value) == 2;
    return function == HISTORY_CAS && !event->failed_with_error && pair;
}

static enum kan_err end(struct parser *parser, const struct event *event,
                        uint32_t index, int64_t time)
{
    enum history_function function = parser->history.operations[index].function;
    uint32_t result = VALUE_NONE;
    enum history_outcome outcome = HISTORY_DONE;
    enum kan_err err = KAN_OK;
    if (event->type == EVENT_OK)
        err = find_result(parser, event, function, &result);
    else
        outcome = is_mismatch(parser, event, function) ? HISTORY_MISMATCH
                                                       : HISTORY_REFUSED;
    if (err != KAN_OK)
        return err;
    return history_return(&parser->history, index, outcome, result, time);
}

/* --- events --------------------------------------------------------------- */

static enum kan_err invoke(struct parser *parser, const struct event *event,
                           uint32_t *open)
{
    uint32_t index;
    if (*open)
        return refuse(parser, event->line,
                      "process %u calls, but its call in line %u has not "
                      "returned",
                      event->process,
                      parser->history.operations[*open - 1].line);
    enum kan_err err = call(parser, event, ++parser->moment, &index);
    if (err == KAN_OK)
        *open = index + 1;
    return err;
}

static enum kan_err answer(struct parser *parser, const struct event *event,
                           uint32_t *open)
{
    if (!*open)
        return refuse(parser, event->line,
                      "process %u returns, but has called nothing",
                      event->process);
    uint32_t index = *open - 1;
    const struct operation *operation = &parser->history.operations[index];
    if (functions[event->asked].function != operation->function)
        return refuse(parser, event->line,
                      "process %u returns from %s, but has called %s in line "
                      "%u",
                      event->process, functions[event->asked].name,
                      history_function_name(operation->function),
                      operation->line);
    *open = 0;
    if (event->type == EVENT_INFO)
        return KAN_OK;
    return end(parser, event, index, ++parser->moment);
}

/* An operation with its call and its return in one map. */
static enum kan_err add_whole(struct parser *parser, const struct event *event)
{
    const struct value_table *values = &parser->history.values;
    int64_t from;
    int64_t to = 0;
    uint32_t index;
    bool returns = event->ret != VALUE_NONE && event->ret != VALUE_IS_NIL &&
                   event->type != EVENT_INFO;
    if (value_number(values, event->call, &from) != KAN_OK ||
        (returns && value_number(values, event->ret, &to) != KAN_OK))
        return refuse(parser, event->line,
                      "call and return must be whole numbers");
    if (returns && to < from)
        return refuse(parser, event->line, "it returns before it is called");
    enum kan_err err = call(parser, event, from, &index);
    if (err != KAN_OK || !returns)
        return err;
    return end(parser, event, index, to);
}

static enum kan_err add_event(struct parser *parser, struct event *event)
{
    uint32_t *open;
    if (!event->has_process)
        return refuse(parser, event->line, "a process is missing");
    if (event->outside)
        return KAN_OK;
    if (!event->named)
        return refuse(parser, event->line, "a function (f) is missing");
    bool whole = event->call != VALUE_NONE;
    parser->whole |= whole;
    parser->parted |= !whole;
    if (parser->whole && parser->parted)
        return refuse(parser, event->line,
                      "some lines have a call time and others do not");
    if (whole && event->type == EVENT_NONE)
        event->type = EVENT_OK;
    if (event->type == EVENT_NONE)
        return refuse(parser, event->line, "a type is missing");
    if (!parser->pairs && is_pair_read(parser, event)) {
        parser->found_pairs = true;
        return KAN_INVALID;
    }
    enum kan_err err = take_pair(parser, event);
    if (err == KAN_OK && whole)
        return add_whole(parser, event);
    if (err == KAN_OK)
        err = open_of(parser, event->process, &open);
    if (err != KAN_OK)
        return err;
    return event->type == EVENT_INVOKE ? invoke(parser, event, open)
                                       : answer(parser, event, open);
}

/* --- maps ----------------------------------------------------------------- */

static const struct event event_empty = {.key = VALUE_NONE,
                                         .value = VALUE_NONE,
                                         .result = VALUE_NONE,
                                         .call = VALUE_NONE,
                                         .ret = VALUE_NONE};

enum member
{
    MEMBER_OTHER,
    MEMBER_PROCESS,
    MEMBER_TYPE,
    MEMBER_F,
    MEMBER_KEY,
    MEMBER_VALUE,
    MEMBER_RESULT,
    MEMBER_ERROR,
    MEMBER_CALL,
    MEMBER_RETURN,
    MEMBER_COUNT
};

static enum member member_of(struct kan_slice name)
{
    static const char *const names[MEMBER_COUNT] = {
        "",      "process", "type",  "f",    "key",
        "value", "result",  "error", "call", "return"};
    for (int i = 1; i < MEMBER_COUNT; i++) {
        if (slice_equal(name, kan_text(names[i])))
            return (enum member)i;
    }
    return MEMBER_OTHER;
}

static enum kan_err read_named(struct parser *parser, struct event *event,
                               enum member member)
{
    struct kan_slice word;
    enum kan_err err = form_name(&parser->reader, &word);
    if (err != KAN_OK)
        return from_reader(parser, err);
    if (member == MEMBER_PROCESS)
        return find_process(parser, event, word);
    if (member == MEMBER_TYPE)
        return find_type(parser, event, word);
    return find_function(parser, event, word);
}

static enum kan_err read_member(struct parser *parser, struct event *event,
                                enum member member)
{
    struct form_reader *reader = &parser->reader;
    struct value_table *values = &parser->history.values;
    uint32_t error = VALUE_IS_NIL;
    enum kan_err err = KAN_OK;
    switch (member) {
    case MEMBER_PROCESS:
    case MEMBER_TYPE:
    case MEMBER_F:
        return read_named(parser, event, member);
    case MEMBER_KEY:
        err = form_value(reader, values, &event->key);
        break;
    case MEMBER_VALUE:
        err = form_value(reader, values, &event->value);
        break;
    case MEMBER_RESULT:
        err = form_value(reader, values, &event->result);
        break;
    case MEMBER_ERROR:
        err = form_value(reader, values, &error);
        event->failed_with_error = error != VALUE_IS_NIL;
        break;
    case MEMBER_CALL:
        err = form_value(reader, values, &event->call);
        break;
    case MEMBER_RETURN:
        err = form_value(reader, values, &event->ret);
        break;
    default:
        err = form_skip(reader);
    }
    return from_reader(parser, err);
}

/* Read one map, whose bracket is next. */
static enum kan_err read_map(struct parser *parser)
{
    struct form_reader *reader = &parser->reader;
    struct event event = event_empty;
    event.line = reader->line;
    reader->at++;
    for (;;) {
        int next = form_peek(reader);
        if (next == '}') {
            reader->at++;
            return add_event(parser, &event);
        }
        struct kan_slice name;
        enum kan_err err = form_name(reader, &name);
        if (err != KAN_OK)
            return from_reader(parser, err);
        enum member member = member_of(name);
        if (next == '"' && form_peek(reader) == ':')
            reader->at++;
        err = read_member(parser, &event, member);
        if (err != KAN_OK)
            return err;
    }
}

static enum kan_err read_maps(struct parser *parser)
{
    struct form_reader *reader = &parser->reader;
    enum kan_err err = KAN_OK;
    while (err == KAN_OK) {
        int next = form_peek(reader);
        if (next < 0)
            break;
        if (next == '{')
            err = read_map(parser);
        else if (strchr("[]()", next))
            reader->at++;
        else
            err = refuse(parser, reader->line,
                         "expected a map, as {:process 0, :type :invoke, "
                         ":f :read, :value nil}");
    }
    return err;
}

/* --- Jepsen's log --------------------------------------------------------- */

/* The part of a log line that tells of an operation, or nothing. */
static struct kan_slice cut_prefix(struct kan_slice line)
{
    static const char mark[] = "jepsen.util - ";
    size_t at = slice_find(line, kan_text(mark));
    if (at != SIZE_MAX)
        return slice_skip(line, at + sizeof mark - 1);
    struct kan_slice trimmed = slice_trim(line);
    bool bare = trimmed.size && slice_at(trimmed, 0) >= '0' &&
                slice_at(trimmed, 0) <= '9' &&
                slice_find(trimmed, SLICE("\t:")) != SIZE_MAX;
    return bare ? trimmed : kan_slice(NULL, 0);
}

static enum kan_err read_log_line(struct parser *parser, uint32_t number,
                                  struct kan_slice line)
{
    struct event event = event_empty;
    struct form_reader *reader = &parser->reader;
    event.line = number;
    reader->input = line;
    reader->at = 0;
    reader->line = number;
    enum kan_err err = read_named(parser, &event, MEMBER_PROCESS);
    if (err != KAN_OK || event.outside)
        return err;
    err = read_named(parser, &event, MEMBER_TYPE);
    if (err == KAN_OK)
        err = read_named(parser, &event, MEMBER_F);
    if (err == KAN_OK && form_peek(reader) >= 0)
        err = from_reader(
            parser, form_value(reader, &parser->history.values, &event.value));
    return err == KAN_OK ? add_event(parser, &event) : err;
}

static enum kan_err read_log(struct parser *parser, struct kan_slice input)
{
    enum kan_err err = KAN_OK;
    struct kan_slice line;
    bool found = false;
    for (uint32_t number = 1; input.size && err == KAN_OK; number++) {
        (void)slice_cut(&input, '\n', &line);
        struct kan_slice rest = cut_prefix(line);
        if (!rest.size)
            continue;
        found = true;
        err = read_log_line(parser, number, rest);
    }
    if (err == KAN_OK && !found)
        return refuse(parser, 1,
                      "no operation is told here; expected Jepsen's log, EDN "
                      "maps or JSON lines");
    return err;
}

/* --- the whole ------------------------------------------------------------ */

static enum kan_err parse(struct parser *parser, struct kan_slice input)
{
    form_init(&parser->reader, input);
    enum kan_err err = history_init(&parser->history);
    if (err != KAN_OK)
        return err;
    int first = form_peek(&parser->reader);
    if (first >= 0)
        err =
            strchr("{[(", first) ? read_maps(parser) : read_log(parser, input);
    if (err == KAN_OK)
        err = history_seal(&parser->history);
    return err;
}

static void parser_fini(struct parser *parser)
{
    form_fini(&parser->reader);
    history_fini(&parser->history);
    parser->open = mem_free(parser->open);
    parser->open_count = 0;
}

enum kan_err history_parse(struct kan_slice input, struct buffer *message,
                           struct history *ret_history)
{
    struct parser parser = {.message = message};
    buffer_clear(message);
    enum kan_err err = parse(&parser, input);
    if (parser.found_pairs) {
        parser_fini(&parser);
        parser = (struct parser){.message = message, .pairs = true};
        buffer_clear(message);
        err = parse(&parser, input);
    }
    if (err == KAN_OK) {
        *ret_history = parser.history;
        parser.history = (struct history){0};
    }
    parser_fini(&parser);
    return err;
}
