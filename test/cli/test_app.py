"""The app beside kan: what it is given, what passes to it and back."""

import json
import os
import signal
import socket
import stat
import sys
import unittest

import program
from program import Case, free_port, has_ipv6, until

# Tells what it has been given, and ends.
TELL = """
import json, os, sys
told = {"env": dict(os.environ), "args": sys.argv[1:], "cwd": os.getcwd(),
        "files": sorted(os.listdir("/proc/self/fd"))}
with open("told.part", "w") as file:
    json.dump(told, file)
os.rename("told.part", "told")
"""

# Waits for a signal, calls Kan one last time, and ends with 3.
LAST_CALL = """
import json, os, signal, sys, urllib.request
def last(number, frame):
    port = os.environ["DAPR_HTTP_PORT"]
    request = urllib.request.Request(
        "http://127.0.0.1:%s/v1.0/state/statestore" % port,
        json.dumps([{"key": "last", "value": number}]).encode(), method="POST")
    assert urllib.request.urlopen(request).status == 204
    os._exit(3)
for name in ("SIGTERM", "SIGINT", "SIGHUP"):
    signal.signal(getattr(signal, name), last)
open("up", "w").close()
while True:
    signal.pause()
"""


def python(script, *args):
    return [sys.executable, "-S", "-c", script] + list(args)


class Given(Case):
    def told(self):
        return json.loads(self.read("told"))

    def test_variables_and_arguments(self):
        port = free_port()
        kan = self.kan("--app-id", "orders", "--app-port", port, "-M",
                       free_port(), app=python(TELL, "a b", "--", "-x"),
                       env={"DAPR_API_TOKEN": "t", "OWN": "kept",
                            "APP_ID": "stale"})
        self.assertEqual(kan.wait(), 0)
        told = self.told()
        self.assertEqual(told["args"], ["a b", "--", "-x"])
        self.assertEqual(told["cwd"], os.path.realpath(self.folder))
        env = told["env"]
        for name, value in (
                ("APP_ID", "orders"), ("APP_PORT", str(port)),
                ("APP_PROTOCOL", "http"), ("OWN", "kept"),
                ("APP_CHANNEL_ADDRESS", "127.0.0.1"),
                ("DAPR_HTTP_PORT", str(kan.port)),
                ("DAPR_METRICS_PORT", kan.args[kan.args.index("-M") + 1]),
                ("DAPR_API_TOKEN", "t")):
            self.assertEqual(env.get(name), value, name)

    def test_without_a_port(self):
        kan = self.kan(app=python(TELL))
        self.assertEqual(kan.wait(), 0)
        self.assertEqual(self.told()["env"]["APP_ID"], "kan")
        self.assertNotIn("APP_PORT", self.told()["env"])

    def test_no_descriptor_but_the_standard_ones(self):
        self.assertEqual(self.kan(app=python(TELL)).wait(), 0)
        # The fourth is that of listing them.
        self.assertEqual(self.told()["files"], ["0", "1", "2", "3"])

    def test_no_signal_is_ignored_or_blocked(self):
        kan = self.kan(app=["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"])
        self.assertEqual(kan.wait(), 0)
        words = kan.out().split()
        # Signals from 32 on are the C library's, or whoever started us.
        named = (1 << 31) - 1
        self.assertEqual([int(word, 16) & named for word in words[1::2]],
                         [0, 0])

    def test_stdout_is_the_apps_alone(self):
        kan = self.kan("--log-level", "debug", app=["echo", "hello"])
        self.assertEqual(kan.wait(), 0)
        self.assertEqual(kan.out(), "hello\n")
        self.assertEqual(kan.log().count(" is ready: "), 1)


class Ends(Case):
    def test_exit_codes(self):
        for code in (0, 7, 255):
            kan = self.kan(app=["/bin/sh", "-c", "exit %d" % code])
            self.assertEqual(kan.wait(), code)

    def test_death_by_a_signal(self):
        for name in ("KILL", "TERM", "SEGV"):
            kan = self.kan(app=["/bin/sh", "-c", "ulimit -c 0; kill -%s $$"
                                % name])
            self.assertEqual(-kan.wait(), getattr(signal, "SIG" + name))
        self.assertIn("whole", self.succeed("verify", "data/kan.db"))

    def test_what_cannot_be_started(self):
        os.mkdir(self.path("folder"))
        self.write("text", "no program")
        os.chmod(self.path("text"), stat.S_IRUSR)
        for words, part in ((["no-such-program", "x"], "no such program"),
                            (["./text"], "cannot be executed"),
                            (["./folder"], "cannot be executed"),
                            (["./nowhere/app"], "no such program")):
            self.refuse(["run", "-H", "0", "--data-dir", "data", "--"] + words,
                        words[0], part)
        # The files are free again.
        self.kan().keep("k", 1)

    def test_nothing_behind_the_dashes(self):
        kan = self.kan("--")
        kan.keep("k", 1)


class Signals(Case):
    def test_last_calls_are_served(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            kan = self.kan(app=python(LAST_CALL))
            until(lambda: os.path.exists(self.path("up")), "the app runs")
            self.assertEqual(kan.end(number), 3)
            again = self.kan()
            self.assertEqual(again.value("last"), number)
            again.end()
            os.remove(self.path("up"))

    def stubborn(self, *flags):
        """An app that does not listen to SIGTERM."""
        kan = self.kan(*flags, app=[
            "/bin/sh", "-c", "trap '' TERM INT; echo >up; exec sleep 600"])
        until(lambda: os.path.exists(self.path("up")), "the app runs")
        return kan, int(kan.metadata()["extended"]["appPID"])

    def test_one_that_does_not_end_is_killed(self):
        kan, app = self.stubborn("--dapr-graceful-shutdown-seconds", "300ms")
        kan.keep("k", 1)
        self.assertEqual(kan.end(), -signal.SIGKILL)
        self.assertIn("killing it", kan.log())
        until(lambda: not program.alive(app), "the app is gone")
        self.assertEqual(self.kan().value("k"), 1)

    def test_a_second_signal_does_not_wait(self):
        kan, app = self.stubborn("--dapr-graceful-shutdown-seconds", "1h")
        kan.process.terminate()
        kan.wait_log("stopping")
        kan.keep("k", 1)
        self.assertEqual(kan.end(), -signal.SIGKILL)
        until(lambda: not program.alive(app), "the app is gone")


class Beside(Case):
    def test_health_waits_for_the_port(self):
        port = free_port()
        kan = self.kan("--app-port", port)

        def health(path=""):
            return kan.ask("GET", "/v1.0/healthz" + path).status
        answer = kan.ask("GET", "/v1.0/healthz")
        self.assertEqual((answer.status, answer.error()),
                         (500, "ERR_HEALTH_NOT_READY"))
        self.assertEqual(health("/outbound"), 204)
        kan.keep("k", "served before the app is up")
        self.assertEqual(kan.metric("kan_ready"), 0)
        with socket.create_server(("127.0.0.1", port)):
            until(lambda: health() == 204, "it is ready")
        self.assertEqual(kan.metric("kan_ready"), 1)

    @unittest.skipUnless(has_ipv6(), "there is no IPv6")
    def test_on_another_address(self):
        port = free_port()
        kan = self.kan("--app-port", port, "--app-channel-address", "::1")
        self.assertEqual(kan.ask("GET", "/v1.0/healthz").status, 500)
        with socket.create_server(("::1", port), family=socket.AF_INET6):
            until(lambda: kan.ask("GET", "/v1.0/healthz").status == 204,
                  "it is ready")

    def test_it_ends_while_it_waits(self):
        kan = self.kan("--app-port", free_port())
        self.assertEqual(kan.end(), 0)

    def test_metadata(self):
        port = free_port()
        kan = self.kan("--app-port", port, "-P", "grpc",
                       app=["sleep", "600"])
        found = kan.metadata()
        self.assertEqual(found["extended"]["appCommand"], "sleep 600")
        with open("/proc/%s/cmdline" % found["extended"]["appPID"]) as line:
            self.assertEqual(line.read(), "sleep\0" "600\0")
        self.assertEqual(found["appConnectionProperties"], {
            "port": port, "protocol": "grpc", "channelAddress": "127.0.0.1"})
        kan.end()
