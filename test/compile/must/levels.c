/* Every verb of every level, as C17 and as C++17. Compiled, never run. */

#include <kan/kan.h>

int strong(kan_loop *loop, struct kan_get *get, struct kan_list *list,
           struct kan_commit *commit);
int causal(kan_causal store, struct kan_get *get, struct kan_list *list,
           struct kan_write *write);
int eventual(kan_eventual store, struct kan_get *get, struct kan_list *list,
             struct kan_write *write);

static void on_closed(void *data)
{
    (void)data;
}

static void on_get(struct kan_get *get, enum kan_err err)
{
    (void)get;
    (void)err;
}

static void on_list(struct kan_list *list, enum kan_err err)
{
    (void)list;
    (void)err;
}

static void on_write(struct kan_write *write, enum kan_err err)
{
    (void)write;
    (void)err;
}

static void on_commit(struct kan_commit *commit, enum kan_err err)
{
    (void)commit;
    (void)err;
}

int strong(kan_loop *loop, struct kan_get *get, struct kan_list *list,
           struct kan_commit *commit)
{
    struct kan_store_options options;
    struct kan_value value;
    struct kan_page page;
    struct kan_op op;
    struct kan_slice key = kan_text("key");
    uint64_t revision = 0;
    kan_strong store;
    int failures = 0;

    memset(&options, 0, sizeof(options));
    memset(&value, 0, sizeof(value));
    memset(&page, 0, sizeof(page));
    memset(&op, 0, sizeof(op));
    failures += kan_strong_open(loop, &options, NULL, 0, &store) != KAN_OK;
    failures += kan_strong_get(store, key, &value) != KAN_OK;
    failures += kan_strong_put(store, key, key, 0, &revision) != KAN_OK;
    failures += kan_strong_put_if(store, key, revision, key, NULL) != KAN_OK;
    failures += kan_strong_delete(store, key) != KAN_OK;
    failures += kan_strong_delete_if(store, key, revision) != KAN_OK;
    failures += kan_strong_commit(store, &op, 1, &revision) != KAN_OK;
    failures += kan_strong_list(store, NULL, &page) != KAN_OK;
    failures += kan_strong_get_async(store, get, on_get) != KAN_OK;
    failures += kan_strong_list_async(store, list, on_list) != KAN_OK;
    failures += kan_strong_commit_async(store, commit, on_commit) != KAN_OK;
    failures += causal(kan_strong_as_causal(store), get, list, NULL);
    failures += eventual(kan_strong_as_eventual(store), get, list, NULL);
    failures += kan_strong_message(store)[0] != 0;
    kan_value_fini(&value);
    kan_page_fini(&page);
    kan_strong_close_async(store, NULL, on_closed);
    kan_strong_close(store);
    return failures;
}

int causal(kan_causal store, struct kan_get *get, struct kan_list *list,
           struct kan_write *write)
{
    struct kan_value value;
    struct kan_page page;
    struct kan_slice key = kan_text("key");
    uint64_t revision = 0;
    int failures = 0;

    memset(&value, 0, sizeof(value));
    memset(&page, 0, sizeof(page));
    failures += kan_causal_get(store, key, &value) != KAN_OK;
    failures += kan_causal_put(store, key, key, 0, &revision) != KAN_OK;
    failures += kan_causal_delete(store, key) != KAN_OK;
    failures += kan_causal_list(store, NULL, &page) != KAN_OK;
    failures += kan_causal_get_async(store, get, on_get) != KAN_OK;
    failures += kan_causal_put_async(store, write, on_write) != KAN_OK;
    failures += kan_causal_delete_async(store, write, on_write) != KAN_OK;
    failures += kan_causal_list_async(store, list, on_list) != KAN_OK;
    failures += kan_causal_message(store)[0] != 0;
    kan_causal_see(store, kan_causal_seen(store) + 1);
    failures += eventual(kan_causal_as_eventual(store), get, list, write);
    kan_causal_close_async(store, NULL, on_closed);
    kan_causal_close(store);
    return failures + (kan_causal_open(NULL, NULL, NULL, 0, &store) != KAN_OK);
}

int eventual(kan_eventual store, struct kan_get *get, struct kan_list *list,
             struct kan_write *write)
{
    struct kan_value value;
    struct kan_page page;
    struct kan_slice key = kan_text("key");
    int failures = 0;

    memset(&value, 0, sizeof(value));
    memset(&page, 0, sizeof(page));
    failures += kan_eventual_get(store, key, &value) != KAN_OK;
    failures += kan_eventual_put(store, key, key, 0) != KAN_OK;
    failures += kan_eventual_delete(store, key) != KAN_OK;
    failures += kan_eventual_list(store, NULL, &page) != KAN_OK;
    failures += kan_eventual_get_async(store, get, on_get) != KAN_OK;
    failures += kan_eventual_put_async(store, write, on_write) != KAN_OK;
    failures += kan_eventual_delete_async(store, write, on_write) != KAN_OK;
    failures += kan_eventual_list_async(store, list, on_list) != KAN_OK;
    failures += kan_eventual_message(store)[0] != 0;
    kan_eventual_close_async(store, NULL, on_closed);
    kan_eventual_close(store);
    return failures +
           (kan_eventual_open(NULL, NULL, NULL, 0, &store) != KAN_OK);
}
