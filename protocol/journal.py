"""The journal's file, as its writer and its readers both know it: tables, rows, and their checks.

One SQLite file in WAL mode in the node's state folder. The broker alone writes it; `swarmctl jobs`
reads it while no broker runs. Bodies are MessagePack, checked by a CRC-32 that starts from the
job's number, so that a flipped bit or a body in a wrong row is seen. SQLite itself checks only its
own structure.

    jobs      a row for each accepted job, numbered in the order of acceptance
    ballots   the latest ballot of each seat: attempts only count upwards
    votes     what came of each seat, in order; dropped where the verdict says it all
    verdicts  a row for each result, with its votes
    heard     the results that a client has said ACK for
"""

import zlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from protocol import messages as m
from protocol.ids import JobId, Seat
from protocol.records import (
    BallotIssued,
    JobAccepted,
    Record,
    SeatGivenUp,
    VerdictGiven,
    VerdictHeard,
    VoteCounted,
)
from protocol.verbatim import whole

FILE = "journal.db"
"""In the node's state folder."""

VERSION = 1
"""`PRAGMA user_version`. A change of tables is a new number and a step that makes the new of the
old; new fields in a body need none."""

PAGE_BYTES = 8192
"""Two to three jobs of 2 kB a page: with SQLite's 4096 each would take a page of its own, and a
batch costs half as much again (measured, batches of 32)."""

SCHEMA = """
CREATE TABLE jobs(
    n INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE, accepted REAL NOT NULL,
    body BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE ballots(
    n INTEGER NOT NULL, seat INTEGER NOT NULL, seed INTEGER NOT NULL, attempt INTEGER NOT NULL,
    voter TEXT NOT NULL, PRIMARY KEY(n, seat)) WITHOUT ROWID;
CREATE TABLE votes(
    n INTEGER NOT NULL, place INTEGER NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY(n, place)) WITHOUT ROWID;
CREATE TABLE verdicts(
    n INTEGER PRIMARY KEY, given REAL NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE heard(n INTEGER PRIMARY KEY);
"""
"""`accepted` and `given` are seconds of the wall clock: for people, and for keeping."""

UNFINISHED = """
SELECT n, accepted, body, crc FROM jobs WHERE n NOT IN (SELECT n FROM verdicts) ORDER BY n"""

UNFINISHED_BODIES = "SELECT n, body, crc FROM jobs WHERE n NOT IN (SELECT n FROM verdicts)"

UNFINISHED_VOTES = """
SELECT n, body, crc FROM votes WHERE n NOT IN (SELECT n FROM verdicts) ORDER BY n, place"""

UNFINISHED_BALLOTS = """
SELECT n, seat, seed, attempt, voter FROM ballots
WHERE n NOT IN (SELECT n FROM verdicts) ORDER BY n, seat"""

BY_JOB = "SELECT n, accepted, body, crc FROM jobs WHERE job = ?"
BALLOTS = "SELECT seat, seed, attempt, voter FROM ballots WHERE n = ? ORDER BY seat"
VOTES = "SELECT body, crc FROM votes WHERE n = ? ORDER BY place"
VERDICT = "SELECT n IN (SELECT n FROM heard), body, crc FROM verdicts WHERE n = ?"

NEWEST = "SELECT job FROM jobs ORDER BY n DESC LIMIT ?"
ACCEPTED = "SELECT accepted FROM jobs WHERE job = ?"
COUNT = "SELECT count(*) FROM jobs"

encode = msgspec.msgpack.Encoder().encode
_accepted = msgspec.msgpack.Decoder(JobAccepted).decode
_ended = msgspec.msgpack.Decoder(VoteCounted | SeatGivenUp).decode
_verdict = msgspec.msgpack.Decoder(m.Verdict).decode


class Damaged(Exception):
    """A body is not what was written."""


def crc_of(body: bytes, n: int) -> int:
    """The check of a body in a row of job number `n`."""
    return zlib.crc32(body, n & 0xFFFFFFFF)


def check(body: Any, crc: int, n: int) -> None:
    """Raises Damaged when a body is not what was written into this row."""
    if not isinstance(body, bytes) or crc_of(body, n) != crc:
        raise Damaged(f"a body of job {n} differs from its check")


def _checked(decode: Any, body: bytes, crc: int, n: int) -> Any:
    check(body, crc, n)
    try:
        return decode(body)
    except ValueError as error:
        raise Damaged(f"a body of job {n}: {error}") from None


def life(
    n: int,
    accepted: tuple[bytes, int],
    ballots: Iterable[tuple[int, int, int, str]],
    votes: Iterable[tuple[bytes, int]],
    verdict: tuple[int, bytes, int] | None,
) -> list[Record]:
    """What is known of one job, from its rows, as `broker.restore` takes it.

    Votes before ballots: they open the seats that later ballots are for. Raises Damaged.
    """
    first: JobAccepted = _checked(_accepted, *accepted, n)
    job = first.submit.job
    records: list[Record] = [first]
    records += [_checked(_ended, *vote, n) for vote in votes]
    records += [
        BallotIssued(job, voter, (m.BallotSeat(Seat(seat), seed, attempt),))
        for seat, seed, attempt, voter in ballots
    ]
    if verdict is not None:
        heard, body, crc = verdict
        records.append(VerdictGiven(whole(_checked(_verdict, body, crc, n))))
        records += [VerdictHeard(job)] if heard else []
    return records


def read(
    db: Any, job: JobId, unwritten: Mapping[int, tuple[int, bytes, int]] = MappingProxyType({})
) -> list[Record]:
    """One job's records, through an open sqlite3 connection; none when it is not there.

    `unwritten`: rows of verdicts, by job number, that wait to be written.
    Raises Damaged, and whatever the connection raises.
    """
    row = db.execute(BY_JOB, (job,)).fetchone()
    if row is None:
        return []
    n, _, body, crc = row
    votes = db.execute(VOTES, (n,)).fetchall()
    ballots = db.execute(BALLOTS, (n,)).fetchall()
    verdict = db.execute(VERDICT, (n,)).fetchone() or unwritten.get(n)
    return life(n, (body, crc), ballots, votes, verdict)


def job_of(records: Iterable[Record]) -> JobId:
    """The job of a life."""
    return next(r.submit.job for r in records if isinstance(r, JobAccepted))
