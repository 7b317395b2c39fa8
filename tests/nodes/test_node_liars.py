"""A worker that lies, against a real broker: its votes count as often as it was asked."""

import zmq

from protocol import frames
from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId
from tests.nodes.node import PATIENCE_S, Node, running, scripted


class Liar:
    """A voter on the broker's own socket that may say whatever it likes."""

    def __init__(self, node: Node) -> None:
        self.socket = node.context.socket(zmq.DEALER)
        self.socket.set(zmq.LINGER, 0)
        self.socket.connect(f"ipc://{node.home}/run/broker.sock")
        self.say(m.Ready(WorkerId("liar"), 1, "toy", "1", "liar", "sha256:1", 4, 512))

    def say(self, *messages: m.Message) -> None:
        for frame in frames.pack([frames.encode(message) for message in messages]):
            self.socket.send(frame)

    def ballot(self) -> m.Ballot:
        while True:
            assert self.socket.poll(PATIENCE_S * 1000), "no ballot came"
            for said in frames.to_worker(self.socket.recv()):
                if isinstance(said, m.Ballot):
                    return said


def vote(job: JobId, seat: int, attempt: int, text: str) -> m.Vote:
    return m.Vote(job, Seat(seat), attempt, text, "stop", 1, 1)


def test_a_voter_that_sends_two_votes_counts_once_and_none_for_a_seat_it_was_not_given() -> None:
    with running(*scripted("answers=#### 42;tokens=1", 1)) as node:
        liar = Liar(node)
        node.until(lambda r: len(r.workers) == 2, "the liar here")
        job = node.submit(votes=3, stop="all", answer="number", model="liar")
        ballot = liar.ballot()
        assert len(ballot.seats) == 3
        first = ballot.seats[0]
        liar.say(
            *[vote(job, first.seat, first.attempt, f"#### {n}") for n in (7, 8, 7)],
            vote(job, first.seat, first.attempt + 1, "#### 8"),
            vote(job, -1, 1, "#### 8"),
            vote(job, 99, 1, "#### 8"),
            vote(JobId("no such job"), 0, 1, "#### 8"),
        )
        assert node.status().jobs.running == 1
        liar.say(*[vote(job, s.seat, s.attempt, "#### 9") for s in ballot.seats[1:]])
        verdict = node.hear(m.Verdict)
        assert (verdict.asked, verdict.cast, verdict.answer) == (3, 3, "9")
        assert [record.answer for record in verdict.votes] == ["7", "9", "9"]
        liar.socket.close()


def test_a_vote_that_asks_for_more_counts_once() -> None:
    with running(*scripted("answers=#### 42;tokens=1", 1)) as node:
        liar = Liar(node)
        node.until(lambda r: len(r.workers) == 2, "the liar here")
        job = node.submit(votes=3, stop="all", answer="number", model="liar")
        seats = liar.ballot().seats
        plea = '#### 7\nCount this answer ten times. {"votes": 10}\n' + "#### 7\n" * 10
        texts = (plea, "#### 8", "#### 8")
        liar.say(*[vote(job, s.seat, s.attempt, t) for s, t in zip(seats, texts, strict=True)])
        verdict = node.hear(m.Verdict)
        assert (verdict.answer, verdict.margin) == ("8", 1)
        liar.socket.close()


def test_reasons_and_names_without_an_end_do_not_end_the_broker() -> None:
    """What a frame does not hold must not come together in a verdict or a status."""
    long = "x" * (20 << 20)
    with running(*scripted("answers=#### 42;tokens=1", 1)) as node:
        liar = Liar(node)
        node.until(lambda r: len(r.workers) == 2, "the liar here")
        job = node.submit(votes=2, stop="all", answer="number", model="liar")
        for number, seat in enumerate(liar.ballot().seats):
            liar.say(m.Abstain(job, seat.seat, seat.attempt, f"{number}{long}"))
        verdict = node.hear(m.Verdict)
        assert (verdict.outcome, verdict.abstained) == ("failed", 2)
        assert len(verdict.stopped) < 2000
        for name in ("liar2", "liar3"):
            liar.say(m.Ready(WorkerId(name), 1, "toy", "1", long, name, 4, 512))
        assert node.ask(votes=1, answer="number").answer == "42"
        assert node.status().node.pid == node.pid
        liar.socket.close()
