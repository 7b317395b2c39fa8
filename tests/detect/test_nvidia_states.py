"""What the driver should show and does not, by what NVML and the bus say."""

from typing import Any

from detect.host import RecordedHost
from detect.nvidia import read_nvidia
from detect.pci import PciCard
from detect.record import Probed, Record

BUS = tuple(PciCard(f"0000:0{at}:00.0", "nvidia") for at in (1, 2))
ONE: dict[str, Any] = {
    "uuid": "GPU-1", "name": "NVIDIA L4", "pci": "00000000:01:00.0",
    "memory": {"total": 24 << 30, "free": 23 << 30},
}  # fmt: skip


def told(value: dict[str, Any], cards: tuple[PciCard, ...] = BUS) -> list[tuple[str, str]]:
    """Grade and text of every note."""
    host = RecordedHost(Record(probes={"nvml": Probed(value=value)}))
    return [(note.grade, note.seen) for note in read_nvidia(host, cards)[1]]


def test_a_driver_without_any_card_is_told_even_where_no_bus_is_seen() -> None:
    assert told({}, ()) == [("info", "the driver runs and shows no GPU")]


def test_a_card_on_the_bus_that_the_driver_does_not_show_is_told() -> None:
    ((grade, seen),) = told({"devices": [ONE]})
    assert grade == "info"
    assert "2 NVIDIA cards on the bus, and the driver shows 1" in seen


def test_cards_that_all_answer_need_no_words() -> None:
    assert told({"devices": [ONE]}, BUS[:1]) == []


def test_a_lost_card_that_tells_nothing_is_named_so() -> None:
    ((grade, seen),) = told({"devices": [ONE, {"error": 15}]})
    assert grade == "error"
    assert seen == "NVIDIA GPU (pci:unknown) fell off the bus"
