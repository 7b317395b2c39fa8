"""The shell around the core: one thread, one poller, which owns every socket, pipe and timer.

Each turn drains the socket, hands every message to the core, performs what it asks, and sends
what was said in one frame for each listener. Nothing here decides.
"""

import contextlib
import math
import os
import signal
import socket as sockets
import sys
import time
from types import FrameType
from typing import assert_never

import zmq

from broker.address import Watch
from broker.ballast import Ballast
from broker.core import Broker
from broker.events import (
    Action,
    ChildExited,
    ChildStarted,
    Event,
    Fetch,
    KeepPast,
    Kill,
    Learn,
    Nonsense,
    Quit,
    Send,
    Spawn,
    StopAsked,
    Tick,
    Unreachable,
    Write,
)
from broker.journal import Journal
from broker.learner import Learner
from broker.outbox import Outbox
from broker.pace import Pace
from broker.scribe import Scribe
from broker.supervisor import Supervisor
from protocol import frames
from protocol.errors import FrameError, UnknownMessage
from protocol.ids import WorkerId

RETRY_S = 0.02
"""How soon to look again at a listener whose queue was full, or a worker that is nearly gone."""

LOOK_S = 5.0
"""Between two looks at whether clients still find us."""

_NOBLOCK = int(zmq.NOBLOCK)  # a plain number: converting the flag costs a microsecond

CHILD_GRACE_S = 2.0
"""From the end of the broker to the end of its last worker."""


class Service:
    """A core, its socket and its workers, until the core says quit."""

    def __init__(
        self,
        core: Broker,
        router: zmq.Socket[bytes],
        supervisor: Supervisor,
        journal: Journal | None,
        learner: Learner,
        *,
        watch: Watch,
        lifeline: bool,
    ) -> None:
        """`journal`: None keeps jobs in memory only. `lifeline`: end when standard input closes."""
        self._watch = watch
        self._look_at = time.monotonic() + LOOK_S
        self._core = core
        self._router = router
        self._supervisor = supervisor
        self._learner = learner
        self._outbox = Outbox(router)
        self._scribe = None
        if journal is not None:
            self._scribe = Scribe(journal, Ballast(journal.path.parent), self._outbox)
        self._poller = zmq.Poller()
        self._poller.register(router, zmq.POLLIN)
        self._lifeline = 0 if lifeline else None
        if lifeline:
            self._poller.register(0, zmq.POLLIN)
        self._wakeup, self._woken = sockets.socketpair()
        learner.wake = lambda: self._wakeup.send(b"!")
        self._poller.register(self._woken, zmq.POLLIN)
        self._pace = Pace()
        self._stops = 0  # signals that have come and wait to be handled
        self._done = False

    def run(self, workers: int) -> None:
        """Start so many workers and serve until asked to end."""
        self._wakeup.setblocking(False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            if self._scribe is not None:
                for event in self._scribe.begin(time.monotonic()):
                    self._handle(event)
            self._perform(self._core.start(workers))
            while not self._done:
                self._turn()
        finally:
            self._supervisor.end_all(CHILD_GRACE_S)
            if self._scribe is not None:
                self._scribe.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1
        self._wakeup.send(b"!")

    def _wait_s(self) -> float:
        """How long there is nothing to do unless something comes."""
        wait_s = min(self._core.next_deadline(), self._look_at) - time.monotonic()
        if self._scribe is not None and self._scribe.busy:
            wait_s = 0.0
        if self._outbox.stuck or self._supervisor.waits:
            wait_s = min(wait_s, RETRY_S)
        if self._outbox.held_until is not None:
            wait_s = min(wait_s, self._outbox.held_until - time.monotonic())
        return wait_s

    def _turn(self) -> None:
        for source, _ in self._poller.poll(max(0, math.ceil(self._wait_s() * 1000))):
            if source is self._router:
                self._drain()
            else:
                self._other(source)
        for exited in self._supervisor.poll():
            self._handle(exited)
        if time.monotonic() >= self._core.next_deadline():
            self._handle(Tick())
        self._look()
        if self._scribe is not None:
            began = time.monotonic()
            self._settle(self._scribe)
            self._pace.committed(time.monotonic() - began)
        for route in self._outbox.flush(time.monotonic()):
            self._handle(Unreachable(route))

    def _look(self) -> None:
        """End, as a signal would make us, when nobody new could ever reach us."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_S
        if not self._watch.is_ours():
            self._look_at = math.inf
            print("error: this node's socket was removed; the node ends", file=sys.stderr)
            self._handle(StopAsked())

    def _settle(self, scribe: Scribe) -> None:
        """Commit what this turn wrote, then let go what it said; again for what came of that."""
        for _ in range(2):
            for event in scribe.settle(time.monotonic()):
                self._handle(event)
            if not scribe.busy:
                return

    def _drain(self) -> None:
        """Hear what has come. The first frame alone costs no failed attempt at a second."""
        self._pace.begin(self._hear())
        if not int(self._router.get(zmq.EVENTS)) & zmq.POLLIN:
            return
        with contextlib.suppress(zmq.Again):
            while self._pace.goes_on(self._hear()):
                pass

    def _hear(self) -> float:
        """Take one message from the socket: the route, and one part; when. Raises zmq.Again."""
        route = self._router.recv(_NOBLOCK)
        part = self._router.recv(_NOBLOCK, copy=False)
        parts = 1
        while part.more:  # not ours, but it must not be taken for the next message's route
            part = self._router.recv(_NOBLOCK, copy=False)
            parts += 1
        now = time.monotonic()
        try:
            messages = frames.to_broker(part.bytes if parts == 1 else b"")
        except UnknownMessage as error:
            self._handle(Nonsense(route, error.say))
        except FrameError:
            self._handle(Nonsense(route))
        else:
            self._perform(self._core.hear(route, messages, now))
        return now

    def _other(self, source: object) -> None:
        """Not the socket: a signal, something learned, our lifeline, or a worker's."""
        if source == self._woken or source == self._woken.fileno():
            self._woken.recv(64)
            while self._stops:
                self._stops -= 1
                self._handle(StopAsked())
            for learned in self._learner.take():
                self._handle(learned)
        elif source == self._lifeline:
            if not os.read(0, 4096):
                self._poller.unregister(0)
                self._lifeline = None
                self._handle(StopAsked(now=True))  # who wanted this node is gone
        elif isinstance(source, int):
            self._poller.unregister(source)
            self._supervisor.ended(source)

    def _handle(self, event: Event) -> None:
        self._perform(self._core.handle(event, time.monotonic()))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send():
                    self._say(action)
                case Write():
                    if self._scribe is not None:
                        self._scribe.write(action.record)
                case Fetch():
                    assert self._scribe is not None, "only what a journal keeps can be fetched"
                    self._handle(self._scribe.fetch(action))
                case Spawn():
                    self._spawn(action.worker)
                case Kill():
                    self._supervisor.kill(action.worker)
                case Learn() | KeepPast():
                    self._learner.perform(action)
                case Quit():
                    self._done = True
                case _:
                    assert_never(action)

    def _say(self, send: Send) -> None:
        if self._scribe is None:
            self._outbox.put(send.route, send.message)
        else:
            self._scribe.say(send)

    def _spawn(self, worker: WorkerId) -> None:
        before = set(self._supervisor.pipes)
        try:
            pid = self._supervisor.spawn(worker)
        except OSError as error:
            print(f"cannot start {worker}: {error}", file=sys.stderr)
            self._handle(ChildExited(worker, f"cannot be started: {error.strerror}"))
            return
        for pipe in set(self._supervisor.pipes) - before:
            self._poller.register(pipe, zmq.POLLIN)
        self._handle(ChildStarted(worker, pid))
