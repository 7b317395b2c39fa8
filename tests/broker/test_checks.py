"""What a check settles, against a dumb twin that looks at everything at once."""

from hypothesis import given
from hypothesis import strategies as st

from broker.checks import Checks
from broker.voting import Outcome

SEATS = 6

EVENTS = st.lists(st.tuples(st.sampled_from("vwpf"), st.integers(0, SEATS - 1)), max_size=40)
"""v: a vote of this seat, w: it ends without one, p and f: its candidate passes or fails."""


def run(checks: Checks, events: list[tuple[str, int]]) -> tuple[set[int], list[tuple[int, bool]]]:
    """Feed only what may happen; the seats that ended, and what was tried, in order."""
    ended: set[int] = set()
    tried: list[tuple[int, bool]] = []
    for kind, seat in events:
        if kind in "vw" and seat not in ended and seat < checks.wanted:
            ended.add(seat)
            checks.candidate(seat) if kind == "v" else checks.without()
        elif kind in "pf" and checks.result(seat, kind == "p"):
            tried.append((seat, kind == "p"))
    return ended, tried


@given(EVENTS, st.sampled_from(["fast", "saving", "all"]))
def test_the_first_that_passed_wins_and_nothing_else_does(
    events: list[tuple[str, int]], stop: str
) -> None:
    checks = Checks(SEATS, stop)
    ended, tried = run(checks, events)
    outcome, _, winner = checks.judge()
    first = next((seat for seat, passed in tried if passed), None)
    every_seat = len(ended) == SEATS and not checks.untried
    if first is not None and (stop != "all" or every_seat):
        assert (outcome, winner) == (Outcome.DECIDED, first)
    else:
        assert (outcome, winner) == (Outcome.TIED if every_seat else Outcome.PENDING, None)
    assert (checks.tried, checks.passed) == (len(tried), sum(passed for _, passed in tried))


@given(EVENTS)
def test_the_second_wave_is_asked_exactly_when_the_first_has_failed(
    events: list[tuple[str, int]],
) -> None:
    checks = Checks(SEATS, "saving")
    first = checks.wanted
    assert 0 < first < SEATS
    ended, tried = run(checks, events)
    failed = {seat for seat, passed in tried if not passed}
    without = ended - set(checks.candidates)
    wave_failed = set(range(first)) <= failed | without
    assert checks.wanted == (SEATS if wave_failed else first)


def test_a_candidate_is_tried_once() -> None:
    checks = Checks(2, "fast")
    checks.candidate(0)
    assert checks.result(0, False)
    assert not checks.result(0, True)
    assert not checks.result(1, True)
    assert checks.judge() == (Outcome.PENDING, "", None)
