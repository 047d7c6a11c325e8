/* Opening what is to be checked, and setting its parameters. */

#include "cli/target.h"

#include <stdio.h>

#include "base/number.h"
#include "base/suggest.h"
#include "block/actor/guard.h"
#include "models/models.h"

/* --- models that ship ----------------------------------------------------- */

enum
{
    MODELS_MAX = 128
};

static const struct kan_module *find_model(const char *name)
{
    const struct kan_module *module;

    for (uint32_t i = 0; (module = models_at(i)) != NULL; i++) {
        if (strcmp(module->model->name, name) == 0)
            return module;
    }
    return NULL;
}

static int unknown_model(const char *command, const char *name)
{
    const char *names[MODELS_MAX];
    size_t count = 0;

    while (count < MODELS_MAX && models_at((uint32_t)count)) {
        names[count] = models_at((uint32_t)count)->model->name;
        count++;
    }
    const char *nearest = suggest_nearest(kan_text(name), names, count);
    if (nearest)
        return command_refuse(command,
                              "there is no model '%s'; did you mean '%s'?",
                              name, nearest);
    return command_refuse(command,
                          "there is no model '%s'; 'kan check --list' names "
                          "them, and a file is given as ./%s.so",
                          name, name);
}

static void list_text(const struct kan_model *model)
{
    printf("%-18s %s\n", model->name, model->summary);
    for (uint32_t i = 0; i < model->parameter_count; i++) {
        const struct kan_model_parameter *parameter = &model->parameters[i];
        printf("    --set %s=%lld   %s (%lld..%lld)\n", parameter->name,
               (long long)parameter->preset, parameter->summary,
               (long long)parameter->min, (long long)parameter->max);
    }
}

static void list_json(const struct kan_model *model)
{
    printf("{\"name\":\"%s\",\"parameters\":[", model->name);
    for (uint32_t i = 0; i < model->parameter_count; i++) {
        const struct kan_model_parameter *parameter = &model->parameters[i];
        printf("%s{\"name\":\"%s\",\"preset\":%lld,\"min\":%lld,\"max\":%lld}",
               i ? "," : "", parameter->name, (long long)parameter->preset,
               (long long)parameter->min, (long long)parameter->max);
    }
    printf("]}");
}

void target_list(bool json)
{
    const struct kan_module *module;

    printf("%s", json ? "{\"models\":[" : "");
    for (uint32_t i = 0; (module = models_at(i)) != NULL; i++) {
        if (json) {
            printf("%s", i ? "," : "");
            list_json(module->model);
        } else {
            list_text(module->model);
        }
    }
    printf("%s", json ? "]}\n" : "");
}

/* --- opening -------------------------------------------------------------- */

static bool is_file(const char *name)
{
    size_t size = strlen(name);

    return strchr(name, '/') ||
           (size > 3 && strcmp(name + size - 3, ".so") == 0);
}

static int open_file(const char *command, const char *name,
                     struct target *target)
{
    const struct module_options options = {.frozen = true};
    struct buffer why = BUFFER_INIT;
    enum kan_err err = module_open(name, &options, &target->opened, &why);

    if (err) {
        const char *text = why.size ? buffer_text(&why) : kan_err_text(err);
        (void)command_refuse(command, "%s%s%s", why.size ? "" : name,
                             why.size ? "" : ": ", text);
        buffer_fini(&why);
        return EXIT_USAGE;
    }
    buffer_fini(&why);
    target->module = module_exports(target->opened);
    return EXIT_DONE;
}

int target_open(const char *command, const char *name, struct target *target)
{
    const struct kan_model *model;

    *target = (struct target){.name = name};
    if (guard_install() != KAN_OK)
        return command_refuse(command,
                              "the signals that catch a crash of a "
                              "handler could not be set up");
    if (is_file(name)) {
        int code = open_file(command, name, target);
        if (code != EXIT_DONE)
            return code;
    } else {
        target->module = find_model(name);
        if (!target->module)
            return unknown_model(command, name);
    }
    model = target->module->model;
    if (!model)
        return EXIT_DONE;
    target->parameter_count = model->parameter_count;
    for (uint32_t i = 0; i < model->parameter_count; i++)
        target->parameters[i] = model->parameters[i].preset;
    target->faults = model->faults;
    return EXIT_DONE;
}

void target_close(struct target *target)
{
    target->opened = module_free(target->opened);
}

bool target_name_object(void *data, const void *address, char *text,
                        size_t size)
{
    const struct target *target = data;
    const char *name =
        target->opened ? module_object_at(target->opened, address) : NULL;

    if (!name)
        return false;
    (void)snprintf(text, size, "%s", name);
    return true;
}

void target_file_name(const struct target *target, const char *property,
                      const char *suffix, struct buffer *out)
{
    const char *slash = strrchr(target->name, '/');
    const char *name = slash ? slash + 1 : target->name;
    size_t size = strlen(name);

    if (size > 3 && strcmp(name + size - 3, ".so") == 0)
        size -= 3;
    buffer_append(out, kan_slice(name, size));
    buffer_print(out, "-%s%s", property, suffix);
}

/* --- parameters ----------------------------------------------------------- */

static int set_number(const char *command, struct target *target,
                      struct kan_slice name, int64_t value)
{
    const struct kan_model *model = target_model(target);
    const char *names[KAN_PARAMETERS_MAX];
    uint32_t at = 0;

    while (at < target->parameter_count &&
           !slice_equal(name, kan_text(model->parameters[at].name))) {
        names[at] = model->parameters[at].name;
        at++;
    }
    if (at == target->parameter_count) {
        const char *nearest = suggest_nearest(name, names, at);
        return command_refuse(command,
                              "%s has no parameter '%.*s'%s%s; 'kan check "
                              "--list' names them",
                              target->name, SLICE_ARG(name),
                              nearest ? "; did you mean " : "",
                              nearest ? nearest : "");
    }
    if (value < model->parameters[at].min || value > model->parameters[at].max)
        return command_refuse(command, "%s is %lld; expected %lld to %lld",
                              model->parameters[at].name, (long long)value,
                              (long long)model->parameters[at].min,
                              (long long)model->parameters[at].max);
    target->parameters[at] = value;
    return EXIT_DONE;
}

/* Cut "name=number" into its parts. */
static bool read_pair(struct kan_slice text, struct kan_slice *ret_name,
                      int64_t *ret_value)
{
    return slice_cut(&text, '=', ret_name) &&
           number_i64(text, ret_value) == KAN_OK;
}

int target_set(const char *command, struct target *target, const char *text)
{
    struct kan_slice name;
    int64_t value;

    if (!read_pair(kan_text(text), &name, &value))
        return command_refuse(command, "--set is '%s'; expected name=number",
                              text);
    return set_number(command, target, name, value);
}

/* --- faults --------------------------------------------------------------- */

static const struct
{
    const char *name;
    size_t offset;
} fault_kinds[] = {
    {"crash", offsetof(struct kan_faults, crash)},
    {"lost", offsetof(struct kan_faults, lost)},
    {"doubled", offsetof(struct kan_faults, doubled)},
    {"partition", offsetof(struct kan_faults, partition)},
    {"clock", offsetof(struct kan_faults, clock)},
    {"liar", offsetof(struct kan_faults, liar)},
};

enum
{
    FAULT_KINDS = sizeof fault_kinds / sizeof fault_kinds[0],
    FAULT_MAX = 200
};

static int set_fault(const char *command, struct kan_faults *faults,
                     struct kan_slice name, int64_t value)
{
    const char *names[FAULT_KINDS];
    uint32_t number = (uint32_t)value;

    for (size_t i = 0; i < FAULT_KINDS; i++) {
        names[i] = fault_kinds[i].name;
        if (!slice_equal(name, kan_text(names[i])))
            continue;
        if (value < 0 || value > FAULT_MAX)
            return command_refuse(command, "%s is %lld; expected 0 to %d",
                                  names[i], (long long)value, FAULT_MAX);
        memcpy((char *)faults + fault_kinds[i].offset, &number, sizeof number);
        return EXIT_DONE;
    }
    const char *nearest = suggest_nearest(name, names, FAULT_KINDS);
    return command_refuse(command,
                          "there is no fault '%.*s'%s%s; expected crash, lost, "
                          "doubled, partition, clock or liar",
                          SLICE_ARG(name), nearest ? "; did you mean " : "",
                          nearest ? nearest : "");
}

int target_set_faults(const char *command, struct target *target,
                      const char *text)
{
    struct kan_slice rest = kan_text(text);

    target->faults = (struct kan_faults){0};
    if (strcmp(text, "none") == 0)
        return EXIT_DONE;
    while (rest.size > 0) {
        struct kan_slice pair;
        struct kan_slice name;
        int64_t value;
        slice_cut(&rest, ',', &pair);
        if (!read_pair(pair, &name, &value))
            return command_refuse(command,
                                  "--faults is '%s'; expected crash=1,lost=2 "
                                  "and the like, or none",
                                  text);
        int code = set_fault(command, &target->faults, name, value);
        if (code != EXIT_DONE)
            return code;
    }
    return EXIT_DONE;
}

/* --- scenarios ------------------------------------------------------------ */

int target_set_scenario(const char *command, struct target *target,
                        const struct scenario *scenario)
{
    int code = EXIT_DONE;

    for (uint32_t i = 0; code == EXIT_DONE && i < scenario->setting_count; i++)
        code = set_number(command, target, kan_text(scenario->settings[i].name),
                          scenario->settings[i].value);
    if (scenario->fault_count > 0)
        target->faults = (struct kan_faults){0};
    for (uint32_t i = 0; code == EXIT_DONE && i < scenario->fault_count; i++)
        code = set_fault(command, &target->faults,
                         kan_text(scenario->faults[i].name),
                         scenario->faults[i].value);
    return code;
}

void target_head(const struct target *target, struct scenario *head)
{
    *head = (struct scenario){0};
    if (target->opened)
        head->module = target->name;
    else
        head->model = target->name;
    for (uint32_t i = 0; i < target->parameter_count; i++)
        head->settings[head->setting_count++] = (struct scenario_setting){
            target_model(target)->parameters[i].name, target->parameters[i]};
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        uint32_t number;
        memcpy(&number, (const char *)&target->faults + fault_kinds[i].offset,
               sizeof number);
        if (number > 0)
            head->faults[head->fault_count++] =
                (struct scenario_setting){fault_kinds[i].name, number};
    }
    if (head->fault_count == 0 && target_model(target))
        head->faults[head->fault_count++] =
            (struct scenario_setting){"crash", 0};
}
