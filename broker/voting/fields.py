"""JSON objects that all differ, voted on field by field."""

import json
from collections import Counter
from collections.abc import Sequence

import msgspec

from broker.voting.answers.jsontext import dump

FIELDS_MAX = 256
"""Fields of one object that are voted on; a larger one is a document, not an answer."""

CHARS_MAX = 1 << 17
"""Of all objects together: they are parsed and written again, some 20 ms of the broker's loop."""


class Merged(msgspec.Struct, frozen=True):
    """The object that the fields add up to."""

    answer: str  # canonical JSON
    nearest: int  # number of the vote with the most of its fields
    agreement: float  # mean share of the votes over its fields


def merge(answers: Sequence[str]) -> Merged | None:
    """Per field the value given most often, of equals the first; fields that half the votes have.

    Plurality field by field, our own rule; its oracle counts each field alone. `answers` are
    canonical JSON texts. None when they are not all objects, or no two agree in any field.
    """
    if sum(map(len, answers)) > CHARS_MAX:
        return None
    read = [json.loads(answer) for answer in answers]
    if not read or not all(isinstance(o, dict) and len(o) <= FIELDS_MAX for o in read):
        return None
    objects = [{field: dump(value) for field, value in o.items()} for o in read]
    values: dict[str, Counter[str]] = {}
    for field, value in (item for o in objects for item in o.items()):
        values.setdefault(field, Counter())[value] += 1
    merged: dict[str, str] = {}
    votes: dict[str, int] = {}
    for field, given in values.items():
        if given.total() * 2 >= len(objects):
            merged[field], votes[field] = given.most_common(1)[0]  # of equals the first
    if max(votes.values(), default=0) < 2:
        return None

    def shared(number: int) -> int:
        return sum(objects[number].get(field) == value for field, value in merged.items())

    return Merged(
        answer=dump({field: json.loads(value) for field, value in merged.items()}),
        nearest=max(range(len(objects)), key=shared),
        agreement=sum(votes.values()) / len(votes) / len(objects),
    )
