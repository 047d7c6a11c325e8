/* `kan check FILE.kan`: each type on the real block in a simulated world, at
 * random, and what came of it. */

#include "base/alloc.h"
#include "base/json.h"
#include "check/entity/entity_runs.h"
#include "cli/check_contract.h"

#define ULL(x) ((unsigned long long)(x))

int check_contract_runs(struct check_contract *check, bool (*late)(void *data))
{
    uint32_t types = contract_type_count(check->contract);
    enum kan_err err = KAN_OK;

    check->runs = mem_zalloc((types + 1) * sizeof *check->runs);
    if (!check->runs)
        err = KAN_NOMEM;
    for (uint32_t i = 0; i < types && err == KAN_OK; i++) {
        const struct entity_runs_options options = {
            .contract = check->contract,
            .type = i,
            .data = check,
            .stop = late,
        };
        err = entity_runs(&options, &check->runs[i]);
        check->run_count++;
    }
    return err ? command_refuse("check", "%s: %s", check->options->file,
                                kan_err_text(err))
               : EXIT_DONE;
}

void check_contract_runs_fini(struct check_contract *check)
{
    for (uint32_t i = 0; i < check->run_count; i++)
        entity_runs_fini(&check->runs[i]);
    mem_free(check->runs);
}

static void print_type(const struct check_contract *check, uint32_t type,
                       struct buffer *out)
{
    struct entity_runs *runs = &check->runs[type];

    if (runs->runs == 0 && !runs->stopped)
        return; /* sagas alone may take its steps */
    buffer_print(out,
                 "\ntype %.*s, run on the real block in a simulated world: ",
                 SLICE_ARG(contract_type_name(check->contract, type)));
    if (runs->fails)
        buffer_print(out, "fails: %s", buffer_text(&runs->why));
    else
        buffer_append_text(out,
                           "every acknowledged step is there once, the "
                           "state is the fold");
    buffer_print(out,
                 "\n  %llu runs of 3 clients on memory or SQLite: "
                 "%llu steps taken, %llu refused, %llu asked again, %llu power "
                 "failures\n",
                 ULL(runs->runs), ULL(runs->taken), ULL(runs->refused),
                 ULL(runs->again), ULL(runs->deaths));
    if (runs->fails) {
        buffer_print(out, "  the smallest run like that of seed %llu:\n\n",
                     ULL(runs->seed));
        buffer_append(out, buffer_slice(&runs->run));
    }
}

void check_contract_runs_text(const struct check_contract *check,
                              struct buffer *out)
{
    for (uint32_t i = 0; i < check->run_count; i++)
        print_type(check, i, out);
}

void check_contract_runs_json(const struct check_contract *check,
                              struct buffer *out)
{
    for (uint32_t i = 0; i < check->run_count; i++) {
        const struct entity_runs *runs = &check->runs[i];
        buffer_append_text(out, i ? ",{\"name\":" : "{\"name\":");
        json_append_string(out, contract_type_name(check->contract, i));
        buffer_print(out,
                     ",\"verdict\":\"%s\",\"runs\":%llu,\"taken\":%llu,"
                     "\"refused\":%llu,\"again\":%llu,\"unknown\":%llu,"
                     "\"deaths\":%llu",
                     runs->fails     ? "fails"
                     : runs->stopped ? "unknown"
                                     : "holds",
                     ULL(runs->runs), ULL(runs->taken), ULL(runs->refused),
                     ULL(runs->again), ULL(runs->unknown), ULL(runs->deaths));
        if (runs->fails) {
            buffer_print(out, ",\"seed\":%llu,\"why\":", ULL(runs->seed));
            json_append_string(out, buffer_slice(&runs->why));
            buffer_append_text(out, ",\"run\":");
            json_append_string(out, buffer_slice(&runs->run));
        }
        buffer_append_byte(out, '}');
    }
}
