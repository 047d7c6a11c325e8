"""The servers that a bench asks, each a process of its own on loopback."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

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

    def cpu_exact(self):
        """In seconds, of all threads, by the scheduler's own clock."""
        total = 0
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total / 1e9

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

    def __init__(self, binary, keep=None, contracts=()):
        super().__init__()
        self.binary = binary
        self.data = keep or self.dir
        self.contracts = list(contracts)
        self.start_ms = None

    def start(self):
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [self.binary, "run", *self.contracts, "--dapr-http-port", str(self.port),
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

    def root(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def url(self, path):
        return self.root(f"/v1.0/state/statestore{path}")

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
