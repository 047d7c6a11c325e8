"""Contracts on the command line: `kan run FILE.kan`, what is wrong with one,
`kan events` and `kan upgrade`."""

import json
import os
import re
import shutil
import signal
import subprocess
import unittest

import program
from program import Case, until
from test_start import try_line

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BANK = os.path.join(ROOT, "examples", "bank.kan")
CART = os.path.join(ROOT, "examples", "cart.kan")

COUNTER = """type counter {
    value: int(0 .. 100)
    step add(amount: int(1 .. 50)) { value += amount }
}
"""


class Contract(Case):
    def step(self, kan, entity, step, body=None, **headers):
        answer = kan.ask("POST", "/v1.0/actors/%s/method/%s" % (entity, step),
                         body or {}, headers=headers)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def at(self, kan):
        return "--address=http://127.0.0.1:%d" % kan.port


class Run(Contract):
    @unittest.skipUnless(shutil.which("curl"), "there is no curl")
    def test_the_ready_line_has_a_curl_that_works(self):
        kan = self.kan(BANK)
        self.assertIn("; types: account; try: curl ", kan.ready)
        done = self.command("-c", try_line(kan), program="/bin/sh")
        self.assertEqual(json.loads(done.stdout)["n"], 1, done)

    def test_several_files(self):
        kan = self.kan(BANK, CART)
        self.assertIn("; types: account, cart;", kan.ready)
        self.step(kan, "cart/c", "add", {"article": "x"})
        self.step(kan, "account/a", "open", {"name": "A"})

    def test_faults_are_shown_where_they_are(self):
        self.write("bad.kan", COUNTER.replace("value +=", "valeu +="))
        done = self.command("run", "-H", "0", "bad.kan")
        self.assertEqual((done.returncode, done.stdout), (2, ""), done)
        lines = done.stderr.split("\n")
        self.assertRegex(lines[0], r"^bad\.kan:3:38: .*valeu")
        self.assertRegex(lines[1], r"^ +3 \|     step add")
        self.assertRegex(lines[2], r"\^\^\^\^\^")

    def test_a_saga_that_can_get_stuck(self):
        with open(BANK) as file:
            self.write("bank.kan", file.read().replace(
                "    step close ",
                "    step seize(code: text(20)) when code == \"court\" "
                "{ held = 0 }\n    step close "))
        done = self.command("run", "-H", "0", "bank.kan")
        self.assertEqual((done.returncode, done.stdout), (2, ""), done)
        self.assertIn("its undo from.release can be refused", done.stderr)
        self.assertIn("seize(code: \"court\")", done.stderr)

    def test_sagas_not_walked_whole_are_told_once(self):
        kan = self.kan(BANK)
        kan.end()
        [line] = [line for line in kan.log().split("\n")
                  if "not all was walked" in line]
        self.assertIn("level=info", line)
        self.assertIn("transfer (kan check %s)" % BANK, line)

    def test_two_types_of_one_name(self):
        self.write("a.kan", COUNTER)
        self.write("b.kan", COUNTER)
        done = self.command("run", "-H", "0", "a.kan", "b.kan")
        self.assertEqual(done.returncode, 2)
        self.assertIn("both a.kan and b.kan have the type 'counter'",
                      done.stderr)

    @unittest.skipUnless(shutil.which("cc"), "there is no cc")
    def test_a_module_and_a_contract_of_one_name(self):
        subprocess.run(["cc", "-shared", "-fPIC", "-I",
                        os.path.join(ROOT, "include"),
                        os.path.join(ROOT, "examples", "counter.c"), "-o",
                        self.path("counter.so")], check=True)
        self.write("a.kan", COUNTER)
        done = self.command("run", "-H", "0", "a.kan", "counter.so")
        self.assertEqual(done.returncode, 2)
        self.assertIn("both a.kan and a module have the type 'counter'",
                      done.stderr)
        kan = self.kan(BANK, "counter.so")
        self.step(kan, "account/a", "open", {"name": "A"})
        self.assertEqual(self.step(kan, "counter/a", "add", {"amount": 3}),
                         {"value": 3})

    def test_a_file_that_is_not_there(self):
        self.refuse(["run", "-H", "0", "none.kan"],
                    "the contract 'none.kan' cannot be read: there is no such "
                    "file")

    def test_without_a_store_for_it(self):
        self.write("res/a.yaml", "apiVersion: dapr.io/v1alpha1\n"
                   "kind: Component\nmetadata: {name: s}\nspec: {type: "
                   "state.in-memory, version: v1}\n")
        self.write("a.kan", COUNTER)
        self.refuse(["run", "-H", "0", "--resources-path", "res", "a.kan"],
                    "set actorStateStore to \"true\"")

    def test_a_hang_up_reads_it_again(self):
        self.write("a.kan", COUNTER)
        kan = self.kan("a.kan")
        kan.process.send_signal(signal.SIGHUP)
        kan.wait_log("the contract is as it was")
        self.write("a.kan", COUNTER.replace("step add", "# new\n    step add"))
        kan.process.send_signal(signal.SIGHUP)
        kan.wait_log("the new contract is in place")
        self.write("a.kan", "type")
        kan.process.send_signal(signal.SIGHUP)
        kan.wait_log("the new contract is not taken, the old one goes on")
        self.step(kan, "counter/a", "add", {"amount": 1})

    def test_a_type_in_service_stays(self):
        box = "type box {\n    full: bool\n    step fill { full = true }\n}\n"
        self.write("a.kan", COUNTER + box)
        kan = self.kan("a.kan")
        self.write("a.kan", "")
        kan.process.send_signal(signal.SIGHUP)
        kan.wait_log("a.kan:1:1: there is no type in this text")
        self.write("a.kan", COUNTER)
        kan.process.send_signal(signal.SIGHUP)
        kan.wait_log("a.kan: the type 'box' is missing, which is in service")
        self.step(kan, "box/a", "fill")

    def test_a_type_that_is_left_out_is_told_of(self):
        box = "type box {\n    full: bool\n    step fill { full = true }\n}\n"
        self.write("a.kan", COUNTER + box)
        kan = self.kan("a.kan")
        self.step(kan, "box/a", "fill")
        kan.end()
        self.write("a.kan", COUNTER)
        kan = self.kan("a.kan")
        kan.wait_log("the store has entities of the type box, which is in no "
                     "contract")
        self.step(kan, "counter/a", "add", {"amount": 1})

    def test_a_change_is_noticed(self):
        self.write("a.kan", COUNTER)
        kan = self.kan("a.kan")
        os.unlink(self.path("a.kan"))
        kan.wait_log("there is no such file")
        self.write("a.kan", COUNTER + "# more\n")
        kan.wait_log("the new contract is in place")


class Events(Contract):
    def setUp(self):
        super().setUp()
        self.daemon = self.kan(BANK)
        self.step(self.daemon, "account/alice", "open", {"name": "Alice"})
        self.step(self.daemon, "account/alice", "deposit", {"amount": 500})
        self.step(self.daemon, "account/alice", "freeze")

    def test_a_line_an_event(self):
        said = self.succeed("events", "account/alice", self.at(self.daemon))
        self.assertRegex(said, r'^     1  20\d\d-\S+Z  open {"name":"Alice"}\n'
                         r'     2  \S+  deposit {"amount":500}\n'
                         r"     3  \S+  freeze\n$")
        said = self.succeed("events", "account/alice", "--after", "2",
                            self.at(self.daemon))
        self.assertRegex(said, r"^     3  \S+  freeze\n$")

    def test_json(self):
        said = self.succeed("events", "account/alice", "-o", "json",
                            self.at(self.daemon))
        found = [json.loads(line) for line in said.splitlines()]
        self.assertEqual([one["step"] for one in found],
                         ["open", "deposit", "freeze"])
        self.assertEqual(found[1]["args"], {"amount": 500})

    def test_pages(self):
        for _ in range(3):
            for step in ("unfreeze", "freeze"):
                self.step(self.daemon, "account/alice", step)
        said = self.succeed("events", "account/alice", self.at(self.daemon))
        self.assertEqual([int(line.split()[0]) for line in said.splitlines()],
                         list(range(1, 10)))

    def test_follow_over_a_restart(self):
        self.daemon.end()
        port = program.free_port()
        kan = self.kan(BANK, port=port)
        with open(self.path("said"), "wb") as out:
            follower = self.start(program.BINARY, "events", "account/alice",
                                  "--follow", self.at(kan), out=out)
        until(lambda: self.read("said").count("\n") == 3, "three events")
        self.step(kan, "account/alice", "unfreeze")
        until(lambda: "unfreeze" in self.read("said"), "the fourth")
        kan.end()
        kan = self.kan(BANK, port=port)
        self.step(kan, "account/alice", "freeze")
        until(lambda: re.search(r"(?m)^     5  ", self.read("said")),
              "the fifth")
        self.assertEqual(re.findall(r"(?m)^ +(\d+)  ", self.read("said")),
                         ["1", "2", "3", "4", "5"])
        self.assertIsNone(follower.poll())

    def test_what_is_wrong(self):
        self.refuse(["events", "alice"], "name an entity")
        self.refuse(["events"], "name an entity")
        self.refuse(["events", "a/b", "--after", "x"], "--after is 'x'")
        self.refuse(["events", "a/b", "-o", "xml"], "--output is 'xml'")
        self.refuse(["events", "a/b", "--address", "nowhere"],
                    "--address is 'nowhere'")
        for args, part in ((["account/none"], "there is no account 'none'"),
                           (["acount/alice"], "did you mean 'account'?"),
                           (["none/none", "--follow"], "none")):
            done = self.command("events", *args, self.at(self.daemon))
            self.assertEqual((done.returncode, done.stdout), (1, ""), done)
            self.assertIn(part, done.stderr)
        done = self.command("events", "a/b", "--address", "127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no Kan answers at http://127.0.0.1:1", done.stderr)

    def test_over_a_unix_socket_and_with_a_token(self):
        token = {"DAPR_API_TOKEN": "secret"}
        kan = self.kan(BANK, "-u", "sockets", data="other", env=token)
        answer = kan.ask("POST", "/v1.0/actors/account/b/method/open",
                         {"name": "B"}, headers={"dapr-api-token": "secret"})
        self.assertEqual(answer.status, 200)
        where = "--address=unix:" + kan.unix
        self.assertIn("open", self.succeed("events", "account/b", where,
                                           env=token))
        done = self.command("events", "account/b", where)
        self.assertEqual(done.returncode, 1)
        self.assertIn("invalid api token", done.stderr)


class Upgrade(Contract):
    V1 = """type box version 1 {
    size: int(0 .. 100)
    step grow(by: int(1 .. 100)) { size += by }
}
"""
    V2 = """type box version 2 {
    size: int(0 .. 50)
    step grow(by: int(1 .. 100)) { size += by }
}
upgrade box 1 -> 2 {
    up { size = old.size }
    down { size = old.size }
}
"""

    def begin(self, sizes):
        self.write("box.kan", self.V1)
        kan = self.kan("box.kan")
        for number, size in enumerate(sizes):
            self.step(kan, "box/b%03d" % number, "grow", {"by": size})
        self.write("box.kan", self.V1 + self.V2)
        kan.process.send_signal(signal.SIGHUP)
        kan.wait_log("the new contract is in place")
        return kan

    def versions(self, kan, count):
        return [kan.ask("GET", "/kan/v1/entities/box/b%03d" % number).json()
                ["version"] for number in range(count)]

    def test_all_of_them(self):
        kan = self.begin([1 + number % 50 for number in range(40)])
        self.assertEqual(self.versions(kan, 40), [1] * 40)
        self.assertEqual(self.succeed("upgrade", "box", self.at(kan)),
                         "40 of type box are at version 2\n")
        self.assertEqual(self.versions(kan, 40), [2] * 40)
        revision = kan.metric('kan_store_revision{store="statestore"}')
        self.succeed("upgrade", "box", self.at(kan))
        self.assertEqual(kan.metric('kan_store_revision{store="statestore"}'),
                         revision)
        self.assertEqual(self.succeed("upgrade", "box", "--to", "1",
                                      self.at(kan)),
                         "40 of type box are at version 1\n")
        self.assertEqual(self.versions(kan, 40), [1] * 40)

    def test_what_does_not_fit_is_said(self):
        kan = self.begin([1, 99, 2])
        done = self.command("upgrade", "box", self.at(kan))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "2 of type box are at version 2, 1 could "
                         "not be carried over\n")
        self.assertRegex(done.stderr,
                         r"^kan upgrade: box/b001 stays as it is: .*size")
        self.assertEqual(self.versions(kan, 3), [2, 1, 2])

    def test_what_is_wrong(self):
        kan = self.begin([])
        self.refuse(["upgrade"], "name a type")
        self.refuse(["upgrade", "bx", self.at(kan)], "the type 'bx'")
        self.refuse(["upgrade", "box", "--to", "3", self.at(kan)],
                    "--to is '3'; expected a version from 1 to 2")
        done = self.command("upgrade", "box", "--address", "127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
