"""Scripts from a seed: what users do and what goes wrong, at random moments, without end."""

import random
from collections.abc import Iterator

from protocol import messages as m
from protocol.ids import JobId
from tests.simulation.script import Entry
from tests.simulation.worker_process import LONG

JOBS_PER_S = 1.0
"""Jobs of one node; a third of them come in bursts."""

FAULTS_PER_S = 0.4
"""Faults of one node, once they begin."""

COMMANDS = {
    "submit": 30, "submit_again": 3, "wait": 3, "cancel": 2, "look": 2, "scale": 0.7,
    "down": 0.15, "stop": 0.15, "client_dies": 1,
}  # fmt: skip
"""How often each, beside the others."""

FAULTS = {
    "worker_killed": 8, "worker_stopped": 4, "worker_stuck": 3, "engine_fails": 3,
    "crash_loop": 1, "bad_model": 0.5,
    "link_breaks": 5, "link_dark": 4, "link_slow": 3, "link_repeats": 4, "partition": 2,
    "address_changes": 2,
    "broker_killed": 3, "broker_killed_at": 5, "broker_stopped": 1.5, "disk_slow": 2,
    "disk_full": 3, "disk_flickers": 2, "wall_jumps": 1, "machine_sleeps": 1,
    "vote_repeated": 4, "vote_repeated_by_another": 2, "vote_of_another_attempt": 3,
    "vote_for_anothers_seat": 3, "vote_never_asked_for": 2, "vote_made_up": 3,
    "vote_far_too_long": 0.5, "vote_by_a_client": 1, "refuse_anothers_seat": 3,
    "ready_again": 2, "nonsense": 1,
}  # fmt: skip
"""How often each, beside the others."""


class Rates:
    """How much happens on a node in a second."""

    def __init__(self, jobs_per_s: float = JOBS_PER_S, faults_per_s: float = FAULTS_PER_S) -> None:
        self.commands_per_s = jobs_per_s * sum(COMMANDS.values()) / COMMANDS["submit"]
        self.faults_per_s = faults_per_s


def entries(seed: int, node: int, rates: Rates) -> Iterator[Entry]:
    """The entries of one node in order of time, for ever."""
    rng = random.Random(f"{seed}/{node}/script")
    commands, faults = _moments(rng, rates.commands_per_s), _moments(rng, rates.faults_per_s)
    command_at, fault_at = next(commands), next(faults)
    jobs = 0
    while True:
        if command_at <= fault_at:
            entry = _command(rng, node, command_at, jobs)
            jobs += entry.submit is not None
            command_at = command_at if _in_burst(rng, entry) else next(commands)
        else:
            entry = _fault(rng, node, fault_at)
            fault_at = next(faults)
        yield entry


def _moments(rng: random.Random, per_s: float) -> Iterator[float]:
    at = 0.5
    while True:
        at += rng.expovariate(per_s) if per_s else float("inf")
        yield at


def _in_burst(rng: random.Random, entry: Entry) -> bool:
    return entry.submit is not None and rng.random() < 0.3


def _command(rng: random.Random, node: int, at: float, jobs: int) -> Entry:
    kind = rng.choices(list(COMMANDS), list(COMMANDS.values()))[0]
    submit = _submit(rng, JobId(f"j{node}.{jobs + 1}")) if kind == "submit" else None
    n = rng.randint(0, 4) if kind == "scale" else rng.randint(0, 100)
    return Entry(at, node, kind, who=rng.randint(0, 100), n=n, submit=submit)


def _fault(rng: random.Random, node: int, at: float) -> Entry:
    kind = rng.choices(list(FAULTS), list(FAULTS.values()))[0]
    duration_s = rng.choice([0.05, 0.5, 2.0, 6.0, 12.0])
    what = rng.choice(["late", "lose"])
    return Entry(at, node, kind, rng.randint(0, 100), rng.randint(1, 7), duration_s, what)


def _submit(rng: random.Random, job: JobId) -> m.Submit:
    number = rng.randint(1, 9)
    kind = rng.choice(["number", "number", "number", "auto"])
    return m.Submit(
        job=job,
        prompt=f"How many? {number}" if rng.random() < 0.95 else f"{LONG} question {number}",
        votes=rng.choice([1, 2, 3, 3, 5, 8, 12]),
        answer=kind,
        temperature=0.0 if rng.random() < 0.08 else 0.8,
        stop=rng.choice(["fast", "fast", "saving", "all"]),
        seed=rng.randint(0, 2**31 - 1),
        timeout_s=rng.choice([1.0, 5.0, 20.0]),
        min_agreement=rng.choice([0.0, 0.0, 0.6]),
        watch=rng.random() < 0.2,
    )
