"""A dumb second count: is this verdict what the votes say?"""

from collections import Counter

from protocol import messages as m
from protocol import records as r
from protocol.ids import Seat


def check(
    verdict: m.Verdict,
    accepted: r.JobAccepted,
    counted: dict[Seat, m.VoteRecord],
    given_up: Counter[str],
) -> None:
    """Assert that the verdict rests on the votes that were counted, each once, and on no other."""
    name = f"{verdict.job} {verdict.outcome}"
    v = verdict
    in_it = {vote.seat: vote for vote in v.votes}
    assert len(in_it) == len(v.votes), f"{name}: a seat stands twice among its votes"
    assert set(in_it) == set(counted), f"{name}: votes {sorted(in_it)}, counted {sorted(counted)}"
    for seat, vote in in_it.items():
        same = (vote.text, vote.seed, vote.worker, vote.digest)
        was = counted[seat]
        assert same == (was.text, was.seed, was.worker, was.digest), f"{name}: seat {seat} changed"
    seeds = [vote.seed for vote in v.votes]
    assert len(set(seeds)) == len(seeds), f"{name}: a seed twice"
    digests = [vote.digest for vote in v.votes]
    many = accepted.submit.temperature > 0 or len(set(digests)) == len(digests)
    assert many, f"{name}: one model twice at temperature 0"
    assert v.tokens == sum(vote.tokens for vote in v.votes), f"{name}: tokens"
    assert v.notes == accepted.notes, f"{name}: other notes than when it was accepted"
    if v.winner is not None:
        assert in_it[v.winner].answer == v.answer, f"{name}: the winner's text is another answer's"
    parts = v.cast + v.abstained + v.declined + v.lost + v.cancelled
    assert parts == v.asked >= accepted.asked, f"{name}: {parts} of {v.asked}"
    assert v.declined == given_up["declined"], f"{name}: declined"
    assert v.cast + v.abstained == len(counted) + given_up["abstained"], f"{name}: cast"
    if (
        accepted.submit.answer != "auto" and not accepted.weights
    ):  # there an early answer may be read again later
        _plurality(verdict, accepted.submit, name)


def _plurality(v: m.Verdict, submit: m.Submit, name: str) -> None:
    votes = Counter(vote.answer for vote in v.votes if vote.answer is not None)
    assert v.cast == votes.total(), f"{name}: {v.cast} cast, {votes.total()} votes have an answer"
    if v.outcome == "tied":
        _tied(votes, submit, name)
    if v.outcome != "decided":
        return
    (leader, most), *others = votes.most_common()
    second = others[0][1] if others else 0
    assert v.answer is not None, f"{name}: without an answer"
    assert v.winner is not None, f"{name}: without a winner"
    assert votes[v.answer] == most, f"{name}: {v.answer} wins, {leader} has more votes"
    assert abs(v.agreement - most / v.cast) < 1e-9, f"{name}: agreement {v.agreement}"
    assert v.margin == most - second, f"{name}: margin {v.margin} of {votes}"
    assert v.agreement >= submit.min_agreement - 1e-9, f"{name}: below the asked agreement"
    if submit.stop == "all":
        assert not v.cancelled, f"{name}: all are waited for, and {v.cancelled} were cancelled"
    if submit.stop != "saving":
        assert v.margin >= v.cancelled, f"{name}: {v.cancelled} seats out could overturn it"


def _tied(votes: Counter[str], submit: m.Submit, name: str) -> None:
    """Nobody leads, or not by the share that was asked for."""
    counts = sorted(votes.values(), reverse=True)
    equal = len(counts) > 1 and counts[0] == counts[1]
    few = not counts or counts[0] < submit.min_agreement * votes.total()
    assert equal or few, f"{name}: {votes} has a leader"
