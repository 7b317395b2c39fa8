"""How much each place may give: what is free, less a reserve, less what is promised already.

Believe the smaller of two figures. A discrete card keeps max(1 GiB, 8 %); memory that the system
and the GPU share keeps max(2 GiB, 15 %); main memory gives 80 % of its headroom, 50 % on Android,
whose low-memory killer acts earlier.
"""

from collections.abc import Sequence

import msgspec

from detect.facts import Device, Machine
from detect.placement.result import Limits, Refused
from detect.placement.words import GIB, MIB, size

DISCRETE_RESERVE_BYTES, DISCRETE_RESERVE_SHARE = GIB, 0.08
UNIFIED_RESERVE_BYTES, UNIFIED_RESERVE_SHARE = 2 * GIB, 0.15
MAIN_SHARE, ANDROID_SHARE = 0.80, 0.50

DRIVER_BYTES = 457 * MIB  # a process's context, of ROCm and others; what others reserve too
CUDA_DRIVER_BYTES = 720 * MIB
"""The same for CUDA where nobody tells: on an H100 a worker held 599 to 711 MiB beyond llama.cpp's
buffers, 518 of them before it computed anything."""
CUDA_KERNELS_BYTES = 192 * MIB
"""Of these, what computing adds to an opened context: code, and room for matrix products."""
METAL_DRIVER_BYTES = 512 * MIB
PROCESS_BYTES = 200 * MIB  # Python, the libraries and the queue of one worker, in main memory
DRIVER_MAIN_BYTES = 256 * MIB
"""What a GPU's driver takes of main memory in that process: 240 to 451 MiB in all with CUDA."""
MAIN_MEMORY = "main memory"  # the place of what is on no device
MLX = "MLX"  # the library of a device that only MLX reaches
GPUS_MAX = 16  # llama.cpp's own bound on devices of one model
INTEGRATED_ALLOWED = ("gfx1151",)
"""Integrated GPUs that are worth using without being asked; CUDA's and Apple's are as well."""


class Room(msgspec.Struct, frozen=True):
    """What one place may give to workers."""

    place: str
    budget_bytes: int
    said: str  # the sum in words
    device: Device | None = None  # None: main memory
    driver_bytes: int = 0


def main_room(machine: Machine, limits: Limits) -> Room | None:
    """Main memory's budget; None when its headroom is unknown."""
    headroom = machine.memory.headroom_bytes
    if headroom is None:
        return None
    share = ANDROID_SHARE if _is_phone(machine) else MAIN_SHARE
    promised, short = limits.promised.get("host", 0), limits.short.get("host", 0)
    budget = max(int(headroom * share) - promised - short, 0)
    said = f"{share:.0%} of {size(headroom)} headroom" + _less(promised, short)
    return Room(MAIN_MEMORY, budget, said)


def _is_phone(machine: Machine) -> bool:
    """Whether Android's low-memory killer has a say."""
    return machine.platform.system == "android" or "proot" in machine.platform.traits


def reaches(device: Device, form: str) -> bool:
    """Whether an installed engine can use this device for a model of this form."""
    if form == "mlx":
        return device.vendor == "apple"
    return device.library not in {"", MLX}


def device_room(machine: Machine, device: Device, limits: Limits, form: str) -> Room | Refused:
    """One device's budget, or why it is not used."""
    why = _unusable(device, limits, form)
    if why:
        return Refused(f"{device.name} ({device.label})", why)
    assert device.free_bytes is not None
    assert device.total_bytes is not None
    promised, short = limits.promised.get(device.id, 0), limits.short.get(device.id, 0)
    driver = _driver_bytes(device)
    place = device.engine_name or device.name
    if not device.unified:
        reserve = max(DISCRETE_RESERVE_BYTES, int(DISCRETE_RESERVE_SHARE * device.total_bytes))
        budget = max(device.free_bytes - reserve - promised - short, 0)
        said = f"{size(device.free_bytes)} free - {size(reserve)} reserve" + _less(promised, short)
        return Room(place, budget, said, device, driver)
    headroom = machine.memory.headroom_bytes
    if headroom is None:
        return Refused(device.name, "it shares main memory, whose headroom is unknown")
    free = min(device.free_bytes, headroom)
    reserve = max(
        UNIFIED_RESERVE_BYTES, int(UNIFIED_RESERVE_SHARE * (machine.memory.total_bytes or free))
    )
    half = int(free * 0.5)  # a machine of 4 GB would otherwise have no room at all
    reserve = half if _is_phone(machine) else min(reserve, half)
    shared = promised + limits.promised.get("host", 0)
    said = f"least of {size(device.free_bytes)} device limit and {size(headroom)} headroom"
    said += f" - {size(reserve)} reserve" + _less(shared, short)
    return Room(place, max(free - reserve - shared - short, 0), said, device, driver)


def _driver_bytes(device: Device) -> int:
    """What a process takes of a device beyond the engine's buffers."""
    if device.vendor == "apple":
        return METAL_DRIVER_BYTES
    if device.library != "CUDA":
        return DRIVER_BYTES
    known = device.driver_bytes
    return known + CUDA_KERNELS_BYTES if known is not None else CUDA_DRIVER_BYTES


def device_rooms(
    machine: Machine, limits: Limits, form: str
) -> tuple[tuple[Room, ...], tuple[Refused, ...]]:
    """Rooms of the devices that may be used, largest first, and the others with the reason."""
    found = [device_room(machine, device, limits, form) for device in machine.devices]
    rooms = [room for room in found if isinstance(room, Room)]
    rooms.sort(key=lambda room: (bool(room.device and room.device.unified), -room.budget_bytes))
    return tuple(rooms), tuple(one for one in found if isinstance(one, Refused))


def side_by_side(rooms: Sequence[Room]) -> list[list[Room]]:
    """Cards that one model can be split over: two or more of one library. A MIG slice and a part
    without memory of its own work alone."""
    groups: dict[str, list[Room]] = {}
    for room in rooms:
        device = room.device
        if device is not None and device.kind == "discrete":
            groups.setdefault(device.library, []).append(room)
    return [group[:GPUS_MAX] for group in groups.values() if len(group) > 1]


def _less(promised: int, short: int) -> str:
    said = f" - {size(promised)} promised to other workers" if promised else ""
    return said + (f" - {size(short)} that llama.cpp takes beyond the sums" if short else "")


STATES_SAID = {
    "no_driver": "its driver is missing or does not run",
    "denied": "this user may not open it",
    "lost": "it fell off the bus",
    "hidden": "a visibility variable hides it",
    "parent": "it is in MIG mode: its slices are used instead",
    "failed": "its driver answers with an error",
}
"""Why a device that is not ready is left alone."""


def _unusable(device: Device, limits: Limits, form: str) -> str:
    """Why a device is left alone; empty when it is used."""
    if device.state != "ready":
        return STATES_SAID[device.state]
    if not reaches(device, form):
        return "the installed engine cannot use it (its build has no support for this GPU)"
    if device.total_bytes is None or device.free_bytes is None:
        return "it does not tell how much memory is free"
    if is_left_alone(device, limits):
        return "integrated GPUs are left alone unless asked for (--integrated)"
    return ""


def is_left_alone(device: Device, limits: Limits) -> bool:
    """Whether this is a GPU without memory of its own that seldom pays, and nobody asked for it."""
    own = device.library in {"CUDA", "Metal", "MTL", MLX} or device.target in INTEGRATED_ALLOWED
    return device.unified and not own and not limits.integrated
