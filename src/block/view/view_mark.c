/* Marks: a reader who waits for a revision of which the feed of the type says
 * nothing has one written into it, and what comes before it has been heard. */

#include "block/view/view_host.h"

/* The least revision that somebody waits for, and that the feed has not come
 * to; 0: none. */
static uint64_t wanted(const struct view_follower *follower)
{
    uint64_t least = 0;

    if (follower->stopping || follower->phase != VIEW_WORKING ||
        follower->place.scanning)
        return 0;
    if (follower->queued < follower->place.need)
        return follower->place.need;
    for (struct list *link = follower->readers.next; link != &follower->readers;
         link = link->next) {
        struct view_read *read = list_entry(link, struct view_read, link);
        if (read->at_least > follower->queued &&
            (least == 0 || read->at_least < least))
            least = read->at_least;
    }
    return least;
}

static void marked(struct view_follower *follower)
{
    follower->marking = false;
    view_nudge_later(follower);
    view_follower_hurry(follower);
}

static void on_mark(struct engine_commit *commit, enum kan_err err)
{
    (void)err; /* the feed tells, or the next one */
    marked(commit->request.data);
}

static void mark(struct view_follower *follower)
{
    struct engine_write write = {.kind = ENGINE_PUT,
                                 .key = buffer_slice(&follower->mark_key)};

    memset(&follower->mark, 0, sizeof(follower->mark));
    follower->mark.request.data = follower;
    follower->mark.writes = &write;
    follower->mark.write_count = 1;
    follower->marking = engine_commit(follower->host->engine, &follower->mark,
                                      on_mark) == KAN_OK;
    if (!follower->marking)
        view_nudge_later(follower);
}

/* A revision that is yet to come needs no mark. */
static void on_ask(struct engine_get *get, enum kan_err err)
{
    struct view_follower *follower = get->request.data;
    uint64_t least = wanted(follower);

    follower->marking = false;
    follower->asking = false;
    if (err == KAN_OK && least && get->revision >= least)
        mark(follower);
    else
        marked(follower);
}

static void on_nudge(struct env_timer *timer)
{
    struct view_follower *follower = timer->data;
    struct kan_slice key = buffer_slice(&follower->mark_key);

    if (follower->marking || wanted(follower) == 0)
        return;
    memset(&follower->ask, 0, sizeof(follower->ask));
    follower->ask.request.data = follower;
    follower->ask.keys = &key;
    follower->ask.key_count = 1;
    follower->marking =
        engine_get(follower->host->engine, &follower->ask, on_ask) == KAN_OK;
    follower->asking = follower->marking;
    if (!follower->marking)
        view_nudge_later(follower);
}

void view_nudge_later(struct view_follower *follower)
{
    uint64_t ms = VIEW_NUDGE_MS;

    if (wanted(follower) == 0) {
        follower->nudges = 0;
        return;
    }
    if (follower->marking || env_timer_armed(&follower->nudge))
        return;
    for (uint32_t i = 0; i < follower->nudges && ms < VIEW_AGAIN_MS; i++)
        ms *= 2;
    if (!follower->readable && follower->nudges == 0)
        ms = 0;
    follower->nudges++;
    /* Without memory for it, the next piece of work tries again. */
    if (env_timer_start(follower->host->env, &follower->nudge,
                        env_now(follower->host->env) + ms * ENV_MS, on_nudge))
        return;
}
