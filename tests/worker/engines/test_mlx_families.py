"""Windows, running states and caches that cannot be joined: the texts are mlx-lm's own."""

import random
from pathlib import Path

import pytest

from tests.worker.engines import families
from worker.engine import Engine, Request
from worker.engines import EngineOptions, LoadError, load

WORDS = ["apples", "boxes", "17", "house", "votes"]


def _prompts() -> list[str]:
    """Shorter and far longer than a window."""
    dice = random.Random(1)
    return [" ".join(dice.choices(WORDS, k=count)) for count in (2, 5, 25, 9)]


def _greedy(engine: Engine, prompt: str, tokens_max: int) -> str:
    """The text of mlx-lm's own loop, one sequence with the caches it makes itself."""
    import mlx.core as mx
    from mlx_lm.generate import generate_step

    model, text = engine._model, b""
    tokens = mx.array(engine._template.tokens("", prompt))
    for token, _ in generate_step(tokens, model.network, max_tokens=tokens_max):
        if model.ends(int(token)):
            break
        text += model.piece(int(token))
    return text.decode("utf-8", "replace")


@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_familys_texts_are_mlx_lms_alone_and_in_a_batch(family: str, run, tmp_path: Path) -> None:
    path = families.write(tmp_path / family, family)
    options = EngineOptions(batch_tokens=16, context_tokens=256)
    together, one = (load("mlx", path, slots, options) for slots in (4, 1))
    greedy = [Request(p, seed=1, temperature=0, max_tokens=12) for p in _prompts()]
    expected = [_greedy(together, request.prompt, 12) for request in greedy]
    assert [c.text for c in run(together).all(greedy)] == expected
    varied = [Request(p, seed=n, max_tokens=3 + 5 * n) for n, p in enumerate(_prompts())] * 2
    assert [c.text for c in run(together).all(varied)] == [c.text for c in run(one).all(varied)]
    apart = any("one sequence at a time" in note for note in together.facts.notes)
    assert apart == (family in families.APART)
    one.close()
    together.close()


@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_shared_beginning_is_taken_over_only_where_all_of_it_is_kept(
    family: str, run, tmp_path: Path
) -> None:
    """llama4's caches say that they can be cut back, and have dropped what lies before a chunk."""
    path = families.write(tmp_path / family, family)
    fresh, used = (load("mlx", path, 2, EngineOptions(batch_tokens=16)) for _ in range(2))
    begin = " ".join(random.Random(2).choices(WORDS, k=6))
    wanted = Request(begin + " 1", seed=1, temperature=0, max_tokens=12)
    run(used).all([Request(begin + " 2" + " house" * 30, seed=1, max_tokens=1)])
    assert run(used).all([wanted])[0].text == run(fresh).all([wanted])[0].text
    used.close()
    fresh.close()


def test_a_context_beyond_a_table_of_positions_is_refused(tmp_path) -> None:
    """MLX checks no index: it would read behind the table's end."""
    path = families.write(tmp_path / "gpt2", "gpt2")
    with pytest.raises(LoadError) as caught:
        load("mlx", path, 2, EngineOptions(context_tokens=513))
    assert "512 positions" in caught.value.because
    load("mlx", path, 2, EngineOptions(context_tokens=512)).close()
