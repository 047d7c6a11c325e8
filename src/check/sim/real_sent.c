/* Messages on their way from one actor to another, as far as steps were told:
 * those that were sent, and not taken yet. The block may be ahead of this, and
 * then what is taken next was sent by a step that nobody was told of. */

#include "base/alloc.h"
#include "check/sim/real.h"

void real_sent_add(struct real_run *run, const struct kan_ref *from,
                   const struct kan_ref *to, const struct kan_record *record,
                   const void *bytes)
{
    struct real_sent *sent;

    if (strncmp(to->text, "client/", 7) == 0)
        return;
    sent = mem_zalloc(sizeof *sent);
    if (sent && record->size > 0)
        sent->bytes = mem_copy(bytes, record->size);
    if (!sent || (record->size > 0 && !sent->bytes)) {
        mem_free(sent);
        run->err = KAN_NOMEM;
        return;
    }
    sent->from = *from;
    sent->to = *to;
    sent->record = record;
    list_push(&run->sent, &sent->link);
}

void real_sent_remove(struct real_sent *sent)
{
    list_remove(&sent->link);
    mem_free(sent->bytes);
    mem_free(sent);
}

bool real_sent_take(struct real_run *run, const struct actor_event *event)
{
    struct list *link = run->sent.next;

    for (; link != &run->sent; link = link->next) {
        struct real_sent *sent = list_entry(link, struct real_sent, link);
        if (!kan_ref_equal(&sent->to, &event->actor) ||
            !kan_ref_equal(&sent->from, &event->from) ||
            strcmp(sent->record->name, event->name) != 0 ||
            (sent->bytes &&
             (!event->message ||
              memcmp(sent->bytes, event->message, sent->record->size) != 0)))
            continue;
        real_sent_remove(sent);
        return true;
    }
    return false;
}

void real_sent_fini(struct real_run *run)
{
    struct list *link;

    while (run->sent.next && (link = list_first(&run->sent)) != NULL)
        real_sent_remove(list_entry(link, struct real_sent, link));
}
