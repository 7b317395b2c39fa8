"""AMD GPUs from the kernel's own tables, without any library: KFD topology and DRM.

A node of the topology is a GPU when it has a vendor, a device and a render minor. Its memory is in
/sys/class/drm/renderD<minor>/device. An integrated part shows little video memory and a large GTT.
Source: Linux drivers/gpu/drm/amd/amdkfd/kfd_topology.c, amdgpu_vram_mgr.c, amdgpu_gtt_mgr.c.
"""

from collections.abc import Sequence

import msgspec

from detect.digits import digits
from detect.facts import Device, DeviceState, Note
from detect.host import Host, number_of, text_of
from detect.record import Unread
from detect.visible import ROCM_VARIABLES, rocm

GIB = 1 << 30
NODES_MAX = 64
KFD = "/dev/kfd"
TOPOLOGY = "/sys/class/kfd/kfd/topology/nodes"


def read_amd(
    host: Host, vulkan: Sequence[str | None] = ()
) -> tuple[tuple[Device, ...], tuple[Note, ...]]:
    """List the AMD GPUs that the kernel drives, their memory, and what keeps us from them.

    `vulkan` holds the addresses of those that the engine reaches without HIP.
    """
    found, minors = [], []
    for name in host.names(TOPOLOGY)[:NODES_MAX]:
        facts = parse_properties(text_of(host, f"{TOPOLOGY}/{name}/properties") or "")
        minor = facts.get("drm_render_minor", 0)
        if facts.get("vendor_id") and facts.get("device_id") and minor:
            found.append(_device(host, facts, minor))
            minors.append(minor)
    if not found:
        return (), ()
    notes = _node_notes(host, minors)
    if isinstance(host.read(KFD), Unread):
        found = [msgspec.structs.replace(device, state="denied") for device in found]
    shown = _apply_visible(host, found, vulkan)
    hidden = sum(device.state == "hidden" for device in shown)
    if hidden:
        names = [name for name in (*ROCM_VARIABLES, "CUDA_VISIBLE_DEVICES") if name in host.env]
        seen = f"{' and '.join(names)} hides {hidden} of {len(shown)} devices"
        notes.append(Note("amd", "info", seen, f"unset {' '.join(names)} to use all"))
    override = host.env.get("HSA_OVERRIDE_GFX_VERSION")
    if override:
        notes.append(
            Note("amd", "info", f"HSA_OVERRIDE_GFX_VERSION={override} replaces the real target")
        )
    return shown, tuple(notes)


def _node_notes(host: Host, minors: list[int]) -> list[Note]:
    """Device nodes that this user may not open, or that were not handed into a container."""
    got = {path: host.read(path) for path in (KFD, *(f"/dev/dri/renderD{m}" for m in minors))}
    notes = []
    if denied := [path for path, one in got.items() if isinstance(one, Unread)]:
        seen = f"{', '.join(denied)} may not be opened by this user"
        fix = "sudo usermod -aG render,video $USER, then log in again"
        notes.append(Note("amd", "error", seen, fix))
    if missing := [path for path, one in got.items() if one is None]:
        seen = f"{', '.join(missing)} is not here, and the kernel drives the card"
        fix = "in a container: --device /dev/kfd --device /dev/dri"
        notes.append(Note("amd", "info", seen, fix))
    return notes


def parse_properties(text: str) -> dict[str, int]:
    """One topology node's `name number` lines."""
    facts = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and (number := digits(words[1])) is not None:
            facts[words[0]] = number
    return facts


def gfx_target(version: int) -> str:
    """110001 is gfx1101, 90010 is gfx90a: decimal pairs, the last two digits in hexadecimal."""
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"


def pci_address(location: int, domain: int) -> str:
    """The topology's location_id packs bus, device and function as PCI does."""
    return f"{domain:04x}:{location >> 8 & 0xFF:02x}:{location >> 3 & 0x1F:02x}.{location & 7}"


def _device(host: Host, facts: dict[str, int], minor: int) -> Device:
    folder = f"/sys/class/drm/renderD{minor}/device"
    vram, used, gtt = (
        number_of(host, f"{folder}/mem_info_{name}")
        for name in ("vram_total", "vram_used", "gtt_total")
    )
    integrated = is_integrated(
        vram,
        gtt,
        marked=any(
            host.read(f"{folder}/{name}") is not None
            for name in ("mem_info_vram_vendor", "board_info")
        ),
    )
    address = pci_address(facts.get("location_id", 0), facts.get("domain", 0))
    target = gfx_target(facts["gfx_target_version"]) if facts.get("gfx_target_version") else None
    unique = facts.get("unique_id")
    sources = {"pci": "KFD location_id", "name": "DRM product_name"}
    total = free = None
    if vram is not None and not integrated:
        total, sources["total_bytes"] = vram, f"{folder}/mem_info_vram_total"
        if used is not None:
            free, sources["free_bytes"] = max(vram - used, 0), f"{folder}/mem_info_vram_used"
    if target:
        sources["target"] = "KFD gfx_target_version"
    uuid = f"GPU-{unique:016x}" if unique else None
    if uuid:
        sources["uuid"] = "KFD unique_id"
    node = number_of(host, f"{folder}/numa_node")
    if node is not None and node >= 0:
        sources["numa_node"] = f"{folder}/numa_node"
    return Device(
        id=uuid or f"pci:{address}",
        vendor="amd",
        name=text_of(host, f"{folder}/product_name") or f"AMD {target or 'GPU'}",
        kind="integrated" if integrated else "discrete",
        state=_state(host, minor),
        uuid=uuid,
        pci=address,
        total_bytes=total,
        free_bytes=free,
        unified=integrated,
        numa_node=node if node is not None and node >= 0 else None,
        target=target,
        sources=sources,
    )


def is_integrated(vram: int | None, gtt: int | None, *, marked: bool) -> bool:
    """A board with its own memory chips is marked so; else judge by the sizes."""
    if marked or vram is None or gtt is None:
        return False
    return vram <= 4 * GIB and gtt >= 8 * GIB and gtt >= 4 * vram


def _state(host: Host, minor: int) -> DeviceState:
    return "denied" if isinstance(host.read(f"/dev/dri/renderD{minor}"), Unread) else "ready"


def _apply_visible(
    host: Host, found: list[Device], vulkan: Sequence[str | None]
) -> tuple[Device, ...]:
    uuids = [device.uuid for device in found]
    left = {found[at].id for at in rocm(host.env, uuids)}
    without_hip = (found[at] for at in rocm(host.env, uuids, hip=False))
    left |= {device.id for device in without_hip if device.pci in vulkan}
    return tuple(
        device
        if device.id in left or device.state != "ready"
        else msgspec.structs.replace(device, state="hidden")
        for device in found
    )
