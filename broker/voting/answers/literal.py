"""Answers that are a Python literal, as of "what does this program return"."""

import ast
import re

from broker.voting.answers.marked import after_marker, last_box

LITERAL_CHARS_MAX = 10_000
"""Longer ones abstain: parsing takes time and memory in proportion, far above the text's."""

DEPTH_MAX = 50
"""Deeper nesting is refused before the parser sees it (its stack overflows near 90)."""

ASSERT = re.compile(r"==\s*(.+)$", re.DOTALL)


def read_literal(text: str) -> str | None:
    """`repr` of the literal: this text, in a box, after a marker or "==", or on the last line."""
    for part in _parts(text):
        found = parse(part)
        if found is not None:
            return repr(found[0])[:LITERAL_CHARS_MAX]
    return None


def _parts(text: str) -> list[str]:
    stripped = text.strip().strip("`").strip()
    lines = stripped[-LITERAL_CHARS_MAX:].splitlines()
    compared = ASSERT.search(lines[-1]) if lines else None
    candidates = [
        stripped,
        compared[1] if compared else None,
        last_box(text),
        after_marker(text),
        lines[-1] if lines else None,
    ]
    return [c for c in candidates if c]


def parse(text: str) -> tuple[object] | None:
    """The literal in a tuple of one, since None is a literal; None when it is none."""
    text = text.strip()
    if len(text) > LITERAL_CHARS_MAX or _depth(text) > DEPTH_MAX:
        return None
    try:
        value = ast.literal_eval(text)
        return (value,) if repr(value) else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _depth(text: str) -> int:
    """An upper bound: brackets inside strings count too."""
    depth = deepest = 0
    for char in text:
        if char in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in ")]}":
            depth -= 1
    return deepest + max(text.count("-"), text.count("+"), text.count("~")) // 2
