"""Long random schedules against the core: nothing it is told may break what must always hold."""

import random

import pytest

from broker import events as ev
from broker.core import Broker
from broker.state import NodeIdentity
from protocol import messages as m
from protocol.ids import JobId, NodeId, Seat, WorkerId
from protocol.records import VoteCounted

CLIENTS = [b"c1", b"c2"]
WORKERS = [b"w1", b"w2", b"w3", b"x1"]
STEPS = 400


class Schedule:
    """Dice that drive one core, and the books that an outsider would keep."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 10.0
        node = NodeIdentity(NodeId("n" * 40), "here", "0", 1, "ipc://x", "home")
        self.core = Broker(node, random.Random(seed), self.now)
        self.ballots: dict[bytes, list[tuple[str, m.BallotSeat]]] = {w: [] for w in WORKERS}
        self.accepted: set[str] = set()
        self.verdicts: dict[str, m.Verdict] = {}
        self.counted: set[tuple[str, int]] = set()
        self.submitted = 0
        self.perform(self.core.start(2))

    def perform(self, actions: list[ev.Action]) -> None:
        self.core.check()
        for action in actions:
            if isinstance(action, ev.Write) and isinstance(action.record, VoteCounted):
                key = (action.record.job, action.record.vote.seat)
                assert key not in self.counted, "a seat counted twice"
                self.counted.add(key)
            if not isinstance(action, ev.Send):
                continue
            said = action.message
            if isinstance(said, m.Accepted):
                self.accepted.add(said.job)
            elif isinstance(said, m.Verdict):
                assert said.job in self.accepted, "a verdict for a job that was never accepted"
                assert self.verdicts.setdefault(said.job, said) == said, "a verdict changed"
            elif isinstance(said, m.Ballot):
                self.ballots[action.route] += [(said.job, seat) for seat in said.seats]

    def step(self) -> None:
        event = self.rng.choice(self.MOVES)(self)
        if event is not None:
            self.perform(self.core.handle(event, self.now))

    # ------------------------------------------------------------ moves

    def tick(self) -> ev.Event:
        self.now += self.rng.choice([0.01, 0.1, 0.5, 3.0])
        return ev.Tick()

    def join(self) -> ev.Event:
        route = self.rng.choice(WORKERS)
        digest = self.rng.choice(["d1", "d2"])
        pid = self.rng.randint(1, 3)
        slots = self.rng.randint(1, 4)
        ready = m.Ready(WorkerId(route.decode()), pid, "scripted", "1", digest, digest, slots, 64)
        return ev.Received(route, ready)

    def submit(self) -> ev.Event:
        again = self.rng.random() < 0.2
        number = self.rng.randint(0, max(0, self.submitted - 1)) if again else self.submitted
        self.submitted += not again
        said = m.Submit(
            job=JobId(f"j{number}"),
            prompt="how many?",
            votes=self.rng.randint(0, 9),
            answer="number",
            temperature=self.rng.choice([0, 0.8]),
            stop=self.rng.choice(["fast", "saving", "all"]),
            timeout_s=self.rng.choice([1.0, 20.0]),
            model=self.rng.choice(["", "", "d1"]),
            watch=self.rng.random() < 0.3,
            checked=self.rng.random() < 0.2,
        )
        return ev.Received(self.rng.choice(CLIENTS), said)

    def answer(self) -> ev.Event | None:
        route = self.rng.choice(WORKERS)
        if not self.ballots[route]:
            return None
        job, seat = self.rng.choice(self.ballots[route])  # repeated ones too
        return ev.Received(route, self.reply(JobId(job), seat))

    def reply(self, job: JobId, seat: m.BallotSeat) -> m.Vote | m.Abstain | m.Decline:
        dice = self.rng.random()
        if dice < 0.1:
            return m.Abstain(job, seat.seat, seat.attempt, "no")
        if dice < 0.2:
            return m.Decline(job, seat.seat, seat.attempt, "no", final=self.rng.random() < 0.5)
        text = self.rng.choice(["#### 1", "#### 2", "#### 3", "what?"])
        return m.Vote(job, seat.seat, seat.attempt, text, "stop", 3, 4)

    def beat(self) -> ev.Event:
        return ev.Received(self.rng.choice(WORKERS), m.Heartbeat(0, 0, 0, 0, 0.01))

    def cancel(self) -> ev.Event:
        job = JobId(f"j{self.rng.randint(0, self.submitted)}")
        return ev.Received(self.rng.choice(CLIENTS), m.Cancel(job))

    def check(self) -> ev.Event:
        job = JobId(f"j{self.rng.randint(0, self.submitted)}")
        seat, passed = Seat(self.rng.randint(-1, 9)), self.rng.random() < 0.2
        return ev.Received(self.rng.choice(CLIENTS), m.Checked(job, seat, passed))

    def die(self) -> ev.Event:
        worker = WorkerId(self.rng.choice(["w1", "w2", "w3"]))
        final, asked = self.rng.random() < 0.1, self.rng.random() < 0.2
        return ev.ChildExited(worker, "it ended", final=final, asked=asked)

    def vanish(self) -> ev.Event:
        return ev.Unreachable(self.rng.choice([*WORKERS, *CLIENTS]))

    def leave(self) -> ev.Event:
        return ev.Received(self.rng.choice(WORKERS), m.Gone("bye", worker=WorkerId("w1")))

    def scale(self) -> ev.Event:
        return ev.Received(b"c1", m.Scale(self.rng.randint(0, 4)))

    def ask(self) -> ev.Event:
        said = [m.Status(), m.Jobs(5), m.Show(JobId("j0")), m.Wait(JobId("j1"))]
        return ev.Received(b"c2", self.rng.choice(said))

    MOVES = (  # as often as they stand here
        [tick, submit, beat] * 3
        + [answer] * 8
        + [join, check] * 2
        + [cancel, die, vanish, leave, scale, ask]
    )


@pytest.mark.parametrize("seed", range(40))
def test_every_accepted_job_gets_one_verdict_whatever_happens(seed: int) -> None:
    run = Schedule(seed)
    for _ in range(STEPS):
        run.step()
    run.now += 30
    run.perform(run.core.handle(ev.Tick(), run.now))
    assert not run.core.state.jobs.open, "a job outlived its deadline"
    for job in run.accepted:  # some clients had vanished: they ask again
        run.perform(run.core.handle(ev.Received(b"c9", m.Wait(JobId(job))), run.now))
    assert run.accepted, "a schedule that accepts nothing shows nothing"
    assert set(run.verdicts) == run.accepted


def test_a_signal_ends_a_node_with_jobs_after_its_grace() -> None:
    run = Schedule(3)
    for _ in range(STEPS):
        run.step()
    told = run.core.handle(ev.StopAsked(), run.now)
    told += run.core.handle(ev.Tick(), run.now + 31)
    assert sum(isinstance(action, ev.Quit) for action in told) == 1
