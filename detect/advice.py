"""The commands that mend an engine which cannot use the GPU that is here. Pure."""

from detect.facts import Device, Engine, Note, Platform

CMAKE = {"nvidia": "CUDA", "amd": "HIP", "intel": "VULKAN", "apple": "METAL", "qualcomm": "OPENCL"}


def install_line(device: Device) -> str:
    """The command that builds the engine for this device."""
    flag = CMAKE.get(device.vendor, "VULKAN")
    return (
        f'CMAKE_ARGS="-DGGML_{flag}=on" pip install --force-reinstall --no-cache-dir '
        "--no-binary llama-cpp-python llama-cpp-python"
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
