"""Memory and processor limits of control groups, versions 1 and 2.

A limit may sit at any level between this process's group and the root, so every level is read, and
limit and usage are paired level by level. Inside a container the path in /proc/self/cgroup is often
the host's and does not exist below the mount: then the mount's root is the container's own group.
Page cache that the kernel can drop at once (inactive_file) counts as room: memory-mapped weights
would else look like usage.

Sources: Linux Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, sched-bwc.rst.
"""

from collections.abc import Callable, Iterator

import msgspec

from detect.digits import digits
from detect.host import Host, number_of, text_of

UNLIMITED_FROM = 1 << 60
"""Version 1 writes "no limit" as the largest multiple of a page, 9223372036854771712."""
LEVELS_MAX = 32  # of a group path; systemd inside Kubernetes nests below ten


class Level(msgspec.Struct, frozen=True):
    """One group on the way to the root."""

    path: str
    limit_bytes: int
    used_bytes: int
    reclaimable_bytes: int = 0

    @property
    def headroom_bytes(self) -> int:
        """What the group may still take before it is throttled or killed."""
        return max(self.limit_bytes - self.used_bytes + self.reclaimable_bytes, 0)


def read_levels(host: Host) -> tuple[Level, ...]:
    """Every group level above this process that has a memory limit, innermost first."""
    own = parse_own(text_of(host, "/proc/self/cgroup") or "")
    mounts = parse_mounts(text_of(host, "/proc/self/mountinfo") or "")
    levels: list[Level] = []
    if "memory" in mounts:
        levels += _walk(host, mounts["memory"], own.get("memory", "/"), _read_v1)
    if "" in mounts:
        levels += _walk(host, mounts[""], own.get("", "/"), _read_v2)
    return tuple(levels)


def read_quota(host: Host) -> tuple[float, str] | None:
    """The tightest processor quota in CPUs and the group that sets it; None without one."""
    own = parse_own(text_of(host, "/proc/self/cgroup") or "")
    mounts = parse_mounts(text_of(host, "/proc/self/mountinfo") or "")
    found: list[tuple[float, str]] = []
    if "cpu" in mounts:
        for folder in _folders(host, mounts["cpu"], own.get("cpu", "/")):
            quota = number_of(host, f"{folder}/cpu.cfs_quota_us")
            period = number_of(host, f"{folder}/cpu.cfs_period_us")
            if quota and period and quota > 0:
                found.append((quota / period, folder))
    if "" in mounts:
        for folder in _folders(host, mounts[""], own.get("", "/")):
            words = (text_of(host, f"{folder}/cpu.max") or "").split()
            time, period = [digits(word) for word in words] if len(words) == 2 else (None, None)
            if time is not None and period:
                found.append((time / period, folder))
    return min(found) if found else None


def read_oom_kills(host: Host) -> int | None:
    """How many processes of this group the kernel has killed for memory; None if it is not told."""
    own = parse_own(text_of(host, "/proc/self/cgroup") or "")
    mounts = parse_mounts(text_of(host, "/proc/self/mountinfo") or "")
    for controller, file in (("", "memory.events"), ("memory", "memory.oom_control")):
        if controller in mounts:
            folder = next(_folders(host, mounts[controller], own.get(controller, "/")))
            if (count := _line(host, f"{folder}/{file}", "oom_kill")) is not None:
                return count
    return None


def parse_own(text: str) -> dict[str, str]:
    """/proc/self/cgroup as controller -> path; "" is version 2's single tree."""
    own: dict[str, str] = {}
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                own[controller] = parts[2]
    return own


class Mount(msgspec.Struct, frozen=True):
    """Where a tree of groups is seen, and from which of its groups on."""

    folder: str
    top: str = "/"


def parse_mounts(text: str) -> dict[str, Mount]:
    """Where each controller is mounted, from /proc/self/mountinfo; "" is version 2."""
    mounts: dict[str, Mount] = {}
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if not dash or len(fields) < 5 or len(kinds) < 3:
            continue
        mount = Mount(fields[4], fields[3])
        if kinds[0] == "cgroup2":
            mounts.setdefault("", mount)
        elif kinds[0] == "cgroup":
            for option in kinds[2].split(","):
                mounts.setdefault(option, mount)
    return mounts


def _folders(host: Host, mount: Mount, path: str) -> Iterator[str]:
    """The group's folder and each above it up to the mount; the mount alone if path is foreign."""
    if mount.top != "/" and f"{path}/".startswith(f"{mount.top}/"):
        path = path.removeprefix(mount.top)  # a container's own groups below the one it is in
    parts = [part for part in path.split("/") if part and part != ".."]
    inside = "/".join([mount.folder, *parts])
    if parts and not host.names(inside):
        parts = []
    for depth in range(min(len(parts), LEVELS_MAX), -1, -1):
        yield "/".join([mount.folder, *parts[:depth]])


def _walk(
    host: Host, mount: Mount, path: str, read: Callable[[Host, str], Level | None]
) -> list[Level]:
    levels = (read(host, folder) for folder in _folders(host, mount, path))
    return [level for level in levels if level is not None]


def _read_v1(host: Host, folder: str) -> Level | None:
    limit = number_of(host, f"{folder}/memory.limit_in_bytes")
    used = number_of(host, f"{folder}/memory.usage_in_bytes")
    if limit is None or used is None or limit >= UNLIMITED_FROM:
        return None
    return Level(folder, limit, used, _reclaimable(host, folder, "total_inactive_file"))


def _read_v2(host: Host, folder: str) -> Level | None:
    limits = (number_of(host, f"{folder}/memory.{name}") for name in ("max", "high"))
    known = [limit for limit in limits if limit is not None]  # the word "max" is no number
    used = number_of(host, f"{folder}/memory.current")
    if not known or used is None:
        return None
    return Level(folder, min(known), used, _reclaimable(host, folder, "inactive_file"))


def _reclaimable(host: Host, folder: str, key: str) -> int:
    return _line(host, f"{folder}/memory.stat", key) or 0


def _line(host: Host, path: str, key: str) -> int | None:
    """The number in the line `key number` of a file."""
    for line in (text_of(host, path) or "").splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == key:
            return digits(words[1])
    return None
