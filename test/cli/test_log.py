"""Log lines: logfmt or JSON, and a level that changes while it runs."""

import json
import re

from program import Case, until

FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s"]+)(?: |$)')


def fields(line):
    """A line of logfmt, which must consist of nothing else."""
    found, at = {}, 0
    while at < len(line):
        match = FIELD.match(line, at)
        if not match:
            raise AssertionError("no logfmt at %d: %s" % (at, line))
        found[match.group(1)] = match.group(2)
        at = match.end()
    return found


class Form(Case):
    KEY = 'a%20b%22c%0a%5c'

    def lines(self, *flags):
        kan = self.kan("--log-level", "debug", "--enable-api-logging",
                       "--dapr-grpc-port", "1", *flags)
        kan.get(self.KEY)
        kan.ask("GET", "/no/such/path", headers={"dapr-app-id": "x\"y z"})
        kan.end()
        lines = kan.log().split("\n")
        self.assertEqual(lines.pop(), "")
        self.assertGreater(len(lines), 3)
        return lines

    def test_logfmt(self):
        for line in self.lines():
            found = fields(line)
            self.assertEqual(list(found)[:3], ["time", "level", "msg"], line)
            self.assertRegex(found["time"],
                             r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_json(self):
        levels = set()
        for line in self.lines("--log-as-json"):
            found = json.loads(line)
            self.assertEqual(list(found)[:3], ["time", "level", "msg"], line)
            levels.add(found["level"])
        self.assertLessEqual({"info", "warn"}, levels)


class Level(Case):
    PATH = "/kan/v1/log-level"

    def test_it_changes_while_it_runs(self):
        kan = self.kan("--enable-api-logging", "--log-level", "error")

        def said():
            return kan.log().count("\n")
        kan.get("k")
        self.assertEqual(said(), 0)
        self.assertEqual(kan.ask("PUT", self.PATH, "info").status, 204)
        kan.get("k")
        until(lambda: "state_get" in kan.log(), "the call is logged")
        self.assertEqual(kan.ask("PUT", self.PATH, {"level": "error"}).status,
                         204)
        before = said()
        kan.get("k")
        kan.get("k")
        self.assertEqual(said(), before)
        self.assertEqual(kan.ask("PUT", self.PATH, "loud").status, 400)
        self.assertEqual(kan.ask("GET", self.PATH).json(),
                         {"level": "error"})

    def test_quiet_without_trouble(self):
        kan = self.kan("--log-level", "warn")
        kan.keep("k", 1)
        kan.get("k")
        kan.get("nope", "nowhere")
        kan.end()
        self.assertEqual(kan.log(), "")
