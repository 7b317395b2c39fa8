"""The journal's disk: full, broken, cut short. Real processes and a real, small file system."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protocol import journal as file
from protocol import messages as m
from protocol.ids import JobId
from tests.nodes.node import Node, running, scripted

DISK_MIB = 24

SLOW = "answers=42;tokens=300;step_s=0.01"


# ---------------------------------------------------------------- case 16: full


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="swarm-"))
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(bytes(4096))
    return filler


def submit_until_refused(node: Node) -> tuple[list[JobId], m.Problem]:
    accepted = []
    for _ in range(3000):
        job = node.submit("x" * 4000, votes=1, timeout_s=600)
        answer = node.hear(m.Accepted | m.Rejected)  # type: ignore[arg-type]
        if isinstance(answer, m.Rejected):
            return accepted, answer.problem
        accepted.append(job)
    raise AssertionError("a full disk was never noticed")


@pytest.mark.needs_root
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a file system")
def test_case_16_a_full_disk_refuses_new_jobs_finishes_running_ones_and_heals(
    small_disk: Path,
) -> None:
    with running(*scripted(SLOW), home=small_disk) as node:
        before = node.submit(votes=1, timeout_s=600)
        node.hear(m.Accepted)
        filler = fill(small_disk)
        accepted, problem = submit_until_refused(node)
        assert problem.code == "journal-full"
        assert "the journal is full" in node.status().notes
        fill(small_disk)  # the room of the ballast, too
        assert not (small_disk / "journal.ballast").exists()
        filler.unlink()
        verdicts = {node.hear(m.Verdict).job for _ in range(1 + len(accepted))}
        assert verdicts == {before, *accepted}
        node.until(lambda report: not report.notes, "healed")
        assert node.ask(votes=1, timeout_s=600).answer == "42"
        assert (small_disk / "journal.ballast").exists()


# ---------------------------------------------------------------- case 17: broken


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as opened:
        opened.seek(at)
        (byte,) = opened.read(1)
        opened.seek(at)
        opened.write(bytes([byte ^ 0x10]))


def flip_in_the_file(home: Path) -> None:
    fold(home)
    raw = (home / file.FILE).read_bytes()
    flip(home / file.FILE, raw.index(b"question of job-2"))


def flip_in_the_log(home: Path) -> None:
    flip(home / f"{file.FILE}-wal", 3 * file.PAGE_BYTES)


def cut_the_file(home: Path) -> None:
    fold(home)
    os.truncate(home / file.FILE, 3 * file.PAGE_BYTES)


def overwrite(home: Path) -> None:
    fold(home)
    with (home / file.FILE).open("r+b") as opened:
        opened.write(b"\0" * 2000)


def fold(home: Path) -> None:
    """Bring what is in the log into the file, as a clean end does."""
    import sqlite3

    db = sqlite3.connect(home / file.FILE)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


@pytest.mark.parametrize("damage", [flip_in_the_file, flip_in_the_log, cut_the_file, overwrite])
def test_case_17_a_broken_journal_is_set_aside_and_named_and_the_node_serves(
    damage: Callable[[Path], None],
) -> None:
    with running(*scripted("answers=42;tokens=100000;step_s=0.01")) as node:
        for i in range(20):
            node.submit(f"question of job-{i} " * 100, votes=1, timeout_s=600)
            node.hear(m.Accepted)
        node.signal(signal.SIGKILL)
        node.wait()
        damage(node.home)
        node.start_again()
        report = node.ready()
        (aside,) = node.home.glob("journal-damaged-*.db")
        (note,) = report.notes
        assert aside.name in note
        assert aside.name in node.stderr.read_text()
        left = report.jobs.queued + report.jobs.running
        assert f"{left} jobs that could be read were carried over" in note
        node.submit(votes=1)
        node.hear(m.Accepted)


def test_without_a_journal_nothing_is_written_and_nothing_outlives_the_broker() -> None:
    with running(*scripted("answers=42"), "--durability", "none") as node:
        job = node.submit(votes=1)
        node.hear(m.Verdict)
        assert not list(node.home.glob("journal*"))
        node.signal(signal.SIGKILL)
        node.wait()
        node.start_again()
        node.ready()
        node.say(m.Wait(job))
        assert node.hear(m.Rejected).problem.code == "not-found"
