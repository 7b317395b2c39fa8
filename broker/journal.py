"""The journal's one writer: records in, one transaction a turn, lives of jobs out.

What write() took is in the system's page cache and outlives the process, however it dies; only a
power cut needs more. So `process` commits without fsync (synchronous=NORMAL: SQLite syncs at its
checkpoints, the file stays intact) and `power` with one a turn (FULL).
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import Any

from broker.checkpoint import FOLD_BYTES, LOG_PAGES_MAX, Checkpoint
from broker.kept import FORGET_MAX
from broker.restore import Finished
from protocol import journal as file
from protocol.ids import JobId
from protocol.records import (
    BallotIssued,
    JobAccepted,
    JobsForgotten,
    Record,
    SeatGivenUp,
    VerdictGiven,
    VerdictHeard,
    VoteCounted,
)
from protocol.verbatim import brief

_SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}
"""By durability."""

HEARD_MAX = 512
"""ACKs that wait for a commit to go with: to lose them only keeps results a little longer."""

BUSY_S = 0.5
"""Somebody else has the file open and writes it: we do not wait for him as for a disk."""

CACHE_KIB = 512
"""Pages that SQLite holds: it appends, and reads back next to nothing while it runs."""

_INSERTS = {
    "jobs": "INSERT INTO jobs VALUES(?, ?, ?, ?, ?)",
    "ballots": "INSERT OR REPLACE INTO ballots VALUES(?, ?, ?, ?, ?)",
    "votes": "INSERT INTO votes VALUES(?, ?, ?, ?)",
    "verdicts": "INSERT INTO verdicts VALUES(?, ?, ?, ?)",
    "heard": "INSERT OR IGNORE INTO heard SELECT n FROM jobs WHERE job = ?",
}


class Journal:
    """An open journal. `put` collects what a turn writes; `commit` makes it safe, or raises."""

    def __init__(self, path: Path, durability: str) -> None:
        """`path`: a whole journal, as `broker.journal_file` leaves it; process or power."""
        self.path = path
        self._db = connect(path)
        self._db.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        self._next = self._one("SELECT coalesce(max(n), 0) + 1 FROM jobs")
        self._open: dict[JobId, int] = {}  # unfinished jobs' numbers
        self._places: dict[int, int] = {}  # rows of `votes` that such a number has, if any
        self._jobs: list[tuple[Any, ...]] = []
        self._ballots: list[tuple[Any, ...]] = []
        self._votes: dict[int, list[tuple[int, VoteCounted | SeatGivenUp]]] = {}  # by job number
        self._verdicts: list[tuple[Any, ...]] = []
        self._heard: list[tuple[JobId]] = []
        self._forgotten: list[JobId] = []
        self._waits = False  # something has been put that a send depends on
        self._checkpoint = Checkpoint(path)
        self._unfolded_bytes = 0  # of bodies, since the last checkpoint

    def close(self) -> None:
        """Write what is left, as far as there is room, and fold the log into the file."""
        try:
            self.commit(lazily=False)
        finally:
            self._checkpoint.end()
            self._db.close()

    def _one(self, sql: str, *values: Any) -> Any:
        return self._db.execute(sql, values).fetchone()[0]

    # ------------------------------------------------------------ writing

    def put(self, record: Record) -> None:
        """Write this at the next commit."""
        match record:
            case BallotIssued():
                n = self._open[record.job]
                voter = record.voter
                self._ballots += [(n, s.seat, s.seed, s.attempt, voter) for s in record.seats]
            case VoteCounted() | SeatGivenUp():
                self._put_vote(record)
            case VerdictGiven():
                self._put_verdict(record)
            case JobAccepted():
                self._put_job(record)
            case VerdictHeard():
                self._heard.append((record.job,))
                return
            case JobsForgotten():
                self._forgotten += record.jobs
                return
        self._waits = True

    def _put_job(self, record: JobAccepted) -> None:
        submit = record.submit
        if self._forgotten and submit.job in self._forgotten:
            self._commit_early()  # its old rows go before the new ones come
        n, self._next = self._next, self._next + 1
        body = file.encode(record)
        self._open[submit.job] = n
        self._jobs.append((n, submit.job, time.time(), body, file.crc_of(body, n)))
        self._unfolded_bytes += len(body)

    def _commit_early(self) -> None:
        """Make safe what was put by now; where that fails, so does the turn's own commit."""
        with contextlib.suppress(sqlite3.Error):
            self.commit()

    def _put_vote(self, record: VoteCounted | SeatGivenUp) -> None:
        n = self._open[record.job]
        place = self._places.get(n, 0)
        self._votes.setdefault(n, []).append((place, record))
        self._places[n] = place + 1

    def _put_verdict(self, record: VerdictGiven) -> None:
        verdict = record.verdict
        n = self._open.pop(verdict.job)
        self._places.pop(n, None)
        self._votes.pop(n, None)  # of this turn: the verdict holds them too
        body = file.encode(brief(verdict))
        self._verdicts.append((n, time.time(), body, file.crc_of(body, n)))
        self._unfolded_bytes += len(body)

    @property
    def waits(self) -> bool:
        """Has something been put that a send depends on?"""
        return self._waits

    @property
    def unwritten(self) -> tuple[JobId, ...]:
        """Accepted jobs that are not in the file yet."""
        return tuple(row[1] for row in self._jobs)

    def withdraw(self, jobs: tuple[JobId, ...]) -> None:
        """These jobs were never accepted after all: write nothing of them."""
        gone = {row[0] for row in self._jobs if row[1] in jobs}
        for job in jobs:
            if (n := self._open.pop(job, None)) is not None:
                self._places.pop(n, None)
        self._jobs = [row for row in self._jobs if row[0] not in gone]
        self._ballots = [row for row in self._ballots if row[0] not in gone]
        self._verdicts = [row for row in self._verdicts if row[0] not in gone]
        self._votes = {n: rows for n, rows in self._votes.items() if n not in gone}

    def commit(self, lazily: bool = True) -> bool:
        """Make safe what was put, in one transaction; True when there was something.

        `lazily`: what nothing depends on may wait for the next one. Raises sqlite3.Error, and then
        has changed nothing: the same records are tried again by the next commit.
        """
        lazy = bool(self._forgotten) or len(self._heard) > (HEARD_MAX if lazily else 0)
        if not self._waits and not lazy:
            return False
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._write()
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite ends it by itself when the disk is full
                self._db.execute("ROLLBACK")
            raise
        self._clear()
        if self._unfolded_bytes > FOLD_BYTES:
            self._unfolded_bytes = 0
            self._checkpoint.begin()
        return True

    def _write(self) -> None:
        many = self._db.executemany
        if self._jobs:
            many(_INSERTS["jobs"], self._jobs)
        if self._ballots:
            many(_INSERTS["ballots"], self._ballots)
        if self._votes:
            many(_INSERTS["votes"], self._vote_rows())
        if self._verdicts:
            many(_INSERTS["verdicts"], self._verdicts)
        if self._heard:
            many(_INSERTS["heard"], self._heard)
        if self._forgotten:
            self._forget()

    def _vote_rows(self) -> Iterator[tuple[int, int, bytes, int]]:
        """Encoded only now: most votes that decide are dropped for their verdict before."""
        for n, votes in self._votes.items():
            for place, record in votes:
                body = file.encode(record)
                yield n, place, body, file.crc_of(body, n)

    def _forget(self) -> None:
        for first in range(0, len(self._forgotten), FORGET_MAX):
            jobs = self._forgotten[first : first + FORGET_MAX]
            found = self._db.execute(f"SELECT n FROM jobs WHERE job IN ({_marks(jobs)})", jobs)  # noqa: S608
            numbers = [n for (n,) in found]
            for table in ("ballots", "votes", "heard", "verdicts", "jobs"):
                self._db.execute(f"DELETE FROM {table} WHERE n IN ({_marks(numbers)})", numbers)  # noqa: S608

    def _clear(self) -> None:
        self._waits = False
        self._jobs.clear()
        self._ballots.clear()
        self._votes.clear()
        self._verdicts.clear()
        self._heard.clear()
        self._forgotten.clear()

    # ------------------------------------------------------------ reading

    def unfinished(self) -> Iterator[tuple[float, list[Record]]]:
        """The life of each job without a verdict, and how many seconds ago it was accepted.

        From here on they may be written about. Raises protocol.journal.Damaged.
        """
        wall = time.time()
        votes = _by_job(self._db.execute(file.UNFINISHED_VOTES))
        ballots = _by_job(self._db.execute(file.UNFINISHED_BALLOTS))
        for n, accepted, body, crc in self._db.execute(file.UNFINISHED):
            ended = votes.get(n, [])
            records = file.life(n, (body, crc), ballots.get(n, []), ended, None)
            self._open[file.job_of(records)] = n
            if ended:
                self._places[n] = len(ended)
            yield max(0.0, wall - accepted), records

    def finished(self) -> list[Finished]:
        """The results that are kept, oldest first, without their texts."""
        rows = self._db.execute(
            "SELECT job, length(jobs.body) + length(verdicts.body), given, "
            "n IN (SELECT n FROM heard) "
            "FROM verdicts JOIN jobs USING(n) ORDER BY given"
        )
        wall = time.time()
        return [
            Finished(JobId(job), size, max(0.0, wall - given), bool(heard))
            for job, size, given, heard in rows
        ]

    def fetch(self, job: JobId) -> tuple[Record, ...]:
        """A finished job's life; empty when it cannot be read.

        It may have ended in this turn, or wait for room on a full disk.
        """
        self._commit_early()
        unwritten = {n: (0, body, crc) for n, _, body, crc in self._verdicts}
        try:
            return tuple(file.read(self._db, job, unwritten))
        except (sqlite3.Error, file.Damaged):
            return ()


def _marks(values: Sized) -> str:
    return ",".join("?" * len(values))


def _by_job(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    """Rows by the job number that is first in each."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    for n, *rest in rows:
        found.setdefault(n, []).append(tuple(rest))
    return found


def connect(path: Path) -> sqlite3.Connection:
    """The file, as its writer opens it: transactions are begun and ended by name."""
    db = sqlite3.connect(path, BUSY_S, isolation_level=None, cached_statements=64)
    db.execute(f"PRAGMA page_size = {file.PAGE_BYTES}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES_MAX}")
    db.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
    return db
