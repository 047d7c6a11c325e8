/* struct address and struct sockaddr, one made of the other. */

#include "env/uv/socket.h"

#include <netinet/in.h>
#include <sys/un.h>

socklen_t env_uv_sockaddr(const struct address *address,
                          struct sockaddr_storage *ret_storage)
{
    struct sockaddr_in *four = (struct sockaddr_in *)ret_storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_storage;
    struct sockaddr_un *local = (struct sockaddr_un *)ret_storage;
    memset(ret_storage, 0, sizeof *ret_storage);
    switch (address->kind) {
    case ADDRESS_IPV4:
        four->sin_family = AF_INET;
        four->sin_port = htons(address->port);
        memcpy(&four->sin_addr, address->host, sizeof four->sin_addr);
        return sizeof *four;
    case ADDRESS_IPV6:
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(address->port);
        memcpy(&six->sin6_addr, address->host, sizeof six->sin6_addr);
        return sizeof *six;
    case ADDRESS_PATH:
    default:
        local->sun_family = AF_UNIX;
        memcpy(local->sun_path, address->path, strlen(address->path));
        return sizeof *local;
    }
}

enum kan_err env_uv_sockaddr_read(const struct sockaddr *sockaddr,
                                  struct address *ret_address)
{
    const struct sockaddr_in *four = (const void *)sockaddr;
    const struct sockaddr_in6 *six = (const void *)sockaddr;
    struct address read = {0};
    if (sockaddr->sa_family == AF_INET) {
        read.kind = ADDRESS_IPV4;
        read.port = ntohs(four->sin_port);
        memcpy(read.host, &four->sin_addr, sizeof four->sin_addr);
    } else if (sockaddr->sa_family == AF_INET6) {
        read.kind = ADDRESS_IPV6;
        read.port = ntohs(six->sin6_port);
        memcpy(read.host, &six->sin6_addr, sizeof six->sin6_addr);
    } else {
        return KAN_INVALID;
    }
    *ret_address = read;
    return KAN_OK;
}

uint16_t env_uv_socket_port(int fd)
{
    struct sockaddr_storage storage = {0};
    socklen_t size = sizeof storage;
    struct address address;
    if (getsockname(fd, (struct sockaddr *)&storage, &size) ||
        env_uv_sockaddr_read((const struct sockaddr *)&storage, &address))
        return 0;
    return address.port;
}
