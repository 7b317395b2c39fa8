"""The exact step: a planned worker laid out by llama.cpp itself."""

import bisect
from pathlib import Path

import msgspec

from benchmarks import shapes
from detect import gguf, model
from detect.confirm import _short, confirm, corrected, load_of, settled
from detect.facts import Machine
from detect.host import RecordedHost
from detect.machine import detect
from detect.placement import Limits, Plan, plan, readback
from detect.simulated import Simulated
from tests.detect import machine_files
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


def written(tmp_path: Path) -> model.Model:
    return model.from_header(gguf.read(shapes.write(tmp_path, DIMS)))


def with_headroom(headroom_bytes: int) -> Machine:
    memory = msgspec.structs.replace(HERE.memory, headroom_bytes=headroom_bytes)
    return msgspec.structs.replace(HERE, memory=memory)


def test_a_plan_is_settled_with_llama_cpps_own_layout(tmp_path: Path) -> None:
    got = settled(HERE, written(tmp_path), Limits(), exact=True)
    assert any("llama.cpp's own layout agrees: weights" in reason for reason in got.reasons)
    assert all(row.fits for worker in got.workers for row in worker.sums)


def _context(got: Plan) -> int:
    return got.workers[0].context_tokens if got.workers else 0


def test_a_layout_that_does_not_fit_makes_a_smaller_plan(tmp_path: Path) -> None:
    """Room for the sums to the byte, and less than llama.cpp's own layout takes."""
    known = written(tmp_path)
    for slots in range(1, 9):  # one of these is estimated below what llama.cpp takes
        fixed = Limits(slots=slots)
        (worker,) = plan(HERE, known, fixed).workers
        real = confirm(HERE, known, worker).worker.sums[0].total_bytes
        if real > worker.sums[0].total_bytes:
            break
    else:
        raise AssertionError("the estimate is above llama.cpp's for every number of slots")
    whole = worker.context_tokens
    enough = range(0, worker.sums[0].total_bytes * 2, 1 << 14)  # headrooms, the least first
    at = bisect.bisect(
        enough, 0, key=lambda room: _context(plan(with_headroom(room), known, fixed)) == whole
    )
    tight = with_headroom(enough[at])
    assert _context(plan(tight, known, fixed)) == whole
    (got,) = settled(tight, known, fixed, exact=True).workers
    assert got.context_tokens < whole
    assert got.sums[0].fits


def test_a_place_that_two_workers_share_lacks_it_twice(tmp_path: Path) -> None:
    known = written(tmp_path)
    got = plan(HERE, known, Limits(workers=2))
    large = Simulated(
        known.weight_bytes, got.workers[0].sums[0].cache_bytes, 0, 0, {"CPU": 1 << 40}
    )
    checked = corrected(HERE, known, got.workers[0], large)
    (row,) = checked.worker.sums
    lacking = _short(HERE, got.workers, 0, checked)
    assert lacking == {"host": 2 * (row.total_bytes - row.budget_bytes)}


def test_a_family_that_llama_cpp_refuses_is_planned_by_the_sums_and_said(tmp_path: Path) -> None:
    odd = msgspec.structs.replace(DIMS, arch="no-such-family")
    known = model.from_header(gguf.read(shapes.write(tmp_path, odd)))
    got = settled(HERE, known, Limits(), exact=True)
    assert got.workers
    assert any("could not lay it out beforehand" in warning for warning in got.warnings)


def test_a_size_that_was_measured_needs_no_simulation(tmp_path: Path) -> None:
    known = written(tmp_path)
    (worker,) = plan(HERE, known).workers
    name = readback.key_of(readback.identity(known), worker, "main memory")
    got = settled(HERE, known, Limits(measured={name: 1 << 30}), exact=True)
    assert got.workers[0].sums[0].total_bytes == 1 << 30
    assert not any("own layout" in reason for reason in got.reasons)


def test_a_worker_that_sees_one_card_of_two_is_told_by_the_name_that_it_has_there() -> None:
    """Pinned to CUDA1 alone, llama.cpp calls that card CUDA0."""
    machine = detect(RecordedHost(machine_files.record("nvidia_two_3090")))
    cache = plan(machine, MODELS["4b"]).workers[0].sums[0].cache_bytes
    told = Simulated(
        MODELS["4b"].weight_bytes, cache, 0, 0, {"CUDA0": 3 << 30, "CUDA_Host": 5 << 20}
    )
    for worker in plan(machine, MODELS["4b"]).workers:
        card, main = corrected(machine, MODELS["4b"], worker, told).worker.sums
        assert (card.compute_bytes, main.compute_bytes) == (3 << 30, 5 << 20)


def test_a_slice_that_the_engine_has_no_name_for_is_corrected_too() -> None:
    machine = detect(RecordedHost(machine_files.record("nvidia_a100_mig")))
    *_, worker = plan(machine, MODELS["4b"]).workers
    told = Simulated(
        MODELS["4b"].weight_bytes, worker.sums[0].cache_bytes, 0, 0, {"CUDA0": 3 << 30}
    )
    assert corrected(machine, MODELS["4b"], worker, told).worker.sums[0].compute_bytes == 3 << 30


def test_the_slice_that_lacks_room_is_the_one_that_was_laid_out() -> None:
    machine = detect(RecordedHost(machine_files.record("nvidia_a100_mig")))
    second = machine.devices[-1]
    third = msgspec.structs.replace(second, id="MIG-3", uuid="MIG-3")
    machine = msgspec.structs.replace(machine, devices=(*machine.devices, third))
    workers = plan(machine, MODELS["4b"]).workers
    at = next(at for at, worker in enumerate(workers) if worker.devices == (second.id,))
    told = Simulated(
        MODELS["4b"].weight_bytes, workers[at].sums[0].cache_bytes, 0, 0, {"CUDA0": 90 << 30}
    )
    lacking = _short(machine, workers, at, corrected(machine, MODELS["4b"], workers[at], told))
    assert list(lacking) == [second.id]


def test_cards_of_a_split_are_counted_in_the_order_in_which_the_worker_sees_them() -> None:
    machine = detect(RecordedHost(machine_files.record("nvidia_two_3090_70b")))
    large, small = machine.devices[:2]
    small = msgspec.structs.replace(small, free_bytes=20 << 30, engine_name="CUDA0")
    large = msgspec.structs.replace(large, engine_name="CUDA1")
    machine = msgspec.structs.replace(machine, devices=(small, large))
    (worker,) = plan(machine, MODELS["32b"], Limits(context_tokens=4096)).workers
    assert worker.devices == (large.id, small.id)
    cache = sum(row.cache_bytes for row in worker.sums)
    sizes = {"CUDA0": 1 << 30, "CUDA1": 2 << 30}
    told = Simulated(MODELS["32b"].weight_bytes, cache, 0, 0, sizes)
    got = corrected(machine, MODELS["32b"], worker, told).worker
    by_place = {row.place: row.compute_bytes for row in got.sums}
    assert (by_place["CUDA1"], by_place["CUDA0"]) == (1 << 30, 2 << 30)
