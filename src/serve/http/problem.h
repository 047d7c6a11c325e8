/* problem.h - problem documents (RFC 9457), for what an entity or a saga
 * refuses.
 *
 * They carry errorCode and message as well, as all errors of the API do, so
 * that a client made for Dapr shows why. */

#ifndef SERVE_HTTP_PROBLEM_H
#define SERVE_HTTP_PROBLEM_H

#include "serve/http/call.h"

struct problem
{
    enum error_name name; /* errorCode, and the status */
    const char *kind;     /* type: "urn:kan:problem:" and this */
    const char *title;    /* the same for all of a kind */
    struct kan_slice detail;
};

/* Begin the document in call->out. More members may be appended there before
 * problem_answer() sends it. */
void problem_begin(struct call *call, const struct problem *problem);

void problem_text(struct call *call, const char *name, struct kan_slice text);
void problem_number(struct call *call, const char *name, int64_t number);

/* The call is gone afterwards. */
void problem_answer(struct call *call, const struct problem *problem);

/* Both, without more members. */
void problem_fail(struct call *call, const struct problem *problem);

#endif /* SERVE_HTTP_PROBLEM_H */
