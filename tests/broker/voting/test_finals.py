"""Finalists and what a judge's answers on them mean, against a dumb twin."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.voting import finals

TEXTS = ["the red cat sat", "the red cat  sat", "the red cat ran", "zebra", "the cat ran off"]


def test_finalists_are_what_the_count_would_take_and_the_most_central_others_each_once() -> None:
    assert finals.finalists(TEXTS, "zebra")[0] == 3
    found = finals.finalists(TEXTS, "the red cat sat")
    assert (found[0], len(found)) == (0, 3)
    assert 1 not in found, "the same words as another"
    assert finals.finalists(["a b", "a  b", "a b"]) == [0]


def test_each_pair_is_asked_in_both_orders() -> None:
    assert finals.pairs(3) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]


def judged(likes: list[int], count: int) -> dict[finals.Pair, str | None]:
    """What a judge says that likes finalists in this order, wherever they stand."""
    return {(a, b): "A" if likes.index(a) < likes.index(b) else "B" for a, b in finals.pairs(count)}


@pytest.mark.parametrize("likes", [*itertools.permutations(range(3))])
def test_a_steady_judge_gets_the_one_it_likes(likes: tuple[int, ...]) -> None:
    preferred = finals.preferences(judged(list(likes), 3))
    assert finals.winner(3, preferred) == likes[0]


@pytest.mark.parametrize("always", ["A", "B", None, "C"])
def test_a_judge_that_looks_at_places_or_says_nothing_changes_nothing(always: str | None) -> None:
    preferred = finals.preferences(dict.fromkeys(finals.pairs(3), always))
    assert set(preferred.values()) == {None}
    assert finals.winner(3, preferred) == 0


def test_those_that_beat_each_other_in_a_ring_leave_it_to_the_count() -> None:
    assert finals.winner(3, {(0, 1): 0, (1, 2): 1, (0, 2): 2}) == 0


@given(st.integers(2, 3), st.data())
def test_only_what_held_in_both_orders_counts(count: int, data: st.DataObject) -> None:
    said = {pair: data.draw(st.sampled_from(["A", "B", None])) for pair in finals.pairs(count)}
    wins = [0] * count
    for number in range(count):
        for other in set(range(count)) - {number}:
            wins[number] += said[number, other] == "A" and said[other, number] == "B"
    taken = finals.winner(count, finals.preferences(said))
    assert taken == wins.index(max(wins))


def test_a_question_holds_both_answers_in_the_order_asked_for() -> None:
    text = finals.question("Why?", "first!", "second!")
    assert text.index("Why?") < text.index("first!") < text.index("second!")
