"""Drawing from the leading tokens gives the token that llama.cpp's walk over all of them gives."""

import numpy as np
import pytest

from worker.engines.batched.parts import NO_TOKEN
from worker.engines.llamacpp.sampling import LEADING_VOCABULARY, Candidates, Sampler

VOCABULARY = 4 * LEADING_VOCABULARY
SHAPES = {
    "flat": lambda dice: dice.standard_normal(VOCABULARY) * 2,
    "a few leaders": lambda dice: np.where(
        dice.random(VOCABULARY) < 2e-4, 5 + 3 * dice.random(VOCABULARY), dice.normal(-9, 2)
    ),
    "one leader": lambda dice: np.where(np.arange(VOCABULARY) == 77, 40, dice.random(VOCABULARY)),
    "none": lambda dice: np.zeros(VOCABULARY),
}


@pytest.fixture
def every() -> Candidates:
    """Fills in the whole vocabulary, as for a small one."""
    table = Candidates(VOCABULARY)
    table.leading = False
    return table


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("temperature", [0.0, 0.8, 5.0])
def test_the_leading_tokens_are_all_that_matter(shape, temperature, every) -> None:
    leading, dice = Candidates(VOCABULARY), np.random.default_rng(3)
    assert leading.leading
    mine, full = (Sampler(11, temperature) for _ in range(2))
    for _ in range(60):
        logits = SHAPES[shape](dice).astype(np.float32)
        assert leading.sample(mine, logits) == every.sample(full, logits)


def test_rows_are_drawn_as_each_alone() -> None:
    table, dice = Candidates(VOCABULARY), np.random.default_rng(5)
    together, alone = ([Sampler(seed, 0.8) for seed in range(8)] for _ in range(2))
    for _ in range(20):
        logits = (dice.standard_normal((8, VOCABULARY)) * 2).astype(np.float32)
        each = [table.sample(one, row) for one, row in zip(alone, logits, strict=True)]
        assert table.sample_rows(together, logits) == each


@pytest.mark.parametrize(
    ("worst", "drawn"), [(np.nan, {NO_TOKEN}), (np.inf, {7}), (-np.inf, set(range(VOCABULARY)))]
)
def test_logits_that_are_no_numbers_give_no_token(worst: float, drawn: set[int]) -> None:
    logits = np.zeros(VOCABULARY, dtype=np.float32)
    logits[7] = worst
    assert Candidates(VOCABULARY).sample(Sampler(1, 0.8), logits) in drawn
