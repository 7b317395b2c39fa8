"""Records: what leaves the machine is redacted, and a replay gives the same facts."""

from pathlib import Path

import msgspec
import pytest

from detect.host import LiveHost, RecordedHost, RecordingHost
from detect.machine import detect, load_recorded, read_files, record
from detect.record import Probed, Record, dump, load, merge, redact


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
    ],
)
def test_what_names_a_person_or_a_part_is_taken_out(text: str, gone: str) -> None:
    assert gone not in redact(text)


def test_devices_stay_distinct_after_redaction() -> None:
    one, two = (f"GPU-1234567{at}-1111-2222-3333-44444444444{at}" for at in (1, 2))
    assert redact(one) != redact(two)


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
    found = detect(RecordedHost(load_recorded(tmp_path)))
    assert found.memory.headroom_bytes == 4096 * 1024


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[]")
    with pytest.raises(msgspec.ValidationError):
        load_recorded(path)
    with pytest.raises(FileNotFoundError):
        load_recorded(tmp_path / "missing")
