/* utf8.h - UTF-8 as RFC 3629 has it: shortest forms only, no surrogates,
 * nothing beyond U+10FFFF. */

#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <kan/base.h>

/* Whether all of text is UTF-8. The empty slice is. */
bool utf8_valid(struct kan_slice text);

/* How many bytes at the start of text are UTF-8: text.size when all are, else
 * the offset of the first sequence that is not. */
size_t utf8_valid_size(struct kan_slice text);

/* Decode the character that text begins with. Returns its size, 1 to 4, and
 * sets *ret_point; 0, with *ret_point untouched, when text is empty or does not
 * begin with a whole, valid character. */
size_t utf8_decode(struct kan_slice text, uint32_t *ret_point);

/* Write point, which must be at most 0x10FFFF and no surrogate, to out. Returns
 * its size, 1 to 4. */
size_t utf8_encode(uint32_t point, char out[4]);

#endif /* BASE_UTF8_H */
