/* json_judge.h - jansson behind a small front, for json_test.c alone: the two
 * use the same names, so no file can include both. */

#ifndef BASE_JSON_JUDGE_H
#define BASE_JSON_JUDGE_H

#include <kan/base.h>

enum
{
    JUDGE_DEPTH = 2048
}; /* jansson's own limit */

/* A value, or NULL when input is not valid: then why (of at least 200 bytes)
 * says so, and *ret_excused is set when the reason is one of the judge's limits
 * and not of JSON's. Yours: judge_free(). */
void *judge_load(struct kan_slice input, char *why, bool *ret_excused);
void judge_free(void *value);

/* 'n' null, 't' true, 'f' false, 'i' integer, 'r' real, 's' string, 'a' array,
 * 'o' object. */
char judge_kind(const void *value);

/* Elements, or members with different names. */
size_t judge_size(const void *value);
void *judge_at(const void *array, size_t i);
void *judge_get(const void *object, struct kan_slice name);
struct kan_slice judge_text(const void *string);
int64_t judge_integer(const void *integer);

#endif /* BASE_JSON_JUDGE_H */
