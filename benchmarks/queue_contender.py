"""Our node as one contender of the queue benchmark: no-op jobs through real processes.

It brings up a broker and its workers with the scripted engine in a home of its own, and is
measured by the harness's own `qb.measure`, like all others. It is run by `benchmarks.queue`.
"""

import os
import subprocess
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import zmq

from protocol import frames
from protocol import messages as m
from protocol.ids import JobId

SLOTS = 32
"""Of each worker: the harness's raw contender gives each of its workers a credit of 32."""

READY_S = 30.0


class Client:
    """One client of the node, with many jobs in flight."""

    def __init__(self, address: str, acks: bool = False) -> None:
        """`acks`: say for each verdict, with the next question, that it need not be kept."""
        self._acks = acks
        self._heard: list[JobId] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        for option in (zmq.SNDHWM, zmq.RCVHWM, zmq.LINGER):  # as the raw contender
            self._socket.setsockopt(option, 0)
        self._socket.connect(address)
        self._prefix = f"{os.getpid():08d}-bench"
        self._count = 0

    def say(self, *messages: m.Message) -> None:
        """Send these in one frame, after what was heard meanwhile."""
        if self._heard:
            messages = (m.Ack(tuple(self._heard)), *messages)
            self._heard.clear()
        for frame in frames.pack([frames.encode(message) for message in messages]):
            self._socket.send(frame)

    def hear(self) -> list[Any]:
        """Whatever has come; waits for the first."""
        heard: list[Any] = frames.to_client(self._socket.recv())
        while int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
            heard += frames.to_client(self._socket.recv())
        return heard

    def _submit(self, prompt: str) -> m.Submit:
        self._count += 1
        job = JobId(f"{self._prefix}-{self._count:012d}")
        return m.Submit(job, prompt, votes=1, answer="text")

    def one(self, prompt: str) -> str:
        """One job; its verdict's text."""
        self.say(self._submit(prompt))
        while True:
            for verdict in self._verdicts():
                return verdict.votes[0].text

    def many(self, count: int, prompt: str, window: int) -> int:
        """So many jobs with at most `window` in flight; the number of verdicts."""
        sent = got = 0
        while got < count:
            room = min(count - sent, window - (sent - got))
            if room:
                self.say(*(self._submit(prompt) for _ in range(room)))
                sent += room
            got += len(self._verdicts())
        return got

    def _verdicts(self) -> list[m.Verdict]:
        verdicts = _verdicts(self.hear())
        if self._acks:
            self._heard += [verdict.job for verdict in verdicts]
        return verdicts

    def ready(self, workers: int) -> m.NodeReport:
        """Wait until so many workers are proven."""
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            self.say(m.Status())
            (report,) = self.hear()
            if sum(worker.state == "alive" for worker in report.workers) == workers:
                return report  # type: ignore[no-any-return]
            time.sleep(0.05)
        raise SystemExit(f"the workers did not get ready: {report}")

    def close(self) -> None:
        """End the conversation."""
        self._socket.close()
        self._context.term()


def _verdicts(heard: list[Any]) -> list[m.Verdict]:
    for message in heard:
        if isinstance(message, m.Rejected):
            raise SystemExit(f"rejected: {message.problem}")
    return [message for message in heard if isinstance(message, m.Verdict)]


def main() -> None:
    """`queue_contender PEERS [DURABILITY]`: PEERS is the folder of the harness."""
    peers, durability = [*sys.argv[1:], "none"][:2]
    sys.path.insert(0, peers)
    qb = import_module("qb")
    home = Path(qb.tmp()) / "home"
    settings = {"SWARM_HOME": str(home), "SWARM_DURABILITY": durability}
    command = [sys.executable, "-m", "broker", "--workers", str(qb.WORKERS), "--slots", str(SLOTS)]
    node = qb.child(
        [*command, "--engine", "scripted", "--model", "scripted:echo"],
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
    )
    client = Client(f"ipc://{home}/run/broker.sock", acks=durability != "none")
    try:
        client.ready(qb.WORKERS)
        qb.measure(
            client.one,
            client.many,
            text=True,
            versions={name: version(name) for name in ("local-swarm", "pyzmq", "msgspec")},
            settings=f"ipc, {SLOTS} slots a worker, durability {durability}",
            broker_pid=node.pid,
        )
    finally:
        client.close()
        qb.stop_children()


if __name__ == "__main__":
    main()
