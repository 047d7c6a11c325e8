/* module_elf.h - what the file of a shared object says about itself, before any
 * of it runs.
 *
 * The dynamic linker runs a module's constructors while it loads it, so what a
 * module needs has to be known before. Only what the linker itself goes by is
 * believed: segments, the dynamic table and the relocations. No byte of the
 * file is trusted to be there; a file that is cut, or made up, gives an error.
 * Source: System V Application Binary Interface, chapters 4 and 5 (ELF-64). */

#ifndef BLOCK_ACTOR_MODULE_ELF_H
#define BLOCK_ACTOR_MODULE_ELF_H

#include <elf.h>

#include "base/bytes.h"

enum
{
    MODULE_SEGMENTS_MAX = 32, /* linkers write about ten */
    MODULE_ENTRIES_MAX = 16,  /* constructors; a sanitizer adds a few */
    MODULE_NAME_MAX = 128
};

/* A table in the module's memory. */
struct module_table
{
    uint64_t address;
    uint64_t size; /* bytes */
};

struct module_elf
{
    struct kan_slice file; /* borrowed as long as this is used */
    Elf64_Ehdr head;
    Elf64_Phdr segments[MODULE_SEGMENTS_MAX];
    uint32_t segment_count;
    /* Of the dynamic table; addresses as in the file. */
    uint64_t texts;
    uint64_t text_size;
    uint64_t symbols;
    struct module_table relocations[2]; /* of data, of calls */
    uint64_t init;                      /* functions; 0: none */
    uint64_t fini;
    struct module_table constructors; /* pointers to functions */
    struct module_table destructors;
};

/* Read the file's tables, and decide whether it may be loaded. KAN_INVALID and
 * the reason in why, as "needs time(), which a handler may not use: take
 * kan_now() from its turn". */
KAN_MUST_USE enum kan_err module_elf_check(struct module_elf *elf,
                                           struct kan_slice file,
                                           struct buffer *why);

/* Of a module that was checked: whether a writable segment holds the address,
 * which counts from where the module is loaded. Then name is what is there, as
 * "static variable calls". */
bool module_elf_object(const struct module_elf *elf, uint64_t address,
                       char name[MODULE_NAME_MAX]);

#endif /* BLOCK_ACTOR_MODULE_ELF_H */
