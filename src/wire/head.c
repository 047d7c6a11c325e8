/* The strict reading of a request's head (RFC 9112, sections 2 to 6).
 *
 * One pass over the bytes with a table of character classes. Nothing is
 * repaired: what is not the grammar, or could be read in two ways, is refused
 * with the reason. */

#include "wire/head.h"

#include "base/bytes.h"
#include "wire/http.h"
#include "wire/target.h"

enum
{
    CLASS_TOKEN = 1,  /* RFC 9110 5.6.2 */
    CLASS_VALUE = 2,  /* field-vchar, SP, HTAB, obs-text */
    CLASS_TARGET = 4, /* visible ASCII */
    CLASS_UPPER = 8   /* what our methods are made of */
};

#define T      (CLASS_TOKEN | CLASS_VALUE | CLASS_TARGET)
#define U      (T | CLASS_UPPER)
#define V      (CLASS_VALUE | CLASS_TARGET)
#define O      CLASS_VALUE
#define ROW(x) x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x

static const uint8_t classes[256] = {
    /* controls: HTAB alone has a place, in values */
    0, 0, 0, 0, 0, 0, 0, 0, 0, O, 0, 0, 0, 0, 0, 0, ROW(0),
    /*  !"#$%&'()*+,-./ */
    O, T, V, T, T, T, T, T, V, V, T, T, V, U, T, V,
    /* 0-9 :;<=>? */
    T, T, T, T, T, T, T, T, T, T, V, V, V, V, V, V,
    /* @A-O */
    V, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U,
    /* P-Z [\]^_ */
    U, U, U, U, U, U, U, U, U, U, U, V, V, V, T, T,
    /* `a-o */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
    /* p-z {|}~ DEL */
    T, T, T, T, T, T, T, T, T, T, T, V, T, V, T, 0,
    /* obs-text: opaque, and so neither refused nor understood */
    ROW(O), ROW(O), ROW(O), ROW(O), ROW(O), ROW(O), ROW(O), ROW(O)};

#undef T
#undef U
#undef V
#undef O
#undef ROW

bool head_is_token(unsigned char c)
{
    return (classes[c] & CLASS_TOKEN) != 0;
}

bool head_is_value(unsigned char c)
{
    return (classes[c] & CLASS_VALUE) != 0;
}

enum head_progress head_scan(struct head_scan *scan, struct kan_slice bytes,
                             uint32_t size_max, size_t *ret_size,
                             struct refusal *ret_refusal)
{
    const char *from = bytes.bytes;
    size_t limit = bytes.size < size_max ? bytes.size : size_max;
    /* Tell a TLS hello or other noise at its first byte, not by a time-out. */
    if (scan->at == 0 && limit && from[0] != '\r' &&
        !(from[0] >= 'A' && from[0] <= 'Z')) {
        *ret_refusal = refuse_with(400, "this is not an HTTP request");
        return HEAD_BAD;
    }
    const char *found;
    while (scan->at < limit &&
           (found = memchr(from + scan->at, '\n', limit - scan->at)) != NULL) {
        size_t i = (size_t)(found - from);
        if (i == 0 || from[i - 1] != '\r') {
            *ret_refusal = refuse_with(400, "a line ends without CR");
            return HEAD_BAD;
        }
        /* One empty line before the request is let pass (RFC 9112, 2.2). */
        bool empty = i - scan->line == 1 && scan->line != 0;
        scan->line = (uint32_t)i + 1;
        scan->at = (uint32_t)i + 1;
        if (empty) {
            *ret_size = i + 1;
            return HEAD_WHOLE;
        }
    }
    scan->at = (uint32_t)limit;
    if (limit == size_max) {
        *ret_refusal = refuse_with(431, "the head is too large");
        return HEAD_BAD;
    }
    return HEAD_MORE;
}

/* --- the checker ---------------------------------------------------------- */

struct cursor
{
    const unsigned char *at;
    const unsigned char *end;
};

static struct kan_slice take(struct cursor *cursor, uint8_t class)
{
    const unsigned char *from = cursor->at;
    const unsigned char *at = from;
    while (at < cursor->end && classes[*at] & class)
        at++;
    cursor->at = at;
    return kan_slice(from, (size_t)(at - from));
}

static bool take_text(struct cursor *cursor, struct kan_slice text)
{
    if ((size_t)(cursor->end - cursor->at) < text.size ||
        memcmp(cursor->at, text.bytes, text.size) != 0)
        return false;
    cursor->at += text.size;
    return true;
}

/* Why the byte at the cursor may not stand where a line was to end. */
static const char *stray(const struct cursor *cursor)
{
    if (cursor->at == cursor->end)
        return "the head is not complete";
    switch (*cursor->at) {
    case '\r':
        return "CR without LF";
    case '\n':
        return "a line ends without CR";
    case 0:
        return "NUL in the head";
    default:
        return "a control character in the head";
    }
}

static struct refusal check_version(struct cursor *cursor, struct head *head)
{
    const unsigned char *at = cursor->at;
    struct kan_slice text = take(cursor, CLASS_TARGET);
    if (!take_text(cursor, SLICE("\r\n")))
        return refuse_with(400, "the request line has more than three parts");
    if (slice_equal(text, SLICE("HTTP/1.1")))
        return refuse_with(0, NULL);
    if (slice_equal(text, SLICE("HTTP/1.0"))) {
        head->http_1_0 = true;
        return refuse_with(0, NULL);
    }
    bool shaped = text.size == 8 && memcmp(at, "HTTP/", 5) == 0 &&
                  at[5] >= '0' && at[5] <= '9' && at[6] == '.' &&
                  at[7] >= '0' && at[7] <= '9';
    if (shaped)
        return refuse_with(505, "only versions 1.0 and 1.1 are spoken here");
    return refuse_with(400, "the version is malformed");
}

static struct refusal check_request_line(struct cursor *cursor,
                                         struct head *head)
{
    head->method = take(cursor, CLASS_UPPER);
    if (head->method.size == 0 || !take_text(cursor, SLICE(" ")))
        return refuse_with(400, "the method is malformed");
    head->target = take(cursor, CLASS_TARGET);
    if (head->target.size == 0 || !take_text(cursor, SLICE(" ")))
        return refuse_with(400, "the target is malformed");
    struct refusal refusal = check_version(cursor, head);
    if (refusal.status)
        return refusal;
    if (slice_equal(head->method, SLICE("CONNECT")))
        return refuse_with(501, "CONNECT is not served");
    const char *reason = target_check(head->target, head->method, &head->origin,
                                      &head->authority);
    return reason ? refuse_with(400, reason) : refuse_with(0, NULL);
}

static struct refusal note_length(struct head *head, struct kan_slice value)
{
    if (head->length_count++)
        return refuse_with(400, "more than one Content-Length");
    /* 18 digits cannot overflow, and no body is that long. */
    if (value.size == 0 || value.size > 18)
        return refuse_with(400, "Content-Length is not a length");
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = slice_at(value, i);
        if (c < '0' || c > '9')
            return refuse_with(400, "Content-Length is not a length");
        head->length = head->length * 10 + (uint64_t)(c - '0');
    }
    return refuse_with(0, NULL);
}

/* Only "chunked" is spoken. RFC 9112, 6.3: a list that does not end in chunked
 * has no reliable end and is 400; another coding before it is 501 (6.1). */
static struct refusal note_transfer(struct head *head, struct kan_slice value)
{
    if (head->transfer_count++)
        return refuse_with(400, "more than one Transfer-Encoding");
    if (head->http_1_0)
        return refuse_with(400, "Transfer-Encoding in HTTP/1.0");
    head->chunked = slice_equal_nocase(value, SLICE("chunked"));
    if (head->chunked)
        return refuse_with(0, NULL);
    struct kan_slice rest = value;
    struct kan_slice coding;
    bool chunked = false;
    bool more;
    do {
        if (chunked)
            return refuse_with(400, "chunked is not the last coding");
        more = slice_cut(&rest, ',', &coding);
        chunked = slice_equal_nocase(slice_trim(coding), SLICE("chunked"));
    } while (more);
    if (chunked)
        return refuse_with(501, "this transfer coding is not served");
    return refuse_with(400, "chunked is not the last coding");
}

static struct refusal note_host(struct head *head, struct kan_slice value)
{
    if (head->host_count++)
        return refuse_with(400, "more than one Host");
    if (!target_host_valid(value))
        return refuse_with(400, "Host is not a host");
    head->host = value;
    return refuse_with(0, NULL);
}

static struct refusal note_expect(struct head *head, struct kan_slice value)
{
    if (head->http_1_0) /* RFC 9110, 10.1.1: to be ignored */
        return refuse_with(0, NULL);
    if (!slice_equal_nocase(value, SLICE("100-continue")))
        return refuse_with(417, "only 100-continue can be expected");
    head->expect = true;
    return refuse_with(0, NULL);
}

static struct refusal note_field(struct head *head, struct kan_slice name,
                                 struct kan_slice value)
{
    switch (name.size) {
    case 4:
        if (slice_equal_nocase(name, SLICE("host")))
            return note_host(head, value);
        break;
    case 6:
        if (slice_equal_nocase(name, SLICE("expect")))
            return note_expect(head, value);
        break;
    case 14:
        if (slice_equal_nocase(name, SLICE("content-length")))
            return note_length(head, value);
        break;
    case 17:
        if (slice_equal_nocase(name, SLICE("transfer-encoding")))
            return note_transfer(head, value);
        break;
    default:
        break;
    }
    return refuse_with(0, NULL);
}

/* "Name: value\r\n", by itself: no fold, no space where none may be. */
static const char *check_field(struct cursor *cursor, struct kan_slice *name,
                               struct kan_slice *value)
{
    *name = take(cursor, CLASS_TOKEN);
    if (cursor->at == cursor->end)
        return "the head is not complete";
    unsigned char c = *cursor->at;
    if (name->size == 0) {
        if (c == ' ' || c == '\t')
            return "a folded line";
        return c == ':' ? "a header without a name"
                        : "a header's name is malformed";
    }
    if (c != ':')
        return c == ' ' || c == '\t' ? "space before the colon"
                                     : "a header's name is malformed";
    cursor->at++;
    *value = slice_trim(take(cursor, CLASS_VALUE));
    return take_text(cursor, SLICE("\r\n")) ? NULL : stray(cursor);
}

static struct refusal check_fields(struct cursor *cursor, struct head *head)
{
    while (!take_text(cursor, SLICE("\r\n"))) {
        struct kan_slice name;
        struct kan_slice value;
        const char *reason = check_field(cursor, &name, &value);
        if (reason)
            return refuse_with(400, reason);
        if (++head->field_count > HEAD_FIELDS_MAX)
            return refuse_with(431, "too many headers");
        struct refusal refusal = note_field(head, name, value);
        if (refusal.status)
            return refusal;
    }
    return refuse_with(0, NULL);
}

/* What no single line shows. */
static struct refusal check_whole(const struct head *head)
{
    if (head->transfer_count && head->length_count)
        return refuse_with(400, "Content-Length beside Transfer-Encoding");
    if (head->host_count == 0 && !head->http_1_0)
        return refuse_with(400, "no Host");
    if (head->authority.size && head->host_count &&
        !slice_equal_nocase(head->authority, head->host))
        return refuse_with(400, "the target and Host name different hosts");
    return refuse_with(0, NULL);
}

struct refusal head_check(struct kan_slice bytes, struct head *ret_head)
{
    struct head head;
    memset(&head, 0, sizeof head);
    struct cursor cursor = {bytes.bytes, NULL};
    cursor.end = bytes.size ? cursor.at + bytes.size : cursor.at;
    (void)take_text(&cursor, SLICE("\r\n"));
    head.start = kan_slice(cursor.at, (size_t)(cursor.end - cursor.at));
    struct refusal refusal = check_request_line(&cursor, &head);
    if (!refusal.status)
        refusal = check_fields(&cursor, &head);
    if (!refusal.status && cursor.at != cursor.end)
        refusal = refuse_with(400, "bytes behind the empty line");
    if (!refusal.status)
        refusal = check_whole(&head);
    if (!refusal.status)
        *ret_head = head;
    return refusal;
}

const char *http_head_check(struct kan_slice bytes)
{
    struct head head;
    struct refusal refusal = head_check(bytes, &head);
    return refusal.status ? refusal.reason : NULL;
}

bool head_lines_clean(struct kan_slice lines)
{
    struct cursor cursor = {lines.bytes, NULL};
    cursor.end = lines.size ? cursor.at + lines.size : cursor.at;
    while (cursor.at != cursor.end) {
        struct kan_slice name;
        struct kan_slice value;
        if (check_field(&cursor, &name, &value))
            return false;
    }
    return true;
}
