"""The simulator can fail: each planted fault is found, within seconds of CPU."""

import time

import pytest

from tests.simulation.minimise import minimise
from tests.simulation.planted import PLANTED, Planted, planted
from tests.simulation.run import Result, replay, roll

SEEDS_MAX = 300
"""Far above what any of them needs, far below a minute."""

STEPS = 1200


def search(fault: Planted) -> Result:
    """Roll seeds under the fault until one shows it."""
    with planted(fault):
        for seed in range(fault.seed, fault.seed + SEEDS_MAX):
            result = roll(seed, STEPS, nodes=1)
            if result.found:
                return result
    pytest.fail(f"{fault.name}: not found in {SEEDS_MAX} seeds")


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.name)
def test_the_simulator_finds(fault: Planted) -> None:
    began = time.process_time()
    result = search(fault)
    assert result.violation
    with_fault_s = time.process_time() - began
    assert not roll(result.script.seed, STEPS, nodes=1).found, "it fails without the fault too"
    print(
        f"{fault.name}: seed {result.script.seed}, {with_fault_s:.2f} s of CPU: {result.violation}"
    )


def test_there_are_at_least_twenty() -> None:
    assert len({fault.name for fault in PLANTED}) == len(PLANTED) >= 20


def test_a_failing_seed_is_cut_down_and_still_fails() -> None:
    fault = next(f for f in PLANTED if f.name == "a seed stands twice in a job")
    result = search(fault)
    with planted(fault):
        short = minimise(result)
        assert replay(short.script).violation == short.violation
    assert 1 <= len(short.script.entries) <= 3
    assert short.script.entries[-1].submit is not None
