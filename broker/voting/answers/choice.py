"""Answers that are one of several allowed: by letter, or by the text of an option."""

import re
from collections.abc import Sequence

from broker.voting.answers.label import folded
from broker.voting.answers.marked import after_marker, last_box

LETTER_LOOK = re.compile(
    r"(?:\(([A-Za-z])\)|\b([A-Z])\)|\*\*([A-Z])\b|\b(?i:option|choice|answer)\s+\(?([A-Za-z])\b|(?<![\w'])([A-Z])(?![\w']))"
)
ONLY = re.compile(r"[\s\"'*_`({\[]*([A-Za-z])[\s\"'*_`)}\].:]*$")
OPTION_CHARS_MAX = 1000
"""Choices longer than this are not looked for inside a text."""


def read_choice(text: str, choices: Sequence[str] = ()) -> str | None:
    """Which of the choices this text gives, as the caller wrote it; without choices, a letter.

    Looked for in the last box, then after the last marker, then in all of the text, last first.
    """
    for part in (last_box(text), after_marker(text), text):
        if part is not None:
            found = (
                _among(part, choices, whole=part is text)
                if choices
                else _letter(part, part is text)
            )
            if found is not None:
                return found
    return None


def _letter(part: str, whole: bool) -> str | None:
    only = ONLY.match(part) if len(part) <= 64 else None
    if only:
        return only[1].upper()
    found = [
        m
        for m in LETTER_LOOK.finditer(part[-4000:] if whole else part[:200])
        if not _pronoun(m, part)
    ]
    if not found:
        return None
    match = found[-1] if whole else found[0]
    return next(g for g in match.groups() if g).upper()


def _pronoun(match: re.Match[str], part: str) -> bool:
    """A lone "I" or "A" in a sentence is a word, not an option."""
    return bool(match[5]) and match[5] in "IA" and part[match.end() : match.end() + 1] == " "


def _among(part: str, choices: Sequence[str], whole: bool) -> str | None:
    said = folded(part)
    if not said:
        return None
    options = [folded(choice) for choice in choices]
    for option, choice in zip(options, choices, strict=True):
        if said == option:
            return choice
    if all(len(option) == 1 and option.isalpha() for option in options):
        letter = _letter(part, whole)  # "a" is a word as well: only a letter that stands as one
        return choices[options.index(said)] if (said := folded(letter or "")) in options else None
    found = _mentioned(said, options, last=whole)
    if found is not None:
        return choices[found]
    if all(len(option) == 1 for option in options):
        return None
    letter = _letter(part, whole)
    number = ord(letter) - ord("A") if letter else len(choices)
    return choices[number] if number < len(choices) else None


def _mentioned(said: str, options: Sequence[str], last: bool) -> int | None:
    """Index of the option that is named last (or first); of two at one place the longer."""
    best: tuple[int, int, int] | None = None
    for i, option in enumerate(options):
        if not option or len(option) > OPTION_CHARS_MAX:
            continue
        at = _whole_word(said, option, last)
        if at < 0:
            continue
        end = at + len(option)
        key = (end if last else -at, len(option), i)
        if best is None or key > best:
            best = key
    return None if best is None else best[2]


def _whole_word(said: str, option: str, last: bool) -> int:
    """Where the option stands as words of its own; -1: nowhere. A few tries are enough."""
    at = said.rfind(option) if last else said.find(option)
    for _ in range(50):
        if at < 0:
            return -1
        end = at + len(option)
        before, after = said[at - 1 : at], said[end : end + 1]
        if not (before.isalnum() and option[0].isalnum()) and not (
            after.isalnum() and option[-1].isalnum()
        ):
            return at
        at = said.rfind(option, 0, end - 1) if last else said.find(option, at + 1)
    return -1
