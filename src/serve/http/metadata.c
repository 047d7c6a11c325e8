/* metadata.c - what is running here, and the map in it that clients extend. */

#include "base/alloc.h"
#include "base/assert.h"
#include "serve/http/call.h"

/* --- the map "extended" --------------------------------------------------- */

static struct extended *extended_find(struct serve *serve, struct kan_slice key,
                                      struct list **ret_behind)
{
    struct list *link = serve->extended.next;
    for (; link != &serve->extended; link = link->next) {
        struct extended *entry = list_entry(link, struct extended, link);
        int order = slice_compare(key, entry->key);
        if (order == 0)
            return entry;
        if (order < 0)
            break;
    }
    *ret_behind = link;
    return NULL;
}

enum kan_err serve_set_extended(struct serve *serve, struct kan_slice key,
                                struct kan_slice value)
{
    struct list *behind = NULL;
    if (!key.size || key.size > SERVE_EXTENDED_KEY_MAX ||
        value.size > SERVE_EXTENDED_VALUE_MAX)
        return KAN_INVALID;
    struct extended *old = extended_find(serve, key, &behind);
    if (!old && serve->extended_count == SERVE_EXTENDED_MAX)
        return KAN_BUSY;
    struct extended *entry = mem_alloc(sizeof(*entry) + key.size + value.size);
    if (!entry)
        return KAN_NOMEM;
    char *bytes = (char *)(entry + 1);
    memcpy(bytes, key.bytes, key.size);
    if (value.size)
        memcpy(bytes + key.size, value.bytes, value.size);
    entry->key = kan_slice(bytes, key.size);
    entry->value = kan_slice(bytes + key.size, value.size);
    if (old) {
        behind = old->link.next;
        list_remove(&old->link);
        mem_free(old);
    } else {
        serve->extended_count++;
    }
    /* Before behind, which may be the head: the list stays sorted. */
    list_push(behind, &entry->link);
    return KAN_OK;
}

void metadata_put_call(struct call *call)
{
    switch (
        serve_set_extended(call->serve, call->params[0], call->request->body)) {
    case KAN_OK:
        call_answer_empty(call);
        break;
    case KAN_BUSY:
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: at most %d entries are held",
                        SERVE_EXTENDED_MAX);
        break;
    case KAN_INVALID:
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: a key has at most %d bytes, and a "
                        "value at most %d",
                        SERVE_EXTENDED_KEY_MAX, SERVE_EXTENDED_VALUE_MAX);
        break;
    default:
        call_overloaded(call);
        break;
    }
}

/* --- writing -------------------------------------------------------------- */

static void text_member(struct buffer *out, const char *name, const char *text)
{
    json_append_name(out, name);
    json_append_string(out, kan_text(text));
}

static void number_member(struct buffer *out, const char *name, int64_t number)
{
    json_append_name(out, name);
    buffer_print(out, "%lld", (long long)number);
}

static void comma(struct buffer *out)
{
    if (out->size && out->bytes[out->size - 1] != '[')
        buffer_append_byte(out, ',');
}

/* A duration as Go writes it: "500ms", "1.5s", "2m0s". */
static void duration_member(struct buffer *out, const char *name, uint32_t ms)
{
    json_append_name(out, name);
    buffer_append_byte(out, '"');
    if (ms < 1000) {
        buffer_print(out, "%ums", ms);
    } else {
        uint32_t minutes = ms / 60000;
        uint32_t rest = ms % 60000;
        if (minutes >= 60)
            buffer_print(out, "%uh", minutes / 60);
        if (minutes)
            buffer_print(out, "%um", minutes % 60);
        buffer_print(out, "%u", rest / 1000);
        if (rest % 1000) {
            uint32_t part = rest % 1000;
            int digits = 3;
            while (part % 10 == 0) {
                part /= 10;
                digits--;
            }
            buffer_print(out, ".%0*u", digits, part);
        }
        buffer_append_byte(out, 's');
    }
    buffer_append_byte(out, '"');
}

static void write_component(struct buffer *out, const struct serve_store *store)
{
    static const struct
    {
        unsigned mask;
        const char *name;
    } names[] = {{SERVE_ETAG, "ETAG"},
                 {SERVE_TRANSACTIONAL, "TRANSACTIONAL"},
                 {SERVE_TTL, "TTL"},
                 {SERVE_ACTOR, "ACTOR"}};
    unsigned mask = serve_capabilities(store->state);
    comma(out);
    buffer_append_byte(out, '{');
    text_member(out, "name", store->name);
    text_member(out, "type", store->type);
    text_member(out, "version", store->version ? store->version : "v1");
    json_append_name(out, "capabilities");
    buffer_append_byte(out, '[');
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(mask & names[i].mask))
            continue;
        comma(out);
        json_append_string(out, kan_text(names[i].name));
    }
    buffer_append_text(out, "]}");
}

static void write_lock(struct buffer *out, const struct serve_lock *lock)
{
    comma(out);
    buffer_append_byte(out, '{');
    text_member(out, "name", lock->name);
    text_member(out, "type", lock->type);
    text_member(out, "version", lock->version ? lock->version : "v1");
    json_append_name(out, "capabilities");
    buffer_append_text(out, "[]}");
}

static void write_components(struct buffer *out,
                             const struct serve_options *options)
{
    if (!options->store_count && !options->lock_count)
        return;
    json_append_name(out, "components");
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < options->store_count; i++)
        write_component(out, &options->stores[i]);
    for (uint32_t i = 0; i < options->lock_count; i++)
        write_lock(out, &options->locks[i]);
    buffer_append_byte(out, ']');
}

/* Types of contracts are called as those of actors are. */
static void write_entities(struct buffer *out,
                           const struct serve_contracts *contracts)
{
    for (uint32_t i = 0; i < contracts->source_count; i++) {
        const struct contract *contract = contracts->sources[i].contract;
        for (uint32_t t = 0; t < contract_type_count(contract); t++) {
            comma(out);
            buffer_append_byte(out, '{');
            json_append_name(out, "type");
            json_append_string(out, contract_type_name(contract, t));
            buffer_append_byte(out, '}');
        }
    }
}

static void write_actors(struct buffer *out,
                         const struct serve_options *options)
{
    json_append_name(out, "actorRuntime");
    if (!options->actors && !options->contracts) {
        buffer_append_text(out, "{\"runtimeStatus\":\"DISABLED\"}");
        return;
    }
    buffer_append_text(out,
                       "{\"runtimeStatus\":\"RUNNING\",\"hostReady\":"
                       "true,\"activeActors\":[");
    for (uint32_t m = 0; m < options->module_count; m++)
        for (uint32_t i = 0; i < options->modules[m]->actor_count; i++) {
            comma(out);
            buffer_append_byte(out, '{');
            text_member(out, "type", options->modules[m]->actors[i]->name);
            buffer_append_byte(out, '}');
        }
    if (options->contracts)
        write_entities(out, options->contracts);
    buffer_append_text(out, "]}");
}

static void write_skipped(struct buffer *out,
                          const struct serve_options *options)
{
    struct buffer text = BUFFER_INIT;
    if (!options->skipped_count)
        return;
    for (uint32_t i = 0; i < options->skipped_count; i++)
        buffer_print(&text, "%s%s (%s)", i ? ", " : "",
                     options->skipped[i].name, options->skipped[i].type);
    json_append_name(out, "kanSkippedComponents");
    json_append_string(out, buffer_slice(&text));
    out->failed |= buffer_failed(&text);
    buffer_fini(&text);
}

static void write_extended(struct buffer *out, const struct serve *serve)
{
    const struct serve_options *options = &serve->options;
    static const char version[] = "daprRuntimeVersion";
    json_append_name(out, "extended");
    buffer_append_byte(out, '{');
    const struct list *link = serve->extended.next;
    for (; link != &serve->extended; link = link->next) {
        const struct extended *entry =
            list_entry(link, const struct extended, link);
        if (slice_equal(entry->key, kan_text(version)))
            continue;
        if (out->bytes && out->bytes[out->size - 1] != '{')
            buffer_append_byte(out, ',');
        json_append_string(out, entry->key);
        buffer_append_byte(out, ':');
        json_append_string(out, entry->value);
    }
    text_member(out, version, options->version);
    if (options->app_namespace && *options->app_namespace)
        text_member(out, "kanNamespace", options->app_namespace);
    write_skipped(out, options);
    buffer_append_byte(out, '}');
}

static void write_app(struct buffer *out, const struct serve_app *app)
{
    if (!app->port)
        return;
    json_append_name(out, "appConnectionProperties");
    buffer_append_byte(out, '{');
    number_member(out, "port", app->port);
    text_member(out, "protocol", app->protocol ? app->protocol : "http");
    text_member(out, "channelAddress",
                app->address ? app->address : "127.0.0.1");
    if (app->max_concurrency > 0)
        number_member(out, "maxConcurrency", app->max_concurrency);
    if (app->health_check) {
        json_append_name(out, "health");
        buffer_append_byte(out, '{');
        if (app->health_path)
            text_member(out, "healthCheckPath", app->health_path);
        duration_member(out, "healthProbeInterval", app->health_interval_ms);
        duration_member(out, "healthProbeTimeout", app->health_timeout_ms);
        number_member(out, "healthThreshold", app->health_threshold);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, '}');
}

void metadata_get_call(struct call *call)
{
    const struct serve_options *options = &call->serve->options;
    struct buffer *out = &call->out;
    buffer_append_byte(out, '{');
    text_member(out, "id", options->app_id);
    text_member(out, "runtimeVersion", options->version);
    write_components(out, options);
    write_extended(out, call->serve);
    write_app(out, &options->app);
    write_actors(out, options);
    buffer_append_byte(out, '}');
    call_answer_json(call);
}
