/* http-parser (Debian's 2.9.4) as a second reader of every head.
 *
 * It is fed one whole head in one call, so that each callback gets a whole
 * piece and nothing has to be kept between reads. Bodies never reach it:
 * lengths are counted and chunks are read by chunk.c, which is stricter. */

#include "wire/parse.h"

#include <http_parser.h>

#include "base/bytes.h"
#include "wire/target.h"

struct reading
{
    struct kan_slice url;
    struct http_header *headers;
    uint32_t count;
    unsigned flags; /* at the end of the head: the parser forgets them after */
    uint64_t length;
};

static int on_url(http_parser *parser, const char *at, size_t size)
{
    struct reading *reading = parser->data;
    reading->url = kan_slice(at, size);
    return 0;
}

static int on_name(http_parser *parser, const char *at, size_t size)
{
    struct reading *reading = parser->data;
    if (reading->count == HEAD_FIELDS_MAX)
        return 1;
    struct http_header *header = &reading->headers[reading->count++];
    header->name = kan_slice(at, size);
    header->value = kan_slice(NULL, 0);
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t size)
{
    struct reading *reading = parser->data;
    if (reading->count == 0)
        return 1;
    reading->headers[reading->count - 1].value =
        slice_trim(kan_slice(at, size));
    return 0;
}

static int on_head_end(http_parser *parser)
{
    struct reading *reading = parser->data;
    reading->flags = parser->flags;
    reading->length = parser->content_length;
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head_end};

void parse_setup(void)
{
    http_parser_set_max_header_size(UINT32_MAX);
}

static bool agrees(const struct head *head, const http_parser *parser,
                   const struct reading *reading)
{
    bool chunked = (reading->flags & F_CHUNKED) != 0;
    bool measured = (reading->flags & F_CONTENTLENGTH) != 0;
    return parser->http_major == 1 &&
           parser->http_minor == (head->http_1_0 ? 0 : 1) &&
           slice_equal(reading->url, head->target) &&
           reading->count == head->field_count && chunked == head->chunked &&
           measured == (head->length_count == 1) &&
           (!measured || reading->length == head->length);
}

struct refusal parse_head(const struct head *head, struct http_request *request,
                          struct http_header *headers, bool *ret_keep_alive)
{
    struct reading reading = {.headers = headers};
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &reading;
    size_t size = http_parser_execute(&parser, &settings, head->start.bytes,
                                      head->start.size);
    enum http_errno error = HTTP_PARSER_ERRNO(&parser);
    if (error == HPE_INVALID_METHOD)
        return refuse_with(501, "this method is not known here");
    if (error != HPE_OK)
        return refuse_with(400, http_errno_description(error));
    if (size != head->start.size || !agrees(head, &parser, &reading))
        return refuse_with(400, "the head can be read in two ways");
    request->method = head->method;
    request->target = head->origin;
    target_split(head->origin, &request->path, &request->query);
    request->headers = headers;
    request->header_count = reading.count;
    request->body = kan_slice(NULL, 0);
    bool close = (reading.flags & F_CONNECTION_CLOSE) != 0;
    bool keep = (reading.flags & F_CONNECTION_KEEP_ALIVE) != 0;
    *ret_keep_alive = !close && (keep || !head->http_1_0);
    return refuse_with(0, NULL);
}
