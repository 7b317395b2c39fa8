"""Confidence from recorded verdicts."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.voting import Cast, Rules, Tally
from broker.voting.calibration import Record, calibration_error, confidence, fit, smoothed
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
