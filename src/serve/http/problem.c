/* problem.c - see problem.h. */

#include "serve/http/problem.h"

static int status_of(const struct problem *problem)
{
    return error_status(&(const struct error_report){.name = problem->name});
}

void problem_text(struct call *call, const char *name, struct kan_slice text)
{
    json_append_name(&call->out, name);
    json_append_string(&call->out, text);
}

/* As all numbers of the API: what a double cannot hold is a string. */
void problem_number(struct call *call, const char *name, int64_t number)
{
    const int64_t exact = INT64_C(1) << 53;
    bool plain = number >= -exact && number <= exact;
    json_append_name(&call->out, name);
    buffer_print(&call->out, plain ? "%lld" : "\"%lld\"", (long long)number);
}

void problem_begin(struct call *call, const struct problem *problem)
{
    struct buffer *out = &call->out;
    buffer_clear(out);
    buffer_print(out, "{\"type\":\"urn:kan:problem:%s\"", problem->kind);
    problem_text(call, "title", kan_text(problem->title));
    problem_number(call, "status", status_of(problem));
    problem_text(call, "detail", problem->detail);
    problem_text(call, "instance", call->request->path);
    problem_text(call, "errorCode", kan_text(error_code(problem->name)));
    problem_text(call, "message", problem->detail);
}

void problem_answer(struct call *call, const struct problem *problem)
{
    buffer_append_byte(&call->out, '}');
    if (buffer_failed(&call->out)) {
        /* The status tells most of it, and may not be lost. */
        call_answer(call, status_of(problem), "application/problem+json",
                    SLICE(""),
                    SLICE("{\"errorCode\":\"ERR_OVERLOADED\",\"message\":"
                          "\"out of memory for the error's text\"}"));
        return;
    }
    call_answer(call, status_of(problem), "application/problem+json", SLICE(""),
                buffer_slice(&call->out));
}

void problem_fail(struct call *call, const struct problem *problem)
{
    problem_begin(call, problem);
    problem_answer(call, problem);
}
