"""What is to be said to whom: bounded, batched, and never blocking on a slow listener."""

import zmq

from broker.events import Route
from protocol import frames
from protocol import messages as m

UNSENT_BYTES_MAX = 64 << 20
"""For one listener that does not read: two of the largest verdicts. Beyond, it is given up; its
verdicts are kept, and it may ask for them again."""


class Outbox:
    """Messages by listener, sent in as few frames as possible at the end of a turn."""

    def __init__(self, router: zmq.Socket[bytes]) -> None:
        self._router = router
        self._parts: dict[Route, list[bytes]] = {}
        self._unsent: dict[Route, list[bytes]] = {}  # frames, for listeners whose queue is full

    def put(self, route: Route, message: m.ToClient | m.ToWorker) -> None:
        """Say this at the next flush. Progress is dropped for a listener that does not read."""
        if route in self._unsent and isinstance(message, m.Progress):
            return
        parts = self._parts.get(route)
        if parts is None:
            self._parts[route] = [frames.encode(message)]
        else:
            parts.append(frames.encode(message))

    @property
    def stuck(self) -> bool:
        """Is something waiting for a listener to read? Then flush again soon."""
        return bool(self._unsent)

    def flush(self) -> list[Route]:
        """Send what can be sent; the routes behind which nobody is, or nobody who reads."""
        lost = [route for route in list(self._unsent) if not self._send(route, [])]
        if self._parts:
            for route, parts in self._parts.items():
                if not self._send(route, list(frames.pack(parts))):
                    lost.append(route)
            self._parts.clear()
        return lost

    def _send(self, route: Route, new: list[bytes]) -> bool:
        """Send frames in order; False when the listener is lost."""
        waiting = self._unsent.pop(route, None)
        todo = waiting + new if waiting else new
        for i, frame in enumerate(todo):
            try:
                self._router.send_multipart((route, frame), zmq.NOBLOCK)
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
