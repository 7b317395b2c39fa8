"""Votes already canonical, counted by the shipped tally as they arrive."""

import heapq
from collections.abc import Sequence

from broker.voting import Cast, Judgement, Outcome, Rules, Tally


def count_in_order(answers: Sequence[str | None], rules: Rules) -> tuple[str | None, int]:
    """Winner and votes used when seats answer one by one in order."""
    tally = Tally(rules)
    judged = tally.judge()
    for seat, answer in enumerate(answers):
        tally.cast(Cast(seat, answer or "", "stop"))
        judged = tally.judge()
        if judged.outcome is not Outcome.PENDING:
            return shown(judged), seat + 1
    return shown(judged), len(answers)


def count_in_parallel(
    answers: Sequence[str | None], tokens: Sequence[int], rules: Rules
) -> tuple[str | None, int, int]:
    """Winner, time and tokens decoded when each wanted seat runs at once, one token a step.

    Seats still running at the decision are cancelled; what they decoded by then is counted.
    """
    tally = Tally(rules)
    started: list[int] = []
    ends: list[tuple[int, int]] = []
    now = 0
    judged = tally.judge()
    while judged.outcome is Outcome.PENDING:
        for seat in range(len(started), tally.wanted):
            started.append(now)
            heapq.heappush(ends, (now + tokens[seat], seat))
        now, seat = heapq.heappop(ends)
        tally.cast(Cast(seat, answers[seat] or "", "stop"))
        judged = tally.judge()
    used = sum(min(tokens[seat], now - at) for seat, at in enumerate(started))
    return shown(judged), now, used


def shown(judged: Judgement) -> str | None:
    """The winner; where there is no verdict the answer that leads, as in a plain vote."""
    if judged.answer is not None:
        return judged.answer
    return max(judged.votes, key=lambda a: judged.votes[a]) if judged.votes else None


def plain_winner(answers: Sequence[str | None]) -> str | None:
    """The full vote, counted without our code: most votes, of equals the first to reach them."""
    counts: dict[str, int] = {}
    leader = None
    for answer in answers:
        if answer is None:
            continue
        counts[answer] = counts.get(answer, 0) + 1
        if leader is None or counts[answer] > counts[leader]:
            leader = answer
    return leader
