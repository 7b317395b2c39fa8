"""Traces that were cut and forced to answer, mixed with finished ones."""

import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks.voting.counting import plain_winner
from benchmarks.voting.data import Row, mean, rows
from broker.voting.answers.latex import normal
from broker.voting.forced import soft_weights, weighted_winner

SEATS = 16
ANSWER_CHARS_MAX = 200
"""A longer "answer" of the file is the rest of a trace in which none was found."""


def figures(folder: Path, times: int, seed: int) -> dict[str, float]:
    """Percent right of 16 votes drawn from all traces of a question.

    cut_majority: all count alike. cut_weighted: all by confidence. cut_abstain: only finished ones,
    of the draws that hold one (cut_abstain_share of them); cut_fallback: of all draws, by
    confidence where none is finished.
    """
    rng = random.Random(seed)
    majority, weighted, abstain, fallback = [], [], [], []
    for row in rows(folder, "deepconf_brumo"):
        answers = [_read(answer) for answer in row["answers"]]
        gold = normal(row["gold"])
        for _ in range(times):
            seats = rng.sample(range(len(answers)), SEATS)
            by_all = weighted_winner(
                [answers[i] for i in seats], soft_weights([row["conf_mean"][i] for i in seats])
            )
            by_finished = plain_winner(_finished(row, answers, seats))
            majority.append(100.0 * (plain_winner([answers[i] for i in seats]) == gold))
            weighted.append(100.0 * (by_all == gold))
            fallback.append(100.0 * ((by_finished or by_all) == gold))
            if by_finished is not None:
                abstain.append(100.0 * (by_finished == gold))
    return {
        "cut_majority": mean(majority),
        "cut_weighted": mean(weighted),
        "cut_abstain": mean(abstain),
        "cut_abstain_share": 100 * len(abstain) / len(majority),
        "cut_fallback": mean(fallback),
    }


def _read(answer: str | None) -> str | None:
    return normal(answer) if answer and len(answer) <= ANSWER_CHARS_MAX else None


def _finished(row: Row, answers: Sequence[str | None], seats: Sequence[int]) -> list[str | None]:
    return [answers[i] for i in seats if row["kind"][i] == "c"]
