/* The rules of the actor block: pure, so that each is one line of a test. */

#include "block/actor/actor_core.h"

/* --- references ----------------------------------------------------------- */

static bool id_byte(unsigned char c)
{
    return c >= 0x20 && c != 0x7f && c != '/' && c != '#' && c != '?' &&
           c != '\\';
}

bool actor_core_ref(struct kan_slice type, struct kan_slice id,
                    struct kan_ref *ret_ref)
{
    struct kan_ref ref;

    memset(&ref, 0, sizeof(ref));
    if (id.size == 0 || type.size >= sizeof(ref.text) ||
        id.size >= sizeof(ref.text) ||
        type.size + 1 + id.size >= sizeof(ref.text))
        return false;
    for (size_t i = 0; i < id.size; i++)
        if (!id_byte(slice_at(id, i)))
            return false;
    if (type.size)
        memcpy(ref.text, type.bytes, type.size);
    ref.text[type.size] = '/';
    memcpy(ref.text + type.size + 1, id.bytes, id.size);
    *ret_ref = ref;
    return true;
}

struct kan_slice actor_core_ref_text(const struct kan_ref *ref)
{
    return kan_slice(ref->text, strnlen(ref->text, sizeof(ref->text)));
}

struct kan_slice actor_core_ref_type(const struct kan_ref *ref)
{
    struct kan_slice rest = actor_core_ref_text(ref);
    struct kan_slice type;

    (void)slice_cut(&rest, '/', &type);
    return type;
}

bool actor_core_outside(const struct kan_ref *ref)
{
    return strncmp(ref->text, "client/", 7) == 0;
}

bool actor_core_names(struct kan_slice bytes, const struct kan_ref *ref)
{
    /* With the zero behind it, so that client/12 is not found in client/123. */
    size_t size = strnlen(ref->text, sizeof(ref->text) - 1) + 1;

    return slice_find(bytes, kan_slice(ref->text, size)) != SIZE_MAX;
}

/* --- chains of calls ------------------------------------------------------ */

bool actor_core_chain(const struct actor_chain *chain,
                      const struct kan_ref *self, const struct kan_ref *to,
                      bool call, struct actor_chain *ret_chain)
{
    struct actor_chain sent = *chain;

    if (call && sent.count == KAN_CHAIN_MAX)
        return false;
    if (call) {
        sent.refs[sent.count++] = *self;
        *ret_chain = sent;
        return true;
    }
    for (uint32_t i = 0; i < chain->count; i++) {
        if (!kan_ref_equal(&chain->refs[i], to))
            continue;
        sent.count = i;
        *ret_chain = sent;
        return true;
    }
    sent.count = 0;
    *ret_chain = sent;
    return true;
}

bool actor_core_is_call(const struct actor_chain *chain,
                        const struct kan_ref *from)
{
    return chain->count > 0 &&
           kan_ref_equal(&chain->refs[chain->count - 1], from);
}

struct actor_chain actor_core_chain_back(const struct actor_chain *chain,
                                         const struct kan_ref *from)
{
    struct actor_chain back = *chain;

    back.count = actor_core_is_call(chain, from) ? chain->count - 1 : 0;
    return back;
}

/* --- one actor ------------------------------------------------------------ */

struct actor_head actor_core_head(const struct kan_ref *self)
{
    struct actor_head head;

    memset(&head, 0, sizeof(head));
    head.path = path_id_actor(self);
    return head;
}

static bool in_chain(const struct actor_chain *chain,
                     const struct kan_ref *self)
{
    for (uint32_t i = 0; i < chain->count; i++)
        if (kan_ref_equal(&chain->refs[i], self))
            return true;
    return false;
}

enum actor_take actor_core_take(const struct actor_head *head,
                                const struct kan_ref *self,
                                const struct kan_ref *from,
                                const struct actor_chain *chain)
{
    if (head->awaits.text[0] == '\0')
        return ACTOR_TAKE_NOW;
    if (in_chain(chain, self))
        return ACTOR_TAKE_BUSY;
    return kan_ref_equal(from, &head->awaits) ? ACTOR_TAKE_NOW
                                              : ACTOR_TAKE_LATER;
}

uint32_t actor_core_due(const struct actor_head *head, uint64_t now_ms)
{
    uint32_t first = KAN_TIMERS_MAX;

    for (uint32_t i = 0; i < KAN_TIMERS_MAX; i++) {
        uint64_t due = head->clocks[i].due_ms;
        if (due == 0 || due > now_ms)
            continue;
        if (first == KAN_TIMERS_MAX || due < head->clocks[first].due_ms)
            first = i;
    }
    return first;
}

uint64_t actor_core_due_at(uint64_t now_ms, uint64_t after_ms)
{
    const uint64_t far = INT64_MAX;

    if (now_ms > far)
        now_ms = far;
    if (after_ms > far - now_ms)
        return far;
    return now_ms + after_ms > 0 ? now_ms + after_ms : 1;
}

/* --- failures ------------------------------------------------------------- */

enum actor_verdict actor_core_crashed(uint32_t crashes, uint32_t crashes_max)
{
    return crashes >= crashes_max ? ACTOR_PARK : ACTOR_RETRY;
}

bool actor_core_tells(const struct kan_ref *from, const char *record_name)
{
    return !actor_core_outside(from) && from->text[0] != '\0' &&
           strcmp(record_name, kan_failed_record.name) != 0;
}

enum actor_fate actor_core_fate(enum kan_err err)
{
    if (err == KAN_OK)
        return ACTOR_COMMITTED;
    if (err == KAN_CONFLICT)
        return ACTOR_LOOK;
    if (err == KAN_CLOSED)
        return ACTOR_BROKEN;
    switch (kan_err_class(err)) {
    case KAN_CLASS_REFUSED:
        return ACTOR_UNDONE;
    case KAN_CLASS_UNKNOWN:
        return ACTOR_REPEAT;
    case KAN_CLASS_OK:
    case KAN_CLASS_OUTCOME:
    case KAN_CLASS_BROKEN:
        break;
    }
    return ACTOR_BROKEN;
}

bool actor_core_own(const struct actor_head *found, uint64_t life,
                    uint64_t attempt)
{
    return found->life == life && found->attempt == attempt;
}

uint64_t actor_core_backoff_ms(uint32_t failures)
{
    /* 10 ms, then twice that, up to a second or so. */
    return UINT64_C(10) << (failures < 7 ? failures : 7);
}

/* --- senders with numbers ------------------------------------------------- */

enum actor_number actor_core_number(uint64_t last, uint64_t number)
{
    if (number > last)
        return ACTOR_NUMBER_NEW;
    return number == last ? ACTOR_NUMBER_SAME : ACTOR_NUMBER_OLD;
}
