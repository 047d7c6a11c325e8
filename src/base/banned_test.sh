#!/bin/sh
# banned_test.sh CC CXX: every call that banned.h names is an
# error that tells what to use, in C and in C++; other headers do not mind it;
# KAN_ALLOW_BANNED lifts it.
set -eu

cc=$1
cxx=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

names=$(sed -n 's/^BANNED(\([a-z_0-9]*\),.*/\1/p' "$here/banned.h")
[ "$(echo "$names" | wc -l)" -ge 80 ] || { echo "banned.h: names?"; exit 1; }

# One use of every name, by address: a call is a use too.
{
    for header in fcntl pthread signal stdio stdlib string strings \
            sys/random sys/socket sys/stat sys/time time unistd; do
        echo "#include <$header.h>"
    done
    echo "void use(void);"
    echo "void use(void)"
    echo "{"
    for name in $names; do echo "    (void)&$name;"; done
    echo "}"
} >"$work/uses"

# The headers that the modules include, all behind banned.h.
cat >"$work/headers" <<END
#include <http_parser.h>
#include <netdb.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <uv.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_parse.h>
#include <yaml.h>
struct names { int (*open)(void); void *free; int time; };
int use(struct names *names);
int use(struct names *names) { return names->open() + names->time; }
END

for language in c c++; do
    if [ $language = c ]; then compiler="$cc -std=c17"; else
        compiler="$cxx -std=c++17"; fi
    compiler="$compiler -D_GNU_SOURCE -fsyntax-only -Wall -Wextra -Werror"
    if $compiler --version | grep -q clang; then
        compiler="$compiler -ferror-limit=0"
    fi
    forced="-include $here/banned.h"

    # shellcheck disable=SC2086
    if $compiler $forced -x $language "$work/uses" 2>"$work/errors"; then
        echo "$compiler: nothing was refused"; exit 1
    fi
    for name in $names; do
        grep -q "error:.*\b$name\b.*unavailable: .*[a-z]" "$work/errors" || {
            echo "$compiler: $name is not refused"; exit 1; }
    done
    # shellcheck disable=SC2086
    $compiler $forced -DKAN_ALLOW_BANNED -x $language "$work/uses"
    # shellcheck disable=SC2086
    $compiler $forced -x $language "$work/headers"
    # shellcheck disable=SC2086
    $compiler -O2 -D_FORTIFY_SOURCE=2 $forced -x $language "$work/headers"
    echo "$compiler: $(echo "$names" | wc -l) names refused"
done
