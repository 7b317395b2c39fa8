"""How often each model is right, from this node's own past votes, and what its votes weigh.

Nobody says which answers were right: models that agree with others who agree are (see
`broker.voting.weights`). Learned for each answer type apart, by model file: another file under the
same name starts anew. What is learned from is a window of the latest jobs, not a promise to
anybody, so it is kept in a small file and not in the journal.
"""

from collections import deque
from collections.abc import Iterable

import msgspec

from broker.grades import Grade, Grades
from broker.voting.weights import JOBS_NEEDED, leaders, weights
from protocol import messages as m

JOBS_KEPT = 1000
"""Past jobs of one answer type, the latest: 200 show as much as known answers would
(docs/BENCHMARKS.md), and with more a model's change of mood shows later."""

NEW_MIN, NEW_SHARE = 20, 0.1
"""It is learned anew after so many more jobs, or this share more, whichever is later."""

VOTERS_MAX = 256
"""Model files known at once; the votes of one more are not noted."""

NOT_COMPARED = ("text", "code")
"""Answers that do not agree by being equal: for them what was learned elsewhere stands."""

PastJob = tuple[tuple[str, str], ...]
"""(model digest, answer) of each vote; answers are numbered within the job, in order."""


class Past(msgspec.Struct, frozen=True):
    """What outlives the broker: digests once, then votes by their numbers, by answer type."""

    digests: tuple[str, ...] = ()
    models: tuple[str, ...] = ()  # their names
    jobs: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {}
    grades: dict[str, tuple[Grade, ...]] = {}


class Reliability:
    """Past votes, and what was learned from them."""

    def __init__(self, past: Past | None = None) -> None:
        self.names: dict[str, str] = {}  # digest -> model
        self.learned: dict[str, dict[str, float]] = {}  # answer type -> digest -> 0 to 1
        self.grades = Grades()
        self.learning = ""  # the answer type that is being learned
        self._jobs: dict[str, deque[PastJob]] = {}
        self._new: dict[str, int] = {}  # jobs since it was learned
        self.unsaved = 0
        if past is not None:
            self._take(past)

    def _take(self, past: Past) -> None:
        self.names = dict(zip(past.digests, past.models, strict=True))
        for kind, jobs in past.jobs.items():
            kept: deque[PastJob] = deque(maxlen=JOBS_KEPT)
            kept.extend(tuple((past.digests[v], str(a)) for v, a in job) for job in jobs)
            self._jobs[kind] = kept
            self._new[kind] = len(kept)
        for kind, grades in past.grades.items():
            for grade in grades:
                self.grades.take(kind, grade)

    def past(self) -> Past:
        """What to keep; from here on nothing is unsaved."""
        self.unsaved = 0
        number = {digest: i for i, digest in enumerate(self.names)}
        jobs = {
            kind: tuple(tuple((number[v], int(a)) for v, a in job) for job in jobs)
            for kind, jobs in self._jobs.items()
        }
        grades = {kind: tuple(kept.values()) for kind, kept in self.grades.of.items()}
        return Past(tuple(self.names), tuple(self.names.values()), jobs, grades)

    # ------------------------------------------------------------ what happened

    def note(self, verdict: m.Verdict) -> None:
        """Take in a job's votes, if models can be compared by them."""
        if len(verdict.votes) < 2:
            return
        votes = [vote for vote in verdict.votes if vote.answer is not None]
        if len({vote.digest for vote in votes}) < 2 or verdict.answer_type in NOT_COMPARED:
            return
        self._name(votes)
        numbers: dict[str | None, str] = {}
        job = tuple(
            (vote.digest, numbers.setdefault(vote.answer, str(len(numbers))))
            for vote in votes
            if vote.digest in self.names
        )
        kind = verdict.answer_type
        self._jobs.setdefault(kind, deque(maxlen=JOBS_KEPT)).append(job)
        self._new[kind] = self._new.get(kind, 0) + 1
        self.unsaved += 1

    def _name(self, votes: Iterable[m.VoteRecord]) -> None:
        for vote in votes:
            if len(self.names) < VOTERS_MAX:
                self.names.setdefault(vote.digest, vote.model)

    def grade(self, kind: str, verdict: m.Verdict, grade: Grade) -> None:
        """Take in whether a verdict was right, if all of its models can be known."""
        self._name(verdict.votes)
        if self.names.keys() >= set(grade.voters):
            self.grades.take(kind, grade)
            self.unsaved += 1

    def meet(self, model: str, digest: str, here: Iterable[str]) -> None:
        """A voter joins; files that had its model's name and are not `here` are forgotten."""
        others = {d for d, name in self.names.items() if name == model and d != digest}
        for stale in others - set(here):
            self._forget(stale)

    def _forget(self, digest: str) -> None:
        del self.names[digest]
        self.grades.forget(digest)
        self.unsaved += 1
        for kind, jobs in self._jobs.items():
            left = [tuple(vote for vote in job if vote[0] != digest) for job in jobs]
            compared = [job for job in left if len({voter for voter, _ in job}) > 1]
            self._jobs[kind] = deque(compared, maxlen=JOBS_KEPT)
            self.learned.get(kind, {}).pop(digest, None)
            self._new[kind] = len(compared)  # what is left says something else now

    # ------------------------------------------------------------ learning

    def due(self) -> tuple[str, tuple[PastJob, ...]] | None:
        """An answer type to learn now, with its jobs; None while one is learned."""
        if self.learning:
            return None
        for kind, jobs in self._jobs.items():
            step = max(NEW_MIN, int(NEW_SHARE * len(jobs))) if kind in self.learned else 1
            if len(jobs) >= JOBS_NEEDED and self._new[kind] >= step:
                self.learning = kind
                self._new[kind] = 0
                return kind, tuple(jobs)
        return None

    def take(self, kind: str, reliability: dict[str, float]) -> None:
        """What was learned; of a file that was forgotten meanwhile nothing is taken."""
        self.learning = ""
        self.learned[kind] = {d: p for d, p in reliability.items() if d in self.names}

    # ------------------------------------------------------------ use

    def jobs(self, kind: str, digest: str) -> int:
        """Past jobs of this type in which this model had a vote."""
        return sum(any(voter == digest for voter, _ in job) for job in self._jobs.get(kind, ()))

    @property
    def kinds(self) -> list[str]:
        """Answer types of which there are votes."""
        return sorted(kind for kind, jobs in self._jobs.items() if jobs)

    def of(self, kind: str) -> dict[str, float]:
        """Reliability by digest; of an answer type that is not compared, the mean over others."""
        if kind in self.learned or (kind and kind not in NOT_COMPARED):
            return self.learned.get(kind, {})
        digests = {digest for found in self.learned.values() for digest in found}
        every = self.learned.values()
        return {d: _mean([found[d] for found in every if d in found]) for d in digests}

    def weights(self, kind: str, here: set[str]) -> dict[str, float]:
        """What a vote of each model that is `here` weighs; empty while all weigh the same."""
        known = {digest: p for digest, p in self.of(kind).items() if digest in here}
        return weights(known) if len(known) > 1 else {}

    def leaders(self, kind: str, here: set[str]) -> frozenset[str]:
        """Models `here` that extra seats are sent to: within 5 points of the best."""
        known = {digest: p for digest, p in self.of(kind).items() if digest in here}
        return leaders(known) if len(known) > 1 else frozenset()


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
