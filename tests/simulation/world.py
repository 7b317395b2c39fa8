"""Many machines in one process, on one virtual clock, out of one seed."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tests.simulation import commands, faults, lies
from tests.simulation.clock import Clock
from tests.simulation.script import Entry
from tests.simulation.virtual_node import Node

SPIN_STEPS = 10_000
"""Steps of one node in one virtual second: far above what any load gives. More is a core whose
deadline stays in the past, so that its shell would spin."""

_encode = msgspec.msgpack.Encoder().encode


class World:
    """Nodes, the script that happens to them, and the digest of everything that did."""

    def __init__(self, seed: int, nodes: int, tell: Callable[[str], None] | None = None) -> None:
        """`tell`: takes a line of the story for each thing that happens."""
        self.seed = seed
        self.clock = Clock()
        self.steps = 0  # events that some core was told
        self.script: list[Entry] = []  # what has happened so far
        self._tell = tell
        self._second_ends_at = self._second_steps = 0.0
        self._hash = hashlib.blake2b(digest_size=16)
        self.size = nodes
        self.nodes: list[Node] = []

    def start(self) -> None:
        """Start every machine."""
        self.nodes += [Node(self, index) for index in range(self.size)]

    def happened(self, who: str, event: object) -> None:
        """A core is told this: it goes into the history."""
        self.steps += 1
        now = self.clock.now
        if now >= self._second_ends_at:
            self._second_ends_at = now + 1.0
            self._second_steps = self.steps
        assert self.steps - self._second_steps < SPIN_STEPS * self.size, f"{who} spins"
        self._hash.update(_encode((now, who, type(event).__name__, event)))
        if self._tell is not None:
            self._tell(f"{now:9.4f}  {who:10s} {_short(event)}")

    @property
    def history(self) -> str:
        """The digest of every event so far, in order."""
        return self._hash.hexdigest()

    # ------------------------------------------------------------ the script

    def play(self, entries: Iterable[Entry], steps: float, until: float) -> None:
        """Let the script happen until so many steps were made, or this moment has come."""
        coming = iter(entries)
        following = next(coming, None)
        while self.steps < steps:
            moment = until if following is None else min(until, following.at)
            self._run(steps, moment)
            if self.clock.now >= until or self.steps >= steps:
                return
            if following is not None:
                self.apply(following)
                following = next(coming, None)

    def _run(self, steps: float, moment: float) -> None:
        while self.steps < steps and self.clock.due_at <= moment:
            self.clock.run_next()
        if self.steps < steps:
            self.clock.run_until(moment)

    def apply(self, entry: Entry) -> None:
        """Do what this entry says, now."""
        self.script.append(entry)
        self._hash.update(_encode(entry))
        if self._tell is not None:
            self._tell(f"---{entry}")
        KINDS[entry.kind](self.nodes[entry.node], entry)


def _functions(*modules: Any) -> dict[str, Callable[[Node, Entry], None]]:
    return {
        name: what
        for module in modules
        for name, what in vars(module).items()
        if getattr(what, "__module__", "") == module.__name__ and not name.startswith("_")
    }


KINDS = _functions(commands, faults, lies)


def _short(event: object) -> str:
    """One line of a story."""
    text = repr(event).replace("Heard(route=", "hears ").replace("Told(message=", "is told ")
    return text if len(text) <= 300 else f"{text[:300]}…"
