/* Natural numbers in words of 64 bits, by the classical algorithms (Knuth,
 * TAOCP 2, section 4.3.1).
 *
 * Every function makes the room it may need before it changes anything, so a
 * failure needs no undoing. */

#include "path/big/big.h"

#include "base/alloc.h"

typedef unsigned __int128 wide;

static uint64_t *words_of(struct big *big)
{
    return big->capacity ? big->words.many : big->words.few;
}

static const uint64_t *words_in(const struct big *big)
{
    return big->capacity ? big->words.many : big->words.few;
}

/* --- life cycle ----------------------------------------------------------- */

void big_init(struct big *big, uint64_t value)
{
    memset(big, 0, sizeof *big);
    big->words.few[0] = value;
    big->size = value != 0;
}

void big_fini(struct big *big)
{
    if (big->capacity)
        mem_free(big->words.many);
    memset(big, 0, sizeof *big);
}

/* Room for size words, the used ones kept. */
static enum kan_err reserve(struct big *big, uint64_t size)
{
    if (size <= (big->capacity ? big->capacity : BIG_INLINE_WORDS))
        return KAN_OK;
    uint64_t capacity = size + size / 4;
    if (capacity > UINT32_MAX)
        return KAN_NOMEM;
    uint64_t *many = mem_realloc(big->capacity ? big->words.many : NULL,
                                 capacity * sizeof *many);
    if (!many)
        return KAN_NOMEM;
    if (!big->capacity)
        memcpy(many, big->words.few, sizeof big->words.few);
    big->words.many = many;
    big->capacity = (uint32_t)capacity;
    return KAN_OK;
}

enum kan_err big_set(struct big *big, const struct big *other)
{
    enum kan_err err = reserve(big, other->size);
    if (err != KAN_OK)
        return err;
    memmove(words_of(big), words_in(other), other->size * sizeof(uint64_t));
    big->size = other->size;
    return KAN_OK;
}

/* --- arithmetic ----------------------------------------------------------- */

static uint64_t word_at(const struct big *big, uint32_t i)
{
    return i < big->size ? words_in(big)[i] : 0;
}

enum kan_err big_add(struct big *big, const struct big *other)
{
    uint32_t size = big->size > other->size ? big->size : other->size;
    if (size == 0)
        return KAN_OK;
    /* One word more only where a carry may get there. */
    wide top = (wide)word_at(big, size - 1) + word_at(other, size - 1) + 1;
    enum kan_err err = reserve(big, (uint64_t)size + (top >> 64 ? 1 : 0));
    if (err != KAN_OK)
        return err;
    uint64_t *words = words_of(big);
    wide carry = 0;
    for (uint32_t i = 0; i < size; i++) {
        carry += (wide)word_at(big, i) + word_at(other, i);
        words[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry)
        words[size++] = 1;
    big->size = size;
    return KAN_OK;
}

enum kan_err big_multiply_u64(struct big *big, uint64_t factor)
{
    if (big->size == 0)
        return KAN_OK;
    if (factor == 0) {
        big->size = 0;
        return KAN_OK;
    }
    /* What comes to the top word from below is less than factor. */
    wide top = (wide)word_at(big, big->size - 1) * factor + factor - 1;
    enum kan_err err = reserve(big, (uint64_t)big->size + (top >> 64 ? 1 : 0));
    if (err != KAN_OK)
        return err;
    uint64_t *words = words_of(big);
    wide carry = 0;
    for (uint32_t i = 0; i < big->size; i++) {
        carry += (wide)words[i] * factor;
        words[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry)
        words[big->size++] = (uint64_t)carry;
    return KAN_OK;
}

enum kan_err big_multiply(struct big *big, const struct big *other)
{
    struct big product = {.size = 0};
    uint64_t size = (uint64_t)big->size + other->size;

    enum kan_err err = reserve(&product, size);
    if (err != KAN_OK)
        return err;
    uint64_t *words = words_of(&product);
    memset(words, 0, size * sizeof *words);
    for (uint32_t i = 0; i < big->size; i++) {
        wide carry = 0;
        for (uint32_t j = 0; j < other->size; j++) {
            carry += (wide)words_in(big)[i] * words_in(other)[j] + words[i + j];
            words[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
        words[i + other->size] = (uint64_t)carry;
    }
    while (size > 0 && words[size - 1] == 0)
        size--;
    product.size = (uint32_t)size;
    big_fini(big);
    *big = product;
    return KAN_OK;
}

/* --- questions ------------------------------------------------------------ */

int big_compare(const struct big *a, const struct big *b)
{
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    for (uint32_t i = a->size; i-- > 0;) {
        if (words_in(a)[i] != words_in(b)[i])
            return words_in(a)[i] < words_in(b)[i] ? -1 : 1;
    }
    return 0;
}

uint64_t big_u64(const struct big *big)
{
    return big->size > 1 ? UINT64_MAX : word_at(big, 0);
}

enum
{
    CHUNK_DIGITS = 19, /* 10^19 is the greatest power of ten in a word */
    DIGITS_A_WORD = 20
};

/* Divide by 10^19; the remainder. */
static uint64_t divide_chunk(uint64_t *words, uint32_t *size)
{
    const uint64_t chunk = 10000000000000000000u;
    wide rest = 0;
    for (uint32_t i = *size; i-- > 0;) {
        rest = rest << 64 | words[i];
        words[i] = (uint64_t)(rest / chunk);
        rest %= chunk;
    }
    while (*size > 0 && words[*size - 1] == 0)
        (*size)--;
    return (uint64_t)rest;
}

/* Digits are written from the last one back into the room behind the buffer's
 * content, then moved to its end. */
enum kan_err big_append(struct buffer *buffer, const struct big *big)
{
    struct big left = {.size = 0};
    size_t room = (size_t)big->size * DIGITS_A_WORD + CHUNK_DIGITS;

    enum kan_err err = big_set(&left, big);
    if (err == KAN_OK)
        err = buffer_reserve(buffer, room);
    if (err == KAN_OK) {
        char *start = buffer->bytes + buffer->size;
        char *end = start + room;
        char *digit = end;
        do {
            uint64_t chunk = divide_chunk(words_of(&left), &left.size);
            for (int i = 0; i < CHUNK_DIGITS && (left.size || chunk); i++) {
                *--digit = (char)('0' + chunk % 10);
                chunk /= 10;
            }
        } while (left.size);
        if (digit == end)
            *--digit = '0';
        memmove(start, digit, (size_t)(end - digit));
        buffer->size += (size_t)(end - digit);
    }
    big_fini(&left);
    return err;
}
