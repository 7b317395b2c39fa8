"""After a load: where the model really is and what it really took, and the lesson for next time.

llama.cpp says it in its log: how many layers it offloaded, and each buffer's size by the device's
name. Sizes are remembered under a key, so that the next plan uses what was measured.
"""

import re

import msgspec

from detect.advice import install_line
from detect.facts import Machine, Note
from detect.model import Model
from detect.placement.memory import Load
from detect.placement.result import PlannedWorker

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
    """Read what llama.cpp logged while it loaded."""
    found = _OFFLOADED.findall(log)
    layers, offloadable = map(int, found[-1]) if found else (0, 0)
    sizes: dict[str, int] = {}
    for name, size in _BUFFER.findall(log):
        sizes[name] = sizes.get(name, 0) + round(float(size) * MIB)
    return Loaded(layers, offloadable, sizes)


def key(model: Model, load: Load, place: str) -> str:
    """Under which a load's real size is remembered."""
    sizes = f"{load.slots}x{load.context_tokens}:{load.kv_type}:{load.batch_tokens}"
    return f"{model.name}|{model.quant}|{model.file_bytes}|{sizes}|{place}"


def remember(known: dict[str, int], name: str, total_bytes: int) -> dict[str, int]:
    """The known sizes with one more; the oldest go when there are too many."""
    kept = {old: size for old, size in known.items() if old != name}
    kept[name] = total_bytes
    return dict(list(kept.items())[-REMEMBERED_MAX:])


def judge(machine: Machine, planned: PlannedWorker, loaded: Loaded) -> tuple[Note, ...]:
    """Say loudly when a GPU that is here is not where the model went."""
    ready = [device for device in machine.devices if device.state == "ready"]
    if planned.gpu_layers == 0:
        idle = [device for device in ready if not device.library and device.kind != "integrated"]
        if not idle:
            return ()
        seen = f"{idle[0].name} is here and not used: the model runs on the CPU"
        return (Note("engine", "warn", seen, install_line(idle[0])),)
    if loaded.layers == 0:
        seen = "layers were planned for a GPU and llama.cpp put none there"
        fix = install_line(ready[0]) if ready else "swarmctl doctor"
        return (Note("engine", "error", seen, fix),)
    wanted = loaded.offloadable if planned.gpu_layers < 0 else planned.gpu_layers
    if loaded.layers < wanted:
        seen = f"{loaded.layers} of {wanted} planned layers are on the GPU"
        return (Note("engine", "warn", seen, "swarmctl plan; swarmctl doctor"),)
    return ()
