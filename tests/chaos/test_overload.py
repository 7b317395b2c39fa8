"""Too many jobs, and clients that do not read."""

import signal

import psutil
import zmq

from protocol import frames
from protocol import messages as m
from protocol.ids import JobId
from tests.nodes.node import Node, newcomer, running, scripted

COUNT = 10_000
"""As many as one client may have open while nobody else has any; see broker/jobs.py."""

BUSY = scripted("answers=42;tokens=1000000;step_s=0.05")

MEMORY_MIB_MAX = 60
"""Of 10,000 jobs of 2 kB, over an idle broker: 20 MiB of text, and what a job needs beside it."""


def queue_up(node: Node, count: int) -> None:
    for start in range(0, count, 100):
        jobs = [
            m.Submit(JobId(f"q-{i:05d}"), f"{i} " + "x" * 2000, votes=8, timeout_s=3600)
            for i in range(start, start + 100)
        ]
        node.say(*jobs)
        for _ in jobs:
            node.hear(m.Accepted)


def test_case_25_who_comes_later_does_not_wait_for_all_the_jobs_of_newcomer() -> None:
    """Clients take turns."""
    with running(*scripted("answers=42;tokens=5;step_s=0.01")) as node:
        queue_up(node, 1000)
        with newcomer(node) as other:
            assert other.ask(votes=1).answer == "42"
        assert node.status().jobs.done < 200


def test_case_25_ten_thousand_queued_jobs_are_held_bounded_and_taken_up_after_a_kill() -> None:
    with running(*BUSY) as node:
        idle = psutil.Process(node.pid).memory_info().rss
        queue_up(node, COUNT)
        grown = psutil.Process(node.pid).memory_info().rss - idle
        assert grown <= MEMORY_MIB_MAX << 20, f"{grown / 2**20:.1f} MiB"
        node.submit(votes=1)
        problem = node.hear(m.Rejected).problem
        assert problem.code == "busy"
        assert problem.retry_after_s
        with newcomer(node) as other:
            other.submit("Is there room for me?", votes=1, timeout_s=3600)
            other.hear(m.Accepted)
        node.signal(signal.SIGKILL)
        node.wait()
        node.start_again()
        jobs = node.status().jobs
        assert jobs.queued + jobs.running == COUNT + 1
        node.say(m.Cancel(JobId("q-09999")))
        assert node.hear(m.Verdict).job == "q-09999"


def test_case_12_a_client_that_does_not_read_costs_nobody_and_its_results_are_kept() -> None:
    with running(*scripted(f"answers={'y' * 2000}")) as node:
        deaf = node.context.socket(zmq.DEALER)
        deaf.set(zmq.LINGER, 0)
        deaf.set(zmq.RCVHWM, 1)
        deaf.connect(f"ipc://{node.home}/run/broker.sock")
        jobs = [JobId(f"deaf-{i}") for i in range(1500)]
        for job in jobs:
            asked = m.Submit(job, "How many?", votes=2, answer="text", watch=True)
            deaf.send(next(frames.pack([frames.encode(asked)])))
        node.until(lambda report: report.jobs.done >= len(jobs), "all done")
        assert node.ask(votes=2, answer="text").outcome == "decided"
        deaf.close()
        for job in jobs[::100]:
            node.say(m.Wait(job))
            assert node.hear(m.Verdict).job == job


LARGE = 400
"""Answers of 1 MiB: what ZeroMQ's own queue of a thousand would hold."""

DEAF_MIB_MAX = 250
"""The outbox's 64, ZeroMQ's hundred, and what the two are made from."""


def test_case_12_what_is_large_takes_bounded_room_for_a_client_that_does_not_read() -> None:
    with running(*BUSY) as node:
        asked = node.submit("x" * (1 << 20), votes=1, timeout_s=600)
        node.hear(m.Accepted)
        idle = psutil.Process(node.pid).memory_info().rss
        with newcomer(node) as deaf:
            for _ in range(LARGE):
                deaf.say(m.Show(asked))
            deaf.say(m.Scale(2))
            node.until(lambda report: len(report.workers) == 2, "all heard")
            grown = psutil.Process(node.pid).memory_info().rss - idle
            assert grown <= DEAF_MIB_MAX << 20, f"{grown / 2**20:.1f} MiB"
