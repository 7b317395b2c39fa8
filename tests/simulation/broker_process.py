"""A broker process: the real core and the real scribe, in a shell made of virtual time.

A turn takes what has come, hands it to the core, lets the scribe commit the records of the turn to
a virtual disk, and only then sends what was said: as broker/service.py does. While a commit lasts,
what comes has to wait. A crash may be asked for at each of a turn's seams.
"""

import random
import sqlite3
from collections import deque
from typing import TYPE_CHECKING, Literal, cast

from broker import events as ev
from broker import journal_file
from broker.ballast import Ballast
from broker.core import Broker
from broker.journal import Journal
from broker.outbox import Outbox
from broker.pace import FRAMES_MAX
from broker.scribe import Scribe
from broker.state import NodeIdentity
from protocol import messages as m
from protocol.ids import NodeId, WorkerId
from tests.simulation.clock import ROUNDING_S
from tests.simulation.disk import VirtualJournal
from tests.simulation.network import Frame, Heard, Link, Told
from tests.simulation.worker_process import WorkerProcess

if TYPE_CHECKING:
    from tests.simulation.virtual_node import Node

Seam = Literal["", "before the commit", "after the commit", "between two sends"]
"""Where in a turn a broker is killed."""


class _Outbox:
    """Where the scribe puts what may be said; sent at the end of the turn."""

    def __init__(self) -> None:
        self.frames: dict[bytes, list[m.Message]] = {}

    def put(self, route: bytes, message: m.Message) -> None:
        """Say this at the end of the turn."""
        self.frames.setdefault(route, []).append(message)


class BrokerProcess:
    """The broker of one node, through all its lives."""

    def __init__(self, node: "Node") -> None:
        self.node = node
        self.label = f"{node.index}.broker"
        self.core: Broker | None = None  # None: no process
        self.routes: dict[bytes, Link] = {}
        self.children: dict[WorkerId, WorkerProcess] = {}
        self.seam: Seam = ""
        self.lives = 0
        self.paused_at: float | None = None
        self._inbox: deque[Told] = deque()
        self._journal: VirtualJournal
        self._scribe: Scribe
        self._outbox = _Outbox()
        self._busy = self._quitting = False
        self._timer_at = float("inf")
        self._connected = 0

    # ------------------------------------------------------------ process

    def start(self) -> None:
        """A new process: what the journal holds is taken up, then workers are started."""
        if self.core is not None:
            return
        self.lives += 1
        identity = NodeIdentity(NodeId("n" * 40), self.label, "0", self.lives, "sim://", "home")
        dice = random.Random(self.node.rng.getrandbits(64))
        self.core = Broker(identity, dice, self.now, self.node.retention)
        self._timer_at = float("inf")
        self._outbox = _Outbox()
        self._journal = VirtualJournal(self.node.disk, self.node.oracle.committed)
        self._scribe = Scribe(
            cast(Journal, self._journal), cast(Ballast, self.node.disk), cast(Outbox, self._outbox)
        )
        try:
            journal_file.take_up(self.core, cast(Journal, self._journal), self.now)
        except sqlite3.OperationalError:  # no room: it ends, and its service manager tries again
            self.core = None
            self.node.clock.after(2.0, self.start)
            return
        self.node.oracle.restarted(self._journal.last, self.core)
        for event in self._scribe.begin(self.now):
            self._step(event)
        self._perform(self.core.start(self.node.workers))
        self._turn()

    def kill(self) -> None:
        """kill -9: what was not committed is gone, and what was not sent is never sent."""
        if self.core is None:
            return
        self.core = None
        self.paused_at = None
        self._busy = self._quitting = False
        self.seam = ""
        self._inbox.clear()
        self.node.oracle.died()
        routes, self.routes = self.routes, {}
        for link in routes.values():
            link.broken()
        children, self.children = self.children, {}
        for child in children.values():
            child.orphan()

    def pause(self, duration_s: float) -> None:
        """SIGSTOP, and SIGCONT later."""
        if self.core is not None and self.paused_at is None:
            self.paused_at = self.node.clock.now
            self.node.clock.after(duration_s, self._resume, self.lives)

    def _resume(self, life: int) -> None:
        if life == self.lives and self.core is not None:
            self.paused_at = None
            self._turn()

    @property
    def now(self) -> float:
        """This machine's monotonic clock."""
        return self.node.clock.now + self.node.boot_s

    # ------------------------------------------------------------ the listener

    @property
    def listening(self) -> bool:
        """Is a process there that accepts connections?"""
        return self.core is not None

    def connect(self, link: Link) -> bytes:
        """A route of its own for each connection, never used again."""
        self._connected += 1
        route = b"%d" % self._connected
        self.routes[route] = link
        return route

    def disconnect(self, route: bytes) -> None:
        """From here on nobody is behind this route, and a send to it says so."""
        self.routes.pop(route, None)

    def arrive(self, route: bytes, frame: Frame) -> None:
        """A frame has come; it is read when there is time."""
        self._inbox.append(Heard(route, frame))
        self._turn()

    def tell(self, event: ev.Event) -> None:
        """Something that comes by no socket: a child's end, a signal."""
        if self.core is not None:
            self._inbox.append(event)
            self._turn()

    # ------------------------------------------------------------ a turn

    def _turn(self) -> None:
        if self._busy or self.core is None or self.paused_at is not None:
            return
        taken = asked = 0
        while self._inbox and taken < FRAMES_MAX:
            asked += self._step(self._inbox.popleft())
            taken += 1
        if self.now >= self.core.next_deadline():
            asked += self._step(ev.Tick())
        if not asked and not self._inbox and not self._scribe.full:
            self._arm()  # nothing to write, nothing to say
        elif self._journal.waits:
            self._busy = True
            self.node.clock.after(self.node.disk.commit_s(), self._commit, self.lives)
        else:
            self._settle()

    def _step(self, event: Told) -> int:
        """Tell the core, and do what it asks; how many actions that were."""
        core = self.core
        assert core is not None
        self.node.world.happened(self.label, event)
        self.node.oracle.before(event, core, self.now)
        if isinstance(event, Heard):
            actions = core.hear(event.route, event.said, self.now)
        else:
            actions = core.handle(event, self.now)
        self.node.oracle.stepped(event, actions, core, self.now)
        if actions:
            self._perform(actions)
        return len(actions)

    def _perform(self, actions: list[ev.Action]) -> None:
        for action in actions:
            match action:
                case ev.Send():
                    self._scribe.say(action)
                case ev.Write():
                    self._scribe.write(action.record)
                case ev.Fetch():
                    self._step(self._scribe.fetch(action))
                case ev.Spawn():
                    self._spawn(action.worker)
                case ev.Kill():
                    if child := self.children.get(action.worker):
                        self.node.clock.after(0.0, child.end, "killed by signal 9 (SIGKILL)")
                case ev.Quit():
                    self._quitting = True

    def _spawn(self, worker: WorkerId) -> None:
        self.node.oracle.spawned(worker, self.children, self.now)
        child = self.node.make_child(worker)
        self.children[worker] = child
        self._step(ev.ChildStarted(worker, child.pid))

    def _commit(self, life: int) -> None:
        if life != self.lives or self.core is None:
            return
        if self.paused_at is not None:  # the process is stopped in the middle of it
            self.node.clock.after(0.1, self._commit, life)
            return
        self._busy = False
        if self.seam == "before the commit":
            self.kill()
            return
        self._settle()

    def _settle(self) -> None:
        wrote = self._journal.waits
        for _ in range(2):
            for event in self._scribe.settle(self.now):
                self._step(event)
            if not self._scribe.busy:
                break
        if wrote and self.seam == "after the commit":
            self.kill()
        else:
            self._flush()

    def _flush(self) -> None:
        frames, self._outbox.frames = self._outbox.frames, {}
        for route, frame in frames.items():
            if self.seam == "between two sends" and self.node.rng.random() < 0.5:
                self.kill()
                return
            link = self.routes.get(route)
            if link is None:
                self._inbox.append(ev.Unreachable(route))
            else:
                self.node.oracle.said(route, frame)
                link.send_down(route, tuple(frame))
        if self._quitting:
            self._scribe.close()
            self.node.broker_quit()
        elif self._inbox:
            self.node.clock.after(0.0, self._turn)
        else:
            self._arm()

    def _arm(self) -> None:
        assert self.core is not None
        due_at = self.core.next_deadline() - self.node.boot_s + ROUNDING_S
        if due_at < self._timer_at:
            self._timer_at = due_at
            self.node.clock.at(due_at, self._wake, due_at, self.lives)

    def _wake(self, due_at: float, life: int) -> None:
        if life == self.lives and due_at == self._timer_at:
            self._timer_at = float("inf")
            if self.core is not None and not self._busy and self.paused_at is None:
                self._turn()
