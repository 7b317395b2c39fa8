"""Write the random models of benchmarks.random_model as folders that mlx-lm and transformers load.

    python -m benchmarks.random_folder 150m --type 4bit --out 150m-4bit

The same weights, vocabulary and template as the GGUF file of the same shape and seed: as numbers of
16 or 32 bits, or in MLX's own quantisation of 8 or 4 bits in groups of 32.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.random_model import SHAPES, SPECIALS, TEMPLATE, Shape, byte_pairs, command, tensors

TYPES = ("BF16", "F32", "F16", "8bit", "4bit")
GROUP = 32  # divides every width of SHAPES
NAMES = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}  # fmt: skip
"""llama.cpp's names of tensors, and Hugging Face's."""


def write(folder: Path, shape: Shape, kind: str = "BF16", seed: int = 0, chat: bool = True) -> None:
    """Write the model. `kind` is one of TYPES; without `chat` there is no chat template.

    Folders have LLaMA's shape alone: none with a window.
    """
    assert not shape.window
    import mlx.core as mx

    folder.mkdir(parents=True, exist_ok=True)
    weights = dict(_weights(shape, kind, seed))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    _save(folder / "config.json", _config(shape, kind))
    _save(folder / "tokenizer.json", tokenizer(shape.vocabulary))
    _save(folder / "tokenizer_config.json", tokenizer_config(shape, chat))


def _save(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _weights(shape: Shape, kind: str, seed: int) -> Iterator[tuple[str, Any]]:
    import mlx.core as mx

    types = {"F32": mx.float32, "F16": mx.float16}
    for name, values in tensors(shape, seed):
        weight = mx.array(values).astype(types.get(kind, mx.bfloat16))
        whole = _name(name)
        if kind.endswith("bit") and weight.ndim == 2:
            packed, scales, biases = mx.quantize(weight, GROUP, int(kind.removesuffix("bit")))
            yield f"{whole}.scales", scales
            yield f"{whole}.biases", biases
            weight = packed
        yield f"{whole}.weight", weight


def _name(name: str) -> str:
    """A tensor's name without its ending: "blk.3.attn_q.weight" is in model.layers.3."""
    if not name.startswith("blk."):
        return NAMES[name.removesuffix(".weight")]
    _, layer, inner, _ = name.split(".")
    return f"model.layers.{layer}.{NAMES[inner]}"


def _config(shape: Shape, kind: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "torch_dtype": {"F32": "float32", "F16": "float16"}.get(kind, "bfloat16"),
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "intermediate_size": shape.ffn,
        "max_position_embeddings": shape.context,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-05,
        "tie_word_embeddings": False,
        "eos_token_id": SPECIALS.index("<|im_end|>"),
    }
    if kind.endswith("bit"):
        config["quantization"] = {"group_size": GROUP, "bits": int(kind.removesuffix("bit"))}
    return config


def tokenizer(size: int) -> dict[str, Any]:
    """The content of tokenizer.json: the bytes, words and merges of the GGUF file's."""
    tokens, merges = byte_pairs(size)
    marks = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": tokens.index(one), "content": one, **marks, "special": True} for one in SPECIALS
        ],
        "pre_tokenizer": {**bytes_, "use_regex": True},
        "decoder": {**bytes_, "use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": {token: at for at, token in enumerate(tokens)},
            "merges": merges,
        },
    }


def tokenizer_config(shape: Shape, chat: bool) -> dict[str, Any]:
    """The content of tokenizer_config.json; a base model's has no chat template."""
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": shape.context,
    }
    return {**config, "chat_template": TEMPLATE} if chat else config


def main() -> None:
    """Write one model's folder, named on the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.random_folder", description=__doc__)
    command(parser, write, [name for name, shape in SHAPES.items() if not shape.window], TYPES)


if __name__ == "__main__":
    main()
