"""Who can vote, and how alive they are: workers of this node here, peers elsewhere.

    alive --silent--> suspect --silent--> gone          any word from it: alive again

A suspect gets no seats, and what it holds is given elsewhere: a worker stuck in one long call, or
stopped, looks healthy to every detector but this one (its process lives, its socket answers).
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from broker.events import Route
from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId

VOTERS_MAX = 1024
"""Voters known at once; a newcomer beyond is turned away."""

SILENCE_S = 4.0
"""Without a word for so long, four heartbeats, a voter is suspect."""

SILENCE_STEPS = 4.0
"""Or for so many times its longest step lately: a slow machine is not a dead one."""

GRACE_S = 5.0
"""A suspect that stays silent for so long is ended (ours) or forgotten (somebody else's)."""

SEATS_PER_SLOT = 2
"""Seats a voter may hold for each slot: one runs, one waits beside it to follow at once."""

REST_S = 0.2
"""A voter that declined for want of room gets nothing for so long."""


class Voter(msgspec.Struct):
    """One voter that has proved itself by a real answer."""

    id: WorkerId
    route: Route
    ready: m.Ready
    node: str
    heard_at: float
    state: Literal["alive", "suspect"] = "alive"
    suspect_at: float | None = None
    draining: bool = False
    rest_until: float = 0.0
    beat: m.Heartbeat | None = None
    open: dict[tuple[JobId, Seat], None] = msgspec.field(default_factory=dict)
    votes: int = 0
    lost: int = 0

    @property
    def credit(self) -> int:
        """Seats that may still be given to it."""
        return SEATS_PER_SLOT * self.ready.slots - len(self.open)

    @property
    def patience_s(self) -> float:
        """How long it may be silent."""
        step_s = self.beat.step_s_max if self.beat else 0.0
        return max(SILENCE_S, SILENCE_STEPS * step_s)

    @property
    def tokens_per_s(self) -> float | None:
        """Its speed as measured: under load if it has been, else in its one-token proof."""
        return (self.beat and self.beat.tokens_per_s) or self.ready.tokens_per_s

    def takes(self, now: float) -> bool:
        """May it be given a seat now?"""
        return (
            self.state == "alive"
            and not self.draining
            and self.credit > 0
            and self.rest_until <= now
        )


class Roster:
    """The known voters, by where they are and by name."""

    def __init__(self) -> None:
        self.by_route: dict[Route, Voter] = {}
        self.by_id: dict[WorkerId, Voter] = {}

    def __iter__(self) -> Iterator[Voter]:
        return iter(self.by_route.values())

    def __len__(self) -> int:
        return len(self.by_route)

    def join(self, voter: Voter) -> None:
        """Add a voter; its name and route are free."""
        assert voter.id not in self.by_id
        assert voter.route not in self.by_route
        assert len(self.by_route) < VOTERS_MAX
        self.by_route[voter.route] = voter
        self.by_id[voter.id] = voter

    def leave(self, voter: Voter) -> None:
        """Forget a voter."""
        del self.by_route[voter.route]
        del self.by_id[voter.id]

    def hear(self, voter: Voter, now: float) -> bool:
        """Note a sign of life; True when it had been suspect."""
        voter.heard_at = now
        if voter.state == "alive":
            return False
        voter.state = "alive"
        voter.suspect_at = None
        return True

    def newly_suspect(self, now: float) -> list[Voter]:
        """Voters that have just been silent for too long; they are suspect from here on."""
        silent = [
            v
            for v in self.by_route.values()
            if v.heard_at < now - SILENCE_S  # most were heard lately: their patience is not asked
            and v.state == "alive"
            and now - v.heard_at > v.patience_s
        ]
        for voter in silent:
            voter.state = "suspect"
            voter.suspect_at = now
        return silent

    def lost(self, now: float) -> list[Voter]:
        """Suspects whose grace is over."""
        return [v for v in self if v.suspect_at is not None and now - v.suspect_at > GRACE_S]

    def have(self, model: str) -> bool:
        """Is there a voter with this model? Empty: any voter."""
        if not model:
            return bool(self.by_route)
        return any(matches(voter, model) for voter in self)

    def models(self) -> list[str]:
        """Names of the models that can be asked for, in order."""
        return sorted({voter.ready.model for voter in self})

    def digests(self, model: str) -> set[str]:
        """Distinct model files among the voters that a job with this model may ask."""
        return {v.ready.digest for v in self if matches(v, model) and not v.draining}

    def check(self) -> None:
        """Assert what must always hold of the roster."""
        assert len(self.by_route) == len(self.by_id) <= VOTERS_MAX
        for voter in self:
            assert self.by_id[voter.id] is voter
            assert 0 <= len(voter.open) <= SEATS_PER_SLOT * voter.ready.slots, "over its credit"
            assert (voter.suspect_at is not None) == (voter.state == "suspect")
            assert not (voter.open and voter.state == "suspect"), "a suspect holds a seat"


def matches(voter: Voter, model: str) -> bool:
    """Does the voter have the model that is asked for, by name or digest? Empty: any."""
    return not model or model in (voter.ready.model, voter.ready.digest)
