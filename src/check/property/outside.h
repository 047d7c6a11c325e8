/* outside.h - what running properties needs of the system: child processes, one
 * file, two variables, a clock. No rules of properties are here. */

#ifndef CHECK_PROPERTY_OUTSIDE_H
#define CHECK_PROPERTY_OUTSIDE_H

#include <kan/base.h>

#include "base/bytes.h"

/* --- settings and time ---------------------------------------------------- */

/* A variable of the environment, or NULL. Borrowed until it is set. */
const char *outside_variable(const char *name);

/* How the program was called. */
const char *outside_program(void);

/* Milliseconds on a clock that is never set. */
uint64_t outside_now_ms(void);

/* --- files ---------------------------------------------------------------- */

/* Append a whole file to out. KAN_NOTFOUND; KAN_NOMEM; KAN_INVALID when it has
 * more than size_max bytes; KAN_IO, with the reason in errno. */
KAN_MUST_USE enum kan_err outside_read(const char *path, size_t size_max,
                                       struct buffer *out);

/* Replace a file by bytes: afterwards it has all of them, or what it had.
 * KAN_NOMEM; KAN_IO, with the reason in errno. */
KAN_MUST_USE enum kan_err outside_write(const char *path,
                                        struct kan_slice bytes);

/* Write to a descriptor, as far as it takes the bytes. */
void outside_print(int fd, struct kan_slice bytes);

/* --- child processes ------------------------------------------------------ */

/* Zeroed memory that children share, or NULL. Yours: outside_unshare(). */
KAN_MUST_USE void *outside_share(size_t size);
void outside_unshare(void *memory, size_t size);

enum outside_end
{
    OUTSIDE_DONE, /* the body returned */
    OUTSIDE_EXITED,
    OUTSIDE_KILLED,
    OUTSIDE_TIMED_OUT
};

typedef void outside_body(void *data);

/* Run the body in a child process, to its end or at most limit_ms; what is left
 * of its process group is killed. Unless loud, what it prints is dropped.
 * ret_number is its exit status or the signal. KAN_BUSY or KAN_NOMEM when there
 * is no process to be had. */
KAN_MUST_USE enum kan_err outside_isolate(outside_body *body, void *data,
                                          uint32_t limit_ms, bool loud,
                                          enum outside_end *ret_end,
                                          int *ret_number);

#endif /* CHECK_PROPERTY_OUTSIDE_H */
