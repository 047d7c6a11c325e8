/* picture.h - a progress square as a page: one HTML file that needs nothing
 * else, in which the run is a staircase that can be dragged. */

#ifndef CHECK_DRAW_PICTURE_H
#define CHECK_DRAW_PICTURE_H

#include "check/draw/square.h"

/* Append the page. KAN_NOMEM. */
KAN_MUST_USE enum kan_err picture_draw(struct space *space,
                                       const struct square *square,
                                       struct buffer *out);

/* The lane of that name, as "client/0"; KAN_NOTFOUND. */
KAN_MUST_USE enum kan_err picture_lane(const struct run *run,
                                       struct kan_slice name,
                                       uint32_t *ret_lane);

#endif /* CHECK_DRAW_PICTURE_H */
