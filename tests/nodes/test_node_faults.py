"""What happens to a real node when something dies, hangs, or is wrong: real processes, sockets."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zmq

from protocol import messages as m
from protocol.ids import JobId
from protocol.limits import FRAME_BYTES_MAX
from tests.nodes.node import PATIENCE_S, Node, gone, newcomer, running, scripted, stop

SLOW = "answers=42;tokens=200;step_s=0.01"


def test_case_18_a_second_broker_refuses_and_the_first_is_not_harmed() -> None:
    with running(*scripted("answers=42")) as node:
        second = subprocess.run(
            [sys.executable, "-m", "broker"], env=node.env, capture_output=True, text=True
        )
        assert second.returncode == 1
        assert f"process {node.pid} holds" in second.stderr
        assert "hint:" in second.stderr
        assert node.ask(votes=2).answer == "42"


def test_case_18_a_second_broker_refuses_when_the_socket_of_the_first_was_removed() -> None:
    """Else both would bring the journal's unfinished jobs to a verdict."""
    with running(*scripted("answers=42")) as node:
        shutil.rmtree(node.home / "run")
        second = broker_on(node.home)
        assert second.returncode == 1
        assert f"process {node.pid} holds" in second.stderr
        assert f"kill {node.pid}" in second.stderr
        assert node.ask(votes=2).answer == "42"


def test_case_20_a_broker_whose_socket_was_removed_finishes_what_runs_and_ends() -> None:
    with running(*scripted("answers=42;tokens=100;step_s=0.06")) as node:
        node.submit(votes=2)
        shutil.rmtree(node.home / "run")
        assert node.hear(m.Verdict).outcome == "decided"
        assert node.wait() == 0
        assert "this node's socket was removed" in node.stderr.read_text()


def test_case_19_a_stale_socket_and_lock_of_a_killed_broker_do_not_matter() -> None:
    with running(*scripted("answers=42")) as node:
        node.signal(signal.SIGKILL)
        node.wait()
        assert (node.home / "run" / "broker.sock").exists()
        node.socket.close()
        node.start()
        node.ready()
        assert node.ask(votes=2).answer == "42"


def test_case_27_a_worker_scaled_down_leaves_when_its_last_seat_is_recalled() -> None:
    with running(*scripted(SLOW), workers=2) as node:
        node.submit(votes=8, timeout_s=60)
        job = node.hear(m.Accepted).job
        node.until(lambda r: all(w.busy for w in r.workers), "both at work")
        node.say(m.Scale(1))
        node.hear(m.Scaled)
        node.say(m.Cancel(job))
        node.hear(m.Verdict)
        node.until(lambda r: len(r.workers) == 1, "one of them gone")


def test_case_20_an_address_in_use_is_refused_and_not_taken_over() -> None:
    """libzmq would unlink the socket, live or not, and its owner would never hear of anyone."""
    with running(*scripted("answers=42")) as node:
        (node.home / "broker.lock").unlink()  # so that the lock tells nothing
        second = broker_on(node.home)
        assert second.returncode == 1
        assert "another program listens on" in second.stderr
        assert "hint: end that program" in second.stderr
        assert "Traceback" not in second.stderr
        assert node.ask(votes=2).answer == "42"
        with newcomer(node) as other:
            assert other.ask(votes=2).answer == "42"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_case_20_what_is_no_socket_is_refused_and_left_alone(kind: str, tmp_path: Path) -> None:
    thing = tmp_path / "run" / "broker.sock"
    thing.parent.mkdir(mode=0o700)
    thing.mkdir() if kind == "folder" else thing.write_text("mine")
    ended = broker_on(tmp_path)
    assert ended.returncode == 1
    assert f"{thing} is there, and is no socket" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert thing.exists()


def broker_on(home: Path) -> subprocess.CompletedProcess[str]:
    """A broker for this home, which is to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "broker"],
        env={**os.environ, "SWARM_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_case_7_killing_the_broker_ends_its_workers_within_a_second() -> None:
    with running(*scripted(SLOW), workers=2) as node:
        node.submit(votes=8)
        node.hear(m.Accepted)
        pids = node.worker_pids()
        assert len(pids) == 2
        node.signal(signal.SIGKILL)
        node.wait()
        assert all(gone(pid, within_s=1.0) for pid in pids)


def test_case_7_workers_deep_in_a_step_leave_with_their_broker_too() -> None:
    with running(*scripted("fail=hang;after=1")) as node:
        node.submit(votes=1)
        node.hear(m.Accepted)
        (pid,) = node.worker_pids()
        node.signal(signal.SIGKILL)
        node.wait()
        assert gone(pid, within_s=1.0)


def test_case_1_a_worker_killed_in_mid_answer_is_replaced_and_the_seeds_stay() -> None:
    with running(*scripted(SLOW, slots=8)) as node:
        quiet = node.ask(votes=4, seed=5, answer="number", stop="all")
        node.submit(votes=4, seed=5, answer="number", stop="all")
        node.hear(m.Accepted)
        node.until(lambda r: r.workers[0].busy == 4, "four seats in slots")
        (pid,) = node.worker_pids()
        os.kill(pid, signal.SIGKILL)
        verdict = node.hear(m.Verdict)
        assert verdict.outcome == "decided"
        assert (verdict.cast, verdict.lost) == (4, 0)
        assert [(v.seed, v.text) for v in sorted_votes(verdict)] == [
            (v.seed, v.text) for v in sorted_votes(quiet)
        ]
        report = node.status()
        assert report.workers[0].restarts == 1
        assert report.jobs.lost_votes == 4


def sorted_votes(verdict: m.Verdict) -> list[m.VoteRecord]:
    return sorted(verdict.votes, key=lambda vote: vote.seat)


def test_case_1_seats_of_a_killed_worker_go_to_another_one() -> None:
    with running(*scripted(SLOW, slots=8), workers=2) as node:
        job = node.submit(votes=8, stop="all", timeout_s=30)
        node.until(lambda r: sum(w.busy for w in r.workers) == 8, "eight seats in slots")
        os.kill(node.worker_pids()[0], signal.SIGKILL)
        assert node.hear(m.Verdict).cast == 8
        node.say(m.Show(job))
        told = node.hear(m.JobReport)
        moved = [seat for seat in told.seats if seat.attempts == 2]
        assert len(moved) == 4
        assert all("killed by signal 9" in seat.reason for seat in moved)


def test_case_5_a_stopped_worker_is_noticed_by_its_silence_and_its_seats_go_elsewhere() -> None:
    with running(*scripted(SLOW, slots=8), workers=2) as node:
        node.submit(votes=8, stop="all", timeout_s=30)
        node.until(lambda r: sum(w.busy for w in r.workers) == 8, "eight seats in slots")
        pid = node.worker_pids()[0]
        stop(pid)
        assert node.hear(m.Verdict).cast == 8
        node.until(lambda r: any(w.restarts for w in r.workers), "the stopped one killed")
        node.ready(2)
        assert gone(pid)


def test_case_3_a_worker_that_dies_at_start_again_and_again_opens_the_circuit() -> None:
    node = Node("--workers", "1", *scripted("fail=exit")).start()
    try:
        report = node.until(lambda r: r.workers[0].state == "failed", "the circuit open")
        assert report.workers[0].restarts == 4
        assert "exit code 70" in report.workers[0].reason
        node.submit()
        problem = node.hear(m.Rejected).problem
        assert problem.code == "no-worker"
        assert "exit code 70" in problem.because
    finally:
        node.close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"hello, this is no model\n" * 10, "not a GGUF"),
        (b"GGUF\x03\x00\x00\x00", "GGUF"),
    ],
    ids=["missing", "not a gguf", "cut off"],
)
def test_case_3_a_model_that_cannot_be_loaded_is_named_once_and_not_tried_again(
    content: bytes | None, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.gguf"
    if content is not None:
        file.write_bytes(content)
    node = Node("--workers", "1", "--model", str(file)).start()
    try:
        report = node.until(lambda r: r.workers[0].state == "failed", "given up")
        assert report.workers[0].restarts == 0
        assert reason.lower() in report.workers[0].reason.lower()
        assert "x.gguf" in report.workers[0].reason
    finally:
        node.close()


def test_a_truncated_copy_of_a_real_model_is_refused_not_crashed_on(tmp_path: Path) -> None:
    from worker.engines import ABACUS

    file = tmp_path / "half.gguf"
    file.write_bytes(ABACUS.read_bytes()[: ABACUS.stat().st_size // 2])
    node = Node("--workers", "1", "--model", str(file)).start()
    try:
        report = node.until(lambda r: r.workers[0].state == "failed", "given up")
        assert "half.gguf" in report.workers[0].reason
        assert report.workers[0].restarts == 0
    finally:
        node.close()


def test_a_worker_of_somebody_else_joins_serves_and_joins_a_new_broker() -> None:
    with running(*scripted("answers=42"), workers=0) as node:
        command = [sys.executable, "-m", "worker", "--name", "mine", *scripted("answers=7")]
        mine = subprocess.Popen(command, env=node.env, stdin=subprocess.DEVNULL)
        try:
            node.ready(1)
            assert node.ask(votes=2).answer == "7"
            node.signal(signal.SIGKILL)
            node.wait()
            node.socket.close()
            node.start()
            assert node.ready(1).workers[0].id == "mine"
            assert node.ask(votes=2).answer == "7"
            mine.terminate()
            assert mine.wait(10) == 0
        finally:
            mine.kill()
            mine.wait()


def test_case_27_a_signal_drains_the_node_and_the_running_job_gets_its_verdict() -> None:
    with running(*scripted("answers=42;tokens=50;step_s=0.01")) as node:
        node.submit(votes=2)
        node.hear(m.Accepted)
        node.signal(signal.SIGTERM)
        assert node.hear(m.Verdict).answer == "42"
        assert node.wait() == 0


def test_case_27_a_draining_node_takes_no_new_job_and_a_second_signal_ends_it_now() -> None:
    with running(*scripted("answers=42;tokens=100000;step_s=0.01"), "--durability", "none") as node:
        node.submit(votes=2)
        node.hear(m.Accepted)
        node.signal(signal.SIGTERM)
        node.until(lambda r: r.draining, "draining")
        node.submit(votes=1)
        assert node.hear(m.Rejected).problem.code == "draining"
        node.signal(signal.SIGTERM)
        assert node.hear(m.Verdict).outcome == "cancelled"
        assert node.wait() == 0
        assert not (node.home / "run" / "broker.sock").exists()


def test_scaling_up_and_down_leaves_that_many_processes() -> None:
    with running(*scripted("answers=42"), workers=1) as node:
        node.say(m.Scale(3))
        assert node.hear(m.Scaled).before == 1
        pids = [w.pid for w in node.ready(3).workers]
        node.say(m.Scale(1))
        node.until(lambda r: len(r.workers) == 1, "one left")
        left = node.worker_pids()
        assert left == pids[:1]
        assert all(gone(pid, 2.0) for pid in pids[1:] if pid)


# ---------------------------------------------------------------- garbage


def test_case_23_garbage_is_dropped_and_counted_and_the_broker_goes_on() -> None:
    with running(*scripted("answers=42")) as node:
        for garbage in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x01\x91\xc1", b"\x01" + b"\x91" * 5000):
            node.socket.send(garbage)
        node.socket.send_multipart([b"\x01\x90", b"too", b"many", b"parts"])
        assert node.status().jobs.dropped_frames == 5
        assert node.ask(votes=2).answer == "42"


def test_case_24_an_unknown_message_is_answered_in_words() -> None:
    import msgspec

    with running(*scripted("answers=42")) as node:
        node.socket.send(b"\x01" + msgspec.msgpack.encode([{"say": "SING"}]))
        problem = node.hear(m.Rejected).problem
        assert problem.code == "unsupported"
        assert "SING" in problem.seen


def test_case_22_an_oversized_frame_cuts_its_connection_and_nothing_else() -> None:
    with running(*scripted("answers=42")) as node:
        before = node.status()
        rude = node.context.socket(zmq.DEALER)
        rude.set(zmq.LINGER, 0)
        rude.connect(f"ipc://{node.home}/run/broker.sock")
        rude.send(bytes(FRAME_BYTES_MAX + 1), copy=False)
        assert node.ask(votes=2).answer == "42"
        after = node.status()
        rude.close()
        assert after.node.pid == before.node.pid
        assert after.jobs.dropped_frames == 0, "it never reached us"


def test_case_14_worker_messages_from_a_stranger_change_nothing() -> None:
    with running(*scripted(SLOW)) as node:
        job = node.submit(votes=2, answer="number")
        node.hear(m.Accepted)
        for seat in range(2):  # a client that pretends to be a worker
            node.say(m.Vote(job, m.Seat(seat), 1, "#### 41", "stop", 1, 1))
        assert node.hear(m.Verdict).answer == "42"


def test_a_worker_survives_garbage_from_its_broker() -> None:
    """The other side of the same socket: a broker of another version, or a stranger's."""
    node = Node()
    router = node.context.socket(zmq.ROUTER)
    router.set(zmq.LINGER, 0)
    (node.home / "run").mkdir()
    router.bind(f"ipc://{node.home}/run/broker.sock")
    command = [sys.executable, "-m", "worker", *scripted("answers=42")]
    worker = subprocess.Popen(command, env=node.env, stdin=subprocess.DEVNULL)
    try:
        from protocol import frames

        assert router.poll(10_000)
        route, said = router.recv_multipart()
        assert isinstance(frames.to_broker(said)[0], m.Ready)
        for garbage in (b"", b"\x07", b"\x01\x91\xc1", b"\x01" + b"\x91" * 5000):
            router.send_multipart([route, garbage])
        ballot = m.Ballot(JobId("j"), (m.BallotSeat(m.Seat(0), 1, 1),), "How many?", 5.0)
        router.send_multipart([route, next(frames.pack([frames.encode(ballot)]))])
        votes: list[m.Vote] = []
        end = time.monotonic() + 10
        while not votes and time.monotonic() < end and router.poll(10_000):
            heard = frames.to_broker(router.recv_multipart()[1])
            votes = [message for message in heard if isinstance(message, m.Vote)]
        assert votes[0].text == "42"
    finally:
        worker.kill()
        worker.wait()
        router.close()
        node.dial()
        node.close()
