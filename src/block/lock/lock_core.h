/* lock_core.h - the rules of the lock block: what a request does to its key,
 * and what each answer of an engine means for it.
 *
 * A struct lock_core is one request on one resource (try, release, renew),
 * from its beginning until nothing that it asked for can be under way any
 * more. It is a plain struct, bounded and without pointers, stepped by a
 * function of its arguments: no I/O, no allocation, no clock, no chance. The
 * driver (lock.c), the simulator and models for the checker step the same
 * code. At most one effect that asks the engine is out at any time.
 *
 * A commit whose answer was lost may still take effect later, once. A try
 * therefore outlives its answer: until every copy of its put is accounted for,
 * or LOCK_SETTLE_MS have passed, it looks whether one has come into force that
 * nobody wants, and takes it back. */

#ifndef BLOCK_LOCK_LOCK_CORE_H
#define BLOCK_LOCK_LOCK_CORE_H

#include <kan/base.h>

/* --- one request ---------------------------------------------------------- */

enum
{
    LOCK_EFFECTS_MAX = 16, /* of one step */
    LOCK_BACKOFF_MS = 10,  /* before the first repetition; then twice that, */
    LOCK_BACKOFF_MAX_MS = 2000, /* at most so long */
    LOCK_SETTLE_MS = 60 * 1000, /* how long an engine may hold on to a commit
                                 * whose answer was lost: twice the deadline
                                 * that engines give a request */
    LOCK_TRIES_MAX = 1000 /* commits of one request, so that it always ends */
};

enum lock_kind
{
    LOCK_TRY,
    LOCK_RELEASE,
    LOCK_RENEW
};

/* What became of a request. The second group is the client's doing. */
enum lock_outcome
{
    LOCK_OK,       /* granted, released, renewed */
    LOCK_HELD,     /* try: it is held, be it by the same owner */
    LOCK_NOTFOUND, /* release, renew: nobody holds it */
    LOCK_OTHER,    /* release, renew: it is held, but not by this grant */
    LOCK_RESOURCE_EMPTY,
    LOCK_RESOURCE_ILLEGAL, /* contains || */
    LOCK_RESOURCE_TOO_LONG,
    LOCK_OWNER_EMPTY,
    LOCK_OWNER_TOO_LONG,
    LOCK_EXPIRY_ILLEGAL, /* 0, or more than LOCK_EXPIRY_MAX_MS */
    LOCK_FAILED          /* the engine or the time; err says how */
};

/* Which attempt a value in the engine comes from: no two attempts, of whatever
 * process, have the same. */
struct lock_id
{
    uint64_t store;  /* drawn when a lock store opens */
    uint64_t number; /* counted by it, from 1 */
};

enum lock_phase
{
    LOCK_IDLE,
    LOCK_READING,    /* the key */
    LOCK_COMMITTING, /* what the request is for */
    LOCK_FREEING,    /* a grant of this try that nobody wants */
    LOCK_WAITING,    /* for retry_ns, to look again */
    LOCK_ENDED       /* nothing is under way, and nothing will be */
};

/* A request under way. */
struct lock_core
{
    enum lock_kind kind;
    enum lock_phase phase;
    bool answered;
    bool by_owner;      /* release, renew: the owner must be the holder */
    uint64_t named;     /* release, renew: the grant that the client named; 0:
                          * whichever the owner holds */
    uint64_t token;     /* the grant that this is about; 0: not known */
    uint64_t unwanted;  /* try: the grant to take back; 0: none */
    struct lock_id id;  /* try */
    uint64_t expiry_ms; /* try, renew */
    uint64_t until_ns;  /* when the client stops waiting */
    uint64_t since_ns;  /* nothing that may count was sent before this */
    uint64_t asked_ns;  /* when the engine was asked last */
    uint64_t retry_ns;  /* WAITING */
    uint64_t settle_ns; /* when no copy of a put can come any more */
    uint32_t loose;     /* commits of which nobody knows what they did */
    uint32_t tries;     /* commits sent */
    uint32_t failures;  /* in a row: what to wait before the next */
};

/* What a request asks for. */
struct lock_want
{
    enum lock_kind kind;
    struct lock_id id;  /* try: of this attempt, never used before */
    bool by_owner;      /* release, renew: only if the holder is the owner; may
                         * be false only with a token */
    uint64_t token;     /* release, renew: only this grant; 0: any */
    uint64_t expiry_ms; /* try, renew: at least 1 */
    uint64_t until_ns;  /* answer LOCK_FAILED, KAN_TIMEOUT at this time */
};

/* A request that has not begun: step it with LOCK_EVENT_START. */
struct lock_core lock_core_init(struct lock_want want);

enum lock_event_kind
{
    LOCK_EVENT_START,
    LOCK_EVENT_READ,      /* the key was read */
    LOCK_EVENT_COMMITTED, /* revision */
    LOCK_EVENT_REFUSED,   /* the guard does not hold */
    LOCK_EVENT_UNKNOWN,   /* err: a commit may have taken effect, or not */
    LOCK_EVENT_FAILED,    /* err: it certainly had no effect; or a read failed
                           * in any way */
    LOCK_EVENT_BROKEN,    /* err: the engine answers no more (closed, broken) */
    LOCK_EVENT_TIMER,     /* the time of LOCK_EFFECT_TIMER has come */
    LOCK_EVENT_CANCEL     /* the client does not want it any more */
};

struct lock_event
{
    enum lock_event_kind kind;
    uint64_t now_ns;
    uint64_t revision; /* COMMITTED */
    enum kan_err err;  /* UNKNOWN, FAILED, BROKEN */

    /* READ */
    uint64_t created;  /* 0: the key is absent */
    bool owner;        /* the request's owner is who holds it */
    struct lock_id id; /* of the attempt that wrote it */
};

enum lock_effect_kind
{
    LOCK_EFFECT_READ,   /* the key, linearizable */
    LOCK_EFFECT_PUT,    /* the value with id and owner, as a lease of expiry_ms,
                       * if the key is absent */
    LOCK_EFFECT_TOUCH,  /* a lease of expiry_ms, if created is token */
    LOCK_EFFECT_DELETE, /* if created is token */
    LOCK_EFFECT_ANSWER, /* to the client: at most one in a request's life */
    LOCK_EFFECT_TIMER   /* call again at due_ns; moves an earlier one */
};

struct lock_effect
{
    enum lock_effect_kind kind;
    uint64_t token;     /* TOUCH, DELETE; ANSWER with LOCK_OK */
    uint64_t expiry_ms; /* PUT, TOUCH */
    uint64_t due_ns;    /* TIMER */

    /* ANSWER */
    enum lock_outcome outcome;
    enum kan_err err;  /* with LOCK_FAILED */
    uint64_t since_ns; /* try, renew, LOCK_OK: the lease began no earlier */
    bool loose;        /* renew: a copy of it may still come into force */
};

/* What a step leads to. */
struct lock_step
{
    struct lock_core core;
    uint32_t effect_count;
    struct lock_effect effects[LOCK_EFFECTS_MAX];
};

/* The step that event leads to. An event that does not fit the phase (an
 * answer that nobody waits for) changes nothing; an ended request takes none
 * but TIMER and CANCEL, and ignores them. */
struct lock_step lock_core_step(struct lock_core core, struct lock_event event);

/* --- a holder's own view -------------------------------------------------- */

/* What a holder knows of its grant, by its own clock and on the safe side: it
 * ends here no later than in the engine, if this clock does not fall behind the
 * engine's by more than drift_ppm millionths. */
struct lock_lease
{
    uint64_t token;
    uint64_t until_ns;       /* valid before this */
    uint32_t drift_ppm;      /* below 1,000,000 */
    uint64_t loose_ms;       /* the shortest expiry of a renewal whose copy may
                              * still come into force; 0: none */
    uint64_t loose_until_ns; /* and until when it may */
};

/* A grant whose lease of expiry_ms began no earlier than since_ns. */
struct lock_lease lock_lease_begin(uint64_t token, uint64_t since_ns,
                                   uint64_t expiry_ms, uint32_t drift_ppm);

/* The lease after a renewal that was answered LOCK_OK. */
struct lock_lease lock_lease_renew(struct lock_lease lease, uint64_t since_ns,
                                   uint64_t expiry_ms);

/* The lease as a renewal to expiry_ms is sent: if it comes into force at once,
 * and its answer late, the lease may be shorter than it was. */
struct lock_lease lock_lease_risk(struct lock_lease lease, uint64_t now_ns,
                                  uint64_t expiry_ms);

/* The lease after a renewal to expiry_ms of which a copy may come into force
 * until LOCK_SETTLE_MS from now: a later one may be cut short by it. */
struct lock_lease lock_lease_loose(struct lock_lease lease, uint64_t now_ns,
                                   uint64_t expiry_ms);

static inline bool lock_lease_valid(struct lock_lease lease, uint64_t now_ns)
{
    return now_ns < lease.until_ns;
}

/* --- names and values ----------------------------------------------------- */

#define LOCK_EXPIRY_MAX_MS UINT64_C(100000000000000) /* about 3,169 years */

enum
{
    LOCK_RESOURCE_MAX = 1024, /* bytes; less when the engine's keys are */
    LOCK_OWNER_MAX = 1024,    /* bytes */
    LOCK_VALUE_HEAD = 17,     /* bytes before the owner: the version of the
                               * encoding (1), store and number, big endian */
    LOCK_VALUE_MAX = LOCK_VALUE_HEAD + LOCK_OWNER_MAX
};

/* LOCK_OK, or what is wrong with the name of a resource. */
enum lock_outcome lock_core_resource(struct kan_slice resource,
                                     uint32_t resource_max);

/* LOCK_OK, or what is wrong with an owner's name. */
enum lock_outcome lock_core_owner(struct kan_slice owner);

/* LOCK_OK, or LOCK_EXPIRY_ILLEGAL. */
enum lock_outcome lock_core_expiry(uint64_t expiry_ms);

/* Write the head of a value; the owner's bytes follow it. */
void lock_value_head(struct lock_id id, unsigned char head[LOCK_VALUE_HEAD]);

/* The id in a value, and its owner (borrowed from it); false when no lock wrote
 * it. */
bool lock_value_read(struct kan_slice value, struct lock_id *ret_id,
                     struct kan_slice *ret_owner);

/* One line that says what an outcome means and what to do. Static text. */
const char *lock_outcome_text(enum lock_outcome outcome);

#endif /* BLOCK_LOCK_LOCK_CORE_H */
