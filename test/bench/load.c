/* A light load over many connections: each sends a request, waits for its
 * answer, and sends the next. Kan over HTTP and Redis are asked by this one
 * client, so that what it costs is the same for both.
 *
 * usage: load http|resp PLAN PORT CONNECTIONS SECONDS
 *   lock      acquire and release a resource of the connection's own: a pair
 *             counts as one
 *   save      150 bytes under one of 100,000 keys, drawn
 *   deposit   into one of 1,000 accounts, drawn (http alone)
 *   hot       into one account (http alone)
 *   open      once each of those accounts: then the load ends (http alone)
 *
 * Prints how many a second, the middle and the 99th of 100 times in ms, how
 * many, and how many answers were not what was expected. */

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
    TEXT_MAX = 2048,
    TIMES_MAX = 8000000,
    KEYS = 100000,
    ACCOUNTS = 1000,
    VALUE_SIZE = 150,
    TURNS_MAX = 2
};

struct connection
{
    int fd;
    int number;
    int turn;
    int count; /* of what it has done */
    uint32_t chance;
    size_t got;
    uint64_t began_ns;
    char request[TEXT_MAX];
    char answer[TEXT_MAX];
};

/* Write the request of the connection's turn; false: it has done all. */
typedef bool write_request(struct connection *connection);

struct plan
{
    const char *protocol;
    const char *name;
    int turns; /* requests that count as one */
    write_request *write;
    const char *wanted[TURNS_MAX]; /* what the answer of each turn holds */
};

static const struct plan *plan;
static bool http;
static int connections;
static char value[VALUE_SIZE + 1];
static uint64_t done, wrong;
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

static uint32_t draw(struct connection *connection, uint32_t bound)
{
    uint32_t x = connection->chance;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    connection->chance = x;
    return x % bound;
}

/* --- requests ------------------------------------------------------------- */

static void post(struct connection *connection, const char *path,
                 const char *body)
{
    (void)snprintf(connection->request, TEXT_MAX,
                   "POST %s HTTP/1.1\r\nHost: k\r\nContent-Type: "
                   "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   path, strlen(body), body);
}

static bool lock_http(struct connection *connection)
{
    char body[256];
    bool releasing = connection->turn == 1;

    (void)snprintf(body, sizeof body,
                   "{\"resourceId\":\"r%d-%d\",\"lockOwner\":\"o%d\"%s}",
                   (int)getpid(), connection->number, connection->number,
                   releasing ? "" : ",\"expiryInSeconds\":60");
    post(connection,
         releasing ? "/v1.0-alpha1/unlock/lockstore"
                   : "/v1.0-alpha1/lock/lockstore",
         body);
    return true;
}

/* A command of Redis, word by word. */
static bool command(struct connection *connection, int count,
                    const char *const *words)
{
    int size = snprintf(connection->request, TEXT_MAX, "*%d\r\n", count);

    for (int i = 0; i < count; i++)
        size += snprintf(connection->request + size, TEXT_MAX - (size_t)size,
                         "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
    return true;
}

static bool lock_resp(struct connection *connection)
{
    static const char script[] =
        "if redis.call('get',KEYS[1])==ARGV[1] then return "
        "redis.call('del',KEYS[1]) else return 0 end";
    char key[32];
    char owner[32];

    (void)snprintf(key, sizeof key, "r%d-%d", (int)getpid(),
                   connection->number);
    (void)snprintf(owner, sizeof owner, "o%d", connection->number);
    if (connection->turn == 0)
        return command(
            connection, 6,
            (const char *[]){"SET", key, owner, "NX", "PX", "60000"});
    return command(connection, 5,
                   (const char *[]){"EVAL", script, "1", key, owner});
}

static bool save_http(struct connection *connection)
{
    char body[256];

    (void)snprintf(body, sizeof body, "[{\"key\":\"key-%u\",\"value\":\"%s\"}]",
                   draw(connection, KEYS), value);
    post(connection, "/v1.0/state/statestore", body);
    return true;
}

static bool save_resp(struct connection *connection)
{
    char key[32];

    (void)snprintf(key, sizeof key, "key-%u", draw(connection, KEYS));
    return command(connection, 3, (const char *[]){"SET", key, value});
}

static bool deposit(struct connection *connection, uint32_t account)
{
    char path[128];

    (void)snprintf(path, sizeof path,
                   "/v1.0/actors/account/acc-%u/method/deposit", account);
    post(connection, path, "{\"amount\":1}");
    return true;
}

static bool deposit_http(struct connection *connection)
{
    return deposit(connection, draw(connection, ACCOUNTS));
}

static bool hot_http(struct connection *connection)
{
    return deposit(connection, 0);
}

static bool open_http(struct connection *connection)
{
    char path[128];
    int account = connection->number + connection->count * connections;

    if (account >= ACCOUNTS)
        return false;
    (void)snprintf(path, sizeof path, "/v1.0/actors/account/acc-%d/method/open",
                   account);
    post(connection, path, "{\"name\":\"somebody\"}");
    return true;
}

static const struct plan plans[] = {
    {"http", "lock", 2, lock_http, {"\"success\":true", "\"status\":0"}},
    {"resp", "lock", 2, lock_resp, {"+OK", ":1"}},
    {"http", "save", 1, save_http, {"HTTP/1.1 204"}},
    {"resp", "save", 1, save_resp, {"+OK"}},
    {"http", "deposit", 1, deposit_http, {"HTTP/1.1 200"}},
    {"http", "hot", 1, hot_http, {"HTTP/1.1 200"}},
    {"http", "open", 1, open_http, {"HTTP/1.1 200"}},
};

static bool send_next(struct connection *connection)
{
    size_t size;

    if (!plan->write(connection))
        return false;
    size = strlen(connection->request);
    connection->got = 0;
    if (connection->turn == 0)
        connection->began_ns = now_ns();
    if (write(connection->fd, connection->request, size) != (ssize_t)size)
        fail("write");
    return true;
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
    if (!body)
        return false;
    length = strcasestr(text, "content-length:");
    if (!length || length > body)
        return true; /* a 204 */
    return connection->got >=
           (size_t)(body + 4 - text) + strtoul(length + 15, NULL, 10);
}

/* false: the connection has done all. */
static bool take(struct connection *connection)
{
    ssize_t size = read(connection->fd, connection->answer + connection->got,
                        sizeof connection->answer - 1 - connection->got);

    if (size <= 0)
        fail("read");
    connection->got += (size_t)size;
    if (!is_whole(connection))
        return true;
    if (!strstr(connection->answer, plan->wanted[connection->turn]) &&
        wrong++ == 0)
        fprintf(stderr, "load: not expected: %s\n", connection->answer);
    if (++connection->turn == plan->turns) {
        if (done < TIMES_MAX)
            times_ms[done] = (float)(now_ns() - connection->began_ns) / 1e6f;
        done++;
        connection->turn = 0;
        connection->count++;
    }
    return send_next(connection);
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

static void choose_plan(int argc, char **argv)
{
    for (size_t i = 0; argc == 6 && i < sizeof plans / sizeof *plans; i++)
        if (strcmp(argv[1], plans[i].protocol) == 0 &&
            strcmp(argv[2], plans[i].name) == 0)
            plan = &plans[i];
    if (plan)
        return;
    fprintf(stderr,
            "usage: load http|resp PLAN PORT CONNECTIONS SECONDS\n"
            "PLAN: lock, save, deposit, hot, open\n");
    exit(2);
}

int main(int argc, char **argv)
{
    struct epoll_event events[64];
    int poll = epoll_create1(0);
    int busy;

    choose_plan(argc, argv);
    http = strcmp(plan->protocol, "http") == 0;
    memset(value, 'x', VALUE_SIZE);
    busy = connections = atoi(argv[4]);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    times_ms = malloc(TIMES_MAX * sizeof *times_ms);
    if (!all || !times_ms)
        fail("memory");
    uint64_t began = now_ns();
    uint64_t end = began + strtoull(argv[5], NULL, 10) * 1000000000;
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        all[i].fd = connect_to(atoi(argv[3]));
        all[i].number = i;
        all[i].chance = (uint32_t)(i + 1) * 2654435761u;
        epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
        busy -= !send_next(&all[i]);
    }
    while (busy > 0 && now_ns() < end) {
        int ready = epoll_wait(poll, events, 64, 100);
        for (int i = 0; i < ready; i++)
            busy -= !take(events[i].data.ptr);
    }
    double seconds = (double)(now_ns() - began) / 1e9;
    size_t kept = done < TIMES_MAX ? done : TIMES_MAX;
    qsort(times_ms, kept, sizeof *times_ms, by_value);
    printf("%.1f %.3f %.3f %llu %llu\n", (double)done / seconds,
           kept ? (double)times_ms[kept / 2] : 0,
           kept ? (double)times_ms[kept * 99 / 100] : 0,
           (unsigned long long)done, (unsigned long long)wrong);
    return 0;
}
