"""What a broker knows: shared by the parts of the core, owned by `core.Broker`."""

import random

import msgspec

from broker.events import Action
from broker.fleet import Fleet
from broker.jobs import Jobs
from broker.kept import Kept, Retention
from broker.reliability import Reliability
from broker.roster import Roster
from protocol.errors import Problem
from protocol.ids import NodeId

DRAIN_S = 30.0
"""When asked to end, running jobs get so long; service managers wait a little longer than this."""


class NodeIdentity(msgspec.Struct, frozen=True):
    """Who this node is; constant for the broker's life."""

    id: NodeId
    name: str
    version: str
    pid: int
    address: str
    home: str


class Counters(msgspec.Struct):
    """Since the broker started."""

    rejected: int = 0
    lost_votes: int = 0  # seats whose voter died or fell silent
    late_votes: int = 0  # for no open seat: recorded here, otherwise ignored
    dropped_frames: int = 0  # bytes that were no frame of ours


class State:
    """Everything the core holds, and the actions of the event in hand."""

    __slots__ = (
        "counters", "drain_at", "fleet", "jobs", "kept", "learn_at", "node", "notes", "out", "quit",
        "refusal", "reliability", "rng", "roster", "started_at",
    )  # fmt: skip

    def __init__(
        self, node: NodeIdentity, rng: random.Random, now: float, retention: Retention | None
    ) -> None:
        self.node = node
        self.rng = rng
        self.started_at = now
        self.jobs = Jobs()
        self.kept = Kept(retention) if retention else None  # None: nothing outlives the broker
        self.roster = Roster()
        self.fleet = Fleet()
        self.counters = Counters()
        self.reliability = Reliability()
        self.learn_at = now  # not before
        self.notes: tuple[str, ...] = ()  # what the user should know of this node
        self.refusal: Problem | None = None  # set: why the journal takes no new jobs
        self.drain_at: float | None = None  # set: no new jobs, and an end at this moment
        self.quit = False
        self.out: list[Action] = []

    @property
    def draining(self) -> bool:
        """Has the node been asked to end?"""
        return self.drain_at is not None
