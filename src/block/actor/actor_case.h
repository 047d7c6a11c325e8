/* actor_case.h - actors for tests of the actor block. */

#ifndef BLOCK_ACTOR_ACTOR_CASE_H
#define BLOCK_ACTOR_ACTOR_CASE_H

#include <kan/actor.h>

enum
{
    CASE_TOKENS = 16,
    CASE_CELLS = 5
};

/* A counter: its value, how often it was restarted, and a field that a crash
 * forgets. */
struct counter
{
    int64_t value;
    uint32_t restarts;
    uint32_t cache;
    uint32_t rolled;
    struct kan_ref owner; /* who waits for its answer */
};
KAN_RECORD(counter, 1, KAN_INT(counter, value, 0, 1000000),
           KAN_INT(counter, restarts, 0, 1000),
           KAN_INT_VOLATILE(counter, cache, 0, 1000000),
           KAN_INT(counter, rolled, 0, 1000), KAN_REF(counter, owner));

struct add
{
    int64_t amount;
};
KAN_RECORD(add, 1, KAN_INT(add, amount, 1, 100));

struct total
{
    int64_t value;
};
KAN_RECORD(total, 1, KAN_INT(total, value, 0, 1000000));

KAN_RECORD_EMPTY(quiet);  /* add 1, and do not answer */
KAN_RECORD_EMPTY(keep);   /* remember who asks, and answer at the next add */
KAN_RECORD_EMPTY(warm);   /* set the cache */
KAN_RECORD_EMPTY(divide); /* by zero */
KAN_RECORD_EMPTY(touch);  /* what is not there */
KAN_RECORD_EMPTY(spin);   /* for ever */
KAN_RECORD_EMPTY(roll);   /* two dice */

/* A cell passes tokens round, so many hops. */
struct cell
{
    uint32_t received;
    uint32_t last[CASE_TOKENS]; /* the hop at which a token was seen last */
    bool here[CASE_TOKENS];     /* it has come to its end here */
};
KAN_RECORD(cell, 1, KAN_INT(cell, received, 0, 1000000),
           KAN_INTS(cell, last, 0, 100000),
           KAN_ARRAY(cell, here, KAN_FIELD_BOOL));

struct token
{
    uint32_t id;
    uint32_t hop;
    uint32_t hops;
};
KAN_RECORD(token, 1, KAN_INT(token, id, 0, CASE_TOKENS - 1),
           KAN_INT(token, hop, 0, 100000), KAN_INT(token, hops, 0, 100000));

/* A line of numbers from one actor to another, which must come in order. */
struct line
{
    uint32_t next;
};
KAN_RECORD(line, 1, KAN_INT(line, next, 0, 1000000));

struct burst
{
    uint32_t count;
    struct kan_ref to;
};
KAN_RECORD(burst, 1, KAN_INT(burst, count, 0, 64), KAN_REF(burst, to));

struct number
{
    uint32_t value;
};
KAN_RECORD(number, 1, KAN_INT(number, value, 0, 1000000));

/* A serial actor that asks others. */
struct asker
{
    uint32_t asked;
    uint32_t answered;
    uint32_t busy;    /* kan_failed, KAN_BUSY */
    uint32_t invalid; /* kan_failed, KAN_INVALID */
    uint32_t poked;
    uint32_t poked_within; /* while it waited */
    uint32_t rang;
    bool waits;
    struct kan_ref client;
};
KAN_RECORD(asker, 1, KAN_INT(asker, asked, 0, 1000),
           KAN_INT(asker, answered, 0, 1000), KAN_INT(asker, busy, 0, 1000),
           KAN_INT(asker, invalid, 0, 1000), KAN_INT(asker, poked, 0, 1000),
           KAN_INT(asker, poked_within, 0, 1000), KAN_INT(asker, rang, 0, 1000),
           KAN_BOOL(asker, waits), KAN_REF(asker, client));

/* Ask that one, who shall ask the one behind, ... */
struct ask
{
    struct kan_ref to;
    struct kan_ref then;
    uint32_t depth; /* ask askers d0, d1, ... so deep */
};
KAN_RECORD(ask, 1, KAN_REF(ask, to), KAN_REF(ask, then),
           KAN_INT(ask, depth, 0, 100));
KAN_RECORD_EMPTY(poke);
KAN_RECORD_EMPTY(done);

/* A clock that rings. */
struct clock
{
    uint32_t rings;
    int64_t at_ms;
    uint32_t burnt;
};
KAN_RECORD(clock, 1, KAN_INT(clock, rings, 0, 1000), KAN_TIME(clock, at_ms),
           KAN_INT(clock, burnt, 0, 1000));

struct arm
{
    uint32_t after_ms;
};
KAN_RECORD(arm, 1, KAN_INT(arm, after_ms, 0, 1000000));
KAN_RECORD_EMPTY(disarm);
KAN_RECORD_EMPTY(fuse); /* arm the timer whose handler crashes */

extern const struct kan_module actor_case;

/* A type named note in three versions of its state: 1; 2, which has an upgrade
 * from 1; 2 without it. */
struct mark
{
    int64_t value;
};
KAN_RECORD(mark, 1, KAN_INT(mark, value, 0, 1000));
extern const struct kan_module actor_case_v1;
extern const struct kan_module actor_case_v2;
extern const struct kan_module actor_case_v2_alone;

#endif /* BLOCK_ACTOR_ACTOR_CASE_H */
