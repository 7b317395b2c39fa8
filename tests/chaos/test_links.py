"""Links that go dark, and connections that say nothing: real processes behind real sockets."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol import messages as m
from tests.chaos.forwarder import forwarding
from tests.nodes.node import Node, newcomer, running, scripted

SLOW = "answers=42;tokens=60;step_s=0.02"


@contextlib.contextmanager
def worker_behind(front: Path, node: Node) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of somebody else, whose home has nothing but the forwarder's socket."""
    command = [sys.executable, "-m", "worker", "--name", "far", *scripted(SLOW)]
    env = {**node.env, "SWARM_HOME": str(front.parent.parent)}
    worker = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


@pytest.fixture
def front() -> Iterator[Path]:
    """The socket of a home that is only a way to another one."""
    away = Node()
    (away.home / "run").mkdir()
    yield away.home / "run" / "broker.sock"
    away.dial()
    away.close()


def test_case_11_a_half_open_link_to_a_worker_is_noticed_and_its_late_votes_refused(
    front: Path,
) -> None:
    """It stays connected and says nothing: only silence tells. Then the link is well again."""
    with (
        running(*scripted(SLOW), workers=0) as node,
        forwarding(front, node.home / "run" / "broker.sock") as link,
        worker_behind(front, node),
    ):
        node.ready(1)
        job = node.submit(votes=2, stop="all", timeout_s=60)
        node.until(lambda r: r.workers[0].busy == 2, "two seats in slots")
        link.dark.set()
        node.until(lambda r: r.workers[0].state == "suspect", "suspect")
        node.say(m.Scale(1))
        verdict = node.hear(m.Verdict)
        assert (verdict.job, verdict.cast) == (job, 2)
        assert {vote.worker for vote in verdict.votes} == {"w1"}
        assert link.swallowed_bytes > 0
        link.dark.clear()
        node.ready(2)
        assert node.ask(votes=8, stop="all").cast == 8


def test_case_11_a_client_behind_a_dead_link_finds_its_verdict_over_another_one(
    front: Path,
) -> None:
    with (
        running(*scripted(SLOW)) as node,
        forwarding(front, node.home / "run" / "broker.sock") as link,
    ):
        far = Node(home=front.parent.parent)
        far.dial()
        try:
            job = far.submit(votes=2)
            far.hear(m.Accepted)
            link.dark.set()
            node.until(lambda r: r.jobs.done == 1, "decided")
            far.say(m.Wait(job))
            assert not far.socket.poll(300)
            far.socket.close()
            link.dark.clear()
            far.dial()
            far.say(m.Wait(job))
            assert far.hear(m.Verdict).job == job
        finally:
            far.socket.close()
            far.context.term()


SILENT = 300

FEW = ("sh", "-c", 'ulimit -Sn 128; exec "$0" "$@"')
"""So many descriptors are a program's own limit, which it may raise."""


def test_case_26_hundreds_of_silent_connections_do_not_keep_a_newcomer_out() -> None:
    """Nor do they end the broker, which libzmq would when no descriptor is left."""
    node = Node("--workers", "1", *scripted("answers=42"))
    node.before = FEW
    try:
        node.start().ready()
        with contextlib.ExitStack() as silent:
            for _ in range(SILENT):
                one = silent.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                one.connect(f"{node.home}/run/broker.sock")
            with newcomer(node) as other:
                assert other.ask(votes=2).answer == "42"
        assert node.ask(votes=2).answer == "42"
    finally:
        node.close()


def test_case_21_a_socket_path_that_is_too_long_is_refused_in_words(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    command_line = [
        sys.executable,
        "-c",
        "import sys; from swarmctl.app import main; sys.exit(main())",
        "status",
    ]
    for command in ([sys.executable, "-m", "broker"], command_line):
        ended = subprocess.run(
            command,
            env={**os.environ, "SWARM_HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode not in (0, 1), command
        assert "bytes, and the system takes 107" in ended.stderr
        assert "set SWARM_HOME to a shorter folder" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_case_28_a_worker_holds_no_socket_of_its_broker() -> None:
    """Workers are spawned, not forked with live sockets."""
    with running(*scripted("answers=42"), workers=2) as node:
        brokers = sockets_of(node.pid)
        assert brokers
        for pid in node.worker_pids():
            assert not sockets_of(pid) & brokers


def sockets_of(pid: int) -> set[str]:
    links = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(os.readlink(fd))
    return {link for link in links if link.startswith("socket:")}


def test_case_2_a_job_that_kills_three_workers_is_ended_and_the_node_serves() -> None:
    with running(*scripted("answers=42;tokens=400;step_s=0.02")) as node:
        job = node.submit(votes=1, timeout_s=600)
        for _ in range(3):
            report = node.until(lambda r: any(w.busy for w in r.workers), "a worker at it")
            (pid,) = [w.pid for w in report.workers if w.busy]
            assert pid
            os.kill(pid, signal.SIGKILL)
            node.until(lambda r, dead=pid: all(w.pid != dead for w in r.workers), "noticed")
        verdict = node.hear(m.Verdict)
        assert (verdict.job, verdict.outcome) == (job, "failed")
        assert "poisonous" in verdict.stopped
        assert verdict.stopped.count("SIGKILL") == 3
        node.ready(1)
        node.submit(votes=1)
        node.until(lambda r: any(w.busy for w in r.workers), "a worker at the next job")
