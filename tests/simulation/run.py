"""One seed: run it, and say what came of it."""

import heapq
import traceback
from collections.abc import Callable

import msgspec

from protocol.ids import JobId
from tests.simulation import dice
from tests.simulation.calm import calm
from tests.simulation.oracle import Oracle
from tests.simulation.script import Script
from tests.simulation.world import World


class Result(msgspec.Struct, frozen=True):
    """What one run showed."""

    script: Script
    history: str  # digest
    steps: int
    virtual_s: float
    submitted: int
    acknowledged: int
    verdicts: int
    faults: int
    restarts: int
    lost: int
    unexpected: int
    duplicated: int
    violation: str = ""  # empty: none

    @property
    def found(self) -> bool:
        """Did something happen that never must?"""
        return bool(self.violation)


def roll(
    seed: int, steps: float, nodes: int, rates: dice.Rates | None = None, until_s: float = 1e9
) -> Result:
    """Play what the dice of this seed say for so many steps, then let all end in calm."""
    rates = rates or dice.Rates()
    every = [dice.entries(seed, node, rates) for node in range(nodes)]
    entries = heapq.merge(*every, key=lambda entry: entry.at)
    return _result(World(seed, nodes), lambda world: world.play(entries, steps, until_s))


def replay(script: Script, tell: Callable[[str], None] | None = None) -> Result:
    """Play a script as it stands."""
    world = World(script.seed, script.nodes, tell)
    return _result(world, lambda world: world.play(script.entries, 1e18, script.end_at))


def _result(world: World, play: Callable[[World], None]) -> Result:
    violation = ""
    end_at = None
    try:
        world.start()
        play(world)
        end_at = world.clock.now
        calm(world)
    except Exception as error:  # whatever a core raises is a finding
        violation = _say(error)
    end_at = world.clock.now if end_at is None else end_at
    script = Script(world.seed, world.size, end_at, tuple(world.script))
    return _sum_up(world, script, violation)


def _say(error: Exception) -> str:
    """What was violated, and where in our own code that was found."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    file = where.filename.rpartition("/")[2]
    said = str(error).splitlines()[0] if str(error) else where.line
    return f"{type(error).__name__}: {said} ({file}:{where.lineno})"


def _missing(book: Oracle) -> set[JobId]:
    """Acknowledged, and without a verdict. A world that stopped at a violation was not done yet."""
    return set(book.acknowledged) - set(book.ended) - set(book.forgotten)


def _sum_up(world: World, script: Script, violation: str) -> Result:
    books = [node.oracle for node in world.nodes]
    return Result(
        script=script,
        history=world.history,
        steps=world.steps,
        virtual_s=world.clock.now,
        submitted=sum(len(b.attempted) for b in books),
        acknowledged=sum(len(b.acknowledged) for b in books),
        verdicts=sum(b.verdicts for b in books),
        faults=sum(entry.kind not in dice.COMMANDS for entry in script.entries),
        restarts=sum(node.broker.lives - 1 for node in world.nodes),
        lost=0 if violation else sum(len(_missing(book)) for book in books),
        unexpected=sum(len(set(b.delivered) - set(b.attempted)) for b in books),
        duplicated=sum(client.twice for node in world.nodes for client in node.clients),
        violation=violation,
    )
