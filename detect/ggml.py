"""The engine's own devices, and how they join the vendors': by PCI address, or name and memory."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from detect.digits import digits
from detect.facts import Device, Engine, EngineDevice, Note, Vendor
from detect.host import Host
from detect.pci import normal_address
from detect.visible import entry

KINDS = ("cpu", "gpu", "igpu", "accel", "meta")  # ggml_backend_dev_type, in its order
RANK = {"CUDA": 0, "ROCm": 0, "HIP": 0, "Metal": 0, "MTL": 0, "SYCL": 1, "Vulkan": 2, "OpenCL": 3}
"""When one card answers through several libraries, the first of these is used."""
DRIVER_BYTES_MIN, DRIVER_BYTES_MAX = 64 << 20, 1 << 30
"""A CUDA context: 518 MiB on an H100, less on smaller cards. The engine's probe holds one while it
asks how much is free; NVML's probe, which runs beside it, has none."""
SAME_MEMORY_BYTES = 512 << 20
SAME_MEMORY_SHARE = 0.05
"""Two libraries' totals of one card differ by what each keeps for itself: up to 5 % or 512 MiB."""


class GgmlDevice(msgspec.Struct, frozen=True):
    """One device as ggml describes it; sizes in bytes, 0 for what it could not learn."""

    name: str = ""
    description: str = ""
    type: int = 0
    free: int = 0
    total: int = 0
    id: str = ""
    library: str = ""


class Ggml(msgspec.Struct, frozen=True):
    """What the probe brings; no version when llama_cpp is not installed."""

    version: str = ""
    gpu_offload: bool = False
    devices: tuple[GgmlDevice, ...] = ()


REINSTALL = "pip install --force-reinstall --no-cache-dir llama-cpp-python"


def read_llamacpp(host: Host) -> tuple[Engine | None, tuple[Note, ...]]:
    """Describe the installed llama.cpp build, or say why it cannot be asked."""
    probed = host.probe("ggml")
    try:
        ggml = msgspec.convert(probed.value or {}, Ggml)
    except msgspec.ValidationError as wrong:
        seen = f"the engine's probe answered nonsense: {wrong}"
        return None, (Note("engine", "error", seen, REINSTALL),)
    if probed.value is None and probed.error != "absent":
        seen = f"llama_cpp does not load here ({probed.error}: {probed.detail[-300:]})"
        return None, (Note("engine", "error", seen, REINSTALL),)
    if not ggml.version:
        return None, ()
    devices = tuple(_engine_device(device) for device in ggml.devices)
    return Engine("llamacpp", ggml.version, ggml.gpu_offload, devices, "ggml device list"), ()


_EMULATED = re.compile(r"-v\d+$")  # one of several that GGML_CUDA_DEVICES makes of one card


def _engine_device(device: GgmlDevice) -> EngineDevice:
    known = device.total > 0  # 0 of 0 is a failed query, and such a GPU is not used
    return EngineDevice(
        name=device.name,
        description=device.description,
        kind=KINDS[device.type] if device.type < len(KINDS) else "accel",  # type: ignore[arg-type]
        library=device.library,
        free_bytes=device.free if known else None,
        total_bytes=device.total if known else None,
        pci=normal_address(_EMULATED.sub("", device.id)) if device.id else None,
    )


def integrated(engine: Engine | None) -> frozenset[str]:
    """Addresses and names of the devices that the engine calls integrated."""
    devices = [d for d in (engine.devices if engine else ()) if d.kind == "igpu"]
    return frozenset(text for d in devices for text in (d.pci or "", d.description) if text)


def addresses(engine: Engine | None, library: str) -> tuple[str | None, ...]:
    """The addresses, where told, of the devices that the engine reaches through this library."""
    return tuple(d.pci for d in (engine.devices if engine else ()) if d.library == library)


def join(vendors: Sequence[Device], engine: Engine | None) -> tuple[Device, ...]:
    """Give each vendor's device its engine name, and add those that only the engine sees."""
    seen = [d for d in (engine.devices if engine else ()) if d.kind in {"gpu", "igpu"}]
    seen.sort(key=lambda d: RANK.get(d.library, 9))  # stable: the engine's order within a library
    joined = list(vendors)
    taken: dict[int, str] = {}  # position in joined -> library it is reached by
    for device in seen:
        at = _match(device, joined, taken)
        if at is None:
            joined.append(_from_engine(device))
            taken[len(joined) - 1] = device.library
        elif at not in taken:
            joined[at] = _reached(joined[at], device)
            taken[at] = device.library
        elif taken[at] == device.library:  # one card emulated as several by the library
            twin = msgspec.structs.replace(joined[at], id=f"{joined[at].id}#{device.name}")
            joined.append(_reached(twin, device))
            taken[len(joined) - 1] = device.library
    return _slices_too(joined)


def named(device: Device, env: Mapping[str, str]) -> Device:
    """The device with its entry in the variable that chose this process's devices, if any did."""
    index = digits(device.engine_name.removeprefix(device.library))
    if index is None:
        return device
    return msgspec.structs.replace(device, visible=entry(env, device.library, index))


def _slices_too(joined: list[Device]) -> tuple[Device, ...]:
    """CUDA shows a process one MIG slice; pinned by UUID, another process reaches the next."""
    reached = {d.parent: d.library for d in joined if d.kind == "mig" and d.library}
    return tuple(
        msgspec.structs.replace(d, library=reached[d.parent])
        if d.kind == "mig" and d.state == "ready" and not d.library and d.parent in reached
        else d
        for d in joined
    )


def _match(device: EngineDevice, joined: list[Device], taken: dict[int, str]) -> int | None:
    """Position of the card this is; slices of a card are told apart by their library's order."""
    hits = [at for at, d in enumerate(joined) if device.pci is not None and d.pci == device.pci]
    if not hits:
        hits = [at for at, d in enumerate(joined) if _alike(device, d)]
    open_hits = [at for at in hits if at not in taken and joined[at].state == "ready"]
    return open_hits[0] if open_hits else (hits[0] if hits else None)


def _alike(device: EngineDevice, other: Device) -> bool:
    if device.pci is not None and other.pci is not None:
        return False
    if not _plain(other.name) or _plain(other.name) not in _plain(device.description):
        return False
    if device.total_bytes is None or other.total_bytes is None:
        return True
    apart = abs(device.total_bytes - other.total_bytes)
    return apart <= max(SAME_MEMORY_BYTES, SAME_MEMORY_SHARE * other.total_bytes)


def _plain(name: str) -> str:
    words = re.sub(r"\(.*?\)", " ", name.lower())
    return " ".join(
        w for w in re.findall(r"[a-z0-9]+", words) if w not in {"nvidia", "amd", "intel"}
    )


def _reached(device: Device, engine: EngineDevice) -> Device:
    """The vendor's device with the engine's name; the smaller of two free figures is believed."""
    sources = dict(device.sources)
    unified = device.unified or engine.kind == "igpu"
    total, free = device.total_bytes, device.free_bytes
    driver = None if unified else _driver_bytes(free, engine)
    if total is None and engine.total_bytes is not None:
        total, free = engine.total_bytes, engine.free_bytes
        sources["total_bytes"] = sources["free_bytes"] = f"ggml {engine.library}"
    elif driver is not None:
        sources["driver_bytes"] = "NVML's free memory less that of ggml, whose process holds one"
    elif free is not None and engine.free_bytes is not None and engine.free_bytes < free:
        free = engine.free_bytes
        if total and engine.total_bytes:  # the engine may be given a share of the card
            total = min(total, engine.total_bytes)
        sources["free_bytes"] = f"ggml {engine.library}"
    return msgspec.structs.replace(
        device,
        library=engine.library,
        engine_name=engine.name,
        kind="integrated" if unified and device.kind == "discrete" else device.kind,
        unified=unified,
        total_bytes=total,
        free_bytes=free,
        driver_bytes=driver,
        sources=sources,
    )


def _driver_bytes(free: int | None, engine: EngineDevice) -> int | None:
    """What the engine's probe held of the card for itself; None when that cannot be told."""
    if engine.library != "CUDA" or free is None or engine.free_bytes is None:
        return None
    held = free - engine.free_bytes
    return held if DRIVER_BYTES_MIN <= held <= DRIVER_BYTES_MAX else None


def _vendor(device: EngineDevice) -> Vendor:
    text = f"{device.description} {device.library}".lower()
    signs: tuple[tuple[str, Vendor], ...] = (
        ("cuda", "nvidia"), ("nvidia", "nvidia"), ("geforce", "nvidia"), ("rocm", "amd"),
        ("radeon", "amd"), ("amd", "amd"), ("intel", "intel"), ("arc", "intel"),
        ("apple", "apple"), ("mtl", "apple"), ("metal", "apple"), ("adreno", "qualcomm"),
        ("qualcomm", "qualcomm"),
    )  # fmt: skip
    return next((vendor for sign, vendor in signs if sign in text), "other")


def _from_engine(device: EngineDevice) -> Device:
    unified = device.kind == "igpu" or device.library in {"Metal", "MTL", "OpenCL"}
    source = f"ggml {device.library}"
    sources = {"name": source, "library": source, "pci": source}
    if device.total_bytes is not None:
        sources |= {"total_bytes": source, "free_bytes": source}
    return Device(
        id=f"pci:{device.pci}" if device.pci else device.name,
        vendor=_vendor(device),
        name=device.description or device.name,
        kind="integrated" if unified else "discrete",
        state="ready",
        library=device.library,
        engine_name=device.name,
        pci=device.pci,
        total_bytes=device.total_bytes,
        free_bytes=device.free_bytes,
        unified=unified,
        sources=sources,
    )
