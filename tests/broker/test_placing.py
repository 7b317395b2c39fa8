"""How workers are started from a plan, and smaller after the system killed one for memory."""

import msgspec

from broker.placing import Placing
from detect.placement.handed import Placement
from detect.placement.result import PlannedWorker
from detect.placement.retry import RETRIES_MAX
from protocol.ids import WorkerId

W1, W2, W3 = WorkerId("w1"), WorkerId("w2"), WorkerId("w3")


def placement(device: str) -> Placement:
    planned = PlannedWorker(
        engine="llamacpp",
        model="m.gguf",
        slots=8,
        context_tokens=4096,
        cells=9 * 4096,
        streams=9,
        gpu_layers=-1,
        devices=(device,),
        env={"CUDA_VISIBLE_DEVICES": device},
    )
    return Placement(planned, 37)


def started(placing: Placing, worker: WorkerId) -> Placement:
    flag, text = placing.start_of(worker).arguments
    assert flag == "--placement"
    return msgspec.json.decode(text, type=Placement)


def test_without_a_plan_every_worker_follows_the_settings() -> None:
    placing = Placing(["--slots", "4"])
    assert placing.start_of(W1) == placing.start_of(W3)
    assert placing.start_of(W1).arguments == ("--slots", "4")
    assert placing.killed_for_memory(W1, "oom_kill") is None


def test_each_worker_gets_its_own_device() -> None:
    placing = Placing([], [placement("GPU-a"), placement("GPU-b")])
    assert started(placing, W1) == placement("GPU-a")
    assert placing.start_of(W2).env == {"CUDA_VISIBLE_DEVICES": "GPU-b"}


def test_workers_beyond_the_plan_begin_it_anew() -> None:
    placing = Placing([], [placement("GPU-a"), placement("GPU-b")])
    assert placing.start_of(W3) == placing.start_of(W1)


def test_a_worker_killed_for_memory_comes_back_smaller_and_says_why() -> None:
    placing = Placing([], [placement("GPU-a"), placement("GPU-b")])
    assert placing.killed_for_memory(W1, "oom_kill") == "context 2048 instead of 4096 tokens"
    again = started(placing, W1)
    assert again.planned.context_tokens == 2048
    assert again.steps == ("oom_kill: context 2048 instead of 4096 tokens",)
    assert started(placing, W2) == placement("GPU-b")


def test_only_the_worker_that_was_killed_is_made_smaller() -> None:
    placing = Placing([], [placement("GPU-a")])
    placing.killed_for_memory(W2, "oom_kill")
    assert started(placing, W1) == placement("GPU-a")


def test_after_three_steps_nothing_is_made_smaller() -> None:
    placing = Placing([], [placement("GPU-a")])
    changes = [placing.killed_for_memory(W1, "oom_kill") for _ in range(RETRIES_MAX + 1)]
    assert None not in changes[:-1]
    assert changes[-1] is None
    assert placing.start_of(W1).env == {"CUDA_VISIBLE_DEVICES": "-1"}  # it opens no card
