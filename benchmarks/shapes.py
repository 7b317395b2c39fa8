"""Model files of many families with real headers and no weights: the data is a hole in the file.

Tensor lists follow llama.cpp's src/models/*.cpp, so that its own loader accepts them.
"""

import os
import random
from pathlib import Path
from typing import Any

import gguf
import msgspec

F32, Q8 = gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.Q8_0
Q4K, F16 = gguf.GGMLQuantizationType.Q4_K, gguf.GGMLQuantizationType.F16
Tensors = list[tuple[str, tuple[int, ...], Any]]


class Dims(msgspec.Struct, frozen=True):
    """One model's sizes."""

    arch: str
    layers: int = 4
    width: int = 512
    heads: int = 8
    heads_kv: int = 4
    head: int = 64
    wide: int = 1024
    vocab: int = 4096
    experts: int = 0
    tied: bool = False
    window: int = 0
    quant: int = int(Q8)
    trained: int = 32768

    @property
    def name(self) -> str:
        """What a failing test shows."""
        heads = f"h{self.heads}:{self.heads_kv}x{self.head}"
        return f"{self.arch}-{self.layers}x{self.width}-{heads}-f{self.wide}-v{self.vocab}"


def keys(d: Dims) -> dict[str, Any]:
    """Metadata that every family has, and its own."""
    common: dict[str, Any] = {
        "block_count": d.layers, "context_length": d.trained, "embedding_length": d.width,
        "feed_forward_length": d.wide, "vocab_size": d.vocab,
        "attention.head_count": d.heads, "attention.head_count_kv": d.heads_kv,
        "attention.key_length": d.head, "attention.value_length": d.head,
        "rope.dimension_count": d.head, "attention.layer_norm_rms_epsilon": 1e-5,
        "attention.layer_norm_epsilon": 1e-5, "rope.freq_base": 10000.0,
    }  # fmt: skip
    if d.experts:
        common |= {"expert_count": d.experts, "expert_used_count": 2}
        common["expert_feed_forward_length"] = d.wide
    if d.window:
        common["attention.sliding_window"] = d.window
    return common | _own_keys(d)


def _own_keys(d: Dims) -> dict[str, Any]:
    if d.arch == "cohere2":
        return {"logit_scale": 0.25}
    ssm: dict[str, Any] = {
        "ssm.conv_kernel": 4,
        "ssm.state_size": 64,
        "ssm.inner_size": 2 * d.width,
    }
    if d.arch == "mamba":
        return ssm | {"ssm.state_size": 16, "ssm.time_step_rank": d.width // 16}
    if d.arch in {"mamba2", "granitehybrid", "falcon-h1"}:
        ssm |= {"ssm.time_step_rank": 2 * d.width // 64, "ssm.group_count": 1}
    if d.arch == "granitehybrid":
        ssm["attention.head_count_kv"] = [
            d.heads_kv if at % 3 == 2 else 0 for at in range(d.layers)
        ]
    if d.arch in {"mamba2", "granitehybrid", "falcon-h1"}:
        return ssm
    if d.arch == "qwen35":
        value = d.width
        return ssm | {
            "ssm.state_size": 64, "ssm.inner_size": value, "ssm.time_step_rank": value // 64,
            "ssm.group_count": 4, "rope.dimension_sections": [11, 11, 10, 0],
        }  # fmt: skip
    if d.arch == "lfm2":
        return {
            "shortconv.l_cache": 3,
            "attention.head_count_kv": [d.heads_kv if at % 3 == 2 else 0 for at in range(d.layers)],
        }
    return {}


def tensors(d: Dims) -> Tensors:
    """Every tensor of the model: name, dimensions in ggml's order, type."""
    q = gguf.GGMLQuantizationType(d.quant)
    rows: Tensors = [("token_embd.weight", (d.width, d.vocab), q)]
    norm = "token_embd_norm.weight" if d.arch == "lfm2" else "output_norm.weight"
    rows.append((norm, (d.width,), F32))
    if not d.tied:
        rows.append(("output.weight", (d.width, d.vocab), q))
    for at in range(d.layers):
        rows += [(f"blk.{at}.{name}", dims, kind) for name, dims, kind in _block(d, at, q)]
    return rows


def _block(d: Dims, at: int, q: Any) -> Tensors:
    norm = ("attn_norm.weight", (d.width,), F32)
    if d.arch in {"mamba", "mamba2"}:
        return [norm, *(_mamba(d, q) if d.arch == "mamba" else _mamba2(d, q))]
    if d.arch == "granitehybrid":
        mixer = _attention(d, q) if at % 3 == 2 else _mamba2(d, q)
        return [norm, *mixer, ("ffn_norm.weight", (d.width,), F32), *_dense(d, q)]
    if d.arch == "falcon-h1":
        return [
            norm,
            *_mamba2(d, q),
            *_attention(d, q),
            ("ffn_norm", (d.width,), F32),
            *_dense(d, q),
        ]
    if d.arch == "qwen35":
        mixer = _attention(d, q, gated=True, norms=True) if at % 4 == 3 else _delta(d, q)
        return [norm, ("post_attention_norm.weight", (d.width,), F32), *mixer, *_dense(d, q)]
    if d.arch == "lfm2":
        mixer = _attention(d, q, norms=True) if at % 3 == 2 else _shortconv(d, q)
        return [norm, ("ffn_norm.weight", (d.width,), F32), *mixer, *_dense(d, q)]
    return [*([] if d.arch == "olmo2" else [norm]), *_transformer(d, q)]


def _transformer(d: Dims, q: Any) -> Tensors:
    rows = _attention(d, q, norms=d.arch in {"qwen3", "qwen3moe", "gemma3"})
    if d.arch == "olmo2":
        rows += [("attn_q_norm.weight", (d.heads * d.head,), F32)]
        rows += [("attn_k_norm.weight", (d.heads_kv * d.head,), F32)]
    if d.arch not in {"cohere2", "olmo2", "gpt-oss"}:
        rows.append(("ffn_norm.weight", (d.width,), F32))
    if d.arch in {"gemma2", "gemma3", "olmo2", "gpt-oss"}:
        rows.append(("post_attention_norm.weight", (d.width,), F32))
    if d.arch in {"gemma2", "gemma3", "olmo2"}:
        rows.append(("post_ffw_norm.weight", (d.width,), F32))
    if d.arch == "gpt-oss":
        rows += [("attn_sinks.weight", (d.heads,), F32), ("attn_output.bias", (d.width,), F32)]
        rows += [("ffn_gate_inp.bias", (d.experts,), F32)]
        rows += [(f"ffn_{n}_exps.bias", (d.wide, d.experts), F32) for n in ("gate", "up")]
        rows += [("ffn_down_exps.bias", (d.width, d.experts), F32)]
    if d.arch == "qwen2":
        sizes = {"q": d.heads * d.head, "k": d.heads_kv * d.head, "v": d.heads_kv * d.head}
        rows += [(f"attn_{n}.bias", (size,), F32) for n, size in sizes.items()]
    return rows + (_experts(d, q) if d.experts else _dense(d, q))


def _attention(d: Dims, q: Any, *, norms: bool = False, gated: bool = False) -> Tensors:
    queries = d.heads * d.head
    rows: Tensors = [
        ("attn_q.weight", (d.width, queries * (2 if gated else 1)), q),
        ("attn_k.weight", (d.width, d.heads_kv * d.head), q),
        ("attn_v.weight", (d.width, d.heads_kv * d.head), q),
        ("attn_output.weight", (queries, d.width), q),
    ]
    if norms:
        rows += [("attn_q_norm.weight", (d.head,), F32), ("attn_k_norm.weight", (d.head,), F32)]
    return rows


def _dense(d: Dims, q: Any) -> Tensors:
    return [
        ("ffn_gate.weight", (d.width, d.wide), q),
        ("ffn_up.weight", (d.width, d.wide), q),
        ("ffn_down.weight", (d.wide, d.width), q),
    ]


def _experts(d: Dims, q: Any) -> Tensors:
    return [
        ("ffn_gate_inp.weight", (d.width, d.experts), F32),
        ("ffn_gate_exps.weight", (d.width, d.wide, d.experts), q),
        ("ffn_up_exps.weight", (d.width, d.wide, d.experts), q),
        ("ffn_down_exps.weight", (d.wide, d.width, d.experts), q),
    ]


def _mamba(d: Dims, q: Any) -> Tensors:
    inner, state, rank = 2 * d.width, 16, d.width // 16
    return [
        ("ssm_in.weight", (d.width, 2 * inner), q),
        ("ssm_conv1d.weight", (4, inner), F32), ("ssm_conv1d.bias", (inner,), F32),
        ("ssm_x.weight", (inner, rank + 2 * state), q),
        ("ssm_dt.weight", (rank, inner), F32), ("ssm_dt.bias", (inner,), F32),
        ("ssm_a", (state, inner), F32), ("ssm_d", (inner,), F32),
        ("ssm_out.weight", (inner, d.width), q),
    ]  # fmt: skip


def _mamba2(d: Dims, q: Any) -> Tensors:
    inner, state, heads = 2 * d.width, 64, 2 * d.width // 64
    mixed = inner + 2 * state
    rows: Tensors = [
        ("ssm_in.weight", (d.width, inner + mixed + heads), q),
        ("ssm_conv1d.weight", (4, mixed), F32), ("ssm_dt.bias", (heads,), F32),
        ("ssm_a", (1, heads), F32), ("ssm_d", (1, heads), F32),
        ("ssm_norm.weight", (inner, 1), F32), ("ssm_out.weight", (inner, d.width), q),
    ]  # fmt: skip
    return [*rows, ("ssm_conv1d.bias", (mixed,), F32)]


def _delta(d: Dims, q: Any) -> Tensors:
    value, key, heads = d.width, 4 * 64, d.width // 64
    return [
        ("attn_qkv.weight", (d.width, 2 * key + value), q),
        ("attn_gate.weight", (d.width, value), q),
        ("ssm_conv1d.weight", (4, 2 * key + value), F32), ("ssm_dt.bias", (heads,), F32),
        ("ssm_a", (heads,), F32), ("ssm_beta.weight", (d.width, heads), F32),
        ("ssm_alpha.weight", (d.width, heads), F32), ("ssm_norm.weight", (64,), F32),
        ("ssm_out.weight", (value, d.width), q),
    ]  # fmt: skip


def _shortconv(d: Dims, q: Any) -> Tensors:
    return [
        ("shortconv.conv.weight", (3, d.width), F32),
        ("shortconv.in_proj.weight", (d.width, 3 * d.width), q),
        ("shortconv.out_proj.weight", (d.width, d.width), q),
    ]


def write(folder: Path, d: Dims) -> Path:
    """Write the header; the weights are a hole of the right length."""
    path = folder / f"{d.name}-q{d.quant}-e{d.experts}-w{d.window}-t{d.tied:d}.gguf"
    writer = gguf.GGUFWriter(path, d.arch)
    writer.add_string("tokenizer.ggml.model", "no_vocab")
    for name, value in keys(d).items():
        _add(writer, f"{d.arch}.{name}", value)
    for name, dims, kind in tensors(d):
        block, size = gguf.GGML_QUANT_SIZES[kind]
        count = dims[0] // block * size
        for dim in dims[1:]:
            count *= dim
        if kind in {F32, F16}:
            writer.add_tensor_info(name, dims[::-1], dtype(kind), count)
        else:
            shape = (*dims[:0:-1], dims[0] // block * size)
            writer.add_tensor_info(name, shape, dtype(None), count, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    extend(path)
    return path


def dtype(kind: Any) -> Any:
    """The numpy type that the writer asks for."""
    import numpy as np

    return {F32: np.dtype("float32"), F16: np.dtype("float16")}.get(kind, np.dtype("uint8"))


def _add(writer: Any, key: str, value: Any) -> None:
    if isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    else:
        writer.add_uint32(key, value)


def extend(path: Path) -> None:
    """Make the file as long as its table says, without writing a byte of weights."""
    from detect.gguf import Malformed, read_one

    try:
        read_one(path)
    except Malformed as short:
        need = int(str(short).rsplit(" of ", 1)[1].split()[0])
        os.truncate(path, need)


PUBLISHED = {
    "llama-8b": Dims("llama", 32, 4096, 32, 8, 128, 14336, 128256, quant=int(Q4K)),
    "qwen3-4b": Dims("qwen3", 36, 2560, 32, 8, 128, 9728, 151936, tied=True, quant=int(Q4K)),
    "gemma3-4b": Dims(
        "gemma3", 34, 2560, 8, 4, 256, 10240, 262144, tied=True, window=1024, quant=int(Q4K)
    ),
    "qwen3-30b-a3b": Dims("qwen3moe", 48, 2048, 32, 4, 128, 768, 151936, 128, quant=int(Q4K)),
    "qwen3.5-4b": Dims("qwen35", 32, 2560, 16, 4, 256, 9216, 248320, tied=True, quant=int(Q4K)),
    "lfm2-1.2b": Dims("lfm2", 16, 2048, 32, 8, 64, 8192, 65536, tied=True, quant=int(Q4K)),
}
"""Shapes of models that people run, by their published configurations. Of each file only the sizes
are true: a mixture here asks two experts of each token, and all weights are zero."""

FAMILIES = (
    "llama", "qwen2", "qwen3", "gemma2", "gemma3", "cohere2", "olmo2", "gpt-oss", "qwen3moe",
    "mamba", "mamba2", "lfm2", "qwen35", "granitehybrid", "falcon-h1",
)  # fmt: skip


def sample(seed: int) -> list[Dims]:
    """24 shapes over all families, the same for the same seed."""
    rng = random.Random(seed)
    return [_sampled(rng, FAMILIES[at % len(FAMILIES)]) for at in range(24)]


def _sampled(rng: random.Random, arch: str) -> Dims:
    heads_kv = rng.choice((2, 4, 8))
    head = rng.choice((64, 128))
    heads = heads_kv * rng.choice((1, 2, 4))
    width = (
        heads * head
        if arch in {"cohere2", "lfm2", "gpt-oss", "qwen2", "olmo2"}
        else rng.choice((512, 1024, 2048))
    )
    moe = arch in {"qwen3moe", "gpt-oss"}
    return Dims(
        arch=arch,
        layers=rng.choice((6, 12, 18)),
        width=width,
        heads=heads,
        heads_kv=heads_kv,
        head=head,
        wide=rng.choice((2, 3, 4)) * (512 if moe else width),
        vocab=rng.choice((8192, 32000, 151936)),
        experts=rng.choice((4, 8)) if moe else 0,
        tied=arch in {"gemma2", "gemma3", "cohere2"}
        or (arch not in {"gpt-oss", "olmo2"} and rng.random() < 0.3),
        window=rng.choice((512, 1024))
        if arch in {"gemma2", "gemma3", "cohere2", "olmo2", "gpt-oss"}
        else 0,
        # Q4_K has blocks of 256, and every row must be whole blocks.
        quant=int(rng.choice((Q8, Q4K, F16) if heads * head % 256 == 0 else (Q8, F16))),
    )
