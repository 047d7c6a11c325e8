/* target.h - what `kan check` and `kan sim` work on: a model that ships, by its
 * name, or a shared object, with parameters and a budget of faults. */

#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include <kan/model.h>

#include "base/bytes.h"
#include "block/actor/module.h"
#include "cli/command.h"
#include "path/scenario/scenario.h"

struct target
{
    const char *name;      /* as given */
    struct module *opened; /* NULL: it is linked in */
    const struct kan_module *module;
    int64_t parameters[KAN_PARAMETERS_MAX];
    uint32_t parameter_count;
    struct kan_faults faults;
};

/* Open by name, or by file when the name has a slash or ends in .so. Returns
 * EXIT_DONE, or prints one line and returns EXIT_USAGE. */
int target_open(const char *command, const char *name, struct target *target);
void target_close(struct target *target);

/* "servers=3", and "crash=1,lost=2". The same returns. */
int target_set(const char *command, struct target *target, const char *text);
int target_set_faults(const char *command, struct target *target,
                      const char *text);

/* What the scenario says of parameters and faults; and the opposite, borrowing
 * from the target. */
int target_set_scenario(const char *command, struct target *target,
                        const struct scenario *scenario);
void target_head(const struct target *target, struct scenario *head);

/* Name what a crash touched, for space_options; data is the target. */
bool target_name_object(void *data, const void *address, char *text,
                        size_t size);

/* "paxos-linearizable" and the suffix: the files of a failure. */
void target_file_name(const struct target *target, const char *property,
                      const char *suffix, struct buffer *out);

/* Print the models that ship with their parameters. */
void target_list(bool json);

/* The module's model; NULL when it has none. */
static inline const struct kan_model *target_model(const struct target *target)
{
    return target->module->model;
}

#endif /* CLI_TARGET_H */
