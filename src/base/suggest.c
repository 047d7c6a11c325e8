/* Edit distance with swaps of neighbours (optimal string alignment), in three
 * rows on the stack. Words are short, so nothing cleverer pays. */

#include "base/suggest.h"

#include "base/bytes.h"

enum
{
    SUGGEST_WORD_MAX = 64
};

static unsigned char fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The distance of two words of at most SUGGEST_WORD_MAX bytes. */
static unsigned distance(struct kan_slice a, struct kan_slice b)
{
    unsigned rows[3][SUGGEST_WORD_MAX + 1];
    unsigned *two_back = rows[0];
    unsigned *back = rows[1];
    unsigned *row = rows[2];

    for (unsigned j = 0; j <= b.size; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.size; i++) {
        unsigned *spare = two_back;
        two_back = back;
        back = row;
        row = spare;
        row[0] = i;
        unsigned char x = fold(slice_at(a, i - 1));
        for (unsigned j = 1; j <= b.size; j++) {
            unsigned char y = fold(slice_at(b, j - 1));
            row[j] =
                least(least(back[j], row[j - 1]) + 1, back[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == fold(slice_at(b, j - 2)) &&
                y == fold(slice_at(a, i - 2)))
                row[j] = least(row[j], two_back[j - 2] + 1);
        }
    }
    return row[b.size];
}

const char *suggest_nearest(struct kan_slice word,
                            const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    unsigned bound = word.size <= 4 ? 1 : word.size <= 9 ? 2 : 3;

    if (word.size == 0 || word.size > SUGGEST_WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct kan_slice candidate = kan_text(candidates[i]);
        if (candidate.size == 0 || candidate.size > SUGGEST_WORD_MAX)
            continue;
        unsigned d = distance(word, candidate);
        /* A word of which nothing would be left is no suggestion. */
        if (d <= bound && d < word.size && d < candidate.size) {
            nearest = candidates[i];
            if (d == 0)
                break;
            bound = d - 1;
        }
    }
    return nearest;
}
