"""Display devices on the PCI bus: the proof that a card is there even when no driver answers."""

import msgspec

from detect.facts import Vendor
from detect.host import Host, number_of

DEVICES_MAX = 1024  # of one bus listing; servers show a few hundred
VENDORS: dict[int, Vendor] = {
    0x10DE: "nvidia",
    0x1002: "amd",
    0x8086: "intel",
    0x106B: "apple",
    0x5143: "qualcomm",
    0x17CB: "qualcomm",
}
_DISPLAY = (0x0300, 0x0302, 0x0380)  # VGA, 3D controller, other display; audio functions are left


class PciCard(msgspec.Struct, frozen=True):
    """One display device, by its bus address."""

    address: str
    vendor: Vendor
    numa_node: int | None = None


def read_cards(host: Host) -> tuple[PciCard, ...]:
    """Every display device of a vendor we know, from /sys/bus/pci/devices."""
    root = "/sys/bus/pci/devices"
    cards = []
    for address in host.names(root)[:DEVICES_MAX]:
        kind = number_of(host, f"{root}/{address}/class")
        vendor = VENDORS.get(number_of(host, f"{root}/{address}/vendor") or 0)
        if kind is None or vendor is None or kind >> 8 not in _DISPLAY:
            continue
        node = number_of(host, f"{root}/{address}/numa_node")
        cards.append(
            PciCard(address.lower(), vendor, node if node is not None and node >= 0 else None)
        )
    return tuple(cards)


def normal_address(text: str) -> str:
    """Write 00000000:01:00.0 (NVML) and 0000:01:00.0 (kernel, ggml) alike."""
    text = text.lower()
    domain, colon, rest = text.partition(":")
    return f"{domain[-4:]}:{rest}" if colon and len(domain) > 4 else text
