"""The ready line, flags, what is refused, and where it listens."""

import os
import re
import shutil
import signal
import socket
import sqlite3
import unittest

import program
from program import Case, STATE, free_port, has_ipv6, until


def try_line(kan):
    """The command that the ready line suggests, as it stands there."""
    return re.search(r"; try: (curl .*)$", kan.ready, re.M).group(1)


@unittest.skipUnless(shutil.which("curl"), "there is no curl")
class TryLine(Case):
    def run_by_shell(self, kan, **env):
        done = self.command("-c", try_line(kan), program="/bin/sh", env=env)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done)

    def test_curl_works_as_it_stands(self):
        kan = self.kan()
        self.run_by_shell(kan)
        self.assertEqual(kan.value("hello"), "world")

    def test_with_a_token(self):
        token = {"DAPR_API_TOKEN": "it's $1 \\secret\""}
        kan = self.kan(env=token)
        self.assertNotIn("secret", kan.ready + kan.log())
        self.run_by_shell(kan, **token)
        answer = kan.get("hello", headers={
            "dapr-api-token": token["DAPR_API_TOKEN"]})
        self.assertEqual(answer.body, b'"world"')
        self.assertEqual(kan.get("hello").status, 401)

    def test_on_a_unix_socket(self):
        kan = self.kan("-u", "sockets")
        self.run_by_shell(kan)
        self.assertEqual(kan.value("hello"), "world")


class Ready(Case):
    def test_one_line_with_addresses_and_file(self):
        kan = self.kan()
        self.assertEqual(kan.out(), kan.ready)
        self.assertEqual(kan.out().count("\n"), 1)
        self.assertTrue(os.path.exists(self.path("data/kan.db")))
        self.assertIn("; state: statestore in data/kan.db;", kan.ready)
        for host, port in kan.listeners():
            shown = "[%s]" % host if ":" in host else host
            self.assertIn("http://%s:%d" % (shown, port), kan.ready)

    def test_the_data_are_the_users_own(self):
        kan = self.kan()
        kan.keep("secret", 1)
        self.succeed("backup", "copy.db", "--data-dir", "data")
        for name in ["data", "copy.db"] + [
                "data/" + name for name in os.listdir(self.path("data"))]:
            mode = os.stat(self.path(name)).st_mode
            self.assertEqual(mode & 0o077, 0, name)

    def test_the_default_app_id_keeps_the_prefix(self):
        kan = self.kan()
        kan.keep("a", [1])
        self.assertEqual(kan.metadata()["id"], "kan")
        kan.end()
        again = self.kan()
        self.assertEqual(again.value("a"), [1])
        with sqlite3.connect("file:%s?mode=ro" % self.path("data/kan.db"),
                             uri=True) as db:
            keys = [row[0] for row in db.execute("SELECT key FROM kv")]
        db.close()
        self.assertEqual([bytes(key) for key in keys], [b"kan||a"])

    def test_data_survives_with_its_etag(self):
        kan = self.kan()
        for n in range(20):
            kan.keep("k%d" % n, {"n": n})
        etags = [kan.get("k%d" % n).headers["etag"] for n in range(20)]
        self.assertEqual(kan.end(signal.SIGINT), 0)
        again = self.kan()
        for n in range(20):
            answer = again.get("k%d" % n)
            self.assertEqual((answer.json(), answer.headers["etag"]),
                             ({"n": n}, etags[n]))
        again.keep("k0", 1)
        self.assertGreater(int(again.get("k0").headers["etag"]),
                           max(map(int, etags)))


class Flags(Case):
    def test_forms(self):
        port = free_port()
        for flags in (["--dapr-http-port", port], ["-dapr-http-port", port],
                      ["--dapr-http-port=%d" % port], ["-H=%d" % port],
                      ["-H", "1", "-H", port]):
            with self.subTest(flags=flags):
                kan = self.kan(*flags)
                self.assertEqual(kan.port, port)
                self.assertEqual(kan.end(), 0)
        kan = self.kan("-H", "-1", "-a", "short")
        self.assertNotIn(kan.port, (0, port, 3500))
        self.assertEqual(kan.metadata()["id"], "short")

    def test_limits(self):
        kan = self.kan("--max-body-size", "1Ki", "--read-buffer-size=1Ki",
                       "--max-connections", "3", "--enable-metrics=false")
        self.assertEqual(kan.save("k", "x" * 900).status, 204)
        answer = kan.save("k", "x" * 1100)
        self.assertEqual((answer.status, answer.error()),
                         (400, "ERR_BODY_READ"))
        answer = kan.get("k", headers={"X": "x" * 1100})
        self.assertEqual(answer.status, 431)
        self.assertEqual(kan.ask("GET", "/metrics").status, 404)
        taken = [kan.connect() for _ in range(3)]
        for connection in taken:
            kan.get("k", connection=connection)
        self.assertEqual(kan.get("k").status, 503)
        taken[0].close()
        until(lambda: kan.get("k").status == 200, "room for a connection")
        for connection in taken:
            connection.close()

    def test_older_names_of_limits(self):
        kan = self.kan("--dapr-http-max-request-size", "1",
                       "--dapr-http-read-buffer-size", "1")
        self.assertEqual(kan.save("k", "x" * (1 << 20)).status, 400)
        self.assertEqual(kan.get("k", headers={"X": "x" * 1100}).status, 431)

    def test_a_body_above_the_usual_sum(self):
        kan = self.kan("--max-body-size", "24Mi")
        answer = kan.ask("POST", STATE + "statestore", b" " * (20 << 20))
        self.assertEqual((answer.status, answer.error()),
                         (400, "ERR_MALFORMED_REQUEST"))

    def test_time_outs(self):
        kan = self.kan("--header-timeout", "100ms", "--body-timeout", "100ms",
                       "--idle-timeout", "200ms")
        for text, status in (
                (b"GET /v1.0/healthz HT", b"HTTP/1.1 408 "),
                (b"POST /v1.0/state/statestore HTTP/1.1\r\nHost: k\r\n"
                 b"Content-Length: 10\r\n\r\n[", b"HTTP/1.1 408 "),
                (b"", b"")):
            connection = kan.raw(text)
            got = b"".join(iter(lambda: connection.recv(4096), b""))
            self.assertEqual(got[:13], status, got)

    def test_flags_without_effect_are_said(self):
        kan = self.kan("--dapr-grpc-port", "50001", "--enable-mtls",
                       "--app-max-concurrency=-1", "-c", "config.yaml")
        for name in ("dapr-grpc-port", "enable-mtls", "app-max-concurrency",
                     "config"):
            self.assertRegex(kan.log(), "level=warn .*flag=%s\n" % name)

    def test_help(self):
        said = self.succeed("run", "--help")
        self.assertIn("--dapr-http-port (3500)", said)
        self.assertIn("usage: kan run", said)
        self.assertEqual(self.succeed("run", "-h"), said)
        self.assertIn("--data-dir", self.succeed("run", "-p", "1", "--help"))
        self.assertTrue(
            self.succeed("run", "--version").startswith("kan "))


class Refused(Case):
    def test_run(self):
        self.write("file", "")
        for args, *parts in (
                (["--dapr-htp-port", "0"], "unknown flag --dapr-htp-port",
                 "did you mean --dapr-http-port?"),
                (["--data_dir", "x"], "did you mean --data-dir?"),
                (["--xyzzy"], "--xyzzy", "kan run --help"),
                (["-Z"], "unknown flag"),
                (["-H", "99999"], "99999", "0 to 65535"),
                (["-H", "abc"], "--dapr-http-port", "abc"),
                (["-H", "1e3"], "1e3"), (["-H", ""], "--dapr-http-port"),
                (["-H"], "--dapr-http-port needs a value"),
                (["--dapr-http-port=-2"], "-2"),
                (["--max-body-size", "4Q"], "--max-body-size", "4Mi"),
                (["--max-body-size", "0"], "--max-body-size"),
                (["--max-body-size", "8Gi"], "at most 1Gi"),
                (["--read-buffer-size", "2Mi"], "--read-buffer-size",
                 "64 to 1024Ki"),
                (["--read-buffer-size", "8"], "--read-buffer-size"),
                (["--max-connections", "0"], "--max-connections"),
                (["--header-timeout", "5 parsecs"], "--header-timeout", "10s"),
                (["--dapr-graceful-shutdown-seconds", "soon"], "soon"),
                (["--log-level", "loud"], "loud", "debug"),
                (["--log-as-json=maybe"], "maybe", "true or false"),
                (["--app-protocol", "gprc"], "gprc", "grpc or grpcs"),
                (["--resources-path", "."] * 17, "more than 16 times"),
                (["--app-id", ""], "--app-id"),
                (["--app-id", "a||b"], "a||b"), (["--app-id", "a/b"], "a/b"),
                (["node", "app.js"], "'node'", "--"),
                (["--app-port", "3000", "-H", "3000"], "--app-port", "3000"),
                (["--dapr-listen-addresses", "nonsense"], "nonsense",
                 "127.0.0.1:3500"),
                (["--dapr-listen-addresses", "192.0.2.1", "-H", "0"],
                 "192.0.2.1", "not an address of this machine"),
                (["--resources-path", "nowhere"], "nowhere",
                 "there is no such directory"),
                (["--resources-path", "file"], "file", "directory"),
                (["--data-dir", "file"], "file", "directory"),
                (["--data-dir", "file/below"], "file/below", "directory"),
                (["-u", "file"], "--unix-domain-socket", "file", "directory")):
            with self.subTest(args=args):
                self.refuse(["run"] + args, *parts)

    def test_commands(self):
        for args, *parts in (
                (["rnu"], "'rnu'", "did you mean 'run'?"),
                (["bakcup"], "did you mean 'backup'?"),
                (["xyzzy"], "kan help"), ([""], "kan help"),
                (["--xyzzy"], "kan help"),
                (["version", "--otput", "json"], "did you mean --output?"),
                (["version", "-o", "xml"], "xml", "text or json"),
                (["version", "more"], "unexpected 'more'"),
                (["engines", "more"], "unexpected 'more'"),
                (["engines", "-o"], "--output needs a value"),
                (["backup"], "kan backup FILE"),
                (["backup", "copy", "more"], "unexpected 'more'"),
                (["backup", "copy", "--data-dir", "nowhere"], "nowhere"),
                (["verify", "nowhere"], "nowhere", "no store"),
                (["verify", "a", "b"], "unexpected 'b'")):
            with self.subTest(args=args):
                self.refuse(args, *parts)
        self.assertFalse(os.path.exists(self.path("copy")))

    def test_a_file_of_another_program(self):
        os.mkdir(self.path("data"))
        with sqlite3.connect(self.path("data/kan.db")) as db:
            db.execute("CREATE TABLE t(a)")
        db.close()
        self.refuse(["run", "-H", "0", "--data-dir", "data"],
                    "data/kan.db", "another program")

    def test_a_file_of_a_newer_format(self):
        self.kan().end()
        with sqlite3.connect(self.path("data/kan.db")) as db:
            db.execute("PRAGMA user_version = 999")
        db.close()
        self.refuse(["run", "-H", "0", "--data-dir", "data"],
                    "data/kan.db", "999", "newer Kan")

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", free_port())) as taken:
            port = str(taken.getsockname()[1])
            for flag in ("--dapr-http-port", "--dapr-public-port",
                         "--metrics-port"):
                args = ["run", "--data-dir", "data", "-H", "0", flag, port]
                self.refuse(args, port, "already in use", flag)
        # It gave everything back.
        self.kan("--dapr-http-port", port)

    @unittest.skipUnless(has_ipv6(), "there is no IPv6")
    def test_a_port_in_use_on_the_second_address(self):
        with socket.create_server(("::1", free_port()),
                                  family=socket.AF_INET6) as taken:
            port = str(taken.getsockname()[1])
            self.refuse(["run", "--data-dir", "data", "-H", port],
                        "[::1]:" + port, "--dapr-http-port")

    def test_two_daemons_on_one_directory(self):
        kan = self.kan()
        self.refuse(["run", "-H", "0", "--data-dir", "data"],
                    "process %d (kan run, http://127.0.0.1:%d" % (
                        kan.pid, kan.port))
        kan.keep("still", "served")
        kan.kill()
        self.assertEqual(self.kan().value("still"), "served")


class Listening(Case):
    def test_loopback_only(self):
        kan = self.kan()
        expected = [("127.0.0.1", kan.port)]
        if has_ipv6():
            expected.append(("::1", kan.port))
            with socket.create_connection(("::1", kan.port)) as six:
                six.sendall(b"GET /v1.0/healthz HTTP/1.1\r\nHost: k\r\n"
                            b"Connection: close\r\n\r\n")
                self.assertEqual(six.recv(13), b"HTTP/1.1 204 ")
        self.assertEqual(kan.listeners(), expected)

    def test_addresses_by_flag(self):
        kan = self.kan("--dapr-listen-addresses", "localhost , 127.0.0.2")
        self.assertEqual(kan.listeners(), [("127.0.0.1", kan.port),
                                           ("127.0.0.2", kan.port)])

    def test_all_addresses_only_by_flag(self):
        kan = self.kan("--dapr-listen-addresses", "0.0.0.0")
        self.assertEqual(kan.listeners(), [("0.0.0.0", kan.port)])

    def test_an_address_that_is_missing_is_left_out(self):
        kan = self.kan("--dapr-listen-addresses", "127.0.0.1,192.0.2.1")
        self.assertEqual(kan.listeners(), [("127.0.0.1", kan.port)])
        self.assertRegex(kan.log(), "level=warn .*192.0.2.1")

    def test_a_shared_port(self):
        flags = ("--dapr-listen-addresses", "127.0.0.1", "--reuse-port")
        first = self.kan(*flags)
        second = self.kan(*flags, port=first.port, data="other")
        for kan in (first, second):
            self.assertEqual(kan.listeners(), [("127.0.0.1", first.port)])
        self.assertEqual(second.get("k").status, 204)
        self.refuse(["run", "--data-dir", "third", "-H", str(first.port)],
                    str(first.port), "already in use")

    def test_a_unix_socket(self):
        kan = self.kan("--unix-domain-socket", "sockets", "-a", "orders")
        path = self.path("sockets/dapr-orders-http.socket")
        self.assertEqual(kan.unix, path)
        self.assertEqual(kan.listeners(), [])
        kan.keep("k", 1)
        self.refuse(["run", "-u", "sockets", "-a", "orders", "--data-dir",
                     "other"], "sockets/dapr-orders-http.socket",
                    "already in use")
        kan.kill()
        self.assertTrue(os.path.exists(path))
        again = self.kan("-u", "sockets", "-a", "orders")
        self.assertEqual(again.value("k"), 1)
        self.assertEqual(again.end(), 0)
        self.assertFalse(os.path.exists(path))

    def test_the_public_port(self):
        port = free_port()
        kan = self.kan("--dapr-public-port", port)
        self.assertIn(("127.0.0.1", port), kan.listeners())
        for path, status in (("/v1.0/healthz", 204), ("/v1.0/metadata", 200),
                             ("/v1.0/healthz/outbound", 204),
                             ("/metrics", 404), ("/kan/v1/log-level", 404),
                             (STATE + "statestore/k", 404)):
            self.assertEqual(kan.ask("GET", path, port=port).status, status,
                             path)
        for path in (STATE + "statestore", "/v1.0/shutdown"):
            self.assertEqual(kan.ask("POST", path, [{"key": "k"}],
                                     port=port).status, 404)
        self.assertEqual(kan.ask("PUT", "/v1.0/metadata/a", "b",
                                 port=port).status, 404)
        self.assertEqual(kan.get("k").status, 204)

    def test_the_metrics_port(self):
        port = free_port()
        kan = self.kan("--metrics-port", port, env={"DAPR_API_TOKEN": "t"})
        token = {"dapr-api-token": "t"}
        self.assertEqual(kan.save("k", 1, headers=token).status, 204)
        self.assertEqual(kan.metric('kan_store_commits_total'
                                    '{store="statestore"}', port), 1)
        self.assertEqual(kan.ask("GET", "/", port=port).status, 200)
        self.assertEqual(kan.ask("GET", "/metrics").status, 401)
        self.assertEqual(kan.get("k", headers=token, port=port).status, 404)

    def test_any_free_port_for_the_others(self):
        kan = self.kan("--dapr-public-port", "0", "-M", "0")
        ports = re.findall(r"address=\S+:(\d+)\n", kan.log())
        self.assertEqual(len(set(ports)), 2, kan.log())
        for port in map(int, ports):
            self.assertIn(("127.0.0.1", port), kan.listeners())


class Streams(Case):
    def serving(self, process):
        """A client of the process, once it serves."""
        port = int(process.args[-1])

        def listens():
            self.assertIsNone(process.poll())
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        until(listens, "it serves")
        return program.Client(self, port)

    def test_without_standard_streams(self):
        """What it opens must not become descriptor 1 or 2, or log lines
        would be written into the store."""
        process = self.start(
            "/bin/sh", "-c", 'exec "$0" run --data-dir data --log-level debug '
            '--enable-api-logging -H $1 <&- >&- 2>&-', program.BINARY,
            str(free_port()))
        kan = self.serving(process)
        for n in range(10):
            kan.keep("k%d" % n, "v" * 1000)
        process.terminate()
        self.assertEqual(process.wait(30), 0)
        self.assertIn("whole", self.succeed("verify", "data/kan.db"))
        self.assertEqual(self.kan().value("k9"), "v" * 1000)

    def test_a_closed_pipe_does_not_end_it(self):
        reader, writer = os.pipe()
        os.close(reader)
        process = self.start(
            program.BINARY, "run", "--data-dir", "data",
            "--enable-api-logging", "-H", str(free_port()), out=writer)
        os.close(writer)
        kan = self.serving(process)
        for n in range(3):
            kan.keep("k", n)
        process.terminate()
        self.assertEqual(process.wait(30), 0)
