"""The conversation with workers: who joins, who answers, who has gone."""

from broker import conduct, reports
from broker.events import Kill, Route, Send, Write
from broker.job import Job, SeatLife
from broker.roster import REST_S, VOTERS_MAX, Voter
from broker.state import State
from broker.voting import Cast
from protocol import messages as m
from protocol.ids import JobId, Seat
from protocol.limits import (
    NAME_CHARS_MAX,
    READY_CHARS_MAX,
    REASON_CHARS_MAX,
    TEXT_BYTES_MAX,
)
from protocol.records import VoteCounted

SLOTS_MAX = 1024
"""Slots that one worker may offer: no engine decodes more sequences together with profit."""


def ready(state: State, route: Route, said: m.Ready, now: float) -> None:
    """A proven worker offers its slots."""
    if reason := _unfit(state, route, said):
        state.out.append(Send(route, m.Stop(now=True, reason=reason)))
        return
    for old in (state.roster.by_route.get(route), state.roster.by_id.get(said.worker)):
        if old is not None and state.roster.by_id.get(old.id) is old:
            drop(state, old, "it joined again", now, died=False)
    state.reliability.meet(said.model, said.digest, state.roster.digests(""))
    state.roster.join(Voter(said.worker, route, said, node=state.node.name, heard_at=now))
    state.fleet.ready(said.worker, now)


def _unfit(state: State, route: Route, said: m.Ready) -> str:
    """Why this worker cannot join; empty when it can."""
    if not 1 <= said.slots <= SLOTS_MAX:
        return f"{said.slots} slots offered; 1 to {SLOTS_MAX} can be"
    if not 1 <= len(said.worker) <= NAME_CHARS_MAX:
        return f"a name of {len(said.worker)} characters"
    texts = (said.engine, said.engine_version, said.model, said.digest, *said.notes)
    if sum(map(len, texts)) > READY_CHARS_MAX:
        return f"names and notes of {sum(map(len, texts))} characters"
    if len(state.roster) >= VOTERS_MAX:
        return f"{VOTERS_MAX} workers are here already"
    known = state.roster.by_id.get(said.worker)
    if known and known.route != route and known.ready.pid != said.pid and known.state == "alive":
        return f"a worker named {said.worker} is here already, with process id {known.ready.pid}"
    return ""


def heartbeat(state: State, voter: Voter, said: m.Heartbeat, now: float) -> None:
    """The thread that generates is alive."""
    voter.beat = said
    if state.roster.hear(voter, now):
        # Its seats were given elsewhere while it was silent: let it drop them and start anew.
        state.out.append(Send(voter.route, m.Introduce()))


def vote(state: State, voter: Voter, said: m.Vote, now: float) -> None:
    """A seat is answered."""
    found = _awaited(state, voter, said.job, said.seat, said.attempt)
    if found is None:
        return
    job, seat = found
    del voter.open[said.job, said.seat]
    if _too_long(said.text):
        _lose(state, job, seat, "its text is longer than a vote may be", now)
        return
    voter.votes += 1
    job.running_tokens[voter.id] = said.running_tokens
    _count(voter, job, seat, said, now)
    assert seat.vote is not None
    state.out.append(Write(VoteCounted(job.id, seat.vote)))
    conduct.judge(state, job, now)
    if job.verdict is None:
        _tell_progress(state, job, seat.vote)


def _too_long(text: str) -> bool:
    """Is it longer than a vote may be? Only a long one is worth counting exactly."""
    return len(text) * 4 > TEXT_BYTES_MAX and len(text.encode()) > TEXT_BYTES_MAX


def _count(voter: Voter, job: Job, seat: SeatLife, said: m.Vote, now: float) -> None:
    assert seat.seated_at is not None
    cast = Cast(seat.number, said.text, said.finish, voter.ready.digest)
    answer = job.count(seat, cast, now)
    seat.vote = m.VoteRecord(
        seat=seat.number,
        seed=seat.seed,
        node=voter.node,
        worker=voter.id,
        engine=voter.ready.engine,
        model=voter.ready.model,
        digest=voter.ready.digest,
        text=said.text,
        finish=said.finish,
        prompt_tokens=said.prompt_tokens,
        tokens=said.tokens,
        time_s=now - seat.seated_at,
        answer=answer,
    )


def _tell_progress(state: State, job: Job, vote_record: m.VoteRecord) -> None:
    watchers = [route for route, watch in job.listeners.items() if watch]
    if not watchers:
        return
    told = reports.progress(job, vote_record)
    state.out += [Send(route, told) for route in watchers]


def abstain(state: State, voter: Voter, said: m.Abstain, now: float) -> None:
    """A seat was tried and gave nothing that can be counted."""
    if found := _awaited(state, voter, said.job, said.seat, said.attempt):
        job, seat = found
        del voter.open[said.job, said.seat]
        conduct.give_up(state, job, seat, "abstained", said.reason[:REASON_CHARS_MAX], now=now)
        _go_on_without(state, job, now)


def decline(state: State, voter: Voter, said: m.Decline, now: float) -> None:
    """A seat was not tried: give it elsewhere, unless nobody here can ever answer it."""
    found = _awaited(state, voter, said.job, said.seat, said.attempt)
    if found is None:
        return
    job, seat = found
    del voter.open[said.job, said.seat]
    reason = said.reason[:REASON_CHARS_MAX]
    if not said.final:
        voter.rest_until = now + REST_S
        conduct.requeue(state, job, seat, reason)
        return
    job.refusals[voter.id] = reason
    if any(other.id not in job.refusals for other in state.roster):
        conduct.requeue(state, job, seat, reason)
        return
    seat.move("waiting")
    conduct.give_up(state, job, seat, "declined", reason, now=now)
    for waiting in list(job.pending):
        job.pending.remove(waiting)
        conduct.give_up(state, job, waiting, "declined", reason, now=now)
    state.jobs.unwait(job)
    _go_on_without(state, job, now)


def _lose(state: State, job: Job, seat: SeatLife, reason: str, now: float) -> None:
    conduct.give_up(state, job, seat, "abstained", reason, now=now)
    _go_on_without(state, job, now)


def _go_on_without(state: State, job: Job, now: float) -> None:
    """Judge after a seat that gave nothing: a client that checks may have waited for it alone."""
    conduct.judge(state, job, now)
    if job.verdict is None and job.checks is not None and not job.out:
        watchers = [route for route, watch in job.listeners.items() if watch]
        state.out += [Send(route, told) for told in reports.untried(job) for route in watchers]


def _awaited(
    state: State, voter: Voter, job_id: JobId, number: Seat, attempt: int
) -> tuple[Job, SeatLife] | None:
    """The open seat that is meant; None, and counted, when nobody waits for this any more."""
    job = state.jobs.open.get(job_id)
    seat = job.awaited(number, attempt, voter.id) if job else None
    if job is None or seat is None:
        state.counters.late_votes += 1
        return None
    return job, seat


def gone(state: State, route: Route, said: m.Gone, now: float) -> None:
    """A worker leaves, or says why it could not start."""
    reason = said.reason[:REASON_CHARS_MAX]
    if child := state.fleet.children.get(said.worker):
        child.reason = reason if child.state == "starting" else child.reason
    if voter := state.roster.by_route.get(route):
        drop(state, voter, f"it left: {reason}", now, died=False)


def drop(state: State, voter: Voter, reason: str, now: float, died: bool) -> None:
    """Forget a voter, and give what it held elsewhere."""
    state.roster.leave(voter)
    conduct.release(state, voter, reason, now, died)
    conduct.give_up_hopeless(state, now)


def watch(state: State, now: float) -> None:
    """Look for the silent: suspects lose their seats, and after a grace their place."""
    for voter in state.roster.newly_suspect(now):
        silent_s = now - voter.heard_at
        conduct.release(state, voter, f"{voter.id} is silent for {silent_s:.1f} s", now, died=False)
    for voter in state.roster.lost(now):
        if voter.id in state.fleet.children:
            state.out.append(Kill(voter.id))
        drop(state, voter, "silent for too long", now, died=False)
