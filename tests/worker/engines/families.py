"""Tiny models with random weights of families whose layers remember in different ways."""

import importlib
import json
from pathlib import Path
from typing import Any

from benchmarks import random_folder
from benchmarks.random_model import SHAPES

SHAPE = SHAPES["tiny"]
COMMON: dict[str, Any] = {
    "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "vocab_size": SHAPE.vocabulary, "max_position_embeddings": 512, "eos_token_id": 2,
    "num_hidden_layers": 4, "intermediate_size": 96, "rms_norm_eps": 1e-5, "rope_theta": 1e4,
}  # fmt: skip
LLAMA4 = {
    "model_type": "llama4_text", "attention_bias": False, "attention_chunk_size": 32,
    "interleave_moe_layer_step": 1, "intermediate_size_mlp": 96, "num_experts_per_tok": 1,
    "num_local_experts": 2, "rope_scaling": None, "use_qk_norm": True,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    # windows of 24 tokens in all layers but the third
    "gemma3_text": {
        "query_pre_attn_scalar": 16, "sliding_window": 24, "sliding_window_pattern": 3,
    },
    # short convolutions, and attention in every second layer
    "lfm2": {
        "norm_eps": 1e-5, "conv_bias": False, "conv_L_cache": 3, "block_dim": 64,
        "block_multiple_of": 8, "block_ffn_dim_multiplier": 1.0, "block_ff_dim": 96,
        "block_auto_adjust_ff_dim": True, "full_attn_idxs": [1, 3],
    },
    # both in one layer
    "falcon_h1": {
        "mamba_chunk_size": 16, "mamba_d_head": 16, "mamba_d_ssm": 64, "mamba_d_state": 16,
        "mamba_n_heads": 4,
    },
    # running states alone
    "mamba2": {
        "num_heads": 8, "intermediate_size": 128, "state_size": 16, "layer_norm_epsilon": 1e-5,
        "conv_kernel": 4, "n_groups": 1, "use_bias": False, "use_conv_bias": True,
        "tie_word_embeddings": True, "time_step_limit": [0.001, 100.0], "time_step_rank": "auto",
    },
    # beside its cells the last tokens themselves, as many as there are: rows of other lengths
    # cannot be joined
    "longcat_flash_ngram": {
        "ffn_hidden_size": 64, "expert_ffn_hidden_size": 32, "moe_topk": 2, "n_routed_experts": 2,
        "zero_expert_num": 2, "num_layers": 2, "attention_method": "MLA", "kv_lora_rank": 16,
        "q_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
        "routed_scaling_factor": 1.0, "mla_scale_q_lora": True, "mla_scale_kv_lora": True,
        "ngram_vocab_size_ratio": 2, "hidden_size": 96,
    },
    # a table of positions, learned one by one
    "gpt2": {
        "n_ctx": 512, "n_embd": 64, "n_head": 4, "n_layer": 2, "n_positions": 512,
        "layer_norm_epsilon": 1e-5,
    },
    # attention in chunks, whose caches MLX cannot join
    "llama4": {"text_config": {**COMMON, **LLAMA4}},
}  # fmt: skip

APART = {"longcat_flash_ngram", "llama4"}


def write(folder: Path, family: str) -> str:
    """Write one of FAMILIES, with what mlx-lm gives its weights before training; the path."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    config = {**COMMON, **FAMILIES[family], "model_type": family}
    module = importlib.import_module(f"mlx_lm.models.{family}")
    mx.random.seed(3)
    network = module.Model(module.ModelArgs.from_dict(config))
    folder.mkdir(parents=True)
    weights = dict(tree_flatten(network.parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    for name, content in {
        "config": config,
        "tokenizer": random_folder.tokenizer(SHAPE.vocabulary),
        "tokenizer_config": random_folder.tokenizer_config(SHAPE, chat=True),
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return str(folder)
