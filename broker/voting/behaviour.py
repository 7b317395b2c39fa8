"""Programs compared by what they do: never by their text, which favours empty ones.

Pure: it reads calls out of texts and groups recorded outputs; running is somebody else's work.
Source of the idea: AlphaCode (Li et al. 2022, arXiv 2203.07814, section 4.6, clustering).
"""

import ast
import itertools
import re
from collections.abc import Mapping, Sequence

import msgspec

from broker.voting.answers.literal import parse, tree

CALLS_MAX = 24
"""Inputs that programs are compared on; from 10 to 24 the pick still gets a little better."""

LINES_MAX = 5000
LINE_CHARS_MAX = 500
"""What of a text is searched for calls; a longer line is no test that somebody wrote."""

NOTHING = frozenset({None, "None"})
"""Outputs that say nothing: the program raised, or returned None as an empty one does."""

EXAMPLE = re.compile(r"^\s*>>>\s*(.+)$")
ARROW = re.compile(r"\s*(?:==|=+>|->|➞|→|#\s*=>|returns?|should return)\s*")


class Behaviour(msgspec.Struct, frozen=True):
    """What one program gave for each input: the value's `repr`, or None where it raised."""

    outputs: tuple[str | None, ...] = ()

    @property
    def useful(self) -> bool:
        """Whether it returned something other than None at least once."""
        return any(output not in NOTHING for output in self.outputs)


class Group(msgspec.Struct, frozen=True):
    """Programs that did the same on every input; members by their number, the first leads."""

    members: tuple[int, ...]
    outputs: tuple[str | None, ...]


def groups(behaviours: Sequence[Behaviour]) -> list[Group]:
    """Programs by equal outputs, the largest group first, of equals the one that came first.

    Programs that only raise or return None are in no group.
    """
    found: dict[tuple[str | None, ...], list[int]] = {}
    for number, behaviour in enumerate(behaviours):
        if behaviour.useful:
            found.setdefault(behaviour.outputs, []).append(number)
    return sorted((Group(tuple(m), o) for o, m in found.items()), key=lambda g: -len(g.members))


def choose(
    behaviours: Sequence[Behaviour], examples: Mapping[int, str] | None = None
) -> int | None:
    """Number of the program to trust; None when no program does anything.

    The most `examples` right (number of the input -> expected `repr`), then the most company: on
    each input the programs with the same output, added up. Programs that agree on most inputs thus
    help each other, where the largest group alone would know nothing of its near twins. Raising
    and None are no company. Of equals the first. Selection by agreement of outputs is
    MBR-exec (Shi et al. 2022, arXiv 2204.11454), here input by input; decision 0103 measures it.
    """
    wanted = examples or {}
    company: dict[tuple[int, str | None], int] = {}
    for behaviour in behaviours:
        for place in enumerate(behaviour.outputs):
            if place[1] not in NOTHING:
                company[place] = company.get(place, 0) + 1

    def score(number: int) -> tuple[int, int]:
        outputs = behaviours[number].outputs
        right = sum(outputs[i] == value for i, value in wanted.items() if i < len(outputs))
        return right, sum(company.get(place, 0) for place in enumerate(outputs))

    useful = [number for number, behaviour in enumerate(behaviours) if behaviour.useful]
    return max(useful, key=score, default=None)


def calls(texts: Sequence[str], function: str, most: int = CALLS_MAX) -> list[str]:
    """Calls of this function with literal arguments in these texts, the most frequent first.

    Only the inputs of tests that a model wrote are used: what it expects is often wrong. Tests from
    models are CodeT's idea (Chen et al. 2022, arXiv 2207.10397), which trusts both.
    """
    seen: dict[str, int] = {}
    start = f"{function}("
    for text in texts:
        for line in text.splitlines()[:LINES_MAX]:
            if start in line and len(line) <= LINE_CHARS_MAX:
                found = _call(line[line.index(start) :], function)
                if found:
                    seen[found[0]] = seen.get(found[0], 0) + 1
    return sorted(seen, key=lambda call: -seen[call])[:most]


def examples(prompt: str, function: str) -> dict[str, str]:
    """Calls of this function and the `repr` of what the prompt says they give.

    Reads doctests and lines such as "f(1) == 2", "f(1) -> 2" or "f(1) should return 2".
    """
    found: dict[str, str] = {}
    lines = [line for line in prompt.splitlines()[:LINES_MAX] if len(line) <= LINE_CHARS_MAX]
    for line, following in itertools.pairwise([*lines, ""]):
        at = line.find(f"{function}(")
        if at < 0:
            continue
        call = _call(line[at:], function)
        if call is None:
            continue
        arrow = ARROW.match(call[1])
        told = call[1][arrow.end() :] if arrow else following if EXAMPLE.match(line) else ""
        value = parse(told.strip().rstrip(".").strip("`"))
        if value is not None:
            found[call[0]] = repr(value[0])
    return found


def _call(text: str, function: str) -> tuple[str, str] | None:
    """The call at the start of this text in a normal spelling, and what follows it."""
    end = _closing(text, len(function))
    if end is None:
        return None
    try:
        node = tree(text[: end + 1])
        if not isinstance(node, ast.Call) or node.keywords:
            return None
        arguments = [repr(ast.literal_eval(argument)) for argument in node.args]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return f"{function}({', '.join(arguments)})", text[end + 1 :]


def _closing(text: str, start: int) -> int | None:
    """Where the bracket that opens at `start` closes; strings are stepped over."""
    depth, quote, skip = 0, "", False
    for i in range(start, len(text)):
        char = text[i]
        if skip:
            skip = False
        elif quote:
            skip = char == "\\"
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return None
