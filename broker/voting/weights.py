"""How reliable each voter is, learned from past votes without any known answer."""

import math
from collections.abc import Mapping, Sequence

ROUNDS = 20
"""Rounds of expectation and maximisation; the figures stop changing after about ten."""

JOBS_NEEDED = 150
"""Past jobs before weights are used; with 50 the order of weak voters is still learned wrongly
(docs/VOTING.md)."""

JOBS_KEPT = 2000
"""Past jobs that are learned from, the latest: more change nothing in the second digit."""

PRIOR = 1.0
"""Right and wrong answers assumed of each voter before the first: the mode under Beta(2, 2)."""

ANSWERS = 8
"""Answers that a voter chooses from, the right one and those it is wrong in: with 2 the weakest
pull the rest down, and from 5 to 12 nothing changes by more than chance."""

MARGIN = 0.5
"""Taken off each voter's log-odds: weak voters err together, which looks like agreement, so what
is learned without answers is too high, by a few points of accuracy."""

DOUBTED = 0.8
"""Where even the best is right less often than this, the others may overrule it."""

NEAR = 0.05
"""Voters this close to the best are taken for equals; extra seats go to them."""

LOG_ODDS_MAX = math.log(0.99 / 0.01)
"""No voter counts for more than one that is right 99 times of 100."""

Shares = dict[str, dict[str, float]]


def learn(jobs: Sequence[Sequence[tuple[str, str]]]) -> dict[str, float]:
    """Reliability of each voter, 0 to 1, from past jobs: each a list of (voter, canonical answer).

    Dawid and Skene's estimator (Applied Statistics 28, 1979) with one parameter a voter, over an
    answer set that is open: the answers given, or none of them. Several votes of one voter in one
    job count as one, divided. The time is proportional to the votes, times ROUNDS.
    """
    shares = [_shares(job) for job in jobs[-JOBS_KEPT:] if job]
    told: dict[str, int] = {}
    right: dict[str, float] = {}
    for job in shares:
        total = _scores(job, dict.fromkeys(job, 1 / len(job)))
        for voter, answers in job.items():
            told[voter] = told.get(voter, 0) + 1
            right[voter] = right.get(voter, 0.0) + sum(s * total[a] for a, s in answers.items())
    for _ in range(ROUNDS):
        odds = {v: log_odds(_mode(right[v], told[v])) + math.log(ANSWERS - 1) for v in told}
        right = dict.fromkeys(told, 0.0)
        for job in shares:
            belief = _belief(_scores(job, odds))
            for voter, answers in job.items():
                right[voter] += sum(s * belief[a] for a, s in answers.items())
    return {voter: _mode(right[voter], told[voter]) for voter in sorted(told)}


def weights(reliability: Mapping[str, float]) -> dict[str, float]:
    """Weight of each voter's vote, at least 0: the log of its odds less MARGIN.

    Log-odds are the best weights of independent voters that choose between two answers (Nitzan and
    Paroush, Int. Econ. Rev. 23, 1982, theorem 1). Where that leaves one voter that the others could
    not overrule even together, and it is DOUBTED, votes weigh as if wrong ones fell on ANSWERS - 1
    answers alike: log(p * (ANSWERS - 1) / (1 - p)). Weak voters seldom agree but on what is right,
    and that is all there is to correct their best. Among strong ones that form is worse.
    """
    found = {voter: max(0.0, log_odds(p) - MARGIN) for voter, p in reliability.items()}
    top = max(found.values(), default=0.0)
    alone = sum(found.values()) < 2 * top or not top
    if alone and max(reliability.values(), default=1.0) < DOUBTED:
        more = math.log(ANSWERS - 1)
        return {voter: max(0.0, log_odds(p) + more) for voter, p in reliability.items()}
    return found


def leaders(reliability: Mapping[str, float]) -> frozenset[str]:
    """Voters within NEAR of the most reliable: where extra seats are worth most."""
    best = max(reliability.values(), default=0.0)
    return frozenset(voter for voter, p in reliability.items() if p >= best - NEAR)


def log_odds(p: float) -> float:
    """log(p / (1 - p)), within LOG_ODDS_MAX of 0."""
    p = min(max(p, 1e-9), 1 - 1e-9)
    return min(LOG_ODDS_MAX, max(-LOG_ODDS_MAX, math.log(p / (1 - p))))


def _mode(right: float, told: int) -> float:
    return (right + PRIOR) / (told + 2 * PRIOR)


def _shares(job: Sequence[tuple[str, str]]) -> Shares:
    """Each voter's answers as shares of its votes."""
    found: Shares = {}
    for voter, answer in job:
        answers = found.setdefault(voter, {})
        answers[answer] = answers.get(answer, 0.0) + 1.0
    for answers in found.values():
        votes = sum(answers.values())
        for answer in answers:
            answers[answer] /= votes
    return found


def _scores(job: Shares, odds: Mapping[str, float]) -> dict[str, float]:
    score: dict[str, float] = {}
    for voter, answers in job.items():
        for answer, share in answers.items():
            score[answer] = score.get(answer, 0.0) + share * odds[voter]
    return score


def _belief(score: Mapping[str, float]) -> dict[str, float]:
    """Probability of each answer; what is missing to 1 is that none is right."""
    top = max(0.0, *score.values()) if score else 0.0
    raised = {answer: math.exp(s - top) for answer, s in score.items()}
    total = math.exp(-top) + sum(raised.values())
    return {answer: r / total for answer, r in raised.items()}
