"""What can go wrong, as values that cross a socket and as exceptions that never do.

    SwarmError                 anything this project raises on purpose
    ├── FrameError             a stranger's or a newer node's bytes; dropped and counted
    │   ├── FrameTooLarge      over FRAME_BYTES_MAX
    │   ├── WrongVersion       a frame of another protocol version
    │   └── UnknownMessage     well formed, but not a message we know in this place
    └── UsageError             what the user gave cannot be used; carries a Problem

A Problem is the wire form: what was seen, why it matters, what to do next.
"""

from enum import StrEnum

import msgspec


class Code(StrEnum):
    """Stable names of refusals, for scripts; `swarmctl` maps them to exit codes."""

    INVALID = "invalid"  # the request cannot be right
    TOO_LARGE = "too-large"
    BUSY = "busy"  # right, but there is no room now: see retry_after_s
    JOURNAL_FULL = "journal-full"  # no new job can be made safe; running ones go on
    NO_WORKER = "no-worker"
    NO_MODEL = "no-model"
    NOT_FOUND = "not-found"
    DRAINING = "draining"  # the node is about to end
    UNSUPPORTED = "unsupported"  # a message this broker does not know


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refusal in three sentences: seen, because, hint. Shown to the user as they stand."""

    code: Code
    seen: str
    because: str = ""
    hint: str = ""
    retry_after_s: float | None = None


class SwarmError(Exception):
    """Anything this project raises on purpose."""


class FrameError(SwarmError):
    """Bytes that are no frame of ours."""


class FrameTooLarge(FrameError):
    """A frame over FRAME_BYTES_MAX."""


class WrongVersion(FrameError):
    """A frame of another protocol version."""


class UnknownMessage(FrameError):
    """A well-formed message that has no meaning here; `say` is its tag."""

    def __init__(self, say: str) -> None:
        super().__init__(f"unknown message {say[:40]!r}")
        self.say = say[:40]


class UsageError(SwarmError):
    """What the user gave cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.seen)
        self.problem = problem
