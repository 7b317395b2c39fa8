"""How far the told confidence is from how often the answer is right, on questions not fitted on."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.voting.data import Question, boinf, mean, named, reader, rows
from benchmarks.voting.picks import gold_number
from broker.voting import Cast, Outcome, Rules, Tally, extract
from broker.voting.calibration import (
    BINS,
    OWN_NEEDED,
    Bend,
    Record,
    Table,
    bend,
    calibration_error,
    confidence,
    fit,
)

SEATS = 8
HALVINGS = 20
"""Random halves of the questions: with one alone, luck moves the figure by several points."""

NODES = 6
"""Random choices of the questions whose answers a node is told, for each set and model."""

REST_MIN = 30
"""Questions that must be left to measure on."""


class Recorded(msgspec.Struct, frozen=True):
    """One verdict on a recorded question."""

    question: str
    group: tuple[str, str]  # data set, model
    answer_type: str
    record: Record


def figures(recorded: Sequence[Recorded], seed: int) -> dict[str, float]:
    """Calibration errors in points: fitted on one half of the questions, measured on the other.

    calibration_error is the worst answer type's. Beside each: _raw of the share itself; _level what
    of it is there because one half is harder than the other, whatever curve is fitted; _noise what
    a table that was fitted on all questions would show on such a half. calibration_elsewhere: of a
    table of other models and sets, on a model and set that it does not know, mean over sets;
    calibration_own: after its node was told OWN_NEEDED answers.
    """
    found: dict[str, float] = {}
    kinds = sorted({r.answer_type for r in recorded})
    for kind in kinds:
        own = [r for r in recorded if r.answer_type == kind]
        name = f"calibration_{kind}"
        found[name], found[f"{name}_level"], found[f"{name}_noise"] = _halvings(
            own, random.Random(seed)
        )
        found[f"{name}_raw"] = calibration_error((r.record.share, r.record.right) for r in own)
    worst = max(kinds, key=lambda kind: found[f"calibration_{kind}"])
    return {
        "calibration_error": found[f"calibration_{worst}"],
        "calibration_level": found[f"calibration_{worst}_level"],
        "calibration_noise": found[f"calibration_{worst}_noise"],
        "calibration_raw": max(found[f"calibration_{kind}_raw"] for kind in kinds),
        **_elsewhere(recorded, random.Random(seed)),
        **found,
    }


def _elsewhere(recorded: Sequence[Recorded], rng: random.Random) -> dict[str, float]:
    """What ships against the node's own, for models and sets that what ships was not fitted on."""
    groups = sorted({(r.answer_type, *r.group) for r in recorded})
    shipped: dict[str, list[float]] = {}
    own: dict[str, list[float]] = {}
    for group in groups:
        kind, name, _ = group
        here = [r for r in recorded if (r.answer_type, *r.group) == group]
        there = [r.record for r in recorded if r.answer_type == kind and (kind, *r.group) != group]
        tables = {kind: fit(there)} if there else {}
        questions = sorted({r.question for r in here})
        if len(questions) < OWN_NEEDED + REST_MIN:
            continue
        for _ in range(NODES):
            known = set(rng.sample(questions, OWN_NEEDED))
            told = {r.question: r.record for r in here if r.question in known}
            rest = [r.record for r in here if r.question not in known]
            shipped.setdefault(name, []).append(_error(rest, tables, kind, Bend()))
            bent = bend(kind, told.values(), tables)
            own.setdefault(name, []).append(_error(rest, tables, kind, bent))
    if not own:
        return {}
    return {
        "calibration_elsewhere": mean([mean(found) for found in shipped.values()]),
        "calibration_own": mean([mean(found) for found in own.values()]),
    }


def _halvings(own: Sequence[Recorded], rng: random.Random) -> tuple[float, float, float]:
    """Errors of a table of the other half: over ten bins, over one, and of a table of all."""
    questions = sorted({r.question for r in own})
    whole = {"all": fit(r.record for r in own)}
    held_out, level, noise = [], [], []
    for _ in range(HALVINGS):
        half = set(rng.sample(questions, len(questions) // 2))
        table = {"half": fit(r.record for r in own if r.question in half)}
        rest = [r.record for r in own if r.question not in half]
        held_out.append(_error(rest, table, "half"))
        level.append(_error(rest, table, "half", bins=1))
        noise.append(_error(rest, whole, "all"))
    return mean(held_out), mean(level), mean(noise)


def _error(
    records: Sequence[Record],
    tables: Mapping[str, Table],
    kind: str,
    own: Bend | None = None,
    bins: int = BINS,
) -> float:
    told = [(confidence(kind, r.share, r.cast, tables, own), r.right) for r in records]
    return calibration_error(((p, right) for p, right in told if p is not None), bins)


def recorded_verdicts(
    folder: Path, times: int, seed: int, sizes: Sequence[int] = (SEATS,)
) -> list[Recorded]:
    """Verdicts of the default mode on all recorded questions whose answers can be compared."""
    rng = random.Random(seed)
    found = []
    for question in [*boinf(folder), *_others(folder)]:
        for size in sizes:
            for _ in range(times):
                seats = min(size, len(question.answers))
                record = _verdict(rng.sample(question.answers, seats), question.gold)
                if record:
                    found.append(
                        Recorded(question.id, question.group, question.answer_type, record)
                    )
    return found


def _verdict(answers: Sequence[str | None], gold: str) -> Record | None:
    tally = Tally(Rules(seats=len(answers), answer="label", tie_seats=0))
    for seat, answer in enumerate(answers):
        tally.cast(Cast(seat, answer or "", "stop"))
        judged = tally.judge()
        if judged.outcome is not Outcome.PENDING:
            break
    if judged.outcome is not Outcome.DECIDED:
        return None
    return Record(judged.agreement, sum(judged.votes.values()), judged.answer == gold)


def _others(folder: Path) -> list[Question]:
    """GSM8K of mixed models, MATH and CRUXEval in the shape of the others."""
    found = []
    for row in rows(folder, "gsm8k_hetero"):
        texts = [s["text"] for name, s in row["samples"].items() if "codex" not in name]
        answers = [extract(text, "number") for text in texts]
        found.append(named(f"gsm8k/{row['id']}", "number", answers, gold_number(row["gold"])))
    for row in rows(folder, "cruxeval"):
        answers = [extract(text, "literal") for text in row["samples"]]
        gold = extract(row["gold"], "literal")
        found.append(named(f"cruxeval/{row['id']}", "literal", answers, gold))
    read = reader("latex")
    for row in rows(folder, "qwen_math100"):
        answers = [read(text) for text in row["pred"]]
        right = [a for a, c in zip(answers, row["correct"], strict=True) if c]
        found.append(named(f"math100/{row['id']}", "latex", answers, right[0] if right else None))
    return found
