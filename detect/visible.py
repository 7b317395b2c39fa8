"""Which devices a visibility variable leaves: CUDA_VISIBLE_DEVICES and ROCm's three.

Rules, from the CUDA programming guide 5.2: unset shows all, empty shows none, the list ends at the
first entry that names nothing (0,2,-1,1 is 0,2), a UUID may be cut short while it stays unique,
naming one twice ends it too, and the order given is the order the library counts in.
"""

from collections.abc import Mapping, Sequence

from detect.digits import digits

ENTRIES_MAX = 256  # of one variable; more devices than any machine has

ROCM_VARIABLES = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")
"""Each filters what the one before it left."""
_VARIABLES = {
    "CUDA": ("CUDA_VISIBLE_DEVICES",),
    "ROCm": ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
    "HIP": ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
    "Vulkan": ("GGML_VK_VISIBLE_DEVICES",),
}
"""By library, the variable that decides last; of several the first that is set."""


def choose(value: str | None, uuids: Sequence[str | None]) -> tuple[int, ...]:
    """Positions in `uuids` that the variable's value leaves, in its order."""
    if value is None:
        return tuple(range(len(uuids)))
    chosen: list[int] = []
    for entry in value.split(",")[:ENTRIES_MAX]:
        position = _position(entry.strip(), uuids)
        if position is None or position in chosen:
            break
        chosen.append(position)
    return tuple(chosen)


def entry(env: Mapping[str, str], library: str, index: int) -> str | None:
    """What the environment calls the device that a library counts as `index`; None where unset.

    A library counts what a variable left, so a process that is started with that number instead
    would see another card.
    """
    name = next((name for name in _VARIABLES.get(library, ()) if name in env), "")
    entries = env.get(name, "").split(",")[:ENTRIES_MAX]
    return entries[index].strip() or None if index < len(entries) else None


def _position(entry: str, uuids: Sequence[str | None]) -> int | None:
    if (number := digits(entry)) is not None:
        return number if number < len(uuids) else None
    if not entry.startswith(("GPU-", "MIG-")):
        return None
    hits = [at for at, uuid in enumerate(uuids) if uuid and uuid.startswith(entry)]
    return hits[0] if len(hits) == 1 else None


def rocm(
    env: Mapping[str, str], uuids: Sequence[str | None], *, hip: bool = True
) -> tuple[int, ...]:
    """Positions left after every ROCm variable, and CUDA's, which HIP reads as well.

    `hip`: whether that matters; Vulkan reads no variable of CUDA.
    """
    left = tuple(range(len(uuids)))
    for name in ROCM_VARIABLES:
        left = tuple(left[at] for at in choose(env.get(name), [uuids[at] for at in left]))
    if hip and "HIP_VISIBLE_DEVICES" not in env:
        left = tuple(
            left[at] for at in choose(env.get("CUDA_VISIBLE_DEVICES"), [uuids[at] for at in left])
        )
    return left
