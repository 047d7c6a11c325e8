/* SipHash-1-3 as its paper defines it, words little endian. */

#include "base/hash.h"

struct sip
{
    uint64_t v0;
    uint64_t v1;
    uint64_t v2;
    uint64_t v3;
};

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

/* Up to 8 bytes as a little-endian word. */
static uint64_t load(const unsigned char *p, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

uint64_t hash_bytes(struct hash_seed seed, struct kan_slice bytes)
{
    const unsigned char *p = bytes.bytes;
    size_t whole = bytes.size / 8 * 8;
    struct sip s = {
        seed.k0 ^ 0x736f6d6570736575u,
        seed.k1 ^ 0x646f72616e646f6du,
        seed.k0 ^ 0x6c7967656e657261u,
        seed.k1 ^ 0x7465646279746573u,
    };

    for (size_t at = 0; at < whole; at += 8)
        sip_word(&s, load(p + at, 8));
    uint64_t last = (uint64_t)bytes.size << 56;
    if (bytes.size > whole)
        last |= load(p + whole, bytes.size - whole);
    sip_word(&s, last);
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
