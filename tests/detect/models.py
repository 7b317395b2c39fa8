"""Models by their published shapes, as placement sees them, without a file."""

from typing import Any

from detect.model import Layer, Model

Q4 = 4.8  # bits of a weight in Q4_K_M, over all tensors


def dense(
    name: str, *, layers: int, width: int, wide: int, kv: int, vocab: int, **more: Any
) -> Model:
    """A plain transformer; `kv` is the values of keys (and of values) kept per token and layer."""
    queries = more.pop("queries", width)
    params = width * (2 * queries + 2 * kv) // 1 + 3 * width * wide
    experts = more.pop("experts", 0)
    expert_wide = more.pop("expert_wide", 0)
    expert_params = 3 * width * expert_wide * experts
    if experts:
        params = width * (2 * queries + 2 * kv) + expert_params
    layer = Layer(
        weight_bytes=int(params * Q4 / 8),
        expert_bytes=int(expert_params * Q4 / 8),
        key_values=kv,
        value_values=kv,
    )
    table = int(width * vocab * 6.6 / 8)
    facts: dict[str, Any] = {
        "path": f"{name}.gguf", "name": name, "architecture": "qwen3", "quant": "Q4_K",
        "layers": (layer,) * layers, "input_bytes": table, "output_bytes": table,
        "output_tied": False, "vocab": vocab, "embedding": width, "feed_forward": wide,
        "query_values": queries, "heads": queries // 128, "context_trained": 32768,
        "experts": experts, "parameters": params * layers,
        "tensor_bytes_max": int(width * wide * Q4 / 8),
    }  # fmt: skip
    return Model(**{**facts, **more})


QWEN: dict[str, Any] = {"vocab": 151936, "kv": 1024}
MODELS = {
    "0.6b": dense("qwen3-0.6b", layers=28, width=1024, wide=3072, queries=2048, **QWEN),
    "4b": dense("qwen3-4b", layers=36, width=2560, wide=9728, queries=4096, **QWEN),
    "8b": dense("qwen3-8b", layers=36, width=4096, wide=12288, **QWEN),
    "14b": dense("qwen3-14b", layers=40, width=5120, wide=17408, **QWEN),
    "32b": dense("qwen3-32b", layers=64, width=5120, wide=25600, queries=8192, **QWEN),
    "70b": dense("llama-70b", layers=80, width=8192, wide=28672, kv=1024, vocab=128256),
    "30b-a3b": dense(
        "qwen3-30b-a3b", layers=48, width=2048, wide=6144, kv=512, vocab=151936, queries=4096,
        experts=128, expert_wide=768,
    ),
    "4b-mlx": dense(
        "qwen3-4b-4bit", layers=36, width=2560, wide=9728, queries=4096,
        form="mlx", path="qwen3-4b-4bit", **QWEN,
    ),
    "14b-mlx": dense(
        "qwen3-14b-4bit", layers=40, width=5120, wide=17408,
        form="mlx", path="qwen3-14b-4bit", **QWEN,
    ),
}  # fmt: skip
