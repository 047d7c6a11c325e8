/* Names of files, and directories. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "env/uv/world.h"

enum kan_err env_uv_file_delete(struct env *env, const char *path)
{
    (void)env;
    return env_uv_file_err(unlink(path) ? errno : 0);
}

enum kan_err env_uv_file_rename(struct env *env, const char *from,
                                const char *to)
{
    (void)env;
    return env_uv_file_err(rename(from, to) ? errno : 0);
}

enum kan_err env_uv_file_exists(struct env *env, const char *path)
{
    struct stat status;
    (void)env;
    return env_uv_file_err(stat(path, &status) ? errno : 0);
}

enum kan_err env_uv_dir_sync(struct env *env, const char *path)
{
    (void)env;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return env_uv_file_err(errno);
    enum kan_err err = fsync(fd) ? KAN_IO : KAN_OK;
    close(fd);
    return err;
}

/* Make one directory, whose parent exists. */
static enum kan_err make_one(const char *path)
{
    struct stat status;
    if (mkdir(path, 0700) == 0)
        return KAN_OK;
    int error = errno;
    /* A directory that is there already may also answer EROFS or EACCES. */
    if (stat(path, &status) == 0)
        return S_ISDIR(status.st_mode) ? KAN_OK : KAN_INVALID;
    return error == ENOTDIR ? KAN_INVALID : env_uv_file_err(error);
}

enum kan_err env_uv_dir_make(struct env *env, const char *path)
{
    char part[PATH_MAX];
    size_t size = strlen(path);
    enum kan_err err = KAN_OK;
    (void)env;
    if (size == 0 || size >= sizeof part)
        return KAN_INVALID;
    for (size_t i = 1; !err && i <= size; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        err = make_one(part);
    }
    return err;
}

struct names
{
    char **at;
    size_t count;
    size_t capacity;
};

static void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->at[i]);
    mem_free(names->at);
}

static enum kan_err names_add(struct names *names, const char *name)
{
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? names->capacity * 2 : 32;
        char **at = mem_realloc(names->at, capacity * sizeof *at);
        if (!at)
            return KAN_NOMEM;
        names->at = at;
        names->capacity = capacity;
    }
    char *copy = mem_copy(name, strlen(name));
    if (!copy)
        return KAN_NOMEM;
    names->at[names->count++] = copy;
    return KAN_OK;
}

static enum kan_err names_read(struct names *names, DIR *dir)
{
    enum kan_err err = KAN_OK;
    while (!err) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return env_uv_file_err(errno);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = names_add(names, entry->d_name);
    }
    return err;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum kan_err env_uv_dir_list(struct env *env, const char *path, void *data,
                             env_dir_cb *each)
{
    struct names names = {0};
    (void)env;
    DIR *dir = opendir(path);
    if (!dir)
        return env_uv_file_err(errno);
    enum kan_err err = names_read(&names, dir);
    closedir(dir);
    if (!err && names.count) {
        qsort(names.at, names.count, sizeof *names.at, by_bytes);
        for (size_t i = 0; i < names.count; i++)
            each(data, names.at[i]);
    }
    names_fini(&names);
    return err;
}
