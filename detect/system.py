"""Which system this is, and the traits that change what the other readers may believe."""

from detect import android
from detect.advice import ARM_PYTHON
from detect.facts import Note, Platform, System
from detect.host import Host, text_of

_MACHINES = {"aarch64": "arm64", "AMD64": "x86_64", "ARM64": "arm64", "amd64": "x86_64"}
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_CONTAINER_ENV = ("container", "KUBERNETES_SERVICE_HOST")


def read_platform(host: Host) -> tuple[Platform, tuple[Note, ...]]:
    """Name the system, its traits, and where each was seen."""
    sources = {"system": "sys.platform", "machine": "uname", "release": "uname", "python": "python"}
    system = _system(host, sources)
    traits = _traits(host, system)
    model = _model(host, system)
    if model:
        sources["model"] = model[1]
    if traits:
        sources["traits"] = "; ".join(f"{trait}: {why}" for trait, why in traits.items())
    machine = _MACHINES.get(host.about.machine, host.about.machine)
    if "rosetta" in traits:
        machine = "arm64"
    facts = Platform(
        system=system,
        machine=machine,
        release=host.about.release,
        python=host.about.python,
        model=model[0] if model else None,
        traits=tuple(traits),
        sources=sources,
    )
    return facts, _notes(facts)


def _system(host: Host, sources: dict[str, str]) -> System:
    if android.is_android(host):
        sources["system"] = "sys.platform and ANDROID_ROOT"
        return "android"
    names: dict[str, System] = {"linux": "linux", "darwin": "macos", "win32": "windows"}
    return names.get(host.about.sys_platform, "other")


def _traits(host: Host, system: System) -> dict[str, str]:
    if system == "macos":
        return _macos_traits(host)
    found: dict[str, str] = {}
    if system == "android":
        found.update(android.traits(host))
    if system == "linux":
        found.update(android.proot_traits(host))
        found.update(_linux_traits(host))
    return found


def _linux_traits(host: Host) -> dict[str, str]:
    found: dict[str, str] = {}
    if "microsoft" in host.about.release.lower():
        found["wsl"] = f"kernel {host.about.release}"
    for path in _CONTAINER_FILES:
        if host.read(path) is not None:
            found["container"] = path
    for name in _CONTAINER_ENV:
        if host.env.get(name):
            found.setdefault("container", f"${name}")
    if host.read("/etc/nv_tegra_release") is not None:
        found["jetson"] = "/etc/nv_tegra_release"
    return found


def _macos_traits(host: Host) -> dict[str, str]:
    found: dict[str, str] = {}
    if sysctl(host, "sysctl.proc_translated") == "1":
        found["rosetta"] = "sysctl.proc_translated"
    if sysctl(host, "kern.hv_vmm_present") == "1":
        found["vm"] = "kern.hv_vmm_present"
    return found


def _model(host: Host, system: System) -> tuple[str, str] | None:
    if system == "android":
        return android.model(host)
    if system == "macos":
        name = sysctl(host, "hw.model")
        return (name, "sysctl hw.model") if name else None
    for path in ("/proc/device-tree/model", "/sys/class/dmi/id/product_name"):
        name = text_of(host, path)
        if name:
            return name.rstrip("\0"), path
    return None


def sysctl(host: Host, name: str) -> str | None:
    """One value of macOS's sysctl, or None."""
    done = host.run("sysctl", "-n", name)
    return done.out.strip() if done is not None and done.rc == 0 and done.out.strip() else None


def _notes(facts: Platform) -> tuple[Note, ...]:
    notes = []
    if "rosetta" in facts.traits:
        notes.append(
            Note(
                "system",
                "warn",
                "this Python is an Intel build running under Rosetta: no Metal, half the speed",
                ARM_PYTHON,
            )
        )
    if "proot" in facts.traits:
        notes.append(
            Note(
                "system",
                "info",
                "a proot distribution on Android: Android's memory limits apply",
                "nothing to mend; plans use half of the free memory",
            )
        )
    return tuple(notes)
