"""One broker for each home: a second bind on a live ipc path succeeds and steals it silently."""

import os
import sys
from pathlib import Path
from typing import IO

from detect.home import HomeError


class AlreadyRunning(Exception):
    """Another broker holds this home; `pid` is its process id, 0 when it cannot be read."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"a broker is running here, process id {pid}")
        self.pid = pid


def hold(path: Path) -> IO[str]:
    """Lock the file, write our process id into it, and return it: closing it lets go.

    The system lets go as well when the process dies, however it dies. Raises AlreadyRunning, or
    HomeError when the file cannot be opened or this file system has no locks.
    """
    try:
        file = path.open("a+")
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _lock(file)
    except HELD:
        file.seek(0)
        text = file.read().strip()
        file.close()
        raise AlreadyRunning(int(text) if text.isdigit() else 0) from None
    except OSError as error:
        file.close()
        raise _unusable(path, error) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _unusable(path: Path, error: OSError) -> HomeError:
    return HomeError(
        f"cannot lock {path}",
        str(error.strerror),
        "set SWARM_HOME to a folder that you may write, on a file system with locks",
    )


if sys.platform == "win32":
    import msvcrt

    HELD = PermissionError

    def _lock(file: IO[str]) -> None:
        # A byte far behind the text, since Windows locks keep others from reading too.
        file.seek(1 << 20)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    HELD = BlockingIOError

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
