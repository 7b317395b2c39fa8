"""Damage in the log that SQLite would pass over in silence."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.wal import loses_commits

COMMITS = 6


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A database and its log, with six commits that only the log holds."""
    path = tmp_path_factory.mktemp("wal") / "a.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA page_size = 512")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE t(i INTEGER PRIMARY KEY, body BLOB)")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for i in range(COMMITS):
        db.execute("INSERT INTO t VALUES(?, ?)", (i, bytes([i]) * 300))
    wal = path.with_name("a.db-wal").read_bytes()
    main = path.read_bytes()
    db.close()
    return main, wal


def commits_read(main: bytes, wal: bytes, folder: Path) -> int:
    """The oracle: what SQLite makes of it."""
    path = folder / "read.db"
    path.write_bytes(main)
    path.with_name("read.db-wal").write_bytes(wal)
    path.with_name("read.db-shm").unlink(missing_ok=True)
    db = sqlite3.connect(path)
    (count,) = db.execute("SELECT count(*) FROM t").fetchone()
    db.close()
    return int(count)


def test_a_whole_log_loses_nothing(files: tuple[bytes, bytes]) -> None:
    assert not loses_commits(files[1])
    assert not loses_commits(b"")


@settings(max_examples=150, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_flipped_bit_that_costs_more_than_the_last_commit_is_found(
    files: tuple[bytes, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    where: float,
    bit: int,
) -> None:
    check(files, int(where * len(files[1])), bit, tmp_path_factory.getbasetemp())


def test_a_flipped_bit_anywhere_in_a_frame_s_header_is_found(
    files: tuple[bytes, bytes], tmp_path: Path
) -> None:
    for at in range(24):
        check(files, 32 + 2 * (24 + 512) + at, 0, tmp_path)


def check(files: tuple[bytes, bytes], at: int, bit: int, folder: Path) -> None:
    main, wal = files
    flipped = bytearray(wal)
    flipped[at] ^= 1 << bit
    if commits_read(main, bytes(flipped), folder) < COMMITS - 1:
        assert loses_commits(bytes(flipped)), at


@settings(max_examples=80, deadline=None)
@given(st.floats(0, 1))
def test_a_torn_end_as_a_kill_leaves_it_is_no_damage(
    files: tuple[bytes, bytes], where: float
) -> None:
    wal = files[1]
    assert not loses_commits(wal[: int(where * len(wal))])
