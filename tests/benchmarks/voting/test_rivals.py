"""The baselines of the voting benchmark do what their papers say."""

import pytest

from benchmarks.voting.counting import count_in_parallel, plain_winner
from benchmarks.voting.data import by_set
from benchmarks.voting.stopping import adaptive_consistency, early_stopping, surely_ahead
from broker.voting import Rules


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 0), (4, 1), (7, 5)])
def test_the_probability_of_leading_is_the_integral_of_the_beta_density(
    first: int, second: int
) -> None:
    steps = 20_000
    points = [(i + 0.5) / steps for i in range(steps)]
    density = [p**first * (1 - p) ** second for p in points]
    above = sum(d for p, d in zip(points, density, strict=True) if p > 0.5)
    assert surely_ahead(first, second) == pytest.approx(above / sum(density), abs=1e-3)


def test_adaptive_consistency_stops_after_four_that_agree() -> None:
    assert adaptive_consistency(list("xxxxxxxx")) == ("x", 4)
    assert adaptive_consistency(list("xyxyxyxy")) == ("x", 8)


def test_early_stopping_ends_with_a_window_that_agrees() -> None:
    assert early_stopping(list("xyxxxyyyyyx")) == ("y", 10)


def test_a_tie_goes_to_the_answer_that_reached_it_first() -> None:
    assert plain_winner(["x", "y", None, "y", "x"]) == "y"


def test_waiting_seats_cost_no_time_and_cancelled_ones_what_they_decoded() -> None:
    rules = Rules(4, answer="label", tie_seats=0)
    assert count_in_parallel(["x", "x", "y", "y"], [10, 20, 30, 40], rules) == ("x", 20, 70)


def test_means_are_taken_over_models_then_data_sets() -> None:
    groups = [("s", "a"), ("s", "a"), ("s", "b"), ("t", "c")]
    assert by_set(groups, [0.0, 2.0, 3.0, 4.0]) == pytest.approx((2.0 + 4.0) / 2)
