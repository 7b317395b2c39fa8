"""Virtual time: what is due next, in order of time and then of asking."""

import heapq
from collections.abc import Callable
from typing import Any

ROUNDING_S = 1e-6
"""Added when a machine's moment is turned into the world's: a sum of floats may fall short."""

Due = tuple[float, int, Callable[..., None], tuple[Any, ...]]


class Clock:
    """The one clock of a world. Nothing happens between two entries, so hours cost nothing."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[Due] = []
        self._asked = 0

    def at(self, moment: float, what: Callable[..., None], *args: Any) -> None:
        """Call this then, or next when the moment is past; at one moment, in order of asking."""
        self._asked += 1
        heapq.heappush(self._due, (max(moment, self.now), self._asked, what, args))

    def after(self, delay_s: float, what: Callable[..., None], *args: Any) -> None:
        """Call this so much later."""
        self._asked += 1
        heapq.heappush(self._due, (self.now + delay_s, self._asked, what, args))

    @property
    def due_at(self) -> float:
        """When the next entry is due; infinite when there is none."""
        return self._due[0][0] if self._due else float("inf")

    def run_next(self) -> None:
        """Go to the next moment, and do what is due."""
        self.now, _, what, args = heapq.heappop(self._due)
        what(*args)

    def run_until(self, moment: float) -> None:
        """Let time go by up to this moment."""
        due = self._due
        while due and due[0][0] <= moment:
            self.run_next()
        self.now = max(self.now, moment)
