/* entity_fail.c - what an entity answers when it does not do what was asked.
 *
 * What is wrong with a request is an error as Dapr words it; what the entity,
 * its past or its version forbids is a problem document (problem.h). */

#include "serve/http/entity.h"

#include "base/suggest.h"
#include "serve/http/problem.h"

enum
{
    NAMES_MAX = 32 /* that are looked through, or listed */
};

static const struct contract *contract_of(const struct serve *serve)
{
    return entity_host_contract(serve->options.contracts->entities);
}

/* --- names that are not there --------------------------------------------- */

/* "; did you mean 'a'?", or "; it has a, b" of those that there are. */
static void append_names(struct buffer *out, struct kan_slice asked,
                         const struct kan_slice *names, uint32_t count)
{
    char texts[NAMES_MAX][SOURCE_NAME_MAX + 1];
    const char *candidates[NAMES_MAX] = {NULL};
    for (uint32_t i = 0; i < count; i++) {
        struct kan_slice name = slice_head(names[i], SOURCE_NAME_MAX);
        memcpy(texts[i], name.bytes, name.size);
        texts[i][name.size] = 0;
        candidates[i] = texts[i];
    }
    const char *nearest = suggest_nearest(asked, candidates, count);
    if (nearest) {
        buffer_print(out, "; did you mean '%s'?", nearest);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        buffer_print(out, i ? ", %s" : "; there is %s", texts[i]);
}

static void fail_no_type(struct call *call)
{
    struct kan_slice type = call->params[0];
    const struct contract *contract = contract_of(call->serve);
    struct kan_slice names[NAMES_MAX];
    uint32_t count = contract_type_count(contract);
    struct buffer text = BUFFER_INIT;
    if (count > NAMES_MAX)
        count = NAMES_MAX;
    for (uint32_t i = 0; i < count; i++)
        names[i] = contract_type_name(contract, i);
    append_names(&text, type, names, count);
    bool own = (call->route->versions & KAN_V1) != 0;
    call_fail_basic(call, own ? ERROR_ENTITY_NO_TYPE : ERROR_ACTOR_NO_ADDRESS,
                    "no contract has the type '%.*s'%s", SLICE_ARG(type),
                    buffer_text(&text));
    buffer_fini(&text);
}

/* The steps that a caller may take, of the newest version. */
static void fail_no_step(struct call *call)
{
    struct kan_slice type = call->params[0];
    struct kan_slice step = call->params[2];
    const struct contract *contract = contract_of(call->serve);
    int32_t number = contract_type_find(contract, type);
    struct kan_slice names[NAMES_MAX];
    struct buffer text = BUFFER_INIT;
    uint32_t count = 0;
    bool internal = false;
    bool later = false;
    const struct program *program =
        number < 0 ? NULL : contract_program(contract, (uint32_t)number, 0);
    uint32_t steps = program ? program_step_count(program) : 0;
    for (uint32_t i = 0; i < steps; i++) {
        struct program_step one = program_step(program, i);
        later = later || (!one.internal && slice_equal(one.name, step));
        if (one.internal && slice_equal(one.name, step))
            internal = true;
        else if (!one.internal && count < NAMES_MAX)
            names[count++] = one.name;
    }
    if (internal)
        buffer_append_text(&text, "; it is internal: sagas alone take it");
    else if (later)
        buffer_append_text(&text, " in the version asked for; a later one has");
    else
        append_names(&text, step, names, count);
    call_fail_basic(call, ERROR_ENTITY_NO_STEP, "%.*s has no step '%.*s'%s",
                    SLICE_ARG(type), SLICE_ARG(step), buffer_text(&text));
    buffer_fini(&text);
}

static const char *failed_text(const struct call *call)
{
    switch (call->context) {
    case ERROR_ENTITY_STEP:
        return "the step failed";
    case ERROR_VIEW_READ:
        return "the view could not be read";
    default:
        return "the entity could not be read";
    }
}

static void fail_err(struct call *call, enum kan_err err, struct kan_slice text)
{
    if (err == KAN_NOMEM) {
        call_overloaded(call);
        return;
    }
    if (err == KAN_CLOSED) {
        call_fail_basic(call, ERROR_ENTITY_CLOSED,
                        "Kan is closing: nothing was done");
        return;
    }
    if (err == KAN_BUSY) {
        call_fail_basic(call, ERROR_OVERLOADED,
                        "too many requests wait for entities: nothing was "
                        "done, try again");
        return;
    }
    bool unknown = call->context == ERROR_ENTITY_STEP &&
                   kan_err_class(err) == KAN_CLASS_UNKNOWN;
    call_fail_basic(call, call->context, "%s: %s%.*s", failed_text(call),
                    unknown ? "it may have been taken all the same; with an "
                              "Idempotency-Key it can be repeated safely: "
                            : "",
                    SLICE_ARG(text.size ? text : kan_text(kan_err_text(err))));
}

/* text: of a past that is not there, of an entity that may be. */
static void fail_not_found(struct call *call, struct kan_slice text)
{
    call_fail_basic(call, ERROR_ENTITY_NOT_FOUND, "%s%.*s '%.*s'%s%.*s",
                    text.size ? "" : "there is no ", SLICE_ARG(call->params[0]),
                    SLICE_ARG(call->params[1]), text.size ? ": " : "",
                    SLICE_ARG(text));
}

void entity_fail_problem(struct call *call, enum error_name name,
                         const char *kind, const char *title,
                         struct kan_slice text)
{
    problem_fail(call, &(const struct problem){
                           .name = name,
                           .kind = kind,
                           .title = title,
                           .detail = text.size ? text : kan_text(title)});
}

void entity_fail(struct call *call, enum entity_outcome outcome,
                 enum kan_err err, struct kan_slice text)
{
    switch (outcome) {
    case ENTITY_NO_TYPE:
        fail_no_type(call);
        return;
    case ENTITY_NO_STEP:
        fail_no_step(call);
        return;
    case ENTITY_GONE:
        entity_fail_problem(call, ERROR_ENTITY_GONE, "step-gone",
                            "The step is not in the version that runs", text);
        return;
    case ENTITY_NO_VERSION:
        call_fail_basic(
            call, ERROR_ENTITY_NO_VERSION, "%.*s",
            SLICE_ARG(text.size ? text
                                : SLICE("there is no such version, or no way "
                                        "back to it")));
        return;
    case ENTITY_ID_ILLEGAL:
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: '%.*s' is no id: it is 1 to %d bytes "
                        "of UTF-8 without control characters and / ? # \\",
                        SLICE_ARG(call->params[1]), ENTITY_ID_MAX);
        return;
    case ENTITY_BODY_INVALID:
        call_fail_basic(call, ERROR_MALFORMED, "%.*s", SLICE_ARG(text));
        return;
    case ENTITY_KEY_INVALID:
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: an Idempotency-Key has 1 to %d bytes",
                        ENTITY_KEY_MAX);
        return;
    case ENTITY_KEY_REUSED:
        entity_fail_problem(call, ERROR_KEY_REUSED, "idempotency-key-reused",
                            "The idempotency key was used for another request",
                            text);
        return;
    case ENTITY_NOTFOUND:
        fail_not_found(call, text);
        return;
    case ENTITY_ERASED_PAST:
        entity_fail_problem(call, ERROR_ENTITY_GONE, "erased",
                            "What is asked for was erased", text);
        return;
    default:
        fail_err(call, err, text);
        return;
    }
}

void entity_fail_stale(struct call *call, uint64_t n)
{
    buffer_clear(&call->text);
    buffer_print(&call->text, "the entity is at n %llu", (unsigned long long)n);
    const struct problem problem = {.name = ERROR_ENTITY_STALE,
                                    .kind = "stale",
                                    .title = "If-Match is not the entity's n",
                                    .detail = buffer_slice(&call->text)};
    problem_begin(call, &problem);
    problem_number(call, "n", (int64_t)n);
    problem_answer(call, &problem);
}

/* --- refusals ------------------------------------------------------------- */

static const struct
{
    const char *kind;
    const char *title;
} refusals[] = {
    [PROGRAM_OK] = {"refused", "The step is refused"},
    [PROGRAM_GUARD] = {"guard", "A guard forbids the step"},
    [PROGRAM_REQUIRE] = {"require", "The step requires what is not so"},
    [PROGRAM_INVARIANT] = {"invariant", "The step would break an invariant"},
    [PROGRAM_BOUND] = {"bound", "A number would leave its range"},
    [PROGRAM_OVERFLOW] = {"overflow", "A number would not fit into 64 bits"},
    [PROGRAM_DIVIDE] = {"division", "A division by zero"},
    [PROGRAM_MISSING] = {"missing", "A key is not in its map"},
    [PROGRAM_FULL] = {"full", "A set or a map is full"},
    [PROGRAM_LENGTH] = {"length", "A text is too long"},
};

/* What was named in the contract, by what it is. */
static void append_refusal(struct call *call,
                           const struct program_refusal *refusal)
{
    switch (refusal->kind) {
    case PROGRAM_GUARD:
        problem_text(call, "guard", refusal->source);
        break;
    case PROGRAM_REQUIRE:
        problem_text(call, "require", refusal->source);
        break;
    case PROGRAM_INVARIANT:
        problem_text(call, "invariant", refusal->name);
        problem_text(call, "condition", refusal->source);
        break;
    case PROGRAM_BOUND:
        problem_text(call, "field", refusal->name);
        problem_number(call, "value", refusal->value);
        problem_number(call, "min", refusal->min);
        problem_number(call, "max", refusal->max);
        break;
    case PROGRAM_FULL:
    case PROGRAM_LENGTH:
        problem_text(call, "field", refusal->name);
        problem_number(call, "max", refusal->max);
        break;
    case PROGRAM_MISSING:
        problem_text(call, "field", refusal->name);
        break;
    default:
        if (refusal->name.size)
            problem_text(call, "field", refusal->name);
        if (refusal->source.size)
            problem_text(call, "expression", refusal->source);
        break;
    }
}

static void append_values(struct call *call, struct kan_slice values)
{
    json_append_name(&call->out, "values");
    buffer_append(&call->out, values.size ? values : SLICE("{}"));
}

void entity_fail_unfit(struct call *call, struct kan_slice step, uint32_t unfit,
                       const struct program_refusal *refusal,
                       struct kan_slice values, struct kan_slice text)
{
    const struct problem problem = {
        .name = ERROR_ENTITY_REFUSED,
        .kind = "upgrade",
        .title = "The entity does not fit into that version",
        .detail = text};
    problem_begin(call, &problem);
    if (step.size)
        problem_text(call, "step", step);
    problem_number(call, "version", unfit);
    append_refusal(call, refusal);
    append_values(call, values);
    problem_answer(call, &problem);
}

void entity_fail_refused(struct call *call, const struct entity_call *step)
{
    const struct program_refusal *refusal = &step->refusal;
    const struct problem problem = {.name = ERROR_ENTITY_REFUSED,
                                    .kind = refusals[refusal->kind].kind,
                                    .title = refusals[refusal->kind].title,
                                    .detail = step->text};
    problem_begin(call, &problem);
    problem_text(call, "step", step->step);
    append_refusal(call, refusal);
    append_values(call, step->values);
    problem_answer(call, &problem);
}
