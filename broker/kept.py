"""Which results the journal keeps, and which it may forget. Ids only: the texts are in the file.

A result is kept until a client has said ACK for it, or its time is over. One that was heard is
history from then on: it stays as long as there is room, and goes before any that nobody has heard.
"""

from collections import OrderedDict

import msgspec

from protocol.ids import JobId

FORGET_MAX = 256
"""Results forgotten at a time: one statement for many, and no turn that takes long."""

ENTRY_BYTES = 512
"""What a result takes beside its texts: its seats and counts, in the file."""


class Retention(msgspec.Struct, frozen=True):
    """How much is kept, at most."""

    results: int = 10_000  # as many as jobs can be open: a batch's results outlive its client
    text_bytes: int = 256 << 20  # of prompts and votes: a small part of any disk
    age_s: float = 7 * 86_400.0  # a week: who has not asked by then has forgotten the id


class _Entry(msgspec.Struct):
    text_bytes: int
    ended_at: float


class Kept:
    """Results in the order they were given, and which of them were heard, in that order."""

    def __init__(self, retention: Retention) -> None:
        self.retention = retention
        self._entries: OrderedDict[JobId, _Entry] = OrderedDict()
        self._heard: OrderedDict[JobId, None] = OrderedDict()
        self._text_bytes = 0

    def __contains__(self, job: JobId) -> bool:
        return job in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, job: JobId, text_bytes: int, ended_at: float, heard: bool = False) -> None:
        """A result is in the journal from here on."""
        assert job not in self, "a second result"
        entry = self._entries[job] = _Entry(text_bytes + ENTRY_BYTES, ended_at)
        if heard:
            self._heard[job] = None
        self._text_bytes += entry.text_bytes

    def ended_at(self, job: JobId) -> float:
        """When its verdict was given."""
        return self._entries[job].ended_at

    def hear(self, job: JobId) -> bool:
        """A client has it for good; False when that was known, or the result is not here."""
        if job in self._heard or job not in self._entries:
            return False
        self._heard[job] = None
        return True

    def drop(self, job: JobId) -> None:
        """It turned out not to be there."""
        entry = self._entries.pop(job, None)
        self._heard.pop(job, None)
        self._text_bytes -= entry.text_bytes if entry else 0

    @property
    def full(self) -> bool:
        """Is there so much over the bounds that forgetting is worth a statement?"""
        return len(self) >= self.retention.results + FORGET_MAX or self._too_large

    @property
    def _too_large(self) -> bool:
        return self._text_bytes > self.retention.text_bytes

    def forget(self, now: float) -> tuple[JobId, ...]:
        """Let go of what is over the bounds by now, at most FORGET_MAX; their ids."""
        gone: list[JobId] = []
        while len(gone) < FORGET_MAX and (job := self._over(now)):
            self.drop(job)
            gone.append(job)
        return tuple(gone)

    def _over(self, now: float) -> JobId | None:
        """What goes next: anything too old, then the oldest that was heard, then any."""
        oldest = next(iter(self._entries), None)
        if oldest is None:
            return None
        if self._entries[oldest].ended_at < now - self.retention.age_s:
            return oldest
        if len(self) > self.retention.results or self._too_large:
            return next(iter(self._heard), oldest)
        return None

    def check(self) -> None:
        """Assert what must always hold of the table."""
        assert set(self._heard) <= set(self._entries)
        assert self._text_bytes == sum(entry.text_bytes for entry in self._entries.values())
