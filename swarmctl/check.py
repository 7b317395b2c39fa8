"""`--check CMD`: the user's own command judges each candidate, here, never in the broker. Shell.

The command runs in a shell, with the candidate on its standard input, in the caller's folder and
environment; exit code 0 passes. Candidates are tried one at a time, in order of arrival, since two
runs of one command may get in each other's way. The same text is tried once.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

import msgspec

from protocol import messages as m
from protocol.ids import Seat
from swarmctl.exits import wrong

TIMEOUT_S = 10.0
"""For one candidate, unless --check-timeout says another. A program that loops fails then."""

LOOK_S = 0.02
"""How often a run is looked at: a quick check costs a vote no time that shows."""

OUTPUT_BYTES_MAX = 4096
"""Kept of what a run prints, its end: the line that says what failed."""

READ_BYTES_MAX = 1 << 20
"""Read of what a run prints between two looks; a run that prints faster has to wait."""


class Tried(msgspec.Struct, frozen=True):
    """One candidate's check."""

    seat: Seat
    passed: bool
    why: str  # in a line, for people
    stopped: str = ""  # for the verdict, if the job ends with this


class _Run:
    """One process of the user's command, and all that it starts."""

    def __init__(self, command: str, text: str) -> None:
        shell = shutil.which("sh")
        if shell is None:
            raise wrong("--check needs a shell", "there is no `sh` on PATH", "leave --check out")
        with tempfile.TemporaryFile() as given:
            given.write(text.encode())
            given.write(b"" if text.endswith("\n") else b"\n")  # so that `cat - tests.py` is a file
            given.seek(0)
            self._process = subprocess.Popen(  # noqa: S603 - what the user asked to be run
                [shell, "-c", command],
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self._out = self._process.stdout.fileno()
        os.set_blocking(self._out, False)
        self._tail = b""
        self.started_at = monotonic()

    def ended(self) -> int | None:
        """Its exit code; None while it runs. Reads what it prints, so that it is never stuck."""
        code = self._process.poll()
        read = 0
        with contextlib.suppress(BlockingIOError):
            while read < READ_BYTES_MAX and (part := os.read(self._out, 1 << 16)):
                read += len(part)
                self._tail = (self._tail + part)[-OUTPUT_BYTES_MAX:]
        return code

    def last_line(self) -> str:
        """The last line that it printed, with something on it."""
        lines = self._tail.decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def end(self) -> None:
        """End it and what it started: a check leaves nothing behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Tries(Protocol):
    """What `swarmctl.ask` wants of whoever tries the votes of a checked job."""

    told: bool  # a person reads of votes as they come

    def put(self, job: m.Submit) -> m.Submit:
        """The job, as one that is checked."""

    def add(self, told: m.Progress) -> None:
        """Take a vote; it may be told again."""

    def poll(self) -> Iterator[Tried]:
        """Go on as far as is possible now; what there is to say."""


class Checker:
    """Candidates in, results out, one run at a time. Use as a context manager."""

    def __init__(self, command: str, timeout_s: float = TIMEOUT_S, told: bool = True) -> None:
        """`told`: a person reads what comes of each vote."""
        self.told = told
        self._command = command
        self._timeout_s = timeout_s
        self._known: dict[str, tuple[bool, str]] = {}  # by text; at most a job's seats
        self.last = ""  # what came of the latest candidate
        self._waiting: deque[tuple[Seat, str]] = deque()
        self._run: _Run | None = None

    def put(self, job: m.Submit) -> m.Submit:
        """The job, as one whose votes are told to be tried."""
        return msgspec.structs.replace(job, checked=True, watch=True)

    def add(self, told: m.Progress) -> None:
        """Take a vote, unless it holds no answer or waits already."""
        if told.vote.answer is None:
            return
        candidate = told.vote.seat, candidate_of(told)
        if candidate not in self._waiting:
            self._waiting.append(candidate)

    def poll(self) -> Iterator[Tried]:
        """Go on as far as is possible now; what has been tried since the last look."""
        while self._waiting:
            seat, text = self._waiting[0]
            if text not in self._known and not self._judged(text):
                return
            self._waiting.popleft()
            yield Tried(seat, *self._known[text])

    def _judged(self, text: str) -> bool:
        """Whether the first candidate's run has ended, with what came of it in `_known`."""
        if self._run is None:
            self._run = _Run(self._command, text)
        run = self._run
        code = run.ended()
        if code is None and monotonic() - run.started_at < self._timeout_s:
            return False
        run.end()
        self._run = None
        why = f"no end within {self._timeout_s:g} s" if code is None else f"exit code {code}"
        said = run.last_line()
        self.last = f"{why}: {said}" if said else why
        self._known[text] = code == 0, self.last
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._run is not None:
            self._run.end()


def candidate_of(told: m.Progress) -> str:
    """What is tried of a vote: of code the program alone, of anything else the whole text."""
    from broker.voting import extract

    text = told.vote.text
    return (extract(text, "code") or text) if told.answer_type == "code" else text
