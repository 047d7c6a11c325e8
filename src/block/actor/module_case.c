/* A module for each test: right, or wrong on purpose in the way that a macro
 * CASE_... names. */

#include <kan/actor.h>

#if defined(CASE_TIME)
#include <time.h>
#endif
#if defined(CASE_MALLOC) || defined(CASE_UNKNOWN)
#include <stdlib.h>
#endif
#if defined(CASE_PRINTF) || defined(CASE_STDOUT)
#include <stdio.h>
#endif

struct tally
{
    int64_t value;
    char text[40];
};
#ifdef CASE_TABLE
KAN_RECORD(tally, 1, KAN_INT(tally, value, 5, 3));
#else
KAN_RECORD(tally, 1, KAN_INT(tally, value, 0, 1000), KAN_TEXT(tally, text));
#endif

struct add
{
    int64_t amount;
    char text[40];
};
KAN_RECORD(add, 1, KAN_INT(add, amount, 0, 100), KAN_TEXT(add, text));

#ifdef CASE_TLS
static _Thread_local int64_t per_thread;
#endif
static int64_t all_calls;
int64_t open_calls;

#ifdef CASE_CONSTRUCTOR
__attribute__((constructor)) static void set_up(void)
{
    open_calls = 5;
}
#endif
#ifdef CASE_DESTRUCTOR
__attribute__((destructor)) static void tear_down(void)
{
    open_calls = 5;
}
#endif
#ifdef CASE_INIT
void own_init(void);
void own_init(void)
{
    open_calls = 5;
}
#endif
#ifdef CASE_IFUNC
static int64_t chosen(void)
{
    return 1;
}
static int64_t (*choose_one(void))(void)
{
    return chosen;
}
static int64_t either(void) __attribute__((ifunc("choose_one")));
#endif

static void on_add(kan_turn *turn, void *state, const void *message)
{
    static int64_t calls;
    struct tally *tally = state;
    const struct add *add = message;

    (void)turn;
    tally->value += add->amount;
    /* Sizes that are not constant, so that the C library is called. */
    memcpy(tally->text, add->text, strlen(add->text) + 1);
    if (add->amount == 1)
        calls++;
    if (add->amount == 2)
        all_calls++;
    if (add->amount == 3)
        open_calls++;
    tally->value += calls + all_calls;
#ifdef CASE_TLS
    tally->value += per_thread++;
#endif
#ifdef CASE_TIME
    tally->value = time(NULL) % 1000;
#endif
#ifdef CASE_MALLOC
    tally->value = malloc((size_t)add->amount) == NULL;
#endif
#ifdef CASE_UNKNOWN
    tally->value = system(add->text);
#endif
#ifdef CASE_PRINTF
    printf("%d\n", (int)add->amount);
#endif
#ifdef CASE_STDOUT
    tally->value = stdout == NULL;
#endif
#ifdef CASE_IFUNC
    tally->value = either();
#endif
}

static const struct kan_handler handlers[] = {{&add_record, on_add}};
static const struct kan_actor_type tally = {
    .name = "tally", .state = &tally_record, KAN_HANDLERS(handlers)};

#if defined(CASE_ABI) || defined(CASE_NOWHERE)
KAN_API extern const struct kan_module kan_module;
#endif

#if defined(CASE_EMPTY)
const struct kan_actor_type *nobody_asks = &tally;
#elif defined(CASE_ABI)
const struct kan_module kan_module = {7, NULL, 0, NULL};
#elif defined(CASE_NOWHERE)
static const struct kan_actor_type *const nowhere[] = {
    &tally, (const struct kan_actor_type *)64};
const struct kan_module kan_module = {KAN_MODULE_ABI, nowhere, 2, NULL};
#elif defined(CASE_TWICE)
KAN_ACTORS(&tally, &tally);
#else
KAN_ACTORS(&tally);
#endif
