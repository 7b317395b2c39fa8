"""Processors: how many exist, how many we may use, which are the fast ones, and NUMA.

Hyper-threads of one core add little to token generation, and the slow cores of a hybrid processor
hold the fast ones back, so placement counts fast physical cores.
"""

from detect.cgroups import read_quota
from detect.digits import digits
from detect.facts import Cpu, Note, NumaNode
from detect.host import Host, number_of, text_of
from detect.memory import parse_meminfo
from detect.system import sysctl

CPUS_MAX = 2048  # bounds every list below; no machine we know has more
NODES_MAX = 64


def read_cpu(host: Host) -> tuple[Cpu, tuple[Note, ...]]:
    """Count processors, cores, fast cores and NUMA nodes within this process's affinity."""
    about = host.about
    sources: dict[str, str] = {}
    if about.cpus:
        sources["logical"] = "os.cpu_count"
    if about.affinity is not None:
        sources["allowed"] = "sched_getaffinity"
    quota = read_quota(host)
    if quota:
        sources["quota_cpus"] = quota[1]
    name = _name(host, sources)
    physical, performance = _cores(host, sources)
    return Cpu(
        name=name,
        logical=about.cpus,
        allowed=len(about.affinity) if about.affinity is not None else None,
        quota_cpus=quota[0] if quota else None,
        physical=physical,
        performance=performance,
        numa=_numa(host, sources),
        sources=sources,
    ), ()


def parse_cpulist(text: str) -> tuple[int, ...]:
    """Read the kernel's list form: "0-3,8,10-11"; what is not one gives ()."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        low = digits(first)
        high = digits(last) if dash else low
        if low is None or high is None:
            return ()
        cpus.extend(range(low, min(high, CPUS_MAX) + 1))
    return tuple(cpus[:CPUS_MAX])


def _name(host: Host, sources: dict[str, str]) -> str | None:
    if host.about.sys_platform == "darwin":
        sources["name"] = "sysctl machdep.cpu.brand_string"
        name = sysctl(host, "machdep.cpu.brand_string")
    else:
        sources["name"] = "/proc/cpuinfo"
        name = _cpuinfo_name(text_of(host, "/proc/cpuinfo") or "")
    if name is None:
        del sources["name"]
    return name


def _cpuinfo_name(text: str) -> str | None:
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"model name", "Hardware", "cpu model"} and value.strip():
            return value.strip()
    return None


def _cores(host: Host, sources: dict[str, str]) -> tuple[int | None, int | None]:
    """Physical and fast cores."""
    if host.about.sys_platform == "darwin":
        return _macos_cores(host, sources)
    cpus = host.about.affinity or tuple(range(min(host.about.cpus or 0, CPUS_MAX)))
    groups = _core_groups(host, cpus)
    if not groups:
        value = host.probe("psutil").value or {}
        cores = value.get("physical")
        if isinstance(cores, int):
            sources["physical"] = "psutil"
            return cores, None
        return None, None
    sources["physical"] = "/sys/devices/system/cpu/*/topology"
    fast = _fast_cpus(host, cpus)
    if not fast or len(fast[0]) == len(cpus):
        return len(groups), None
    sources["performance"] = fast[1]
    return len(groups), len({group for group in groups if set(group) & set(fast[0])})


def _core_groups(host: Host, cpus: tuple[int, ...]) -> set[tuple[int, ...]]:
    """The sets of hyper-threads that share a core."""
    groups = set()
    for cpu in cpus:
        folder = f"/sys/devices/system/cpu/cpu{cpu}/topology"
        text = text_of(host, f"{folder}/thread_siblings_list") or text_of(
            host, f"{folder}/core_cpus_list"
        )
        siblings = parse_cpulist(text) if text else ()
        if siblings:
            groups.add(siblings)
    return groups


def _fast_cpus(host: Host, cpus: tuple[int, ...]) -> tuple[tuple[int, ...], str] | None:
    """Fast processors of a hybrid: Intel names them, ARM gives each a capacity."""
    core = parse_cpulist(text_of(host, "/sys/devices/cpu_core/cpus") or "")
    if core:
        return tuple(cpu for cpu in cpus if cpu in core), "/sys/devices/cpu_core/cpus"
    capacity = {
        cpu: number_of(host, f"/sys/devices/system/cpu/cpu{cpu}/cpu_capacity") for cpu in cpus
    }
    known = {cpu: size for cpu, size in capacity.items() if size is not None}
    if len(known) < len(cpus):
        return None
    # A middle core of a phone (3 of 4 GHz) still helps; a small one (under half) does not.
    least = max(known.values()) / 2
    return tuple(cpu for cpu, size in known.items() if size >= least), "cpu_capacity"


def _macos_cores(host: Host, sources: dict[str, str]) -> tuple[int | None, int | None]:
    physical = sysctl(host, "hw.physicalcpu")
    fast = sysctl(host, "hw.perflevel0.physicalcpu")
    if physical:
        sources["physical"] = "sysctl hw.physicalcpu"
    if fast:
        sources["performance"] = "sysctl hw.perflevel0.physicalcpu"
    return (
        digits(physical) if physical else None,
        digits(fast) if fast else None,
    )


def _numa(host: Host, sources: dict[str, str]) -> tuple[NumaNode, ...]:
    root = "/sys/devices/system/node"
    nodes = []
    for name in host.names(root)[:NODES_MAX]:
        number = digits(name.removeprefix("node"))
        if not name.startswith("node") or number is None:
            continue
        cpus = parse_cpulist(text_of(host, f"{root}/{name}/cpulist") or "")
        sizes = parse_meminfo(text_of(host, f"{root}/{name}/meminfo") or "")
        total = next((size for key, size in sizes.items() if key.endswith("MemTotal")), None)
        if cpus:  # a node of memory alone holds no worker
            nodes.append(NumaNode(number, cpus, total))
    if nodes:
        sources["numa"] = root
    return tuple(nodes)
