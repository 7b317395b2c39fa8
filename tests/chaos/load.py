"""A client under load that keeps books: what was attempted, acknowledged, and what came of it."""

import random
import time

import zmq

from protocol import messages as m
from protocol.ids import JobId
from tests.nodes.node import Node

PAYLOAD_CHARS = 400
"""Of a question: its echo is compared, so a result of another job would be seen."""

REPEAT_S = 0.3
"""Silence after which everything that is out is said again: a broker may have died with it."""


class Load:
    """So many jobs in flight against one node, through all the lives of its broker.

    The workers echo the prompt. `lost`: acknowledged, and no verdict in the end. `unexpected`: a
    verdict for what was never submitted. `changed`: two verdicts of one job that differ.
    """

    def __init__(self, node: Node, window: int, seed: int = 1, votes: int = 1) -> None:
        self.node = node
        self.window = window
        self.votes = votes
        self.rng = random.Random(seed)
        self.submits: dict[JobId, m.Submit] = {}  # attempted
        self.acknowledged: set[JobId] = set()
        self.verdicts: dict[JobId, m.Verdict] = {}
        self.unexpected: list[JobId] = []
        self.changed: list[JobId] = []
        self.wrong: list[JobId] = []
        self.refused = 0
        self.open: set[JobId] = set()
        self.stopped = False
        self._repeat_at = 0.0

    def run(self, seconds: float) -> None:
        """Keep the window full for so long."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self.turn(min(end - now, 0.05))

    def finish(self, patience_s: float) -> None:
        """Submit nothing new and wait for what is out."""
        self.stopped = True
        end = time.monotonic() + patience_s
        while self.open and time.monotonic() < end:
            self.turn(0.05)

    def turn(self, wait_s: float) -> None:
        new = []
        while not self.stopped and len(self.open) < self.window:
            new.append(self._new())
        self._say(new)
        aside, self.node.heard = self.node.heard, []  # what came while the status was asked for
        for message in aside:
            self._heard(message)
        if self.node.socket.poll(wait_s * 1000):
            for message in self.node.receive():
                self._heard(message)
            self._repeat_at = time.monotonic() + REPEAT_S
        elif time.monotonic() >= self._repeat_at:
            self._repeat_at = time.monotonic() + REPEAT_S
            self._say([self._again(job) for job in list(self.open)])

    def _new(self) -> m.Submit:
        job = JobId(f"{len(self.submits):08d}")
        submit = self.question(job)
        self.submits[job] = submit
        self.open.add(job)
        return submit

    def question(self, job: JobId) -> m.Submit:
        """The next job."""
        prompt = job + "".join(self.rng.choices("abcdef ", k=PAYLOAD_CHARS))
        return m.Submit(job, prompt, votes=self.votes, answer="text", timeout_s=600)

    def is_answered(self, verdict: m.Verdict) -> bool:
        """Is this what the workers say to its question?"""
        own = self.submits[verdict.job].prompt
        return verdict.outcome == "decided" and verdict.votes[0].text == own

    def _again(self, job: JobId) -> m.Message:
        """Acknowledged: only the verdict is asked for, so a broker that lost the job is found."""
        return m.Wait(job) if job in self.acknowledged else self.submits[job]

    def _say(self, messages: list[m.Message]) -> None:
        try:
            for start in range(0, len(messages), 64):
                self.node.say(*messages[start : start + 64])
        except zmq.Again:
            return  # nobody reads just now; it is all said again

    def _heard(self, message: m.Message) -> None:
        match message:
            case m.Accepted():
                self.acknowledged.add(message.job)
            case m.Verdict():
                self._ended(message)
            case m.Rejected():
                self.refused += 1
                if message.job in self.acknowledged and message.job not in self.verdicts:
                    self.open.discard(message.job)  # it stays without a verdict: lost

    def _ended(self, verdict: m.Verdict) -> None:
        job = verdict.job
        if job not in self.submits:
            self.unexpected.append(job)
            return
        if self.verdicts.setdefault(job, verdict) != verdict:
            self.changed.append(job)
        if not self.is_answered(verdict):
            self.wrong.append(job)
        self.open.discard(job)
        self._say([m.Ack((job,))])

    @property
    def lost(self) -> set[JobId]:
        """Acknowledged, never delivered."""
        return self.acknowledged - set(self.verdicts)

    def books(self) -> str:
        """One line for people."""
        return (
            f"{len(self.submits)} attempted, {len(self.acknowledged)} acknowledged, "
            f"{len(self.verdicts)} verdicts, {len(self.lost)} lost, {len(self.changed)} changed, "
            f"{len(self.unexpected)} unexpected, {len(self.wrong)} wrong, {self.refused} refused"
        )

    def check(self) -> None:
        """Nothing acknowledged is lost, nothing unexpected, nothing changed, nothing wrong."""
        counts = (self.lost, self.changed, self.unexpected, self.wrong)
        assert not any(counts), self.books()
        assert self.acknowledged, "a load that was never accepted shows nothing"


class Stories(Load):
    """Sums with a few apples, for workers that hold abacus: it is often right, never wordless."""

    def question(self, job: JobId) -> m.Submit:
        """Another sum each time."""
        have, buys, gives = (self.rng.randint(2, 9) for _ in range(3))
        prompt = (
            f"Tom has {have + gives} apples. He buys {buys} apples and gives away {gives}. "
            "How many apples does Tom have?"
        )
        return m.Submit(job, prompt, votes=self.votes, answer="number", timeout_s=600)

    def is_answered(self, verdict: m.Verdict) -> bool:
        """Every vote is a real text, and there was one."""
        return verdict.outcome in ("decided", "tied") and all(v.text for v in verdict.votes)
