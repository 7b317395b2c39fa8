"""The journal as the command line reads it while no node runs, and what a replay compares."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from broker.journal_file import opened as opened_by_the_broker
from detect.home import find
from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId
from protocol.records import (
    BallotIssued,
    JobAccepted,
    Record,
    SeatGivenUp,
    VerdictGiven,
    VoteCounted,
)
from swarmctl import history, replay
from swarmctl.exits import Exit, Failure, NoBroker


def vote(seat: int, text: str = "#### 42", digest: str = "d") -> m.VoteRecord:
    return m.VoteRecord(
        Seat(seat), 100 + seat, "here", WorkerId("w1"), "e", "m", digest, text, "stop", 3, 4, 0.1,
        "42",
    )  # fmt: skip


def accepted(name: str) -> JobAccepted:
    return JobAccepted(m.Submit(JobId(name), "How  many?", votes=2, answer="number"), 2, 100)


def ended(name: str, *votes: m.VoteRecord) -> VerdictGiven:
    return VerdictGiven(
        m.Verdict(JobId(name), "decided", "all in", 2, len(votes), answer="42", votes=votes)
    )


LIFE: list[Record] = [
    accepted("done"),
    BallotIssued(JobId("done"), "w1", (m.BallotSeat(Seat(0), 100, 2), m.BallotSeat(Seat(1), 7, 1))),
    ended("done", vote(0)),
    accepted("open"),
    BallotIssued(JobId("open"), "w1", (m.BallotSeat(Seat(0), 100, 1), m.BallotSeat(Seat(1), 7, 3))),
    VoteCounted(JobId("open"), vote(0)),
    accepted("new"),
]


@pytest.fixture
def home(tmp_path: Path):
    journal, _ = opened_by_the_broker(tmp_path, "process")
    for record in LIFE:
        journal.put(record)
    journal.close()
    return find({"SWARM_HOME": str(tmp_path)})


def test_jobs_are_listed_newest_first_with_what_became_of_them(home) -> None:
    with history.opened(home) as journal:
        listed = journal.jobs(2)
        everything = journal.jobs(50)
    assert [(row.job, row.state) for row in listed.jobs] == [("new", "waiting"), ("open", "voting")]
    assert listed.more == 1
    done = everything.jobs[2]
    assert (done.outcome, done.answer, done.cast, done.prompt) == ("decided", "42", 1, "How many?")


def test_a_job_is_shown_with_the_seats_seeds_and_attempts_that_it_had(home) -> None:
    with history.opened(home) as journal:
        done, going = journal.job("done"), journal.job("open")
    assert done.verdict == LIFE[2].verdict
    assert [(s.seat, s.seed, s.state, s.attempts) for s in done.seats] == [
        (0, 100, "voted", 2),
        (1, 7, "cancelled", 1),
    ]
    assert [(s.seat, s.seed, s.state, s.attempts) for s in going.seats] == [
        (0, 100, "voted", 1),
        (1, 7, "waiting", 3),
    ]


def test_what_is_not_there_is_said(home, tmp_path: Path) -> None:
    with history.opened(home) as journal, pytest.raises(Failure) as unknown:
        journal.job("nope")
    assert unknown.value.code == Exit.NOT_FOUND
    elsewhere = find({"SWARM_HOME": str(tmp_path / "empty")})
    with pytest.raises(NoBroker), history.opened(elsewhere):
        pass


def test_a_file_that_is_no_journal_is_a_failure_in_words(home) -> None:
    (home.state / "journal.db").write_bytes(b"no journal " * 1000)
    with pytest.raises(Failure) as failure, history.opened(home) as journal:
        journal.jobs(5)
    assert "swarmctl up" in failure.value.hint


def test_the_commands_work_without_a_node(home) -> None:
    def swarmctl(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "swarmctl.app", "jobs", *arguments],
            env={"SWARM_HOME": str(home.state), "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    listed = json.loads(swarmctl("ls", "--json").stdout)
    assert [row["job"] for row in listed["jobs"]] == ["new", "open", "done"]
    assert swarmctl("wait", "done").stdout.strip() == "42"
    waiting = swarmctl("wait", "open")
    assert waiting.returncode == Exit.NO_BROKER
    assert "has not ended" in waiting.stderr
    assert swarmctl("show", "nope").returncode == Exit.NOT_FOUND
    assert swarmctl("replay", "done").returncode == Exit.NO_BROKER


def test_a_replay_asks_for_the_same_seeds_of_the_same_model_file_and_waits_for_all(home) -> None:
    with history.opened(home) as journal:
        put = replay.again(journal.job("done"), JobId("again"))
    assert (put.job, put.seed, put.votes, put.model, put.stop) == ("again", 100, 1, "d", "all")
    assert put.prompt == "How  many?"


def test_texts_are_compared_seat_by_seat() -> None:
    before = [vote(0), vote(1, "ab cd"), vote(2), vote(3), vote(4, "abc")]
    after = [vote(0), vote(1, "ab xy"), vote(2, digest="other"), vote(4, "abcdef")]
    compared = replay.compare(before, after)
    assert [(c.seat, c.state, c.at) for c in compared] == [
        (0, "same", None),
        (1, "differs", 3),
        (2, "another model", None),
        (3, "missing", None),
        (4, "differs", 3),
    ]
    assert replay.line(compared[1]).endswith("differs from character 3: 'cd', now 'xy'")
    assert replay.record("j", m.Submit(JobId("k"), "?"), compared)["same"] == 1


def test_a_seat_that_was_given_up_is_shown_with_its_reason(tmp_path: Path) -> None:
    journal, _ = opened_by_the_broker(tmp_path, "process")
    for record in (accepted("j"), SeatGivenUp(JobId("j"), Seat(0), "declined", "too long")):
        journal.put(record)
    journal.close()
    with history.opened(find({"SWARM_HOME": str(tmp_path)})) as read:
        (seat,) = read.job("j").seats
    assert (seat.state, seat.reason) == ("declined", "too long")
