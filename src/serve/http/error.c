/* error.c - errors as the JSON that Dapr's clients read. */

#include "serve/http/error.h"

#include "base/assert.h"
#include "base/json.h"

static const struct
{
    const char *code;
    const char *reason;
    int status;
} error_table[] = {
#define ERROR_ROW(name, code, reason, status) {(code), (reason), (status)},
    ERROR_MAP(ERROR_ROW)
#undef ERROR_ROW
};

const char *error_code(enum error_name name)
{
    kan_assert(name < ERROR_COUNT);
    return error_table[name].code;
}

int error_status(const struct error_report *report)
{
    kan_assert(report->name < ERROR_COUNT);
    return report->status ? report->status : error_table[report->name].status;
}

static void string_member(struct buffer *body, const char *name,
                          struct kan_slice text)
{
    json_append_name(body, name);
    json_append_string(body, text);
}

/* Every detail is an object whose first member names its type. */
static void detail_begin(struct buffer *body, const char *type)
{
    if (body->size && body->bytes[body->size - 1] != '[')
        buffer_append_byte(body, ',');
    buffer_append_text(body, "{\"@type\":\"type.googleapis.com/google.rpc.");
    buffer_append_text(body, type);
    buffer_append_byte(body, '"');
}

static void detail_help(struct buffer *body, const char *address)
{
    detail_begin(body, "Help");
    buffer_append_text(body, ",\"links\":[{");
    string_member(body, "description", SLICE("what each store supports"));
    string_member(body, "url", kan_text(address));
    buffer_append_text(body, "}]}");
}

static void detail_field(struct buffer *body, struct kan_slice field,
                         struct kan_slice message)
{
    detail_begin(body, "BadRequest");
    buffer_append_text(body, ",\"field_violations\":[{");
    string_member(body, "field", field);
    string_member(body, "description", message);
    buffer_append_text(body, "}]}");
}

static void detail_resource(struct buffer *body, const char *type,
                            struct kan_slice name, struct kan_slice message)
{
    detail_begin(body, "ResourceInfo");
    string_member(body, "resource_type", kan_text(type));
    string_member(body, "resource_name", name);
    string_member(body, "owner", SLICE(""));
    string_member(body, "description", message);
    buffer_append_byte(body, '}');
}

static void detail_info(struct buffer *body, const char *reason,
                        const struct error_pair *pairs, size_t count)
{
    detail_begin(body, "ErrorInfo");
    string_member(body, "domain", SLICE("dapr.io"));
    json_append_name(body, "metadata");
    if (!pairs[0].name) {
        buffer_append_text(body, "null");
    } else {
        buffer_append_byte(body, '{');
        for (size_t i = 0; i < count && pairs[i].name; i++)
            string_member(body, pairs[i].name, pairs[i].value);
        buffer_append_byte(body, '}');
    }
    string_member(body, "reason", kan_text(reason));
    buffer_append_byte(body, '}');
}

void error_write(struct buffer *body, const struct error_report *report,
                 struct kan_slice message)
{
    kan_assert(report->name < ERROR_COUNT);
    const char *reason = error_table[report->name].reason;
    buffer_append_byte(body, '{');
    string_member(body, "errorCode", kan_text(error_code(report->name)));
    string_member(body, "message", message);
    if (reason) {
        buffer_append_text(body, ",\"details\":[");
        if (report->help)
            detail_help(body, report->help);
        if (report->field.size)
            detail_field(body, report->field, message);
        if (report->resource)
            detail_resource(body, report->resource, report->owner, message);
        detail_info(body, reason, report->pairs,
                    sizeof(report->pairs) / sizeof(report->pairs[0]));
        buffer_append_byte(body, ']');
    }
    buffer_append_byte(body, '}');
}
