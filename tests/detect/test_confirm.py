"""The exact step: a planned worker laid out by llama.cpp itself."""

from pathlib import Path

import msgspec

from detect import gguf, model
from detect.confirm import confirm, corrected, load_of
from detect.host import RecordedHost
from detect.machine import detect
from detect.placement import Limits, plan
from detect.simulated import Simulated
from tests.detect import machine_files, shapes
from tests.detect.models import MODELS

HERE = detect(RecordedHost(machine_files.record("raspberry_pi5")))
DIMS = shapes.Dims("qwen3", layers=8, width=1024, heads=8, heads_kv=4, head=128, wide=3072)


def test_a_planned_worker_is_confirmed_within_five_percent(tmp_path: Path) -> None:
    known = model.from_header(gguf.read(shapes.write(tmp_path, DIMS)))
    (worker,) = plan(HERE, known, Limits(context_tokens=2048)).workers
    got = confirm(HERE, known, worker)
    assert got.fits
    assert got.notes == ()
    before, after = worker.sums[0].total_bytes, got.worker.sums[0].total_bytes
    assert abs(after - before) < 0.05 * before


def test_a_model_that_llama_cpp_refuses_is_told_before_any_load(tmp_path: Path) -> None:
    odd = msgspec.structs.replace(DIMS, arch="no-such-family")
    known = model.from_header(gguf.read(shapes.write(tmp_path, odd)))
    (worker,) = plan(HERE, known).workers
    got = confirm(HERE, known, worker)
    assert not got.fits
    assert "refuses the model" in got.error


def test_a_larger_layout_no_longer_fits() -> None:
    machine = detect(RecordedHost(machine_files.record("nvidia_rtx4090")))
    (worker,) = plan(machine, MODELS["4b"]).workers
    told = Simulated(
        MODELS["4b"].weight_bytes, worker.sums[0].cache_bytes, 0, 0, {"CUDA0": 30 << 30}
    )
    got = corrected(machine, MODELS["4b"], worker, told)
    assert not got.fits
    assert got.worker.sums[0].compute_bytes == 30 << 30


def test_a_cache_that_the_tables_do_not_know_is_counted_and_told() -> None:
    (worker,) = plan(HERE, MODELS["0.6b"]).workers
    told = Simulated(MODELS["0.6b"].weight_bytes, 5 << 30, 0, 0, {"CPU": 1 << 20})
    got = corrected(HERE, MODELS["0.6b"], worker, told)
    assert got.worker.sums[0].cache_bytes == 5 << 30
    assert any("were expected" in note for note in got.notes)


def test_the_request_is_the_planned_worker() -> None:
    (worker,) = plan(HERE, MODELS["0.6b"]).workers
    load = load_of(worker)
    assert load.sequences == worker.slots + 1
    assert load.cells == load.sequences * worker.context_tokens
    assert not load.flash
