"""Time, tokens and loss when 16 seats run at once, tokens as time."""

from collections.abc import Sequence

from benchmarks.voting.counting import count_in_parallel, plain_winner
from benchmarks.voting.data import Question, by_set, draws
from broker.voting import Rules

SEATS = 16


def figures(questions: Sequence[Question], times: int, seed: int) -> dict[str, float]:
    """Shares of waiting for all, and points lost against the full vote counted as it arrives."""
    drawn = draws(questions, SEATS, times, seed)
    found: dict[str, float] = {}
    for mode in ("fast", "saving"):
        rules = Rules(seats=SEATS, answer="label", stop=mode, tie_seats=0)
        groups: list[tuple[str, str]] = []
        columns: tuple[list[float], list[float], list[float]] = ([], [], [])
        for draw in drawn:
            winner, now, used = count_in_parallel(draw.answers, draw.tokens, rules)
            gold = draw.question.gold
            arrived = sorted(range(SEATS), key=lambda i: (draw.tokens[i], i))
            full = plain_winner([draw.answers[i] for i in arrived])
            groups.append(draw.question.group)
            columns[0].append(now / max(draw.tokens))
            columns[1].append(used / sum(draw.tokens))
            columns[2].append(100.0 * ((full == gold) - (winner == gold)))
        names = (f"{mode}_time", f"{mode}_tokens", f"{mode}_loss")
        found |= {name: by_set(groups, c) for name, c in zip(names, columns, strict=True)}
    return found
