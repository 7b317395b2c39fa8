"""Drawing tokens on the device, a row for each slot, from dice of the slot's own.

A slot's dice give one number for each token of its answer, whoever is beside it; the device turns
that number into a token. So nothing of a seed depends on MLX's global random state, and one small
row of the likeliest tokens a slot is all that is computed beside the model.
"""

import math
from collections.abc import Sequence
from random import Random
from typing import Any

import mlx.core as mx

from worker.engines.batched.parts import NO_TOKEN
from worker.engines.batched.tail import MIN_P, TOP_K, TOP_P


class Sampler:
    """One answer's dice and temperature; temperature 0 takes the likeliest token."""

    __slots__ = ("_dice", "temperature")

    def __init__(self, seed: int, temperature: float) -> None:
        self._dice = Random(seed)  # noqa: S311 - seeds of votes are no secrets
        self.temperature = temperature

    def number(self) -> float:
        """The next of this answer's numbers, from 0 up to but not 1."""
        return self._dice.random()

    def close(self) -> None:
        """Nothing is held."""


def draw(logits: Any, samplers: Sequence[Sampler]) -> list[int]:
    """A token for each row of logits, or NO_TOKEN where they are no numbers."""
    numbers = mx.array([[one.number()] for one in samplers])
    temperatures = mx.array([[one.temperature] for one in samplers])
    return [int(token) for token in _chosen(logits, numbers, temperatures).tolist()]


def _chosen(logits: Any, numbers: Any, temperatures: Any) -> Any:
    """As llama.cpp's chain: top k, top p of those, min p, then the temperature, then the draw."""
    logits = logits.astype(mx.float32)
    none = mx.isnan(logits)
    logits = mx.where(none, -mx.inf, logits)  # with NaN among them, partitioning may crash
    kept = min(TOP_K, logits.shape[-1])
    tokens = mx.argpartition(-logits, kth=kept - 1, axis=-1)[:, :kept]
    values = mx.take_along_axis(logits, tokens, axis=-1)
    order = mx.argsort(-values, axis=-1)
    tokens = mx.take_along_axis(tokens, order, axis=-1)
    values = mx.take_along_axis(values, order, axis=-1)
    best = values[:, :1]
    shares = mx.softmax(values, axis=-1)
    before = mx.cumsum(shares, axis=-1) - shares
    stays = (before < TOP_P) & (values >= best + math.log(MIN_P))
    greedy = temperatures <= 0
    heat = mx.where(greedy, 1.0, temperatures)
    weights = mx.where(stays, mx.exp((values - best) / heat), 0.0)
    reached = mx.cumsum(weights, axis=-1)
    # The last that stays when rounding leaves the sum below the number. Of no numbers none stays,
    # and MLX does not check an index.
    last = mx.maximum(stays.sum(axis=-1, keepdims=True) - 1, 0)
    at = (reached <= numbers * reached[:, -1:]).sum(axis=-1, keepdims=True)
    at = mx.where(greedy, 0, mx.minimum(at, last))
    token = mx.take_along_axis(tokens, at.astype(mx.uint32), axis=-1).astype(mx.int32)
    sound = mx.isfinite(best) & ~none.any(axis=-1, keepdims=True)
    return mx.where(sound, token, NO_TOKEN)[:, 0]
