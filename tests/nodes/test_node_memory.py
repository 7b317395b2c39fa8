"""Workers that the system kills for memory: named so, and back again smaller. Real processes."""

import os
import select
import signal
import subprocess
import sys

import msgspec
import pytest

from broker.events import ChildExited
from broker.placing import Placing
from broker.supervisor import Supervisor
from detect.host import LiveHost
from detect.placement.handed import Handed, Placement
from detect.placement.result import PlannedWorker
from protocol.ids import WorkerId
from tests.nodes.node import running
from worker.engines import ABACUS

W1 = WorkerId("w1")
PATIENCE_MS = 20_000


def placement(slots: int = 2, context_tokens: int = 4096) -> Placement:
    planned = PlannedWorker(
        engine="llamacpp",
        model=str(ABACUS),
        slots=slots,
        context_tokens=context_tokens,
        cells=(slots + 1) * context_tokens,
        streams=slots + 1,
    )
    return Placement(planned, 5)


class Counted:
    """A control group's files in a folder, with a count of kills that a test sets."""

    def __init__(self, root) -> None:
        self.group = root / "sys/fs/cgroup/a"
        self.group.mkdir(parents=True)
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text("0::/a\n")
        (root / "proc/self/mountinfo").write_text(
            "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"
        )
        self.count(0)
        self.host = LiveHost(str(root))

    def count(self, kills: int) -> None:
        (self.group / "memory.events").write_text(f"oom 0\noom_kill {kills}\n")


@pytest.fixture
def kernel(tmp_path) -> Counted:
    return Counted(tmp_path)


def ended(supervisor: Supervisor) -> ChildExited:
    """Wait for the end of file on the worker's pipe."""
    ((pipe, _),) = supervisor.pipes.items()
    poller = select.poll()
    poller.register(pipe, select.POLLIN | select.POLLHUP)
    assert poller.poll(PATIENCE_MS), "the worker ends"
    supervisor.ended(pipe)
    (exited,) = supervisor.poll()
    return exited


def killed(supervisor: Supervisor, kernel: Counted, kills: int) -> ChildExited:
    pid = supervisor.spawn(W1)
    kernel.count(kills)
    os.kill(pid, signal.SIGKILL)
    return ended(supervisor)


def test_case_4_a_kill_that_the_kernel_counted_is_named_and_the_worker_comes_back_smaller(
    kernel,
) -> None:
    supervisor = Supervisor(Placing([], [placement()]), kernel.host)
    said = killed(supervisor, kernel, 1)
    assert not said.final
    assert said.cause == (
        "killed by the system for lack of memory (oom_kill); "
        "it comes back smaller: context 2048 instead of 4096 tokens"
    )


def test_a_kill_that_nobody_counted_is_a_kill(kernel) -> None:
    supervisor = Supervisor(Placing([], [placement()]), kernel.host)
    assert killed(supervisor, kernel, 0).cause == "killed by signal 9 (SIGKILL)"
    assert killed(supervisor, kernel, 0).cause == "killed by signal 9 (SIGKILL)"


def test_our_own_kill_is_never_taken_for_the_systems(kernel) -> None:
    supervisor = Supervisor(Placing([], [placement()]), kernel.host)
    supervisor.spawn(W1)
    kernel.count(1)
    supervisor.kill(W1)
    assert ended(supervisor).cause == "killed by signal 9 (SIGKILL)"


def test_where_the_system_counts_nothing_memory_is_only_suspected(tmp_path) -> None:
    supervisor = Supervisor(Placing([], [placement()]), LiveHost(str(tmp_path)))
    os.kill(supervisor.spawn(W1), signal.SIGKILL)
    assert ended(supervisor).cause == "killed by signal 9, perhaps for lack of memory"


def test_without_a_plan_the_cause_comes_with_what_to_change(kernel) -> None:
    supervisor = Supervisor(Placing(["--model", "abacus"]), kernel.host)
    assert "fewer --slots" in killed(supervisor, kernel, 1).cause


def test_case_4_a_worker_that_cannot_be_smaller_is_not_started_again(kernel) -> None:
    supervisor = Supervisor(Placing([], [placement(1, 2048)]), kernel.host)
    said = killed(supervisor, kernel, 1)
    assert said.final
    assert "cannot be made smaller" in said.cause


def test_a_node_starts_each_worker_as_planned(tmp_path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(msgspec.json.encode(Handed((placement(2, 512), placement(3, 1024)))))
    with running("--plan", str(file), workers=3) as node:
        report = node.until(lambda r: sum(w.state == "alive" for w in r.workers) == 3, "three")
        assert {w.id: w.slots for w in report.workers} == {"w1": 2, "w2": 3, "w3": 2}
        assert all(any("on main memory" in note for note in w.notes) for w in report.workers)
        assert node.ask("1 + 1 =", votes=1).cast == 1


def test_a_node_whose_plan_was_too_large_serves_with_less_and_says_so(tmp_path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(msgspec.json.encode(Handed((placement(8, 1 << 24),))))
    with running("--plan", str(file)) as node:
        (worker,) = node.status().workers
        assert worker.notes[0].startswith("out of memory at load: context 2048 instead of 16777216")
        assert worker.restarts == 0


def test_a_broker_says_which_plan_it_cannot_read(tmp_path) -> None:
    env = {**os.environ, "SWARM_HOME": str(tmp_path)}
    (tmp_path / "plan.json").write_text("{")
    for name in ("plan.json", "missing.json"):
        command = [sys.executable, "-m", "broker", "--plan", str(tmp_path / name)]
        told = subprocess.run(command, env=env, capture_output=True, text=True)
        assert told.returncode == 78
        assert f"{name} cannot be read" in told.stderr
