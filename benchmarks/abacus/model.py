"""The forward pass of abacus in PyTorch: a dictionary of weights in, logits out.

Weights go by their Hugging Face names, so that writing a model and reading one back need no
mapping. Rotary positions are in Hugging Face's order (first half against second half).
"""

import math

import torch
from torch.nn import functional

from benchmarks.abacus.shape import Shape

Weights = dict[str, torch.Tensor]


def fresh_weights(shape: Shape, seed: int) -> Weights:
    """Draw starting weights: norms 1, matrices normal, those that end a block smaller."""
    dice = torch.Generator().manual_seed(seed)
    weights = {}
    for name, size in shape.parameters().items():
        if len(size) == 1:
            weights[name] = torch.ones(size)
            continue
        spread = 0.02 if "embed" in name else size[1] ** -0.5
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            spread /= math.sqrt(2 * shape.num_hidden_layers)
        weights[name] = torch.randn(size, generator=dice) * spread
    return weights


def logits(weights: Weights, shape: Shape, tokens: torch.Tensor) -> torch.Tensor:
    """Score the next token after each of `tokens` (batch, length): (batch, length, vocabulary)."""
    table = weights["model.embed_tokens.weight"]
    stream = functional.embedding(tokens, table)
    turns = _turns(shape, tokens.shape[1])
    for layer in range(shape.num_hidden_layers):
        prefix = f"model.layers.{layer}."
        own = {k.removeprefix(prefix): w for k, w in weights.items() if k.startswith(prefix)}
        stream = stream + _attend(own, shape, stream, turns)
        stream = stream + _think(own, shape, stream)
    return functional.linear(_norm(weights["model.norm.weight"], shape, stream), table)


def _attend(
    own: Weights, shape: Shape, stream: torch.Tensor, turns: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    """Grouped-query causal attention."""
    entry = _norm(own["input_layernorm.weight"], shape, stream)
    heads = {}
    for kind in "qkv":
        flat = functional.linear(entry, own[f"self_attn.{kind}_proj.weight"])
        heads[kind] = flat.unflatten(-1, (-1, shape.head_dim)).transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(
        _rotate(heads["q"], turns),
        _rotate(heads["k"], turns),
        heads["v"],
        is_causal=True,
        enable_gqa=True,
    )
    return functional.linear(mixed.transpose(1, 2).flatten(2), own["self_attn.o_proj.weight"])


def _think(own: Weights, shape: Shape, stream: torch.Tensor) -> torch.Tensor:
    """SwiGLU, the feed-forward half of a layer."""
    entry = _norm(own["post_attention_layernorm.weight"], shape, stream)
    gate = functional.silu(functional.linear(entry, own["mlp.gate_proj.weight"]))
    up = functional.linear(entry, own["mlp.up_proj.weight"])
    return functional.linear(gate * up, own["mlp.down_proj.weight"])


def _norm(weight: torch.Tensor, shape: Shape, stream: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(stream, (shape.hidden_size,), weight, shape.rms_norm_eps)


def _turns(shape: Shape, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of every position's angles, each (length, head_dim)."""
    steps = torch.arange(0, shape.head_dim, 2) / shape.head_dim
    angles = torch.outer(torch.arange(length).float(), shape.rope_theta**-steps)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def _rotate(heads: torch.Tensor, turns: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    first, second = heads.chunk(2, dim=-1)
    return heads * turns[0] + torch.cat((-second, first), dim=-1) * turns[1]
