"""Which worker is started how: planned, or by the settings; smaller after a memory kill. Pure.

Worker wN is the N-th of the plan; those that `scale` adds beyond it begin the plan anew.
"""

from collections.abc import Sequence

import msgspec

from detect.placement.handed import Placement
from detect.placement.retry import step_down
from protocol.ids import WorkerId


class Start(msgspec.Struct, frozen=True):
    """How a worker process is started."""

    arguments: tuple[str, ...]
    env: dict[str, str] = {}  # beside the broker's own


class Placing:
    """Every worker's start. Worker names are w1, w2, … as the fleet gives them."""

    def __init__(self, arguments: Sequence[str], placements: Sequence[Placement] = ()) -> None:
        """`arguments`: what a worker is told when nothing was planned."""
        self._plain = Start(tuple(arguments))
        self._planned = tuple(placements)
        self._smaller: dict[WorkerId, Placement] = {}  # by worker, at most one for each name

    def start_of(self, worker: WorkerId) -> Start:
        """How this worker is to be started now."""
        placement = self._of(worker)
        if placement is None:
            return self._plain
        text = msgspec.json.encode(placement).decode()
        return Start(("--placement", text), dict(placement.planned.env))

    def killed_for_memory(self, worker: WorkerId, cause: str) -> str | None:
        """Let this worker come back smaller; what changes, or None when nothing can.

        Without a plan nothing is known that could be made smaller: the user's own flags stand.
        """
        placement = self._of(worker)
        if placement is None:
            return None
        step = step_down(placement.planned, len(placement.steps) + 1, placement.offloadable)
        if step is None:
            return None
        planned, change = step
        steps = (*placement.steps, f"{cause}: {change}")
        self._smaller[worker] = msgspec.structs.replace(placement, planned=planned, steps=steps)
        return change

    @property
    def is_planned(self) -> bool:
        """Whether workers are started from a plan."""
        return bool(self._planned)

    def _of(self, worker: WorkerId) -> Placement | None:
        if not self._planned:
            return None
        number = int(worker.removeprefix("w"))
        return self._smaller.get(worker) or self._planned[(number - 1) % len(self._planned)]
