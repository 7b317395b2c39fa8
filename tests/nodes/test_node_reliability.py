"""A real node learns which of its models to rely on, and remembers it when it is killed."""

import signal
import subprocess
import sys

from broker.learner import FILE
from broker.voting.weights import JOBS_NEEDED
from protocol import messages as m
from tests.nodes.node import Node, running, scripted

GOOD, POOR = "answers=#### 42*9,#### 1;tokens=1", "answers=#### 42,#### 2,#### 3,#### 4;tokens=1"


def known(node: Node) -> list[m.ReliabilityRow]:
    """What the node knows of each model, the most reliable first."""
    node.say(m.Models())
    told = node.hear(m.ModelList)
    rows = [row for model in told.models for row in model.reliability if row.reliability]
    return sorted(rows, key=lambda row: -row.reliability)


def ask(node: Node, jobs: int) -> m.Verdict:
    """So many jobs, one after the other, so that both workers vote in each."""
    for number in range(jobs):
        verdict = node.ask(f"How many, {number}?", votes=4, stop="all", answer="number")
    return verdict


def test_a_node_learns_whom_to_rely_on_and_a_kill_does_not_undo_it() -> None:
    with running(*scripted(GOOD, 2)) as node:
        poor = subprocess.Popen([sys.executable, "-m", "worker", *scripted(POOR, 2)], env=node.env)
        try:
            node.until(lambda r: sum(w.state == "alive" for w in r.workers) == 2, "two workers")
            ask(node, JOBS_NEEDED + 60)
            node.until(lambda _: len(known(node)) == 2, "anything learned")
            good, bad = known(node)
            assert good.reliability > bad.reliability + 0.2
            verdict = ask(node, 1)
            assert verdict.notes[0].startswith("votes weigh by what past jobs showed")
            node.signal(signal.SIGKILL)
            node.wait()
            node.socket.close()
            node.start()
            node.until(lambda r: sum(w.state == "alive" for w in r.workers) == 2, "both again")
            node.until(lambda _: len(known(node)) == 2, "what was learned from")
            first, second = known(node)
            assert first.weight > second.weight
            assert (node.home / FILE).exists()
        finally:
            poor.terminate()
            poor.wait(20)
