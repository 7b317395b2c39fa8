"""Main memory: what there is, what is free, and what may be taken before something is killed."""

from detect.cgroups import read_levels
from detect.digits import digits
from detect.facts import Memory, Note
from detect.host import Host, text_of
from detect.system import sysctl


def read_memory(host: Host) -> tuple[Memory, tuple[Note, ...]]:
    """Read memory by /proc, else by macOS's own commands, else by psutil."""
    found = _from_proc(host) or _from_macos(host) or _from_psutil(host)
    if found is None:
        note = Note(
            "memory",
            "warn",
            "the free memory of this machine could not be read",
            "pip install psutil (Termux: pkg install python-psutil)",
        )
        return Memory(), (note,)
    return found, ()


def parse_meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo as name -> bytes."""
    sizes: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and (number := digits(words[0])) is not None:
            sizes[name] = number * (1024 if words[1:] == ["kB"] else 1)
    return sizes


def _from_proc(host: Host) -> Memory | None:
    sizes = parse_meminfo(text_of(host, "/proc/meminfo") or "")
    total = sizes.get("MemTotal")
    if not total:
        return None
    sources = {"total_bytes": "/proc/meminfo MemTotal"}
    available = sizes.get("MemAvailable")
    if available is not None:
        sources["available_bytes"] = "/proc/meminfo MemAvailable"
    if "SwapFree" in sizes:
        sources["swap_free_bytes"] = "/proc/meminfo SwapFree"
    levels = [level for level in read_levels(host) if level.limit_bytes < total]
    headrooms = [(level.headroom_bytes, level.path) for level in levels]
    if available is not None:
        headrooms.append((available, "/proc/meminfo MemAvailable"))
    if headrooms:
        sources["headroom_bytes"] = min(headrooms)[1]
    if levels:
        sources["limit_bytes"] = min(levels, key=lambda level: level.limit_bytes).path
    return Memory(
        total_bytes=total,
        available_bytes=available,
        limit_bytes=min((level.limit_bytes for level in levels), default=None),
        headroom_bytes=min(headrooms)[0] if headrooms else None,
        swap_free_bytes=sizes.get("SwapFree"),
        sources=sources,
    )


def parse_vm_stat(text: str) -> int | None:
    """Bytes that macOS can hand out at once: free, inactive, speculative and purgeable pages."""
    head, _, _ = text.partition("\n")
    words = head.split()
    if "size" not in words or "of" not in words:
        return None
    page = digits(words[words.index("of", words.index("size")) + 1])
    pages = 0
    for line in text.splitlines()[1:]:
        name, _, rest = line.partition(":")
        if name in {"Pages free", "Pages inactive", "Pages speculative", "Pages purgeable"}:
            pages += digits(rest.strip().rstrip(".")) or 0
    return pages * page if page and pages else None


def _from_macos(host: Host) -> Memory | None:
    total = sysctl(host, "hw.memsize") if host.about.sys_platform == "darwin" else None
    size = digits(total) if total else None
    if size is None:
        return None
    done = host.run("vm_stat")
    free = parse_vm_stat(done.out) if done is not None and done.rc == 0 else None
    sources = {"total_bytes": "sysctl hw.memsize"}
    if free is not None:
        sources |= {"available_bytes": "vm_stat", "headroom_bytes": "vm_stat"}
    return Memory(total_bytes=size, available_bytes=free, headroom_bytes=free, sources=sources)


def _from_psutil(host: Host) -> Memory | None:
    value = host.probe("psutil").value or {}
    total, available, swap = (value.get(name) for name in ("total", "available", "swap_free"))
    if not isinstance(total, int) or not isinstance(available, int):
        return None
    return Memory(
        total_bytes=total,
        available_bytes=available,
        headroom_bytes=available,
        swap_free_bytes=swap if isinstance(swap, int) else None,
        sources=dict.fromkeys(
            ("total_bytes", "available_bytes", "headroom_bytes", "swap_free_bytes"), "psutil"
        ),
    )
