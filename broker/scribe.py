"""Between the core and what it says: nothing leaves before what precedes it is in the journal.

A turn's records are committed together, then its sends go out. When the disk is full:

    the ballast is removed and the commit tried again         what runs can still be written
    if even that fails, the turn's new jobs never were        REJECTED instead of ACCEPTED
    verdicts wait until they are written                      or a restart could give another
    everything else goes on; each second it is tried again    and heals without a restart
"""

import sqlite3

from broker.ballast import Ballast
from broker.events import Event, Fetch, Fetched, JournalFull, JournalWell, Route, Send
from broker.journal import Journal
from broker.outbox import Outbox
from protocol import messages as m
from protocol.ids import JobId
from protocol.records import Record

RETRY_S = 1.0
"""Between two attempts to write to a full disk."""


class Scribe:
    """One broker's journal and the sends that wait for it."""

    def __init__(self, journal: Journal, ballast: Ballast, outbox: Outbox) -> None:
        self._journal = journal
        self._ballast = ballast
        self._outbox = outbox
        self._said: list[Send] = []
        self._withheld: dict[tuple[Route, JobId], Send] = {}  # verdicts that are not written yet
        self._full = False
        self._commit_at = 0.0  # not before: the last attempt failed
        self._lay_at = 0.0

    def begin(self, now: float) -> list[Event]:
        """Lay the ballast; what the core must know when there is no room for it."""
        self._full = not self._ballast.lay()
        self._lay_at = now + RETRY_S
        return [JournalFull("there is no room for its ballast")] if self._full else []

    def say(self, send: Send) -> None:
        """Say this once what was written before it is safe."""
        self._said.append(send)

    def write(self, record: Record) -> None:
        """Put this into the journal."""
        self._journal.put(record)

    def fetch(self, asked: Fetch) -> Fetched:
        """A finished job, read back."""
        return Fetched(asked.route, asked.message, self._journal.fetch(asked.message.job))

    @property
    def full(self) -> bool:
        """Is the disk full, as far as we know?"""
        return self._full

    @property
    def busy(self) -> bool:
        """Is something left to be said that does not wait for the disk?"""
        return bool(self._said)

    def settle(self, now: float) -> list[Event]:
        """Make the turn's records safe and let its sends go; what the core must know of it."""
        if self._full:
            return self._settle_without_room(now)
        try:
            self._journal.commit()
        except sqlite3.Error as error:
            return self._no_room(error, now)
        self._release()
        return []

    def _release(self) -> None:
        put = self._outbox.put
        for send in self._said:
            put(send.route, send.message)
        self._said.clear()

    def _no_room(self, error: sqlite3.Error, now: float) -> list[Event]:
        """Make room for what runs, and take nothing new."""
        self._full = True
        self._lay_at = now + RETRY_S
        if self._ballast.drop() and self._written():
            self._release()
            return [JournalFull(str(error))]
        self._commit_at = now + RETRY_S
        unwritten = self._journal.unwritten
        self._journal.withdraw(unwritten)
        self._said = [send for send in self._said if _job(send) not in unwritten]
        self._withhold()
        return [JournalFull(str(error), unwritten)]

    def _settle_without_room(self, now: float) -> list[Event]:
        if self._journal.waits and (now < self._commit_at or not self._written()):
            self._commit_at = self._commit_at if now < self._commit_at else now + RETRY_S
            self._withhold()
            return []
        self._said += self._withheld.values()
        self._withheld.clear()
        self._release()
        if now < self._lay_at:
            return []
        self._lay_at = now + RETRY_S
        self._full = not self._ballast.lay()
        return [] if self._full else [JournalWell()]

    def _written(self) -> bool:
        try:
            self._journal.commit()
        except sqlite3.Error:
            return False
        return True

    def _withhold(self) -> None:
        """Let go what needs no journal; a verdict waits, once for each who asks."""
        for send in self._said:
            if isinstance(send.message, m.Verdict):
                self._withheld[send.route, send.message.job] = send
            else:
                self._outbox.put(send.route, send.message)
        self._said.clear()

    def close(self) -> None:
        """Write what can be written; the journal is whole either way."""
        try:
            self._journal.close()
        except sqlite3.Error:
            self._ballast.drop()


def _job(send: Send) -> JobId | None:
    """The job that this is about."""
    return getattr(send.message, "job", None)
