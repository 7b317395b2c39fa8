"""A virtual network: connections that keep order and lose nothing while they live, as TCP does.

What can be lost is lost as in life: with the connection. A link that goes dark holds its frames,
and either delivers them late (the cable is back in time) or breaks with all of them. A broker may
believe for a while in a connection whose other end is gone: what it sends there vanishes.
"""

import random
from collections import deque
from typing import Protocol

import msgspec

from broker.events import Event, Route
from protocol import messages as m
from tests.simulation.clock import Clock

Frame = tuple[m.Message, ...]


class Heard(msgspec.Struct, frozen=True, gc=False):
    """A frame has come to a broker: what its shell decodes, and gives to `Broker.hear`."""

    route: Route
    said: Frame


Told = Event | Heard
"""What comes to a broker: an event, or a frame of messages that are heard together."""

UNSENT_MAX = 1000
"""As ZeroMQ's bound in worker and client: the oldest fall out."""

REDIAL_S = 0.5
"""Longest wait before a dialler tries again."""


class Dialler(Protocol):
    """A worker or a client, as its link sees it."""

    def hear(self, frame: Frame) -> None:
        """Take what the broker said."""


class Listener(Protocol):
    """A broker's socket, as links see it."""

    @property
    def listening(self) -> bool:
        """Is a process there that accepts connections?"""

    def connect(self, link: "Link") -> bytes:
        """A new connection; the route that leads back."""

    def disconnect(self, route: bytes) -> None:
        """The connection is known to be gone."""

    def arrive(self, route: bytes, frame: Frame) -> None:
        """A frame has come."""


class Link:
    """One dialler's socket, its connection at the moment, and what is under way on it."""

    __slots__ = (
        "_clock",
        "_down_at",
        "_rng",
        "_up_at",
        "broker",
        "closed",
        "dark_down",
        "dark_up",
        "dialler",
        "frames_lost",
        "held",
        "latency_s",
        "repeats",
        "route",
        "unsent",
    )  # fmt: skip

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        dialler: Dialler,
        broker: Listener,
        latency_s: float,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self.dialler = dialler
        self.broker = broker
        self.latency_s = latency_s
        self.route: bytes | None = None
        self.closed = False
        self.dark_up = self.dark_down = False
        self.held: list[tuple[bool, bytes, Frame]] = []  # (upwards, connection, frame)
        self.unsent: deque[Frame] = deque(maxlen=UNSENT_MAX)
        self.repeats = 0  # so many of the next frames arrive twice
        self.frames_lost = 0
        self._up_at = self._down_at = 0.0

    # ------------------------------------------------------------ connection

    def dial(self) -> None:
        """Connect, now or when the broker is there."""
        self._clock.after(self._rng.random() * REDIAL_S, self._dial)

    def _dial(self) -> None:
        if self.closed or self.route is not None:
            return
        if not self.broker.listening or self.dark_up or self.dark_down:
            self.dial()
            return
        self.route = self.broker.connect(self)
        while self.unsent:
            self._send_up(self.unsent.popleft())

    def broken(self) -> None:
        """The other end is gone, and this one knows: all that was under way is lost."""
        if self.route is not None:
            self.route = None
            self.held.clear()
            self.dial()

    def cut(self, ghost_s: float) -> None:
        """Break the connection; the broker learns it so much later, if it says something."""
        route, self.route = self.route, None
        self.held.clear()
        if route is None:
            return
        if ghost_s:
            self._clock.after(ghost_s, self.broker.disconnect, route)
        else:
            self.broker.disconnect(route)
        if not self.closed:
            self.dial()

    def close(self, ghost_s: float = 0.0) -> None:
        """The dialler's process has ended."""
        self.closed = True
        self.cut(ghost_s)

    # ------------------------------------------------------------ frames

    def send(self, frame: Frame) -> None:
        """From the dialler to its broker; kept while there is none."""
        if self.route is None:
            self.unsent.append(frame)
        else:
            self._send_up(frame)

    def _send_up(self, frame: Frame) -> None:
        route = self.route
        assert route is not None
        for _ in range(2 if self._repeat() else 1):
            self._up_at = max(self._up_at, self._clock.now + self._delay())
            self._clock.at(self._up_at, self._arrive_up, route, frame)

    def send_down(self, route: bytes, frame: Frame) -> None:
        """From the broker to the dialler, over the connection of this route."""
        if route != self.route:
            self.frames_lost += 1  # a ghost
            return
        for _ in range(2 if self._repeat() else 1):
            self._down_at = max(self._down_at, self._clock.now + self._delay())
            self._clock.at(self._down_at, self._arrive_down, route, frame)

    def _repeat(self) -> bool:
        self.repeats -= self.repeats > 0
        return self.repeats > 0

    def _delay(self) -> float:
        return self.latency_s * (0.5 + self._rng.random())

    def _arrive_up(self, route: bytes, frame: Frame) -> None:
        if route != self.route:
            self.frames_lost += 1
        elif self.dark_up:
            self.held.append((True, route, frame))
        else:
            self.broker.arrive(route, frame)

    def _arrive_down(self, route: bytes, frame: Frame) -> None:
        if route != self.route:
            self.frames_lost += 1
        elif self.dark_down:
            self.held.append((False, route, frame))
        else:
            self.dialler.hear(frame)

    # ------------------------------------------------------------ darkness

    def go_dark(self, up: bool, down: bool) -> None:
        """Frames in these directions stop arriving; nobody is told."""
        self.dark_up, self.dark_down = self.dark_up or up, self.dark_down or down

    def lighten(self, lose: bool) -> None:
        """The cable is back: what was held arrives late, or is lost with its connection."""
        self.dark_up = self.dark_down = False
        held, self.held = self.held, []
        if lose:
            self.frames_lost += len(held)
            self.cut(ghost_s=self._rng.random())
            return
        for up, route, frame in held:
            (self._arrive_up if up else self._arrive_down)(route, frame)
