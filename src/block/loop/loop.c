/* The loop of C programs. */

#include "block/loop/loop.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "env/uv/uv.h"

enum
{
    LOOP_MAGIC = 0x10091009
};

struct kan_loop
{
    unsigned magic;
    struct env *env;
    bool borrowed; /* the env is not ours to free */
    bool running;
};

static enum kan_err loop_make(struct env *env, bool borrowed,
                              kan_loop **ret_loop)
{
    kan_loop *loop = mem_zalloc(sizeof(*loop));

    if (!loop)
        return KAN_NOMEM;
    loop->magic = LOOP_MAGIC;
    loop->env = env;
    loop->borrowed = borrowed;
    *ret_loop = loop;
    return KAN_OK;
}

enum kan_err loop_new_on(struct env *env, kan_loop **ret_loop)
{
    return loop_make(env, true, ret_loop);
}

enum kan_err kan_loop_new(kan_loop **ret_loop)
{
    struct env *env;
    enum kan_err err = env_uv_new(&env);

    if (err)
        return err;
    err = loop_make(env, false, ret_loop);
    if (err)
        env_free(env);
    return err;
}

kan_loop *kan_loop_free(kan_loop *loop)
{
    if (!loop)
        return NULL;
    check_magic(loop, LOOP_MAGIC);
    kan_assert(!loop->running);
    if (!loop->borrowed)
        env_free(loop->env);
    loop->magic = 0;
    return mem_free(loop);
}

struct env *loop_env(const kan_loop *loop)
{
    check_magic(loop, LOOP_MAGIC);
    return loop->env;
}

bool kan_loop_run(kan_loop *loop, enum kan_loop_mode mode)
{
    static const enum env_run_mode modes[] = {
        [KAN_LOOP_UNTIL_STOPPED] = ENV_RUN_UNTIL_STOPPED,
        [KAN_LOOP_ONCE] = ENV_RUN_ONCE,
        [KAN_LOOP_NOWAIT] = ENV_RUN_NOWAIT,
    };
    bool left;

    check_magic(loop, LOOP_MAGIC);
    kan_assert((unsigned)mode <= KAN_LOOP_NOWAIT);
    kan_assert(!loop->running); /* a callback must not wait */
    loop->running = true;
    left = env_run(loop->env, modes[mode]);
    loop->running = false;
    return left;
}

void loop_wait(kan_loop *loop, const bool *done)
{
    while (!*done) {
        bool left = kan_loop_run(loop, KAN_LOOP_ONCE);
        kan_assert(left || *done); /* a request that nobody will answer */
    }
}

void kan_loop_stop(kan_loop *loop)
{
    check_magic(loop, LOOP_MAGIC);
    env_stop(loop->env);
}

int kan_loop_fd(kan_loop *loop)
{
    return env_uv_fd(loop_env(loop));
}

int kan_loop_timeout_ms(kan_loop *loop)
{
    return env_uv_timeout_ms(loop_env(loop));
}

/* --- posts ---------------------------------------------------------------- */

/* How a post looks from the inside. */
struct post_part
{
    struct env_task task;
    kan_post_cb *cb;
};

_Static_assert(sizeof(struct post_part) <=
                   sizeof(((struct kan_post *)0)->reserved),
               "the task of a post fits into what kan/loop.h reserves");

static void post_run(struct env_task *task)
{
    struct kan_post *post = task->data;
    struct post_part *part = (void *)post->reserved;

    part->cb(post);
}

void kan_loop_post(kan_loop *loop, struct kan_post *post, kan_post_cb *cb)
{
    struct post_part *part = (void *)post->reserved;

    check_magic(loop, LOOP_MAGIC);
    part->cb = cb;
    part->task.data = post;
    env_post(loop->env, &part->task, post_run);
}
