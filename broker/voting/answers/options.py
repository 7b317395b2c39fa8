"""Which of the caller's options a text gives: by their words, their numbers or their letters."""

import re
from collections.abc import Sequence

from broker.voting.answers.label import EDGE, bare, first_line, folded
from broker.voting.answers.letters import (
    concludes,
    denied,
    first_letter,
    last_letter,
    leading_letter,
    opening_letter,
)
from broker.voting.answers.number import NUMBER, number_first, read_number

OPTION_CHARS_MAX = 1000
"""Choices longer than this are not looked for inside a text."""

TRIES_MAX = 50
"""Places at which one option's words are looked at in one text."""

UNIT_CHARS_MAX = 20
"""An option with more than this behind its number is no number."""

PREFIX = re.compile(r"\s*\(?[A-Za-z][).:]\s+(?=\S)")
"""The letter that a caller writes before an option: "B. London"."""

SIGNS = "+-–—#*$<>"
"""Marks that tell options apart where without them two are the same, or one is nothing."""

YES_NO = frozenset(("yes", "no", "true", "false", "maybe"))
"""Options that may open a sentence, as in "Yes, because no bird does"."""


class Options:
    """The choices of one job, as they are compared; each goes by its number."""

    def __init__(self, choices: Sequence[str]) -> None:
        bare = [PREFIX.sub("", choice, count=1) for choice in choices]
        named = len(set(bare)) == len(choices) and all(PREFIX.match(c) for c in choices)
        bodies = bare if named else list(choices)
        self._edge = EDGE
        self._folded = [folded(body) for body in bodies]
        if len(set(self._folded)) < len(bodies) or "" in self._folded:
            self._edge = "".join(mark for mark in EDGE if mark not in SIGNS)
            self._folded = [folded(body, self._edge) for body in bodies]
        self._short = not named and all(len(option) == 1 for option in self._folded)
        self._letters = all(len(option) == 1 and option.isalpha() for option in self._folded)
        self._values = [_value(body) for body in bodies]

    def first(self, part: str) -> int | None:
        """What stands in a box or behind a marker: its first line, else the first that is named."""
        said = folded(part, self._edge)
        line = first_line(part) or ""
        if said in self._folded or self._letters:
            return self._same(said, first_letter(part))
        for number in (
            self._starting(folded(line, self._edge)),
            self._lettered(leading_letter(line)),
            self._numbered(number_first(part)),
            self._named(said, last=False),
        ):
            if number is not None:
                return number
        return self._lettered(first_letter(part))

    def last(self, text: str) -> int | None:
        """What a whole text gives: what it concludes, else opens with, else names last."""
        said = folded(text, self._edge)
        if said in self._folded or self._letters:
            return self._same(said, last_letter(text))
        named = self._named(said, last=True)
        for number in (
            named if named is not None and self._concluded(said, named) else None,
            self._opening(text),
            named,
            self._numbered(read_number(text)),
        ):
            if number is not None:
                return number
        return self._lettered(last_letter(text))

    def _same(self, said: str, letter: str | None) -> int | None:
        """The option that is all that is said; of options that are letters, the one meant."""
        for option in (said, (letter or "").casefold()):
            if option in self._folded:
                return self._folded.index(option)
        return None

    def _opening(self, text: str) -> int | None:
        """A first line that is an option, or has one for its first clause; or its letter."""
        line = folded((first_line(text) or "").replace("**", ""), self._edge)
        if self._starting(line) is None:
            line = bare(line)
        number = self._starting(line)
        if number is None:
            return self._lettered(opening_letter(text))
        option = self._folded[number]
        follows = line[len(option) : len(option) + 2]
        if not follows or follows[0] in ".:;!" or follows in (" -", " –", " —"):
            return number
        return number if follows[0] == "," and option in YES_NO else None

    def _starting(self, said: str) -> int | None:
        """The option that this text starts with, the longest."""
        found = [
            (len(option), -i)
            for i, option in enumerate(self._folded)
            if option and said.startswith(option) and _stands_alone(said, option, 0)
        ]
        return -max(found)[1] if found else None

    def _numbered(self, value: str | None) -> int | None:
        """The option of this value, where all options are numbers."""
        if value is None or None in self._values or value not in self._values:
            return None
        return self._values.index(value)

    def _lettered(self, letter: str | None) -> int | None:
        if letter is None or self._short:
            return None
        number = ord(letter) - ord("A")
        return number if 0 <= number < len(self._folded) else None

    def _concluded(self, said: str, number: int) -> bool:
        return concludes(said, _place(said, self._folded[number], last=True))

    def _named(self, said: str, last: bool) -> int | None:
        """The option that is named last (or first); of two at one place the longer."""
        best: tuple[int, int, int] | None = None
        for i, option in enumerate(self._folded):
            if not option or len(option) > OPTION_CHARS_MAX:
                continue
            at = _place(said, option, last)
            if at < 0:
                continue
            key = (at + len(option) if last else -at, len(option), i)
            if best is None or key > best:
                best = key
        return None if best is None else best[2]


def _value(option: str) -> str | None:
    match = NUMBER.match(option.strip())
    unit = option.strip()[match.end() :] if match else ""
    if match is None or len(unit) > UNIT_CHARS_MAX or any(map(str.isdigit, unit)):
        return None
    return number_first(option)


def _place(said: str, option: str, last: bool) -> int:
    """Where the option stands as words of its own and is not denied; -1: nowhere.

    A few tries are enough.
    """
    at = said.rfind(option) if last else said.find(option)
    for _ in range(TRIES_MAX):
        end = at + len(option)
        if at < 0 or (_stands_alone(said, option, at) and not denied(said, at, end)):
            return at
        at = said.rfind(option, 0, end - 1) if last else said.find(option, at + 1)
    return -1


def _stands_alone(said: str, option: str, at: int) -> bool:
    """Whether words and numbers do not go on before or behind it: 12 stands not in 12.5 or -12."""
    end = at + len(option)
    before, after = said[max(0, at - 2) : at], said[end : end + 2]
    if option[0].isalnum() and (before[-1:].isalnum() or _goes_on(before[::-1], option[0], "-−")):
        return False
    return not (option[-1].isalnum() and (after[:1].isalnum() or _goes_on(after, option[-1], "")))


def _goes_on(beside: str, edge: str, signs: str) -> bool:
    """Whether a number with this digit at its edge has a sign, or point and digits, beside it."""
    if not edge.isdigit() or not beside:
        return False
    if beside[0] in signs:
        return not beside[1:].isalnum()
    return beside[0] in ".,/" and beside[1:].isdigit()
