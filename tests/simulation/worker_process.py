"""A worker process: the real core and the scripted engine, in a shell made of virtual time.

As in worker/service.py, the socket is drained between two steps of the engine and not during one,
and what is said in one turn leaves in one frame.
"""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from protocol import messages as m
from protocol.ids import WorkerId
from tests.simulation.clock import ROUNDING_S
from tests.simulation.network import Frame, Link
from worker import core
from worker.engine import Step
from worker.engines import scripted

if TYPE_CHECKING:
    from tests.simulation.virtual_node import Node

LONG = "LONG"
"""A prompt with this word is too long for the workers that have a short context."""

LOAD_S = 0.4
"""Longest time from the start of a process to its READY."""

Fate = str  # "" or how this process will end while it loads: "crash", "config"


class WorkerProcess:
    """One life of one worker; the next life is another object."""

    def __init__(self, node: "Node", name: str, slots: int, model: str, child: bool) -> None:
        self.node = node
        self.name = WorkerId(name)
        self.label = f"{node.index}.{name}"
        self.child = child  # started by its broker, and ends with it
        self.pid = node.next_pid()
        self.alive = True
        self.step_s = node.step_s
        self.stuck_s = 0.0  # added to the next step
        self.errors = 0  # so many of the next steps end in an error
        self.core: core.Worker | None = None
        self.engine = scripted.load(model, slots)
        self.short = slots == 1  # its context is short
        self.orphaned = False
        self.paused_at: float | None = None
        self._backlog: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._inbox: list[Frame] = []
        self._said: list[m.FromWorker] = []
        self._stepping = self._leaving = False
        self._timer = False
        self.link = Link(node.clock, node.rng, self, node.broker, node.latency_s)

    @property
    def rng(self) -> random.Random:
        return self.node.rng

    # ------------------------------------------------------------ process

    def start(self, fate: Fate = "") -> None:
        """Load the model, then join; or end in the attempt."""
        self._after(0.05 + self.rng.random() * LOAD_S, self._loaded, fate)

    def _loaded(self, fate: Fate) -> None:
        if fate == "crash":
            self.end("killed by signal 6 (SIGABRT)")
            return
        self.link.dial()
        if fate == "config":
            self.link.send((m.Gone("no such file: x.gguf", worker=self.name),))
            self._after(0.6, self.end, "ended with exit code 78", True)
            return
        facts = self.engine.facts
        ready = m.Ready(
            self.name, self.pid, facts.engine, facts.engine_version, facts.model, facts.digest,
            facts.slots, facts.context_tokens, tokens_per_s=20.0,
        )  # fmt: skip
        self.core = core.Worker(ready, self.now)
        self._said.append(ready)
        self._turn()

    def end(self, cause: str, final: bool = False, asked: bool = False) -> None:
        """The process is gone; its supervisor sees that within a millisecond or two."""
        if not self.alive:
            return
        self.alive = False
        self.link.close(ghost_s=self.rng.choice([0.0, self.rng.random()]))
        self._backlog.clear()
        self.node.worker_ended(self, cause, final, asked)

    def orphan(self) -> None:
        """Its broker is gone: it leaves at once, or when it runs again."""
        self.orphaned = True
        if self.paused_at is None:
            self.end("its broker is gone")

    def pause(self, duration_s: float) -> None:
        """SIGSTOP, and SIGCONT later."""
        if self.alive and self.paused_at is None:
            self.paused_at = self.node.clock.now
            self.node.clock.after(duration_s, self._resume)

    def _resume(self) -> None:
        self.paused_at = None
        backlog, self._backlog = self._backlog, []
        if self.orphaned and self.rng.random() < 0.5:  # else it gets a word in before it notices
            backlog = []
        for what, args in backlog:
            self._run(what, *args)
        if self.orphaned:
            self.end("its broker is gone")

    def _after(self, delay_s: float, what: Callable[..., None], *args: Any) -> None:
        self.node.clock.after(delay_s, self._run, what, *args)

    def _run(self, what: Callable[..., None], *args: Any) -> None:
        if not self.alive:
            return
        if self.paused_at is not None:
            self._backlog.append((what, args))
        else:
            what(*args)

    @property
    def now(self) -> float:
        """This machine's monotonic clock."""
        return self.node.clock.now + self.node.boot_s

    # ------------------------------------------------------------ the loop

    def hear(self, frame: Frame) -> None:
        """From the link; read between two steps."""
        self._run(self._hear, frame)

    def _hear(self, frame: Frame) -> None:
        if self.core is None or self._leaving:
            return
        self._inbox.append(frame)
        if not self._stepping:
            self._turn()

    def _turn(self) -> None:
        """Drain the socket, beat if it is time, step on, and say what was said."""
        assert self.core is not None
        inbox, self._inbox = self._inbox, []
        for frame in inbox:
            for message in frame:
                if isinstance(message, m.ToWorker):  # a frame with others would not be decoded
                    self._handle(core.Told(message))
        if self.now >= self.core.next_deadline():
            self._handle(core.Tick())
        self.core.check()
        if self.core.busy and not self._stepping:
            self._stepping = True
            took_s = self.step_s * (0.5 + self.rng.random()) + self.stuck_s
            self.stuck_s = 0.0
            self._after(took_s, self._step, took_s)
        if self._said:
            said, self._said = tuple(self._said), []
            self.link.send(said)
        if self._leaving:
            self.end("ended with exit code 0", asked=True)
        elif not self._timer:
            self._timer = True
            wait_s = self.core.next_deadline() - self.now
            self._after(max(0.0, wait_s) + ROUNDING_S, self._wake)

    def _wake(self) -> None:
        self._timer = False
        if not self._stepping:
            self._turn()

    def _step(self, took_s: float) -> None:
        self._stepping = False
        step = self.engine.step()
        if self.errors and step.finished:
            self.errors -= 1
            step = _in_error(step)
        self._handle(core.Stepped(step, took_s))
        self._turn()

    def _handle(self, event: core.Event) -> None:
        assert self.core is not None
        self.node.world.happened(self.label, event)
        for action in self.core.handle(event, self.now):
            match action:
                case core.Say():
                    self._said.append(action.message)
                case core.Admit():
                    self._admit(action)
                case core.CancelSlot():
                    self.engine.cancel(action.slot)
                case core.Leave():
                    self._leaving = True

    def _admit(self, action: core.Admit) -> None:
        if self.short and LONG in action.request.prompt:
            self._handle(core.NotAdmitted(action.key, "the prompt is too long; shorten it"))
            return
        slot = self.engine.admit(action.request)
        self._handle(core.Admitted(action.key, slot))


def _in_error(step: Step) -> Step:
    return msgspec.structs.replace(
        step,
        finished=tuple(
            msgspec.structs.replace(done, finish="error", error="the engine failed")
            for done in step.finished
        ),
    )
