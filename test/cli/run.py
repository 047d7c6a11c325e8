#!/usr/bin/env python3
"""Run the end-to-end tests of the kan program: run.py KAN_BINARY [NAME...].

NAME is as unittest names it: test_app, test_app.Signals, ... Each case has a
temporary directory and ports of its own; whatever it starts is killed when it
ends. Says one line when all went well, and what was skipped.
"""

import io
import os
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import program  # noqa: E402


def load(names):
    loader = unittest.TestLoader()
    if names:
        return loader.loadTestsFromNames(names)
    return loader.discover(os.path.dirname(os.path.abspath(__file__)),
                           "test_*.py")


def report(result, said, seconds):
    if not result.wasSuccessful():
        sys.stderr.write(said)
        return 1
    if not result.testsRun:
        print("cli: no case was found", file=sys.stderr)
        return 1
    for case, reason in result.skipped:
        print("cli: skipped %s: %s" % (case.id(), reason))
    for note in program.notes:
        print("cli: " + note)
    print("cli: %d cases hold, in %.0f s" % (result.testsRun, seconds))
    return 0


def end(number, frame):
    """ctest or a person ends us: leave through the clean-up."""
    raise SystemExit(128 + number)


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    program.BINARY = os.path.abspath(sys.argv[1])
    if not os.access(program.BINARY, os.X_OK):
        print("run.py: %s is no program" % sys.argv[1], file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, end)
    program.prepare()
    said = io.StringIO()
    began = time.monotonic()
    # With names, a person is watching.
    stream = sys.stderr if len(sys.argv) > 2 else said
    try:
        result = unittest.TextTestRunner(
            stream=stream, verbosity=2).run(load(sys.argv[2:]))
    finally:
        program.kill_all()
    return report(result, said.getvalue(), time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
