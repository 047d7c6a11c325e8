/* module.h - shared objects with actors: opened only when they can keep what a
 * handler promises.
 *
 * A module may need nothing from outside but a short list of pure functions of
 * the C library (memory, text, and what compilers call by themselves), so it
 * has no way to a clock, to chance, to files or to memory of its own: what else
 * it needs is named, and the module is refused. In the checker and the
 * simulator its writable segments become read-only, so that a handler which
 * keeps something between steps crashes, and is named. What cannot be caught:
 * inline assembly that makes system calls, and reading addresses. */

#ifndef BLOCK_ACTOR_MODULE_H
#define BLOCK_ACTOR_MODULE_H

#include <kan/actor.h>

#include "base/bytes.h"

struct module;

struct module_options
{
    bool frozen; /* writable segments become read-only */
};

/* Open the file. It is in memory once: free it before it is opened again, and
 * never write over it while it is open. Installs the guard. KAN_NOTFOUND;
 * KAN_INVALID: no such symbol, another ABI, needs what is not allowed, tables
 * that are not sound; KAN_NOMEM; KAN_BUSY. On failure one line in why, as
 * "counter.so: needs time(), which a handler may not use: take kan_now() from
 * its turn". Yours: module_free(), after its last turn. */
KAN_MUST_USE enum kan_err module_open(const char *path,
                                      const struct module_options *options,
                                      struct module **ret_module,
                                      struct buffer *why);
struct module *module_free(struct module *module);

const struct kan_module *module_exports(const struct module *module);

/* The name of the writable object of the module at the address, as "static
 * variable calls", for the report of a crash ("a static variable" when the file
 * has no names); NULL when it is not the module's. Borrowed until the next
 * call. */
const char *module_object_at(const struct module *module, const void *address);

#endif /* BLOCK_ACTOR_MODULE_H */
