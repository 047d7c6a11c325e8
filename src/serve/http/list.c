/* list.c - a page of the keys of a store: Kan's own, because Dapr has none. */

#include "base/number.h"
#include "base/utf8.h"
#include "serve/http/store.h"

/* What a program stored through libkan may not be text, and JSON has no way
 * to name it, so the page is refused rather than shown with a false key. */
static bool page_clean(const struct state_list *list)
{
    for (uint32_t i = 0; i < list->item_count; i++)
        if (!utf8_valid(list->items[i].key))
            return false;
    return true;
}

static void list_write(struct buffer *out, const struct state_list *list)
{
    buffer_append_text(out, "{\"keys\":[");
    for (uint32_t i = 0; i < list->item_count; i++) {
        buffer_append_text(out, i ? ",{\"key\":" : "{\"key\":");
        json_append_string(out, list->items[i].key);
        buffer_append_text(out, ",\"etag\":\"");
        buffer_append_u64(out, list->items[i].version);
        buffer_append_text(out, "\"}");
    }
    buffer_append_byte(out, ']');
    if (list->more && list->item_count) {
        json_append_name(out, "after");
        json_append_string(out, list->items[list->item_count - 1].key);
    }
    buffer_append_byte(out, '}');
}

static void list_done(struct state_list *list)
{
    struct call *call = list->data;
    if (list->outcome != STATE_OK) {
        store_fail(call, list->outcome, list->err, list->prefix, 1);
    } else if (!page_clean(list)) {
        call_fail_basic(call, ERROR_STATE_LIST,
                        "failed listing keys of state store %s: a key on this "
                        "page is not UTF-8",
                        call->store->name);
    } else {
        list_write(&call->out, list);
        call_answer_json(call);
    }
}

/* The parameters of the query. false: answered. */
static bool list_query(struct call *call, struct state_list *list)
{
    struct kan_slice text;
    uint64_t limit = STATE_PAGE_DEFAULT;
    enum kan_err err = call_query(call, "prefix", &list->prefix);
    if (err == KAN_OK)
        err = call_query(call, "after", &list->after);
    if (err == KAN_OK)
        err = call_query(call, "limit", &text);
    if (err != KAN_OK) {
        call_fail_query(call, err);
        return false;
    }
    if (text.bytes && (number_u64(text, &limit) != KAN_OK || limit == 0 ||
                       limit > STATE_PAGE_MAX)) {
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: limit must be a number from 1 to "
                        "%d, not '%.*s'",
                        STATE_PAGE_MAX, SLICE_ARG(text));
        return false;
    }
    list->limit = (uint32_t)limit;
    return true;
}

void list_call(struct call *call)
{
    struct state_list *list = &call->state.list;
    call->context = ERROR_STATE_LIST;
    memset(list, 0, sizeof(*list));
    list->data = call;
    if (!store_find(call) || !list_query(call, list))
        return;
    enum kan_err err = state_list(call->store->state, list, list_done);
    if (err != KAN_OK)
        store_fail(call, STATE_FAILED, err, list->prefix, 1);
}
