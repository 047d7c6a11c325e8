/* parse.h - a checked head as a request, read by http-parser.
 *
 * The only place that knows that parser. It reads what head_check() has found
 * clean, and must agree with it on version, framing and target: a head that
 * two readers understand differently is refused. */

#ifndef WIRE_PARSE_H
#define WIRE_PARSE_H

#include "wire/head.h"
#include "wire/http.h"

/* Let the parser take heads of any size that our own limit lets through. */
void parse_setup(void);

/* Read a head that head_check() has accepted. request's slices point into it;
 * headers has room for HEAD_FIELDS_MAX. ret_keep_alive tells whether the client
 * may send another request behind this one. */
struct refusal parse_head(const struct head *head, struct http_request *request,
                          struct http_header *headers, bool *ret_keep_alive);

#endif /* WIRE_PARSE_H */
