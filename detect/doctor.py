"""All checks of `swarmctl doctor`: what was seen, how it is graded, and the command that mends it.

Pure: the machine's facts and what detect.seen looked at come in, checks go out, grouped and in a
fixed order. `fail` means that the node cannot do its work or leaves a GPU idle; `warn` that it can,
with a loss; `unknown` that the question could not be asked.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from detect.advice import engine_line
from detect.digits import digits
from detect.facts import Device, Machine, Note
from detect.placement.budget import STATES_SAID, main_room
from detect.placement.result import Limits
from detect.placement.words import GIB, size

State = Literal["ok", "info", "unknown", "warn", "fail"]
STATES: tuple[State, ...] = ("ok", "info", "unknown", "warn", "fail")
"""From best to worst."""

HEADROOM_WARN_BYTES = GIB  # the smallest useful models take about this
DISK_WARN_BYTES, DISK_FAIL_BYTES = 5 * GIB, GIB // 4  # one 4B model; the journal and its copies
FILES_WARN, FILES_FAIL = 1024, 128  # sockets of peers and workers; below the latter none starts
MACOS_LOCAL_NETWORK = 24  # Darwin 24 is macOS 15, which asks before an app may use the local net


class Check(msgspec.Struct, frozen=True):
    """One finding."""

    group: str
    name: str
    state: State
    seen: str
    fix: str = ""


class Seen(msgspec.Struct, frozen=True):
    """What was looked at beside the machine's facts. None: it could not be asked."""

    home: str = ""
    home_error: str = ""  # why the home cannot be used, with its hint
    home_hint: str = ""
    socket_error: str | None = None  # "" when a local socket could be bound
    disk_free_bytes: int | None = None
    files_open_max: int | None = None
    clock_synchronised: bool | None = None
    mdns_heard: bool | None = None
    mdns_error: str = ""
    launchd_agent: bool = False


def examine(machine: Machine, seen: Seen) -> tuple[Check, ...]:
    """Every check, in groups."""
    return (
        *_engines(machine),
        *_devices(machine),
        *_memory(machine),
        *_node(seen),
        *_limits(seen),
        *_network(machine, seen),
        *_notes(machine),
    )


def worst(checks: tuple[Check, ...]) -> State:
    """The gravest state found."""
    return max((check.state for check in checks), key=STATES.index, default="ok")


def _engines(machine: Machine) -> Iterator[Check]:
    broken = any(note.about == "engine" and note.grade == "error" for note in machine.notes)
    if not machine.engines and not broken:  # a broken one is told by its note
        fix = engine_line(machine.platform)
        seen = "no engine is installed: this node can ask others and answer nothing itself"
        yield Check("engine", "installed", "warn", seen, fix)
    for engine in machine.engines:
        build = "with GPU support" if engine.gpu else "for the CPU"
        seen = f"{engine.name} {engine.version or 'of unknown version'}, built {build}"
        yield Check("engine", engine.name, "ok", seen)


def _devices(machine: Machine) -> Iterator[Check]:
    if not machine.devices:
        yield Check("gpu", "found", "info", "no GPU: the CPU is used")
    install = engine_line(machine.platform)
    for device in machine.devices:
        memory = "memory unknown"
        if device.total_bytes is not None and device.free_bytes is not None:
            memory = f"{size(device.free_bytes)} of {size(device.total_bytes)} free"
        reached = f"used by {device.library}" if device.library else "not reached by the engine"
        seen, fix, grade = f"{device.name}, {memory}, {reached}", "", _grade(device)
        if device.state != "ready":
            seen = f"{device.name}: {STATES_SAID[device.state]}"
        if grade == "warn":
            about = (note.fix for note in machine.notes if note.about in {device.vendor, "engine"})
            fix = next((line for line in about if line), "" if machine.engines else install)
        yield Check("gpu", device.label, grade, seen, fix)


def _grade(device: Device) -> State:
    if device.state in {"parent", "hidden"}:
        return "info"
    if device.state == "ready" and not device.library:
        return "info" if device.kind == "integrated" else "warn"
    return "ok" if device.state == "ready" else "warn"


def _memory(machine: Machine) -> Iterator[Check]:
    memory = machine.memory
    room = main_room(machine, Limits())
    if memory.headroom_bytes is None or room is None:
        yield Check("memory", "headroom", "unknown", "free memory could not be read")
        return
    low = room.budget_bytes < HEADROOM_WARN_BYTES
    seen = f"{size(room.budget_bytes)} for models ({room.said})"
    fix = "close programs, or take a model below 1B parameters" if low else ""
    if low and memory.limit_bytes is not None:
        fix = f"raise the limit (MemoryMax= of a unit, --memory of a container); or {fix}"
    yield Check("memory", "headroom", "warn" if low else "ok", seen, fix)
    if memory.limit_bytes is not None:
        where = memory.sources.get("limit_bytes", "")
        seen = f"a group limits this process to {size(memory.limit_bytes)} ({where})"
        yield Check("memory", "limit", "info", seen)


def _node(seen: Seen) -> Iterator[Check]:
    if seen.home_error:
        yield Check("node", "home", "fail", seen.home_error, seen.home_hint)
        return
    yield Check("node", "home", "ok", f"{seen.home} can be written")
    if seen.socket_error is None:
        yield Check("node", "socket", "unknown", "no local socket could be tried")
    elif seen.socket_error:
        fix = "set SWARM_HOME to a short folder on a local disk, such as ~/.swarm"
        yield Check("node", "socket", "fail", f"no local socket: {seen.socket_error}", fix)
    else:
        yield Check("node", "socket", "ok", "a local socket can be bound")
    yield _least(
        ("node", "disk"), seen.disk_free_bytes, (DISK_WARN_BYTES, DISK_FAIL_BYTES),
        "free where the node keeps its state", "free some space, or set SWARM_HOME elsewhere",
    )  # fmt: skip


def _limits(seen: Seen) -> Iterator[Check]:
    count = seen.files_open_max
    if count is None:
        yield Check("limits", "open files", "unknown", "the limit could not be read")
        return
    state: State = "fail" if count < FILES_FAIL else "warn" if count < FILES_WARN else "ok"
    fix = "ulimit -n 4096; in a systemd unit: LimitNOFILE=4096" if state != "ok" else ""
    yield Check("limits", "open files", state, f"{count} files may be open", fix)


def _least(
    name: tuple[str, str], value: int | None, bounds: tuple[int, int], what: str, fix: str
) -> Check:
    if value is None:
        return Check(*name, "unknown", f"space {what} could not be read")
    warn, fail = bounds
    state: State = "fail" if value < fail else "warn" if value < warn else "ok"
    return Check(*name, state, f"{size(value)} {what}", fix if state != "ok" else "")


def _network(machine: Machine, seen: Seen) -> Iterator[Check]:
    if seen.clock_synchronised is None:
        seen_text = "whether the clock is synchronised is not told (nothing here depends on it)"
        yield Check("network", "clock", "unknown", seen_text, "timedatectl, where there is one")
    elif seen.clock_synchronised:
        yield Check("network", "clock", "ok", "the clock is synchronised")
    else:
        fix = "sudo timedatectl set-ntp true"
        yield Check("network", "clock", "warn", "the clock is not synchronised", fix)
    fix = "sudo ufw allow 5353/udp, or the like of your firewall; one node alone needs none"
    if seen.mdns_heard:
        yield Check("network", "mdns", "ok", "own announcements are heard: peers can be found")
    elif seen.mdns_heard is None and not seen.mdns_error:
        yield Check("network", "mdns", "unknown", "mDNS was not tried", fix)
    else:
        why = seen.mdns_error or "a firewall, or a network without multicast"
        yield Check("network", "mdns", "warn", f"own announcements are not heard: {why}", fix)
    yield from _local_network(machine, seen)


def _local_network(machine: Machine, seen: Seen) -> Iterator[Check]:
    if machine.platform.system != "macos":
        return
    major = digits(machine.platform.release.split(".")[0])
    if major is None or major < MACOS_LOCAL_NETWORK:
        return
    fix = "System Settings, Privacy & Security, Local Network; or run as a LaunchDaemon"
    seen_text = "macOS 15 and later may keep a launchd agent from the local network, silently"
    state: State = "warn" if seen.launchd_agent else "info"
    yield Check("network", "local network privacy", state, seen_text, fix)


_GRADES: dict[str, State] = {"info": "info", "warn": "warn", "error": "fail"}
_GROUPS = dict.fromkeys(("nvidia", "amd", "intel", "apple"), "gpu")
_GROUPS |= {"android": "phone", "detect": "system"}


def _notes(machine: Machine) -> Iterator[Check]:
    """What detection noted, under the group it belongs to."""
    for note in machine.notes:
        yield _from_note(note)


def _from_note(note: Note) -> Check:
    group = _GROUPS.get(note.about, note.about)
    return Check(group, note.about, _GRADES[note.grade], note.seen, note.fix)
