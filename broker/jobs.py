"""All jobs of a broker: those that run, in the order they wait for seats, and the latest done."""

import heapq
import math
from collections import Counter, OrderedDict
from collections.abc import Iterator

import msgspec

from broker.events import Route
from broker.job import Job
from broker.line import Line
from protocol.ids import JobId

JOBS_MAX = 11_000
"""Open jobs: a day's batch fits, and `status` stays quick. Beyond: "busy, retry after"."""

SHARE = 10
"""A client may hold so many times what it leaves free: 10,000 jobs alone, and then there is room
for a thousand of others, each of whom may hold ten times what is left, and so on."""

JOBS_BYTES_MAX = 64 << 20
"""Texts of open jobs: 6 KiB each at JOBS_MAX, far below what a small machine misses."""

DONE_MAX = 1000
"""Verdicts kept for clients that ask again."""

DONE_BYTES_MAX = 16 << 20
"""Texts of the verdicts kept; the oldest go first."""

LOOKAHEAD = 4
"""Jobs of one line that are considered at a time: one that must wait does not stop the rest."""


class _Client(msgspec.Struct, gc=False):
    """What one client has open. It is known as long as that is something."""

    jobs: int = 0
    text_bytes: int = 0
    turn: int = 0  # when it was served last, or came; counted in jobs served


class Jobs:
    """Jobs by id, a line for each model that is asked for, and deadlines."""

    def __init__(self) -> None:
        self.open: dict[JobId, Job] = {}
        self.done: OrderedDict[JobId, Job] = OrderedDict()
        self.done_total = 0
        self._lines: dict[tuple[str, bool], Line] = {}  # by model; the choosy jobs apart
        self._clients: dict[Route, _Client] = {}
        self._turn = 0
        self._deadlines: list[tuple[float, JobId]] = []
        self._open_bytes = 0
        self._done_bytes = 0

    def get(self, job: JobId) -> Job | None:
        """The job, open or done."""
        return self.open.get(job) or self.done.get(job)

    def full(self, new_bytes: int, client: Route) -> str:
        """Why one more job of this size and client does not fit; empty when it does."""
        free, free_bytes = JOBS_MAX - len(self.open), JOBS_BYTES_MAX - self._open_bytes
        if not free:
            return f"{len(self.open)} jobs are waiting or running, as many as fit"
        if new_bytes > free_bytes:
            return f"the prompts of {len(self.open)} jobs take {self._open_bytes >> 20} MiB"
        held = self._clients.get(client)
        if held is None:
            return ""
        if held.jobs >= SHARE * free:
            return f"{held.jobs} of your jobs wait or run; the last {free} places are for others"
        if held.text_bytes + new_bytes > SHARE * (free_bytes - new_bytes):
            return f"the prompts of your {held.jobs} jobs take {held.text_bytes >> 20} MiB"
        return ""

    def add(self, job: Job) -> None:
        """Take in a new job; it waits for seats behind those that came before."""
        self.open[job.id] = job
        self._open_bytes += job.prompt_bytes
        self._hold(job)
        heapq.heappush(self._deadlines, (job.deadline_at, job.id))
        if len(self._deadlines) > 2 * len(self.open) + 64:  # mostly of jobs that are over
            self._deadlines = [(j.deadline_at, j.id) for j in self.open.values()]
            heapq.heapify(self._deadlines)
        self.wait(job)

    def _hold(self, job: Job) -> None:
        held = self._clients.get(job.client)
        if held is None:
            held = self._clients[job.client] = _Client(turn=self._turn)
        held.jobs += 1
        held.text_bytes += job.prompt_bytes

    def _let_go(self, job: Job) -> None:
        held = self._clients[job.client]
        held.jobs -= 1
        held.text_bytes -= job.prompt_bytes
        if not held.jobs:
            del self._clients[job.client]

    def hand_over(self, job: Job, client: Route) -> None:
        """An open job is this client's from here on."""
        self._let_go(job)
        self.unwait(job)
        job.client = client
        self._hold(job)
        if job.waits:
            self.wait(job)

    def wait(self, job: Job, first: bool = False) -> None:
        """Put a job that has seats to give in line; `first`: it has waited before."""
        key = job.submit.model, job.choosy
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line()
        line.join(job, first)

    def unwait(self, job: Job, served: bool = False) -> None:
        """Take a job out of its line; `served`: since all its seats were given."""
        key = job.submit.model, job.choosy
        line = self._lines.get(key)
        if line is None:
            return
        line.leave(job, served)
        if not line:
            del self._lines[key]
        if served:
            job.choosy = False
            self._turn += 1
            self._clients[job.client].turn = self._turn

    def pass_over(self, job: Job) -> bool:
        """None of the free voters may be given this job: let it stop no other. Was that new?

        It waits in a line of such jobs, of which each is looked at in turn.
        """
        was = job.choosy
        self.unwait(job)
        job.choosy = True
        self.wait(job)
        return not was

    def next_up(self) -> list[Job]:
        """A few jobs of each line, those first whose clients have waited longest for their turn.

        A few, since the first may be waiting for one voter while others are free for the next.
        """
        lines = self._lines.values()
        if len(lines) == 1:
            return next(iter(lines)).first(LOOKAHEAD)
        firsts = [job for line in lines for job in line.first(LOOKAHEAD)]
        firsts.sort(key=lambda job: (self._clients[job.client].turn, job.accepted_at))
        return firsts

    @property
    def waiting(self) -> bool:
        """Does any job wait for a seat?"""
        return bool(self._lines)

    def finish(self, job: Job) -> None:
        """Move a job with its verdict to the done ones."""
        del self.open[job.id]
        self._open_bytes -= job.prompt_bytes
        self._let_go(job)
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
        self._let_go(job)

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
        queued = [job_id for line in self._lines.values() for job_id in line]
        assert sorted(queued) == sorted(job.id for job in self.open.values() if job.waits)
        assert all(self._lines.values()), "an empty line"
        held = Counter(job.client for job in self.open.values())
        assert held == {client: one.jobs for client, one in self._clients.items()}
        assert self._open_bytes == sum(one.text_bytes for one in self._clients.values())
        assert {j for _, j in self._deadlines} >= set(self.open), "a job without a deadline"
        assert all(job.verdict for job in self.done.values())
        for job in self.open.values():
            assert job.verdict is None
            job.check()

    def check_of(self, job_id: JobId) -> None:
        """Assert what must always hold of one job, open, done or neither."""
        job = self.get(job_id)
        if job:
            line = self._lines.get((job.submit.model, job.choosy))
            assert (line is not None and job in line) == (job.verdict is None and job.waits)
            assert (job_id in self.open) == (job.verdict is None)
            job.check()
