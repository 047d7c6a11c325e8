"""How kan run ends: signals, the terminal, the shutdown API; what is under way
is answered, and what was answered is kept."""

import os
import signal
import socket

import program
from program import Case, STATE, until


def half_a_save(kan, key):
    """A save whose body has not come yet, and the rest of it."""
    body = b'[{"key":"%s","value":"late"}]' % key.encode()
    head = (b"POST " + STATE.encode() + b"statestore HTTP/1.1\r\nHost: k\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body))
    return kan.raw(head + body[:10]), body[10:]


def arrived(kan):
    until(lambda: kan.metric("kan_http_body_bytes_in_flight") > 0,
          "the request has arrived")


def read_all(connection):
    try:
        return b"".join(iter(lambda: connection.recv(65536), b""))
    except ConnectionResetError:
        return b""


def closed(kan):
    """Whether it accepts no more."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", kan.port)) != 0


class Signals(Case):
    def test_idle(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            kan = self.kan()
            idle = kan.connect()
            kan.get("k", connection=idle)
            self.assertEqual(kan.end(number), 0)
            self.assertIn("signal=%d" % number, kan.log())
            self.assertEqual(idle.sock.recv(1), b"")
            idle.close()

    def test_a_request_under_way_gets_its_answer(self):
        kan = self.kan("--dapr-graceful-shutdown-seconds", "60")
        late, rest = half_a_save(kan, "late")
        arrived(kan)
        kan.process.terminate()
        until(lambda: closed(kan), "it accepts no more")
        self.assertIsNone(kan.process.poll())
        late.sendall(rest)
        got = read_all(late)
        self.assertTrue(got.startswith(b"HTTP/1.1 204 "), got)
        self.assertIn(b"\r\nconnection: close\r\n", got.lower())
        self.assertEqual(kan.wait(), 0)
        self.assertEqual(self.kan().value("late"), "late")

    def test_the_grace_is_an_end(self):
        kan = self.kan("--dapr-graceful-shutdown-seconds", "200ms")
        late, _ = half_a_save(kan, "late")
        arrived(kan)
        kan.keep("k", 1)
        self.assertEqual(kan.end(), 0)
        self.assertEqual(read_all(late), b"")
        again = self.kan()
        self.assertEqual((again.value("k"), again.value("late")), (1, None))

    def test_a_second_signal_does_not_wait(self):
        kan = self.kan("--dapr-graceful-shutdown-seconds", "1h")
        half_a_save(kan, "late")
        arrived(kan)
        kan.process.terminate()
        until(lambda: closed(kan), "it accepts no more")
        self.assertIsNone(kan.process.poll())
        self.assertEqual(kan.end(signal.SIGINT), 0)

    def test_it_serves_on_while_it_is_told_to(self):
        kan = self.kan("--dapr-block-shutdown-duration", "1h")
        kan.process.terminate()
        kan.wait_log("stopping")
        kan.keep("k", 1)
        self.assertEqual(kan.end(), 0)  # the second signal
        self.assertEqual(self.kan().value("k"), 1)

    def test_the_time_to_serve_on_ends(self):
        kan = self.kan("--dapr-block-shutdown-duration", "100ms")
        self.assertEqual(kan.end(), 0)

    def test_a_hang_up_is_ignored(self):
        kan = self.kan()
        kan.process.send_signal(signal.SIGHUP)
        kan.wait_log("hang-up ignored")
        kan.keep("k", 1)


class Terminal(Case):
    """Ctrl-C as the terminal sends it: to the whole foreground group."""

    def terminal(self):
        try:
            ours, theirs = os.openpty()
        except OSError as error:
            self.skipTest("this machine has no terminals: %s" % error)
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        return ours, theirs

    def test_ctrl_c(self):
        ours, theirs = self.terminal()
        kan = self.kan(terminal=theirs)
        kan.keep("k", 1)
        os.write(ours, b"\x03")
        self.assertEqual(kan.wait(), 0)
        self.assertIn("signal=2", kan.log())

    def test_the_app_gets_it_once(self):
        script = self.write("app.sh", """
trap 'echo INT >>got; n=$((n+1)); [ $n = 2 ] && exit 9' INT
trap 'echo TERM >>got; exit 8' TERM
echo up >got
while ! [ -e go ]; do sleep 0.02; done
exit 7
""")
        ours, theirs = self.terminal()
        kan = self.kan(terminal=theirs, app=["/bin/sh", script])
        until(lambda: os.path.exists(self.path("got")), "the app runs")
        os.write(ours, b"\x03")
        kan.wait_log("stopping")
        kan.keep("k", "still served")
        self.write("go", "")
        self.assertEqual(kan.wait(), 7)
        self.assertEqual(self.read("got"), "up\nINT\n")


class Shutdown(Case):
    def test_asked(self):
        kan = self.kan()
        self.assertEqual(kan.ask("POST", "/v1.0/shutdown").status, 204)
        self.assertEqual(kan.wait(), 0)

    def test_forced(self):
        kan = self.kan("--dapr-graceful-shutdown-seconds", "1h")
        half_a_save(kan, "late")
        arrived(kan)
        answer = kan.ask("POST", "/v1.0/shutdown",
                         headers={"dapr-force-shutdown": "true"})
        self.assertEqual(answer.status, 204)
        self.assertEqual(kan.wait(), 1)

    def test_the_app_ends_too(self):
        script = self.write("app.sh", "echo $$ >pid; trap 'exit 0' TERM; "
                            "while :; do sleep 0.02; done")
        for headers, code in (({}, 0), ({"dapr-force-shutdown": "true"}, 1)):
            kan = self.kan(app=["/bin/sh", script])
            app = int(kan.metadata()["extended"]["appPID"])
            until(lambda: self.read_pid() == app, "the app runs")
            kan.ask("POST", "/v1.0/shutdown", headers=headers)
            self.assertEqual(kan.wait(), code)
            until(lambda: not program.alive(app), "the app is gone")

    def read_pid(self):
        try:
            return int(self.read("pid") or 0)
        except FileNotFoundError:
            return 0
