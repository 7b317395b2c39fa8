"""A token whose values are no numbers, as when 16 bits overflow: it ends its own request only.

llama.cpp adds the cells of ended sequences too, times nothing, which leaves them no numbers: one
such token would end every later request of its slot.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks import random_model
from worker.engine import Request
from worker.engines.llamacpp.sampling import LEADING_VOCABULARY

LETTER = "Q"
Made = Callable[[float], str]


@pytest.fixture(params=[640, LEADING_VOCABULARY + 256])
def model_with(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Made:
    """A tiny model with a number multiplied into one letter's token and every 20th word's."""
    shape = msgspec.structs.replace(random_model.SHAPES["tiny"], vocabulary=request.param)
    letter = random_model.byte_pairs(shape.vocabulary)[0].index(LETTER)
    sound = random_model.tensors

    def made(factor: float) -> str:
        def tensors(shape: random_model.Shape, seed: int):
            for name, values in sound(shape, seed):
                if name == "token_embd.weight":
                    values[[letter, *range(300, shape.vocabulary, 20)]] *= np.float32(factor)
                yield name, values

        monkeypatch.setattr(random_model, "tensors", tensors)
        path = tmp_path / f"{factor}.gguf"
        random_model.write(path, shape, "F32", seed=5)
        return str(path)

    return made


def test_a_prompt_without_numbers_ends_and_the_next_ones_do_not(model_with, opened, run) -> None:
    engine = opened(model_with(float("nan")), 2)
    seats = [Request("a short story", seed=seed, max_tokens=1) for seed in (1, 2)]
    before = [one.text for one in run(engine).all(seats)]
    failed = run(engine).all([Request(f"the house of {LETTER}", seed=seed) for seed in (1, 2)])
    assert [one.finish for one in failed] == ["error"] * 2
    assert "no numbers" in failed[0].error
    after = run(engine).all(seats)
    assert [(one.finish, one.text) for one in after] == [("length", text) for text in before]


def test_a_token_without_numbers_leaves_the_rows_beside_it_alone(model_with, opened, run) -> None:
    seats = [
        Request("a short story", seed=seed, temperature=1.5, max_tokens=40) for seed in range(16)
    ]
    whole = run(opened(model_with(1.0), 3)).all(seats)
    done = run(opened(model_with(float("nan")), 3)).all(seats)
    assert {one.finish for one in done} >= {"error", "length"}
    for before, after in zip(whole, done, strict=True):
        assert before.text.startswith(after.text)
        assert after.finish == "error" or after.text == before.text
