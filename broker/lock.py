"""One broker for each home: a second bind on a live ipc path succeeds and steals it silently."""

import os
import sys
from pathlib import Path
from typing import IO


class AlreadyRunning(Exception):
    """Another broker holds this home; `pid` is its process id, 0 when it cannot be read."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"a broker is running here, process id {pid}")
        self.pid = pid


def hold(path: Path) -> IO[str]:
    """Lock the file, write our process id into it, and return it: closing it lets go.

    The system lets go as well when the process dies, however it dies. Raises AlreadyRunning.
    """
    file = path.open("a+")
    try:
        _lock(file)
    except OSError:
        file.seek(0)
        text = file.read().strip()
        file.close()
        raise AlreadyRunning(int(text) if text.isdigit() else 0) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        # A byte far behind the text, since Windows locks keep others from reading too.
        file.seek(1 << 20)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
