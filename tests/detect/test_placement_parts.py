"""The pieces of placement: splits, slots by gain, stepping down, reading back."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.facts import Device, Machine
from detect.host import RecordedHost
from detect.machine import detect
from detect.model import Model
from detect.placement import Limits, PlannedWorker, attempts, engines, plan, readback
from detect.placement.budget import Room
from detect.placement.retry import RETRIES_MAX, ending, step_down
from detect.placement.slots import enough_slots
from tests.detect import machine_files
from tests.detect.models import MODELS
from worker.engines.llamacpp import opened
from worker.engines.llamacpp.threads import SMALL_PARAMETERS

GIB = 1 << 30


def rooms(*gib: float) -> list[Room]:
    return [
        Room(f"CUDA{at}", int(size * GIB), "", Device(f"g{at}", "nvidia", "X", "discrete", "ready"))
        for at, size in enumerate(gib)
    ]


def load_of(model: Model, slots: int = 8, context: int = 4096) -> engines.Load:
    return engines.llamacpp(model, slots, context, gpu=True)


def upstream_counts(layers: int, shares: tuple[float, ...]) -> list[int]:
    """llama_model_base::load_tensors: upper_bound of i / layers in the cumulated shares."""
    ends, whole = [], 0.0
    for share in shares:
        whole += share
        ends.append(whole)
    counts = [0] * len(shares)
    for at in range(layers):
        counts[sum(end / whole <= at / layers for end in ends)] += 1
    return counts


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.floats(4, 80), min_size=2, max_size=6))
def test_layer_counts_given_as_shares_come_out_as_they_went_in(sizes: list[float]) -> None:
    model = MODELS["32b"]
    counts, _ = attempts.split(model, load_of(model), rooms(*sizes))
    assert sum(counts) == model.offloadable
    used = tuple(float(count) for count in counts if count)
    assert upstream_counts(model.offloadable, used) == [int(count) for count in used]


def test_a_split_fills_devices_evenly() -> None:
    model = MODELS["70b"]
    _, sums = attempts.split(model, load_of(model, 4, 2048), rooms(30, 30))
    left, right = (row.total_bytes / row.budget_bytes for row in sums)
    assert abs(left - right) < 0.05


def test_given_shares_are_divided_as_llama_cpp_divides_them() -> None:
    model = MODELS["4b"]
    counts, _ = attempts.split(model, load_of(model), rooms(24, 24), (3.0, 1.0))
    assert list(counts) == upstream_counts(model.offloadable, (3.0, 1.0))


def test_more_layers_on_the_gpu_leave_less_beside_it() -> None:
    model, (room,), main = MODELS["8b"], rooms(24), Room("main memory", 64 * GIB, "")
    rows = [
        (
            attempts.on_device(model, load_of(model), room, layers).total_bytes,
            attempts.beside(model, load_of(model), main, layers).total_bytes,
        )
        for layers in range(1, model.offloadable + 1)
    ]
    assert [here for here, _ in rows] == sorted(here for here, _ in rows)
    assert [there for _, there in rows] == sorted((there for _, there in rows), reverse=True)


@pytest.mark.parametrize(
    ("gains", "slots"),
    [
        ({}, 8),
        ({1: 1.0}, 8),
        ({1: 1.0, 2: 1.8, 4: 3.2, 8: 3.4}, 4),
        ({1: 1.0, 8: 3.0}, 8),
        ({1: 1.0, 2: 1.05, 8: 1.0}, 1),
        ({1: 1.0, 2: 1.05}, 8),
    ],
)
def test_slots_that_were_measured_to_bring_nothing_are_not_needed(
    gains: dict[int, float], slots: int
) -> None:
    assert enough_slots(gains, 8) == slots


def little(headroom_bytes: int) -> Machine:
    machine = detect(RecordedHost(machine_files.record("raspberry_pi5")))
    memory = msgspec.structs.replace(machine.memory, headroom_bytes=headroom_bytes)
    return msgspec.structs.replace(machine, memory=memory)


def test_with_room_for_all_slots_a_small_gain_takes_none() -> None:
    gains = {"main memory": {1: 1.0, 2: 1.3, 8: 1.31}}
    got = plan(little(64 * GIB), MODELS["0.6b"], Limits(gains=gains))
    assert got.workers[0].slots == 8
    assert any("measured: 1.3 times the tokens/s of one" in reason for reason in got.reasons)


def test_when_memory_is_short_slots_that_bring_nothing_go_before_the_context() -> None:
    machine, model = little(4 * GIB), MODELS["0.6b"]
    flat = {"main memory": {1: 1.0, 2: 1.3, 8: 1.31}}
    steep = {"main memory": {1: 1.0, 2: 1.9, 8: 5.0}}
    few = plan(machine, model, Limits(gains=flat)).workers[0]
    assert few.context_tokens == 4096
    assert 2 <= few.slots < 8
    many = plan(machine, model, Limits(gains=steep)).workers[0]
    assert (many.slots, many.context_tokens < 4096) == (8, True)
    reasons = plan(machine, model, Limits(gains=flat)).reasons
    assert any("more were measured to be hardly faster" in reason for reason in reasons)


def test_on_a_small_machine_few_prompts_are_kept_so_that_the_model_fits() -> None:
    got = plan(little(2 * GIB), MODELS["0.6b"])
    assert got.workers[0].prefix_bytes == int(2 * GIB * 0.8) // 8
    assert plan(little(64 * GIB), MODELS["0.6b"]).workers[0].prefix_bytes == engines.PREFIX_BYTES


def test_slots_that_the_user_set_stay() -> None:
    flat = {"main memory": {1: 1.0, 2: 1.3, 8: 1.31}}
    got = plan(little(4 * GIB), MODELS["0.6b"], Limits(gains=flat, slots=8))
    assert got.workers[0].slots == 8


def test_the_engine_chooses_chunks_and_threads_as_placement_believes() -> None:
    for parameters in (1, 869_504, 10**8, 6 * 10**8, 4 * 10**9, 7 * 10**10):
        for gpu in (False, True):
            assert engines.chunk_tokens(parameters, gpu=gpu) == opened._chunk(parameters, gpu)
    assert engines.SMALL_PARAMETERS == SMALL_PARAMETERS


def planned(**more: object) -> PlannedWorker:
    told: dict[str, object] = {
        "engine": "llamacpp", "model": "m.gguf", "slots": 8, "context_tokens": 4096,
        "cells": 9 * 4096, "streams": 9, "gpu_layers": -1, "devices": ("g",),
    }  # fmt: skip
    return PlannedWorker(**{**told, **more})  # type: ignore[arg-type]


def test_out_of_memory_steps_down_three_times_and_each_is_told() -> None:
    worker, told = planned(env={"CUDA_VISIBLE_DEVICES": "GPU-a"}), []
    for attempt in range(1, RETRIES_MAX + 1):
        step = step_down(worker, attempt, 37)
        assert step is not None
        worker, said = step
        told.append(said)
    assert told == [
        "context 2048 instead of 4096 tokens",
        "33 of 37 layers on the GPU instead of 37",
        "the CPU instead of the GPU",
    ]
    assert worker.gpu_layers == 0
    assert worker.env == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert step_down(worker, RETRIES_MAX + 1, 37) is None


def test_on_a_cpu_slots_are_given_up() -> None:
    step = step_down(planned(gpu_layers=0, devices=(), context_tokens=2048), 1, 37)
    assert step is not None
    assert step[0].slots == 4
    last = planned(gpu_layers=0, devices=(), context_tokens=2048, slots=1)
    assert step_down(last, 1, 37) is None


def test_mlx_gives_up_slots_and_no_layers_since_all_memory_is_one() -> None:
    worker, told = planned(engine="mlx", context_tokens=4096, slots=8), []
    for attempt in range(1, RETRIES_MAX + 1):
        step = step_down(worker, attempt, 37)
        assert step is not None
        worker, said = step
        told.append(said)
    assert told == ["context 2048 instead of 4096 tokens", "4 slots instead of 8",
                    "2 slots instead of 4"]  # fmt: skip
    assert worker.gpu_layers == -1


def test_an_mlx_worker_holds_a_row_for_each_slot_and_one_more_prompt() -> None:
    one = engines.mlx(MODELS["4b-mlx"], 8, 4096, gpu=True)
    assert (one.streams, one.batch_tokens, one.cells) == (9, 256, 9 * 4096)


@pytest.mark.parametrize(
    ("parameters", "gpu", "quantised", "tokens"),
    [
        (600_000_000, True, True, 512),
        (4_000_000_000, True, True, 128),
        (70_000_000_000, True, True, 64),
        (870_000, False, False, 256),
        (150_000_000, False, False, 4),
        (150_000_000, False, True, 1),
    ],
)
def test_mlx_computes_no_more_of_a_prompt_at_once_than_takes_a_moment(
    parameters: int, gpu: bool, quantised: bool, tokens: int
) -> None:
    assert engines.mlx_chunk_tokens(parameters, gpu=gpu, quantised=quantised) == tokens


def test_a_kill_that_the_kernel_counted_is_named() -> None:
    assert "oom_kill" in ending(0, 1, 9)
    assert ending(1, 1, 9) == "ended by signal 9"
    assert "perhaps" in ending(None, None, 9)
    assert ending(None, None, 15) == "ended by signal 15"


LOG = """load_tensors: offloaded 37/37 layers to GPU
load_tensors:   CPU_Mapped model buffer size =   304.28 MiB
load_tensors:        CUDA0 model buffer size =  2375.85 MiB
llama_kv_cache:      CUDA0 KV buffer size =   576.00 MiB
llama_context:  CUDA_Host  output buffer size =     0.58 MiB
sched_reserve:      CUDA0 compute buffer size =   301.75 MiB
"""


def test_the_load_log_says_where_the_model_is() -> None:
    loaded = readback.parse(LOG)
    assert (loaded.layers, loaded.offloadable) == (37, 37)
    assert loaded.on_devices() == round((2375.85 + 576 + 301.75) * (1 << 20))


def machine_with(library: str) -> Machine:
    found = detect(RecordedHost(machine_files.record("nvidia_cpu_build")))
    devices = tuple(msgspec.structs.replace(d, library=library) for d in found.devices)
    return msgspec.structs.replace(found, devices=devices)


def test_a_gpu_that_is_here_and_not_used_is_a_loud_warning_with_the_line() -> None:
    (note,) = readback.judge(machine_with("").devices, planned(gpu_layers=0), readback.Loaded())
    assert "RTX 4070 is here and not used" in note.seen
    assert "GGML_CUDA=on" in note.fix


def test_planned_layers_that_did_not_arrive_are_told() -> None:
    cuda = machine_with("CUDA").devices
    (none,) = readback.judge(cuda, planned(), readback.Loaded(0, 37))
    (some,) = readback.judge(cuda, planned(), readback.Loaded(20, 37))
    assert none.grade == "error"
    assert "20 of 37" in some.seen
    assert readback.judge(cuda, planned(), readback.parse(LOG)) == ()


def test_a_measured_size_is_believed_next_time() -> None:
    machine = detect(RecordedHost(machine_files.record("nvidia_rtx4090")))
    model = MODELS["8b"]
    name = readback.key(model, load_of(model), "NVIDIA GeForce RTX 4090")
    known = readback.remember({}, name, 23 * GIB)
    got = plan(machine, model, Limits(measured=known))
    assert any("measured before" in one.why for one in got.refused)
    assert got.workers[0].context_tokens < 4096


def test_only_so_many_sizes_are_remembered() -> None:
    known: dict[str, int] = {}
    for at in range(readback.REMEMBERED_MAX + 5):
        known = readback.remember(known, f"k{at}", at)
    assert len(known) == readback.REMEMBERED_MAX
    assert "k0" not in known


def test_a_tiny_model_does_not_ask_for_room_that_its_prompts_cannot_fill() -> None:
    small, large = MODELS["0.6b"], MODELS["4b"]
    tiny = msgspec.structs.replace(small, layers=small.layers[:1], vocab=64)
    loads = [engines.llamacpp(one, 8, 256, gpu=False) for one in (tiny, large)]
    assert engines.prefix_bytes(tiny, loads[0]) < 80 * (1 << 20)
    assert engines.prefix_bytes(large, loads[1]) == engines.PREFIX_BYTES


def test_workers_on_several_cards_share_the_main_memory_that_each_takes_beside_its_card() -> None:
    here = detect(RecordedHost(machine_files.record("nvidia_two_3090")))
    memory = msgspec.structs.replace(here.memory, headroom_bytes=2 * GIB)
    here = msgspec.structs.replace(here, memory=memory)
    got = plan(here, MODELS["4b"])
    assert len(got.workers) == 1
    assert any("1 of 2 devices used: a worker also takes weights" in one for one in got.reasons)
    (no, *_) = plan(here, MODELS["4b"], Limits(workers=2, gpu_layers="all")).refused
    assert no.what == "2 workers beside their devices"
    assert no.need_bytes > no.have_bytes
