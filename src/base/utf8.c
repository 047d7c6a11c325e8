/* UTF-8 by the table of well-formed sequences (Unicode 15, table 3-7): the
 * lead byte gives the size and the range of the second byte, and every other
 * byte is 80..BF. Text is mostly ASCII, which goes by eight bytes at a time. */

#include "base/utf8.h"

#include "base/assert.h"
#include "base/bytes.h"

/* The size of the sequence at p, of which left bytes exist, or 0. */
static size_t sequence(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0];
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t size = 0;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        size = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        size = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        size = 4;
    if (size == 0 || size > left)
        return 0;
    if (lead == 0xe0)
        low = 0xa0; /* below: an overlong form */
    else if (lead == 0xed)
        high = 0x9f; /* above: a surrogate */
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f; /* above: beyond U+10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

size_t utf8_valid_size(struct kan_slice text)
{
    const unsigned char *p = text.bytes;
    size_t at = 0;

    while (at < text.size) {
        uint64_t word;
        if (text.size - at >= sizeof word) {
            memcpy(&word, p + at, sizeof word);
            if ((word & 0x8080808080808080u) == 0) {
                at += sizeof word;
                continue;
            }
        }
        size_t size = sequence(p + at, text.size - at);
        if (size == 0)
            break;
        at += size;
    }
    return at;
}

bool utf8_valid(struct kan_slice text)
{
    return utf8_valid_size(text) == text.size;
}

size_t utf8_decode(struct kan_slice text, uint32_t *ret_point)
{
    static const unsigned char lead_mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *p = text.bytes;
    size_t size = text.size ? sequence(p, text.size) : 0;

    if (size == 0)
        return 0;
    uint32_t point = p[0] & lead_mask[size];
    for (size_t i = 1; i < size; i++)
        point = point << 6 | (p[i] & 0x3fu);
    *ret_point = point;
    return size;
}

size_t utf8_encode(uint32_t point, char out[4])
{
    kan_assert(point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff));
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    /* The lead byte: as many ones as bytes, a zero, then what is left. */
    out[0] = (char)((0xf00u >> size & 0xffu) | point);
    return size;
}
