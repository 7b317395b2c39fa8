"""Time, tokens and loss when all seats run at once, tokens as time."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.voting.counting import count_in_parallel, plain_winner
from benchmarks.voting.data import Question, by_set, draws, named, rows
from benchmarks.voting.picks import gold_number, texts_of
from broker.voting import Rules, extract

SEATS = 16

SHORT_SEATS = 8
"""Seats of short answers: as many as each of these questions has votes, and the default."""


def figures(questions: Sequence[Question], times: int, seed: int) -> dict[str, float]:
    """Shares of waiting for all, and points lost against the full vote counted as it arrives."""
    return _measured(questions, SEATS, times, seed, "")


def short_figures(folder: Path, times: int, seed: int) -> dict[str, float]:
    """The same for short answers, GSM8K of mixed models; tokens are a quarter of the characters.

    There the first to finish is wrong most often: it skipped the reasoning.
    """
    found = []
    for row in rows(folder, "gsm8k_hetero"):
        texts = list(texts_of(row["samples"]).values())
        if len(texts) < SHORT_SEATS:
            continue
        answers = [extract(text, "number") for text in texts]
        tokens = [max(1, len(text) // 4) for text in texts]
        gold = gold_number(row["gold"])
        found.append(named(f"gsm8k/{row['id']}", "number", answers, gold, tokens))
    return _measured(found, SHORT_SEATS, times, seed, "_short")


def _measured(
    questions: Sequence[Question], seats: int, times: int, seed: int, suffix: str
) -> dict[str, float]:
    drawn = draws(questions, seats, times, seed)
    found: dict[str, float] = {}
    for mode in ("fast", "saving"):
        rules = Rules(seats=seats, answer="label", stop=mode, tie_seats=0)
        groups: list[tuple[str, str]] = []
        columns: tuple[list[float], list[float], list[float]] = ([], [], [])
        for draw in drawn:
            winner, now, used = count_in_parallel(draw.answers, draw.tokens, rules)
            gold = draw.question.gold
            arrived = sorted(range(seats), key=lambda i: (draw.tokens[i], i))
            full = plain_winner([draw.answers[i] for i in arrived])
            groups.append(draw.question.group)
            columns[0].append(now / max(draw.tokens))
            columns[1].append(used / sum(draw.tokens))
            columns[2].append(100.0 * ((full == gold) - (winner == gold)))
        names = tuple(f"{mode}{suffix}_{what}" for what in ("time", "tokens", "loss"))
        found |= {name: by_set(groups, c) for name, c in zip(names, columns, strict=True)}
    return found
