/* number.h - numbers, quantities, durations and times as text.
 *
 * Every parser takes the whole slice or refuses: no sign, space or overflow is
 * let through that its comment does not name. */

#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <kan/base.h>

/* Digits only, at most 2^64-1. */
KAN_MUST_USE enum kan_err number_u64(struct kan_slice text,
                                     uint64_t *ret_number);

/* Digits, with one - or + before them allowed. */
KAN_MUST_USE enum kan_err number_i64(struct kan_slice text,
                                     int64_t *ret_number);

/* Digits in base 16, without 0x. */
KAN_MUST_USE enum kan_err number_hex(struct kan_slice text,
                                     uint64_t *ret_number);

/* Bytes: digits, with k, M, G (powers of 1,000) or Ki, Mi, Gi (of 1,024). */
KAN_MUST_USE enum kan_err number_quantity(struct kan_slice text,
                                          uint64_t *ret_bytes);

/* A duration as Go writes it: "1h30m", "500ms", "1.5s"; at most 292 years. */
KAN_MUST_USE enum kan_err number_duration(struct kan_slice text,
                                          uint64_t *ret_ns);

/* "true" or "false" (t, f, 1, 0, yes, no, case aside). */
KAN_MUST_USE enum kan_err number_bool(struct kan_slice text, bool *ret_value);

/* 64-bit integers as 8 bytes, big endian, so that they sort as numbers. */
void number_pack(uint64_t number, unsigned char out[8]);
uint64_t number_unpack(const unsigned char in[8]);

enum
{
    NUMBER_TIME_SIZE = 32
};

/* RFC 3339 in UTC, "2026-11-23T15:04:05.123Z"; the milliseconds are left out
 * when they are 0 and millis is not set. ms is since 1970; what lies beyond the
 * year 9999 is written as its end. */
void number_time(uint64_t ms, bool millis, char out[NUMBER_TIME_SIZE]);

#endif /* BASE_NUMBER_H */
