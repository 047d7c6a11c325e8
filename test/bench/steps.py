"""Steps of a contract in process: the interpreter, and generated C.

step.c is built with the modules that lie beside a release build's kan; step_c.c
with what that kan generates."""

import os
import subprocess

LIBRARIES = ("src/contract/program/libkan_contract_program.a",
             "src/contract/tree/libkan_contract_tree.a",
             "src/contract/source/libkan_contract_source.a",
             "src/base/libkan_base.a")
WARNINGS = ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror"]


def build_interpreter(kan, root, folder):
    """step.c, or None where no build lies beside kan."""
    beside = os.path.dirname(kan)
    libraries = [os.path.join(beside, name) for name in LIBRARIES]
    if not all(os.path.exists(name) for name in libraries):
        return None
    program = os.path.join(folder, "step")
    subprocess.run(
        ["cc", *WARNINGS, "-o", program,
         os.path.join(root, "test", "bench", "step.c"),
         "-I", os.path.join(root, "include"), "-I", os.path.join(root, "src"),
         "-I", os.path.join(beside, "include"), *libraries, "-lyajl"],
        check=True)
    return program


def build_generated(kan, root, folder):
    sources = []
    for stem in ("bank", "cart"):
        subprocess.run(
            [kan, "gen", "c", os.path.join(root, "examples", stem + ".kan"),
             "-o", folder], check=True, stdout=subprocess.DEVNULL)
        sources.append(os.path.join(folder, stem + ".c"))
    program = os.path.join(folder, "step_c")
    subprocess.run(
        ["cc", *WARNINGS, "-o", program,
         os.path.join(root, "test", "bench", "step_c.c"), *sources,
         "-I", folder], check=True)
    return program


def run(command):
    """{"deposit": millions a second, "add": ...} of one run."""
    said = subprocess.run(["taskset", "-c", "0", *command], check=True,
                          capture_output=True, text=True).stdout
    rates = {}
    for line in said.splitlines():
        _, step, rate = line.split()
        rates[step] = float(rate)
    return rates


def best(runs):
    return {step: max(one[step] for one in runs) for step in runs[0]}


def bench(kan, root, rounds, progress):
    kan = os.path.abspath(kan)
    folder = os.path.join(root, "build", "bench", "steps")
    os.makedirs(folder, exist_ok=True)
    progress("steps: building")
    interpreter = build_interpreter(kan, root, folder)
    generated = build_generated(kan, root, folder)
    runs = {"interpreter": [], "generated": []}
    for n in range(rounds):
        progress(f"steps: round {n + 1} of {rounds}")
        if interpreter:
            runs["interpreter"].append(
                run([interpreter, os.path.join(root, "examples")]))
        runs["generated"].append(run([generated]))
    progress("")
    result = {name: best(found) for name, found in runs.items() if found}
    if interpreter:
        rates = result["interpreter"]
        print(f"steps in process, interpreter        {rates['deposit']:.1f} M "
              f"deposits a second of CPU (reach 2), {rates['add']:.1f} M adds "
              "to a cart of ten")
    else:
        print("steps in process, interpreter        left out: no build lies "
              "beside kan")
    rates = result["generated"]
    print(f"steps in process, generated C        {rates['deposit']:.1f} M "
          f"deposits a second of CPU (reach 20), {rates['add']:.1f} M adds to "
          "a cart of ten")
    return result
