/* chunk.h - reading a chunked body (RFC 9112, section 7.1), strictly.
 *
 * A state machine over bytes as they come; its answers depend on the bytes
 * alone, not on how they were cut. Extensions and trailers are read, checked
 * and dropped, within limits. */

#ifndef WIRE_CHUNK_H
#define WIRE_CHUNK_H

#include "wire/head.h"

enum chunk_state
{
    CHUNK_SIZE_FIRST, /* a digit must come */
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_START,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF
};

struct chunk
{
    enum chunk_state state;
    uint32_t digits;
    uint64_t left;  /* bytes of data still to come in this chunk */
    uint64_t room;  /* bytes of data that may still be announced */
    uint32_t spare; /* bytes of extensions and trailers still allowed */
};

enum chunk_progress
{
    CHUNK_MORE, /* all bytes are used up */
    CHUNK_BYTES,
    CHUNK_END,
    CHUNK_BAD
};

/* Begin a body of at most body_max bytes, with at most spare bytes of
 * extensions and trailers around it. */
void chunk_init(struct chunk *chunk, uint64_t body_max, uint32_t spare);

/* Read on. *bytes is moved past what was used. CHUNK_BYTES sets ret_data, a
 * slice of bytes; CHUNK_BAD sets ret_refusal (400; 413 when a chunk announces
 * more than the body may have; 431 for too many extensions or trailers). */
enum chunk_progress chunk_next(struct chunk *chunk, struct kan_slice *bytes,
                               struct kan_slice *ret_data,
                               struct refusal *ret_refusal);

#endif /* WIRE_CHUNK_H */
