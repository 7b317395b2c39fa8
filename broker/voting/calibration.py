"""From the share of votes to the probability that the answer is right."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from broker.voting.calibration_table import SHIPPED

PRIOR_VOTES = 3
"""Records that the smoothed share itself stands for, at each step of a fit."""

STEP = 0.1
"""Width of the steps in which shares are gathered before the fit; finer ones fit chance."""

OWN_NEEDED = 30
"""Known answers of one type before they bend what ships. By then they have taken the error on other
models and questions from 16 points to 5, and cost 1 where what ships was right (docs/VOTING.md)."""

SHIFT_SPREAD, SLOPE_SPREAD = 1.0, 0.25
"""How far, in log-odds, what ships is expected to be off in level, and how far in slope from 1."""

FIT_ROUNDS = 100
"""Of `bend`, at most: it ends when nothing moves, mostly after about ten."""

TOLD_MIN = 0.005
"""No share says less than this, nor more than one less it: log-odds stay finite."""

BINS = 10
"""Of a calibration error; the literature has 10 to 15, and few votes give few other shares."""

Table = Sequence[tuple[float, float]]
"""(highest smoothed share, probability) in rising order of both."""


class Record(msgspec.Struct, frozen=True):
    """A past verdict whose answer was judged."""

    share: float  # of the votes cast, by weight
    cast: int
    right: bool


class Bend(msgspec.Struct, frozen=True):
    """What known answers make of a probability p that was told: log-odds shift + slope * those."""

    shift: float = 0.0
    slope: float = 1.0
    questions: int = 0  # known answers that it rests on

    def __call__(self, p: float) -> float:
        """The probability to tell in the place of p, both 0 to 1."""
        return _chance(self.shift + self.slope * _odds(p))


def smoothed(share: float, cast: int) -> float:
    """Share of the winner, 0 to 1, as if half a vote more were for it and one against.

    4 of 4 is 0.82: with few votes a full share says less than with many. It is the mean of a Beta
    posterior (prior 0.5, 1).
    """
    return (share * cast + 0.5) / (cast + 1.5)


def confidence(
    answer_type: str,
    share: float,
    cast: int,
    tables: Mapping[str, Table] = SHIPPED,
    own: Bend | None = None,
) -> float | None:
    """Probability, 0 to 1, that the winner of `cast` votes with this share of them is right.

    `own`: what the node's known answers of this type make of it. None where neither a table nor a
    known answer speaks of the type.
    """
    table = tables.get(answer_type)
    if cast < 1 or not (table or own):
        return None
    told = _looked_up(table, smoothed(share, cast)) if table else smoothed(share, cast)
    return own(told) if own else told


def _looked_up(table: Table, at: float) -> float:
    return next((p for bound, p in table if at <= bound), table[-1][1])


def bend(
    answer_type: str, records: Iterable[Record], tables: Mapping[str, Table] = SHIPPED
) -> Bend:
    """How known answers bend what the table tells of this type, or the smoothed share without one.

    Two numbers, since known answers are few: Platt's scaling of the log-odds told (Probabilistic
    Outputs for Support Vector Machines, 1999, section 2.2), at its most probable under normal
    priors around no change: SHIFT_SPREAD at the mean of what was told, SLOPE_SPREAD. Newton's
    steps, one number at a time. The slope is never below 0: a larger share is never worth less.
    """
    cells = Counter(
        (_odds(confidence(answer_type, r.share, r.cast, tables, Bend()) or 0.5), r.right)
        for r in records
    )
    count = cells.total()
    if not count:
        return Bend()
    middle = sum(odds * n for (odds, _), n in cells.items()) / count
    level, slope = middle, 1.0
    for _ in range(FIT_ROUNDS):
        before = level, slope
        level += _step(cells, middle, level, slope, middle)
        slope = max(0.0, slope + _step(cells, middle, level, slope, None))
        if abs(level - before[0]) + abs(slope - before[1]) < 1e-6:
            break
    return Bend(level - slope * middle, slope, count)


def _step(
    cells: Mapping[tuple[float, bool], int],
    middle: float,
    level: float,
    slope: float,
    level_mean: float | None,
) -> float:
    """Newton's step, at most 1, of the level around `level_mean`; with None, of the slope."""
    if level_mean is not None:
        pull, stiff = (level_mean - level) / SHIFT_SPREAD**2, 1 / SHIFT_SPREAD**2
    else:
        pull, stiff = (1 - slope) / SLOPE_SPREAD**2, 1 / SLOPE_SPREAD**2
    for (odds, right), n in cells.items():
        at = 1.0 if level_mean is not None else odds - middle
        p = _chance(level + slope * (odds - middle))
        pull += n * at * (right - p)
        stiff += n * at * at * p * (1 - p)
    return min(1.0, max(-1.0, pull / stiff))


def _odds(p: float) -> float:
    p = min(max(p, TOLD_MIN), 1 - TOLD_MIN)
    return math.log(p / (1 - p))


def _chance(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > 0 else 1 - 1 / (1 + math.exp(odds))


def fit(records: Iterable[Record]) -> list[tuple[float, float]]:
    """Rising steps through the records: isotonic regression by pooling adjacent violators.

    Source: Zadrozny and Elkan, KDD 2002, for its use on probabilities. Each step is (highest
    smoothed share, probability), both 0 to 1. Empty without records.
    """
    gathered: dict[int, list[float]] = {}
    for record in records:
        at = smoothed(record.share, record.cast)
        step = gathered.setdefault(int(at / STEP), [0.0, 0.0, 0.0])
        step[0] += 1
        step[1] += at
        step[2] += record.right
    steps: list[list[float]] = []  # upper bound, weight, probability
    for key, (count, ats, right) in sorted(gathered.items()):
        weight = count + PRIOR_VOTES
        steps.append([(key + 1) * STEP, weight, (right + PRIOR_VOTES * ats / count) / weight])
        while len(steps) > 1 and steps[-2][2] >= steps[-1][2]:
            bound, one, p = steps.pop()
            _, two, q = steps.pop()
            steps.append([bound, one + two, (one * p + two * q) / (one + two)])
    return [(round(bound, 4), round(p, 4)) for bound, _, p in steps]


def calibration_error(told: Iterable[tuple[float, bool]], bins: int = BINS) -> float:
    """Expected calibration error in percentage points, over bins of equal width.

    Source: Guo et al. 2017, arXiv 1706.04599, section 2. `told` holds (probability, was right). By
    chance it is above 0 even for true probabilities: the more, the fewer questions.
    """
    totals = [[0, 0.0, 0] for _ in range(bins)]
    for p, right in told:
        cell = totals[min(bins - 1, int(p * bins))]
        cell[0] += 1
        cell[1] += p
        cell[2] += right
    count = sum(cell[0] for cell in totals)
    return 100 * sum(abs(cell[1] - cell[2]) for cell in totals) / count if count else 0.0
