/* The kernel holds the lock, so a dead process holds none. What the file says
 * (process, program, note, a line each) is for people, and may be missing. */

#include "engine/sqlite/lock.h"

#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"

enum kan_err sqlite_path(char *out, size_t size, const char *path,
                         const char *suffix)
{
    int length = snprintf(out, size, "%s%s", path, suffix);

    return length < 0 || (size_t)length >= size ? KAN_INVALID : KAN_OK;
}

void sqlite_folder(char *out, size_t size, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        snprintf(out, size, ".");
    else if (slash == path)
        snprintf(out, size, "/");
    else
        snprintf(out, size, "%.*s", (int)(slash - path), path);
}

/* "the data directory is used by process 123 (kan run, http://...)" */
static void lock_explain(struct env_file *file, char *why, size_t why_size)
{
    char text[256];
    size_t size = 0;
    struct kan_slice rest, process, program, note;

    if (env_file_read(file, 0, text, sizeof text, &size))
        size = 0;
    rest = kan_slice(text, size);
    slice_cut(&rest, '\n', &process);
    slice_cut(&rest, '\n', &program);
    slice_cut(&rest, '\n', &note);
    if (process.size == 0)
        snprintf(why, why_size,
                 "the data directory is used by another process");
    else if (note.size)
        snprintf(why, why_size,
                 "the data directory is used by process %.*s (%.*s, %.*s)",
                 SLICE_ARG(process), SLICE_ARG(program), SLICE_ARG(note));
    else
        snprintf(why, why_size,
                 "the data directory is used by process %.*s (%.*s)",
                 SLICE_ARG(process), SLICE_ARG(program));
}

enum kan_err sqlite_lock_take(struct sqlite_lock *lock, struct env *env,
                              const char *path, const char *program, char *why,
                              size_t why_size)
{
    char name[SQLITE_PATH_SIZE];
    struct env_file *file;
    enum kan_err err = sqlite_path(name, sizeof name, path, ".lock");

    if (!err)
        err = env_file_open(env, name, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file);
    if (err) {
        snprintf(why, why_size, "%s.lock cannot be made: %s", path,
                 err == KAN_NOTFOUND ? "no such folder" : kan_err_text(err));
        return err;
    }
    err = env_file_lock(file);
    if (err) {
        if (err == KAN_HELD)
            lock_explain(file, why, why_size);
        else
            snprintf(why, why_size, "%s cannot be locked: %s", name,
                     kan_err_text(err));
        env_file_close(file);
        return err;
    }
    lock->env = env;
    lock->file = file;
    snprintf(lock->program, sizeof lock->program, "%s", program);
    return KAN_OK;
}

void sqlite_lock_note(struct sqlite_lock *lock, const char *note)
{
    char text[256];
    long process = env_simulated(lock->env) ? 1 : (long)getpid();
    int length = snprintf(text, sizeof text, "%ld\n%s\n%s\n", process,
                          lock->program, note ? note : "");
    size_t size = length < (int)sizeof text ? (size_t)length : sizeof text - 1;

    if (env_file_truncate(lock->file, 0) == KAN_OK &&
        env_file_write(lock->file, 0, kan_slice(text, size)))
        return; /* it stays empty, and still keeps others out */
}

void sqlite_lock_drop(struct sqlite_lock *lock)
{
    if (!lock->file)
        return;
    env_file_close(lock->file);
    lock->file = NULL;
}
