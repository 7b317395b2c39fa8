"""One machine: a broker with its disk, the workers that it starts, and the clients that ask it.

Workers that somebody else started for it live on the next machine, behind a network that can be
cut; those live on when the broker dies.
"""

import random
from collections import deque
from typing import TYPE_CHECKING

from broker import events as ev
from broker.kept import Retention
from protocol.ids import WorkerId
from tests.simulation.broker_process import BrokerProcess
from tests.simulation.client_process import ClientProcess
from tests.simulation.clock import Clock
from tests.simulation.disk import Disk
from tests.simulation.oracle import Oracle
from tests.simulation.worker_process import Fate, WorkerProcess

if TYPE_CHECKING:
    from tests.simulation.world import World

CLIENTS = 2

ANSWERS = "#### 1*6,#### 2*3,#### 3*1,no idea*1"
"""Close enough votes that ties, waves and late deciders all happen."""

RETENTIONS = [Retention(), Retention(results=20), Retention(age_s=20.0)]
"""Results kept for long, or forgotten soon."""

NOTICED_S = 0.002
"""From the end of a process to the event that says so: a pipe's end of file."""


class Node:
    """A machine and what runs on it."""

    def __init__(self, world: "World", index: int) -> None:
        self.world = world
        self.index = index
        self.rng = random.Random(f"{world.seed}/{index}")
        self.clock: Clock = world.clock
        self.boot_s = float(self.rng.randint(0, 100_000))  # since this machine's start
        self.latency_s = 0.0005
        self.step_s = self.rng.choice([0.005, 0.05, 0.2])
        self.slots = self.rng.randint(1, 4)
        self.model = f"scripted:answers={ANSWERS};tokens={self.rng.randint(1, 4)}"
        self.other_model = self.model + "1"  # ten times the tokens and more: another digest
        self.workers = self.rng.choice([0, 1, 1, 2])
        self.outsiders_wanted = self.rng.randint(0 if self.workers else 1, 2)
        self.fates: deque[Fate] = deque()  # of the next processes that the broker starts
        self.disk = Disk(self.clock, self.rng)
        self.retention = self.rng.choice(RETENTIONS)
        self.oracle = Oracle(str(index))
        self._pids = 0
        self.broker = BrokerProcess(self)
        self.broker.start()
        self.outsiders: dict[str, WorkerProcess] = {}
        for number in range(self.outsiders_wanted):
            self._outsider(f"x{number + 1}")
        self.clients = [ClientProcess(self, f"c{number}") for number in range(CLIENTS)]

    def next_pid(self) -> int:
        """A process id, never used before."""
        self._pids += 1
        return self._pids

    # ------------------------------------------------------------ processes

    def make_child(self, worker: WorkerId) -> WorkerProcess:
        """A process that the broker has asked for."""
        child = WorkerProcess(self, worker, self.slots, self.model, child=True)
        child.start(self.fates.popleft() if self.fates else "")
        return child

    def _outsider(self, name: str) -> None:
        model = self.other_model if name == "x2" else self.model
        outsider = WorkerProcess(self, name, 1 + self.slots // 2, model, child=False)
        self.outsiders[name] = outsider
        outsider.start()

    def worker_ended(self, worker: WorkerProcess, cause: str, final: bool, asked: bool) -> None:
        """Tell the broker of its child; start an outsider again, as its service manager does."""
        if not worker.child:
            self.clock.after(1.0 + self.rng.random(), self._outsider, worker.name)
        elif self.broker.children.get(worker.name) is worker:
            event = ev.ChildExited(worker.name, cause, final, asked)
            self.clock.after(NOTICED_S, self._child_exited, worker, event)

    def _child_exited(self, worker: WorkerProcess, event: ev.ChildExited) -> None:
        if self.broker.children.get(worker.name) is worker:
            del self.broker.children[worker.name]
            self.broker.tell(event)

    def broker_quit(self) -> None:
        """It has ended as asked; somebody starts it again."""
        self.broker.kill()
        self.clock.after(1.0 + self.rng.random(), self.broker.start)

    # ------------------------------------------------------------ who is here

    def all_workers(self) -> list[WorkerProcess]:
        """The processes that serve this broker."""
        every = [*self.broker.children.values(), *self.outsiders.values()]
        return [worker for worker in every if worker.alive]

    def worker(self, number: int) -> WorkerProcess | None:
        """One of them, by a number that may be any."""
        every = self.all_workers()
        return every[number % len(every)] if every else None

    def client(self, number: int) -> ClientProcess:
        """One of the clients."""
        return self.clients[number % len(self.clients)]
