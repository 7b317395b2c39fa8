"""Where the results of a file of questions go, and which are there already. Shell."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from protocol import messages as m
from protocol.errors import Problem
from swarmctl import asjson, render
from swarmctl.client import exit_code
from swarmctl.exits import CODES, Exit, Failure, wrong
from swarmctl.out import data
from swarmctl.questions import Question

RESULTS_BYTES_MAX = 4 << 30
"""A results file that is gone on with: a million verdicts of four kilobytes."""

ANOTHER = "give --out another file"

WHY_MAX = 5
"""Of different reasons that are told: more is no summary."""

BEGIN = asjson.line({"id": ""}).removesuffix('""}').encode()
"""How every line of ours begins: what does not is somebody else's, and is never cut off."""


class Told(msgspec.Struct):
    """What is read of a result that is there already. Questions have ids too, but no outcome."""

    id: str | int
    outcome: str


class Sink:
    """Takes results in order. `there`: ids that were in the file before; `failed`: no verdict."""

    def __init__(self, file: IO[bytes] | None, there: set[str | int], json: bool) -> None:
        self._file = file
        self._json = json
        self.there = there
        self.failed = 0
        self.ends: Counter[str] = Counter()  # outcomes, and `refused`
        self.why: Counter[str] = Counter()  # the first WHY_MAX reasons for no verdict
        self.problems: dict[str, Problem] = {}  # of refusals, as above
        self._codes: set[int] = set()

    @property
    def code(self) -> int:
        """The exit code: why no verdict was reached, where that was for one reason."""
        return min(self._codes, default=0) if len(self._codes) < 2 else Exit.FAILED

    def verdict(self, question: Question, v: m.Verdict) -> None:
        """One question's end."""
        self.ends[v.outcome] += 1
        if v.outcome not in ("decided", "tied"):
            self.failed += 1
            self._codes.add(exit_code(v))
            if v.stopped in self.why or len(self.why) < WHY_MAX:
                self.why[v.stopped] += 1
        if self._file or self._json:
            self._write(asjson.line({"id": question.id, **asjson.verdict(v)}))
        else:
            self._write(render.batch_line(question.id, v))

    def refused(self, question: Question, said: m.Rejected) -> None:
        """A question that the broker would not take. It is not written to a file: it was never
        asked, so the next run asks it."""
        self.ends["refused"] += 1
        self.failed += 1
        self._codes.add(CODES.get(said.problem.code, Exit.FAILED))
        if len(self.problems) < WHY_MAX:
            self.problems[said.problem.seen] = said.problem
        if self._file:
            return
        if self._json:
            self._write(asjson.line({"id": question.id, **asjson.refused(said.problem)}))
        else:
            self._write(render.batch_line(question.id, None))

    def _write(self, line: str) -> None:
        if self._file is None:
            data(line)
        else:
            self._append(self._file, line)

    @staticmethod
    def _append(file: IO[bytes], line: str) -> None:
        try:
            file.write(line.encode() + b"\n")
            file.flush()  # one result is on its way to the disk before the next is asked
        except OSError as error:
            hint = "make room, and run it again: it goes on where it ended"
            raise Failure(f"cannot write {file.name}", str(error.strerror), hint) from None


@contextlib.contextmanager
def sink(out: str | None, json: bool) -> Iterator[Sink]:
    """Results to stdout, or appended to a file whose torn last line is dropped first."""
    if out is None:
        yield Sink(None, set(), json)
        return
    file = _opened(out)
    try:
        _hold(file, out)
        yield Sink(file, resume(file, out), json)
    finally:
        with contextlib.suppress(OSError):  # told already: each line was flushed
            file.close()


def _hold(file: IO[bytes], name: str) -> None:
    """Raises Failure when another process writes results there: each would ask every question."""
    try:
        import fcntl
    except ImportError:
        return  # Windows
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        because = "another swarmctl submit writes to it"
        raise wrong(
            f"{name} is in use", because, "wait for its end, or give --out another"
        ) from None
    except OSError:
        return  # a file system without locks


def _opened(out: str) -> IO[bytes]:
    path = Path(out)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise wrong(
                f"cannot go on in {out}", "it is no plain file", f"leave --out out, and use > {out}"
            )
        return path.open("a+b")
    except OSError as error:
        raise wrong(f"cannot write {out}", str(error.strerror), ANOTHER) from None


def resume(file: IO[bytes], name: str) -> set[str | int]:
    """The ids of a results file; what follows its last whole line is cut off, if it was a result.

    Raises Failure for a file of anything else, and leaves it as it is.
    """
    size = file.seek(0, os.SEEK_END)
    if size > RESULTS_BYTES_MAX:
        because = "its ids are read anew each time"
        raise wrong(f"{name} is over {RESULTS_BYTES_MAX} bytes", because, ANOTHER)
    file.seek(0)
    decoder = msgspec.json.Decoder(Told)
    there: set[str | int] = set()
    whole = 0
    for number, line in enumerate(file, start=1):
        if not line.endswith(b"\n"):
            _refuse_foreign(line, number, name)
            break
        try:
            there.add(decoder.decode(line).id)
        except ValueError as error:
            raise _no_result(number, name, str(error)) from None
        whole += len(line)
    file.truncate(whole)
    file.seek(0, os.SEEK_END)
    return there


def _refuse_foreign(torn: bytes, number: int, name: str) -> None:
    """Raises Failure unless a last line without its end is a result that was being written."""
    if not torn.startswith(BEGIN) and not BEGIN.startswith(torn):
        raise _no_result(number, name, "it does not begin as one")


def _no_result(number: int, name: str, because: str) -> Failure:
    return wrong(f"line {number} of {name} is no result", because, ANOTHER)
