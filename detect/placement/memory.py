"""How much memory a model takes, as llama.cpp lays it out.

Weights come exactly from the tensor table and caches exactly from the shape (llama-kv-cache.cpp,
llama-kv-cache-iswa.cpp, llama-memory-recurrent.cpp). The compute buffer is an estimate that was
fitted to simulated loads of 72 shapes and errs upwards; docs/PLACEMENT.md has the sums.
"""

import msgspec

from detect.model import Layer, Model
from detect.placement.result import CacheType
from detect.quants import NUMBERS, row_bytes

CELLS_PAD = 256  # llama.cpp pads the context to a multiple
STATE_BYTES = 4  # recurrent states are f32 whatever the cache type
LOGIT_BYTES = 4


def pad(cells: int) -> int:
    """The next multiple of 256."""
    return -(-cells // CELLS_PAD) * CELLS_PAD


class Load(msgspec.Struct, frozen=True):
    """The part of a worker that decides its memory, devices aside."""

    slots: int
    context_tokens: int  # of one sequence, prompt and answer together
    streams: int  # sequences the cache holds: the slots, and what the engine keeps for itself
    batch_tokens: int  # computed at once
    flash: bool = True
    kv_type: CacheType = "f16"
    prefix_bytes_max: int = 256 << 20  # of main memory, for prompts kept for reuse

    @property
    def stream_cells(self) -> int:
        """Cells of one stream."""
        return pad(self.context_tokens)

    @property
    def cells(self) -> int:
        """Cells of all streams: the cap on tokens times sequences."""
        return self.stream_cells * self.streams


def window_cells(model: Model, load: Load) -> int:
    """Cells that a sliding-window layer keeps of one stream."""
    return pad(min(load.stream_cells, model.window + load.batch_tokens))


def cache_bytes(model: Model, layer: Layer, load: Load) -> int:
    """Keys and values of one layer, over all streams."""
    cells = window_cells(model, load) if layer.windowed else load.stream_cells
    number = NUMBERS[load.kv_type]
    row = row_bytes(number, layer.key_values) + row_bytes(number, layer.value_values)
    return cells * load.streams * row


def state_bytes(model: Model, layer: Layer, load: Load) -> int:
    """The states of one recurrent layer, one for each stream."""
    return model.state_values * STATE_BYTES * load.streams if layer.recurrent else 0


def mask_bytes(model: Model, load: Load) -> int:
    """The attention masks of one batch: one for full layers, one for windowed ones."""
    full = any(layer.key_values and not layer.windowed for layer in model.layers)
    windowed = any(layer.key_values and layer.windowed for layer in model.layers)
    width = load.stream_cells * full + window_cells(model, load) * windowed
    return width * load.batch_tokens * (2 if load.flash else 4)


def compute_bytes(model: Model, load: Load) -> int:
    """The buffer that one batch is computed in.

    Live at once: three rows of the feed-forward, three of the embedding and a query for each token;
    in state-space layers about seven of the inner width and each stream's state. Without flash
    attention the scores of every head are written out. The logits, of one row a stream, come at
    the end, when most of that is free again.
    """
    batch = load.batch_tokens
    rows = 3 * model.feed_forward + 3 * model.embedding + model.query_values
    attends = any(layer.key_values for layer in model.layers)
    states = 0
    if model.has_recurrent and model.ssm_inner:
        inner = 7 * model.ssm_inner
        rows = max(rows, inner) + 3 * model.embedding if attends else inner
        states = model.state_values * STATE_BYTES * load.streams
    if attends and not load.flash:
        scores = load.stream_cells * model.heads
        rows = max(rows, scores + 2 * model.embedding + 2 * model.query_values)
    body = rows * batch * 4 + states + mask_bytes(model, load)
    tail = load.streams * model.vocab * LOGIT_BYTES + 4 * model.embedding * batch * 4
    return max(body, tail)


def output_bytes(model: Model, load: Load) -> int:
    """Where logits are handed out, in main memory."""
    return model.vocab * load.streams * LOGIT_BYTES
