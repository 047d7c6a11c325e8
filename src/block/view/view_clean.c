/* Clearing away: what followers of other meanings, and earlier generations of
 * this one, left in the store is deleted, page by page. */

#include "block/view/view_host.h"

static void on_cleaned(struct engine_commit *commit, enum kan_err err)
{
    view_follower_done(commit->request.data, err);
}

/* Delete what the page holds of other meanings and generations. */
static enum kan_err clean_keys(struct view_follower *follower,
                               const struct engine_scan *scan,
                               uint32_t *ret_count)
{
    struct engine_write writes[VIEW_PAGE_MAX];
    struct kan_slice own = follower->cleaning == 'd'
                               ? buffer_slice(&follower->data_key)
                               : buffer_slice(&follower->place_key);
    uint32_t count = 0;

    memset(writes, 0, sizeof(writes));
    for (uint32_t i = 0; i < scan->item_count; i++) {
        if (slice_starts(scan->items[i].key, own)) {
            buffer_clear(&follower->clean_after);
            buffer_append(&follower->clean_after, own);
            buffer_append_byte(&follower->clean_after, 'z');
            break;
        }
        writes[count].kind = ENGINE_DELETE;
        writes[count].key = scan->items[i].key;
        count++;
    }
    *ret_count = count;
    if (count == 0)
        return KAN_OK;
    memset(&follower->commit, 0, sizeof(follower->commit));
    follower->commit.request.data = follower;
    follower->commit.writes = writes;
    follower->commit.write_count = count;
    return engine_commit(follower->host->engine, &follower->commit, on_cleaned);
}

static void on_clean_page(struct engine_scan *scan, enum kan_err err)
{
    struct view_follower *follower = scan->request.data;
    uint32_t deleted = 0;

    if (err == KAN_OK && scan->item_count == 0) {
        follower->cleaned = follower->cleaning == 'p';
        follower->cleaning = 'p';
        buffer_clear(&follower->clean_after);
        view_follower_done(follower, KAN_OK);
        return;
    }
    if (err == KAN_OK)
        err = clean_keys(follower, scan, &deleted);
    if (err || deleted == 0)
        view_follower_done(follower, err);
}

void view_clean(struct view_follower *follower)
{
    struct buffer prefix = BUFFER_INIT;
    enum kan_err err = KAN_NOMEM;

    if (buffer_failed(&follower->clean_after))
        buffer_clear(&follower->clean_after);
    view_own_key(follower, follower->cleaning, &prefix);
    memset(&follower->scan, 0, sizeof(follower->scan));
    follower->scan.request.data = follower;
    follower->scan.prefix = buffer_slice(&prefix);
    follower->scan.after = buffer_slice(&follower->clean_after);
    follower->scan.limit = follower->batch_max < VIEW_PAGE_MAX
                               ? follower->batch_max
                               : VIEW_PAGE_MAX;
    follower->scan.keys_only = true;
    follower->busy = true;
    if (!buffer_failed(&prefix))
        err =
            engine_scan(follower->host->engine, &follower->scan, on_clean_page);
    buffer_fini(&prefix);
    if (err)
        view_follower_done(follower, err);
}
