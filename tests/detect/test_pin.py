"""The variables that show a worker its devices and no others, whatever was set before."""

from detect.facts import Device
from detect.host import RecordedHost
from detect.machine import detect
from detect.placement import plan
from detect.placement.pin import closed, env_for, hidden, main_gpu, only
from detect.visible import choose
from tests.detect import machine_files
from tests.detect.models import MODELS


def card(library: str, at: int, uuid: str | None = None, visible: str | None = None) -> Device:
    return Device(
        f"d{at}", "nvidia", "X", "discrete", "ready", library=library,
        engine_name=f"{library}{at}", uuid=uuid, visible=visible,
    )  # fmt: skip


def test_cuda_is_pinned_by_uuid_in_the_order_of_the_bus() -> None:
    env = env_for([card("CUDA", 0, "GPU-a", "7"), card("CUDA", 1, "GPU-b")])
    assert env == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}


def test_without_uuids_the_entry_that_named_it_before_names_it_again() -> None:
    assert env_for([card("CUDA", 0, visible="3")]) == {"CUDA_VISIBLE_DEVICES": "3"}
    assert env_for([card("ROCm", 1, visible="5")]) == {"HIP_VISIBLE_DEVICES": "5"}
    assert env_for([card("Vulkan", 0, "GPU-a", "2")]) == {"GGML_VK_VISIBLE_DEVICES": "2"}


def test_where_nothing_was_set_the_engines_count_is_the_variables() -> None:
    assert env_for([card("CUDA", 1), card("CUDA", 0)]) == {"CUDA_VISIBLE_DEVICES": "1,0"}
    assert env_for([card("ROCm", 1)]) == {"HIP_VISIBLE_DEVICES": "1"}


def test_hip_counts_what_rocr_leaves() -> None:
    env = env_for([card("ROCm", 2, "GPU-a"), card("ROCm", 0, "GPU-b")])
    assert env == {"ROCR_VISIBLE_DEVICES": "GPU-a,GPU-b", "HIP_VISIBLE_DEVICES": "0,1"}


def test_one_card_shown_as_several_is_named_by_its_number_alone() -> None:
    twin = Device(
        "GPU-a#CUDA1", "nvidia", "X", "discrete", "ready", library="CUDA", engine_name="CUDA1",
        uuid="GPU-a",
    )  # fmt: skip
    assert env_for([twin]) == {}
    assert main_gpu([twin]) == 1


def test_a_worker_on_the_cpu_sees_no_card_that_it_would_open_for_nothing() -> None:
    assert hidden([card("CUDA", 0), card("CUDA", 1)]) == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert hidden([card("ROCm", 0)]) == {"HIP_VISIBLE_DEVICES": "-1"}
    assert hidden([card("Vulkan", 0), card("", 0)]) == {}
    assert choose("-1", ["GPU-a"]) == ()


def test_a_worker_sees_no_card_of_another_library_since_llama_cpp_counts_all_in_one_list() -> None:
    cuda, vulkan, rocm = card("CUDA", 0, "GPU-a"), card("Vulkan", 1), card("ROCm", 0, "GPU-b")
    assert only([vulkan], [cuda, vulkan]) == {
        "CUDA_VISIBLE_DEVICES": "-1", "GGML_VK_VISIBLE_DEVICES": "1",
    }  # fmt: skip
    assert only([cuda], [cuda, rocm]) == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "GPU-a",
        "HIP_VISIBLE_DEVICES": "-1",
    }
    assert only([cuda], [cuda, vulkan]) == env_for([cuda])
    here = detect(RecordedHost(machine_files.record("mixed_amd_nvidia")))
    hides = [worker.env["CUDA_VISIBLE_DEVICES"] for worker in plan(here, MODELS["4b"]).workers]
    assert hides == ["-1", here.devices[0].uuid]


def test_a_worker_that_left_the_gpu_comes_back_without_opening_one() -> None:
    assert closed(env_for([card("CUDA", 0, "GPU-a")])) == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert closed(env_for([card("ROCm", 0, "GPU-a")])) == {"HIP_VISIBLE_DEVICES": "-1"}
    assert closed(env_for([card("Vulkan", 0)])) == {}
