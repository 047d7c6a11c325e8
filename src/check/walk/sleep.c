/* Sleep sets. */

#include "check/walk/sleep.h"

#include "base/alloc.h"
#include "base/assert.h"

uint32_t sleep_find(const uint64_t *names, uint32_t count,
                    const struct space_step *steps, uint32_t step_count,
                    uint16_t *ret_places)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t tried = 0;
        while (tried < step_count && space_step_name(&steps[at]) != names[i]) {
            at = at + 1 < step_count ? at + 1 : 0;
            tried++;
        }
        kan_assert(tried < step_count);
        ret_places[i] = (uint16_t)at;
        at = at + 1 < step_count ? at + 1 : 0;
    }
    return count;
}

/* Steps of one actor never change places: that needs no call. */
static bool passes(const struct space *space, bool observers,
                   const struct space_step *step,
                   const struct space_step *taken)
{
    return step->actor != taken->actor &&
           space_independent(space, step, taken, observers);
}

uint32_t sleep_pass(const struct space *space, bool observers,
                    const struct space_step *steps, const uint16_t *places,
                    uint32_t count, uint32_t at, uint64_t *ret_names)
{
    const struct space_step *taken = &steps[at];
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct space_step *step = &steps[places[i]];
        if (passes(space, observers, step, taken))
            ret_names[kept++] = space_step_name(step);
    }
    return kept;
}

/* --- in 63 bits ----------------------------------------------------------- */

void sleep_names_fini(struct sleep_names *names)
{
    mem_free(names->names);
    mem_free(names->bits);
    *names = (struct sleep_names){0};
}

/* Where a name stands, or the empty place where it belongs. */
static uint32_t name_place(const struct sleep_names *names, uint64_t name)
{
    const uint64_t golden = 0x9e3779b97f4a7c15;
    uint32_t mask = names->size - 1;
    uint32_t at = (uint32_t)(name * golden >> 32) & mask;

    while (names->names[at] != 0 && names->names[at] != name + 1)
        at = (at + 1) & mask;
    return at;
}

enum kan_err sleep_names_reserve(struct sleep_names *names, uint32_t count)
{
    struct sleep_names grown = {.size = names->size ? names->size : 4096,
                                .count = names->count};

    if (names->size && names->count + count <= names->size / 2)
        return KAN_OK;
    while (names->count + count > grown.size / 2)
        grown.size *= 2;
    grown.names = mem_zalloc(grown.size * sizeof *grown.names);
    grown.bits = mem_alloc(grown.size);
    if (!grown.names || !grown.bits) {
        sleep_names_fini(&grown);
        return KAN_NOMEM;
    }
    for (uint32_t i = 0; i < names->size; i++) {
        if (names->names[i] == 0)
            continue;
        uint32_t at = name_place(&grown, names->names[i] - 1);
        grown.names[at] = names->names[i];
        grown.bits[at] = names->bits[i];
    }
    sleep_names_fini(names);
    *names = grown;
    return KAN_OK;
}

uint64_t sleep_names_bits(struct sleep_names *names,
                          const struct space_step *steps, uint32_t count,
                          uint8_t *ret_bits)
{
    uint64_t once = 0, more = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t name = space_step_name(&steps[i]);
        uint32_t at = name_place(names, name);
        if (names->names[at] == 0) {
            names->names[at] = name + 1;
            names->bits[at] = (uint8_t)(names->count++ % SLEEP_BITS);
        }
        ret_bits[i] = names->bits[at];
        more |= once & (uint64_t)1 << ret_bits[i];
        once |= (uint64_t)1 << ret_bits[i];
    }
    return once & ~more;
}

uint64_t sleep_pass_bits(const struct space *space, bool observers,
                         const struct space_step *steps, const uint8_t *bits,
                         const uint16_t *places, uint32_t count, uint32_t at)
{
    uint64_t set = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (passes(space, observers, &steps[places[i]], &steps[at]))
            set |= (uint64_t)1 << bits[places[i]];
    }
    return set;
}
