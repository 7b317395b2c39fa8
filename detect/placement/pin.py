"""How a worker's process is shown its devices and no others.

By UUID where there is one: NVML counts in PCI order, CUDA by speed, and both change when a card is
added. The variables are for the worker alone; set for a whole machine, CUDA's would also hide AMD
cards, since HIP reads it too.
"""

import re
from collections.abc import Mapping, Sequence

from detect.facts import Device

OPENED = {
    "CUDA": "CUDA_VISIBLE_DEVICES",
    "ROCm": "HIP_VISIBLE_DEVICES",
    "HIP": "HIP_VISIBLE_DEVICES",
}
"""Libraries whose cards a process opens as soon as it finds them, and what hides these."""


def only(devices: Sequence[Device], among: Sequence[Device]) -> dict[str, str]:
    """Variables that leave a worker these devices, in this order, and no card of another library.

    llama.cpp counts the GPUs of all libraries in one list, CUDA's first: a worker that is meant for
    a Vulkan card would load on the CUDA card beside it.
    """
    used = {device.library for device in devices}
    return {**hidden([one for one in among if one.library not in used]), **env_for(devices)}


def env_for(devices: Sequence[Device]) -> dict[str, str]:
    """Variables that leave these devices, in this order; {} when the library has none."""
    libraries = {device.library for device in devices}
    if len(libraries) != 1 or any("#" in device.id for device in devices):
        return {}  # one card emulated as several cannot be told apart by a variable
    uuids = [device.uuid for device in devices if device.uuid]
    by_uuid = ",".join(uuids) if len(uuids) == len(devices) else ""
    entries = ",".join(device.visible or _index(device) for device in devices)
    library = libraries.pop()
    if library == "CUDA":
        order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if by_uuid else {}
        return {**order, "CUDA_VISIBLE_DEVICES": by_uuid or entries}
    if library in {"ROCm", "HIP"}:
        # HIP's own variable counts what ROCR's leaves, and may have been set for the whole node.
        left = ",".join(map(str, range(len(devices)))) if by_uuid else entries
        rocr = {"ROCR_VISIBLE_DEVICES": by_uuid} if by_uuid else {}
        return {**rocr, "HIP_VISIBLE_DEVICES": left}
    return {"GGML_VK_VISIBLE_DEVICES": entries} if library == "Vulkan" else {}


def hidden(devices: Sequence[Device]) -> dict[str, str]:
    """Variables that hide these devices from a worker on the CPU.

    A process that only finds a CUDA card opens it, and holds 518 MiB of an H100 for nothing. -1
    names no device; an empty value would be no variable on Windows.
    """
    return {OPENED[one.library]: "-1" for one in devices if one.library in OPENED}


def closed(env: Mapping[str, str]) -> dict[str, str]:
    """The same for a worker that saw devices by these variables and goes on without any."""
    return {name: "-1" for name in OPENED.values() if name in env}


def main_gpu(devices: Sequence[Device]) -> int:
    """The index of the first device as the worker will count: 0 once it is pinned."""
    if not devices or env_for(devices):
        return 0
    return int(_index(devices[0]) or 0)


def _index(device: Device) -> str:
    match = re.search(r"(\d+)$", device.engine_name)
    return match[1] if match else "0"
