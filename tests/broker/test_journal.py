"""The journal's file: what comes back after a kill, after damage, after a full disk."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from broker import events as ev
from broker import journal_file
from broker.core import Broker
from broker.journal import Journal
from broker.journal_file import NewerJournal, opened, take_up
from broker.kept import Retention
from broker.learning import KEEP_JOBS
from broker.restore import Uncountable
from broker.state import NodeIdentity
from protocol import journal as file
from protocol import messages as m
from protocol.ids import JobId, NodeId, Seat, WorkerId
from protocol.records import (
    BallotIssued,
    JobAccepted,
    JobsForgotten,
    Record,
    SeatGivenUp,
    VerdictGiven,
    VerdictHeard,
    VoteCounted,
)
from tests.broker.test_restart_random import MortalSchedule, picture


def accepted(name: str, prompt: str = "How many?") -> JobAccepted:
    return JobAccepted(m.Submit(JobId(name), prompt, votes=3, answer="number"), 3, 7)


def issued(name: str, seat: int, attempt: int) -> BallotIssued:
    return BallotIssued(JobId(name), "w1", (m.BallotSeat(Seat(seat), 0, attempt),))


def record_of(seat: int, text: str) -> m.VoteRecord:
    return m.VoteRecord(
        Seat(seat), 7, "here", WorkerId("w1"), "scripted", "s", "d", text, "stop", 3, 4, 0.1, "42"
    )


def verdict(name: str, *votes: m.VoteRecord) -> VerdictGiven:
    return VerdictGiven(m.Verdict(JobId(name), "decided", "all in", 3, 3, answer="42", votes=votes))


def written(folder: Path, *records: Record) -> Journal:
    journal, _ = opened(folder, "process")
    for record in records:
        journal.put(record)
    journal.commit()
    return journal


def killed(folder: Path, copy: Path) -> Path:
    """What a process that was killed now leaves behind: the files as they are, nothing closed."""
    copy.mkdir()
    for path in folder.iterdir():
        shutil.copy(path, copy / path.name)
    return copy


def broker(journal: Journal) -> Broker:
    import random

    node = NodeIdentity(NodeId("n" * 40), "here", "0", 1, "ipc://x", "home")
    core = Broker(node, random.Random(1), 10.0, Retention())
    take_up(core, journal, 10.0)
    core.check()
    return core


def test_a_start_gives_back_the_room_of_what_was_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [JobId(f"j{number}") for number in range(200)]
    results = [verdict(name, record_of(0, "x" * 20_000)) for name in names]
    journal = written(tmp_path, accepted("open"), issued("open", 0, 3), *map(accepted, names))
    for result in results:
        journal.put(result)
    journal.commit()
    journal.put(JobsForgotten(tuple(names[:190])))
    journal.commit()
    journal.close()
    path = tmp_path / file.FILE
    large = path.stat().st_size
    assert large > 200 * 20_000
    opened(tmp_path, "process")[0].close()
    assert path.stat().st_size == large  # not worth it
    monkeypatch.setattr(journal_file, "COMPACT_BYTES", 1 << 20)
    journal, notes = opened(tmp_path, "process")
    assert notes == ()
    core = broker(journal)
    assert list(core.state.jobs.open) == ["open"]
    assert core.state.jobs.open[JobId("open")].seats[0].attempt == 3
    assert len(list(journal.finished())) == 10
    journal.close()
    assert path.stat().st_size < large / 10


def test_what_was_committed_outlives_a_kill(tmp_path: Path) -> None:
    (home := tmp_path / "a").mkdir()
    kept = written(home, accepted("j1"), issued("j1", 0, 1), issued("j1", 1, 4))
    kept.put(VoteCounted(JobId("j1"), record_of(0, "#### 42")))
    kept.commit()
    kept.put(accepted("never committed"))
    journal, notes = opened(killed(home, tmp_path / "b"), "process")
    core = broker(journal)
    assert notes == ()
    assert list(core.state.jobs.open) == ["j1"]
    seats = core.state.jobs.open[JobId("j1")].seats
    assert [(seat.state, seat.attempt) for seat in seats] == [
        ("voted", 1),
        ("waiting", 4),
        ("waiting", 0),
    ]
    kept.close()
    journal.close()


def test_a_result_is_remembered_and_can_be_fetched_with_its_votes(tmp_path: Path) -> None:
    vote = record_of(0, "#### 42")
    kept = written(tmp_path, accepted("j1"), VoteCounted(JobId("j1"), vote), verdict("j1", vote))
    kept.close()
    journal, _ = opened(tmp_path, "process")
    core = broker(journal)
    assert not core.state.jobs.open
    assert JobId("j1") in core.state.kept
    (asked,) = core.handle(ev.Received(b"c", m.Wait(JobId("j1"))), 11.0)
    told = core.handle(ev.Fetched(asked.route, asked.message, journal.fetch(JobId("j1"))), 11.0)
    assert [send.message for send in told] == [verdict("j1", vote).verdict]
    journal.close()


def test_what_is_heard_stays_so_and_what_is_forgotten_leaves_every_table(tmp_path: Path) -> None:
    kept = written(tmp_path, accepted("j1"), issued("j1", 0, 1), verdict("j1"), accepted("j2"))
    kept.put(VoteCounted(JobId("j2"), record_of(0, "#### 1")))
    kept.put(SeatGivenUp(JobId("j2"), Seat(1), "abstained", "no"))
    kept.commit()
    kept.put(verdict("j2"))
    kept.put(VerdictHeard(JobId("j2")))
    kept.commit()
    kept.put(JobsForgotten((JobId("j1"),)))
    kept.close()
    journal, _ = opened(tmp_path, "process")
    assert [(f.job, f.heard) for f in journal.finished()] == [("j2", True)]
    assert journal.fetch(JobId("j1")) == ()
    journal.close()
    with sqlite3.connect(tmp_path / file.FILE) as db:
        tables = ("jobs", "ballots", "votes", "verdicts", "heard")
        counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    db.close()
    assert counts == [1, 0, 2, 1, 1]


def test_a_job_that_is_forgotten_and_put_again_in_one_turn_has_a_second_life(
    tmp_path: Path,
) -> None:
    kept = written(tmp_path, accepted("j1"), verdict("j1"), accepted("j2"))
    kept.put(verdict("j2"))
    kept.put(VerdictHeard(JobId("j1")))
    kept.put(JobsForgotten((JobId("j1"), JobId("j2"))))
    kept.put(accepted("j1", "once more?"))
    kept.put(issued("j1", 0, 1))
    kept.commit()
    kept.close()
    journal, _ = opened(tmp_path, "process")
    ((_, records),) = journal.unfinished()
    assert records == [accepted("j1", "once more?"), issued("j1", 0, 1)]
    assert journal.finished() == []
    journal.close()


@pytest.mark.parametrize("seed", range(6))
def test_a_core_restored_from_the_file_is_the_one_restored_from_the_records(
    seed: int, tmp_path: Path
) -> None:
    run = MortalSchedule(seed)
    for _ in range(200):
        run.step()
    (first := tmp_path / "a").mkdir()
    written(first, *run.written).close()
    journal, _ = opened(first, "process")
    lives = [records for _, records in journal.unfinished()]
    lives += [list(journal.fetch(result.job)) for result in journal.finished()]
    journal.close()
    run.restart(remembering=False)
    wanted = picture(run)
    run.written = [record for life in lives for record in life]
    run.restart(remembering=False)
    assert without_attempts(picture(run)) == without_attempts(wanted)


def without_attempts(jobs: dict) -> dict:
    """Seats whose vote stands in the verdict only, or that never opened, have fewer details."""
    return {
        job: (seed, asked, verdict, [(s, v) for s, _, v in seats if verdict is None or v])
        for job, (seed, asked, verdict, seats) in jobs.items()
    }


# ---------------------------------------------------------------- damage


def damaged_bodies(folder: Path) -> None:
    db = sqlite3.connect(folder / file.FILE)
    (body,) = db.execute("SELECT body FROM jobs WHERE job = 'j1'").fetchone()
    flipped = bytes([body[20] ^ 4]) + body[21:]
    db.execute("UPDATE jobs SET body = ? WHERE job = 'j1'", (body[:20] + flipped,))
    db.commit()
    db.close()


def damaged_structure(folder: Path) -> None:
    path = folder / file.FILE
    raw = bytearray(path.read_bytes())
    raw[file.PAGE_BYTES : file.PAGE_BYTES + 64] = bytes(64)
    path.write_bytes(raw)


def truncated(folder: Path) -> None:
    path = folder / file.FILE
    path.write_bytes(path.read_bytes()[: 5 * file.PAGE_BYTES])


def replaced(folder: Path) -> None:
    (folder / file.FILE).write_bytes(b"this is no journal, and never was one " * 400)


@pytest.mark.parametrize("damage", [damaged_bodies, damaged_structure, truncated, replaced])
def test_a_damaged_file_is_set_aside_and_named_and_a_new_one_is_used(
    damage: object, tmp_path: Path
) -> None:
    names = [f"j{i}" for i in range(9)]
    written(tmp_path, *(accepted(name, name * 1500) for name in names)).close()
    damage(tmp_path)  # type: ignore[operator]
    before = (tmp_path / file.FILE).read_bytes()
    journal, (note,) = opened(tmp_path, "process")
    (aside,) = tmp_path.glob("journal-damaged-*.db")
    assert aside.name in note
    assert aside.read_bytes() == before
    core = broker(journal)
    left = set(core.state.jobs.open)
    assert left <= set(names)
    assert f"{len(left)} jobs that could be read" in note
    if damage is damaged_bodies:
        assert left == set(names) - {"j1"}
    journal.put(accepted("new"))
    journal.close()


def test_a_result_whose_body_is_damaged_is_known_to_have_ended(tmp_path: Path) -> None:
    """It must not be computed again: its verdict was given."""
    written(tmp_path, accepted("j1"), verdict("j1"), accepted("j2")).close()
    db = sqlite3.connect(tmp_path / file.FILE)
    db.execute("UPDATE verdicts SET body = x'00'")
    db.commit()
    db.close()
    journal, _ = opened(tmp_path, "process")
    core = broker(journal)
    assert list(core.state.jobs.open) == ["j2"]
    assert JobId("j1") in core.state.kept
    assert journal.fetch(JobId("j1")) == ()
    journal.close()


def test_a_file_that_somebody_else_holds_is_not_taken_for_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set aside it could not be read either, so every job in it would have been left behind."""
    written(tmp_path, accepted("j1")).close()
    with contextlib.closing(sqlite3.connect(tmp_path / file.FILE, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("UPDATE jobs SET accepted = 1.0")
        monkeypatch.setattr(journal_file, "HELD_S", 0.05)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            opened(tmp_path, "process")
    assert not list(tmp_path.glob("journal-damaged-*"))
    journal, notes = opened(tmp_path, "process")
    assert notes == ()
    assert len(list(journal.unfinished())) == 1
    journal.close()


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    written(tmp_path, accepted("j1")).close()
    db = sqlite3.connect(tmp_path / file.FILE)
    db.execute(f"PRAGMA user_version = {file.VERSION + 1}")
    db.close()
    with pytest.raises(NewerJournal):
        opened(tmp_path, "process")


# ---------------------------------------------------------------- a full disk


def test_a_commit_that_fails_changes_nothing_and_is_tried_again(tmp_path: Path) -> None:
    journal = written(tmp_path, accepted("j1"))
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    journal.put(accepted("big", "x" * 100_000))
    journal.put(verdict("j1"))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        journal.commit()
    assert journal.unwritten == ("big",)
    journal.withdraw(journal.unwritten)
    journal._db.execute("PRAGMA max_page_count = 1000000")
    assert journal.commit()
    journal.close()
    again, _ = opened(tmp_path, "process")
    assert not list(again.unfinished())
    assert [f.job for f in again.finished()] == ["j1"]
    again.close()


def test_a_job_that_only_a_later_version_could_count_is_neither_dropped_nor_counted_otherwise(
    tmp_path: Path,
) -> None:
    submit = m.Submit(JobId("j1"), "How many?", stop="clever")
    journal = written(tmp_path, accepted("j0"), JobAccepted(submit, 3, 7))
    with pytest.raises(Uncountable, match=r"j1.*clever"):
        broker(journal)
    jobs = {records[0].submit.job for _, records in journal.unfinished()}
    assert jobs == {"j0", "j1"}


def test_many_jobs_that_their_votes_decide_at_the_restart_end_then(tmp_path: Path) -> None:
    """An earlier version counted otherwise, or the verdicts' page was damaged."""
    records: list[Record] = []
    for name in (f"j{number}" for number in range(KEEP_JOBS + 5)):
        records.append(accepted(name))
        for seat in range(3):
            vote = msgspec.structs.replace(record_of(seat, "#### 42"), digest=f"d{seat}")
            records.append(VoteCounted(JobId(name), vote))
    journal = written(tmp_path, *records)
    core = broker(journal)
    assert not core.state.jobs.open
    assert len(journal.finished()) == KEEP_JOBS + 5
    journal.close()
