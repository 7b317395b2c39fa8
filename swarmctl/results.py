"""Where the results of a file of questions go, and which are there already. Shell."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from protocol import messages as m
from swarmctl import asjson, render
from swarmctl.exits import wrong
from swarmctl.out import data
from swarmctl.questions import Question

RESULTS_BYTES_MAX = 4 << 30
"""A results file that is gone on with: a million verdicts of four kilobytes."""


class Id(msgspec.Struct):
    """What is read of a result that is there already."""

    id: str | int


class Sink:
    """Takes results in order. `there`: ids that were in the file before; `failed`: no verdict."""

    def __init__(self, file: IO[bytes] | None, there: set[str | int], json: bool) -> None:
        self._file = file
        self._json = json
        self.there = there
        self.failed = 0

    def verdict(self, question: Question, v: m.Verdict) -> None:
        """One question's end."""
        self.failed += v.outcome not in ("decided", "tied")
        if self._file or self._json:
            self._write(asjson.line({"id": question.id, **asjson.verdict(v)}))
        else:
            self._write(render.batch_line(question.id, v))

    def refused(self, question: Question, said: m.Rejected) -> None:
        """A question that the broker would not take."""
        self.failed += 1
        if self._file or self._json:
            self._write(asjson.line({"id": question.id, **asjson.refused(said.problem)}))
        else:
            self._write(f"{question.id}\t\t0.00")

    def _write(self, line: str) -> None:
        if self._file is None:
            data(line)
        else:
            self._file.write(line.encode() + b"\n")
            self._file.flush()  # one result is on its way to the disk before the next is asked


@contextlib.contextmanager
def sink(out: str | None, json: bool) -> Iterator[Sink]:
    """Results to stdout, or appended to a file whose torn last line is dropped first."""
    if out is None:
        yield Sink(None, set(), json)
        return
    try:
        file = Path(out).open("a+b")  # noqa: SIM115 - closed below
    except OSError as error:
        raise wrong(f"cannot write {out}", str(error.strerror), "give --out another file") from None
    with file:
        yield Sink(file, resume(file, out), json)


def resume(file: IO[bytes], name: str) -> set[str | int]:
    """The ids of a results file; what follows its last whole line is cut off."""
    size = file.seek(0, os.SEEK_END)
    if size > RESULTS_BYTES_MAX:
        raise wrong(f"{name} is over {RESULTS_BYTES_MAX} bytes", "", "give --out another file")
    file.seek(0)
    decoder = msgspec.json.Decoder(Id)
    there: set[str | int] = set()
    whole = 0
    for number, line in enumerate(file, start=1):
        if not line.endswith(b"\n"):
            break
        try:
            there.add(decoder.decode(line).id)
        except ValueError as error:
            raise wrong(
                f"line {number} of {name} is no result", str(error), "give --out another file"
            ) from None
        whole += len(line)
    file.truncate(whole)
    file.seek(0, os.SEEK_END)
    return there
