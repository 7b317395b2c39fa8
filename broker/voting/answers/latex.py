r"""Answers in LaTeX: what stands in the last box, with its spelling evened out.

A light normaliser of our own; no equation is solved. On MATH500 a vote over such strings differs
from one over proven equality by 0.2 points at most (docs/VOTING.md).
"""

import re

from broker.voting.answers.label import folded
from broker.voting.answers.marked import after_marker, last_box
from broker.voting.answers.number import read_number, whole_number

LATEX_CHARS_MAX = 2000
"""A longer expression is no final answer."""

DROPPED = re.compile(
    r"\\left(?![a-z])|\\right(?![a-z])|(?<!\\)\\[!,;: ]|\\displaystyle"
    r"|\\limits|\\q?quad|~|\\\$|\$|\\%|%"
    r"|\^\{?\\circ\}?|\\degree|°"
)
TEXT = re.compile(r"\\(?:text|mathrm|textbf|mathbf|mbox|textit|operatorname)\s*\{([^{}]{0,200})\}")
FRACTION = re.compile(r"\\[dtc]frac")
SHORT_FRACTION = re.compile(r"\\frac\s*([0-9a-zA-Z])\s*([0-9a-zA-Z])")
SHORT_ROOT = re.compile(r"\\sqrt\s*([0-9a-zA-Z])")
PLAIN_FRACTION = re.compile(r"^(-?)(\d{1,40})/(\d{1,40})$")
NUMERIC_FRACTION = re.compile(r"^(-?)\\frac\{(-?)(\d{1,40})\}\{(-?)(\d{1,40})\}$")
FLAT_FRACTION = re.compile(r"(?<![\w}/^_])(\d{1,40}|\\pi)/(\d{1,40}|\\pi)(?![\w{/])")
MIXED = re.compile(r"^(-?\d{1,9})\\frac\{(\d{1,9})\}\{(\d{1,9})\}$")
BRACED_ONE = re.compile(r"([\^_])\{(\w)\}")
INLINE = re.compile(r"\\[(\[](.{1,1000}?)\\[)\]]|\$([^$]{1,1000})\$")
WORDS_BEHIND = re.compile(
    r"(?<=[\d}])\s*\\(?:text|mathrm|mbox)\s*\{\s*(?!a\.?m|p\.?m|and\b|or\b|if\b|for\b|mod\b)"
    r"[A-Za-z][A-Za-z .]{0,40}\}"
    r"(?:\s*\^\s*\{?[23]\}?)?\s*\.?\s*$"
)
"""A unit in words behind a number or a formula."""

LONE_LETTER = re.compile(r"^\(([a-zA-Z])\)$")
ASSIGNED = re.compile(r"^[a-zA-Z](?:\([a-zA-Z]\))?\s*=\s*")
UNIT = re.compile(
    r"(?<=\d)\s*(?:units?|cm|mm|km|m|inches|feet|ft|degrees|dollars|cents|hours|minutes|seconds)(?:\^\{?[23]\}?)?$"
)


def read_latex(text: str) -> str | None:
    """Canonical form of the boxed expression; else of what follows the last marker."""
    found = last_box(text)
    if found is None:
        marked = after_marker(text)
        found = _sentence(marked) if marked else None
    if found is None:
        return read_number(text)
    return normal(found)


def _sentence(text: str) -> str:
    line = next((line for line in text[:LATEX_CHARS_MAX].splitlines() if line.strip()), "")
    if inside := INLINE.search(line):
        return inside[1] or inside[2]
    return line.strip(" *:")


def normal(expression: str) -> str | None:
    """Even out spelling: blanks, sizes, units, fractions, numbers; None when nothing is left.

    What graders of MATH do before they compare strings (Lewkowycz et al. 2022, Minerva, arXiv
    2206.14858, appendix), in our own code.
    """
    if len(expression) > LATEX_CHARS_MAX:
        return None
    expression = WORDS_BEHIND.sub("", expression)
    expression = TEXT.sub(r" \1 ", expression)
    expression = DROPPED.sub("", expression).strip().rstrip(".").strip()
    expression = UNIT.sub("", expression)
    expression = ASSIGNED.sub("", expression)
    expression = FRACTION.sub(r"\\frac", expression)
    expression = SHORT_FRACTION.sub(r"\\frac{\1}{\2}", expression)
    expression = SHORT_ROOT.sub(r"\\sqrt{\1}", expression)
    bare = BRACED_ONE.sub(r"\1\2", "".join(expression.split()))
    if not bare:
        return None
    if letter := LONE_LETTER.match(bare):
        return letter[1].casefold()
    if found := _number(bare):
        return found
    return folded(expression) if bare.isalpha() else FLAT_FRACTION.sub(r"\\frac{\1}{\2}", bare)


def _number(bare: str) -> str | None:
    match = NUMERIC_FRACTION.match(bare)
    if match:
        sign = "-" if (match[1] + match[2] + match[4]).count("-") % 2 else ""
        return read_number(f"{sign}{match[3]}/{match[5]}")
    if (mixed := MIXED.match(bare)) and int(mixed[2]) < int(mixed[3]):
        return read_number(f"{mixed[1]} {mixed[2]}/{mixed[3]}")
    if PLAIN_FRACTION.match(bare):
        return read_number(bare)
    found = whole_number(bare.replace("{,}", ","))
    return read_number(found[0]) if found else None
