"""What the vote is worth on questions with known answers: one sample against it, and how sure.

Pure: votes and answers in, figures out. Every comparison is paired, question by question, since
questions differ far more than ways to answer them.
"""

import random
from collections.abc import Mapping, Sequence

import msgspec

from broker.voting.answers import extract
from broker.voting.answers.latex import normal
from broker.voting.answers.marked import last_box
from broker.voting.counts import WEIGHT_UNIT, Counts
from broker.voting.rules import SEATS_MAX, Cast, Rules
from broker.voting.tally import Tally
from broker.voting.weights import JOBS_NEEDED, learn, weights

RESAMPLES = 2000
"""Of the questions, for an interval: its ends then move by a tenth of a point from seed to seed."""

RESAMPLED_MAX = 4_000_000
"""Questions drawn in all for one interval: some seconds. With many questions fewer resamples do."""

DRAWS = 20
"""Orders in which a question's votes are drawn for the curve over seats."""

CONFIDENCE = 0.95
"""Of the interval."""


class Sample(msgspec.Struct, frozen=True):
    """One vote on record."""

    model: str
    text: str
    tokens: int = 0
    time_s: float = 0.0
    finish: str = "stop"


class Case(msgspec.Struct, frozen=True):
    """A question with its known answer, and the votes on it in order of their seats."""

    gold: str
    votes: tuple[Sample, ...]
    answer: str = "auto"  # one of ANSWER_TYPES
    choices: tuple[str, ...] = ()
    prompt: str = ""  # `auto` looks at it
    time_s: float = 0.0  # of the whole vote; 0: not known
    judged: bool = False  # a node has given its verdict on these votes:
    verdict: str | None = None  # canonical; None: there was none


class Read(msgspec.Struct, frozen=True):
    """A case, read: which votes hold which answer, and which answer is right."""

    kind: str
    gold: str  # canonical
    answers: tuple[str | None, ...]  # of each vote; None: abstained
    won: str | None  # the node's verdict on them; None: none
    case: Case

    @property
    def share_right(self) -> float:
        """Of all votes, those that are right: what one sample is worth. Abstaining is not right."""
        votes = self.answers
        return sum(answer == self.gold for answer in votes) / len(votes) if votes else 0.0


class Figures(msgspec.Struct, frozen=True):
    """One row: accuracies 0 to 1, tokens and seconds for a question."""

    questions: int
    one: float  # accuracy of one sample
    vote: float  # of all its votes
    gain: float  # vote - one
    low: float  # ends of the gain's interval
    high: float
    undecided: int  # questions without a verdict; they count as wrong
    tokens_one: float
    tokens_vote: float
    time_one_s: float
    time_vote_s: float


class Model(msgspec.Struct, frozen=True):
    """What one model's own samples are worth."""

    model: str
    votes: int
    right: float  # share of its votes, 0 to 1
    tokens: float  # of one vote


class Point(msgspec.Struct, frozen=True):
    """Accuracy of a vote of so many seats, with its interval."""

    seats: int
    accuracy: float
    low: float
    high: float


class Evaluation(msgspec.Struct, frozen=True):
    """Everything that is told of one file."""

    all: Figures
    kinds: dict[str, Figures]  # by answer type
    models: tuple[Model, ...]
    curve: tuple[Point, ...]
    weighted: Figures | None  # votes weighed by what the other half of the questions showed


def evaluate(reads: Sequence[Read], rng: random.Random) -> Evaluation:
    """All figures of these cases. Raises ValueError when there are none."""
    if not reads:
        raise ValueError("no question with votes")
    winners = [one.won for one in reads]
    kinds = sorted({one.kind for one in reads})
    by_kind = {
        kind: figures(*_pick(reads, winners, kind), rng) for kind in (kinds if kinds[1:] else [])
    }
    better = weighted(reads)
    return Evaluation(
        all=figures(reads, winners, rng),
        kinds=by_kind,
        models=models(reads),
        curve=curve(reads, rng),
        weighted=figures(reads, better, rng) if better else None,
    )


def _pick(
    reads: Sequence[Read], winners: Sequence[str | None], kind: str
) -> tuple[list[Read], list[str | None]]:
    kept = [(one, won) for one, won in zip(reads, winners, strict=True) if one.kind == kind]
    return [one for one, _ in kept], [won for _, won in kept]


def read(case: Case) -> Read:
    """Each vote's answer as the node would count it, and the known one in the same form.

    At most SEATS_MAX votes are looked at.
    """
    votes = case.votes[:SEATS_MAX]
    tally = Tally(
        Rules(
            seats=max(1, len(votes)),
            answer=case.answer,
            choices=case.choices,
            prompt=case.prompt,
            stop="all",
            tie_seats=0,
        )
    )
    for seat, vote in enumerate(votes):
        tally.cast(Cast(seat, vote.text, vote.finish, vote.model))
    judged = tally.judge()
    kind = judged.answer_type
    answers = tuple(tally.answer_of(seat) for seat in range(len(votes)))
    won = case.verdict if case.judged else judged.answer if votes else None
    return Read(kind, _known(case, kind), answers, won, case)


def _known(case: Case, kind: str) -> str:
    """The known answer in the form of the votes'; of LaTeX all of it, as if it stood in a box."""
    if kind == "latex" and last_box(case.gold) is None:
        return normal(case.gold) or case.gold.strip()
    return extract(case.gold, kind, case.choices) or case.gold.strip()


def merged(one: Read, same: Mapping[str, str]) -> Read:
    """The case with answers that are equal as one: `same` has another form of each that has one.

    A verdict that a node gave stays; one that was counted here is counted again.
    """
    answers = tuple(None if a is None else same.get(a, a) for a in one.answers)
    won = None if one.won is None else same.get(one.won, one.won)
    if not one.case.judged:
        won = _count(answers)
    return msgspec.structs.replace(one, gold=same.get(one.gold, one.gold), answers=answers, won=won)


def _count(answers: Sequence[str | None]) -> str | None:
    """The answer with most votes, of equals the first to reach them; one alone wins nothing."""
    counts = Counts()
    for seat, answer in enumerate(answers):
        if answer is not None:
            counts.add(answer, seat, 1)
    first = counts.first
    return first.answer if first and (first.votes > 1 or len(counts.by_answer) == 1) else None


def winner(one: Read, weight: Mapping[str, float]) -> str | None:
    """The answer with most weight; None without any.

    A tie goes to the answer that reached the count first.
    """
    counts = Counts()
    for seat, (answer, vote) in enumerate(zip(one.answers, one.case.votes, strict=False)):
        if answer is not None:
            own = round(weight.get(vote.model, 0.0) * WEIGHT_UNIT)
            counts.add(answer, seat, max(1, own))
    return counts.first.answer if counts.first else None


def weighted(reads: Sequence[Read]) -> list[str | None] | None:
    """Winners with models weighed by what the votes on the other half of the questions showed.

    No known answer is used. None where one model voted alone, or with too few questions to learn.
    """
    jobs = [
        [(v.model, a) for v, a in zip(o.case.votes, o.answers, strict=False) if a is not None]
        for o in reads
    ]
    if len({model for job in jobs for model, _ in job}) < 2 or len(jobs) < 2 * JOBS_NEEDED:
        return None
    halves = [weights(learn(jobs[1 - half :: 2])) for half in (0, 1)]
    return [winner(one, halves[i % 2]) for i, one in enumerate(reads)]


# ------------------------------------------------------------ figures


def figures(reads: Sequence[Read], winners: Sequence[str | None], rng: random.Random) -> Figures:
    """One row of the table."""
    n = len(reads)
    right = [float(won == one.gold) for one, won in zip(reads, winners, strict=True)]
    single = [one.share_right for one in reads]
    low, high = interval([v - s for v, s in zip(right, single, strict=True)], rng)
    votes = [vote for one in reads for vote in one.case.votes]
    return Figures(
        questions=n,
        one=_mean(single),
        vote=_mean(right),
        gain=_mean(right) - _mean(single),
        low=low,
        high=high,
        undecided=sum(won is None for won in winners),
        tokens_one=_mean([vote.tokens for vote in votes]),
        tokens_vote=sum(vote.tokens for vote in votes) / n,
        time_one_s=_mean([vote.time_s for vote in votes]),
        time_vote_s=_mean([one.case.time_s for one in reads]),
    )


def interval(values: Sequence[float], rng: random.Random) -> tuple[float, float]:
    """Ends of the CONFIDENCE interval of the mean: percentile bootstrap over questions.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3. Paired when
    the values are differences. One question has no interval: both ends are its value.
    """
    n = len(values)
    rounds = max(200, min(RESAMPLES, RESAMPLED_MAX // n))
    means = sorted(sum(rng.choices(values, k=n)) / n for _ in range(rounds))
    cut = round((1 - CONFIDENCE) / 2 * (rounds - 1))
    return means[cut], means[rounds - 1 - cut]


def models(reads: Sequence[Read]) -> tuple[Model, ...]:
    """Each model's own samples, the best first."""
    votes: dict[str, list[tuple[bool, int]]] = {}
    for one in reads:
        for vote, answer in zip(one.case.votes, one.answers, strict=False):
            votes.setdefault(vote.model, []).append((answer == one.gold, vote.tokens))
    found = [
        Model(name, len(own), _mean([r for r, _ in own]), _mean([t for _, t in own]))
        for name, own in votes.items()
    ]
    return tuple(sorted(found, key=lambda model: (-model.right, model.model)))


def curve(reads: Sequence[Read], rng: random.Random) -> tuple[Point, ...]:
    """Accuracy against seats, from 1 to the most votes that half of the questions have.

    Questions with fewer votes are left out. Each question's votes are drawn without replacement in
    DRAWS orders. The interval is the normal one of the mean over questions (1.96 standard errors),
    within 0 and 1.
    """
    seats = sorted(len(one.answers) for one in reads)[len(reads) // 2]
    full = [one for one in reads if len(one.answers) >= seats]
    sums = [[0.0, 0.0] for _ in range(seats)]
    for one in full:
        for k, accuracy in enumerate(_growing(one, seats, rng)):
            sums[k][0] += accuracy
            sums[k][1] += accuracy * accuracy
    return tuple(
        _point(k + 1, total, squares, len(full)) for k, (total, squares) in enumerate(sums)
    )


def _point(seats: int, total: float, squares: float, n: int) -> Point:
    mean = total / n
    error = 1.96 * (max(0.0, squares / n - mean * mean) / n) ** 0.5
    return Point(seats, mean, max(0.0, mean - error), min(1.0, mean + error))


def _growing(one: Read, seats: int, rng: random.Random) -> list[float]:
    """How often the winner of the first 1, 2, … votes is right, over DRAWS orders."""
    right = [0] * seats
    order = list(one.answers)
    for _ in range(DRAWS):
        rng.shuffle(order)
        counts = Counts()
        for seat in range(seats):
            answer = order[seat]
            if answer is not None:
                counts.add(answer, seat, 1)
            right[seat] += counts.first is not None and counts.first.answer == one.gold
    return [count / DRAWS for count in right]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
