"""Verdicts whose answer is known, and what they make of this node's confidences.

A node cannot know by itself whether it was right. Somebody who knows an answer can tell it:
`swarmctl eval` does, for each question of its file. What is kept of a question is how clearly it
was decided, by which models, and whether that was right; no prompt, only a number made of it, so
that a question that is put again counts once.
"""

import hashlib

import msgspec

from broker.job import Standing
from broker.voting.calibration import OWN_NEEDED, Bend, Record, bend
from protocol import messages as m

GRADES_KEPT = 1000
"""Questions of one answer type, the latest: the error of a level is then 2 points."""

FITS_KEPT = 64
"""Fits held at once: one for each answer type and set of models that are here, and few change."""


class Grade(msgspec.Struct, frozen=True, array_like=True):
    """One graded verdict."""

    question: int
    voters: tuple[str, ...]  # digests of the models that voted, in order
    share: float
    cast: int
    right: bool


class Grades:
    """The latest graded verdicts by answer type, and fits to them."""

    def __init__(self) -> None:
        self.of: dict[str, dict[int, Grade]] = {}  # answer type -> question -> the last word
        self._fits: dict[tuple[str, frozenset[str]], Bend] = {}

    def take(self, kind: str, grade: Grade) -> None:
        """Keep a grade in the place of an earlier one of its question; the oldest goes."""
        kept = self.of.setdefault(kind, {})
        kept.pop(grade.question, None)
        kept[grade.question] = grade
        if len(kept) > GRADES_KEPT:
            del kept[next(iter(kept))]
        self._fits.clear()

    def forget(self, digest: str) -> None:
        """Drop what rests on a model file that is gone."""
        for kind, kept in self.of.items():
            self.of[kind] = {q: grade for q, grade in kept.items() if digest not in grade.voters}
        self._fits.clear()

    def usable(self, kind: str, here: frozenset[str]) -> list[Grade]:
        """Grades of votes of models that are `here`; none while one of these is in no grade."""
        kept = self.of.get(kind, {}).values()
        found = [grade for grade in kept if here.issuperset(grade.voters)]
        return found if here == {d for grade in found for d in grade.voters} else []

    def own(self, kind: str, here: frozenset[str]) -> Bend | None:
        """What they make of a confidence of this answer type; None while they are too few."""
        fit = self._fits.get((kind, here))
        if fit is None:
            if len(self._fits) >= FITS_KEPT:
                self._fits.clear()
            records = [Record(g.share, g.cast, g.right) for g in self.usable(kind, here)]
            fit = bend(kind, records) if len(records) >= OWN_NEEDED else Bend()
            self._fits[kind, here] = fit
        return fit if fit.questions else None


def grade_of(standing: Standing, asked: m.Submit, right: bool) -> Grade:
    """The grade of a verdict on this question."""
    text = "\0".join((asked.system, asked.prompt, *asked.choices))
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    voters = tuple(sorted(standing.voters))
    return Grade(number, voters, standing.share, standing.cast, right)
