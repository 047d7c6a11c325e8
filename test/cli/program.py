"""The kan program as a test case sees it: started, spoken to, ended.

Nothing waits for a time: until() asks again and again up to a deadline that
only a broken program reaches.
"""

import ctypes
import http.client
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BINARY = None  # set by run.py
PATIENCE_S = 30
READY = re.compile(r"^Kan \S+ is ready: (http://|unix:)([^\s;,]+).*\n", re.M)
STATE = "/v1.0/state/"

may_mount = False
notes = []  # what a good run says besides that it was good
_running = []
_libc = ctypes.CDLL(None, use_errno=True)


def prepare():
    """A mount name space of our own, if we may: no mount outlives us."""
    clone_newns, ms_rec, ms_private = 0x20000, 0x4000, 1 << 18
    global may_mount
    may_mount = (_libc.unshare(clone_newns) == 0 and
                 _libc.mount(None, b"/", None, ms_rec | ms_private, None) == 0)


def mount_memory(folder, size):
    """Mount a file system of so many bytes; whether it was allowed."""
    return may_mount and _libc.mount(
        b"kan-cli", folder.encode(), b"tmpfs", 0, b"size=%d" % size) == 0


def unmount(folder):
    detach = 2
    _libc.umount2(folder.encode(), detach)


def kill_all():
    for process in list(_running):
        _kill(process)


def _kill(process):
    """The whole session: what the program left behind goes as well."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    if process in _running:
        _running.remove(process)


def until(condition, what, seconds=PATIENCE_S):
    """Ask until the answer is true, and return it."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("%s: not in %d s" % (what, seconds))
        time.sleep(0.005)


def free_port():
    """One that nobody has, below those that the kernel hands out itself."""
    loopback = [(socket.AF_INET, "127.0.0.1")]
    if has_ipv6():
        loopback.append((socket.AF_INET6, "::1"))
    for _ in range(200):
        port = random.randrange(12000, 32000)
        try:
            for family, host in loopback:
                with socket.socket(family) as probe:
                    probe.bind((host, port))
            return port
        except OSError:
            continue
    raise AssertionError("no port is free")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def sanitized():
    with open(BINARY, "rb") as binary:
        image = binary.read()
    return b"AddressSanitizer" in image or b"libasan.so." in image


def alive(pid):
    """Whether the process runs, and is not only waiting to be buried."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _environment(more):
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("DAPR_", "APP_", "KAN_"))
           and name != "NAMESPACE"}
    env.update(more or {})
    return env


def _before_exec(files_max, terminal):
    """What the child does between fork and exec."""
    pr_set_pdeathsig, tiocsctty = 1, 0x540E

    def prepare_child():
        _libc.prctl(pr_set_pdeathsig, signal.SIGKILL)
        if files_max:
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, hard))
        if terminal is not None:
            _libc.ioctl(0, tiocsctty, 0)
    return prepare_child


class Answer:
    """Status, header fields (lower case) and body of one answer."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["errorCode"]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("kan", timeout=PATIENCE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Client:
    """Speaks to a kan on a port of 127.0.0.1, or on a Unix socket."""

    def __init__(self, case, port=None, path=None):
        self.case, self.port, self.unix = case, port, path

    def connect(self, port=None, timeout=PATIENCE_S):
        if self.unix and not port:
            return UnixConnection(self.unix)
        return http.client.HTTPConnection("127.0.0.1", port or self.port,
                                          timeout=timeout)

    def raw(self, text=b""):
        """A socket on which text has been sent."""
        connection = socket.create_connection(("127.0.0.1", self.port),
                                              PATIENCE_S)
        self.case.addCleanup(connection.close)
        connection.sendall(text)
        return connection

    def ask(self, method, path, body=None, headers=None, connection=None,
            port=None):
        """One request. A body that is not bytes or text is sent as JSON."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        own = connection or self.connect(port)
        try:
            own.request(method, path, body, headers or {})
            return Answer(own.getresponse())
        finally:
            if not connection:
                own.close()

    def save(self, key, value, store="statestore", **more):
        return self.ask("POST", STATE + store, [{"key": key, "value": value}],
                        **more)

    def get(self, key, store="statestore", **more):
        return self.ask("GET", STATE + store + "/" + key, **more)

    def value(self, key, store="statestore"):
        """The value of a key, or None when it is absent."""
        answer = self.get(key, store)
        self.case.assertIn(answer.status, (200, 204), answer.body)
        return answer.json() if answer.status == 200 else None

    def keep(self, key, value, store="statestore"):
        """A save that must go well."""
        answer = self.save(key, value, store)
        self.case.assertEqual(answer.status, 204, answer.body)

    def metadata(self):
        return self.ask("GET", "/v1.0/metadata").json()

    def metric(self, name, port=None):
        text = self.ask("GET", "/metrics", port=port).body.decode()
        found = re.search(r"^%s (\S+)$" % re.escape(name), text, re.M)
        return float(found.group(1))


class Kan(Client):
    """One `kan run`. Case.kan() makes it and ends it.

    app is a command behind --. terminal is the descriptor of one, which then
    is its standard input and controls it.
    """

    def __init__(self, case, *flags, app=None, env=None, files_max=None,
                 terminal=None, port="0", data="data"):
        super().__init__(case)
        self.app = app
        self.args = [BINARY, "run", "-H", str(port), "--data-dir", data]
        self.args += [str(flag) for flag in flags]
        if app:
            self.args += ["--"] + app
        number = len(case.started)
        self.out_path = os.path.join(case.folder, "out%d" % number)
        self.err_path = os.path.join(case.folder, "err%d" % number)
        with open(self.out_path, "wb") as out, \
                open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                self.args, cwd=case.folder, env=_environment(env),
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                stdout=out, stderr=err, start_new_session=True,
                preexec_fn=_before_exec(files_max, terminal))
        _running.append(self.process)
        self.pid = self.process.pid

    def out(self):
        return _text(self.out_path)

    def log(self):
        return _text(self.err_path)

    def wait_ready(self):
        """Until the ready line is there, which tells the address."""
        def ready():
            found = READY.search(self.log() if self.app else self.out())
            if not found and self.process.poll() is not None:
                raise AssertionError("%s ended with %d and said:\n%s%s" % (
                    self.args, self.process.returncode, self.out(),
                    self.log()))
            return found
        found = until(ready, "the ready line")
        self.ready = found.group(0)
        if found.group(1) == "unix:":
            self.unix = self.case.path(found.group(2))
        else:
            self.port = int(found.group(2).rpartition(":")[2])
        return self

    def wait_log(self, part):
        return until(lambda: part in self.log(), "the log says " + part)

    def wait(self, seconds=PATIENCE_S):
        """Its exit code, once it ends by itself; negative: a signal."""
        code = self.process.wait(seconds)
        self.check_log()
        return code

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def kill(self):
        _kill(self.process)

    def clean_up(self):
        """However the test went, it ends; when it went well, it must also
        have been able to."""
        running = self.process.poll() is None
        try:
            if running and not self.app:
                code = self.end()
                self.case.assertEqual(code, 0, self.log())
        finally:
            self.kill()

    def check_log(self):
        if re.search("Sanitizer|runtime error:|a bug in Kan", self.log()):
            self.case.fail(self.log())

    def listeners(self):
        """("127.0.0.1", port) of every TCP socket it listens on."""
        inodes = {link[8:-1] for link in self.files()
                  if link.startswith("socket:[")}
        return sorted(one for family in ("tcp", "tcp6")
                      for one in _listening(family, inodes))

    def files(self):
        """What each of its descriptors stands for."""
        links = []
        for name in os.listdir("/proc/%d/fd" % self.pid):
            try:
                links.append(os.readlink("/proc/%d/fd/%s" % (self.pid, name)))
            except FileNotFoundError:
                pass  # it has been closed meanwhile
        return links

    def resident_kib(self):
        with open("/proc/%d/status" % self.pid) as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


def _text(path):
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")


def _listening(family, inodes):
    """The rows of /proc/net/tcp that listen (state 0A) and are among them."""
    try:
        with open("/proc/net/" + family) as table:
            rows = [line.split() for line in table][1:]
    except FileNotFoundError:
        return
    for row in rows:
        if row[3] != "0A" or row[9] not in inodes:
            continue
        host, port = row[1].split(":")
        words = [int(host[i:i + 8], 16).to_bytes(4, sys.byteorder)
                 for i in range(0, len(host), 8)]
        kind = socket.AF_INET if family == "tcp" else socket.AF_INET6
        yield socket.inet_ntop(kind, b"".join(words)), int(port, 16)


class Case(unittest.TestCase):
    """A temporary directory, and kan in it."""

    maxDiff = None

    def setUp(self):
        self.started = []
        self.folder = tempfile.mkdtemp(prefix="kan-cli-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def read(self, name):
        return _text(self.path(name))

    def kan(self, *flags, ready=True, **more):
        """kan run with these flags, ready to serve."""
        kan = Kan(self, *flags, **more)
        self.started.append(kan)
        self.addCleanup(kan.clean_up)
        return kan.wait_ready() if ready else kan

    def command(self, *args, env=None, program=None, seconds=PATIENCE_S):
        """A command that ends by itself."""
        process = subprocess.Popen(
            [program or BINARY] + [str(arg) for arg in args], cwd=self.folder,
            env=_environment(env), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, preexec_fn=_before_exec(None, None))
        _running.append(process)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.fail("%s does not end" % (args,))
        finally:
            _kill(process)
            process.stdout.close()
            process.stderr.close()
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def start(self, *line, out=None):
        """Any program, left running until the case ends."""
        process = subprocess.Popen(
            line, cwd=self.folder, env=_environment(None), stdout=out,
            stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=_before_exec(None, None))
        _running.append(process)
        self.addCleanup(_kill, process)
        return process

    def succeed(self, *args, **more):
        """A command that must go well; what it said on stdout."""
        done = self.command(*args, **more)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def refuse(self, args, *parts, **more):
        """A command that must end with 2 and one line on stderr that has all
        parts."""
        done = self.command(*args, **more)
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("kan"), done.stderr)
        self.assertEqual((done.stderr.count("\n"), done.stderr[-1]),
                         (1, "\n"), done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)
        # The words of a status, where it says nothing to a user.
        for part in ("no such key", "outside its documented range"):
            self.assertNotIn(part, done.stderr)
