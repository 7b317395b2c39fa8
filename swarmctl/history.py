"""The node's journal, read while no broker runs. It is never written from here. Shell."""

import contextlib
import sqlite3
from collections.abc import Iterator
from time import time

from detect.home import Home
from protocol import journal as file
from protocol import messages as m
from protocol.ids import JobId
from swarmctl import life
from swarmctl.exits import Exit, Failure, NoBroker


class History:
    """An open journal."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def jobs(self, limit: int) -> m.JobList:
        """The newest jobs first. One that cannot be read is left out, and counted as more."""
        rows = []
        now = time()
        for (job,) in self._db.execute(file.NEWEST, (limit,)).fetchall():
            with contextlib.suppress(file.Damaged):
                (accepted,) = self._db.execute(file.ACCEPTED, (job,)).fetchone()
                rows.append(life.row(file.read(self._db, JobId(job)), max(0.0, now - accepted)))
        (count,) = self._db.execute(file.COUNT).fetchone()
        return m.JobList(tuple(rows), more=count - len(rows))

    def job(self, job: str) -> m.JobReport:
        """One job's life. Raises Failure when it is not there, or cannot be read."""
        try:
            records = file.read(self._db, JobId(job))
        except file.Damaged as error:
            raise Failure(
                f"the job {job} cannot be read", str(error), "swarmctl up, which looks at the file"
            ) from None
        if not records:
            raise Failure(
                f"no job {job!r}",
                "it was never accepted here, or its result was kept long enough",
                "swarmctl jobs ls",
                Exit.NOT_FOUND,
            )
        return life.report(records)


@contextlib.contextmanager
def opened(home: Home) -> Iterator[History]:
    """The journal of this home. Raises NoBroker when there is none, Failure when it is damaged."""
    path = home.state / file.FILE
    if not path.exists():
        raise NoBroker("no node runs here", f"nobody listens on {home.socket}")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            yield History(db)
    except sqlite3.Error as error:
        raise Failure(
            f"the journal {path} cannot be read",
            str(error),
            "swarmctl up, which looks at it, and sets it aside if it is damaged",
        ) from None
