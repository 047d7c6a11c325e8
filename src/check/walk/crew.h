/* crew.h - threads that do one piece of work together, again and again.
 *
 * Between two pieces all of them wait. Within one, a member may ask to be
 * alone for a moment. Internal to the module, and the one place of it that
 * knows threads. */

#ifndef CHECK_WALK_CREW_H
#define CHECK_WALK_CREW_H

#include <kan/base.h>

struct crew;

/* What each member does; members are numbered from 0. */
typedef void crew_work_cb(void *data, uint32_t member);

/* The caller is member 0; a thread is started for each other one. KAN_NOMEM,
 * KAN_BUSY (no more threads can be had). Yours: crew_free(). */
KAN_MUST_USE enum kan_err crew_new(uint32_t count, crew_work_cb *work,
                                   void *data, struct crew **ret_crew);
struct crew *crew_free(struct crew *crew);

/* Have every member work once. Returns when all have; what they wrote can be
 * read then, and what is written before can be read by them. */
void crew_run(struct crew *crew);

/* In work: let others be alone who want to be. Cheap when nobody does. */
void crew_yield(struct crew *crew);

/* In work: run cb while every other member is in crew_yield() or crew_alone(),
 * or has ended its work. */
void crew_alone(struct crew *crew, void (*cb)(void *data), void *data);

#endif /* CHECK_WALK_CREW_H */
