"""A model in MLX form: a folder with config.json and safetensors files.

Weights are the files' sizes; what is kept per token comes from the configuration. Source: mlx-lm's
models/base.py and cache.py: keys and values of every layer, two bytes each.
"""

from pathlib import Path
from typing import Any

import msgspec

from detect.model import LAYERS_MAX, Layer, Model

CONFIG_BYTES_MAX = 1 << 20  # real ones are a few kB
FORMS = frozenset({"hf", "mlx"})  # a folder of this name holds one form of the model around it
FILES_MAX = 1000  # safetensors parts of one model


def read(folder: Path) -> Model:
    """Read the folder's configuration and file sizes.

    Raises ValueError naming what is missing, or OSError.
    """
    config_file = folder / "config.json"
    with config_file.open("rb") as file:
        raw = file.read(CONFIG_BYTES_MAX + 1)
    try:
        config = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError as wrong:
        raise ValueError(f"{config_file}: {wrong}") from wrong
    files = sorted(folder.glob("*.safetensors"))[:FILES_MAX]
    if not files:
        raise ValueError(f"{folder}: no .safetensors file beside config.json")
    inner = config.get("text_config")
    return derive(
        str(folder),
        inner if isinstance(inner, dict) else config,
        sum(file.stat().st_size for file in files),
    )


def name_of(folder: Path) -> str:
    """A short name for people: the folder's own, where that is a name and not a form or a number.

    Hugging Face keeps a model in models--OWNER--NAME/snapshots/NUMBER.
    """
    whole = folder.absolute()
    if whole.parent.name == "snapshots":
        return whole.parent.parent.name.rpartition("--")[2] or whole.name
    return whole.parent.name if whole.name in FORMS and whole.parent.name else whole.name


def derive(path: str, config: dict[str, Any], weight_bytes: int) -> Model:
    """Make the model's facts of its configuration. Raises ValueError naming what is missing."""
    layers = _number(path, config, "num_hidden_layers")
    width = _number(path, config, "hidden_size")
    heads = _number(path, config, "num_attention_heads")
    if not 0 < layers <= LAYERS_MAX or heads < 1:
        raise ValueError(f"{path}: {layers} layers and {heads} heads make no model")
    head = _number(path, config, "head_dim", width // heads)
    kept = _number(path, config, "num_key_value_heads", heads) * head
    layer = Layer(weight_bytes=weight_bytes // layers, key_values=kept, value_values=kept)
    return Model(
        path=path,
        name=name_of(Path(path)),
        architecture=str(config.get("model_type", "")),
        quant=_quant(config),
        layers=(layer,) * layers,
        input_bytes=weight_bytes - layer.weight_bytes * layers,
        output_bytes=0,
        output_tied=True,
        vocab=_number(path, config, "vocab_size"),
        embedding=width,
        feed_forward=_number(path, config, "intermediate_size", 4 * width),
        query_values=heads * head,
        heads=heads,
        context_trained=_number(path, config, "max_position_embeddings", 0),
        file_bytes=weight_bytes,
        parameters=round(weight_bytes / _weight_bytes(config)),
        form="mlx",
    )


def _number(path: str, config: dict[str, Any], name: str, default: int | None = None) -> int:
    """`default`: for one that is missing, null or 0."""
    value = config.get(name)
    if not value and default is not None:
        value = default
    if not isinstance(value, int):
        raise ValueError(f"{path}: config.json has no whole number {name}")  # noqa: TRY004 - the file is wrong, not the call
    return value


def _weight_bytes(config: dict[str, Any]) -> float:
    """Bytes of one weight, about: quantised ones have a scale and a bias for each group of them."""
    quantization = config.get("quantization")
    bits = quantization.get("bits") if isinstance(quantization, dict) else None
    if isinstance(bits, int):
        return max(bits, 1) / 8 + 0.0625  # 4 bytes a group of 64
    return 4.0 if config.get("torch_dtype") == "float32" else 2.0


def _quant(config: dict[str, Any]) -> str:
    quantization = config.get("quantization")
    if isinstance(quantization, dict) and isinstance(quantization.get("bits"), int):
        return f"{quantization['bits']}bit"
    return str(config.get("torch_dtype", ""))
