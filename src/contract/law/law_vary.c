/* Calls that differ in their elements. See law_vary.h. */

#include "contract/law/law_vary.h"

static uint32_t kind_bit(const struct program *program, uint32_t type)
{
    return 1u << (uint32_t)program_type(program, type)->kind;
}

uint32_t law_vary_kinds(const struct program *program)
{
    uint32_t kinds = 0;

    for (uint32_t i = 0; i < program_type_count(program); i++) {
        const struct program_type *type = program_type(program, i);
        if ((type->kind == TREE_SET || type->kind == TREE_MAP) &&
            type->bound > 1)
            kinds |= kind_bit(program,
                              type->kind == TREE_MAP ? type->key : type->of);
    }
    return kinds;
}

static struct program_member parameter(const struct program *program,
                                       uint32_t step, uint32_t number)
{
    return program_member(program, program_step(program, step).arguments,
                          number);
}

static uint32_t parameter_count(const struct program *program, uint32_t step)
{
    return program_type(program, program_step(program, step).arguments)
        ->member_count;
}

bool law_varies(const struct program *program, uint32_t step, uint32_t kinds)
{
    for (uint32_t i = 0; i < parameter_count(program, step); i++) {
        if (kinds & kind_bit(program, parameter(program, step, i).type))
            return true;
    }
    return false;
}

bool law_vary(const struct program *program, uint32_t step, uint32_t kinds,
              uint32_t number, void *arguments)
{
    for (uint32_t i = 0; i < parameter_count(program, step); i++) {
        struct program_member member = parameter(program, step, i);
        unsigned char *at = (unsigned char *)arguments + member.offset;
        if (!(kinds & kind_bit(program, member.type)))
            continue;
        memset(at, 0, program_type(program, member.type)->size);
        if (!program_nth(program, member.type, number, at))
            return false;
    }
    return true;
}

bool law_vary_same(const struct program *program, uint32_t step, uint32_t kinds,
                   const void *a, const void *b)
{
    for (uint32_t i = 0; i < parameter_count(program, step); i++) {
        struct program_member member = parameter(program, step, i);
        if ((kinds & kind_bit(program, member.type)) &&
            memcmp((const char *)a + member.offset,
                   (const char *)b + member.offset,
                   program_type(program, member.type)->size) != 0)
            return false;
    }
    return true;
}
