"""The shipped files of abacus: small, one tokeniser, the same text from PyTorch and llama.cpp."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from benchmarks.abacus.evaluate import SHIPPED, Answerer, Sampling, majority, measure, number_in
from benchmarks.abacus.export_gguf import write_gguf
from benchmarks.abacus.vocabulary import MESSAGE_END_ID, MESSAGE_START_ID, chat
from benchmarks.stories import unseen

HF = SHIPPED.parent / "hf"
SIZE_MAX_BYTES = 4_000_000  # small enough to live in git
DEMO = (
    "Tom has 12 apples. He buys 3 boxes of 6 apples and gives away 7. "
    "How many apples does Tom have?"
)


@pytest.fixture(scope="module")
def answerer() -> Iterator[Answerer]:
    loaded = Answerer(SHIPPED, threads=1)
    yield loaded
    loaded.close()


def test_pytorch_and_llama_cpp_give_the_same_greedy_text(
    answerer: Answerer, greedy_texts: dict[str, str]
) -> None:
    assert len(greedy_texts) >= 20
    for prompt, text in greedy_texts.items():
        assert answerer.ask(prompt, 0, Sampling(temperature=0.0)) == text, prompt


def test_the_demo_question_is_answered_right_by_a_majority_of_eight(answerer: Answerer) -> None:
    texts = [answerer.ask(chat(DEMO), seed, Sampling()) for seed in range(1, 9)]
    assert majority([number_in(text) for text in texts]) == "23"


def test_one_sample_is_often_wrong_and_the_majority_less_often(answerer: Answerer) -> None:
    """The model card has the figures, over more stories; these bounds are loose, for 32."""
    stories = list(itertools.islice(unseen(random.Random(2)), 32))
    accuracy = measure(answerer, stories, votes=8, sampling=Sampling(), system="")
    assert 45 < accuracy.one_sample < 75
    assert accuracy.majority > accuracy.one_sample + 5


def test_samples_take_more_than_one_way_to_an_answer(answerer: Answerer) -> None:
    texts = {answerer.ask(chat(DEMO), seed, Sampling()) for seed in range(1, 9)}
    assert len(texts) > 1


@pytest.mark.parametrize("question", ["hello", "x", "", "¿Qué? 你好 👩‍🚀\x00\x7f", "1" * 300])
def test_any_text_is_answered_by_something(answerer: Answerer, question: str) -> None:
    assert isinstance(answerer.ask(chat(question), 1, Sampling()), str)


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_both_forms_tokenise_any_text_alike(
    answerer: Answerer, tokenizer: Tokenizer, text: str
) -> None:
    assert answerer.tokens(text) == tokenizer.encode(text).ids


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_text_comes_back_from_its_tokens(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_the_chat_markers_are_one_token_each(answerer: Answerer, tokenizer: Tokenizer) -> None:
    prompt = chat("Hi", "Be brief.")
    tokens = answerer.tokens(prompt)
    assert tokens == tokenizer.encode(prompt).ids
    assert tokens.count(MESSAGE_START_ID) == 3
    assert tokens.count(MESSAGE_END_ID) == 2


def test_each_form_is_under_four_megabytes() -> None:
    assert SHIPPED.stat().st_size < SIZE_MAX_BYTES
    assert sum(file.stat().st_size for file in HF.iterdir()) < SIZE_MAX_BYTES


def test_the_shipped_gguf_is_the_hugging_face_form_converted(tmp_path: Path) -> None:
    write_gguf(HF, tmp_path / "again.gguf")
    assert (tmp_path / "again.gguf").read_bytes() == SHIPPED.read_bytes()
