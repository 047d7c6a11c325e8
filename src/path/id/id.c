/* Path ids, and the hash that they and the checker's states stand on.
 *
 * The hash is wyhash (Wang Yi, "Modern Non-Cryptographic Hash Function and
 * Pseudorandom Generator", in the public domain): words are xored with secrets
 * and multiplied to 128 bits, whose halves are xored. It gives 64 bits, so two
 * run here side by side, under secrets of their own and with the words of a
 * pair exchanged, so that what one multiplication loses the other keeps. The
 * secrets are digits of pi: nobody chose them. */

#include "path/id/id.h"

#include "base/bytes.h"

/* --- the hash ------------------------------------------------------------- */

__extension__ typedef unsigned __int128 wide;

/* The first 512 bits of pi's fraction. */
enum
{
    SECRETS = 4
};
static const uint64_t secret_low[SECRETS] = {
    0x243f6a8885a308d3u, 0x13198a2e03707344u, 0xa4093822299f31d0u,
    0x082efa98ec4e6c89u};
static const uint64_t secret_high[SECRETS] = {
    0x452821e638d01377u, 0xbe5466cf34e90c6cu, 0xc0ac29b7c97c50ddu,
    0x3f84d5b5b5470917u};

static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Little endian on every machine; compilers make one load of it. */
static uint64_t load4(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
           (uint64_t)p[3] << 24;
}

static uint64_t load8(const unsigned char *p)
{
    return load4(p) | load4(p + 4) << 32;
}

/* The end of the input: all of it when it has up to 16 bytes, else its last
 * 16, some of which a step may have seen. The size is hashed as well. */
static void load_last(const unsigned char *p, size_t size, uint64_t *ret_a,
                      uint64_t *ret_b)
{
    uint64_t a = 0;
    uint64_t b = 0;

    if (size > 16) {
        a = load8(p + size - 16);
        b = load8(p + size - 8);
    } else if (size >= 8) {
        a = load8(p);
        b = load8(p + size - 8);
    } else if (size >= 4) {
        a = load4(p);
        b = load4(p + size - 4);
    } else if (size > 0) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[size / 2] << 8 | p[size - 1];
    }
    *ret_a = a;
    *ret_b = b;
}

/* One of the two: both halves of the product go into the last one. */
static uint64_t finish(const uint64_t secret[SECRETS], uint64_t a, uint64_t b,
                       uint64_t seed, uint64_t size)
{
    wide product = (wide)(a ^ secret[1]) * (b ^ seed);
    return mix((uint64_t)product ^ secret[0] ^ size,
               (uint64_t)(product >> 64) ^ secret[1]);
}

struct path_id path_hash(struct kan_slice bytes, uint64_t seed)
{
    const unsigned char *p = bytes.bytes;
    uint64_t low = seed ^ mix(seed ^ secret_low[0], secret_low[1]);
    uint64_t high = seed ^ mix(seed ^ secret_high[0], secret_high[1]);
    size_t left = bytes.size;
    uint64_t a;
    uint64_t b;
    struct path_id hash;

    for (; left > 16; left -= 16, p += 16) {
        a = load8(p);
        b = load8(p + 8);
        low = mix(a ^ secret_low[2], b ^ low);
        high = mix(b ^ secret_high[2], a ^ high);
    }
    load_last(bytes.bytes, bytes.size, &a, &b);
    hash.low = finish(secret_low, a, b, low, bytes.size);
    hash.high = finish(secret_high, b, a, high, bytes.size);
    return hash;
}

/* --- actors --------------------------------------------------------------- */

/* What each hash is of, so that none is mistaken for another. */
enum path_seed
{
    PATH_SEED_ACTOR = 1,
    PATH_SEED_STEP,
    PATH_SEED_NAME,
    PATH_SEED_FROM,
    PATH_SEED_BYTES
};

/* The text of a reference; every client outside is "client". */
static struct kan_slice sender(const struct kan_ref *from)
{
    struct kan_slice client = SLICE("client/");
    struct kan_slice text = kan_slice(NULL, 0);

    if (from)
        text = kan_slice(from->text, strnlen(from->text, sizeof from->text));
    return slice_starts(text, client) ? slice_head(client, client.size - 1)
                                      : text;
}

struct path_id path_id_actor(const struct kan_ref *self)
{
    return path_hash(
        kan_slice(self->text, strnlen(self->text, sizeof self->text)),
        PATH_SEED_ACTOR);
}

static void pack(struct path_id id, unsigned char out[16])
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (unsigned char)(id.low >> (8 * i));
        out[8 + i] = (unsigned char)(id.high >> (8 * i));
    }
}

struct path_id path_id_step(struct path_id actor, enum path_input input,
                            const char *name, const struct kan_ref *from,
                            struct kan_slice bytes)
{
    unsigned char step[65];

    pack(actor, step);
    pack(path_hash(kan_text(name), PATH_SEED_NAME), step + 16);
    pack(path_hash(sender(from), PATH_SEED_FROM), step + 32);
    pack(path_hash(bytes, PATH_SEED_BYTES), step + 48);
    step[64] = (unsigned char)input;
    return path_hash(kan_slice(step, sizeof step), PATH_SEED_STEP);
}

struct path_id path_id_replace(struct path_id path, struct path_id before,
                               bool begun, struct path_id after)
{
    if (begun)
        path = path_id_subtract(path, before);
    return path_id_add(path, after);
}

/* --- text ----------------------------------------------------------------- */

void path_id_text(struct path_id id, char ret_text[PATH_ID_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    for (unsigned i = 0; i < 16; i++) {
        ret_text[15 - i] = digits[id.high >> (4 * i) & 15];
        ret_text[31 - i] = digits[id.low >> (4 * i) & 15];
    }
    ret_text[32] = '\0';
}
