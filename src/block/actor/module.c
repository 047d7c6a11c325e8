/* module.c - a shared object checked, loaded, looked at and, for the checker,
 * frozen.
 *
 * The calls of the operating system are here; what the file says is read in
 * module_elf.c, without them. */

#include "block/actor/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "block/actor/guard.h"
#include "block/actor/module_elf.h"
#include "block/actor/turn.h"

#define MODULE_MAGIC 0x6d6f6475u /* "modu" */

enum
{
    MODULE_SIZE_MAX =
        256 * 1024 * 1024, /* with all the symbols for debugging */
    MODULE_TYPES_MAX = 256
};

struct module
{
    uint32_t magic;
    bool frozen;
    void *handle; /* of dlopen() */
    uintptr_t base;
    const struct kan_module *exports;
    char *bytes; /* the file, for its names */
    struct module_elf elf;
    char *object; /* MODULE_NAME_MAX bytes */
};

/* --- the file ------------------------------------------------------------- */

static enum kan_err file_refuse(int number, struct buffer *why)
{
    buffer_print(why, "cannot be read: %s", strerrordesc_np(number));
    return number == ENOENT ? KAN_NOTFOUND : KAN_INVALID;
}

static enum kan_err file_take(int fd, char **ret_bytes, size_t *ret_size,
                              struct buffer *why)
{
    struct stat info;
    size_t got = 0;

    if (fstat(fd, &info) != 0)
        return file_refuse(errno, why);
    if (!S_ISREG(info.st_mode) || info.st_size > MODULE_SIZE_MAX) {
        buffer_print(why, "is no file of at most %d MB",
                     MODULE_SIZE_MAX / 1024 / 1024);
        return KAN_INVALID;
    }
    size_t size = (size_t)info.st_size;
    char *bytes = mem_alloc(size);
    if (!bytes)
        return KAN_NOMEM;
    while (got < size) {
        ssize_t n = pread(fd, bytes + got, size - got, (off_t)got);
        if (n <= 0) {
            mem_free(bytes);
            return file_refuse(n < 0 ? errno : EIO, why);
        }
        got += (size_t)n;
    }
    *ret_bytes = bytes;
    *ret_size = size;
    return KAN_OK;
}

static enum kan_err file_read(const char *path, char **ret_bytes,
                              size_t *ret_size, struct buffer *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum kan_err err;

    if (fd < 0)
        return file_refuse(errno, why);
    err = file_take(fd, ret_bytes, ret_size, why);
    (void)close(fd);
    return err;
}

/* --- what it exports ------------------------------------------------------ */

struct exports_check
{
    const struct kan_module *exports;
    struct buffer *why;
    enum kan_err err;
};

static enum kan_err exports_check(const struct kan_module *exports,
                                  struct buffer *why)
{
    if (exports->abi != KAN_MODULE_ABI) {
        buffer_print(why,
                     "was built with headers of another version (%" PRIu32
                     ", this is %u): build it again",
                     exports->abi, KAN_MODULE_ABI);
        return KAN_INVALID;
    }
    if (!exports->actors || exports->actor_count == 0 ||
        exports->actor_count > MODULE_TYPES_MAX) {
        buffer_print(why,
                     "exports %" PRIu32
                     " types of actors; 1 to %d are "
                     "possible",
                     exports->actor_count, MODULE_TYPES_MAX);
        return KAN_INVALID;
    }
    for (uint32_t i = 0; i < exports->actor_count; i++) {
        const struct kan_actor_type *type = exports->actors[i];
        enum kan_err err = turn_check_type(type, why);
        if (err != KAN_OK)
            return err;
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(exports->actors[j]->name, type->name) == 0) {
                buffer_print(why, "exports two types called %s", type->name);
                return KAN_INVALID;
            }
    }
    return KAN_OK;
}

static void exports_call(void *data)
{
    struct exports_check *check = data;

    check->err = exports_check(check->exports, check->why);
}

/* Tables of foreign code, which may point to nowhere. */
static enum kan_err exports_read(struct module *module, struct buffer *why)
{
    struct exports_check check = {
        .exports = dlsym(module->handle, "kan_module"), .why = why};
    enum kan_err err;

    if (!check.exports) {
        buffer_append_text(why,
                           "exports no actors: end it with "
                           "KAN_ACTORS(&type), or KAN_MODULE(&model, "
                           "&type)");
        return KAN_INVALID;
    }
    if ((err = guard_install()) != KAN_OK)
        return err;
    if (guard_run(exports_call, &check, 0).end != GUARD_DONE) {
        buffer_append_text(why, "has tables that point to nowhere");
        return KAN_INVALID;
    }
    module->exports = check.exports;
    return check.err;
}

/* --- freezing ------------------------------------------------------------- */

/* Set the protection of all writable segments; whole pages, as they are
 * mapped. */
static enum kan_err segments_protect(const struct module *module,
                                     int protection)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    for (uint32_t i = 0; i < module->elf.segment_count; i++) {
        const Elf64_Phdr *segment = &module->elf.segments[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_W))
            continue;
        uintptr_t start = (module->base + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = module->base + segment->p_vaddr + segment->p_memsz;
        if (mprotect((void *)start, end - start, protection) != 0)
            return KAN_BUSY;
    }
    return KAN_OK;
}

static enum kan_err module_freeze(struct module *module, struct buffer *why)
{
    enum kan_err err = segments_protect(module, PROT_READ);

    module->frozen = true;
    if (err != KAN_OK)
        buffer_append_text(why, "its memory cannot be made read-only");
    return err;
}

/* --- open and free -------------------------------------------------------- */

static enum kan_err module_load(struct module *module, const char *path,
                                struct buffer *why)
{
    struct buffer place = BUFFER_INIT;
    struct link_map *map = NULL;

    /* A bare name would be looked for among the system's libraries. */
    if (!strchr(path, '/'))
        buffer_append_text(&place, "./");
    buffer_append_text(&place, path);
    buffer_append_byte(&place, '\0');
    if (buffer_failed(&place)) {
        buffer_fini(&place);
        return KAN_NOMEM;
    }
    module->handle = dlopen(place.bytes, RTLD_NOW | RTLD_LOCAL);
    buffer_fini(&place);
    if (!module->handle || dlinfo(module->handle, RTLD_DI_LINKMAP, &map) != 0) {
        buffer_print(why, "cannot be loaded: %s", dlerror());
        return KAN_INVALID;
    }
    module->base = map->l_addr;
    return KAN_OK;
}

static enum kan_err module_fill(struct module *module, const char *path,
                                const struct module_options *options,
                                struct buffer *why)
{
    enum kan_err err;
    size_t size;

    if ((err = file_read(path, &module->bytes, &size, why)) != KAN_OK ||
        (err = module_elf_check(&module->elf, kan_slice(module->bytes, size),
                                why)) != KAN_OK ||
        (err = module_load(module, path, why)) != KAN_OK ||
        (err = exports_read(module, why)) != KAN_OK)
        return err;
    return options && options->frozen ? module_freeze(module, why) : KAN_OK;
}

enum kan_err module_open(const char *path, const struct module_options *options,
                         struct module **ret_module, struct buffer *why)
{
    const char *slash = strrchr(path, '/');
    struct module *module = mem_zalloc(sizeof(*module));
    size_t before = why->size;
    enum kan_err err;

    if (!module)
        return KAN_NOMEM;
    module->magic = MODULE_MAGIC;
    module->object = mem_alloc(MODULE_NAME_MAX);
    if (!module->object) {
        module_free(module);
        return KAN_NOMEM;
    }
    buffer_print(why, "%s: ", slash ? slash + 1 : path);
    err = module_fill(module, path, options, why);
    if (err == KAN_OK || err == KAN_NOMEM)
        why->size = before;
    if (err != KAN_OK) {
        module_free(module);
        return err;
    }
    *ret_module = module;
    return KAN_OK;
}

struct module *module_free(struct module *module)
{
    if (!module)
        return NULL;
    check_magic(module, MODULE_MAGIC);
    module->magic = 0;
    /* What compilers run at the end of a module writes into it. */
    if (module->frozen)
        kan_assert(segments_protect(module, PROT_READ | PROT_WRITE) == KAN_OK);
    if (module->handle)
        (void)dlclose(module->handle);
    mem_free(module->bytes);
    mem_free(module->object);
    return mem_free(module);
}

const struct kan_module *module_exports(const struct module *module)
{
    check_magic(module, MODULE_MAGIC);
    return module->exports;
}

const char *module_object_at(const struct module *module, const void *address)
{
    uintptr_t at = (uintptr_t)address;

    check_magic(module, MODULE_MAGIC);
    if (at < module->base ||
        !module_elf_object(&module->elf, at - module->base, module->object))
        return NULL;
    return module->object;
}
