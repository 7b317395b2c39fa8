"""From a host to a Machine: run the readers, join what they saw, keep every note.

`record()` asks this machine through probe processes; `detect(host)` is pure over what they brought,
so a recorded machine gives the same facts anywhere.
"""

from pathlib import Path
from platform import machine as uname_machine

import msgspec

from detect import amd, android, apple, cpu, ggml, memory, nvidia, pci, probing, system
from detect.advice import unlisted, unused
from detect.facts import Engine, Machine, Note
from detect.host import Host, LiveHost, RecordedHost
from detect.record import About, Probed, Record, load, merge

TREE_FILES_MAX = 20_000  # of a recorded folder; one machine's /proc and /sys that we read: hundreds


def read_files(host: Host) -> None:
    """Ask everything that is read from files and commands, once; a recording host keeps it."""
    system.read_platform(host)
    cpu.read_cpu(host)
    memory.read_memory(host)
    pci.read_cards(host)
    if android.is_android(host):
        android.api_level(host)
    if host.about.sys_platform == "darwin":
        system.sysctl(host, "hw.optional.arm64")


def detect(host: Host) -> Machine:
    """Give the facts of the host's machine. Never raises for what the machine answers."""
    platform, platform_notes = system.read_platform(host)
    cpu_facts, cpu_notes = cpu.read_cpu(host)
    memory_facts, memory_notes = memory.read_memory(host)
    llamacpp, engine_notes = ggml.read_llamacpp(host)
    shared = ggml.integrated(llamacpp)
    cards, cuda = pci.read_cards(host), ggml.addresses(llamacpp, "CUDA")
    nvidia_devices, nvidia_notes = nvidia.read_nvidia(host, cards, shared, cuda)
    amd_devices, amd_notes = amd.read_amd(host, ggml.addresses(llamacpp, "Vulkan"))
    apple_devices, mlx, apple_notes = apple.read_apple(host)
    devices = ggml.join((*nvidia_devices, *amd_devices, *apple_devices), llamacpp)
    devices = tuple(ggml.named(device, host.env) for device in devices)
    notes = [*platform_notes, *cpu_notes, *memory_notes, *nvidia_notes, *amd_notes, *apple_notes]
    notes += [*engine_notes, *_probe_notes(host), *unused(devices, llamacpp, platform)]
    notes += unlisted(cards, devices)
    if platform.system == "android":
        notes += android.notes(host)
    engines: list[Engine] = [engine for engine in (llamacpp, mlx) if engine is not None]
    return Machine(
        platform=platform,
        cpu=cpu_facts,
        memory=memory_facts,
        devices=devices,
        engines=tuple(engines),
        notes=tuple(notes),
    )


def record(root: str = "/", timeout_s: float = probing.TIMEOUT_S) -> Record:
    """Ask this machine, each probe in its own process, all at once, within `timeout_s`."""
    answers = probing.gather(probing.wanted(), root, timeout_s)
    parts = []
    for name in ("files", "amd"):
        got = answers.get(name, Probed(error="absent"))
        if got.value is None:
            continue
        try:
            parts.append(msgspec.convert(got.value, Record))
            del answers[name]
        except msgspec.ValidationError as wrong:
            answers[name] = Probed(error="garbage", detail=str(wrong))
    if not parts:
        parts.append(Record())
    return merge(parts[0], *parts[1:], Record(probes=answers))


def here(root: str = "/", timeout_s: float = probing.TIMEOUT_S) -> Machine:
    """Give the facts of this machine."""
    return detect(RecordedHost(record(root, timeout_s)))


def briefly() -> Machine | None:
    """The facts without any probe, in milliseconds; None where there may be an accelerator.

    For a model so small that the processors are enough: an engine that is installed is taken to
    work, and its devices are not asked for.
    """
    if probing.may_have_gpu():
        return None
    return detect(_Brief())


PACKAGES = {"ggml": ("llama_cpp", "llama_cpp_python"), "mlx": ("mlx_lm", "mlx_lm")}
"""What an engine's probe would find: its module, and its package's name on disk."""


class _Brief(LiveHost):
    """This machine's files, and the engine as its package describes itself."""

    def probe(self, name: str) -> Probed:
        from importlib.util import find_spec

        module, package = PACKAGES.get(name, ("", ""))
        spec = find_spec(module) if module else None
        if spec is None or spec.origin is None:
            return super().probe(name)
        # The package's own folder of metadata: importlib.metadata takes longer than all the rest.
        beside = Path(spec.origin).parent.parent.glob(f"{package}-*.dist-info")
        version = next(
            (one.name.removesuffix(".dist-info").rpartition("-")[2] for one in beside), "unknown"
        )
        return Probed(value={"version": version})


def load_recorded(path: Path) -> Record:
    """Read a record file, or a folder with copies of /proc, /sys, /etc and an optional record.json.

    Without that file what Python and the engine would say is taken from the copies, or assumed: an
    engine for the processors, and a Linux machine like this one.

    Raises OSError, msgspec.DecodeError or msgspec.ValidationError.
    """
    if path.is_file():
        return load(path.read_bytes())
    if not path.is_dir():
        raise FileNotFoundError(2, "no such file or folder", str(path))
    told = path / "record.json"
    base = load(told.read_bytes()) if told.is_file() else _assumed(path)
    copies, files = LiveHost(str(path)), dict(base.files)
    for top in ("proc", "sys", "etc", "dev"):
        for file in sorted((path / top).rglob("*"))[:TREE_FILES_MAX]:
            name = f"/{file.relative_to(path).as_posix()}"
            if file.is_file() and (got := copies.read(name)) is not None:
                files[name] = got
    return merge(base, Record(files=files))


def _assumed(tree: Path) -> Record:
    """What a folder of copied files leaves open."""
    cpus = tuple(sorted((tree / "sys/devices/system/cpu").glob("cpu[0-9]*")))
    release = tree / "proc/sys/kernel/osrelease"
    told = release.read_text("utf-8", "replace").strip() if release.is_file() else ""
    count = len(cpus) or None
    affinity = tuple(range(count)) if count else None
    return Record(
        about=About(machine=uname_machine(), release=told, cpus=count, affinity=affinity),
        note="a folder of copied files",
        probes={"ggml": Probed(value={"version": "assumed"})},
    )


def _probe_notes(host: Host) -> tuple[Note, ...]:
    """A probe of files that gave nothing leaves unknown facts; say so."""
    return tuple(
        Note(
            "detect",
            "warn",
            f"the probe {name} gave no answer ({got.error}: {got.detail[-200:]})",
            f"python -m detect.probe {name} shows it",
        )
        for name in ("files", "amd", "psutil")
        if (got := host.probe(name)).error in {"timeout", "crashed", "garbage"}
    )
