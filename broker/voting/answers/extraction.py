"""The one way from a vote's text to its answer."""

from collections.abc import Callable, Sequence
from functools import partial

from broker.voting.answers.choice import read_choice
from broker.voting.answers.code import read_code
from broker.voting.answers.jsontext import read_json
from broker.voting.answers.label import read_label
from broker.voting.answers.latex import read_latex
from broker.voting.answers.literal import read_literal
from broker.voting.answers.marked import after_retraction
from broker.voting.answers.number import read_number
from broker.voting.answers.prose import read_text
from broker.voting.answers.thought import without_thought
from broker.voting.answers.toolcall import read_tool

TEXT_CHARS_MAX = 1 << 18
"""Characters of one text that are looked at, its end: as much as one vote may hold on the wire
(protocol.limits.TEXT_BYTES_MAX)."""

LOOKED_AT = {
    **dict.fromkeys(("number", "choice", "label", "latex", "literal"), 1 << 14),
    **dict.fromkeys(("json", "tool"), 1 << 15),
    "code": 1 << 16,
}
"""Of these types fewer characters are looked at: a short answer stands at a text's end, and a
longer JSON is a document. Each takes milliseconds of the broker's loop for any text, where all that
a vote may hold took up to a second (measured with the floods of tests/broker/voting)."""

READERS: dict[str, Callable[[str], str | None]] = {
    "number": read_number,
    "json": read_json,
    "code": read_code,
    "text": read_text,
    "label": read_label,
    "latex": read_latex,
    "literal": read_literal,
    "tool": read_tool,
}


def extract(text: str, answer_type: str, choices: Sequence[str] = ()) -> str | None:
    """Canonical answer in a vote's text, or None: it abstains.

    Votes are compared by extracted answers and not by texts, as in self-consistency (Wang et al.
    2022, arXiv 2203.11171, section 2).

    `answer_type` is any of ANSWER_TYPES but "auto", which needs all the votes (see `auto`).
    Time and memory are bounded by TEXT_CHARS_MAX whatever the text holds. Raises KeyError for an
    unknown type.
    """
    rest = without_thought(text[-TEXT_CHARS_MAX:])
    if rest is None:
        return None
    rest = rest[-LOOKED_AT.get("choice" if choices else answer_type, TEXT_CHARS_MAX) :]
    if not rest.isascii():  # lone surrogates have no bytes; an answer must have
        rest = rest.encode("utf-8", "replace").decode("utf-8")
    if answer_type == "choice" or choices:
        return _taken_back(partial(read_choice, choices=choices), rest)
    reader = READERS[answer_type]
    return _taken_back(reader, rest) if answer_type == "number" else reader(rest)


def _taken_back(reader: Callable[[str], str | None], text: str) -> str | None:
    """The answer after the last "Wait, no, it is …" if there is one, else that of all the text."""
    rest = after_retraction(text)
    return (reader(rest) if rest else None) or reader(text)
