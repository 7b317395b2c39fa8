"""From a machine's TOML file to the record that detection replays."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from detect.record import About, Command, Probed, Record, Unread

FOLDER = Path(__file__).parent / "machines"
GIB = 1 << 30


def names() -> list[str]:
    """Every machine, by file name."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(name: str) -> dict[str, Any]:
    """The file as it is."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


def record(name: str) -> Record:
    """The machine's record."""
    told = read(name)
    about = {"sys_platform": "linux", "machine": "x86_64", **told.get("about", {})}
    files = _files(told)
    if "cpus" in told:
        about |= _cpus(files, **told["cpus"])
    return Record(
        about=msgspec.convert(about, About),
        note=f"{told['origin']}: {told['what']}",
        env=told.get("env", {}),
        files=files,
        commands=_commands(told),
        probes=_probes(told),
    )


def _files(told: dict[str, Any]) -> dict[str, str | Unread]:
    files: dict[str, str | Unread] = dict(told.get("files", {}))
    if "memory" in told:
        files["/proc/meminfo"] = _meminfo(**told["memory"])
    for address, card in told.get("pci", {}).items():
        folder = f"/sys/bus/pci/devices/{address}"
        files[f"{folder}/vendor"] = card["vendor"]
        files[f"{folder}/class"] = card.get("class", "0x030200")
        files[f"{folder}/numa_node"] = str(card.get("numa", -1))
    return files | {path: Unread("denied") for path in told.get("denied", [])}


def _commands(told: dict[str, Any]) -> dict[str, Command]:
    commands = {key: Command(0, text) for key, text in told.get("commands", {}).items()}
    for table, start in (("sysctl", "sysctl -n"), ("getprop", "getprop")):
        for key, value in told.get(table, {}).items():
            commands[f"{start} {key}"] = Command(0, f"{value}\n")
    return commands


def _probes(told: dict[str, Any]) -> dict[str, Probed]:
    probes = {name: Probed(**value) for name, value in told.get("probes", {}).items()}
    if "nvml" in told:
        probes["nvml"] = Probed(value=_nvml(told["nvml"]))
    if "ggml" in told:
        probes["ggml"] = Probed(value=_ggml(told["ggml"]))
    if "mlx" in told:
        probes["mlx"] = Probed(value=told["mlx"])
    return probes


def _meminfo(total_gib: float, available_gib: float) -> str:
    total, free = int(total_gib * GIB / 1024), int(available_gib * GIB / 1024)
    return f"MemTotal: {total} kB\nMemFree: {free} kB\nMemAvailable: {free} kB\nSwapFree: 0 kB\n"


def _cpus(
    files: dict[str, str | Unread], count: int, per_core: int = 1, fast: str = "", nodes: int = 1
) -> dict[str, Any]:
    """Processors in order, hyper-threads side by side, dealt evenly over NUMA nodes."""
    for cpu in range(count):
        first = cpu // per_core * per_core
        siblings = ",".join(str(first + at) for at in range(per_core))
        files[f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"] = siblings
    if fast:
        files["/sys/devices/cpu_core/cpus"] = fast
    each = count // nodes
    for node in range(nodes):
        files[f"/sys/devices/system/node/node{node}/cpulist"] = (
            f"{node * each}-{node * each + each - 1}"
        )
    return {"cpus": count, "affinity": list(range(count))}


def _bytes(told: dict[str, Any]) -> dict[str, Any]:
    """`total_gib = 24.0` becomes `total = 25769803776`."""
    return {
        key.removesuffix("_gib"): int(value * GIB) if key.endswith("_gib") else value
        for key, value in told.items()
    }


def _nvml(told: dict[str, Any]) -> dict[str, Any]:
    def device(one: dict[str, Any]) -> dict[str, Any]:
        flat = _bytes(one)
        memory = {k: flat.pop(k) for k in ("total", "free") if k in flat}
        if "memory_error" in flat:
            memory = {"error": flat.pop("memory_error")}
        slices = [device(part) for part in flat.pop("slices", [])]
        return {**flat, "memory": memory, "slices": slices}

    return {**told, "devices": [device(one) for one in told.get("devices", [])]}


def _ggml(told: dict[str, Any]) -> dict[str, Any]:
    devices = [_bytes(one) for one in told.get("devices", [])]
    version = told.get("version", "0.3.36")
    return {"version": version, "gpu_offload": told.get("gpu_offload", False), "devices": devices}
