"""kan check FILE.kan and kan compat: what holds of a contract, what does not and
where it shows, and whether old callers keep working."""

import json
import os
import unittest

from program import Case

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def example(name):
    with open(os.path.join(ROOT, "examples", name)) as file:
        return file.read()


BANK = example("bank.kan")
CART = example("cart.kan")

# It is full after a hundred stamps, and then to be punched and cashed.
CARD = """type card {
    stamps: int(0 .. 100) = 0
    punched: bool
    step stamp when stamps < 100 { stamps += 1 }
    step punch when stamps == 100 { punched = true }
    step cash when punched { stamps = 0; punched = false }
    step void { stamps = 0; punched = false }
    law cash; void ~ cash
}
"""

# Enough to find what is wrong, and quick with sanitizers too.
QUICK = ("--states", "2000", "--faults", "none")


class Contract(Case):
    def changed(self, text, part, other):
        self.assertIn(part, text)
        self.write("case.kan", text.replace(part, other))

    def text(self, *args, code=0):
        done = self.command(*args, seconds=120)
        self.assertEqual((done.returncode, done.stderr), (code, ""), done)
        return done.stdout

    def found(self, *args, code=0):
        return json.loads(self.text(*args, "-o", "json", code=code))

    def refused(self, *args):
        done = self.command(*args)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done)
        return done.stderr


class Check(Contract):
    def check(self, *args, code=0):
        return self.found("check", "case.kan", *QUICK, *args, code=code)

    def test_the_bank_holds(self):
        self.write("case.kan", BANK)
        found = self.check()
        self.assertEqual(found["verdict"], "holds")
        [account] = found["types"]
        self.assertEqual([law["verdict"] for law in account["laws"]],
                         ["holds"] * 4)
        self.assertFalse(any(step["never"] or step["stable"]
                             for step in account["steps_of"]))
        pairs = {(pair["first"], pair["second"]): pair
                 for pair in account["pairs"]}
        self.assertEqual(len(pairs), 81)
        self.assertTrue(pairs["deposit", "deposit"]["fits"])
        self.assertTrue(pairs["freeze", "deposit"]["disables"])
        self.assertTrue(pairs["deposit", "release"]["commutes"])
        self.assertEqual(found["sagas"][0]["verdict"], "holds")
        self.assertEqual([(block["model"], block["name"], block["verdict"])
                          for block in found["blocks"]],
                         [("entity", "account", "holds"),
                          ("saga", "transfer", "holds")])
        [real] = found["runs"]
        self.assertEqual((real["name"], real["verdict"], real["runs"]),
                         ("account", "holds", 100))
        self.assertGreater(real["taken"], 500)
        self.assertGreater(real["deaths"], 20)

    def test_the_bank_in_words(self):
        self.write("case.kan", BANK)
        text = self.text("check", "case.kan", *QUICK)
        self.assertTrue(text.startswith("case.kan: holds within budget\n"))
        for line in ("  law hold(a); release(a) ~ nothing: holds within the "
                     "budget (",
                     "  stable within the budget: none",
                     "saga transfer: no undo, and no step behind the pivot",
                     "no acknowledged step is lost or taken twice",
                     "all steps or none, each once",
                     "type account, run on the real block"):
            self.assertIn(line, text)

    def test_a_false_law_is_shown_by_both_runs(self):
        self.changed(BANK, "law hold(a); release(a)      ~  nothing",
                     "law hold(a); settle(a) ~ nothing")
        law = self.check(code=1)["types"][0]["laws"][2]
        self.assertEqual((law["law"], law["verdict"], law["at"]),
                         ("hold(a); settle(a) ~ nothing", "fails", 2))
        self.assertEqual([step["step"] for step in law["left"]],
                         ["open", "deposit", "hold", "settle"])
        self.assertEqual(law["right"], [])
        text = self.text("check", "case.kan", *QUICK, code=1)
        self.assertIn("  4  settle(amount: 1)", text)
        self.assertIn("balance: 0 -> 1\n", text)

    def test_a_law_that_nothing_runs_is_an_error(self):
        self.changed(BANK, "law freeze; unfreeze", "law freeze; freeze")
        found = self.found("check", "case.kan", "--faults", "none", code=1)
        self.assertEqual(found["types"][0]["laws"][3]["verdict"],
                         "never runs")

    def test_a_law_that_was_not_met_is_unknown(self):
        self.write("case.kan", CARD)
        args = ("check", "case.kan", "--faults", "none")
        self.assertEqual(self.found(*args)["verdict"], "holds")
        for limit in (("--depth", "1"), ("--states", "2")):
            found = self.found(*args, *limit, code=3)
            self.assertEqual(found["verdict"], "unknown")
            self.assertEqual(found["types"][0]["laws"][0]["verdict"],
                             "unknown")
        text = self.text(*args, "--depth", "1", code=3)
        self.assertTrue(text.startswith("case.kan: unknown: not all was walk"))
        self.assertIn("walk further with more --states, or --depth\n", text)

    def test_a_long_run_is_told_shortly(self):
        self.write("case.kan", CARD.replace("void ~ cash", "void ~ nothing"))
        [law] = self.found("check", "case.kan", "--faults", "none",
                           code=1)["types"][0]["laws"]
        self.assertEqual([(step["step"], step["times"])
                          for step in law["left"]],
                         [("stamp", 100), ("punch", 1), ("cash", 1),
                          ("void", 1)])

    def test_sets_get_full(self):
        self.write("case.kan", "type guests {\n    names: set(text(20), 5)\n"
                   "    full: bool\n"
                   "    step add(name: text(20)) { names += name }\n"
                   "    step look { full = size(names) == 5 }\n"
                   "    law look ~ nothing\n}\n")
        [guests] = self.found("check", "case.kan", "--faults", "none",
                              code=1)["types"]
        self.assertFalse(guests["complete"])
        self.assertFalse(guests["steps_of"][0]["stable"])
        [law] = guests["laws"]
        self.assertEqual([(step["step"], step["times"])
                          for step in law["left"]],
                         [("add", 5), ("look", 1)])
        self.assertTrue(law["left"][0]["varied"])
        self.assertIn(" 5 times, each with another",
                      self.text("check", "case.kan", "--faults", "none",
                                code=1))

    def test_more_states_on_request(self):
        self.write("case.kan", BANK)
        states = [self.found("check", "case.kan", "--faults", "none",
                             "--states", count)["types"][0]["states"]
                  for count in ("100", "200")]
        self.assertEqual(states, [101, 201])
        self.assertIn("--states is 'x'",
                      self.refused("check", "case.kan", "--states", "x"))
        self.assertIn("--states is for contracts",
                      self.refused("check", "lock-setnx", "--states", "9"))

    def test_a_step_that_no_state_takes_is_told(self):
        self.changed(BANK, "    step freeze ",
                     "    step thaw when status == closed and held > 0 { }\n"
                     "    step freeze ")
        steps = self.check()["types"][0]["steps_of"]
        self.assertEqual([step["step"] for step in steps if step["never"]],
                         ["thaw"])

    def test_an_undo_that_can_be_refused_is_shown(self):
        before, _ = BANK.split("    from.hold(amount)")
        self.write("case.kan", before +
                   "    from.withdraw(amount) undo from.deposit(amount)\n"
                   "    to.deposit(amount)\n}\n")
        saga = self.check(code=1)["sagas"][0]
        self.assertEqual((saga["verdict"], saga["undo"], saga["call"]),
                         ("fails", True, "from.deposit"))
        self.assertEqual([step["step"] for step in saga["run"]],
                         ["open", "deposit", "withdraw", "freeze", "deposit"])
        self.assertIn("refused", saga["run"][-1])
        text = self.text("check", "case.kan", *QUICK, code=1)
        self.assertIn("deposit(amount: 1), as undo", text)
        self.assertIn("refused: deposit needs status == open", text)

    def test_versions_are_checked_one_by_one(self):
        self.write("case.kan", CART)
        self.assertEqual([(type["type"], type["version"])
                          for type in self.check()["types"]],
                         [("cart", 1), ("cart", 2)])

    def test_the_blocks_survive_crashes(self):
        self.write("case.kan", "type door {\n    open: bool = false\n"
                   "    step flip { open = not open }\n}\n")
        found = self.found("check", "case.kan")
        self.assertTrue(found["types"][0]["complete"])
        [block] = found["blocks"]
        self.assertEqual((block["verdict"], block["complete"],
                          block["budget"]), ("holds", True, "crash=1"))

    def test_time_that_is_used_up_is_unknown(self):
        self.write("case.kan", BANK)
        found = self.found("check", "case.kan", "--time", "1ms", code=3)
        self.assertEqual(found["verdict"], "unknown")

    def test_what_is_told_wrong(self):
        self.write("bad.kan", BANK.replace("balance += amount", "balanse += 1"))
        self.assertRegex(self.refused("check", "bad.kan"),
                         r"^bad\.kan:\d+:\d+: .*balanse")
        self.write("case.kan", BANK)
        self.assertIn("--set", self.refused("check", "case.kan",
                                            "--set", "a=1"))
        self.assertIn("crush", self.refused("check", "case.kan", "--depth", "1",
                                            "--faults", "crush=1"))
        self.assertIn("missing.kan", self.refused("check", "missing.kan"))
        self.write("empty.kan", "")
        self.assertIn("empty.kan:1:1: there is no type",
                      self.refused("check", "empty.kan"))

    def test_flags_that_would_do_nothing_are_refused(self):
        self.write("case.kan", BANK)
        for flag in ("--clients 3", "--requests 3", "--threads 2", "--count",
                     "--no-reduction", "--breadth-first", "--no-shortest",
                     "--once", "--list", "--set a=1", "--save x.path",
                     "--svg x.svg", "--picture x.html", "--replay x.path"):
            self.assertIn(
                f"a contract is checked without {flag.split()[0]}; what can "
                "be given is --depth",
                self.refused("check", "case.kan", *flag.split()))
        for fault in ("doubled", "liar"):
            self.assertIn(f"not checked with {fault}:",
                          self.refused("check", "case.kan", "--faults",
                                       f"crash=1,{fault}=1"))


class Syntax(Contract):
    def test_quiet_when_fine(self):
        self.write("a.kan", BANK)
        self.write("b.kan", CART)
        self.assertEqual(self.text("check", "--syntax", "a.kan", "b.kan"), "")

    def test_faults_of_all_files(self):
        self.write("a.kan", "type t {\n    x: nothing_known\n}\n")
        self.write("b.kan", BANK)
        self.write("c.kan", "type {\n")
        said = self.refused("check", "--syntax", "a.kan", "b.kan", "c.kan")
        self.assertRegex(said, r"(?m)^a\.kan:2:8: ")
        self.assertRegex(said, r"(?m)^c\.kan:1:6: ")
        self.assertNotIn("b.kan", said)

    def test_nothing_named(self):
        self.assertIn("--syntax of what?", self.refused("check", "--syntax"))

    def test_what_does_not_go_with_it(self):
        self.write("a.kan", BANK)
        for flag in ("--faults none", "--depth 1", "--memory 1Gi", "--time 1s",
                     "-o json", "--count"):
            self.assertIn("--syntax parses files alone, without --",
                          self.refused("check", "--syntax", "a.kan",
                                       *flag.split()))

    def test_a_file_that_is_too_large(self):
        self.write("huge.kan", "# filler\n" * (4 << 20 >> 3))
        self.assertEqual(self.refused("check", "--syntax", "huge.kan"),
                         "kan check: huge.kan: it is larger than 4 MiB\n")


class Compat(Contract):
    def compat(self, part=None, other=None, code=0):
        if part:
            self.changed(CART, part, other)
        else:
            self.write("case.kan", CART)
        return self.found("compat", "case.kan", "--depth", "4", code=code)

    def step(self, found, name):
        [upgrade] = found["upgrades"]
        return [step for step in upgrade["steps"] if step["step"] == name][0]

    def test_the_cart_keeps_its_callers(self):
        found = self.compat()
        [upgrade] = found["upgrades"]
        self.assertTrue(found["compatible"])
        self.assertEqual([step["verdict"] for step in upgrade["steps"]],
                         ["same"] * 3)
        self.assertEqual(upgrade["lost"], ["stage", "coupon"])
        text = self.text("compat", "case.kan", "--depth", "4")
        self.assertIn("cart 1 -> 2: callers of version 1 keep working", text)
        self.assertIn("  lost by down: stage, coupon\n", text)

    def test_two_files(self):
        first, rest = CART.split("type cart version 2")
        self.write("old.kan", first)
        self.write("new.kan", "type cart version 2" + rest)
        found = self.found("compat", "old.kan", "new.kan", "--depth", "4")
        self.assertTrue(found["compatible"])
        self.assertEqual(self.step(found, "pay")["verdict"], "same")
        self.assertEqual(self.text("compat", "old.kan", "./old.kan"),
                         "nothing changes for callers\n")

    def test_another_default(self):
        step = self.step(self.compat("= 1)", "= 2)", code=1), "add")
        self.assertEqual(step["verdict"], "differs")
        self.assertEqual([run["step"] for run in step["run"]], ["add"])

    def test_a_stricter_step(self):
        found = self.compat("when stage == filling {\n        require size",
                            "when stage == paid {\n        require size",
                            code=1)
        self.assertEqual(self.step(found, "pay")["verdict"], "refused now")

    def test_a_step_that_is_gone(self):
        found = self.compat("    step use_coupon", "    step remove_it { }\n"
                            "    step use_coupon")
        self.assertTrue(found["compatible"])
        at = CART.rindex("    step remove(")
        self.write("case.kan", CART[:at] + CART[CART.index("\n", at) + 1:])
        found = self.found("compat", "case.kan", "--depth", "4", code=1)
        self.assertEqual(self.step(found, "remove")["verdict"], "gone")

    def test_no_way_back(self):
        at = CART.index("    down")
        self.write("case.kan", CART[:at] + "}\n")
        found = self.found("compat", "case.kan", "--depth", "4", code=1)
        self.assertEqual(self.step(found, "pay")["verdict"], "no way back")

    def test_a_version_whose_meaning_was_changed(self):
        self.write("old.kan", BANK)
        self.write("new.kan", BANK.replace("balance -= amount",
                                           "balance -= 1", 1))
        text = self.text("compat", "old.kan", "new.kan", code=1)
        self.assertIn("account version 1 means something else in the new text",
                      text)
        self.assertIn("write version 2", text)

    def test_what_is_told_wrong(self):
        self.assertIn("of what?", self.refused("compat"))
        self.write("bad.kan", "type {\n")
        self.write("case.kan", CART)
        self.assertRegex(self.refused("compat", "case.kan", "bad.kan"),
                         r"^bad\.kan:1:6: ")


if __name__ == "__main__":
    unittest.main()
