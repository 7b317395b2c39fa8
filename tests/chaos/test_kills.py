"""kill -9 at random moments under load: real processes, sockets and disks.

SWARM_CHAOS_KILLS says how often; `make chaos` sets it high and prints the books.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from protocol import messages as m
from protocol.ids import JobId
from tests.chaos.load import Load, Stories
from tests.nodes.node import Node, running, scripted

KILLS = int(os.environ.get("SWARM_CHAOS_KILLS", "4"))

SEED = int(os.environ.get("SWARM_CHAOS_SEED", "1"))

ALIVE_S = 1.2
"""How long a broker lives at most after its first word: it is killed among accepts, votes,
verdicts and acknowledgements."""

DRAIN_S = 60.0

ECHO = ("--engine", "scripted", "--model", "scripted:echo", "--slots", "16")


def restart(node: Node) -> None:
    node.signal(signal.SIGKILL)
    node.wait()
    node.start_again()


@pytest.mark.timeout(120 + 10 * KILLS)
def test_case_6_no_accepted_job_is_lost_over_kills_of_the_broker(
    capsys: pytest.CaptureFixture,
) -> None:
    """What was said to be accepted is there after a restart; one verdict, never another."""
    rng = random.Random(SEED)
    with running(*ECHO, workers=2) as node:
        load = Load(node, window=200, seed=SEED)
        for _ in range(KILLS):
            load.run(rng.uniform(0.02, ALIVE_S))
            restart(node)
            before = len(load.verdicts)
            while len(load.verdicts) == before and load.open:
                load.turn(0.05)
        load.finish(DRAIN_S)
        with capsys.disabled():
            print(f"\n{KILLS} kills of the broker: {load.books()}")
        load.check()
        assert node.status().jobs.queued == 0


ABACUS = ("--engine", "llamacpp", "--model", "abacus", "--slots", "8")


@pytest.mark.timeout(120 + 10 * KILLS)
def test_case_6_a_real_model_s_jobs_survive_kills_of_its_broker(
    capsys: pytest.CaptureFixture,
) -> None:
    """abacus instead of an echo: slots are full of half answers when the broker dies."""
    rng = random.Random(SEED)
    with running(*ABACUS) as node:
        load = Stories(node, window=12, seed=SEED, votes=5)
        for _ in range(KILLS):
            load.run(rng.uniform(0.2, ALIVE_S))
            restart(node)
            before = len(load.verdicts)
            while len(load.verdicts) == before and load.open:
                load.turn(0.05)
        load.finish(DRAIN_S)
        with capsys.disabled():
            print(f"\n{KILLS} kills of the broker of abacus: {load.books()}")
        load.check()


@pytest.mark.timeout(60 + 10 * KILLS)
def test_case_1_kills_of_workers_cost_attempts_and_no_verdict(
    capsys: pytest.CaptureFixture,
) -> None:
    """Seats of the dead go elsewhere, with the same seeds."""
    rng = random.Random(SEED)
    with running(*ECHO, workers=2) as node:
        load = Load(node, window=60, seed=SEED, votes=3)
        for _ in range(KILLS):
            load.run(rng.uniform(0.02, 0.4))
            workers = node.status().workers
            if any(w.state == "failed" for w in workers):
                node.say(m.Scale(2))  # its circuit has opened, as it should: the user tries again
            pids = [w.pid for w in workers if w.state == "alive" and w.pid]
            if pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(pids), signal.SIGKILL)
        load.finish(DRAIN_S)
        with capsys.disabled():
            print(f"\n{KILLS} kills of workers: {load.books()}")
        # A job that saw three of its voters die is told so; that is its one verdict.
        poisonous = {j for j in load.wrong if "poisonous" in load.verdicts[j].stopped}
        load.wrong = [job for job in load.wrong if job not in poisonous]
        load.check()


CLIENT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from protocol import messages as m
from protocol.ids import JobId
from tests.nodes.node import Node
node = Node(home=Path(sys.argv[1]))
node.dial()
for i in range(100_000):
    node.say(m.Submit(JobId(f"from-the-dead-{i}"), f"How many? {i}", votes=2, timeout_s=600))
    print(node.hear(m.Accepted).job, flush=True)
"""


def test_case_8_a_killed_client_s_jobs_go_on_and_its_results_wait_for_who_asks() -> None:
    root = str(Path(__file__).parent.parent.parent)
    with running(*scripted("answers=42;tokens=3;step_s=0.005")) as node:
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(node.home), root], stdout=subprocess.PIPE, text=True
        )
        assert client.stdout
        with client.stdout:
            accepted = [client.stdout.readline().strip() for _ in range(60)]
            client.kill()
            accepted += [line.strip() for line in client.stdout if line.endswith("\n")]
        client.wait()
        for job in accepted:
            node.say(m.Wait(JobId(job)))
            verdict = node.hear(m.Verdict)
            assert (verdict.job, verdict.answer) == (job, "42")


def test_case_9_a_client_that_submits_again_after_a_restart_gets_the_same_job() -> None:
    """Across a death: the job id is the key, not the connection, not the process."""
    with running(*scripted("answers=42")) as node:
        job = node.submit(votes=3, seed=7)
        first = node.hear(m.Verdict)
        restart(node)
        node.jobs -= 1
        assert node.submit(votes=3, seed=8) == job
        assert node.hear(m.Accepted).seed == 7
        assert node.hear(m.Verdict) == first


def test_case_32_a_stopped_broker_goes_on_where_it_was() -> None:
    """SIGSTOP for as long as clients are patient: nothing is lost, and no timer is confused."""
    with running(*ECHO, workers=1) as node:
        load = Load(node, window=50)
        load.run(0.3)
        node.signal(signal.SIGSTOP)
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            load.turn(0.1)
        node.signal(signal.SIGCONT)
        load.run(0.3)
        load.finish(DRAIN_S)
        load.check()


def test_case_6_votes_in_the_count_survive_and_missing_seats_keep_their_seeds() -> None:
    """One vote comes at once, the others never: then the broker dies, and the next one asks."""
    with running(*scripted("answers=42;tokens=400;step_s=0.01"), workers=1) as node:
        job = node.submit(votes=3, seed=5, stop="all", timeout_s=600)
        node.hear(m.Accepted)
        seeds = [seat.seed for seat in shown(node, job).seats]
        restart(node)
        node.say(m.Wait(job))
        verdict = node.hear(m.Verdict)
        assert [vote.seed for vote in verdict.votes] == seeds
        assert {seat.attempts for seat in shown(node, job).seats} == {2}


def shown(node: Node, job: JobId) -> m.JobReport:
    node.say(m.Show(job))
    return node.hear(m.JobReport)
