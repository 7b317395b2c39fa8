"""Confidence from recorded verdicts."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.voting import Cast, Rules, Tally
from broker.voting.calibration import (
    SHIFT_SPREAD,
    SLOPE_SPREAD,
    Bend,
    Record,
    bend,
    calibration_error,
    confidence,
    fit,
    smoothed,
)
from broker.voting.calibration_table import SHIPPED


def test_a_fit_finds_the_rate_behind_the_records() -> None:
    rng = random.Random(1)
    records: list[Record] = []
    for share in (0.25, 0.5, 0.75, 1.0):
        records += [Record(share, 8, rng.random() < share * share) for _ in range(500)]
    tables = {"number": fit(records)}
    for share in (0.25, 0.5, 0.75, 1.0):
        assert confidence("number", share, 8, tables) == pytest.approx(share * share, abs=0.06)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.builds(Record, st.floats(0, 1), st.integers(1, 64), st.booleans()), max_size=40))
def test_a_table_never_falls_with_the_share_and_stays_a_probability(records: list[Record]) -> None:
    table = fit(records)
    told = [p for _, p in table]
    assert told == sorted(told)
    assert all(0 <= p <= 1 for p in told)
    assert (confidence("x", 0.5, 8, {"x": table}) is None) == (not records)


def test_a_full_share_of_few_votes_says_less_than_of_many() -> None:
    assert smoothed(1.0, 1) < smoothed(1.0, 4) < smoothed(1.0, 16)


def test_the_error_is_the_mean_distance_of_told_and_true() -> None:
    told = [(0.95, True)] * 8 + [(0.95, False)] * 2 + [(0.25, False)] * 10
    assert calibration_error(told) == pytest.approx(100 * (0.5 * 0.15 + 0.5 * 0.25))


def test_what_ships_rises_and_covers_the_types_that_were_recorded() -> None:
    assert set(SHIPPED) >= {"choice", "latex", "literal", "number"}
    for table in SHIPPED.values():
        assert list(table) == sorted(table)
        assert [p for _, p in table] == sorted(p for _, p in table)


def test_a_decided_verdict_carries_its_confidence() -> None:
    tally = Tally(Rules(8, answer="number"))
    for seat in range(4):
        tally.cast(Cast(seat, "#### 42", "stop"))
    assert tally.judge().confidence == confidence("number", 1.0, 4)


def graded(seed: int, count: int, right: float) -> list[Record]:
    rng = random.Random(seed)
    return [
        Record(rng.choice([0.4, 0.5, 0.75, 1.0]), 8, rng.random() < right) for _ in range(count)
    ]


def unlikely(records: list[Record], level: float, slope: float) -> float:
    """The dumb twin of what `bend` makes least: the penalised log-loss, from its definition."""
    told = [confidence("number", r.share, r.cast) or 0.5 for r in records]
    odds = [math.log(p / (1 - p)) for p in told]
    middle = sum(odds) / len(odds)
    loss = (level - middle) ** 2 / 2 / SHIFT_SPREAD**2 + (slope - 1) ** 2 / 2 / SLOPE_SPREAD**2
    for at, record in zip(odds, records, strict=True):
        p = 1 / (1 + math.exp(-level - slope * (at - middle)))
        loss -= math.log(p if record.right else 1 - p)
    return loss


@pytest.mark.parametrize(("count", "right"), [(1, 0.0), (5, 1.0), (30, 0.5), (60, 0.9), (60, 0.1)])
def test_a_bend_is_the_most_probable_of_all_tried(count: int, right: float) -> None:
    records = graded(count, count, right)
    told = [confidence("number", r.share, r.cast) or 0.5 for r in records]
    middle = sum(math.log(p / (1 - p)) for p in told) / count
    found = bend("number", records)
    own = unlikely(records, found.shift + found.slope * middle, found.slope)
    for level in range(-40, 41):
        for slope in range(41):
            assert own <= unlikely(records, level / 10, slope / 20) + 1e-6


def test_without_known_answers_nothing_is_bent() -> None:
    found = bend("number", [])
    assert found == Bend(0.0, 1.0, 0)
    assert found(0.7) == pytest.approx(0.7)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.builds(Record, st.floats(0, 1), st.integers(1, 64), st.booleans()), max_size=40),
    st.sampled_from(["number", "choice", "label"]),
)
def test_a_bent_confidence_never_falls_with_what_was_told(records: list[Record], kind: str) -> None:
    found = bend(kind, records)
    told = [found(p / 20) for p in range(21)]
    assert told == sorted(told)
    assert all(0 < p < 1 for p in told)
    assert found.questions == len(records)


def test_a_type_without_a_table_is_told_of_once_answers_are_known() -> None:
    assert confidence("label", 0.9, 8) is None
    own = bend("label", [Record(1.0, 8, right=True)] * 80)
    told = confidence("label", 1.0, 8, own=own)
    assert told is not None
    assert told > 0.93
