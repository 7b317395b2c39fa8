"""Which of some answers in LaTeX are equal: a process, so that it can be ended. Shell.

    in    a JSON array of answers a line, the known one first
    out   "[]" when it is ready; then for each line an array: the first answer that equals each

It needs math-verify (the extra `math`), and may use this process's alarm signal for its timeouts.
"""

import contextlib
import signal
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from math_verify import parse, verify

PAIR_S = 1 if hasattr(signal, "SIGALRM") else None
"""For one answer to be read, and for one proof. Without an alarm our parent alone has the time."""

MEMORY_BYTES_MAX = 4 << 30
"""Of address space: an algebra that explodes ends itself."""


def main() -> None:
    """Answer each line of standard input."""
    _bound()
    print([], flush=True)
    for line in sys.stdin.buffer:
        print(equal(msgspec.json.decode(line, type=list[str])), flush=True)


def _bound() -> None:
    with contextlib.suppress(ImportError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))


def equal(answers: Sequence[str]) -> list[int]:
    """For each answer the number of the first that equals it.

    The first answer is the known one, of which math-verify takes the other's word for more than the
    other way round (such as "x = 5" for "5"); two others must be equal both ways.
    """
    read = [parse(f"${answer}$", parsing_timeout=PAIR_S) for answer in answers]
    found: list[int] = []
    for number, one in enumerate(read):
        firsts = [at for at in range(number) if found[at] == at]
        found.append(next((at for at in firsts if _same(read[at], one, at == 0)), number))
    return found


def _same(first: list[Any], other: list[Any], known: bool) -> bool:
    if not verify(first, other, timeout_seconds=PAIR_S):
        return False
    return known or bool(verify(other, first, timeout_seconds=PAIR_S))


if __name__ == "__main__":
    main()
