"""Answers that are JSON: the last complete object or array, in canonical form."""

import json
import re

from broker.voting.answers.lenient import mended
from broker.voting.answers.marked import last_box

DEPTH_MAX = 64
"""Deeper nesting is no answer; far below what exhausts a parser's stack."""

STARTS_MAX = 50
"""Places that look like the start of a value and are tried; prose with braces has few."""

NUMBER_CHARS_MAX = 400
"""A longer number cannot be read as one (and int() of it would take long)."""

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
CITATION = re.compile(r"\[\d{1,4}\]")
"""Taken for JSON only where there is nothing else."""

TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""A string, finished or not, or a bracket: possessive, so that no start is tried twice."""


def read_json(text: str) -> str | None:
    """Canonical dump (sorted keys, equal numbers alike, no blanks) of the JSON in this text.

    The whole text, else what is in its last fence, else the last balanced object or array.
    """
    value = find_json(text)
    return None if value is None else dump(value[0])


def dump(value: object) -> str:
    """Canonical JSON text: keys sorted, no blanks, as in RFC 8785, but letters as they are."""
    return CANONICAL.encode(value)


def find_json(text: str) -> tuple[object] | None:
    """The value in a tuple of one, since null is a value too; None when there is none."""
    return fenced(text) or parse(text) or _last_balanced(text) or _boxed(text) or _mended(text)


def fenced(text: str) -> tuple[object] | None:
    """The value that is all of a fenced block, the last such."""
    for block in reversed(text.split("```")[1::2][-STARTS_MAX:]):
        found = parse(block.partition("\n")[2]) or parse(block)
        if found:
            return found
    return None


def _mended(text: str) -> tuple[object] | None:
    for part in mended(text):
        found = parse(part) or _last_balanced(part)
        if found:
            return found
    return None


def _boxed(text: str) -> tuple[object] | None:
    box = last_box(text)
    return parse(box) if box else None


def parse(text: str) -> tuple[object] | None:
    """Parse strictly, within DEPTH_MAX."""
    text = text.strip()
    if not text:
        return None
    try:
        read = json.loads(
            text, strict=False, parse_float=_number, parse_int=_number, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        return None
    return None if _too_deep(text) else (read,)


def _number(text: str) -> int | float:
    if len(text) > NUMBER_CHARS_MAX:
        raise ValueError("a number too long")
    value = float(text) if any(c in ".eE" for c in text) else int(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number too large")
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _too_deep(text: str) -> bool:
    depth = 0
    for token in TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False


def _last_balanced(text: str) -> tuple[object] | None:
    """Parse the spans between balanced brackets, the last and outermost first."""
    stack: list[int] = []
    spans: list[tuple[int, int]] = []
    for token in TOKEN.finditer(text):
        if token[0] in "[{":
            stack.append(token.start())
        elif token[0] in "]}" and stack:
            start = stack.pop()
            while spans and spans[-1][0] > start:
                spans.pop()  # inside this one
            spans.append((start, token.end()))
    cited = None
    for start, end in reversed(spans[-STARTS_MAX:]):
        found = parse(text[start:end])
        if found and not CITATION.fullmatch(text, start, end):
            return found
        cited = cited or found
    return cited
