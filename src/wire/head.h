/* head.h - a request's head: where it ends, whether it is clean, what it says
 * about the body. Pure functions over borrowed bytes.
 *
 * Every rule of RFC 9112 that decides where a message ends is checked here,
 * byte by byte; http-parser then reads the same head (parse.h) and must come to
 * the same conclusion. */

#ifndef WIRE_HEAD_H
#define WIRE_HEAD_H

#include <kan/base.h>

enum
{
    HEAD_FIELDS_MAX = 64 /* as http.h promises; more is answered 431 */
};

/* Why a request is refused. status 0: it is not. */
struct refusal
{
    int status;
    const char *reason; /* static text */
};

static inline struct refusal refuse_with(int status, const char *reason)
{
    struct refusal refusal = {status, reason};
    return refusal;
}

/* The search for the end of a head, kept between reads. Zero to begin. */
struct head_scan
{
    uint32_t at;   /* bytes looked at */
    uint32_t line; /* where the current line begins */
};

enum head_progress
{
    HEAD_MORE, /* no end yet */
    HEAD_WHOLE,
    HEAD_BAD
};

/* Go on looking for the empty line. bytes are all bytes of the head so far; the
 * answer depends on them alone, not on how they were cut into reads. The end
 * must lie in the first size_max bytes, else 431. HEAD_WHOLE sets ret_size,
 * HEAD_BAD sets ret_refusal. */
enum head_progress head_scan(struct head_scan *scan, struct kan_slice bytes,
                             uint32_t size_max, size_t *ret_size,
                             struct refusal *ret_refusal);

/* What a clean head says. Slices point into it. */
struct head
{
    struct kan_slice start; /* the head without an empty line before it */
    struct kan_slice method;
    struct kan_slice target;    /* as sent */
    struct kan_slice origin;    /* the part of it that is a path and a query */
    struct kan_slice authority; /* of an absolute target; else empty */
    struct kan_slice host;
    uint64_t length; /* of the body, when it is not chunked */
    uint32_t field_count;
    bool http_1_0;
    bool chunked;
    bool expect; /* the client waits for 100 Continue */

    /* How often each was seen. */
    uint8_t host_count;
    uint8_t length_count;
    uint8_t transfer_count;
};

/* Check a complete head, its empty line included. ret_head is set when the
 * refusal's status is 0. */
struct refusal head_check(struct kan_slice bytes, struct head *ret_head);

/* Whether lines are whole, clean header lines ("Name: value\r\n"...). */
bool head_lines_clean(struct kan_slice lines);

/* Whether the byte may stand in a header's name, or in its value. */
bool head_is_token(unsigned char c);
bool head_is_value(unsigned char c);

#endif /* WIRE_HEAD_H */
