/* jansson as the judge of what is JSON. */

#include "base/json_judge.h"

#include <jansson.h>
#include <stdio.h>

void *judge_load(struct kan_slice input, char *why, bool *ret_excused)
{
    json_error_t error = {0};
    json_t *value = json_loadb(input.size ? input.bytes : "", input.size,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    enum json_error_code code = json_error_code(&error);

    if (!value) {
        (void)snprintf(why, 200, "%s", error.text);
        *ret_excused = code == json_error_numeric_overflow ||
                       code == json_error_null_byte_in_key;
    }
    return value;
}

void judge_free(void *value)
{
    json_decref(value);
}

char judge_kind(const void *value)
{
    switch (json_typeof((const json_t *)value)) {
    case JSON_NULL:
        return 'n';
    case JSON_TRUE:
        return 't';
    case JSON_FALSE:
        return 'f';
    case JSON_INTEGER:
        return 'i';
    case JSON_REAL:
        return 'r';
    case JSON_STRING:
        return 's';
    case JSON_ARRAY:
        return 'a';
    case JSON_OBJECT:
        return 'o';
    }
    return '?';
}

size_t judge_size(const void *value)
{
    return json_is_array((const json_t *)value) ? json_array_size(value)
                                                : json_object_size(value);
}

void *judge_at(const void *array, size_t i)
{
    return json_array_get(array, i);
}

void *judge_get(const void *object, struct kan_slice name)
{
    char text[4096];
    if (name.size >= sizeof text)
        return NULL;
    if (name.size)
        memcpy(text, name.bytes, name.size);
    text[name.size] = 0;
    return json_object_get(object, text);
}

struct kan_slice judge_text(const void *string)
{
    return kan_slice(json_string_value(string), json_string_length(string));
}

int64_t judge_integer(const void *integer)
{
    return json_integer_value(integer);
}
