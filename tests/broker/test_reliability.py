"""Models are weighed by what past jobs showed of them, in a core that is told everything."""

import random
from pathlib import Path

import msgspec
import pytest

from broker import events as ev
from broker.core import Broker
from broker.grades import Grade
from broker.learner import FILE, Learner
from broker.reliability import JOBS_KEPT, Past, Reliability
from broker.state import NodeIdentity
from broker.voting.stopping import first_wave
from broker.voting.weights import JOBS_NEEDED, learn
from protocol import messages as m
from protocol import records as r
from protocol.ids import JobId, NodeId, Seat, WorkerId

RIGHT = {"good": 0.9, "fair": 0.88, "poor": 0.3}
"""How often a model of this name is right; each is a worker with one slot a job."""


class Node:
    """A core with one worker for each model, whose answers are drawn by its reliability."""

    def __init__(self, seed: int = 1, past: Past | None = None, *, learns: bool = True) -> None:
        self.rng = random.Random(seed)
        self.now = 10.0
        node = NodeIdentity(NodeId("n" * 40), "here", "0", 1, "ipc://x", "home")
        self.core = Broker(node, random.Random(seed), self.now)
        if past is not None:
            self.core.recall(past)
        self.learns = learns
        self.kept: list[Past] = []
        self.jobs = 0
        self.out: list[ev.Action] = []
        for model in RIGHT:
            self.join(model)

    def join(self, model: str, digest: str = "") -> None:
        ready = m.Ready(WorkerId(model), 1, "scripted", "1", model, digest or f"d-{model}", 8, 512)
        self.step(ev.Received(model.encode(), ready))

    def step(self, event: ev.Event) -> list[ev.Action]:
        told = self.core.handle(event, self.now)
        self.core.check()
        for action in told:
            if isinstance(action, ev.Learn) and self.learns:
                told += self.step(ev.Learned(action.kind, learn(action.jobs)))
            elif isinstance(action, ev.KeepPast):
                self.kept.append(action.past)
        return told

    def ask(self, **fields: object) -> tuple[m.Verdict, list[ev.Action]]:
        """A job from SUBMIT to its verdict, and all that was done about it."""
        self.jobs += 1
        self.now += 1.0
        asked = {"votes": 3, "answer": "number", "stop": "all", **fields}
        submit = m.Submit(JobId(f"j{self.jobs}"), "How many?", **asked)  # type: ignore[arg-type]
        told = self.step(ev.Received(b"c", submit))
        for action in told:  # grows while it is read
            if isinstance(action, ev.Send) and isinstance(action.message, m.Ballot):
                for seat in action.message.seats:
                    told += self.vote(action.route, action.message.job, seat)
        told += self.step(ev.Tick())
        verdict = next(a.message for a in told if said(a, m.Verdict))
        return verdict, told

    def vote(self, route: bytes, job: JobId, seat: m.BallotSeat) -> list[ev.Action]:
        right = self.rng.random() < RIGHT[route.decode()]
        text = "42" if right else str(self.rng.randint(1, 5))
        vote = m.Vote(job, Seat(seat.seat), seat.attempt, text, "stop", 3, 4)
        return self.step(ev.Received(route, vote))


def said(action: ev.Action, kind: type) -> bool:
    return isinstance(action, ev.Send) and isinstance(action.message, kind)


@pytest.fixture(scope="module")
def experienced() -> Node:
    node = Node()
    for _ in range(JOBS_NEEDED + 50):
        node.ask()
    return node


def models(node: Node) -> tuple[m.ModelReport, ...]:
    told = node.step(ev.Received(b"c", m.Models()))
    return next(a.message.models for a in told if said(a, m.ModelList))


def rows(node: Node, kind: str = "number") -> dict[str, m.ReliabilityRow]:
    """What is known of each model for one answer type."""
    return {
        model.model: row
        for model in models(node)
        for row in model.reliability
        if row.answer_type == kind
    }


def test_before_enough_jobs_every_vote_weighs_one() -> None:
    node = Node()
    for _ in range(JOBS_NEEDED - 1):
        verdict, told = node.ask()
        assert verdict.notes == ()
        assert not any(isinstance(action, ev.Learn) for action in told)
    row = rows(node)["good"]
    assert (row.jobs > 0, row.reliability, row.weight) == (True, None, None)


def test_then_the_reliable_weigh_more_and_the_verdict_says_so(experienced: Node) -> None:
    known = rows(experienced)
    assert abs(known["good"].reliability - RIGHT["good"]) < 0.1
    assert abs(known["poor"].reliability - RIGHT["poor"]) < 0.15
    assert known["good"].weight > 1 > known["poor"].weight
    verdict, told = experienced.ask()
    assert verdict.notes[0].startswith("votes weigh by what past jobs showed of their models: ")
    accepted = next(
        a.record for a in told if isinstance(a, ev.Write) and isinstance(a.record, r.JobAccepted)
    )
    assert set(accepted.weights) == {f"d-{name}" for name in RIGHT}


def test_weights_are_of_their_answer_type(experienced: Node) -> None:
    verdict, _ = experienced.ask(answer="label")
    assert verdict.notes == ()


def test_a_restored_job_counts_with_the_weights_it_began_with() -> None:
    submit = m.Submit(JobId("j1"), "How many?", votes=3, answer="number", stop="all")
    votes = [("d1", "1"), ("d2", "2"), ("d2", "2")]
    weights = {"d1": 3.0, "d2": 1.0}
    records: list[r.Record] = [r.JobAccepted(submit, 3, 1, (), weights)]
    records += [
        r.VoteCounted(
            submit.job,
            m.VoteRecord(
                Seat(seat),
                seat,
                "here",
                WorkerId("w"),
                "e",
                digest,
                digest,
                text,
                "stop",
                1,
                1,
                1.0,
            ),
        )
        for seat, (digest, text) in enumerate(votes)
    ]
    node = NodeIdentity(NodeId("n" * 40), "here", "0", 1, "ipc://x", "home")
    core = Broker(node, random.Random(1), 10.0)
    told = core.restore(records, 10.0)
    verdict = next(
        a.record.verdict
        for a in told
        if isinstance(a, ev.Write) and isinstance(a.record, r.VerdictGiven)
    )
    assert (verdict.answer, verdict.agreement) == ("1", 0.6)


def test_further_seats_go_to_the_best_and_those_near_them(experienced: Node) -> None:
    """A first wave that settles nothing asks further seats: of good and fair, never of poor."""
    further = []
    for _ in range(60):
        _, told = experienced.ask(votes=8, stop="saving")
        for action in told:
            if said(action, m.Ballot):
                further += [
                    action.route for seat in action.message.seats if seat.seat >= first_wave(8)
                ]
    assert further, "no second wave in 60 jobs: nothing was shown"
    assert set(further) <= {b"good", b"fair"}


def test_what_was_learned_from_survives_the_broker(experienced: Node) -> None:
    kept = experienced.kept[-1]
    again = Node(2, msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Past))
    assert rows(again)["good"].reliability is None
    again.now += 20.0
    again.step(ev.Tick())
    assert rows(again)["good"].weight > 1


def test_another_file_of_the_same_name_starts_anew(experienced: Node) -> None:
    node = Node(3, experienced.kept[-1])
    node.core.handle(ev.ChildExited(WorkerId("poor"), "it ended"), node.now)
    node.join("poor", "d-new")
    assert "d-poor" not in {model.digest for model in models(node)}
    known = rows(node)
    assert (known["poor"].jobs, known["good"].jobs > 0) == (0, True)


def test_two_files_of_one_name_side_by_side_are_both_known(experienced: Node) -> None:
    node = Node(3, experienced.kept[-1])
    ready = m.Ready(WorkerId("other"), 2, "scripted", "1", "poor", "d-new", 8, 512)
    node.step(ev.Received(b"other", ready))
    assert {"d-poor", "d-new"} <= {row.digest for row in models(node)}


def verdict(votes: list[tuple[str, str | None]], kind: str = "number") -> m.Verdict:
    records = tuple(
        m.VoteRecord(
            Seat(i), i, "here", WorkerId("w"), "e", d, d, "", "stop", 1, 1, 1.0, answer=answer
        )
        for i, (d, answer) in enumerate(votes)
    )
    return m.Verdict(JobId("j"), "decided", "", len(votes), votes=records, answer_type=kind)


@pytest.mark.parametrize(
    ("votes", "kind"),
    [
        ([("a", "1"), ("a", "1")], "number"),
        ([("a", "1"), ("b", None)], "number"),
        ([("a", "so"), ("b", "thus")], "text"),
        ([("a", "f()"), ("b", "g()")], "code"),
    ],
)
def test_a_job_that_compares_no_models_teaches_nothing(
    votes: list[tuple[str, str | None]], kind: str
) -> None:
    known = Reliability()
    known.note(verdict(votes, kind))
    assert known.kinds == []


def test_the_past_is_bounded_and_holds_no_answer() -> None:
    known = Reliability()
    for _ in range(JOBS_KEPT + 10):
        known.note(verdict([("a", "a secret"), ("b", "a secret"), ("a", "x" * 10_000)]))
    past = known.past()
    assert len(past.jobs["number"]) == JOBS_KEPT
    assert past.jobs["number"][0] == ((0, 0), (1, 0), (0, 1))


def test_prose_is_weighed_by_what_the_models_showed_elsewhere() -> None:
    known = Reliability()
    known.names = {"a": "a", "b": "b"}
    known.take("number", {"a": 0.9, "b": 0.6})
    known.take("choice", {"a": 0.7, "b": 0.6})
    assert known.of("text") == {"a": pytest.approx(0.8), "b": pytest.approx(0.6)}
    assert known.of("label") == {}


def test_the_file_is_read_back_and_a_damaged_one_is_as_good_as_none(tmp_path: Path) -> None:
    past = Past(("d1", "d2"), ("a", "b"), {"number": (((0, 0), (1, 1)),)})
    learner = Learner(tmp_path)
    assert learner.load() is None
    learner.perform(ev.KeepPast(past))
    assert Learner(tmp_path).load() == past
    file = tmp_path / FILE
    for damage in (b"", b"\xff" * 9, file.read_bytes()[:-3]):
        file.write_bytes(damage)
        assert learner.load() is None
    for unsound in (
        Past(("d1",), (), {}),
        Past(("d1", "d1"), ("a", "b"), {}),
        Past(("d1",), ("a",), {"number": (((1, 0),),)}),
        Past(("d1",), ("a",), {"number": (((0, -1),),)}),
        Past(("d1",), ("a",), {}, {"number": (Grade(1, ("d2",), 1.0, 8, right=True),)}),
        Past(("d1",), ("a",), {}, {"number": (Grade(1, ("d1",), 2.0, 8, right=True),)}),
        Past(("d1",), ("a",), {}, {"number": (Grade(1, ("d1",), 1.0, 0, right=True),)}),
    ):
        file.write_bytes(msgspec.msgpack.encode(unsound))
        assert learner.load() is None


def test_learning_beside_the_loop_wakes_it(tmp_path: Path) -> None:
    import threading

    woken = threading.Event()
    learner = Learner(tmp_path)
    learner.wake = woken.set
    jobs = ((("a", "0"), ("b", "0")),) * 200
    learner.perform(ev.Learn("number", jobs))
    assert woken.wait(30)
    (learned,) = learner.take()
    assert learned == ev.Learned("number", learn(jobs))
    assert learner.take() == []
