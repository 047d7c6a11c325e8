/* Two that take two locks in opposite order: the Swiss cross of progress
 * squares, with the smallest deadlock there is. */

#include <kan/model.h>

struct lock
{
    uint8_t holder; /* person + 1; 0: nobody */
    uint8_t waiting;
};
KAN_RECORD(lock, 1, KAN_INT(lock, holder, 0, 2), KAN_INT(lock, waiting, 0, 2));

struct person
{
    uint8_t held;
};
KAN_RECORD(person, 1, KAN_INT(person, held, 0, 2));

KAN_RECORD_EMPTY(take);
KAN_RECORD_EMPTY(give);
KAN_RECORD_EMPTY(granted);

static void lock_take(kan_turn *turn, void *state, const void *message)
{
    struct lock *lock = state;
    uint8_t person = (uint8_t)(kan_ref_to_number(turn->sender) + 1);

    (void)message;
    if (lock->holder != 0) {
        lock->waiting = person;
        return;
    }
    lock->holder = person;
    kan_reply(turn, &granted_record, NULL);
}

static void lock_give(kan_turn *turn, void *state, const void *message)
{
    struct lock *lock = state;

    (void)message;
    lock->holder = lock->waiting;
    lock->waiting = 0;
    if (lock->holder != 0) {
        struct kan_ref next = kan_ref_number("person", lock->holder - 1u);
        kan_send(turn, &next, &granted_record, NULL);
    }
}

static void person_ask(kan_turn *turn, uint32_t which)
{
    struct kan_ref lock =
        kan_ref_number("lock", kan_ref_to_number(turn->self) ^ which);

    kan_send(turn, &lock, &take_record, NULL);
}

static void person_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    person_ask(turn, 0);
}

static void person_granted(kan_turn *turn, void *state, const void *message)
{
    struct person *person = state;

    (void)message;
    if (++person->held == 1) {
        person_ask(turn, 1);
        return;
    }
    for (uint32_t which = 0; which < 2; which++) {
        struct kan_ref lock =
            kan_ref_number("lock", kan_ref_to_number(turn->self) ^ which);
        kan_send(turn, &lock, &give_record, NULL);
    }
}

static const struct kan_handler lock_handlers[] = {{&take_record, lock_take},
                                                   {&give_record, lock_give}};
static const struct kan_handler person_handlers[] = {
    {&granted_record, person_granted}};
static const struct kan_actor_type lock_type = {
    .name = "lock", .state = &lock_record, KAN_HANDLERS(lock_handlers)};
static const struct kan_actor_type person_type = {
    .name = "person",
    .state = &person_record,
    .start = person_start,
    KAN_HANDLERS(person_handlers),
};

static void cross_setup(kan_setup *setup)
{
    for (uint32_t i = 0; i < 2; i++) {
        kan_setup_actor(setup, &person_type, i);
        kan_setup_actor(setup, &lock_type, i);
    }
}

static bool all_done(const kan_view *view)
{
    return ((const struct person *)view->states[0])->held == 2 &&
           ((const struct person *)view->states[2])->held == 2;
}

static const struct kan_model_property properties[] = {
    {.name = "all-done", .kind = KAN_FINALLY, .holds = all_done},
};

static const struct kan_model cross = {
    .name = "cross",
    .summary = "two locks, taken in opposite order",
    .setup = cross_setup,
    KAN_PROPERTIES(properties),
};

KAN_MODULE(&cross, &lock_type, &person_type);
