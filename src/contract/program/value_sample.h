/* value_sample.h - a contract with values of every type, compiled: what the
 * tests of values and measures, and the fuzz target, work on. */

#ifndef CONTRACT_PROGRAM_VALUE_SAMPLE_H
#define CONTRACT_PROGRAM_VALUE_SAMPLE_H

#include "base/assert.h"
#include "contract/program/value.h"

static const char sample_text[] =
    "record address {\n"
    "    street: text(40)\n"
    "    number: int(1 .. 9_999) = 1\n"
    "}\n"
    "record line {\n"
    "    count: int(1 .. 99)\n"
    "    note:  text(10) = \"-\"\n"
    "}\n"
    "record stay {\n"
    "    at:    address\n"
    "    floor: optional int(-3 .. 99)\n"
    "}\n"
    "type shop {\n"
    "    owner:   text(80)\n"
    "    busy:    bool\n"
    "    balance: int(0 .. 1_000_000_000)\n"
    "    net:     int\n"
    "    stage:   filling | paid | shipped\n"
    "    coupon:  optional text(20)\n"
    "    home:    optional stay\n"
    "    tags:    set(text(8), 4)\n"
    "    days:    set(int(1 .. 31), 31)\n"
    "    stages:  set(filling | paid | shipped, 3)\n"
    "    lines:   map(text(40), line, 50)\n"
    "    rates:   map(int(-5 .. 5), int, 11)\n"
    "    halves:  map(bool, int(0 .. 9), 2)\n"
    "    passed:  map(filling | paid | shipped, optional bool, 3)\n"
    "    step put(amount: int(1 .. 1_000_000), note: text(10) = \"none\",\n"
    "             goal: filling | paid | shipped = paid) {\n"
    "        require balance < 777 else \"enough\"\n"
    "        balance += amount\n"
    "    }\n"
    "    step settle(stays: map(text(4), stay, 3), marks: set(text(8), 4)) {\n"
    "        net = 0\n"
    "    }\n"
    "}\n";

/* Compile the newest version of a type; a text with a fault ends the program
 * with what is wrong. */
static inline struct program *sample_compile(const char *text, const char *type)
{
    static struct source source;
    struct tree tree = {0};
    struct program *program = NULL;
    struct buffer faults = BUFFER_INIT;

    enum kan_err err =
        source_init(&source, SLICE("sample.kan"), kan_text(text));
    if (err == KAN_OK)
        err = tree_parse(&tree, &source);
    if (err == KAN_OK)
        err = tree_check(&tree);
    if (err == KAN_OK) {
        const struct tree_entity *entity =
            tree_entity(&tree, kan_text(type), 0);
        kan_assert(entity != NULL);
        err = program_compile(&tree, entity, &program);
    }
    source_print(&source, &faults);
    if (faults.size > 0)
        assert_fail(buffer_text(&faults), __FILE__, __LINE__);
    kan_assert(err == KAN_OK);
    buffer_fini(&faults);
    tree_fini(&tree);
    source_fini(&source);
    return program;
}

/* Read text as JSON into the value, which lies there: a short way to write
 * one. */
static inline void sample_read(const struct program *program, uint32_t type,
                               const char *text, void *value)
{
    struct json_tree json = {0};
    struct buffer faults = BUFFER_INIT;

    kan_assert(json_parse(kan_text(text), NULL, &json) == KAN_OK);
    enum kan_err err =
        program_read_json(program, type, &json, &json.nodes[0], value, &faults);
    if (faults.size > 0)
        assert_fail(buffer_text(&faults), __FILE__, __LINE__);
    kan_assert(err == KAN_OK);
    buffer_fini(&faults);
    json_fini(&json);
}

/* The type of a record's member; the program ends when there is none. */
static inline struct program_member sample_member(const struct program *program,
                                                  uint32_t type,
                                                  const char *name)
{
    uint32_t count = program_type(program, type)->member_count;

    for (uint32_t i = 0; i < count; i++) {
        struct program_member member = program_member(program, type, i);
        if (slice_equal(member.name, kan_text(name)))
            return member;
    }
    assert_fail(name, __FILE__, __LINE__);
}

/* Draws that are the same in every run: splitmix64. data is a uint64_t. */
static inline uint64_t sample_choose(void *data, uint64_t n)
{
    uint64_t *seed = data;
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % n;
}

#endif /* CONTRACT_PROGRAM_VALUE_SAMPLE_H */
