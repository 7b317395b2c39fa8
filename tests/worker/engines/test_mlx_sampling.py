"""Tokens drawn on the device: those of the chain written out plainly, and of each slot's dice."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine import Request
from worker.engines import EngineOptions, load
from worker.engines.batched.parts import NO_TOKEN
from worker.engines.batched.tail import MIN_P, TOP_K, TOP_P

SIZE = 60


def _plainly(logits: list[float], number: float, temperature: float) -> tuple[int, float]:
    """The token, and how near the number was to giving another: the oracle, one step a line."""
    left = sorted(range(len(logits)), key=lambda token: -logits[token])[:TOP_K]
    if temperature <= 0:
        return left[0], 1.0
    shares = [math.exp(logits[token] - logits[left[0]]) for token in left]
    total, so_far, near = sum(shares), 0.0, 1.0
    kept = []
    for token, share in zip(left, shares, strict=True):
        near = min(near, abs(so_far / total - TOP_P), abs(share - MIN_P))
        if so_far / total < TOP_P and share >= MIN_P:
            kept.append(token)
        so_far += share
    weights = [math.exp((logits[token] - logits[left[0]]) / temperature) for token in kept]
    at = number * sum(weights)
    for token, weight in zip(kept, weights, strict=True):
        near = min(near, abs(at - weight) / sum(weights))
        if at < weight:
            return token, near
        at -= weight
    return kept[-1], near


@given(
    st.lists(st.floats(-8, 8, width=32), min_size=SIZE, max_size=SIZE, unique=True),
    st.integers(0, 2**31 - 1),
    st.sampled_from([0.0, 0.3, 0.8, 1.5]),
)
def test_a_drawn_token_is_the_plain_chains(logits, seed: int, temperature: float) -> None:
    import mlx.core as mx

    from worker.engines.mlx import sampling

    row = mx.array([logits])
    (drawn,) = sampling.draw(row, [sampling.Sampler(seed, temperature)])
    expected, near = _plainly(logits, random.Random(seed).random(), temperature)
    assert drawn == expected or near < 1e-5


def test_a_rows_token_does_not_depend_on_the_rows_beside_it() -> None:
    import mlx.core as mx

    from worker.engines.mlx import sampling

    rows = mx.random.normal((7, 300), key=mx.random.key(5)) * 3
    heats = [0.8, 0.0, 1.5, 0.8, 1.0, 0.2, 0.0]
    together = sampling.draw(rows, [sampling.Sampler(n, heat) for n, heat in enumerate(heats)])
    alone = [
        sampling.draw(rows[n : n + 1], [sampling.Sampler(n, heat)])[0]
        for n, heat in enumerate(heats)
    ]
    assert together == alone


@pytest.mark.parametrize("spoiled", [math.nan, math.inf])
def test_logits_that_are_no_numbers_give_no_token(spoiled: float) -> None:
    import mlx.core as mx

    from worker.engines.mlx import sampling

    rows = mx.array([[1.0, 2.0, 3.0], [1.0, spoiled, 3.0]])
    samplers = [sampling.Sampler(1, 0), sampling.Sampler(1, 0)]
    assert sampling.draw(rows, samplers) == [2, NO_TOKEN]


def test_an_overflow_ends_its_own_request_and_leaves_no_trace(run, written) -> None:
    """One token's weights are no numbers: whoever draws it ends with an error, and nobody else."""
    import mlx.core as mx

    engine = load("mlx", written("mlx", "F16", True), 1, EngineOptions(context_tokens=128))
    requests = [Request("a house of votes", seed=n, max_tokens=50) for n in range(4)]
    whole = run(engine).all(requests)
    slot = engine.admit(requests[1])
    while engine.step().tokens == 0 or engine._rows[0].tokens < 20:
        pass
    drawn = engine._rows[0].last
    engine.cancel(slot)
    last = engine._model.piece(drawn).decode("utf-8", "replace")
    weights = engine._model.network.model.embed_tokens.weight
    weights[drawn] = mx.nan
    done = run(engine).all(requests)
    ended = {c.finish for c in done}
    assert "error" in ended
    assert len(ended) > 1
    for before, after in zip(whole, done, strict=True):
        assert before.text.startswith(after.text)
        overflowed = after.finish == "error"
        assert after.text.endswith(last) if overflowed else after.text == before.text
    assert "no numbers" in next(c.error for c in done if c.finish == "error")
    engine.close()
