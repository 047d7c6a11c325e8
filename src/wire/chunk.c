/* The chunked coding. http-parser lets a space and any byte behind a chunk's
 * size pass, and a bare LF in an extension; so chunks are read here instead. */

#include "wire/chunk.h"

#include "base/bytes.h"

/* 15 digits cannot overflow 64 bits, and no body is that long. */
enum
{
    DIGITS_MAX = 15
};

void chunk_init(struct chunk *chunk, uint64_t body_max, uint32_t spare)
{
    memset(chunk, 0, sizeof *chunk);
    chunk->room = body_max;
    chunk->spare = spare;
}

static int digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static struct refusal fine(void)
{
    return refuse_with(0, NULL);
}

static struct refusal take_size(struct chunk *chunk, unsigned char c)
{
    int value = digit(c);
    if (value >= 0) {
        if (++chunk->digits > DIGITS_MAX)
            return refuse_with(400, "a chunk's size is too long");
        chunk->left = chunk->left * 16 + (uint64_t)value;
        chunk->state = CHUNK_SIZE;
        return fine();
    }
    if (chunk->state == CHUNK_SIZE_FIRST)
        return refuse_with(400, "a chunk's size is not a number");
    if (c == '\r')
        chunk->state = CHUNK_SIZE_LF;
    else if (c == ';')
        chunk->state = CHUNK_EXTENSION;
    else
        return refuse_with(400, "a chunk's size is not a number");
    return fine();
}

/* The size line is complete. */
static struct refusal take_size_end(struct chunk *chunk)
{
    if (chunk->left > chunk->room)
        return refuse_with(413, "the body is too large");
    chunk->room -= chunk->left;
    chunk->state = chunk->left ? CHUNK_DATA : CHUNK_TRAILER_START;
    return fine();
}

static struct refusal take_lf(struct chunk *chunk, unsigned char c,
                              enum chunk_state next)
{
    if (c != '\n')
        return refuse_with(400, "CR without LF in a chunked body");
    chunk->state = next;
    return fine();
}

static struct refusal take_trailer(struct chunk *chunk, unsigned char c)
{
    if (chunk->state == CHUNK_TRAILER_START && c == '\r') {
        chunk->state = CHUNK_LAST_LF;
        return fine();
    }
    if (chunk->state != CHUNK_TRAILER_VALUE) {
        if (head_is_token(c))
            chunk->state = CHUNK_TRAILER_NAME;
        else if (c == ':' && chunk->state == CHUNK_TRAILER_NAME)
            chunk->state = CHUNK_TRAILER_VALUE;
        else
            return refuse_with(400, "a trailer is malformed");
        return fine();
    }
    if (c == '\r')
        chunk->state = CHUNK_TRAILER_LF;
    else if (!head_is_value(c))
        return refuse_with(400, "a trailer is malformed");
    return fine();
}

static struct refusal spend(struct chunk *chunk)
{
    if (chunk->spare == 0)
        return refuse_with(431, "too many chunk extensions or trailers");
    chunk->spare--;
    return fine();
}

static struct refusal take_extension(struct chunk *chunk, unsigned char c)
{
    if (c == '\r') {
        chunk->state = CHUNK_SIZE_LF;
        return fine();
    }
    if (!head_is_value(c))
        return refuse_with(400, "a chunk's extension is malformed");
    return spend(chunk);
}

static struct refusal take_data_end(struct chunk *chunk, unsigned char c)
{
    if (c != '\r')
        return refuse_with(400, "a chunk is longer than its size");
    chunk->state = CHUNK_DATA_LF;
    return fine();
}

/* One byte of framing. */
static struct refusal take(struct chunk *chunk, unsigned char c)
{
    struct refusal refusal;
    switch (chunk->state) {
    case CHUNK_SIZE_FIRST:
    case CHUNK_SIZE:
        return take_size(chunk, c);
    case CHUNK_EXTENSION:
        return take_extension(chunk, c);
    case CHUNK_SIZE_LF:
        refusal = take_lf(chunk, c, CHUNK_DATA);
        return refusal.status ? refusal : take_size_end(chunk);
    case CHUNK_DATA_CR:
        return take_data_end(chunk, c);
    case CHUNK_DATA_LF:
        chunk->digits = 0;
        return take_lf(chunk, c, CHUNK_SIZE_FIRST);
    case CHUNK_TRAILER_LF:
        return take_lf(chunk, c, CHUNK_TRAILER_START);
    case CHUNK_TRAILER_START:
    case CHUNK_TRAILER_NAME:
    case CHUNK_TRAILER_VALUE:
        refusal = take_trailer(chunk, c);
        if (refusal.status || chunk->state == CHUNK_LAST_LF)
            return refusal;
        return spend(chunk);
    case CHUNK_DATA:
    case CHUNK_LAST_LF:
        break;
    }
    return take_lf(chunk, c, CHUNK_LAST_LF);
}

enum chunk_progress chunk_next(struct chunk *chunk, struct kan_slice *bytes,
                               struct kan_slice *ret_data,
                               struct refusal *ret_refusal)
{
    while (bytes->size) {
        if (chunk->state == CHUNK_DATA) {
            size_t n =
                bytes->size < chunk->left ? bytes->size : (size_t)chunk->left;
            *ret_data = slice_head(*bytes, n);
            *bytes = slice_skip(*bytes, n);
            chunk->left -= n;
            if (chunk->left == 0)
                chunk->state = CHUNK_DATA_CR;
            return CHUNK_BYTES;
        }
        bool last = chunk->state == CHUNK_LAST_LF;
        struct refusal refusal = take(chunk, slice_at(*bytes, 0));
        if (refusal.status) {
            *ret_refusal = refusal;
            return CHUNK_BAD;
        }
        *bytes = slice_skip(*bytes, 1);
        if (last)
            return CHUNK_END;
    }
    return CHUNK_MORE;
}
