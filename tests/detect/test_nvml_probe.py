"""The real pynvml, in its probe's own process, driven through a library compiled here."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from detect import probing
from detect.facts import Device, Note
from detect.host import RecordedHost
from detect.nvidia import GPU_IS_LOST, Nvml, read_nvidia
from detect.pci import PciCard
from detect.probing import parse_answer
from detect.record import Probed, Record

GIB = 1 << 30
CARDS = (PciCard("0000:01:00.0", "nvidia", 0), PciCard("0000:02:00.0", "nvidia", 1))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds libnvidia-ml.so.1."""
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).parent / "fake_nvml.c"
    target = folder / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", target, source], check=True)
    return folder


def probed(library: Path, behaviour: str) -> Probed:
    env = {**os.environ, "LD_LIBRARY_PATH": str(library), "FAKE_NVML": behaviour}
    command = [sys.executable, "-m", "detect.probe", "nvml"]
    done = subprocess.run(command, env=env, capture_output=True, check=True, timeout=60)
    return parse_answer(done.stdout)


def asked(library: Path, behaviour: str) -> Nvml:
    return msgspec.convert(probed(library, behaviour).value, Nvml)


def facts(library: Path, behaviour: str) -> tuple[tuple[Device, ...], tuple[Note, ...]]:
    host = RecordedHost(Record(probes={"nvml": probed(library, behaviour)}))
    return read_nvidia(host, CARDS)


def test_two_gpus_come_with_version_two_memory(library: Path) -> None:
    nvml = asked(library, "two")
    assert nvml.driver == "570.86"
    assert [gpu.memory.free for gpu in nvml.devices] == [46 * GIB, 46 * GIB]
    assert len({gpu.uuid for gpu in nvml.devices}) == 2


def test_an_old_driver_is_asked_for_version_one_memory(library: Path) -> None:
    assert [gpu.memory.free for gpu in asked(library, "old").devices] == [47 * GIB, 47 * GIB]


@pytest.mark.parametrize(
    ("behaviour", "number"), [("not-loaded", 9), ("mismatch", 18), ("denied", 4)]
)
def test_a_refusal_to_start_is_a_number(library: Path, behaviour: str, number: int) -> None:
    assert asked(library, behaviour).init == number


def test_without_the_library_the_answer_says_so(tmp_path: Path) -> None:
    assert asked(tmp_path, "two").init == 12


@pytest.mark.parametrize(
    ("behaviour", "timeout_s", "error"), [("hang", 1.0, "timeout"), ("crash", 60.0, "crashed")]
)
def test_a_driver_that_hangs_or_crashes_becomes_a_note(
    library: Path, behaviour: str, timeout_s: float, error: str
) -> None:
    env = {"LD_LIBRARY_PATH": str(library), "FAKE_NVML": behaviour}
    got = probing.run("nvml", "/", timeout_s, env)
    assert got.error == error
    devices, (note,) = read_nvidia(RecordedHost(Record(probes={"nvml": got})), CARDS)
    assert {device.state for device in devices} == {"failed"}
    assert error in note.seen
    assert note.fix


def test_no_devices_is_an_answer(library: Path) -> None:
    assert asked(library, "none").devices == ()


def test_mig_slices_are_listed_and_empty_places_skipped(library: Path) -> None:
    first, second = asked(library, "mig").devices
    assert len(first.slices) == 2
    assert not second.mig


def test_the_parent_of_slices_is_not_planned_on(library: Path) -> None:
    devices, _ = facts(library, "mig")
    assert [(d.kind, d.state) for d in devices] == [
        ("discrete", "parent"),
        ("mig", "ready"),
        ("mig", "ready"),
        ("discrete", "ready"),
    ]


def test_unified_memory_is_known_by_its_refusal(library: Path) -> None:
    (device,), _ = facts(library, "unified")
    assert device.unified
    assert device.total_bytes is None
    assert device.state == "ready"


def test_a_lost_card_does_not_look_like_free_memory(library: Path) -> None:
    (lost, other), notes = facts(library, "lost")
    assert (lost.state, lost.free_bytes) == ("lost", None)
    assert other.state == "ready"
    assert any("fell off the bus" in note.seen for note in notes)
    assert asked(library, "lost").devices[0].memory.error == GPU_IS_LOST


def test_a_device_knows_its_numa_node_from_the_bus(library: Path) -> None:
    devices, _ = facts(library, "two")
    assert [device.numa_node for device in devices] == [0, 1]
