"""The worker's core: slots, waiting seats, recalls, draining, signs of life."""

import random
from typing import Any

import pytest

from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId
from protocol.limits import TEXT_BYTES_MAX
from worker import core
from worker.engine import Completion, Step


class Rig:
    """A core with a toy engine: slots that answer when the test says so."""

    def __init__(self, slots: int = 2) -> None:
        ready = m.Ready(WorkerId("w1"), 1, "toy", "1", "toy", "sha256:0", slots, 512)
        self.now = 10.0
        self.core = core.Worker(ready, self.now)
        self.free = list(range(slots))
        self.slots: dict[int, core.Admit] = {}
        self.said: list[Any] = []
        self.left = False
        self.refuse = False

    def do(self, event: core.Event) -> list[Any]:
        """Handle an event and perform what is asked; what was said by it."""
        before = len(self.said)
        for action in self.core.handle(event, self.now):
            match action:
                case core.Say():
                    self.said.append(action.message)
                case core.Admit() if self.refuse:
                    self.do(core.NotAdmitted(action.key, "too long"))
                case core.Admit():
                    slot = self.free.pop(0)
                    self.slots[slot] = action
                    self.do(core.Admitted(action.key, slot))
                case core.CancelSlot():
                    del self.slots[action.slot]
                    self.free.append(action.slot)
                case core.Leave():
                    self.left = True
        self.core.check()
        return self.said[before:]

    def ballot(self, job: str, seats: int, first: int = 0, attempt: int = 1) -> list[Any]:
        wanted = tuple(m.BallotSeat(Seat(first + i), 100 + i, attempt) for i in range(seats))
        return self.do(core.Told(m.Ballot(JobId(job), wanted, "How many?", 5.0)))

    def finish(self, slot: int, text: str = "#### 42", finish: str = "stop") -> list[Any]:
        sampled = len(self.slots)
        del self.slots[slot]
        self.free.append(slot)
        done = Completion(slot, text, finish, 3, 4, "it broke" if finish == "error" else "")  # type: ignore[arg-type]
        return self.do(core.Stepped(Step(sampled, 0, (done,)), 0.01))

    def step(self, took_s: float = 0.01) -> list[Any]:
        return self.do(core.Stepped(Step(tokens=len(self.slots)), took_s))

    def recall(self, job: str, *seats: int) -> list[Any]:
        return self.do(core.Told(m.Recall(JobId(job), tuple(Seat(s) for s in seats))))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_seat_that_a_ballot_names_twice_is_answered_once() -> None:
    rig = Rig()
    twice = (m.BallotSeat(Seat(0), 5, 1), m.BallotSeat(Seat(0), 6, 2))
    rig.do(core.Told(m.Ballot(JobId("j"), twice, "How many?", 5.0)))
    assert [action.key.attempt for action in rig.slots.values()] == [2]
    (said,) = rig.finish(next(iter(rig.slots)))
    assert (said.seat, said.attempt) == (0, 2)


def test_seats_fill_the_slots_and_the_rest_waits(rig: Rig) -> None:
    assert rig.ballot("a", 4) == []
    assert (len(rig.core.running), len(rig.core.waiting)) == (2, 2)


def test_a_seat_beyond_twice_the_slots_is_declined_at_once(rig: Rig) -> None:
    (declined,) = rig.ballot("a", 5)
    assert declined == m.Decline(JobId("a"), Seat(4), 1, "every slot is taken")


def test_a_slot_that_gets_free_is_filled_in_the_same_turn(rig: Rig) -> None:
    rig.ballot("a", 3)
    (vote,) = rig.finish(0)
    assert (vote.seat, vote.text) == (0, "#### 42")
    assert len(rig.core.running) == 2


def test_ballots_of_different_jobs_mix(rig: Rig) -> None:
    rig.ballot("a", 1)
    rig.ballot("b", 1)
    assert {admit.key.job for admit in rig.slots.values()} == {"a", "b"}


def test_a_recall_frees_running_and_waiting_seats_without_a_word(rig: Rig) -> None:
    rig.ballot("a", 3)
    rig.ballot("b", 1)
    assert rig.recall("a", 0, 1, 2) == []
    assert [admit.key.job for admit in rig.slots.values()] == ["b"]


def test_a_recall_of_what_is_not_here_changes_nothing(rig: Rig) -> None:
    rig.ballot("a", 1)
    assert rig.recall("a", 7) == []
    assert rig.recall("z", 0) == []
    assert len(rig.slots) == 1


def test_a_ballot_said_again_replaces_the_older_attempt(rig: Rig) -> None:
    rig.ballot("a", 1)
    rig.ballot("a", 1, attempt=2)
    assert len(rig.slots) == 1
    (slot,) = rig.slots
    (vote,) = rig.finish(slot)
    assert vote.attempt == 2


def test_several_seats_said_again_are_all_replaced(rig: Rig) -> None:
    rig.ballot("a", 3)
    rig.ballot("a", 3, attempt=2)
    assert len(rig.slots) == 2
    votes = [*rig.finish(0), *rig.finish(1), *rig.finish(next(iter(rig.slots)))]
    assert [vote.attempt for vote in votes] == [2, 2, 2]


def test_a_seat_past_its_deadline_is_dropped_even_as_it_gets_its_slot(rig: Rig) -> None:
    rig.ballot("a", 2)
    rig.now += 4.0
    rig.ballot("b", 1)
    rig.now += 5.0  # the beat comes with the step that ends a seat, and `b` is late by then
    rig.finish(0)
    assert rig.core.running == {}
    assert rig.slots == {}


def test_a_vote_tells_what_the_jobs_other_seats_have_cost_so_far(rig: Rig) -> None:
    rig.ballot("a", 2)
    rig.step()
    rig.step()
    (vote,) = rig.finish(0)
    assert vote.running_tokens == 3


def test_an_engine_error_is_an_abstention_with_its_reason(rig: Rig) -> None:
    rig.ballot("a", 1)
    assert rig.finish(0, finish="error") == [m.Abstain(JobId("a"), Seat(0), 1, "it broke")]


def test_a_request_that_can_never_run_is_declined_for_good(rig: Rig) -> None:
    rig.refuse = True
    (declined,) = rig.ballot("a", 1)
    assert (declined.final, declined.reason) == (True, "too long")
    assert not rig.core.busy


def test_a_text_over_the_bound_is_cut_and_says_so(rig: Rig) -> None:
    rig.ballot("a", 1)
    (vote,) = rig.finish(0, text="é" * TEXT_BYTES_MAX)
    assert len(vote.text.encode()) <= TEXT_BYTES_MAX
    assert vote.finish == "length"


def test_a_heartbeat_comes_every_second_with_what_was_done(rig: Rig) -> None:
    rig.ballot("a", 1)
    rig.step(took_s=0.3)
    rig.now += core.HEARTBEAT_S
    (beat,) = rig.do(core.Tick(memory_bytes=1000))
    assert (beat.busy, beat.tokens, beat.step_s_max, beat.memory_bytes) == (1, 1, 0.3, 1000)
    assert rig.core.next_deadline() == rig.now + core.HEARTBEAT_S


def test_steps_beat_too_so_that_a_busy_worker_is_not_silent(rig: Rig) -> None:
    rig.ballot("a", 1)
    rig.now += core.HEARTBEAT_S
    assert [type(said) for said in rig.step()] == [m.Heartbeat]


def test_seats_past_their_deadline_are_dropped(rig: Rig) -> None:
    rig.ballot("a", 3)
    rig.now += 6
    rig.do(core.Tick())
    assert not rig.slots
    assert not rig.core.waiting


def test_a_draining_worker_finishes_takes_nothing_and_leaves(rig: Rig) -> None:
    rig.ballot("a", 1)
    assert rig.do(core.Told(m.Stop())) == []
    (declined,) = rig.ballot("b", 1)
    assert isinstance(declined, m.Decline)
    vote, gone = rig.finish(0)
    assert isinstance(vote, m.Vote)
    assert isinstance(gone, m.Gone)
    assert rig.left


@pytest.mark.parametrize("how", ["recall", "deadline", "introduce"])
def test_a_draining_worker_leaves_however_its_last_seat_goes(rig: Rig, how: str) -> None:
    rig.ballot("a", 1)
    rig.do(core.Told(m.Stop()))
    assert not rig.left
    if how == "recall":
        rig.recall("a", 0)
    elif how == "introduce":
        rig.do(core.Told(m.Introduce()))
    else:
        rig.now += 6
        rig.do(core.Tick())
    assert rig.left
    assert rig.do(core.Told(m.Stop())) == []


def test_told_to_stop_now_it_drops_everything_and_leaves(rig: Rig) -> None:
    rig.ballot("a", 3)
    assert [type(said) for said in rig.do(core.Told(m.Stop(now=True)))] == [m.Gone]
    assert rig.left
    assert not rig.slots


def test_asked_who_it_is_it_drops_everything_and_says_ready(rig: Rig) -> None:
    rig.ballot("a", 3)
    (ready,) = rig.do(core.Told(m.Introduce()))
    assert isinstance(ready, m.Ready)
    assert not rig.slots
    assert not rig.core.waiting


@pytest.mark.parametrize("seed", range(30))
def test_every_seat_of_a_ballot_is_answered_recalled_or_dropped_whatever_happens(seed: int) -> None:
    dice, rig = random.Random(seed), Rig(slots=3)
    owed: dict[tuple[str, int], int] = {}
    for turn in range(300):
        heard: list[Any] = []
        move = dice.random()
        if move < 0.3:
            job, first = f"j{turn}", 0
            count = dice.randint(1, 4)
            owed |= {(job, first + i): 1 for i in range(count)}
            heard = rig.ballot(job, count)
        elif move < 0.7 and rig.slots:
            heard = rig.finish(dice.choice(list(rig.slots)), finish=dice.choice(["stop", "error"]))
        elif move < 0.8 and owed:
            job, seat = dice.choice(list(owed))
            heard = rig.recall(job, seat)
            owed.pop((job, seat))
        else:
            rig.now += dice.choice([0.1, 0.5])
            heard = rig.step()
        for said in heard:
            if isinstance(said, m.Vote | m.Abstain | m.Decline):
                assert owed.pop((said.job, said.seat), None), "an answer nobody waits for"
        held = {key[:2] for key in keys(rig)}
        owed = {key: 1 for key in owed if key in held}  # the others ran into their deadline
    assert rig.said


def keys(rig: Rig) -> list[core.Key]:
    running = [run.key for run in rig.core.running.values()]
    return running + [waiting.key for waiting in rig.core.waiting]
