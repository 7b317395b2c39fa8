"""Visibility variables, by the rules of the CUDA programming guide 5.2."""

import pytest

from detect.visible import choose, entry, rocm

UUIDS = ["GPU-aaaa1111", "GPU-aaaa2222", "GPU-bbbb3333", "MIG-cccc4444"]


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (None, (0, 1, 2, 3)),
        ("", ()),
        ("0,2,-1,1", (0, 2)),
        ("2,0", (2, 0)),
        ("1,1,0", (1,)),
        ("7", ()),
        ("GPU-bbbb", (2,)),
        ("GPU-aaaa", ()),
        ("GPU-aaaa2,0", (1, 0)),
        ("MIG-cccc4444", (3,)),
        ("NoDevFiles", ()),
        (" 1 , 2 ", (1, 2)),
        ("0,,1", (0,)),
        ("0,²", (0,)),
        ("0," + "1" * 5000, (0,)),
    ],
)
def test_what_a_value_leaves(value: str | None, left: tuple[int, ...]) -> None:
    assert choose(value, UUIDS) == left


def test_each_rocm_variable_filters_what_the_one_before_left() -> None:
    env = {"ROCR_VISIBLE_DEVICES": "2,1", "HIP_VISIBLE_DEVICES": "1"}
    assert rocm(env, UUIDS[:3]) == (1,)


def test_hip_reads_the_variable_of_cuda_when_its_own_is_not_set() -> None:
    assert rocm({"CUDA_VISIBLE_DEVICES": "1"}, UUIDS[:3]) == (1,)


@pytest.mark.parametrize(
    ("env", "library", "index", "name"),
    [
        ({}, "CUDA", 0, None),
        ({"CUDA_VISIBLE_DEVICES": "3, 1"}, "CUDA", 1, "1"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-aaaa"}, "CUDA", 0, "GPU-aaaa"),
        ({"CUDA_VISIBLE_DEVICES": "3"}, "CUDA", 1, None),
        ({"CUDA_VISIBLE_DEVICES": ""}, "CUDA", 0, None),
        ({"CUDA_VISIBLE_DEVICES": "3"}, "ROCm", 0, "3"),
        ({"CUDA_VISIBLE_DEVICES": "3", "HIP_VISIBLE_DEVICES": "2"}, "ROCm", 0, "2"),
        ({"GGML_VK_VISIBLE_DEVICES": "1,0"}, "Vulkan", 0, "1"),
        ({"CUDA_VISIBLE_DEVICES": "3"}, "Metal", 0, None),
    ],
)
def test_what_the_environment_calls_a_device_that_a_library_counts(
    env: dict[str, str], library: str, index: int, name: str | None
) -> None:
    assert entry(env, library, index) == name
