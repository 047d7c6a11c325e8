"""Many clients, bad clients, a full disk, a sudden end."""

import http.client
import os
import resource
import socket
import threading

import program
from program import Case, PATIENCE_S, STATE, until

HEAD = b"POST " + STATE.encode() + b"statestore HTTP/1.1\r\nHost: k\r\n"


class Many(Case):
    IDLE = 10000

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = self.IDLE + 500
        if hard < needed:
            self.skipTest("at most %d files may be open" % hard)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE,
                        (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))

    def test_ten_thousand_idle_connections(self):
        # Started as a login shell starts it: with 1,024 files.
        kan = self.kan("--idle-timeout", "1h", files_max=1024)
        kan.keep("k", 1)
        before = kan.resident_kib()
        files = len(kan.files())
        idle = []
        self.addCleanup(lambda: [one.close() for one in idle])
        for _ in range(self.IDLE):
            one = socket.socket()
            idle.append(one)
            one.settimeout(PATIENCE_S)
            one.connect(("127.0.0.1", kan.port))
        until(lambda: kan.metric("kan_http_connections_open") > self.IDLE,
              "all are accepted")
        grown = kan.resident_kib() - before
        program.notes.append("%d idle connections: %d KiB more in memory%s" % (
            self.IDLE, grown, ", with sanitizers" if program.sanitized()
            else ""))
        self.assertEqual(kan.value("k"), 1)
        kan.keep("k", 2)
        # The first and the last of them are as good as any.
        for one in (idle[0], idle[-1]):
            one.sendall(b"GET /v1.0/healthz HTTP/1.1\r\nHost: k\r\n\r\n")
            self.assertTrue(one.recv(100).startswith(b"HTTP/1.1 204 "))
        for one in idle:
            one.close()
        until(lambda: kan.metric("kan_http_connections_open") <= 2,
              "all are gone")
        self.assertLessEqual(len(kan.files()), files + 1)


class Bad(Case):
    def test_bad_clients_do_not_make_gets_fail(self):
        kan = self.kan()
        kan.keep("k", "v")
        kan.keep("large", "x" * (1 << 20))
        stop = threading.Event()
        answers = {204: 0, 503: 0, 0: 0}
        threads = [threading.Thread(target=self.save_large,
                                    args=(kan, n, stop, answers))
                   for n in range(6)]
        self.slow_senders(kan)
        self.never_read(kan)
        for thread in threads:
            thread.start()
        try:
            connection = kan.connect()
            for _ in range(150):
                answer = kan.get("k", connection=connection)
                self.assertEqual((answer.status, answer.body), (200, b'"v"'))
            for _ in range(20):
                self.assertEqual(kan.value("k"), "v")
            connection.close()
            until(lambda: answers[204] >= 6, "large saves go on")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(answers[0], 0, "a connection broke")

    def test_a_half_closed_peer_gets_its_answers(self):
        kan = self.kan()
        kan.keep("k", "v")
        ask = (b"GET " + STATE.encode() + b"statestore/k HTTP/1.1\r\n"
               b"Host: k\r\n\r\n")
        peer = kan.raw(ask * 3)
        peer.shutdown(socket.SHUT_WR)
        got = b"".join(iter(lambda: peer.recv(4096), b""))
        self.assertEqual(got.count(b"HTTP/1.1 200 "), 3, got)

    def slow_senders(self, kan):
        """Heads and bodies that do not end."""
        for _ in range(20):
            kan.raw(HEAD[:40])
            kan.raw(HEAD + b"Content-Length: 4000000\r\n\r\n[")
            kan.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[")

    def never_read(self, kan):
        """Each asks for 60 MiB and takes none of it."""
        ask = b"GET %sstatestore/large HTTP/1.1\r\nHost: k\r\n\r\n"
        for _ in range(5):
            kan.raw(ask % STATE.encode() * 60)

    def save_large(self, kan, number, stop, answers):
        value = "y" * (4 * 1000 * 1000)
        while not stop.is_set():
            try:
                answers[kan.save("big%d" % number, value).status] += 1
            except (BrokenPipeError, ConnectionResetError):
                # The answer may come, and the connection go, before all has
                # been sent: that is what a 503 is for.
                answers[503] += 1
            except (OSError, http.client.HTTPException):
                answers[0] += 1


class FullDisk(Case):
    def test_it_refuses_reads_on_and_recovers(self):
        disk = self.path("disk")
        os.mkdir(disk)
        if not program.mount_memory(disk, 6 << 20):
            self.skipTest("mounting is not allowed")
        self.addCleanup(program.unmount, disk)
        kan = self.kan(data="disk/data")
        kan.keep("before", "b" * 1000)
        filler = self.fill(disk)
        kept, answer = self.save_until_full(kan)
        self.assertEqual((answer.status, answer.error()),
                         (500, "ERR_STATE_SAVE"))
        self.assertIn("the disk is full", answer.json()["message"])
        self.assertEqual(kan.metric('kan_store_full{store="statestore"}'), 1)
        self.assertEqual(kan.value("before"), "b" * 1000)
        for n in range(kept):
            self.assertEqual(kan.value("k%d" % n), self.value(n))
        self.assertEqual(kan.save("full", "z" * 60000).status, 500)
        os.remove(filler)
        until(lambda: kan.save("after", "a").status == 204, "saves work again")
        self.assertEqual(kan.metric('kan_store_full{store="statestore"}'), 0)
        self.assertIsNone(kan.value("full"))
        kan.keep("large", "l" * 100000)
        self.assertEqual(kan.end(), 0)
        self.assertIn("whole", self.succeed("verify", "disk/data/kan.db"))
        again = self.kan(data="disk/data")
        self.assertEqual((again.value("before"), again.value("after")),
                         ("b" * 1000, "a"))
        for n in range(kept):
            self.assertEqual(again.value("k%d" % n), self.value(n))

    def test_it_starts_on_a_full_disk_with_one_line(self):
        disk = self.path("disk")
        os.mkdir(disk)
        if not program.mount_memory(disk, 64 << 10):
            self.skipTest("mounting is not allowed")
        self.addCleanup(program.unmount, disk)
        self.fill(disk)
        done = self.command("run", "-H", "0", "--data-dir", "disk/data")
        self.assertIn(done.returncode, (1, 2))
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("full", done.stderr)

    def value(self, n):
        return "%d-" % n + "v" * 60000

    def save_until_full(self, kan):
        """How many were kept, and the first answer that was no 204."""
        for n in range(1000):
            answer = kan.save("k%d" % n, self.value(n))
            if answer.status != 204:
                return n, answer
        self.fail("the disk takes all")

    def fill(self, disk):
        path = os.path.join(disk, "filler")
        with open(path, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"f" * 4096)
            except OSError:
                pass
        return path


class Killed(Case):
    def test_acknowledged_values_stay(self):
        acknowledged = {}
        for turn in range(3):
            kan = self.kan()
            for key, value in acknowledged.items():
                self.assertEqual(kan.value(key), value)
            writers = [threading.Thread(target=self.write,
                                        args=(kan, turn, n, acknowledged))
                       for n in range(4)]
            goal = len(acknowledged) + 60
            for writer in writers:
                writer.start()
            until(lambda: len(acknowledged) >= goal, "the writers write")
            kan.kill()
            for writer in writers:
                writer.join()
        kan = self.kan()
        for key, value in acknowledged.items():
            self.assertEqual(kan.value(key), value)
        self.assertIn("whole", self.succeed("verify", "data/kan.db"))

    def write(self, kan, turn, writer, acknowledged):
        """Until the connection breaks."""
        connection = kan.connect()
        try:
            for n in range(100000):
                key = "%d-%d-%d" % (turn, writer, n)
                answer = kan.save(key, n, connection=connection)
                if answer.status == 204:
                    acknowledged[key] = n
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
