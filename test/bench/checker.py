"""The checker beside Stateright, and its own rates: CPU time of one thread.

Stateright is fetched and built from its published crate by cargo, into
build/bench/stateright; without cargo or the network its rows are left out,
with a line that says so."""

import json
import os
import resource
import shutil
import subprocess

STATERIGHT = "0.31.0"


def cpu_of(command, **options):
    """Run the command on one core; what it said, and the CPU it used."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["taskset", "-c", "0", *command], check=True,
                          capture_output=True, text=True, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, (after.ru_utime + after.ru_stime -
                         before.ru_utime - before.ru_stime)


def stateright(root, progress):
    """The program that checks Paxos, built; None when it cannot be."""
    folder = os.path.join(root, "build", "bench", "stateright")
    program = os.path.join(folder, "target", "release", "examples", "paxos")
    if os.path.exists(program):
        return program
    if not shutil.which("cargo"):
        return None
    os.makedirs(os.path.join(folder, "src"), exist_ok=True)
    with open(os.path.join(folder, "Cargo.toml"), "w",
              encoding="utf-8") as file:
        file.write('[package]\nname = "fetch"\nversion = "0.0.0"\n'
                   'edition = "2021"\n[dependencies]\n'
                   f'stateright = "={STATERIGHT}"\n[workspace]\n')
    with open(os.path.join(folder, "src", "lib.rs"), "w",
              encoding="utf-8") as file:
        file.write("")
    progress("check: cargo builds Stateright, some minutes")
    try:
        said = subprocess.run(
            ["cargo", "metadata", "--format-version", "1"], cwd=folder,
            check=True, capture_output=True, text=True).stdout
        manifest = next(p["manifest_path"]
                        for p in json.loads(said)["packages"]
                        if p["name"] == "stateright")
        subprocess.run(
            ["cargo", "build", "--release", "--example", "paxos",
             "--manifest-path", manifest, "--target-dir",
             os.path.join(folder, "target")], check=True, capture_output=True)
    except (subprocess.CalledProcessError, StopIteration):
        return None
    return program


def check(kan, *args):
    said, cpu = cpu_of([kan, "check", *args, "-o", "json"])
    found = json.loads(said)
    found["cpu"] = cpu
    return found


def best(runs):
    return min(runs, key=lambda run: run["cpu"])


def bench(kan, root, rounds, progress):
    kan = os.path.abspath(kan)
    runs = {"two-phase": [], "paxos": [], "stateright": []}
    rival = stateright(root, progress)
    for n in range(rounds):
        progress(f"check: round {n + 1} of {rounds}")
        runs["two-phase"].append(check(kan, "two-phase", "--set", "managers=9",
                                       "--no-reduction"))
        runs["paxos"].append(check(kan, "paxos", "--set", "clients=6"))
        # One round of the rival takes longer than all of ours.
        if rival and n == 0:
            said, cpu = cpu_of([rival, "check", "6"])
            runs["stateright"].append({"cpu": cpu, "unique": "9357525" in said})
    progress("")
    two_phase, paxos = best(runs["two-phase"]), best(runs["paxos"])
    if (two_phase["states"], paxos["states"]) != (10340352, 9357525):
        raise SystemExit("bench: the checker counts wrong")
    result = {"two_phase": two_phase, "paxos": paxos,
              "two_phase_rate": two_phase["generated"] / two_phase["cpu"]}
    print(f"check, two-phase commit, 9 managers {two_phase['cpu']:.2f} CPU s, "
          f"{result['two_phase_rate'] / 1e6:.1f} M generated a second "
          f"(reach 10), {two_phase['bytes'] / two_phase['states']:.1f} bytes a "
          f"state (reach 10), peak {two_phase['peak_bytes'] / 1e6:.0f} MB")
    text = ""
    if runs["stateright"]:
        result["stateright"] = runs["stateright"][0]
        result["ratio"] = result["stateright"]["cpu"] / paxos["cpu"]
        text = (f"; Stateright {STATERIGHT}, one thread "
                f"{result['stateright']['cpu']:.1f} CPU s: "
                f"{result['ratio']:.1f} times ours (reach 5)")
    else:
        text = "; Stateright is left out: cargo could not build it"
    print(f"check, Paxos, 6 clients             {paxos['cpu']:.2f} CPU s "
          f"(reach 7), {paxos['bytes'] / paxos['states']:.1f} bytes a state "
          f"(reach 20){text}")
    return result
