"""Settings that cannot be: the message names the mistake and the way out."""

from typing import Any

import msgspec
import pytest

from detect.advice import ARM_PYTHON
from detect.facts import Machine
from detect.host import RecordedHost
from detect.machine import detect
from detect.placement import Limits, Plan, plan
from tests.detect import machine_files
from tests.detect.models import MODELS

NO_MLX = "name a .gguf form of the model: MLX has no package for this system"


def machine(name: str) -> Machine:
    return detect(RecordedHost(machine_files.record(name)))


def asked(name: str, model: str = "4b", **limits: Any) -> Plan:
    return plan(machine(name), MODELS[model], Limits(**limits))


def test_two_layers_of_thirty_seven_asks_whether_gpus_were_meant() -> None:
    got = asked("nvidia_two_3090", gpu_layers=2)
    assert got.workers[0].gpu_layers == 2
    assert any("Did you mean 2 GPUs?" in warning for warning in got.warnings)
    assert any("37 offloadable layers" in warning for warning in got.warnings)


def test_more_layers_than_there_are_means_all() -> None:
    got = asked("nvidia_rtx4090", gpu_layers=99)
    assert got.workers[0].gpu_layers == -1
    assert any("has 37 offloadable layers" in warning for warning in got.warnings)


def test_layers_asked_of_a_cpu_build_give_the_install_line() -> None:
    got = asked("nvidia_cpu_build", gpu_layers="all")
    assert "this build of llama.cpp cannot use NVIDIA GeForce RTX 4070" in got.error
    assert "-DGGML_CUDA=on" in got.hint


def test_layers_asked_of_an_intel_mac_say_that_macos_has_no_cuda() -> None:
    assert "macOS has Metal, not CUDA" in asked("apple_intel_mac", gpu_layers=20).error


def test_layers_asked_where_there_is_no_gpu() -> None:
    assert "no GPU that can be used" in asked("raspberry_pi5", gpu_layers=20).error


def test_a_split_without_any_gpu_is_not_told_to_give_none() -> None:
    got = asked("no_engine", tensor_split=(3.0, 1.0))
    assert "no GPU that can be used" in got.error
    assert got.hint.startswith("leave it out")


def test_a_split_of_the_wrong_length_lists_the_devices() -> None:
    got = asked("nvidia_two_3090", tensor_split=(1.0, 1.0, 1.0))
    assert "3 shares for 2 devices: CUDA0 NVIDIA GeForce RTX 3090, CUDA1" in got.error


@pytest.mark.parametrize("shares", [(0.0, 0.0), (-1.0, 2.0)])
def test_shares_are_positive(shares: tuple[float, ...]) -> None:
    assert "shares are 0 or more" in asked("nvidia_two_3090", tensor_split=shares).error


@pytest.mark.parametrize(
    "limits",
    [{"workers": 0}, {"slots": -1}, {"context_tokens": 0}, {"gpu_layers": -7}],
)
def test_numbers_below_sense_are_refused_with_a_hint(limits: dict[str, Any]) -> None:
    got = asked("nvidia_rtx4090", **limits)
    assert got.fault == "usage"
    assert got.hint


def test_a_context_beyond_training_is_refused() -> None:
    assert "trained for 32768" in asked("nvidia_rtx4090", context_tokens=40_000).error


def test_the_wrong_engine_for_the_form_is_named() -> None:
    assert "GGUF form" in asked("nvidia_rtx4090", engine="mlx").error


def test_layers_that_do_not_fit_are_refused_with_the_sum() -> None:
    got = asked("nvidia_gtx1650", "8b", gpu_layers=30)
    assert got.fault == "room"
    assert got.refused[-1].need_bytes > got.refused[-1].have_bytes


def test_a_given_number_of_layers_is_taken_when_it_fits() -> None:
    got = asked("nvidia_rtx4090", gpu_layers=20)
    assert got.workers[0].gpu_layers == 20


def test_no_layers_means_the_cpu_though_a_gpu_is_there() -> None:
    assert asked("nvidia_rtx4090", gpu_layers=0).workers[0].devices == ()


def test_one_worker_is_put_on_the_fullest_device_that_holds_it() -> None:
    got = asked("nvidia_unequal", "0.6b", workers=1)
    assert [w.devices for w in got.workers] == [("GPU-00000002-1111-2222-3333-444444444444",)]


def test_more_workers_than_devices_hold_the_weights_several_times() -> None:
    got = asked("nvidia_two_3090", "0.6b", workers=4)
    assert len(got.workers) == 4
    assert any("held 4 times" in reason for reason in got.reasons)


def test_without_seed_variation_each_worker_has_one_slot() -> None:
    got = asked("nvidia_two_3090", seed_variation=False, slots=8)
    assert {worker.slots for worker in got.workers} == {1}
    assert any("--slots 8 is left out" in warning for warning in got.warnings)


def test_an_integrated_gpu_is_used_when_asked_for() -> None:
    got = asked("amd_apu_780m", integrated=True)
    assert got.workers[0].gpu_layers == -1


def test_promised_memory_is_not_promised_twice() -> None:
    free = asked("nvidia_rtx4090", "8b")
    taken = {free.workers[0].devices[0]: 15 << 30}
    assert asked("nvidia_rtx4090", "8b", promised=taken).workers[0].gpu_layers != -1 or (
        asked("nvidia_rtx4090", "8b", promised=taken).workers[0].context_tokens
        < free.workers[0].context_tokens
    )


def test_a_quantised_cache_is_used_where_the_engine_can() -> None:
    limits = {"context_tokens": 4096, "slots": 8}
    plain = asked("nvidia_3060_tight", "14b", **limits)
    packed = asked("nvidia_3060_tight", "14b", quantised_cache=True, **limits)
    assert plain.workers == () or plain.workers[0].gpu_layers > 0
    assert {worker.kv_type for worker in packed.workers} <= {"f16", "q8_0"}


def test_more_workers_than_main_memory_holds_are_refused_with_the_share_of_each() -> None:
    got = asked("raspberry_pi5", "0.6b", workers=60)
    assert got.fault == "room"
    assert "each of 60 workers on the CPU" in got.error
    assert got.hint.startswith("fewer --workers")
    (cpu,) = [one for one in got.refused if one.need_bytes]
    assert cpu.need_bytes > cpu.have_bytes


def test_several_workers_of_mlx_share_one_memory() -> None:
    got = asked("apple_m4max_128", "4b-mlx", workers=3)
    assert (
        sum(one.sums[0].total_bytes for one in got.workers)
        <= 3 * got.workers[0].sums[0].budget_bytes
    )
    assert any("held 3 times" in reason for reason in got.reasons)
    refused = asked("apple_m1_16", "4b-mlx", workers=10)
    assert refused.fault == "room"
    assert "each of 10 workers on Apple M1" in refused.error


@pytest.mark.parametrize(
    "limits", [{"gpu_layers": 2}, {"gpu_layers": 0}, {"tensor_split": (3.0, 1.0)}]
)
def test_what_would_divide_a_model_of_mlx_is_said_to_be_left_out(limits: dict[str, Any]) -> None:
    got = asked("apple_m1_16", "4b-mlx", **limits)
    assert got.workers[0].gpu_layers == -1
    (said,) = got.warnings
    assert "is left out: MLX holds a model whole" in said


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("nvidia_rtx4090", 'pip install mlx-lm "mlx[cpu]"'),
        ("apple_m1_16", "pip install mlx-lm"),
        ("apple_rosetta", ARM_PYTHON),
        ("apple_intel_mac", NO_MLX),
        ("termux_py314", NO_MLX),
    ],
)
def test_a_folder_without_mlx_is_refused_with_the_line_for_this_system(name, line) -> None:
    got = plan(msgspec.structs.replace(machine(name), engines=()), MODELS["4b-mlx"])
    assert got.fault == "engine"
    assert "mlx" in got.error
    assert got.hint == line


def with_a_second_card(name: str) -> Machine:
    """The same with one more of its CUDA card."""
    here = machine(name)
    card = next(one for one in here.devices if one.library == "CUDA")
    other = msgspec.structs.replace(card, id="GPU-2", uuid="GPU-2", engine_name="CUDA1")
    return msgspec.structs.replace(here, devices=(*here.devices, other))


@pytest.mark.parametrize(
    ("name", "shares"), [("nvidia_rtx4090", (1.0,)), ("mixed_amd_nvidia", (1.0, 1.0))]
)
def test_a_split_needs_two_cards_of_one_library(name: str, shares: tuple[float, ...]) -> None:
    got = asked(name, tensor_split=shares)
    assert got.fault == "usage"
    assert "a model is split over cards of one library; here is CUDA0 NVIDIA" in got.error


def test_a_card_of_another_library_takes_no_share() -> None:
    here = with_a_second_card("mixed_amd_nvidia")
    got = plan(here, MODELS["4b"], Limits(tensor_split=(1.0, 1.0, 1.0)))
    assert "3 shares for 2 devices: CUDA0" in got.error
    (worker,) = plan(here, MODELS["4b"], Limits(tensor_split=(1.0, 1.0))).workers
    assert len(worker.devices) == 2


def test_shares_go_to_the_cards_in_the_order_in_which_they_are_listed() -> None:
    here = machine("nvidia_unequal")
    small_first = msgspec.structs.replace(here, devices=here.devices[::-1])
    (worker,) = plan(small_first, MODELS["0.6b"], Limits(tensor_split=(1.0, 3.0))).workers
    assert worker.devices == tuple(device.id for device in small_first.devices)
    assert worker.tensor_split == (8.0, 21.0)


@pytest.mark.parametrize("layers", [0, 2, 30])
def test_a_split_of_some_layers_is_refused_and_not_forgotten(layers: int) -> None:
    got = asked("nvidia_two_3090", gpu_layers=layers, tensor_split=(1.0, 1.0))
    assert f"--gpu-layers {layers} with --tensor-split" in got.error


@pytest.mark.parametrize("layers", ["all", 10])
def test_layers_asked_of_an_integrated_gpu_name_the_flag_that_uses_it(layers: Any) -> None:
    got = asked("intel_laptop_igpu", gpu_layers=layers)
    assert "is an integrated GPU, and left alone" in got.error
    assert got.hint.startswith("--integrated")
    assert asked("intel_laptop_igpu", "0.6b", gpu_layers=layers, integrated=True).workers


def test_layers_in_part_where_gpu_and_system_have_one_memory_are_summed_whole() -> None:
    got = asked("apple_m2_gguf_metal", "32b", gpu_layers=30, slots=1)
    assert got.fault == "room"
    (worker,) = asked("apple_m2_gguf_metal", "14b", gpu_layers=20, slots=1).workers
    (row,) = worker.sums
    assert row.weight_bytes == MODELS["14b"].weight_bytes


def test_what_was_insisted_on_and_does_not_fit_is_told_what_would() -> None:
    assert asked("nvidia_gtx1650", "8b", gpu_layers="all").hint.startswith("--gpu-layers auto")


def test_fewer_workers_than_asked_for_say_why() -> None:
    got = asked("nvidia_two_3090", gpu_layers=30, workers=2)
    assert len(got.workers) == 1
    assert "--workers 2: one is planned, which divides the model between places" in got.warnings


def test_under_rosetta_nobody_is_sent_for_a_package_that_is_not_there() -> None:
    fixes = [note.fix for note in machine("apple_rosetta").notes]
    assert ARM_PYTHON in fixes
    assert "pip install mlx-lm" not in fixes
