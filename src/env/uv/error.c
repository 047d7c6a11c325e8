/* What the errors of the system mean to a caller of env.h. */

#include <errno.h>

#include "env/uv/world.h"

enum kan_err env_uv_err(int error)
{
    switch (error) {
    case 0:
        return KAN_OK;
    case ENOMEM:
    case ENOBUFS:
        return KAN_NOMEM;
    case EMFILE:
    case ENFILE:
    case EAGAIN:
        return KAN_BUSY;
    case EADDRINUSE:
        return KAN_HELD;
    case ENOENT:
        return KAN_NOTFOUND;
    default:
        return KAN_INVALID;
    }
}

enum kan_err env_uv_file_err(int error)
{
    switch (error) {
    case 0:
        return KAN_OK;
    case ENOENT:
    case ENOTDIR:
        return KAN_NOTFOUND;
    case EEXIST:
        return KAN_CONFLICT;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return KAN_FULL;
    case ENOMEM:
        return KAN_NOMEM;
    case EMFILE:
    case ENFILE:
        return KAN_BUSY;
    case EACCES:
    case EPERM:
    case EROFS:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ETXTBSY:
    case EINVAL:
    case ENXIO:
    case ENODEV:
    case EXDEV:
    case EBADF:
    case ENOTEMPTY:
        return KAN_INVALID;
    default:
        return KAN_IO;
    }
}
