"""What the vote is worth: each figure against counting by hand, or against what was built in."""

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.voting.evaluate import (
    Case,
    Evaluation,
    Sample,
    curve,
    evaluate,
    interval,
    merged,
    read,
)  # fmt: skip
from broker.voting.weights import JOBS_NEEDED


def case(gold: str, votes: str, answer: str = "label", **fields: object) -> Case:
    """Each letter is a vote; a dot is one without an answer."""
    samples = tuple(
        Sample("m", "" if vote == "." else vote, tokens=10, time_s=0.5) for vote in votes
    )
    return Case(gold, samples, answer, **fields)  # type: ignore[arg-type]


def evaluated(cases: list[Case], dice: random.Random) -> Evaluation:
    return evaluate([read(one) for one in cases], dice)


def rng() -> random.Random:
    return random.Random(1)


def test_one_sample_is_every_vote_and_abstaining_is_not_right() -> None:
    found = evaluated([case("x", "xxy."), case("y", "yyyy")], rng())
    assert found.all.one == (0.5 + 1.0) / 2
    assert (found.all.vote, found.all.undecided) == (1.0, 0)
    assert found.all.gain == 0.25
    assert (found.all.tokens_one, found.all.tokens_vote) == (10, 40)


def test_a_question_without_a_verdict_is_wrong_and_is_told_apart() -> None:
    found = evaluated([case("x", "xyz"), case("x", "...")], rng())
    assert (found.all.vote, found.all.undecided) == (0.0, 2)


def test_a_nodes_own_verdict_stands_where_there_is_one() -> None:
    given_ = case("y", "xxxy", judged=True, verdict="y")
    none = case("x", "xxxx", judged=True, verdict=None)
    found = evaluated([given_, none], rng())
    assert (found.all.vote, found.all.undecided) == (0.5, 1)


@pytest.mark.parametrize(
    ("gold", "text", "kind"),
    [
        ("42", "so it is #### 42", "number"),
        ("1,250.0", "the answer is $1250", "number"),
        ("(b)", "The answer is B.", "choice"),
        ('{"b": 1, "a": 2}', '```json\n{"a": 2, "b": 1.0}\n```', "json"),
        ("Paris", "paris", "label"),
    ],
)
def test_the_known_answer_is_read_as_the_votes_are(gold: str, text: str, kind: str) -> None:
    one = read(Case(gold, (Sample("m", text),), kind))
    assert (one.kind, one.answers) == (kind, (one.gold,))


def test_the_answer_type_is_found_as_the_node_finds_it() -> None:
    found = evaluated(
        [
            Case("7", (Sample("m", "#### 7"),) * 3, prompt="How many apples?"),
            Case("A", (Sample("m", "(A)"),) * 3, prompt="Which? A) one B) two"),
        ],
        rng(),
    )
    assert set(found.kinds) == {"number", "choice"}
    assert all(figures.vote == 1.0 for figures in found.kinds.values())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("xyz.", min_size=4, max_size=4), min_size=1, max_size=4))
def test_the_curve_is_what_every_order_gives(questions: list[str]) -> None:
    """Against all orders, played out; the drawn ones differ by chance alone."""
    found = curve([read(case("x", votes)) for votes in questions], rng())
    assert [point.seats for point in found] == [1, 2, 3, 4]
    for point in found:
        exact = [_exact(votes, point.seats) for votes in questions]
        assert abs(point.accuracy - sum(exact) / len(exact)) < 0.4
        assert 0 <= point.low <= point.accuracy <= point.high <= 1


def test_the_curve_comes_close_with_many_questions() -> None:
    questions = ["xxyz", "xyy.", "xxxx", "x.zz"] * 100
    found = curve([read(case("x", votes)) for votes in questions], rng())
    for point in found:
        exact = sum(_exact(votes, point.seats) for votes in questions[:4]) / 4
        assert abs(point.accuracy - exact) < 0.02


def _exact(votes: str, seats: int) -> float:
    orders = list(itertools.permutations(votes, seats))
    return sum(_won(order) == "x" for order in orders) / len(orders)


def _won(order: tuple[str, ...]) -> str | None:
    """The first to reach the count that wins."""
    best, leader = 0, None
    count: Counter[str] = Counter()
    for vote in order:
        count[vote] += vote != "."
        if count[vote] > best:
            best, leader = count[vote], vote
    return leader


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    dice = random.Random(5)
    held = 0
    for _ in range(100):
        low, high = interval([float(dice.random() < 0.7) for _ in range(80)], dice)
        held += low <= 0.7 <= high
    assert 87 <= held <= 100


def test_a_pairing_that_never_differs_has_no_width() -> None:
    found = evaluated([case("x", "xxxx")] * 5 + [case("x", "yyyy")] * 5, rng())
    assert (found.all.gain, found.all.low, found.all.high) == (0.0, 0.0, 0.0)


def test_models_are_told_apart_and_weighed_by_the_other_half() -> None:
    """A good model against two poor ones that err together."""
    dice = random.Random(3)
    cases = []
    for _ in range(2 * JOBS_NEEDED + 20):
        good = "x" if dice.random() < 0.9 else dice.choice("abcd")
        rest = [("x" if dice.random() < 0.35 else dice.choice("abcdef")) for _ in range(2)]
        votes = tuple(Sample(f"m{i}", vote) for i, vote in enumerate([good, *rest]))
        cases.append(Case("x", votes, "label"))
    found = evaluated(cases, rng())
    assert found.models[0].model == "m0"
    assert abs(found.models[0].right - 0.9) < 0.05
    assert found.weighted is not None
    assert found.weighted.vote > found.all.vote + 0.05
    few = evaluated(cases[:JOBS_NEEDED], rng())
    assert few.weighted is None


def test_questions_of_unequal_length_give_the_curve_that_half_of_them_have() -> None:
    found = curve([read(case("x", votes)) for votes in ("x", "xx", "xxxx")], rng())
    assert len(found) == 2
    assert found[-1].accuracy == 1.0


def test_nothing_to_evaluate_is_an_error() -> None:
    with pytest.raises(ValueError, match="no question"):
        evaluated([], rng())


def test_a_known_formula_is_read_whole_and_not_for_its_last_number() -> None:
    told = Sample("m", "\\boxed{\\dfrac{a}{2}}")
    for gold in ("\\frac{a}{2}", "$\\frac{a}{2}$", "\\boxed{\\frac{a}{2}}"):
        assert read(Case(gold, (told,), "latex")).share_right == 1.0


def test_answers_that_are_equal_count_as_one_and_the_vote_is_counted_again() -> None:
    one = read(case("x", "aabbc"))
    assert (one.won, merged(one, {}).won) == ("a", "a")
    same = merged(one, {"c": "b", "b": "x"})
    assert (same.gold, same.won) == ("x", "a"), "each answer is renamed once"
    same = merged(one, {"c": "x", "b": "x"})
    assert (same.answers, same.won) == (("a", "a", "x", "x", "x"), "x")
    assert merged(read(case("x", "ab")), {}).won is None, "one vote each wins nothing"
    given = read(case("x", "aab", judged=True, verdict="b"))
    assert merged(given, {"b": "x"}).won == "x", "a verdict stands, however it is spelled"
