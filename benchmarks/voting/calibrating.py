"""How far the told confidence is from how often the answer is right, on questions not fitted on."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.voting.data import Question, boinf, mean, reader, rows
from benchmarks.voting.picks import gold_number
from broker.voting import Cast, Outcome, Rules, Tally, extract
from broker.voting.calibration import Record, Table, calibration_error, confidence, fit

SEATS = 8
HALVINGS = 20
"""Random halves of the questions: with one alone, luck moves the figure by several points."""


class Recorded(msgspec.Struct, frozen=True):
    """One verdict on a recorded question."""

    question: str
    answer_type: str
    record: Record


def figures(recorded: Sequence[Recorded], seed: int) -> dict[str, float]:
    """Calibration errors in points: fitted on one half of the questions, measured on the other.

    calibration_error is the worst answer type's, calibration_raw that of the raw share,
    calibration_noise what a table that was fitted on all questions would show on such a half.
    """
    found: dict[str, float] = {}
    for kind in sorted({r.answer_type for r in recorded}):
        own = [r for r in recorded if r.answer_type == kind]
        held_out, noise = _halvings(own, random.Random(seed))
        found[f"calibration_{kind}"] = held_out
        found[f"calibration_{kind}_noise"] = noise
        found[f"calibration_{kind}_raw"] = calibration_error(
            (r.record.share, r.record.right) for r in own
        )
    kinds = [name for name in found if name.count("_") == 1]
    worst = max(kinds, key=lambda name: found[name])
    return {
        "calibration_error": found[worst],
        "calibration_noise": found[f"{worst}_noise"],
        "calibration_raw": max(found[f"{name}_raw"] for name in kinds),
    } | found


def _halvings(own: Sequence[Recorded], rng: random.Random) -> tuple[float, float]:
    questions = sorted({r.question for r in own})
    whole = {"all": fit(r.record for r in own)}
    held_out, noise = [], []
    for _ in range(HALVINGS):
        half = set(rng.sample(questions, len(questions) // 2))
        table = {"half": fit(r.record for r in own if r.question in half)}
        rest = [r.record for r in own if r.question not in half]
        held_out.append(_error(rest, table, "half"))
        noise.append(_error(rest, whole, "all"))
    return mean(held_out), mean(noise)


def _error(records: Sequence[Record], tables: Mapping[str, Table], kind: str) -> float:
    return calibration_error(
        (confidence(kind, r.share, r.cast, tables) or 0.0, r.right) for r in records
    )


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
                    found.append(Recorded(question.id, question.answer_type, record))
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
        found.append(_question("gsm8k", row["id"], "number", answers, gold_number(row["gold"])))
    for row in rows(folder, "cruxeval"):
        answers = [extract(text, "literal") for text in row["samples"]]
        gold = extract(row["gold"], "literal")
        found.append(_question("cruxeval", row["id"], "literal", answers, gold))
    read = reader("latex")
    for row in rows(folder, "qwen_math100"):
        answers = [read(text) for text in row["pred"]]
        right = [a for a, c in zip(answers, row["correct"], strict=True) if c]
        found.append(_question("math100", row["id"], "latex", answers, right[0] if right else None))
    return found


def _question(
    name: str, number: object, kind: str, answers: Sequence[str | None], gold: str | None
) -> Question:
    names = {a: f"c{i}" for i, a in enumerate(dict.fromkeys(answers)) if a is not None}
    return Question(
        group=(name, ""),
        id=f"{name}/{number}",
        answer_type=kind,
        answers=tuple(names.get(a or "") for a in answers),
        tokens=(),
        gold=names.get(gold or "", "never given"),
    )
