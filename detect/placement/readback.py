"""After a load: where the model really is and what it really took, and the lesson for next time.

llama.cpp says it in its log: how many layers it offloaded, and each buffer's size by the device's
name. The mlx engine says what MLX holds in the same words. Sizes are remembered under a key, so
that the next plan uses what was measured.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from detect.advice import install_line
from detect.facts import Device, Note
from detect.model import Model
from detect.placement.budget import MAIN_MEMORY
from detect.placement.memory import Load
from detect.placement.result import PlannedWorker, Sum
from detect.placement.words import plural, size

MIB = 1 << 20
REMEMBERED_MAX = 256  # keys kept: models times settings that one machine ever ran

_OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
_BUFFER = re.compile(
    r": +(\S+) +(?:model|KV|RS|output|compute) buffer size = +([\d.]+) MiB", re.IGNORECASE
)


class Loaded(msgspec.Struct, frozen=True):
    """What a load left: layers on accelerators, and bytes by llama.cpp's device name."""

    layers: int = 0
    offloadable: int = 0
    buffer_bytes: dict[str, int] = {}

    def on_devices(self) -> int:
        """Bytes in buffers of accelerators."""
        return sum(size for name, size in self.buffer_bytes.items() if not _is_host(name))

    def total(self) -> int:
        """Bytes in all buffers."""
        return sum(self.buffer_bytes.values())


def _is_host(name: str) -> bool:
    return name.startswith("CPU") or name.endswith("_Host")


def parse(log: str) -> Loaded:
    """Read what was logged while a model was loaded."""
    found = _OFFLOADED.findall(log)
    layers, offloadable = map(int, found[-1]) if found else (0, 0)
    sizes: dict[str, int] = {}
    for name, mib in _BUFFER.findall(log):
        sizes[name] = sizes.get(name, 0) + round(float(mib) * MIB)
    return Loaded(layers, offloadable, sizes)


def identity(model: Model) -> str:
    """A model's part of a key."""
    return f"{model.name}|{model.quant}|{model.file_bytes}"


def key(model: Model, load: Load, place: str) -> str:
    """Under which a load's real size is remembered."""
    return key_of(identity(model), load, place)


def key_of(name: str, load: Load | PlannedWorker, place: str) -> str:
    """The same of a model's `identity`."""
    sizes = f"{load.slots}x{load.context_tokens}:{load.kv_type}:{load.batch_tokens}"
    return f"{name}|{sizes}|{place}"


def measured(
    name: str, planned: PlannedWorker, ready: Sequence[Device], loaded: Loaded
) -> tuple[str, int] | None:
    """The key and total to remember of this load; None when no later plan could use it.

    Only a load that lies whole in one place says what that place must hold. Buffers are the
    library's own figures; the process and the driver's context stay as they were planned.
    """
    if not loaded.buffer_bytes or not planned.sums:
        return None
    fixed = planned.sums[0].process_bytes
    if not planned.devices and planned.sums[0].place == MAIN_MEMORY:
        return key_of(name, planned, MAIN_MEMORY), loaded.total() + fixed
    device = next((one for one in ready if one.id in planned.devices), None)
    if device is None or len(planned.devices) != 1 or planned.gpu_layers >= 0:
        return None
    if not loaded.layers or loaded.layers != loaded.offloadable:
        return None
    here = loaded.total() if device.unified else loaded.on_devices()
    return key_of(name, planned, device.name), here + fixed


def words(planned: PlannedWorker, loaded: Loaded) -> str:
    """Where the model is and what it took beside what was planned, in one line; "" if untold."""
    if not loaded.buffer_bytes:
        return ""
    places = ", ".join(f"{size(count)} on {name}" for name, count in _places(loaded))
    layers = f"{loaded.layers} of {plural(loaded.offloadable, 'layer')} on GPUs: "
    expected = sum(_buffers(row) for row in planned.sums)
    said = (layers if loaded.layers else "") + places
    return f"{said} ({size(expected)} planned)" if expected else said


def _places(loaded: Loaded) -> list[tuple[str, int]]:
    """Devices one by one, everything of main memory together."""
    places = {n: count for n, count in loaded.buffer_bytes.items() if not _is_host(n)}
    host = loaded.total() - loaded.on_devices()
    return [*places.items(), *([(MAIN_MEMORY, host)] if host else [])]


def _buffers(row: Sum) -> int:
    return row.weight_bytes + row.cache_bytes + row.state_bytes + row.compute_bytes


_Known = TypeVar("_Known")


def remember(known: dict[str, _Known], name: str, value: _Known) -> dict[str, _Known]:
    """What is known with one more; the oldest go when there are too many."""
    kept = {old: one for old, one in known.items() if old != name}
    kept[name] = value
    return dict(list(kept.items())[-REMEMBERED_MAX:])


def gains_of(tokens_per_s: Mapping[int, float]) -> dict[int, float]:
    """How many times the tokens/s of one sequence so many give together; {} without figures.

    Shares, not speeds: a machine that is busy while it loads is slow at all of them.
    """
    one = tokens_per_s.get(1)
    if not one or len(tokens_per_s) < 2:
        return {}
    return {count: round(speed / one, 2) for count, speed in sorted(tokens_per_s.items())}


def speeds(tokens_per_s: Mapping[int, float]) -> str:
    """Measured speeds in words; "" without any."""
    said = (
        f"{speed:.{0 if speed >= 10 else 1}f} tokens/s with {plural(count, 'sequence')}"
        for count, speed in sorted(tokens_per_s.items())
    )
    return "measured at load: " + ", ".join(said) if tokens_per_s else ""


def judge(ready: Sequence[Device], planned: PlannedWorker, loaded: Loaded) -> tuple[Note, ...]:
    """Say loudly when a GPU that works here is not where the model went."""
    if planned.gpu_layers == 0:
        idle = [device for device in ready if not device.library and device.kind != "integrated"]
        if not idle:
            return ()
        seen = f"{idle[0].name} is here and not used: the model runs on the CPU"
        return (Note("engine", "warn", seen, install_line(idle[0])),)
    if loaded.layers == 0:
        seen = f"layers were planned for a GPU and {planned.engine} put none there"
        fix = "swarmctl doctor"
        if ready and planned.engine == "llamacpp":
            fix = install_line(ready[0])
        return (Note("engine", "error", seen, fix),)
    wanted = loaded.offloadable if planned.gpu_layers < 0 else planned.gpu_layers
    if loaded.layers < wanted:
        seen = f"{loaded.layers} of {wanted} planned layers are on the GPU"
        return (Note("engine", "warn", seen, "swarmctl plan; swarmctl doctor"),)
    return ()
