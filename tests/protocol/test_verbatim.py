"""An answer that is its vote's text is said once, and heard as if it had been said twice."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from protocol import frames
from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId
from protocol.verbatim import CHARS_MIN, brief, whole

LONG = "It was a dark and stormy night. " * 40

TEXTS = st.sampled_from(["42", "#### 42", LONG, f"  {LONG}\n", LONG.upper(), "x" * (CHARS_MIN + 1)])
ANSWERS = st.one_of(st.none(), TEXTS, TEXTS.map(str.strip))


def vote(seat: int, text: str, answer: str | None) -> m.VoteRecord:
    worker = WorkerId("w1")
    return m.VoteRecord(
        Seat(seat), seat, "den", worker, "toy", "toy", "d", text, "stop", 3, 4, 0.1, answer
    )


def verdict(votes: list[m.VoteRecord], winner: int | None, answer: str | None) -> m.Verdict:
    seat = None if winner is None else Seat(winner)
    return m.Verdict(
        JobId("j"), "decided", "all in", len(votes), answer=answer, winner=seat, votes=tuple(votes)
    )


@given(
    st.lists(st.tuples(TEXTS, ANSWERS), max_size=5),
    st.one_of(st.none(), st.integers(0, 5)),
    ANSWERS,
    st.booleans(),
)
def test_every_verdict_comes_back_whole(
    said: list[tuple[str, str | None]], winner: int | None, answer: str | None, own: bool
) -> None:
    votes = [vote(seat, text, answer_) for seat, (text, answer_) in enumerate(said)]
    if own and winner is not None and winner < len(votes):
        answer = votes[winner].answer
    given_ = verdict(votes, winner, answer)
    assert whole(brief(given_)) == given_
    (frame,) = frames.pack([frames.encode(given_)])
    assert frames.to_client(frame) == [given_]


def test_a_long_text_that_is_its_own_answer_crosses_once() -> None:
    text = LONG.strip()
    given_ = verdict([vote(0, text, text), vote(1, "7", "7")], 0, text)
    assert frames.encode(given_).count(text.encode()) == 1
    assert msgspec.msgpack.encode(given_).count(text.encode()) == 3


def test_short_answers_cross_as_they_are() -> None:
    given_ = verdict([vote(0, "42", "42")], 0, "42")
    assert brief(given_) is given_
    assert whole(given_) is given_
