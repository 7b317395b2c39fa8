"""Graphics that something keeps from use: closed or missing device nodes, variables, no driver."""

import re
from typing import Any

import msgspec
import pytest

from detect.advice import install_line
from detect.doctor import Seen, examine
from detect.facts import Device, Machine
from detect.host import RecordedHost
from detect.machine import detect
from detect.record import Probed, Unread
from tests.detect import machine_files

RENDER = "/dev/dri/renderD128"
UNREACHED = {"ggml": Probed(value={"version": "1", "gpu_offload": True})}


def machine(**changed: Any) -> Machine:
    """An RX 7900 XTX with something changed in its record."""
    told = machine_files.record("amd_rx7900xtx")
    return detect(RecordedHost(msgspec.structs.replace(told, **changed)))


def files(**changed: Any) -> dict[str, Any]:
    return {**machine_files.record("amd_rx7900xtx").files, **changed}


def notes(found: Machine) -> list[tuple[str, str, str]]:
    return [(note.grade, note.seen, note.fix) for note in found.notes if note.about == "amd"]


def test_a_render_node_that_may_not_be_opened_comes_with_the_groups() -> None:
    found = machine(files=files(**{RENDER: Unread("denied")}), probes=UNREACHED)
    assert found.devices[0].state == "denied"
    ((grade, seen, fix),) = notes(found)
    assert (grade, seen) == ("error", f"{RENDER} may not be opened by this user")
    assert "usermod -aG render" in fix


def test_a_node_that_a_container_was_not_given_is_named() -> None:
    left = {path: got for path, got in files().items() if path != "/dev/kfd"}
    ((grade, seen, fix),) = notes(machine(files=left))
    assert grade == "info"
    assert seen.startswith("/dev/kfd is not here")
    assert "--device /dev/kfd" in fix


def test_a_variable_that_hides_a_card_is_named() -> None:
    ((grade, seen, _),) = notes(machine(env={"HIP_VISIBLE_DEVICES": "-1"}))
    assert (grade, seen) == ("info", "HIP_VISIBLE_DEVICES hides 1 of 1 devices")


@pytest.mark.parametrize(("vendor", "fix"), [("0x1002", "modprobe amdgpu"), ("0x8086", "VULKAN")])
def test_graphics_that_only_the_bus_shows_are_told(vendor: str, fix: str) -> None:
    folder = "/sys/bus/pci/devices/0000:05:00.0"
    told = machine_files.record("cpu_two_sockets")
    bus = {f"{folder}/vendor": vendor, f"{folder}/class": "0x030000"}
    found = detect(RecordedHost(msgspec.structs.replace(told, files={**told.files, **bus})))
    (note,) = (note for note in found.notes if note.about in {"amd", "intel"})
    assert note.grade == "info"
    assert "0000:05:00.0" in note.seen
    assert fix in note.fix
    assert any(c.group == "gpu" and c.fix == note.fix for c in examine(found, Seen()))


def test_a_card_without_any_engine_comes_with_the_line_that_installs_one() -> None:
    wrong = [c for c in examine(machine(probes={}), Seen()) if c.state == "warn"]
    assert {check.group for check in wrong} >= {"engine", "gpu"}
    assert [check for check in wrong if not check.fix] == []


@pytest.mark.parametrize("vendor", ["nvidia", "amd", "intel", "apple", "qualcomm"])
def test_the_line_that_builds_the_engine_is_one_that_every_shell_takes(vendor: Any) -> None:
    line = install_line(Device("d", vendor, "X", "discrete", "ready"))
    assert re.fullmatch(r"pip install [\w ./=-]+ -C cmake\.args=-DGGML_[A-Z]+=on", line)
