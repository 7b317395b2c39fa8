"""Rebuilding jobs from what was written: what a broker does first after it was ended or killed.

A restored job has every vote that was counted, and its other seats wait again: with their seeds,
and with attempts above any that was issued, so that an answer from before is told from the new
one. Its time starts anew: what was used of it is not known to a monotonic clock, and nobody could
work meanwhile. Clients ask again by job id.
"""

import math
from collections.abc import Iterable, Mapping

import msgspec

from broker import admission, conduct
from broker.job import SEAT_MOVES, Job, SeatLife
from broker.seeds import seed_of
from broker.state import State
from broker.voting import Cast
from protocol import messages as m
from protocol.ids import JobId, Seat
from protocol.limits import SEATS_MAX
from protocol.records import (
    BallotIssued,
    JobAccepted,
    JobsForgotten,
    Record,
    SeatGivenUp,
    VerdictGiven,
    VerdictHeard,
    VoteCounted,
)

REASON = "the broker was restarted"


class Uncountable(Exception):
    """A journal holds a job that this broker could not have accepted: a later version wrote it.

    It was promised a verdict, so it is neither dropped nor counted otherwise than it was asked.
    """


class Finished(msgspec.Struct, frozen=True):
    """A result that the journal keeps, without its texts."""

    job: JobId
    text_bytes: int  # of the prompt and the votes, about
    age_s: float  # since its verdict
    heard: bool


def restore(
    state: State, records: Iterable[Record], now: float, ages_s: Mapping[JobId, float]
) -> None:
    """Take up the jobs of these records, in the order they were written.

    `ages_s`: how long ago each was accepted, where that is known; for people, never for deadlines.
    A record of a job whose JobAccepted is missing is skipped. Raises Uncountable.
    """
    jobs: dict[JobId, Job] = {}
    heard: set[JobId] = set()
    for record in records:
        if isinstance(record, VerdictHeard):
            heard.add(record.job)
        else:
            _apply(jobs, record, now)
    for job in jobs.values():
        job.accepted_at = now - ages_s.get(job.id, 0.0)
        if job.verdict is not None:
            state.jobs.keep(job)
            if state.kept is not None:
                ended_at = job.accepted_at + job.verdict.time_s
                state.kept.add(job.id, job.bytes, min(now, ended_at), job.id in heard)
    for job in jobs.values():
        if job.verdict is None:
            state.jobs.add(job)
            if not job.waits:
                state.jobs.unwait(job)
            if any(seat.state != "waiting" for seat in job.seats):
                conduct.judge(state, job, now)


def remember(state: State, finished: Iterable[Finished], now: float) -> None:
    """Know of these results without having them: they are fetched when somebody asks."""
    for result in finished:
        assert state.kept is not None, "results are kept only where there is a journal"
        if result.job not in state.kept:
            state.kept.add(result.job, result.text_bytes, now - result.age_s, result.heard)


def bring_back(state: State, records: Iterable[Record], now: float) -> None:
    """Hold a finished job in memory again; records that give none are as good as lost."""
    kept = state.kept
    assert kept is not None
    jobs: dict[JobId, Job] = {}
    try:
        for record in records:
            if not isinstance(record, VerdictHeard):
                _apply(jobs, record, now)
    except Uncountable:
        return
    for job in jobs.values():
        if job.verdict is not None and job.id in kept and state.jobs.get(job.id) is None:
            job.accepted_at = kept.ended_at(job.id) - job.verdict.time_s
            state.jobs.keep(job)


def _apply(jobs: dict[JobId, Job], record: Record, now: float) -> None:
    match record:
        case JobAccepted():
            jobs[record.submit.job] = _accepted(record, now)
        case VerdictGiven():
            if job := jobs.get(record.verdict.job):
                _ended(job, record.verdict)
        case JobsForgotten():
            for forgotten in record.jobs:
                jobs.pop(forgotten, None)
        case _:
            job = jobs.get(record.job)
            if job is not None and job.verdict is None:
                _went_on(job, record, now)


def _accepted(record: JobAccepted, now: float) -> Job:
    if seen := _uncountable(record):
        raise Uncountable(f"job {record.submit.job[:60]!r}: {seen}")
    job = Job(record.submit, record.asked, record.seed, now, record.weights)
    job.notes = record.notes
    return job


def _uncountable(record: JobAccepted) -> str:
    """What this broker would not have accepted; empty when it is all right."""
    if problem := admission.problem_of(record.submit):
        return problem.seen
    if not 1 <= record.asked <= SEATS_MAX:
        return f"{record.asked} seats"
    if not all(0 <= weight < math.inf for weight in record.weights.values()):
        return "a weight that is no finite number from 0"
    return ""


def _went_on(job: Job, record: Record, now: float) -> None:
    match record:
        case BallotIssued():
            for issued in record.seats:
                _reach(job, issued.seat)
                if 0 <= issued.seat < len(job.seats):
                    _issued(job.seats[issued.seat], issued.attempt)
        case VoteCounted():
            if seat := _seat(job, record.vote.seat):
                job.pending.remove(seat)
                seat.move("open")
                seat.voter, seat.reason = record.vote.worker, ""
                vote = record.vote
                cast = Cast(vote.seat, vote.text, vote.finish, vote.digest)
                answer = job.count(seat, cast, now)
                seat.vote = msgspec.structs.replace(vote, answer=answer)
                job.open_seats()
        case SeatGivenUp():
            if seat := _seat(job, record.seat):
                job.pending.remove(seat)
                if record.state == "abstained":
                    seat.move("open")
                job.give_up(seat, record.state, record.reason, now)
                job.open_seats()


def _issued(seat: SeatLife, attempt: int) -> None:
    seat.attempt = max(seat.attempt, attempt)
    if seat.state == "waiting":
        seat.reason = REASON


def _reach(job: Job, number: Seat) -> None:
    """Open a job's seats, and a checked job's later ones: that the first failed is not written."""
    if not job.seats:
        job.open_seats()
    if job.checks is not None and number >= len(job.seats):
        job.checks.open_all()
        job.open_seats()


def _seat(job: Job, number: Seat) -> SeatLife | None:
    """The seat, if it waits: of a record that was lost, nothing follows but that it waits again."""
    _reach(job, number)
    seat = job.seats[number] if 0 <= number < len(job.seats) else None
    return seat if seat and seat.state == "waiting" else None


def _ended(job: Job, verdict: m.Verdict) -> None:
    """Give a job the verdict that it was given; a vote may stand only there."""
    if not job.seats:
        job.open_seats()
    for vote in verdict.votes:
        for number in range(len(job.seats), vote.seat + 1):
            job.seats.append(SeatLife(Seat(number), seed_of(job.seed, number)))
        seat = job.seats[vote.seat]
        if seat.state == "waiting":
            seat.move("open")
            seat.move("abstained" if vote.answer is None else "voted")
            seat.voter, seat.vote, seat.reason = vote.worker, vote, ""
    for seat in job.seats:
        if seat.state in SEAT_MOVES:
            seat.move("cancelled")
            seat.reason = ""
    job.pending.clear()
    job.verdict = verdict
    job.bytes += sum([len(vote.text) for vote in verdict.votes])
    job.let_go()
