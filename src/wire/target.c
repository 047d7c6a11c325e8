/* The target of a request and the Host header. */

#include "wire/target.h"

#include "base/bytes.h"
#include "base/number.h"

static const char scheme[] = "http://";

static bool is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

/* The length of the bracketed address at the front, or 0. */
static size_t literal_size(struct kan_slice value)
{
    size_t i = 1;
    for (; i < value.size && slice_at(value, i) != ']'; i++) {
        unsigned char c = slice_at(value, i);
        if (!is_hex(c) && c != ':' && c != '.')
            return 0;
    }
    return i < value.size && i > 1 ? i + 1 : 0;
}

/* The length of the name at the front, or 0. */
static size_t name_size(struct kan_slice value)
{
    size_t i = 0;
    for (; i < value.size && slice_at(value, i) != ':'; i++) {
        unsigned char c = slice_at(value, i);
        if (c == '%') {
            if (value.size - i < 3 || !is_hex(slice_at(value, i + 1)) ||
                !is_hex(slice_at(value, i + 2)))
                return 0;
        } else if (!is_alnum(c) && (c == 0 || !strchr("-._~!$&'()*+;=", c))) {
            return 0;
        }
    }
    return i;
}

bool target_host_valid(struct kan_slice value)
{
    if (value.size == 0)
        return false;
    size_t size =
        slice_at(value, 0) == '[' ? literal_size(value) : name_size(value);
    if (size == 0)
        return false;
    struct kan_slice rest = slice_skip(value, size);
    if (rest.size == 0)
        return true;
    if (slice_at(rest, 0) != ':')
        return false;
    uint64_t port = 0;
    rest = slice_skip(rest, 1);
    return rest.size == 0 ||
           (rest.size <= 5 && number_u64(rest, &port) == KAN_OK &&
            port <= 65535);
}

static const char *check_absolute(struct kan_slice target,
                                  struct kan_slice *ret_origin,
                                  struct kan_slice *ret_authority)
{
    struct kan_slice rest = slice_skip(target, sizeof scheme - 1);
    size_t end = 0;
    while (end < rest.size && slice_at(rest, end) != '/' &&
           slice_at(rest, end) != '?')
        end++;
    struct kan_slice authority = slice_head(rest, end);
    if (!target_host_valid(authority))
        return "the target's host is not a host";
    struct kan_slice origin = slice_skip(rest, end);
    if (origin.size && slice_at(origin, 0) == '?')
        return "the target has a query but no path";
    *ret_origin = origin.size ? origin : SLICE("/");
    *ret_authority = authority;
    return NULL;
}

const char *target_check(struct kan_slice target, struct kan_slice method,
                         struct kan_slice *ret_origin,
                         struct kan_slice *ret_authority)
{
    if (memchr(target.bytes, '#', target.size))
        return "the target has a fragment";
    if (slice_at(target, 0) == '/') {
        *ret_origin = target;
        return NULL;
    }
    if (slice_equal(target, SLICE("*"))) {
        if (!slice_equal(method, SLICE("OPTIONS")))
            return "only OPTIONS may ask for *";
        *ret_origin = target;
        return NULL;
    }
    if (slice_equal_nocase(slice_head(target, sizeof scheme - 1),
                           kan_text(scheme)))
        return check_absolute(target, ret_origin, ret_authority);
    return "the target is neither a path nor an http URL";
}

void target_split(struct kan_slice origin, struct kan_slice *ret_path,
                  struct kan_slice *ret_query)
{
    struct kan_slice rest = origin;
    struct kan_slice path;
    (void)slice_cut(&rest, '?', &path);
    *ret_path = path;
    *ret_query = rest;
}
