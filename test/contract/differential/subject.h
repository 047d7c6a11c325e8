/* subject.h - one version of a type, as its generated C is called. */

#ifndef TEST_CONTRACT_DIFFERENTIAL_SUBJECT_H
#define TEST_CONTRACT_DIFFERENTIAL_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a generated step says when it is refused. */
struct said
{
    int kind; /* as enum program_refusal_kind */
    const char *name;
    const char *text;
    const char *source;
    int64_t value;
    int64_t min;
    int64_t max;
};

struct subject
{
    const char *file; /* "bank.kan" */
    const char *type;
    uint32_t version;
    size_t size;
    void (*start)(void *state);
    struct said (*take)(void *state, uint32_t step, const void *arguments,
                        int64_t now_ms, const char *id);
};

extern const struct subject subjects[];
extern const size_t subject_count;

#endif /* TEST_CONTRACT_DIFFERENTIAL_SUBJECT_H */
