/* client.h - a running Kan, spoken to over HTTP/1.1, for the commands that talk
 * to one. Blocking; one connection, kept alive and made again when it is lost.
 */

#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <kan/base.h>

#include "base/bytes.h"

enum
{
    CLIENT_HOST_MAX = 256,
    CLIENT_PATIENCE_S = 60 /* without a byte of an answer */
};

/* What to say when --address is not given. */
#define CLIENT_ADDRESS_HELP                                             \
    "The address is http://HOST:PORT or unix:PATH; without it, "        \
    "http://127.0.0.1:3500, or the port in DAPR_HTTP_PORT. A token is " \
    "taken from DAPR_API_TOKEN."

struct client
{
    const char *command;        /* for messages */
    char host[CLIENT_HOST_MAX]; /* or the path of a socket */
    char port[8];               /* "": a Unix socket */
    int socket;                 /* -1: not connected */
    struct buffer in;           /* read, and not yet used */
    uint64_t left;              /* of a body, or of a chunk */
    bool chunked;
    bool ended;   /* the body is */
    bool counted; /* its end is known by its length or its chunks */
    bool last;    /* the connection ends with the answer */
};

struct client_answer
{
    int status;
    struct buffer body;
};
void client_answer_fini(struct client_answer *answer);

/* address may be NULL. EXIT_DONE, or EXIT_USAGE after one line on stderr. */
int client_init(struct client *client, const char *command,
                const char *address);
void client_fini(struct client *client);

/* "http://127.0.0.1:3500", for messages. */
void client_address(const struct client *client, struct buffer *out);

/* Append text, percent-encoded as one segment of a path. */
void client_encode(struct buffer *out, struct kan_slice text);

/* Send a request; lines are head lines or "". false: the connection is lost. */
bool client_send(struct client *client, const char *method, const char *path,
                 const char *lines, struct kan_slice body);

/* Read the head of the answer. false: the connection is lost. */
bool client_head(struct client *client, int *ret_status);

/* Append more of the body to out; false when there is no more: client->ended
 * tells whether that was all. */
bool client_more(struct client *client, struct buffer *out);

/* Read the whole answer. false: the connection is lost. */
bool client_receive(struct client *client, struct client_answer *answer);

/* Both, once more when a connection that was kept alive turns out to be gone.
 * false after one line on stderr. */
bool client_ask(struct client *client, const char *method, const char *path,
                struct kan_slice body, struct client_answer *answer);

/* Say, in one line on stderr, what an answer that is not 2xx says: its message,
 * behind what (or NULL). */
void client_complain(const struct client *client, const char *what,
                     const struct client_answer *answer);

/* The same text, appended. */
void client_message(const struct client_answer *answer, struct buffer *out);

#endif /* CLI_CLIENT_H */
