"""Answers that are a short word or phrase: a name, a class, yes or no."""

import re
import unicodedata

from broker.voting.answers.marked import after_marker, last_box

LABEL_CHARS_MAX = 200
"""What is longer is a sentence, not a label."""

WORDS_MAX = 4
"""A line with more is taken for a label only where there is no shorter one."""

LINES_CHARS = 4000

ARTICLES = ("the ", "a ", "an ")
EDGE = " \t\r\n\"'`*_.,;:!?()[]{}<>#$“”‘’«»-–—→"

LEAD_IN = re.compile(
    r"(?:i think )?(?:the )?(?:label|class|classification|category|sentiment|emotion|intent|topic|"
    r"type|language|relation|relationship|stance|prediction|result|output|verdict)"
    r"(?: (?:of|for|in) (?:the|this) \w{1,30}){0,2}(?: is:?|\"?:)[\W_]+(?=\w)"
    r"|(?:i(?: would|['’]d)? classify (?:this|it|the)(?: \w{1,20})?|it is classified) as (?:an? )?"
    r"|(?:this \w{1,30} is|this is|it is|it's) (?:an? )?(?=\S{1,60}$)"
)
"""What some voters write before a label that others write alone; of folded text. Only what names no
answer by itself: "Team A: 3" and "Team B: 3" are two."""


REASONED = re.compile(
    r"(yes|no|true|false|maybe)(?:[,.;:!]| [-–—] )|(.{1,60}?),? (?:because|since) "
    r"|(.{1,60}?)\" ?, ?\""
)
"""A label with its reasons behind, or in JSON with more fields."""

REASONS = re.compile(
    r"\W{0,8}(?:explanation|reason|reasoning|rationale|justification|note|confidence)\W{0,4}:",
    re.IGNORECASE,
)
"""How a line begins that holds no label, but says why."""

SURE = re.compile(
    r" \((?:confidence|score)?\W{0,3}(?:\d{1,3}(?:\.\d{1,9})?%|[01]\.\d{1,9})(?:\s\w{1,10})?\)?$"
)
"""How sure the voter is, behind a label."""

PICTURES = r"\u2600-\u27bf\U0001f000-\U0001faff\ufe0f"
EMOJI = re.compile(rf"^[{PICTURES}]{{1,8}} | [{PICTURES} ]{{1,20}}$")


def folded(text: str, edge: str = EDGE) -> str:
    """Lower case without marks at the edges, runs of white space as one blank (NFKC, casefold).

    A sign before a digit and the # of C# are no marks.
    """
    if not text.isascii():
        text = EMOJI.sub("", unicodedata.normalize("NFKC", text))
    text = " ".join(text.casefold().split())
    inner = text.strip(edge)
    if not inner or len(inner) == len(text):
        return inner
    at = text.index(inner)
    sign = "-" if inner[0].isdigit() and text[:at].endswith(("-", "−")) else ""
    sharp = "#" if len(inner) == 1 and text.startswith("#", at + 1) else ""
    return sign + inner + sharp


def read_label(text: str) -> str | None:
    """The label in a box, after a marker, or on a line of its own."""
    for part in (last_box(text), first_line(after_marker(text)), _line(text)):
        if part and len(part) <= LABEL_CHARS_MAX:
            label = bare(folded(part))
            if label:
                return label
    return None


def _line(text: str) -> str | None:
    """The last line that is led in, else the last, or the first if only that is no sentence."""
    lines = [line for line in text[-LINES_CHARS:].splitlines() if line.strip(EDGE)]
    lines = [line for line in lines if not REASONS.match(line)] or lines
    if not lines:
        return None
    led = next((ln for ln in reversed(lines) if LEAD_IN.match(folded(ln[:LABEL_CHARS_MAX]))), None)
    short = [line for line in (lines[-1], lines[0]) if len(line.split()) <= WORDS_MAX]
    return led or next(iter(short), lines[-1])


def bare(label: str) -> str:
    """A folded label without a lead-in or an article."""
    if lead := LEAD_IN.match(label):
        label = label[lead.end() :]
    label = SURE.sub("", label)
    if reasoned := REASONED.match(label):
        label = next(part for part in reasoned.groups() if part)
    for article in ARTICLES:
        if label.startswith(article) and len(label) > len(article):
            return label[len(article) :]
    return label


def first_line(text: str | None) -> str | None:
    """The first line that holds more than marks."""
    if text is None:
        return None
    return next((line for line in text[:LINES_CHARS].splitlines() if line.strip(EDGE)), None)
