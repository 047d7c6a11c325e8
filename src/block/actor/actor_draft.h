/* actor_draft.h - one step as it is worked out: what it writes and what will
 * leave, until all of it is adopted by the attempt, or dropped.
 *
 * actor_draft.c gathers effects, actor_crash.c says what a crash leads to, and
 * actor_step.c runs the steps. */

#ifndef BLOCK_ACTOR_ACTOR_DRAFT_H
#define BLOCK_ACTOR_ACTOR_DRAFT_H

#include "block/actor/actor_host.h"

/* What a step is worked out in: adopted as a whole, or not at all. */
struct draft
{
    struct actor_attempt *attempt;
    struct actor_host *host;
    struct actor_head head;
    struct list outs;
    uint32_t write_count; /* before, to go back to */
    size_t bytes_size;
    size_t choices_size;
    uint64_t now_ms;
    bool answered; /* the client whose message it is */
};

/* An input: a message, or a timer. */
struct input
{
    struct actor_message *message;
    uint32_t timer;
    const char *name;
};

/* --- actor_draft.c -------------------------------------------------------- */

void draft_begin(struct draft *draft, struct actor_attempt *attempt,
                 uint64_t now_ms);

/* Nothing of the step has happened. */
void draft_drop(struct draft *draft);

/* The attempt takes over what the draft has, and the state that a turn left
 * (output may be NULL). */
void draft_adopt(struct draft *draft, const struct turn_output *output);

/* Whether the attempt with it is still one commit. */
bool draft_fits(const struct draft *draft);

/* Begin a write; its key is appended to the attempt's bytes, then, after
 * draft_write_value(), its value. The end says whether memory sufficed. */
struct actor_write *draft_write(struct actor_attempt *attempt,
                                enum engine_write_kind kind);
void draft_write_value(struct actor_attempt *attempt,
                       struct actor_write *write);
KAN_MUST_USE enum kan_err draft_write_end(struct actor_attempt *attempt,
                                          struct actor_write *write);

/* Append the key of a message that the engine has. */
void draft_message_key(struct actor_attempt *attempt,
                       const struct actor_message *message);

/* Delete the message from the engine, if it is there. */
KAN_MUST_USE enum kan_err draft_delete(struct actor_attempt *attempt,
                                       const struct actor_message *message);

/* Tell a client what became of its message. */
KAN_MUST_USE enum kan_err draft_answer(struct draft *draft,
                                       const struct actor_message *message,
                                       enum actor_outcome outcome,
                                       const char *text);

/* Tell an actor (to) that its message to from was not taken. */
KAN_MUST_USE enum kan_err draft_send_failed(struct draft *draft,
                                            const struct kan_ref *from,
                                            const struct kan_ref *to,
                                            enum kan_err failure,
                                            const struct actor_chain *chain);

/* Send, in a turn whose message came with chain. */
KAN_MUST_USE enum kan_err draft_send(struct draft *draft,
                                     const struct turn_send *send,
                                     const struct actor_chain *chain);

/* --- actor_crash.c -------------------------------------------------------- */

/* Whether a turn that ended so counts as a crash. */
bool turn_crashed(enum turn_end end);

/* Remember what a call with a number came to. */
KAN_MUST_USE enum kan_err note_take(struct actor_attempt *attempt,
                                    const struct actor_message *message,
                                    enum note_outcome outcome, uint32_t crashes,
                                    struct kan_slice text);

/* Remember the answers that leave with the attempt and are to calls taken
 * before. notes: those that the actor will have, which are replaced in it. */
KAN_MUST_USE enum kan_err notes_answer(struct actor_attempt *attempt,
                                       struct actor_note **notes);
void notes_answer_drop(struct actor_attempt *attempt);

/* The input's turn, or the one that had to come before it, has crashed. */
KAN_MUST_USE enum kan_err step_crash(struct actor_attempt *attempt,
                                     const struct input *input, uint64_t now_ms,
                                     const char *why);

#endif /* BLOCK_ACTOR_ACTOR_DRAFT_H */
