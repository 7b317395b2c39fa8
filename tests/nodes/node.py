"""A real node for tests: a broker process in a home of its own, and one client of it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import zmq

from protocol import frames
from protocol import messages as m
from protocol.ids import JobId

PATIENCE_S = 20.0  # far above what a healthy node takes; a test that needs it fails


class Node:
    """Started by `start`; everything it started is ended by `close`."""

    def __init__(self, *arguments: str, home: Path | None = None) -> None:
        # Short, since a socket's path is: pytest's own folders are too long on some machines.
        self.home = home or Path(tempfile.mkdtemp(prefix="swarm-"))
        self.arguments = arguments
        self.before: tuple[str, ...] = ()  # what the broker is started by
        self.context = zmq.Context()
        self.jobs = 0
        self.process: subprocess.Popen[str] | None = None
        self.stderr = self.home / "stderr.txt"

    @property
    def env(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SWARM_")}
        return {**clean, "SWARM_HOME": str(self.home)}

    def start(self) -> "Node":
        self.start_again()
        self.dial()
        return self

    def start_again(self) -> None:
        """A new broker for the same home; the client finds it by itself."""
        self._let_go()
        # The lifeline: a test run that is killed leaves no node behind.
        command = [*self.before, sys.executable, "-m", "broker", "--lifeline", *self.arguments]
        with self.stderr.open("a") as log:
            self.process = subprocess.Popen(
                command, env=self.env, stdin=subprocess.PIPE, stderr=log, text=True
            )

    def _let_go(self) -> None:
        """Close our end of the lifeline of a process that has ended, or is to end."""
        if self.process and self.process.stdin:
            self.process.stdin.close()

    def dial(self) -> None:
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.set(zmq.LINGER, 0)
        self.socket.connect(f"ipc://{self.home}/run/broker.sock")
        self.heard: list[Any] = []

    def close(self) -> None:
        self.socket.close()
        self.context.term()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._let_go()
        shutil.rmtree(self.home, ignore_errors=True)

    # ------------------------------------------------------------ talking

    def say(self, *messages: m.Message) -> None:
        for frame in frames.pack([frames.encode(message) for message in messages]):
            self.socket.send(frame)

    def receive(self) -> list[Any]:
        """What has come, in one frame."""
        return frames.to_client(self.socket.recv())

    def hear(self, wanted: type, patience_s: float = PATIENCE_S) -> Any:
        """The next message of this kind; others are kept for later."""
        end = time.monotonic() + patience_s
        while True:
            for i, message in enumerate(self.heard):
                if isinstance(message, wanted):
                    return self.heard.pop(i)
            left = end - time.monotonic()
            came = left > 0 and self.socket.poll(left * 1000)
            assert came, f"no {wanted.__name__} came"
            self.heard += frames.to_client(self.socket.recv())

    def status(self) -> m.NodeReport:
        self.say(m.Status())
        return self.hear(m.NodeReport)

    def submit(self, prompt: str = "How many?", **fields: Any) -> JobId:
        self.jobs += 1
        job = JobId(f"job-{self.jobs}")
        self.say(m.Submit(job, prompt, **fields))
        return job

    def ask(self, prompt: str = "How many?", **fields: Any) -> m.Verdict:
        self.submit(prompt, **fields)
        return self.hear(m.Verdict)

    def until(self, condition: Callable[[m.NodeReport], bool], what: str) -> m.NodeReport:
        """Ask for the status until it is so."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            report = self.status()
            if condition(report):
                return report
            self.socket.poll(20)
        raise AssertionError(f"never {what}: {report}\n{self.stderr.read_text()}")

    def ready(self, workers: int = 1) -> m.NodeReport:
        return self.until(
            lambda r: sum(w.state == "alive" for w in r.workers) == workers, "every worker ready"
        )

    # ------------------------------------------------------------ processes

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def worker_pids(self) -> list[int]:
        return [w.pid for w in self.status().workers if w.pid]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        assert self.process
        return self.process.wait(PATIENCE_S)


@contextlib.contextmanager
def running(*arguments: str, workers: int = 1, home: Path | None = None) -> Iterator[Node]:
    """A node whose workers are ready."""
    count = [] if "--workers" in arguments else ["--workers", str(workers)]
    node = Node(*count, *arguments, home=home).start()
    try:
        node.ready(workers)
        yield node
    finally:
        node.close()


def scripted(script: str, slots: int = 4) -> list[str]:
    return ["--engine", "scripted", "--model", f"scripted:{script}", "--slots", str(slots)]


def gone(pid: int, within_s: float = PATIENCE_S) -> bool:
    """Has the process ended, or does it within this time? One that nobody reaps has ended too."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
            psutil.Process(pid).wait(0.01)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            return True
    return False


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


@contextlib.contextmanager
def newcomer(node: Node) -> Iterator[Node]:
    """Another client of a running node."""
    other = Node(home=node.home)
    other.jobs = 1000  # its jobs have other names
    other.dial()
    try:
        yield other
    finally:
        other.socket.close()
        other.context.term()
