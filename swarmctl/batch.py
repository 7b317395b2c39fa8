"""Many questions through a bounded window, their results in the order of the questions."""

from collections import deque
from collections.abc import Iterator, Sequence
from time import monotonic

import msgspec

from protocol import messages as m
from protocol.errors import Code
from protocol.ids import JobId
from swarmctl.client import Client
from swarmctl.exits import Failure, NoBroker
from swarmctl.follow import Follow
from swarmctl.out import Progress, talk
from swarmctl.questions import Question
from swarmctl.results import Sink
from swarmctl.uuid7 import job_id

WINDOW_MAX = 32
"""Jobs at the broker at once. A job's timeout runs while it queues, so there are only as many as
keep every slot busy, never more than this."""

BUSY_S = 1.0
"""Before a question is put again that was refused as busy, unless the broker says how long."""

Result = m.Verdict | m.Rejected


def window_for(slots: int, votes: int) -> int:
    """Jobs that keep so many slots busy: one waits for each slot's next seat, and one more."""
    return max(2, min(WINDOW_MAX, 2 + slots // votes))


class Window:
    """Which questions are out, and which results may be told: in order, never more than `size`.

    A result that waits for an earlier one counts as out, so nothing here grows. Pure.
    """

    def __init__(self, questions: Sequence[Question], size: int) -> None:
        self._next = iter(questions)
        self._size = size
        self._out: deque[Question] = deque()
        self._results: dict[str | int, Result] = {}

    def take(self) -> Iterator[Question]:
        """The questions that there is room for now."""
        while len(self._out) < self._size:
            question = next(self._next, None)
            if question is None:
                return
            self._out.append(question)
            yield question

    def end(self, question: Question, result: Result) -> list[tuple[Question, Result]]:
        """One has ended: the results that may be told now, in order."""
        assert question.id not in self._results, "a second end"
        self._results[question.id] = result
        told = []
        while self._out and self._out[0].id in self._results:
            first = self._out.popleft()
            told.append((first, self._results.pop(first.id)))
        return told

    @property
    def is_done(self) -> bool:
        """Whether every question that was taken has been told."""
        return not self._out


class Batch:
    """The conversation about one file of questions. Shell."""

    def __init__(
        self, client: Client, template: m.Submit, window: Window, sink: Sink, total: int
    ) -> None:
        self._client = client
        self._total = total
        self._template = template
        self._window = window
        self._sink = sink
        self._follow = Follow(monotonic())
        self._asked: dict[JobId, Question] = {}
        self._again: list[tuple[float, m.Submit]] = []  # refused as busy: when to put it again
        self.told = 0

    @property
    def jobs(self) -> list[JobId]:
        """The jobs that are with the broker."""
        return self._follow.jobs

    def run(self, progress: Progress) -> None:
        """Ask until every question has its result."""
        self._fill()
        while not self._window.is_done:
            wait_s = BUSY_S if self._again else None
            for said in self._client.listen(self._follow, wait_s, progress.tick):
                self._hear(said)
                self._fill()
                progress.say(f"{self.told} of {self._total} answered, {len(self.jobs)} being asked")
            if not self.jobs:
                self._client.receive(BUSY_S)  # all were refused as busy
            self._fill()

    def _fill(self) -> None:
        now = monotonic()
        due = [submit for at, submit in self._again if at <= now]
        self._again = [(at, submit) for at, submit in self._again if at > now]
        for question in self._window.take():
            submit = self._submit(question, job_id())
            self._asked[submit.job] = question
            due.append(submit)
        for submit in due:
            self._client.send(*self._follow.add(submit, now))

    def _submit(self, question: Question, job: JobId) -> m.Submit:
        submit = msgspec.structs.replace(self._template, job=job, prompt=question.prompt)
        if question.choices:
            return msgspec.structs.replace(submit, answer="choice", choices=question.choices)
        if question.answer_type:
            return msgspec.structs.replace(submit, answer=question.answer_type)
        return submit

    def _hear(self, said: m.Message) -> None:
        if isinstance(said, m.Rejected) and said.problem.code == Code.BUSY:
            self._put_again(said)
        elif isinstance(said, m.Verdict | m.Rejected):
            for question, result in self._window.end(self._asked.pop(said.job), said):
                self._tell(question, result)

    def _put_again(self, said: m.Rejected) -> None:
        at = monotonic() + (said.problem.retry_after_s or BUSY_S)
        question = self._asked[said.job]
        self._again.append((at, self._submit(question, said.job)))

    def _tell(self, question: Question, result: Result) -> None:
        self.told += 1
        if isinstance(result, m.Verdict):
            self._sink.verdict(question, result)
            self._client.ack(result.job)
        else:
            self._sink.refused(question, result)


def run(client: Client, template: m.Submit, questions: Sequence[Question], sink: Sink) -> None:
    """Ask them all. Ctrl-C, or results that cannot be written, cancel the jobs that are out; what
    was told stays told."""
    report = client.ask(m.Status(), m.NodeReport)
    slots = sum(w.slots for w in report.workers) + sum(p.slots for p in report.peers)
    window = Window(questions, window_for(slots, template.votes))
    batch = Batch(client, template, window, sink, len(questions))
    with Progress("asking") as progress:
        try:
            batch.run(progress)
        except NoBroker:
            raise
        except (KeyboardInterrupt, BrokenPipeError, Failure):
            client.cancel(*batch.jobs)
            progress.clear()
            talk(
                f"{batch.told} of {len(questions)} questions were answered; the rest was cancelled"
            )
            raise
