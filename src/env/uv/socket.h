/* socket.h - addresses as the system wants them. */

#ifndef ENV_UV_SOCKET_H
#define ENV_UV_SOCKET_H

#include <sys/socket.h>

#include "env/address.h"

/* Fill ret_storage, and return the size that is used of it. */
socklen_t env_uv_sockaddr(const struct address *address,
                          struct sockaddr_storage *ret_storage);

/* The address that a sockaddr means; a family that we do not know gives
 * KAN_INVALID. */
KAN_MUST_USE enum kan_err env_uv_sockaddr_read(const struct sockaddr *sockaddr,
                                               struct address *ret_address);

/* The port that the system chose for the socket, 0 when it cannot tell. */
uint16_t env_uv_socket_port(int fd);

#endif /* ENV_UV_SOCKET_H */
