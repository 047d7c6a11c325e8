/* parse.h - recorded histories as others write them.
 *
 * Which form it is shows in the content:
 *   Jepsen's log       INFO  jepsen.util - 0  :invoke  :write  4
 *   EDN maps           {:process 0, :type :invoke, :f :write, :value 4}
 *   Porcupine's logs   {:process 0, :type :invoke, :f :put, :key "a", ...}
 *   JSON lines         {"process": 0, "type": "invoke", "f": "write", ...}
 *   whole operations   {"process": 0, "f": "write", "value": 4, "call": 10,
 *                       "return": 12}
 * type is invoke, ok (it took effect), fail (it did not) or info (nobody
 * knows).
 * A cas that failed without an error found another value. The maps may stand in
 * one list. Where reads are invoked with the value [key nil], all values are
 * such pairs (jepsen.independent). */

#ifndef PATH_HISTORY_PARSE_H
#define PATH_HISTORY_PARSE_H

#include <kan/base.h>

#include "path/history/history.h"

/* Read a history and seal it. An empty input is a history without operations.
 * KAN_INVALID: message says what is wrong and in which line, as "line 3:
 * process 2 returns, but has called nothing"; KAN_NOMEM; KAN_BUSY when it holds
 * more than HISTORY_COUNT_MAX operations. Unless KAN_OK, ret_history is
 * untouched. message is cleared first; input is borrowed until the call
 * returns. */
KAN_MUST_USE enum kan_err history_parse(struct kan_slice input,
                                        struct buffer *message,
                                        struct history *ret_history);

#endif /* PATH_HISTORY_PARSE_H */
