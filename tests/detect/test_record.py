"""Records: what leaves the machine is redacted, and a replay gives the same facts."""

import os
from pathlib import Path

import msgspec
import pytest

from detect.host import LiveHost, RecordedHost, RecordingHost
from detect.machine import detect, load_recorded, read_files, record
from detect.record import Probed, Record, Unread, dump, load, merge
from detect.redact import redact
from tests.detect import machine_files


def test_a_replayed_record_gives_the_same_facts() -> None:
    seen = record()
    again = load(dump(seen))
    first, second = detect(RecordedHost(seen)), detect(RecordedHost(again))
    assert first.cpu == second.cpu
    assert first.memory == second.memory
    assert first.engines == second.engines


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Serial\t\t: 100000001234abcd", "1234abcd"),
        ("/home/ann/models/x.gguf", "ann"),
        ("/Users/ann/x", "ann"),
        ("GPU-12345678-1234-1234-1234-abcdef000000", "12345678"),
        ("link/ether 52:54:00:ab:cd:ef", "52:54"),
        ("unique_id 16501234567890", "16501234567890"),
        ("0::/lxc.payload.annsbox/init.scope", "annsbox"),
        ("0::/user.slice/app-Ann.scope", "Ann"),
    ],
)
def test_what_names_a_person_a_machine_or_a_part_is_taken_out(text: str, gone: str) -> None:
    whole = dump(Record(files={"/proc/x": text}), ("annsbox", "ann")).decode()
    assert gone not in whole
    assert gone not in redact(text, ("annsbox", "ann"))


def test_of_the_mounts_only_control_groups_are_recorded() -> None:
    groups = "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"
    share = "41 23 0:40 / /mnt/photos rw - nfs4 ourserver:/photos rw\n"
    kept = load(dump(Record(files={"/proc/self/mountinfo": share + groups})))
    assert kept.files["/proc/self/mountinfo"] == groups


def test_a_name_that_means_something_stays() -> None:
    assert redact('"sys_platform": "linux"', ("linux", "vm")) == '"sys_platform": "linux"'


def test_devices_stay_distinct_after_redaction() -> None:
    one, two = (f"GPU-1234567{at}-1111-2222-3333-444444444444" for at in (1, 2))
    first, second = redact(f"{one} {two}").split()
    assert first != second
    assert redact(f"{two} {two}").split()[0] == redact(f"{two} {two}").split()[1]


def test_a_card_named_by_the_start_of_its_uuid_is_still_that_card() -> None:
    text = "GPU-aaaa1111-1111-2222-3333-444444444444 GPU-bbbb1111-1111-2222-3333-444444444444"
    first, second, chosen, none = redact(f"{text} GPU-bbbb GPU-cc").split()
    assert chosen == second != first
    assert none not in {first, second}


def test_amds_serial_and_its_form_in_variables_stay_equal() -> None:
    text = redact(f"unique_id {0xABCDEF0123456789} ROCR_VISIBLE_DEVICES=GPU-abcdef0123456789")
    assert text == "unique_id 1 ROCR_VISIBLE_DEVICES=GPU-0000000000000001"


@pytest.mark.parametrize("name", machine_files.names())
def test_every_machine_replays_alike_from_its_redacted_record(name: str) -> None:
    seen = machine_files.record(name)
    first, again = (detect(RecordedHost(one)) for one in (seen, load(dump(seen))))
    assert [(d.name, d.state, d.library) for d in first.devices] == [
        (d.name, d.state, d.library) for d in again.devices
    ]
    assert (first.memory, first.cpu) == (again.memory, again.cpu)


def test_only_the_groups_that_open_devices_are_recorded() -> None:
    assert set(LiveHost().about.groups) <= {"render", "video"}


def test_only_known_variables_are_recorded() -> None:
    env = {"CUDA_VISIBLE_DEVICES": "0", "AWS_SECRET": "x", "HOME": "/home/ann"}
    host = RecordingHost(LiveHost(env=env))
    read_files(host)
    assert host.record().env == {"CUDA_VISIBLE_DEVICES": "0"}


def test_merging_keeps_every_part() -> None:
    left = Record(files={"/a": "1"}, probes={"x": Probed(value={})})
    right = Record(files={"/b": "2"}, probes={"y": Probed(error="timeout")})
    both = merge(left, right)
    assert set(both.files) == {"/a", "/b"}
    assert set(both.probes) == {"x", "y"}


def test_a_folder_with_copies_of_proc_is_a_machine(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 8192 kB\nMemAvailable: 4096 kB\n")
    for cpu in range(4):
        topology = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}\n")
    found = detect(RecordedHost(load_recorded(tmp_path)))
    assert found.memory.headroom_bytes == 4096 * 1024
    assert (found.cpu.logical, found.cpu.physical) == (4, 2)
    engine = found.engine("llamacpp")
    assert engine is not None
    assert engine.version == "assumed"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_copy_that_cannot_be_read_is_one_unknown_fact(tmp_path: Path) -> None:
    """A copied tree holds files that only root, or nobody, may read."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 8192 kB\nMemAvailable: 4096 kB\n")
    (tmp_path / "proc" / "mem").symlink_to("/proc/self/mem")  # refuses to be read from its start
    os.mkfifo(tmp_path / "proc" / "kmsg")
    told = load_recorded(tmp_path)
    assert told.files["/proc/mem"] == Unread("failed")
    assert "/proc/kmsg" not in told.files
    assert detect(RecordedHost(told)).memory.headroom_bytes == 4096 * 1024


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[]")
    with pytest.raises(msgspec.ValidationError):
        load_recorded(path)
    with pytest.raises(FileNotFoundError):
        load_recorded(tmp_path / "missing")
