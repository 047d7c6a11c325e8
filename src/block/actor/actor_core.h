/* actor_core.h - the rules of the actor block: what a mailbox takes, which
 * chain of calls a message is in, what a crash leads to, what an engine's
 * answer means, and who outside may still be answered.
 *
 * Pure functions of plain, bounded structs without pointers. The driver carries
 * them out; the checker (src/check/space) holds the same rules about chains,
 * holds and refusals in its own terms, so that what was walked is what runs. */

#ifndef BLOCK_ACTOR_ACTOR_CORE_H
#define BLOCK_ACTOR_ACTOR_CORE_H

#include <kan/actor.h>

#include "base/bytes.h"
#include "path/id/id.h"

enum
{
    ACTOR_MAILBOX_DEFAULT = 100, /* messages, of a type that does not say */
    ACTOR_STEPS_MAX = 64,        /* of one actor in one commit */
    ACTOR_SENDERS_MAX = 16,      /* outside senders with numbers, of one actor:
                                  * who called longest ago is forgotten first */
    ACTOR_ANSWER_MAX = 1024      /* bytes of an answer kept for a repetition */
};

/* --- references ----------------------------------------------------------- */

/* "type/id"; false when the id is empty, has / # ? \ or a control byte, or
 * does not fit. */
KAN_MUST_USE bool actor_core_ref(struct kan_slice type, struct kan_slice id,
                                 struct kan_ref *ret_ref);

/* The type in a reference; the whole when there is no slash. */
struct kan_slice actor_core_ref_type(const struct kan_ref *ref);
struct kan_slice actor_core_ref_text(const struct kan_ref *ref);

/* Whether it means somebody outside. */
bool actor_core_outside(const struct kan_ref *ref);

/* Whether bytes (a canonical struct) hold the reference, in whatever field:
 * who cannot name a client cannot answer it. */
bool actor_core_names(struct kan_slice bytes, const struct kan_ref *ref);

/* --- chains of calls ------------------------------------------------------ */

/* Who waits for whom: each has called the next. */
struct actor_chain
{
    uint32_t count;
    struct kan_ref refs[KAN_CHAIN_MAX];
};

/* The chain that a message goes with when self sends it in a turn whose message
 * came with chain: all of it and self with a call; with a send to somebody in
 * it, which may be the answer, what was before that one called; else none.
 * false: a call too deep. */
KAN_MUST_USE bool actor_core_chain(const struct actor_chain *chain,
                                   const struct kan_ref *self,
                                   const struct kan_ref *to, bool call,
                                   struct actor_chain *ret_chain);

/* The chain of the kan_failed that answers a message: of a call, the one that
 * its sender was in before. */
struct actor_chain actor_core_chain_back(const struct actor_chain *chain,
                                         const struct kan_ref *from);

/* Whether a message is a call, by its chain. */
bool actor_core_is_call(const struct actor_chain *chain,
                        const struct kan_ref *from);

/* --- one actor ------------------------------------------------------------ */

struct actor_clock
{
    uint64_t due_ms; /* on the clock of the wall; 0: not armed */
    uint32_t crashes;
};

/* What is kept of an actor beside its state. */
struct actor_head
{
    bool started;     /* its first step is done, and it has a state */
    uint64_t life;    /* of the process that wrote it */
    uint64_t attempt; /* commits so far */
    uint64_t number;  /* of the last message that it sent */
    struct path_id path;
    struct kan_ref awaits; /* serial: whom it has called; empty: nobody */
    struct actor_clock clocks[KAN_TIMERS_MAX];
};

struct actor_head actor_core_head(const struct kan_ref *self);

enum actor_take
{
    ACTOR_TAKE_NOW,
    ACTOR_TAKE_LATER, /* the actor waits for somebody else's answer */
    ACTOR_TAKE_BUSY   /* it is answered kan_failed, KAN_BUSY: its chain comes
                       * back to an actor that waits */
};

/* Whether the actor takes a message now. */
enum actor_take actor_core_take(const struct actor_head *head,
                                const struct kan_ref *self,
                                const struct kan_ref *from,
                                const struct actor_chain *chain);

/* The armed timer that is due first and not after now_ms; KAN_TIMERS_MAX when
 * there is none. Ties break by place. */
uint32_t actor_core_due(const struct actor_head *head, uint64_t now_ms);

/* When a timer set now is due. */
uint64_t actor_core_due_at(uint64_t now_ms, uint64_t after_ms);

/* --- failures ------------------------------------------------------------- */

enum actor_verdict
{
    ACTOR_RETRY,
    ACTOR_PARK
};

/* After a crash, which is the crashes-th of this message. */
enum actor_verdict actor_core_crashed(uint32_t crashes, uint32_t crashes_max);

/* Whether a sender inside is told that its message was refused. */
bool actor_core_tells(const struct kan_ref *from, const char *record_name);

enum actor_fate
{
    ACTOR_COMMITTED,
    ACTOR_REPEAT, /* nobody knows: ask the same again until it is known */
    ACTOR_LOOK,   /* a guard failed: read who wrote it */
    ACTOR_UNDONE, /* certainly no effect */
    ACTOR_BROKEN  /* the engine answers no more */
};

/* What the engine's answer to a commit says about it. */
enum actor_fate actor_core_fate(enum kan_err err);

/* Whether the head that is there now was written by this attempt of this
 * process: then a commit whose answer was lost did take effect. */
bool actor_core_own(const struct actor_head *found, uint64_t life,
                    uint64_t attempt);

/* How long to wait before the next try, after so many failures in a row. */
uint64_t actor_core_backoff_ms(uint32_t failures);

/* --- senders with numbers ------------------------------------------------- */

enum actor_number
{
    ACTOR_NUMBER_NEW,
    ACTOR_NUMBER_SAME, /* taken already: it gets the same answer */
    ACTOR_NUMBER_OLD   /* taken before the last one; its answer is gone */
};

/* What a call with the number is, when the sender's last one was last (0: none
 * is known). */
enum actor_number actor_core_number(uint64_t last, uint64_t number);

#endif /* BLOCK_ACTOR_ACTOR_CORE_H */
