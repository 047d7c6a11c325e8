/* See client.h. */

#include "cli/client.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/number.h"
#include "cli/command.h"

enum
{
    READ_SIZE = 65536,
    HEAD_MAX = 65536
};

void client_answer_fini(struct client_answer *answer)
{
    buffer_fini(&answer->body);
}

/* --- addresses ------------------------------------------------------------ */

static bool copy(char *out, size_t size, struct kan_slice text)
{
    if (!text.size || text.size >= size)
        return false;
    memcpy(out, text.bytes, text.size);
    out[text.size] = 0;
    return true;
}

/* "host:port", "[::1]:port". */
static bool take_tcp(struct client *client, struct kan_slice text)
{
    const char *bytes = text.bytes;
    size_t colon = text.size;
    while (colon > 0 && bytes[colon - 1] != ':')
        colon--;
    uint64_t port;
    if (colon < 2)
        return false;
    struct kan_slice host = slice_head(text, colon - 1);
    struct kan_slice number = slice_skip(text, colon);
    if (number_u64(number, &port) != KAN_OK || port == 0 || port > 65535)
        return false;
    if (slice_at(host, 0) == '[' && slice_at(host, host.size - 1) == ']')
        host = slice_head(slice_skip(host, 1), host.size - 2);
    return copy(client->host, sizeof client->host, host) &&
           copy(client->port, sizeof client->port, number);
}

static bool take_address(struct client *client, struct kan_slice text)
{
    struct sockaddr_un room;
    if (slice_starts(text, SLICE("unix:")))
        return copy(client->host,
                    sizeof room.sun_path < sizeof client->host
                        ? sizeof room.sun_path
                        : sizeof client->host,
                    slice_skip(text, 5));
    if (slice_starts(text, SLICE("http://")))
        text = slice_skip(text, 7);
    while (text.size && slice_at(text, text.size - 1) == '/')
        text = slice_head(text, text.size - 1);
    return take_tcp(client, text);
}

int client_init(struct client *client, const char *command, const char *address)
{
    *client = (struct client){.command = command, .socket = -1};
    const char *port = getenv("DAPR_HTTP_PORT");
    struct buffer usual = BUFFER_INIT;
    buffer_print(&usual, "127.0.0.1:%s", port && *port ? port : "3500");
    bool fine = take_address(
        client, address ? kan_text(address) : buffer_slice(&usual));
    buffer_fini(&usual);
    if (fine)
        return EXIT_DONE;
    if (address)
        return command_refuse(command,
                              "--address is '%s'; expected http://HOST:PORT "
                              "or unix:PATH",
                              address);
    return command_refuse(command, "DAPR_HTTP_PORT is '%s'; expected a port",
                          port);
}

static void hang_up(struct client *client)
{
    if (client->socket >= 0)
        (void)close(client->socket);
    client->socket = -1;
    buffer_clear(&client->in);
}

void client_fini(struct client *client)
{
    hang_up(client);
    buffer_fini(&client->in);
}

void client_address(const struct client *client, struct buffer *out)
{
    bool v6 = strchr(client->host, ':') != NULL;
    if (*client->port)
        buffer_print(out, v6 ? "http://[%s]:%s" : "http://%s:%s", client->host,
                     client->port);
    else
        buffer_print(out, "unix:%s", client->host);
}

void client_encode(struct buffer *out, struct kan_slice text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = slice_at(text, i);
        if (byte && strchr(plain, byte))
            buffer_append_byte(out, byte);
        else
            buffer_print(out, "%%%02X", byte);
    }
}

/* --- the connection ------------------------------------------------------- */

static int connect_unix(const struct client *client)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(name.sun_path, client->host, strlen(client->host) + 1);
    if (made >= 0 &&
        connect(made, (const struct sockaddr *)&name, sizeof name) != 0) {
        (void)close(made);
        made = -1;
    }
    return made;
}

static int connect_tcp(const struct client *client)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int made = -1;
    if (getaddrinfo(client->host, client->port, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *one = found; one && made < 0;
         one = one->ai_next) {
        made = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC,
                      one->ai_protocol);
        if (made >= 0 && connect(made, one->ai_addr, one->ai_addrlen) != 0) {
            (void)close(made);
            made = -1;
        }
    }
    freeaddrinfo(found);
    return made;
}

static bool dial(struct client *client)
{
    const struct timeval patience = {.tv_sec = CLIENT_PATIENCE_S};
    if (client->socket >= 0)
        return true;
    buffer_clear(&client->in);
    client->socket = *client->port ? connect_tcp(client) : connect_unix(client);
    if (client->socket < 0)
        return false;
    (void)setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &patience,
                     sizeof patience);
    (void)setsockopt(client->socket, SOL_SOCKET, SO_SNDTIMEO, &patience,
                     sizeof patience);
    return true;
}

static bool send_all(struct client *client, struct kan_slice bytes)
{
    while (bytes.size) {
        ssize_t sent =
            send(client->socket, bytes.bytes, bytes.size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes = slice_skip(bytes, (size_t)sent);
    }
    return true;
}

/* Append what comes to client->in. */
static bool receive(struct client *client)
{
    struct buffer *in = &client->in;
    if (client->socket < 0 || buffer_reserve(in, READ_SIZE) != KAN_OK)
        return false;
    ssize_t got =
        recv(client->socket, in->bytes + in->size, in->capacity - in->size, 0);
    if (got <= 0)
        return false;
    in->size += (size_t)got;
    return true;
}

bool client_send(struct client *client, const char *method, const char *path,
                 const char *lines, struct kan_slice body)
{
    const char *token = getenv("DAPR_API_TOKEN");
    struct buffer out = BUFFER_INIT;
    if (!dial(client))
        return false;
    buffer_print(&out, "%s %s HTTP/1.1\r\nHost: kan\r\n%s", method, path,
                 lines);
    if (token && *token)
        buffer_print(&out, "dapr-api-token: %s\r\n", token);
    if (body.bytes)
        buffer_print(&out, "Content-Length: %zu\r\n", body.size);
    buffer_append_text(&out, "\r\n");
    buffer_append(&out, body);
    bool sent = !buffer_failed(&out) && send_all(client, buffer_slice(&out));
    buffer_fini(&out);
    if (!sent)
        hang_up(client);
    return sent;
}

/* --- answers -------------------------------------------------------------- */

/* One line of the head; false when it is the empty one. */
static bool head_line(struct kan_slice *rest, struct kan_slice *ret_name,
                      struct kan_slice *ret_value)
{
    struct kan_slice line;
    slice_cut(rest, '\n', &line);
    if (line.size && slice_at(line, line.size - 1) == '\r')
        line = slice_head(line, line.size - 1);
    if (!line.size)
        return false;
    slice_cut(&line, ':', ret_name);
    *ret_value = slice_trim(line);
    return true;
}

static bool take_head(struct client *client, struct kan_slice head,
                      int *ret_status)
{
    struct kan_slice name;
    struct kan_slice value;
    uint64_t status;
    if (!slice_starts(head, SLICE("HTTP/1.1 ")) || head.size < 12 ||
        number_u64(slice_head(slice_skip(head, 9), 3), &status) != KAN_OK)
        return false;
    slice_cut(&head, '\n', &name);
    client->left = 0;
    client->chunked = client->counted = client->ended = client->last = false;
    while (head_line(&head, &name, &value)) {
        if (slice_equal_nocase(name, SLICE("Content-Length")))
            client->counted = number_u64(value, &client->left) == KAN_OK;
        if (slice_equal_nocase(name, SLICE("Transfer-Encoding")))
            client->chunked = client->counted = true;
        if (slice_equal_nocase(name, SLICE("Connection")) &&
            slice_equal_nocase(value, SLICE("close")))
            client->last = true;
    }
    if (status == 204 || status == 304) {
        client->counted = true;
        client->left = 0;
    }
    client->ended = client->counted && !client->chunked && !client->left;
    *ret_status = (int)status;
    return true;
}

bool client_head(struct client *client, int *ret_status)
{
    size_t end;
    while ((end = slice_find(buffer_slice(&client->in), SLICE("\r\n\r\n"))) ==
           SIZE_MAX) {
        if (client->in.size > HEAD_MAX || !receive(client)) {
            hang_up(client);
            return false;
        }
    }
    bool fine = take_head(
        client, slice_head(buffer_slice(&client->in), end + 4), ret_status);
    if (fine)
        buffer_consume(&client->in, end + 4);
    else
        hang_up(client);
    return fine;
}

/* Read the line before a chunk. false: lost. The empty chunk ends the body. */
static bool chunk_begin(struct client *client)
{
    size_t end;
    /* The line end behind the chunk before it. */
    while (client->in.size < 2 && receive(client))
        continue;
    if (slice_starts(buffer_slice(&client->in), SLICE("\r\n")))
        buffer_consume(&client->in, 2);
    while ((end = slice_find(buffer_slice(&client->in), SLICE("\r\n"))) ==
           SIZE_MAX)
        if (!receive(client))
            return false;
    if (number_hex(slice_head(buffer_slice(&client->in), end), &client->left) !=
        KAN_OK)
        return false;
    buffer_consume(&client->in, end + 2);
    if (client->left)
        return true;
    while (client->in.size < 2)
        if (!receive(client))
            return false;
    buffer_consume(&client->in, 2);
    client->ended = true;
    return true;
}

bool client_more(struct client *client, struct buffer *out)
{
    if (!client->ended && client->chunked && !client->left &&
        !chunk_begin(client))
        hang_up(client);
    if (client->ended || client->socket < 0)
        return false;
    if (!client->in.size && !receive(client)) {
        hang_up(client);
        client->ended = !client->counted;
        return false;
    }
    struct kan_slice part = buffer_slice(&client->in);
    if (client->counted)
        part = slice_head(part, client->left);
    buffer_append(out, part);
    client->left -= client->counted ? part.size : 0;
    client->ended = client->counted && !client->chunked && !client->left;
    buffer_consume(&client->in, part.size);
    return true;
}

bool client_receive(struct client *client, struct client_answer *answer)
{
    buffer_clear(&answer->body);
    if (!client_head(client, &answer->status))
        return false;
    while (client_more(client, &answer->body))
        continue;
    bool whole = client->ended && !buffer_failed(&answer->body);
    if (!whole || client->last)
        hang_up(client);
    return whole;
}

bool client_ask(struct client *client, const char *method, const char *path,
                struct kan_slice body, struct client_answer *answer)
{
    bool kept = client->socket >= 0;
    for (int attempt = 0; attempt < (kept ? 2 : 1); attempt++)
        if (client_send(client, method, path, "", body) &&
            client_receive(client, answer))
            return true;
    struct buffer where = BUFFER_INIT;
    client_address(client, &where);
    (void)command_refuse(client->command,
                         "no Kan answers at %s; start one with 'kan run', or "
                         "say where it is with --address",
                         buffer_text(&where));
    buffer_fini(&where);
    return false;
}

void client_message(const struct client_answer *answer, struct buffer *out)
{
    struct json_tree tree = {0};
    const struct json_node *message = NULL;
    if (json_parse(buffer_slice(&answer->body), NULL, &tree) == KAN_OK &&
        tree.nodes[0].kind == JSON_OBJECT)
        message = json_member(&tree, tree.nodes, "message");
    if (message && message->kind == JSON_STRING)
        buffer_append(out, message->text);
    else
        buffer_print(out, "status %d: %.*s", answer->status,
                     SLICE_ARG(buffer_slice(&answer->body)));
    json_fini(&tree);
}

void client_complain(const struct client *client, const char *what,
                     const struct client_answer *answer)
{
    struct buffer text = BUFFER_INIT;
    client_message(answer, &text);
    (void)command_refuse(client->command, "%s%s%s", what ? what : "",
                         what ? ": " : "", buffer_text(&text));
    buffer_fini(&text);
}
