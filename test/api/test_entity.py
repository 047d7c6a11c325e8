"""Entities of a contract over the wire: steps, states, events as pages and as
they come, views, versions, what a crash of Kan leaves, and contracts that
change while Kan runs."""

import json
import os
import signal
import threading
import time
import unittest

import daemon

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BANK = os.path.join(ROOT, "examples", "bank.kan")
CART = os.path.join(ROOT, "examples", "cart.kan")

COUNTER = """
type counter {
    value: int(0 .. 100)
    step add(amount: int(1 .. 50)) { value += amount }
}
"""


class Bank:
    """Mixed into cases that talk to bank.kan."""

    def step(self, entity, step, body=None, query="", **headers):
        return self.kan.ask(
            "POST", "/v1.0/actors/%s/method/%s%s" % (entity, step, query),
            {} if body is None else body,
            headers={k.replace("_", "-"): v for k, v in headers.items()})

    def good(self, *args, **more):
        answer = self.step(*args, **more)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def show(self, entity, rest=""):
        return self.kan.ask("GET", "/kan/v1/entities/" + entity + rest)

    def state(self, entity, rest=""):
        answer = self.show(entity, rest)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["state"]

    def events(self, entity, limit=100):
        """All of them, page by page."""
        found, after = [], 0
        while True:
            page = self.show(entity, "/events?after=%d&limit=%d"
                             % (after, limit)).json()
            found += page["events"]
            after = page["after"]
            if not page["more"]:
                return found


def fold(events):
    """The state of an account, from its events alone."""
    state = {"owner": "", "balance": 0, "held": 0, "status": "unopened"}
    for event in events:
        args, step = event["args"], event["step"]
        if step == "open":
            state.update(owner=args["name"], status="open")
        elif step in ("close", "freeze", "unfreeze"):
            state["status"] = {"close": "closed", "freeze": "frozen",
                               "unfreeze": "open"}[step]
        else:
            balance, held = {"deposit": (1, 0), "withdraw": (-1, 0),
                             "hold": (-1, 1), "release": (1, -1),
                             "settle": (0, -1)}[step]
            state["balance"] += balance * args["amount"]
            state["held"] += held * args["amount"]
    return state


class Journey(unittest.TestCase, Bank):
    def setUp(self):
        self.kan = daemon.Daemon(BANK)
        self.addCleanup(self.kan.stop)

    def test_a_life(self):
        self.assertEqual(self.show("account/alice").status, 404)
        first = self.good("account/alice", "open", {"name": "Alice"})
        self.assertEqual({k: first[k] for k in ("type", "id", "version", "n")},
                         {"type": "account", "id": "alice", "version": 1,
                          "n": 1})
        answer = self.step("account/alice", "deposit", {"amount": 500})
        self.assertEqual((answer.status, answer.etag,
                          answer.headers["kan-version"]), (200, '"2"', "1"))
        self.assertEqual(answer.json()["state"],
                         {"owner": "Alice", "balance": 500, "held": 0,
                          "status": "open"})
        refused = self.step("account/alice", "withdraw", {"amount": 501})
        self.assertEqual(
            (refused.status, refused.headers["content-type"]),
            (409, "application/problem+json"))
        problem = refused.json()
        self.assertEqual(problem["values"], {"amount": 501, "balance": 500})
        self.assertEqual((problem["step"], problem["require"],
                          problem["detail"], problem["status"]),
                         ("withdraw", "amount <= balance",
                          "insufficient funds", 409))
        self.assertEqual(self.state("account/alice")["balance"], 500)
        self.good("account/alice", "withdraw", {"amount": 500})
        self.good("account/alice", "close")
        frozen = self.step("account/alice", "deposit", {"amount": 1})
        self.assertEqual((frozen.status, frozen.json()["guard"],
                          frozen.json()["values"]),
                         (409, "status == open", {"status": "closed"}))

    def test_state_is_the_fold_of_the_events(self):
        self.good("account/alice", "open", {"name": "Alice"})
        for amount in range(1, 40):
            self.good("account/alice", "deposit", {"amount": amount})
            if amount % 3 == 0:
                self.good("account/alice", "withdraw", {"amount": amount})
        self.good("account/alice", "freeze")
        for limit in (7, 1000):
            events = self.events("account/alice", limit)
            self.assertEqual([one["n"] for one in events],
                             list(range(1, len(events) + 1)))
            self.assertEqual(fold(events), self.state("account/alice"))
        for n in (1, 2, 17, len(events)):
            self.assertEqual(fold(events[:n]),
                             self.state("account/alice", "?at=%d" % n))
        revisions = [one["revision"] for one in events]
        self.assertEqual(revisions, sorted(revisions))

    def test_many_at_once_lose_nothing(self):
        self.good("account/alice", "open", {"name": "Alice"})
        seen = []

        def client():
            for _ in range(25):
                answer = self.step("account/alice", "deposit", {"amount": 1})
                seen.append(answer.json()["n"])

        clients = [threading.Thread(target=client) for _ in range(8)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        self.assertEqual(sorted(seen), list(range(2, 202)))
        self.assertEqual(self.state("account/alice")["balance"], 200)

    def test_a_crash_loses_nothing_and_keys_are_remembered(self):
        self.good("account/alice", "open", {"name": "Alice"})
        for number in range(1, 4):
            one = self.good("account/alice", "deposit", {"amount": 10},
                            Idempotency_Key="k%d" % number)
            self.assertEqual(one["state"]["balance"], 10 * number)
            self.kan.kill()
            self.kan.start()
            answer = self.step("account/alice", "deposit", {"amount": 10},
                               Idempotency_Key="k%d" % number)
            self.assertEqual((answer.status, answer.json()["n"]),
                             (200, one["n"]))
            self.assertEqual(self.step(
                "account/alice", "deposit", {"amount": 11},
                Idempotency_Key="k%d" % number).status, 422)
        self.assertEqual(self.state("account/alice")["balance"], 30)

    def test_views(self):
        for name, amount in (("alice", 30), ("bob", 12)):
            self.good("account/" + name, "open", {"name": name})
            last = self.good("account/" + name, "deposit", {"amount": amount})
        self.assertEqual(
            self.show("account/bob", "/views/statement").json()["values"],
            {"balance": 12, "deposits": 1, "paid_in": 12})
        view = self.kan.ask("GET", "/kan/v1/views/account/bank?at_least=%d"
                            % last["revision"]).json()
        self.assertEqual(view["values"], {"accounts": 2, "money": 42})
        self.assertGreaterEqual(view["as_of"], last["revision"])
        self.kan.kill()
        self.kan.start()
        again = self.kan.ask("GET", "/kan/v1/views/account/bank?at_least=%d"
                             % view["as_of"]).json()
        self.assertEqual(again["values"], view["values"])

    def test_what_the_ready_line_says_works(self):
        self.assertEqual(self.kan.ask("GET", "/v1.0/metadata").json()
                         ["actorRuntime"]["activeActors"],
                         [{"type": "account"}])
        listed = self.kan.ask("GET", "/kan/v1/contracts").json()
        self.assertEqual(listed["contracts"][0]["source"], BANK)
        self.assertEqual(listed["contracts"][0]["sagas"], ["transfer"])
        self.assertNotIn("error", listed)


class Follow(unittest.TestCase, Bank):
    def setUp(self):
        self.kan = daemon.Daemon(BANK)
        self.addCleanup(self.kan.stop)
        self.good("account/a", "open", {"name": "A"})

    def stream(self, **headers):
        connection = self.kan.connect()
        self.addCleanup(connection.close)
        connection.request("GET", "/kan/v1/entities/account/a/events",
                           headers=dict({"Accept": "text/event-stream"},
                                        **headers))
        response = connection.getresponse()
        self.assertEqual(response.headers["content-type"],
                         "text/event-stream")
        return response

    def take(self, response):
        """The next event: its fields."""
        fields = {}
        for raw in iter(response.readline, b""):
            line = raw.decode().rstrip("\n")
            if not line and "data" in fields:
                fields["data"] = json.loads(fields["data"])
                return fields
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
        return None

    def test_every_event_once_and_in_order(self):
        response = self.stream()
        taken = [self.take(response)]
        for number in range(2, 60):
            self.good("account/a", "deposit", {"amount": number})
            if number % 5 == 0:
                taken += [self.take(response)
                          for _ in range(number - len(taken))]
        while len(taken) < 59:
            taken.append(self.take(response))
        self.assertEqual([one["id"] for one in taken],
                         [str(n) for n in range(1, 60)])
        self.assertEqual([one["data"] for one in taken],
                         self.events("account/a"))
        self.assertEqual(taken[1]["event"], "deposit")
        # Resumable.
        response = self.stream(**{"Last-Event-ID": "57"})
        self.assertEqual([self.take(response)["id"] for _ in range(2)],
                         ["58", "59"])

    def test_a_stop_is_told(self):
        response = self.stream()
        self.assertEqual(self.take(response)["id"], "1")
        self.kan.process.send_signal(signal.SIGTERM)
        last = self.take(response)
        self.assertEqual((last["event"], last["data"]["errorCode"]),
                         ("error", "ERR_ENTITY_CLOSED"))
        self.assertIsNone(self.take(response))
        self.assertEqual(self.kan.process.wait(10), 0)

    def test_many_events_to_one_who_reads_slowly(self):
        def busy():
            for _ in range(100):
                self.good("account/a", "deposit", {"amount": 1})

        clients = [threading.Thread(target=busy) for _ in range(4)]
        for one in clients:
            one.start()
        response = self.stream()
        ids = []
        while len(ids) < 401:
            ids.append(int(self.take(response)["id"]))
            if len(ids) % 100 == 0:
                time.sleep(0.1)
        for one in clients:
            one.join()
        self.assertEqual(ids, list(range(1, 402)))


class Versions(unittest.TestCase, Bank):
    def test_old_clients_keep_working(self):
        with daemon.Daemon(CART) as self.kan:
            old = {"kan_version": "1"}
            one = self.good("cart/c", "add", {"article": "apple"}, **old)
            self.assertEqual((one["version"], one["state"]),
                             (1, {"lines": {"apple": 1}, "paid": False}))
            two = self.good("cart/c", "add", {"article": "apple", "count": 3})
            self.assertEqual((two["version"], two["state"]),
                             (2, {"lines": {"apple": 4}, "stage": "filling",
                                  "coupon": None}))
            self.good("cart/c", "pay", **old)
            shown = self.show("cart/c", "?version=1").json()
            self.assertEqual((shown["version"], shown["state"]["paid"]),
                             (1, True))

    def test_entities_move_over(self):
        with open(CART) as file:
            text = file.read()
        first = text[:text.index("type cart version 2")]
        with daemon.Daemon("cart.kan", files={"cart.kan": first}) as self.kan:
            path = os.path.join(self.kan.folder, "cart.kan")
            self.good("cart/c", "add", {"article": "apple"})
            self.good("cart/d", "add", {"article": "pear"})
            with open(path, "w") as file:
                file.write(text)
            self.kan.process.send_signal(signal.SIGHUP)
            daemon.wait_for(lambda: len(self.kan.ask(
                "GET", "/kan/v1/contracts").json()["contracts"][0]["types"][0]
                ["versions"]) == 2)
            self.assertEqual(self.show("cart/d").json()["version"], 1)
            moved = self.good("cart/c", "add", {"article": "apple"})
            self.assertEqual((moved["version"], moved["state"]["lines"]),
                             (2, {"apple": 2}))
            self.assertEqual([one.get("step", one.get("event"))
                              for one in self.events("cart/c")],
                             ["add", "upgraded", "add"])
            self.assertEqual(self.show("cart/c", "?at=1").json()["version"], 1)
            answer = self.kan.ask("POST", "/kan/v1/entities/cart/d/upgrade",
                                  {"version": 2})
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(self.state("cart/d")["stage"], "filling")


class Reload(unittest.TestCase, Bank):
    """A contract that changes while Kan runs."""

    def setUp(self):
        self.kan = daemon.Daemon("c.kan", files={"c.kan": COUNTER})
        self.addCleanup(self.kan.stop)
        self.path = os.path.join(self.kan.folder, "c.kan")
        self.good("counter/a", "add", {"amount": 5})

    def write(self, text):
        with open(self.path, "w") as file:
            file.write(text)

    def contracts(self):
        return self.kan.ask("GET", "/kan/v1/contracts").json()

    def error(self):
        return daemon.wait_for(lambda: self.contracts().get("error"))

    def test_a_bad_text_leaves_the_old_one_running(self):
        self.write(COUNTER.replace("value += amount", "valeu += amount"))
        said = self.error()
        self.assertIn("c.kan:4:", said)
        self.assertIn("valeu", said)
        self.assertEqual(self.good("counter/a", "add", {"amount": 1})
                         ["state"], {"value": 6})
        # Put right, by hand and without a signal: the error is forgotten.
        self.write(COUNTER)
        daemon.wait_for(lambda: "error" not in self.contracts())

    def test_another_meaning_of_a_version_is_refused(self):
        self.write(COUNTER.replace("0 .. 100", "0 .. 7"))
        self.kan.process.send_signal(signal.SIGHUP)
        said = self.error()
        self.assertIn("counter", said)
        self.assertIn("upgrade", said)
        self.assertEqual(self.good("counter/a", "add", {"amount": 40})
                         ["state"], {"value": 45})
        # Nor at a start.
        self.kan.end()
        with self.assertRaisesRegex(RuntimeError, "ended with 2"):
            self.kan.start()
        self.write(COUNTER)
        self.kan.start()

    def test_comments_and_views_may_change(self):
        text = COUNTER.replace("step add", "# more\n    view v { all: "
                               "sum(add.amount) }\n    step add")
        self.write(text)
        self.assertEqual(daemon.wait_for(
            lambda: self.show("counter/a", "/views/v").status == 200 and
            self.show("counter/a", "/views/v").json()["values"]), {"all": 5})

    def test_a_new_step_in_a_new_version(self):
        self.write(COUNTER + COUNTER.replace(
            "type counter", "type counter version 2").replace(
                "step add", "step clear { value = 0 }\n    step add") +
            "upgrade counter 1 -> 2 { down { } }\n")
        daemon.wait_for(lambda: self.step("counter/a", "clear").status == 200)
        self.assertEqual(self.state("counter/a"), {"value": 0})


if __name__ == "__main__":
    unittest.main()
