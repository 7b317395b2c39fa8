"""How a worker's process is shown its devices and no others.

By UUID where there is one: NVML counts in PCI order, CUDA by speed, and both change when a card is
added. The variables are for the worker alone; set for a whole machine, CUDA's would also hide AMD
cards, since HIP reads it too.
"""

import re
from collections.abc import Sequence

from detect.facts import Device


def env_for(devices: Sequence[Device]) -> dict[str, str]:
    """Variables that leave these devices, in this order; {} when the library has none."""
    libraries = {device.library for device in devices}
    if len(libraries) != 1 or any("#" in device.id for device in devices):
        return {}  # one card emulated as several cannot be told apart by a variable
    names = ",".join(device.uuid or _index(device) for device in devices)
    library = libraries.pop()
    if library == "CUDA" and not all(device.uuid for device in devices):
        return {"CUDA_VISIBLE_DEVICES": names}  # numbers mean what they meant to the engine's list
    if library == "CUDA":
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": names}
    if library in {"ROCm", "HIP"}:
        return {"ROCR_VISIBLE_DEVICES": names}
    if library == "Vulkan":
        return {"GGML_VK_VISIBLE_DEVICES": ",".join(_index(device) for device in devices)}
    return {}


def main_gpu(devices: Sequence[Device]) -> int:
    """The index of the first device as the worker will count: 0 once it is pinned."""
    if not devices or env_for(devices):
        return 0
    return int(_index(devices[0]) or 0)


def _index(device: Device) -> str:
    match = re.search(r"(\d+)$", device.engine_name)
    return match[1] if match else "0"
