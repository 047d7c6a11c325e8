/* The system, called directly: a property runs without an env's loop, for the
 * code under test may have one of its own. */

#include "check/property/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum
{
    READ_SIZE = 16 * 1024,
    WAIT_STEP_MS = 100 /* a child that died without closing its pipe */
};

/* --- settings and time ---------------------------------------------------- */

const char *outside_variable(const char *name)
{
    return getenv(name);
}

const char *outside_program(void)
{
    return program_invocation_name;
}

uint64_t outside_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- files ---------------------------------------------------------------- */

static enum kan_err read_all(int fd, size_t size_max, struct buffer *out)
{
    for (;;) {
        if (buffer_reserve(out, READ_SIZE))
            return KAN_NOMEM;
        ssize_t got = read(fd, out->bytes + out->size, READ_SIZE);
        if (got == 0)
            return KAN_OK;
        if (got < 0 && errno != EINTR)
            return KAN_IO;
        if (got > 0)
            out->size += (size_t)got;
        if (out->size > size_max)
            return KAN_INVALID;
    }
}

enum kan_err outside_read(const char *path, size_t size_max, struct buffer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? KAN_NOTFOUND : KAN_IO;
    enum kan_err err = read_all(fd, size_max, out);
    int reason = errno;
    (void)close(fd);
    errno = reason;
    return err;
}

static bool write_all(int fd, struct kan_slice bytes)
{
    while (bytes.size) {
        ssize_t put = write(fd, bytes.bytes, bytes.size);
        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0)
            bytes = slice_skip(bytes, (size_t)put);
    }
    return true;
}

void outside_print(int fd, struct kan_slice bytes)
{
    (void)write_all(fd, bytes);
}

enum kan_err outside_write(const char *path, struct kan_slice bytes)
{
    struct buffer next = BUFFER_INIT;
    enum kan_err err = KAN_IO;
    buffer_print(&next, "%s.%ld", path, (long)getpid());
    const char *name = buffer_text(&next);
    if (buffer_failed(&next)) {
        buffer_fini(&next);
        return KAN_NOMEM;
    }
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0) {
        bool written = write_all(fd, bytes);
        int reason = errno;
        if (close(fd) == 0 && written && rename(name, path) == 0) {
            err = KAN_OK;
        } else {
            reason = written ? errno : reason;
            (void)unlink(name);
            errno = reason;
        }
    }
    buffer_fini(&next);
    return err;
}

/* --- child processes ------------------------------------------------------ */

void *outside_share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void outside_unshare(void *memory, size_t size)
{
    if (memory)
        (void)munmap(memory, size);
}

/* The child: it ends with its parent, and leads a group of what it starts. */
__attribute__((noreturn)) static void be_child(outside_body *body, void *data,
                                               bool loud, int done)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0);
    if (!loud) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (null >= 0) {
            (void)dup2(null, STDOUT_FILENO);
            (void)dup2(null, STDERR_FILENO);
        }
    }
    body(data);
    (void)fflush(NULL);
    (void)write_all(done, kan_slice("", 1));
    _exit(0);
}

/* Look whether the child has ended, and leave it to be waited for. */
static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == pid;
}

/* Wait for the byte that says that the body is done. */
static enum outside_end await(pid_t pid, int done, uint64_t until_ms)
{
    struct pollfd fd = {.fd = done, .events = POLLIN};
    for (;;) {
        char byte;
        uint64_t now = outside_now_ms();
        if (now >= until_ms)
            return OUTSIDE_TIMED_OUT;
        uint64_t left = until_ms - now;
        int step = left < WAIT_STEP_MS ? (int)left : WAIT_STEP_MS;
        int ready = poll(&fd, 1, fd.fd < 0 ? 1 : step);
        ssize_t got = ready > 0 ? read(done, &byte, 1) : -1;
        if (got == 1)
            return OUTSIDE_DONE;
        if (got == 0)
            fd.fd = -1; /* it is dying, or closed all descriptors */
        if (has_ended(pid))
            return OUTSIDE_EXITED;
    }
}

/* Take the child's status away. */
static enum outside_end reap(pid_t pid, int *ret_number)
{
    int status = 0;
    pid_t got;
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (got == pid && WIFSIGNALED(status)) {
        *ret_number = WTERMSIG(status);
        return OUTSIDE_KILLED;
    }
    *ret_number = got == pid ? WEXITSTATUS(status) : 0;
    return OUTSIDE_EXITED;
}

enum kan_err outside_isolate(outside_body *body, void *data, uint32_t limit_ms,
                             bool loud, enum outside_end *ret_end,
                             int *ret_number)
{
    int done[2];
    if (pipe2(done, O_CLOEXEC))
        return KAN_BUSY;
    (void)fflush(NULL); /* or the child would print it again */
    pid_t pid = fork();
    if (pid < 0) {
        enum kan_err err = errno == ENOMEM ? KAN_NOMEM : KAN_BUSY;
        (void)close(done[0]);
        (void)close(done[1]);
        return err;
    }
    if (pid == 0) {
        (void)close(done[0]);
        be_child(body, data, loud, done[1]);
    }
    (void)close(done[1]);
    (void)setpgid(pid, pid); /* whichever of the two comes first */
    enum outside_end end = await(pid, done[0], outside_now_ms() + limit_ms);
    (void)kill(-pid, SIGKILL);
    enum outside_end status = reap(pid, ret_number);
    *ret_end = end == OUTSIDE_EXITED ? status : end;
    (void)close(done[0]);
    return KAN_OK;
}
