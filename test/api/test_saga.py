"""Sagas over the wire: done, undone, followed, and killed over and over."""

import random
import threading
import unittest
import http.client

import daemon
from test_entity import BANK, Bank, fold

TRANSFER = "/kan/v1/sagas/transfer"

STUCK = """
type account {
    balance: int(0 .. 1000)
    step deposit(amount: int(1 .. 500)) { balance += amount }
    step withdraw(amount: int(1 .. 500)) {
        require amount <= balance else "insufficient funds"
        balance -= amount
    }
}
saga move(from: account, to: account, amount: int(1 .. 500)) {
    require from != to else "the two accounts are one"
    to.deposit(amount) undo to.withdraw(amount)
    from.withdraw(amount)
}
"""


class Case(unittest.TestCase, Bank):
    def setUp(self):
        self.kan = daemon.Daemon(BANK)
        self.addCleanup(self.kan.stop)

    def opened(self, *names, amount=100):
        for name in names:
            self.good("account/" + name, "open", {"name": name})
            if amount:
                self.good("account/" + name, "deposit", {"amount": amount})

    def transfer(self, source, target, amount, key=None, query=""):
        return self.kan.ask("POST", TRANSFER + query,
                            {"from": source, "to": target, "amount": amount},
                            headers={"Idempotency-Key": key} if key else None)


class Transfers(Case):
    def test_done(self):
        self.opened("alice", "bob")
        answer = self.transfer("alice", "bob", 30)
        self.assertEqual(answer.status, 200, answer.body)
        saga = answer.json()
        self.assertEqual((saga["saga"], saga["status"], saga["parameters"]),
                         ("transfer", "done", {"from": "alice", "to": "bob",
                                               "amount": 30}))
        self.assertEqual([step["call"] for step in saga["steps"]],
                         ["from.hold", "to.deposit", "from.settle"])
        self.assertEqual((self.state("account/alice")["balance"],
                          self.state("account/bob")["balance"]), (70, 130))
        self.assertEqual(self.kan.ask("GET", "%s/%s" % (
            TRANSFER, saga["id"])).json()["status"], "done")

    def test_undone(self):
        self.opened("alice", "bob")
        self.good("account/bob", "freeze")
        answer = self.transfer("alice", "bob", 30, key="t")
        self.assertEqual((answer.status, answer.headers["content-type"]),
                         (409, "application/problem+json"))
        problem = answer.json()
        self.assertEqual((problem["refused"], problem["id"]),
                         ("to.deposit", "t"))
        self.assertEqual(self.state("account/alice"),
                         {"owner": "alice", "balance": 100, "held": 0,
                          "status": "open"})
        self.assertEqual([one["step"] for one in
                          self.events("account/alice")][-2:],
                         ["hold", "release"])

    def test_the_same_key_is_the_same_saga(self):
        self.opened("alice", "bob")
        first = self.transfer("alice", "bob", 30, key="once")
        self.assertEqual(self.transfer("alice", "bob", 30,
                                       key="once").json()["revision"],
                         first.json()["revision"])
        self.assertEqual(self.transfer("alice", "bob", 31,
                                       key="once").status, 422)
        self.assertEqual(self.state("account/alice")["balance"], 70)

    def test_internal_steps_are_for_sagas_alone(self):
        self.opened("alice")
        self.assertEqual(self.step("account/alice", "hold",
                                   {"amount": 1}).status, 404)

    def test_one_that_can_get_stuck_does_not_load(self):
        with self.assertRaises(RuntimeError) as raised:
            daemon.Daemon("stuck.kan", files={"stuck.kan": STUCK})
        said = str(raised.exception)
        self.assertIn("ended with 2", said)
        self.assertIn("to.withdraw", said)


class Killed(Case):
    """Whenever Kan is killed, the money is where it was or where it goes."""

    ACCOUNTS = ["a%d" % i for i in range(6)]

    def client(self, number, stop):
        draw = random.Random(number)
        while not stop.is_set():
            source, target = draw.sample(self.ACCOUNTS, 2)
            try:
                answer = self.transfer(source, target, draw.randint(1, 90))
                if answer.status not in (200, 202, 409, 503):
                    self.wrong.append(answer.body)
            except (OSError, http.client.HTTPException):
                stop.wait(0.02)

    def running(self):
        text = self.kan.ask("GET", "/metrics").body.decode()
        line = [one for one in text.split("\n")
                if one.startswith("kan_sagas_running ")]
        return float(line[0].split()[1])

    def test_money_is_kept_over_kills(self):
        self.wrong = []
        self.opened(*self.ACCOUNTS)
        start = {name: len(self.events("account/" + name))
                 for name in self.ACCOUNTS}
        draw = random.Random(1)
        for round_ in range(8):
            stop = threading.Event()
            clients = [threading.Thread(target=self.client,
                                        args=(round_ * 10 + i, stop))
                       for i in range(4)]
            for one in clients:
                one.start()
            stop.wait(draw.uniform(0.05, 0.4))
            self.kan.kill()
            stop.set()
            for one in clients:
                one.join()
            self.kan.start()
        daemon.wait_for(lambda: self.running() == 0)
        self.assertEqual(self.wrong, [])
        self.check_path(start)

    def check_path(self, start):
        """Every event of all accounts, in order: what is deposited before it
        is settled is the only money too many."""
        path = []
        for name in self.ACCOUNTS:
            events = self.events("account/" + name)
            self.assertEqual(fold(events), self.state("account/" + name))
            path += [(one["revision"], one["step"], one["args"]["amount"])
                     for one in events[start[name]:]]
        path.sort()
        self.assertGreater(len(path), 20)
        held, between = 0, 0
        for _, step, amount in path:
            held += {"hold": amount, "release": -amount,
                     "settle": -amount}.get(step, 0)
            between += {"deposit": amount, "settle": -amount}.get(step, 0)
            self.assertGreaterEqual(held, between)
            self.assertGreaterEqual(between, 0)
        self.assertEqual((held, between), (0, 0))
        total = sum(self.state("account/" + name)["balance"]
                    for name in self.ACCOUNTS)
        self.assertEqual(total, 100 * len(self.ACCOUNTS))


if __name__ == "__main__":
    unittest.main()
