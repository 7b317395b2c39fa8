"""What is handed from a plan to a node: the workers to start, as broker and worker read it.

`swarmctl up` writes it, `python -m broker --plan FILE` reads it, and worker wN is given the N-th
placement on its command line. It carries what a worker needs to judge its own load, so that no
worker has to look at the machine again.
"""

import msgspec

from detect.facts import Device, Machine
from detect.model import Model
from detect.placement.readback import identity
from detect.placement.result import Plan, PlannedWorker

PLAN_BYTES_MAX = 1 << 20
"""Of a handed plan: 64 workers with 16 devices each stay below half of it."""


class Placement(msgspec.Struct, frozen=True):
    """One worker as it is to be started."""

    planned: PlannedWorker
    offloadable: int  # layers that could be on a GPU: what "all" means
    identity: str = ""  # of the model, for remembering the load's real size
    ready: tuple[Device, ...] = ()  # accelerators that work here, used or not
    steps: tuple[str, ...] = ()  # how it was made smaller since it was planned, and why


class Handed(msgspec.Struct, frozen=True):
    """The placements of a node: w1 gets the first, and with more workers it begins anew."""

    placements: tuple[Placement, ...]


def hand_over(machine: Machine, model: Model, plan: Plan) -> Handed:
    """What a broker needs of this plan."""
    ready = tuple(device for device in machine.devices if device.state == "ready")
    name = identity(model)
    return Handed(
        tuple(Placement(worker, model.offloadable, name, ready) for worker in plan.workers)
    )
