"""The parent's side of the sandbox: start it, feed it, outlive it."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

PROGRAM_S = 1.0
"""Time of one program, and of each expression after it."""

MEMORY_BYTES = 512 << 20
"""Address space of the process, the interpreter's own 30 MiB included."""

SPARE_S = 10.0
"""Start of the process, and what its own alarm cannot interrupt, before it is killed."""

OUTPUT_BYTES_MAX = 64 << 20
"""What one process may answer: 64 programs of 64 values of 2,000 characters, four times over."""

SCRIPT = Path(__file__).with_name("confined.py")


class NoSandbox(Exception):
    """Programs cannot be run safely here; the text says why."""


class Program(msgspec.Struct, frozen=True):
    """What one program gave for each expression: its value's `repr`, or the kind of exception."""

    values: tuple[str | None, ...] = ()
    errors: tuple[str | None, ...] = ()
    broken: str = ""  # kind of exception of the program itself; empty: it ran


def run(
    sources: Sequence[str],
    expressions: Sequence[Sequence[str]],
    seconds: float = PROGRAM_S,
    memory_bytes: int = MEMORY_BYTES,
) -> list[Program]:
    """Run each program in turn and evaluate its expressions in its names.

    Programs share a process until one kills it; then the next goes on in another. Raises NoSandbox
    where the process cannot shut itself in: nothing was run then.
    """
    programs = [[source, list(wanted)] for source, wanted in zip(sources, expressions, strict=True)]
    found: list[Program] = []
    while len(found) < len(programs):
        order = {
            "programs": programs,
            "seconds": seconds,
            "bytes": memory_bytes,
            "first": len(found),
        }
        limit_s = SPARE_S + sum(seconds * (1 + len(p[1])) for p in programs[len(found) :])
        lines = _process(json.dumps(order), limit_s)
        found += [_program(line) for line in lines]
        if len(found) < len(programs):
            found.append(Program(broken="killed"))
    return found


def _process(order: str, limit_s: float) -> list[str]:
    """Whole lines of answers, "ready" taken off."""
    process = subprocess.Popen(  # noqa: S603  running it, shut in, is what this file is for
        [sys.executable, "-I", "-S", str(SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    assert process.stdin
    assert process.stdout
    clock = threading.Timer(limit_s, process.kill)
    clock.start()
    try:
        process.stdin.write(order.encode())
        process.stdin.close()
        said = process.stdout.read(OUTPUT_BYTES_MAX).decode("utf-8", "replace")
    finally:
        clock.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    first, *lines = said.split("\n")
    if first != "ready":
        raise NoSandbox(first.removeprefix("refused ") or "the sandbox did not start")
    return lines[:-1]


def _program(line: str) -> Program:
    found = json.loads(line)
    if isinstance(found, dict):
        return Program(broken=found["broken"])
    return Program(
        values=tuple(value for value, _ in found), errors=tuple(error for _, error in found)
    )
