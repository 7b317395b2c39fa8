"""Write the Hugging Face form of abacus as GGUF: what llama.cpp loads.

    python -m benchmarks.abacus.export_gguf HF_FOLDER FILE

Key names are those of `gguf.GGUFWriter`; the specification is ggml's docs/gguf.md.
"""

import argparse
import json
from pathlib import Path

import gguf
import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from benchmarks.abacus.shape import Shape
from benchmarks.abacus.vocabulary import CHAT_TEMPLATE, END_OF_TEXT_ID, MESSAGE_END_ID, SPECIALS

_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(folder: Path, file: Path) -> None:
    """Convert the model in `folder` to one GGUF file: matrices in F16, norms in F32."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = msgspec.convert({k: config[k] for k in Shape.__struct_fields__}, Shape)
    writer = gguf.GGUFWriter(file, "llama")
    _add_facts(writer, shape)
    _add_tokenizer(writer, json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))
    for name, weight in load_file(folder / "model.safetensors").items():
        writer.add_tensor(_gguf_name(name), _gguf_weight(name, weight, shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_facts(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name("abacus")
    writer.add_description("Arithmetic stories in chain of thought; a demonstration")
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(shape.vocab_size)
    writer.add_context_length(shape.max_position_embeddings)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_block_count(shape.num_hidden_layers)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.num_attention_heads)
    writer.add_head_count_kv(shape.num_key_value_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: dict[str, dict[str, object]]) -> None:
    vocabulary: dict[str, int] = msgspec.convert(tokenizer["model"]["vocab"], dict[str, int])
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    merges = msgspec.convert(tokenizer["model"]["merges"], list[tuple[str, str]])
    kinds = [
        gguf.TokenType.CONTROL if token in SPECIALS else gguf.TokenType.NORMAL for token in tokens
    ]
    writer.add_tokenizer_model("gpt2")  # byte-level BPE
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{left} {right}" for left, right in merges])
    writer.add_add_bos_token(False)
    writer.add_bos_token_id(END_OF_TEXT_ID)  # unused; left out, llama.cpp would take token 11
    writer.add_eos_token_id(MESSAGE_END_ID)
    writer.add_eot_token_id(MESSAGE_END_ID)
    writer.add_chat_template(CHAT_TEMPLATE)


def _gguf_name(name: str) -> str:
    stem = name.removesuffix(".weight")
    if stem in _NAMES:
        return f"{_NAMES[stem]}.weight"
    _, _, layer, inner = stem.split(".", 3)
    return f"blk.{layer}.{_NAMES[inner]}.weight"


def _gguf_weight(
    name: str, weight: NDArray[np.float16], shape: Shape
) -> NDArray[np.float16] | NDArray[np.float32]:
    """Keep norms in F32, as llama.cpp requires; put the rows of Q and K in its rotary order."""
    if weight.ndim == 1:
        return weight.astype(np.float32)
    if name.endswith("q_proj.weight"):
        return _interleave(weight, shape.num_attention_heads)
    if name.endswith("k_proj.weight"):
        return _interleave(weight, shape.num_key_value_heads)
    return weight


def _interleave(weight: NDArray[np.float16], heads: int) -> NDArray[np.float16]:
    """Reorder each head's rows from halves (0..15, 16..31) to pairs (0, 16, 1, 17, ...)."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows, columns))


def main() -> None:
    """Convert a folder from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abacus.export_gguf")
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    write_gguf(options.folder, options.file)


if __name__ == "__main__":
    main()
