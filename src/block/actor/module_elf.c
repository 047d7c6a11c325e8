/* module_elf.c - ELF read from bytes, each of which may be missing or a lie.
 *
 * Everything is copied out of the file by elf_read(), which checks bounds;
 * nothing is cast, since nothing need be aligned. */

#include "block/actor/module_elf.h"

#include <inttypes.h>
#include <stdio.h>

#include "block/actor/module_allow.h"

/* --- bytes ---------------------------------------------------------------- */

static bool elf_read(const struct module_elf *elf, uint64_t offset, void *to,
                     size_t size)
{
    if (offset > elf->file.size || elf->file.size - offset < size)
        return false;
    memcpy(to, (const char *)elf->file.bytes + offset, size);
    return true;
}

/* Where in the file the bytes of an address come from, when all of them do. */
static bool elf_place(const struct module_elf *elf, uint64_t address,
                      size_t size, uint64_t *ret_offset)
{
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const Elf64_Phdr *segment = &elf->segments[i];
        uint64_t within = address - segment->p_vaddr;
        if (segment->p_type != PT_LOAD || address < segment->p_vaddr ||
            within >= segment->p_filesz || segment->p_filesz - within < size ||
            segment->p_offset > UINT64_MAX - within)
            continue;
        *ret_offset = segment->p_offset + within;
        return true;
    }
    return false;
}

static bool elf_load(const struct module_elf *elf, uint64_t address, void *to,
                     size_t size)
{
    uint64_t offset;

    return elf_place(elf, address, size, &offset) &&
           elf_read(elf, offset, to, size);
}

/* A text at an offset of the file; NULL when it has no end. */
static const char *elf_text_at(const struct module_elf *elf, uint64_t offset)
{
    if (offset >= elf->file.size)
        return NULL;
    const char *text = (const char *)elf->file.bytes + offset;
    return memchr(text, '\0', elf->file.size - offset) ? text : NULL;
}

/* A text of the dynamic table. */
static const char *elf_text(const struct module_elf *elf, uint64_t number)
{
    uint64_t offset;

    if (number >= elf->text_size || elf->texts > UINT64_MAX - number ||
        !elf_place(elf, elf->texts + number, 1, &offset))
        return NULL;
    return elf_text_at(elf, offset);
}

static enum kan_err elf_damaged(struct buffer *why, const char *what)
{
    buffer_print(why, "is damaged: %s; build it again", what);
    return KAN_INVALID;
}

/* --- head and segments ---------------------------------------------------- */

static enum kan_err head_check(struct module_elf *elf, struct buffer *why)
{
    const Elf64_Ehdr *head = &elf->head;

    if (!elf_read(elf, 0, &elf->head, sizeof(elf->head)) ||
        memcmp(head->e_ident, ELFMAG, SELFMAG) != 0) {
        buffer_append_text(why,
                           "is no shared object (ELF): build it with cc "
                           "-shared -fPIC");
        return KAN_INVALID;
    }
    if (head->e_ident[EI_CLASS] != ELFCLASS64 ||
        head->e_ident[EI_DATA] != ELFDATA2LSB) {
        buffer_append_text(why,
                           "is for another machine: only 64 bits, the low "
                           "byte first, can be read");
        return KAN_INVALID;
    }
    if (head->e_type != ET_DYN) {
        buffer_append_text(why,
                           "is no shared object but a program or a part "
                           "of one: build it with cc -shared -fPIC");
        return KAN_INVALID;
    }
    if (head->e_phentsize != sizeof(Elf64_Phdr) || head->e_phnum == 0 ||
        head->e_phnum > MODULE_SEGMENTS_MAX)
        return elf_damaged(why, "its list of segments has no sensible size");
    return KAN_OK;
}

static enum kan_err segment_check(const Elf64_Phdr *segment, struct buffer *why)
{
    const char *reason = NULL;

    if (segment->p_type == PT_INTERP)
        reason = "is a program: build it with cc -shared -fPIC, without a main";
    else if (segment->p_type == PT_TLS && segment->p_memsz > 0)
        reason =
            "has thread-local variables, which a handler may not use: "
            "keep everything in the state";
    else if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) &&
             (segment->p_flags & PF_X))
        reason =
            "has memory that is both writable and code, which a handler "
            "may not use";
    else if (segment->p_type == PT_GNU_STACK && (segment->p_flags & PF_X))
        reason =
            "asks for a stack that can be executed (a nested function, "
            "perhaps), which a handler may not use";
    if (!reason)
        return KAN_OK;
    buffer_append_text(why, reason);
    return KAN_INVALID;
}

static enum kan_err segments_read(struct module_elf *elf, struct buffer *why)
{
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; i < elf->head.e_phnum && err == KAN_OK; i++) {
        uint64_t offset = i * sizeof(Elf64_Phdr);
        if (elf->head.e_phoff > UINT64_MAX - offset ||
            !elf_read(elf, elf->head.e_phoff + offset, &elf->segments[i],
                      sizeof(Elf64_Phdr)))
            return elf_damaged(why, "its list of segments is cut");
        elf->segment_count = i + 1;
        err = segment_check(&elf->segments[i], why);
    }
    return err;
}

/* --- the dynamic table ---------------------------------------------------- */

/* The number-th entry; false behind the end. */
static bool dynamic_read(const struct module_elf *elf, uint64_t number,
                         Elf64_Dyn *entry)
{
    for (uint32_t i = 0; i < elf->segment_count; i++)
        if (elf->segments[i].p_type == PT_DYNAMIC) {
            uint64_t offset = number * sizeof(*entry);
            return offset < elf->segments[i].p_filesz &&
                   elf->segments[i].p_vaddr <= UINT64_MAX - offset &&
                   elf_load(elf, elf->segments[i].p_vaddr + offset, entry,
                            sizeof(*entry)) &&
                   entry->d_tag != DT_NULL;
        }
    return false;
}

/* What of the table is kept. */
static enum kan_err dynamic_take(struct module_elf *elf, const Elf64_Dyn *entry,
                                 struct buffer *why)
{
    uint64_t value = entry->d_un.d_val;

    switch (entry->d_tag) {
    case DT_STRTAB:
        elf->texts = value;
        break;
    case DT_STRSZ:
        elf->text_size = value;
        break;
    case DT_SYMTAB:
        elf->symbols = value;
        break;
    case DT_RELA:
        elf->relocations[0].address = value;
        break;
    case DT_RELASZ:
        elf->relocations[0].size = value;
        break;
    case DT_JMPREL:
        elf->relocations[1].address = value;
        break;
    case DT_PLTRELSZ:
        elf->relocations[1].size = value;
        break;
    case DT_INIT:
        elf->init = value;
        break;
    case DT_FINI:
        elf->fini = value;
        break;
    case DT_INIT_ARRAY:
        elf->constructors.address = value;
        break;
    case DT_INIT_ARRAYSZ:
        elf->constructors.size = value;
        break;
    case DT_FINI_ARRAY:
        elf->destructors.address = value;
        break;
    case DT_FINI_ARRAYSZ:
        elf->destructors.size = value;
        break;
    case DT_REL:
    case DT_FILTER:
    case DT_AUXILIARY:
    case DT_PREINIT_ARRAY:
        return elf_damaged(why,
                           "its dynamic table has entries that no "
                           "compiler writes for a module");
    default:
        break;
    }
    return KAN_OK;
}

static enum kan_err dynamic_check(struct module_elf *elf, struct buffer *why)
{
    enum kan_err err = KAN_OK;
    Elf64_Dyn entry;

    for (uint64_t i = 0; err == KAN_OK && dynamic_read(elf, i, &entry); i++)
        err = dynamic_take(elf, &entry, why);
    if (err != KAN_OK)
        return err;
    if (elf->texts == 0 || elf->symbols == 0)
        return elf_damaged(why, "its dynamic table names no symbols");
    for (uint64_t i = 0; dynamic_read(elf, i, &entry); i++) {
        if (entry.d_tag != DT_NEEDED)
            continue;
        const char *library = elf_text(elf, entry.d_un.d_val);
        if (!library)
            return elf_damaged(why, "the name of a library is missing");
        if (!module_allow_library(library)) {
            buffer_print(why,
                         "is linked with %.100s, and a handler may use nothing "
                         "but a few functions of the C library: leave it out",
                         library);
            return KAN_INVALID;
        }
    }
    return KAN_OK;
}

/* --- what it needs -------------------------------------------------------- */

static bool relocation_read(const struct module_elf *elf,
                            const struct module_table *table, uint64_t number,
                            Elf64_Rela *relocation)
{
    uint64_t offset = number * sizeof(*relocation);

    return table->address <= UINT64_MAX - offset &&
           elf_load(elf, table->address + offset, relocation,
                    sizeof(*relocation));
}

/* Whether the linker calls a function to find a value. */
static bool relocation_calls(const struct module_elf *elf,
                             const Elf64_Rela *relocation)
{
    uint64_t kind = ELF64_R_TYPE(relocation->r_info);

    return (elf->head.e_machine == EM_X86_64 && kind == R_X86_64_IRELATIVE) ||
           (elf->head.e_machine == EM_AARCH64 && kind == R_AARCH64_IRELATIVE);
}

static enum kan_err relocation_check(const struct module_elf *elf,
                                     const Elf64_Rela *relocation, bool call,
                                     struct buffer *why)
{
    uint64_t number = ELF64_R_SYM(relocation->r_info);
    uint64_t offset = number * sizeof(Elf64_Sym);
    Elf64_Sym symbol;

    if (elf->symbols > UINT64_MAX - offset ||
        !elf_load(elf, elf->symbols + offset, &symbol, sizeof(symbol)))
        return elf_damaged(why, "a symbol that it uses is missing");
    if (relocation_calls(elf, relocation) ||
        ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC) {
        buffer_append_text(why,
                           "chooses a function when it is loaded (ifunc), "
                           "which a handler may not do");
        return KAN_INVALID;
    }
    if (number == 0 || symbol.st_shndx != SHN_UNDEF)
        return KAN_OK;
    const char *name = elf_text(elf, symbol.st_name);
    if (!name)
        return elf_damaged(why, "the name of a symbol is missing");
    if (module_allow_symbol(name))
        return KAN_OK;
    call = call || ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
    buffer_print(why, "needs %.100s%s, which a handler may not use: %s", name,
                 call ? "()" : "", module_allow_instead(name));
    return KAN_INVALID;
}

static enum kan_err relocations_check(const struct module_elf *elf,
                                      struct buffer *why)
{
    for (uint32_t i = 0; i < 2; i++) {
        const struct module_table *table = &elf->relocations[i];
        uint64_t count = table->size / sizeof(Elf64_Rela);
        Elf64_Rela relocation;
        for (uint64_t n = 0; n < count; n++) {
            if (!relocation_read(elf, table, n, &relocation))
                return elf_damaged(why, "its relocations are cut");
            enum kan_err err = relocation_check(elf, &relocation, i == 1, why);
            if (err != KAN_OK)
                return err;
        }
    }
    return KAN_OK;
}

/* --- names for people ----------------------------------------------------- */

/* The table of all symbols, which strip takes away, and its texts. */
static bool symbols_find(const struct module_elf *elf, Elf64_Shdr *symbols,
                         Elf64_Shdr *texts)
{
    uint64_t at = elf->head.e_shoff;

    if (at > elf->file.size || elf->head.e_shentsize != sizeof(*symbols))
        return false;
    for (uint64_t i = 0; i < elf->head.e_shnum; i++)
        if (elf_read(elf, at + i * sizeof(*symbols), symbols,
                     sizeof(*symbols)) &&
            symbols->sh_type == SHT_SYMTAB)
            return symbols->sh_offset <= elf->file.size &&
                   elf_read(elf, at + symbols->sh_link * sizeof(*texts), texts,
                            sizeof(*texts)) &&
                   texts->sh_offset <= elf->file.size;
    return false;
}

/* The symbol that an address is in; its name, or NULL. */
static const char *symbol_find(const struct module_elf *elf, uint64_t address,
                               unsigned type, Elf64_Sym *ret_symbol)
{
    Elf64_Shdr symbols;
    Elf64_Shdr texts;
    Elf64_Sym symbol;

    if (!symbols_find(elf, &symbols, &texts))
        return NULL;
    for (uint64_t n = 0; n < symbols.sh_size / sizeof(symbol); n++) {
        if (!elf_read(elf, symbols.sh_offset + n * sizeof(symbol), &symbol,
                      sizeof(symbol)))
            break;
        uint64_t size = symbol.st_size ? symbol.st_size : 1;
        if (ELF64_ST_TYPE(symbol.st_info) != type ||
            address < symbol.st_value || address - symbol.st_value >= size)
            continue;
        *ret_symbol = symbol;
        return elf_text_at(elf, texts.sh_offset + symbol.st_name);
    }
    return NULL;
}

/* As it was written: gcc calls a variable of a function "calls.0", clang
 * "on_add.calls" and "on_add.calls.1". */
static struct kan_slice name_plain(const char *text)
{
    struct kan_slice rest = kan_text(text);
    struct kan_slice part;
    struct kan_slice plain = rest;

    while (rest.size > 0) {
        (void)slice_cut(&rest, '.', &part);
        if (part.size > 0 &&
            (slice_at(part, 0) < '0' || slice_at(part, 0) > '9'))
            plain = part;
    }
    return plain;
}

bool module_elf_object(const struct module_elf *elf, uint64_t address,
                       char name[MODULE_NAME_MAX])
{
    bool inside = false;
    Elf64_Sym symbol;
    const char *text;

    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const Elf64_Phdr *segment = &elf->segments[i];
        inside |= segment->p_type == PT_LOAD && (segment->p_flags & PF_W) &&
                  address >= segment->p_vaddr &&
                  address - segment->p_vaddr < segment->p_memsz;
    }
    if (!inside)
        return false;
    text = symbol_find(elf, address, STT_OBJECT, &symbol);
    if (!text) {
        (void)snprintf(name, MODULE_NAME_MAX, "a static variable");
        return true;
    }
    struct kan_slice plain = name_plain(text);
    (void)snprintf(name, MODULE_NAME_MAX, "%svariable %.*s",
                   ELF64_ST_BIND(symbol.st_info) == STB_LOCAL ? "static " : "",
                   plain.size < 100 ? (int)plain.size : 100,
                   (const char *)plain.bytes);
    return true;
}

/* --- what runs by itself -------------------------------------------------- */

/* What a place in a table of functions will point to. */
static uint64_t entry_target(const struct module_elf *elf, uint64_t place)
{
    const struct module_table *table = &elf->relocations[0];
    uint64_t target = 0;
    Elf64_Rela relocation;

    for (uint64_t n = 0; n < table->size / sizeof(relocation); n++)
        if (relocation_read(elf, table, n, &relocation) &&
            relocation.r_offset == place)
            return (uint64_t)relocation.r_addend;
    (void)elf_load(elf, place, &target, sizeof(target));
    return target;
}

/* Whether a function may run when the module comes or goes. Without a name, it
 * may when it is alone: compilers put one there. */
static enum kan_err entry_check(const struct module_elf *elf, uint64_t target,
                                bool alone, struct buffer *why)
{
    Elf64_Sym symbol;
    const char *name = symbol_find(elf, target, STT_FUNC, &symbol);

    if (name ? module_allow_constructor(name) : alone)
        return KAN_OK;
    buffer_print(why,
                 "runs %.100s%s when it is loaded or unloaded, and a module's "
                 "code may run in turns only: set up the state in the type's "
                 "start",
                 name ? name : "functions of its own", name ? "()" : "");
    return KAN_INVALID;
}

static enum kan_err entries_check(const struct module_elf *elf,
                                  const struct module_table *table,
                                  struct buffer *why)
{
    uint64_t count = table->size / sizeof(uint64_t);
    enum kan_err err = KAN_OK;

    if (count > MODULE_ENTRIES_MAX)
        return elf_damaged(why, "it has too many constructors");
    for (uint64_t i = 0; i < count && err == KAN_OK; i++)
        err = entry_check(
            elf, entry_target(elf, table->address + i * sizeof(uint64_t)),
            count == 1, why);
    return err;
}

enum kan_err module_elf_check(struct module_elf *elf, struct kan_slice file,
                              struct buffer *why)
{
    enum kan_err err;

    memset(elf, 0, sizeof(*elf));
    elf->file = file;
    if ((err = head_check(elf, why)) != KAN_OK ||
        (err = segments_read(elf, why)) != KAN_OK ||
        (err = dynamic_check(elf, why)) != KAN_OK ||
        (err = relocations_check(elf, why)) != KAN_OK ||
        (err = entry_check(elf, elf->init, true, why)) != KAN_OK ||
        (err = entry_check(elf, elf->fini, true, why)) != KAN_OK ||
        (err = entries_check(elf, &elf->constructors, why)) != KAN_OK)
        return err;
    return entries_check(elf, &elf->destructors, why);
}
