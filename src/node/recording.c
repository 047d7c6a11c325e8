/* See recording.h. */

#include "node/recording.h"

#include "base/alloc.h"
#include "base/record.h"
#include "node/resource.h"
#include "path/scenario/scenario.h"

struct recording
{
    struct env_file *file;
    struct log *log;
    uint64_t size;
    bool ended; /* a write failed: nothing more is written */
    struct buffer line;
    struct buffer json;
    struct buffer draws;
};

static enum kan_err write_line(struct recording *recording)
{
    struct kan_slice bytes = buffer_slice(&recording->line);
    if (buffer_failed(&recording->line))
        return KAN_NOMEM;
    enum kan_err err = env_file_write(recording->file, recording->size, bytes);
    if (err == KAN_OK)
        recording->size += bytes.size;
    return err;
}

/* Cut off what may be half a line. */
static void give_up(struct recording *recording, enum kan_err err)
{
    recording->ended = true;
    (void)!env_file_truncate(recording->file, recording->size);
    log_line(recording->log, LOG_ERROR, "the recording ends here",
             LOG_TEXT("reason", kan_text(kan_err_text(err))));
}

enum kan_err recording_open(struct env *env, struct log *log, const char *file,
                            const char *module,
                            struct recording **ret_recording,
                            struct buffer *why)
{
    struct scenario head = {.module = module};
    struct recording *recording = mem_zalloc(sizeof(*recording));
    if (!recording)
        return KAN_NOMEM;
    recording->log = log;
    enum kan_err err = env_file_open(
        env, file, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE,
        &recording->file);
    if (err == KAN_OK)
        err = scenario_write_head(&head, &recording->line);
    if (err == KAN_OK)
        err = write_line(recording);
    if (err != KAN_OK) {
        (void)recording_close(recording, NULL);
        buffer_clear(why);
        buffer_print(why, "--record '%s' cannot be written: %s", file,
                     err == KAN_INVALID ? "it is no file, or access is denied"
                                        : resource_err_text(err));
        return err;
    }
    *ret_recording = recording;
    return KAN_OK;
}

static enum kan_err write_event(struct recording *recording,
                                const struct actor_event *event)
{
    static const enum scenario_kind kinds[] = {
        [PATH_MESSAGE] = SCENARIO_DELIVER,
        [PATH_TIMER] = SCENARIO_TIMER,
        [PATH_CRASH] = SCENARIO_CRASH,
        [PATH_RESTART] = SCENARIO_RESTART};
    struct scenario_event line = {.kind = kinds[event->input],
                                  .to = event->actor,
                                  .name = event->name,
                                  .now_ms = event->now_ms};
    buffer_clear(&recording->line);
    buffer_clear(&recording->json);
    buffer_clear(&recording->draws);
    scenario_draws_write(event->choices, event->choice_count,
                         &recording->draws);
    if (buffer_failed(&recording->draws))
        return KAN_NOMEM;
    if (event->choice_count > 0)
        line.draws = buffer_text(&recording->draws);
    if (event->input == PATH_MESSAGE) {
        /* Whoever is outside counts as one and the same. */
        if (strncmp(event->from.text, "client/", 7) != 0)
            line.from = event->from;
        if (event->message) {
            enum kan_err err =
                record_to_json(event->record, event->message, &recording->json);
            if (err != KAN_OK)
                return err;
            line.json = buffer_text(&recording->json);
        }
    }
    enum kan_err err = scenario_write_event(&line, &recording->line);
    return err == KAN_OK ? write_line(recording) : err;
}

void recording_event(struct recording *recording,
                     const struct actor_event *event)
{
    if (recording->ended)
        return;
    enum kan_err err = write_event(recording, event);
    if (err != KAN_OK)
        give_up(recording, err);
}

struct recording *recording_close(struct recording *recording,
                                  const struct path_id *path)
{
    if (!recording)
        return NULL;
    if (path && !recording->ended) {
        buffer_clear(&recording->line);
        enum kan_err err = scenario_write_path(*path, &recording->line);
        if (err == KAN_OK)
            err = write_line(recording);
        if (err != KAN_OK)
            give_up(recording, err);
    }
    if (recording->file)
        env_file_close(recording->file);
    buffer_fini(&recording->line);
    buffer_fini(&recording->json);
    buffer_fini(&recording->draws);
    mem_free(recording);
    return NULL;
}
