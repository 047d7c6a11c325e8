/* Slices and buffers. Growth doubles, so that n appends cost O(n). */

#include "base/bytes.h"

#include <stdio.h>

#include "base/alloc.h"

bool slice_equal(struct kan_slice a, struct kan_slice b)
{
    return a.size == b.size &&
           (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

int slice_compare(struct kan_slice a, struct kan_slice b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.bytes, b.bytes, shared) : 0;
    if (order)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

bool slice_equal_nocase(struct kan_slice a, struct kan_slice b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        if (lower(slice_at(a, i)) != lower(slice_at(b, i)))
            return false;
    }
    return true;
}

bool slice_starts(struct kan_slice whole, struct kan_slice prefix)
{
    return whole.size >= prefix.size &&
           (prefix.size == 0 ||
            memcmp(whole.bytes, prefix.bytes, prefix.size) == 0);
}

struct kan_slice slice_skip(struct kan_slice whole, size_t n)
{
    if (n >= whole.size)
        return kan_slice(NULL, 0);
    return kan_slice((const char *)whole.bytes + n, whole.size - n);
}

struct kan_slice slice_head(struct kan_slice whole, size_t n)
{
    return kan_slice(whole.bytes, n < whole.size ? n : whole.size);
}

size_t slice_find(struct kan_slice whole, struct kan_slice needle)
{
    if (needle.size == 0)
        return 0;
    const char *found =
        whole.size ? memmem(whole.bytes, whole.size, needle.bytes, needle.size)
                   : NULL;
    return found ? (size_t)(found - (const char *)whole.bytes) : SIZE_MAX;
}

bool slice_cut(struct kan_slice *rest, char separator,
               struct kan_slice *ret_head)
{
    struct kan_slice whole = *rest;
    const char *found =
        whole.size ? memchr(whole.bytes, separator, whole.size) : NULL;
    size_t at =
        found ? (size_t)(found - (const char *)whole.bytes) : whole.size;
    *ret_head = slice_head(whole, at);
    *rest = slice_skip(whole, at + 1);
    return found != NULL;
}

struct kan_slice slice_trim(struct kan_slice whole)
{
    const char *bytes = whole.bytes;
    size_t from = 0;
    size_t to = whole.size;
    while (from < to && (bytes[from] == ' ' || bytes[from] == '\t'))
        from++;
    while (to > from && (bytes[to - 1] == ' ' || bytes[to - 1] == '\t'))
        to--;
    return from < to ? kan_slice(bytes + from, to - from) : kan_slice(NULL, 0);
}

void buffer_fini(struct buffer *buffer)
{
    mem_free(buffer->bytes);
    *buffer = (struct buffer)BUFFER_INIT;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

enum kan_err buffer_reserve(struct buffer *buffer, size_t size)
{
    if (size <= buffer->capacity - buffer->size)
        return KAN_OK;
    if (size > SIZE_MAX / 2 - buffer->size)
        return KAN_NOMEM;
    size_t need = buffer->size + size;
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : 64;
    if (capacity < need)
        capacity = need;
    char *bytes = mem_realloc(buffer->bytes, capacity);
    if (!bytes)
        return KAN_NOMEM;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return KAN_OK;
}

void buffer_append(struct buffer *buffer, struct kan_slice slice)
{
    if (slice.size == 0)
        return;
    if (buffer->failed || buffer_reserve(buffer, slice.size) != KAN_OK) {
        buffer->failed = true;
        return;
    }
    memcpy(buffer->bytes + buffer->size, slice.bytes, slice.size);
    buffer->size += slice.size;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, kan_text(text));
}

void buffer_append_byte(struct buffer *buffer, unsigned char byte)
{
    buffer_append(buffer, kan_slice(&byte, 1));
}

void buffer_append_u64(struct buffer *buffer, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    buffer_append(buffer, kan_slice(digits + at, sizeof digits - at));
}

void buffer_vprint(struct buffer *buffer, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    if (size < 0 || buffer->failed ||
        buffer_reserve(buffer, (size_t)size + 1) != KAN_OK) {
        buffer->failed = true;
    } else {
        (void)vsnprintf(buffer->bytes + buffer->size, (size_t)size + 1, format,
                        again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}

void buffer_print(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buffer_vprint(buffer, format, args);
    va_end(args);
}

void buffer_consume(struct buffer *buffer, size_t n)
{
    if (n >= buffer->size) {
        buffer->size = 0;
        return;
    }
    memmove(buffer->bytes, buffer->bytes + n, buffer->size - n);
    buffer->size -= n;
}

const char *buffer_text(struct buffer *buffer)
{
    if (buffer_reserve(buffer, 1) != KAN_OK)
        return "";
    buffer->bytes[buffer->size] = 0;
    return buffer->bytes;
}
