"""Write abacus as a Hugging Face folder: what mlx-lm and transformers load."""

import json
from pathlib import Path

import msgspec
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from benchmarks.abacus.model import Weights
from benchmarks.abacus.shape import Shape
from benchmarks.abacus.vocabulary import (
    CHAT_TEMPLATE,
    END_OF_TEXT,
    END_OF_TEXT_ID,
    MESSAGE_END,
    MESSAGE_END_ID,
)


def write_hf(folder: Path, weights: Weights, tokenizer: Tokenizer, shape: Shape) -> None:
    """Write weights in float16, configuration and tokeniser into `folder`, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: weight.to(torch.float16).contiguous() for name, weight in weights.items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(folder / "config.json", _config(shape))
    _write(folder / "tokenizer_config.json", _tokenizer_config(shape))
    _write(folder / "generation_config.json", {"eos_token_id": [MESSAGE_END_ID, END_OF_TEXT_ID]})


def _config(shape: Shape) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "torch_dtype": "float16",
        **msgspec.structs.asdict(shape),
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": [MESSAGE_END_ID, END_OF_TEXT_ID],
        "pad_token_id": END_OF_TEXT_ID,
    }


def _tokenizer_config(shape: Shape) -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": MESSAGE_END,
        "pad_token": END_OF_TEXT,
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": shape.max_position_embeddings,
        "chat_template": CHAT_TEMPLATE,
    }


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
