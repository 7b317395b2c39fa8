"""The worker's one loop: hear the broker, step the engine, say what came of it.

One thread owns the socket and the engine. Between two steps the socket is drained, so that a
RECALL takes effect within one step. Everything said in one turn leaves in one frame.
"""

import contextlib
import math
import time
from collections import deque
from collections.abc import Iterator

import zmq

from detect.process import resident_bytes
from protocol import frames
from protocol import messages as m
from protocol.errors import FrameError
from protocol.limits import FRAME_BYTES_MAX
from worker import core
from worker.engine import Engine, Refused

HWM = 1000
"""Messages queued in libzmq each way: above the seats a broker may send, below any memory worry."""

RECONNECT_MS, RECONNECT_MS_MAX = 20, 1000
"""A broker that comes back is found within a second."""

_NOBLOCK = int(zmq.NOBLOCK)  # a plain number: converting the flag costs a microsecond

FAREWELL_MS = 500
"""LINGER when leaving: enough for a last frame on a local socket, and no hang without a broker."""


def dial(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    """A DEALER to the broker; automatic routing id, bounded in every direction."""
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, FAREWELL_MS)
    socket.setsockopt(zmq.SNDHWM, HWM)
    socket.setsockopt(zmq.RCVHWM, HWM)
    socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
    socket.setsockopt(zmq.IMMEDIATE, 1)  # queue nothing for a broker that is not there
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MS_MAX)
    socket.connect(address)
    return socket


class Service:
    """A core, an engine and a socket, until the core says leave."""

    def __init__(self, worker: core.Worker, engine: Engine, socket: zmq.Socket[bytes]) -> None:
        self._core = worker
        self._engine = engine
        self._socket = socket
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._polled = zmq.POLLIN
        self._outbox: list[bytes] = []
        # The oldest fall out: they are for a broker that has been away for long.
        self._unsent: deque[bytes] = deque(maxlen=HWM)
        self._left = False
        self._asked_to_stop = False

    def ask_to_stop(self) -> None:
        """Drain and leave; safe to call from a signal handler."""
        self._asked_to_stop = True

    def run(self) -> None:
        """Serve until told to leave."""
        self._outbox.append(frames.encode(self._core.ready))
        while not self._left:
            self._flush()
            self._listen()
            if self._core.busy:
                self._step()
            if self._asked_to_stop:
                self._asked_to_stop = False
                self._handle(core.Told(m.Stop(reason="asked by a signal")))
        self._flush()

    def _listen(self) -> None:
        wait_s = 0.0 if self._core.busy else self._core.next_deadline() - time.monotonic()
        ready = dict(self._poller.poll(max(0, math.ceil(wait_s * 1000))))
        if ready.get(self._socket, 0) & zmq.POLLIN:
            for message in self._heard():
                self._handle(core.Told(message))
        if time.monotonic() >= self._core.next_deadline():
            self._handle(core.Tick(resident_bytes()))

    def _heard(self) -> Iterator[m.ToWorker]:
        """Drain the socket, which has something; what is no message of ours is skipped.

        The broker says what it has in one frame, so there is seldom a second: asking first is
        cheaper than failing to receive it.
        """
        while True:
            frame = self._socket.recv(_NOBLOCK)
            with contextlib.suppress(FrameError):  # from another version of our own broker
                yield from frames.to_worker(frame)
            if not int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
                return

    def _step(self) -> None:
        began = time.monotonic()
        step = self._engine.step()
        self._handle(core.Stepped(step, time.monotonic() - began))

    def _handle(self, event: core.Event) -> None:
        for action in self._core.handle(event, time.monotonic()):
            self._perform(action)

    def _perform(self, action: core.Action) -> None:
        match action:
            case core.Say():
                self._outbox.append(frames.encode(action.message))
            case core.Admit():
                self._admit(action)
            case core.CancelSlot():
                self._engine.cancel(action.slot)
            case core.Leave():
                self._left = True

    def _admit(self, action: core.Admit) -> None:
        try:
            slot = self._engine.admit(action.request)
        except Refused as refusal:
            self._handle(core.NotAdmitted(action.key, f"{refusal.reason}; {refusal.hint}"))
        else:
            self._handle(core.Admitted(action.key, slot))

    def _flush(self) -> None:
        """Send what this turn has said; what does not go now goes when the socket is ready."""
        if self._outbox:
            self._unsent.extend(frames.pack(self._outbox))
            self._outbox.clear()
        while self._unsent:
            try:
                self._socket.send(self._unsent[0], _NOBLOCK)
            except zmq.Again:
                break
            self._unsent.popleft()
        wanted = zmq.POLLIN | zmq.POLLOUT if self._unsent else zmq.POLLIN
        if wanted != self._polled:
            self._poller.modify(self._socket, wanted)
            self._polled = wanted
