/* Files: the calls of POSIX, made total. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "env/uv/world.h"

struct env_file
{
    struct env_handle handle; /* first */
    int fd;
};

static int open_flags(unsigned flags)
{
    /* O_NONBLOCK, so that a FIFO in the place of a file does not hang us. */
    int result = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    result |= flags & ENV_OPEN_WRITE ? O_RDWR : O_RDONLY;
    if (flags & ENV_OPEN_CREATE)
        result |= O_CREAT;
    if (flags & ENV_OPEN_EXCLUSIVE)
        result |= O_CREAT | O_EXCL;
    if (flags & ENV_OPEN_TRUNCATE)
        result |= O_TRUNC;
    return result;
}

static enum kan_err open_regular(const char *path, unsigned flags, int *ret_fd)
{
    struct stat status;
    int fd;
    do {
        fd = open(path, open_flags(flags), 0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return env_uv_file_err(errno);
    int error = fstat(fd, &status) ? errno : 0;
    if (!error && !S_ISREG(status.st_mode))
        error = EINVAL;
    if (error) {
        close(fd);
        return env_uv_file_err(error);
    }
    *ret_fd = fd;
    return KAN_OK;
}

enum kan_err env_uv_file_open(struct env *env, const char *path, unsigned flags,
                              struct env_file **ret_file)
{
    struct env_file *file = mem_zalloc(sizeof *file);
    if (!file)
        return KAN_NOMEM;
    enum kan_err err = open_regular(path, flags, &file->fd);
    if (err) {
        mem_free(file);
        return err;
    }
    file->handle.env = env;
    *ret_file = file;
    return KAN_OK;
}

void env_uv_file_close(struct env_file *file)
{
    close(file->fd); /* what matters was synced; there is nothing to retry */
    mem_free(file);
}

enum kan_err env_uv_file_read(struct env_file *file, uint64_t offset,
                              void *bytes, size_t size, size_t *ret_size)
{
    size_t done = 0;
    if (offset > INT64_MAX - size)
        return KAN_INVALID;
    while (done < size) {
        ssize_t n = pread(file->fd, (char *)bytes + done, size - done,
                          (off_t)(offset + done));
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return env_uv_file_err(errno);
    }
    *ret_size = done;
    return KAN_OK;
}

enum kan_err env_uv_file_write(struct env_file *file, uint64_t offset,
                               struct kan_slice bytes)
{
    size_t done = 0;
    if (offset > INT64_MAX - bytes.size)
        return KAN_INVALID;
    while (done < bytes.size) {
        ssize_t n = pwrite(file->fd, (const char *)bytes.bytes + done,
                           bytes.size - done, (off_t)(offset + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0)
            return KAN_IO; /* POSIX does not say what this would mean */
        else if (errno != EINTR)
            return env_uv_file_err(errno);
    }
    return KAN_OK;
}

/* No status but KAN_IO: even "no space", which a file system may find out only
 * now, leaves unknown what of the written bytes is on the disk. */
enum kan_err env_uv_file_sync(struct env_file *file)
{
    return fdatasync(file->fd) ? KAN_IO : KAN_OK;
}

enum kan_err env_uv_file_truncate(struct env_file *file, uint64_t size)
{
    int error;
    if (size > INT64_MAX)
        return KAN_INVALID;
    do {
        error = ftruncate(file->fd, (off_t)size) ? errno : 0;
    } while (error == EINTR);
    return env_uv_file_err(error);
}

enum kan_err env_uv_file_size(struct env_file *file, uint64_t *ret_size)
{
    struct stat status;
    if (fstat(file->fd, &status))
        return env_uv_file_err(errno);
    *ret_size = (uint64_t)status.st_size;
    return KAN_OK;
}

/* A lock of the open file, not of the process: an old POSIX lock is lost when
 * any other descriptor of the file is closed, and does not keep a second store
 * in the same process out. */
enum kan_err env_uv_file_lock(struct env_file *file)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file->fd, F_OFD_SETLK, &lock) == 0)
        return KAN_OK;
    if (errno == EAGAIN || errno == EACCES)
        return KAN_HELD;
    return env_uv_file_err(errno);
}
