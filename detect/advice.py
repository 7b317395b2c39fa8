"""The commands that mend an engine which cannot use the GPU that is here. Pure."""

from detect import android
from detect.facts import Device, Engine, Note, Platform
from detect.pci import PciCard

LLAMACPP_LINE = "pip install llama-cpp-python"
MLX_LINE = "pip install mlx-lm"
ARM_PYTHON = "make the environment again with an arm64 Python: arch -arm64 python3 -m venv"
CMAKE = {"nvidia": "CUDA", "amd": "HIP", "intel": "VULKAN", "apple": "METAL", "qualcomm": "OPENCL"}


def install_line(device: Device) -> str:
    """The command that builds the engine for this device."""
    return _build_line(CMAKE.get(device.vendor, "VULKAN"))


def _build_line(flag: str) -> str:
    """Pip's own option and not the variable CMAKE_ARGS: each shell writes that in another way."""
    return (
        "pip install --force-reinstall --no-cache-dir --no-binary llama-cpp-python "
        f"llama-cpp-python -C cmake.args=-DGGML_{flag}=on"
    )


def llamacpp_line(platform: Platform) -> str:
    """The command that installs the engine llamacpp on this system."""
    return android.ENGINE_LINE if platform.system == "android" else LLAMACPP_LINE


def mlx_line(system: str) -> str:
    """The command that installs the engine mlx; `system` as in sys.platform or a Platform's."""
    return MLX_LINE if system in {"darwin", "macos"} else f'{MLX_LINE} "mlx[cpu]"'


def mlx_hint(platform: Platform) -> str:
    """How to come to the engine mlx here; neither Intel Macs nor Android have a package of it."""
    if "rosetta" in platform.traits:
        return ARM_PYTHON
    if platform.system == "android" or (platform.system, platform.machine) == ("macos", "x86_64"):
        return "name a .gguf form of the model: MLX has no package for this system"
    return mlx_line(platform.system)


def engine_line(platform: Platform) -> str:
    """The command that installs an engine on this system."""
    if platform.system == "macos" and platform.machine == "arm64":
        return f"{LLAMACPP_LINE} (GGUF models); {MLX_LINE} (MLX models)"
    return llamacpp_line(platform)


def unlisted(cards: tuple[PciCard, ...], devices: tuple[Device, ...]) -> tuple[Note, ...]:
    """AMD and Intel graphics that only the bus shows, where the engine has no GPU at all.

    They are often too weak to pay, so this is told and no more.
    """
    if any(device.library for device in devices):
        return ()
    seen = {device.vendor for device in devices}
    return tuple(
        Note(
            card.vendor,
            "info",
            f"graphics at {card.address}: neither a driver nor the engine lists them",
            ("sudo modprobe amdgpu, or " if card.vendor == "amd" else "") + _build_line("VULKAN"),
        )
        for card in cards
        if card.vendor in {"amd", "intel"} - seen
    )


def unused(
    devices: tuple[Device, ...], llamacpp: Engine | None, platform: Platform
) -> tuple[Note, ...]:
    """The most common real fault: a GPU is here and the engine's build cannot use it."""
    if llamacpp is None or platform.system == "macos":
        return ()
    idle = [d for d in devices if d.state == "ready" and not d.library]
    if not idle:
        return ()
    names = ", ".join(sorted({device.name for device in idle}))
    seen = f"{names}: present, and this build of llama.cpp cannot use it (no GPU support built in)"
    if llamacpp.gpu:
        seen = f"{names}: present, and llama.cpp's device list does not show it"
    return (Note("engine", "error", seen, install_line(idle[0])),)
