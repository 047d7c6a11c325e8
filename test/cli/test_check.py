"""kan check as its user meets it: verdicts, drawings, files, mistakes."""

import json
import os
import re
import subprocess
import unittest

import program
from program import Case

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

VERDICTS = {"holds": 0, "fails": 1, "unknown": 3}


class Check(Case):
    def check(self, *args, code=0):
        """The object that kan check prints for programs."""
        done = subprocess.run(
            [program.BINARY, "check", *args, "-o", "json"], cwd=self.folder,
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stderr, "")
        found = json.loads(done.stdout)
        self.assertEqual(VERDICTS[found["verdict"]], code)
        return found

    def text(self, *args, code=0):
        done = subprocess.run(
            [program.BINARY, "check", *args], cwd=self.folder,
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def refused(self, *args):
        done = subprocess.run(
            [program.BINARY, "check", *args], cwd=self.folder,
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def module(self, source, name):
        """Build a shared object as a user does."""
        path = os.path.join(self.folder, name)
        subprocess.run(["cc", "-shared", "-fPIC", "-I",
                        os.path.join(ROOT, "include"), source, "-o", path],
                       check=True, timeout=120)
        return "./" + name

    def test_paxos_is_counted(self):
        found = self.check("paxos", "--set", "servers=3", "--set", "clients=2",
                           "--no-reduction")
        self.assertEqual(found["states"], 16668)
        self.assertEqual(found["generated"], 32971)
        self.assertEqual(found["terminal"], 1268)
        self.assertEqual(found["depth"], 20)
        self.assertEqual(found["interleavings"], "4038823")
        self.assertEqual(found["paths"], "1672")
        self.assertEqual(found["property"], None)
        self.assertTrue(found["complete"])
        for name in ("model", "budget", "seconds"):
            self.assertIn(name, found)

    def test_two_phase_commit_by_formula(self):
        for n in (3, 5, 7):
            found = self.check("two-phase", "--set", f"managers={n}",
                               "--no-reduction", "--threads", str(n % 3 + 1))
            self.assertEqual(found["states"], 2**n + 4**n + 6**n)
            self.assertEqual(found["generated"],
                             (n + 1) * 4**n + 1 + n * 2**n +
                             8 * n * 6**(n - 1) + 1)
        self.assertEqual(self.check("two-phase", "--count")["interleavings"],
                         "unbounded")

    def test_a_failure_is_drawn_saved_and_replayed(self):
        text = self.text("lock-setnx", code=1)
        self.assertIn("everybody-is-served fails after 2 steps "
                      "(no run is shorter) (crash=1)", text)
        self.assertIn("✗ crash", text)
        self.assertIn("holder: 0 -> 1", text)
        name = "lock-setnx-everybody-is-served"
        with open(os.path.join(self.folder, name + ".svg"),
                  encoding="utf-8") as file:
            self.assertIn("</svg>", file.read())
        saved = os.path.join(self.folder, name + ".path")
        with open(saved, encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual(lines[0], "kan path 1")
        self.assertEqual(lines[1], "model lock-setnx fixed=0")
        self.assertEqual(len([x for x in lines if x.startswith("crash ")]), 1)
        self.assertIn("kan check --replay " + name + ".path", text)
        again = self.text("--replay", name + ".path")
        self.assertIn(lines[-1], again)

    def test_a_replay_that_does_not_fit_is_told(self):
        with open(os.path.join(self.folder, "x.path"), "w",
                  encoding="utf-8") as file:
            file.write("kan path 1\nmodel retry fixed=0\n"
                       "deliver client/0 -> server/0 pay {\"number\":1}\n"
                       "timer client/0 soon\n")
        said = self.refused("--replay", "x.path")
        self.assertIn("x.path:4: this step is not possible here", said)
        self.assertIn("timer client/0 no-answer", said)

    def test_scenarios(self):
        """Every scenario ends as it says, and not otherwise."""
        folder = os.path.join(ROOT, "test", "scenario")
        found = [os.path.join(at, name) for at, _, names in os.walk(folder)
                 for name in names if name.endswith(".path")]
        self.assertGreater(len(found), 5)
        for path in found:
            self.text("--replay", path)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            other = re.sub("expect .*", "expect fails one-holder"
                           if "expect holds" in text else "expect holds",
                           text)
            with open(os.path.join(self.folder, "other.path"), "w",
                      encoding="utf-8") as file:
                file.write(other)
            done = subprocess.run(
                [program.BINARY, "check", "--replay", "other.path"],
                cwd=self.folder, capture_output=True, text=True, timeout=120,
                check=False)
            self.assertEqual(done.returncode, 1, path)
            self.assertIn("expected at the end", done.stderr)

    def test_fixed_models_hold(self):
        for name in ("dual-write", "g-counter", "retry", "raft-votes"):
            self.check(name, "--set", "fixed=1")

    def test_modes_agree(self):
        for args in ([], ["--no-reduction"], ["--breadth-first"],
                     ["--threads", "2"], ["--once"]):
            found = self.check("lock-fencing", *args, code=1)
            self.assertEqual(found["property"], "no-stale-write")
            self.assertEqual(found["steps"], 9)
            self.assertTrue(found["shortest"])
            found = self.check("lock-fencing", "--set", "fixed=1", *args)
            self.assertTrue(found["complete"])

    def test_limits_end_unknown_or_within_budget(self):
        found = self.check("paxos", "--depth", "5")
        self.assertFalse(found["complete"])
        self.assertIn("depth 5", found["budget"])
        found = self.check("paxos", "--set", "clients=6", "--time", "100ms",
                           code=3)
        self.assertGreater(found["states"], 0)
        found = self.check("paxos", "--set", "clients=6", "--memory", "4Mi",
                           code=3)
        self.assertIn("memory", found["why"])

    def test_a_module_of_the_user(self):
        module = self.module(os.path.join(ROOT, "examples/counter.c"),
                             "counter.so")
        self.assertTrue(self.check(module)["complete"])
        fewer = self.check(module, "--clients", "1", "--requests", "1")
        more = self.check(module, "--clients", "2", "--requests", "3")
        self.assertLess(fewer["states"], more["states"])

    def test_a_handler_that_keeps_something_is_named(self):
        source = os.path.join(self.folder, "hidden.c")
        with open(os.path.join(ROOT, "examples/counter.c"),
                  encoding="utf-8") as file:
            text = file.read()
        with open(source, "w", encoding="utf-8") as file:
            file.write(text.replace("static void on_add(",
                                    "static int calls = 1;\n"
                                    "static void on_add(", 1)
                       .replace("counter->value += ", "calls++;\n"
                                "    counter->value += ", 1))
        found = self.check(self.module(source, "hidden.so"), code=1)
        self.assertEqual(found["property"], "handler")
        self.assertIn("calls", found["why"])

    def test_list(self):
        found = json.loads(self.text("--list", "-o", "json"))["models"]
        names = [one["name"] for one in found]
        self.assertIn("paxos", names)
        self.assertEqual(names, sorted(names))
        text = self.text("--list")
        for name in names:
            self.assertIn(name, text)
        self.assertIn("--set servers=3", text)

    def test_mistakes(self):
        for args, said in (
                ([], "kan check --list"),
                (["paxo"], "did you mean 'paxos'?"),
                (["./no.so"], "no.so"),
                (["paxos", "--set", "server=3"], "did you mean servers"),
                (["paxos", "--set", "servers=9"], "expected 1 to 7"),
                (["paxos", "--set", "servers"], "expected name=number"),
                (["paxos", "--faults", "crsh=1"], "did you mean crash"),
                (["paxos", "--faults", "crash"], "crash=1,lost=2"),
                (["paxos", "--depth", "-1"], "expected 0 to"),
                (["paxos", "--memory", "lots"], "as 2Gi"),
                (["paxos", "--time", "soon"], "as 1m30s"),
                (["paxos", "-o", "xml"], "expected text or json"),
                (["paxos", "--no-reductoin"], "did you mean --no-reduction"),
                (["--replay", "no.path"], "no.path"),
                (["paxos", "abd"], "unexpected 'abd'")):
            self.assertIn(said, self.refused(*args), args)


if __name__ == "__main__":
    unittest.main()
