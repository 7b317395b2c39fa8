"""Faults that are planted into the cores, each by changing one line: the simulator must find them.

A function is compiled anew from its file with one text replaced, and its code is exchanged in
place, so that every reference to it runs the changed line until it is put back.
"""

import contextlib
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import msgspec

from broker import clients as broker_clients
from broker import conduct, core, fleet, job, kept, restore, roster, scribe, seating, seeds, voters
from broker.voting import counts, tally
from tests.simulation import broker_process
from worker import core as worker_core


class Planted(msgspec.Struct, frozen=True):
    """One line of one function, and what it becomes."""

    name: str
    module: Any
    function: str  # its qualified name
    line: str  # a text that stands once in the function
    becomes: str
    seed: int = 0  # where the search begins: near one that shows it


class Gone(Exception):
    """The line is not there any more: the planted fault needs a new place."""


@contextlib.contextmanager
def planted(fault: Planted) -> Iterator[None]:
    """Run with the fault, then put the function back."""
    function = _find(fault.module, fault.function)
    before = function.__code__
    function.__code__ = _changed(fault, before)
    try:
        yield
    finally:
        function.__code__ = before


def _find(module: ModuleType, name: str) -> FunctionType:
    found: Any = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    if isinstance(found, property):
        found = found.fget
    assert isinstance(found, FunctionType), name
    return found


def _changed(fault: Planted, before: CodeType) -> CodeType:
    text = inspect.getsource(fault.module)
    lines = text.splitlines(keepends=True)
    first = before.co_firstlineno - 1
    last = first + len(inspect.getblock(lines[first:]))
    body = "".join(lines[first:last])
    if body.count(fault.line) != 1:
        count = body.count(fault.line)
        raise Gone(f"{fault.name}: {fault.line!r} stands {count} times in {fault.function}")
    lines[first:last] = [body.replace(fault.line, fault.becomes)]
    whole = compile("".join(lines), before.co_filename, "exec")
    return next(code for code in _codes(whole) if code.co_qualname == before.co_qualname)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


PLANTED = [
    # the count
    Planted("a vote of an older attempt counts", job, "Job.awaited",
            "seat.attempt != attempt", "False"),
    Planted("a vote counts whoever sends it", job, "Job.awaited",
            "seat.voter != voter", "False"),
    Planted("a vote counts twice", job, "Job.awaited",
            'seat.state != "open"', 'seat.state not in ("open", "voted")'),
    Planted("a vote counts double in the tally", counts, "Counts.add",
            "count.votes += 1", "count.votes += 2"),
    Planted("the second of two answers leads", counts, "Counts.add",
            "count.weight > first.weight", "count.weight >= first.weight - 1000"),
    Planted("a lead that can be overtaken ends the vote", tally, "Tally._unchangeable",
            "self._counts.lead >= out", "self._counts.lead * 2 >= out"),
    Planted("a vote is not written", voters, "vote",
            "state.out.append(Write(VoteCounted(", "_ = (Write(VoteCounted("),
    # seats
    Planted("a seed stands twice in a job", seeds, "seed_of",
            "seat * _STRIDE", "(seat // 2) * _STRIDE"),
    Planted("another attempt has another seed", job, "Job.give",
            "seat.attempt += 1", "seat.attempt += 1; seat.seed += seat.attempt - 1"),
    Planted("attempts are not numbered", job, "Job.give",
            "seat.attempt += 1", "seat.attempt = 1"),
    Planted("a suspect is given seats", roster, "Voter.takes",
            'self.state == "alive"', "True"),
    Planted("a suspect keeps its seats", conduct, "release",
            "held = list(voter.open)", "held = []"),
    Planted("the seats of a voter that died are forgotten", conduct, "release",
            "requeue(state, job, job.seats[number], reason)", "pass"),
    Planted("a voter is given more than it has room for", roster, "Voter.credit",
            "SEATS_PER_SLOT * self.ready.slots", "3 * self.ready.slots"),
    Planted("a declined seat keeps its place with the voter", voters, "decline",
            "del voter.open[said.job, said.seat]", "pass"),
    Planted("temperature 0 is asked twice of one model", seating, "eligible",
            "return [v for v in able if v.ready.digest not in taken]", "return able"),
    Planted("jobs that wait for one voter stop all others", conduct, "seat_waiting",
            "moved |= state.jobs.pass_over(job)", "pass", seed=75),
    Planted("what is out at the verdict is not recalled", conduct, "_recall",
            "for voter, seats in recalls.items():", "for voter, seats in ():"),
    Planted("of a frame only the last word is heard", core, "Broker.hear",
            "for message in said:", "for message in said[-1:]:"),
    Planted("no seats are given after a frame", core, "Broker.hear",
            "self._look_round(now)", "pass"),
    # life and death
    Planted("the silent are never suspects", roster, "Roster.newly_suspect",
            "now - v.heard_at > v.patience_s", "False"),
    Planted("suspects stay for ever", roster, "Roster.lost",
            "now - v.suspect_at > GRACE_S", "False"),
    Planted("jobs do not expire", core, "Broker._in_time",
            "for job in state.jobs.expired(now):", "for job in ():"),
    Planted("a worker is started twice", fleet, "Fleet.due",
            'child.state, child.restart_at = "starting", None', "pass"),
    Planted("a drained node does not end", conduct, "quit_if_done",
            "if state.draining", "if False"),
    # clients
    Planted("the second listener replaces the first", broker_clients, "_listen",
            "job.listeners[route] = watch", "job.listeners = {route: watch}"),
    Planted("the first listener is forgotten", broker_clients, "submit",
            "job.listeners[route] = said.watch", "pass"),
    Planted("a job that is put again runs again", broker_clients, "submit",
            "if job := state.jobs.get(said.job):", "if job := None:"),
    Planted("a verdict is told twice", conduct, "finish",
            "for route in job.listeners:", "for route in [*job.listeners, *job.listeners]:"),
    # the journal
    Planted("an accepted job is not written", broker_clients, "submit",
            "state.out.append(\n        Write(JobAccepted(", "_ = (\n        Write(JobAccepted("),
    Planted("ACCEPTED comes before its record", broker_clients, "submit",
            "job = _new_job(state, said, now)",
            "job = _new_job(state, said, now); _accepted(state, route, job)"),
    Planted("what is said does not wait for the commit", broker_process, "BrokerProcess._turn",
            "self._busy = True", "self._busy = True; self._scribe._release(); self._flush()"),
    Planted("ACCEPTED is said of a job that did not fit on the disk", scribe, "Scribe._no_room",
            "if _job(send) not in unwritten", "if True"),
    Planted("a verdict does not wait on a full disk", scribe, "Scribe._withhold",
            "isinstance(send.message, m.Verdict)", "False"),
    Planted("a verdict is not written", conduct, "finish",
            "state.out.append(Write(VerdictGiven(verdict)))", "pass"),
    Planted("a restart forgets the votes", restore, "_went_on",
            "if seat := _seat(job, record.vote.seat):", "if seat := None:"),
    Planted("a restart numbers attempts from one", restore, "_issued",
            "seat.attempt = max(seat.attempt, attempt)", "pass"),
    Planted("a restart forgets unfinished jobs", restore, "restore",
            "state.jobs.add(job)", "continue"),
    Planted("results are forgotten at once", kept, "Kept._over",
            "len(self) > self.retention.results", "True"),
    # what was asked for
    Planted("a voter is asked at another temperature", conduct, "_ballot",
            "temperature=s.temperature", "temperature=0.8"),
    Planted("a voter is asked half the question", conduct, "_ballot",
            "prompt=s.prompt", "prompt=s.prompt[:-1]"),
    Planted("a ballot's time is a moment", conduct, "_ballot",
            "job.deadline_at - now", "job.deadline_at"),
    Planted("seat 0 has not the job's own seed", seeds, "seed_of",
            "job_seed + seat", "job_seed + 1 + seat"),
    Planted("the client's seed is not taken", broker_clients, "_new_job",
            "if said.seed is None else said.seed", "if True else said.seed"),
    Planted("one seat less than was asked for", broker_clients, "_new_job",
            "distinct = said.votes", "distinct = max(1, said.votes - 1)"),
    Planted("a job expires after half of its time", job, "Job.__init__",
            "now + submit.timeout_s", "now + submit.timeout_s / 2"),
    Planted("who waits for a job cancels it", broker_clients, "cancel",
            "job := _known(state, route, said.job)",
            "job := next(iter(state.jobs.open.values()), None) or _known(state, route, said.job)"),
    Planted("CANCEL is not heard", broker_clients, "cancel",
            'conduct.finish(state, job, "cancelled", "cancelled by the client", now)', "pass"),
    Planted("a narrow lead is told as a tie", conduct, "_conclude",
            "judged.outcome is Outcome.DECIDED",
            "judged.outcome is Outcome.DECIDED and judged.margin != 1"),
    Planted("another seat's text stands for the answer", job, "Job.end",
            "else Seat(judged.winner)", "else Seat(0)"),
    Planted("tokens are not added up", job, "Job.end",
            "vote.tokens for vote in votes", "vote.tokens for vote in votes[:1]"),
    Planted("all is asked for, and fast is done", job, "_rules",
            "stop=stop", 'stop="fast"'),
    Planted("the notes of a job are lost in a restart", restore, "_accepted",
            "job.notes = record.notes", "pass"),
    Planted("who watches is not told", voters, "_tell_progress",
            "state.out +=", "_ ="),
    Planted("what is not known is not answered", core, "Broker._nonsense",
            "if event.say", "if False"),
    # what is kept
    Planted("results stay for ever", conduct, "forget",
            "gone := state.kept.forget(now)", "gone := ()"),
    Planted("results that are too old stay", kept, "Kept._over",
            "self._entries[oldest].ended_at < now", "0 < now < 0"),
    Planted("what nobody has heard is forgotten first", kept, "Kept._over",
            "next(iter(self._heard), oldest)", "oldest"),
    Planted("a restart forgets who has heard a result", restore, "remember",
            "result.heard", "False"),
    Planted("verdicts that waited for the disk are never said", scribe,
            "Scribe._settle_without_room", "self._said += self._withheld.values()", "pass"),
    Planted("a disk that is well again stays refused", core, "Broker._shell_says",
            "self.state.refusal = None", "pass"),
    Planted("who put a job that did not fit is not told", broker_clients, "journal_full",
            "for route in job.listeners", "for route in ()"),
    # workers come and go
    Planted("the first death is poison", conduct, "release",
            "len(job.deaths) >= DEATHS_MAX", "True"),
    Planted("a worker is started again without end", fleet, "Fleet.exited",
            "final or child.failures >= FAILURES_MAX", "False"),
    Planted("a worker is started again at once", fleet, "Fleet.exited",
            "now + min(BACKOFF_S_MAX, BACKOFF_S * 2 ** (child.failures - 1))", "now"),
    Planted("a worker that died is not started again", core, "Broker._in_time",
            "state.out += [Spawn(worker) for worker in state.fleet.due(now)]",
            "state.fleet.due(now)"),
    Planted("a worker from before the restart is never asked in", core, "Broker._stranger",
            "if isinstance(message, m.Heartbeat)", "if False"),
    Planted("jobs wait though no worker can come", conduct, "give_up_hopeless",
            "if not reasons", "if True"),
    Planted("jobs fail though a worker may come", conduct, "give_up_hopeless",
            "not reasons or ", ""),
    Planted("a worker that is to leave is given seats", broker_clients, "scale",
            "voter.draining = True", "pass"),
    Planted("who can never answer is asked again and again", seating, "eligible",
            "and v.id not in job.refusals", ""),
    Planted("a name is taken from who holds it", voters, "_unfit",
            "known.ready.pid != said.pid", "False"),
    Planted("a heartbeat does not end suspicion", roster, "Roster.hear",
            "voter.heard_at = now", "pass"),
    Planted("a node that ends takes new jobs", broker_clients, "_no_room",
            "if state.draining", "if False"),
    # the worker
    Planted("a worker does not stop what is recalled", worker_core, "Worker._drop",
            "return [CancelSlot(slot) for slot in slots]", "return []"),
    Planted("a worker forgets to fill a slot", worker_core, "Worker._stepped",
            "actions += self._fill()", "pass"),
    Planted("a worker keeps the seats of another broker", worker_core, "Worker._forget_all",
            "self.running.clear()", "pass"),
]  # fmt: skip
