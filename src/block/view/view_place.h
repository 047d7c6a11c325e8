/* view_place.h - accounts to test views in: a host of views above the one of
 * entity_place.h, and reads that are waited for. */

#ifndef BLOCK_VIEW_VIEW_PLACE_H
#define BLOCK_VIEW_VIEW_PLACE_H

#include "block/entity/entity_place.h"
#include "block/view/view.h"

/* An account without its views, up to the closing brace. */
#define VIEW_ACCOUNT                                                    \
    "type account {\n"                                                  \
    "    owner:   text(80) = \"\"\n"                                    \
    "    balance: int(0 .. 1_000_000) = 0\n"                            \
    "    status:  unopened | open | frozen\n"                           \
    "    step open(name: text(80)) when status == unopened {\n"         \
    "        owner  = name\n"                                           \
    "        status = open\n"                                           \
    "    }\n"                                                           \
    "    step deposit(amount: int(1 .. 1000)) when status == open {\n"  \
    "        balance += amount\n"                                       \
    "    }\n"                                                           \
    "    step withdraw(amount: int(1 .. 1000)) when status == open {\n" \
    "        require amount <= balance else \"insufficient funds\"\n"   \
    "        balance -= amount\n"                                       \
    "    }\n"                                                           \
    "    step freeze   when status == open   { status = frozen }\n"     \
    "    step unfreeze when status == frozen { status = open }\n"

/* The text of the accounts; other tests bring their own. */
extern const char bank_text[];

/* Open a place with both hosts. */
void accounts_open_text(struct place *place, enum place_kind kind,
                        const char *text, uint64_t seed);
void accounts_open(struct place *place, enum place_kind kind, uint64_t seed);
void views_open(struct place *place); /* which is place->above then */
void views_close(struct place *place);
/* Another contract is put in place. */
void views_reload(struct place *place, const char *text);

/* Take a step. ret_revision is of its event, or 0. */
enum entity_outcome take(struct place *place, const char *ref, const char *step,
                         const char *body, uint64_t *ret_revision);

/* A read, and what came of it. */
struct view_asked
{
    struct view_read read;
    bool submitted;
    bool done;
    enum kan_err err;
    uint64_t as_of;
    char json[1024];
};

enum kan_err view_ask_try(struct place *place, struct view_asked *asked,
                          const char *view, uint64_t at_least);
void view_ask(struct place *place, struct view_asked *asked, const char *view,
              uint64_t at_least);
/* The view `bank`, not before the revision. */
struct view_asked view_ask_wait(struct place *place, uint64_t at_least);
/* Which must be this. */
void shows(struct place *place, uint64_t at_least, const char *json);

#endif /* BLOCK_VIEW_VIEW_PLACE_H */
