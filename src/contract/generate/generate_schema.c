/* generate_schema.c - values as program_json() writes them, in JSON Schema
 * 2020-12, which OpenAPI 3.1 takes as it is. */

#include "contract/generate/generate_schema.h"

#include <inttypes.h>

#include "base/alloc.h"

#define EXACT_MAX (INT64_C(1) << 53)

static void type_write(const struct tree_type *type, struct buffer *out);

/* --- types ---------------------------------------------------------------- */

/* Beyond 2^53 it is a string, so it may be either. */
static void int_write(const struct tree_type *type, struct buffer *out)
{
    if (type->min < -EXACT_MAX || type->max > EXACT_MAX)
        buffer_append_text(out,
                           "{\"type\":[\"integer\",\"string\"],\"format\":"
                           "\"int64\",\"pattern\":\"^-?[0-9]+$\"");
    else
        buffer_append_text(out, "{\"type\":\"integer\"");
    if (type->min >= -EXACT_MAX)
        buffer_print(out, ",\"minimum\":%" PRId64, type->min);
    if (type->max <= EXACT_MAX)
        buffer_print(out, ",\"maximum\":%" PRId64, type->max);
    buffer_append_byte(out, '}');
}

static void names_write(const struct tree_type *type, struct buffer *out)
{
    uint32_t i;

    buffer_append_text(out, "{\"type\":\"string\",\"enum\":[");
    for (i = 0; i < type->name_count; i++) {
        if (i)
            buffer_append_byte(out, ',');
        json_append_string(out, type->names[i].text);
    }
    buffer_append_text(out, "]}");
}

/* A key of a map, which JSON has as text. */
static void key_write(const struct tree_type *type, struct buffer *out)
{
    switch (type->kind) {
    case TREE_BOOL:
        buffer_append_text(out, "{\"enum\":[\"true\",\"false\"]}");
        break;
    case TREE_INT:
        buffer_append_text(out, "{\"pattern\":\"^-?[0-9]+$\"}");
        break;
    default:
        type_write(type, out);
        break;
    }
}

static void type_write(const struct tree_type *type, struct buffer *out)
{
    switch (type->kind) {
    case TREE_BOOL:
        buffer_append_text(out, "{\"type\":\"boolean\"}");
        break;
    case TREE_INT:
        int_write(type, out);
        break;
    case TREE_TEXT:
        buffer_print(out,
                     "{\"type\":\"string\",\"maxLength\":%" PRIu32
                     ",\"description\":\"at most %" PRIu32 " bytes\"}",
                     type->size, type->size);
        break;
    case TREE_ENUM:
        names_write(type, out);
        break;
    case TREE_OPTIONAL:
        buffer_append_text(out, "{\"anyOf\":[");
        type_write(type->of, out);
        buffer_append_text(out, ",{\"type\":\"null\"}]}");
        break;
    case TREE_RECORD:
        buffer_print(out, "{\"$ref\":\"#/components/schemas/record.%.*s\"}",
                     SLICE_ARG(type->record->name.text));
        break;
    case TREE_SET:
        buffer_print(
            out,
            "{\"type\":\"array\",\"uniqueItems\":true,\"maxItems\":%" PRIu32
            ",\"items\":",
            type->size);
        type_write(type->of, out);
        buffer_append_byte(out, '}');
        break;
    case TREE_MAP:
        buffer_print(out,
                     "{\"type\":\"object\",\"maxProperties\":%" PRIu32
                     ",\"propertyNames\":",
                     type->size);
        key_write(type->key, out);
        buffer_append_text(out, ",\"additionalProperties\":");
        type_write(type->of, out);
        buffer_append_byte(out, '}');
        break;
    case TREE_NONE_TYPE:
        buffer_append_text(out, "{\"type\":\"null\"}");
        break;
    }
}

/* What is left out begins as this: beside the type, in the same object. */
static void default_write(const struct program *program, uint32_t record,
                          uint32_t number, const char *values,
                          struct buffer *out)
{
    struct program_member member = program_member(program, record, number);

    /* {...} becomes {...,"default":...}; a $ref may stand beside others. */
    if (out->size > 0)
        out->size--;
    json_append_name(out, "default");
    program_json(program, member.type, values + member.offset, out);
    buffer_append_byte(out, '}');
}

/* Who makes a record may leave out what has a value without being given. */
static bool record_fills(const struct tree_field *field)
{
    return field->value || (field->type && field->type->kind == TREE_OPTIONAL);
}

static void required_write(const struct tree_field *fields, uint32_t count,
                           bool (*filled)(const struct tree_field *field),
                           struct buffer *out)
{
    bool any = false;

    for (uint32_t i = 0; i < count; i++) {
        if (filled && filled(&fields[i]))
            continue;
        buffer_append_text(out, any ? "," : ",\"required\":[");
        any = true;
        json_append_string(out, fields[i].name.text);
    }
    buffer_append_text(out, any ? "]}" : "}");
}

static bool has_default(const struct tree_field *field)
{
    return field->value != NULL;
}

/* Fields as an object. values: where the defaults lie, laid out as the
 * program's type `record`; NULL: none are told. filled: whether a field may be
 * left out; NULL: every field is there. */
static void fields_write(const struct tree_field *fields, uint32_t count,
                         const struct program *program, uint32_t record,
                         const char *values,
                         bool (*filled)(const struct tree_field *field),
                         struct buffer *out)
{
    uint32_t i;

    buffer_append_text(out,
                       "{\"type\":\"object\",\"additionalProperties\":false,"
                       "\"properties\":{");
    for (i = 0; i < count; i++) {
        if (i)
            buffer_append_byte(out, ',');
        json_append_string(out, fields[i].name.text);
        buffer_append_byte(out, ':');
        if (!fields[i].type) {
            buffer_append_text(out,
                               "{\"type\":\"string\",\"minLength\":1,"
                               "\"maxLength\":256,\"description\":\"the id of "
                               "an entity\"}");
            continue;
        }
        type_write(fields[i].type, out);
        if (values && fields[i].value)
            default_write(program, record, i, values, out);
    }
    buffer_append_byte(out, '}');
    required_write(fields, count, filled, out);
}

/* --- of all types --------------------------------------------------------- */

void schema_common(struct buffer *out)
{
    buffer_append_text(
        out,
        "\"error\":{\"type\":\"object\",\"properties\":{\"errorCode\":{"
        "\"type\":\"string\"},\"message\":{\"type\":\"string\"}},\"required\":["
        "\"errorCode\",\"message\"]},"
        "\"problem\":{\"description\":\"RFC 9457; what is there besides "
        "depends "
        "on the type\",\"type\":\"object\",\"properties\":{\"type\":{\"type\":"
        "\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":"
        "\"integer\"},\"detail\":{\"type\":\"string\"},\"instance\":{\"type\":"
        "\"string\"},\"errorCode\":{\"type\":\"string\"},\"message\":{\"type\":"
        "\"string\"},\"step\":{\"type\":\"string\"},\"values\":{\"type\":"
        "\"object\"}},\"required\":[\"type\",\"title\",\"status\",\"detail\","
        "\"errorCode\",\"message\"]},"
        "\"entities\":{\"type\":\"object\",\"properties\":{\"entities\":{"
        "\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
        "\"id\":{\"type\":\"string\"}},\"required\":[\"id\"]}},\"after\":{"
        "\"type\":\"string\"}},\"required\":[\"entities\"]},"
        "\"changed\":{\"type\":\"object\",\"properties\":{\"type\":{\"type\":"
        "\"string\"},\"id\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"},"
        "\"version\":{\"type\":\"integer\"}},\"required\":[\"type\",\"id\","
        "\"n\"]},"
        "\"sagaState\":{\"type\":\"object\",\"properties\":{\"saga\":{\"type\":"
        "\"string\"},\"id\":{\"type\":\"string\"},\"status\":{\"type\":"
        "\"string\"},\"parameters\":{\"type\":\"object\"},\"steps\":{\"type\":"
        "\"array\",\"items\":{\"type\":\"object\"}},\"refused\":{\"type\":"
        "\"string\"},\"reason\":{\"type\":\"string\"},\"stuck\":{\"type\":"
        "\"object\",\"properties\":{\"call\":{\"type\":\"string\"},\"undo\":{"
        "\"type\":\"boolean\"},\"reason\":{\"type\":\"string\"}}},"
        "\"revision\":{\"type\":\"integer\"}},\"required\":[\"saga\",\"id\","
        "\"status\"]}");
}

/* ,"KIND.NAME": */
static void name_begin(struct buffer *out, const char *kind,
                       struct kan_slice first, struct kan_slice second)
{
    struct buffer name = BUFFER_INIT;

    buffer_print(&name, "%s.%.*s%s%.*s", kind, SLICE_ARG(first),
                 second.size ? "." : "", SLICE_ARG(second));
    json_append_name(out, buffer_text(&name));
    if (buffer_failed(&name))
        out->failed = true;
    buffer_fini(&name);
}

void schema_record(const struct tree_record *record, struct buffer *out)
{
    name_begin(out, "record", record->name.text, SLICE(""));
    fields_write(record->fields, record->field_count, NULL, 0, NULL,
                 record_fills, out);
}

void schema_saga(const struct tree_saga *saga, struct buffer *out)
{
    name_begin(out, "saga", saga->name.text, SLICE(""));
    fields_write(saga->parameters, saga->parameter_count, NULL, 0, NULL, NULL,
                 out);
}

/* --- of one type ---------------------------------------------------------- */

static void measure_write(const struct tree_measure *measure,
                          struct buffer *out)
{
    switch (measure->kind) {
    case TREE_PLAIN:
        type_write(measure->value->type, out);
        break;
    case TREE_COUNT:
        buffer_append_text(out, "{\"type\":\"integer\",\"minimum\":0}");
        break;
    case TREE_LAST:
        buffer_append_text(out, "{\"anyOf\":[");
        if (measure->parameter)
            type_write(measure->parameter->type, out);
        else
            buffer_append_text(out, "{}");
        buffer_append_text(out, ",{\"type\":\"null\"}]}");
        break;
    default:
        buffer_append_text(out,
                           "{\"type\":[\"integer\",\"string\",\"null\"],"
                           "\"pattern\":\"^-?[0-9]+$\"}");
        break;
    }
}

static void view_write(const struct tree_entity *entity,
                       const struct tree_view *view, struct buffer *out)
{
    uint32_t i;

    name_begin(out, "view", entity->name.text, view->name.text);
    buffer_append_text(out,
                       "{\"type\":\"object\",\"properties\":{\"type\":{"
                       "\"type\":\"string\"},\"view\":{\"type\":\"string\"},");
    buffer_append_text(
        out, view->over_all
                 ? "\"as_of\":{\"type\":\"integer\"},"
                 : "\"id\":{\"type\":\"string\"},\"version\":{\"type\":"
                   "\"integer\"},\"n\":{\"type\":\"integer\"},\"revision\":{"
                   "\"type\":\"integer\"},");
    buffer_append_text(out, "\"values\":{\"type\":\"object\",\"properties\":{");
    for (i = 0; i < view->entry_count; i++) {
        if (i)
            buffer_append_byte(out, ',');
        json_append_string(out, view->entries[i].name.text);
        buffer_append_byte(out, ':');
        measure_write(view->entries[i].measure, out);
    }
    buffer_append_text(out, "}}},\"required\":[\"type\",\"view\",\"values\"]}");
}

/* Of any version: an event says which, and older ones may have other steps. */
static void events_write(const struct tree_entity *entity, struct buffer *out)
{
    name_begin(out, "events", entity->name.text, SLICE(""));
    buffer_append_text(
        out,
        "{\"type\":\"object\",\"properties\":{\"events\":{\"type\":\"array\","
        "\"items\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"
        "\"integer\"},\"step\":{\"type\":\"string\"},\"event\":{\"enum\":["
        "\"upgraded\",\"downgraded\",\"deleted\",\"erased\"]},\"version\":{"
        "\"type\":\"integer\"},\"args\":{\"type\":\"object\"},\"time\":{"
        "\"type\":\"string\",\"format\":\"date-time\"},\"revision\":{\"type\":"
        "\"integer\"}},\"required\":[\"n\"]}},\"after\":{\"type\":\"integer\"}"
        ",\"more\":{\"type\":\"boolean\"}},\"required\":[\"events\",\"after\","
        "\"more\"]}");
}

static void step_write(const struct tree_entity *entity, uint32_t number,
                       const struct program *program, struct buffer *out)
{
    const struct tree_step *step = &entity->steps[number];
    uint32_t type = program_step(program, number).arguments;
    char *values = mem_zalloc(program_type(program, type)->size + 1);

    if (!values) {
        out->failed = true;
        return;
    }
    program_arguments(program, number, values);
    name_begin(out, "step", entity->name.text, step->name.text);
    fields_write(step->parameters, step->parameter_count, program, type, values,
                 values ? has_default : NULL, out);
    mem_free(values);
}

void schema_entity(const struct tree_entity *entity,
                   const struct program *program, struct buffer *out)
{
    uint32_t i;

    name_begin(out, "state", entity->name.text, SLICE(""));
    fields_write(entity->fields, entity->field_count, program, 0, NULL, NULL,
                 out);
    name_begin(out, "entity", entity->name.text, SLICE(""));
    buffer_print(out,
                 "{\"type\":\"object\",\"properties\":{\"type\":{\"const\":"
                 "\"%.*s\"},\"id\":{\"type\":\"string\"},\"version\":{\"type\":"
                 "\"integer\"},\"n\":{\"type\":\"integer\"},\"revision\":{"
                 "\"type\":\"integer\"},\"state\":{\"$ref\":\"#/components/"
                 "schemas/state.%.*s\"}},\"required\":[\"type\",\"id\","
                 "\"version\",\"n\",\"state\"]}",
                 SLICE_ARG(entity->name.text), SLICE_ARG(entity->name.text));
    events_write(entity, out);
    for (i = 0; i < entity->step_count; i++) {
        if (!entity->steps[i].internal)
            step_write(entity, i, program, out);
    }
    for (i = 0; i < entity->view_count; i++)
        view_write(entity, &entity->views[i], out);
}
