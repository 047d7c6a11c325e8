"""kan fmt: what it changes, what it leaves alone, and how it ends."""

import os
import stat
import subprocess

import program
from program import Case

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "examples")

UNTIDY = "type a{x:int # c\n\n\n  step s{x=1}}\n"
TIDY = """type a {
    x: int  # c

    step s { x = 1 }
}
"""


class Format(Case):
    def pipe(self, text, *flags):
        done = subprocess.run([program.BINARY, "fmt", *flags, "-"],
                              input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60,
                              cwd=self.folder)
        return done.returncode, done.stdout, done.stderr

    def test_in_place(self):
        self.write("a.kan", UNTIDY)
        self.write("b.kan", TIDY)
        os.chmod(self.path("a.kan"), 0o640)
        before = os.stat(self.path("b.kan"))
        self.assertEqual(self.succeed("fmt", "a.kan", "b.kan"), "")
        self.assertEqual(self.read("a.kan"), TIDY)
        self.assertEqual(self.read("b.kan"), TIDY)
        self.assertEqual(
            stat.S_IMODE(os.stat(self.path("a.kan")).st_mode), 0o640)
        # What is as it should be is not written.
        after = os.stat(self.path("b.kan"))
        self.assertEqual((before.st_ino, before.st_mtime_ns),
                         (after.st_ino, after.st_mtime_ns))
        self.assertEqual(sorted(os.listdir(self.folder)), ["a.kan", "b.kan"])

    def test_a_link_is_followed(self):
        self.write("real.kan", UNTIDY)
        os.symlink("real.kan", self.path("link.kan"))
        self.succeed("fmt", "link.kan")
        self.assertTrue(os.path.islink(self.path("link.kan")))
        self.assertEqual(self.read("real.kan"), TIDY)

    def test_check(self):
        self.write("a.kan", UNTIDY)
        self.write("b.kan", TIDY)
        done = self.command("fmt", "--check", "b.kan", "a.kan")
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (1, "a.kan\n", ""))
        self.assertEqual(self.read("a.kan"), UNTIDY)
        self.assertEqual(self.succeed("fmt", "--check", "b.kan"), "")

    def test_stream(self):
        self.assertEqual(self.pipe(UNTIDY), (0, TIDY, ""))
        self.assertEqual(self.pipe(TIDY), (0, TIDY, ""))
        self.assertEqual(self.pipe(""), (0, "", ""))
        self.assertEqual(self.pipe(UNTIDY, "--check"),
                         (1, "standard input\n", ""))

    def test_the_examples_are_tidy(self):
        for name in ("bank.kan", "cart.kan"):
            self.succeed("fmt", "--check", os.path.join(EXAMPLES, name))

    def test_mistakes(self):
        wrong = "type a {\n    stp s { }\n}\n"
        self.write("a.kan", wrong)
        self.write("b.kan", UNTIDY)
        done = self.command("fmt", "a.kan", "b.kan")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, (
            "a.kan:2:5: expected a field, invariant, step, law or view, found "
            "stp\n"
            "         2 |     stp s { }\n"
            "           |     ^^^\n"
            "             did you mean step?\n"))
        self.assertEqual(self.read("a.kan"), wrong)
        # The other files are formatted all the same.
        self.assertEqual(self.read("b.kan"), TIDY)

    def test_told_wrong(self):
        self.refuse(["fmt"], "which file")
        self.refuse(["fmt", "--chek", "a.kan"], "--check")
        self.refuse(["fmt", "missing.kan"], "missing.kan", "No such file")
        self.write("large.kan", "#" * (4 * 1024 * 1024 + 1))
        self.refuse(["fmt", "large.kan"], "large.kan", "4 MiB")
