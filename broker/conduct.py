"""Conducting the vote: seats to voters, votes to the count, the count to a verdict."""

from broker import learning, seating
from broker.events import Quit, Send, Write
from broker.job import Job, SeatLife
from broker.roster import Voter
from broker.state import State
from broker.voting import Judgement, Outcome
from protocol import messages as m
from protocol.ids import Seat, WorkerId
from protocol.records import BallotIssued, JobsForgotten, SeatGivenUp, VerdictGiven

DEATHS_MAX = 3
"""A job that saw so many voters die while they worked on it is not given to a fourth."""


def seat_waiting(state: State, now: float) -> None:
    """Give waiting seats to voters while there is room: clients take turns, jobs keep order."""
    free = [voter for voter in state.roster.by_route.values() if voter.takes(now)]
    moved = True
    while moved and free and state.jobs.waiting:
        moved = False
        for job in state.jobs.next_up():
            if _seat(state, job, free, now):
                moved = True
            elif job.refusals or job.submit.temperature == 0:  # not for want of its model alone
                moved |= state.jobs.pass_over(job)
            if not free:
                return


def _seat(state: State, job: Job, free: list[Voter], now: float) -> int:
    """Issue ballots for a job's pending seats; how many seats were given.

    `free`: the voters that take seats; one that takes no more is removed from it.
    """
    if not job.seats:
        job.open_seats()
    ballots: dict[str, tuple[Voter, list[m.BallotSeat]]] = {}
    given = 0
    while job.pending and free:
        voter = seating.choose(seating.preferred(job, seating.eligible(job, free, state.roster)))
        if voter is None:
            break
        seat = job.pending.pop(0)
        voter.open[job.id, seat.number] = None
        if voter.credit <= 0:
            free.remove(voter)
        ballots.setdefault(voter.id, (voter, []))[1].append(job.give(seat, voter.id, now))
        given += 1
    if not job.pending:
        state.jobs.unwait(job, served=True)
    for voter, seats in ballots.values():
        issued = tuple(seats)
        state.out.append(Write(BallotIssued(job.id, voter.id, issued)))
        state.out.append(Send(voter.route, _ballot(job, issued, now)))
    return given


def _ballot(job: Job, seats: tuple[m.BallotSeat, ...], now: float) -> m.Ballot:
    s = job.submit
    return m.Ballot(
        job=s.job,
        seats=seats,
        prompt=s.prompt,
        timeout_s=job.deadline_at - now,
        system=s.system,
        temperature=s.temperature,
        max_tokens=s.max_tokens,
        stop_strings=s.stop_strings,
    )


def judge(state: State, job: Job, now: float) -> None:
    """Look at the count after it changed: end the job, or open the seats that it wants now."""
    judged = job.judge()
    if judged.outcome is not Outcome.PENDING:
        _conclude(state, job, judged, now)
    elif job.open_seats():
        state.jobs.wait(job)


def _conclude(state: State, job: Job, judged: Judgement, now: float) -> None:
    if judged.outcome is Outcome.DECIDED:
        finish(state, job, "decided", judged.reason, now, judged=judged)
    elif any(seat.state == "voted" for seat in job.seats):
        finish(state, job, "tied", judged.reason, now, judged=judged)
    else:
        reasons = dict.fromkeys(seat.reason for seat in job.seats if seat.reason)
        finish(state, job, "failed", "; ".join(reasons) or judged.reason, now, judged=judged)


def finish(
    state: State,
    job: Job,
    outcome: m.Result,
    stopped: str,
    now: float,
    *,
    judged: Judgement | None = None,
) -> None:
    """End a job: recall what is still out, write the verdict down, and tell who asked."""
    recalls = _take_from_voters(state, job)
    if job.waits:
        state.jobs.unwait(job)
    verdict = job.end(outcome, stopped, judged or job.judge(), now)
    state.jobs.finish(job)
    learning.note(state, job)
    state.out.append(Write(VerdictGiven(verdict)))
    if state.kept is not None:
        state.kept.add(job.id, job.bytes, now)
        if state.kept.full:
            forget(state, now)
    _recall(state, job, recalls)
    for route in job.listeners:
        state.out.append(Send(route, verdict))
    quit_if_done(state)


def abandon(state: State, job: Job) -> None:
    """Drop a job that was never accepted, as if it had not come."""
    if job.verdict is not None:
        state.jobs.drop(job.id)
        if state.kept is not None:
            state.kept.drop(job.id)
        return
    _recall(state, job, _take_from_voters(state, job))
    state.jobs.abandon(job)
    quit_if_done(state)


def _take_from_voters(state: State, job: Job) -> dict[WorkerId, list[Seat]]:
    """Free what the voters hold of this job; which seats each is to be told of."""
    recalls: dict[WorkerId, list[Seat]] = {}
    for seat in job.seats:
        if seat.state == "open" and seat.voter is not None:
            recalls.setdefault(seat.voter, []).append(seat.number)
            del state.roster.by_id[seat.voter].open[job.id, seat.number]
    return recalls


def _recall(state: State, job: Job, recalls: dict[WorkerId, list[Seat]]) -> None:
    for voter, seats in recalls.items():
        route = state.roster.by_id[voter].route
        state.out.append(Send(route, m.Recall(job.id, tuple(seats))))


def release(state: State, voter: Voter, reason: str, now: float, died: bool) -> None:
    """Take back every seat of a voter that will not answer, to be given elsewhere.

    `died`: its process ended, perhaps because of what it was asked.
    """
    held = list(voter.open)
    voter.open.clear()
    voter.lost += len(held)
    state.counters.lost_votes += len(held)
    for job_id, number in reversed(held):  # the first ends up first in line
        job = state.jobs.open[job_id]
        job.running_tokens.pop(voter.id, None)
        requeue(state, job, job.seats[number], reason)
    for job_id in dict.fromkeys(job_id for job_id, _ in held) if died else ():
        job = state.jobs.open[job_id]
        job.deaths.append(f"{voter.id} ({reason})")
        if len(job.deaths) >= DEATHS_MAX:
            evidence = ", ".join(job.deaths)
            finish(state, job, "failed", f"poisonous: workers died on it: {evidence}", now)


def requeue(state: State, job: Job, seat: SeatLife, reason: str) -> None:
    """Let a seat wait again, before all others of the queue."""
    job.take_back(seat, reason)
    state.jobs.wait(job, first=True)


def give_up(
    state: State, job: Job, seat: SeatLife, to: m.SeatState, reason: str, *, now: float
) -> None:
    """This seat will never be answered: the count goes on without it."""
    job.give_up(seat, to, reason, now)
    state.out.append(Write(SeatGivenUp(job.id, seat.number, to, reason)))


def forget(state: State, now: float) -> None:
    """Let go of results that were kept for long enough."""
    assert state.kept is not None
    if gone := state.kept.forget(now):
        state.out.append(Write(JobsForgotten(gone)))
        for job in gone:
            state.jobs.drop(job)


def give_up_hopeless(state: State, now: float) -> None:
    """End the jobs that nobody will answer, instead of letting them expire.

    Only when our own workers have failed for good: those that somebody else starts may come back.
    """
    reasons = state.fleet.reasons()
    if not reasons or state.fleet.hopeful() or len(state.roster):
        return
    for job in list(state.jobs.open.values()):
        finish(state, job, "failed", f"no worker is left: {reasons}", now)


def quit_if_done(state: State) -> None:
    """A draining node ends with its last job."""
    if state.draining and not state.jobs.open:
        quit_now(state)


def quit_now(state: State) -> None:
    """Nothing is left to do here."""
    if not state.quit:
        state.quit = True
        learning.keep(state)
        state.out.append(Quit())
