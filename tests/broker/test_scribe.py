"""What leaves, and when, while the disk is full: a real journal with its room cut, real sockets."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import zmq

from broker.ballast import Ballast
from broker.events import Fetch, JournalFull, JournalWell, Send
from broker.journal import Journal
from broker.journal_file import opened
from broker.outbox import Outbox
from broker.scribe import RETRY_S, Scribe
from broker.service import Service
from protocol import frames
from protocol import messages as m
from protocol.ids import JobId
from protocol.records import JobAccepted, VerdictGiven


class Rig:
    """A scribe with one listener."""

    def __init__(self, folder: Path) -> None:
        self.context = zmq.Context()
        router = self.context.socket(zmq.ROUTER)
        router.bind("inproc://scribe")
        self.listener = self.context.socket(zmq.DEALER)
        self.listener.connect("inproc://scribe")
        self.listener.send(b"")
        self.route = router.recv_multipart()[0]
        self.router = router
        self.journal: Journal = opened(folder, "process")[0]
        self.outbox = Outbox(router)
        self.scribe = Scribe(self.journal, Ballast(folder), self.outbox)
        self.ballast = folder / "journal.ballast"
        self.now = 10.0
        assert self.scribe.begin(self.now) == []

    def accept(self, name: str, size: int = 100) -> None:
        self.scribe.write(JobAccepted(m.Submit(JobId(name), "x" * size), 1, 7))
        self.scribe.say(Send(self.route, m.Accepted(JobId(name), 1, 7)))

    def end(self, name: str) -> None:
        verdict = m.Verdict(JobId(name), "decided", "all in", 1, notes=("x" * 50_000,))
        self.scribe.write(VerdictGiven(verdict))
        self.scribe.say(Send(self.route, verdict))

    def settle(self) -> list:
        return self.scribe.settle(self.now)

    def heard(self) -> list[m.Message]:
        self.now += 0.01  # an ACCEPTED waits a moment for company
        self.outbox.flush(self.now - 0.01)
        self.outbox.flush(self.now)
        said = []
        while self.listener.poll(20):
            said += frames.to_client(self.listener.recv())
        return said

    def room(self, pages: int) -> None:
        (used,) = self.journal._db.execute("PRAGMA page_count").fetchone()
        self.journal._db.execute(f"PRAGMA max_page_count = {used + pages}")

    def close(self) -> None:
        self.scribe.close()
        self.listener.close()
        self.router.close()
        self.context.term()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def test_nothing_is_said_before_the_turn_is_committed(rig: Rig) -> None:
    rig.accept("j1")
    assert rig.heard() == []
    assert rig.settle() == []
    assert [type(said) for said in rig.heard()] == [m.Accepted]


def test_a_job_that_cannot_be_written_is_never_accepted_and_its_ballast_is_given_up(
    rig: Rig,
) -> None:
    rig.room(0)
    rig.accept("big", 200_000)
    (news,) = rig.settle()
    assert isinstance(news, JournalFull)
    assert news.unwritten == ("big",)
    assert rig.heard() == []
    assert not rig.ballast.exists()


def test_a_verdict_waits_until_it_is_written_and_all_else_goes_on(rig: Rig) -> None:
    for name in ("j1", "j2"):
        rig.accept(name)
    rig.settle()
    rig.heard()
    rig.room(0)
    rig.end("j1")
    rig.scribe.say(Send(rig.route, m.Scaled(1, 1)))
    (news,) = rig.settle()
    assert isinstance(news, JournalFull)
    assert [type(said) for said in rig.heard()] == [m.Scaled]
    rig.end("j2")
    assert rig.settle() == []
    assert rig.heard() == []
    rig.room(1000)
    rig.now += 2 * RETRY_S
    assert rig.settle() == [JournalWell()]
    assert [said.job for said in rig.heard()] == ["j1", "j2"]
    assert rig.ballast.exists()


def test_a_result_that_waits_for_room_is_read_back_as_if_it_were_written(rig: Rig) -> None:
    """More jobs may end on a full disk than are held in memory: theirs are not damaged."""
    rig.accept("j1")
    rig.settle()
    rig.heard()
    rig.room(0)
    rig.end("j1")
    assert rig.settle() != []
    asked = Fetch(rig.route, m.Wait(JobId("j1")))
    *_, last = rig.scribe.fetch(asked).records
    assert isinstance(last, VerdictGiven)
    rig.scribe.say(Send(rig.route, last.verdict))
    assert rig.settle() == []
    assert rig.heard() == []
    rig.room(1000)
    rig.now += 2 * RETRY_S
    rig.settle()
    assert [said.job for said in rig.heard()] == ["j1"]


def test_a_result_of_this_turn_is_read_back(rig: Rig) -> None:
    rig.accept("j1")
    rig.end("j1")
    records = rig.scribe.fetch(Fetch(rig.route, m.Wait(JobId("j1")))).records
    assert [type(record) for record in records] == [JobAccepted, VerdictGiven]
    assert rig.heard() == []


class Flickering:
    """A disk that has room again, and none a moment later."""

    busy = True

    def __init__(self) -> None:
        self.news = [[JournalWell()], [JournalFull("full", (JobId("j1"),))]]

    def settle(self, now: float) -> list:
        return self.news.pop(0)


def test_the_core_is_told_that_the_disk_is_full_again_at_once() -> None:
    """Else it would go on accepting jobs, and the scribe, which knows, says so unwritten."""
    told: list = []
    Service._settle(SimpleNamespace(_handle=told.append), Flickering())
    assert [type(event) for event in told] == [JournalWell, JournalFull]
