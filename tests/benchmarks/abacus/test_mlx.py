"""The Hugging Face form in mlx-lm: it loads, renders the same prompt, and answers the same."""

from typing import Any

import pytest

from benchmarks.abacus.evaluate import SHIPPED
from benchmarks.abacus.vocabulary import chat

HF = SHIPPED.parent / "hf"


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any]:
    from mlx_lm import load

    model, tokenizer = load(str(HF))
    return model, tokenizer


def test_mlx_renders_the_prompt_that_abacus_was_taught(loaded: tuple[Any, Any]) -> None:
    _, tokenizer = loaded
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    prompt = tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
    assert prompt == chat("Hi", "Be brief.")


def test_mlx_and_pytorch_give_the_same_greedy_text(
    loaded: tuple[Any, Any], greedy_texts: dict[str, str]
) -> None:
    from mlx_lm import generate

    model, tokenizer = loaded
    for prompt, text in list(greedy_texts.items())[:8]:
        assert generate(model, tokenizer, prompt, max_tokens=128) == text, prompt
