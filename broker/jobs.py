"""All jobs of a broker: those that run, in the order they wait for seats, and the latest done."""

import heapq
import math
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

from broker.job import Job
from protocol.ids import JobId

JOBS_MAX = 10_000
"""Open jobs: a day's batch fits, and `status` stays quick. Beyond: "busy, retry after"."""

JOBS_BYTES_MAX = 64 << 20
"""Texts of open jobs: 6 KiB each at JOBS_MAX, far below what a small machine misses."""

DONE_MAX = 1000
"""Verdicts kept for clients that ask again."""

DONE_BYTES_MAX = 16 << 20
"""Texts of the verdicts kept; the oldest go first."""

LOOKAHEAD = 4
"""Jobs of one queue that are considered at a time: one that must wait does not stop the rest."""


class Jobs:
    """Jobs by id, queues by the model they ask for, and deadlines."""

    def __init__(self) -> None:
        self.open: dict[JobId, Job] = {}
        self.done: OrderedDict[JobId, Job] = OrderedDict()
        self.done_total = 0
        self._queues: dict[str, OrderedDict[JobId, Job]] = {}
        self._deadlines: list[tuple[float, JobId]] = []
        self._open_bytes = 0
        self._done_bytes = 0

    def get(self, job: JobId) -> Job | None:
        """The job, open or done."""
        return self.open.get(job) or self.done.get(job)

    def full(self, new_bytes: int) -> str:
        """Why one more job of this size does not fit; empty when it does."""
        if len(self.open) >= JOBS_MAX:
            return f"{len(self.open)} jobs are waiting or running, as many as fit"
        if self._open_bytes + new_bytes > JOBS_BYTES_MAX:
            return f"the prompts of {len(self.open)} jobs take {self._open_bytes >> 20} MiB"
        return ""

    def add(self, job: Job) -> None:
        """Take in a new job; it waits for seats behind those that came before."""
        self.open[job.id] = job
        self._open_bytes += job.prompt_bytes
        heapq.heappush(self._deadlines, (job.deadline_at, job.id))
        if len(self._deadlines) > 2 * len(self.open) + 64:  # mostly of jobs that are over
            self._deadlines = [(j.deadline_at, j.id) for j in self.open.values()]
            heapq.heapify(self._deadlines)
        self.wait(job)

    def wait(self, job: Job, first: bool = False) -> None:
        """Queue a job that has seats to give; `first`: it has waited before."""
        queue = self._queues.get(job.submit.model)
        if queue is None:
            queue = self._queues[job.submit.model] = OrderedDict()
        queue[job.id] = job
        if first:
            queue.move_to_end(job.id, last=False)

    def unwait(self, job: Job) -> None:
        """Take a job without pending seats out of its queue."""
        queue = self._queues.get(job.submit.model)
        if queue is not None:
            queue.pop(job.id, None)
            if not queue:
                del self._queues[job.submit.model]

    def next_up(self) -> list[Job]:
        """The jobs that have waited longest, a few of each queue, longest first.

        A few, since the first may be waiting for one voter while others are free for the next.
        """
        queues = self._queues.values()
        firsts = [job for queue in queues for job in islice(queue.values(), LOOKAHEAD)]
        if len(queues) > 1:
            firsts.sort(key=lambda job: job.accepted_at)
        return firsts

    @property
    def waiting(self) -> bool:
        """Does any job wait for a seat?"""
        return bool(self._queues)

    def finish(self, job: Job) -> None:
        """Move a job with its verdict to the done ones."""
        del self.open[job.id]
        self._open_bytes -= job.prompt_bytes
        self.done_total += 1
        self.keep(job)

    def keep(self, job: Job) -> None:
        """Hold a job with its verdict for those who ask for it; the oldest go."""
        self.done[job.id] = job
        self._done_bytes += job.bytes
        while len(self.done) > DONE_MAX or self._done_bytes > DONE_BYTES_MAX:
            _, old = self.done.popitem(last=False)
            self._done_bytes -= old.bytes

    def drop(self, job: JobId) -> None:
        """Hold a finished job no longer."""
        if old := self.done.pop(job, None):
            self._done_bytes -= old.bytes

    def abandon(self, job: Job) -> None:
        """Forget an open job that was never accepted."""
        del self.open[job.id]
        self.unwait(job)
        self._open_bytes -= job.prompt_bytes

    def expired(self, now: float) -> Iterator[Job]:
        """Open jobs whose deadline has passed."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, job_id = heapq.heappop(self._deadlines)
            job = self.open.get(job_id)
            if job is not None and job.deadline_at <= now:
                yield job

    def next_deadline(self) -> float:
        """The earliest deadline of an open job, or of one that is over: then nothing happens."""
        return self._deadlines[0][0] if self._deadlines else math.inf

    def check(self) -> None:
        """Assert what must always hold of the table."""
        assert not set(self.open) & set(self.done)
        assert len(self.open) <= JOBS_MAX
        assert len(self.done) <= DONE_MAX
        queued = {job_id for queue in self._queues.values() for job_id in queue}
        assert queued == {job.id for job in self.open.values() if job.waits}
        assert {j for _, j in self._deadlines} >= set(self.open), "a job without a deadline"
        assert all(job.verdict for job in self.done.values())
        for job in self.open.values():
            assert job.verdict is None
            job.check()

    def check_of(self, job_id: JobId) -> None:
        """Assert what must always hold of one job, open, done or neither."""
        job = self.get(job_id)
        queue = self._queues.get(job.submit.model, ()) if job else ()
        assert (job_id in queue) == bool(job and job.pending)
        if job:
            assert (job_id in self.open) == (job.verdict is None)
            job.check()
