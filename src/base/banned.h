/* banned.h - calls that break determinism, go around the counted heap or are
 * unsafe, made compile errors that name what to call instead.
 *
 * The build forces this file into every module before the first line of each
 * source; where such a call belongs (env/uv, an engine's driver, the program's
 * output) kan_allow_banned() of cmake/Kan.cmake defines KAN_ALLOW_BANNED. The
 * functions are declared again as unavailable, which leaves members and
 * variables of the same names alone and catches a function passed as a pointer
 * as well. snprintf() is allowed: it is bounded and neither allocates nor
 * prints. */

#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#ifndef KAN_ALLOW_BANNED

/* Whatever declares or uses the names, before they become unavailable. */
#ifdef __cplusplus
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#endif
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_attribute)
#if __has_attribute(unavailable)
#define BANNED(name, instead) \
    extern __typeof__(name) name __attribute__((unavailable(instead)));
#endif
#endif
#ifndef BANNED
/* A compiler without the attribute: another build will tell. */
#define BANNED(name, instead) extern __typeof__(name) name;
#endif

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
/* clang, on functions that _FORTIFY_SOURCE defines in a header. */
#pragma GCC diagnostic ignored "-Wignored-attributes"

/* The heap: counted, and made to fail by tests. */
BANNED(malloc, "use mem_alloc() of base/alloc.h")
BANNED(calloc, "use mem_zalloc() of base/alloc.h")
BANNED(realloc, "use mem_realloc() of base/alloc.h")
BANNED(reallocarray, "use mem_realloc() of base/alloc.h")
BANNED(aligned_alloc, "use mem_alloc() of base/alloc.h")
BANNED(posix_memalign, "use mem_alloc() of base/alloc.h")
BANNED(free, "use mem_free() of base/alloc.h")
BANNED(strdup, "use mem_copy() of base/alloc.h")
BANNED(strndup, "use mem_copy() of base/alloc.h")
BANNED(asprintf, "use buffer_print() of base/bytes.h")
BANNED(vasprintf, "use buffer_vprint() of base/bytes.h")

/* Time: the simulator's is virtual. */
BANNED(time, "use env_wall_ms() of env/env.h")
BANNED(gettimeofday, "use env_wall_ms() of env/env.h")
BANNED(clock, "use env_now() of env/env.h")
BANNED(clock_gettime, "use env_now() or env_wall_ms() of env/env.h")
BANNED(gmtime, "use number_time() of base/number.h")
BANNED(gmtime_r, "use number_time() of base/number.h")
BANNED(localtime, "use number_time() of base/number.h")
BANNED(localtime_r, "use number_time() of base/number.h")
BANNED(strftime, "use number_time() of base/number.h")
BANNED(sleep, "use env_timer_start() of env/env.h")
BANNED(usleep, "use env_timer_start() of env/env.h")
BANNED(nanosleep, "use env_timer_start() of env/env.h")
BANNED(clock_nanosleep, "use env_timer_start() of env/env.h")
BANNED(alarm, "use env_timer_start() of env/env.h")

/* Chance: drawn from the tape. */
BANNED(rand, "use env_choose() of env/env.h")
BANNED(srand, "use env_choose() of env/env.h")
BANNED(rand_r, "use env_choose() of env/env.h")
BANNED(random, "use env_choose() of env/env.h")
BANNED(srandom, "use env_choose() of env/env.h")
BANNED(drand48, "use env_choose() of env/env.h")
BANNED(getrandom, "use env_choose() of env/env.h")
BANNED(getentropy, "use env_choose() of env/env.h")

/* Output: the library prints nothing. */
BANNED(printf, "use log_line() of base/log.h")
BANNED(vprintf, "use log_line() of base/log.h")
BANNED(puts, "use log_line() of base/log.h")
BANNED(putchar, "use log_line() of base/log.h")
BANNED(perror, "use log_line() of base/log.h")
BANNED(fprintf, "use buffer_print() and log_line() of base")
BANNED(vfprintf, "use buffer_vprint() and log_line() of base")
BANNED(fputs, "use buffer_append_text() and log_line() of base")

/* Unbounded writes, hidden state and lax parsers. */
BANNED(sprintf, "use buffer_print() of base/bytes.h, or snprintf()")
BANNED(vsprintf, "use buffer_vprint() of base/bytes.h, or vsnprintf()")
BANNED(strcpy, "use buffer_append_text() of base/bytes.h, or memcpy()")
BANNED(strncpy, "use buffer_append() of base/bytes.h, or memcpy()")
BANNED(strcat, "use buffer_append_text() of base/bytes.h")
BANNED(strncat, "use buffer_append() of base/bytes.h")
BANNED(strtok, "use slice_cut() of base/bytes.h")
BANNED(strtok_r, "use slice_cut() of base/bytes.h")
BANNED(atoi, "use number_i64() of base/number.h")
BANNED(atol, "use number_i64() of base/number.h")
BANNED(atoll, "use number_i64() of base/number.h")
BANNED(atof, "use base/number.h")
BANNED(strtol, "use number_i64() of base/number.h")
BANNED(strtoll, "use number_i64() of base/number.h")
BANNED(strtoul, "use number_u64() of base/number.h")
BANNED(strtoull, "use number_u64() of base/number.h")
BANNED(strtod, "use base/number.h")
BANNED(sscanf, "use slice_cut() of base/bytes.h and base/number.h")

/* The outside: files, sockets, processes, threads, settings. */
BANNED(open, "use env_file_open() of env/env.h")
BANNED(creat, "use env_file_open() of env/env.h")
BANNED(fopen, "use env_file_open() of env/env.h")
BANNED(fdopen, "use env_file_open() of env/env.h")
BANNED(unlink, "use env_file_delete() of env/env.h")
BANNED(remove, "use env_file_delete() of env/env.h")
BANNED(rename, "use env_file_rename() of env/env.h")
BANNED(mkdir, "use env_dir_make() of env/env.h")
BANNED(fsync, "use env_file_sync() of env/env.h")
BANNED(fdatasync, "use env_file_sync() of env/env.h")
BANNED(socket, "use env_listen() or env_connect() of env/env.h")
BANNED(connect, "use env_connect() of env/env.h")
BANNED(accept, "use env_listen() of env/env.h")
BANNED(bind, "use env_listen() of env/env.h")
BANNED(listen, "use env_listen() of env/env.h")
BANNED(send, "use env_stream_write() of env/env.h")
BANNED(recv, "use env_stream_read_start() of env/env.h")
BANNED(fork, "use env_spawn() of env/env.h")
BANNED(vfork, "use env_spawn() of env/env.h")
BANNED(execv, "use env_spawn() of env/env.h")
BANNED(execvp, "use env_spawn() of env/env.h")
BANNED(system, "use env_spawn() of env/env.h")
BANNED(popen, "use env_spawn() of env/env.h")
BANNED(signal, "use env_signal_open() of env/env.h")
BANNED(sigaction, "use env_signal_open() of env/env.h")
BANNED(getenv, "let the program read it, and pass it down")
BANNED(setenv, "pass it to env_spawn() of env/env.h")
BANNED(exit, "return an enum kan_err: the library never exits")
BANNED(_exit, "return an enum kan_err: the library never exits")
BANNED(abort, "use kan_assert() of base/assert.h")
BANNED(pthread_create, "use env_lane_open() of env/env.h")
BANNED(pthread_mutex_init, "use a lane, or env_post(), of env/env.h")
BANNED(pthread_mutex_lock, "use a lane, or env_post(), of env/env.h")
BANNED(pthread_mutex_trylock, "use a lane, or env_post(), of env/env.h")
BANNED(pthread_mutex_unlock, "use a lane, or env_post(), of env/env.h")
BANNED(pthread_cond_init, "use a lane, or env_post(), of env/env.h")
BANNED(pthread_cond_wait, "use a lane, or env_post(), of env/env.h")
BANNED(pthread_cond_signal, "use a lane, or env_post(), of env/env.h")

#pragma GCC diagnostic pop

#ifdef __cplusplus
}
#endif

#undef BANNED

#endif /* KAN_ALLOW_BANNED */

#endif /* BASE_BANNED_H */
