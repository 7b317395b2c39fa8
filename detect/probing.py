"""Run probes in processes of their own, all at once, and make a value of whatever comes back.

A probe that hangs costs its timeout once and is killed; one that crashes or prints nonsense gives a
Probed with the reason. This process never loads a driver or an engine.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from detect.record import Probed

TIMEOUT_S = 10.0
"""A driver's first start takes seconds on a loaded machine; past ten it hangs."""
OUTPUT_BYTES_MAX = 8 << 20
"""Of one probe. The largest, a recorded machine of 256 processors, is below 2 MB."""
DETAIL_CHARS_MAX = 2000  # of a crashed probe's last words


NVIDIA_SIGNS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/proc/driver/nvidia")
NVIDIA_SIGNS_JETSON = ("/etc/nv_tegra_release", "/dev/nvmap")
AMD_SIGN = "/sys/class/kfd"
PCI = "/sys/bus/pci/devices"
NVIDIA_PCI = "0x10de"


def wanted() -> tuple[str, ...]:
    """The probes that make sense on this system; looking for a sign is cheap, a process is not."""
    names = ["files", "ggml"]
    if sys.platform.startswith("linux"):
        if Path(AMD_SIGN).exists():
            names.append("amd")
        if any(Path(sign).exists() for sign in NVIDIA_SIGNS + NVIDIA_SIGNS_JETSON) or _on_bus():
            names.append("nvml")
        if find_spec("mlx") is not None:  # on Linux it is there only if somebody wants it
            names.append("mlx")
    elif sys.platform == "win32":
        names += ["psutil", "nvml"]
    elif sys.platform == "darwin":
        names += ["psutil", "mlx"]
    return tuple(names)


def may_have_gpu() -> bool:
    """Whether there is any sign of an accelerator; True where only a probe can tell."""
    if not sys.platform.startswith("linux"):
        return True
    signs = ("/dev/dri", "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali0", AMD_SIGN)
    return "nvml" in wanted() or any(Path(sign).exists() for sign in signs)


def _on_bus() -> bool:
    """Whether an NVIDIA card sits on the PCI bus. The kernel answers from memory."""
    for vendor in Path(PCI).glob("*/vendor"):
        try:
            if vendor.read_text().strip() == NVIDIA_PCI:
                return True
        except OSError:
            continue
    return False


def gather(names: Iterable[str], argument: str, timeout_s: float) -> dict[str, Probed]:
    """Run the named probes side by side; each must answer within `timeout_s` of the start."""
    ends_at = time.monotonic() + timeout_s
    running = {name: start([name, argument]) for name in names}
    return {
        name: finish(child, output, max(ends_at - time.monotonic(), 0.0))
        for name, (child, output) in running.items()
    }


def run(name: str, argument: str, timeout_s: float, env: Mapping[str, str] | None = None) -> Probed:
    """Run one probe, with these variables beside its own."""
    return finish(*start([name, argument], env), timeout_s)


def start(
    argv: Sequence[str], env: Mapping[str, str] | None = None
) -> tuple["subprocess.Popen[bytes]", "_Output"]:
    """Start `python -m detect.probe …` with its output in files, so that no pipe can fill."""
    output = _Output()
    child = subprocess.Popen(  # noqa: S603 - this interpreter, our own module
        [sys.executable, "-m", "detect.probe", *argv],
        stdin=subprocess.DEVNULL,
        stdout=output.out,
        stderr=output.err,
        env={**os.environ, **(env or {}), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        start_new_session=sys.platform != "win32",
    )
    return child, output


RAISED = 1
"""How Python ends on an exception: the last line says what it was, those before it where."""


class _Output:
    """Two unnamed files for a child's words."""

    def __init__(self) -> None:
        self.out = tempfile.TemporaryFile()  # noqa: SIM115 - closed by finish()
        self.err = tempfile.TemporaryFile()  # noqa: SIM115 - closed by finish()

    def take(self) -> tuple[bytes, str]:
        self.out.seek(0)
        self.err.seek(0, os.SEEK_END)
        self.err.seek(max(self.err.tell() - DETAIL_CHARS_MAX, 0))
        out, err = self.out.read(OUTPUT_BYTES_MAX + 1), self.err.read(DETAIL_CHARS_MAX)
        self.out.close()
        self.err.close()
        return out, err.decode("utf-8", "replace").strip()


def finish(child: "subprocess.Popen[bytes]", output: _Output, timeout_s: float) -> Probed:
    """Wait for a probe and judge what it left."""
    timed_out = False
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        timed_out = True
        _kill(child)
    out, err = output.take()
    if timed_out:
        return Probed(error="timeout", detail=f"no answer within {timeout_s:.1f} s")
    if child.returncode:
        said = err.rpartition("\n")[2] if child.returncode == RAISED else err
        return Probed(error="crashed", detail=f"{_ending(child.returncode)} {said}".strip())
    return parse_answer(out)


def parse_answer(out: bytes) -> Probed:
    """The last line a probe printed, as a JSON object; drivers print banners before it."""
    lines = out.strip().rsplit(b"\n", 1)
    if len(out) > OUTPUT_BYTES_MAX:
        return Probed(error="garbage", detail=f"more than {OUTPUT_BYTES_MAX} bytes")
    try:
        value = msgspec.json.decode(lines[-1], type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        shown = lines[-1][:80].decode("utf-8", "replace")
        return Probed(error="garbage", detail=f"printed {shown!r}")
    return Probed(value=value)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """End the probe and what it started; a process stuck in the kernel is left to the kernel."""
    if sys.platform == "win32":
        child.kill()
    else:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
    try:
        child.wait(1.0)
    except subprocess.TimeoutExpired:
        return


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
