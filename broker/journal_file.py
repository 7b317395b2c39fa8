"""The journal's file at start: made, checked, and, if damaged, set aside under a dated name.

Never silently replaced: a damaged file stays beside the new one, is named on stderr and by
`status`, and what can be read of it is carried over.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from broker.ballast import Ballast
from broker.core import Broker
from broker.events import Write
from broker.journal import Journal, connect
from broker.wal import loses_commits
from protocol import journal as file

_BESIDE = ("", "-wal", "-shm")
"""What SQLite keeps for one file, by ending."""


HELD_S = 5.0
"""How long to wait for somebody else who holds the file, such as a backup, before giving up."""


COMPACT_BYTES = 64 << 20
"""Of free pages, from which on a start gives them back to the system, if they are most of the file.
While a broker runs they are used again, so the file is as large as what was kept at once; what is
copied is less than what is given back."""


class NewerJournal(Exception):
    """The file was written by a later version, which may mean by it what we do not know."""


def opened(folder: Path, durability: str) -> tuple[Journal, tuple[str, ...]]:
    """The journal in this folder, ready to be written, and notes for the user.

    On a full disk the ballast is given up for it. Raises as `prepare` does.
    """
    try:
        path, notes = prepare(folder)
        return Journal(path, durability), notes
    except sqlite3.OperationalError:
        if not Ballast(folder).drop():
            raise
    path, notes = prepare(folder)
    return Journal(path, durability), notes


def take_up(core: Broker, journal: Journal, now: float) -> int:
    """Restore a new core from the journal; how many unfinished jobs there are."""
    lives = list(journal.unfinished())
    ages_s = {file.job_of(records): age_s for age_s, records in lives}
    records = [record for _, life in lives for record in life]
    for action in core.restore(records, now, ages_s, journal.finished()):
        if isinstance(action, Write):  # nobody is there yet to be told anything
            journal.put(action.record)
    journal.commit()
    return len(lives)


def prepare(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """A whole journal in this folder, made if need be; its path, and notes for the user.

    Raises NewerJournal, and sqlite3.Error or OSError when none can be had, as on a full disk.
    """
    path = folder / file.FILE
    if not path.exists():
        path.with_name(path.name + "-wal").unlink(missing_ok=True)
        _make(path)
        return path, ()
    reason = _damage(path)
    if not reason:
        _compact(path)
        return path, ()
    aside = _set_aside(path)
    _make(path)
    carried, lost = _carry_over(aside, path)
    note = (
        f"the journal was damaged ({reason}); it was set aside as {aside.name}, and "
        f"{carried} jobs that could be read were carried over, {lost} could not"
    )
    return path, (note,)


def _make(path: Path) -> None:
    with closing(connect(path)) as db:
        db.executescript(f"BEGIN;{file.SCHEMA}PRAGMA user_version = {file.VERSION};COMMIT")
    path.chmod(0o600)


def _damage(path: Path) -> str:
    """What is wrong with the file; empty when nothing is."""
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and loses_commits(wal.read_bytes()):
        return "its log is broken in the middle"
    try:
        with closing(sqlite3.connect(path, HELD_S)) as db:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                return str(verdict).splitlines()[-1][:120]
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > file.VERSION:
                raise NewerJournal(f"{path} is of version {version}, we know {file.VERSION}")
            # Of results only when they are asked for: those of a week would take their time.
            for sql in (file.UNFINISHED_BODIES, file.UNFINISHED_VOTES):
                for n, body, crc in db.execute(sql):
                    file.check(body, crc, n)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise  # the disk, or somebody who holds the file; a file without our tables is damaged
        return str(error)
    except (sqlite3.DatabaseError, file.Damaged) as error:
        return str(error)
    return ""


def _compact(path: Path) -> None:
    """Give back the room of results that were forgotten, where it is worth a copy of the rest."""
    with closing(connect(path)) as db:
        total, free, page = (
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        if free * page >= COMPACT_BYTES and free * 2 > total:
            with suppress(sqlite3.Error):  # for want of room: it stays as it is
                db.execute("VACUUM")


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"journal-damaged-{stamp}.db")
    while aside.exists():
        aside = aside.with_name(f"{aside.stem}-again.db")
    for ending in _BESIDE:
        old = path.with_name(path.name + ending)
        if old.exists():
            old.rename(aside.with_name(aside.name + ending))
    return aside


def _carry_over(old: Path, new: Path) -> tuple[int, int]:
    """Copy every job that can be read; how many could, and how many seen could not.

    A result that cannot be read is copied as it stands: it is then known that the job has ended,
    and it will not be computed again.
    """
    with (
        closing(sqlite3.connect(f"{old.as_uri()}?mode=ro", uri=True)) as source,
        closing(connect(new)) as target,
    ):
        target.execute("BEGIN")
        carried = lost = 0
        for row in _rows(source, "SELECT * FROM jobs ORDER BY n"):
            if _copy(source, target, row):
                carried += 1
            else:
                lost += 1
        target.execute("COMMIT")
    return carried, lost


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, job: Any) -> bool:
    n, _, _, body, crc = job
    if not isinstance(body, bytes) or file.crc_of(body, n) != crc:
        return False
    try:
        target.execute("INSERT INTO jobs VALUES(?, ?, ?, ?, ?)", job)
    except sqlite3.IntegrityError:
        return False
    votes = "SELECT * FROM votes WHERE n = ? ORDER BY place"
    for place, row in enumerate(_rows(source, votes, n)):
        if row[1] != place or file.crc_of(row[2], n) != row[3]:
            break  # and none of those that came after it: their seats are asked again
        target.execute("INSERT INTO votes VALUES(?, ?, ?, ?)", row)
    for row in _rows(source, "SELECT * FROM ballots WHERE n = ?", n):
        target.execute("INSERT OR IGNORE INTO ballots VALUES(?, ?, ?, ?, ?)", row)
    for row in _rows(source, "SELECT * FROM verdicts WHERE n = ?", n):
        target.execute("INSERT OR IGNORE INTO verdicts VALUES(?, ?, ?, ?)", row)
    for row in _rows(source, "SELECT n FROM heard WHERE n = ?", n):
        target.execute("INSERT OR IGNORE INTO heard VALUES(?)", row)
    return True


def _rows(db: sqlite3.Connection, sql: str, *values: Any) -> Iterator[Any]:
    """Rows up to the first that SQLite cannot read."""
    try:
        yield from db.execute(sql, values)
    except (sqlite3.Error, UnicodeDecodeError):
        return
