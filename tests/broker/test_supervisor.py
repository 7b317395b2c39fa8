"""The end of a worker process is noticed at once, and nobody waits for what takes long of it."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from broker import supervisor
from broker.events import ChildExited
from broker.placing import Placing
from broker.supervisor import Supervisor
from protocol.ids import WorkerId

W1 = WorkerId("w1")


@pytest.fixture
def lingering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """Its worker closes the lifeline, and is there for a while longer: a driver cleans up."""
    start = subprocess.Popen
    script = "import os, signal; os.closerange(3, 256); signal.pause()"
    monkeypatch.setattr(
        supervisor.subprocess,
        "Popen",
        lambda _, **how: start([sys.executable, "-c", script], **how),
    )
    made = Supervisor(Placing([]))
    yield made
    made.end_all(0.0)


def end_of_pipe(made: Supervisor) -> float:
    """Wait for it, and tell how long the supervisor took to hear of it."""
    (pipe,) = made.pipes
    select.select([pipe], [], [], 10.0)
    began = time.monotonic()
    made.ended(pipe)
    return time.monotonic() - began


def told(made: Supervisor) -> ChildExited:
    end_at = time.monotonic() + 10.0
    while time.monotonic() < end_at:
        if over := made.poll():
            (exited,) = over
            return exited
        assert made.waits
        select.select([], [], [], 0.01)
    raise AssertionError("its end was never told")


def test_a_process_that_takes_long_to_end_keeps_nobody_waiting(lingering: Supervisor) -> None:
    pid = lingering.spawn(W1)
    assert end_of_pipe(lingering) < 0.5
    assert lingering.poll() == []
    os.kill(pid, 15)
    assert told(lingering).cause == "killed by signal 15 (SIGTERM)"
    assert not lingering.waits


def test_one_that_does_not_end_is_killed(
    lingering: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "REAP_S", 0.1)
    lingering.spawn(W1)
    end_of_pipe(lingering)
    assert told(lingering).cause == "killed by signal 9 (SIGKILL)"
