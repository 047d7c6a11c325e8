/* target.h - the forms a request's target may have (RFC 9112, section 3.2) and
 * what a Host may be. Pure functions over borrowed bytes. */

#ifndef WIRE_TARGET_H
#define WIRE_TARGET_H

#include <kan/base.h>

/* Check a target of visible ASCII. NULL when it may be served, else a reason.
 * ret_origin is its path and query: the target itself in origin form; what
 * follows the authority in absolute form ("/" when nothing does); "*" for
 * OPTIONS *. ret_authority is that of the absolute form, else empty. */
const char *target_check(struct kan_slice target, struct kan_slice method,
                         struct kan_slice *ret_origin,
                         struct kan_slice *ret_authority);

/* Whether value is a host with or without a port, as RFC 3986 writes them; not
 * empty, and no comma, so that nobody can take it for a list. */
bool target_host_valid(struct kan_slice value);

/* Cut an origin at its first question mark. */
void target_split(struct kan_slice origin, struct kan_slice *ret_path,
                  struct kan_slice *ret_query);

#endif /* WIRE_TARGET_H */
