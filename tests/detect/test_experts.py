"""A mixture's experts stay in main memory, by llama.cpp's own account."""

import ctypes
from pathlib import Path

import llama_cpp
import msgspec

from benchmarks import shapes
from detect import experts, gguf, model
from detect.confirm import confirm, load_of
from detect.host import RecordedHost
from detect.machine import detect
from detect.placement import Limits, plan
from detect.placement.asked import limits_of
from detect.settings import Settings
from tests.detect import machine_files
from tests.detect.models import MODELS

DIMS = shapes.Dims("qwen3moe", layers=5, experts=8)


def loading_lines(path: Path, *, keep: bool) -> list[str]:
    """What llama.cpp says, in detail, of a load that takes no memory."""
    lines: list[str] = []

    def heard(_level: int, text: bytes, _data: object) -> None:
        lines.append(text.decode("utf-8", "replace"))

    callback = llama_cpp.llama_log_callback(heard)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    params = llama_cpp.llama_model_default_params()
    params.no_alloc = True
    params.load_mode = llama_cpp.llama_cpp.LLAMA_LOAD_MODE_NONE
    kept = experts.keep(params) if keep else None
    handle = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    assert handle
    llama_cpp.llama_model_free(handle)
    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    _KEPT.append(quiet)
    del kept
    return lines


_KEPT: list[object] = []  # the library holds only the callback's address


def test_llama_cpp_puts_every_expert_into_main_memory_and_nothing_else(tmp_path: Path) -> None:
    path = shapes.write(tmp_path, DIMS)
    moved = [line for line in loading_lines(path, keep=True) if "overridden to CPU" in line]
    assert len(moved) == 3 * DIMS.layers
    assert all("_exps." in line for line in moved)
    assert not [line for line in loading_lines(path, keep=False) if "overridden" in line]


def test_the_pattern_names_what_placement_counts_as_experts(tmp_path: Path) -> None:
    header = gguf.read(shapes.write(tmp_path, DIMS))
    named = sum(t.size_bytes for t in header.tensors if experts.PATTERN.decode()[:-2] in t.name)
    counted = model.from_header(header)
    assert named == sum(layer.expert_bytes for layer in counted.layers) > 0


def test_a_mixture_that_is_too_large_for_the_card_keeps_its_experts_beside_it() -> None:
    machine = detect(RecordedHost(machine_files.record("nvidia_moe_experts")))
    (worker,) = plan(machine, MODELS["30b-a3b"], limits_of(Settings())).workers
    assert worker.experts_in_main_memory
    assert load_of(worker).experts_in_main_memory


def test_a_plan_with_experts_beside_is_laid_out_by_llama_cpp(tmp_path: Path) -> None:
    known = model.from_header(gguf.read(shapes.write(tmp_path, DIMS)))
    here = detect(RecordedHost(machine_files.record("raspberry_pi5")))
    (worker,) = plan(here, known, Limits()).workers
    beside = msgspec.structs.replace(worker, experts_in_main_memory=True)
    got = confirm(here, known, beside)
    assert got.error == ""
    assert got.worker.sums[0].weight_bytes == known.weight_bytes


def test_a_context_that_fits_beside_the_experts_is_not_made_smaller() -> None:
    machine = detect(RecordedHost(machine_files.record("nvidia_moe_experts")))
    got = plan(machine, MODELS["30b-a3b"], limits_of(Settings()))
    assert [worker.context_tokens for worker in got.workers] == [4096]
    assert not any("made smaller" in reason for reason in got.reasons)
