"""Probes that hang, crash and print nonsense end as values, and cost their timeout once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from detect import probe, probing
from detect.host import LiveHost, RecordedHost
from detect.machine import detect
from detect.record import Probed, Record

PRINTS = """
import os
try:
    for _ in range(200):
        os.write(1, b"x" * (1 << 20))
except OSError:
    os._exit(0)
"""


def start(code: str) -> tuple["subprocess.Popen[bytes]", probing._Output]:
    output = probing._Output()
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=output.out,
        stderr=output.err,
        start_new_session=True,
    )
    return child, output


def finish(code: str, timeout_s: float = 30.0) -> Probed:
    child, output = start(code)
    got = probing.finish(child, output, timeout_s)
    assert child.poll() is not None, "no probe outlives its judgement"
    return got


def test_an_answer_is_the_last_line() -> None:
    got = finish("print('a banner of the driver'); print('{\"a\": 1}')")
    assert got == Probed(value={"a": 1})


def test_a_probe_that_hangs_is_ended_at_its_timeout() -> None:
    got = finish("import signal; signal.pause()", timeout_s=0.2)
    assert got.error == "timeout"


def test_a_crash_names_its_signal() -> None:
    got = finish("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert got.error == "crashed"
    assert "SIGSEGV" in got.detail


def test_an_exception_keeps_its_last_words() -> None:
    got = finish("raise OSError('libcuda went away')")
    assert got.error == "crashed"
    assert "libcuda went away" in got.detail


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_probe_that_prints_without_end_does_not_fill_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pynvml.py").write_text(PRINTS)  # in place of the driver's
    monkeypatch.syspath_prepend(str(tmp_path))
    child, output = probing.start(["nvml"])
    child.wait(30)
    assert os.fstat(output.out.fileno()).st_size <= probe.PRINTED_BYTES_MAX
    assert probing.finish(child, output, 1.0).error == "garbage"


@pytest.mark.parametrize("said", ["", "hello", "[1, 2]", "{'a': 1}", "NaN"])
def test_garbage_is_named(said: str) -> None:
    assert finish(f"print({said!r})").error == "garbage"


def test_a_flood_is_refused() -> None:
    assert probing.parse_answer(b"x" * (probing.OUTPUT_BYTES_MAX + 1)).error == "garbage"


def test_a_wrong_call_of_the_probe_module_is_a_usage_error() -> None:
    assert probe.main(["no-such-probe"]) == 2


def test_probes_run_side_by_side_on_this_machine() -> None:
    answers = probing.gather(["files", "ggml"], "/", 60.0)
    assert answers["files"].value is not None
    assert answers["ggml"].value is not None
    found = detect(RecordedHost(Record(probes=answers)))
    assert found.engine("llamacpp") is not None


def test_detection_loads_no_engine_here() -> None:
    code = (
        "import sys; from detect import machine; machine.here(); "
        "print([m for m in ('llama_cpp', 'numpy', 'pynvml', 'psutil') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, check=True, text=True, timeout=60, env=dict(os.environ),
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_a_failed_files_probe_leaves_unknown_facts_and_a_note() -> None:
    found = detect(RecordedHost(Record(probes={"files": Probed(error="timeout")})))
    assert found.memory.total_bytes is None
    assert any("files" in note.seen for note in found.notes)


def test_a_live_read_says_missing_and_denied_apart(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "there").write_text("x")
    host = LiveHost(str(tmp_path))
    assert host.read("/etc/there") == "x"
    assert host.read("/etc/missing") is None
    assert not isinstance(host.read("/etc"), str)
    assert host.names("/etc") == ("there",)
    assert host.names("/missing") == ()


def test_a_command_that_is_not_there_is_none() -> None:
    assert LiveHost().run("no-such-command-of-anybody") is None
