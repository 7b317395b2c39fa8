"""Ask NVML through pynvml; every refusal is a number in the answer, never an exception."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from detect.nvidia import LIBRARY_NOT_FOUND, Nvml, NvmlDevice, NvmlMemory

WSL_LIBRARY = Path("/usr/lib/wsl/lib/libnvidia-ml.so.1")
"""Where WSL keeps the driver's library; it is often not on the loader's path."""
DEVICES_MAX = 64  # GPUs of one machine
SLICES_MAX = 16  # MIG slices of one GPU; the hardware allows 7
MIG_ON = 1


def probe() -> Nvml:
    """Start NVML, list every device and MIG slice, stop NVML."""
    try:
        import pynvml
    except ImportError:
        return Nvml(init=LIBRARY_NOT_FOUND)
    error = _start(pynvml)
    if error:
        return Nvml(init=error)
    try:
        driver, _ = _ask(pynvml, pynvml.nvmlSystemGetDriverVersion)
        count, error = _ask(pynvml, pynvml.nvmlDeviceGetCount)
        devices = tuple(_device(pynvml, at) for at in range(min(count or 0, DEVICES_MAX)))
        return Nvml(init=error, driver=_text(driver), devices=devices)
    finally:
        _ask(pynvml, pynvml.nvmlShutdown)


def _start(nvml: Any) -> int:
    _, error = _ask(nvml, nvml.nvmlInit)
    if error == LIBRARY_NOT_FOUND and WSL_LIBRARY.exists():
        # Loaded by path once, it is found again by its name.
        ctypes.CDLL(str(WSL_LIBRARY), mode=ctypes.RTLD_GLOBAL)
        _, error = _ask(nvml, nvml.nvmlInit)
    return error


def _ask(nvml: Any, call: Callable[..., Any], *args: object) -> tuple[Any, int]:
    """Make one call: its value and 0, or None and the error's number."""
    try:
        return call(*args), 0
    except nvml.NVMLError as wrong:
        return None, int(wrong.value)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _device(nvml: Any, at: int) -> NvmlDevice:
    handle, error = _ask(nvml, nvml.nvmlDeviceGetHandleByIndex, at)
    if error:
        return NvmlDevice(error=error)
    whole = _describe(nvml, handle)
    mode, error = _ask(nvml, nvml.nvmlDeviceGetMigMode, handle)
    if error or mode[0] != MIG_ON:
        return whole
    return msgspec.structs.replace(whole, mig=True, slices=_slices(nvml, handle))


def _slices(nvml: Any, handle: object) -> tuple[NvmlDevice, ...]:
    count, _ = _ask(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, handle)
    found = []
    for at in range(min(count or 0, SLICES_MAX)):
        part, error = _ask(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, at)
        if not error:  # an empty place in the card's partition is an error here
            found.append(_describe(nvml, part))
    return tuple(found)


def _describe(nvml: Any, handle: object) -> NvmlDevice:
    uuid, _ = _ask(nvml, nvml.nvmlDeviceGetUUID, handle)
    name, _ = _ask(nvml, nvml.nvmlDeviceGetName, handle)
    pci, _ = _ask(nvml, nvml.nvmlDeviceGetPciInfo, handle)
    compute, _ = _ask(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle)
    return NvmlDevice(
        uuid=_text(uuid),
        name=_text(name),
        pci=_text(pci.busId) if pci is not None else "",
        memory=_memory(nvml, handle),
        compute=f"{compute[0]}.{compute[1]}" if compute else "",
    )


def _memory(nvml: Any, handle: object) -> NvmlMemory:
    """Version 2 counts the driver's own share apart; older drivers know version 1 only."""
    got, error = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle, nvml.nvmlMemory_v2)
    if error:
        got, error = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    if error:
        return NvmlMemory(error=error)
    return NvmlMemory(total=int(got.total), free=int(got.free))
