"""From a GGUF header to what placement needs: bytes per layer, and what each layer remembers.

Which layers attend in a window, which are recurrent and which share another's keys is partly in the
header and partly fixed by the family in llama.cpp (src/models/*.cpp, llama-hparams.cpp); the tables
below hold the fixed part. An unknown family is taken as plain attention in every layer, which never
promises less memory than a cache of full length needs, and `guessed` says so.
"""

import math
import re
from collections import defaultdict
from typing import Literal

import msgspec

from detect.gguf import Header, whole

NAME_CHARS_MAX = 120  # of a model; the longest of real ones have about 60
LAYERS_MAX = 4096  # blocks; the deepest models have about 130


class Window(msgspec.Struct, frozen=True):
    """How a family places its sliding-window layers: all but one of `period`."""

    period: int
    dense_first: bool = False
    default: int = 0  # the window when the header names none; 0: no window then


WINDOWS: dict[str, Window] = {
    "gemma2": Window(2, default=4096),
    "gemma3": Window(6),
    "gemma3n": Window(5),
    "gemma4": Window(0),  # the header has a flag per layer
    "gpt-oss": Window(2),
    "cohere2": Window(4),
    "cohere2moe": Window(4, dense_first=True),
    "olmo2": Window(4),
    "afmoe": Window(4),
    "exaone-moe": Window(4),
    "mellum": Window(4),
    "plamo3": Window(8),
    "smallthinker": Window(4, dense_first=True),
    "llama4": Window(4, default=8192),
    "lfm2": Window(1),  # every attention layer, when a window is named
    "lfm2moe": Window(1),
}
RECURRENT = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
NO_FEED_FORWARD = frozenset({"mamba", "mamba2"})
NO_HEADS_RECURRENT = frozenset({"jamba", "granitehybrid", "lfm2", "lfm2moe", "plamo2"})
"""A layer without key heads is a recurrent one."""
INTERVAL_RECURRENT = frozenset({"qwen35", "qwen35moe", "qwen3next"})
"""Every fourth layer attends, or as the header says."""
NEMOTRON = frozenset({"nemotron_h", "nemotron_h_moe"})
PARALLEL = frozenset({"cohere2", "cohere2moe", "command-r", "falcon", "gptneox", "phi2", "plamo"})
SPECIAL = frozenset(
    {"deepseek32", "deepseek4", "glm-dsa", "glm5-next", "minimax-m3", "minimax-01", "dots3note"}
    | {"hy_v4", "kimi-linear", "kimi-k3", "bailingmoe3", "qwen4exp", "mimo2", "step35", "exaone4"}
)
"""Families with caches of their own kind: only the simulated load knows them."""
KV_LAYERS_GEMMA3N = 20  # the first layers own keys, the rest reuse them


class Layer(msgspec.Struct, frozen=True):
    """One block: its weights, and per token the values that attention keeps."""

    weight_bytes: int
    expert_bytes: int = 0  # of weight_bytes, what is only read for chosen experts
    key_values: int = 0  # values kept per token as keys; 0: no cache of its own
    value_values: int = 0
    windowed: bool = False
    recurrent: bool = False


class Model(msgspec.Struct, frozen=True):
    """A model as placement sees it. Sizes in bytes."""

    path: str
    name: str
    architecture: str
    quant: str
    layers: tuple[Layer, ...]
    input_bytes: int  # embedding table: stays in main memory
    output_bytes: int  # output layer, as the device that computes it must hold it
    output_tied: bool  # the output is the embedding table, held again on a GPU
    vocab: int
    embedding: int
    feed_forward: int
    query_values: int  # of one token's query in the widest layer
    heads: int
    context_trained: int
    window: int = 0
    state_values: int = 0  # per recurrent layer and sequence, in 4-byte numbers
    experts: int = 0
    experts_used: int = 0
    ssm_inner: int = 0
    parallel: bool = False  # attention and feed-forward both start from the block's input
    states_copied: bool = False  # a step copies the states before it writes new ones
    parameters: int = 0
    tensor_bytes_max: int = 0  # of one tensor inside a block
    guessed: bool = False  # the family's cache is not in our tables
    file_bytes: int = 0
    form: Literal["gguf", "mlx"] = "gguf"

    @property
    def offloadable(self) -> int:
        """The most that n_gpu_layers can mean: every block, and the output layer."""
        return len(self.layers) + 1

    @property
    def weight_bytes(self) -> int:
        """All weights, each counted once, as in the file."""
        repeating = sum(layer.weight_bytes for layer in self.layers)
        return repeating + self.input_bytes + (0 if self.output_tied else self.output_bytes)

    @property
    def has_recurrent(self) -> bool:
        """Whether some layer keeps a state instead of keys."""
        return any(layer.recurrent for layer in self.layers)


def from_header(header: Header) -> Model:
    """Derive the model's facts. Raises ValueError or Malformed, naming what is wrong."""
    arch = header.architecture
    key = _Keys(header, arch)
    count = key.number("block_count")
    if not arch or not 0 < count <= LAYERS_MAX:
        raise ValueError(
            f"{header.path}: no language model (architecture {arch!r}, {count} blocks)"
        )
    if not header.tensors:
        raise ValueError("it holds no weights: a vocabulary alone is no model")
    weights, experts, rest = _weights(header, count)
    heads = key.per_layer("attention.head_count", count, 1)
    width = key.number("embedding_length")
    tied = "output" not in rest
    input_bytes = rest.get("token_embd", 0) + rest.get("per_layer_token_embd", 0)
    norms = sum(size for name, size in rest.items() if name.startswith("output_norm"))
    output = rest.get("output", rest.get("token_embd", 0)) + (0 if tied else norms)
    other = sum(rest.values()) - input_bytes - rest.get("output", 0) - norms
    return Model(
        path=header.path,
        name=_printable(header.text("general.name")) or _printable(arch),
        architecture=arch,
        quant=_quant(header),
        layers=_layers(key, arch, count, weights, experts),
        input_bytes=input_bytes + other + (norms if tied else 0),
        output_bytes=output,
        output_tied=tied,
        vocab=key.number("vocab_size") or header.counts.get("tokenizer.ggml.tokens", 0),
        embedding=width,
        feed_forward=_feed_forward(key, count),
        query_values=_queries(header)
        or max(heads) * key.number("attention.key_length", width // max(max(heads), 1)),
        heads=max(heads),
        context_trained=key.number("context_length"),
        window=_window(key, arch),
        state_values=_state_values(key, arch),
        experts=key.number("expert_count"),
        experts_used=key.number("expert_used_count"),
        ssm_inner=key.number("ssm.inner_size"),
        parallel=arch in PARALLEL,
        states_copied=arch in INTERVAL_RECURRENT,
        parameters=sum(math.prod(tensor.dims) for tensor in header.tensors),
        tensor_bytes_max=max(
            (t.size_bytes for t in header.tensors if t.name.startswith("blk.")), default=0
        ),
        guessed=arch in SPECIAL,
        file_bytes=header.file_bytes,
    )


def _printable(name: str) -> str:
    """A name that moves no cursor when it is shown."""
    return "".join(c for c in name if c.isprintable())[:NAME_CHARS_MAX]


class _Keys:
    """The metadata of one family: every key starts with its name."""

    def __init__(self, header: Header, arch: str) -> None:
        self.header = header
        self.arch = arch

    def number(self, name: str, default: int = 0) -> int:
        return self.header.number(f"{self.arch}.{name}", default)

    def has(self, name: str) -> bool:
        return f"{self.arch}.{name}" in self.header.values

    def per_layer(self, name: str, count: int, default: int) -> tuple[int, ...]:
        """A value that is one number for all layers or one each; short arrays repeat their last."""
        name = f"{self.arch}.{name}"
        value = self.header.values.get(name, default)
        if isinstance(value, tuple):
            row = [whole(name, one) for one in value[:count]] or [default]
            return tuple(row + [row[-1]] * (count - len(row)))
        return (self.header.number(name, default),) * count


def _feed_forward(key: _Keys, count: int) -> int:
    """Width of the feed-forward values of one token: of all experts that it is sent to."""
    if key.arch in NO_FEED_FORWARD:
        return 0
    dense = max(key.per_layer("feed_forward_length", count, 0))
    used = key.number("expert_used_count")
    if not used:
        return dense
    expert = max(key.per_layer("expert_feed_forward_length", count, dense))
    return used * expert + key.number("expert_shared_feed_forward_length")


def _queries(header: Header) -> int:
    """What the widest query projection gives for one token; some families put a gate beside it."""
    named = (tensor for tensor in header.tensors if tensor.name.endswith(".attn_q.weight"))
    return max((tensor.dims[-1] for tensor in named if tensor.dims), default=0)


_BLOCK = re.compile(r"blk\.([0-9]{1,9})\.(.*)")  # llama.cpp writes block numbers plainly


def _weights(header: Header, count: int) -> tuple[list[int], list[int], dict[str, int]]:
    """Bytes of each block, of its experts, and of what is in no block, by tensor."""
    weights, experts = [0] * count, [0] * count
    rest: dict[str, int] = defaultdict(int)
    for tensor in header.tensors:
        match = _BLOCK.match(tensor.name)
        if match and int(match[1]) < count:
            weights[int(match[1])] += tensor.size_bytes
            if "_exps." in match[2]:
                experts[int(match[1])] += tensor.size_bytes
        else:
            rest[tensor.name.split(".", 1)[0]] += tensor.size_bytes
    return weights, experts, dict(rest)


def _quant(header: Header) -> str:
    """The format that holds most of the bytes: what a user calls Q4_K_M shows as Q4_K."""
    from detect.quants import TYPES

    sizes: dict[int, int] = defaultdict(int)
    for tensor in header.tensors:
        sizes[tensor.type] += tensor.size_bytes
    return TYPES[max(sizes, key=lambda kind: sizes[kind])][0] if sizes else ""


def _layers(
    key: _Keys, arch: str, count: int, weights: list[int], experts: list[int]
) -> tuple[Layer, ...]:
    heads_kv = key.per_layer("attention.head_count_kv", count, 0)
    if not key.has("attention.head_count_kv"):
        heads_kv = key.per_layer("attention.head_count", count, 0)
    windowed = _windowed(key, arch, count, heads_kv)
    recurrent = _recurrent(key, arch, count, heads_kv)
    attends = _attends(key, arch, count, recurrent)
    layers = []
    for at in range(count):
        keys, values = _head_sizes(key, windowed=windowed[at])
        layers.append(
            Layer(
                weight_bytes=weights[at],
                expert_bytes=experts[at],
                key_values=heads_kv[at] * keys if attends[at] else 0,
                value_values=heads_kv[at] * values if attends[at] else 0,
                windowed=windowed[at],
                recurrent=recurrent[at],
            )
        )
    return tuple(layers)


def _head_sizes(key: _Keys, *, windowed: bool) -> tuple[int, int]:
    heads = max(key.per_layer("attention.head_count", 1, 1)[0], 1)
    plain = key.number("embedding_length") // heads
    keys = key.number("attention.key_length", plain)
    values = key.number("attention.value_length", plain)
    if windowed:
        keys = key.number("attention.key_length_swa", keys)
        values = key.number("attention.value_length_swa", values)
    if key.has("attention.key_length_mla") and key.has("attention.value_length_mla"):
        values = 0  # latent attention keeps one compressed row, stored as keys
    return keys, values


def _window(key: _Keys, arch: str) -> int:
    family = WINDOWS.get(arch)
    if family is None:
        return 0
    if arch == "llama4":  # a window of 0 switches it off; any other value is overridden
        return (
            0
            if key.has("attention.sliding_window") and not key.number("attention.sliding_window")
            else family.default
        )
    return key.number("attention.sliding_window", family.default)


def _windowed(key: _Keys, arch: str, count: int, heads_kv: tuple[int, ...]) -> tuple[bool, ...]:
    family = WINDOWS.get(arch)
    if family is None or not _window(key, arch):
        return (False,) * count
    if arch in NO_HEADS_RECURRENT:
        return tuple(bool(heads) for heads in heads_kv)
    pattern = key.header.values.get(f"{arch}.attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        return tuple(
            bool(flag) for flag in key.per_layer("attention.sliding_window_pattern", count, 0)
        )
    period = int(pattern) if isinstance(pattern, int) else family.period
    dense_at = 0 if family.dense_first else period - 1
    return tuple(not period or at % period != dense_at for at in range(count))


def _recurrent(key: _Keys, arch: str, count: int, heads_kv: tuple[int, ...]) -> tuple[bool, ...]:
    trunk = count - key.number("nextn_predict_layers")
    if arch in RECURRENT or arch == "falcon-h1":
        return (True,) * count
    if arch in NO_HEADS_RECURRENT:
        return tuple(not heads for heads in heads_kv)
    if arch in NEMOTRON:
        wide = key.per_layer("feed_forward_length", count, 0)
        return tuple(not heads_kv[at] and not wide[at] and at < trunk for at in range(count))
    if arch in INTERVAL_RECURRENT:
        if key.has("attention.recurrent_layers"):
            return tuple(bool(f) for f in key.per_layer("attention.recurrent_layers", count, 0))
        interval = max(key.number("full_attention_interval", 4), 1)
        return tuple(at < trunk and (at + 1) % interval != 0 for at in range(count))
    return (False,) * count


def _attends(key: _Keys, arch: str, count: int, recurrent: tuple[bool, ...]) -> tuple[bool, ...]:
    """Which layers have a cache of keys of their own."""
    if arch in RECURRENT:
        return (False,) * count
    trunk = count - key.number("nextn_predict_layers")
    own = count
    if arch == "gemma3n":
        own = KV_LAYERS_GEMMA3N
    elif arch == "gemma4":
        own = count - key.number("attention.shared_kv_layers")
    wide = key.per_layer("feed_forward_length", count, 0)
    return tuple(
        at < trunk
        and at < own
        and (arch == "falcon-h1" or not recurrent[at])
        and (arch not in NEMOTRON or not wide[at])
        for at in range(count)
    )


def _state_values(key: _Keys, arch: str) -> int:
    """Numbers kept by a recurrent layer for one sequence (llama_hparams::n_embd_r and n_embd_s)."""
    width = key.number("embedding_length")
    if key.number("wkv.head_size"):
        shifts = key.number("token_shift_count", 2)
        return width * shifts + width * key.number("wkv.head_size")
    if key.number("shortconv.l_cache"):
        return width * (key.number("shortconv.l_cache") - 1)
    inner, state = key.number("ssm.inner_size"), key.number("ssm.state_size")
    taps = max(key.number("ssm.conv_kernel") - 1, 0)
    return taps * (inner + 2 * key.number("ssm.group_count") * state) + inner * state
