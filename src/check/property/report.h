/* report.h - what a run of a property tells its user. Pure: text in a
 * buffer. */

#ifndef CHECK_PROPERTY_REPORT_H
#define CHECK_PROPERTY_REPORT_H

#include <kan/property.h>

#include "base/bytes.h"

/* Append the report on a property that fails or was given up; nothing when it
 * holds. options have their defaults filled in; program is how to call it. */
void report_append(const struct kan_property_options *options,
                   const struct kan_property_result *result,
                   const char *program, struct buffer *out);

/* The text of a tape file as one line without its heading. */
void report_append_tape(const char *tape, struct buffer *out);

#endif /* CHECK_PROPERTY_REPORT_H */
