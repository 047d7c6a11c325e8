"""Modules of actors on the command line: what is served, and what is wrong."""

import json
import os
import re
import shutil
import subprocess
import unittest

from program import Case, until
from test_resources import component

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


DICE = r"""
#include <kan/actor.h>
struct dice { int64_t luck; int64_t shown; };
KAN_RECORD(dice, 1, KAN_INT(dice, luck, 0, 9), KAN_INT(dice, shown, 0, 9999));
KAN_RECORD_EMPTY(roll);
static void on_start(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    ((struct dice *)state)->luck = (int64_t)kan_choose(turn, 10);
}
static void on_roll(kan_turn *turn, void *state, const void *message)
{
    uint64_t sides = 2 + kan_choose(turn, 5);
    (void)message;
    ((struct dice *)state)->shown =
        (int64_t)(10 * sides + kan_choose(turn, sides));
    kan_timer_set(turn, 0, 1);
}
static void on_settle(kan_turn *turn, void *state, const void *message)
{
    struct dice *dice = state;
    (void)message;
    dice->shown = dice->shown % 100 * 100 + (int64_t)kan_choose(turn, 100);
}
static const struct kan_handler handlers[] = {{&roll_record, on_roll}};
static const struct kan_timer_type timers[] = {{"settle", on_settle}};
static const struct kan_actor_type dice = {
    .name = "dice", .state = &dice_record, .start = on_start,
    KAN_HANDLERS(handlers), KAN_TIMERS(timers)};
KAN_ACTORS(&dice);
"""


@unittest.skipUnless(shutil.which("cc"), "there is no cc to build a module")
class Modules(Case):
    def build(self, name="counter.so", source=None):
        path = os.path.join(ROOT, "examples", "counter.c")
        if source:
            path = self.write(name + ".c", source)
        subprocess.run(["cc", "-shared", "-fPIC", "-I",
                        os.path.join(ROOT, "include"), path, "-o",
                        self.path(name)], check=True)
        return name

    def refuse_run(self, *args, part):
        self.refuse(["run", "-H", "0", "--data-dir", "data", *args], part)

    def test_actors_are_said(self):
        kan = self.kan(self.build())
        self.assertIn("; actors: counter; try:", kan.ready)
        answer = kan.ask("POST", "/v1.0/actors/counter/a/method/add",
                         {"amount": 3})
        self.assertEqual(answer.body, b'{"value":3}')

    def test_beside_an_app(self):
        kan = self.kan("./" + self.build(), app=["sleep", "60"])
        self.assertEqual(kan.ask("POST", "/v1.0/actors/counter/a/method/add",
                                 {"amount": 3}).status, 200)
        kan.end()

    def test_a_word_that_is_no_module(self):
        self.refuse_run("counter", part="unexpected 'counter'; a module with "
                        "actors ends in .so")

    def test_a_module_that_is_not_there(self):
        self.refuse_run("none.so", part="none.so")

    def test_a_file_that_is_no_module(self):
        self.write("text.so", "hello")
        self.refuse_run("text.so", part="text.so")

    def test_a_module_that_needs_too_much(self):
        self.build("clock.so", "#include <time.h>\n#include <kan/actor.h>\n"
                   "struct s { int64_t n; };\n"
                   "KAN_RECORD(s, 1, KAN_INT(s, n, 0, 9));\n"
                   "KAN_RECORD_EMPTY(go);\n"
                   "static void on_go(kan_turn *t, void *s, const void *m)\n"
                   "{ (void)t; (void)m; ((struct s *)s)->n = time(0) % 9; }\n"
                   "static const struct kan_handler h[] = {{&go_record, on_go}}"
                   ";\nstatic const struct kan_actor_type a = {.name = \"a\","
                   " .state = &s_record, KAN_HANDLERS(h)};\nKAN_ACTORS(&a);\n")
        self.refuse_run("clock.so", part="needs time()")

    def test_two_of_one_name(self):
        self.build()
        self.build("other.so")
        self.refuse_run("counter.so", "other.so", part="counter")

    def test_without_a_store_for_actors(self):
        self.build()
        self.write("res/a.yaml", component("s", "state.in-memory"))
        self.refuse_run("--resources-path", "res", "counter.so",
                        part="set actorStateStore to \"true\" in one state "
                        "component")
        self.write("res/a.yaml", "---\n".join(
            component(name, "state.in-memory", actorStateStore="true")
            for name in "st"))
        self.refuse_run("--resources-path", "res", "counter.so",
                        part="the components 's' and 't' both have "
                        "actorStateStore")
        self.write("res/a.yaml", component("s", "state.in-memory",
                                           actorStateStore="true"))
        self.kan("--resources-path", "res", "counter.so")

    def test_record(self):
        self.build()
        self.build("other.so")
        self.refuse_run("--record", "r.path",
                        part="--record writes down one module, and 0 are")
        self.refuse_run("--record", "r.path", "counter.so", "other.so",
                        part="and 2 are")
        self.refuse_run("--record", "none/r.path", "counter.so",
                        part="--record 'none/r.path' cannot be written: ")
        kan = self.kan("--record", "r.path", "counter.so")
        kan.ask("POST", "/v1.0/actors/counter/a/method/add", {"amount": 3})
        kan.end()
        self.assertRegex(self.read("r.path"),
                         r"^kan path 1\nmodule counter.so\ndeliver -> "
                         r'counter/a add {"amount":3} @\d+\npath '
                         r"[0-9a-f]{32}\n$")

    def test_one_path_live_checked_and_simulated(self):
        """What happened live is the same path wherever it happens again."""
        self.build()
        kan = self.kan("--record", "r.path", "counter.so")
        for actor, amount in (("a", 3), ("b", 50), ("a", 100), ("long-id", 1)):
            answer = kan.ask("POST", f"/v1.0/actors/counter/{actor}/method/add",
                             {"amount": amount})
            self.assertEqual(answer.status, 200)
        kan.end()
        path = self.read("r.path").splitlines()[-1]
        self.assertRegex(path, "^path [0-9a-f]{32}$")
        self.assertIn(path, self.succeed("check", "--replay", "r.path"))
        self.assertIn(path, self.succeed("sim", "--replay", "r.path"))
        other = self.read("r.path").replace('{"amount":50}', '{"amount":51}')
        with open(self.path("x.path"), "w", encoding="utf-8") as file:
            file.write(other)
        done = self.command("check", "--replay", "x.path")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not the path that the file names", done.stderr)

    def test_numbers_drawn_live_are_drawn_again(self):
        """A start, a message and a timer draw; all of it happens again."""
        self.build("dice.so", DICE)
        kan = self.kan("--record", "r.path", "dice.so")
        shown = {}
        for count, actor in enumerate("abaa", 1):
            self.assertEqual(kan.ask("POST", f"/v1.0/actors/dice/{actor}"
                                     "/method/roll").status, 200)
            until(lambda: self.read("r.path").count("timer dice/") == count,
                  "the dice settle")
            answer = kan.ask("GET", f"/kan/v1/actors/dice/{actor}")
            shown[actor] = json.loads(answer.body)["state"]["shown"]
        kan.end()
        recorded = self.read("r.path")
        self.assertEqual(len(shown), 2)
        self.assertRegex(recorded, r"deliver -> dice/a roll "
                         r"#\d/10,[0-4]/5,\d/[2-6] @")
        path = recorded.splitlines()[-1]
        checked = self.succeed("check", "--replay", "r.path")
        self.assertIn(path, checked)
        for value in shown.values():
            self.assertRegex(checked, rf"shown: \d+ -> {value}\b")
        simulated = self.succeed("sim", "--replay", "r.path")
        self.assertIn(path, simulated)
        drawn = [re.findall(r"dice/a \w+ #(\S+)", text)
                 for text in (recorded, simulated)]
        self.assertTrue(drawn[0])
        self.assertEqual(drawn[0], drawn[1])
