"""Recorded votes: reading the files, and the draws from them."""

import gzip
import json
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from broker.voting import extract
from broker.voting.answers.latex import normal

Row = dict[str, Any]

BOINF_TYPES = {
    "aime2024": "number",
    "aime2025": "number",
    "gpqa_diamond": "choice",
    "math500": "latex",
}
"""Answer type of each data set in `boinf`."""


class Question(msgspec.Struct, frozen=True):
    """One question as one model answered it many times."""

    group: tuple[str, str]  # data set, model
    id: str
    answer_type: str
    answers: tuple[str | None, ...]  # a name for each canonical answer; None: nothing to count
    tokens: tuple[int, ...]
    gold: str


def rows(folder: Path, name: str) -> list[Row]:
    """All lines of one file. Raises FileNotFoundError when it is not there."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def boinf(folder: Path) -> list[Question]:
    """Questions of the set with token counts; equal answers were made equal by our extraction."""
    found = []
    for row in rows(folder, "boinf"):
        kind = BOINF_TYPES[row["dataset"]]
        read = reader(kind)
        given = dict.fromkeys(row["answers"])
        known = {answer: read(answer) for answer in given}
        names = {c: f"c{i}" for i, c in enumerate(dict.fromkeys(known.values())) if c is not None}
        found.append(
            Question(
                group=(row["dataset"], row["model"]),
                id=f"{row['dataset']}/{row['id']}",
                answer_type=kind,
                answers=tuple(names.get(known[answer] or "") for answer in row["answers"]),
                tokens=tuple(row["tokens"]),
                gold=names.get(read(row["gold"]) or "", "never given"),
            )
        )
    return found


def named(
    identity: str,
    kind: str,
    answers: Sequence[str | None],
    gold: str | None,
    tokens: Sequence[int] = (),
) -> Question:
    """A question ("set/number") whose canonical answers become names, as those of `boinf` are."""
    names = {a: f"c{i}" for i, a in enumerate(dict.fromkeys(answers)) if a is not None}
    return Question(
        group=(identity.partition("/")[0], ""),
        id=identity,
        answer_type=kind,
        answers=tuple(names.get(a or "") for a in answers),
        tokens=tuple(tokens),
        gold=names.get(gold or "", "never given"),
    )


def reader(kind: str) -> Callable[[str | None], str | None]:
    """Canonical form of an answer that was cut out of its text before."""

    def read(answer: str | None) -> str | None:
        if not answer:
            return None
        return normal(answer) if kind == "latex" else extract(answer, kind)

    return read


class Draw(msgspec.Struct, frozen=True):
    """Some votes on one question, in the order of their seats."""

    question: Question
    answers: tuple[str | None, ...]
    tokens: tuple[int, ...]


def draws(questions: Iterable[Question], size: int, times: int, seed: int) -> list[Draw]:
    """Draw `size` answers of each question without replacement, `times` times."""
    rng = random.Random(seed)
    found = []
    for question in questions:
        for _ in range(times):
            picked = rng.sample(range(len(question.answers)), size)
            found.append(
                Draw(
                    question,
                    tuple(question.answers[i] for i in picked),
                    tuple(question.tokens[i] for i in picked),
                )
            )
    return found


def by_set(groups: Sequence[tuple[str, str]], values: Sequence[float]) -> float:
    """Mean over the questions of each model, then its data set's models, then the data sets."""
    models: dict[tuple[str, str], list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        models.setdefault(group, []).append(value)
    sets: dict[str, list[float]] = {}
    for (name, _), found in models.items():
        sets.setdefault(name, []).append(mean(found))
    return mean([mean(found) for found in sets.values()])


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean."""
    return sum(values) / len(values)
