"""The engine's devices and the vendors' joined: the same card counts once."""

import msgspec
import pytest

from detect.facts import Device, Engine, EngineDevice
from detect.ggml import join, read_llamacpp
from detect.host import LiveHost, RecordedHost
from detect.machine import detect
from detect.record import Probed
from tests.detect import machine_files

GIB = 1 << 30
CARD = Device(
    "GPU-1", "nvidia", "NVIDIA GeForce RTX 3060", "discrete", "ready",
    uuid="GPU-1", pci="0000:01:00.0", total_bytes=12 * GIB, free_bytes=11 * GIB,
)  # fmt: skip


def engine(*devices: EngineDevice) -> Engine:
    return Engine("llamacpp", "1", True, devices)


def seen(
    library: str, at: int = 0, *, free: float = 10, pci: str | None = "0000:01:00.0"
) -> EngineDevice:
    return EngineDevice(
        f"{library}{at}", "NVIDIA GeForce RTX 3060", "gpu", library, int(free * GIB), 12 * GIB, pci
    )


def test_one_card_through_two_libraries_is_one_device_by_the_better() -> None:
    (device,) = join([CARD], engine(seen("Vulkan"), seen("CUDA")))
    assert (device.library, device.engine_name) == ("CUDA", "CUDA0")


def test_the_smaller_free_figure_is_believed() -> None:
    (device,) = join([CARD], engine(seen("CUDA", free=9)))
    assert device.free_bytes == 9 * GIB
    (device,) = join([CARD], engine(seen("CUDA", free=12)))
    assert device.free_bytes == 11 * GIB


def test_without_an_address_name_and_memory_decide() -> None:
    (device,) = join([CARD], engine(seen("CUDA", pci=None)))
    assert device.id == "GPU-1"
    assert device.library == "CUDA"


def test_a_device_that_only_the_engine_sees_is_kept() -> None:
    first, second = join([CARD], engine(seen("CUDA"), seen("CUDA", 1, pci="0000:02:00.0")))
    assert first.id == "GPU-1"
    assert second.id == "pci:0000:02:00.0"


def test_one_card_emulated_as_four_by_the_library_is_four() -> None:
    """GGML_CUDA_DEVICES=4 shows one card several times, for tests of several GPUs."""
    devices = join([CARD], engine(*(seen("CUDA", at) for at in range(4))))
    assert len(devices) == 4
    assert len({device.id for device in devices}) == 4


def test_without_an_engine_the_vendors_devices_stay() -> None:
    assert join([CARD], None) == (CARD,)


def test_a_failed_memory_query_leaves_the_vendors_figures() -> None:
    unknown = EngineDevice("CUDA0", "x", "gpu", "CUDA", None, None, "0000:01:00.0")
    (device,) = join([CARD], engine(unknown))
    assert device.free_bytes == 11 * GIB


def emulated(at: int, free: int) -> EngineDevice:
    """As CUDA lists one of four that it makes of one card."""
    return EngineDevice(
        f"CUDA{at}", f"NVIDIA GeForce RTX 3060 (dev p0/v{at})", "gpu", "CUDA", free, 3 * GIB,
        normal_id(f"0000:01:00.0-v{at}"),
    )  # fmt: skip


def normal_id(told: str) -> str | None:
    engine, _ = read_llamacpp(_Answers(told))
    assert engine is not None
    return engine.devices[0].pci


class _Answers(LiveHost):
    """A host whose engine lists one device of this id."""

    def __init__(self, told: str) -> None:
        super().__init__()
        self._told = told

    def probe(self, name: str) -> Probed:
        device = {"name": "CUDA0", "type": 1, "id": self._told, "library": "CUDA", "total": 1}
        return Probed(value={"version": "1", "devices": [device]})


def test_emulated_devices_have_the_cards_address_and_a_share_of_its_memory() -> None:
    devices = join([CARD], engine(*(emulated(at, 2 * GIB) for at in range(4))))
    assert [device.engine_name for device in devices] == ["CUDA0", "CUDA1", "CUDA2", "CUDA3"]
    assert {device.uuid for device in devices} == {"GPU-1"}
    assert {(device.free_bytes, device.total_bytes) for device in devices} == {(2 * GIB, 3 * GIB)}


def test_what_the_engines_own_process_held_is_known_and_not_missing() -> None:
    """Its probe has the card open while it asks; NVML's has not."""
    (device,) = join([CARD], engine(seen("CUDA", free=10.5)))
    assert device.free_bytes == 11 * GIB
    assert device.driver_bytes == GIB // 2


@pytest.mark.parametrize(("free", "believed"), [(11.5, 11), (11, 11), (9, 9)])
def test_a_difference_that_no_context_makes_is_none(free: float, believed: int) -> None:
    (device,) = join([CARD], engine(seen("CUDA", free=free)))
    assert (device.free_bytes, device.driver_bytes) == (believed * GIB, None)
    (device,) = join([CARD], engine(seen("Vulkan", free=10.5)))
    assert (device.free_bytes, device.driver_bytes) == (10.5 * GIB, None)


@pytest.mark.parametrize(
    ("env", "state"),
    [
        ({"CUDA_VISIBLE_DEVICES": "GPU-00000001-1111-2222-3333-444444444444"}, "ready"),
        ({"HIP_VISIBLE_DEVICES": "-1"}, "hidden"),
    ],
)
def test_cudas_variable_hides_no_card_that_is_reached_through_vulkan(
    env: dict[str, str], state: str
) -> None:
    told = machine_files.record("mixed_amd_nvidia")
    found = detect(RecordedHost(msgspec.structs.replace(told, env=env)))
    (card,) = (device for device in found.devices if device.vendor == "amd")
    assert (card.library, card.state) == ("Vulkan", state)
