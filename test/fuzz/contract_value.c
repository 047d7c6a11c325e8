/* contract_value.c - values of a fixed contract from any bytes: as they are
 * kept, as JSON, and as they lie in memory. What is accepted is canonical, and
 * comes back from each of the three as it was.
 *
 * The first byte says which way and the second which type. */

#include "base/alloc.h"
#include "base/assert.h"
#include "contract/program/value_sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum
{
    VALUE_MAX = 65536
};

static struct program *program;
static _Alignas(16) unsigned char value[VALUE_MAX];
static _Alignas(16) unsigned char again[VALUE_MAX];

static void check_json(uint32_t type)
{
    struct json_tree json = {0};
    struct buffer out = BUFFER_INIT;
    struct buffer why = BUFFER_INIT;
    uint32_t size = program_type(program, type)->size;

    program_json(program, type, value, &out);
    kan_assert(json_parse(buffer_slice(&out), NULL, &json) == KAN_OK);
    memset(again, 0, size);
    kan_assert(program_read_json(program, type, &json, &json.nodes[0], again,
                                 &why) == KAN_OK);
    kan_assert(why.size == 0);
    kan_assert(memcmp(value, again, size) == 0);
    json_fini(&json);
    buffer_clear(&out);
    program_print(program, type, value, &out);
    kan_assert(out.size > 0 && !memchr(out.bytes, '\n', out.size));
    buffer_fini(&out);
}

/* The value that was accepted: there and back is where it was. With from, it is
 * what it was loaded from. */
static void check_value(uint32_t type, const struct kan_slice *from)
{
    struct buffer out = BUFFER_INIT;
    uint32_t size = program_type(program, type)->size;

    kan_assert(program_valid(program, type, value));
    program_save(program, type, value, &out);
    kan_assert(!from || slice_equal(buffer_slice(&out), *from));
    struct kan_slice bytes = buffer_slice(&out);
    memset(again, 0xee, size);
    kan_assert(program_load(program, type, &bytes, again) == KAN_OK);
    kan_assert(bytes.size == 0);
    kan_assert(memcmp(value, again, size) == 0);
    buffer_fini(&out);
    check_json(type);
}

static void try_kept(uint32_t type, struct kan_slice input)
{
    uint32_t size = program_type(program, type)->size;
    struct kan_slice rest = input;

    memset(value, 0xee, size);
    if (program_load(program, type, &rest, value) == KAN_OK) {
        struct kan_slice taken = slice_head(input, input.size - rest.size);
        check_value(type, &taken);
        return;
    }
    kan_assert(rest.size == input.size);
    for (uint32_t i = 0; i < size; i++)
        kan_assert(value[i] == 0xee);
}

static void try_json(uint32_t type, struct kan_slice input)
{
    struct json_tree json = {0};
    struct buffer why = BUFFER_INIT;

    memset(value, 0, program_type(program, type)->size);
    if (json_parse(input, NULL, &json) == KAN_OK) {
        enum kan_err err = program_read_json(program, type, &json,
                                             &json.nodes[0], value, &why);
        if (err == KAN_OK)
            check_value(type, NULL);
        else
            kan_assert(err == KAN_INVALID && why.size > 0 &&
                       !memchr(why.bytes, '\n', why.size));
    }
    buffer_fini(&why);
    json_fini(&json);
}

/* Nothing may be read beyond the value, whatever its counts and lengths say. */
static void try_memory(uint32_t type, struct kan_slice input)
{
    uint32_t size = program_type(program, type)->size;
    unsigned char *exact = mem_zalloc(size);

    if (exact && input.size > 0)
        memcpy(exact, input.bytes, input.size < size ? input.size : size);
    if (exact && program_valid(program, type, exact)) {
        memcpy(value, exact, size);
        check_value(type, NULL);
    }
    mem_free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!program)
        program = sample_compile(sample_text, "shop");
    if (size < 2)
        return 0;
    uint32_t type = data[1] % program_type_count(program);
    kan_assert(program_type(program, type)->size <= VALUE_MAX);
    struct kan_slice input = kan_slice(data + 2, size - 2);
    if (data[0] % 4 == 0)
        try_kept(type, input);
    else if (data[0] % 4 == 1)
        try_memory(type, input);
    else
        try_json(type, input);
    return 0;
}
