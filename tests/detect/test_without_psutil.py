"""psutil is optional: it may be missing, and on Android it raises while it is imported."""

import sys
from pathlib import Path

import pytest

from detect import process
from detect.probes import memory

REFUSALS = {
    "missing": "raise ModuleNotFoundError('psutil')",
    "android": "raise NotImplementedError('platform android is not supported')",
}


@pytest.fixture(params=REFUSALS.values(), ids=REFUSALS.keys())
def _no_psutil(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "psutil.py").write_text(request.param)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "psutil", raising=False)


@pytest.mark.usefixtures("_no_psutil")
def test_the_probe_brings_nothing() -> None:
    assert memory.probe() == {}


@pytest.mark.usefixtures("_no_psutil")
def test_a_process_without_proc_does_not_know_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "Path", lambda _: Path("/nonexistent"))
    assert process.resident_bytes() is None
