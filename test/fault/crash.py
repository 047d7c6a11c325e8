#!/usr/bin/env python3
"""Kill the daemon in a write load, over and over, and miss nothing.

usage: crash.py KAN_BINARY [ROUNDS [SEED]]

Writers save counters, unique keys and pairs (a transaction writes both halves)
and remember what was acknowledged. After each kill -9 a new daemon opens the
same files, and every acknowledged value must be there, no value may be newer
than what was sent, and the halves of a pair must be equal. `kan verify` then
reads the whole file. Shows K-STATE-1 and K-STATE-2 on the real disk."""

import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from killed import Daemon  # noqa: E402

WRITERS = 8
KEEP = 40  # unique keys of each writer that are read back after a crash


class Writer(threading.Thread):
    """Writes until the connection breaks; keeps what was acknowledged."""

    def __init__(self, port, number, state):
        super().__init__()
        self.port, self.number, self.state = port, number, state
        self.refused = None  # an answer that is not the one to expect

    def call(self, connection, path, body):
        connection.request("POST", path, json.dumps(body),
                           {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 204:
            self.refused = f"{path} answered {answer.status} {text}"
            raise http.client.HTTPException(self.refused)

    def run(self):
        state, i = self.state, self.number
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=20)
        try:
            while True:
                n = state["sent"] = state["sent"] + 1
                self.call(connection, "/v1.0/state/statestore", [
                    {"key": f"count-{i}", "value": n}])
                state["count"] = n
                self.call(connection, "/v1.0/state/statestore", [
                    {"key": f"unique-{i}-{n}", "value": "x" * (n % 300)}])
                state["unique"].append(n)
                self.call(connection, "/v1.0/state/statestore/transaction", {
                    "operations": [
                        {"operation": "upsert",
                         "request": {"key": f"left-{i}", "value": n}},
                        {"operation": "upsert",
                         "request": {"key": f"right-{i}", "value": n}}]})
                state["pair"] = n
        except (OSError, http.client.HTTPException):
            pass  # the daemon was killed; what was not answered is unknown


def get(connection, key):
    connection.request("GET", f"/v1.0/state/statestore/{key}")
    answer = connection.getresponse()
    text = answer.read()
    if answer.status == 204:
        return None
    assert answer.status == 200, (key, answer.status, text)
    return json.loads(text)


def check(port, states):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for i, state in enumerate(states):
        count = get(connection, f"count-{i}") or 0
        assert state["count"] <= count <= state["sent"], \
            f"count-{i} is {count}; acknowledged {state['count']}"
        left = get(connection, f"left-{i}") or 0
        right = get(connection, f"right-{i}") or 0
        assert left == right, f"half a transaction: {left} and {right}"
        assert state["pair"] <= left <= state["sent"], \
            f"pair {i} is {left}; acknowledged {state['pair']}"
        for n in state["unique"][-KEEP:]:
            value = get(connection, f"unique-{i}-{n}")
            assert value == "x" * (n % 300), f"unique-{i}-{n} is {value!r}"
    connection.close()


def main():
    binary = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(10**9)
    print(f"crash: {rounds} rounds, seed {seed}", flush=True)
    rng = random.Random(seed)
    data = tempfile.mkdtemp(prefix="kan-crash-")
    states = [{"sent": 0, "count": 0, "pair": 0, "unique": []}
              for _ in range(WRITERS)]
    for n in range(rounds):
        daemon = Daemon(binary, data)
        check(daemon.port, states)
        writers = [Writer(daemon.port, i, s) for i, s in enumerate(states)]
        for writer in writers:
            writer.start()
        time.sleep(rng.uniform(0.01, 0.5))  # the moment of the crash
        daemon.kill()
        for writer in writers:
            writer.join()
            assert not writer.refused, writer.refused
        if sys.stderr.isatty():
            print(f"\rcrash: round {n + 1} of {rounds}", end="",
                  file=sys.stderr)
    daemon = Daemon(binary, data)
    check(daemon.port, states)
    daemon.stop()
    subprocess.run([binary, "verify", "--data-dir", data], check=True)
    acknowledged = sum(s["count"] + s["pair"] + len(s["unique"])
                       for s in states)
    assert acknowledged > rounds, "the load did not run"
    print(f"crash: {rounds} kills, about {acknowledged} acknowledged writes, "
          "none missing, no half transaction")
    shutil.rmtree(data)


os.environ.pop("DAPR_API_TOKEN", None)
main()
