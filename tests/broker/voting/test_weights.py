"""Reliability learned without any known answer."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.voting import Cast, Rules, Tally
from broker.voting.weights import leaders, learn, log_odds, weights

TRUE = {"good": 0.9, "fair": 0.8, "weak": 0.3, "weaker": 0.25}


def jobs(count: int, seed: int = 1) -> list[list[tuple[str, str]]]:
    """Votes of voters that are right as often as TRUE says, and else wrong in one of 8 ways."""
    rng = random.Random(seed)
    return [
        [(v, "right" if rng.random() < p else f"wrong{rng.randrange(8)}") for v, p in TRUE.items()]
        for _ in range(count)
    ]


def test_reliability_is_found_without_labels() -> None:
    found = learn(jobs(400))
    assert found == pytest.approx(TRUE, abs=0.1)


def test_a_voter_that_is_mostly_wrong_gets_no_weight() -> None:
    found = weights(learn(jobs(400)))
    assert found["good"] > found["fair"] > found["weak"] == found["weaker"] == 0.0


def test_several_votes_of_one_voter_in_a_job_teach_as_much_as_one() -> None:
    once = [[("a", "1"), ("b", "1"), ("c", "2")]] * 20
    often = [[("a", "1"), ("b", "1"), ("c", "2"), ("c", "2"), ("c", "2")]] * 20
    assert learn(often) == pytest.approx(learn(once))


def test_where_nobody_is_reliable_the_best_alone_are_heard() -> None:
    assert weights({"a": 0.4, "b": 0.37, "c": 0.2}) == {"a": 1.0, "b": 1.0, "c": 0.0}
    assert leaders({"a": 0.9, "b": 0.86, "c": 0.8}) == {"a", "b"}


def test_nothing_is_learned_from_nothing() -> None:
    assert (learn([]), weights({}), learn([[]])) == ({}, {}, {})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=5), max_size=8
    )
)
def test_whatever_was_voted_reliability_is_a_probability_and_weights_are_finite(
    past: list[list[tuple[str, str]]],
) -> None:
    found = learn(past)
    assert set(found) == {voter for job in past for voter, _ in job}
    assert all(0 < p < 1 for p in found.values())
    assert all(0 <= w <= log_odds(0.99) for w in weights(found).values())


def test_a_heavy_vote_outweighs_two_light_ones_and_weighs_in_the_agreement() -> None:
    tally = Tally(Rules(3, answer="label", weights={"big": 3.0, "small": 1.0}))
    for seat, (voter, text) in enumerate([("small", "x"), ("small", "x"), ("big", "y")]):
        tally.cast(Cast(seat, text, "stop", voter))
    judged = tally.judge()
    assert (judged.answer, judged.agreement, judged.margin) == ("y", 0.6, -1)


def test_a_weighted_count_waits_while_a_heavy_voter_may_come() -> None:
    tally = Tally(Rules(3, answer="label", weights={"big": 3.0, "small": 1.0}))
    for seat in (0, 1):
        tally.cast(Cast(seat, "x", "stop", "small"))
    assert tally.judge().outcome == "pending"


def test_a_vote_without_weight_breaks_a_tie_and_nothing_else() -> None:
    tally = Tally(Rules(3, answer="label", weights={"a": 1.0, "b": 1.0, "none": 0.0}))
    for seat, (voter, text) in enumerate([("a", "x"), ("b", "y"), ("none", "y")]):
        tally.cast(Cast(seat, text, "stop", voter))
    assert tally.judge().answer == "y"
