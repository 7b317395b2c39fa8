"""How a command ends: exit codes as CLI.md promises them, and the failure that carries one."""

from enum import IntEnum

CODES = {
    "invalid": 2,
    "too-large": 2,
    "busy": 5,
    "journal-full": 5,
    "no-worker": 5,
    "no-model": 5,
    "not-found": 3,
    "draining": 5,
    "unsupported": 1,
}
"""The broker's refusals (protocol.errors.Code) as exit codes."""


class Exit(IntEnum):
    """Exit codes; scripts rely on them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NO_BROKER = 4
    NO_ROOM = 5
    EXPIRED = 6
    NO_VERDICT = 7
    CONFIGURATION = 78
    INTERRUPTED = 130


class Failure(Exception):
    """A command cannot do what was asked: what was seen, why, and the next command to type."""

    def __init__(self, seen: str, because: str = "", hint: str = "", code: int = 1) -> None:
        super().__init__(seen)
        self.seen, self.because, self.hint, self.code = seen, because, hint, code


class NoBroker(Failure):
    """Nobody answers on the local socket."""

    def __init__(self, seen: str, because: str, hint: str = "swarmctl up") -> None:
        super().__init__(seen, because, hint, Exit.NO_BROKER)


def wrong(seen: str, because: str, hint: str = "") -> Failure:
    """The failure for misuse that needs no broker to be seen."""
    return Failure(seen, because, hint, Exit.USAGE)
