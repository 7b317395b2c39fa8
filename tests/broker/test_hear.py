"""A frame's messages, heard together, come to the same as each of them heard alone."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from broker import events as ev
from broker.core import Broker
from broker.state import NodeIdentity
from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId

NODE = NodeIdentity(id="n", name="den", version="1", pid=1, address="ipc://x", home="x")


def broker(slots: int) -> Broker:
    core = Broker(NODE, random.Random(1), 0.0)
    ready = m.Ready(WorkerId("w1"), 10, "scripted", "1", "abacus", "d1", slots, 512)
    core.handle(ev.Received(b"w1", ready), 1.0)
    return core


def told(actions: list[ev.Action]) -> Counter[tuple[str, str]]:
    """What was said, by kind and job; of a ballot each seat."""
    said: Counter[tuple[str, str]] = Counter()
    for action in actions:
        if isinstance(action, ev.Send):
            message = action.message
            seats = len(message.seats) if isinstance(message, m.Ballot) else 1
            said[type(message).__name__, getattr(message, "job", "")] += seats
    return said


@given(st.lists(st.integers(1, 8), min_size=1, max_size=12), st.integers(1, 16))
def test_a_frame_is_heard_as_its_messages_are_and_seats_are_given_after_it(
    votes: list[int], slots: int
) -> None:
    submits = [m.Submit(JobId(f"j{i}"), "How many?", votes=n, seed=i) for i, n in enumerate(votes)]
    together, alone = broker(slots), broker(slots)
    actions = together.hear(b"c", submits, 2.0)
    one_by_one = [a for said in submits for a in alone.handle(ev.Received(b"c", said), 2.0)]
    together.check()
    assert told(actions) == told(one_by_one)
    kinds = [type(a.message) for a in actions if isinstance(a, ev.Send)]
    assert m.Accepted not in kinds[len(submits) :]  # every ballot is after them

    ballots = [a.message for a in actions if isinstance(a, ev.Send)]
    answers = [
        m.Vote(said.job, Seat(seat.seat), seat.attempt, "#### 4", "stop", 1, 1, 0)
        for said in ballots
        if isinstance(said, m.Ballot)
        for seat in said.seats
    ]
    together.hear(b"w1", answers, 3.0)
    for vote in answers:
        alone.handle(ev.Received(b"w1", vote), 3.0)
    together.check()
    ended = {job.id: job.verdict.answer for job in together.state.jobs.done.values()}
    assert ended == {job.id: job.verdict.answer for job in alone.state.jobs.done.values()}
