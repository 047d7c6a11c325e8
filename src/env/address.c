/* Addresses: text in, text out. */

#include "env/address.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/number.h"

static enum kan_err parse_path(struct kan_slice text, struct address *out)
{
    if (text.size > ADDRESS_PATH_MAX)
        return KAN_INVALID;
    out->kind = ADDRESS_PATH;
    memcpy(out->path, text.bytes, text.size);
    return KAN_OK;
}

/* Digits only and few: a port has one spelling, but for leading zeros. */
static enum kan_err parse_port(struct kan_slice text, struct address *out)
{
    uint64_t port;
    if (text.size > 5 || number_u64(text, &port) || port > UINT16_MAX)
        return KAN_INVALID;
    out->port = (uint16_t)port;
    return KAN_OK;
}

static enum kan_err parse_host(struct kan_slice text, int family,
                               struct address *out)
{
    char host[INET6_ADDRSTRLEN];
    if (text.size == 0 || text.size >= sizeof host)
        return KAN_INVALID;
    memcpy(host, text.bytes, text.size);
    host[text.size] = 0;
    out->kind = family == AF_INET6 ? ADDRESS_IPV6 : ADDRESS_IPV4;
    return inet_pton(family, host, out->host) == 1 ? KAN_OK : KAN_INVALID;
}

static enum kan_err parse_network(struct kan_slice text, struct address *out)
{
    struct kan_slice rest = text;
    struct kan_slice host;
    int family = AF_INET;
    if (slice_starts(text, SLICE("["))) {
        family = AF_INET6;
        rest = slice_skip(rest, 1);
        if (!slice_cut(&rest, ']', &host) || !slice_starts(rest, SLICE(":")))
            return KAN_INVALID;
        rest = slice_skip(rest, 1);
    } else if (!slice_cut(&rest, ':', &host)) {
        return KAN_INVALID;
    }
    enum kan_err err = parse_host(host, family, out);
    return err ? err : parse_port(rest, out);
}

enum kan_err address_parse(const char *text, struct address *ret_address)
{
    struct kan_slice slice = kan_text(text);
    struct address parsed = {0};

    enum kan_err err = slice_find(slice, SLICE("/")) != SIZE_MAX
                           ? parse_path(slice, &parsed)
                           : parse_network(slice, &parsed);
    if (!err)
        *ret_address = parsed;
    return err;
}

void address_print(const struct address *address, char out[ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    if (address->kind == ADDRESS_PATH) {
        snprintf(out, ADDRESS_TEXT_SIZE, "%s", address->path);
        return;
    }
    bool six = address->kind == ADDRESS_IPV6;
    const char *text =
        inet_ntop(six ? AF_INET6 : AF_INET, address->host, host, sizeof host);
    kan_assert(text);
    snprintf(out, ADDRESS_TEXT_SIZE, six ? "[%s]:%u" : "%s:%u", text,
             (unsigned)address->port);
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->kind == b->kind && a->port == b->port &&
           memcmp(a->host, b->host, sizeof a->host) == 0 &&
           strcmp(a->path, b->path) == 0;
}
