"""kan sim: seeds run, a failure shrunk, saved and replayed."""

import json
import os
import subprocess

import program
from program import Case

HOLDS, FAILS, USAGE, UNKNOWN = 0, 1, 2, 3

BROKEN = r"""
#include <kan/model.h>
struct box { int64_t total; int64_t shown; };
KAN_RECORD(box, 1, KAN_INT(box, total, 0, 1000),
           KAN_INT_VOLATILE(box, shown, 0, 1000));
struct add { int64_t amount; };
KAN_RECORD(add, 1, KAN_INT(add, amount, 1, 9));
static void on_add(kan_turn *turn, void *state, const void *message)
{
    struct box *box = state;
    (void)turn;
    box->total += ((const struct add *)message)->amount;
    box->shown += ((const struct add *)message)->amount;
}
static const struct kan_handler handlers[] = {{&add_record, on_add}};
static const struct kan_actor_type type = {
    .name = "box", .state = &box_record, KAN_HANDLERS(handlers)};
static void setup(kan_setup *setup)
{
    const struct add three = {3};
    kan_setup_actor(setup, &type, 0);
    kan_setup_request(setup, kan_ref_number("box", 0), &add_record, &three, 5);
}
static bool shows_all(const kan_view *view)
{
    const struct box *box = view->states[0];
    return box->shown == box->total;
}
static const struct kan_model_property properties[] = {
    {.name = "shows-all", .kind = KAN_INVARIANT, .holds = shows_all}};
static const struct kan_model model = {
    .name = "box", .summary = "a box", .setup = setup,
    KAN_PROPERTIES(properties), .network = KAN_NETWORK_DURABLE,
    .faults = {.crash = 2}};
KAN_MODULE(&model, &type);
"""

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


class Sim(Case):
    def sim(self, *arguments):
        return subprocess.run([program.BINARY, "sim", *arguments],
                              cwd=self.folder, capture_output=True, text=True,
                              timeout=120, check=False)

    def sim_json(self, *arguments):
        done = self.sim(*arguments, "-o", "json")
        return done.returncode, json.loads(done.stdout)

    def module(self, source):
        path = os.path.join(self.folder, "box.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-I",
                        os.path.join(ROOT, "include"), "-x", "c", "-", "-o",
                        path], input=source, text=True, check=True,
                       timeout=120)
        return "./box.so"

    def test_a_failure_is_shrunk_saved_and_replayed(self):
        code, told = self.sim_json("retry", "--seed", "1")
        self.assertEqual(code, FAILS)
        self.assertEqual(told["verdict"], "fails")
        self.assertEqual(told["property"], "paid-once")
        self.assertEqual(told["scenario"], "retry-paid-once.path")
        self.assertLessEqual(told["choices"], 10)
        again = self.sim("--replay", told["scenario"])
        self.assertEqual(again.returncode, FAILS)
        self.assertIn("paid-once fails", again.stdout)
        self.assertIn("path " + told["path"], again.stdout)

    def test_the_checker_replays_it_too(self):
        _, told = self.sim_json("lock-delete")
        done = subprocess.run(
            [program.BINARY, "check", "--replay", told["scenario"]],
            cwd=self.folder, capture_output=True, text=True, timeout=60,
            check=False)
        self.assertEqual(done.returncode, HOLDS, done.stderr)
        self.assertIn("path " + told["path"], done.stdout)
        self.assertIn("one-holder does not hold here", done.stdout)

    def test_what_the_real_driver_loses_is_found(self):
        module = self.module(BROKEN)
        code, told = self.sim_json(module, "--seeds", "200")
        self.assertEqual(code, FAILS)
        self.assertEqual(told["driver"], "real")
        self.assertEqual(told["property"], "shows-all")
        self.assertEqual(told["scenario"], "box-shows-all.path")
        with open(os.path.join(self.folder, told["scenario"])) as file:
            lines = file.read().splitlines()
        self.assertEqual(lines[0], "kan path 1")
        self.assertIn("expect fails shows-all", lines)
        self.assertTrue(any(line.startswith("tape ") for line in lines))
        again = self.sim("--replay", told["scenario"])
        self.assertEqual(again.returncode, FAILS)
        self.assertIn("path " + told["path"], again.stdout)

    def test_what_is_kept_holds(self):
        module = self.module(BROKEN.replace("KAN_INT_VOLATILE", "KAN_INT"))
        code, told = self.sim_json(module, "--seeds", "60",
                                   "--check-determinism")
        self.assertEqual(code, HOLDS)
        self.assertEqual(told["seeds"], 60)
        # All requests are equal, and one actor takes them: one path.
        self.assertEqual(told["paths"], 1)
        self.assertGreater(told["faults"]["crash"], 0)

    def test_a_repaired_model_holds(self):
        code, told = self.sim_json("retry", "--set", "fixed=1", "--seeds",
                                   "300")
        self.assertEqual(code, HOLDS)
        self.assertEqual(told["property"], None)
        self.assertGreater(told["faults"]["lost"], 0)

    def test_one_seed_runs_the_same_again(self):
        one = self.sim_json("paxos", "--seed", "7", "--seeds", "5")[1]
        two = self.sim_json("paxos", "--seed", "7", "--seeds", "5")[1]
        self.assertEqual((one["events"], one["paths"]),
                         (two["events"], two["paths"]))

    def test_a_path_that_is_another_is_told(self):
        _, told = self.sim_json("retry")
        path = os.path.join(self.folder, told["scenario"])
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace("path " + told["path"],
                                    "path " + "0" * 32))
        again = self.sim("--replay", told["scenario"])
        self.assertEqual(again.returncode, FAILS)
        self.assertIn("not the path that the file names", again.stderr)

    def test_told_wrong(self):
        for arguments, words in [
                ([], "what?"),
                (["paxoss"], "did you mean 'paxos'"),
                (["paxos", "--seeds", "0"], "expected 1 or more"),
                (["paxos", "--seed", "x"], "--seed is 'x'"),
                (["paxos", "--time", "soon"], "as 1m30s"),
                (["paxos", "--driver", "unreal"], "expected real or walk"),
                (["retry", "--driver", "real"], "called client"),
                (["--replay", "nothing.path"], "nothing.path")]:
            done = self.sim(*arguments)
            self.assertEqual(done.returncode, USAGE, arguments)
            self.assertIn(words, done.stderr)
