/* `kan compat`: whether callers of an old contract keep working on a new one.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/files.h"
#include "contract/law/law.h"

enum
{
    SEED = 20 /* of the random runs, unless --seed says otherwise */
};

/* One type, from one version to the next. */
struct hop
{
    uint32_t type; /* in the joined contract */
    uint32_t from;
    struct law_compat *steps; /* of the old version */
    uint32_t step_count;
    uint64_t lost[TREE_FIELDS_MAX / 64];
    struct law_walk walk;
};

struct compat
{
    const char *old_name;
    const char *new_name;
    bool one; /* both are one file: from its oldest versions on */
    bool json;
    uint64_t seed;
    struct law_budget budget;
    struct buffer old_text;
    struct buffer new_text; /* with what it lacks of the old one behind it */
    struct source source;   /* the new text as it is, parsed */
    struct tree tree;
    struct contract *old;
    struct contract *joined;
    struct hop *hops;
    uint32_t hop_count;
    struct buffer problems; /* lines: what no walk is needed for */
};

/* --- reading -------------------------------------------------------------- */

static int refuse_faults(struct buffer *faults, const char *name,
                         enum kan_err err)
{
    if (err != KAN_INVALID)
        return command_refuse("compat", "%s: %s", name, kan_err_text(err));
    fputs(buffer_text(faults), stderr);
    return EXIT_USAGE;
}

static int load(const char *name, const struct buffer *text,
                struct contract **ret_contract)
{
    struct buffer faults = BUFFER_INIT;
    enum kan_err err = contract_load(kan_text(name), buffer_slice(text),
                                     ret_contract, &faults);
    int code = err ? refuse_faults(&faults, name, err) : EXIT_DONE;

    buffer_fini(&faults);
    return code;
}

/* Which versions and records the new text has; whether it is whole is seen
 * later, with the old version beside it. */
static int parse_new(struct compat *compat)
{
    struct buffer faults = BUFFER_INIT;
    enum kan_err err = source_init(&compat->source, kan_text(compat->new_name),
                                   buffer_slice(&compat->new_text));
    int code = EXIT_DONE;

    if (err == KAN_OK)
        err = tree_parse(&compat->tree, &compat->source);
    if (err) {
        source_print(&compat->source, &faults);
        code = refuse_faults(&faults, compat->new_name, err);
    }
    buffer_fini(&faults);
    return code;
}

static bool new_has_version(const struct compat *compat, struct kan_slice name,
                            uint32_t version)
{
    for (uint32_t i = 0; i < compat->tree.entity_count; i++) {
        const struct tree_entity *entity = &compat->tree.entities[i];
        if (slice_equal(entity->name.text, name) &&
            (version == 0 || entity->version == version))
            return true;
    }
    return false;
}

static bool new_has_record(const struct compat *compat, struct kan_slice name)
{
    for (uint32_t i = 0; i < compat->tree.record_count; i++) {
        if (slice_equal(compat->tree.records[i].name.text, name))
            return true;
    }
    return false;
}

/* --- joining -------------------------------------------------------------- */

/* Put the old version behind the new text. Its records come with it unless the
 * new text has them. */
static int append_version(struct compat *compat, const struct program *program)
{
    struct kan_slice text = program_text(program);
    struct source source = {0};
    struct tree tree = {0};
    enum kan_err err = source_init(&source, SLICE("the old version"), text);
    uint32_t known = 0;
    int code = EXIT_DONE;

    if (err == KAN_OK)
        err = tree_parse(&tree, &source);
    for (uint32_t i = 0; err == KAN_OK && i < tree.record_count; i++)
        known += new_has_record(compat, tree.records[i].name.text);
    buffer_append_byte(&compat->new_text, '\n');
    if (err || tree.entity_count != 1)
        code = command_refuse("compat", "%s: %s", compat->old_name,
                              kan_err_text(err ? err : KAN_CORRUPT));
    else if (known == 0)
        buffer_append(&compat->new_text, text);
    else if (known == tree.record_count)
        buffer_append(&compat->new_text,
                      source_slice(&source, tree.entities[0].span));
    else
        code =
            command_refuse("compat",
                           "%s has some of the records of %.*s version %u "
                           "and lacks others; give it all of them",
                           compat->new_name, SLICE_ARG(program_name(program)),
                           program_version(program));
    buffer_append_byte(&compat->new_text, '\n');
    tree_fini(&tree);
    source_fini(&source);
    return code;
}

static int join(struct compat *compat)
{
    int code = parse_new(compat);

    for (uint32_t i = 0; code == EXIT_DONE && !compat->one &&
                         i < contract_type_count(compat->old);
         i++) {
        struct kan_slice name = contract_type_name(compat->old, i);
        const struct program *program = contract_program(compat->old, i, 0);
        if (new_has_version(compat, name, 0) &&
            !new_has_version(compat, name, program_version(program)))
            code = append_version(compat, program);
    }
    return code == EXIT_DONE
               ? load(compat->new_name, &compat->new_text, &compat->joined)
               : code;
}

/* --- comparing ------------------------------------------------------------ */

static enum kan_err compare_hop(struct compat *compat, uint32_t type,
                                uint32_t from)
{
    struct hop *hop = &compat->hops[compat->hop_count];
    const struct program *program =
        contract_program(compat->joined, type, from);
    uint32_t steps = program ? program_step_count(program) : 0;

    *hop = (struct hop){.type = type, .from = from};
    hop->steps = mem_zalloc((steps + 1) * sizeof *hop->steps);
    if (!hop->steps)
        return KAN_NOMEM;
    compat->hop_count++;
    enum kan_err err =
        law_compat(compat->joined, type, from, compat->seed, &compat->budget,
                   hop->steps, hop->lost, &hop->walk);
    if (err == KAN_OK)
        hop->step_count = steps;
    return err;
}

/* A type of the old text against the same in the joined one. */
static enum kan_err compare_type(struct compat *compat, uint32_t old_type)
{
    struct kan_slice name = contract_type_name(compat->old, old_type);
    int32_t found = contract_type_find(compat->joined, name);
    uint32_t from = compat->one ? contract_oldest(compat->old, old_type)
                                : contract_newest(compat->old, old_type);
    enum kan_err err = KAN_OK;

    if (found < 0) {
        buffer_print(&compat->problems, "%.*s: the new text has no such type\n",
                     SLICE_ARG(name));
        return KAN_OK;
    }
    uint32_t type = (uint32_t)found;
    uint32_t to = contract_newest(compat->joined, type);
    const struct program *now = contract_program(compat->joined, type, from);
    struct program_hash a =
        program_hash(contract_program(compat->old, old_type, from));
    struct program_hash b =
        now ? program_hash(now) : (struct program_hash){{0}};
    if (to < from)
        buffer_print(&compat->problems,
                     "%.*s: the new text ends with version %u, before the old "
                     "one's %u\n",
                     SLICE_ARG(name), to, from);
    else if (memcmp(&a, &b, sizeof a) != 0)
        buffer_print(&compat->problems,
                     "%.*s version %u means something else in the new text; "
                     "leave it as it was, and write version %u and an upgrade "
                     "%u -> %u\n",
                     SLICE_ARG(name), from, from + 1, from, from + 1);
    else
        for (uint32_t v = from; v < to && err == KAN_OK; v++)
            err = compare_hop(compat, type, v);
    return err;
}

static enum kan_err compare_all(struct compat *compat)
{
    uint32_t types = contract_type_count(compat->old);
    enum kan_err err = KAN_OK;

    compat->hops =
        mem_zalloc((types * TREE_VERSIONS_MAX + 1) * sizeof *compat->hops);
    if (!compat->hops)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < types && err == KAN_OK; i++)
        err = compare_type(compat, i);
    return err;
}

/* --- printing ------------------------------------------------------------- */

static const char *kind_text(enum law_compat_kind kind)
{
    switch (kind) {
    case LAW_SAME:
        return "same";
    case LAW_DIFFERS:
        return "differs";
    case LAW_REFUSES:
        return "refused now";
    case LAW_ALLOWS:
        return "allowed now";
    case LAW_GONE:
        return "gone";
    case LAW_NO_WAY_BACK:
        return "no way back";
    }
    return "?";
}

/* Whether a caller of the old version can go on as before. What is allowed now
 * was refused before: nobody counts on that. */
static bool is_fine(enum law_compat_kind kind)
{
    return kind == LAW_SAME || kind == LAW_ALLOWS;
}

static bool hop_is_fine(const struct hop *hop)
{
    for (uint32_t i = 0; i < hop->step_count; i++) {
        if (!is_fine(hop->steps[i].kind))
            return false;
    }
    return true;
}

static bool is_lost(const struct hop *hop, uint32_t field)
{
    return (hop->lost[field / 64] >> (field % 64) & 1) != 0;
}

static void print_hop(struct compat *compat, struct hop *hop,
                      struct buffer *out)
{
    const struct program *old =
        contract_program(compat->joined, hop->type, hop->from);
    const struct program *now =
        contract_program(compat->joined, hop->type, hop->from + 1);
    const char *comma = "  lost by down:";

    buffer_print(
        out, "%.*s %u -> %u: callers of version %u %s (%llu states%s)\n",
        SLICE_ARG(program_name(old)), hop->from, hop->from + 1, hop->from,
        hop_is_fine(hop) ? "keep working" : "do not keep working",
        (unsigned long long)hop->walk.states,
        hop->walk.complete ? "" : ", within the budget");
    for (uint32_t i = 0; i < hop->step_count; i++) {
        struct law_compat *step = &hop->steps[i];
        buffer_print(out, "  %.*s: %s%s%s\n",
                     SLICE_ARG(program_step(old, step->step).name),
                     kind_text(step->kind), step->why.size > 0 ? ": " : "",
                     buffer_text(&step->why));
        law_run_print(old, &step->run, out);
    }
    for (uint32_t i = 0; i < program_type(now, 0)->member_count; i++) {
        if (!is_lost(hop, i))
            continue;
        buffer_print(out, "%s %.*s", comma,
                     SLICE_ARG(program_member(now, 0, i).name));
        comma = ",";
    }
    if (comma[0] == ',')
        buffer_append_byte(out, '\n');
}

static void json_hop(const struct compat *compat, const struct hop *hop,
                     struct buffer *out)
{
    const struct program *old =
        contract_program(compat->joined, hop->type, hop->from);
    const struct program *now =
        contract_program(compat->joined, hop->type, hop->from + 1);
    const char *comma = "";

    buffer_append_text(out, "{\"type\":");
    json_append_string(out, program_name(old));
    buffer_print(out,
                 ",\"from\":%u,\"to\":%u,\"compatible\":%s,\"states\":%llu,"
                 "\"complete\":%s,\"steps\":[",
                 hop->from, hop->from + 1, hop_is_fine(hop) ? "true" : "false",
                 (unsigned long long)hop->walk.states,
                 hop->walk.complete ? "true" : "false");
    for (uint32_t i = 0; i < hop->step_count; i++) {
        const struct law_compat *step = &hop->steps[i];
        buffer_append_text(out, i ? ",{\"step\":" : "{\"step\":");
        json_append_string(out, program_step(old, step->step).name);
        buffer_print(out,
                     ",\"verdict\":\"%s\",\"why\":", kind_text(step->kind));
        json_append_string(out, buffer_slice(&step->why));
        buffer_append_text(out, ",\"run\":");
        law_run_json(old, &step->run, out);
        buffer_append_byte(out, '}');
    }
    buffer_append_text(out, "],\"lost\":[");
    for (uint32_t i = 0; i < program_type(now, 0)->member_count; i++) {
        if (!is_lost(hop, i))
            continue;
        buffer_append_text(out, comma);
        json_append_string(out, program_member(now, 0, i).name);
        comma = ",";
    }
    buffer_append_text(out, "]}");
}

static bool is_compatible(const struct compat *compat)
{
    bool fine = compat->problems.size == 0;

    for (uint32_t i = 0; i < compat->hop_count; i++)
        fine &= hop_is_fine(&compat->hops[i]);
    return fine;
}

static void print_json(const struct compat *compat, struct buffer *out)
{
    struct kan_slice rest = buffer_slice(&compat->problems);
    const char *comma = "";

    buffer_print(out, "{\"compatible\":%s,\"problems\":[",
                 is_compatible(compat) ? "true" : "false");
    while (rest.size > 0) {
        struct kan_slice line;
        (void)slice_cut(&rest, '\n', &line);
        buffer_append_text(out, comma);
        json_append_string(out, line);
        comma = ",";
    }
    buffer_append_text(out, "],\"upgrades\":[");
    for (uint32_t i = 0; i < compat->hop_count; i++) {
        buffer_append_text(out, i ? "," : "");
        json_hop(compat, &compat->hops[i], out);
    }
    buffer_append_text(out, "]}\n");
}

static int print(struct compat *compat)
{
    struct buffer out = BUFFER_INIT;
    int code = is_compatible(compat) ? EXIT_DONE : EXIT_FOUND;

    if (compat->json) {
        print_json(compat, &out);
    } else {
        buffer_append(&out, buffer_slice(&compat->problems));
        for (uint32_t i = 0; i < compat->hop_count; i++)
            print_hop(compat, &compat->hops[i], &out);
        if (out.size == 0)
            buffer_append_text(&out, "nothing changes for callers\n");
    }
    if (buffer_failed(&out))
        code = command_refuse("compat", "%s", kan_err_text(KAN_NOMEM));
    else
        fwrite(out.bytes, 1, out.size, stdout);
    buffer_fini(&out);
    return code;
}

/* --- the command ---------------------------------------------------------- */

static void end(struct compat *compat)
{
    for (uint32_t i = 0; i < compat->hop_count; i++) {
        for (uint32_t s = 0; s < compat->hops[i].step_count; s++)
            law_compat_fini(&compat->hops[i].steps[s]);
        mem_free(compat->hops[i].steps);
    }
    mem_free(compat->hops);
    buffer_fini(&compat->problems);
    buffer_fini(&compat->old_text);
    buffer_fini(&compat->new_text);
    tree_fini(&compat->tree);
    source_fini(&compat->source);
    contract_unref(compat->old);
    contract_unref(compat->joined);
}

static int compare(struct compat *compat)
{
    int code = file_read("compat", compat->old_name, &compat->old_text);

    if (code == EXIT_DONE)
        code = file_read("compat", compat->new_name, &compat->new_text);
    if (code == EXIT_DONE)
        code = load(compat->old_name, &compat->old_text, &compat->old);
    if (code == EXIT_DONE)
        code = join(compat);
    if (code != EXIT_DONE)
        return code;
    if (compare_all(compat) != KAN_OK)
        return command_refuse("compat", "%s", kan_err_text(KAN_NOMEM));
    return print(compat);
}

static int run(int argc, const char *const *argv)
{
    struct compat compat = {.seed = SEED};
    const char *names[2] = {NULL, NULL};
    const char *output = "text";
    const char *seed = NULL;
    const char *depth = NULL;
    uint64_t depth_max = 0;
    int count = 0;
    const struct command_flag flags[] = {
        {"output", 'o', &output, NULL, NULL},
        {"seed", 0, &seed, NULL, NULL},
        {"depth", 0, &depth, NULL, NULL},
    };
    int code =
        command_parse_all("compat", argc, argv, flags,
                          sizeof flags / sizeof flags[0], names, 2, &count);

    if (code != EXIT_DONE)
        return code;
    if (count == 0)
        return command_refuse("compat", "of what? OLD.kan NEW.kan");
    if (strcmp(output, "text") != 0 && strcmp(output, "json") != 0)
        return command_refuse(
            "compat", "--output is '%s'; expected text or json", output);
    if (seed && number_u64(kan_text(seed), &compat.seed) != KAN_OK)
        return command_refuse("compat", "--seed is '%s'; expected a number",
                              seed);
    if (depth && (number_u64(kan_text(depth), &depth_max) != KAN_OK ||
                  depth_max > UINT32_MAX))
        return command_refuse("compat", "--depth is '%s'; expected a number",
                              depth);
    compat.budget.depth_max = (uint32_t)depth_max;
    compat.old_name = names[0];
    compat.new_name = count > 1 ? names[1] : names[0];
    compat.one = strcmp(compat.old_name, compat.new_name) == 0;
    compat.json = strcmp(output, "json") == 0;
    code = compare(&compat);
    end(&compat);
    return code;
}

const struct command command_compat = {
    .name = "compat",
    .usage = "OLD.kan NEW.kan [--seed N] [--depth N] [-o json]",
    .summary = "whether callers of an old contract keep working on a new one",
    .details =
        "Takes the newest version of each type in OLD.kan and walks its "
        "states; from each, every step is taken as the old version would, "
        "beside what happens to such a caller on the newest version in "
        "NEW.kan: the state carried up, the step of that name with its "
        "defaults, and the answer carried down. What is told, step by step, is "
        "same; differs, refused now or allowed now, each with a run to where "
        "it shows; gone: there is no such step, or its arguments do not fit; "
        "no way back: there is no down. Then which fields down loses. Random "
        "runs are tried too, drawn with --seed. NEW.kan has the upgrade; the "
        "old version need not be in it. One file that holds both versions is "
        "compared from its oldest versions on.\n\n"
        "Exit status: 0 callers keep working (what is allowed now does not "
        "count against it), 1 they do not, 2 told wrong.",
    .run = run,
};
