"""A running `kan run` for the API tests, and a client that speaks to it.

Only the standard library is used, so that the tests run wherever Python does.
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

READY = re.compile(r"ready: http://(\S+?):(\d+)")
BINARY = None  # set by run.py


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

    @property
    def etag(self):
        return self.headers.get("etag")


class Daemon:
    """Start with Daemon(args), end with stop(); or use it in a `with`.

    The data directory is a temporary one, kept over restarts. files are
    written beside it before the start, text by name.
    """

    def __init__(self, *args, env=None, command=None, files=None):
        self.args = list(args)
        self.env = dict(os.environ, **(env or {}))
        self.env.pop("NAMESPACE", None)
        if "DAPR_API_TOKEN" not in (env or {}):
            self.env.pop("DAPR_API_TOKEN", None)
        self.command = command
        self.folder = tempfile.mkdtemp(prefix="kan-api-")
        self.process = None
        for name, text in (files or {}).items():
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(text)
        try:
            self.start()
        except RuntimeError:
            shutil.rmtree(self.folder)
            raise

    def start(self):
        line = [BINARY, "run", "--dapr-http-port", "0", "--dapr-listen-addresses",
                "127.0.0.1", "--data-dir", os.path.join(self.folder, "data")]
        line += self.args
        if self.command:
            line += ["--"] + self.command
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(line, env=self.env, cwd=self.folder,
                                        stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log,
                                        start_new_session=True)
        self.host, self.port = self._ready()
        # Whatever is said later must not block the daemon.
        self.reader = threading.Thread(target=self.process.stdout.read,
                                       daemon=True)
        self.reader.start()

    def _ready(self):
        # With an app, stdout is the app's: the line is on stderr.
        if self.command:
            return wait_for(self._ready_in_log)
        said = b""
        for raw in iter(self.process.stdout.readline, b""):
            said += raw
            found = READY.search(raw.decode(errors="replace"))
            if found:
                return found.group(1), int(found.group(2))
        code = self.process.wait(10)
        with open(self.log.name, "rb") as log:
            said += log.read()
        self.process.stdout.close()
        self.log.close()
        raise RuntimeError("kan run ended with %d and said:\n%s"
                           % (code, said.decode(errors="replace")))

    def _ready_in_log(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            found = READY.search(log.read())
        if not found and self.process.poll() is not None:
            raise RuntimeError("kan run ended with %d" % self.process.returncode)
        return found and (found.group(1), int(found.group(2)))

    def _clean(self):
        # An app that was left behind would keep our end of the pipe open.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.reader.join(5)
        if not self.reader.is_alive():
            self.process.stdout.close()
        self.log.close()

    def kill(self):
        """As a power cut to the process."""
        self.process.kill()
        self.process.wait(10)
        self._clean()

    def end(self, number=signal.SIGTERM):
        """Stop gracefully; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(20)
        finally:
            self._clean()

    def stop(self):
        try:
            if not self.log.closed:
                self.end()
        finally:
            shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def connect(self, timeout=20):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """One request, on a connection of its own unless one is given. A body
        that is not bytes or text is sent as JSON."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        own = connection or self.connect()
        try:
            own.request(method, path, body, headers or {})
            return Answer(own.getresponse())
        finally:
            if not connection:
                own.close()

    # The state API, as a client library would wrap it.

    def path(self, store, key=None):
        text = "/v1.0/state/" + urllib.parse.quote(store, safe="")
        if key is not None:
            text += "/" + urllib.parse.quote(key, safe="")
        return text

    def get(self, key, query="", store="statestore", **more):
        return self.ask("GET", self.path(store, key) + query, **more)

    def save(self, items, query="", store="statestore", **more):
        return self.ask("POST", self.path(store) + query, items, **more)

    def delete(self, key, etag=None, query="", store="statestore"):
        headers = {"If-Match": etag} if etag else None
        return self.ask("DELETE", self.path(store, key) + query,
                        headers=headers)

    def bulk(self, keys, store="statestore"):
        return self.ask("POST", self.path(store) + "/bulk", {"keys": keys})

    def transaction(self, operations, store="statestore", **more):
        body = dict(operations=operations, **more)
        return self.ask("POST", self.path(store) + "/transaction", body)

    def keys(self, prefix="", store="statestore", limit=1000):
        """All keys under a prefix, page by page."""
        found, after = [], None
        while True:
            query = {"prefix": prefix, "limit": limit}
            if after is not None:
                query["after"] = after
            page = self.ask("GET", "/kan/v1/state/%s?%s"
                            % (store, urllib.parse.urlencode(query))).json()
            found += [entry["key"] for entry in page["keys"]]
            if "after" not in page:
                return found
            after = page["after"]


_shared = None


def shared():
    """The one daemon that most tests use, each with keys of its own."""
    global _shared
    if _shared is None:
        _shared = Daemon()
    return _shared


def stop_shared():
    global _shared
    if _shared is not None:
        _shared.stop()
        _shared = None


def wait_for(condition, seconds=20):
    """Ask again and again until it is so; what condition gave then."""
    end = time.monotonic() + seconds
    while True:
        given = condition()
        if given:
            return given
        if time.monotonic() > end:
            raise AssertionError("it did not become so in %d s" % seconds)
        time.sleep(0.02)
