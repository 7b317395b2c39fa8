"""How quickly a node gets over a death, and what a full queue costs: real processes and sockets.

    python -m benchmarks.recovery [--kills 20] [--jobs 10000] [--json]

Death: a worker that holds a seat is killed with SIGKILL; the time runs until another voter, this
program, has the seat's ballot. So noticing it took less. Queue: one client puts jobs of 2 kB
with 8 seats each, which nobody finishes; SUBMIT and STATUS are timed one at a time. Restart: that
broker is killed, and the time runs from the start of the next process.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import zmq

from benchmarks.machine import describe
from protocol import frames
from protocol import messages as m
from protocol.ids import JobId, WorkerId

PROMPT = "x" * 2000

TIMED = 500
"""SUBMIT and STATUS so often: the 99th percentile is the fifth worst."""

READY_S = 30.0

SLOW = ["--engine", "scripted", "--model", "scripted:answers=42;tokens=1000000;step_s=0.01"]


class Node:
    """A broker with one worker, in a home of its own, that dies with this program."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="swarm-"))
        self.address = f"ipc://{self.home}/run/broker.sock"
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def start(self) -> float:
        """A new broker; the moment it was asked for."""
        began = time.perf_counter()
        command = [sys.executable, "-m", "broker", "--lifeline", "--workers", "1", "--slots", "4"]
        self.process = subprocess.Popen(
            [*command, *SLOW],
            env={**os.environ, "SWARM_HOME": str(self.home)},
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return began

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdin
        self.process.stdin.close()

    def close(self) -> None:
        """End it, and remove its home."""
        self.kill()
        self.context.destroy(linger=0)
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def rss_mib(self) -> float:
        """Memory of the broker alone."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20


class Talk:
    """One connection, as a client or as a voter."""

    def __init__(self, node: Node) -> None:
        self._socket = node.context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 5)
        self._socket.connect(node.address)
        self._heard: list[Any] = []

    def say(self, *said: m.Message) -> None:
        """Send these."""
        for frame in frames.pack([frames.encode(message) for message in said]):
            self._socket.send(frame)

    def hear(self, wanted: type[Any], decode: Any = frames.to_client) -> Any:
        """The next message of this kind; those of other kinds are dropped."""
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            while self._heard:
                if isinstance(message := self._heard.pop(0), wanted):
                    return message
            if self._socket.poll(1000):
                self._heard += decode(self._socket.recv())
        raise SystemExit(f"no {wanted.__name__} came within {READY_S:.0f} s")

    def status(self) -> m.NodeReport:
        """How the node is."""
        self.say(m.Status())
        report: m.NodeReport = self.hear(m.NodeReport)
        return report

    def until_alive(self) -> None:
        """Wait for the node's worker."""
        while not any(w.state == "alive" for w in self.status().workers):
            self._socket.poll(2)


@contextlib.contextmanager
def running() -> Iterator[tuple[Node, Talk]]:
    """A node whose worker is alive, and a client of it."""
    node = Node()
    node.start()
    try:
        client = Talk(node)
        client.until_alive()
        yield node, client
    finally:
        node.close()


def seat_elsewhere_ms() -> float:
    """From kill -9 of the worker that holds a seat to the ballot at another voter."""
    with running() as (node, client):
        client.say(m.Submit(JobId("one"), PROMPT, votes=1))
        while not [w for w in client.status().workers if w.busy]:
            time.sleep(0.002)
        other = Talk(node)
        other.say(m.Ready(WorkerId("other"), 1, "scripted", "1", "scripted", "d", 4, 4096))
        while len(workers := client.status().workers) < 2:
            time.sleep(0.002)
        (pid,) = [w.pid for w in workers if w.busy]
        assert pid
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        other.hear(m.Ballot, frames.to_worker)
        return (time.perf_counter() - began) * 1000


def full_queue(jobs: int) -> dict[str, float]:
    """What so many queued jobs cost, and how long the next broker takes to have them."""
    with running() as (node, client):
        idle_mib = node.rss_mib
        few_ms = [_submit_ms(client, number) for number in range(TIMED)]
        for first in range(TIMED, jobs - TIMED, 100):
            numbers = range(first, min(first + 100, jobs - TIMED))
            client.say(*[_job(number) for number in numbers])
            for _ in numbers:
                client.hear(m.Accepted)
        many_ms = [_submit_ms(client, number) for number in range(jobs - TIMED, jobs)]
        status_ms = [_status_ms(client) for _ in range(TIMED)]
        grown_mib = node.rss_mib - idle_mib
        node.kill()
        began = node.start()
        report = client.status()
        answer_s = time.perf_counter() - began
        assert report.jobs.queued + report.jobs.running == jobs, report.jobs
        client.until_alive()
        return {
            "submit_few_p50_ms": statistics.median(few_ms),
            "submit_few_p99_ms": _p99(few_ms),
            "submit_many_p50_ms": statistics.median(many_ms),
            "submit_many_p99_ms": _p99(many_ms),
            "status_p50_ms": statistics.median(status_ms),
            "status_p99_ms": _p99(status_ms),
            "grown_mib": grown_mib,
            "restart_to_answer_s": answer_s,
            "restart_to_worker_s": time.perf_counter() - began,
        }


def _job(number: int) -> m.Submit:
    return m.Submit(JobId(f"{number:08d}"), f"{number} {PROMPT}", votes=8, timeout_s=3600)


def _submit_ms(client: Talk, number: int) -> float:
    began = time.perf_counter()
    client.say(_job(number))
    client.hear(m.Accepted)
    return (time.perf_counter() - began) * 1000


def _status_ms(client: Talk) -> float:
    began = time.perf_counter()
    client.status()
    return (time.perf_counter() - began) * 1000


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def main() -> None:
    """Measure, then print one line for each figure, or with --json one object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    elsewhere_ms = [seat_elsewhere_ms() for _ in range(args.kills)]
    result: dict[str, Any] = {
        "seat_elsewhere_median_ms": statistics.median(elsewhere_ms),
        "seat_elsewhere_max_ms": max(elsewhere_ms),
        **full_queue(args.jobs),
    }
    if args.json:
        print(json.dumps({**result, "machine": describe(), **vars(args)}))
        return
    for name, value in result.items():
        print(f"{name:28s} {value:8.2f}")
    print(describe()["text"])


if __name__ == "__main__":
    main()
