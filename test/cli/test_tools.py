"""The small commands, and the store's file in other hands."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import threading
import unittest

import program
from program import Case, until


class Words(Case):
    def test_version(self):
        text = self.succeed("version")
        found = json.loads(self.succeed("version", "-o", "json"))
        self.assertTrue(text.startswith("kan %s\n" % found["version"]))
        self.assertRegex(found["version"], r"^\d+\.\d+\.\d+$")
        for args in (["--version"], ["-v"], ["version", "--output=text"],
                     ["version", "-o=text"]):
            self.assertEqual(self.succeed(*args), text)

    def test_engines(self):
        found = json.loads(self.succeed("engines", "-o", "json"))["engines"]
        by_name = {one["name"]: one for one in found}
        self.assertEqual(set(by_name), {"sqlite", "memory"})
        self.assertEqual(by_name["sqlite"]["durable"], "fsync")
        self.assertEqual(by_name["memory"]["durable"], "none")
        for one in found:
            self.assertEqual(one["blocks"], {
                "state": "yes", "lock": "yes", "fence": "yes",
                "actor": "yes", "entity": "yes", "view": "yes",
                "saga": "yes"})
        text = self.succeed("engines")
        self.assertEqual(text.split("\n")[0].split(),
                         ["promise"] + [one["name"] for one in found])
        self.assertRegex(text, r"(?m)^durable +fsync +none *$")
        for block in ("state", "lock", "fence", "actor", "entity", "view",
                      "saga"):
            self.assertRegex(text, r"(?m)^%s +yes +yes *$" % block)

    def test_help(self):
        text = self.succeed("help")
        for args in ([], ["--help"], ["-h"]):
            self.assertEqual(self.succeed(*args), text)
        for name in re.findall(r"(?m)^  (\w+) ", text):
            said = self.succeed(name, "--help")
            self.assertTrue(said.startswith("usage: kan " + name), said)
            self.assertEqual(self.succeed("help", name), said)
        self.refuse(["help", "bakcup"], "did you mean 'backup'?")

    def test_help_fits_a_terminal_s_pipe(self):
        """Whoever reads only the first line ends nothing badly."""
        reader, writer = os.pipe()
        os.close(reader)
        process = self.start(program.BINARY, "help", out=writer)
        os.close(writer)
        self.assertIn(process.wait(30), (0, 1, -13))

    @unittest.skipUnless(shutil.which("groff"), "there is no groff")
    def test_the_manual_is_clean(self):
        page = self.succeed("help", "--roff")
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-b"], input=page,
            capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        plain = re.sub(".\b|\x1b\\[[0-9;]*m", "", done.stdout)
        for part in ("--dapr-http-port", "kan backup", "EXIT STATUS",
                     "DAPR_API_TOKEN"):
            self.assertIn(part, plain)

    @unittest.skipUnless(shutil.which("ldd"), "there is no ldd")
    def test_libraries(self):
        if program.sanitized():
            self.skipTest("a sanitized binary links its sanitizers")
        allowed = re.compile(
            r"^(linux-vdso|ld-linux-[\w-]+|libc|libm|libpthread|libdl|librt|"
            r"libuv|libhttp_parser|libyajl|libyaml-0|libsqlite3)\.so")
        said = self.succeed(program.BINARY, program="ldd")
        names = [os.path.basename(line.split()[0])
                 for line in said.splitlines()]
        self.assertTrue(names)
        self.assertEqual([n for n in names if not allowed.match(n)], [])


class Store(Case):
    """backup and verify, on a store with some history."""

    def fill(self, kan, keys=100):
        for n in range(keys):
            kan.keep("k%03d" % n, "needle-%03d " % n + "x" * 1500)
        for n in range(0, keys, 7):
            kan.ask("DELETE", "/v1.0/state/statestore/k%03d" % n)
        for n in range(0, keys, 5):
            kan.keep("k%03d" % n, n)

    def expected(self, n):
        if n % 5 == 0:
            return n
        return None if n % 7 == 0 else "needle-%03d " % n + "x" * 1500

    def found(self, kan, keys=100):
        return [kan.value("k%03d" % n) for n in range(keys)]

    def damaged(self, *args):
        """verify must find it; what it said of where."""
        done = self.command("verify", *args)
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn("the store is damaged", done.stderr)
        self.assertTrue(done.stdout, "it says where")
        return done.stdout

    def test_verify_a_whole_store(self):
        kan = self.kan()
        self.fill(kan)
        while_it_runs = self.succeed("verify", "--data-dir", "data")
        self.assertRegex(while_it_runs, r"^data/kan.db: whole; \d+ keys, "
                         r"revisions 1 to \d+ all there\n$")
        kan.end()
        self.assertEqual(self.succeed("verify", "data/kan.db"), while_it_runs)
        keys = sum(self.expected(n) is not None for n in range(100))
        self.assertIn(" %d keys" % keys, while_it_runs)

    def test_verify_of_what_is_no_store(self):
        self.write("text", "no store")
        self.write("empty", "")
        db = sqlite3.connect(self.path("other"))
        db.execute("CREATE TABLE t(a)")
        db.close()
        for name in ("text", "empty", "other"):
            done = self.command("verify", name)
            self.assertIn(done.returncode, (1, 2), done)
            self.assertTrue(done.stderr.startswith("kan verify: " + name),
                            done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
            self.assertNotIn("such key", done.stderr)
            self.assertNotIn("documented range", done.stderr)
        self.assertEqual(self.read("text"), "no store")

    def test_verify_finds_a_torn_page(self):
        kan = self.kan()
        self.fill(kan)
        kan.end()
        path = self.path("data/kan.db")
        middle = os.path.getsize(path) // 2 // 4096 * 4096
        with open(path, "r+b") as file:
            file.seek(middle)
            file.write(b"\xa5" * 4096)
        self.damaged("data/kan.db")

    def test_verify_finds_a_changed_value(self):
        kan = self.kan()
        self.fill(kan)
        kan.end()
        path = self.path("data/kan.db")
        with open(path, "r+b") as file:
            text = file.read()
            file.seek(text.index(b"needle-033"))
            file.write(b"NEEDLE")
        self.assertIn("k033", self.damaged("data/kan.db"))

    def change(self, statement):
        with sqlite3.connect(self.path("data/kan.db")) as db:
            self.assertEqual(db.execute(statement).rowcount, 1)
        db.close()

    def test_verify_finds_a_lost_revision(self):
        kan = self.kan()
        self.fill(kan)
        kan.end()
        self.change("DELETE FROM feed WHERE revision = (SELECT revision FROM "
                    "feed ORDER BY revision LIMIT 1 OFFSET 20)")
        self.assertIn("21", self.damaged("data/kan.db"))

    def test_verify_finds_a_lost_key(self):
        kan = self.kan()
        self.fill(kan)
        kan.end()
        self.change("DELETE FROM kv WHERE key = CAST('kan||k001' AS BLOB)")
        self.assertIn("k001", self.damaged("data/kan.db"))

    def test_backup_while_it_writes(self):
        kan = self.kan()
        self.fill(kan)
        stop = threading.Event()
        written = []

        def write():
            while not stop.is_set():
                kan.keep("counter", len(written))
                written.append(len(written))
        writer = threading.Thread(target=write)
        writer.start()
        try:
            until(lambda: len(written) > 20, "the writer runs")
            before = written[-1]
            said = self.succeed("backup", "copy.db", "--data-dir", "data")
            for _ in range(3):  # and no false alarm meanwhile
                self.assertIn("whole", self.succeed("verify", "data/kan.db"))
        finally:
            stop.set()
            writer.join()
        self.assertIn("copy.db", said)
        self.assertIn("whole", self.succeed("verify", "copy.db"))
        self.assertEqual([name for name in os.listdir(self.folder)
                          if name.startswith("copy")], ["copy.db"])
        os.mkdir(self.path("restored"))
        os.rename(self.path("copy.db"), self.path("restored/kan.db"))
        restored = self.kan(data="restored")
        self.assertEqual(self.found(restored),
                         [self.expected(n) for n in range(100)])
        self.assertGreaterEqual(restored.value("counter"), before)
        etag = restored.get("k001").headers["etag"]
        self.assertEqual(kan.get("k001").headers["etag"], etag)
        restored.keep("more", 1)

    def test_backup_refuses_what_exists(self):
        kan = self.kan()
        kan.keep("k", 1)
        self.write("copy.db", "precious")
        self.refuse(["backup", "copy.db", "--data-dir", "data"], "copy.db",
                    "exists")
        self.assertEqual(self.read("copy.db"), "precious")
        self.refuse(["backup", "nowhere/copy.db", "--data-dir", "data"],
                    "nowhere/copy.db")
        self.refuse(["backup", "data/kan.db", "--data-dir", "data"],
                    "data/kan.db", "exists")

    def test_backup_of_a_file_by_name_while_it_rests(self):
        kan = self.kan()
        self.fill(kan, 10)
        kan.end()
        self.succeed("backup", "copy.db", "--store-file", "data/kan.db")
        self.succeed("verify", "copy.db")

    def test_backup_does_not_copy_damage(self):
        kan = self.kan()
        self.fill(kan)
        kan.end()
        self.change("DELETE FROM feed WHERE revision = (SELECT revision FROM "
                    "feed ORDER BY revision LIMIT 1 OFFSET 20)")
        done = self.command("backup", "copy.db", "--data-dir", "data")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1),
                         done)
        self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_others_read_it_while_it_runs(self):
        kan = self.kan()
        self.fill(kan, 10)
        db = sqlite3.connect("file:%s?mode=ro" % self.path("data/kan.db"),
                             uri=True)
        self.addCleanup(db.close)
        count = "SELECT count(*) FROM kv"
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(),
                         [("ok",)])
        self.assertEqual(db.execute("PRAGMA journal_mode").fetchone(),
                         ("wal",))
        before = db.execute(count).fetchone()[0]
        kan.keep("one more", 1)
        self.assertEqual(db.execute(count).fetchone()[0], before + 1)
        value = db.execute("SELECT value FROM kv WHERE "
                           "key = CAST('kan||one more' AS BLOB)").fetchone()
        self.assertEqual(bytes(value[0]), b"1")
