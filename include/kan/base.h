/* kan/base.h - what every other header of Kan stands on: bytes and errors.
 *
 * Nothing here allocates, blocks or keeps state. */

#ifndef KAN_BASE_H
#define KAN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#define KAN_BEGIN_DECLS extern "C" {
#define KAN_END_DECLS   }
#else
#define KAN_BEGIN_DECLS
#define KAN_END_DECLS
#endif

#define KAN_API      __attribute__((visibility("default")))
#define KAN_MUST_USE __attribute__((warn_unused_result))

KAN_BEGIN_DECLS

/* Every status, once: name, number, class and text.
 *
 * The class is what a caller needs before it repeats anything:
 *   OUTCOME  it ran, and this is the answer; handle it where it arrives;
 *   REFUSED  it certainly had no effect;
 *   UNKNOWN  it may have taken effect: read before you repeat it;
 *   BROKEN   stop using the handle. */
#define KAN_ERR_MAP(XX)                                                     \
    XX(NOTFOUND, 1, OUTCOME, "no such key")                                 \
    XX(CONFLICT, 2, OUTCOME, "the value changed since it was read")         \
    XX(HELD, 3, OUTCOME, "another owner holds it")                          \
    XX(FENCED, 4, OUTCOME, "a later holder has been granted")               \
    XX(END, 5, OUTCOME, "nothing more follows")                             \
    XX(COMPACTED, 6, OUTCOME, "the history asked for is no longer kept")    \
    XX(INVALID, -1, REFUSED, "an argument is outside its documented range") \
    XX(NOMEM, -2, REFUSED, "out of memory")                                 \
    XX(BUSY, -3, REFUSED, "a queue or a quota is full")                     \
    XX(CLOSED, -4, REFUSED, "the handle is closing")                        \
    XX(FULL, -5, REFUSED, "the disk is full")                               \
    XX(TIMEOUT, -20, UNKNOWN, "the deadline passed before an answer")       \
    XX(CANCELED, -21, UNKNOWN, "canceled after it was submitted")           \
    XX(LOST, -22, UNKNOWN, "the peer or its leadership was lost")           \
    XX(IO, -40, BROKEN, "the disk or the file system failed")               \
    XX(CORRUPT, -41, BROKEN, "stored bytes are not what was written")

/* The result of every call that can fail. */
enum kan_err
{
    KAN_OK = 0,
#define KAN_ERR_ENUM(name, number, class, text) KAN_##name = (number),
    KAN_ERR_MAP(KAN_ERR_ENUM)
#undef KAN_ERR_ENUM
};

/* The class of a status, in the senses given above. */
enum kan_err_class
{
    KAN_CLASS_OK,
    KAN_CLASS_OUTCOME,
    KAN_CLASS_REFUSED,
    KAN_CLASS_UNKNOWN,
    KAN_CLASS_BROKEN
};

/* The name of a status without its prefix, as "CONFLICT"; "OK" for KAN_OK and
 * "?" for a number that is none. Static text. */
KAN_API const char *kan_err_name(enum kan_err err);

/* One line that says what the status means. Static text. */
KAN_API const char *kan_err_text(enum kan_err err);

/* The class of a status. A number that is none counts as BROKEN. */
KAN_API enum kan_err_class kan_err_class(enum kan_err err);

/* A view of bytes that somebody else owns. No NUL is assumed, none is
 * promised. bytes may be NULL only when size is 0. */
struct kan_slice
{
    const void *bytes;
    size_t size;
};

/* A slice of size bytes at bytes. In C++ the function stands beside the struct
 * of its name, which -Wshadow remarks on. */
#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
static inline struct kan_slice kan_slice(const void *bytes, size_t size)
{
    struct kan_slice slice;
    slice.bytes = bytes;
    slice.size = size;
    return slice;
}
#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

/* A slice of a NUL-terminated string, without its NUL. NULL gives the empty
 * slice. */
static inline struct kan_slice kan_text(const char *text)
{
    return kan_slice(text, text ? strlen(text) : 0);
}

/* The version of the library that is running, as "0.1.0". Static text. */
KAN_API const char *kan_version(void);

KAN_END_DECLS

#endif /* KAN_BASE_H */
