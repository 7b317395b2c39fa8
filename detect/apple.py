"""Apple Silicon: one device whose memory is main memory, with the limit that Metal gives.

Metal's limit is 65 to 75 % of memory and follows the sysctl iogpu.wired_limit_mb, so Metal itself
is asked, through MLX. In a virtual machine or a sandbox it may not answer; then there is no device.
MLX runs on Linux too, there on the processors as far as we plan.
"""

from detect.advice import MLX_LINE
from detect.facts import Device, Engine, Note
from detect.host import Host
from detect.system import sysctl


def read_apple(host: Host) -> tuple[tuple[Device, ...], Engine | None, tuple[Note, ...]]:
    """Describe the GPU of Apple Silicon and the MLX engine, when both are there."""
    if host.about.sys_platform == "linux":
        told = host.probe("mlx").value or {}
        return (), _engine(told, gpu=False), ()
    # An Intel Python under Rosetta runs on this chip; MLX has no package for it (told elsewhere).
    native = host.about.machine == "arm64" and sysctl(host, "hw.optional.arm64") == "1"
    if host.about.sys_platform != "darwin" or not native:
        return (), None, ()
    probed = host.probe("mlx")
    value = probed.value or {}
    version = value.get("version")
    if not isinstance(version, str):
        return _without_mlx(probed.error, probed.detail)
    if value.get("metal") is not True:
        note = Note(
            "apple",
            "warn",
            "Metal does not answer (a virtual machine, a sandbox or a session without graphics)",
            "run on the Mac itself; here the CPU is used",
        )
        return (), _engine(value, gpu=False), (note,)
    facts = value.get("device")
    device = _device(host, facts if isinstance(facts, dict) else {})
    engine = _engine(value, gpu=True)
    if engine is None:
        note = Note("apple", "warn", "MLX is installed, and mlx-lm is not", MLX_LINE)
        return (device,), None, (note,)
    return (device,), engine, ()


def _engine(told: dict[str, object], *, gpu: bool) -> Engine | None:
    """The engine, when MLX and mlx-lm are both there."""
    version = told.get("version")
    if not isinstance(version, str) or told.get("lm") is False:
        return None
    return Engine("mlx", version, gpu, (), "mlx")


def _without_mlx(error: str, detail: str) -> tuple[tuple[Device, ...], None, tuple[Note, ...]]:
    seen = "MLX is not installed"
    if error in {"timeout", "crashed", "garbage"}:
        seen = f"MLX does not load ({error}: {detail[-300:]})"
    return (), None, (Note("apple", "warn", seen, MLX_LINE),)


def _device(host: Host, facts: dict[str, object]) -> Device:
    limit = facts.get("max_recommended_working_set_size")
    sources = {"name": "mlx device_info", "library": "mlx"}
    if isinstance(limit, int) and limit > 0:
        sources["total_bytes"] = "Metal recommendedMaxWorkingSetSize"
    else:
        limit = None
    target = facts.get("architecture")
    if isinstance(target, str):
        sources["target"] = "mlx device_info"
    name = facts.get("device_name") or sysctl(host, "machdep.cpu.brand_string") or "Apple GPU"
    return Device(
        id="metal:0",
        vendor="apple",
        name=str(name),
        kind="integrated",
        state="ready",
        library="MLX",
        total_bytes=limit,
        free_bytes=limit,  # Metal knows this process alone; headroom is the other bound
        unified=True,
        target=target if isinstance(target, str) else None,
        sources=sources | ({"free_bytes": sources["total_bytes"]} if limit else {}),
    )
