"""Stories: a script for the broker's core, and the transcript of what it does, line by line.

A story is a text. Lines that start with `#` are its prose, lines with four spaces are expected
output, every other line is a command:

    worker w1 [slots=2] [model=abacus] [digest=d1]    a worker joins and is proven
    submit j1 [votes=3] [seed=1] [field=value …]       client `c` puts a job
    vote w1 j1 0 TEXT           that worker answers the seat, in its latest attempt
    abstain w1 j1 0 REASON      decline w1 j1 0 REASON   refuse w1 j1 0 REASON (never here)
    late w1 j1 0 TEXT           the same, as an attempt before the latest
    exit w1 CAUSE               the process that we started ends; config w1 REASON: for good
    beat w1                     a heartbeat        gone w1 REASON: it says goodbye
    say d MESSAGE [field=…]     client `d` says WAIT, CANCEL, SCALE, DOWN …
    stop                        a signal to end    pass 5      seconds go by, skip 99: at once
    start 2                     the node is told to keep two workers
    journal 10                  from here on there is one, which keeps 10 results
    full [j1 …]                 it has no room, and could not write these; well: it has again
    evict                       results leave memory; damage j1: and the journal cannot read it
    restart [1]                 the broker is killed, before the last record was safe; a new one
                                takes up what was written

`check()` runs after every step. With `pytest --rewrite` the transcript is written anew: read the
difference before you keep it.
"""

import random
import shlex
from typing import Any

from broker import events as ev
from broker.core import Broker
from broker.kept import Retention
from broker.state import NodeIdentity
from protocol import messages as m
from protocol.ids import JobId, NodeId, Seat, WorkerId
from protocol.records import JobAccepted, JobsForgotten, Record, VerdictGiven

STEP_S = 0.25  # how finely `pass` lets time go by


def reported(said: m.NodeReport | m.JobList) -> str:
    if isinstance(said, m.JobList):
        return f"{len(said.jobs)} told, {said.more} more"
    rows = "; ".join(
        f"{w.id} {w.state} busy={w.busy} restarts={w.restarts} {w.reason}".strip()
        for w in said.workers
    )
    return " | ".join([rows, *said.notes])


class Story:
    """One run of the core under a script."""

    def __init__(self) -> None:
        self.now = 100.0
        self.keeps = 0
        self.core = self.broker()
        self.written: list[Record] = []
        self.attempts: dict[tuple[str, int], int] = {}

    def broker(self) -> Broker:
        retention = Retention(self.keeps) if self.keeps else None
        node = NodeIdentity(NodeId("n" * 40), "here", "0", 1, "ipc://story", "home")
        return Broker(node, random.Random(7), self.now, retention)

    def run(self, text: str) -> str:
        """The story's text with its transcript as it happens now."""
        out: list[str] = []
        for line in text.splitlines():
            if line.startswith("    "):
                continue
            out.append(line)
            if line.strip() and not line.startswith("#"):
                out += ["    " + told for told in self.command(line)]
        return "\n".join(out) + "\n"

    def command(self, line: str) -> list[str]:
        words = shlex.split(line)
        actions = getattr(self, f"do_{words[0]}")(*words[1:])
        return [text for action in actions if (text := self.tell(action))]

    def step(self, event: ev.Event) -> list[ev.Action]:
        return self.did(self.core.handle(event, self.now))

    def did(self, actions: list[ev.Action]) -> list[ev.Action]:
        self.core.check()
        self.written += [action.record for action in actions if isinstance(action, ev.Write)]
        more = []
        for action in actions:
            if isinstance(action, ev.Fetch):
                records = tuple(r for r in self.written if action.message.job in of_job(r))
                more += self.step(ev.Fetched(action.route, action.message, records))
        return actions + more

    def hear(self, who: str, message: m.ToBroker) -> list[ev.Action]:
        return self.step(ev.Received(who.encode(), message))

    # ------------------------------------------------------------ commands

    def do_journal(self, keeps: str) -> list[ev.Action]:
        self.keeps = int(keeps)
        self.core = self.broker()
        return []

    def do_full(self, *unwritten: str) -> list[ev.Action]:
        return self.step(ev.JournalFull("disk is full", tuple(JobId(job) for job in unwritten)))

    def do_well(self) -> list[ev.Action]:
        return self.step(ev.JournalWell())

    def do_evict(self) -> list[ev.Action]:
        """As a thousand further results would."""
        while self.core.state.jobs.done:
            self.core.state.jobs.drop(next(iter(self.core.state.jobs.done)))
        return []

    def do_damage(self, job: str) -> list[ev.Action]:
        self.written = [r for r in self.written if job not in of_job(r)]
        return []

    def do_start(self, count: str) -> list[ev.Action]:
        return self.core.start(int(count))

    def do_restart(self, unsafe: str = "0") -> list[ev.Action]:
        self.written = self.written[: len(self.written) - int(unsafe)]
        self.core = self.broker()
        return self.did(self.core.restore(self.written, self.now))

    def do_worker(self, name: str, *options: str) -> list[ev.Action]:
        o = fields(options, {"slots": 2, "model": "abacus", "digest": "d1", "pid": 10})
        ready = m.Ready(
            worker=WorkerId(name),
            pid=o["pid"],
            engine="scripted",
            engine_version="1",
            model=o["model"],
            digest=o["digest"],
            slots=o["slots"],
            context_tokens=512,
        )
        return self.hear(name, ready)

    def do_submit(self, job: str, *options: str) -> list[ev.Action]:
        o = fields(options, {"prompt": "What is 6 times 7?", "votes": 3, "seed": 1})
        client = o.pop("client", "c")
        return self.hear(client, m.Submit(job=JobId(job), **{"answer": "number", **o}))

    def do_vote(self, worker: str, job: str, seat: str, text: str) -> list[ev.Action]:
        return self.hear(worker, self._vote(job, int(seat), self.attempts[job, int(seat)], text))

    def do_late(self, worker: str, job: str, seat: str, text: str) -> list[ev.Action]:
        attempt = self.attempts[job, int(seat)] - 1
        return self.hear(worker, self._vote(job, int(seat), attempt, text))

    def _vote(self, job: str, seat: int, attempt: int, text: str) -> m.Vote:
        return m.Vote(JobId(job), Seat(seat), attempt, text, "stop", 20, len(text.split()))

    def do_abstain(self, worker: str, job: str, seat: str, reason: str) -> list[ev.Action]:
        attempt = self.attempts[job, int(seat)]
        return self.hear(worker, m.Abstain(JobId(job), Seat(int(seat)), attempt, reason))

    def do_decline(self, worker: str, job: str, seat: str, reason: str) -> list[ev.Action]:
        attempt = self.attempts[job, int(seat)]
        return self.hear(worker, m.Decline(JobId(job), Seat(int(seat)), attempt, reason))

    def do_refuse(self, worker: str, job: str, seat: str, reason: str) -> list[ev.Action]:
        attempt = self.attempts[job, int(seat)]
        return self.hear(
            worker, m.Decline(JobId(job), Seat(int(seat)), attempt, reason, final=True)
        )

    def do_beat(self, worker: str) -> list[ev.Action]:
        return self.hear(worker, m.Heartbeat(0, 0, 0, 0, 0.01))

    def do_gone(self, worker: str, reason: str) -> list[ev.Action]:
        return self.hear(worker, m.Gone(reason, worker=WorkerId(worker)))

    def do_exit(self, worker: str, cause: str) -> list[ev.Action]:
        return self.step(ev.ChildExited(WorkerId(worker), cause))

    def do_config(self, worker: str, reason: str) -> list[ev.Action]:
        said = self.hear(worker, m.Gone(reason, worker=WorkerId(worker)))
        exited = ev.ChildExited(WorkerId(worker), "ended with exit code 78", final=True)
        return said + self.step(exited)

    def do_say(self, who: str, message: str, *options: str) -> list[ev.Action]:
        kind = next(c for c in m.FromClient.__args__ if c.__name__.upper() == message)
        return self.hear(who, kind(**fields(options, {})))

    def do_vanish(self, who: str) -> list[ev.Action]:
        return self.step(ev.Unreachable(who.encode()))

    def do_stop(self) -> list[ev.Action]:
        return self.step(ev.StopAsked())

    def do_pass(self, seconds: str) -> list[ev.Action]:
        end, actions = self.now + float(seconds), []
        while self.now < end:
            self.now = min(end, self.now + STEP_S)
            actions += self.step(ev.Tick())
        return actions

    def do_skip(self, seconds: str) -> list[ev.Action]:
        self.now += float(seconds)
        return self.step(ev.Tick())

    # ------------------------------------------------------------ transcript

    def tell(self, action: ev.Action) -> str:
        match action:
            case ev.Send():
                return f"{action.route.decode()} <- {self.message(action.message)}"
            case ev.Spawn() | ev.Kill():
                return f"{type(action).__name__.upper()} {action.worker}"
            case ev.Quit():
                return "QUIT"
            case ev.Fetch():
                return f"fetch {action.message.job}"
            case ev.Write():
                return f"write {type(action.record).__name__}"

    def message(self, said: m.Message) -> str:
        name = type(said).__name__.upper()
        match said:
            case m.Ballot():
                for seat in said.seats:
                    self.attempts[said.job, seat.seat] = seat.attempt
                seats = " ".join(f"{s.seat}(seed {s.seed}, try {s.attempt})" for s in said.seats)
                return f"{name} {said.job} {seats}"
            case m.Recall():
                return f"{name} {said.job} {' '.join(map(str, said.seats))}"
            case m.Accepted():
                return " ".join([name, said.job, f"asked={said.asked}", *said.notes])
            case m.Rejected():
                p = said.problem
                return f"{name} {p.code}: {p.seen} | {p.because} | {p.hint}"
            case m.Verdict():
                counts = " ".join(
                    f"{part}={getattr(said, part)}"
                    for part in ("asked", "cast", "abstained", "declined", "lost", "cancelled")
                    if getattr(said, part)
                )
                return (
                    f"{name} {said.job} {said.outcome} answer={said.answer} "
                    f"agreement={said.agreement:.2f} margin={said.margin} {counts} "
                    f"({said.stopped})"
                )
            case m.Progress():
                vote = f"seat {said.vote.seat}: {said.vote.answer}"
                return f"{name} {said.job} {vote}, leader {said.leader}"
            case m.Stop():
                return f"{name} now={said.now} {said.reason}"
            case m.NodeReport() | m.JobList():
                return f"{name} {reported(said)}"
            case _:
                return name


def of_job(record: Record) -> tuple[JobId, ...]:
    """The jobs that a record is about."""
    match record:
        case JobAccepted():
            return (record.submit.job,)
        case VerdictGiven():
            return (record.verdict.job,)
        case JobsForgotten():
            return record.jobs
        case _:
            return (record.job,)


def fields(options: tuple[str, ...], defaults: dict[str, Any]) -> dict[str, Any]:
    """`name=value` words; a value is a number where it reads as one."""
    out = dict(defaults)
    for option in options:
        name, _, value = option.partition("=")
        out[name] = parse(value)
    return out


def parse(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    if "," in value:
        return tuple(value.split(","))
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            pass
    return value
