"""A virtual disk with one journal on it: what is committed outlives any process, nothing else does.

It stands where broker/journal.py stands with its SQLite file: the same questions, the same
answers, and records that become bytes and come back. Its clock is the wall's, which may jump.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator

import msgspec

from broker.restore import Finished
from protocol import records as r
from protocol.ids import JobId
from tests.simulation.clock import Clock

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(r.Record).decode

COMMIT_S = 0.002
"""The longest that a commit usually takes."""

BALLAST_COMMITS = [0, 1, 20]
"""So many fit into the room of the ballast: somebody else may take it first."""

_Row = tuple[JobId, bytes]


class Disk:
    """The part of the machine that is still there after a crash."""

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self.lives: dict[JobId, list[bytes]] = {}  # accepted, then votes and seats given up
        self.ballots: dict[JobId, list[bytes]] = {}
        self.verdicts: dict[JobId, tuple[bytes, float]] = {}  # and when, by the wall's clock
        self.accepted_at: dict[JobId, float] = {}  # by the wall's clock
        self.heard: set[JobId] = set()
        self.slow = 1.0  # times the usual
        self.full = False
        self.flickers = False  # any commit may fail
        self.ballast = False
        self.room = 0  # commits that still fit on a full disk
        self.wall_jump_s = 0.0

    @property
    def wall(self) -> float:
        """Seconds by the wall's clock, which somebody may set."""
        return 1e9 + self._clock.now + self.wall_jump_s

    def commit_s(self) -> float:
        """How long the next commit takes."""
        return COMMIT_S * self.slow * self._rng.random()

    # ------------------------------------------------------------ the ballast

    def lay(self) -> bool:
        """Have it there; False when there is no room."""
        self.ballast = self.ballast or not self.full
        return self.ballast

    def drop(self) -> bool:
        """Give its room away; False when it was not there."""
        had, self.ballast = self.ballast, False
        self.room += self._rng.choice(BALLAST_COMMITS) if had else 0
        return had

    def well(self) -> None:
        """Nothing is wrong with it any more."""
        self.slow, self.full, self.flickers = 1.0, False, False

    def take_room(self) -> None:
        """For one commit. Raises as SQLite does when there is none."""
        if (self.full and not self.room) or (self.flickers and self._rng.random() < 0.5):
            raise sqlite3.OperationalError("database or disk is full")
        self.room -= bool(self.full and self.room)


class VirtualJournal:
    """One process's journal: what it has put and not committed dies with it."""

    def __init__(self, disk: Disk, committed: Callable[[list[r.Record]], None]) -> None:
        """`committed` is told of records that have just become safe."""
        self._disk = disk
        self._told = committed
        self._waiting: list[r.Record] = []
        self.last: list[r.Record] = []  # of the latest commit
        self._waits = False

    def put(self, record: r.Record) -> None:
        """Write this at the next commit."""
        self._waiting.append(record)
        self._waits |= not isinstance(record, r.VerdictHeard | r.JobsForgotten)

    @property
    def waits(self) -> bool:
        """Has something been put that a send depends on?"""
        return self._waits

    @property
    def unwritten(self) -> tuple[JobId, ...]:
        """Accepted jobs that are not on the disk yet."""
        return tuple(_job(one) for one in self._waiting if isinstance(one, r.JobAccepted))

    def withdraw(self, jobs: tuple[JobId, ...]) -> None:
        """These jobs were never accepted after all."""
        self._waiting = [record for record in self._waiting if _job(record) not in jobs]

    def commit(self, lazily: bool = True) -> bool:
        """Make safe what was put, all of it or nothing."""
        lazy = any(isinstance(record, r.JobsForgotten) for record in self._waiting)
        if not self._waits and not lazy:
            return False
        self._disk.take_room()
        self.last, self._waiting, self._waits = self._waiting, [], False
        for record in self.last:
            self._write(record)
        self._told(self.last)
        return True

    def close(self) -> None:
        """Write what is left, as far as there is room."""
        self._waits = self._waits or bool(self._waiting)
        self.commit(lazily=False)

    def _write(self, record: r.Record) -> None:
        disk, body = self._disk, _encode(record)
        match record:
            case r.JobAccepted(submit=submit):
                disk.lives[submit.job] = [body]
                disk.accepted_at[submit.job] = disk.wall
            case r.BallotIssued(job=job):
                disk.ballots.setdefault(job, []).append(body)
            case r.VerdictGiven(verdict=verdict):
                disk.verdicts[verdict.job] = body, disk.wall
            case r.VerdictHeard(job=job):
                disk.heard.add(job)
            case r.JobsForgotten(jobs=jobs):
                for job in jobs:
                    for table in (disk.lives, disk.ballots, disk.verdicts, disk.accepted_at):
                        table.pop(job, None)
                    disk.heard.discard(job)
            case _:
                disk.lives[record.job].append(body)

    # ------------------------------------------------------------ reading

    def unfinished(self) -> Iterator[tuple[float, list[r.Record]]]:
        """The life of each job without a verdict, and how long ago it was accepted."""
        disk = self._disk
        for job in list(disk.lives):
            if job not in disk.verdicts:
                yield max(0.0, disk.wall - disk.accepted_at[job]), list(self._life(job))

    def finished(self) -> list[Finished]:
        """The results that are kept, oldest first, without their texts."""
        disk = self._disk
        by_age = sorted(disk.verdicts.items(), key=lambda item: item[1][1])
        return [
            Finished(job, len(body), max(0.0, disk.wall - given), job in disk.heard)
            for job, (body, given) in by_age
        ]

    def fetch(self, job: JobId) -> tuple[r.Record, ...]:
        """A finished job's life; empty when it is not here."""
        return tuple(self._life(job))

    def _life(self, job: JobId) -> Iterator[r.Record]:
        disk = self._disk
        for body in (*disk.lives.get(job, ()), *disk.ballots.get(job, ())):
            yield _decode(body)
        if job in disk.verdicts:
            yield _decode(disk.verdicts[job][0])


def _job(record: r.Record) -> JobId | None:
    match record:
        case r.JobAccepted(submit=submit):
            return submit.job
        case r.VerdictGiven(verdict=verdict):
            return verdict.job
        case r.JobsForgotten():
            return None
        case _:
            return record.job
