/* draw.h - a judged history as bars, one row a process, time to the right: as
 * text the operations that cannot be ordered, as SVG all of them. */

#ifndef PATH_HISTORY_DRAW_H
#define PATH_HISTORY_DRAW_H

#include <kan/base.h>

#include "path/history/judge.h"

/* Append the minimal operations of a judgement that is VERDICT_NOT, each line
 * behind two spaces: [==...==] are those that cannot be ordered, (--...--) the
 * ones that wrote what they saw. Wider than width columns, only the list of
 * them is given. KAN_NOMEM: out is cut. */
KAN_MUST_USE enum kan_err history_draw_text(const struct history *history,
                                            const struct judgement *judgement,
                                            uint32_t width, struct buffer *out);

/* Append a whole SVG document: every operation (of the key that decided; of a
 * long history those around the minimal ones), the points of the judgement when
 * it has them, the minimal ones in colour. title is plain text. KAN_NOMEM. */
KAN_MUST_USE enum kan_err history_draw_svg(const struct history *history,
                                           const struct judgement *judgement,
                                           struct kan_slice title,
                                           struct buffer *out);

#endif /* PATH_HISTORY_DRAW_H */
