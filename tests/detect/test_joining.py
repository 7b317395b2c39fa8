"""The engine's devices and the vendors' joined: the same card counts once."""

from detect.facts import Device, Engine, EngineDevice
from detect.ggml import join

GIB = 1 << 30
CARD = Device(
    "GPU-1", "nvidia", "NVIDIA GeForce RTX 3060", "discrete", "ready",
    uuid="GPU-1", pci="0000:01:00.0", total_bytes=12 * GIB, free_bytes=11 * GIB,
)  # fmt: skip


def engine(*devices: EngineDevice) -> Engine:
    return Engine("llamacpp", "1", True, devices)


def seen(
    library: str, at: int = 0, *, free: int = 10, pci: str | None = "0000:01:00.0"
) -> EngineDevice:
    return EngineDevice(
        f"{library}{at}", "NVIDIA GeForce RTX 3060", "gpu", library, free * GIB, 12 * GIB, pci
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
