"""Votes of sequences that were cut short and made to answer, where nothing better is there.

A finished answer needs none of this: between finished answers the probability of their tokens says
almost nothing, so they count alike (docs/VOTING.md). A vote cut at its length abstains by default.
"""

import math
from collections.abc import Sequence

from broker.voting.counts import WEIGHT_UNIT, Counts

TEMPERATURE = 1.0
"""Of the softmax over standardised confidences; 0.5 to 1 differ by less than a point."""


def soft_weights(confidences: Sequence[float | None]) -> list[float]:
    """exp(z / TEMPERATURE) of each confidence standardised among these; 0 where it is missing.

    A confidence is any figure that rises with certainty, such as the mean log-probability of the
    tokens of the answer (CISC, arXiv 2502.06233; DeepConf, arXiv 2508.15260).
    """
    known = [c for c in confidences if c is not None]
    if not known:
        return [1.0] * len(confidences)
    middle = sum(known) / len(known)
    spread = math.sqrt(sum((c - middle) ** 2 for c in known) / len(known)) or 1.0
    return [
        0.0 if c is None else math.exp((c - middle) / spread / TEMPERATURE) for c in confidences
    ]


def weighted_winner(answers: Sequence[str | None], weights: Sequence[float]) -> str | None:
    """Answer with the most weight; of equals the first to reach it. None: there is no answer."""
    counts = Counts()
    for seat, (answer, weight) in enumerate(zip(answers, weights, strict=True)):
        if answer is not None and weight > 0:
            counts.add(answer, seat, max(1, round(weight * WEIGHT_UNIT)))
    return counts.first.answer if counts.first else None
