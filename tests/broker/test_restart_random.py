"""The broker dies at any point of a random schedule, between any two of its actions."""

import random
from typing import ClassVar

import pytest

from broker import events as ev
from broker.core import Broker
from broker.kept import Retention
from broker.restore import Finished
from broker.state import NodeIdentity
from protocol import messages as m
from protocol.ids import JobId, NodeId
from protocol.records import BallotIssued, JobAccepted, Record, VerdictGiven
from tests.broker.story import of_job
from tests.broker.test_core_random import Schedule

STEPS = 300


class MortalSchedule(Schedule):
    """A schedule whose broker is killed now and then, at the latest after `p` of an action."""

    def __init__(self, seed: int) -> None:
        self.written: list[Record] = []
        self.deaths = 0
        self.mortal = True
        super().__init__(seed)

    def perform(self, actions: list[ev.Action]) -> None:
        dies = self.mortal and self.rng.random() < 0.05
        done = actions[: self.rng.randint(0, len(actions))] if dies else actions
        for action in done:
            if isinstance(action, ev.Write):
                self.written.append(action.record)
                if isinstance(action.record, JobAccepted):
                    self.accepted.add(action.record.submit.job)  # ours, even if it was not said
        super().perform(done)
        for action in done:
            if isinstance(action, ev.Fetch):
                records = tuple(r for r in self.written if action.message.job in of_job(r))
                fetched = ev.Fetched(action.route, action.message, records)
                self.perform(self.core.handle(fetched, self.now))
        if dies:
            self.restart()

    def restart(self, *, remembering: bool | None = None) -> None:
        """`remembering`: results are known and fetched when asked for, instead of given at once."""
        if remembering is None:
            remembering = self.rng.random() < 0.5
        self.deaths += 1
        self.now += self.rng.choice([0.0, 2.0])
        node = NodeIdentity(NodeId("n" * 40), "here", "0", 1, "ipc://x", "home")
        self.core = Broker(node, random.Random(self.deaths), self.now, Retention())
        ended = {r.verdict.job for r in self.written if isinstance(r, VerdictGiven)}
        finished = ended if remembering else set()
        records = [r for r in self.written if not finished & set(of_job(r))]
        known = [Finished(job, 10, 0.0, heard=False) for job in sorted(finished)]
        told = self.core.restore(records, self.now, finished=known) + self.core.start(2)
        self.written += [action.record for action in told if isinstance(action, ev.Write)]
        super().perform(told)

    def hear(self) -> ev.Event:
        return ev.Received(b"c1", m.Ack((JobId("j0"), JobId("j1"), JobId("j2"))))

    def evict(self) -> None:
        for job in list(self.core.state.jobs.done)[:2]:
            if self.core.state.kept is not None:
                self.core.state.jobs.drop(job)

    MOVES: ClassVar = [*Schedule.MOVES, hear, evict]


def attempts_issued_twice(written: list[Record]) -> list[tuple[str, int, int]]:
    issued = [
        (record.job, seat.seat, seat.attempt)
        for record in written
        if isinstance(record, BallotIssued)
        for seat in record.seats
    ]
    return [key for key in set(issued) if issued.count(key) > 1]


@pytest.mark.parametrize("seed", range(16))
def test_every_accepted_job_gets_one_verdict_across_deaths_of_the_broker(seed: int) -> None:
    run = MortalSchedule(seed)
    for _ in range(STEPS):
        run.step()
    run.restart()
    run.mortal = False
    run.now += 30
    run.perform(run.core.handle(ev.Tick(), run.now))
    assert not run.core.state.jobs.open, "a job outlived its deadline"
    for job in run.accepted:
        run.perform(run.core.handle(ev.Received(b"c9", m.Wait(JobId(job))), run.now))
    assert run.deaths > 2
    assert run.accepted <= set(run.verdicts)
    given = [r.verdict.job for r in run.written if isinstance(r, VerdictGiven)]
    assert sorted(given) == sorted(set(given)), "a second verdict was written"
    assert attempts_issued_twice(run.written) == []


@pytest.mark.parametrize("seed", range(6))
def test_a_restored_core_restored_again_is_the_same(seed: int) -> None:
    """Restoring adds nothing of its own: what it holds follows from what was written."""
    run = MortalSchedule(seed)
    for _ in range(STEPS):
        run.step()
    run.restart(remembering=False)
    first = picture(run)
    run.restart(remembering=False)
    assert picture(run) == first


def picture(run: MortalSchedule) -> dict[str, object]:
    jobs = run.core.state.jobs
    return {
        job.id: (
            job.seed,
            job.asked,
            job.verdict,
            [(s.state, s.attempt, s.vote) for s in job.seats],
        )
        for job in [*jobs.open.values(), *jobs.done.values()]
    }
