"""From a script that fails to a short one that still does: delta debugging.

Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002 (ddmin).
"""

from collections.abc import Callable
from itertools import pairwise

import msgspec

from tests.simulation.run import Result, replay
from tests.simulation.script import Entry, Script

RUNS_MAX = 400
"""Replays spent on one failure: a few seconds to a minute."""


def minimise(failed: Result, run: Callable[[Script], Result] = replay) -> Result:
    """The result of the shortest script found that breaks the same rule."""
    best, left = failed, RUNS_MAX
    chunks = 2
    while len(best.script.entries) >= 2 and left > 0:
        shorter = None
        for entries in _without_each(best.script.entries, chunks):
            left -= 1
            tried = run(msgspec.structs.replace(best.script, entries=entries))
            if tried.found and _rule(tried) == _rule(failed):
                shorter = tried
                break
            if left <= 0:
                break
        if shorter is not None:
            best, chunks = shorter, max(2, chunks - 1)
        elif chunks >= len(best.script.entries):
            break
        else:
            chunks = min(len(best.script.entries), 2 * chunks)
    return best


def _without_each(entries: tuple[Entry, ...], chunks: int) -> list[tuple[Entry, ...]]:
    """The entries without one of so many parts, for each part."""
    bounds = [round(i * len(entries) / chunks) for i in range(chunks + 1)]
    return [entries[:a] + entries[b:] for a, b in pairwise(bounds) if a < b]


def _rule(result: Result) -> str:
    """Where it was found: the same place in the code is the same rule."""
    return result.violation.rpartition("(")[2]
