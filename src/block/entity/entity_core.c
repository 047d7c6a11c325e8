/* The rules of the entity block: pure, so that each is one line of a test. */

#include "block/entity/entity_core.h"

#include "block/entity/entity.h"

/* --- small rules ---------------------------------------------------------- */

enum entity_input_kind entity_core_commit_meaning(enum kan_err err, bool base)
{
    if (err == KAN_OK)
        return ENTITY_ON_COMMITTED;
    if (err == KAN_CONFLICT)
        return base ? ENTITY_ON_CONFLICT : ENTITY_ON_GUARDED;
    if (err == KAN_CLOSED)
        return ENTITY_ON_BROKEN;
    switch (kan_err_class(err)) {
    case KAN_CLASS_REFUSED:
        return ENTITY_ON_REFUSED;
    case KAN_CLASS_UNKNOWN:
        return ENTITY_ON_UNKNOWN;
    case KAN_CLASS_OK:
    case KAN_CLASS_OUTCOME:
    case KAN_CLASS_BROKEN:
        break;
    }
    return ENTITY_ON_BROKEN;
}

bool entity_core_snapshot_due(uint64_t n)
{
    return n % ENTITY_SNAPSHOT_EVERY == 0;
}

uint64_t entity_core_snapshot_before(uint64_t n)
{
    return n - n % ENTITY_SNAPSHOT_EVERY;
}

bool entity_core_key_counts(int64_t used_ms, int64_t now_ms)
{
    return used_ms > now_ms - ENTITY_KEY_MS;
}

uint32_t entity_core_backoff_ms(uint32_t failures)
{
    uint32_t ms = ENTITY_BACKOFF_MS;

    while (failures-- > 1 && ms < ENTITY_BACKOFF_MAX_MS)
        ms *= 2;
    return ms;
}

/* --- effects -------------------------------------------------------------- */

static struct entity_turn turn_add(struct entity_turn turn,
                                   enum entity_effect_kind kind)
{
    turn.effects[turn.effect_count].kind = kind;
    turn.effects[turn.effect_count].ms = 0;
    turn.effect_count++;
    return turn;
}

static struct entity_turn turn_pause(struct entity_turn turn,
                                     enum entity_phase again)
{
    turn.core.phase = ENTITY_PAUSED;
    turn.core.again = again;
    turn.core.failures++;
    turn = turn_add(turn, ENTITY_DO_PAUSE);
    turn.effects[turn.effect_count - 1].ms =
        entity_core_backoff_ms(turn.core.failures);
    return turn;
}

/* Ask the engine for the sent batch. */
static struct entity_turn turn_ask(struct entity_turn turn)
{
    turn.core.phase = ENTITY_SENT;
    return turn_add(turn, turn.core.sent ? ENTITY_DO_COMMIT : ENTITY_DO_VERIFY);
}

/* The draft becomes the sent batch. */
static struct entity_turn turn_send(struct entity_turn turn, bool exclusive)
{
    turn.core.sent = turn.core.drafted;
    turn.core.drafted = 0;
    turn.core.draft = false;
    turn.core.unknown = false;
    turn.core.refused = false;
    if (turn.core.sent || !exclusive)
        return turn_ask(turn);
    turn.core.phase = ENTITY_OPEN;
    return turn_add(turn, ENTITY_DO_ANSWER);
}

/* --- what became of the sent batch ---------------------------------------- */

static struct entity_turn turn_done(struct entity_turn turn)
{
    turn.core.n += turn.core.sent;
    turn.core.sent = 0;
    turn.core.unknown = false;
    turn.core.refused = false;
    turn.core.failures = 0;
    turn.core.phase = ENTITY_OPEN;
    turn = turn_add(turn, ENTITY_DO_ANSWER);
    return turn_add(turn, ENTITY_DO_FEED);
}

static struct entity_turn turn_forget(struct entity_turn turn)
{
    turn.core.sent = 0;
    turn.core.drafted = 0;
    turn.core.draft = false;
    turn.core.unknown = false;
    turn.core.refused = false;
    return turn_add(turn, ENTITY_DO_DROP);
}

/* What is known of the entity is of yesterday. */
static struct entity_turn turn_again(struct entity_turn turn)
{
    turn = turn_forget(turn);
    turn.core.phase = ENTITY_OPENING;
    return turn_add(turn, ENTITY_DO_READ);
}

/* Certainly no effect, and the state is what it was. */
static struct entity_turn turn_undo(struct entity_turn turn,
                                    enum entity_effect_kind tell)
{
    turn = turn_forget(turn_add(turn, tell));
    turn.core.phase = ENTITY_OPEN;
    return turn_add(turn, ENTITY_DO_FEED);
}

static struct entity_turn turn_look(struct entity_turn turn)
{
    turn.core.phase = ENTITY_LOOKING;
    return turn_add(turn, ENTITY_DO_LOOK);
}

static struct entity_turn on_conflict(struct entity_turn turn)
{
    if (!turn.core.unknown)
        return turn_again(turn);
    /* It may be the batch's own first copy that stands there. */
    turn.core.refused = true;
    return turn_look(turn);
}

static struct entity_turn on_guarded(struct entity_turn turn)
{
    if (!turn.core.unknown)
        return turn_undo(turn, ENTITY_DO_GUARD);
    /* No copy is in force, but one may come still. */
    return turn_again(turn_add(turn, ENTITY_DO_LOSE));
}

static struct entity_turn on_unknown(struct entity_turn turn)
{
    if (turn.core.sent == 0)
        return turn_pause(turn, ENTITY_SENT);
    turn.core.unknown = true;
    return turn_look(turn);
}

static struct entity_turn on_refused(struct entity_turn turn)
{
    /* What is refused now says nothing of the first copy. */
    if (turn.core.unknown)
        return turn_pause(turn, ENTITY_LOOKING);
    return turn_undo(turn, ENTITY_DO_FAIL);
}

static struct entity_turn on_sent(struct entity_turn turn,
                                  enum entity_input_kind kind)
{
    switch (kind) {
    case ENTITY_ON_COMMITTED:
        return turn_done(turn);
    case ENTITY_ON_CONFLICT:
        return on_conflict(turn);
    case ENTITY_ON_GUARDED:
        return on_guarded(turn);
    case ENTITY_ON_UNKNOWN:
        return on_unknown(turn);
    case ENTITY_ON_REFUSED:
        return on_refused(turn);
    default:
        return turn;
    }
}

static struct entity_turn on_look(struct entity_turn turn,
                                  enum entity_input_kind kind)
{
    switch (kind) {
    case ENTITY_ON_FOUND_OURS:
        return turn_done(turn);
    case ENTITY_ON_FOUND_OTHER:
        /* Where another's event stands ours can never come. */
        return turn_again(turn);
    case ENTITY_ON_FOUND_NONE:
        if (turn.core.refused)
            return turn_again(turn_add(turn, ENTITY_DO_LOSE));
        return turn_ask(turn);
    case ENTITY_ON_UNFOUND:
        return turn_pause(turn, ENTITY_LOOKING);
    default:
        return turn;
    }
}

/* --- a step --------------------------------------------------------------- */

static struct entity_turn on_wanted(struct entity_turn turn)
{
    if (turn.core.phase == ENTITY_COLD) {
        turn.core.phase = ENTITY_OPENING;
        return turn_add(turn, ENTITY_DO_READ);
    }
    if (turn.core.phase == ENTITY_BROKEN)
        return turn_add(turn, ENTITY_DO_END);
    return entity_core_decides(turn.core) ? turn_add(turn, ENTITY_DO_FEED)
                                          : turn;
}

static struct entity_turn on_opening(struct entity_turn turn,
                                     struct entity_input input)
{
    if (input.kind == ENTITY_ON_OPENED) {
        turn.core.n = input.n;
        turn.core.failures = 0;
        turn.core.phase = ENTITY_OPEN;
        return turn_add(turn, ENTITY_DO_FEED);
    }
    if (input.kind == ENTITY_ON_UNOPENED)
        return turn_pause(turn, ENTITY_OPENING);
    return turn;
}

static struct entity_turn on_timer(struct entity_turn turn)
{
    switch (turn.core.again) {
    case ENTITY_OPENING:
        turn.core.phase = ENTITY_OPENING;
        return turn_add(turn, ENTITY_DO_READ);
    case ENTITY_LOOKING:
        return turn_look(turn);
    default:
        return turn_ask(turn);
    }
}

static struct entity_turn on_drafted(struct entity_turn turn, uint32_t events,
                                     bool exclusive)
{
    if (!entity_core_decides(turn.core))
        return turn;
    turn.core.drafted = events;
    turn.core.draft = true;
    return turn.core.phase == ENTITY_OPEN ? turn_send(turn, exclusive) : turn;
}

struct entity_turn entity_core_step(struct entity_core core,
                                    struct entity_input input, bool exclusive)
{
    struct entity_turn turn = {.core = core};

    if (core.phase == ENTITY_BROKEN)
        return input.kind == ENTITY_ON_WANTED ? turn_add(turn, ENTITY_DO_END)
                                              : turn;
    switch (input.kind) {
    case ENTITY_ON_WANTED:
        return on_wanted(turn);
    case ENTITY_ON_BROKEN:
        turn.core.phase = ENTITY_BROKEN;
        turn.core.draft = false;
        return turn_add(turn, ENTITY_DO_END);
    case ENTITY_ON_DRAFTED:
        return on_drafted(turn, input.events, exclusive);
    case ENTITY_ON_UNDRAFTED:
        turn.core.drafted = 0;
        turn.core.draft = false;
        return turn_add(turn, ENTITY_DO_FEED);
    case ENTITY_ON_TIMER:
        return core.phase == ENTITY_PAUSED ? on_timer(turn) : turn;
    default:
        break;
    }
    if (core.phase == ENTITY_OPENING)
        return on_opening(turn, input);
    if (core.phase == ENTITY_SENT)
        return on_sent(turn, input.kind);
    if (core.phase == ENTITY_LOOKING)
        return on_look(turn, input.kind);
    return turn;
}
