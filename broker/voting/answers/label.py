"""Answers that are a short word or phrase: a name, a class, yes or no."""

import re
import unicodedata

from broker.voting.answers.marked import after_marker, last_box

LABEL_CHARS_MAX = 200
"""What is longer is a sentence, not a label."""

ARTICLES = ("the ", "a ", "an ")
EDGE = " \t\r\n\"'`*_.,;:!?()[]{}<>#$“”‘’«»-–—"

LEAD_IN = re.compile(
    r"(?:the )?(?:label|class|classification|category|sentiment|emotion|intent|topic|type|language|"
    r"prediction|result|output|verdict)(?: is|:)[\W_]+(?=\w)"
)
"""What some voters write before a label that others write alone; of folded text. Only what names no
answer by itself: "Team A: 3" and "Team B: 3" are two."""


def folded(text: str) -> str:
    """Lower case without marks at the edges, runs of white space as one blank (NFKC, casefold)."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split()).strip(EDGE)


def read_label(text: str) -> str | None:
    """The label in a box, after a marker, or the last line that is short enough."""
    for part in (last_box(text), _first_line(after_marker(text)), _last_line(text)):
        if part and len(part) <= LABEL_CHARS_MAX:
            label = _bare(folded(part))
            if label:
                return label
    return None


def _bare(label: str) -> str:
    if lead := LEAD_IN.match(label):
        label = label[lead.end() :]
    for article in ARTICLES:
        if label.startswith(article) and len(label) > len(article):
            return label[len(article) :]
    return label


def _first_line(text: str | None) -> str | None:
    if text is None:
        return None
    return next((line for line in text[:4000].splitlines() if line.strip(EDGE)), None)


def _last_line(text: str) -> str | None:
    return next((line for line in reversed(text[-4000:].splitlines()) if line.strip(EDGE)), None)
