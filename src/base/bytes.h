/* bytes.h - slices compared and cut, and a buffer that grows.
 *
 * A buffer that fails to grow keeps what it holds and remembers the failure:
 * a writer may append many times and ask once, at the end, whether all of it
 * fits (buffer_failed). */

#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <kan/base.h>

#include <stdarg.h>

/* --- slices --------------------------------------------------------------- */

/* A slice of a string literal. */
#define SLICE(literal) kan_slice("" literal, sizeof(literal) - 1)

/* printf("%.*s", SLICE_ARG(s)). Caps what is printed at 1 KiB. */
#define SLICE_ARG(s)                          \
    (int)((s).size < 1024 ? (s).size : 1024), \
        (s).size ? (const char *)(s).bytes : ""

bool slice_equal(struct kan_slice a, struct kan_slice b);

/* As memcmp(), a prefix sorting before what continues it. */
int slice_compare(struct kan_slice a, struct kan_slice b);

/* Equal but for the case of ASCII letters. */
bool slice_equal_nocase(struct kan_slice a, struct kan_slice b);

bool slice_starts(struct kan_slice whole, struct kan_slice prefix);

/* What follows the first n bytes; the empty slice when there are fewer. */
struct kan_slice slice_skip(struct kan_slice whole, size_t n);

/* The first n bytes, or all. */
struct kan_slice slice_head(struct kan_slice whole, size_t n);

/* Where needle first stands in whole, or SIZE_MAX. */
size_t slice_find(struct kan_slice whole, struct kan_slice needle);

/* Cut at the first separator: ret_head is before it, and *rest goes on behind
 * it. false, with ret_head the whole and *rest empty, when there is none. */
bool slice_cut(struct kan_slice *rest, char separator,
               struct kan_slice *ret_head);

/* Without spaces and tabs at both ends. */
struct kan_slice slice_trim(struct kan_slice whole);

/* The byte at i, which must exist. */
static inline unsigned char slice_at(struct kan_slice s, size_t i)
{
    return ((const unsigned char *)s.bytes)[i];
}

/* --- buffers -------------------------------------------------------------- */

struct buffer
{
    char *bytes; /* NULL while capacity is 0 */
    size_t size;
    size_t capacity;
    bool failed; /* an append did not fit */
};

#define BUFFER_INIT \
    {               \
        0           \
    }

/* Free the bytes; the buffer is as new. A zeroed buffer is fine. */
void buffer_fini(struct buffer *buffer);

/* Forget the content and the failure, keep the memory. */
void buffer_clear(struct buffer *buffer);

/* Make room for size more bytes. KAN_NOMEM leaves the buffer as it was. */
KAN_MUST_USE enum kan_err buffer_reserve(struct buffer *buffer, size_t size);

/* slice must not be of this buffer, which may move. */
void buffer_append(struct buffer *buffer, struct kan_slice slice);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_byte(struct buffer *buffer, unsigned char byte);
void buffer_append_u64(struct buffer *buffer, uint64_t number);

/* As printf; the NUL is not counted. */
__attribute__((format(printf, 2, 3))) void buffer_print(struct buffer *buffer,
                                                        const char *format,
                                                        ...);
__attribute__((format(printf, 2, 0))) void buffer_vprint(struct buffer *buffer,
                                                         const char *format,
                                                         va_list args);

/* Drop the first n bytes. */
void buffer_consume(struct buffer *buffer, size_t n);

/* Whether an append was lost since buffer_clear(). */
static inline bool buffer_failed(const struct buffer *buffer)
{
    return buffer->failed;
}

/* A view, good until the next append. */
static inline struct kan_slice buffer_slice(const struct buffer *buffer)
{
    return kan_slice(buffer->bytes, buffer->size);
}

/* The content with a NUL behind it, good until the next append; "" when even
 * the NUL found no room. */
const char *buffer_text(struct buffer *buffer);

#endif /* BASE_BYTES_H */
