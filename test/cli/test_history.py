"""kan history: what it reads, what it says, and with which status it ends."""

import json
import os
import xml.dom.minidom

from program import Case

INPUTS = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "history")


def given(name):
    return os.path.join(INPUTS, name)


class Verdict(Case):
    def judge(self, *args):
        done = self.command("history", "-o", "json", *args)
        self.assertEqual(done.stderr, "")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, lines

    def assert_good(self, name, model, *args):
        code, (line,) = self.judge(given(name), *args)
        self.assertEqual((code, line["verdict"], line["model"]),
                         (0, "linearizable", model))
        return line

    def test_linearizable(self):
        self.assert_good("timed-out-write.log", "cas-register")
        self.assert_good("times.json", "queue")
        line = self.assert_good("append.txt", "kv")
        self.assertEqual(line["parts"], 2)
        line = self.assert_good("append.txt", "kv", "--no-partition")
        self.assertEqual(line["parts"], 1)

    def test_not(self):
        for flags in ((), ("--no-fast",), ("--no-partition",)):
            code, (line,) = self.judge(given("stale-read.edn"), *flags)
            self.assertEqual((code, line["verdict"]), (1, "not linearizable"))
            self.assertEqual(
                [(one["line"], one["role"]) for one in line["minimal"]],
                [(6, "needed"), (9, "needed"), (2, "wrote")])
            self.assertTrue(line["smallest"])
            self.assertGreaterEqual(line["seconds"], 0)

    def test_models(self):
        code, (line,) = self.judge(given("two-holders.json"))
        self.assertEqual((code, line["model"]), (1, "mutex"))
        code, (line,) = self.judge(given("two-holders.json"), "--model",
                                   "lock", "--no-minimal")
        self.assertEqual((code, line["model"]), (1, "lock"))
        self.assertNotIn("minimal", line)

    def test_initial(self):
        self.write("h", '{"process":0,"f":"read","value":7,"call":1,'
                        '"return":2}')
        self.assertEqual(self.judge("h")[0], 1)
        self.assertEqual(self.judge("h", "--initial", "7")[0], 0)

    def test_unknown(self):
        lines = ['{"process":%d,"f":"write","value":%d,"call":1,"return":9}'
                 % (n, n % 20) for n in range(40)]
        lines += ['{"process":0,"f":"read","value":%d,"call":%d,"return":%d}'
                  % (n, 10 * n + 10, 10 * n + 11) for n in range(2)]
        self.write("h", "\n".join(lines))
        code, (line,) = self.judge("h", "--memory", "1Mi")
        self.assertEqual((code, line["verdict"]), (3, "unknown"))
        self.assertEqual(line["reason"], "it needs more memory than it may use")
        done = self.command("history", "h", "--memory", "1Mi")
        self.assertIn("--memory 8Gi", done.stdout)

    def test_folder(self):
        for name in ("stale-read.edn", "times.json"):
            with open(given(name)) as file:
                self.write("all/" + name, file.read())
        self.write("all/.hidden", "no history")
        self.write("all/empty.log", "")
        os.mkdir(self.path("all", "deeper"))
        done = self.command("history", "all")
        self.assertEqual(done.returncode, 1)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^all/empty\.log: linearizable \(")
        self.assertRegex(lines[1], r"^all/stale-read\.edn: not linearizable ")
        self.assertEqual(lines[3:], ["3 histories: 2 linearizable, 1 not, "
                                     "0 unknown"])
        self.write("all/bad", "{:process 0 :type :ok :f :read :value 1}")
        done = self.command("history", "all")
        self.assertEqual(done.returncode, 2)
        self.assertIn("kan history: all/bad: line 1: process 0 returns, but "
                      "has called nothing\n", done.stderr)
        self.assertIn("3 histories:", done.stdout)


class Drawn(Case):
    def test_text(self):
        done = self.command("history", given("stale-read.edn"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("""
  process 0   (--write 1--)
  process 2                 [==write 2==]
  process 1                               [==read -> 1==]

    line 2      process 0    write 1
  * line 6      process 2    write 2
  * line 9      process 1    read -> 1

The operations marked * cannot be ordered, whether or not the others took
effect; without any one of them, the rest can be.
""", done.stdout)

    def test_svg(self):
        done = self.command("history", given("stale-read.edn"), "--svg",
                            "h.svg")
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        document = xml.dom.minidom.parse(self.path("h.svg"))
        classes = [rect.getAttribute("class")
                   for rect in document.getElementsByTagName("rect")]
        self.assertEqual(sorted(classes), ["bar"] * 3 + ["bar needed"] * 2 +
                         ["bar wrote"])
        self.assertGreater(len(document.getElementsByTagName("circle")), 2)


class Refused(Case):
    def assert_refused(self, said, *args):
        done = self.command("history", *args)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, "kan history: " + said + "\n")

    def test_command_line(self):
        name = given("times.json")
        self.assert_refused("name a file: kan history FILE; 'kan history "
                            "--help' tells which it reads")
        self.assert_refused("--model is 'stack'; expected one of register, "
                            "cas-register, kv, counter, set, mutex, lock, "
                            "queue", name, "--model", "stack")
        self.assert_refused("--output is 'xml'; expected text or json", name,
                            "-o", "xml")
        self.assert_refused("--memory is 'much'; expected bytes, as 2Gi", name,
                            "--memory", "much")
        self.assert_refused("--svg draws one file; name just one", name, name,
                            "--svg", "x")
        self.assert_refused("--initial is '['; expected a value, as 0 or "
                            '"text"', name, "--initial", "[")
        self.assert_refused("unknown flag --modle; did you mean --model?",
                            "--modle", "x")

    def test_files(self):
        self.assert_refused("none: No such file or directory", "none")
        self.write("h", '{"process":0,"f":"add","value":"x","call":1,'
                        '"return":2}')
        self.assert_refused("h: line 1: the model counter cannot use 'add "
                            "\"x\"'", "h", "--model", "counter")
        self.write("h", '{"process":0,"f":"acquire","call":1,"return":2}\n'
                        '{"process":0,"f":"read","value":1,"call":3,'
                        '"return":4}\n')
        self.assert_refused("h: no model knows all of its operations; record "
                            "each object in a file of its own", "h")
