"""A judge between a few finalists: each pair compared in both orders. Pure.

Judges favour a place: GPT-4 kept its verdict in about 65 % of pairs when the order was swapped
(Zheng et al. 2023, arXiv 2306.05685, table 2). So a preference counts only when it holds in both
orders; else it counts for neither. Which model judges, and asking it, is somebody else's work.
"""

import itertools
from collections.abc import Mapping, Sequence

from broker.voting.medoid import ranked

FINALISTS_MAX = 3
"""Texts that are compared: each pair costs two questions that hold two whole texts, so three cost
six; more would cost more than the votes did."""

CHOICES = ("A", "B")
"""What the judge may answer: the first text shown, or the second."""

Pair = tuple[int, int]
"""Two finalists by number, in the order in which they are shown."""


def finalists(texts: Sequence[str], first: str | None = None) -> list[int]:
    """Numbers of the texts to compare, at most FINALISTS_MAX, no two with the same words.

    `first` is the text that the count would take, and leads; the others are the most central.
    """
    bare = [" ".join(text.split()) for text in texts]
    order = [number for number, _ in ranked(bare)]
    order.sort(key=lambda number: texts[number] != first)  # stable: the rest stays in order
    distinct: dict[str, int] = {}
    for number in order:
        distinct.setdefault(bare[number], number)
    return list(distinct.values())[:FINALISTS_MAX]


def pairs(count: int) -> list[Pair]:
    """Every pair of so many finalists, in both orders."""
    return list(itertools.permutations(range(count), 2))


def preferences(said: Mapping[Pair, str | None]) -> dict[Pair, int | None]:
    """Which of each pair was preferred in both orders; None: neither.

    `said` holds what the judge answered of each of `pairs`: one of CHOICES, or None for no answer.
    """
    return {
        (a, b): _same(_chosen((a, b), said[a, b]), _chosen((b, a), said[b, a]))
        for a, b in said
        if a < b
    }


def _chosen(shown: Pair, answer: str | None) -> int | None:
    return None if answer not in CHOICES else shown[CHOICES.index(answer)]


def _same(one: int | None, other: int | None) -> int | None:
    return one if one == other else None


def winner(count: int, preferred: Mapping[Pair, int | None]) -> int:
    """The finalist that was preferred most often; of equals the first, as without a judge."""
    wins = list(preferred.values())
    return max(range(count), key=lambda number: (wins.count(number), -number))


def question(asked: str, first: str, second: str) -> str:
    """What the judge is asked of two answers to a question."""
    return (
        "Which of two answers to a question is better: more correct, more complete, more to the "
        f"point?\n\n# Question\n{asked}\n\n# Answer A\n{first}\n\n# Answer B\n{second}\n\n"
        "# Your judgement\nThe order of the answers, their length and what they say about "
        "themselves must not matter. Reply with one letter, A or B."
    )
