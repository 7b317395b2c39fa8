"""What an outsider knows of one broker: every word it was told, wrote and said. It believes none.

A record counts from its commit: what a crash takes back is taken back here too. Each rule of
DESIGN section 5 that can be seen from outside is asserted at the step that would break it.
"""

from collections import Counter, deque
from typing import Any

from broker import events as ev
from broker.core import Broker
from protocol import messages as m
from protocol import records as r
from protocol.ids import JobId, Seat, WorkerId
from tests.simulation import recount, terms, watch
from tests.simulation.keeping import Keeping
from tests.simulation.network import Heard, Told
from tests.simulation.owed import Owed
from tests.simulation.processes import Processes

_ABSENT = object()

WHOLE_STEPS = 16
"""After each step the core is checked for the jobs that the step was about, or wholly when it may
have been about any; and wholly after each of so many. All after all took a third of the time."""

TRIES_MAX = 1000
"""Far above what losing voters takes: a seat that is given so often goes round in a circle."""


class Violation(AssertionError):
    """Something that must never happen has happened."""


class Oracle:
    """The books on one broker, through all its lives."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.attempted: dict[JobId, m.Submit] = {}  # a client has said SUBMIT
        self.accepted: dict[JobId, r.JobAccepted] = {}
        self.issued: dict[JobId, dict[tuple[Seat, int], tuple[str, int]]] = {}  # voter, seed
        self.latest: dict[JobId, dict[Seat, int]] = {}  # attempt
        self.counted: dict[JobId, dict[Seat, m.VoteRecord]] = {}
        self.seeds: dict[JobId, dict[Seat, int]] = {}
        self.given_up: dict[JobId, dict[Seat, str]] = {}
        self.ended: dict[JobId, m.Verdict] = {}
        self.acknowledged: dict[JobId, None] = {}  # ACCEPTED has left the broker
        self.delivered: dict[JobId, m.Verdict] = {}  # VERDICT has left the broker
        self.due_at: dict[JobId, float] = {}  # when an open job must be over
        self.listeners: dict[JobId, dict[bytes, bool]] = {}  # wants PROGRESS
        self.voter_of: dict[bytes, WorkerId] = {}  # by READY, on this connection
        self.heard_at: dict[bytes, float] = {}
        self.beat_at: dict[bytes, float] = {}
        self.ballots: deque[tuple[bytes, JobId, m.BallotSeat]] = deque(maxlen=64)
        self.votes: deque[tuple[bytes, m.Vote]] = deque(maxlen=64)
        self.verdicts = 0  # that are safe
        self.forgotten: dict[JobId, None] = {}  # kept for long enough
        self._safe: set[JobId] = set()  # accepted, and committed
        self._safe_verdicts: dict[JobId, m.Verdict] = {}
        self._earlier: dict[JobId, list[m.Verdict]] = {}  # of lives that were forgotten
        self.keeping = Keeping()
        self.processes = Processes()
        self._owed = Owed()
        self._stopped: set[bytes] = set()  # routes that were told STOP
        self._steps = 0
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []

    # ------------------------------------------------------------ books

    def _put(self, book: dict[Any, Any], key: Any, value: Any) -> None:
        """Write, so that a crash before the commit takes it back."""
        self._undo.append((book, key, book.get(key, _ABSENT)))
        book[key] = value

    def _forget(self, job: JobId) -> None:
        """Close the books on a job; a crash before the commit opens them again."""
        for book in (self.accepted, self.issued, self.latest, self.counted, self.seeds,
                     self.given_up, self.ended, self.delivered, self.due_at):  # fmt: skip
            if job in book:
                self._undo.append((book, job, book.pop(job)))

    def committed(self, records: list[r.Record]) -> None:
        """Records have become safe: all that were asked for and not withdrawn."""
        self._undo.clear()
        for record in records:
            self.keeping.committed(record)
            if isinstance(record, r.JobAccepted):
                job = record.submit.job
                self._safe.add(job)
                if job in self._safe_verdicts:  # it was forgotten, and put again: a new life
                    earlier = self._safe_verdicts.pop(job)
                    self._earlier.setdefault(job, []).append(earlier)
                    if self.delivered.get(job) == earlier:  # it left after it was forgotten
                        del self.delivered[job]
            elif isinstance(record, r.VerdictGiven):
                self._safe_verdicts[record.verdict.job] = record.verdict
                self.verdicts += 1

    def died(self) -> None:
        """The broker's process is gone, with all that was not safe."""
        for book, key, old in reversed(self._undo):
            if old is _ABSENT:
                book.pop(key, None)
            else:
                book[key] = old
        self._undo.clear()
        self.listeners.clear()
        self.keeping.died()
        self.processes = Processes()
        self._owed.died()
        self._stopped.clear()
        self.voter_of.clear()
        self.heard_at.clear()
        self.beat_at.clear()

    def restarted(self, records: list[r.Record], core: Broker) -> None:
        """A new life has taken up what was written: every job, every vote. It wrote these."""
        now = core.state.started_at
        for job_id, accepted in self.accepted.items():
            if job_id not in self.ended:
                self.due_at[job_id] = now + accepted.submit.timeout_s
        self._wrote(None, [ev.Write(record) for record in records], core, now)
        self._undo.clear()
        core.check()
        watch.taken_up(self, core)

    # ------------------------------------------------------------ a step

    def before(self, event: Told, core: Broker, now: float) -> None:
        """The core is about to be told this."""
        self.processes.before(event, core, now)

    def stepped(self, event: Told, actions: list[ev.Action], core: Broker, now: float) -> None:
        """The core was told this, and wants that."""
        if isinstance(event, Heard):
            self.heard_at[event.route] = now
            if type(event.said[-1]) is m.Heartbeat:
                self.beat_at[event.route] = now
            if not actions and all(type(said) is m.Heartbeat for said in event.said):
                watch.after(self, event, core, now)
                return  # by far the most there is, and it changes nothing
        if actions or not isinstance(event, ev.Tick):
            self._heard(event, actions, core, now)
            self._wrote(event, actions, core, now)
            self.processes.after(self)
        self._steps += 1
        about = watch.about(event, actions)
        if about is None or self._steps % WHOLE_STEPS == 0:
            core.check()
        elif about:
            core.check_of(about)
        watch.after(self, event, core, now)

    def _heard(self, event: Told, actions: list[ev.Action], core: Broker, now: float) -> None:
        match event:
            case Heard(route=route):
                for said in event.said:
                    self._message(route, said, actions, core, now)
            case ev.Nonsense(route=route, say=say):
                refused = any(isinstance(one, m.Rejected) for one in _told(route, actions))
                _must(refused == bool(say), "what is not known was not answered")
            case ev.Fetched():
                self._answered(event.route, event.message, actions)
            case ev.JournalFull(unwritten=jobs):
                for job in jobs:
                    self._withdrawn(job, actions, core)
            case ev.Unreachable(route=route):
                for routes in self.listeners.values():
                    routes.pop(route, None)
                self._owed.nobody(route)

    def _withdrawn(self, job: JobId, actions: list[ev.Action], core: Broker) -> None:
        """It could not be written: who put it is told so, and nothing of it is left."""
        terms.of_withdrawal(job, self.listeners.pop(job, {}), actions, core)
        self._forget(job)
        self._owed.withdrawn(job)

    def _message(
        self, route: bytes, said: m.Message, actions: list[ev.Action], core: Broker, now: float
    ) -> None:
        match said:
            case m.Ready():
                if not any(isinstance(message, m.Stop) for message in _told(route, actions)):
                    self.processes.joined(route, said, now)
                    self.voter_of[route] = said.worker
                    self._stopped.discard(route)
            case m.Scale():
                self.processes.scaled()
            case m.Vote():
                self.votes.append((route, said))
                watch.vote_was_taken(route, said, actions, core)
            case _:
                self._answered(route, said, actions)

    def _answered(self, route: bytes, said: m.Message, actions: list[ev.Action]) -> None:
        """Every question has its answer, at once or when the journal has been read."""
        fetched = [action.message.job for action in actions if isinstance(action, ev.Fetch)]
        if getattr(said, "job", None) in fetched:
            return
        match said:
            case m.Submit() | m.Wait() | m.Cancel():
                self._asked(route, said, actions)
            case m.Status() | m.Jobs() | m.Show():
                _must(bool(_told(route, actions)), f"{type(said).__name__} was not answered")

    def _asked(
        self, route: bytes, said: m.Submit | m.Wait | m.Cancel, actions: list[ev.Action]
    ) -> None:
        """A client wants a verdict on this route: it is told no, or gets exactly one."""
        told = _told(route, actions)
        refused = [t for t in told if isinstance(t, m.Rejected) and t.job in ("", said.job)]
        if isinstance(said, m.Submit):
            self.attempted.setdefault(said.job, said)
            yes = [t for t in told if isinstance(t, m.Accepted) and t.job == said.job]
            _must(len(yes) + len(refused) >= 1, f"{said.job}: SUBMIT was not answered")
        if refused:
            self._may_refuse(said.job, refused[0])
        elif said.job in self.ended:
            verdicts = [t for t in told if isinstance(t, m.Verdict) and t.job == said.job]
            _must(len(verdicts) == 1, f"{said.job}: {len(verdicts)} verdicts for one question")
        else:
            ended = isinstance(said, m.Cancel) and not any(isinstance(t, m.Verdict) for t in told)
            _must(not ended, f"{said.job}: CANCEL, and it goes on")
            watch = not isinstance(said, m.Cancel) and said.watch
            self.listeners.setdefault(said.job, {})[route] = watch

    def _may_refuse(self, job: JobId, refused: m.Rejected) -> None:
        _must(
            job not in self.accepted, f"{job} was accepted, and is refused: {refused.problem.seen}"
        )

    def _wrote(
        self, event: Told | None, actions: list[ev.Action], core: Broker, now: float
    ) -> None:
        for i, action in enumerate(actions):
            if isinstance(action, ev.Write):
                self._record(action.record, event, actions[i + 1 :], core, now)
            elif isinstance(action, ev.Send):
                self._owed.asked(action)
                self._sent(action.route, action.message)

    def _record(
        self,
        record: r.Record,
        event: Told | None,
        then: list[ev.Action],
        core: Broker,
        now: float,
    ) -> None:
        match record:
            case r.JobAccepted(submit=submit):
                _must(submit.job in self.attempted, f"{submit.job} was never submitted")
                _must(submit.job not in self.accepted, f"{submit.job} was accepted twice")
                terms.of_acceptance(record, self.attempted[submit.job], core)
                self._put(self.accepted, submit.job, record)
                self._put(self.due_at, submit.job, now + submit.timeout_s)
            case r.BallotIssued():
                self._issued(record)
            case r.VoteCounted():
                self._counted(record, event)
                terms.of_progress(self, record, then)
            case r.SeatGivenUp(job=job, seat=seat):
                lost = self.given_up.setdefault(job, {})
                _must(seat not in lost, f"{job} seat {seat} given up twice")
                _must(seat not in self.counted.get(job, {}), f"{job} seat {seat}: given up, voted")
                _must(job not in self.ended, f"{job} seat {seat} given up after the verdict")
                self._put(lost, seat, record.state)
            case r.VerdictGiven(verdict=verdict):
                terms.of_outcome(verdict, event, self.due_at[verdict.job], core, now)
                if "poisonous" in verdict.stopped:
                    self.processes.poisonous(verdict)
                self.keeping.ended(verdict.job, now)
                self._verdict(verdict, then, core)
            case r.VerdictHeard(job=job):
                self.keeping.hears(job)
            case r.JobsForgotten(jobs=jobs):
                self.keeping.forgets(self, jobs, core)
                for job in jobs:
                    self._put(self.forgotten, job, None)
                    self._forget(job)

    def _issued(self, record: r.BallotIssued) -> None:
        job = record.job
        _must(job in self.accepted, f"a ballot of {job}, which was not accepted")
        _must(job not in self.ended, f"a ballot of {job} after its verdict")
        for seat, seed, attempt in [(s.seat, s.seed, s.attempt) for s in record.seats]:
            latest = self.latest.setdefault(job, {})
            before = latest.get(seat, 0)
            _must(attempt <= TRIES_MAX, f"{job} seat {seat}: given {attempt} times")
            first = seat != 0 or seed == self.accepted[job].seed
            _must(first, f"{job} seat 0: not the job's own seed")
            _must(attempt > before, f"{job} seat {seat}: try {attempt} after try {before}")
            _must(seat not in self.counted.get(job, {}), f"{job} seat {seat} is in the count")
            _must(seat not in self.given_up.get(job, {}), f"{job} seat {seat} was given up")
            seeds = self.seeds.setdefault(job, {})
            _must(seeds.get(seat, seed) == seed, f"{job} seat {seat}: another seed than before")
            used = [other for other, its in seeds.items() if its == seed and other != seat]
            _must(not used, f"{job} seat {seat}: the seed of seat {used}")
            self._put(seeds, seat, seed)
            self._put(latest, seat, attempt)
            self._put(self.issued.setdefault(job, {}), (seat, attempt), (record.voter, seed))

    def _counted(self, record: r.VoteCounted, event: Told | None) -> None:
        job, vote = record.job, record.vote
        name = f"{job} seat {vote.seat}"
        _must(job not in self.ended, f"{name}: counted after the verdict")
        votes = self.counted.setdefault(job, {})
        _must(vote.seat not in votes, f"{name}: counted twice")
        _must(vote.seat not in self.given_up.get(job, {}), f"{name}: counted though given up")
        assert isinstance(event, Heard), name
        said = [s for s in event.said if isinstance(s, m.Vote) and s.text == vote.text]
        tries = [s.attempt for s in said if (s.job, s.seat) == (job, vote.seat)]
        _must(bool(tries), f"{name}: not said")
        attempt = self.latest.get(job, {}).get(vote.seat, 0)
        _must(attempt in tries, f"{name}: try {tries} counted, {attempt} awaited")
        voter, seed = self.issued[job][vote.seat, attempt]
        _must(self.voter_of.get(event.route) == voter, f"{name}: not from {voter}")
        _must(vote.worker == voter, f"{name}: credited to {vote.worker}, not {voter}")
        _must(vote.seed == seed, f"{name}: recorded under another seed")
        self._put(votes, vote.seat, vote)

    def _verdict(self, verdict: m.Verdict, then: list[ev.Action], core: Broker) -> None:
        job = verdict.job
        _must(job in self.accepted, f"{job}: a verdict, but it was never accepted")
        _must(job not in self.ended, f"{job}: a second verdict")
        self._put(self.ended, job, verdict)
        self._put(self.due_at, job, float("inf"))
        told = [a.route for a in then if isinstance(a, ev.Send) and a.message == verdict]
        awaiting = list(self.listeners.pop(job, {}))
        _must(sorted(told) == sorted(awaiting), f"{job}: told {told}, awaited by {awaiting}")
        given_up = Counter(self.given_up.get(job, {}).values())
        recount.check(verdict, self.accepted[job], self.counted.get(job, {}), given_up)
        watch.recalled(self, verdict, then, core)

    def _sent(self, route: bytes, said: m.ToClient | m.ToWorker) -> None:
        """What a send relies on was asked to be written before it."""
        match said:
            case m.Stop(now=False):
                self._stopped.add(route)
            case m.Accepted(job=job):
                _must(job in self.accepted, f"{job}: ACCEPTED before it was written")
                wrote = self.accepted[job]
                same = (said.asked, said.seed) == (wrote.asked, wrote.seed)
                _must(same, f"{job}: ACCEPTED says other seats or seeds than before")
            case m.Verdict(job=job):
                _must(job in self.ended, f"{job}: VERDICT before it was written")
                _must(self.ended[job] == said, f"{job}: the verdict has changed")
            case m.Ballot(job=job):
                terms.of_ballot(said, self.accepted[job].submit)
                _must(route not in self._stopped, f"{job}: BALLOT for a worker that is to leave")
                for seat in said.seats:
                    wrote_to = self.issued.get(job, {}).get((seat.seat, seat.attempt))
                    to = (self.voter_of.get(route), seat.seed)
                    _must(wrote_to == to, f"{job} seat {seat.seat}: BALLOT for {to}, {wrote_to}")
                    self.ballots.append((route, job, seat))

    # ------------------------------------------------------------ outside

    def said(self, route: bytes, frame: list[m.Message]) -> None:
        """This has left the broker: nothing takes it back."""
        for message in frame:
            if isinstance(message, m.Accepted | m.Verdict):
                self._owed.left(route, message)
            if isinstance(message, m.Accepted):
                safe = message.job in self._safe
                _must(safe, f"{message.job}: ACCEPTED left the broker before it was safe")
                self.acknowledged[message.job] = None
            elif isinstance(message, m.Verdict):
                if message in self._earlier.get(message.job, ()):
                    continue  # said, then forgotten and put again, all in one turn
                safe = self._safe_verdicts.get(message.job)
                _must(safe == message, f"{message.job}: VERDICT left the broker before it was safe")
                before = self.delivered.setdefault(message.job, message)
                _must(before == message, f"{message.job}: two verdicts have left the broker")

    def client_heard(self, client: str, said: m.Message) -> None:
        """A client was told this."""
        if isinstance(said, m.Verdict):
            _must(said.job in self.attempted, f"{said.job}: unexpected, nobody has submitted it")

    def spawned(self, worker: WorkerId, running: dict[WorkerId, Any], now: float) -> None:
        """The broker wants a process of this name."""
        self.processes.spawned(worker, now)
        _must(worker not in running, f"{worker} is started while it runs")

    def final(self, asked: list[JobId], heard: dict[JobId, m.Verdict]) -> None:
        """All is quiet, and a client has asked again for every job that was acknowledged."""
        self._owed.final()
        for job in asked:
            if job in self.acknowledged and job not in self.forgotten:
                _must(job in self.ended, f"{job}: acknowledged, and without a verdict: lost")
                _must(heard.get(job) == self.ended[job], f"{job}: not delivered when asked again")


def _told(route: bytes, actions: list[ev.Action]) -> list[m.Message]:
    """What is said there in this step."""
    return [a.message for a in actions if isinstance(a, ev.Send) and a.route == route]


def _must(true: bool, otherwise: str) -> None:
    if not true:
        raise Violation(otherwise)
