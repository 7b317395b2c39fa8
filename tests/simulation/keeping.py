"""Which results a broker may forget, and which it must: an outsider's second count."""

from typing import TYPE_CHECKING

from broker.core import WATCH_S, Broker
from protocol import records as r
from protocol.ids import JobId

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle

DAY_S = 86_400.0
"""No run lasts so long: a result that is kept for longer goes for want of room alone."""

SLACK_S = 2 * WATCH_S


class Keeping:
    """The results of one broker: who has heard them, and since when there are too many."""

    def __init__(self) -> None:
        self._heard: set[JobId] = set()  # as far as it is written
        self._hears: set[JobId] = set()  # and as far as it is known
        self._ended_at: dict[JobId, float] = {}  # of this life
        self._over_since: float | None = None

    def ended(self, job: JobId, now: float) -> None:
        """A verdict was given."""
        self._ended_at[job] = now

    def hears(self, job: JobId) -> None:
        """A client has it for good."""
        assert job not in self._hears, f"{job} is heard twice"
        self._hears.add(job)

    def committed(self, record: r.Record) -> None:
        """This is safe now."""
        if isinstance(record, r.VerdictHeard):
            self._heard.add(record.job)
        elif isinstance(record, r.JobsForgotten):
            self._heard.difference_update(record.jobs)

    def died(self) -> None:
        """What was not written is not known any more."""
        self._hears = set(self._heard)
        self._ended_at.clear()
        self._over_since = None

    def forgets(self, books: "Oracle", jobs: tuple[JobId, ...], core: Broker) -> None:
        """Only what is too old, or too much; and what was heard goes before what was not."""
        kept = core.state.kept
        assert kept is not None
        for job in jobs:
            assert job in books.ended, f"{job} is forgotten without a verdict"
        limits = kept.retention
        if limits.age_s >= DAY_S:
            count = len(books.ended)
            assert count - len(jobs) >= limits.results, f"forgotten, and only {count} are kept"
            left = self._hears & set(books.ended) - set(jobs)
            unheard = set(jobs) - self._hears
            assert not (left and unheard), f"{unheard} is forgotten unheard, {left} is kept"
        self._over_since = None
        for job in jobs:
            self._hears.discard(job)
            self._ended_at.pop(job, None)

    def look(self, books: "Oracle", core: Broker, now: float) -> None:
        """What is over the bounds goes soon."""
        kept = core.state.kept
        assert kept is not None
        limits = kept.retention
        over = len(books.ended) > limits.results
        self._over_since = (self._over_since or now) if over else None
        since = self._over_since or now
        assert now - since <= SLACK_S, f"{len(books.ended)} results are kept, over {limits.results}"
        oldest = next(iter(self._ended_at.items()), None)
        if oldest is not None:
            age_s = now - oldest[1]
            assert age_s <= limits.age_s + SLACK_S, f"{oldest[0]} is kept for {age_s:.1f} s"
