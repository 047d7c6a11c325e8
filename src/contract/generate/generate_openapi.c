/* generate_openapi.c - what serves a contract over HTTP, as an OpenAPI 3.1
 * document. The surface is that of docs/api.md; this file says which paths,
 * generate_schema.c what values look like. */

#include "contract/generate/generate_schema.h"

#include <inttypes.h>

/* --- what all paths share ------------------------------------------------- */

static const char parameters[] =
    "\"parameters\":{"
    "\"id\":{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"description\":"
    "\"of the entity\",\"schema\":{\"type\":\"string\",\"minLength\":1,"
    "\"maxLength\":256}},"
    "\"ifMatch\":{\"name\":\"If-Match\",\"in\":\"header\",\"description\":"
    "\"only if the entity is at that n; \\\"0\\\": nothing has happened to it "
    "yet\",\"schema\":{\"type\":\"string\"},\"example\":\"\\\"2\\\"\"},"
    "\"idempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\","
    "\"description\":\"a call that is sent again is answered as the first one "
    "was\",\"schema\":{\"type\":\"string\",\"minLength\":1}},"
    "\"version\":{\"name\":\"kan-version\",\"in\":\"header\",\"description\":"
    "\"the version that the caller speaks\",\"schema\":{\"type\":\"integer\","
    "\"minimum\":1}},"
    "\"limit\":{\"name\":\"limit\",\"in\":\"query\",\"schema\":{\"type\":"
    "\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}},"
    "\"waitMs\":{\"name\":\"waitMs\",\"in\":\"query\",\"description\":\"how "
    "long to wait at most\",\"schema\":{\"type\":\"integer\",\"minimum\":0,"
    "\"maximum\":86400000,\"default\":30000}}}";

static const char headers[] =
    "\"headers\":{"
    "\"ETag\":{\"description\":\"n of the entity, in quotes\",\"schema\":"
    "{\"type\":\"string\"}},"
    "\"version\":{\"description\":\"the version of the state\",\"schema\":"
    "{\"type\":\"integer\"}},"
    "\"replayed\":{\"description\":\"true: the answer of the first call with "
    "that Idempotency-Key\",\"schema\":{\"type\":\"string\"}}}";

static const struct
{
    const char *name;
    const char *status;
    const char *said;
    bool problem; /* application/problem+json, else an error as Dapr's */
} failures[] = {
    {"malformed", "400", "the body, a header or a parameter is wrong", false},
    {"notFound", "404", "there is no such type, step, version or entity",
     false},
    {"refused", "409", "the contract refuses it: nothing was written", true},
    {"gone", "410",
     "the running version has no such step, or that past was "
     "erased",
     true},
    {"stale", "412", "the entity is not at the n of If-Match", true},
    {"keyReused", "422", "the Idempotency-Key came with something else before",
     true},
    {"failed", "500",
     "the store failed; the message says whether the step may "
     "have been taken",
     false},
    {"overloaded", "503", "too many wait, or Kan is closing: nothing was done",
     false},
};

enum
{
    FAILURES = sizeof failures / sizeof *failures
};

static void responses_write(struct buffer *out)
{
    size_t i;

    json_append_name(out, "responses");
    buffer_append_byte(out, '{');
    for (i = 0; i < FAILURES; i++) {
        json_append_name(out, failures[i].name);
        buffer_append_byte(out, '{');
        json_append_name(out, "description");
        json_append_string(out, kan_text(failures[i].said));
        buffer_print(out,
                     ",\"content\":{\"application/%s\":{\"schema\":{\"$ref\":"
                     "\"#/components/schemas/%s\"}}}}",
                     failures[i].problem ? "problem+json" : "json",
                     failures[i].problem ? "problem" : "error");
    }
    buffer_append_byte(out, '}');
}

/* References to those of a list of statuses, "400 404 500". */
static void failures_write(struct buffer *out, const char *statuses)
{
    size_t i;

    for (i = 0; i < FAILURES; i++) {
        if (slice_find(kan_text(statuses), kan_text(failures[i].status)) ==
            SIZE_MAX)
            continue;
        json_append_name(out, failures[i].status);
        buffer_print(out, "{\"$ref\":\"#/components/responses/%s\"}",
                     failures[i].name);
    }
}

/* --- operations ----------------------------------------------------------- */

/* "name": {"operationId": ..., "tags": ..., "summary": ... */
static void operation_begin(struct buffer *out, const char *verb,
                            struct kan_slice tag, struct kan_slice what,
                            struct kan_slice name, const char *summary)
{
    struct buffer id = BUFFER_INIT;

    buffer_print(&id, "%.*s.%.*s", SLICE_ARG(what), SLICE_ARG(name));
    json_append_name(out, verb);
    buffer_append_text(out, "{\"operationId\":");
    json_append_string(out, buffer_slice(&id));
    buffer_append_text(out, ",\"tags\":[");
    json_append_string(out, tag);
    buffer_append_text(out, "],\"summary\":");
    json_append_string(out, kan_text(summary));
    buffer_fini(&id);
}

static void parameters_write(struct buffer *out, const char *names)
{
    struct kan_slice rest = kan_text(names);
    struct kan_slice name;

    json_append_name(out, "parameters");
    buffer_append_byte(out, '[');
    while (rest.size > 0) {
        (void)slice_cut(&rest, ' ', &name);
        buffer_print(out, "%s{\"$ref\":\"#/components/parameters/%.*s\"}",
                     out->bytes && out->bytes[out->size - 1] == '[' ? "" : ",",
                     SLICE_ARG(name));
    }
    buffer_append_byte(out, ']');
}

/* A parameter of the query, behind others: "after", a string. */
static void query_write(struct buffer *out, const char *name, const char *type)
{
    if (out->size > 0)
        out->size--;
    buffer_print(out,
                 ",{\"name\":\"%s\",\"in\":\"query\",\"schema\":{\"type\":"
                 "\"%s\"}}]",
                 name, type);
}

/* 200 with that schema; the object of responses stays open. */
static void answer_write(struct buffer *out, const char *said, const char *more,
                         const char *schema, struct kan_slice name)
{
    json_append_name(out, "responses");
    buffer_append_text(out, "{\"200\":{\"description\":");
    json_append_string(out, kan_text(said));
    buffer_append_text(out, more);
    buffer_print(out,
                 ",\"content\":{\"application/json\":{\"schema\":{\"$ref\":"
                 "\"#/components/schemas/%s%.*s\"}}}}",
                 schema, SLICE_ARG(name));
}

static const char state_headers[] =
    ",\"headers\":{\"ETag\":{\"$ref\":\"#/components/headers/ETag\"},"
    "\"kan-version\":{\"$ref\":\"#/components/headers/version\"},"
    "\"kan-replayed\":{\"$ref\":\"#/components/headers/replayed\"}}";

static void body_write(struct buffer *out, const char *kind,
                       struct kan_slice type, struct kan_slice name,
                       bool required)
{
    json_append_name(out, "requestBody");
    buffer_print(out,
                 "{\"required\":%s,\"content\":{\"application/json\":{"
                 "\"schema\":{\"$ref\":\"#/components/schemas/%s.%.*s.%.*s\"}}"
                 "}}",
                 required ? "true" : "false", kind, SLICE_ARG(type),
                 SLICE_ARG(name));
}

static bool asks(const struct tree_field *fields, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (!fields[i].value)
            return true;
    }
    return false;
}

static void step_path(struct buffer *out, const struct tree *tree,
                      const struct tree_entity *entity,
                      const struct tree_step *step)
{
    struct buffer path = BUFFER_INIT;
    struct buffer summary = BUFFER_INIT;

    buffer_print(&path, "/v1.0/actors/%.*s/{id}/method/%.*s",
                 SLICE_ARG(entity->name.text), SLICE_ARG(step->name.text));
    json_append_name(out, buffer_text(&path));
    buffer_append_byte(out, '{');
    if (step->when)
        buffer_print(&summary, "when %.*s",
                     SLICE_ARG(source_slice(tree->source, step->when->span)));
    operation_begin(out, "post", entity->name.text, entity->name.text,
                    step->name.text, buffer_text(&summary));
    parameters_write(out, "id ifMatch idempotencyKey version");
    body_write(out, "step", entity->name.text, step->name.text,
               asks(step->parameters, step->parameter_count));
    answer_write(out, "the state behind the step", state_headers, "entity.",
                 entity->name.text);
    failures_write(out, "400 404 409 410 412 422 500 503");
    buffer_append_text(out, "}}}");
    if (buffer_failed(&path) || buffer_failed(&summary))
        out->failed = true;
    buffer_fini(&path);
    buffer_fini(&summary);
}

/* One path of a type: {type} is put in, and "{" stays open. */
static void path_begin(struct buffer *out, const char *before,
                       struct kan_slice name, const char *after)
{
    struct buffer path = BUFFER_INIT;

    buffer_print(&path, "%s%.*s%s", before, SLICE_ARG(name), after);
    json_append_name(out, buffer_text(&path));
    buffer_append_byte(out, '{');
    if (buffer_failed(&path))
        out->failed = true;
    buffer_fini(&path);
}

static void entity_paths(struct buffer *out, const struct tree_entity *entity)
{
    struct kan_slice name = entity->name.text;

    path_begin(out, "/kan/v1/entities/", name, "");
    operation_begin(out, "get", name, name, SLICE("entity.list"),
                    "a page of the entities, in the order of their ids");
    parameters_write(out, "limit");
    query_write(out, "prefix", "string");
    query_write(out, "after", "string");
    answer_write(out, "a page", "", "entities", kan_text(""));
    failures_write(out, "400 404 500 503");
    buffer_append_text(out, "}}}");

    path_begin(out, "/kan/v1/entities/", name, "/{id}");
    operation_begin(out, "get", name, name, SLICE("entity.get"),
                    "the state, now or behind event n");
    parameters_write(out, "id version");
    query_write(out, "at", "integer");
    answer_write(out, "the state", state_headers, "entity.", name);
    failures_write(out, "400 404 410 500 503");
    buffer_append_text(out, "}}");
    operation_begin(out, "delete", name, name, SLICE("entity.delete"),
                    "delete it, or erase its past");
    parameters_write(out, "id ifMatch");
    query_write(out, "erase", "boolean");
    answer_write(out, "it is deleted", "", "changed", kan_text(""));
    failures_write(out, "400 404 412 500 503");
    buffer_append_text(out, "}}}");

    path_begin(out, "/kan/v1/entities/", name, "/{id}/upgrade");
    operation_begin(out, "post", name, name, SLICE("entity.upgrade"),
                    "carry it over to another version; without a body to the "
                    "newest");
    parameters_write(out, "id ifMatch");
    buffer_append_text(
        out,
        ",\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{"
        "\"type\":\"object\",\"properties\":{\"version\":{\"type\":"
        "\"integer\",\"minimum\":1}}}}}}");
    answer_write(out, "it has that version", "", "changed", kan_text(""));
    failures_write(out, "400 404 409 412 500 503");
    buffer_append_text(out, "}}}");

    path_begin(out, "/kan/v1/entities/", name, "/{id}/events");
    operation_begin(out, "get", name, name, SLICE("entity.events"),
                    "what happened to it; as text/event-stream as it happens");
    parameters_write(out, "id limit");
    query_write(out, "after", "integer");
    answer_write(out, "a page of events", "", "events.", name);
    failures_write(out, "400 404 500 503");
    buffer_append_text(out, "}}}");
}

static void view_path(struct buffer *out, const struct tree_entity *entity,
                      const struct tree_view *view)
{
    struct buffer path = BUFFER_INIT;
    struct buffer schema = BUFFER_INIT;
    struct buffer name = BUFFER_INIT;

    if (view->over_all)
        buffer_print(&path, "/kan/v1/views/%.*s/%.*s",
                     SLICE_ARG(entity->name.text), SLICE_ARG(view->name.text));
    else
        buffer_print(&path, "/kan/v1/entities/%.*s/{id}/views/%.*s",
                     SLICE_ARG(entity->name.text), SLICE_ARG(view->name.text));
    json_append_name(out, buffer_text(&path));
    buffer_append_byte(out, '{');
    buffer_print(&name, "view.%.*s", SLICE_ARG(view->name.text));
    operation_begin(
        out, "get", entity->name.text, entity->name.text, buffer_slice(&name),
        view->over_all ? "a view over all entities" : "a view of one entity");
    if (view->over_all) {
        parameters_write(out, "waitMs");
        query_write(out, "at_least", "integer");
    } else {
        parameters_write(out, "id");
    }
    buffer_print(&schema, "view.%.*s.", SLICE_ARG(entity->name.text));
    answer_write(out, "the view", "", buffer_text(&schema), view->name.text);
    failures_write(out, "400 404 500 503");
    if (view->over_all)
        buffer_append_text(
            out, ",\"504\":{\"$ref\":\"#/components/responses/failed\"}");
    buffer_append_text(out, "}}}");
    if (buffer_failed(&path) || buffer_failed(&schema) || buffer_failed(&name))
        out->failed = true;
    buffer_fini(&path);
    buffer_fini(&schema);
    buffer_fini(&name);
}

static void saga_paths(struct buffer *out, const struct tree_saga *saga)
{
    struct kan_slice name = saga->name.text;

    path_begin(out, "/kan/v1/sagas/", name, "");
    operation_begin(out, "post", SLICE("sagas"), SLICE("saga"), name,
                    "steps of several entities, all or none");
    parameters_write(out, "idempotencyKey waitMs");
    json_append_name(out, "requestBody");
    buffer_print(
        out,
        "{\"required\":%s,\"content\":{\"application/json\":{"
        "\"schema\":{\"$ref\":\"#/components/schemas/saga.%.*s\"}}}}",
        asks(saga->parameters, saga->parameter_count) ? "true" : "false",
        SLICE_ARG(name));
    answer_write(out, "all steps are done", "", "sagaState", kan_text(""));
    buffer_append_text(
        out,
        ",\"202\":{\"description\":\"it goes on by itself\",\"content\":{"
        "\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/"
        "sagaState\"}}}}");
    failures_write(out, "400 404 409 422 500 503");
    buffer_append_text(out, "}}}");

    path_begin(out, "/kan/v1/sagas/", name, "/{id}");
    operation_begin(out, "get", SLICE("sagas"), SLICE("sagaState"), name,
                    "how far it is");
    parameters_write(out, "id");
    answer_write(out, "its state", "", "sagaState", kan_text(""));
    failures_write(out, "400 404 500 503");
    buffer_append_text(out, "}}}");
}

/* --- the document --------------------------------------------------------- */

static bool wanted(const struct tree *tree,
                   const struct generate_options *options,
                   const struct tree_entity *entity)
{
    return tree_entity(tree, entity->name.text, 0) == entity &&
           (options->type.size == 0 ||
            slice_equal(options->type, entity->name.text));
}

static void paths_write(const struct tree *tree,
                        const struct generate_options *options,
                        struct buffer *out)
{
    uint32_t i;
    uint32_t k;

    json_append_name(out, "paths");
    buffer_append_byte(out, '{');
    for (i = 0; i < tree->entity_count; i++) {
        const struct tree_entity *entity = &tree->entities[i];

        if (!wanted(tree, options, entity))
            continue;
        for (k = 0; k < entity->step_count; k++) {
            if (!entity->steps[k].internal)
                step_path(out, tree, entity, &entity->steps[k]);
        }
        entity_paths(out, entity);
        for (k = 0; k < entity->view_count; k++)
            view_path(out, entity, &entity->views[k]);
    }
    for (i = 0; i < tree->saga_count && options->type.size == 0; i++)
        saga_paths(out, &tree->sagas[i]);
    buffer_append_byte(out, '}');
}

static void schemas_write(const struct contract *contract,
                          const struct generate_options *options,
                          struct buffer *out)
{
    const struct tree *tree = contract_tree(contract);
    uint32_t i;

    json_append_name(out, "schemas");
    buffer_append_byte(out, '{');
    schema_common(out);
    for (i = 0; i < tree->record_count; i++)
        schema_record(&tree->records[i], out);
    for (i = 0; i < tree->entity_count; i++) {
        const struct tree_entity *entity = &tree->entities[i];
        int32_t type = contract_type_find(contract, entity->name.text);

        if (type >= 0 && wanted(tree, options, entity)) {
            schema_entity(entity, contract_program(contract, (uint32_t)type, 0),
                          out);
        }
    }
    for (i = 0; i < tree->saga_count && options->type.size == 0; i++)
        schema_saga(&tree->sagas[i], out);
    buffer_append_byte(out, '}');
}

enum kan_err generate_openapi(const struct contract *contract,
                              const struct generate_options *options,
                              struct buffer *out)
{
    const struct tree *tree = contract_tree(contract);
    bool any = false;
    uint32_t i;

    for (i = 0; i < tree->entity_count; i++)
        any = any || wanted(tree, options, &tree->entities[i]);
    if (!any)
        return KAN_NOTFOUND;
    buffer_append_text(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":");
    json_append_string(out, options->stem);
    buffer_append_text(out, ",\"version\":\"1\",\"description\":");
    json_append_string(out,
                       SLICE("What `kan run` serves of the contract, as made "
                             "by `kan gen openapi`. Numbers beyond 2^53 are "
                             "strings of digits."));
    buffer_append_text(out,
                       "},\"servers\":[{\"url\":\"http://localhost:3500\""
                       "}]");
    paths_write(tree, options, out);
    buffer_append_text(out, ",\"components\":{");
    buffer_append_text(out, parameters);
    buffer_append_byte(out, ',');
    buffer_append_text(out, headers);
    responses_write(out);
    schemas_write(contract, options, out);
    buffer_append_text(out, "}}\n");
    return buffer_failed(out) ? KAN_NOMEM : KAN_OK;
}
