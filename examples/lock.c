/* A nightly report that one program writes, however many are started: whoever
 * gets the lock writes it, and renews the lock between chapters; whoever has
 * lost it on the way cannot spoil what a later one has written.
 *
 *     cc examples/lock.c $(pkg-config --cflags --libs kan) -o report
 *     ./report ./data            waits for the lock, and writes
 *     ./report ./data memory     the same, without a file */

#include <inttypes.h>
#include <kan/lock.h>
#include <stdio.h>

enum
{
    LEASE_MS = 10000, /* longer than a chapter takes */
    WAIT_MS = 5000,
    CHAPTERS = 3
};

/* KAN_FENCED: the lock was lost before all was written. */
static enum kan_err write_report(kan_strong store, kan_lock *lock)
{
    for (int chapter = 1; chapter <= CHAPTERS; chapter++) {
        char key[32], text[64];
        enum kan_err err;
        snprintf(key, sizeof(key), "report/%d", chapter);
        snprintf(text, sizeof(text), "chapter %d, by holder %" PRIu64, chapter,
                 kan_lock_token(lock));
        err = kan_strong_put_fenced(store, lock, kan_text(key), kan_text(text),
                                    0, NULL);
        if (err != KAN_OK)
            return err;
        printf("%s\n", text);
        /* If this fails, the next chapter will not be written either. */
        err = kan_lock_renew(lock, LEASE_MS);
        if (err != KAN_OK)
            return err;
    }
    return KAN_OK;
}

static enum kan_err run(kan_strong store, kan_locks *locks)
{
    KAN_LOCK_SCOPED lock = NULL;
    enum kan_err err =
        kan_lock_acquire(locks, kan_text("report"), LEASE_MS, WAIT_MS, &lock);

    if (err == KAN_HELD) {
        puts("somebody else is writing it");
        return KAN_OK;
    }
    return err == KAN_OK ? write_report(store, lock) : err;
}

int main(int argc, char **argv)
{
    struct kan_store_options options = {.path = argc > 1 ? argv[1] : "./data",
                                        .engine = argc > 2 ? argv[2] : NULL};
    kan_strong store;
    kan_locks *locks;
    char why[256];
    enum kan_err err;

    if (kan_strong_open(NULL, &options, why, sizeof(why), &store) != KAN_OK) {
        fprintf(stderr, "report: %s\n", why);
        return 1;
    }
    if (kan_locks_open(store, NULL, why, sizeof(why), &locks) != KAN_OK) {
        fprintf(stderr, "report: %s\n", why);
        kan_strong_close(store);
        return 1;
    }
    err = run(store, locks);
    if (err != KAN_OK)
        fprintf(stderr, "report: %s\n", kan_err_text(err));
    kan_locks_close(locks);
    kan_strong_close(store);
    return err == KAN_OK ? 0 : 1;
}
