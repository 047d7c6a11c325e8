/* Accounts to test views in. */

#include "block/view/view_place.h"

#include <stdio.h>

const char bank_text[] = VIEW_ACCOUNT
    "    view bank over all {\n"
    "        accounts: count(open)\n"
    "        money:    sum(balance)\n"
    "        live:     count(status == open)\n"
    "        poorest:  min(balance)\n"
    "        richest:  max(balance)\n"
    "        deposits: count(deposit)\n"
    "        paid_in:  sum(deposit.amount)\n"
    "        least:    min(deposit.amount)\n"
    "        most:     max(deposit.amount)\n"
    "        newest:   last(deposit.amount)\n"
    "        owner:    last(open.name)\n"
    "        net:      sum(deposit.amount) - sum(withdraw.amount)\n"
    "    }\n"
    "}\n";

void views_open(struct place *place)
{
    struct view_options view = {.env = place->env,
                                .engine = place->engine,
                                .entities = place->host,
                                .prefix = kan_text("view||kan||"),
                                .data = place,
                                .trouble = place_trouble};
    struct view_host *views;
    struct buffer why = BUFFER_INIT;

    if (view_host_new(&view, &views, &why))
        fail_msg("%s", buffer_text(&why));
    buffer_fini(&why);
    place->above = views;
}

void views_close(struct place *place)
{
    bool closed = false;

    view_host_close(place->above, &closed, set_flag);
    run_closed(place, &closed);
    place->above = NULL;
}

void accounts_open_text(struct place *place, enum place_kind kind,
                        const char *text, uint64_t seed)
{
    place_begin(place, kind, text, seed);
    place->options.event = NULL;
    place->above_open = views_open;
    place->above_close = views_close;
    place_host(place);
    assert_int_equal(place->ready, KAN_OK);
}

void accounts_open(struct place *place, enum place_kind kind, uint64_t seed)
{
    accounts_open_text(place, kind, bank_text, seed);
}

void views_reload(struct place *place, const char *text)
{
    place_reload(place, text);
    view_host_reloaded(place->above);
}

enum entity_outcome take(struct place *place, const char *ref, const char *step,
                         const char *body, uint64_t *ret_revision)
{
    struct asked asked = call(place, ref, step, body);

    *ret_revision = asked.outcome == ENTITY_TAKEN ? asked.revision : 0;
    return asked.outcome;
}

/* --- reads ---------------------------------------------------------------- */

static void on_view(struct view_read *read)
{
    struct view_asked *asked = read->data;

    /* Never inside the call, and never twice. */
    assert_true(asked->submitted);
    assert_false(asked->done);
    asked->done = true;
    asked->err = read->err;
    asked->as_of = read->as_of;
    snprintf(asked->json, sizeof(asked->json), "%.*s", SLICE_ARG(read->json));
}

enum kan_err view_ask_try(struct place *place, struct view_asked *asked,
                          const char *view, uint64_t at_least)
{
    enum kan_err err;

    memset(asked, 0, sizeof(*asked));
    asked->read.data = asked;
    asked->read.type = kan_text("account");
    asked->read.view = kan_text(view);
    asked->read.at_least = at_least;
    err = view_read(place->above, &asked->read, on_view);
    asked->submitted = err == KAN_OK;
    return err;
}

void view_ask(struct place *place, struct view_asked *asked, const char *view,
              uint64_t at_least)
{
    assert_int_equal(view_ask_try(place, asked, view, at_least), KAN_OK);
}

struct view_asked view_ask_wait(struct place *place, uint64_t at_least)
{
    struct view_asked asked;

    view_ask(place, &asked, "bank", at_least);
    run_until(place, &asked.done);
    return asked;
}

void shows(struct place *place, uint64_t at_least, const char *json)
{
    struct view_asked asked = view_ask_wait(place, at_least);

    if (asked.err)
        fail_msg("%s", kan_err_name(asked.err));
    assert_string_equal(asked.json, json);
    assert_true(asked.as_of >= at_least);
}
