/* Clients: each asks for one thing after the other, with a number, and asks
 * again with the same number until it has an answer. */

#include <stdio.h>

#include "base/alloc.h"
#include "base/record.h"
#include "check/sim/real.h"

enum
{
    THINK_US = 10000,   /* between two requests, at most */
    RETRY_MS = 300,     /* until it asks again */
    DEADLINE_MS = 5000, /* of one call */
    RESTING_MS = 20     /* while there is nobody to ask */
};

static void on_timer(struct env_timer *timer);

static void wake_in(struct real_client *client, uint64_t after_ns)
{
    struct env *outside = client->run->outside;

    if (env_timer_start(outside, &client->timer, env_now(outside) + after_ns,
                        on_timer) != KAN_OK)
        client->run->err = KAN_NOMEM;
}

/* --- what to ask ---------------------------------------------------------- */

static bool set_request(struct real_client *client, const struct kan_ref *to,
                        const struct kan_record *record, const void *bytes)
{
    struct real_run *run = client->run;

    buffer_clear(&client->memory);
    buffer_clear(&client->json);
    buffer_clear(&client->answer);
    if (record->size > 0) {
        buffer_append(&client->memory, kan_slice(bytes, record->size));
        if (record_to_json(record, bytes, &client->json) != KAN_OK)
            run->err = KAN_NOMEM;
    }
    if (buffer_failed(&client->memory))
        run->err = KAN_NOMEM;
    client->to = *to;
    client->record = record;
    client->bytes = buffer_slice(&client->memory);
    client->number++;
    client->waiting = true;
    client->taken = false;
    client->unsure = false;
    client->answered = false;
    client->tries_made = 0;
    return run->err == KAN_OK;
}

/* One of what the model's setup still allows; false when that is nothing. */
static bool draw_of_model(struct real_client *client)
{
    struct real_run *run = client->run;
    const struct real_cast *cast = run->simulator->cast;
    uint32_t open = 0;
    uint32_t place;

    for (uint32_t i = 0; i < cast->request_count; i++)
        open += run->left[i] > 0;
    if (open == 0)
        return false;
    place = draw_below(run->tape, open);
    for (uint32_t i = 0; i < cast->request_count; i++) {
        const struct real_request *request = &cast->requests[i];
        if (run->left[i] == 0 || place-- > 0)
            continue;
        run->left[i]--;
        return set_request(client, &request->to, request->record,
                           request->bytes);
    }
    return false;
}

static bool draw_request(struct real_client *client)
{
    struct real_run *run = client->run;
    const struct kan_record *record;
    struct kan_ref to;
    struct buffer bytes = BUFFER_INIT;
    bool drawn;

    if (run->simulator->model)
        return draw_of_model(client);
    if (buffer_reserve(&bytes, KAN_RECORD_SIZE_MAX) != KAN_OK) {
        run->err = KAN_NOMEM;
        return false;
    }
    real_cast_draw(run->simulator->cast, run->tape, &to, &record, bytes.bytes);
    drawn = set_request(client, &to, record, bytes.bytes);
    buffer_fini(&bytes);
    return drawn;
}

/* --- answers -------------------------------------------------------------- */

static void ask_next(struct real_client *client)
{
    client->waiting = false;
    if (client->left > 0)
        wake_in(client,
                draw_below(client->run->tape, THINK_US + 1) * UINT64_C(1000));
}

/* What was answered, as text. An answer from memory comes as text already. */
static void read_answer(const struct actor_call *call, struct buffer *out)
{
    if (call->record && call->record->size > 0)
        (void)!record_to_json(call->record, call->message, out);
    else if (call->record)
        buffer_append_text(out, call->record->name);
    else
        buffer_append(out, call->text);
}

/* Whatever is answered to one number, it is the same. What is kept in memory
 * may be less than what was said at first: then it is empty. */
static void hold_against_first(struct real_client *client,
                               const struct actor_call *call)
{
    struct real_run *run = client->run;
    struct buffer answer = BUFFER_INIT;

    read_answer(call, &answer);
    if (!client->answered) {
        buffer_append(&client->answer, buffer_slice(&answer));
        client->outcome = call->outcome;
        client->answered = true;
    } else if (call->outcome != client->outcome ||
               (answer.size > 0 && client->answer.size > 0 && call->record &&
                !slice_equal(buffer_slice(&answer),
                             buffer_slice(&client->answer)))) {
        run_fails(run->result, "exactly-once",
                  "%s answers call %llu of %s with '%.*s', and before with "
                  "'%.*s'",
                  client->to.text, (unsigned long long)client->number,
                  client->sender, SLICE_ARG(buffer_slice(&answer)),
                  SLICE_ARG(buffer_slice(&client->answer)));
    } else {
        run->simulator->counts.probes[SIMULATE_PROBE_REMEMBERED]++;
    }
    buffer_fini(&answer);
}

static bool same_request(const struct real_client *a,
                         const struct real_client *b)
{
    return a->record == b->record && kan_ref_equal(&a->to, &b->to) &&
           slice_equal(a->bytes, b->bytes);
}

/* Events do not name the client. Of two who ask for the same it was the other
 * one's message that was seen to be taken, when only this one has an answer. */
static void exchange_taken(struct real_client *client)
{
    struct real_run *run = client->run;

    for (uint32_t i = 0; !client->taken && i < run->client_count; i++) {
        struct real_client *other = &run->clients[i];
        if (!other->waiting || !other->taken || other->answered ||
            !same_request(client, other))
            continue;
        other->taken = false;
        client->taken = true;
    }
}

static void take_answer(struct real_client *client,
                        const struct actor_call *call)
{
    struct real_run *run = client->run;
    struct simulate_counts *counts = &run->simulator->counts;

    hold_against_first(client, call);
    exchange_taken(client);
    if (!client->taken && !client->unsure)
        run_fails(run->result, "exactly-once",
                  "%s answers call %llu of %s, and has not taken it",
                  client->to.text, (unsigned long long)client->number,
                  client->sender);
    if (!run->calm && real_strikes(run, run->knobs.lost_rate)) {
        counts->faults[SIMULATE_LOST]++;
        return; /* the timer asks again */
    }
    if (!run->calm && real_strikes(run, run->knobs.late_rate)) {
        counts->faults[SIMULATE_LATE]++;
        wake_in(client, 0);
        return;
    }
    real_note(run, "# %s is answered", client->sender);
    env_timer_stop(run->outside, &client->timer);
    ask_next(client);
}

static void on_answer(struct actor_call *call)
{
    struct real_try *try = call->data;
    struct real_client *client = try->client;
    struct real_run *run = client->run;

    try->busy = false;
    if (run->dead || sim_dead(run->env) || !real_going(run) ||
        !client->waiting || call->number != client->number)
        return;
    switch (call->outcome) {
    case ACTOR_ANSWERED:
    case ACTOR_REFUSED:
        take_answer(client, call);
        break;
    case ACTOR_CRASHED:
    case ACTOR_PARKED:
        run_fails(run->result, "handler", "%.*s", SLICE_ARG(call->text));
        break;
    case ACTOR_FAILED:
        run->broken |= kan_err_class(call->err) == KAN_CLASS_BROKEN;
        break; /* the timer asks again */
    case ACTOR_NO_TYPE:
    case ACTOR_NO_METHOD:
    case ACTOR_ID_ILLEGAL:
    case ACTOR_BODY_INVALID:
        run_fails(run->result, "driver",
                  "%s refuses a message of its own kind, %s: %.*s",
                  client->to.text, client->record->name, SLICE_ARG(call->text));
        break;
    }
}

/* --- asking --------------------------------------------------------------- */

static void ask(struct real_client *client)
{
    struct real_run *run = client->run;
    struct kan_slice id = kan_text(client->to.text);
    struct real_try *try = &client->tries[0];
    struct kan_slice type;

    while (try < &client->tries[REAL_TRIES] && try->busy)
        try++;
    if (try == &client->tries[REAL_TRIES])
        return;
    slice_cut(&id, '/', &type);
    memset(&try->call, 0, sizeof try->call);
    try->client = client;
    try->call.data = try;
    try->call.type = type;
    try->call.id = id;
    try->call.method = kan_text(client->record->name);
    try->call.body = buffer_slice(&client->json);
    try->call.sender = kan_text(client->sender);
    try->call.number = client->number;
    try->call.deadline_ns = env_now(run->env) + (uint64_t)DEADLINE_MS * ENV_MS;
    client->tries_made++;
    enum kan_err err = actor_call(run->host, &try->call, on_answer);
    try->busy = err == KAN_OK;
    if (err == KAN_NOMEM)
        run->err = err;
    run->broken |= err && kan_err_class(err) == KAN_CLASS_BROKEN;
}

static void send_request(struct real_client *client)
{
    struct real_run *run = client->run;

    if (!run->host || run->dead || run->broken) {
        wake_in(client, RESTING_MS * ENV_MS);
        return;
    }
    ask(client);
    if (!run->calm && real_strikes(run, run->knobs.doubled_rate)) {
        run->simulator->counts.faults[SIMULATE_DOUBLED]++;
        ask(client);
    }
    wake_in(client, RETRY_MS * ENV_MS);
}

static void on_timer(struct env_timer *timer)
{
    struct real_client *client = timer->data;

    if (!real_going(client->run))
        return;
    if (!client->waiting) {
        if (client->left == 0)
            return;
        client->left--;
        if (!draw_request(client)) {
            client->left = 0;
            return;
        }
    }
    send_request(client);
}

bool real_client_send(struct real_run *run, const struct kan_ref *to,
                      const struct kan_record *record, const void *bytes)
{
    for (uint32_t i = 0; i < run->client_count; i++) {
        struct real_client *client = &run->clients[i];
        if (client->waiting)
            continue;
        if (set_request(client, to, record, bytes))
            send_request(client);
        return true;
    }
    return false;
}

/* --- what became of it ---------------------------------------------------- */

bool real_client_took(struct real_run *run, const struct actor_event *event,
                      uint32_t *ret_client)
{
    for (uint32_t i = 0; i < run->client_count; i++) {
        struct real_client *client = &run->clients[i];
        if (!client->waiting || client->taken ||
            !kan_ref_equal(&client->to, &event->actor) ||
            strcmp(client->record->name, event->name) != 0 ||
            (client->bytes.size > 0 &&
             memcmp(client->bytes.bytes, event->message, client->bytes.size) !=
                 0))
            continue;
        client->taken = true;
        *ret_client = i;
        return true;
    }
    return false;
}

void real_clients_lost(struct real_run *run)
{
    for (uint32_t i = 0; i < run->client_count; i++)
        run->clients[i].unsure |= run->clients[i].waiting;
}

bool real_clients_done(const struct real_run *run)
{
    for (uint32_t i = 0; i < run->client_count; i++) {
        if (run->clients[i].waiting || run->clients[i].left > 0)
            return false;
    }
    return true;
}

/* --- life cycle ----------------------------------------------------------- */

void real_clients_init(struct real_run *run, uint32_t count, uint32_t requests)
{
    for (uint32_t i = 0; i < count; i++) {
        struct real_client *client = &run->clients[i];
        client->run = run;
        client->index = i;
        client->left = requests;
        client->timer.data = client;
        (void)snprintf(client->sender, sizeof client->sender, "sim-%u", i);
        if (requests > 0)
            ask_next(client);
    }
    run->client_count = count;
}

void real_clients_fini(struct real_run *run)
{
    for (uint32_t i = 0; i < run->client_count; i++) {
        struct real_client *client = &run->clients[i];
        env_timer_stop(run->outside, &client->timer);
        buffer_fini(&client->memory);
        buffer_fini(&client->json);
        buffer_fini(&client->answer);
    }
}
