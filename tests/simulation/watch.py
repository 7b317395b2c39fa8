"""What must hold of the core after a step, and is not the core's own to assert."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from broker import events as ev
from broker import seating
from broker.core import WATCH_S, Broker
from broker.roster import GRACE_S, SILENCE_S, SILENCE_STEPS
from broker.state import DRAIN_S
from protocol import messages as m
from protocol import records as r
from protocol.ids import JobId
from tests.simulation.network import Heard, Told

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle

SLACK_S = 2 * WATCH_S
"""Deadlines and silence are looked at every WATCH_S."""


_ABOUT_NONE = (m.Ack, m.Heartbeat, m.Status, m.Jobs, m.Models)
_ABOUT_ANY = (m.Ready, m.Gone, m.Scale, m.Down)


def about(event: Told, actions: list[ev.Action]) -> set[JobId] | None:
    """The jobs that this step may have changed; None: it may have been any."""
    jobs = set(_named(actions))
    if isinstance(event, Heard):
        for said in event.said:
            if isinstance(said, _ABOUT_ANY):
                return None
            if not isinstance(said, _ABOUT_NONE):
                jobs.add(said.job)
    elif actions or not isinstance(event, ev.Tick):
        return None
    return jobs


def _named(actions: list[ev.Action]) -> Iterator[JobId]:
    for action in actions:
        what = action.record if isinstance(action, ev.Write) else getattr(action, "message", None)
        what = getattr(what, "submit", None) or getattr(what, "verdict", None) or what
        if job := getattr(what, "job", None):
            yield job


def after(books: "Oracle", event: Told, core: Broker, now: float) -> None:
    """Assert that nothing waits in vain; the slower rules only when time has gone by."""
    if core.state.jobs.waiting:
        _no_seat_waits_beside_a_free_voter(core, now)
    if core.state.draining and not core.state.quit:
        assert core.state.jobs.open, "told to end, with nothing left to do, and still here"
    if core.state.jobs.open and not core.state.roster.by_route:
        fleet = core.state.fleet
        assert fleet.hopeful() or not fleet.reasons(), "jobs wait, and no worker is left"
    if isinstance(event, ev.Tick):
        books.keeping.look(books, core, now)
        _the_silent_are_suspects(books, core, now)
        _jobs_end_in_time(books, core, now)


def _no_seat_waits_beside_a_free_voter(core: Broker, now: float) -> None:
    state = core.state
    free = [voter for voter in state.roster if voter.takes(now)]
    for job in state.jobs.open.values() if free else ():
        if job.waits and not job.choosy:  # of the choosy a few are looked at in each step
            able = seating.eligible(job, free, state.roster)
            assert not able, f"{job.id} waits, and {able[0].id} is free"


def _the_silent_are_suspects(books: "Oracle", core: Broker, now: float) -> None:
    for voter in core.state.roster:
        silent_s = now - books.heard_at[voter.route]
        step_s = voter.beat.step_s_max if voter.beat else 0.0
        patience_s = max(SILENCE_S, SILENCE_STEPS * step_s) + SLACK_S
        if voter.state == "alive":
            assert silent_s <= patience_s, f"{voter.id} is alive after {silent_s:.1f} s of silence"
        else:
            beat_s = now - books.beat_at.get(voter.route, 0.0)
            assert beat_s > SILENCE_S, f"{voter.id} is a suspect, {beat_s:.1f} s after a heartbeat"
            assert voter.suspect_at is not None
            suspect_s = now - voter.suspect_at
            assert suspect_s <= GRACE_S + SLACK_S, f"{voter.id} is a suspect for {suspect_s:.1f} s"


def _jobs_end_in_time(books: "Oracle", core: Broker, now: float) -> None:
    for job_id in core.state.jobs.open:
        due_at = books.due_at[job_id]
        assert now <= due_at + SLACK_S, f"{job_id} is open {now - due_at:.1f} s after its deadline"
    drain_at = core.state.drain_at
    if drain_at is not None and not core.state.quit:
        assert now <= drain_at + SLACK_S, f"still here {now - drain_at + DRAIN_S:.0f} s after DOWN"


def vote_was_taken(route: bytes, said: m.Vote, actions: list[ev.Action], core: Broker) -> None:
    """A vote that was awaited is not awaited any more; one that came before its ballot never was.

    What a full disk did not take is forgotten by a kill: then a ballot's number is given again.
    """
    if (said.job, said.seat) in _issued(actions):
        return
    voter = core.state.roster.by_route.get(route)
    job = core.state.jobs.open.get(said.job)
    if voter is not None and job is not None:
        awaited = job.awaited(said.seat, said.attempt, voter.id)
        assert awaited is None, f"{said.job} seat {said.seat}: its vote was dropped"


def _issued(actions: list[ev.Action]) -> set[tuple[JobId, int]]:
    """The seats on ballots of this step."""
    records = [action.record for action in actions if isinstance(action, ev.Write)]
    ballots = [record for record in records if isinstance(record, r.BallotIssued)]
    return {(ballot.job, seat.seat) for ballot in ballots for seat in ballot.seats}


def recalled(books: "Oracle", verdict: m.Verdict, then: list[ev.Action], core: Broker) -> None:
    """Every seat that was out at the verdict is recalled, at once."""
    job = core.state.jobs.done.get(verdict.job)
    if job is None:  # forgotten in the same step, where few results are kept
        return
    recalls = {
        (books.voter_of.get(a.route), seat)
        for a in then
        if isinstance(a, ev.Send) and isinstance(a.message, m.Recall)
        for seat in a.message.seats
        if a.message.job == verdict.job
    }
    for seat in job.seats:
        if seat.state == "cancelled" and seat.voter is not None:
            assert (seat.voter, seat.number) in recalls, f"{job.id} seat {seat.number}: no RECALL"


def taken_up(books: "Oracle", core: Broker) -> None:
    """A restarted broker has every open job, and every vote of it."""
    jobs = core.state.jobs
    for job_id in books.accepted:
        if job_id in books.ended:
            continue
        job = jobs.open.get(job_id)
        assert job is not None, f"{job_id} was accepted, and is gone after a restart"
        votes = {seat.number: seat.vote for seat in job.seats if seat.vote}
        counted = books.counted.get(job_id, {})
        assert set(votes) == set(counted), f"{job_id}: votes {set(votes)}, counted {set(counted)}"
        for number, attempt in books.latest.get(job_id, {}).items():
            assert number < len(job.seats), f"{job_id} seat {number} is gone after a restart"
            assert job.seats[number].attempt >= attempt, f"{job_id} seat {number}: attempts"
