"""What known answers make of a node's confidences, in a core that is told everything."""

import msgspec
import pytest

from broker import events as ev
from broker.grades import GRADES_KEPT, Grade, Grades
from broker.job import Standing
from broker.reliability import Past
from broker.voting.calibration import OWN_NEEDED, Record, bend, confidence
from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId
from tests.broker.test_reliability import Node, said

MODELS = ("good", "fair", "poor")


def ask(node: Node, number: int, texts: str = "777", **fields: object) -> m.Verdict:
    """One job whose votes are these digits, from SUBMIT to its verdict."""
    name = JobId(f"g{number}-{node.jobs}")
    node.jobs += 1
    asked = {"votes": len(texts), "answer": "number", "stop": "all", **fields}
    submit = m.Submit(name, f"Question {number}?", **asked)  # type: ignore[arg-type]
    told = node.step(ev.Received(b"c", submit))
    for action in told:
        if isinstance(action, ev.Send) and isinstance(action.message, m.Ballot):
            for seat in action.message.seats:
                text = texts[seat.seat]
                vote = m.Vote(name, Seat(seat.seat), seat.attempt, text, "stop", 3, 4)
                told += node.step(ev.Received(action.route, vote))
    return next(a.message for a in told if said(a, m.Verdict))


def grade(node: Node, job: JobId, right: bool) -> None:
    for action in node.step(ev.Received(b"c", m.Graded(job, right))):
        assert isinstance(action, ev.KeepPast), "a grade has no answer"


def row(node: Node, kind: str = "number") -> m.ConfidenceRow:
    told = node.step(ev.Received(b"c", m.Models()))
    found = next(a.message for a in told if said(a, m.ModelList))
    return next(row for row in found.confidence if row.answer_type == kind)


@pytest.fixture
def graded() -> Node:
    """A node whose unanimous votes were wrong every second time."""
    node = Node(7)
    for number in range(OWN_NEEDED):
        grade(node, ask(node, number).job, right=number % 2 == 0)
    return node


def test_what_ships_is_told_until_enough_answers_are_known() -> None:
    node = Node(7)
    for number in range(OWN_NEEDED - 1):
        verdict = ask(node, number)
        assert verdict.confidence == confidence("number", 1.0, 3)
        grade(node, verdict.job, right=False)
    assert (row(node).graded, row(node).own) == (OWN_NEEDED - 1, False)


def test_then_a_verdict_tells_what_the_known_answers_make_of_it(graded: Node) -> None:
    shipped = confidence("number", 1.0, 3)
    own = bend("number", [Record(1.0, 3, i % 2 == 0) for i in range(OWN_NEEDED)])
    told = ask(graded, 1000).confidence
    assert told == confidence("number", 1.0, 3, own=own)
    assert told is not None
    assert shipped is not None
    assert 0.45 < told < 0.65 < shipped
    assert (row(graded).graded, row(graded).own) == (OWN_NEEDED, True)
    assert row(graded, "choice").own is False


def test_a_question_that_is_put_again_counts_once_with_its_last_word() -> None:
    node = Node(7)
    for _ in range(OWN_NEEDED):
        grade(node, ask(node, 1).job, right=True)
    assert row(node).graded == 1
    verdict = ask(node, 2)
    grade(node, verdict.job, right=True)
    grade(node, verdict.job, right=False)
    (_, last) = node.core.state.reliability.grades.of["number"].values()
    assert last.right is False


def test_a_verdict_without_a_share_to_trust_teaches_nothing() -> None:
    node = Node(7)
    jobs = [
        ask(node, 1, "7890", votes=2).job,  # tied
        ask(node, 2, answer="text").job,
        ask(node, 3, answer="code").job,
        JobId("nobody's"),
    ]
    for job in jobs:
        grade(node, job, right=True)
    assert node.core.state.reliability.grades.of == {}


def test_known_answers_survive_the_broker(graded: Node) -> None:
    told = ask(graded, 1000).confidence
    for number in range(2000, 2020):  # enough for them to be written
        grade(graded, ask(graded, number).job, right=number % 2 == 0)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(graded.kept[-1]), type=Past)
    again = Node(8, kept)
    assert row(again).graded >= OWN_NEEDED
    assert ask(again, 1000).confidence == pytest.approx(told, abs=0.05)


def test_another_file_under_a_models_name_starts_anew(graded: Node) -> None:
    graded.core.handle(ev.ChildExited(WorkerId("poor"), "it ended"), graded.now)
    graded.join("poor", "d-new")
    assert (row(graded).graded, row(graded).own) == (0, False)
    assert ask(graded, 1000).confidence == confidence("number", 1.0, 3)


def test_a_model_that_nobody_graded_is_told_what_ships(graded: Node) -> None:
    graded.join("new")
    assert row(graded).own is False
    assert ask(graded, 1000).confidence == confidence("number", 1.0, 3)


def test_what_is_kept_is_bounded_and_the_oldest_goes() -> None:
    grades = Grades()
    for number in range(GRADES_KEPT + 5):
        grades.take("number", Grade(number, ("d",), 1.0, 8, right=True))
    assert next(iter(grades.of["number"])) == 5
    assert len(grades.of["number"]) == GRADES_KEPT


def test_a_job_stands_by_the_votes_that_were_counted() -> None:
    node = Node(7)
    verdict = ask(node, 1, "778")
    job = node.core.state.jobs.done[verdict.job]
    voters = frozenset(f"d-{name}" for name in MODELS)
    assert job.standing == Standing("number", 2 / 3, 3, voters)
