/* suggest.h - the word that was probably meant, for "did you mean". */

#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <kan/base.h>

/* The candidate closest to word, or NULL when none is close. Distance counts
 * inserted, dropped, replaced and swapped letters, the case of ASCII letters
 * aside; close is one for words of up to four bytes, two up to nine, three
 * beyond. Of equals the first wins. Words over 64 bytes are never close. NULL
 * candidates are skipped. The result is the candidate's own pointer. */
const char *suggest_nearest(struct kan_slice word,
                            const char *const *candidates, size_t count);

#endif /* BASE_SUGGEST_H */
