"""What every way of running a model is given, and what it gives back."""

from collections.abc import Callable, Sequence

import msgspec

from detect.facts import Machine
from detect.model import Model
from detect.placement.budget import Room
from detect.placement.engines import PREFIX_BYTES, PREFIX_SHARE
from detect.placement.result import Limits, PlannedWorker, Refused, Sum
from detect.placement.slots import Wish, first_wish
from detect.placement.words import total


class Case(msgspec.Struct, frozen=True):
    """One planning: the machine, the model, what is asked, and the rooms."""

    machine: Machine
    model: Model
    limits: Limits
    main: Room
    rooms: tuple[Room, ...]  # of usable devices, the best first
    slots: int

    @property
    def wish(self) -> Wish:
        """What to aim for, before anything is made smaller."""
        return first_wish(self.model, self.limits, self.slots)

    @property
    def prefix_bytes_max(self) -> int:
        """Main memory that one worker may keep prompts in: the first thing to be small on a small
        machine, since without it a prompt is computed again, and nothing else is lost."""
        share = self.main.budget_bytes // (PREFIX_SHARE * (self.limits.workers or 1))
        return min(PREFIX_BYTES, share)


class Found(msgspec.Struct, frozen=True):
    """A way that fits."""

    workers: tuple[PlannedWorker, ...]
    reasons: tuple[str, ...]


Way = Callable[[Case], "Found | list[Refused]"]


def refusal(what: str, sums: Sequence[Sum]) -> Refused:
    """Why a way was not taken: the first place that is too small, with its sum."""
    short = next((row for row in sums if not row.fits), sums[0])
    return Refused(what, total(short), short.total_bytes, short.budget_bytes)
