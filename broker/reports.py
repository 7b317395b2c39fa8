"""What a broker tells of itself: pure views of its state."""

from broker.fleet import Child
from broker.job import Job
from broker.roster import Voter
from broker.state import State
from protocol import messages as m
from protocol.limits import JOBS_LISTED_MAX

PROMPT_SHOWN_CHARS = 120
"""Of a prompt in a list: one line of a wide terminal."""


def node_report(state: State, now: float) -> m.NodeReport:
    """The answer to STATUS."""
    open_jobs = state.jobs.open.values()
    queued = sum(not job.seats or job.state == "waiting" for job in open_jobs)
    return m.NodeReport(
        node=m.NodeFacts(
            id=state.node.id,
            name=state.node.name,
            version=state.node.version,
            pid=state.node.pid,
            uptime_s=round(now - state.started_at, 3),
            address=state.node.address,
            home=state.node.home,
        ),
        jobs=m.JobCounts(
            queued=queued,
            running=len(state.jobs.open) - queued,
            done=state.jobs.done_total,
            lost_votes=state.counters.lost_votes,
            rejected=state.counters.rejected,
            dropped_frames=state.counters.dropped_frames,
        ),
        workers=tuple(_workers(state)),
        draining=state.draining,
        notes=state.notes + ((state.refusal.seen,) if state.refusal else ()),
    )


def _workers(state: State) -> list[m.WorkerReport]:
    """Children in order of their names, then the workers that somebody else started."""
    rows = [
        _child(child, state.roster.by_id.get(child.worker))
        for child in state.fleet.children.values()
    ]
    others = [v for v in state.roster if v.id not in state.fleet.children]
    return rows + [_voter(voter) for voter in sorted(others, key=lambda v: v.id)]


def _voter(voter: Voter, child: Child | None = None) -> m.WorkerReport:
    state: m.WorkerState = "suspect" if voter.state == "suspect" else "alive"
    return m.WorkerReport(
        id=voter.id,
        pid=voter.ready.pid,
        state="draining" if voter.draining else state,
        engine=voter.ready.engine,
        model=voter.ready.model,
        digest=voter.ready.digest,
        slots=voter.ready.slots,
        busy=min(len(voter.open), voter.ready.slots),
        tokens_per_s=voter.tokens_per_s,
        memory_bytes=(voter.beat and voter.beat.memory_bytes) or voter.ready.memory_bytes,
        votes=voter.votes,
        restarts=child.restarts if child else 0,
        reason="silent" if voter.state == "suspect" else "",
        notes=voter.ready.notes,
    )


def _child(child: Child, voter: Voter | None) -> m.WorkerReport:
    if voter is not None:
        return _voter(voter, child)
    states: dict[str, m.WorkerState] = {"failed": "failed", "leaving": "draining"}
    return m.WorkerReport(
        id=child.worker,
        pid=child.pid,
        state=states.get(child.state, "starting"),
        engine="",
        model="",
        digest="",
        slots=0,
        busy=0,
        tokens_per_s=None,
        memory_bytes=None,
        restarts=child.restarts,
        reason=child.reason,
    )


def job_list(state: State, limit: int, now: float) -> m.JobList:
    """The newest jobs first, open ones before done ones of the same age.

    Results that are in the journal alone are counted as more: it is not read for a list.
    """
    count = max(0, min(limit, JOBS_LISTED_MAX))
    every = [*state.jobs.done.values(), *state.jobs.open.values()]
    every.sort(key=lambda job: job.accepted_at, reverse=True)
    rows = tuple(_row(job, now) for job in every[:count])
    total = len(every) if state.kept is None else len(state.jobs.open) + len(state.kept)
    return m.JobList(rows, more=total - len(rows))


def _row(job: Job, now: float) -> m.JobRow:
    verdict = job.verdict
    return m.JobRow(
        job=job.id,
        state=job.state,
        outcome=verdict.outcome if verdict else "",
        asked=job.asked,
        cast=sum(seat.state == "voted" for seat in job.seats),
        age_s=round(now - job.accepted_at, 3),
        prompt=" ".join(job.submit.prompt[: 2 * PROMPT_SHOWN_CHARS].split())[:PROMPT_SHOWN_CHARS],
        answer=verdict.answer if verdict else None,
    )


def job_report(job: Job) -> m.JobReport:
    """The answer to SHOW."""
    seats = tuple(
        m.SeatReport(
            seat=seat.number,
            seed=seat.seed,
            state=seat.state,
            attempts=seat.attempt,
            worker=seat.voter,
            seated_s=_after(job, seat.seated_at),
            ended_s=_after(job, seat.ended_at),
            reason=seat.reason,
        )
        for seat in job.seats
    )
    return m.JobReport(job.id, job.state, job.submit, seats, job.verdict)


def _after(job: Job, at: float | None) -> float | None:
    return None if at is None else round(at - job.accepted_at, 4)


def progress(job: Job, vote: m.VoteRecord) -> m.Progress:
    """One vote as it came in, and how the count stands now."""
    judged = job.judge() if job.out else job.tally.judge()
    cast = sum(seat.state == "voted" for seat in job.seats)
    return m.Progress(
        job=job.id,
        vote=vote,
        cast=cast,
        asked=max(job.asked, len(job.seats)),
        leader=judged.answer,
        leader_votes=judged.votes.get(judged.answer or "", 0),
        answer_type=judged.answer_type,
        out=job.out,
    )


def untried(job: Job) -> list[m.Progress]:
    """The votes of a checked job that wait to be tried, for a client that may not know of them."""
    seats = job.checks.untried if job.checks else []
    return [progress(job, vote) for seat in seats if (vote := job.seats[seat].vote)]
