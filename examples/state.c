/* A bank in a file: money moves between two accounts, all or nothing, however
 * many programs and crashes stand in between.
 *
 *     cc examples/state.c $(pkg-config --cflags --libs kan) -o bank
 *     ./bank ./data            shows, and moves 30 from alice to bob
 *     ./bank ./data memory     the same, without a file */

#include <inttypes.h>
#include <kan/state.h>
#include <stdio.h>
#include <stdlib.h>

enum
{
    TRIES_MAX = 100
};

/* An account, and the revision that it was read at. */
struct account
{
    struct kan_slice name;
    long balance;
    uint64_t revision; /* 0: it is not there yet */
};

static enum kan_err account_read(kan_strong store, struct account *account)
{
    struct kan_value value = {0};
    enum kan_err err = kan_strong_get(store, account->name, &value);

    if (err == KAN_OK) {
        account->balance = strtol(value.bytes, NULL, 10);
        account->revision = value.revision;
        kan_value_fini(&value);
    }
    return err;
}

/* Write the balance, if nobody has written the account since it was read. */
static struct kan_op account_write(const struct account *account, char text[24])
{
    struct kan_op op = {.key = account->name,
                        .condition = KAN_IF_REVISION,
                        .revision = account->revision};

    snprintf(text, 24, "%ld", account->balance);
    op.value = kan_text(text);
    return op;
}

/* KAN_OK; KAN_FULL when there is not enough money; or a failure. */
static enum kan_err move_money(kan_strong store, const char *from,
                               const char *to, long amount)
{
    struct account source = {.name = kan_text(from)};
    struct account target = {.name = kan_text(to)};
    enum kan_err err = KAN_CONFLICT;

    for (int i = 0; i < TRIES_MAX && err == KAN_CONFLICT; i++) {
        struct kan_op ops[2];
        char texts[2][24];
        if ((err = account_read(store, &source)) != KAN_OK ||
            (err = account_read(store, &target)) != KAN_OK)
            return err;
        if (source.balance < amount)
            return KAN_FULL;
        source.balance -= amount;
        target.balance += amount;
        ops[0] = account_write(&source, texts[0]);
        ops[1] = account_write(&target, texts[1]);
        err = kan_strong_commit(store, ops, 2, NULL);
    }
    return err;
}

/* Open an account with money in it, unless it is there. */
static enum kan_err account_open(kan_strong store, const char *name,
                                 const char *balance)
{
    enum kan_err err =
        kan_strong_put_if(store, kan_text(name), 0, kan_text(balance), NULL);

    return err == KAN_CONFLICT ? KAN_OK : err;
}

/* Whoever only looks does not need the strongest handle. */
static enum kan_err show(kan_eventual store)
{
    struct kan_list_options options = {.prefix = kan_text("account/")};
    struct kan_page page = {0};
    enum kan_err err = kan_eventual_list(store, &options, &page);

    for (uint32_t i = 0; err == KAN_OK && i < page.entry_count; i++) {
        struct kan_value value = {0};
        err = kan_eventual_get(store, page.entries[i].key, &value);
        if (err == KAN_OK)
            printf("%.*s = %s (revision %" PRIu64 ")\n",
                   (int)page.entries[i].key.size,
                   (const char *)page.entries[i].key.bytes, value.bytes,
                   value.revision);
        kan_value_fini(&value);
    }
    kan_page_fini(&page);
    return err;
}

static enum kan_err run(kan_strong store)
{
    enum kan_err err;

    if ((err = account_open(store, "account/alice", "100")) != KAN_OK ||
        (err = account_open(store, "account/bob", "0")) != KAN_OK)
        return err;
    err = move_money(store, "account/alice", "account/bob", 30);
    if (err == KAN_FULL)
        puts("alice has less than 30 left: nothing moved");
    else if (err != KAN_OK)
        return err;
    return show(kan_strong_as_eventual(store));
}

int main(int argc, char **argv)
{
    struct kan_store_options options = {.path = argc > 1 ? argv[1] : "./data",
                                        .engine = argc > 2 ? argv[2] : NULL};
    kan_strong store;
    char why[256];
    enum kan_err err;

    if (kan_strong_open(NULL, &options, why, sizeof(why), &store) != KAN_OK) {
        fprintf(stderr, "bank: %s\n", why);
        return 1;
    }
    err = run(store);
    if (err != KAN_OK)
        fprintf(stderr, "bank: %s\n", kan_strong_message(store));
    kan_strong_close(store);
    return err == KAN_OK ? 0 : 1;
}
