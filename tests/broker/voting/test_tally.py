"""The count of one job, against a dumb twin that plays out every future."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.voting import Cast, Judgement, Outcome, Rules, Tally

PENDING, DECIDED, TIED = Outcome.PENDING, Outcome.DECIDED, Outcome.TIED


def count(votes: str, **rules: object) -> Judgement:
    """Judge a string of votes: a letter is an answer, "." an abstention, "-" a lost seat."""
    return counted(votes, **rules).judge()


def counted(votes: str, **rules: object) -> Tally:
    tally = Tally(Rules(answer="label", **rules))  # type: ignore[arg-type]
    for seat, vote in enumerate(votes):
        if vote == "-":
            tally.lose(seat)
        else:
            tally.cast(Cast(seat, "" if vote == "." else vote, "stop"))
    return tally


# seats, votes in order of arrival, outcome, winner's answer, reason
TABLE = """
1  x         decided  x  all votes are in
1  .         tied     -  no usable answer
1  -         tied     -  no usable answer
2  x         pending  x
2  xx        decided  x  all votes are in
3  xx        decided  x  cannot be overtaken
3  xy        pending  x
3  xyy       decided  y  all votes are in
4  xx        decided  x  cannot be overtaken
4  xxy       decided  x  cannot be overtaken
4  xyyx      pending  y
4  xyyxzz    decided  y  tie: first to reach the count
4  xyyxx     decided  x  cannot be overtaken
2  xy        pending  x
2  xyzw      tied     -  no two votes agree
2  xyzy      decided  y  all votes are in
5  xx.       decided  x  cannot be overtaken
5  x....     decided  x  all votes are in
5  xy...     pending  x
5  xy-..--   tied     -  no two votes agree
8  xxx       pending  x
8  xxxx      decided  x  cannot be overtaken
8  xxx--     decided  x  cannot be overtaken
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_the_count_judges_as_the_table_says(row: str) -> None:
    seats, votes, outcome, answer, *reason = row.split(maxsplit=4)
    judged = count(votes, seats=int(seats))
    assert (judged.outcome, judged.answer or "-", judged.reason) == (
        outcome,
        answer,
        reason[0] if reason else "",
    )


def full_winner(votes: str) -> str | None:
    """The dumb twin: most votes; of equals the one that reached its count first."""
    totals = {v: votes.count(v) for v in votes if v != "."}
    if not totals:
        return None
    best = max(totals.values())
    for end in range(1, len(votes) + 1):
        for answer, total in totals.items():
            if total == best and votes[:end].count(answer) == best:
                return answer
    raise AssertionError("unreachable")


@pytest.mark.parametrize("seats", [1, 2, 3, 4, 5, 6])
def test_a_fast_decision_is_the_full_votes_winner_in_every_future(seats: int) -> None:
    for length in range(1, seats + 1):
        for votes in itertools.product("xyz.", repeat=length):
            judged = count("".join(votes), seats=seats)
            if judged.outcome is DECIDED:
                futures = itertools.product("xyzw.", repeat=seats - length)
                ends = {full_winner("".join(votes + future)) for future in futures}
                assert ends == {judged.answer}, votes


@pytest.mark.parametrize("seats", [3, 4, 5])
def test_a_fast_count_stays_pending_only_while_a_future_changes_the_winner(seats: int) -> None:
    for length in range(2, seats):
        for votes in itertools.product("xy", repeat=length):
            if count("".join(votes), seats=seats).outcome is PENDING:
                futures = itertools.product("xyw", repeat=seats - length)
                assert len({full_winner("".join(votes + future)) for future in futures}) > 1


def test_all_waits_for_every_seat() -> None:
    assert count("xxxxxxx", seats=8, stop="all").outcome is PENDING
    assert count("xxxxxxxx", seats=8, stop="all").reason == "all votes are in"


def test_a_tie_at_the_end_draws_two_more_seats_once() -> None:
    tally = counted("xyyx", seats=4)
    assert tally.wanted == 6
    tally.cast(Cast(4, "z", "stop"))
    tally.cast(Cast(5, "w", "stop"))
    assert tally.wanted == 6
    judged = tally.judge()
    assert (judged.answer, judged.margin, judged.reason) == (
        "y",
        0,
        "tie: first to reach the count",
    )


@pytest.mark.parametrize(("seats", "first"), [(1, 1), (2, 1), (4, 2), (8, 4), (16, 7), (32, 16)])
def test_saving_opens_about_half_of_the_seats_first(seats: int, first: int) -> None:
    assert Tally(Rules(seats=seats, stop="saving")).wanted == first


def test_saving_ends_once_the_lead_is_sure_to_be_enough_at_the_end_of_the_wave() -> None:
    assert count("xx", seats=8, stop="saving").outcome is PENDING
    judged = count("xxx", seats=8, stop="saving")
    assert (judged.outcome, judged.reason) == (DECIDED, "far enough ahead after 3 votes")


def test_saving_opens_the_second_wave_once_the_first_is_sure_not_to_settle() -> None:
    assert counted("xx", seats=8, stop="saving").wanted == 4
    assert counted("xy", seats=8, stop="saving").wanted == 4
    assert counted("xyz", seats=8, stop="saving").wanted == 8


def test_saving_one_by_one_opens_the_seats_without_which_nothing_can_settle() -> None:
    assert Tally(Rules(seats=8, stop="saving", wave=1)).wanted == 3
    tally = counted("xyx", seats=8, stop="saving", wave=1)
    assert tally.wanted == 5
    for seat in (3, 4):
        tally.cast(Cast(seat, "x", "stop"))
    assert (tally.wanted, tally.judge().outcome) == (5, DECIDED)


def test_below_the_asked_agreement_there_is_no_verdict() -> None:
    judged = count("xxyzw", seats=5, min_agreement=0.6)
    assert (judged.outcome, judged.winner) == (TIED, None)
    assert judged.reason == "agreement 0.40 is below the asked 0.60"


def test_a_cut_answer_abstains_and_is_named_when_nothing_else_came() -> None:
    tally = Tally(Rules(seats=1, answer="number"))
    assert tally.cast(Cast(0, "#### 42", "length")) is None
    assert tally.judge().reason == "no usable answer: 1 of 1 were cut at their length"


def test_a_seat_counts_once() -> None:
    tally = counted("x", seats=3)
    with pytest.raises(ValueError, match="seat 0 was cast or lost before"):
        tally.cast(Cast(0, "y", "stop"))
    with pytest.raises(ValueError, match="seat 3 is not among the 3"):
        tally.lose(3)


@settings(max_examples=150, deadline=None)
@given(
    seats=st.integers(2, 12),
    asked=st.sampled_from([0.0, 0.3, 0.5, 0.6, 1.0]),
    votes=st.text("xyz.", min_size=14, max_size=14),
)
def test_stopping_early_never_differs_from_waiting_for_all(
    seats: int, asked: float, votes: str
) -> None:
    tally = Tally(Rules(seats=seats, answer="label", min_agreement=asked))
    judged = tally.judge()
    for seat, vote in enumerate(votes[:seats]):
        tally.cast(Cast(seat, "" if vote == "." else vote, "stop"))
        judged = tally.judge()
        if judged.outcome is not PENDING:
            break
    winner = full_winner(votes[:seats])
    if judged.outcome is DECIDED:
        assert judged.answer == winner
        assert winner is not None
        cast = votes[:seats].replace(".", "")
        assert cast.count(winner) >= asked * len(cast)
