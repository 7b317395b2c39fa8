"""A token's bytes, for both ways in which tokenizers write them; and prompts as models see them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.engine import Refused, Request
from worker.engines import ABACUS_FOLDER, EngineOptions, load

TEXTS = ["a cab", " a b  c", "né 5 €", "\n#### 23", "👍\0", ""]
SPECIAL = ["<unk>", "<s>", "</s>"]
MARKS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
SPACES = "\u2581" * 3  # as Gemma's vocabulary has it


def _sentencepiece() -> dict[str, object]:
    """Letters, spaces as U+2581, and a token for each byte of all that is neither."""
    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *"abc", "\u2581a"]
    return {
        "version": "1.0",
        "added_tokens": [
            *({"id": n, "content": one, **MARKS, "special": True} for n, one in enumerate(SPECIAL)),
            {"id": len(tokens), "content": SPACES, **MARKS, "special": False},
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "vocab": {token: at for at, token in enumerate(tokens)},
            "merges": ["\u2581 a"],
            "byte_fallback": True,
            "unk_token": "<unk>",
        },
    }


@pytest.fixture(params=["bytes", "sentencepiece"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[object]:
    folder = Path(shutil.copytree(ABACUS_FOLDER, tmp_path / "abacus"))
    if request.param == "sentencepiece":
        (folder / "tokenizer.json").write_text(json.dumps(_sentencepiece()))
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>"}
        (folder / "tokenizer_config.json").write_text(json.dumps({**config, "eos_token": "</s>"}))
    engine = load("mlx", str(folder), 1, EngineOptions())
    yield engine._model  # type: ignore[attr-defined]
    engine.close()


@pytest.mark.parametrize("text", TEXTS)
def test_the_pieces_of_a_text_are_its_bytes(model, text: str) -> None:
    tokens = model.tokenize(text, add_special=False)
    assert b"".join(map(model.piece, tokens)) == text.encode()


def test_control_tokens_and_rows_beyond_the_vocabulary_write_nothing(model) -> None:
    assert [model.piece(token) for token in (*model._ends, 10_000_000)] == [b""] * (
        len(model._ends) + 1
    )


@pytest.mark.parametrize("model", ["sentencepiece"], indirect=True)
def test_an_added_token_of_spaces_is_written_as_its_tokenizer_does(model) -> None:
    token = model.tokenizer.convert_tokens_to_ids(SPACES)
    assert model.piece(token) == model.tokenizer.decode([token]).encode() == b"   "


def test_half_a_surrogate_pair_in_a_prompt_is_replaced(model) -> None:
    assert model.tokenize("a\ud800", add_special=False) == model.tokenize("a?", add_special=False)


def test_a_chat_template_that_fails_refuses_the_request(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ABACUS_FOLDER, tmp_path / "abacus"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = "{{ raise_exception('no system line') }}"
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    engine = load("mlx", str(folder), 1, EngineOptions())
    with pytest.raises(Refused, match="no system line") as caught:
        engine.admit(Request("1 + 1 =", seed=1, system="be brief"))
    assert "--system" in caught.value.hint
    engine.close()


def test_a_token_without_weights_is_refused(tmp_path: Path) -> None:
    """MLX reads beyond the embedding for it; Gemma 3's texts-only models have such a token."""
    folder = Path(shutil.copytree(ABACUS_FOLDER, tmp_path / "abacus"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append({"id": 640, "content": "<image>", **MARKS, "special": False})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    engine = load("mlx", str(folder), 1, EngineOptions())
    with pytest.raises(Refused, match="no weights for <image>"):
        engine.admit(Request("What is on <image>?", seed=1))
    engine.close()
