"""Unequal models: plain counting, the best of them, and weights learned without labels."""

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.voting.counting import shown
from benchmarks.voting.data import mean, rows
from benchmarks.voting.picks import gold_number
from broker.voting import Cast, Rules, Tally, extract
from broker.voting.weights import learn, weights

FOLDS = 5
LEARN_FROM = 200
"""Questions that weights are learned from, none of them among those that are judged."""

REPEATS = 5
"""Different foldings: one alone moves by a point with the questions that it learns from."""


class Asked(msgspec.Struct, frozen=True):
    """A question, each model's answer, and the right one."""

    answers: dict[str, str]
    gold: str


def figures(folder: Path, seed: int) -> dict[str, float]:
    """Percent right for all models, and for the four of OpenAI's GSM8K paper."""
    asked = [
        Asked(_answers(row["samples"]), gold_number(row["gold"]))
        for row in rows(folder, "gsm8k_hetero")
    ]
    models = sorted({model for question in asked for model in question.answers})
    four = [model for model in models if model.startswith("openai-")]
    found: dict[str, float] = {}
    for name, pool in (("14", models), ("four", four)):
        found[f"plain_{name}"] = mean([_right(q, pool, {}) for q in asked])
        found[f"best_{name}"] = max(
            mean([100.0 * (q.answers.get(model) == q.gold) for q in asked]) for model in pool
        )
        found[f"weights_{name}"] = _cross_validated(asked, pool, seed)
    return found


def _answers(samples: dict[str, dict[str, str]]) -> dict[str, str]:
    """Canonical answers; of programs without their output, what running them had given."""
    given = {
        model: extract(s["pred"] if model.startswith("codex-") else s["text"], "number")
        for model, s in samples.items()
    }
    return {model: answer for model, answer in given.items() if answer is not None}


def _cross_validated(asked: Sequence[Asked], pool: Sequence[str], seed: int) -> float:
    """Learn from LEARN_FROM questions of four folds, without their answers; judge on the fifth."""
    right = []
    for repeat in range(REPEATS):
        rng = random.Random(seed + repeat)
        order = rng.sample(list(asked), len(asked))
        for fold in range(FOLDS):
            others = [q for i, q in enumerate(order) if i % FOLDS != fold][:LEARN_FROM]
            jobs = [[(m, a) for m, a in q.answers.items() if m in pool] for q in others]
            learned = weights(learn(jobs))
            right += [_right(q, pool, learned) for q in order[fold::FOLDS]]
    return mean(right)


def _right(question: Asked, pool: Sequence[str], learned: dict[str, float]) -> float:
    given = [(m, a) for m, a in question.answers.items() if m in pool]
    if not given:
        return 0.0
    rules = Rules(len(given), answer="number", stop="all", weights=learned, tie_seats=0)
    tally = Tally(rules)
    for seat, (model, answer) in enumerate(given):
        tally.cast(Cast(seat, answer, "stop", voter=model))
    return 100.0 * (shown(tally.judge()) == question.gold)
