"""What a client asked for is what is written, put to voters and told: no word of it changes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from broker import events as ev
from broker.core import Broker
from protocol import messages as m
from protocol import records as r
from protocol.ids import JobId
from tests.simulation.network import Heard, Told

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle

ROUNDING_S = 1e-3
"""Sums of durations and moments fall short by less."""


def of_acceptance(record: r.JobAccepted, asked: m.Submit, core: Broker) -> None:
    """A job is written as it was put, with its own seed, and only while jobs are taken."""
    name = asked.job
    assert record.submit == asked, f"{name}: written otherwise than it was put"
    assert asked.seed in (None, record.seed), f"{name}: another seed than was asked for"
    fewer = asked.temperature == 0 and 1 <= record.asked < asked.votes
    assert record.asked == asked.votes or fewer, f"{name}: {record.asked} seats of {asked.votes}"
    assert not core.state.draining, f"{name}: accepted by a node that ends"


_PUT_TO_VOTERS = ("prompt", "system", "temperature", "max_tokens", "stop_strings")


def of_ballot(ballot: m.Ballot, asked: m.Submit) -> None:
    """Voters are asked what the client asks."""
    for name in _PUT_TO_VOTERS:
        same = getattr(ballot, name) == getattr(asked, name)
        assert same, f"{asked.job}: a ballot with another {name}"
    in_time = 0 < ballot.timeout_s <= asked.timeout_s + ROUNDING_S
    assert in_time, f"{asked.job}: {ballot.timeout_s} s for a ballot, of {asked.timeout_s}"


def of_outcome(
    verdict: m.Verdict, event: Told | None, due_at: float, core: Broker, now: float
) -> None:
    """A job is not ended before its time, nor cancelled by nobody, nor given up with hope."""
    name = f"{verdict.job} {verdict.outcome}"
    if verdict.outcome == "expired":
        assert now >= due_at - ROUNDING_S, f"{name}: {due_at - now:.1f} s too early"
    elif verdict.outcome == "cancelled":
        said = event.said if isinstance(event, Heard) else ()
        asked = any(isinstance(one, m.Cancel) and one.job == verdict.job for one in said)
        assert asked, f"{name}: by nobody"
    elif verdict.stopped.startswith("no worker is left"):
        assert core.state.fleet.reasons(), f"{name}: though none has failed for good"


def of_progress(books: "Oracle", counted: r.VoteCounted, then: Iterable[ev.Action]) -> None:
    """Who watches is told of each vote, but for the one that comes with the verdict."""
    job, seat = counted.job, counted.vote.seat
    told = []
    for action in then:
        if isinstance(action, ev.Send):
            said = action.message
            if isinstance(said, m.Progress) and (said.job, said.vote.seat) == (job, seat):
                told.append(action.route)
        elif _ends(action, job) and not told:
            return
    watching = [route for route, watch in books.listeners.get(job, {}).items() if watch]
    assert sorted(told) == sorted(watching), f"{job} seat {seat}: told {told}, watch {watching}"


def _ends(action: ev.Action, job: JobId) -> bool:
    record = action.record if isinstance(action, ev.Write) else None
    return isinstance(record, r.VerdictGiven) and record.verdict.job == job


def of_withdrawal(
    job: JobId, awaiting: Iterable[bytes], actions: Iterable[ev.Action], core: Broker
) -> None:
    """A job that could not be written: who put it is told so, and nothing of it is left."""
    refused = {
        action.route
        for action in actions
        if isinstance(action, ev.Send)
        if isinstance(action.message, m.Rejected) and action.message.job == job
    }
    assert refused >= set(awaiting), f"{job} was not written, and {set(awaiting)} not told"
    kept = core.state.kept
    left = core.state.jobs.get(job) or (kept is not None and job in kept)
    assert not left, f"{job} was not written, and is still here"
