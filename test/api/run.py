#!/usr/bin/env python3
"""Run the API tests against a kan binary: run.py KAN_BINARY [TEST...].

Tests start the daemon themselves (daemon.py), on free ports and in temporary
directories. TEST is as unittest names it: test_state, test_state.Save, ...
"""

import os
import signal
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import daemon  # noqa: E402


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    daemon.BINARY = os.path.abspath(sys.argv[1])
    if not os.access(daemon.BINARY, os.X_OK):
        print("run.py: %s is no program" % sys.argv[1], file=sys.stderr)
        return 2
    # Whoever stops us stops the daemons too.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    loader = unittest.TestLoader()
    folder = os.path.dirname(os.path.abspath(__file__))
    if len(sys.argv) > 2:
        suite = loader.loadTestsFromNames(sys.argv[2:])
    else:
        suite = loader.discover(folder, "test_*.py")
    try:
        result = unittest.TextTestRunner(verbosity=1).run(suite)
    finally:
        daemon.stop_shared()
    # A run that found no test has tested nothing.
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
