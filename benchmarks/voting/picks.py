"""Picking among raw texts of several models: mixed-format GSM8K answers."""

import random
from collections.abc import Mapping
from pathlib import Path

from benchmarks.voting.counting import shown
from benchmarks.voting.data import mean, rows
from broker.voting import Cast, Rules, Tally, extract
from broker.voting.medoid import central

SEATS = 8
PROGRAM_WRITERS = ("tora-", "codex-")
"""Models whose text is a program; left out where texts are compared."""


def figures(folder: Path, times: int, seed: int) -> dict[str, float]:
    """Percent right: one text of eight, our pick of the eight, the medoid of their whole texts."""
    rng = random.Random(seed)
    single, pick, text = [], [], []
    for row in rows(folder, "gsm8k_hetero"):
        gold = gold_number(row["gold"])
        texts = texts_of(row["samples"])
        for _ in range(times):
            drawn = [texts[name] for name in rng.sample(sorted(texts), min(SEATS, len(texts)))]
            single.append(100.0 * (extract(drawn[0], "number") == gold))
            pick.append(100.0 * (picked(drawn, row["question"]) == gold))
            text.append(100.0 * (extract(drawn[central(drawn)[0]], "number") == gold))
    return {"gsm8k_single": mean(single), "gsm8k_pick": mean(pick), "gsm8k_text": mean(text)}


def picked(texts: list[str], question: str) -> str | None:
    """The shipped count over raw texts, answer type found by itself."""
    tally = Tally(Rules(seats=len(texts), prompt=question, stop="all", tie_seats=0))
    for seat, text in enumerate(texts):
        tally.cast(Cast(seat, text, "stop"))
    return shown(tally.judge())


def texts_of(samples: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Texts by model, of those that write no programs."""
    return {
        name: sample["text"]
        for name, sample in samples.items()
        if not name.startswith(PROGRAM_WRITERS)
    }


def gold_number(gold: str) -> str:
    """Canonical form of a known answer."""
    found = extract(gold, "number")
    assert found is not None, gold
    return found
