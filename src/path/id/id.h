/* id.h - which runs are the same path.
 *
 * Two runs are the same when every actor saw the same sequence of inputs. Each
 * actor has a rolling hash of what it saw; the path's id is their sum, modulo
 * 2^128. An input is its kind, its sender, its message's name and canonical
 * bytes, or its timer's name; never a time. The checker, the simulator and the
 * live runtime all count this way. */

#ifndef PATH_ID_ID_H
#define PATH_ID_ID_H

#include <kan/record.h>

struct path_id
{
    uint64_t low;
    uint64_t high;
};

enum path_input
{
    PATH_MESSAGE,
    PATH_TIMER,
    PATH_CRASH,
    PATH_RESTART
};

/* Of an actor that saw nothing yet. It is not part of the sum: an actor that
 * nothing happened to does not change a path. */
struct path_id path_id_actor(const struct kan_ref *self);

/* Of an actor with that hash, when one more input arrives. name is the
 * message's record or the timer; from is empty for timers. Any client outside
 * ("client/...") counts as one and the same. bytes is the canonical struct. */
struct path_id path_id_step(struct path_id actor, enum path_input input,
                            const char *name, const struct kan_ref *from,
                            struct kan_slice bytes);

/* The path's id when an actor's hash goes from before to after: one addition
 * and one subtraction. begun: before is not the hash of an actor that saw
 * nothing. */
struct path_id path_id_replace(struct path_id path, struct path_id before,
                               bool begun, struct path_id after);

/* 32 hexadecimal digits and a NUL. */
enum
{
    PATH_ID_TEXT = 33
};
void path_id_text(struct path_id id, char ret_text[PATH_ID_TEXT]);

/* --- for hashing states --------------------------------------------------- */

/* A hash of bytes: 128 well mixed bits, the same on every machine and in every
 * run. Not for hostile input. */
struct path_id path_hash(struct kan_slice bytes, uint64_t seed);

static inline struct path_id path_id_add(struct path_id a, struct path_id b)
{
    struct path_id sum;
    sum.low = a.low + b.low;
    sum.high = a.high + b.high + (sum.low < a.low);
    return sum;
}

static inline struct path_id path_id_subtract(struct path_id a,
                                              struct path_id b)
{
    struct path_id rest;
    rest.low = a.low - b.low;
    rest.high = a.high - b.high - (a.low < b.low);
    return rest;
}

#endif /* PATH_ID_ID_H */
