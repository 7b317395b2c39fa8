"""Reliability learned without any known answer."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.voting import Cast, Rules, Tally
from broker.voting.weights import (
    ANSWERS,
    MARGIN,
    ROUNDS,
    leaders,
    learn,
    log_odds,
    weights,
)

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


def test_extra_seats_go_to_the_best_and_those_near_it() -> None:
    assert leaders({"a": 0.9, "b": 0.86, "c": 0.8}) == {"a", "b"}


WEAK = {"a": 0.7, "b": 0.55, "c": 0.45, "d": 0.3}


def most_probable(votes: tuple[str, ...]) -> set[str]:
    """The dumb twin: Bayes over all answers, wrong votes falling on the others alike."""
    chances = {}
    for right in dict.fromkeys(votes):
        chances[right] = 1.0
        for p, vote in zip(WEAK.values(), votes, strict=True):
            chances[right] *= p if vote == right else (1 - p) / (ANSWERS - 1)
    best = max(chances.values())
    return {answer for answer, chance in chances.items() if chance > best * (1 - 1e-9)}


def test_among_the_weak_the_most_probable_answer_wins() -> None:
    found = weights(WEAK)
    for votes in itertools.product("wxyz", repeat=len(WEAK)):
        score: dict[str, float] = {}
        for weight, vote in zip(found.values(), votes, strict=True):
            score[vote] = score.get(vote, 0.0) + weight
        assert max(score, key=lambda answer: score[answer]) in most_probable(votes), votes


def test_the_weak_overrule_their_best_together_but_never_a_strong_one() -> None:
    for best, overruled in ((0.7, True), (0.85, False)):
        found = weights({"best": best, "b": 0.5, "c": 0.5, "d": 0.4})
        assert (found["b"] + found["c"] + found["d"] > found["best"]) is overruled


def test_two_that_can_overrule_the_best_need_no_help() -> None:
    found = weights({"a": 0.75, "b": 0.72, "c": 0.7, "d": 0.3})
    assert found["d"] == 0.0
    assert found["b"] + found["c"] > found["a"] == log_odds(0.75) - MARGIN


def dumb_learn(past: list[list[tuple[str, str]]]) -> dict[str, float]:
    """The dumb twin of `learn` where each voter has one vote a job: products, as Bayes has them."""
    voters = {voter for job in past for voter, _ in job}
    told = {v: sum(v == voter for job in past for voter, _ in job) for v in voters}
    right = dict.fromkeys(voters, 0.0)
    for job in past:
        given = [answer for _, answer in job]
        for voter, answer in job:
            right[voter] += given.count(answer) / len(given)
    for _ in range(ROUNDS):
        p = {v: (right[v] + 1) / (told[v] + 2) for v in voters}
        right = dict.fromkeys(voters, 0.0)
        for job in past:
            chances = {}
            for truth in [*dict.fromkeys(answer for _, answer in job), "none of them"]:
                chances[truth] = 1.0
                for v, answer in job:
                    chances[truth] *= p[v] if answer == truth else (1 - p[v]) / (ANSWERS - 1)
            for voter, answer in job:
                right[voter] += chances[answer] / sum(chances.values())
    return {v: (right[v] + 1) / (told[v] + 2) for v in voters}


@pytest.mark.parametrize("seed", range(4))
def test_learning_is_expectation_and_maximisation_as_it_is_defined(seed: int) -> None:
    past = jobs(60, seed)
    assert learn(past) == pytest.approx(dumb_learn(past), abs=1e-6)


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
