#!/usr/bin/env python3
"""Kill the daemon while money moves, over and over, and lose or double nothing.

usage: transfer.py KAN_BINARY [ROUNDS [SEED]]

Tellers deposit and move money between a few accounts of examples/bank.kan, each
with an idempotency key, and ask again after a crash with the same key. Amounts
tell the transfers apart, so that in the end the events of all accounts, in the
order of their revisions, show each one's way: held, then deposited and settled,
or held and released; nothing twice, nothing before its turn, and nothing that
was answered otherwise than it happened. Shows K-ENTITY and K-SAGA on the real
disk."""

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

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BANK = os.path.join(ROOT, "examples", "bank.kan")
ACCOUNTS = [f"acc-{n}" for n in range(5)]
TELLERS = 6
DEPOSIT = 900_000  # more than any transfer: amounts tell which is which
END_SECONDS = 30


class Crashed(Exception):
    pass


def call(connection, method, path, body=None, key=None):
    headers = {"content-type": "application/json"}
    if key:
        headers["idempotency-key"] = key
    try:
        connection.request(method, path, body and json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Crashed from error


def step(account, name):
    return f"/v1.0/actors/account/{account}/method/{name}"


class Teller(threading.Thread):
    """Works until the connection breaks. What was asked and not answered is
    asked again, first of all, after the next start."""

    def __init__(self, port, number, memory, seed):
        super().__init__()
        self.port, self.number, self.memory = port, number, memory
        self.rng = random.Random(seed)
        self.wrong = None

    def next_job(self):
        memory = self.memory
        if memory["open"]:
            return memory["open"]
        memory["count"] += 1
        amount = memory["count"] * TELLERS + self.number
        source, target = self.rng.sample(ACCOUNTS, 2)
        key = f"t{self.number}-{memory['count']}"
        if self.rng.random() < 0.2:
            job = (key, step(target, "deposit"), {"amount": DEPOSIT})
        else:
            job = (key, "/kan/v1/sagas/transfer",
                   {"from": source, "to": target, "amount": amount})
        memory["open"] = job
        return job

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=20)
        try:
            while True:
                key, path, body = self.next_job()
                status, said = call(connection, "POST", path, body, key)
                if status not in (200, 409) or \
                        (status == 409 and "sagas" not in path):
                    self.wrong = f"{path} {body} answered {status} {said}"
                    return
                self.memory["answers"][key] = (path, body, status)
                self.memory["open"] = None
        except Crashed:
            pass


def prepare(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for account in ACCOUNTS:
        status, said = call(connection, "POST", step(account, "open"),
                            {"name": account})
        assert status == 200, said
        status, said = call(connection, "POST", step(account, "deposit"),
                            {"amount": DEPOSIT}, "first")
        assert status == 200, said


def history(connection):
    """All events of all accounts, in the order of their revisions."""
    events = []
    for account in ACCOUNTS:
        after = 0
        while True:
            status, page = call(connection, "GET",
                                f"/kan/v1/entities/account/{account}/events"
                                f"?after={after}&limit=1000")
            assert status == 200, page
            for event in page["events"]:
                after += 1
                assert event["n"] == after, f"{account}: a gap before {event}"
                events.append((event["revision"], event["n"], account, event))
            if not page["events"]:
                break
    return [(account, event) for _, _, account, event in
            sorted(events, key=lambda e: e[:3])]


def follow(events):
    """Fold the events, and each transfer's way through them."""
    balance = dict.fromkeys(ACCOUNTS, 0)
    held = dict.fromkeys(ACCOUNTS, 0)
    ways, deposits, under_way = {}, 0, 0
    for account, event in events:
        name = event["step"]
        amount = event["args"].get("amount", 0)
        if name == "deposit" and amount == DEPOSIT:
            deposits += 1
        elif name != "open":
            ways.setdefault(amount, []).append((name, account))
        if name == "deposit":
            balance[account] += amount
            under_way += amount if amount != DEPOSIT else 0
        elif name == "hold":
            balance[account] -= amount
            held[account] += amount
        elif name == "release":
            held[account] -= amount
            balance[account] += amount
        elif name == "settle":
            held[account] -= amount
            under_way -= amount
        total = sum(balance.values()) + sum(held.values()) - under_way
        assert total == deposits * DEPOSIT, \
            f"revision {event['revision']}: {total} of {deposits} deposits"
        assert min(balance.values()) >= 0 and min(held.values()) >= 0
    return balance, held, ways, deposits


def check_ways(ways, answers):
    """Each transfer went one of the two ways, whole, as it was answered."""
    moved = 0
    for path, body, status in answers:
        if "sagas" not in path:
            continue
        source, target = body["from"], body["to"]
        way = ways.pop(body["amount"], [])
        if status == 200:
            moved += 1
            assert way == [("hold", source), ("deposit", target),
                           ("settle", source)], f"{body}: 200, but {way}"
        else:
            assert way in ([], [("hold", source), ("release", source)]), \
                f"{body}: 409, but {way}"
    assert not ways, f"transfers that nobody asked for: {ways}"
    return moved


def finish(port, memories):
    """Ask once more for what is open, until all is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for memory in memories:
        if not memory["open"]:
            continue
        key, path, body = memory["open"]
        deadline = time.monotonic() + END_SECONDS
        status = 202
        while status == 202 and time.monotonic() < deadline:
            status, said = call(connection, "POST", path, body, key)
        assert status in (200, 409), f"{path} {body}: {status} {said}"
        memory["answers"][key] = (path, body, status)
        memory["open"] = None
    return connection


def main():
    binary = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(10**9)
    print(f"transfer: {rounds} rounds, seed {seed}", flush=True)
    rng = random.Random(seed)
    data = tempfile.mkdtemp(prefix="kan-transfer-")
    memories = [{"count": 0, "open": None, "answers": {}}
                for _ in range(TELLERS)]
    daemon = Daemon(binary, data, BANK)
    prepare(daemon.port)
    for n in range(rounds):
        tellers = [Teller(daemon.port, i, m, seed + n * TELLERS + i)
                   for i, m in enumerate(memories)]
        for teller in tellers:
            teller.start()
        time.sleep(rng.uniform(0.02, 0.5))  # the moment of the crash
        daemon.kill()
        for teller in tellers:
            teller.join()
            assert not teller.wrong, teller.wrong
        daemon = Daemon(binary, data, BANK)
        if sys.stderr.isatty():
            print(f"\rtransfer: round {n + 1} of {rounds}", end="",
                  file=sys.stderr)
    connection = finish(daemon.port, memories)
    balance, held, ways, deposits = follow(history(connection))
    answers = [a for m in memories for a in m["answers"].values()]
    moved = check_ways(ways, answers)
    asked = sum("sagas" not in path for path, _, _ in answers)
    assert deposits == asked + len(ACCOUNTS), \
        f"{deposits} deposits happened, {asked} were answered"
    for account in ACCOUNTS:
        status, said = call(connection, "GET",
                            f"/kan/v1/entities/account/{account}")
        assert status == 200, said
        assert said["state"]["balance"] == balance[account], said
        assert said["state"]["held"] == held[account] == 0, said
    assert moved > rounds, "the load did not run"
    daemon.stop()
    subprocess.run([binary, "verify", "--data-dir", data], check=True)
    print(f"transfer: {rounds} kills, {moved} transfers done, "
          f"{len(answers) - asked - moved} undone, {asked} deposits; "
          "none lost, none twice")
    shutil.rmtree(data)


os.environ.pop("DAPR_API_TOKEN", None)
main()
