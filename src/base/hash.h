/* hash.h - SipHash-1-3, a keyed hash of bytes (Aumasson and Bernstein, 2012,
 * with one round a word and three at the end).
 *
 * With a seed that an attacker does not know, keys that collide cannot be
 * prepared. It is no signature: never use it to prove who wrote something. */

#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <kan/base.h>

/* 128 bits of chance; draw them with env_choose(). */
struct hash_seed
{
    uint64_t k0;
    uint64_t k1;
};

/* The hash of bytes under seed: the same on every machine. */
uint64_t hash_bytes(struct hash_seed seed, struct kan_slice bytes);

#endif /* BASE_HASH_H */
