"""Actors of a module over the wire: calls, refusals, calls sent twice, what a
crash of Kan leaves, parked messages, and the record of a run."""

import os
import shutil
import subprocess
import tempfile
import unittest

import daemon

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# What examples/counter.c has not: a handler that crashes.
WALL = """
#include <kan/actor.h>
struct wall { int64_t knocks; };
KAN_RECORD(wall, 1, KAN_INT(wall, knocks, 0, 1000));
struct knock { int64_t hard; };
KAN_RECORD(knock, 1, KAN_INT(knock, hard, 0, 1));
struct heard { int64_t knocks; };
KAN_RECORD(heard, 1, KAN_INT(heard, knocks, 0, 1000));
static void on_knock(kan_turn *turn, void *state, const void *message)
{
    struct wall *wall = state;
    if (((const struct knock *)message)->hard)
        *(volatile int *)8 = 1;
    wall->knocks++;
    KAN_REPLY(turn, heard, .knocks = wall->knocks);
}
static const struct kan_handler handlers[] = {{&knock_record, on_knock}};
static const struct kan_actor_type wall = {
    .name = "wall", .state = &wall_record, KAN_HANDLERS(handlers)};
KAN_ACTORS(&wall);
"""

_folder = None


def setUpModule():
    global _folder
    if not shutil.which("cc"):
        raise unittest.SkipTest("there is no cc to build a module")
    _folder = tempfile.mkdtemp(prefix="kan-api-")
    with open(os.path.join(_folder, "wall.c"), "w") as file:
        file.write(WALL)
    for source in (os.path.join(ROOT, "examples", "counter.c"),
                   os.path.join(_folder, "wall.c")):
        name = os.path.basename(source)[:-2] + ".so"
        subprocess.run(["cc", "-shared", "-fPIC", "-I",
                        os.path.join(ROOT, "include"), source, "-o",
                        os.path.join(_folder, name)], check=True)


def tearDownModule():
    if _folder:
        shutil.rmtree(_folder)


def module(name):
    return os.path.join(_folder, name + ".so")


def call(kan, actor, method, body=None, **more):
    return kan.ask("POST", "/v1.0/actors/%s/method/%s" % (actor, method),
                   body, **more)


class Calls(unittest.TestCase):
    def setUp(self):
        self.kan = daemon.Daemon(module("counter"))
        self.addCleanup(self.kan.stop)

    def add(self, amount, actor="counter/a", **more):
        return call(self.kan, actor, "add", {"amount": amount}, **more)

    def test_answers(self):
        answer = self.add(5)
        self.assertEqual((answer.status, answer.body), (200, b'{"value":5}'))
        self.assertEqual(answer.headers["content-type"], "application/json")
        for verb in ("GET", "PUT", "DELETE"):
            self.assertEqual(self.kan.ask(
                verb, "/v1.0/actors/counter/a/method/add",
                {"amount": 1}).status, 200)
        self.assertEqual(self.add(1).json(), {"value": 9})
        self.assertEqual(self.add(1, "counter/b").json(), {"value": 1})

    def test_refusals(self):
        for path, body, status, code, part in (
                ("counter/a/method/add", {"amount": 500}, 400,
                 "ERR_MALFORMED_REQUEST", "amount: 500 is outside 1..100"),
                ("counter/a/method/add", {"amonut": 5}, 400,
                 "ERR_MALFORMED_REQUEST", "did you mean 'amount'?"),
                ("counter/a/method/sub", {}, 500, "ERR_ACTOR_INVOKE_METHOD",
                 "from actor service: (404) actor type counter has no method"),
                ("meter/a/method/add", {}, 404, "ERR_ACTOR_NO_ADDRESS",
                 "did not find address for actor 'meter/a'"),
                ("counter/a%2Fb/method/add", {}, 400, "ERR_BAD_REQUEST",
                 "actor id")):
            answer = self.kan.ask("POST", "/v1.0/actors/" + path, body)
            self.assertEqual((answer.status, answer.error()), (status, code))
            self.assertIn(part, answer.json()["message"])
        self.assertEqual(self.kan.ask(
            "GET", "/kan/v1/actors/counter/a").status, 204)

    def test_state_outlives_a_crash(self):
        for number in range(1, 4):
            self.assertEqual(self.add(10).json(), {"value": 10 * number})
            self.kan.kill()
            self.kan.start()
        found = self.kan.ask("GET", "/kan/v1/actors/counter/a").json()
        self.assertEqual((found["type"], found["id"], found["state"]),
                         ("counter", "a", {"value": 30}))

    def test_a_call_sent_twice_is_taken_once(self):
        once = {"kan-sender": "me", "kan-number": "1"}
        first = self.add(5, headers=once)
        self.assertEqual(first.json(), {"value": 5})
        self.assertEqual(self.add(5, headers=once).body, first.body)
        self.kan.kill()
        self.kan.start()
        self.assertEqual(self.add(5, headers=once).body, first.body)
        once["kan-number"] = "2"
        self.assertEqual(self.add(5, headers=once).json(), {"value": 10})
        self.assertEqual(self.add(5, headers={"kan-sender": "me"}).error(),
                         "ERR_BAD_REQUEST")

    def test_metadata_and_metrics(self):
        self.add(1)
        runtime = self.kan.ask("GET", "/v1.0/metadata").json()["actorRuntime"]
        self.assertEqual(runtime, {"runtimeStatus": "RUNNING",
                                   "hostReady": True,
                                   "activeActors": [{"type": "counter"}]})
        self.assertIn(b"\nkan_actor_steps_total",
                      self.kan.ask("GET", "/metrics").body)


class Parked(unittest.TestCase):
    def test_what_crashes_its_actor_is_parked(self):
        with daemon.Daemon(module("wall"), module("counter")) as kan:
            once = {"kan-sender": "me", "kan-number": "1"}

            def tried():
                answer = call(kan, "wall/w", "knock", {"hard": 1},
                              headers=once)
                self.assertEqual(answer.error(), "ERR_ACTOR_INVOKE_METHOD")
                return kan.ask("GET", "/kan/v1/parked").json()["parked"]

            found = daemon.wait_for(tried)
            self.assertEqual(len(found), 1)
            self.assertEqual((found[0]["actor"], found[0]["method"],
                              found[0]["body"]),
                             ("wall/w", "knock", {"hard": 1}))
            self.assertIn("knock", found[0]["why"])
            # Others go on, and the list outlives a crash.
            self.assertEqual(call(kan, "wall/w", "knock").json(),
                             {"knocks": 1})
            self.assertEqual(call(kan, "counter/c", "add",
                                  {"amount": 2}).json(), {"value": 2})
            kan.kill()
            kan.start()
            self.assertEqual(kan.ask("GET", "/kan/v1/parked").json()["parked"],
                             found)
            self.assertEqual(kan.ask("GET", "/kan/v1/parked?after="
                                     + found[0]["key"]).json(),
                             {"parked": []})


class Record(unittest.TestCase):
    def test_a_record_is_flushed_and_ends_with_its_path(self):
        with daemon.Daemon("--record", "run.path", module("counter")) as kan:
            path = os.path.join(kan.folder, "run.path")
            call(kan, "counter/a", "add", {"amount": 5})
            call(kan, "counter/a", "add", {"amount": 500})
            call(kan, "counter/b", "add", {"amount": 7})
            with open(path) as file:
                lines = file.read().splitlines()
            self.assertEqual(lines[0], "kan path 1")
            self.assertEqual(lines[1], "module " + module("counter"))
            self.assertRegex(lines[2],
                             r'^deliver -> counter/a add {"amount":5} @\d+$')
            self.assertRegex(lines[3],
                             r'^deliver -> counter/b add {"amount":7} @\d+$')
            self.assertEqual(len(lines), 4)
            seen = [kan.ask("GET", "/kan/v1/actors/counter/" + one).json()
                    ["path"] for one in "ab"]
            self.assertEqual(kan.end(), 0)
            with open(path) as file:
                last = file.read().splitlines()[4:]
            # The path of a run is the sum of its actors'.
            total = sum(int(one, 16) for one in seen) % (1 << 128)
            self.assertEqual(last, ["path %032x" % total])
