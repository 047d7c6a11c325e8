#!/usr/bin/env python3
"""kan history on recorded histories, beside another checker.

usage: history.py KAN_BINARY FOLDER [--rounds N] [--operations N]
                  [--rival COMMAND]

Judges every file of FOLDER, and a register history of N operations (a million)
that is made here: 50 at once, no value written twice. COMMAND, if given, is
another checker: it is started with the files of FOLDER behind it and prints one
JSON object: "read" and "decide", the CPU seconds it took for each, and
"verdicts", true or false by file. Rounds are interleaved; CPU time is the best
of them, with the median beside it. Prints a table and keeps all figures in
build/bench/history.json. Verdicts that differ are an error; no time is."""

import argparse
import json
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PROCESSES = 50


def run(command):
    """CPU seconds, MiB at most, and what it printed."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode not in (0, 1, 3):
        raise SystemExit("history.py: %s ended with %d" % (
            command[0], process.returncode))
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out


def judge(kan, *args):
    """One run: its figures, and verdicts by file."""
    cpu, mib, out = run([kan, "history", "-o", "json", *args])
    lines = [json.loads(line) for line in out.splitlines()]
    return ({"CPU, all": cpu, "decide": sum(one["seconds"] for one in lines),
             "MiB": mib},
            {one["file"]: one["verdict"] for one in lines})


def ask_rival(command, files):
    cpu, mib, out = run(shlex.split(command) + files)
    said = json.loads(out)
    return ({"CPU, all": cpu, "decide": said["decide"], "MiB": mib},
            said["verdicts"])


def write_register(path, operations):
    """A register that many use at once: each takes effect at one moment
    between call and return, so it is linearizable."""
    chance = random.Random(1)
    value, written, started, ended = "nil", 0, 0, 0
    opened = {}  # by process: [function, value, whether it took effect]
    with open(path, "w") as file:
        while ended < operations:
            process = chance.randrange(PROCESSES)
            one = opened.get(process)
            if one is None:
                if started == operations:
                    continue
                started += 1
                if chance.random() < 0.5:
                    written += 1
                    opened[process] = ["write", written, False]
                else:
                    opened[process] = ["read", "nil", False]
                kind, (f, said, _) = "invoke", opened[process]
            elif not one[2]:
                one[2] = True
                if one[0] == "write":
                    value = one[1]
                else:
                    one[1] = value
                continue
            else:
                kind, (f, said, _) = "ok", opened.pop(process)
                ended += 1
            file.write("{:process %d, :type :%s, :f :%s, :value %s}\n" % (
                process, kind, f, said))


def compare(ours, theirs):
    """Fail where one says linearizable and the other does not."""
    for path, verdict in ours.items():
        if verdict == "unknown" or path not in theirs:
            continue
        if (verdict == "linearizable") != theirs[path]:
            raise SystemExit("history.py: %s: kan says %s, the rival does not"
                             % (path, verdict))


def show(rows):
    print("%-34s %12s %12s %8s" % ("", "decide, ms", "CPU, ms", "MiB"))
    for name, rounds in rows.items():
        cells = []
        for key in ("decide", "CPU, all"):
            values = [1e3 * one[key] for one in rounds]
            cells.append("%.1f (%.1f)" % (min(values),
                                          statistics.median(values)))
        print("%-34s %12s %12s %8.0f" % (
            name, *cells, max(one["MiB"] for one in rounds)))
    print("Best of the rounds, in brackets the median.")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kan")
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--operations", type=int, default=1000000)
    parser.add_argument("--rival")
    asked = parser.parse_args()
    files = sorted(os.path.join(asked.folder, name)
                   for name in os.listdir(asked.folder))
    rows = {"folder, the verdicts alone": [], "folder": []}
    if asked.rival:
        rows["folder, rival"] = []
    rows["register of %d operations" % asked.operations] = []
    names = list(rows)
    with tempfile.TemporaryDirectory(prefix="kan-history-") as folder:
        register = os.path.join(folder, "register.edn")
        write_register(register, asked.operations)
        for _ in range(asked.rounds):
            found, ours = judge(asked.kan, "--no-minimal", asked.folder)
            rows[names[0]].append(found)
            rows[names[1]].append(judge(asked.kan, asked.folder)[0])
            if asked.rival:
                found, theirs = ask_rival(asked.rival, files)
                rows[names[2]].append(found)
                compare(ours, theirs)
            found, verdicts = judge(asked.kan, register)
            rows[names[-1]].append(found)
            if list(verdicts.values()) != ["linearizable"]:
                raise SystemExit("history.py: a register is not linearizable")
    show(rows)
    kept = os.path.join(ROOT, "build", "bench", "history.json")
    os.makedirs(os.path.dirname(kept), exist_ok=True)
    with open(kept, "w") as file:
        json.dump(rows, file, indent=1)


if __name__ == "__main__":
    sys.exit(main())
