"""A daemon that is killed, and started again on the same files."""

import re
import signal
import subprocess


class Daemon:
    def __init__(self, binary, data, *contracts):
        self.process = subprocess.Popen(
            [binary, "run", *contracts, "--dapr-http-port", "0",
             "--data-dir", data, "--log-level", "error"],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if not found:
            raise SystemExit(f"no ready line, but '{line.strip()}'")
        self.port = int(found[1])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=20) == 0, "a clean stop ends with 0"
        self.process.stdout.close()
