"""A client process: the real conversation of `swarmctl`, which says again what met silence."""

from typing import TYPE_CHECKING

from protocol import messages as m
from protocol.errors import Problem
from protocol.ids import JobId
from swarmctl.follow import Follow, Request
from tests.simulation.clock import ROUNDING_S
from tests.simulation.network import Frame, Link

if TYPE_CHECKING:
    from tests.simulation.virtual_node import Node


ACKED = 0.7
"""Share of the verdicts of which a client says that it has them for good."""


class ClientProcess:
    """One life of one client."""

    def __init__(self, node: "Node", name: str) -> None:
        self.node = node
        self.label = f"{node.index}.{name}"
        self.alive = True
        self.jobs: list[JobId] = []  # those it has put or waited for, in order
        self.ended: dict[JobId, m.Verdict] = {}
        self.refused: dict[JobId, Problem] = {}
        self.twice = 0  # ends that were passed on a second time
        self._follow = Follow(self.now)
        self._timer = False
        self.link = Link(node.clock, node.rng, self, node.broker, node.latency_s)
        self.link.dial()

    @property
    def now(self) -> float:
        """This machine's monotonic clock."""
        return self.node.clock.now + self.node.boot_s

    @property
    def awaited(self) -> list[JobId]:
        """The jobs that it has heard no end of yet."""
        return self._follow.jobs

    def ask(self, request: Request) -> None:
        """Put a job, or wait for one, until its verdict is here."""
        if request.job not in self._follow.jobs:
            self.jobs.append(request.job)
            self.ended.pop(request.job, None)
            self.link.send(tuple(self._follow.add(request, self.now)))
            self._arm()

    def say(self, *said: m.Message) -> None:
        """Say something once."""
        self.link.send(said)

    def die(self) -> None:
        """The process ends; what it was told is forgotten."""
        self.alive = False
        self.link.close(ghost_s=self.node.rng.choice([0.0, 1.0]))

    def hear(self, frame: Frame) -> None:
        """What the broker says."""
        if not self.alive:
            return
        for said in frame:
            if not isinstance(said, m.ToClient):
                continue
            self.node.oracle.client_heard(self.label, said)
            answers, news = self._follow.heard(said, self.now)
            if answers:
                self.link.send(tuple(answers))
            for message in news:
                if isinstance(message, m.Rejected):
                    self.refused[message.job] = message.problem
                if isinstance(message, m.Verdict):
                    self.twice += message.job in self.ended
                    self.ended[message.job] = message
                    if self.node.rng.random() < ACKED:
                        self.say(m.Ack((message.job,)))

    def _arm(self) -> None:
        if not self._timer and self._follow.jobs:
            self._timer = True
            wait_s = self._follow.due_s(self.now)
            self.node.clock.after(wait_s + ROUNDING_S, self._wake)

    def _wake(self) -> None:
        self._timer = False
        if not self.alive:
            return
        if again := self._follow.repeat(self.now):
            self.link.send(tuple(again))
        self._arm()
