"""Answers that are one number.

Order of looking, by what was right most often on GSM8K texts of 14 models (docs/VOTING.md): the
last box, else the first number after the last marker, else the last number of the text.
"""

import re

from broker.voting.answers.marked import TAIL_CHARS, after_marker, last_box
from broker.voting.answers.numbers import canonical

NUMBER = re.compile(
    r"[$€£¥]?(?P<sign>(?<![\w.)\]}])[-−–](?=[$€£¥.\d]))?[$€£¥]?\s?"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\w.])\.\d+)"
    r"(?:[eE](?P<exp>[-+]?\d{1,6})(?![\w.])|\s?(?:\\times|×|\*)\s?10\^\{?(?P<pow>[-+]?\d{1,6})\}?)?"
    r"(?:\s?/\s?(?P<under>\d+(?:\.\d+)?)(?![\w/]))?"
)
"""Each repeat runs over digits only, and no two of them can take the same digit: linear."""

LATEX_FRACTION = re.compile(r"\\[dt]?frac\s?\{\s?(-?)\s?(\d{1,40})\s?\}\s?\{\s?(\d{1,40})\s?\}")
LATEX_NOISE = re.compile(r"\\(?:text|mathrm|mbox)\{[^{}]{0,200}\}|\\[!,;: ]|\\\$|\\%|\{,\}")


def read_number(text: str) -> str | None:
    """Canonical number (a decimal, or p/q, without unit) of this text; None when there is none.

    "####" is GSM8K's own marker (Cobbe et al. 2021, arXiv 2110.14168); the last number as a
    fallback is the flexible filter of lm-evaluation-harness.
    """
    for part in (last_box(text), after_marker(text)):
        if part:
            found = _result(_unlatex(part[:TAIL_CHARS]))
            if found is not None:
                return found
    return _last(text)


def _result(text: str) -> str | None:
    """The first number, or in a first line such as "204 + 330 = 534" the one that it comes to."""
    line = text.partition("\n")[0]
    return (_first(line.rpartition("=")[2]) if "=" in line else None) or _first(text)


def _unlatex(text: str) -> str:
    if "\\" not in text and "{" not in text:
        return text
    text = LATEX_FRACTION.sub(r" \1\2/\3 ", text)
    return LATEX_NOISE.sub(_noise, text)


def _noise(match: re.Match[str]) -> str:
    return "," if match[0] == "{,}" else ""


def _first(text: str) -> str | None:
    match = NUMBER.search(text)
    return _value(match) if match else None


def _last(text: str) -> str | None:
    for part in (text[-200:], text[-TAIL_CHARS:], text):
        last = None
        for last in NUMBER.finditer(_unlatex(part)):  # noqa: B007  the last one counts
            pass
        if last and (last.start() > 0 or len(part) == len(text)):
            return _value(last)
    return None


def _value(match: re.Match[str]) -> str | None:
    exponent = int(match["exp"] or match["pow"] or 0)
    return canonical(match["sign"] or "", match["digits"], match["under"] or "", exponent)
