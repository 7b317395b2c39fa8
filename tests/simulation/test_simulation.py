"""A bounded set of worlds with everything that can go wrong, and what a world itself promises."""

import subprocess
import sys

import msgspec
import pytest

from protocol import messages as m
from protocol import records as r
from protocol.ids import JobId
from tests.simulation import dice
from tests.simulation.oracle import Oracle, Violation
from tests.simulation.run import Result, replay, roll
from tests.simulation.world import KINDS

SEEDS = 40
STEPS = 1200


@pytest.fixture(scope="module")
def worlds() -> list[Result]:
    return [roll(seed, STEPS, nodes=1) for seed in range(SEEDS)]


def test_nothing_that_must_never_happen_happens(worlds: list[Result]) -> None:
    assert [(w.script.seed, w.violation) for w in worlds if w.found] == []
    assert sum(w.lost + w.unexpected + w.duplicated for w in worlds) == 0


def test_the_worlds_are_worth_looking_at(worlds: list[Result]) -> None:
    kinds = {entry.kind for world in worlds for entry in world.script.entries}
    assert kinds == set(dice.COMMANDS) | set(dice.FAULTS) == set(KINDS)
    assert sum(w.acknowledged for w in worlds) > 20 * SEEDS
    assert sum(w.restarts for w in worlds) > SEEDS


def test_machines_that_serve_each_other_keep_the_promise_too() -> None:
    world = roll(5, 6000, nodes=4)
    assert not world.violation
    assert world.acknowledged > 100


def test_the_same_seed_is_the_same_history(worlds: list[Result]) -> None:
    assert msgspec.msgpack.encode(roll(7, STEPS, nodes=1)) == msgspec.msgpack.encode(worlds[7])
    assert len({world.history for world in worlds}) == SEEDS


def test_the_history_does_not_depend_on_the_process() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "3:5", "--steps", "500"]
    told = {
        subprocess.run(
            command, env={"PYTHONHASHSEED": seed, "PATH": ""}, check=True, capture_output=True
        ).stdout.splitlines()[-1]
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert told.pop().startswith(b"history ")


def test_a_script_replays_the_history_that_it_was_taken_from(worlds: list[Result]) -> None:
    lines: list[str] = []
    again = replay(worlds[9].script, lines.append)
    assert again.verdicts == worlds[9].verdicts
    assert again.history == replay(worlds[9].script).history
    assert len(lines) >= again.steps


def test_a_verdict_that_is_said_then_forgotten_then_put_again_in_one_turn_was_safe() -> None:
    """Seed 2674 of 3,000 steps and two jobs a second: the books took the new life for the old."""
    books = Oracle("0")
    submit = m.Submit(JobId("j"), "How many?", votes=1)
    verdict, other = (m.Verdict(submit.job, "decided", why, asked=1) for why in ("one", "two"))
    books.attempted[submit.job] = submit
    books.committed([r.JobAccepted(submit, 1, 7), r.VerdictGiven(verdict)])
    books.committed([r.JobsForgotten((submit.job,)), r.JobAccepted(submit, 1, 8)])
    books.said(b"1", [verdict])
    with pytest.raises(Violation, match="before it was safe"):
        books.said(b"1", [other])
    books.committed([r.VerdictGiven(other)])
    books.said(b"1", [other])


def test_a_verdict_that_left_after_it_was_forgotten_is_no_second_one_of_the_next_life() -> None:
    """Seed 41237 of 3,000 steps and two jobs a second."""
    books = Oracle("0")
    submit = m.Submit(JobId("j"), "How many?", votes=1)
    one, two, three = (
        m.Verdict(submit.job, "decided", why, asked=1) for why in ("one", "two", "three")
    )
    books.attempted[submit.job] = submit
    books.committed([r.JobAccepted(submit, 1, 7), r.VerdictGiven(one)])
    books.committed([r.JobsForgotten((submit.job,))])
    books.said(b"1", [one])
    books.committed([r.JobAccepted(submit, 1, 8)])
    books.committed([r.VerdictGiven(two)])
    books.said(b"1", [two])
    books.committed([r.VerdictGiven(three)])
    with pytest.raises(Violation, match="two verdicts"):
        books.said(b"1", [three])
