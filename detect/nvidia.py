"""NVIDIA, as NVML answered in its probe (detect.probes.nvml): states, never exceptions.

The probe brings raw results; everything here is pure. Error numbers are nvmlReturn_t of the NVML
API reference.
"""

from collections.abc import Mapping

import msgspec

from detect.facts import Device, DeviceState, Grade, Note
from detect.host import Host
from detect.pci import PciCard, normal_address
from detect.record import Probed
from detect.visible import choose

NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND = 3, 4, 9, 12
GPU_IS_LOST, VERSION_MISMATCH = 15, 18
UNIFIED_NAMES = ("gb10", "orin", "thor", "xavier", "tegra", "n1x", "nvgpu", "spark")
"""Parts whose memory is main memory. NVML answers NotSupported for some, and too little for one."""

_INIT_NOTES = {
    DRIVER_NOT_LOADED: (
        "the NVIDIA driver is installed and its kernel module is not loaded",
        "sudo modprobe nvidia; if that fails, reboot",
    ),
    VERSION_MISMATCH: (
        "the NVIDIA library and kernel module have different versions (after an upgrade)",
        "reboot",
    ),
    NO_PERMISSION: (
        "the NVIDIA device nodes may not be opened by this user",
        "give the process /dev/nvidia*; in a systemd unit: DeviceAllow=char-nvidia* rw",
    ),
}


class NvmlMemory(msgspec.Struct, frozen=True):
    """Sizes in bytes, or the error that came in their place."""

    total: int = 0
    free: int = 0
    error: int = 0


class NvmlDevice(msgspec.Struct, frozen=True):
    """One GPU or MIG slice as NVML describes it."""

    uuid: str = ""
    name: str = ""
    pci: str = ""
    memory: NvmlMemory = NvmlMemory(error=NOT_SUPPORTED)
    compute: str = ""  # 8.9
    mig: bool = False
    slices: tuple["NvmlDevice", ...] = ()
    error: int = 0  # the handle itself could not be had


class Nvml(msgspec.Struct, frozen=True):
    """Everything the probe brings."""

    init: int = 0
    driver: str = ""
    devices: tuple[NvmlDevice, ...] = ()


def read_nvidia(
    host: Host,
    cards: tuple[PciCard, ...],
    integrated: frozenset[str] = frozenset(),
    cuda: tuple[str | None, ...] = (),
) -> tuple[tuple[Device, ...], tuple[Note, ...]]:
    """List the NVIDIA devices of this machine with their states, and what to do about them.

    `integrated` holds addresses and names of those that the engine calls integrated: that flag is
    believed above any memory figure, since NVML gives some such parts a small plausible total.
    `cuda` holds the addresses of those that the engine reaches through CUDA.
    """
    probed = host.probe("nvml")
    here = tuple(card for card in cards if card.vendor == "nvidia")
    try:
        nvml = msgspec.convert(probed.value, Nvml) if probed.value is not None else None
    except msgspec.ValidationError as wrong:
        nvml, probed = None, Probed(error="garbage", detail=str(wrong))
    if cuda and _is_missing(nvml, probed):
        return (), (_NO_UTILITY,)
    if nvml is None:
        return _without_nvml(here, probed)
    if nvml.init:
        return _not_started(nvml.init, here)
    found = [device for gpu in nvml.devices for device in _devices(gpu, here, integrated)]
    notes = [note for device in found if (note := _state_note(device))]
    notes += _missing_notes(nvml, here)
    shown = _apply_visible(host.env, found, cuda)
    if any(device.state == "hidden" for device in shown):
        value = host.env.get("CUDA_VISIBLE_DEVICES")
        notes.append(
            Note(
                "nvidia",
                "info",
                f"CUDA_VISIBLE_DEVICES={value!r} hides {_count(shown, 'hidden')} of "
                f"{len(shown) - _count(shown, 'parent')} devices",
                "unset CUDA_VISIBLE_DEVICES to use all",
            )
        )
    return shown, tuple(notes)


_NO_UTILITY = Note(
    "nvidia",
    "info",
    "NVML is not here, and CUDA works (a container without the utility capability): "
    "the engine's own figures are used",
    "NVIDIA_DRIVER_CAPABILITIES=compute,utility, when the container is started",
)


def _is_missing(nvml: Nvml | None, probed: Probed) -> bool:
    """Whether NVML's library is not there; one that hangs or crashes is another matter."""
    return probed.error == "absent" if nvml is None else nvml.init == LIBRARY_NOT_FOUND


def _missing_notes(nvml: Nvml, here: tuple[PciCard, ...]) -> list[Note]:
    """What the driver should show and does not: a card, or the slices of one in MIG mode."""
    notes = []
    if not nvml.devices:
        grade: Grade = "warn" if here else "info"
        fix = "nvidia-smi; then dmesg"
        notes.append(Note("nvidia", grade, "the driver runs and shows no GPU", fix))
    elif len(here) > len(nvml.devices):
        seen = (
            f"{len(here)} NVIDIA cards on the bus, and the driver shows {len(nvml.devices)} "
            "(usual in a container or beside a virtual machine)"
        )
        notes.append(Note("nvidia", "info", seen, "lspci -k -d 10de: says which driver holds each"))
    for gpu in nvml.devices:
        if gpu.mig and not gpu.slices:
            seen = f"{gpu.name} ({gpu.uuid}) is in MIG mode and has no slices: nothing can use it"
            fix = "sudo nvidia-smi mig -cgi 9 -C makes slices; sudo nvidia-smi -mig 0 ends the mode"
            notes.append(Note("nvidia", "warn", seen, fix))
    return notes


def _without_nvml(
    here: tuple[PciCard, ...], probed: Probed
) -> tuple[tuple[Device, ...], tuple[Note, ...]]:
    if probed.error in {"timeout", "crashed", "garbage"}:
        seen = f"the NVIDIA probe gave no answer ({probed.error}{_colon(probed.detail)})"
        note = Note("nvidia", "warn", seen, "nvidia-smi: if it hangs too, reboot")
        return tuple(_mute(card, "failed") for card in here), (note,)
    return _not_started(LIBRARY_NOT_FOUND, here) if here else ((), ())


def _colon(detail: str) -> str:
    return f": {detail}" if detail else ""


def _not_started(
    error: int, here: tuple[PciCard, ...]
) -> tuple[tuple[Device, ...], tuple[Note, ...]]:
    if error == LIBRARY_NOT_FOUND:
        if not here:
            return (), ()  # no card, no driver: nothing to say
        seen = f"{len(here)} NVIDIA card(s) on the bus and no driver library"
        note = Note("nvidia", "error", seen, "install the NVIDIA driver, then reboot")
        return tuple(_mute(card, "no_driver") for card in here), (note,)
    seen, fix = _INIT_NOTES.get(error, (f"NVML does not start (error {error})", "nvidia-smi"))
    state: DeviceState = "denied" if error == NO_PERMISSION else "no_driver"
    return tuple(_mute(card, state) for card in here), (Note("nvidia", "error", seen, fix),)


def _mute(card: PciCard, state: DeviceState) -> Device:
    """Make the device of a card that only the bus shows."""
    return Device(
        id=f"pci:{card.address}",
        vendor=card.vendor,
        name=f"NVIDIA GPU at {card.address}",
        kind="discrete",
        state=state,
        pci=card.address,
        numa_node=card.numa_node,
        sources={"pci": "/sys/bus/pci", "name": "/sys/bus/pci", "numa_node": "/sys/bus/pci"},
    )


def _devices(
    gpu: NvmlDevice, cards: tuple[PciCard, ...], integrated: frozenset[str]
) -> list[Device]:
    """Turn a GPU into devices: itself, or itself as parent and each of its MIG slices."""
    address = normal_address(gpu.pci)
    node = next((card.numa_node for card in cards if card.address == address), None)
    unified = any(word in gpu.name.lower() for word in UNIFIED_NAMES)
    unified = unified or bool({address, gpu.name} & integrated - {""})
    whole = _device(gpu, address, node, unified=unified)
    if not gpu.mig:
        return [whole]
    parent = msgspec.structs.replace(whole, state="parent")
    slices = [_device(part, address, node, unified=False) for part in gpu.slices]
    return [parent] + [
        msgspec.structs.replace(part, kind="mig", parent=whole.id) for part in slices
    ]


def _device(gpu: NvmlDevice, address: str, node: int | None, *, unified: bool) -> Device:
    sources = {"name": "NVML", "uuid": "NVML", "pci": "NVML"}
    total = free = None
    if not gpu.memory.error and not unified and gpu.memory.total:
        total, free = gpu.memory.total, gpu.memory.free
        sources |= {"total_bytes": "NVML", "free_bytes": "NVML"}
    if gpu.compute:
        sources["target"] = "NVML"
    if node is not None:
        sources["numa_node"] = "/sys/bus/pci"
    return Device(
        id=gpu.uuid or f"pci:{address or 'unknown'}",
        vendor="nvidia",
        name=gpu.name or "NVIDIA GPU",
        kind="integrated" if unified else "discrete",
        state=_state(gpu, unified=unified),
        uuid=gpu.uuid or None,
        pci=address or None,
        total_bytes=total,
        free_bytes=free,
        unified=unified,
        numa_node=node,
        target=f"sm_{gpu.compute.replace('.', '')}" if gpu.compute else None,
        sources=sources,
    )


def _state(gpu: NvmlDevice, *, unified: bool) -> DeviceState:
    """Only a unified part may lack memory figures: a lost card must not look like all of RAM."""
    error = gpu.error or gpu.memory.error
    if error == GPU_IS_LOST:
        return "lost"
    if error == NO_PERMISSION:
        return "denied"
    if gpu.error or (gpu.memory.error and not unified):
        return "failed"
    return "ready"


def _state_note(device: Device) -> Note | None:
    seen, fix = {
        "lost": ("fell off the bus", "check power and seating, then reboot"),
        "denied": ("may not be opened by this user", "give the process /dev/nvidia*"),
        "failed": ("answers with an error", "nvidia-smi -q; then dmesg"),
    }.get(device.state, ("", ""))
    return Note("nvidia", "error", f"{device.name} ({device.id}) {seen}", fix) if seen else None


def _apply_visible(
    env: Mapping[str, str], found: list[Device], cuda: tuple[str | None, ...]
) -> tuple[Device, ...]:
    value = env.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return tuple(found)
    # Slices are named by UUID only; plain numbers count whole cards.
    wholes = [d for d in found if d.kind != "mig"]
    chosen = {wholes[at].id for at in choose(value, [d.uuid for d in wholes])}
    if _counted_by_speed(env, wholes) and cuda:
        chosen = {d.id for d in wholes if d.pci in cuda}
    parts = [d for d in found if d.kind == "mig"]
    if value.startswith("MIG-"):
        chosen |= {parts[at].id for at in choose(value, [d.uuid for d in parts])}
    else:
        chosen |= {part.id for part in parts if part.parent in chosen}
    return tuple(
        d if d.id in chosen or d.state != "ready" else msgspec.structs.replace(d, state="hidden")
        for d in found
    )


def _counted_by_speed(env: Mapping[str, str], wholes: list[Device]) -> bool:
    """CUDA numbers unequal cards by speed unless told to go by the bus: only its list tells."""
    unequal = len({device.name for device in wholes}) > 1
    return unequal and env.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID"


def _count(devices: tuple[Device, ...], state: DeviceState) -> int:
    return sum(device.state == state for device in devices)
