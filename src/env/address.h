/* address.h - network addresses as text, read the same way in every world.
 *
 * Three forms: "127.0.0.1:3500", "[::1]:3500" (numeric hosts only: a name has
 * no one meaning, and looking it up would block), or a path with a slash in it
 * for a Unix socket. No allocation, no system call. */

#ifndef ENV_ADDRESS_H
#define ENV_ADDRESS_H

#include <kan/base.h>

enum
{
    ADDRESS_PATH_MAX = 107, /* sockaddr_un on Linux, less the NUL */
    ADDRESS_TEXT_SIZE = 128 /* the longest text of any form, with its NUL */
};

enum address_kind
{
    ADDRESS_IPV4,
    ADDRESS_IPV6,
    ADDRESS_PATH
};

struct address
{
    enum address_kind kind;
    uint16_t port;          /* host order; 0 for a path, or for any port */
    unsigned char host[16]; /* network order: 4 or 16 bytes; else zero */
    char path[ADDRESS_PATH_MAX + 1];
};

/* Read an address. text is borrowed. KAN_INVALID when it has none of the three
 * forms, or is a path longer than ADDRESS_PATH_MAX. */
KAN_MUST_USE enum kan_err address_parse(const char *text,
                                        struct address *ret_address);

/* Write the canonical text, which address_parse() reads back as equal, and its
 * NUL. */
void address_print(const struct address *address, char out[ADDRESS_TEXT_SIZE]);

bool address_equal(const struct address *a, const struct address *b);

#endif /* ENV_ADDRESS_H */
