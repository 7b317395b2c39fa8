"""Code answers: HumanEval programs grouped by what they do in the sandbox."""

import random
from pathlib import Path

import msgspec

from benchmarks.voting.data import Row, mean, rows
from broker.voting.behaviour import Behaviour, calls, choose, examples
from swarmctl.sandbox import Program, run

PROGRAM_S = 0.25
"""Time of one call; HumanEval's own take milliseconds."""

DRAWS = 20
"""Draws of 16 programs a problem: they cost nothing once the programs have run."""


class Problem(msgspec.Struct, frozen=True):
    """One problem, each program's behaviour on each input, and whether it is right."""

    behaviours: tuple[Behaviour, ...]
    told: dict[int, str]  # inputs whose output the prompt gives
    right: tuple[bool, ...]


def figures(folder: Path, seed: int) -> dict[str, float]:
    """pass@1 in percent: of one program, and of the pick among 16 and 100.

    The prompts of this file hold no examples, so the pick knows only what the programs do.
    Raises NoSandbox where programs cannot be run safely.
    """
    problems = [_ran(row) for row in rows(folder, "codet_humaneval")]
    rng = random.Random(seed)
    found = {"code_single": mean([100 * mean([float(r) for r in p.right]) for p in problems])}
    for size, times in ((16, DRAWS), (100, 1)):
        picked = [_picked_right(p, rng, size) for p in problems for _ in range(times)]
        found[f"code_{size}"] = mean(picked)
    return found


def _picked_right(problem: Problem, rng: random.Random, size: int) -> float:
    drawn = rng.sample(range(len(problem.right)), min(size, len(problem.right)))
    number = choose([problem.behaviours[i] for i in drawn], problem.told)
    return 100.0 * problem.right[drawn[number or 0]]


def _ran(row: Row) -> Problem:
    """Run all programs of one problem: on the inputs, then under the hidden tests."""
    entry = row["entry_point"]
    told = examples(row["prompt"], entry)
    inputs = [*told, *(c for c in calls(_own_tests(row), entry) if c not in told)]
    sources = [row["prompt"] + sample for sample in row["samples"]]
    ran = run(sources, [inputs] * len(sources), seconds=PROGRAM_S)
    tested = [f"{source}\n{row['test']}" for source in sources]
    judged = run(tested, [[f"check({entry})"]] * len(sources), seconds=2 * PROGRAM_S)
    return Problem(
        behaviours=tuple(Behaviour(program.values or (None,) * len(inputs)) for program in ran),
        told=dict(enumerate(told.values())),
        right=tuple(_passed(program) for program in judged),
    )


def _own_tests(row: Row) -> list[str]:
    return [f"assert {text}" for text in row["tests"]]


def _passed(program: Program) -> bool:
    return not program.broken and program.errors == (None,)
