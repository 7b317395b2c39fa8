"""The conversation with clients: what they ask for, and what they are told."""

from broker import admission, conduct, learning, reports
from broker.events import JournalFull, Kill, Route, Send, Spawn, Write
from broker.fleet import WORKERS_MAX
from broker.job import Job
from broker.state import DRAIN_S, State
from protocol import messages as m
from protocol.errors import Code, Problem
from protocol.ids import JobId
from protocol.limits import SEED_BITS
from protocol.records import JobAccepted, VerdictHeard

LISTENERS_MAX = 64
"""Clients that are told of one job. Beyond, the one that was silent for longest is not: it may be
gone, which only a send would show, and one that is there asks again by itself."""

JOURNAL_RETRY_S = 5.0
"""When to try again while the disk is full: somebody has to make room first."""

RETRY_S_MAX = 60.0
"""The longest "retry after": by then the picture is another one."""

DRAINING = Problem(
    Code.DRAINING,
    "the node is about to end",
    "it was told to, and only finishes what runs",
    "start it again: swarmctl up",
)
MOST = f"a node has 0 to {WORKERS_MAX}"


def submit(state: State, route: Route, said: m.Submit, now: float) -> None:
    """Take a job, or say why not. The same job id again is the same job."""
    if job := state.jobs.get(said.job):
        _accepted(state, route, job)
        _listen(state, route, job, said.watch)
        return
    if (
        problem := admission.problem_of(said)
        or _no_room(state, route, said, now)
        or _nobody(state, said)
    ):
        state.counters.rejected += 1
        state.out.append(Send(route, m.Rejected(problem, said.job)))
        return
    job = _new_job(state, said, now)
    state.out.append(
        Write(JobAccepted(job.submit, job.asked, job.seed, job.notes, dict(job.weights)))
    )
    job.client = route
    job.listeners[route] = said.watch
    _accepted(state, route, job)
    state.jobs.add(job)


def _new_job(state: State, said: m.Submit, now: float) -> Job:
    seed = state.rng.getrandbits(SEED_BITS) if said.seed is None else said.seed
    distinct = said.votes
    if said.temperature == 0 and said.votes > 1:
        distinct = min(said.votes, max(1, len(state.roster.digests(said.model))))
    weights, leaders = learning.weigh(state, said)
    job = Job(said, distinct, seed, now, weights)
    job.leaders = leaders
    if weights:
        job.notes = (learning.note_of(state, weights),)
    if distinct < said.votes:
        job.notes += (
            f"temperature 0: each of {said.votes} seats of one model would give the same text, "
            f"which is one vote; asking {distinct}",
        )
    return job


def _accepted(state: State, route: Route, job: Job) -> None:
    state.out.append(Send(route, m.Accepted(job.id, job.asked, job.seed, job.notes)))


def _listen(state: State, route: Route, job: Job, watch: bool) -> None:
    """Deliver the verdict there: now, or when there is one."""
    if job.verdict is not None:
        state.out.append(Send(route, job.verdict))
        return
    if job.client not in job.listeners:  # whose it was has gone, perhaps with the last broker
        state.jobs.hand_over(job, route)
    job.listeners.pop(route, None)
    if len(job.listeners) >= LISTENERS_MAX:
        del job.listeners[next(other for other in job.listeners if other != job.client)]
    job.listeners[route] = watch
    if watch:
        untried = reports.untried(job)
        state.out += [Send(route, told) for told in untried]


def _no_room(state: State, route: Route, said: m.Submit, now: float) -> Problem | None:
    if state.draining:
        return DRAINING
    if state.refusal:
        return state.refusal
    reason = state.jobs.full(admission.chars_of(said), route)
    if not reason:
        return None
    rate = state.jobs.done_total / max(now - state.started_at, 1.0)
    wait_s = min(RETRY_S_MAX, max(1.0, 0.1 * len(state.jobs.open) / max(rate, 1.0)))
    return Problem(
        Code.BUSY, "the node is busy", reason, f"try again in {wait_s:.0f} s", round(wait_s, 1)
    )


def _nobody(state: State, said: m.Submit) -> Problem | None:
    """Refuse what no voter could ever answer; a worker that is on its way may."""
    if state.roster.have(said.model) or state.fleet.on_its_way():
        return None
    if len(state.roster):
        have = ", ".join(state.roster.models())
        return Problem(
            Code.NO_MODEL,
            f"no worker has the model {said.model!r}",
            f"there is {have}",
            "leave --model out, or start a worker with it",
        )
    because = state.fleet.reasons() or "none was started"
    return Problem(Code.NO_WORKER, "no worker is here", because, "start one: swarmctl scale 1")


def wait(state: State, route: Route, said: m.Wait, now: float) -> None:
    """Another client wants the verdict too."""
    if job := _known(state, route, said.job):
        _listen(state, route, job, said.watch)


def cancel(state: State, route: Route, said: m.Cancel, now: float) -> None:
    """End a job now; one that has ended keeps its verdict."""
    if job := _known(state, route, said.job):
        if job.verdict is None:
            job.listeners[route] = False
            conduct.finish(state, job, "cancelled", "cancelled by the client", now)
        else:
            state.out.append(Send(route, job.verdict))


def checked(state: State, route: Route, said: m.Checked, now: float) -> None:
    """A client has tried a vote; what is late or repeated changes nothing."""
    job = state.jobs.open.get(said.job)
    checks = job.checks if job is not None else None
    if job is not None and checks and checks.result(said.seat, said.passed, said.stopped):
        conduct.judge(state, job, now)


def graded(state: State, route: Route, said: m.Graded, now: float) -> None:
    """Somebody knows the answer to a job that has its verdict."""
    job = state.jobs.done.get(said.job)
    if job is not None:
        learning.grade(state, job, said.right)


def models(state: State, route: Route, said: m.Models, now: float) -> None:
    """The models that vote here, and how reliable they have been."""
    state.out.append(Send(route, learning.models(state)))


def ack(state: State, route: Route, said: m.Ack, now: float) -> None:
    """Somebody has these verdicts for good."""
    if state.kept is not None:
        heard = [job for job in said.jobs if state.kept.hear(job)]
        state.out += [Write(VerdictHeard(job)) for job in heard]


def show(state: State, route: Route, said: m.Show, now: float) -> None:
    """Tell a job's life."""
    if job := _known(state, route, said.job):
        state.out.append(Send(route, reports.job_report(job)))


def _known(state: State, route: Route, job_id: JobId) -> Job | None:
    job = state.jobs.get(job_id)
    if job is None:
        problem = Problem(
            Code.NOT_FOUND,
            f"no job {job_id[:60]!r}",
            "it was never accepted here, or its result was kept long enough",
            "swarmctl jobs ls",
        )
        state.out.append(Send(route, m.Rejected(problem, job_id)))
    return job


def unreadable(state: State, route: Route, job: JobId) -> None:
    """A result is in the journal, but its records cannot be read."""
    problem = Problem(
        Code.NOT_FOUND,
        f"the result of {job[:60]!r} cannot be read",
        "its records in the journal are damaged",
        "ask the question again; check the disk",
    )
    state.out.append(Send(route, m.Rejected(problem, job)))


def journal_full(state: State, news: JournalFull) -> None:
    """Refuse new jobs until there is room; those that could not be written never were."""
    state.refusal = Problem(
        Code.JOURNAL_FULL,
        "the journal is full",
        f"{news.because}, in {state.node.home}; a job that is not written could be lost",
        "free some space: it heals by itself",
        retry_after_s=JOURNAL_RETRY_S,
    )
    for job in [found for name in news.unwritten if (found := state.jobs.get(name))]:
        conduct.abandon(state, job)
        state.counters.rejected += 1
        state.out += [Send(route, m.Rejected(state.refusal, job.id)) for route in job.listeners]


def status(state: State, route: Route, said: m.Status, now: float) -> None:
    """How the node is."""
    state.out.append(Send(route, reports.node_report(state, now)))


def jobs(state: State, route: Route, said: m.Jobs, now: float) -> None:
    """The newest jobs."""
    state.out.append(Send(route, reports.job_list(state, said.limit, now)))


def scale(state: State, route: Route, said: m.Scale, now: float) -> None:
    """Start or drain workers until so many are there."""
    if problem := _no_scale(state, said.workers):
        state.out.append(Send(route, m.Rejected(problem)))
        return
    before = state.fleet.wanted()
    for child in state.fleet.shrink(said.workers):  # first: a failed one that goes is not retried
        if voter := state.roster.by_id.get(child.worker):
            voter.draining = True
            state.out.append(Send(voter.route, m.Stop(reason="scaled down")))
        elif child.pid is not None:  # still loading: it would not hear us
            state.out.append(Kill(child.worker))
    grow(state, said.workers)
    state.out.append(Send(route, m.Scaled(said.workers, before)))


def grow(state: State, workers: int) -> None:
    """Start workers until so many are there."""
    state.out += [Spawn(worker) for worker in state.fleet.grow(workers)]


def _no_scale(state: State, workers: int) -> Problem | None:
    if state.draining:
        return DRAINING
    if not 0 <= workers <= WORKERS_MAX:
        return Problem(Code.INVALID, f"scale to {workers} workers", MOST, "swarmctl scale 1")
    return None


def down(state: State, route: Route, said: m.Down, now: float) -> None:
    """End the node, after its jobs or at once."""
    stopping = m.Stopping(len(state.jobs.open), 0.0 if said.now else DRAIN_S)
    state.out.append(Send(route, stopping))
    drain(state, said.now, now)


def drain(state: State, at_once: bool, now: float) -> None:
    """Take no new jobs; end with the last one, or with the grace."""
    if at_once:
        state.drain_at = now
        end_all(state, "the node was stopped", now)
    elif not state.draining:
        state.drain_at = now + DRAIN_S
    conduct.quit_if_done(state)


def end_all(state: State, reason: str, now: float) -> None:
    """Give every open job the verdict that it was cancelled, unless the next broker takes it up."""
    if state.kept is not None:
        conduct.quit_now(state)
        return
    for job in list(state.jobs.open.values()):
        conduct.finish(state, job, "cancelled", reason, now)


def unreachable(state: State, route: Route) -> None:
    """A client has gone; its jobs go on, and their verdicts are kept."""
    for job in state.jobs.open.values():
        job.listeners.pop(route, None)
