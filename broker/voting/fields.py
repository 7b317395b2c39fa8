"""JSON objects that all differ, voted on field by field."""

import json
from collections.abc import Sequence

import msgspec

from broker.voting.answers.jsontext import dump

FIELDS_MAX = 256
"""Fields of one object that are voted on; a larger one is a document, not an answer."""


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
    objects = [json.loads(answer) for answer in answers]
    if not objects or not all(isinstance(o, dict) and len(o) <= FIELDS_MAX for o in objects):
        return None
    merged: dict[str, str] = {}
    votes: dict[str, int] = {}
    for field in dict.fromkeys(key for o in objects for key in o):
        values = [dump(o[field]) for o in objects if field in o]
        if len(values) * 2 >= len(objects):
            merged[field] = max(dict.fromkeys(values), key=values.count)
            votes[field] = values.count(merged[field])
    if max(votes.values(), default=0) < 2:
        return None

    def shared(number: int) -> int:
        own = objects[number]
        return sum(field in own and dump(own[field]) == value for field, value in merged.items())

    return Merged(
        answer=dump({field: json.loads(value) for field, value in merged.items()}),
        nearest=max(range(len(objects)), key=shared),
        agreement=sum(votes.values()) / len(votes) / len(objects),
    )
