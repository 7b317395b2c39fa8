"""Answers that are a Python literal, as of "what does this program return"."""

import ast
import re
import warnings

from broker.voting.answers.marked import after_marker, last_box

LITERAL_CHARS_MAX = 10_000
"""Longer ones abstain: parsing takes time and memory in proportion, far above the text's."""

DEPTH_MAX = 50
"""Deeper nesting is refused before the parser sees it (its stack overflows near 90)."""

ASSERT = re.compile(r"==\s*(.+)$", re.DOTALL)
SAYS = re.compile(
    r"\b(?:returns?|outputs?|prints?|gives?|equals|result|is|be)\b:?\s", re.IGNORECASE
)
SPAN = re.compile(r"`([^`\n]{1,4000})`")
FULL_STOP = re.compile(r"(?<=\d)\.\s*$")
SAYS_MAX = 3
MARKS = " \t\r\n*`"


def read_literal(text: str) -> str | None:
    """Canonical `repr` of the literal: this text, in a box, after a marker or "==", or on the last
    line, there also in backticks or after "returns".
    """
    for part in _parts(text):
        found = parse(part)
        if found is not None:
            return canonical(found[0])[:LITERAL_CHARS_MAX]
    return None


def canonical(value: object) -> str:
    """`repr` with what is in sets and the keys of dicts in order: equal values are equal texts."""
    if isinstance(value, dict):
        items = sorted((canonical(k), canonical(v)) for k, v in value.items())
        return "{" + ", ".join(f"{k}: {v}" for k, v in items) + "}"
    if isinstance(value, set) and value:
        return "{" + ", ".join(sorted(map(canonical, value))) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(canonical, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(canonical, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def _parts(text: str) -> list[str]:
    stripped = text.strip().strip("`").strip()
    lines = stripped[-LITERAL_CHARS_MAX:].splitlines()
    last = lines[-1] if lines else ""
    marked = after_marker(text)
    spans = SPAN.findall(text[-LITERAL_CHARS_MAX:].rstrip().rpartition("\n")[2])
    candidates = [stripped, _compared(last), last_box(text), marked, last]
    if marked:
        first = marked[:LITERAL_CHARS_MAX].strip(MARKS).partition("\n")[0]
        candidates += [first, _bare(first), _compared(marked[:LITERAL_CHARS_MAX].strip(MARKS))]
    if spans:
        candidates.append(spans[-1])
    for said in list(SAYS.finditer(last))[-SAYS_MAX:]:
        candidates.append(_bare(last[said.end() :]))
    return [FULL_STOP.sub("", c) for c in dict.fromkeys(candidates) if c]


def _compared(line: str) -> str | None:
    compared = ASSERT.search(line)
    return compared[1] if compared else None


def _bare(line: str) -> str:
    """Without the marks and the full stop that a sentence puts around it."""
    return line.strip(MARKS).rstrip(".").strip(MARKS)


def parse(text: str) -> tuple[object] | None:
    """The literal in a tuple of one, since None is a literal; None when it is none."""
    node = tree(text)
    if node is None:
        return None
    try:
        value = ast.literal_eval(node)
        return (value,) if repr(value) else None
    except (ValueError, TypeError, MemoryError, RecursionError):
        return None


def tree(text: str) -> ast.expr | None:
    """The expression that this text is, within LITERAL_CHARS_MAX and DEPTH_MAX; else None."""
    text = text.strip()
    if len(text) > LITERAL_CHARS_MAX or _depth(text) > DEPTH_MAX:
        return None
    try:
        with warnings.catch_warnings():  # what a voter writes would print lines in our log
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except (ValueError, SyntaxError, MemoryError, RecursionError):
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
