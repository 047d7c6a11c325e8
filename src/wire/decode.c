/* Percent escapes. */

#include "wire/http.h"

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

enum kan_err http_decode(struct kan_slice in, bool plus, char *out,
                         size_t *ret_size)
{
    const char *from = in.bytes;
    size_t size = 0;
    for (size_t i = 0; i < in.size; i++) {
        char c = from[i];
        if (c == '%') {
            if (in.size - i < 3)
                return KAN_INVALID;
            int high = digit(from[i + 1]);
            int low = digit(from[i + 2]);
            if (high < 0 || low < 0)
                return KAN_INVALID;
            c = (char)(unsigned char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[size++] = c;
    }
    *ret_size = size;
    return KAN_OK;
}
