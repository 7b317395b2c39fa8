"""Which option's letter a text gives. Letters that a text says are wrong do not count."""

import re

LETTER = re.compile(
    r"\(([A-Za-z])\)|(?<![A-Za-z0-9_'’])([A-Z])\)|\*\*([A-Z])\b"
    r"|\b(?i:option|choice|answer)\s+\(?([A-Za-z])\b|(?<![A-Za-z0-9_'’])([A-Z])(?![A-Za-z0-9_'’])"
)
ONLY = re.compile(r"[\s\"'*_`({\[]*([A-Za-z])[\s\"'*_`)}\].:]*$")
LEADING = re.compile(r"[\s\"'*_`({\[]{0,8}([A-Z])(?:[)\].:]|\*\*)")
"""A letter with the mark of an option behind, at the start of a text."""

LISTED = re.compile(r"[^\w\n]{0,8}(?:\d{1,2}[.)]\s)?([A-Z])(?:[)\].:*]{1,3}|\s[-–—:])\s")
"""A line about one of the options."""

NAMED = re.compile(r"[\s\"'*_`({\[]{0,8}(?!I\s)([A-Z])(?![A-Za-z0-9'’])")
"""A capital at the start of an answer: there "A" is no article."""

NEGATED = re.compile(
    r"\b(?:not|no|nor|neither|unlike|than|eliminates?|excludes?|rules? out)\s"
    r"(?:\w{1,20}\s(?:or|nor)\s)?(?:(?:the|option|choice|answer)\s)?[\W_]{0,4}$"
    r"|\b(?:despite|although|though|rather than|instead of|whereas)\s[^.,:;!?]{0,30}$"
    r"|\bout of\s$|(?:^|\n)[^\w\n]{0,4}[✗✘❌✖][^\w\n]{0,4}$",
    re.IGNORECASE,
)
"""What stands before an answer that is not given."""

WRONG = re.compile(
    r"[\W_]{0,4}\s?(?:(?:isn|aren|wasn)['’]t\b"
    r"|(?:is|are|was|would be|seems|looks)\s(?:also\s|clearly\s|therefore\s)?"
    r"(?:incorrect|wrong|false|not|too|out|irrelevant|eliminated)\b)"
    r"|[^\w\n]{0,4}(?<=[✗✘❌✖])"
)
CONCLUDES = re.compile(
    r"\b(?:therefore|thus|hence|conclusion|overall|so)\b[^.!?\n]{0,80}$", re.IGNORECASE
)

CHECKED = re.compile(
    r"(?:[✓✔✅]|(?<!not )(?<!n['’]t )\b(?:correct|right))[^\w\n]{0,4}$", re.IGNORECASE
)
"""How the one line of a list of options ends that is the answer."""

VERB = re.compile(
    r"\s(?:[✓✔✅]|fits\b|is (?:the (?:best|right|correct|answer)|right|correct|best|what)\b)"
)
"""Behind "A", which then is no article."""

LINE_CHARS_MAX = 80
"""A first line longer than this is reasoning, and not an answer."""

ONLY_CHARS_MAX = 64
CHECKED_CHARS = 20
FIRST_CHARS = 200
TAIL_CHARS = 4000
"""Of what follows a marker, and of a text's end: what is looked at."""

BEFORE_CHARS, SENTENCE_CHARS = 45, 90
"""What of the words before an answer is looked at: for a "not", for a "therefore"."""


def first_letter(part: str) -> str | None:
    """Of what stands in a box or behind a marker: the first letter that is not said to be wrong."""
    part = part[:FIRST_CHARS] if len(part) > ONLY_CHARS_MAX else part
    meant = (m for m in LETTER.finditer(part) if _meant(m, part))
    named = NAMED.match(part)
    return only_letter(part) or (named[1] if named else _said(next(meant, None)))


def last_letter(text: str) -> str | None:
    """Of a whole text: the letter that it opens with, else the last that is not said to be wrong.

    What it opens with is an answer before its reasons, unless these come to a conclusion.
    """
    tail = text[-TAIL_CHARS:]
    last = next((m for m in reversed(list(LETTER.finditer(tail))) if _meant(m, tail)), None)
    if last and concludes(tail, last.start()):
        return _said(last)
    return only_letter(text) or opening_letter(text) or _checked(tail) or _said(last)


def _checked(text: str) -> str | None:
    """The letter of the only line that goes through an option and calls it right."""
    lines = [match for match in map(LISTED.match, text.splitlines()) if match]
    right = [match[1] for match in lines if CHECKED.search(match.string[-CHECKED_CHARS:])]
    return right[0] if len(right) == 1 and len(lines) > 1 else None


def opening_letter(text: str) -> str | None:
    """The letter of a first line that gives the answer before its reasons, or None.

    A line that is only a letter, or has it in bold, or the only line that starts like an option.
    """
    line, _, rest = text.strip().partition("\n")
    if len(line) > LINE_CHARS_MAX:
        return None
    leading = LEADING.match(line)
    if leading is None:
        return only_letter(line)
    if line.startswith(f"**{leading[1]}**"):
        return leading[1]
    listed = any(LEADING.match(other) for other in rest[:TAIL_CHARS].splitlines())
    return leading[1] if rest and not listed else None


def leading_letter(part: str) -> str | None:
    """The letter that a text starts with, if it is marked as an option's."""
    leading = LEADING.match(part)
    return leading[1] if leading else only_letter(part)


def only_letter(part: str) -> str | None:
    """The letter that is all of this text, but for marks."""
    only = ONLY.match(part) if len(part) <= ONLY_CHARS_MAX else None
    return only[1].upper() if only else None


def denied(text: str, start: int, end: int) -> bool:
    """Whether what stands here is said not to be the answer."""
    before = text[max(0, start - BEFORE_CHARS) : start]
    return bool(NEGATED.search(before) or WRONG.match(text, end))


def concludes(text: str, at: int) -> bool:
    """Whether a "therefore" stands before this place in its sentence."""
    return bool(CONCLUDES.search(text[max(0, at - SENTENCE_CHARS) : at]))


def _meant(match: re.Match[str], text: str) -> bool:
    """Neither said to be wrong, nor a lone "I" or "A" in a sentence, which is a word."""
    word = match[5] and match[5] in "IA" and text[match.end() : match.end() + 1] == " "
    word = word and not (match[5] == "A" and VERB.match(text, match.end()))
    return not (word or denied(text, *match.span()))


def _said(match: re.Match[str] | None) -> str | None:
    return next(g for g in match.groups() if g).upper() if match else None
