"""A real node with the built-in model: the same seeds give the same texts, alone or together."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import zmq

from protocol import frames
from protocol import messages as m
from protocol.ids import JobId, Seat
from tests.nodes.node import Node, running

QUESTION = (
    "Tom has 12 apples. He buys 3 boxes of 6 apples and gives away 7. "
    "How many apples does Tom have?"
)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with running("--model", "abacus", "--slots", "8") as started:
        yield started


def texts(verdict: m.Verdict) -> dict[int, str]:
    return {vote.seed: vote.text for vote in verdict.votes}


def test_eight_seeds_give_the_same_texts_again_and_alone(node: Node) -> None:
    first = node.ask(QUESTION, votes=8, seed=1, stop="all")
    assert len(texts(first)) == 8, "distinct seeds"
    assert texts(node.ask(QUESTION, votes=8, seed=1, stop="all")) == texts(first)
    for seed, text in texts(first).items():
        alone = node.ask(QUESTION, votes=1, seed=seed)
        assert texts(alone) == {seed: text}


def test_jobs_that_share_a_batch_do_not_change_each_other(node: Node) -> None:
    questions = [
        f"Ann has {n} pens. She buys {n} more. How many pens does Ann have?" for n in (3, 7)
    ]
    quiet = {q: texts(node.ask(q, votes=4, seed=2, stop="all")) for q in questions}
    jobs = {node.submit(q, votes=4, seed=2, stop="all"): q for q in questions}
    for _ in jobs:
        verdict = node.hear(m.Verdict)
        assert texts(verdict) == quiet[jobs[verdict.job]]


def test_the_command_line_says_the_same_as_json(node: Node) -> None:
    command = [sys.executable, "-m", "swarmctl.app", "submit", QUESTION, "-n", "8", "--seed", "1"]
    runs = [
        json.loads(
            subprocess.run(
                [*command, "--json"], env=node.env, capture_output=True, check=True
            ).stdout
        )
        for _ in range(2)
    ]
    assert runs[0]["answer"] == "23"
    seeds = [[vote["seed"] for vote in run["votes"]] for run in runs]
    assert len(set(seeds[0])) == len(seeds[0])
    both = set(seeds[0]) & set(seeds[1])
    said = [{v["seed"]: v["text"] for v in run["votes"] if v["seed"] in both} for run in runs]
    assert said[0] == said[1]
    assert both, "early stopping may keep different votes, but never none in common"


def test_a_prompt_longer_than_the_context_fails_with_the_numbers(node: Node) -> None:
    verdict = node.ask("apples " * 600, votes=3)
    assert (verdict.outcome, verdict.declined) == ("failed", 3)
    assert "512" in verdict.stopped
    assert node.ask(QUESTION, votes=1).outcome == "decided"


def test_temperature_zero_is_one_vote_and_says_so(node: Node) -> None:
    verdict = node.ask(QUESTION, votes=8, temperature=0)
    assert (verdict.asked, verdict.cast) == (1, 1)
    assert "temperature 0" in verdict.notes[0]


def test_what_was_saved_by_stopping_is_told(node: Node) -> None:
    stopped = [node.ask(QUESTION, votes=8, seed=seed) for seed in range(5)]
    early = [verdict for verdict in stopped if verdict.cancelled]
    assert early, "five questions, and not one could be decided early"
    assert all(verdict.tokens_cancelled > 0 for verdict in early)
    assert all(v.cast + v.abstained + v.cancelled == v.asked for v in stopped)


class Worker:
    """A real worker process, with the test as its broker."""

    def __init__(self) -> None:
        self.node = Node()
        self.router = self.node.context.socket(zmq.ROUTER)
        self.router.set(zmq.LINGER, 0)
        (self.node.home / "run").mkdir()
        self.router.bind(f"ipc://{self.node.home}/run/broker.sock")
        command = [sys.executable, "-m", "worker", "--model", "abacus", "--slots", "8"]
        self.process = subprocess.Popen(command, env=self.node.env, stdin=subprocess.DEVNULL)
        self.inbox: list[m.FromWorker] = []
        self.hear(m.Ready)

    def hear(self, kind: type) -> m.FromWorker:
        while True:
            for i, message in enumerate(self.inbox):
                if isinstance(message, kind):
                    return self.inbox.pop(i)
            assert self.router.poll(20_000), f"no {kind.__name__} came"
            self.route, frame = self.router.recv_multipart()
            self.inbox += frames.to_broker(frame)

    def say(self, *messages: m.Message) -> None:
        (frame,) = frames.pack([frames.encode(message) for message in messages])
        self.router.send_multipart([self.route, frame])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.router.close()
        self.node.dial()
        self.node.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    started = Worker()
    yield started
    started.close()


def ballot(job: str, seeds: list[int]) -> m.Ballot:
    seats = tuple(m.BallotSeat(Seat(i), seed, 1) for i, seed in enumerate(seeds))
    return m.Ballot(JobId(job), seats, QUESTION, 60.0)


def test_recalled_seats_are_out_of_their_slots_before_the_next_step(worker: Worker) -> None:
    """From the deciding vote to free slots: one decode step, counted in tokens."""
    worker.say(ballot("first", list(range(8))))
    vote = worker.hear(m.Vote)
    assert isinstance(vote, m.Vote)
    others = tuple(Seat(i) for i in range(8) if i != vote.seat)
    worker.say(m.Recall(JobId("first"), others), ballot("second", [99]))
    answered = [vote]
    while answered[-1].job == "first":  # some may have ended in the very same step
        answered.append(worker.hear(m.Vote))
    beat = worker.hear(m.Heartbeat)
    while beat.busy or beat.tokens < sum(v.tokens for v in answered):
        beat = worker.hear(m.Heartbeat)
    ended = sum(v.tokens for v in answered)
    running = answered[-2].running_tokens
    steps_too_many = (beat.tokens - ended - running) / 7
    assert steps_too_many <= 2, "at most the step in hand, and the one it took to tell"


def test_a_prompt_is_computed_once_for_all_its_seats(worker: Worker) -> None:
    worker.say(ballot("first", list(range(8))))
    votes = [worker.hear(m.Vote) for _ in range(8)]
    beat = worker.hear(m.Heartbeat)
    while beat.busy:
        beat = worker.hear(m.Heartbeat)
    assert beat.prefilled == votes[0].prompt_tokens
