"""From the share of votes to the probability that the answer is right."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from broker.voting.calibration_table import SHIPPED

PRIOR_VOTES = 3
"""Records that the smoothed share itself stands for, at each step of a fit."""

STEP = 0.1
"""Width of the steps in which shares are gathered before the fit; finer ones fit chance."""

Table = Sequence[tuple[float, float]]
"""(highest smoothed share, probability) in rising order of both."""


class Record(msgspec.Struct, frozen=True):
    """A past verdict whose answer was judged."""

    share: float  # of the votes cast, by weight
    cast: int
    right: bool


def smoothed(share: float, cast: int) -> float:
    """Share of the winner as if half a vote more were for it and one against: 4 of 4 is 0.82.

    With few votes a full share says less than with many.
    """
    return (share * cast + 0.5) / (cast + 1.5)


def confidence(
    answer_type: str,
    share: float,
    cast: int,
    tables: Mapping[str, Table] = SHIPPED,
) -> float | None:
    """Probability that the winner is right; None where nothing was recorded for the type."""
    table = tables.get(answer_type)
    if not table or cast < 1:
        return None
    at = smoothed(share, cast)
    return next((p for bound, p in table if at <= bound), table[-1][1])


def fit(records: Iterable[Record]) -> list[tuple[float, float]]:
    """Rising steps through the records: isotonic regression by pooling adjacent violators.

    Source: Zadrozny and Elkan, KDD 2002, for its use on probabilities. Empty without records.
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


def calibration_error(told: Iterable[tuple[float, bool]], bins: int = 10) -> float:
    """Expected calibration error in percentage points, over bins of equal width.

    Source: Guo et al. 2017, arXiv 1706.04599, section 2. `told` holds (probability, was right).
    """
    totals = [[0, 0.0, 0] for _ in range(bins)]
    for p, right in told:
        cell = totals[min(bins - 1, int(p * bins))]
        cell[0] += 1
        cell[1] += p
        cell[2] += right
    count = sum(cell[0] for cell in totals)
    return 100 * sum(abs(cell[1] - cell[2]) for cell in totals) / count if count else 0.0
