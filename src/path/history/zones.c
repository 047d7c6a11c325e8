/* One pass gathers the zones, by value; a sort and a sweep compare them. Ranks
 * are distinct, so nothing touches. */

#include "path/history/zones.h"

#include <stdlib.h>

#include "base/alloc.h"

enum
{
    NOBODY = UINT32_MAX
};

/* All that was done with one value. Operations are indices of the history; the
 * initial value is written by nobody, before everything. */
struct zone
{
    uint32_t write;
    uint32_t first; /* to return; NOBODY: the write that nobody did, or none */
    uint32_t last;  /* to be called */
    uint32_t read;  /* the first read to return */
    int64_t first_return;
    int64_t last_call;
    bool written;
};

struct sweep
{
    const struct zones *room; /* places by value: of its zone, or NOBODY */
    struct zone *zones;       /* the first is that of the initial value */
    uint32_t count;
    struct zones_result *result;
};

#define BEFORE_ALL ((int64_t)-1)
#define AFTER_ALL  INT64_MAX

/* --- gathering ------------------------------------------------------------ */

static void note(struct zone *zone, uint32_t index, int64_t call, int64_t ret)
{
    if (ret < zone->first_return) {
        zone->first_return = ret;
        zone->first = index;
    }
    if (call > zone->last_call) {
        zone->last_call = call;
        zone->last = index;
    }
}

static int64_t return_of(const struct operation *one)
{
    return one->ret == HISTORY_NEVER ? AFTER_ALL : (int64_t)one->ret;
}

static const struct zone zone_empty = {
    .write = NOBODY,
    .first = NOBODY,
    .last = NOBODY,
    .read = NOBODY,
    .first_return = AFTER_ALL,
    .last_call = BEFORE_ALL,
};

static struct zone *zone_of(struct sweep *sweep, uint32_t value)
{
    uint32_t *place = &sweep->room->places[value];
    if (*place == NOBODY) {
        *place = sweep->count++;
        sweep->zones[*place] = zone_empty;
    }
    return &sweep->zones[*place];
}

static uint32_t value_of(const struct sweep *sweep, const struct operation *one)
{
    uint32_t value =
        one->function == HISTORY_WRITE ? one->argument : one->result;
    return value == sweep->room->blank ? VALUE_IS_NIL : value;
}

/* false: the history is of another form. */
static bool gather_one(struct sweep *sweep, uint32_t index)
{
    const struct operation *one = &sweep->room->history->operations[index];
    bool writes = one->function == HISTORY_WRITE;
    if (!writes && one->function != HISTORY_READ)
        return false;
    if (!writes && one->outcome == HISTORY_PENDING)
        return true;
    struct zone *zone = zone_of(sweep, value_of(sweep, one));
    if (writes && zone->written)
        return false;
    int64_t ret = return_of(one);
    if (writes) {
        zone->written = true;
        zone->write = index;
    } else if (zone->read == NOBODY ||
               ret < return_of(&sweep->room->history->operations[zone->read])) {
        zone->read = index;
    }
    note(zone, index, one->call, ret);
    return true;
}

/* --- judging -------------------------------------------------------------- */

static int compare_indices(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void blame(struct zones_result *result, uint32_t index)
{
    if (index == NOBODY)
        return;
    for (uint32_t i = 0; i < result->witness_count; i++) {
        if (result->witness[i] == index)
            return;
    }
    result->witness[result->witness_count++] = index;
}

static void blame_zone(struct zones_result *result, const struct zone *zone)
{
    blame(result, zone->write);
    blame(result, zone->first);
    blame(result, zone->last);
}

static bool is_forward(const struct zone *zone)
{
    return zone->first_return < zone->last_call;
}

static int compare_zones(const void *left, const void *right)
{
    const struct zone *a = left;
    const struct zone *b = right;
    if (a->first_return != b->first_return)
        return a->first_return < b->first_return ? -1 : 1;
    return 0;
}

/* Values that are read and never written, or read before. */
static bool reads_follow_writes(struct sweep *sweep)
{
    for (uint32_t i = 0; i < sweep->count; i++) {
        const struct zone *zone = &sweep->zones[i];
        if (zone->read == NOBODY || (zone->written && zone->write == NOBODY))
            continue;
        const struct operation *operations = sweep->room->history->operations;
        if (zone->written &&
            operations[zone->read].ret > operations[zone->write].call)
            continue;
        blame(sweep->result, zone->read);
        blame(sweep->result, zone->write);
        return false;
    }
    return true;
}

/* Keep those zones, forward or backward, that say something: a value written
 * by nobody and never read does not, nor does a write without an answer that
 * was never read. */
static uint32_t keep_forward(struct sweep *sweep)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sweep->count; i++) {
        const struct zone *zone = &sweep->zones[i];
        if (!zone->written || !is_forward(zone))
            continue;
        struct zone other = sweep->zones[kept];
        sweep->zones[kept++] = *zone;
        sweep->zones[i] = other;
    }
    return kept;
}

/* The last of the sorted forward zones that begins before rank, or NULL. */
static const struct zone *zone_before(const struct zone *forward,
                                      uint32_t count, int64_t rank)
{
    uint32_t low = 0;
    for (uint32_t high = count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (forward[middle].first_return < rank)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &forward[low - 1] : NULL;
}

static bool zones_apart(struct sweep *sweep)
{
    uint32_t forward = keep_forward(sweep);
    struct zone *zones = sweep->zones;
    qsort(zones, forward, sizeof *zones, compare_zones);
    for (uint32_t i = 1; i < forward; i++) {
        if (zones[i].first_return > zones[i - 1].last_call)
            continue;
        blame_zone(sweep->result, &zones[i - 1]);
        blame_zone(sweep->result, &zones[i]);
        return false;
    }
    for (uint32_t i = forward; i < sweep->count; i++) {
        if (!zones[i].written || zones[i].write == NOBODY)
            continue;
        const struct zone *around =
            zone_before(zones, forward, zones[i].last_call);
        if (!around || zones[i].first_return > around->last_call)
            continue;
        blame_zone(sweep->result, around);
        blame_zone(sweep->result, &zones[i]);
        return false;
    }
    return true;
}

/* --- the verdict ---------------------------------------------------------- */

static bool gather(struct sweep *sweep, const uint32_t *operations,
                   uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!gather_one(sweep, operations ? operations[i] : i))
            return false;
    }
    return true;
}

/* Leave the places as they were found. */
static void forget(struct sweep *sweep, const uint32_t *operations,
                   uint32_t count, uint32_t initial)
{
    sweep->room->places[initial] = NOBODY;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t value = value_of(
            sweep,
            &sweep->room->history->operations[operations ? operations[i] : i]);
        if (value != VALUE_NONE)
            sweep->room->places[value] = NOBODY;
    }
}

enum kan_err zones_judge(const struct zones *zones, const uint32_t *operations,
                         uint32_t count, uint32_t initial,
                         struct zones_result *ret_result)
{
    struct zones_result result = {0};
    struct sweep sweep = {.room = zones, .result = &result};
    sweep.zones = mem_alloc(((size_t)count + 1) * sizeof *sweep.zones);
    if (!sweep.zones)
        return KAN_NOMEM;
    struct zone *start = zone_of(&sweep, initial);
    start->written = true;
    start->first_return = BEFORE_ALL;
    result.fits = gather(&sweep, operations, count);
    result.linearizable =
        result.fits && reads_follow_writes(&sweep) && zones_apart(&sweep);
    qsort(result.witness, result.witness_count, sizeof *result.witness,
          compare_indices);
    forget(&sweep, operations, count, initial);
    mem_free(sweep.zones);
    *ret_result = result;
    return KAN_OK;
}

enum kan_err zones_init(struct zones *zones, const struct history *history,
                        uint32_t blank)
{
    uint32_t count = history->values.count;
    *zones = (struct zones){0};
    uint32_t *places = mem_alloc(count * sizeof *places);
    if (!places)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        places[i] = NOBODY;
    *zones =
        (struct zones){.history = history, .places = places, .blank = blank};
    return KAN_OK;
}

void zones_fini(struct zones *zones)
{
    mem_free(zones->places);
    *zones = (struct zones){0};
}
