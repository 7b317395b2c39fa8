"""What is told to a listener that does not read: bounded, progress dropped first. Real sockets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from broker.address import bind
from broker.outbox import UNSENT_BYTES_MAX, Outbox
from protocol import frames
from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId
from protocol.limits import FRAME_BYTES_MAX

TEXT = "y" * 60_000

PUTS_MAX = 20_000
"""Far above what fits into the queues of ZeroMQ, the system's buffers and the outbox."""


class Pair:
    """An outbox, and one listener that reads when it is asked to."""

    def __init__(self, folder: Path) -> None:
        self.context = zmq.Context()
        self.router = bind(self.context, f"ipc://{folder}/s")
        self.outbox = Outbox(self.router)
        self.listener = self.context.socket(zmq.DEALER)
        self.listener.set(zmq.RCVHWM, 1)
        self.listener.connect(f"ipc://{folder}/s")
        self.listener.send(b"hello")
        self.route, _ = self.router.recv_multipart()

    def say(self, *said: Any) -> list[bytes]:
        """Tell it these in one turn; the listeners that are lost."""
        for message in said:
            self.outbox.put(self.route, message)
        return self.outbox.flush(0.0)

    def fill(self) -> int:
        """Say verdicts until one has to wait; how many were said."""
        for number in range(PUTS_MAX):
            if self.outbox.stuck:
                return number
            self.say(verdict(f"full-{number}"))
        raise AssertionError("it never had to wait")

    def read_before_the_flush(self) -> list[Any]:
        heard = []
        while self.listener.poll(200):
            heard += frames.to_client(self.listener.recv())
        return heard

    def read_all(self) -> list[Any]:
        heard = []
        while self.listener.poll(200):
            heard += frames.to_client(self.listener.recv())
            self.outbox.flush(0.0)
        return heard


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.context.destroy(linger=0)


def verdict(job: str) -> m.Verdict:
    return m.Verdict(JobId(job), "decided", "all votes are in", asked=1, cast=1, answer=TEXT)


def progress(job: str) -> m.Progress:
    vote = m.VoteRecord(
        seat=Seat(0),
        seed=1,
        node="here",
        worker=WorkerId("w1"),
        engine="scripted",
        model="m",
        digest="d",
        text="42",
        finish="stop",
        prompt_tokens=1,
        tokens=1,
        time_s=0.1,
        answer="42",
    )
    return m.Progress(JobId(job), vote, cast=1, asked=3)


def test_progress_is_dropped_before_results_are(pair: Pair) -> None:
    said = pair.fill()
    assert pair.say(progress("p"), verdict("last")) == []
    heard = pair.read_all()
    assert not [message for message in heard if isinstance(message, m.Progress)]
    assert [message.job for message in heard] == [*(f"full-{i}" for i in range(said)), "last"]
    assert pair.say(progress("p")) == []
    assert isinstance(pair.read_all()[0], m.Progress)


def test_who_never_reads_is_given_up_at_a_bound(pair: Pair) -> None:
    pair.fill()
    kept = 0
    for number in range(PUTS_MAX):
        if pair.say(verdict(f"more-{number}")):
            break
        kept += len(TEXT)
    else:
        raise AssertionError("what waits for it has no bound")
    assert UNSENT_BYTES_MAX * 0.9 < kept <= UNSENT_BYTES_MAX
    assert not pair.outbox.stuck


def test_who_is_gone_is_named(pair: Pair) -> None:
    assert Outbox(pair.router).flush(0.0) == []
    pair.outbox.put(b"nobody", verdict("j"))
    assert pair.outbox.flush(0.0) == [b"nobody"]


def test_what_fits_into_no_frame_is_refused_in_words_and_the_rest_is_said(pair: Pair) -> None:
    huge = m.Verdict(JobId("huge"), "tied", "x" * FRAME_BYTES_MAX, asked=1)
    assert pair.say(verdict("before"), huge, verdict("after")) == []
    before, refused, after = pair.read_all()
    assert (before.job, after.job) == ("before", "after")
    assert isinstance(refused, m.Rejected)
    assert (refused.job, refused.problem.code) == ("huge", "too-large")


def test_a_turn_that_says_very_much_sends_in_its_midst_in_order(pair: Pair) -> None:
    said = 40
    for number in range(said):
        pair.outbox.put(pair.route, verdict(f"v-{number}"))
    heard = pair.read_before_the_flush()
    assert said - 2 <= len(heard) < said
    assert pair.outbox.flush(0.0) == []
    heard += pair.read_all()
    assert [message.job for message in heard] == [f"v-{number}" for number in range(said)]


def test_who_is_lost_in_the_midst_of_a_turn_is_named_once_and_told_no_more(pair: Pair) -> None:
    pair.fill()
    for number in range(UNSENT_BYTES_MAX // len(TEXT) + 9):
        pair.outbox.put(pair.route, verdict(f"more-{number}"))
    assert pair.outbox.flush(0.0) == [pair.route]
    assert not pair.outbox.stuck
    assert pair.say(verdict("new")) == []
