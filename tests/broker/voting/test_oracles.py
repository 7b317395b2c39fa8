"""Each clever rule beside a dumb one that does what the definition says, by brute force."""

import itertools
import json
import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.voting import Cast, Outcome, Rules, Tally
from broker.voting.answers.numbers import canonical, of_fraction
from broker.voting.behaviour import NOTHING, Behaviour, choose, groups
from broker.voting.calibration import PRIOR_VOTES, STEP, Record, fit, smoothed
from broker.voting.fields import merge
from broker.voting.forced import soft_weights, weighted_winner

# ------------------------------------------------------------ counting

WEIGHTS = {"big": 2.0, "small": 1.0, "tiny": 0.5}
BALLOTS = list(itertools.product(WEIGHTS, "xy"))


def heaviest(votes: tuple[tuple[str, str], ...]) -> str:
    """Most weight; of equals the answer that reached its own first."""
    total: dict[str, float] = {}
    leader = ""
    for voter, answer in votes:
        total[answer] = total.get(answer, 0.0) + WEIGHTS[voter]
        if not leader or total[answer] > total[leader]:
            leader = answer
    return leader


@pytest.mark.parametrize("seats", [2, 3, 4])
def test_a_weighted_decision_is_the_full_counts_winner_in_every_future(seats: int) -> None:
    decided = 0
    for length in range(1, seats + 1):
        for votes in itertools.product(BALLOTS, repeat=length):
            tally = Tally(Rules(seats, answer="label", weights=WEIGHTS, tie_seats=0))
            for seat, (voter, answer) in enumerate(votes):
                tally.cast(Cast(seat, answer, "stop", voter))
            judged = tally.judge()
            if judged.outcome is Outcome.DECIDED:
                decided += length < seats
                futures = itertools.product(BALLOTS, repeat=seats - length)
                assert {heaviest(votes + future) for future in futures} == {judged.answer}, votes
    assert decided or seats == 2


@pytest.mark.parametrize("asked", [0.75, 0.8, 1.0])
def test_a_vote_is_given_up_early_only_when_no_future_reaches_the_asked_agreement(
    asked: float,
) -> None:
    given_up = 0
    for length in range(1, 5):
        for votes in itertools.product("xyz", repeat=length):
            tally = Tally(Rules(5, answer="label", min_agreement=asked, tie_seats=0))
            for seat, vote in enumerate(votes):
                tally.cast(Cast(seat, vote, "stop"))
            if tally.judge().outcome is Outcome.TIED:
                given_up += 1
                for future in itertools.product("xyzw.", repeat=5 - length):
                    cast = [v for v in votes + future if v != "."]
                    assert max(Counter(cast).values()) < asked * len(cast), (votes, future)
    assert given_up


# ------------------------------------------------------------ confidence


@settings(max_examples=100, deadline=None)
@given(st.lists(st.builds(Record, st.floats(0, 1), st.integers(1, 16), st.booleans()), max_size=30))
def test_the_steps_of_a_fit_are_isotonic_regression_by_its_min_max_formula(
    records: list[Record],
) -> None:
    """p_i = max over j <= i of min over k >= i of the mean of cells j to k (Barlow et al. 1972)."""
    cells: dict[int, list[Record]] = {}
    for record in records:
        cells.setdefault(int(smoothed(record.share, record.cast) / STEP), []).append(record)
    known = sorted(cells)
    weight = [len(cells[key]) + PRIOR_VOTES for key in known]
    total = []
    for key in known:
        at = [smoothed(record.share, record.cast) for record in cells[key]]
        total.append(sum(r.right for r in cells[key]) + PRIOR_VOTES * sum(at) / len(at))

    def mean(j: int, k: int) -> float:
        return sum(total[j : k + 1]) / sum(weight[j : k + 1])

    table = fit(records)
    for i, key in enumerate(known):
        n = len(known)
        wanted = max(min(mean(j, k) for k in range(i, n)) for j in range(i + 1))
        told = next(p for bound, p in table if bound >= round((key + 1) * STEP, 4))
        assert told == pytest.approx(wanted, abs=1e-4)


# ------------------------------------------------------------ objects, programs


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.integers(1, 3), max_size=3),
        min_size=1,
        max_size=5,
    )
)
def test_a_merged_object_holds_what_counting_each_field_gives(
    objects: list[dict[str, int]],
) -> None:
    wanted: dict[str, int] = {}
    most = 0
    for field in "abc":
        values = [o[field] for o in objects if field in o]
        if values and 2 * len(values) >= len(objects):
            # Of equals the first given; Counter keeps the order.
            wanted[field], count = Counter(values).most_common(1)[0]
            most = max(most, count)
    merged = merge([json.dumps(o, sort_keys=True) for o in objects])
    if most < 2:
        assert merged is None
    else:
        assert merged is not None
        assert json.loads(merged.answer) == wanted
        shared = [sum(o.get(f) == v for f, v in wanted.items()) for o in objects]
        assert merged.nearest == shared.index(max(shared))


PROGRAMS = st.lists(
    st.lists(st.sampled_from(["1", "2", "None", None]), min_size=3, max_size=3).map(
        lambda outputs: Behaviour(tuple(outputs))
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(PROGRAMS)
def test_the_chosen_program_shares_most_outputs_with_the_others_pair_by_pair(
    programs: list[Behaviour],
) -> None:
    def company(one: Behaviour) -> int:
        return sum(
            mine == theirs and mine not in NOTHING
            for other in programs
            for mine, theirs in zip(one.outputs, other.outputs, strict=True)
        )

    scores = [company(one) for one in programs]
    best = max(scores, default=0)
    assert choose(programs) == (scores.index(best) if best else None)


@settings(max_examples=100, deadline=None)
@given(PROGRAMS)
def test_two_programs_are_in_one_group_exactly_when_they_do_the_same(
    programs: list[Behaviour],
) -> None:
    group_of = {n: i for i, group in enumerate(groups(programs)) for n in group.members}
    for a, b in itertools.combinations(range(len(programs)), 2):
        together = a in group_of and group_of.get(a) == group_of.get(b)
        same = programs[a].outputs == programs[b].outputs and programs[a].useful
        assert together == same


# ------------------------------------------------------------ forced answers, numbers


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["x", "y", None]), st.none() | st.floats(-20, 0)),
        min_size=1,
        max_size=8,
    )
)
def test_soft_weights_are_the_exponentials_of_standard_scores(
    votes: list[tuple[str | None, float | None]],
) -> None:
    known = [c for _, c in votes if c is not None]
    found = soft_weights([c for _, c in votes])
    if not known:
        assert found == [1.0] * len(votes)
        return
    mean = math.fsum(known) / len(known)
    spread = math.sqrt(math.fsum((c - mean) ** 2 for c in known) / len(known))
    if spread > 1e-3:
        for weight, (_, c) in zip(found, votes, strict=True):
            wanted = 0.0 if c is None else math.exp((c - mean) / spread)
            assert weight == pytest.approx(wanted, rel=1e-6)
    total: dict[str, float] = {}
    for (answer, _), weight in zip(votes, found, strict=True):
        if answer is not None and weight > 0:
            total[answer] = total.get(answer, 0.0) + weight
    winner = weighted_winner([answer for answer, _ in votes], found)
    if not total:
        assert winner is None
    else:  # weights are counted in thousandths
        assert winner is not None
        assert total[winner] >= max(total.values()) - 1e-3 * len(votes)


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_a_number_in_canonical_form_has_the_value_it_was_made_of(top: int, under: int) -> None:
    value = Fraction(top, under)
    assert Fraction(of_fraction(value)) == value
    found = canonical("-" if top < 0 else "", str(abs(top)), str(under))
    assert found is not None
    assert Fraction(found) == value
    assert found == of_fraction(value)
