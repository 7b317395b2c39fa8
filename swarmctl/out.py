"""The terminal: data to stdout, talk to stderr, colour and progress only where somebody looks."""

import os
import sys
from collections.abc import Mapping
from shutil import get_terminal_size
from time import monotonic
from types import TracebackType
from typing import Self, TextIO

from swarmctl.exits import Failure
from swarmctl.streams import let_go
from swarmctl.text import PLAIN, Ink, failure, shorten

QUIET_S = 1.0
"""Nothing is said of a wait that is shorter than this."""

REFRESH_S = 0.2
"""A progress line is written again at most this often."""


def ink(stream: TextIO, env: Mapping[str, str] = os.environ) -> Ink:
    """Colours if this stream shows them: NO_COLOR, FORCE_COLOR and TERM=dumb are honoured."""
    if env.get("NO_COLOR"):
        return PLAIN
    if env.get("FORCE_COLOR"):
        return Ink(True)
    return Ink(stream.isatty() and env.get("TERM") != "dumb")


def data(text: str) -> None:
    """What was asked for, on stdout. Raises Failure when there is no room for it."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        let_go()
        because, hint = (
            str(error.strerror),
            "write elsewhere; a job keeps its answer: swarmctl jobs ls",
        )
        raise Failure("cannot write to standard output", because, hint) from None


def talk(text: str) -> None:
    """What a person may want to know, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def fail(error: Failure) -> None:
    """Word a failure, on stderr."""
    talk(failure(error.seen, error.because, error.hint, ink(sys.stderr)))


def wide() -> int | None:
    """Columns of the terminal that reads stdout; None when no terminal does."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


def watched() -> bool:
    """Whether a person reads the talk as it comes."""
    return sys.stderr.isatty()


class Progress:
    """One line on stderr, rewritten, from QUIET_S on; nothing off a terminal."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._started_at = self._shown_at = monotonic()
        self._shown = False

    def say(self, text: str) -> None:
        """Show this from now on."""
        self._text = text
        self.tick()

    def tick(self) -> None:
        """Show what there is to say, with the time that has passed."""
        now = monotonic()
        early = now - self._started_at < QUIET_S or now - self._shown_at < REFRESH_S
        if early or not watched():
            return
        self._shown_at, self._shown = now, True
        line = f"{self._text} ({now - self._started_at:.0f} s)"
        sys.stderr.write(f"\r\x1b[2K{shorten(line, get_terminal_size().columns - 1)}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Leave the line empty for what comes next."""
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.clear()
