"""What the tests of the shipped files share: PyTorch's greedy answers to unseen stories."""

import itertools
import random

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from benchmarks.abacus.evaluate import SHIPPED
from benchmarks.abacus.model import Weights, logits
from benchmarks.abacus.shape import ABACUS
from benchmarks.abacus.vocabulary import END_OF_TEXT_ID, MESSAGE_END_ID, chat
from benchmarks.stories import unseen

STORIES = 30
# llama.cpp and MLX round to float16 on the way. Over 20 stories that moved the lead of the first
# token over the second by up to 0.02 and 0.044; a choice closer than this may fall either way.
NEAR_TIE = 0.06


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(SHIPPED.parent / "hf" / "tokenizer.json"))


@pytest.fixture(scope="session")
def greedy_texts(tokenizer: Tokenizer) -> dict[str, str]:
    """PyTorch's answer to each prompt where no choice on the way is nearly a tie."""
    torch.set_num_threads(1)
    file = SHIPPED.parent / "hf" / "model.safetensors"
    weights = {name: weight.float() for name, weight in load_file(file).items()}
    texts = {}
    for story in itertools.islice(unseen(random.Random(20)), STORIES):
        prompt = chat(story.question)
        answer, narrowest = _greedy(weights, tokenizer.encode(prompt).ids)
        if narrowest > NEAR_TIE:
            texts[prompt] = tokenizer.decode(answer)
    return texts


def _greedy(weights: Weights, tokens: list[int]) -> tuple[list[int], float]:
    """Return the answer's tokens and the narrowest lead on the way."""
    answer: list[int] = []
    narrowest = float("inf")
    with torch.no_grad():
        while len(answer) < 128:
            scores = logits(weights, ABACUS, torch.tensor([tokens + answer]))[0, -1]
            first, second = scores.topk(2).values.tolist()
            narrowest = min(narrowest, first - second)
            answer.append(int(scores.argmax()))
            if answer[-1] in {MESSAGE_END_ID, END_OF_TEXT_ID}:
                return answer[:-1], narrowest
    return answer, narrowest
