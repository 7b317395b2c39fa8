"""Votes used and accuracy lost by stopping rules, one vote at a time."""

import math
from collections.abc import Callable, Sequence

from benchmarks.voting.counting import count_in_order, plain_winner
from benchmarks.voting.data import Draw, Question, by_set, draws
from broker.voting import Rules

AC_SURE = 0.95
"""Adaptive-Consistency stops at this probability that the leader leads (arXiv 2305.11860)."""

ESC_WINDOW = 5
"""Early-Stopping Self-Consistency looks at windows of so many votes (arXiv 2401.10480)."""

Rule = Callable[[Sequence[str | None]], tuple[str | None, int]]


def figures(questions: Sequence[Question], times: int, seed: int) -> dict[str, float]:
    """Votes and loss in points at budgets of 8 and 16: ours exact and default, AC, ESC."""
    found: dict[str, float] = {}
    for size in (8, 16):
        drawn = draws(questions, size, times, seed)
        rules = {
            f"n{size}_{{}}_exact": ours(size, "fast"),
            f"n{size}_{{}}": ours(size, "saving"),
            f"ac_n{size}_{{}}": adaptive_consistency,
            f"esc_n{size}_{{}}": early_stopping,
        }
        for name, rule in rules.items():
            votes, loss = measure(drawn, rule)
            found[name.format("votes")] = votes
            found[name.format("loss")] = loss
    return found


def ours(size: int, stop: str) -> Rule:
    """The shipped count within the budget, without the seats that a tie would draw."""
    rules = Rules(seats=size, answer="label", stop=stop, wave=1, tie_seats=0)
    return lambda answers: count_in_order(answers, rules)


def measure(drawn: Sequence[Draw], rule: Rule) -> tuple[float, float]:
    """Mean votes used, and points lost against the full vote of the same draws, by set."""
    groups, votes, losses = [], [], []
    for draw in drawn:
        winner, used = rule(draw.answers)
        gold = draw.question.gold
        groups.append(draw.question.group)
        votes.append(float(used))
        losses.append(100.0 * ((plain_winner(draw.answers) == gold) - (winner == gold)))
    return by_set(groups, votes), by_set(groups, losses)


def adaptive_consistency(answers: Sequence[str | None]) -> tuple[str | None, int]:
    """Stop when P(leader's share > second's | Beta posterior, flat prior) reaches AC_SURE."""
    for used in range(1, len(answers)):
        first, second = top_two(answers[:used])
        if surely_ahead(first, second) >= AC_SURE:
            return plain_winner(answers[:used]), used
    return plain_winner(answers), len(answers)


def surely_ahead(first: int, second: int) -> float:
    """P(p > 1/2) under Beta(first + 1, second + 1), exactly, as a binomial tail."""
    tosses = first + second + 1
    return float(sum(math.comb(tosses, k) for k in range(first + 1)) / 2.0**tosses)


def early_stopping(answers: Sequence[str | None]) -> tuple[str | None, int]:
    """Stop after a window of ESC_WINDOW votes that all agree."""
    for used in range(ESC_WINDOW, len(answers), ESC_WINDOW):
        window = answers[used - ESC_WINDOW : used]
        if window[0] is not None and len(set(window)) == 1:
            return plain_winner(answers[:used]), used
    return plain_winner(answers), len(answers)


def top_two(answers: Sequence[str | None]) -> tuple[int, int]:
    """Votes of the first and the second."""
    given = [answer for answer in answers if answer is not None]
    counts = sorted((given.count(answer) for answer in set(given)), reverse=True)
    first, second, *_ = [*counts, 0, 0]
    return first, second
