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
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
import checker  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CONNECTIONS = 64
VALUE = "x" * 150
KEYS = 100_000
TICK = os.sysconf("SC_CLK_TCK")


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_port(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"bench: nothing answers on port {port}")


class Server:
    """A process, and what it has used of CPU, memory and disk."""

    name = "?"

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="kan-bench-")
        self.port = free_port()
        self.process = None

    def pids(self):
        pids = [self.process.pid]
        children = f"/proc/{pids[0]}/task/{pids[0]}/children"
        with open(children, encoding="ascii") as file:
            pids += [int(p) for p in file.read().split()]
        return pids

    def cpu(self):
        ticks = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                fields = file.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICK

    def written(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/io", encoding="ascii") as file:
                total += int(re.search(r"^write_bytes: (\d+)", file.read(),
                                       re.M)[1])
        return total

    def rss_kb(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                total += int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
        return total

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        shutil.rmtree(self.dir, ignore_errors=True)


class Kan(Server):
    name = "kan"

    def __init__(self, binary, keep=None):
        super().__init__()
        self.binary = binary
        self.data = keep or self.dir
        self.start_ms = None

    def start(self):
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [self.binary, "run", "--dapr-http-port", str(self.port),
             "--dapr-listen-addresses", "127.0.0.1",
             "--data-dir", self.data, "--log-level", "error"],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.start_ms = (time.monotonic() - begin) * 1000
        if "ready" not in line:
            raise SystemExit(f"bench: kan did not start: {line}")
        return self

    def version(self):
        out = subprocess.run([self.binary, "version"], capture_output=True,
                             text=True, check=True).stdout
        return out.split()[1]

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/v1.0/state/statestore{path}"

    def fill(self, count, batch=1000):
        for first in range(0, count, batch):
            progress(f"kan: {first} of {count} keys")
            items = [{"key": f"key-{n}", "value": VALUE}
                     for n in range(first, min(first + batch, count))]
            request = urllib.request.Request(
                self.url(""), json.dumps(items).encode(),
                {"content-type": "application/json"})
            urllib.request.urlopen(request).close()


class Nginx(Server):
    name = "nginx"

    def start(self):
        config = os.path.join(self.dir, "nginx.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"""worker_processes 1;
daemon off;
pid {self.dir}/pid;
error_log {self.dir}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    server {{
        listen 127.0.0.1:{self.port};
        location / {{
            default_type application/json;
            return 200 '"{VALUE}"';
        }}
    }}
}}
""")
        self.process = subprocess.Popen(
            [shutil.which("nginx") or "/usr/sbin/nginx", "-c", config,
             "-p", self.dir, "-e", f"{self.dir}/error.log"])
        wait_port(self.port)
        return self

    def version(self):
        out = subprocess.run([shutil.which("nginx") or "/usr/sbin/nginx",
                              "-v"], capture_output=True, text=True,
                             check=True).stderr
        return out.strip().rpartition("/")[2]

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"


class Redis(Server):
    name = "redis"

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--dir", self.dir, "--appendonly", "yes", "--appendfsync",
             "always", "--save", "", "--logfile", f"{self.dir}/log"])
        wait_port(self.port)
        return self

    def version(self):
        out = subprocess.run(["redis-server", "--version"],
                             capture_output=True, text=True,
                             check=True).stdout
        return re.search(r"v=(\S+)", out)[1]


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


def redis_benchmark(port, seconds):
    """SET of random keys for about so many seconds: count from a short run."""
    def run(count):
        begin = time.monotonic()
        out = subprocess.run(
            ["redis-benchmark", "-p", str(port), "-c", str(CONNECTIONS),
             "-n", str(count), "-r", str(KEYS), "-d", str(len(VALUE)),
             "-t", "set", "--csv"], capture_output=True, text=True,
            check=True).stdout
        taken = time.monotonic() - begin
        row = out.strip().split("\n")[-1].replace('"', "").split(",")
        return {"requests": count, "per_s": float(row[1]),
                "p50_ms": float(row[4]), "p99_ms": float(row[6])}, taken
    probe, _ = run(4000)
    return run(max(4000, int(probe["per_s"] * seconds)))[0]


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


def bench_save(kan_binary, options):
    kan, redis = Kan(kan_binary), Redis()
    try:
        kan.start()
        redis.start()
        cases = {
            "kan": (kan, lambda: wrk(kan.url(""), options.seconds,
                                     "save.lua")),
            "redis, always": (redis, lambda: redis_benchmark(
                redis.port, options.seconds)),
        }
        results = {n: summary(r) for n, r in
                   interleave(options.rounds, cases, "save").items()}
    finally:
        kan.stop()
        redis.stop()
    base = results["redis, always"]["per_s"]
    for name, figures in results.items():
        figures["rate_ratio"] = figures["per_s"] / base
        row("durable save, 150 bytes, 64 conns", name, figures,
            f"{figures['rate_ratio']:.2f} x redis's rate"
            + (" (reach 1.2)" if name == "kan" else ""))
    return results


def pairs(program, protocol, port, seconds):
    """What pairs.c measures, with the requests of a pair counted as one."""
    done = subprocess.run([program, protocol, str(port), str(CONNECTIONS),
                           str(seconds)], check=True, capture_output=True,
                          text=True)
    per_s, p50, p99, count, wrong = map(float, done.stdout.split())
    if wrong:
        raise SystemExit(f"bench: {wrong:.0f} answers about locks were wrong")
    return {"per_s": per_s, "p50_ms": p50, "p99_ms": p99,
            "requests": int(count)}


def bench_lock(kan_binary, options):
    program = os.path.join(ROOT, "build", "bench", "pairs")
    os.makedirs(os.path.dirname(program), exist_ok=True)
    subprocess.run(["cc", "-O2", "-std=c17", "-D_GNU_SOURCE",
                    os.path.join(HERE, "pairs.c"), "-o", program], check=True)
    kan, redis = Kan(kan_binary), Redis()
    try:
        kan.start()
        redis.start()
        cases = {
            "kan": (kan, lambda: pairs(program, "http", kan.port,
                                       options.seconds)),
            "redis, always": (redis, lambda: pairs(program, "resp", redis.port,
                                                   options.seconds)),
        }
        results = {n: summary(r) for n, r in
                   interleave(options.rounds, cases, "lock").items()}
    finally:
        kan.stop()
        redis.stop()
    base = results["redis, always"]["per_s"]
    for name, figures in results.items():
        figures["rate_ratio"] = figures["per_s"] / base
        row("lock acquired and released", name, figures,
            f"{figures['rate_ratio']:.2f} x redis's rate"
            + (" (reach 1.0)" if name == "kan" else ""))
    return results


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
        wrk(kan.url(""), seconds // 2, "save.lua")
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
    parser.add_argument("--only", default="size,start,memory,get,save,lock,"
                        "check,sim,history")
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
