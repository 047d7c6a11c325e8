/* lock_line.h - the rules of waiting: who of those who want one resource in one
 * process may try next, and when.
 *
 * First come, first served. Only the first in line tries; the others would be
 * told the same. A resource that is known to be held is tried again when the
 * engine reports that it was freed, and every LOCK_POLL_MS in case a report was
 * lost. A wake-up that comes while a try is under way is remembered. Whoever
 * does not wait is told LOCK_HELD as soon as that is known, also when the
 * resource is free and others wait for it: they came first.
 *
 * As lock_core.h: a plain struct, bounded and without pointers, stepped by a
 * pure function. */

#ifndef BLOCK_LOCK_LOCK_LINE_H
#define BLOCK_LOCK_LOCK_LINE_H

#include <kan/base.h>

#include "block/lock/lock_core.h"

enum
{
    LOCK_LINE_MAX = 64,    /* who wants one resource in one process */
    LOCK_POLL_MS = 1000,   /* a held resource is tried at least so often */
    LOCK_LINE_EFFECTS = 16 /* of one step */
};

/* One who wants the resource. */
struct lock_place
{
    uint64_t ticket;   /* names it; never 0, and growing */
    uint64_t until_ns; /* when it stops waiting */
    bool patient;      /* wait while it is held */
};

enum lock_line_phase
{
    LOCK_LINE_OPEN,   /* nothing is known: the first may try */
    LOCK_LINE_TRYING, /* the first is trying */
    LOCK_LINE_HELD    /* it is held: wait to be woken, or for poll_ns */
};

struct lock_line
{
    enum lock_line_phase phase;
    bool woken;       /* TRYING: freed meanwhile, so HELD may be stale */
    uint64_t poll_ns; /* HELD */
    uint32_t count;
    struct lock_place places[LOCK_LINE_MAX]; /* in order of coming */
};

enum lock_line_event_kind
{
    LOCK_LINE_JOIN,  /* place; the line must not be full */
    LOCK_LINE_LEAVE, /* ticket: it wants no more, and needs no answer */
    LOCK_LINE_TRIED, /* ticket's try ended with outcome, err */
    LOCK_LINE_WAKE,  /* the resource was freed, or may have been */
    LOCK_LINE_TIMER
};

struct lock_line_event
{
    enum lock_line_event_kind kind;
    uint64_t now_ns;
    struct lock_place place;   /* JOIN */
    uint64_t ticket;           /* LEAVE, TRIED */
    enum lock_outcome outcome; /* TRIED: OK, HELD or FAILED */
    enum kan_err err;          /* TRIED with FAILED */
};

enum lock_line_effect_kind
{
    LOCK_LINE_TRY,    /* begin the try of ticket, until until_ns */
    LOCK_LINE_DROP,   /* nobody wants the try of ticket any more: cancel it */
    LOCK_LINE_ANSWER, /* to ticket: outcome, err. It has left the line. OK comes
                       * with what its try was granted */
    LOCK_LINE_ALARM   /* call with TIMER at due_ns; moves an earlier one */
};

struct lock_line_effect
{
    enum lock_line_effect_kind kind;
    uint64_t ticket;
    uint64_t until_ns;         /* TRY */
    uint64_t due_ns;           /* ALARM */
    enum lock_outcome outcome; /* ANSWER */
    enum kan_err err;          /* ANSWER with LOCK_FAILED */
};

struct lock_line_step
{
    struct lock_line line;
    uint32_t effect_count;
    struct lock_line_effect effects[LOCK_LINE_EFFECTS];
};

/* A zeroed struct lock_line is an empty one. */
struct lock_line_step lock_line_step(struct lock_line line,
                                     struct lock_line_event event);

#endif /* BLOCK_LOCK_LOCK_LINE_H */
