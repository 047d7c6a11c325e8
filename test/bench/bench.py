#!/usr/bin/env python3
"""Kan beside its rivals, in one run on one machine.

usage: bench.py KAN_BINARY [--rounds N] [--seconds S] [--only get,save,...]

Starts every server itself on loopback, interleaves the rounds (round 1 of all,
round 2 of all, ...), and stops what it started. CPU time a request is the best
of the rounds, since other tenants of a machine only ever add to it; throughput
is the median. Prints a table and keeps all figures in build/bench/bench.json.
Nothing here fails on a slow day."""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
import checker  # noqa: E402
import steps  # noqa: E402
from servers import Kan, Nginx, Redis, VALUE, KEYS, progress  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BANK = os.path.join(ROOT, "examples", "bank.kan")
CONNECTIONS = 64


def wrk(url, seconds, script=None):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency"]
    if script:
        command += ["-s", os.path.join(HERE, script)]
    out = subprocess.run(command + [url], capture_output=True, text=True,
                         check=True).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    if errors or "Socket errors" in out:
        raise SystemExit(f"bench: wrk saw errors:\n{out}")

    def ms(percent):
        number, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)",
                                 out).groups()
        return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]

    count, time_taken = re.search(r"(\d+) requests in ([\d.]+)s",
                                  out).groups()
    return {"requests": int(count), "per_s": int(count) / float(time_taken),
            "p50_ms": ms(50), "p99_ms": ms(99)}


def load_program():
    """load.c, built."""
    program = os.path.join(ROOT, "build", "bench", "load")
    os.makedirs(os.path.dirname(program), exist_ok=True)
    subprocess.run(["cc", "-O2", "-std=c17", "-D_GNU_SOURCE",
                    os.path.join(HERE, "load.c"), "-o", program], check=True)
    return program


def load(program, protocol, plan, port, seconds):
    """What load.c measures."""
    done = subprocess.run([program, protocol, plan, str(port),
                           str(CONNECTIONS), str(seconds)], check=True,
                          stdout=subprocess.PIPE, text=True)
    per_s, p50, p99, count, wrong = map(float, done.stdout.split())
    if wrong:
        raise SystemExit(f"bench: {wrong:.0f} answers of {plan} were wrong")
    return {"per_s": per_s, "p50_ms": p50, "p99_ms": p99,
            "requests": int(count)}


def measured(server, load):
    """One round: the load's own figures, and what the server used for it."""
    cpu, written = server.cpu(), server.written()
    figures = load()
    figures["cpu_us"] = (server.cpu() - cpu) * 1e6 / figures["requests"]
    figures["bytes"] = (server.written() - written) / figures["requests"]
    return figures


def interleave(rounds, cases, title):
    """cases: name -> (server, load). Returns name -> list of figures."""
    results = {name: [] for name in cases}
    for n in range(rounds):
        for name, (server, load) in cases.items():
            progress(f"{title}: round {n + 1} of {rounds}, {name}")
            results[name].append(measured(server, load))
    progress("")
    return results


def summary(runs):
    return {"cpu_us": min(r["cpu_us"] for r in runs),
            "per_s": statistics.median(r["per_s"] for r in runs),
            "p50_ms": statistics.median(r["p50_ms"] for r in runs),
            "p99_ms": statistics.median(r["p99_ms"] for r in runs),
            "bytes": statistics.median(r["bytes"] for r in runs),
            "rounds": runs}


def row(title, name, s, ratio=""):
    print(f"{title:<34} {name:<18} {s['per_s']:>9,.0f} {s['cpu_us']:>8.1f} "
          f"{s['p50_ms']:>8.2f} {s['p99_ms']:>8.2f} {s['bytes']:>8.0f}  "
          f"{ratio}")


def bench_get(kan_binary, options):
    kan, nginx = Kan(kan_binary), Nginx()
    try:
        kan.start()
        nginx.start()
        kan.fill(KEYS)
        cases = {
            "kan, one key": (kan, lambda: wrk(kan.url("/key-1"),
                                              options.seconds)),
            "kan, 100,000 keys": (kan, lambda: wrk(kan.url("/key-1"),
                                                   options.seconds,
                                                   "get.lua")),
            "nginx": (nginx, lambda: wrk(nginx.url("/key-1"),
                                         options.seconds)),
        }
        results = {n: summary(r) for n, r in
                   interleave(options.rounds, cases, "get").items()}
    finally:
        kan.stop()
        nginx.stop()
    nginx_cpu = results["nginx"]["cpu_us"]
    for name, figures in results.items():
        figures["cpu_ratio"] = figures["cpu_us"] / nginx_cpu
        row("state get, CPU a request", name, figures,
            f"{figures['cpu_ratio']:.2f} x nginx's CPU"
            + (" (reach 1.3)" if name == "kan, one key" else ""))
    return results


def beside_redis(kan_binary, options, plan, title, reach):
    """One plan of load.c, asked of both."""
    program = load_program()
    kan, redis = Kan(kan_binary), Redis()
    try:
        kan.start()
        redis.start()
        cases = {
            "kan": (kan, lambda: load(program, "http", plan, kan.port,
                                      options.seconds)),
            "redis, always": (redis, lambda: load(program, "resp", plan,
                                                  redis.port,
                                                  options.seconds)),
        }
        results = {n: summary(r) for n, r in
                   interleave(options.rounds, cases, plan).items()}
    finally:
        kan.stop()
        redis.stop()
    base = results["redis, always"]["per_s"]
    for name, figures in results.items():
        figures["rate_ratio"] = figures["per_s"] / base
        row(title, name, figures, f"{figures['rate_ratio']:.2f} x redis's rate"
            + (f" (reach {reach})" if name == "kan" else ""))
    return results


def bench_save(kan_binary, options):
    return beside_redis(kan_binary, options, "save",
                        "durable save, 150 bytes, 64 conns", 1.2)


def bench_lock(kan_binary, options):
    return beside_redis(kan_binary, options, "lock",
                        "lock acquired and released", 1.0)


def bench_deposit(kan_binary, options):
    """Steps of a contract beside plain saves of the same Kan."""
    program = load_program()
    kan = Kan(kan_binary, contracts=[BANK])
    try:
        kan.start()
        load(program, "http", "open", kan.port, 60)
        cases = {
            "state save": (kan, lambda: load(program, "http", "save", kan.port,
                                             options.seconds)),
            "1,000 accounts": (kan, lambda: load(program, "http", "deposit",
                                                 kan.port, options.seconds)),
            "one account": (kan, lambda: load(program, "http", "hot",
                                              kan.port, options.seconds)),
        }
        results = {n: summary(r) for n, r in
                   interleave(options.rounds, cases, "deposit").items()}
    finally:
        kan.stop()
    base = results["state save"]["per_s"]
    for name, figures in results.items():
        figures["rate_ratio"] = figures["per_s"] / base
        reach = {"1,000 accounts": " (reach 0.8)",
                 "one account": " (reach 0.6)"}.get(name, "")
        row("durable deposit, 64 conns", name, figures,
            f"{figures['rate_ratio']:.2f} x a save's rate{reach}")
    return results


def bench_open(kan_binary, options):
    """The first look at an entity with very many events, after a restart."""
    program = load_program()
    data = tempfile.mkdtemp(prefix="kan-bench-data-")
    path = "/kan/v1/entities/account/acc-0"
    try:
        kan = Kan(kan_binary, keep=data, contracts=[BANK]).start()
        load(program, "http", "open", kan.port, 60)
        events = 0
        while events < options.events:
            progress(f"open: {events} of {options.events} events")
            load(program, "http", "hot", kan.port, 5)
            events = json.loads(urllib.request.urlopen(kan.root(path)).read()
                                )["n"]
        kan.stop()
        times = []
        for _ in range(options.rounds):
            kan = Kan(kan_binary, keep=data, contracts=[BANK]).start()
            urllib.request.urlopen(kan.root("/v1.0/healthz")).close()
            time.sleep(0.5)
            before = kan.cpu_exact()
            urllib.request.urlopen(kan.root(path)).close()
            times.append((kan.cpu_exact() - before) * 1000)
            kan.stop()
    finally:
        shutil.rmtree(data)
    progress("")
    print(f"entity of {events:,} events, opened: {min(times):.2f} ms of CPU, "
          f"best of {len(times)} (reach 5)")
    return {"events": events, "cpu_ms": times}


def bench_step(kan_binary, options):
    """Steps in process: the interpreter, and the C that kan gen writes."""
    return steps.bench(kan_binary, ROOT, options.rounds, progress)


def bench_check(kan_binary, options):
    return checker.bench(kan_binary, ROOT, min(options.rounds, 3), progress)


def bench_sim(kan_binary, _options):
    """Events a second of CPU: a model of locks, and the driver that ships."""
    result = {}
    for name, args in (("lock", ["lock", "--seeds", "50000"]),
                       ("snowflake, real driver",
                        ["snowflake", "--set", "fixed=1", "--seeds", "1000"])):
        progress(f"sim: {name}")
        said, cpu = checker.cpu_of([os.path.abspath(kan_binary), "sim", *args,
                                    "-o", "json"])
        events = json.loads(said)["events"]
        result[name] = {"events": events, "cpu": cpu, "per_s": events / cpu}
        progress("")
        print(f"sim, {name:<30} {events / cpu / 1e6:.2f} M events a second"
              + (" (reach 1)" if name == "lock" else ""))
    return result


def bench_history(kan_binary, options):
    """The folder given by --histories; history.py tells more."""
    if not options.histories:
        print("history: left out; --histories FOLDER times a folder of logs")
        return None
    command = [sys.executable, os.path.join(HERE, "history.py"), kan_binary,
               options.histories]
    if options.rival:
        command += ["--rival", options.rival]
    subprocess.run(command, check=True)
    return {"folder": options.histories}


def bench_memory(kan_binary, options):
    kan = Kan(kan_binary)
    try:
        kan.start()
        idle = kan.rss_kb()
        kan.fill(KEYS)
        seconds = options.memory_seconds
        progress(f"memory: {seconds} s of saves and gets over {KEYS} keys")
        load(load_program(), "http", "save", kan.port, seconds // 2)
        wrk(kan.url("/key-1"), seconds - seconds // 2, "get.lua")
        loaded = kan.rss_kb()
    finally:
        kan.stop()
    progress("")
    print(f"resident memory, idle              {idle / 1024:.1f} MB (reach 6)")
    print(f"resident memory after {seconds} s of load {loaded / 1024:.1f} MB "
          "(reach 10)")
    return {"idle_kb": idle, "loaded_kb": loaded, "seconds": seconds}


def bench_start(kan_binary, options):
    def best(data):
        times = []
        for _ in range(10):
            kan = Kan(kan_binary, keep=data).start()
            times.append(kan.start_ms)
            kan.stop()
        return {"min_ms": min(times), "median_ms": statistics.median(times)}
    result = {}
    data = tempfile.mkdtemp(prefix="kan-bench-data-")
    try:
        result["fresh"] = best(data)
        if options.million:
            kan = Kan(kan_binary, keep=data).start()
            kan.fill(1_000_000)
            kan.stop()
            result["million"] = best(data)
    finally:
        shutil.rmtree(data)
    progress("")
    for name, reach in (("fresh", 20), ("million", 100)):
        if name in result:
            print(f"exec to ready, {name:<20} best "
                  f"{result[name]['min_ms']:.1f} ms, median "
                  f"{result[name]['median_ms']:.1f} ms (reach {reach})")
    return result


def bench_size(kan_binary, _options):
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "kan")
        subprocess.run(["strip", "-o", stripped, kan_binary], check=True)
        size = os.path.getsize(stripped)
    print(f"release binary, stripped           {size / 1e6:.2f} MB (reach 2)")
    return {"bytes": size}


def machine(kan_binary):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpu = re.search(r"model name\s*: (.*)", file.read())
    facts = {"cpu": cpu[1] if cpu else platform.processor(),
             "cores": os.cpu_count(), "kernel": platform.release(),
             "kan": Kan(kan_binary).version(), "nginx": Nginx().version(),
             "redis": Redis().version(),
             "date": time.strftime("%Y-%m-%d")}
    print(", ".join(f"{k} {v}" for k, v in facts.items()))
    return facts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kan")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--memory-seconds", type=int, default=60)
    parser.add_argument("--no-million", dest="million", action="store_false",
                        help="do not fill a million keys to time the start")
    parser.add_argument("--histories", help="a folder of recorded histories")
    parser.add_argument("--rival", help="another checker: see history.py")
    parser.add_argument("--events", type=int, default=1_000_000,
                        help="of the entity that the row open looks at")
    parser.add_argument("--only", default="size,start,memory,get,save,lock,"
                        "deposit,open,step,check,sim,history")
    options = parser.parse_args()
    result = {"machine": machine(options.kan)}
    print(f"\n{'':<34} {'':<18} {'a second':>9} {'CPU us':>8} {'p50 ms':>8} "
          f"{'p99 ms':>8} {'B/op':>8}")
    for name in options.only.split(","):
        result[name] = globals()[f"bench_{name}"](options.kan, options)
    folder = os.path.join(ROOT, "build", "bench")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "bench.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    print(f"\nall figures: {os.path.relpath(path, ROOT)}")


main()
