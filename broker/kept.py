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
    """Results in the order they were given, those nobody has heard apart."""

    def __init__(self, retention: Retention) -> None:
        self.retention = retention
        self._unheard: OrderedDict[JobId, _Entry] = OrderedDict()
        self._heard: OrderedDict[JobId, _Entry] = OrderedDict()
        self._text_bytes = 0

    def __contains__(self, job: JobId) -> bool:
        return job in self._unheard or job in self._heard

    def __len__(self) -> int:
        return len(self._unheard) + len(self._heard)

    def add(self, job: JobId, text_bytes: int, ended_at: float, heard: bool = False) -> None:
        """A result is in the journal from here on."""
        assert job not in self, "a second result"
        entry = _Entry(text_bytes + ENTRY_BYTES, ended_at)
        (self._heard if heard else self._unheard)[job] = entry
        self._text_bytes += entry.text_bytes

    def ended_at(self, job: JobId) -> float:
        """When its verdict was given."""
        return (self._unheard.get(job) or self._heard[job]).ended_at

    def hear(self, job: JobId) -> bool:
        """A client has it for good; False when that was known, or the result is not here."""
        entry = self._unheard.pop(job, None)
        if entry is None:
            return False
        self._heard[job] = entry
        return True

    def drop(self, job: JobId) -> None:
        """It turned out not to be there."""
        entry = self._unheard.pop(job, None) or self._heard.pop(job, None)
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
        too_old_at = now - self.retention.age_s
        for queue in (self._heard, self._unheard):
            for job, entry in queue.items():
                if entry.ended_at < too_old_at:
                    return job
                break
        if len(self) > self.retention.results or self._too_large:
            return next(iter(self._heard or self._unheard), None)
        return None

    def check(self) -> None:
        """Assert what must always hold of the table."""
        assert not set(self._unheard) & set(self._heard)
        entries = [*self._unheard.values(), *self._heard.values()]
        assert self._text_bytes == sum(entry.text_bytes for entry in entries)
