"""A real browser, driven over WebDriver (https://www.w3.org/TR/webdriver2/)
with nothing but the standard library. chromedriver and chromium come from
Debian's packages chromium-driver and chromium."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
DEADLINE = 60  # seconds, for one command


def missing():
    """The programs that a browser needs and that are not here."""
    return [name for name in ("chromium", "chromedriver")
            if not shutil.which(name)]


class Browser:
    def __init__(self, width, height):
        self.profile = tempfile.TemporaryDirectory(prefix="kan-picture-")
        # A group of its own, so that whatever it starts can be ended.
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, start_new_session=True,
            env=dict(os.environ, TMPDIR=self.profile.name))
        try:
            self.base = "http://127.0.0.1:%d" % self.port()
            self.open(width, height)
        except BaseException:
            self.stop()
            raise

    def port(self):
        for line in self.driver.stdout:
            found = re.search(r"successfully on port (\d+)", line)
            if found:
                return int(found.group(1))
        raise RuntimeError("chromedriver ended before it was ready")

    def open(self, width, height):
        options = {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu",
                     "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--user-data-dir=" + self.profile.name,
                     "--window-size=%d,%d" % (width, height)],
        }
        answer = self.call("POST", "/session", {"capabilities": {
            "alwaysMatch": {"goog:chromeOptions": options,
                            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.base += "/session/" + answer["sessionId"]

    def call(self, method, path, body=None, deadline=DEADLINE):
        request = urllib.request.Request(
            self.base + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=deadline) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None

    def stop(self):
        try:
            if "/session/" in getattr(self, "base", ""):
                self.call("DELETE", "", deadline=5)
        except (OSError, RuntimeError):
            pass  # it hangs, or is gone: the signal ends it
        os.killpg(self.driver.pid, signal.SIGKILL)
        self.driver.wait()
        self.driver.stdout.close()
        self.remove_profile()

    def remove_profile(self):
        # The browser's last processes may still write into it.
        for _ in range(50):
            try:
                self.profile.cleanup()
                return
            except OSError:
                time.sleep(0.1)

    # --- what a person does ---

    def visit(self, path):
        self.call("POST", "/url", {"url": "file://" + path})

    def drag(self, points):
        """Press at the first point, move through the others, let go."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y),
                  "duration": 20} for x, y in points]
        moves.insert(1, {"type": "pointerDown", "button": 0})
        moves.append({"type": "pointerUp", "button": 0})
        self.call("POST", "/actions", {"actions": [
            {"type": "pointer", "id": "mouse", "actions": moves}]})

    def point(self, x, y):
        self.call("POST", "/actions", {"actions": [
            {"type": "pointer", "id": "mouse", "actions": [
                {"type": "pointerMove", "x": round(x), "y": round(y)}]}]})

    def press(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys
                   for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [
            {"type": "key", "id": "keyboard", "actions": actions}]})

    # --- what there is to see ---

    def run(self, script, *arguments):
        return self.call("POST", "/execute/sync",
                         {"script": script, "args": list(arguments)})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])"
                        ".textContent", selector)

    def centre(self, selector):
        return self.run(
            "const b = document.querySelector(arguments[0])"
            ".getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]", selector)

    def complaints(self):
        return self.call("POST", "/se/log", {"type": "browser"})

    def theme(self, name):
        self.call("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.setEmulatedMedia",
            "params": {"features": [
                {"name": "prefers-color-scheme", "value": name}]}})

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("GET", "/screenshot")))
