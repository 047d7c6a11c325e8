/* `kan engines`: what each engine promises, and which blocks it carries. */

#include <stdio.h>
#include <string.h>

#include "block/actor/actor.h"
#include "block/entity/entity.h"
#include "block/lock/fence.h"
#include "block/lock/lock.h"
#include "block/saga/saga.h"
#include "block/state/state.h"
#include "block/view/view.h"
#include "cli/command.h"
#include "engine/memory/memory.h"
#include "engine/sqlite/sqlite.h"

struct named
{
    const char *name;
    const struct engine_promises *promises;
};

static const struct named engines[] = {
    {"sqlite", &sqlite_promises},
    {"memory", &memory_promises},
};

static const struct named blocks[] = {
    {"state", &state_needs}, {"lock", &lock_needs},     {"fence", &fence_needs},
    {"actor", &actor_needs}, {"entity", &entity_needs}, {"view", &view_needs},
    {"saga", &saga_needs},
};

enum
{
    ENGINE_COUNT = sizeof engines / sizeof engines[0],
    BLOCK_COUNT = sizeof blocks / sizeof blocks[0],
    WHY_SIZE = 256
};

static const char *durable_text(enum engine_durable durable)
{
    switch (durable) {
    case ENGINE_VOLATILE:
        return "none";
    case ENGINE_ASYNC:
        return "async";
    case ENGINE_FSYNC:
        return "fsync";
    case ENGINE_QUORUM:
        return "quorum";
    }
    return "?";
}

static const char *yes(bool value)
{
    return value ? "yes" : "no";
}

static void row_numbers(const char *title, size_t offset, const char *unit)
{
    printf("%-24s", title);
    for (size_t i = 0; i < ENGINE_COUNT; i++) {
        uint32_t number;
        memcpy(&number, (const char *)engines[i].promises + offset,
               sizeof number);
        char text[32];
        (void)snprintf(text, sizeof text, number ? "%u%s" : "no", number, unit);
        printf(" %-14s", text);
    }
    printf("\n");
}

static void row_flags(const char *title, size_t offset)
{
    printf("%-24s", title);
    for (size_t i = 0; i < ENGINE_COUNT; i++) {
        bool kept;
        memcpy(&kept, (const char *)engines[i].promises + offset, sizeof kept);
        printf(" %-14s", yes(kept));
    }
    printf("\n");
}

static void print_promises(void)
{
#define AT(member) offsetof(struct engine_promises, member)
    printf("%-24s", "promise");
    for (size_t i = 0; i < ENGINE_COUNT; i++)
        printf(" %-14s", engines[i].name);
    printf("\n%-24s", "durable");
    for (size_t i = 0; i < ENGINE_COUNT; i++)
        printf(" %-14s", durable_text(engines[i].promises->durable));
    printf("\n");
    row_flags("linearizable", AT(linearizable));
    row_flags("monotone over failover", AT(monotone_over_failover));
    row_flags("shared by processes", AT(shared));
    row_flags("guards on created", AT(guard_created));
    row_flags("append", AT(append));
    row_flags("watch from a revision", AT(watch_from));
    row_flags("scan", AT(scan));
    row_numbers("expiry, granularity", AT(expiry_ms), " ms");
    row_numbers("commit ids known for", AT(dedupe_ms), " ms");
    row_numbers("operations a commit", AT(ops_max), "");
    row_numbers("bytes a commit", AT(commit_bytes_max), "");
    row_numbers("bytes a key", AT(key_max), "");
    row_numbers("bytes a value", AT(value_max), "");
#undef AT
}

static void print_blocks(void)
{
    printf("\n%-24s", "block");
    for (size_t i = 0; i < ENGINE_COUNT; i++)
        printf(" %-14s", engines[i].name);
    printf("\n");
    for (size_t b = 0; b < BLOCK_COUNT; b++) {
        printf("%-24s", blocks[b].name);
        for (size_t i = 0; i < ENGINE_COUNT; i++) {
            char why[WHY_SIZE] = "";
            bool carries =
                engine_promises_cover(engines[i].promises, blocks[b].promises,
                                      why, sizeof why) == KAN_OK;
            printf(" %-14s", carries ? "yes" : why);
        }
        printf("\n");
    }
}

static void print_json(void)
{
    printf("{\"engines\":[");
    for (size_t i = 0; i < ENGINE_COUNT; i++) {
        const struct engine_promises *p = engines[i].promises;
        printf(
            "%s{\"name\":\"%s\",\"durable\":\"%s\",\"linearizable\":%s,"
            "\"monotoneOverFailover\":%s,\"shared\":%s,\"append\":%s,"
            "\"watchFrom\":%s,\"scan\":%s,\"expiryMs\":%u,\"dedupeMs\":%u,"
            "\"opsMax\":%u,\"commitBytesMax\":%u,\"keyMax\":%u,"
            "\"valueMax\":%u,\"blocks\":{",
            i ? "," : "", engines[i].name, durable_text(p->durable),
            p->linearizable ? "true" : "false",
            p->monotone_over_failover ? "true" : "false",
            p->shared ? "true" : "false", p->append ? "true" : "false",
            p->watch_from ? "true" : "false", p->scan ? "true" : "false",
            p->expiry_ms, p->dedupe_ms, p->ops_max, p->commit_bytes_max,
            p->key_max, p->value_max);
        for (size_t b = 0; b < BLOCK_COUNT; b++) {
            char why[WHY_SIZE] = "";
            bool carries = engine_promises_cover(p, blocks[b].promises, why,
                                                 sizeof why) == KAN_OK;
            printf("%s\"%s\":\"%s\"", b ? "," : "", blocks[b].name,
                   carries ? "yes" : why);
        }
        printf("}}");
    }
    printf("]}\n");
}

static int run(int argc, const char *const *argv)
{
    const char *output = "text";
    const struct command_flag flags[] = {{"output", 'o', &output, NULL, NULL}};
    int code = command_parse("engines", argc, argv, flags, 1, NULL);
    if (code != EXIT_DONE)
        return code;
    if (strcmp(output, "json") == 0) {
        print_json();
    } else if (strcmp(output, "text") == 0) {
        print_promises();
        print_blocks();
    } else {
        return command_refuse(
            "engines", "--output is '%s'; expected text or json", output);
    }
    return EXIT_DONE;
}

const struct command command_engines = {
    .name = "engines",
    .usage = "[-o text|json]",
    .summary = "print what each engine promises, and the blocks it carries",
    .details =
        "Prints the promises of every engine, and for each block whether the "
        "engine carries it, or what is missing.",
    .run = run,
};
