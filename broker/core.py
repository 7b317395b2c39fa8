"""The broker without its sockets, clock, processes and dice: events in, actions out.

State is in `state`; what to do about it is in three parts that append actions: `clients` and
`voters`, the two conversations, and `conduct`, the vote itself. Here is which event goes where.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, assert_never

from broker import clients, conduct, learning, restore, voters
from broker.events import (
    AboutJob,
    Action,
    ChildExited,
    ChildStarted,
    Event,
    Fetch,
    Fetched,
    JournalFull,
    JournalWell,
    Learned,
    Nonsense,
    Noted,
    Received,
    Route,
    Send,
    Spawn,
    StopAsked,
    Tick,
    Unreachable,
)
from broker.kept import Retention
from broker.reliability import Past, Reliability
from broker.roster import Voter
from broker.state import NodeIdentity, State
from protocol import messages as m
from protocol.errors import Code, Problem
from protocol.ids import JobId
from protocol.records import Record

WATCH_S = 0.25
"""How often silent voters and workers to restart are looked for: a quarter of a heartbeat."""

_FROM_CLIENT: dict[type, Callable[[State, Route, Any, float], None]] = {
    m.Submit: clients.submit,
    m.Wait: clients.wait,
    m.Cancel: clients.cancel,
    m.Checked: clients.checked,
    m.Graded: clients.graded,
    m.Models: clients.models,
    m.Status: clients.status,
    m.Jobs: clients.jobs,
    m.Show: clients.show,
    m.Ack: clients.ack,
    m.Scale: clients.scale,
    m.Down: clients.down,
}

_FROM_VOTER: dict[type, Callable[[State, Voter, Any, float], None]] = {
    m.Vote: voters.vote,
    m.Heartbeat: voters.heartbeat,
    m.Abstain: voters.abstain,
    m.Decline: voters.decline,
}


class Broker:
    """One node's broker. `now` is in monotonic seconds throughout."""

    def __init__(
        self,
        node: NodeIdentity,
        rng: random.Random,
        now: float,
        retention: Retention | None = None,
    ) -> None:
        """`retention`: what the journal keeps; None: there is none, and nothing is kept."""
        self.state = State(node, rng, now, retention)
        self._watch_at = now + WATCH_S

    def restore(
        self,
        records: Iterable[Record],
        now: float,
        ages_s: Mapping[JobId, float] = MappingProxyType({}),
        finished: Iterable[restore.Finished] = (),
    ) -> list[Action]:
        """Take up the jobs of a journal, before anything else; see `broker.restore`.

        `finished`: results that the journal keeps and whose records are not given here.
        """
        restore.restore(self.state, records, now, ages_s)
        restore.remember(self.state, finished, now)
        return self._take()

    def recall(self, past: Past) -> None:
        """Take up what an earlier broker of this node knew of its models."""
        self.state.reliability = Reliability(past)

    def start(self, workers: int) -> list[Action]:
        """What to do first: start so many workers."""
        clients.grow(self.state, workers)
        return self._take()

    def hear(self, route: Route, said: Iterable[m.ToBroker], now: float) -> list[Action]:
        """What to do about all that one frame said: as `handle` for each, and seats given once."""
        for message in said:
            self._received(route, message, now)
        self._look_round(now)
        return self._take()

    def handle(self, event: Event, now: float) -> list[Action]:
        """What to do about this event, in this order."""
        state = self.state
        match event:
            case Received():
                self._received(event.route, event.message, now)
            case Tick():
                pass
            case Nonsense():
                self._nonsense(event)
            case Unreachable():
                self._unreachable(event.route, now)
            case ChildStarted():
                state.fleet.started(event.worker, event.pid)
            case ChildExited():
                self._child_exited(event, now)
            case StopAsked():
                clients.drain(state, event.now or state.draining, now)
            case _:
                self._shell_says(event, now)
        self._look_round(now)
        return self._take()

    def _look_round(self, now: float) -> None:
        """What may be due after any event: deadlines, and seats for whoever has room now."""
        state = self.state
        if now >= self._watch_at or now >= state.jobs.next_deadline():
            self._in_time(now)
        if state.jobs.waiting:
            conduct.seat_waiting(state, now)

    def next_deadline(self) -> float:
        """When a Tick is due, if nothing happens before."""
        return min(self._watch_at, self.state.jobs.next_deadline())

    def check(self) -> None:
        """Assert what must always hold; after every step in tests and in the simulator."""
        state = self.state
        state.jobs.check()
        state.roster.check()
        state.fleet.check()
        held = {
            (job.id, seat.number, seat.voter)
            for job in state.jobs.open.values()
            for seat in job.seats
            if seat.state == "open"
        }
        assert held == {(j, n, voter.id) for voter in state.roster for j, n in voter.open}, (
            "a seat that is open has exactly one holder"
        )
        assert not state.quit or state.kept is not None or not state.jobs.open, (
            "ended with an open job that nobody will take up"
        )
        if state.kept is not None:
            state.kept.check()
            assert all(job in state.kept for job in state.jobs.done), "a result that is not kept"

    def check_of(self, jobs: Iterable[JobId]) -> None:
        """Assert what must always hold of these jobs, and of the voters that hold their seats."""
        state = self.state
        for job_id in jobs:
            state.jobs.check_of(job_id)
            job = state.jobs.open.get(job_id)
            for seat in job.seats if job else ():
                if seat.state == "open":
                    assert seat.voter is not None
                    held = state.roster.by_id[seat.voter].open
                    assert (job_id, seat.number) in held, "an open seat that its voter has not"

    # ------------------------------------------------------------ events

    def _received(self, route: Route, message: m.ToBroker, now: float) -> None:
        kind = type(message)
        if voter_said := _FROM_VOTER.get(kind):
            voter = self.state.roster.by_route.get(route)
            if voter is None:
                self._stranger(route, message)
            else:
                if voter.state == "alive":
                    voter.heard_at = now
                voter_said(self.state, voter, message, now)
        elif client_said := _FROM_CLIENT.get(kind):
            if isinstance(message, AboutJob) and self._is_away(message.job):
                self.state.out.append(Fetch(route, message))
            else:
                client_said(self.state, route, message, now)
        elif isinstance(message, m.Ready):
            voters.ready(self.state, route, message, now)
        elif isinstance(message, m.Gone):
            voters.gone(self.state, route, message, now)

    def _is_away(self, job: JobId) -> bool:
        """Is this job's result kept, but not in memory?"""
        state = self.state
        return state.kept is not None and job in state.kept and state.jobs.get(job) is None

    def _shell_says(
        self, event: Fetched | JournalFull | JournalWell | Noted | Learned, now: float
    ) -> None:
        match event:
            case Fetched():
                self._fetched(event, now)
            case JournalFull():
                clients.journal_full(self.state, event)
            case JournalWell():
                self.state.refusal = None
            case Noted():
                self.state.notes += event.notes
            case Learned():
                learning.learned(self.state, event)
            case _:
                assert_never(event)

    def _fetched(self, event: Fetched, now: float) -> None:
        """A finished job is in memory again: now answer what was said about it."""
        restore.bring_back(self.state, event.records, now)
        if self.state.jobs.get(event.message.job):
            _FROM_CLIENT[type(event.message)](self.state, event.route, event.message, now)
        else:
            clients.unreadable(self.state, event.route, event.message.job)

    def _stranger(self, route: Route, message: m.ToBroker) -> None:
        """A worker that we do not know: one from before our start, or one that we forgot."""
        if isinstance(message, m.Heartbeat):
            self.state.out.append(Send(route, m.Introduce()))
        else:
            self.state.counters.late_votes += 1

    def _nonsense(self, event: Nonsense) -> None:
        self.state.counters.dropped_frames += 1
        if event.say:
            problem = Problem(
                Code.UNSUPPORTED,
                f"the message {event.say!r}",
                f"this broker is version {self.state.node.version} and does not know it",
                "use the same version on both sides",
            )
            self.state.out.append(Send(event.route, m.Rejected(problem)))

    def _unreachable(self, route: Route, now: float) -> None:
        if voter := self.state.roster.by_route.get(route):
            voters.drop(self.state, voter, "its connection is gone", now, died=True)
        else:
            clients.unreachable(self.state, route)

    def _child_exited(self, event: ChildExited, now: float) -> None:
        state = self.state
        state.fleet.exited(event.worker, event.cause, event.final, event.asked, now)
        if voter := state.roster.by_id.get(event.worker):
            voters.drop(state, voter, event.cause, now, died=not event.asked)
        else:
            conduct.give_up_hopeless(state, now)

    def _in_time(self, now: float) -> None:
        """What is due by now: deadlines of jobs, and from time to time the rest."""
        state = self.state
        for job in state.jobs.expired(now):
            conduct.finish(state, job, "expired", f"{job.submit.timeout_s:g} s have passed", now)
        if now < self._watch_at:
            return
        self._watch_at = now + WATCH_S
        voters.watch(state, now)
        learning.look(state, now)
        if not state.draining:
            state.out += [Spawn(worker) for worker in state.fleet.due(now)]
        elif state.drain_at is not None and now >= state.drain_at:
            clients.end_all(state, "the node was stopped before it was done", now)
        if state.kept is not None:
            conduct.forget(state, now)

    def _take(self) -> list[Action]:
        out, self.state.out = self.state.out, []
        return out
