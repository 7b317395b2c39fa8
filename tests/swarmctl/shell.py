"""Real nodes and real command lines. Homes are short: a socket's path has 107 bytes."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from detect import home as homes
from protocol import messages as m
from swarmctl.client import Client, is_listening

WAIT_S = 30.0
"""A slow machine's patience; nothing here takes nearly so long."""


class Shell:
    """`swarmctl` in one home, as processes."""

    def __init__(self, home: Path, **env: str) -> None:
        self.path = home
        clean = {name: value for name, value in os.environ.items() if name[:6] != "SWARM_"}
        self.env = {**clean, "SWARM_HOME": str(home), "TMPDIR": str(home), **env}
        self.home = homes.find(self.env)

    def start(self, *args, **options):
        command = [sys.executable, "-m", "swarmctl.app", *args]
        return subprocess.Popen(command, env=self.env, start_new_session=True, **options)

    def run(self, *args, stdin=b""):
        """The exit code, stdout and stderr of one command."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with self.start(*args, **pipes) as process:
            try:
                out, err = process.communicate(stdin, WAIT_S)
            finally:
                process.kill()
        return process.returncode, out.decode(), err.decode()

    def json(self, *args):
        """The objects that a command prints, one a line."""
        _, out, err = self.run(*args, "--json")
        assert err == "", err
        return [json.loads(line) for line in out.splitlines()]

    def ask(self, question, answer):
        """Ask the broker, without a process between."""
        with Client(self.home) as client:
            return client.ask(question, answer)

    @property
    def is_up(self):
        return is_listening(self.home)

    def jobs(self):
        return self.ask(m.Jobs(), m.JobList).jobs


def eventually(condition, within_s=WAIT_S):
    """Look again until it holds; an error when it does not in time."""
    pause = threading.Event()
    for _ in range(int(within_s / 0.02)):
        if result := condition():
            return result
        pause.wait(0.02)
    raise AssertionError(f"{condition} did not come about in {within_s} s")


def is_running(pid):
    """Whether a process is there; one that has ended and waits to be reaped is not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
