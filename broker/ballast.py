"""A file that is there to be removed: room for verdicts when the disk is full.

SQLite needs room even to delete. With the ballast gone there is enough for what still runs to be
written; new jobs are refused until it could be laid down again.
"""

import os
import shutil
from pathlib import Path

FILE = "journal.ballast"

BALLAST_BYTES = 8 << 20
"""The results of a thousand running jobs with eight short votes each, twice."""


class Ballast:
    """The file, there or not."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def lay(self) -> bool:
        """Have it there, wholly; False when there is no room, and then none of it is there."""
        if self._path.exists() and self._path.stat().st_size == BALLAST_BYTES:
            return True
        if shutil.disk_usage(self._path.parent).free < 2 * BALLAST_BYTES:
            return False  # writing it would take the last room from everybody, if only briefly
        try:
            with self._path.open("wb") as opened:
                # Written, not only sized: a file with holes takes no room.
                for _ in range(BALLAST_BYTES >> 16):
                    opened.write(bytes(1 << 16))
                opened.flush()
                os.fsync(opened.fileno())
        except OSError:
            self.drop()
            return False
        return True

    def drop(self) -> bool:
        """Give its room away; False when it was not there."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
