"""What is to be said to whom: bounded, batched, and never blocking on a slow listener.

A send is the dearest thing a broker does: it wakes ZeroMQ's thread and then the listener. So all
that a turn says to one listener goes in one frame, and an ACCEPTED, which nobody acts on, waits a
moment for company: with a quick engine the verdict goes in the same frame. A full frame leaves at
once: its listener works while the turn goes on, and a turn that says very much holds little of it.
"""

import msgspec
import zmq

from broker.events import Route
from protocol import frames
from protocol import messages as m
from protocol.errors import Code, FrameTooLarge, Problem
from protocol.limits import FRAME_BYTES_MAX, FRAME_FULL_BYTES

UNSENT_BYTES_MAX = 64 << 20
"""For one listener that does not read: two of the largest verdicts. Beyond, it is given up; its
verdicts are kept, and it may ask for them again."""

COMPANY_S = 0.001
"""How long an ACCEPTED waits for something else to say: the poller's smallest step."""

_NOBLOCK = int(zmq.NOBLOCK)  # plain numbers: the flags' own `|` costs a microsecond
_MORE = int(zmq.SNDMORE | zmq.NOBLOCK)


class _Frame:
    """What was said to one listener since it was last sent something."""

    __slots__ = ("parts", "size")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0


class Outbox:
    """Messages by listener, sent in as few frames as possible at the end of a turn."""

    def __init__(self, router: zmq.Socket[bytes]) -> None:
        self._router = router
        self._open: dict[Route, _Frame] = {}
        self._urgent: set[Route] = set()  # of these, who is told more than ACCEPTED
        self._held_until: float | None = None  # set while some others wait for company
        self._unsent: dict[Route, list[bytes]] = {}  # frames, for listeners whose queue is full
        self._lost: list[Route] = []  # found in the midst of a turn, told at its end

    def put(self, route: Route, message: m.ToClient | m.ToWorker) -> None:
        """Say this at the next flush. Progress is dropped for a listener that does not read."""
        kind = type(message)
        if (kind is m.Progress and route in self._unsent) or route in self._lost:
            return
        part = frames.encode(message)
        frame = self._open.get(route)
        if frame is not None and frame.size + len(part) > FRAME_FULL_BYTES:
            self._urgent.discard(route)
            if lost := self._send_frames([route]):
                self._lost += lost
                return
            frame = None
        if frame is None:
            frame = self._open[route] = _Frame()
        frame.parts.append(part)
        frame.size += len(part)
        if kind is not m.Accepted:
            self._urgent.add(route)

    @property
    def held_until(self) -> float | None:
        """When to flush again, though nothing else may have happened."""
        return self._held_until

    @property
    def stuck(self) -> bool:
        """Is something waiting for a listener to read? Then flush again soon."""
        return bool(self._unsent)

    def flush(self, now: float) -> list[Route]:
        """Send what can be sent; the routes behind which nobody is, or nobody who reads."""
        lost, self._lost = self._lost, []
        if self._unsent:
            lost += [route for route in list(self._unsent) if not self._send(route, [])]
        if self._open:
            lost += self._send_frames(self._due(now))
            self._urgent.clear()
        return lost

    def _send_frames(self, routes: list[Route]) -> list[Route]:
        """Send these what was put for them; those who are lost."""
        return [r for r in routes if not self._send(r, _frames(self._open.pop(r).parts))]

    def _due(self, now: float) -> list[Route]:
        """Who is told now."""
        if self._held_until is not None and now >= self._held_until:
            self._held_until = None
            return list(self._open)
        due = [route for route in self._open if route in self._urgent]
        if len(due) == len(self._open):
            self._held_until = None
        elif self._held_until is None:
            self._held_until = now + COMPANY_S
        return due

    def _send(self, route: Route, new: list[bytes]) -> bool:
        """Send frames in order; False when the listener is lost."""
        waiting = self._unsent.pop(route, None)
        todo = waiting + new if waiting else new
        for i, frame in enumerate(todo):
            try:
                self._router.send(route, _MORE)
                self._router.send(frame, _NOBLOCK)
            except zmq.Again:
                rest = todo[i:]
                if sum(map(len, rest)) > UNSENT_BYTES_MAX:
                    return False
                self._unsent[route] = rest
                return True
            except zmq.ZMQError as error:
                if error.errno == zmq.EHOSTUNREACH:
                    return False
                raise
        return True


def _frames(parts: list[bytes]) -> list[bytes]:
    """What is to be said, in frames; of what fits into none, only that it is so."""
    try:
        return list(frames.pack(parts))
    except FrameTooLarge:
        fit = [part if len(part) < FRAME_BYTES_MAX else _too_large(part) for part in parts]
        return list(frames.pack(fit))


def _too_large(part: bytes) -> bytes:
    problem = Problem(
        Code.TOO_LARGE,
        f"an answer of {len(part)} bytes",
        f"a frame holds {FRAME_BYTES_MAX}",
        "ask for less: fewer votes, shorter texts",
    )
    job = msgspec.msgpack.decode(part).get("job", "")
    return frames.encode(m.Rejected(problem, job))
