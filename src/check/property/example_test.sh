#!/bin/sh
# Run examples/property.c: right, wrong, and again by the command it prints.
# usage: example_test.sh PROGRAM
set -eu
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KAN_SEED KAN_TAPE

fail() {
    echo "$1" >&2
    cat "$work/out" >&2
    exit 1
}

"$program" >"$work/out" 2>&1 || fail "the right account is overdrawn"
if "$program" wrong >"$work/out" 2>&1; then
    fail "the wrong account is never overdrawn"
fi
sed -n 's/^  | //p' "$work/out" >"$work/notes"
cat >"$work/expected" <<'END'
deposit 3: 3 left
withdraw 1: 2 left
withdraw 1: 1 left
withdraw 1: -3 left
END
diff "$work/expected" "$work/notes" || fail "that is not the smallest row"

# The line is for a shell; the argument is ours to add.
command=$(sed -n 's/^  replay: //p' "$work/out")
if sh -c "$command wrong" >"$work/out" 2>&1; then
    fail "the command does not fail: $command"
fi
sed -n 's/^  | //p' "$work/out" | diff "$work/notes" - ||
    fail "the command runs another row: $command"
