#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_fail(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "kan: a bug in Kan: '%s' is false at %s:%d\n", what,
                  file, line);
    abort();
}
