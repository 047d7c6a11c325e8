/* A load of pairs: each of many connections sends one request, waits for its
 * answer, sends another, waits, and begins again. What acquires and releases a
 * lock, of Kan over HTTP and of Redis, so that both are asked by one client.
 * Each run has resources of its own: the last one may have left some locked.
 *
 * usage: pairs http|resp PORT CONNECTIONS SECONDS
 * Prints pairs a second, the middle and the 99th of 100 times of a pair in ms,
 * how many pairs, and how many answers were not what was expected. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum
{
    TEXT_MAX = 1024,
    TIMES_MAX = 4000000
};

struct connection
{
    int fd;
    bool releasing;
    size_t got;
    uint64_t began_ns;
    char requests[2][TEXT_MAX];
    char answer[TEXT_MAX];
};

static bool http;
static uint64_t pairs, wrong;
static float *times_ms;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- requests ------------------------------------------------------------- */

static void write_http(char *out, const char *route, int number, bool expiry)
{
    char body[256];
    int size = snprintf(body, sizeof body,
                        "{\"resourceId\":\"r%d-%d\",\"lockOwner\":\"o%d\"%s}",
                        (int)getpid(), number, number,
                        expiry ? ",\"expiryInSeconds\":60" : "");
    (void)snprintf(out, TEXT_MAX,
                   "POST /v1.0-alpha1/%s/lockstore HTTP/1.1\r\nHost: k\r\n"
                   "Content-Length: %d\r\n\r\n%s",
                   route, size, body);
}

static void write_requests(struct connection *connection, int number)
{
    static const char script[] =
        "if redis.call('get',KEYS[1])==ARGV[1] then return "
        "redis.call('del',KEYS[1]) else return 0 end";
    char key[32];
    char owner[32];

    if (http) {
        write_http(connection->requests[0], "lock", number, true);
        write_http(connection->requests[1], "unlock", number, false);
        return;
    }
    int key_size = snprintf(key, sizeof key, "r%d-%d", (int)getpid(), number);
    int owner_size = snprintf(owner, sizeof owner, "o%d", number);
    (void)snprintf(connection->requests[0], TEXT_MAX,
                   "*6\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n$2\r\nNX\r\n"
                   "$2\r\nPX\r\n$5\r\n60000\r\n",
                   key_size, key, owner_size, owner);
    (void)snprintf(connection->requests[1], TEXT_MAX,
                   "*5\r\n$4\r\nEVAL\r\n$%zu\r\n%s\r\n$1\r\n1\r\n$%d\r\n%s\r\n"
                   "$%d\r\n%s\r\n",
                   sizeof script - 1, script, key_size, key, owner_size, owner);
}

static void send_next(struct connection *connection)
{
    const char *request = connection->requests[connection->releasing];
    size_t size = strlen(request);

    connection->got = 0;
    if (!connection->releasing)
        connection->began_ns = now_ns();
    if (write(connection->fd, request, size) != (ssize_t)size)
        fail("write");
}

/* --- answers -------------------------------------------------------------- */

/* Whether the answer has come whole. */
static bool is_whole(struct connection *connection)
{
    const char *text = connection->answer;
    const char *body;
    const char *length;

    connection->answer[connection->got] = '\0';
    if (!http)
        return strstr(text, "\r\n") != NULL;
    body = strstr(text, "\r\n\r\n");
    length = strcasestr(text, "content-length:");
    return body && length &&
           connection->got >=
               (size_t)(body + 4 - text) + strtoul(length + 15, NULL, 10);
}

static bool is_right(const struct connection *connection)
{
    const char *wanted[2][2] = {{"+OK", ":1"},
                                {"\"success\":true", "\"status\":0"}};
    return strstr(connection->answer, wanted[http][connection->releasing]);
}

static void take(struct connection *connection)
{
    ssize_t size = read(connection->fd, connection->answer + connection->got,
                        sizeof connection->answer - 1 - connection->got);

    if (size <= 0)
        fail("read");
    connection->got += (size_t)size;
    if (!is_whole(connection))
        return;
    wrong += !is_right(connection);
    if (connection->releasing && pairs < TIMES_MAX)
        times_ms[pairs] = (float)(now_ns() - connection->began_ns) / 1e6f;
    pairs += connection->releasing;
    connection->releasing = !connection->releasing;
    send_next(connection);
}

/* --- the load ------------------------------------------------------------- */

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;

    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    struct epoll_event events[64];
    int poll = epoll_create1(0);

    if (argc != 5)
        return fprintf(stderr,
                       "usage: pairs http|resp PORT CONNECTIONS "
                       "SECONDS\n"),
               2;
    http = strcmp(argv[1], "http") == 0;
    int count = atoi(argv[3]);
    struct connection *all = calloc((size_t)count, sizeof *all);
    times_ms = malloc(TIMES_MAX * sizeof *times_ms);
    if (!all || !times_ms)
        fail("memory");
    uint64_t began = now_ns();
    uint64_t end = began + strtoull(argv[4], NULL, 10) * 1000000000;
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        all[i].fd = connect_to(atoi(argv[2]));
        write_requests(&all[i], i);
        epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
        send_next(&all[i]);
    }
    while (now_ns() < end) {
        int ready = epoll_wait(poll, events, 64, 100);
        for (int i = 0; i < ready; i++)
            take(events[i].data.ptr);
    }
    double seconds = (double)(now_ns() - began) / 1e9;
    size_t kept = pairs < TIMES_MAX ? pairs : TIMES_MAX;
    qsort(times_ms, kept, sizeof *times_ms, by_value);
    printf("%.1f %.3f %.3f %llu %llu\n", (double)pairs / seconds,
           kept ? (double)times_ms[kept / 2] : 0,
           kept ? (double)times_ms[kept * 99 / 100] : 0,
           (unsigned long long)pairs, (unsigned long long)wrong);
    return 0;
}
