"""A worker without its socket, engine and clock: events in, actions out.

Seats arrive on ballots, wait until a slot is free, run in it, and leave as votes. The broker
counts our slots and sends at most twice as many seats, so that a slot that gets free is filled
without a round trip; a seat beyond that is declined.
"""

from collections import deque
from typing import NamedTuple, assert_never

import msgspec

from protocol import messages as m
from protocol.ids import JobId, Seat
from protocol.limits import TEXT_BYTES_MAX
from worker.engine import Completion, Request, Step
from worker.speed import Speed

HEARTBEAT_S = 1.0
"""As often as the fault table asks of a worker's own sign of progress."""

SEATS_PER_SLOT = 2
"""One running and one waiting for each slot: enough to refill a slot at once, little to lose."""


class Key(NamedTuple):
    """A seat's attempt."""

    job: JobId
    seat: Seat
    attempt: int


class Told(msgspec.Struct, frozen=True):
    """The broker said this."""

    message: m.ToWorker


class Admitted(msgspec.Struct, frozen=True):
    """The engine took the request into this slot."""

    key: Key
    slot: int


class NotAdmitted(msgspec.Struct, frozen=True):
    """The engine can never run the request."""

    key: Key
    reason: str


class Stepped(msgspec.Struct, frozen=True):
    """The engine made a step that took this long."""

    step: Step
    took_s: float


class Tick(msgspec.Struct, frozen=True):
    """Nothing happened until the deadline."""

    memory_bytes: int | None = None


Event = Told | Admitted | NotAdmitted | Stepped | Tick


class Say(msgspec.Struct, frozen=True):
    """Send this to the broker."""

    message: m.FromWorker


class Admit(msgspec.Struct, frozen=True):
    """Ask the engine to take this request; the answer comes back as an event, at once."""

    key: Key
    request: Request


class CancelSlot(msgspec.Struct, frozen=True):
    """End what runs in this slot."""

    slot: int


class Leave(msgspec.Struct, frozen=True):
    """Close the engine and end the process."""


Action = Say | Admit | CancelSlot | Leave


class _Waiting(msgspec.Struct):
    key: Key
    request: Request


class _Running(msgspec.Struct):
    key: Key
    tokens: int = 0


class _Held(msgspec.Struct):
    """What of a job is here."""

    deadline_at: float
    seats: set[Seat]


class Worker:
    """The seats of one worker. `ready` is said once the engine has answered a real request."""

    def __init__(self, ready: m.Ready, now: float) -> None:
        self.ready = ready
        self.slots = ready.slots
        self.waiting: deque[_Waiting] = deque()
        self.running: dict[int, _Running] = {}  # by slot, in order of admission
        self.draining = False
        self._left = False
        self._admitting: dict[Key, bool] = {}  # asked of the engine; False: not wanted any more
        self._held: dict[JobId, _Held] = {}
        self._beat_at = now + HEARTBEAT_S
        self._speed = Speed()
        self._memory_bytes = ready.memory_bytes

    def handle(self, event: Event, now: float) -> list[Action]:
        """What to do about this event; `now` in monotonic seconds."""
        match event:
            case Stepped():
                actions = self._stepped(event)
            case Told():
                actions = self._told(event.message, now)
            case Admitted():
                actions = self._admitted(event)
            case NotAdmitted():
                actions = self._not_admitted(event)
            case Tick():
                self._memory_bytes = event.memory_bytes or self._memory_bytes
                actions = []
            case _:
                assert_never(event)
        if now >= self._beat_at:
            actions += self._beat(now)
        if self.draining and not self._left and not self._load():
            self._left = True
            actions += [Say(m.Gone("asked to stop", worker=self.ready.worker)), Leave()]
        return actions

    def next_deadline(self) -> float:
        """When a Tick is due, if nothing happens before."""
        return self._beat_at

    @property
    def busy(self) -> bool:
        """Does the engine have something to step?"""
        return bool(self.running)

    def check(self) -> None:
        """Assert what must always hold; for tests and the simulator."""
        assert self._left or not self.draining or self._load(), "it has nothing to stay for"
        if not (self.running or self.waiting or self._admitting or self._held):
            return  # nothing is here that could be wrong
        assert len(self.running) + len(self._admitting) <= self.slots
        assert len(self.running) + len(self.waiting) <= SEATS_PER_SLOT * self.slots
        keys = [r.key for r in self.running.values()] + [w.key for w in self.waiting]
        keys += [key for key, wanted in self._admitting.items() if wanted]
        held = [(job, seat) for job, here in self._held.items() for seat in here.seats]
        assert sorted(k[:2] for k in keys) == sorted(held), "seats and jobs differ"
        assert all(here.seats for here in self._held.values()), "a job without a seat is kept"
        free = self.slots - len(self.running) - len(self._admitting)
        assert not (free and self.waiting), "a free slot while a seat waits"

    # ------------------------------------------------------------ what the broker says

    def _told(self, message: m.ToWorker, now: float) -> list[Action]:
        match message:
            case m.Ballot():
                return self._ballot(message, now)
            case m.Recall():
                return self._recall(message.job, frozenset(message.seats))
            case m.Introduce():
                return [*self._forget_all(), Say(self._introduction())]
            case m.Stop():
                return self._stop(message.now)
            case _:
                assert_never(message)

    def _ballot(self, ballot: m.Ballot, now: float) -> list[Action]:
        if self.draining:
            return [
                self._decline(ballot.job, seat, "the worker is leaving") for seat in ballot.seats
            ]
        # Seats said again, on this ballot or an earlier one: the last counts.
        seats = {seat.seat: seat for seat in ballot.seats}
        actions = self._drop(ballot.job, frozenset(seats))
        for seat in seats.values():
            if self._load() >= SEATS_PER_SLOT * self.slots:
                actions.append(self._decline(ballot.job, seat, "every slot is taken"))
                continue
            self._hold(ballot.job, seat.seat, now + ballot.timeout_s)
            key = Key(ballot.job, seat.seat, seat.attempt)
            self.waiting.append(_Waiting(key, _request(ballot, seat.seed)))
        return actions + self._fill()

    def _recall(self, job: JobId, seats: frozenset[Seat]) -> list[Action]:
        """These seats are not wanted; nothing is said of them, since nobody waits for them."""
        return [*self._drop(job, seats), *self._fill()]

    def _drop(self, job: JobId, seats: frozenset[Seat]) -> list[Action]:
        """Forget these seats; the slots are filled once all that goes has gone."""
        if job not in self._held:
            return []
        self.waiting = deque(w for w in self.waiting if w.key.job != job or w.key.seat not in seats)
        slots = [s for s, r in self.running.items() if r.key.job == job and r.key.seat in seats]
        for slot in slots:
            del self.running[slot]
        for key in self._admitting:
            self._admitting[key] &= key.job != job or key.seat not in seats
        for seat in seats:
            self._release(job, seat)
        return [CancelSlot(slot) for slot in slots]

    def _forget_all(self) -> list[Action]:
        """A broker that does not know us wants none of what we hold."""
        slots = list(self.running)
        self.waiting.clear()
        self.running.clear()
        self._admitting = dict.fromkeys(self._admitting, False)
        self._held.clear()
        return [CancelSlot(slot) for slot in slots]

    def _stop(self, now: bool) -> list[Action]:
        self.draining = True
        return self._forget_all() if now else []

    # ------------------------------------------------------------ what the engine did

    def _stepped(self, event: Stepped) -> list[Action]:
        step = event.step
        self._speed.add(step.tokens, step.prefilled, event.took_s)
        # Every decoding slot samples one token a step; prefill is in order of admission.
        for _, run in zip(range(step.tokens), self.running.values(), strict=False):
            run.tokens += 1
        actions: list[Action] = []
        for done in step.finished:
            run = self.running.pop(done.slot)
            actions.append(Say(self._vote(run.key, done)))
            self._release(run.key.job, run.key.seat)
        if step.finished:
            actions += self._fill()
        return actions

    def _vote(self, key: Key, done: Completion) -> m.Vote | m.Abstain:
        if done.finish == "error":
            return m.Abstain(key.job, key.seat, key.attempt, done.error)
        text, finish = done.text, done.finish
        if len(text) * 4 > TEXT_BYTES_MAX and len(raw := text.encode()) > TEXT_BYTES_MAX:
            text, finish = raw[:TEXT_BYTES_MAX].decode(errors="ignore"), "length"
        others = sum(r.tokens for r in self.running.values() if r.key.job == key.job)
        return m.Vote(*key, text, finish, done.prompt_tokens, done.tokens, others)

    def _admitted(self, event: Admitted) -> list[Action]:
        if not self._admitting.pop(event.key):  # dropped meanwhile
            return [CancelSlot(event.slot), *self._fill()]
        self.running[event.slot] = _Running(event.key)
        return []

    def _not_admitted(self, event: NotAdmitted) -> list[Action]:
        if not self._admitting.pop(event.key):
            return self._fill()
        self._release(event.key.job, event.key.seat)
        said = Say(m.Decline(*event.key, event.reason, final=True))
        return [said, *self._fill()]

    # ------------------------------------------------------------ slots

    def _fill(self) -> list[Action]:
        """Put waiting seats into the slots that are free."""
        actions: list[Action] = []
        while self.waiting and len(self.running) + len(self._admitting) < self.slots:
            next_up = self.waiting.popleft()
            self._admitting[next_up.key] = True
            actions.append(Admit(next_up.key, next_up.request))
        return actions

    def _load(self) -> int:
        return len(self.running) + len(self._admitting) + len(self.waiting)

    def _hold(self, job: JobId, seat: Seat, deadline_at: float) -> None:
        here = self._held.get(job)
        if here is None:
            self._held[job] = _Held(deadline_at, {seat})
        else:
            here.deadline_at = deadline_at
            here.seats.add(seat)

    def _release(self, job: JobId, seat: Seat) -> None:
        here = self._held.get(job)
        if here:
            here.seats.discard(seat)
            if not here.seats:
                del self._held[job]

    # ------------------------------------------------------------ signs of life

    def _beat(self, now: float) -> list[Action]:
        self._beat_at = now + HEARTBEAT_S
        late = [(job, here.seats) for job, here in self._held.items() if now >= here.deadline_at]
        actions: list[Action] = []
        for job, seats in late:  # its broker has given it up, or is gone
            actions += self._drop(job, frozenset(seats))
        return [*actions, *self._fill(), Say(self._heartbeat())]

    def _heartbeat(self) -> m.Heartbeat:
        return m.Heartbeat(
            busy=len(self.running),
            waiting=len(self.waiting),
            tokens=self._speed.tokens,
            prefilled=self._speed.prefilled,
            step_s_max=self._speed.step_s_max,
            tokens_per_s=self._speed.tokens_per_s,
            memory_bytes=self._memory_bytes,
        )

    def _introduction(self) -> m.Ready:
        return msgspec.structs.replace(
            self.ready, tokens_per_s=self._speed.tokens_per_s or self.ready.tokens_per_s
        )

    def _decline(self, job: JobId, seat: m.BallotSeat, reason: str) -> Say:
        return Say(m.Decline(job, seat.seat, seat.attempt, reason))


def _request(ballot: m.Ballot, seed: int) -> Request:
    return Request(
        prompt=ballot.prompt,
        seed=seed,
        system=ballot.system,
        temperature=ballot.temperature,
        max_tokens=ballot.max_tokens,
        stop=ballot.stop_strings,
    )
