/* contracts.c - which contracts are in place: types, versions, hashes, sagas,
 * and why a newer text is not. */

#include "base/number.h"
#include "serve/http/entity.h"

static void append_hash(struct buffer *out, struct program_hash hash)
{
    for (size_t i = 0; i < sizeof(hash.bytes); i++)
        buffer_print(out, "%02x", hash.bytes[i]);
}

static void append_type(struct buffer *out, const struct contract *contract,
                        uint32_t type)
{
    uint32_t oldest = contract_oldest(contract, type);
    uint32_t newest = contract_newest(contract, type);
    buffer_append_text(out, "{\"type\":");
    json_append_string(out, contract_type_name(contract, type));
    buffer_append_text(out, ",\"versions\":[");
    for (uint32_t version = oldest; version <= newest; version++) {
        const struct program *program =
            contract_program(contract, type, version);
        if (!program)
            continue;
        buffer_print(out, "%s{\"version\":%u,\"hash\":\"",
                     version == oldest ? "" : ",", version);
        append_hash(out, program_hash(program));
        buffer_append_text(out, "\"}");
    }
    buffer_append_text(out, "]}");
}

static void append_source(struct buffer *out, const struct serve_source *source)
{
    const struct contract *contract = source->contract;
    buffer_append_text(out, "{\"source\":");
    json_append_string(out, kan_text(source->name));
    buffer_append_text(out, ",\"types\":[");
    for (uint32_t i = 0; i < contract_type_count(contract); i++) {
        if (i)
            buffer_append_byte(out, ',');
        append_type(out, contract, i);
    }
    buffer_append_text(out, "],\"sagas\":[");
    for (uint32_t i = 0; i < contract_saga_count(contract); i++) {
        if (i)
            buffer_append_byte(out, ',');
        json_append_string(out, contract_saga(contract, i).name);
    }
    buffer_append_text(out, "]}");
}

static void append_time(struct buffer *out, const char *name, uint64_t ms)
{
    char time[NUMBER_TIME_SIZE];
    number_time(ms, true, time);
    json_append_name(out, name);
    buffer_print(out, "\"%s\"", time);
}

void contracts_call(struct call *call)
{
    const struct serve_contracts *contracts = call->serve->options.contracts;
    struct buffer *out = &call->out;
    buffer_append_text(out, "{\"contracts\":[");
    for (uint32_t i = 0; contracts && i < contracts->source_count; i++) {
        if (i)
            buffer_append_byte(out, ',');
        append_source(out, &contracts->sources[i]);
    }
    buffer_append_byte(out, ']');
    if (contracts)
        append_time(out, "loaded", contracts->loaded_ms);
    if (contracts && contracts->reload_error.size) {
        append_time(out, "refused", contracts->reload_ms);
        json_append_name(out, "error");
        json_append_string(out, contracts->reload_error);
    }
    buffer_append_byte(out, '}');
    call_answer_json(call);
}
