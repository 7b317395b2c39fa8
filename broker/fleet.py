"""The workers that this broker starts and keeps: how many, which are up, when to try again.

starting -> running -> (exit) -> backing off -> starting …
                              -> failed        the circuit is open: the reason says why
running  -> leaving -> (exit) -> forgotten     asked to by `scale` or `down`
"""

from typing import Literal

import msgspec

from protocol.ids import WorkerId

WORKERS_MAX = 64
"""Worker processes of one node: above any machine's devices; a typing error does not fork-bomb."""

BACKOFF_S, BACKOFF_S_MAX = 0.25, 30.0
"""The first restart is quick, since most deaths are single; each further one waits twice as
long."""

FAILURES_MAX = 5
"""So many ends in a row, none after STABLE_S of service, open the circuit."""

STABLE_S = 60.0
"""A worker that served for so long has shown that it can: its next end counts as the first."""

State = Literal["starting", "running", "backing off", "failed", "leaving"]


class Child(msgspec.Struct):
    """One worker that we start."""

    worker: WorkerId
    state: State = "starting"
    pid: int | None = None
    failures: int = 0  # in a row
    restarts: int = 0
    ready_at: float | None = None
    restart_at: float | None = None
    reason: str = ""


class Fleet:
    """Children by name: w1, w2, …"""

    def __init__(self) -> None:
        self.children: dict[WorkerId, Child] = {}

    def wanted(self) -> int:
        """Children that are to stay."""
        return sum(child.state != "leaving" for child in self.children.values())

    def grow(self, count: int) -> list[WorkerId]:
        """Make children until `count` are there; the names to start, failed ones tried anew."""
        start = []
        for child in self.children.values():
            if child.state == "failed":
                child.state, child.failures, child.reason = "starting", 0, ""
                start.append(child.worker)
        number = 0
        while self.wanted() < min(count, WORKERS_MAX):
            number += 1
            name = WorkerId(f"w{number}")
            if name not in self.children:
                self.children[name] = Child(name)
                start.append(name)
        return start

    def shrink(self, count: int) -> list[Child]:
        """Mark the children beyond `count`, failed ones and the newest first, as leaving."""
        staying = [child for child in self.children.values() if child.state != "leaving"]
        staying.sort(key=lambda child: (child.state != "failed", -_number(child.worker)))
        leaving = staying[: max(0, len(staying) - count)]
        for child in leaving:
            child.state = "leaving"
            if child.pid is None:
                del self.children[child.worker]
        return leaving

    def started(self, worker: WorkerId, pid: int) -> None:
        """The process is there."""
        if child := self.children.get(worker):
            child.pid = pid

    def ready(self, worker: WorkerId, now: float) -> None:
        """It has answered a real request."""
        child = self.children.get(worker)
        if child and child.state == "starting":
            child.state, child.ready_at, child.reason = "running", now, ""

    def exited(self, worker: WorkerId, cause: str, final: bool, asked: bool, now: float) -> None:
        """Its process has ended; decide whether and when it starts again."""
        child = self.children.get(worker)
        if child is None or child.state in ("backing off", "failed"):
            return
        child.pid = None
        if child.state == "leaving":
            del self.children[worker]
            return
        served_s = now - child.ready_at if child.ready_at is not None else 0.0
        child.failures = 1 if served_s >= STABLE_S else child.failures + 1
        child.ready_at = None
        child.reason = child.reason or ("it left by itself" if asked else cause)
        if final or child.failures >= FAILURES_MAX:
            child.state = "failed"
            return
        child.state = "backing off"
        child.restart_at = now + min(BACKOFF_S_MAX, BACKOFF_S * 2 ** (child.failures - 1))

    def due(self, now: float) -> list[WorkerId]:
        """Children whose wait is over: they are starting from here on."""
        due = [
            c for c in self.children.values() if c.restart_at is not None and c.restart_at <= now
        ]
        for child in due:
            child.state, child.restart_at = "starting", None
            child.restarts += 1
            child.reason = ""
        return [child.worker for child in due]

    def on_its_way(self) -> bool:
        """Is there a child that will become a voter, with whatever model it has?"""
        return any(c.state in ("starting", "backing off") for c in self.children.values())

    def hopeful(self) -> bool:
        """Is there a child that may be a voter, now or soon?"""
        return any(c.state not in ("failed", "leaving") for c in self.children.values())

    def reasons(self) -> str:
        """Why the failed ones failed, once each."""
        failed = (c.reason for c in self.children.values() if c.state == "failed")
        return "; ".join(dict.fromkeys(failed))

    def check(self) -> None:
        """Assert what must always hold of the children."""
        assert len(self.children) <= 2 * WORKERS_MAX
        for child in self.children.values():
            assert (child.restart_at is not None) == (child.state == "backing off")
            assert child.state != "failed" or child.reason, "failed without a reason"
            assert child.pid is None or child.state in ("starting", "running", "leaving")


def _number(worker: WorkerId) -> int:
    return int(worker[1:])
