"""Folds the journal's log into its file beside the loop. Shell.

A checkpoint waits for the disk, tens of milliseconds where the loop's commits take one, and would
come every few hundred jobs. SQLite lets any connection do it, at any time, and a kill in the midst
of it costs nothing: the log is whole until it is begun anew (https://sqlite.org/wal.html, 2.1).
"""

import contextlib
import sqlite3
import threading
from pathlib import Path

FOLD_BYTES = 4 << 20
"""Bodies written between two checkpoints: about the thousand pages that SQLite's own default is."""

LOG_PAGES_MAX = 2500
"""Of the log, 20 MiB: from here on the loop folds it itself. Jobs that come without a pause never
leave it empty, and only an empty log is begun anew; what the thread folded need not be again."""


class Checkpoint:
    """At most one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Fold what the log holds by now; nothing if that is being done."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._fold, daemon=True)
            self._thread.start()

    def _fold(self) -> None:
        # A disk that fails meets the loop's own connection too, which tells of it.
        with contextlib.suppress(sqlite3.Error), contextlib.closing(self._connect()) as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None
        )

    def end(self) -> None:
        """Wait for the one that runs."""
        if self._thread is not None:
            self._thread.join()
