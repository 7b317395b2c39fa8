"""A planned worker: loaded as planned or smaller, and where the model went is told."""

import os

import msgspec
import pytest

from detect import home, loads
from detect.facts import Device
from detect.placement.handed import Placement
from detect.placement.result import PlannedWorker, Sum
from worker import placed
from worker.engine import Request
from worker.engines import ABACUS, ABACUS_FOLDER, EngineOptions, LoadError, load

HUGE = 1 << 24
"""Tokens of a context whose cache no machine holds: 9 streams of it take 80 TiB."""

CARD = Device(id="g", vendor="nvidia", name="GeForce Any", kind="discrete", state="ready")


def placement(**more: object) -> Placement:
    told: dict[str, object] = {
        "engine": "llamacpp", "model": str(ABACUS), "slots": 4, "context_tokens": 512,
        "cells": 5 * 512, "streams": 5, "batch_tokens": 256,
        "sums": (Sum("main memory", process_bytes=1 << 20),),
    }  # fmt: skip
    return Placement(PlannedWorker(**{**told, **more}), 5, "abacus|f16|1")  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def a_home(tmp_path, monkeypatch):
    monkeypatch.setenv("SWARM_HOME", str(tmp_path))
    return home.find()


def test_what_fits_is_loaded_as_planned_and_says_where_it_is() -> None:
    engine, notes = placed.load_placed(placement())
    facts = engine.facts
    engine.close()
    assert (facts.slots, facts.context_tokens) == (4, 512)
    assert len(notes) == 2
    assert "MiB on main memory" in notes[0]
    assert notes[1].startswith("measured at load: ")
    assert "tokens/s with 4 sequences" in notes[1]


def test_the_real_size_is_remembered_for_the_next_plan(a_home) -> None:
    engine, _ = placed.load_placed(placement())
    engine.close()
    ((name, total),) = loads.known(a_home).sizes.items()
    assert name == "abacus|f16|1|4x512:f16:256|main memory"
    assert 2 << 20 < total < 20 << 20


def test_what_several_sequences_gain_is_measured_and_remembered(a_home) -> None:
    engine, _ = placed.load_placed(placement())
    assert set(engine.facts.tokens_per_s) >= {1, 2, 4}
    engine.close()
    ((name, gains),) = loads.known(a_home).gains.items()
    assert name == "abacus|f16|1|main memory"
    assert gains[1] == (1.0,)
    assert all(gain > 0 for (gain,) in gains.values())


def test_out_of_memory_steps_down_and_each_step_is_told() -> None:
    wanted = placement(context_tokens=HUGE, cells=5 * HUGE)
    engine, notes = placed.load_placed(wanted)
    facts = engine.facts
    engine.close()
    assert facts.context_tokens == 2048
    assert f"context 2048 instead of {HUGE} tokens" in notes[0]
    assert notes[0].startswith("out of memory at load")


def test_steps_from_before_a_restart_count() -> None:
    spent = msgspec.structs.replace(
        placement(context_tokens=HUGE, cells=5 * HUGE), steps=("one", "two", "three")
    )
    with pytest.raises(LoadError) as caught:
        placed.load_placed(spent)
    assert "tried before: one; two; three" in caught.value.because


def test_a_missing_file_is_not_taken_for_a_lack_of_memory() -> None:
    with pytest.raises(LoadError) as caught:
        placed.load_placed(placement(model="nowhere/missing.gguf"))
    assert "cannot read" in caught.value.seen


def test_a_gpu_that_is_here_and_not_used_is_told_with_the_line() -> None:
    engine, notes = placed.load_placed(msgspec.structs.replace(placement(), ready=(CARD,)))
    engine.close()
    assert notes[0].startswith("WARN: GeForce Any is here and not used")
    assert "GGML_CUDA=on" in notes[0]


def test_a_planned_worker_answers_as_one_with_the_same_flags(run, question) -> None:
    planned, _ = placed.load_placed(placement())
    flagged = load("auto", "abacus", 4, EngineOptions(context_tokens=512, threads=1))
    asked = [Request(prompt=question, seed=seed, max_tokens=40) for seed in range(4)]
    texts = [[one.text for one in run(engine).all(asked)] for engine in (planned, flagged)]
    planned.close()
    flagged.close()
    assert texts[0] == texts[1]


MLX = {"engine": "mlx", "model": str(ABACUS_FOLDER), "wired_limit_bytes": 5 << 30}


def test_an_mlx_worker_is_loaded_as_planned_and_its_size_is_remembered(a_home) -> None:
    engine, notes = placed.load_placed(placement(**MLX))
    facts = engine.facts
    engine.close()
    assert (facts.engine, facts.slots, facts.context_tokens) == ("mlx", 4, 512)
    assert "MiB on main memory" in notes[0]
    assert "tokens/s with 4 sequences" in notes[1]
    known = loads.known(a_home)
    assert set(known.gains["abacus|f16|1|main memory"]) == {1, 2, 4}
    assert 4 << 20 < known.sizes["abacus|f16|1|4x512:f16:256|main memory"] < 20 << 20


def test_an_mlx_worker_steps_down_when_memory_runs_out() -> None:
    engine, notes = placed.load_placed(placement(**MLX, context_tokens=HUGE, cells=5 * HUGE))
    engine.close()
    assert f"context 2048 instead of {HUGE} tokens" in notes[0]


def test_the_planned_wired_limit_reaches_the_engine() -> None:
    assert placed.options_of(placement(**MLX).planned).wired_limit_bytes == 5 << 30


def test_a_worker_stays_on_the_processors_it_is_given() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        placed.stay_on((min(allowed), 4096))
        assert os.sched_getaffinity(0) == {min(allowed)}
        placed.stay_on((4096,))
        assert os.sched_getaffinity(0) == {min(allowed)}
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_placement_that_cannot_be_read_says_so() -> None:
    with pytest.raises(LoadError, match="cannot be read"):
        placed.parse('{"planned": 1}')
